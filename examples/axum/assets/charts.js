/** One graph over time, drawn by Plotly when it comes into sight. */
import { element, setText } from './elements.js';
import { fileName, saveText, saveUrl, toCsv } from './export.js';
import { SCALED, formatNumber, fromClock, toClock, zoneName } from './quantities.js';
import { joined, thin } from './thinning.js';

/** New data is drawn at most this often. */
const PAUSE_MS = 1000;

/** Graphs are made this far before they are in sight. */
const AHEAD = '250px 0px';

/** Up to so many points, each one is marked. */
const MOST_MARKED_POINTS = 120;

/** The others wait no longer for a graph whose drawing does not end. */
const LONGEST_TURN_MS = 2000;

const DEFAULT_HEIGHT = 240;

/** Colours of lines that are told apart on both grounds. */
const COLOURS = {
    light: [ '#0b5cad', '#c2410c', '#15803d', '#9333ea', '#b91c1c', '#0e7490', '#a16207', '#be185d', '#4d7c0f', '#475569' ],
    dark: [ '#6db3ff', '#ffa05c', '#5ad17f', '#c99bff', '#ff8a8a', '#4fd3e8', '#e6c04a', '#ff8ac4', '#a5d65a', '#a9b6c6' ]
};

const DASHES = [ 'solid', 'dot', 'dash', 'dashdot' ];

/** Dragging on a touch screen scrolls the page. */
const isTouch = matchMedia('(pointer: coarse)');

const isDark = matchMedia('(prefers-color-scheme: dark)');

let plotly = null;

/**
 * Loads Plotly, once.
 *
 * @returns {Promise<Object>} what its script calls `Plotly`
 */
export function loadPlotly() {
    plotly ??= new Promise((resolve, reject) => {
        const script = document.createElement('script');

        script.src = '/assets/plotly.js';
        script.onload = () => resolve(window.Plotly);
        script.onerror = () => {
            plotly = null;
            reject(new Error('the script that draws graphs could not be loaded'));
        };
        document.head.append(script);
    });

    return plotly;
}

/**
 * A text as a label of Plotly's, which takes some tags and entities for its own.
 *
 * @param {string} text
 * @returns {string}
 */
export function escapeLabel(text) {
    return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

let lastTurn = Promise.resolve();

/** Does things one after the other, with room between them for what the reader does. */
function inTurn(action) {
    const turn = lastTurn.then(action);

    lastTurn = Promise.race([ turn.catch(() => {}), pause(LONGEST_TURN_MS) ]).then(() => pause(0));

    return turn;
}

function pause(milliseconds) {
    return new Promise(resolve => { setTimeout(resolve, milliseconds); });
}

const observer = new IntersectionObserver(entries => {
    for (const { target, isIntersecting } of entries) {
        charts.get(target)?.setInSight(isIntersecting);
    }
}, { rootMargin: AHEAD });

/** The charts by their elements. */
const charts = new WeakMap();

/**
 * A line of a chart.
 *
 * @typedef {Object} Line
 * @property {string} key tells it apart from all others
 * @property {string} name for reading
 * @property {number[]} times Unix epoch milliseconds
 * @property {Array<number|null>} values
 * @property {boolean} [isHidden]
 */

/** A graph with its title, its lines to choose from, and its files. */
export class Chart {
    #title;
    #unit;
    #lines;
    #time;
    #onToggle;
    #fileParts;
    #plot;
    #list;
    #items = new Map();
    #isInSight = false;
    #isDrawn = false;
    #isStale = true;
    #drawnUntil = -Infinity;
    #drawnAt = -Infinity;
    #timer = null;
    #isBusy = false;
    #stopListening;
    #onTheme = () => this.#redraw();

    /**
     * @param {Object} options
     * @param {string} options.title
     * @param {string} options.unit of all lines; may be empty
     * @param {() => Line[]} options.lines what to draw; asked whenever something is drawn
     * @param {import('./time-axis.js').TimeAxis} options.time shared with the other charts of the page
     * @param {(key: string, isHidden: boolean) => void} [options.onToggle] hears which lines are hidden; without it, and
     *     for a single line, there is nothing to choose from
     * @param {string[]} [options.fileParts] what names of files begin with
     * @param {HTMLElement} [options.heading] instead of a plain title
     * @param {number} [options.height] of the drawing, in pixels
     */
    constructor({ title, unit, lines, time, onToggle, fileParts = [], heading, height = DEFAULT_HEIGHT }) {
        this.#title = title;
        this.#unit = unit;
        this.#lines = lines;
        this.#time = time;
        this.#onToggle = onToggle;
        this.#fileParts = fileParts;
        this.height = height;
        this.#plot = element('div', { class: 'plot', role: 'img', 'aria-label': title, style: `height: ${height}px` });
        this.#list = element('ul', { class: 'lines', 'aria-label': `Series of ${title}` });
        this.element = element('figure', { class: 'chart' },
            element('div', { class: 'chart-head' },
                heading ?? element('figcaption', {}, title),
                this.#button('PNG', `Save ${title} as PNG`, () => this.savePng()),
                this.#button('CSV', `Save ${title} as CSV`, () => this.saveCsv())),
            this.#plot, onToggle ? this.#list : null);
        charts.set(this.element, this);
        observer.observe(this.element);
        isDark.addEventListener('change', this.#onTheme);
        this.#stopListening = time.onChange(what => this.#onTime(what));
    }

    /** Takes new data: draws it soon if it is in sight, and else when it comes into sight. */
    update() {
        this.#isStale = true;
        this.#drawSoon();
    }

    /** Ends it. */
    close() {
        observer.unobserve(this.element);
        isDark.removeEventListener('change', this.#onTheme);
        this.#stopListening();
        clearTimeout(this.#timer);
        this.#isInSight = false;
        this.#erase();
    }

    /** Saves what is shown as a picture. */
    async savePng() {
        const library = await loadPlotly();
        const width = Math.max(800, this.#plot.clientWidth);
        const lines = this.#visibleLines();
        const layout = { ...this.#layout(lines), showlegend: true, legend: { orientation: 'h', y: -0.2 }, width, height: 480,
            title: { text: escapeLabel(this.#title), font: { size: 15 } }, margin: { l: 70, r: 20, t: 48, b: 48 } };
        const data = this.#traces(lines);
        const url = await library.toImage({ data, layout }, { format: 'png', width, height: 480, scale: 2 });

        saveUrl(fileName([ ...this.#fileParts, this.#title ], 'png'), url);
    }

    /** Saves the numbers that are shown: visible lines, within the range of the axis. */
    saveCsv() {
        const range = this.#time.range ?? [ -Infinity, Infinity ];

        saveText(fileName([ ...this.#fileParts, this.#title ], 'csv'), 'text/csv',
            toCsv(this.#visibleLines(), this.#unit, range));
    }

    /** Told by the observer. */
    setInSight(isInSight) {
        this.#isInSight = isInSight;
        if (isInSight) {
            this.#isStale = true;
            this.#draw();
        } else {
            this.#erase();
        }
    }

    #button(text, label, onclick) {
        return element('button', { type: 'button', class: 'small', 'aria-label': label, title: label, onclick }, text);
    }

    #visibleLines() {
        return this.#lines().filter(({ isHidden }) => !isHidden);
    }

    #onTime(what) {
        if (!this.#isDrawn) {
            return;
        }
        if (what === 'mark') {
            this.#relayout(() => ({ shapes: this.#shapes() }));
        } else if (what === 'drag') {
            this.#relayout(() => ({ dragmode: this.#dragMode() }));
        } else {
            this.#redraw();
        }
    }

    /** It may be out of sight when its turn comes. */
    #relayout(change) {
        this.#perform(library => this.#isDrawn && library.relayout(this.#plot, change()));
    }

    #redraw() {
        if (this.#isInSight) {
            this.#isStale = true;
            this.#draw();
        }
    }

    #drawSoon() {
        if (!this.#isInSight || this.#timer !== null || (this.#isDrawn && !this.#time.shows(this.#drawnUntil))) {
            return;
        }
        const wait = Math.max(0, PAUSE_MS - (performance.now() - this.#drawnAt));

        this.#timer = setTimeout(() => {
            this.#timer = null;
            this.#draw();
        }, wait);
    }

    async #draw() {
        if (this.#isBusy || !this.#isInSight || !this.#isStale) {
            return;
        }
        await this.#perform(async library => {
            if (!this.#isInSight) {
                return;
            }
            const isFirst = !this.#isDrawn;
            const lines = this.#lines();

            if (isFirst) {
                this.#plot.replaceChildren();
            }
            this.#describe(lines);
            this.#isStale = false;
            this.#isDrawn = true;
            this.#drawnAt = performance.now();
            this.#drawnUntil = this.#time.extent[1];
            await library.react(this.#plot, this.#traces(lines), this.#layout(lines),
                { displayModeBar: false, displaylogo: false, responsive: true, doubleClick: false, showTips: false });
            if (isFirst) {
                this.#plot.on('plotly_relayout', change => this.#onRelayout(change));
                this.#plot.on('plotly_doubleclick', () => this.#time.setRange(null));
            }
        });
    }

    /** Calls Plotly; a failure is shown in place of the graph. */
    async #perform(action) {
        this.#isBusy = true;
        try {
            const library = await loadPlotly();

            await inTurn(() => action(library));
        } catch (error) {
            // The next update tries it again; until then nothing is as it should be.
            this.#erase();
            this.#isStale = false;
            setText(this.#plot, `The graph cannot be drawn: ${error.message}`);
        } finally {
            this.#isBusy = false;
        }
        // What came meanwhile is drawn now.
        if (this.#isStale && this.#isDrawn) {
            this.#drawSoon();
        }
    }

    #erase() {
        if (this.#isDrawn) {
            this.#isDrawn = false;
            this.#isStale = true;
            this.#plot.removeAllListeners?.('plotly_relayout');
            this.#plot.removeAllListeners?.('plotly_doubleclick');
            window.Plotly?.purge(this.#plot);
            this.#plot.replaceChildren();
        }
    }

    /** The reader zoomed or moved this graph: the others follow. */
    #onRelayout(change) {
        const range = change['xaxis.range'] ?? [ change['xaxis.range[0]'], change['xaxis.range[1]'] ];

        if (typeof range[0] === 'string' && typeof range[1] === 'string') {
            const [ from, to ] = range.map(text => fromReading(text, this.#time.zone));
            const [ shownFrom, shownTo ] = this.#time.shown;

            // What the page itself asked for comes back, rounded.
            if (Math.abs(from - shownFrom) > 1 || Math.abs(to - shownTo) > 1) {
                this.#time.setRange([ from, to ]);
            }
        }
    }

    #plotRange() {
        return this.#time.shown.map(ms => toReading(ms, this.#time.zone));
    }

    #dragMode() {
        return isTouch.matches ? false : this.#time.drag;
    }

    #shapes() {
        const { mark, zone } = this.#time;

        if (mark === null) {
            return [];
        }
        const at = toReading(mark, zone);

        return [ { type: 'line', x0: at, x1: at, yref: 'paper', y0: 0, y1: 1,
            line: { color: colourOf('--bad'), width: 1.5, dash: 'dash' } } ];
    }

    #layout(lines) {
        const text = colourOf('--text');
        const line = colourOf('--line');
        const ground = colourOf('--ground');
        const isScaled = this.#isScaled(lines);

        return {
            autosize: true,
            height: this.height,
            margin: { l: 56, r: 10, t: 6, b: 38 },
            paper_bgcolor: ground,
            plot_bgcolor: ground,
            font: { color: text, size: 11, family: 'system-ui, sans-serif' },
            showlegend: false,
            hovermode: 'x unified',
            hoverlabel: { bgcolor: colourOf('--raised'), bordercolor: line, font: { color: text }, namelength: 60 },
            dragmode: this.#dragMode(),
            uirevision: 'same',
            shapes: this.#shapes(),
            xaxis: { type: 'date', range: this.#plotRange(), gridcolor: line, linecolor: line, zeroline: false,
                fixedrange: isTouch.matches, hoverformat: '%H:%M:%S.%L', nticks: 6,
                title: { text: escapeLabel(zoneName(this.#time.zone)), standoff: 4, font: { size: 10 } } },
            yaxis: { gridcolor: line, linecolor: line, zerolinecolor: line, rangemode: 'tozero', fixedrange: true,
                tickformat: isScaled ? '~s' : '', exponentformat: 'SI', nticks: 5,
                title: { text: escapeLabel(this.#unit), standoff: 4, font: { size: 10 } } }
        };
    }

    #traces(lines) {
        const { zone } = this.#time;
        const colours = COLOURS[isDark.matches ? 'dark' : 'light'];
        const isScaled = this.#isScaled(lines);
        // In a template, a placeholder would be another number.
        const unit = `${isScaled || !this.#unit ? '' : ' '}${escapeLabel(this.#unit).replaceAll('%{', '% {')}`;
        const format = isScaled ? '.4~s' : ',.6~g';

        return lines.map((line, index) => {
            const { times, values } = line.isHidden ? { times: [], values: [] } : thin(joined(line), this.#time.shown);

            return {
                type: 'scatter',
                mode: values.length <= MOST_MARKED_POINTS ? 'lines+markers' : 'lines',
                name: escapeLabel(line.name),
                x: times.map(ms => toReading(ms, zone)),
                y: values,
                visible: !line.isHidden,
                connectgaps: false,
                line: { color: colours[index % colours.length], width: 1.5, dash: dashOf(index, colours.length) },
                marker: { size: 3.5 },
                hovertemplate: `%{y:${format}}${unit}`
            };
        });
    }

    /** Whether numbers are shortened by a prefix: k, M; and seconds by milli, while there are none. */
    #isScaled(lines) {
        return SCALED.has(this.#unit)
            || (this.#unit === 's' && lines.every(({ values }) => values.every(value => Math.abs(value) < 1)));
    }

    /** Says in words what the drawing shows, and lists the lines. */
    #describe(lines) {
        const visible = lines.filter(({ isHidden }) => !isHidden);
        const parts = visible.slice(0, 8).map(line => `${line.name}: ${inWords(line, this.#unit)}`);
        const more = visible.length > parts.length ? `; and ${visible.length - parts.length} more` : '';

        this.#plot.setAttribute('aria-label', `${this.#title}. ${parts.join('; ') || 'Nothing is shown'}${more}`);
        if (this.#onToggle) {
            this.#list.hidden = lines.length === 0;
            lines.forEach((line, index) => this.#listLine(line, index));
        }
    }

    #listLine(line, index) {
        let item = this.#items.get(line.key);

        if (!item) {
            const box = element('input', { type: 'checkbox', checked: !line.isHidden,
                onchange: () => this.#onToggle(line.key, !box.checked) });
            const value = element('span', { class: 'value' });
            const swatch = element('span', { class: 'swatch', 'aria-hidden': 'true' });

            item = { box, value, swatch,
                element: element('li', {}, element('label', {}, box, swatch, ' ', line.name), ' ', value) };
            this.#items.set(line.key, item);
            this.#list.append(item.element);
        }
        const colours = COLOURS[isDark.matches ? 'dark' : 'light'];

        item.box.checked = !line.isHidden;
        item.swatch.style.borderTop = `3px ${dashOf(index, colours.length) === 'solid' ? 'solid' : 'dotted'} ${
            colours[index % colours.length]}`;
        setText(item.value, formatNumber(lastOf(line.values), this.#unit));
    }
}

function dashOf(index, colours) {
    return DASHES[Math.floor(index / colours) % DASHES.length];
}

function lastOf(values) {
    return values.findLast(value => value !== null) ?? null;
}

function inWords({ values }, unit) {
    let [ lowest, highest ] = [ Infinity, -Infinity ];

    for (const value of values) {
        if (value !== null) {
            lowest = Math.min(lowest, value);
            highest = Math.max(highest, value);
        }
    }

    return lowest > highest ? 'no numbers' : `last ${formatNumber(lastOf(values), unit)}, lowest ${
        formatNumber(lowest, unit)}, highest ${formatNumber(highest, unit)}`;
}

/** A time as Plotly reads it, which knows of no time zones: what the clock shows. */
function toReading(ms, zone) {
    const date = new Date(toClock(ms, zone));

    return Number.isNaN(date.getTime()) ? null : date.toISOString().slice(0, -1).replace('T', ' ');
}

function fromReading(text, zone) {
    const [ day, time = '00:00' ] = text.split(' ');

    return fromClock(Date.parse(`${day}T${time.length === 2 ? `${time}:00` : time.slice(0, 12)}Z`), zone);
}

let probe = null;

/** A colour of the style sheet, as it is in the theme of the moment. */
function colourOf(name) {
    if (!probe) {
        probe = element('span', { hidden: true });
        document.body.append(probe);
    }
    probe.style.color = `var(${name})`;

    return getComputedStyle(probe).color;
}
