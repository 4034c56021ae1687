/** The server's HTTP interface. */

const REQUEST_MS = 5000;

/** Talks to the server on `port`, never through the proxy. */
export class Api {
    #base;

    constructor(port) {
        this.#base = `http://127.0.0.1:${port}`;
    }

    /** One GET; throws unless the answer is 200. */
    async #get(path) {
        // No connection is kept: the server behind it may have been killed since.
        const response = await fetch(this.#base + path,
            { headers: { connection: 'close' }, signal: AbortSignal.timeout(REQUEST_MS) });

        if (response.status !== 200) {
            throw new Error(`GET ${path}: status ${response.status}`);
        }

        return response.text();
    }

    /** Throws unless the server is well. */
    async health() {
        await this.#get('/healthz');
    }

    /** All sessions, `[{id, state, …}]`. */
    async sessions() {
        return JSON.parse(await this.#get('/api/sessions')).sessions;
    }

    /** The id of the one session that is live; waits until there is one. */
    async live(milliseconds) {
        const deadline = Date.now() + milliseconds;

        for (;;) {
            const live = (await this.sessions()).filter(({ state }) => state === 'live');

            if (live.length === 1) {
                return live[0].id;
            }
            if (live.length > 1 || Date.now() > deadline) {
                throw new Error(`${live.length} sessions are live, expected one`);
            }
            await new Promise(resolve => { setTimeout(resolve, 50); });
        }
    }

    /** One session: live snapshot or final record. */
    async session(id) {
        return JSON.parse(await this.#get(`/api/sessions/${id}`));
    }

    /** The dump as text. */
    dump(id) {
        return this.#get(`/api/sessions/${id}/dump`);
    }

    /** Waits until the session is finished; returns its final record. */
    async finished(id, milliseconds) {
        const deadline = Date.now() + milliseconds;
        let last = 'never seen';

        while (Date.now() < deadline) {
            const session = await this.session(id).catch(error => ({ state: error.message }));

            if (session.state === 'finished') {
                return session;
            }
            last = session.state;
            await new Promise(resolve => { setTimeout(resolve, 100); });
        }
        throw new Error(`session not finished ${milliseconds} ms after the client left, state: ${last}`);
    }
}
