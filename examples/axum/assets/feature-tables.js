/** The features of a session, of each set, as nested tables; or as a flat list of what a filter finds. */
import { element, setText } from './elements.js';
import { formatDate } from './quantities.js';

const MOST_FOUND = 500;

/** Entries of a list that are shown at first. */
const MOST_ENTRIES = 100;

/** Columns of a table of objects; lists of objects with more members are nested. */
const MOST_COLUMNS = 9;

/** Names of the sets. */
const TITLES = { jitsi: 'Jitsi', rtcstats: 'rtcstats', legacy: 'Legacy' };

/** Numbers between these are times in Unix epoch milliseconds, from 2001 to 2065, if they are called so. */
const TIMES = [ 1e12, 3e12 ];

/** The part of the page with the features. */
export class FeatureTables {
    #model;
    #time;
    #heading;
    #sets = new Map();
    #stopListening;

    /**
     * @param {import('./session-model.js').SessionModel} model
     * @param {import('./time-axis.js').TimeAxis} time
     * @param {Function} heading makes headings, see `headings`
     */
    constructor(model, time, heading) {
        this.#model = model;
        this.#time = time;
        this.#heading = heading;
        this.empty = element('p', { class: 'muted' }, 'There are no features.');
        this.element = element('div', {}, this.empty);
        this.#stopListening = time.onChange(what => what === 'zone' && this.update(true));
        this.update();
    }

    /** Takes what changed in the model. */
    update(isForced = false) {
        const sets = Object.entries(this.#model.features).filter(([ , value ]) => value !== null);

        this.empty.hidden = sets.length > 0;
        for (const [ name, value ] of sets) {
            let set = this.#sets.get(name);

            if (!set) {
                set = new FeatureSet(name, this.#time, this.#heading);
                this.#sets.set(name, set);
                this.element.append(set.element);
            }
            set.update(value, isForced);
        }
    }

    close() {
        this.#stopListening();
    }
}

/** The features of one set. */
class FeatureSet {
    #value = null;
    #time;
    #opened = new Set();
    #link = null;
    #shape = null;
    #cells = new Map();

    constructor(name, time, heading) {
        const title = TITLES[name] ?? name;

        this.#time = time;
        this.filter = element('input', { type: 'search', autocomplete: 'off', spellcheck: 'false',
            oninput: () => this.#draw(true) });
        this.raw = element('a', { class: 'button', download: `features-${name.replaceAll(/[^\w-]/g, '')}.json`, href: '#',
            onclick: () => this.#refreshLink() }, 'Raw JSON');
        this.found = element('span', { role: 'status', class: 'muted' });
        this.body = element('div', { class: 'features' });
        this.element = element('section', {}, heading(1, {}, `${title} features`),
            element('p', { class: 'filters' }, element('label', {}, 'Filter ', this.filter), this.raw, this.found),
            this.body);
    }

    update(value, isForced) {
        if (value !== this.#value || isForced) {
            this.#value = value;
            this.#draw(isForced);
        }
    }

    /** The file is made when it is asked for. */
    #refreshLink() {
        URL.revokeObjectURL(this.#link);
        this.#link = URL.createObjectURL(new Blob([ JSON.stringify(this.#value, null, 2) ], { type: 'application/json' }));
        this.raw.href = this.#link;
    }

    #draw(isForced) {
        const text = this.filter.value.trim().toLowerCase();

        if (text) {
            this.#shape = null;
            this.#drawFound(text);

            return;
        }
        setText(this.found, '');
        const leaves = new Map(leavesOf(this.#value, []));
        const shape = [ ...leaves.keys() ].join('\n');

        // While it has the same members, only texts change, and the reader stays where they are.
        if (shape === this.#shape && !isForced) {
            this.#cells.forEach(({ node, path }, key) => setText(node, this.#textOf(path, leaves.get(key)?.value)));

            return;
        }
        this.#shape = shape;
        this.#cells.clear();
        this.body.replaceChildren(this.#makeTable(this.#value, []));
    }

    #drawFound(text) {
        const found = [ ...leavesOf(this.#value, []) ].filter(([ , { path, value } ]) =>
            path.join(' › ').toLowerCase().includes(text) || this.#textOf(path, value).toLowerCase().includes(text));
        const rows = found.slice(0, MOST_FOUND).map(([ , { path, value } ]) => element('tr', {},
            element('th', { scope: 'row', dir: 'auto' }, path.join(' › ')),
            element('td', { dir: 'auto' }, this.#textOf(path, value))));

        setText(this.found, found.length > MOST_FOUND ? `${found.length} found, ${MOST_FOUND} shown` : `${found.length} found`);
        this.body.replaceChildren(element('table', { class: 'pairs' }, element('tbody', {}, rows)));
    }

    /** A table of members, those that have members of their own below it. */
    #makeTable(value, path) {
        const entries = Object.entries(value);
        const plain = entries.filter(([ , own ]) => !isNested(own));
        const nested = entries.filter(([ , own ]) => isNested(own));
        const rows = plain.map(([ name, own ]) => element('tr', {},
            element('th', { scope: 'row', dir: 'auto' }, name), this.#makeCell([ ...path, name ], own)));

        return element('div', { class: 'members' },
            rows.length ? element('table', { class: 'pairs' }, element('tbody', {}, rows)) : null,
            nested.map(([ name, own ]) => this.#makeDetails(name, own, [ ...path, name ])));
    }

    #makeCell(path, value) {
        const node = element('td', { dir: 'auto' }, this.#textOf(path, value));

        this.#cells.set(keyOf(path), { node, path });

        return node;
    }

    #makeDetails(name, value, path) {
        const key = keyOf(path);
        const count = Object.keys(value).length;
        const label = Array.isArray(value) ? `${name} (${count})` : name;
        const details = element('details', {}, element('summary', { dir: 'auto' }, label));
        let isFilled = false;
        const fill = () => {
            if (details.open && !isFilled) {
                isFilled = true;
                details.append(Array.isArray(value) ? this.#makeList(value, path) : this.#makeTable(value, path));
            }
            this.#opened[details.open ? 'add' : 'delete'](key);
        };

        // The sets of the top are what one came for, if there are few members in them.
        details.open = this.#opened.has(key);
        if (details.open) {
            fill();
        }
        details.addEventListener('toggle', fill);

        return details;
    }

    #makeList(values, path) {
        const columns = columnsOf(values);

        return columns ? this.#makeGrid(values, columns, path) : this.#makeEntries(values, path, 0);
    }

    /** Objects of the same few members: a row each. */
    #makeGrid(values, columns, path) {
        const body = element('tbody', {});
        const table = element('table', {}, element('thead', {}, element('tr', {},
            [ '#', ...columns ].map(name => element('th', { scope: 'col' }, name)))), body);

        this.#addRows(values, 0, (value, index) => body.append(element('tr', {},
            element('th', { scope: 'row' }, index),
            columns.map(name => this.#makeCell([ ...path, index, name ], value[name])))), table);

        return element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': path.join(' › ') }, table);
    }

    #makeEntries(values, path) {
        const list = element('div', { class: 'members' });
        const rows = element('tbody', {});

        list.append(element('table', { class: 'pairs' }, rows));
        this.#addRows(values, 0, (value, index) => {
            if (isNested(value)) {
                list.append(this.#makeDetails(nameOf(value, index), value, [ ...path, index ]));
            } else {
                rows.append(element('tr', {}, element('th', { scope: 'row' }, index),
                    this.#makeCell([ ...path, index ], value)));
            }
        }, list);

        return list;
    }

    /** Adds some entries, and a button for the next ones. */
    #addRows(values, from, add, container) {
        values.slice(from, from + MOST_ENTRIES).forEach((value, index) => add(value, from + index));
        const left = values.length - from - MOST_ENTRIES;

        if (left > 0) {
            const button = element('button', { type: 'button', onclick: () => {
                button.remove();
                this.#addRows(values, from + MOST_ENTRIES, add, container);
            } }, `Show ${Math.min(left, MOST_ENTRIES)} of ${left.toLocaleString('en')} more`);

            queueMicrotask(() => container.after(button));
        }
    }

    #textOf(path, value) {
        if (value === undefined) {
            return '';
        }
        if (typeof value === 'number') {
            const isTime = value > TIMES[0] && value < TIMES[1] && /time|timestamp|start|end/i.test(String(path.at(-1)));

            return isTime ? `${formatDate(value, this.#time.zone)} (${value})` : String(value);
        }

        return typeof value === 'string' ? value : JSON.stringify(value);
    }
}

/** All members that have none of their own: `[key, { path, value }]`. */
function* leavesOf(value, path) {
    for (const [ name, own ] of Object.entries(value)) {
        const inner = [ ...path, name ];

        if (isNested(own)) {
            yield* leavesOf(own, inner);
        } else {
            yield [ keyOf(inner), { path: inner, value: own } ];
        }
    }
}

function keyOf(path) {
    return path.map(part => JSON.stringify(String(part))).join();
}

function isNested(value) {
    return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

/** The members of all objects of a list, if they are few and plain. */
function columnsOf(values) {
    const names = new Set();

    for (const value of values) {
        if (!isNested(value) || Array.isArray(value) || Object.values(value).some(isNested)) {
            return null;
        }
        Object.keys(value).forEach(name => names.add(name));
        if (names.size > MOST_COLUMNS) {
            return null;
        }
    }

    return [ ...names ];
}

/** What an entry of a list is best called. */
function nameOf(value, index) {
    const parts = [ value.id, value.kind, value.direction, value.codecMimeType ]
        .filter(part => typeof part === 'string' && part);

    return parts.length ? `${index}: ${parts.join(' ')}` : String(index);
}
