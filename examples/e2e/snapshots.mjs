/** Watches the live snapshot of a session while the call goes on. */

const PERIOD_MS = 700;

/** Polls one session until stopped. */
export class Snapshots {
    #stopped = false;
    #loop = null;

    /** Snapshots read, requests that failed (a killed server), times that the session had moved on, states seen. */
    figures = { read: 0, failed: 0, moved: 0, states: new Set() };

    /** Starts polling session `id` of `api`. */
    start(api, id) {
        this.#loop = this.#run(api, id);
    }

    async #run(api, id) {
        let before = null;

        while (!this.#stopped) {
            try {
                const { state, features } = await api.session(id);
                const now = { end: features?.sessionEndTime, count: features?.metrics?.statsRequestCount };

                this.figures.read += 1;
                this.figures.states.add(state);
                // Both have to grow; a snapshot that repeats itself counts for nothing.
                if (before && now.end > before.end && now.count > before.count) {
                    this.figures.moved += 1;
                    before = now;
                }
                before ??= now.count >= 0 ? now : null;
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
