/** What the server sends of a session while it goes on. */

/** Where the browser gives up by itself, it is tried again after this long. */
const RETRY_MS = 3000;

/** Follows one session. */
export class LiveUpdates {
    #path;
    #listener;
    #source = null;
    #timer = null;
    /** Browsers have six connections to a host, for all tabs: those that nobody sees need none. */
    #onVisibility = () => {
        if (document.hidden) {
            this.#drop();
        } else if (!this.#source) {
            this.#open();
        }
    };

    /**
     * @param {string} id the session's
     * @param {Object} listener
     * @param {(view: Object) => void} listener.onView a whole view
     * @param {(update: Object) => boolean} listener.onUpdate what is new; false asks for a whole view
     * @param {() => void} listener.onEnd the session is over
     * @param {(isConnected: boolean) => void} listener.onConnection
     */
    constructor(id, listener) {
        this.#path = `/api/sessions/${encodeURIComponent(id)}/live`;
        this.#listener = listener;
        document.addEventListener('visibilitychange', this.#onVisibility);
        this.#onVisibility();
    }

    close() {
        document.removeEventListener('visibilitychange', this.#onVisibility);
        this.#drop();
    }

    #drop() {
        clearTimeout(this.#timer);
        this.#source?.close();
        this.#source = null;
    }

    #open() {
        const source = new EventSource(this.#path);

        this.#source = source;
        source.addEventListener('view', ({ data }) => {
            this.#listener.onView(JSON.parse(data));
            this.#listener.onConnection(true);
        });
        source.addEventListener('update', ({ data }) => {
            if (!this.#listener.onUpdate(JSON.parse(data))) {
                this.#openLater(0);
            }
        });
        source.addEventListener('end', () => {
            this.close();
            this.#listener.onEnd();
        });
        source.addEventListener('error', () => {
            this.#listener.onConnection(false);
            if (source.readyState === EventSource.CLOSED) {
                this.#openLater(RETRY_MS);
            }
        });
    }

    /** The first thing on a new connection is a whole view. */
    #openLater(milliseconds) {
        this.#drop();
        this.#timer = setTimeout(() => this.#onVisibility(), milliseconds);
    }
}
