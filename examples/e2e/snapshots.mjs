/** Watches the live snapshot of a session while the call goes on. */

const PERIOD_MS = 700;

/** Polls one session until stopped. */
export class Snapshots {
    #progress;
    #stopped = false;
    #loop = null;

    /** Snapshots read, requests that failed (a killed server), times that the session had moved on, states seen. */
    figures = { read: 0, failed: 0, moved: 0, states: new Set() };

    /** `progress` returns numbers of a session that grow, each of them, while it goes on. */
    constructor(progress) {
        this.#progress = progress;
    }

    /** Starts polling session `id` of `api`. */
    start(api, id) {
        this.#loop = this.#run(api, id);
    }

    async #run(api, id) {
        let before = null;

        while (!this.#stopped) {
            try {
                const session = await api.session(id);
                const now = this.#progress(session);

                this.figures.read += 1;
                this.figures.states.add(session.state);
                // All have to grow; a snapshot that repeats itself counts for nothing.
                if (before && now.every((number, index) => number > before[index])) {
                    this.figures.moved += 1;
                    before = now;
                }
                before ??= now.every(number => number >= 0) ? now : null;
            } catch {
                this.figures.failed += 1;
            }
            await new Promise(resolve => { setTimeout(resolve, PERIOD_MS); });
        }
    }

    /** Ends the polling. */
    async stop() {
        this.#stopped = true;
        await this.#loop;
    }
}
