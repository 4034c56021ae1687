/** The buttons that rule all graphs at once: what range, which clock, what dragging does; and the link to it. */
import { element, setText } from './elements.js';
import { formatDate, formatDuration, formatTime } from './quantities.js';

/** How long it says that something was copied. */
const SAID_MS = 4000;

/** The toolbar. */
export class TimeToolbar {
    #time;
    #stopListening;
    #buttons;
    #range;
    #timer = null;

    /**
     * @param {import('./time-axis.js').TimeAxis} time
     * @param {(() => string)|null} link the URL of what is shown; `null` where there is none
     */
    constructor(time, link) {
        const button = (text, label, onclick) => element('button', { type: 'button', 'aria-label': label, title: label,
            onclick }, text);

        this.#time = time;
        this.#buttons = {
            zoomIn: button('+', 'Zoom in', () => time.zoom(true)),
            zoomOut: button('−', 'Zoom out', () => time.zoom(false)),
            earlier: button('←', 'Earlier', () => time.move(-1)),
            later: button('→', 'Later', () => time.move(1)),
            all: button('All', 'Show all, and follow what comes', () => time.setRange(null))
        };
        this.#range = element('span', { class: 'range' });
        this.said = element('span', { role: 'status', class: 'muted' });
        this.element = element('div', { class: 'toolbar', role: 'group', 'aria-label': 'Time axis of all graphs' },
            element('span', { class: 'group' }, Object.values(this.#buttons)),
            this.#choice('Dragging', [ [ 'zoom', 'zooms' ], [ 'pan', 'moves' ] ], time.drag, value => time.setDrag(value), 'drag'),
            this.#choice('Time', [ [ 'local', 'local' ], [ 'utc', 'UTC' ] ], time.zone, value => time.setZone(value), 'zone'),
            this.#range,
            link ? element('button', { type: 'button', onclick: () => this.#copy(link()) }, 'Copy link') : null,
            this.said);
        this.#stopListening = time.onChange(() => this.update());
        this.update();
    }

    /** Says what is shown. */
    update() {
        const { shown: [ from, to ], zone, range, extent } = this.#time;

        for (const name of [ 'zoomOut', 'earlier', 'later', 'all' ]) {
            this.#buttons[name].disabled = range === null;
        }
        this.#buttons.earlier.disabled ||= from <= extent[0];
        this.#buttons.later.disabled ||= to >= extent[1];
        setText(this.#range, `${formatDate(from, zone)} to ${formatTime(to, zone).slice(0, 8)} (${formatDuration(to - from)})`);
    }

    close() {
        clearTimeout(this.#timer);
        this.#stopListening();
    }

    #choice(title, options, value, onChoice, name) {
        const select = element('select', { onchange: () => onChoice(select.value) },
            options.map(([ own, text ]) => element('option', { value: own }, text)));

        select.value = value;

        return element('label', { class: name }, title, ' ', select);
    }

    async #copy(url) {
        try {
            await navigator.clipboard.writeText(url);
            setText(this.said, 'Link copied');
        } catch {
            // Where the clipboard is out of reach, the link is there to be copied by hand.
            setText(this.said, url);

            return;
        }
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => setText(this.said, ''), SAID_MS);
    }
}
