/** What was traced, until a server has it: the log, the socket, and what is written to it. */
import { quietly } from './rtcstats-patches.js';
import { ReportEncoder } from './rtcstats-reports.js';

const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 60_000;

/** A connection that stood so long was a good one: the next delay is short again. */
const GOOD_MS = 10_000;

/** Servers close connections that are silent for minutes. An empty message adds nothing to the session. */
const KEEPALIVE_MS = 45_000;

/** More than this is not given to a socket that does not get rid of it; it is tried again a little later. */
const SOCKET_BYTES = 256 << 10;
const CONGESTED_MS = 200;

/** How long what is left may take at the end. */
const STOP_MS = 10_000;

/** The server does not want this client. */
const REFUSED = 1008;

const OPEN = 1;

/** How full the buffer is left when the oldest entries had to go. */
const ENOUGH = 0.75;

/** What says what there is, and whose it is: every session begins with it. */
const BASIC = new Set([ 'create', 'identity', 'constraints' ]);

/** What an entry takes besides its text. */
const ENTRY_BYTES = 100;

/**
 * One thing that was traced.
 *
 * @typedef {object} Entry
 * @property {number} time In Unix epoch milliseconds.
 * @property {string} method
 * @property {string | null} connection
 * @property {string} value As JSON; of a report, all of it.
 * @property {string} extras As JSON, each with a comma in front.
 * @property {boolean} isReport
 * @property {boolean} isOnce Whether it belongs to one session only: a report, or what is said of a socket.
 * @property {boolean} isSent Whether the present session has it.
 */

/**
 * The log of a page. Everything is written the moment it is sent: times and reports are differences to what the same
 * session had before, and another connection is another session.
 */
export class Recorder {
    /** @type {Entry[]} Those that are sent first. */
    #entries = [];
    #bytes = 0;
    /** Connections that are closed, with the session that was told so. */
    #closed = new Map();
    #dropped = { events: 0, reports: 0 };

    #connect;
    #bufferBytes;
    #log;

    #socket = null;
    /** When it was opened; 0 before. */
    #openedAt = 0;
    #sessions = 0;
    #lastTime = 0;
    #encoders = new Map();

    #failures = 0;
    #retryTimer;
    #sendTimer;
    #keepaliveTimer;
    /** Nothing more is sent: it was stopped and is done, or the server refused. */
    #isOver = false;
    /** What `stop` promised, and how it is kept. */
    #stopped = null;
    #settle = () => {};

    /**
     * @param {object} options
     * @param {() => Promise<WebSocket>} options.connect Opens a socket.
     * @param {number} options.bufferBytes About how much is kept.
     * @param {(message: string) => void} options.log Hears what goes wrong.
     */
    constructor({ connect, bufferBytes, log }) {
        this.#connect = connect;
        this.#bufferBytes = bufferBytes;
        this.#log = log;
    }

    /** Connects, and connects again whenever that is lost. */
    async start() {
        const began = Date.now();
        let socket;

        try {
            socket = await this.#connect();
        } catch (error) {
            this.#log(`cannot connect: ${error.message}`);
            this.#retry();

            return;
        }
        if (this.#isOver) {
            socket.close();

            return;
        }
        this.#socket = socket;
        this.#openedAt = 0;
        socket.addEventListener('open', () => this.#opened(began));
        socket.addEventListener('close', event => this.#lost(event.code));
    }

    /** Adds an event; `extras` come behind its value. */
    trace(method, connection, value, ...extras) {
        this.#add({ method, connection, value: toJson(value), extras: extras.map(extra => `,${toJson(extra)}`).join('') });
    }

    /** Adds what `getStats` returned; `extras` as above. */
    traceReport(connection, report, ...extras) {
        this.#add({ method: 'getStats', connection, value: toJson(Object.fromEntries(report)),
            extras: extras.map(extra => `,${toJson(extra)}`).join(''), isReport: true, isOnce: true });
    }

    /** Takes nothing more, and ends when the server has all; see `Tracing.stop`. */
    stop() {
        this.#stopped ??= new Promise(resolve => {
            const timer = setTimeout(() => this.#settle(false), STOP_MS);

            this.#settle = isAll => {
                clearTimeout(timer);
                this.#end();
                resolve(isAll);
            };
            if (this.#isOver) {
                this.#settle(false);
            } else if (this.#retryTimer !== undefined) {
                this.#retryNow();
            }
        });
        this.#send();

        return this.#stopped;
    }

    #end() {
        this.#isOver = true;
        this.#settle = () => {};
        for (const timer of [ this.#retryTimer, this.#sendTimer, this.#keepaliveTimer ]) {
            clearTimeout(timer);
        }
        this.#entries = [];
        // What it was given it still sends, in front of the close frame.
        quietly(() => this.#socket?.close());
        this.#socket = null;
    }

    #add(entry) {
        if (!this.#stopped && !this.#isOver) {
            this.#push(entry);
            this.#send();
        }
    }

    #push(entry) {
        this.#entries.push({ time: Date.now(), isReport: false, isOnce: false, isSent: false, ...entry });
        this.#bytes += sizeOf(entry);
        if (this.#bytes > this.#bufferBytes) {
            this.#makeRoom();
        }
    }

    #opened(began) {
        this.#openedAt = Date.now();
        this.#sessions += 1;
        this.#lastTime = 0;
        this.#encoders.clear();
        this.#forgetClosed();
        for (const entry of this.#entries) {
            entry.isSent = false;
        }
        const { events, reports } = this.#dropped;

        if (events + reports > 0) {
            this.#push({ method: ':dropped', connection: null, value: toJson({ events, reports }), extras: '' });
            this.#dropped = { events: 0, reports: 0 };
        }
        this.#push({ method: 'websocket', connection: null, value: toJson({ connectionTime: this.#openedAt - began }),
            extras: '', isOnce: true });
        this.#send();
    }

    #lost(code) {
        if (this.#isOver) {
            return;
        }
        if (this.#socket.bufferedAmount > 0) {
            this.#doubtClosed();
        } else {
            this.#forgetSent();
        }
        this.#socket = null;
        clearTimeout(this.#sendTimer);
        clearTimeout(this.#keepaliveTimer);
        if (code === REFUSED) {
            this.#log('the server refused the connection');
            this.#settle(false);
            this.#end();

            return;
        }
        if (this.#openedAt && Date.now() - this.#openedAt > GOOD_MS) {
            this.#failures = 0;
        }
        this.#log(`no connection (${code})`);
        this.#retry();
    }

    #retry() {
        if (this.#isOver) {
            return;
        }
        const longest = Math.min(FIRST_DELAY_MS * (2 ** this.#failures), LONGEST_DELAY_MS);

        this.#failures += 1;
        // Not all clients of a server that comes back come at once.
        this.#retryTimer = setTimeout(() => this.#retryNow(), longest * (0.5 + (Math.random() / 2)));
    }

    #retryNow() {
        clearTimeout(this.#retryTimer);
        this.#retryTimer = undefined;
        this.start();
    }

    /** Writes what is left, as far as the socket takes it. */
    #send() {
        const socket = this.#socket;

        clearTimeout(this.#sendTimer);
        if (socket?.readyState !== OPEN) {
            return;
        }
        if (socket.bufferedAmount === 0) {
            this.#forgetSent();
        }
        for (const entry of this.#entries) {
            if (entry.isSent) {
                continue;
            }
            if (socket.bufferedAmount > SOCKET_BYTES) {
                this.#sendTimer = setTimeout(() => this.#send(), CONGESTED_MS);

                return;
            }
            this.#write(socket, entry);
        }
        if (this.#stopped) {
            this.#closeSocket(socket);

            return;
        }
        clearTimeout(this.#keepaliveTimer);
        this.#keepaliveTimer = setTimeout(() => this.#keepAlive(), KEEPALIVE_MS);
    }

    /** Behind all that was sent; what was promised is kept when the server has answered. */
    #closeSocket(socket) {
        const settle = this.#settle;

        this.#isOver = true;
        socket.addEventListener('close', () => settle(socket.bufferedAmount === 0));
        socket.close();
    }

    #keepAlive() {
        quietly(() => this.#socket.send(''));
        this.#send();
    }

    #write(socket, entry) {
        entry.isSent = true;
        if (entry.method === 'close') {
            this.#closed.set(entry.connection, this.#sessions);
        }
        for (const value of entry.isReport ? this.#deltas(entry) : [ entry.value ]) {
            const { time, method, connection, extras } = entry;

            socket.send(`[${toJson(method)},${toJson(connection)},${value}${extras},${time - this.#lastTime}]`);
            this.#lastTime = time;
        }
    }

    #deltas({ connection, value }) {
        if (!this.#encoders.has(connection)) {
            this.#encoders.set(connection, new ReportEncoder());
        }

        return this.#encoders.get(connection).encode(JSON.parse(value)).map(toJson);
    }

    /** Forgets what the session has and no other needs. */
    #forgetSent() {
        this.#keep(entry => !(entry.isSent && entry.isOnce));
    }

    /** Forgets connections whose end an earlier session has. */
    #forgetClosed() {
        const isOver = connection => this.#closed.get(connection) < this.#sessions;

        this.#keep(entry => !isOver(entry.connection));
        for (const connection of [ ...this.#closed.keys() ].filter(isOver)) {
            this.#closed.delete(connection);
        }
    }

    /** The present session may not have all that was sent. */
    #doubtClosed() {
        for (const [ connection, session ] of this.#closed) {
            if (session === this.#sessions) {
                this.#closed.delete(connection);
            }
        }
    }

    #keep(isKept) {
        this.#entries = this.#entries.filter(entry => {
            if (!isKept(entry)) {
                this.#bytes -= sizeOf(entry);

                return false;
            }

            return true;
        });
    }

    /**
     * Reports are sums since the beginning, so that without every second one all is known, less finely. When that does
     * not do, the oldest go, whatever they are, but for those that say what there is.
     */
    #makeRoom() {
        const isKept = new Map();

        this.#forgetSent();
        // What is only kept to begin another session with: that needs nothing of connections that are over.
        this.#keep(({ isSent, connection }) => !(isSent && this.#closed.has(connection)));
        if (this.#bytes <= this.#bufferBytes) {
            return;
        }
        this.#keep(({ isReport, connection }) => {
            if (!isReport) {
                return true;
            }
            isKept.set(connection, !isKept.get(connection));
            this.#dropped.reports += isKept.get(connection) ? 0 : 1;

            return isKept.get(connection);
        });
        if (this.#bytes <= this.#bufferBytes) {
            return;
        }
        // Some more than needed, so that this is not done for each entry.
        const enough = this.#bufferBytes * ENOUGH;

        this.#keep(({ method, isReport, isSent }) => {
            if (this.#bytes <= enough || BASIC.has(method)) {
                return true;
            }
            this.#dropped[isReport ? 'reports' : 'events'] += isSent ? 0 : 1;

            return false;
        });
    }
}

function sizeOf({ value, extras }) {
    return value.length + extras.length + ENTRY_BYTES;
}

/** What JSON has no word for is `null`. */
function toJson(value) {
    return quietly(() => JSON.stringify(value)) ?? 'null';
}
