/** The events of a session, in pages, filtered. */
import { element, setText } from './elements.js';
import { NOTHING, formatTime } from './quantities.js';

const PAGE_ROWS = 100;

/** Typing is waited for this long. */
const TYPING_MS = 150;

/** Categories in the order of the boxes, with what they are called. */
const CATEGORIES = [
    [ 'api', 'API calls' ], [ 'negotiation', 'Negotiation' ], [ 'state', 'State changes' ], [ 'candidate', 'Candidates' ],
    [ 'media', 'Media' ], [ 'client', 'Client' ], [ 'other', 'Other' ]
];

const KNOWN = new Set(CATEGORIES.map(([ name ]) => name));

/** The part of the page with the events. */
export class Timeline {
    #model;
    #time;
    #hidden = new Set();
    #counts = new Map();
    #matches = [];
    #page = 0;
    #shown = [];
    #timer = null;
    #texts = new WeakMap();
    #stopListening;

    /**
     * @param {import('./session-model.js').SessionModel} model
     * @param {import('./time-axis.js').TimeAxis} time where the time of a clicked event is marked
     */
    constructor(model, time) {
        this.#model = model;
        this.#time = time;
        this.element = element('div', { class: 'timeline' }, this.#makeFilters(), this.#makeTable(), this.#makePager());
        this.#stopListening = time.onChange(what => what === 'zone' && this.#rewrite());
        this.update();
    }

    /** Takes what changed in the model. */
    update() {
        this.#listConnections();
        this.#count();
        this.#filter();
    }

    close() {
        clearTimeout(this.#timer);
        this.#stopListening();
    }

    #makeFilters() {
        this.#counts = new Map(CATEGORIES.map(([ name ]) => [ name, element('span', { class: 'muted' }) ]));
        const boxes = CATEGORIES.map(([ name, title ]) => {
            const box = element('input', { type: 'checkbox', checked: true, onchange: () => {
                if (box.checked) {
                    this.#hidden.delete(name);
                } else {
                    this.#hidden.add(name);
                }
                this.#restart();
            } });

            return element('label', {}, box, ' ', title, ' ', this.#counts.get(name));
        });

        this.connections = element('select', { onchange: () => this.#restart() }, element('option', { value: '' }, 'All'),
            element('option', { value: 'client' }, 'None (the client)'));
        this.text = element('input', { type: 'search', autocomplete: 'off', spellcheck: 'false', oninput: () => {
            clearTimeout(this.#timer);
            this.#timer = setTimeout(() => this.#restart(), TYPING_MS);
        } });

        return element('div', { class: 'filters' },
            element('fieldset', { class: 'boxes' }, element('legend', {}, 'Categories'), boxes),
            element('label', {}, 'Connection ', this.connections),
            element('label', {}, 'Text ', this.text));
    }

    #makeTable() {
        const heads = [ 'Time', 'Connection', 'Category', 'Event', 'What' ];

        this.rows = element('tbody', {});

        return element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Events' },
            element('table', { class: 'events' },
                element('thead', {}, element('tr', {}, heads.map(name => element('th', { scope: 'col' }, name)))),
                this.rows));
    }

    #makePager() {
        this.position = element('span', {});
        this.earlier = element('button', { type: 'button', onclick: () => this.#turn(this.#page - 1) }, 'Earlier events');
        this.later = element('button', { type: 'button', onclick: () => this.#turn(this.#page + 1) }, 'Later events');
        this.last = element('button', { type: 'button', onclick: () => this.#turn(Infinity) }, 'Last');

        return element('p', { class: 'pager' }, this.earlier, this.later, this.last, this.position);
    }

    #listConnections() {
        const listed = new Set([ ...this.connections.options ].map(({ value }) => value));

        for (const { id } of this.#model.connections) {
            if (!listed.has(`=${id}`)) {
                this.connections.append(element('option', { value: `=${id}` }, id));
            }
        }
    }

    #count() {
        const counts = new Map();

        for (const event of this.#model.events) {
            const name = categoryOf(event);

            counts.set(name, (counts.get(name) ?? 0) + 1);
        }
        this.#counts.forEach((node, name) => setText(node, `(${(counts.get(name) ?? 0).toLocaleString('en')})`));
    }

    #restart() {
        this.#page = 0;
        this.#filter();
    }

    #filter() {
        const connection = this.connections.value;
        const text = this.text.value.trim().toLowerCase();

        this.#matches = this.#model.events.filter(event => !this.#hidden.has(categoryOf(event))
            && (connection === '' || (connection === 'client' ? event.connection === null : `=${event.connection}` === connection))
            && (text === '' || this.#textOf(event).includes(text)));
        this.#show();
    }

    /** What the filter looks at. */
    #textOf(event) {
        let text = this.#texts.get(event);

        if (text === undefined) {
            text = [ event.name, event.text, event.connection, event.detail ].join('\n').toLowerCase();
            this.#texts.set(event, text);
        }

        return text;
    }

    #turn(page) {
        this.#page = page;
        this.#show();
    }

    #show() {
        const pages = Math.max(1, Math.ceil(this.#matches.length / PAGE_ROWS));

        this.#page = Math.min(Math.max(0, this.#page), pages - 1);
        const from = this.#page * PAGE_ROWS;
        const events = this.#matches.slice(from, from + PAGE_ROWS);
        const isMore = this.#shown.length > 0 && this.#shown.every((event, index) => event === events[index]);

        // Rows that stay are not touched: the reader may be in one of them.
        if (!isMore) {
            this.rows.replaceChildren();
        }
        this.rows.append(...events.slice(isMore ? this.#shown.length : 0).map(event => this.#makeRow(event)));
        this.#shown = events;
        this.earlier.disabled = this.#page === 0;
        this.later.disabled = this.#page === pages - 1;
        this.last.disabled = this.later.disabled;
        this.#sayWhere(from, events.length);
    }

    #sayWhere(from, count) {
        const all = this.#matches.length.toLocaleString('en');
        const omitted = this.#model.eventsOmitted
            ? `; ${this.#model.eventsOmitted.toLocaleString('en')} more are not shown` : '';

        setText(this.position, count
            ? `${(from + 1).toLocaleString('en')} to ${(from + count).toLocaleString('en')} of ${all} events${omitted}`
            : `No events${omitted}`);
    }

    #rewrite() {
        this.#shown = [];
        this.#show();
    }

    #makeRow(event) {
        const button = element('button', { type: 'button', class: 'event', 'aria-expanded': 'false', dir: 'auto',
            onclick: () => this.#open(event, row, button) }, event.name);
        const row = element('tr', {},
            element('td', { class: 'time' }, formatTime(event.ms, this.#time.zone)),
            element('td', {}, event.connection ?? NOTHING),
            element('td', {}, element('span', { class: `category ${KNOWN.has(event.category) ? event.category : 'other'}` },
                categoryOf(event))),
            element('td', {}, button),
            element('td', { class: 'text', dir: 'auto' }, event.text));

        return row;
    }

    /** Shows or hides what there is of an event, and marks its time in the graphs. */
    #open(event, row, button) {
        const isOpen = button.getAttribute('aria-expanded') === 'true';

        button.setAttribute('aria-expanded', String(!isOpen));
        if (isOpen) {
            row.nextElementSibling.remove();

            return;
        }
        row.after(element('tr', { class: 'detail' }, element('td', { colspan: 5 },
            element('pre', { tabindex: '0', 'aria-label': `Detail of ${event.name}` }, readable(event.detail)))));
        if (event.ms !== null) {
            this.#time.setMark(event.ms);
        }
    }
}

function categoryOf({ category }) {
    return KNOWN.has(category) ? category : 'other';
}

/** JSON with its lines; session descriptions with theirs. What is no JSON, as where it was cut, stays as it is. */
function readable(detail) {
    if (!detail) {
        return 'There is no more of it.';
    }
    try {
        return JSON.stringify(JSON.parse(detail), null, 2).replaceAll(/(?:\\r)?\\n/g, '\n');
    } catch {
        return detail;
    }
}
