/** A TCP proxy between page and server whose connections can be damaged in the ways networks do it. */
import { connect, createServer } from 'node:net';

const sleep = milliseconds => new Promise(resolve => { setTimeout(resolve, milliseconds); });

/** How long bytes vanish before the loss is noticed. */
const LOSS_MS = 1200;

/** What happens to the bytes of one direction. */
const FORWARD = 'forward';
const HOLD = 'hold';
const LOSE = 'lose';

/** Forwards every connection to `targetPort`. */
export class Proxy {
    #pairs = new Set();
    #server;

    /** Pieces that were delivered late. */
    late = 0;

    constructor(targetPort) {
        this.#server = createServer(page => this.#accept(page, targetPort));
    }

    /** Listens on a free port and returns it. */
    listen() {
        return new Promise((resolve, reject) => {
            this.#server.once('error', reject);
            this.#server.listen(0, '127.0.0.1', () => resolve(this.#server.address().port));
        });
    }

    #accept(page, targetPort) {
        const server = connect(targetPort, '127.0.0.1');
        const pair = { page, server, toServer: FORWARD, toPage: FORWARD, held: [], halfOpen: false };

        this.#pairs.add(pair);
        page.setNoDelay(true);
        server.setNoDelay(true);
        page.on('data', bytes => {
            if (pair.toServer === FORWARD) {
                server.write(bytes);
            } else if (pair.toServer === HOLD) {
                pair.held.push(bytes);
            }
        });
        server.on('data', bytes => {
            if (pair.toPage === FORWARD) {
                page.write(bytes);
                this.#deliverHeld();
            }
        });
        page.on('error', () => {});
        server.on('error', () => {});
        page.on('close', () => pair.halfOpen || server.destroy());
        server.on('close', () => {
            this.#pairs.delete(pair);
            page.destroy();
        });
    }

    /** Hands what half-open connections held back to the server. */
    #deliverHeld() {
        for (const { server, held } of [ ...this.#pairs ].filter(pair => pair.halfOpen)) {
            this.late += held.length;
            held.splice(0).forEach(bytes => server.write(bytes));
        }
    }

    /** The connections that are in use. */
    #current() {
        return [ ...this.#pairs ].filter(pair => !pair.halfOpen);
    }

    /** Resets both sides at once. */
    async reset() {
        for (const { page, server } of this.#current()) {
            page.resetAndDestroy();
            server.resetAndDestroy();
        }
    }

    /** What the page sends vanishes for a while, then both sides are closed: the page has to send it again. */
    async loseEntries() {
        const pairs = this.#current();

        pairs.forEach(pair => { pair.toServer = LOSE; });
        await sleep(LOSS_MS);
        for (const { page, server } of pairs) {
            page.destroy();
            server.destroy();
        }
    }

    /**
     * Nothing gets through for a while, then only the page's side is reset: the server takes the old connection for
     * alive. What the page had sent arrives there after all, but late: when the server first answers on the next
     * connection, on which the page sends the same entries again.
     */
    async deliverLate() {
        const pairs = this.#current();

        for (const pair of pairs) {
            pair.toServer = HOLD;
            pair.toPage = LOSE;
        }
        await sleep(LOSS_MS);
        for (const pair of pairs) {
            pair.halfOpen = true;
            pair.page.resetAndDestroy();
        }
    }

    /** Ends everything. */
    close() {
        this.#server.close();
        for (const { page, server } of this.#pairs) {
            page.destroy();
            server.destroy();
        }
    }
}
