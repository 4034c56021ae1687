/** Which series the reader chose, and which lines of the other graphs are hidden. */

/** Links get long; more than these are not read from one. */
export const MOST_SERIES = 500;

/** The selection. It tells its listeners when it changes. */
export class Selection {
    #chosen = new Set();
    #hidden = new Set();
    #listeners = new Set();

    /** Keys of the chosen series, in the order of choice. */
    get chosen() {
        return [ ...this.#chosen ];
    }

    /** Keys of the hidden lines. */
    get hidden() {
        return [ ...this.#hidden ];
    }

    isChosen(key) {
        return this.#chosen.has(key);
    }

    isHidden(key) {
        return this.#hidden.has(key);
    }

    choose(key, isChosen) {
        this.#put(this.#chosen, key, isChosen);
    }

    hide(key, isHidden) {
        this.#put(this.#hidden, key, isHidden);
    }

    /** Chooses no series. */
    clear() {
        this.set([], this.hidden);
    }

    /**
     * Takes other keys in place of all.
     *
     * @param {string[]} chosen
     * @param {string[]} hidden
     */
    set(chosen, hidden) {
        this.#chosen = new Set(chosen.slice(0, MOST_SERIES));
        this.#hidden = new Set(hidden.slice(0, MOST_SERIES));
        this.#tell();
    }

    /** Hears of changes; returns how to hear no more of them. */
    onChange(listener) {
        this.#listeners.add(listener);

        return () => this.#listeners.delete(listener);
    }

    #put(set, key, isIn) {
        if (isIn) {
            set.add(key);
        } else {
            set.delete(key);
        }
        this.#tell();
    }

    #tell() {
        this.#listeners.forEach(listener => listener());
    }
}
