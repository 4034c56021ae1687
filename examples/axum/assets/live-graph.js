/** Live graphs of a series of all calls: what `/v1/stats/` and `/v1/stats/interval/` answer, asked again and again. */
import { Chart } from './charts.js';
import { element, setText } from './elements.js';

/** What can be looked at: the target below `/v1/stats/`, how often it is asked, and how long it is. */
export const RANGES = [
    { key: '5m', label: '5 minutes', target: '', pollMs: 5_000, lengthMs: 300_000 },
    { key: '10m', label: '10 minutes', target: 'interval/', pollMs: 5_000, lengthMs: 600_000 },
    { key: '30m', label: '30 minutes', target: 'interval/', pollMs: 10_000, lengthMs: 1_800_000 },
    { key: '1h', label: '1 hour', target: 'interval/', pollMs: 10_000, lengthMs: 3_600_000 }
];

/** Lines of a graph, at most: more are hard to tell apart, and slow. */
const MOST_LINES = 50;

/** Calls without values that keep their places, so that the others keep their colours. */
const MOST_GONE = 20;

/** So many buckets without a value do not break a line: long sessions have values less often. */
const BRIDGED = 3;

/** How long an answer is waited for. */
const PATIENCE_MS = 15_000;

/**
 * Asks this server for JSON.
 *
 * @param {string} target path and query
 * @returns {Promise<Object>}
 */
export async function ask(target) {
    const response = await fetch(target, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const body = await response.json().catch(() => ({}));

    if (!response.ok) {
        throw new Error(typeof body.error === 'string' ? body.error : `the server answers ${response.status}`);
    }

    return body;
}

/**
 * The series that there are.
 *
 * @returns {Promise<Array<{name: string, alias?: string, title: string, unit: string}>>}
 */
export async function allSeries() {
    return (await ask('/v1/series/')).series;
}

/** A graph that follows a series. */
export class LiveGraph {
    #series;
    #time;
    #options;
    #range = RANGES[0];
    #calls = new Map();
    #hidden = new Set();
    #filter = '';
    #chart = null;
    #state = element('p', { class: 'muted', role: 'status' });
    #timer = null;
    #round = 0;

    /**
     * @param {Object} series one of {@link allSeries}
     * @param {import('./time-axis.js').TimeAxis} time shared with the other graphs of the page
     * @param {Object} [options]
     * @param {boolean} [options.isListed] whether calls are listed, to be hidden one by one
     * @param {() => HTMLElement} [options.heading] instead of a plain title
     * @param {number} [options.height] in pixels
     */
    constructor(series, time, { isListed = false, heading, height } = {}) {
        this.#series = series;
        this.#time = time;
        this.#options = { isListed, heading, height };
        this.element = element('div', { class: 'live' });
        this.#build();
        this.#follow();
    }

    /** Looks at another time. */
    setRange(range) {
        this.#range = range;
        this.#time.setRange(null);
        this.#follow();
    }

    /** Draws only calls with this text in their ids. */
    setFilter(text) {
        this.#filter = text;
        this.#build();
        this.#describe(null);
    }

    /** Ends it. */
    close() {
        this.#round = -1;
        clearTimeout(this.#timer);
        this.#chart.close();
    }

    /** Makes the chart anew, with the calls that there are. */
    #build() {
        const { isListed, heading, height } = this.#options;

        this.#chart?.close();
        this.#chart = new Chart({
            title: this.#series.title, unit: this.#series.unit, time: this.#time, height, heading: heading?.(),
            lines: () => this.#lines(), fileParts: [ this.#range.key ],
            onToggle: isListed ? (call, isHidden) => this.#toggle(call, isHidden) : undefined
        });
        this.element.replaceChildren(this.#chart.element, this.#state);
    }

    #toggle(call, isHidden) {
        if (isHidden) {
            this.#hidden.add(call);
        } else {
            this.#hidden.delete(call);
        }
        this.#chart.update();
    }

    /** The calls that are drawn. */
    #shown() {
        return [ ...this.#calls.keys() ].filter(call => call.includes(this.#filter));
    }

    #lines() {
        return this.#shown().slice(0, MOST_LINES).map(call =>
            ({ key: call, name: call, isHidden: this.#hidden.has(call), ...toLine(this.#calls.get(call)) }));
    }

    /** Asks now, and from now on again and again. */
    async #follow() {
        const round = ++this.#round;
        const { target, key, pollMs, lengthMs } = this.#range;
        let problem = null;

        clearTimeout(this.#timer);
        try {
            const answer = await ask(`/v1/stats/${target}?${new URLSearchParams({ type: this.#series.name, duration: key })}`);

            if (round === this.#round) {
                this.#take(answer);
            }
        } catch (error) {
            problem = error;
        }
        if (round !== this.#round) {
            return;
        }
        const now = Date.now();

        this.#time.setExtent(now - lengthMs, now);
        this.#chart.update();
        this.#describe(problem);
        this.#timer = setTimeout(() => this.#follow(), pollMs);
    }

    /** Calls keep their places, as colours go by them. */
    #take(answer) {
        const gone = [ ...this.#calls.keys() ].filter(call => !Object.hasOwn(answer, call));

        gone.forEach(call => this.#calls.set(call, []));
        for (const call of Object.keys(answer).sort()) {
            this.#calls.set(call, answer[call]);
        }
        if (gone.length > MOST_GONE) {
            gone.forEach(call => this.#calls.delete(call));
            this.#build();
        }
    }

    /** Says what cannot be seen. */
    #describe(problem) {
        const count = this.#shown().length;
        let text = '';

        if (problem) {
            text = `Not up to date: ${problem.message}`;
        } else if (count === 0) {
            text = 'No call has values in this time.';
        } else if (count > MOST_LINES) {
            text = `The first ${MOST_LINES} of ${count} calls are drawn.`;
        }
        setText(this.#state, text);
    }
}

/** Times and values of buckets, without those that only interrupt a line. */
function toLine(buckets) {
    const kept = [];
    let empty = [];

    for (const bucket of buckets) {
        if (bucket.mean === null) {
            empty.push(bucket);
        } else {
            kept.push(...(empty.length > BRIDGED ? empty : []), bucket);
            empty = [];
        }
    }

    return { times: kept.map(({ time }) => Date.parse(time)), values: kept.map(({ mean }) => mean) };
}

/**
 * Radio buttons for what can be looked at.
 *
 * @param {(range: Object) => void} onChoice hears of one of {@link RANGES}
 * @returns {HTMLElement}
 */
export function rangeChoice(onChoice) {
    const choices = RANGES.map((range, index) => element('label', {},
        element('input', { type: 'radio', name: 'range', checked: index === 0, onchange: () => onChoice(range) }), ` ${range.label}`));

    return element('fieldset', { class: 'live-ranges' }, element('legend', {}, 'Time'), choices);
}

/**
 * Links to the graphs of series.
 *
 * @param {Object[]} series
 * @returns {HTMLElement}
 */
export function seriesLinks(series) {
    return element('ul', { class: 'live-links' }, series.map(({ name, title }) =>
        element('li', {}, element('a', { href: `/graph/${encodeURIComponent(name)}/` }, title))));
}
