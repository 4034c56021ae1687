/** The connections of a session and their objects, with the latest numbers. */
import { element, setText } from './elements.js';
import { NOTHING, formatNumber } from './quantities.js';
import { latest } from './session-model.js';

/** Types of objects that media and networks are seen by, in the order of the table. */
const TYPES = [ 'outbound-rtp', 'remote-inbound-rtp', 'inbound-rtp', 'remote-outbound-rtp', 'media-source', 'candidate-pair',
    'transport', 'data-channel' ];

/** Columns of the table: of some names, the first that an object has a number of. */
const COLUMNS = [
    { title: 'Bitrate', names: [ '[bytesSent_in_bits/s]', '[bytesReceived_in_bits/s]' ] },
    { title: 'Bytes', names: [ 'bytesSent', 'bytesReceived' ] },
    { title: 'Packets', names: [ 'packetsSent', 'packetsReceived' ] },
    { title: 'Lost', names: [ 'packetsLost' ] },
    { title: 'Round trip', names: [ 'currentRoundTripTime', 'roundTripTime' ] },
    { title: 'Jitter', names: [ 'jitter' ] },
    { title: 'Frames/s', names: [ 'framesPerSecond' ], isPlain: true },
    { title: 'Width', names: [ 'frameWidth', 'width' ], isPlain: true },
    { title: 'Height', names: [ 'frameHeight', 'height' ], isPlain: true },
    { title: 'Level', names: [ 'audioLevel' ], isPlain: true }
];

/** The part of the page with the connections. */
export class ConnectionTables {
    #model;
    #heading;
    #connections = new Map();

    /**
     * @param {import('./session-model.js').SessionModel} model
     * @param {Function} heading makes headings, see `headings`
     */
    constructor(model, heading) {
        this.#model = model;
        this.#heading = heading;
        this.empty = element('p', { class: 'muted' }, 'There are no peer connections.');
        this.element = element('div', {}, this.empty);
        this.update();
    }

    /** Takes what changed in the model. */
    update() {
        this.empty.hidden = this.#model.connections.length > 0;
        for (const connection of this.#model.connections) {
            let table = this.#connections.get(connection.id);

            if (!table) {
                table = new ConnectionTable(connection.id, this.#heading);
                this.#connections.set(connection.id, table);
                this.element.append(table.element);
            }
            table.update(connection);
        }
    }

    close() {
        this.#connections.clear();
    }
}

/** The objects of one connection. */
class ConnectionTable {
    #rows = new Map();
    #title;
    #facts;
    #body;

    constructor(id, heading) {
        const heads = [ 'Object', ...COLUMNS.map(({ title }) => title) ];

        this.#title = heading(1, { dir: 'auto' }, id);
        this.#facts = element('p', { class: 'muted' });
        this.#body = element('tbody', {});
        this.scroll = element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `Objects of ${id}` },
            element('table', { class: 'objects' },
                element('thead', {}, element('tr', {}, heads.map(name => element('th', { scope: 'col' }, name)))),
                this.#body));
        this.element = element('section', {}, this.#title, this.#facts, this.scroll);
    }

    update(connection) {
        const shown = connection.objects.filter(isShown).sort((a, b) => TYPES.indexOf(a.type) - TYPES.indexOf(b.type));
        const others = connection.objects.length - shown.length;

        setText(this.#title, connection.label ? `${connection.id}: ${connection.label}` : connection.id);
        setText(this.#facts, [ `${connection.times.length.toLocaleString('en')} reports`,
            others ? `${others} more objects (codecs, candidates, …) among all numbers` : '' ].filter(Boolean).join(' · '));
        this.scroll.hidden = shown.length === 0;
        shown.forEach((object, index) => this.#updateRow(object, index));
    }

    #updateRow(object, index) {
        let row = this.#rows.get(object.id);

        if (!row) {
            const cells = COLUMNS.map(() => element('td', { class: 'number' }));
            const name = element('th', { scope: 'row', dir: 'auto', title: object.id });

            row = { cells, name, element: element('tr', {}, name, cells) };
            this.#rows.set(object.id, row);
        }
        if (this.#body.children[index] !== row.element) {
            this.#body.insertBefore(row.element, this.#body.children[index] ?? null);
        }
        setText(row.name, object.label ?? `${object.type} ${object.id}`);
        COLUMNS.forEach((column, at) => setText(row.cells[at], textOf(object, column)));
    }
}

/** Of candidate pairs, those that something went through. */
function isShown(object) {
    return TYPES.includes(object.type) && (object.type !== 'candidate-pair'
        || object.series.some(({ name, values }) => name === 'bytesSent' && values.some(value => value > 0)));
}

function textOf(object, { names, isPlain }) {
    for (const wanted of names) {
        const series = object.series.find(({ name }) => name === wanted);
        const value = series ? latest(series) : null;

        if (value !== null) {
            return formatNumber(value, isPlain ? '' : series.unit);
        }
    }

    return NOTHING;
}
