/** The time axis that all graphs of a page share: what range is shown, by which clock, and which time is marked. */

/** No less is shown: a report comes about once a second. */
const SHORTEST_MS = 2000;

/** By how much one step of a button zooms or moves. */
const STEP = 0.5;

/** The axis. It tells its listeners what changed: `range`, `zone`, `mark` or `drag`. */
export class TimeAxis {
    #listeners = new Set();
    #range = null;
    #zone = 'local';
    #mark = null;
    #drag = 'zoom';

    /** First and last time that there is. */
    extent = [ 0, SHORTEST_MS ];

    /**
     * Sets the first and the last time that there is. This tells nobody: new data does that.
     *
     * @param {number|null} from
     * @param {number|null} to
     */
    setExtent(from, to) {
        if (from !== null && to !== null) {
            this.extent = [ from, Math.max(to, from + SHORTEST_MS) ];
        }
    }

    /** The range that the reader chose; `null` while all is shown. */
    get range() {
        return this.#range;
    }

    /** The range that is shown. */
    get shown() {
        return this.#range ?? this.extent;
    }

    /** The clock of the axis: `utc` or `local`. */
    get zone() {
        return this.#zone;
    }

    /** The marked time, or `null`. */
    get mark() {
        return this.#mark;
    }

    /** What dragging over a graph does: `zoom` or `pan`. */
    get drag() {
        return this.#drag;
    }

    /**
     * Whether what comes at the right edge is in sight.
     *
     * @param {number} since the last time that was drawn
     */
    shows(since) {
        return this.#range === null || this.#range[1] > since;
    }

    /**
     * Shows a range.
     *
     * @param {[number, number]|null} range `null`: all, and what is to come
     */
    setRange(range) {
        if (range && !(Number.isFinite(range[0]) && Number.isFinite(range[1]) && range[0] < range[1])) {
            return;
        }
        if (range?.[0] !== this.#range?.[0] || range?.[1] !== this.#range?.[1]) {
            this.#range = range;
            this.#tell('range');
        }
    }

    /** Shows half of what is shown, or twice as much. */
    zoom(isIn) {
        const [ from, to ] = this.shown;
        const span = Math.max(SHORTEST_MS, (to - from) * (isIn ? STEP : 1 / STEP));
        const center = (from + to) / 2;

        this.#setWithin(center - (span / 2), span);
    }

    /** Moves what is shown by half of its width; back for a negative direction. */
    move(direction) {
        const [ from, to ] = this.shown;
        const span = to - from;

        if (this.#range) {
            this.#setWithin(from + (Math.sign(direction) * span * STEP), span);
        }
    }

    setZone(zone) {
        this.#zone = zone;
        this.#tell('zone');
    }

    setMark(ms) {
        this.#mark = ms;
        this.#tell('mark');
    }

    setDrag(drag) {
        this.#drag = drag;
        this.#tell('drag');
    }

    /**
     * Hears of changes; returns how to hear no more of them.
     *
     * @param {(what: 'range'|'zone'|'mark'|'drag') => void} listener
     * @returns {() => void}
     */
    onChange(listener) {
        this.#listeners.add(listener);

        return () => this.#listeners.delete(listener);
    }

    /** Shows a span that begins about there, but nothing outside of what there is. */
    #setWithin(from, span) {
        const [ first, last ] = this.extent;

        if (span >= last - first) {
            this.setRange(null);
        } else {
            const begin = Math.min(Math.max(from, first), last - span);

            this.setRange([ begin, begin + span ]);
        }
    }

    #tell(what) {
        this.#listeners.forEach(listener => listener(what));
    }
}
