/** A client that sends a recorded session, as fast as it is told to. */
import { readRecording } from './recording.mjs';

const CLOSED_MS = 15_000;

/** A browser that holds the socket of a recording. */
export class RecordedClient {
    #page = null;
    #frames;
    #sent = 0;

    constructor(session, recording) {
        this.session = session;
        this.recording = recording;
        this.#frames = recording.frames;
    }

    /** The client of the recording `name`, connected; `null` where there are no recordings. */
    static async connect(session, name) {
        const recording = readRecording(session.options.shared, name);
        const client = recording && new RecordedClient(session, recording);

        await client?.#connect();

        return client;
    }

    /** How many messages are not sent yet. */
    get left() {
        return this.#frames.length - this.#sent;
    }

    /** Sends the next messages, all of them if it is not said how many. */
    async send(count = this.left) {
        const frames = this.#frames.slice(this.#sent, this.#sent + count);

        this.#sent += frames.length;
        await this.#page.evaluate(all => all.forEach(frame => window.socket.send(frame)), frames);
    }

    /** Comes back after its socket was lost, and goes on where it was. */
    async reconnect() {
        await this.#page.context().close();
        await this.#connect({ isReconnect: 'true' });
    }

    /** Leaves for good, with the code that the client has for it. */
    async close() {
        await this.#page.evaluate(([ isCoded, wait ]) => new Promise((resolve, reject) => {
            window.socket.onclose = resolve;
            setTimeout(() => reject(new Error('the socket did not close')), wait);
            window.socket.close(...isCoded ? [ 3001, 'conference left' ] : []);
        }), [ !this.recording.subprotocol.startsWith('rtcstats#'), CLOSED_MS ]);
        await this.#page.context().close();
    }

    async #connect(parameters = {}) {
        const { subprotocol, userAgent } = this.recording;
        const { browser, origin } = this.session;
        const url = new URL(this.recording.url, origin.replace('http', 'ws'));

        Object.entries(parameters).forEach(([ name, value ]) => url.searchParams.set(name, value));
        const context = await browser.newContext({ userAgent });

        this.#page = await context.newPage();
        await this.#page.goto(`${origin}/livez`);
        await this.#page.evaluate(([ target, protocol ]) => new Promise((resolve, reject) => {
            window.socket = new WebSocket(target, protocol);
            window.socket.onopen = () => resolve();
            window.socket.onerror = () => reject(new Error('the server refused the socket'));
        }), [ url.href, subprotocol ]);
    }
}

/** The recording with audio and video of a 5.0 client. */
export const CALL = 'rtcstatsjs-chromium-01-av-p2p';

/** A long one over a bad network. */
export const LONG_CALL = 'rtcstatsjs-chromium-15-long-lossy';

/** One of Jitsi's client. */
export const JITSI_CALL = 'jitsi-chromium-01-av-p2p';
