/** The table of sessions: one row each, headers that sort. */
import { element, setText } from './elements.js';
import { NOTHING, formatDate, formatDuration } from './quantities.js';
import { stateName } from './session-facts.js';

/** From here on numbers are marked: calls suffer noticeably, and badly. */
const LOSS = [ 0.02, 0.05 ];
const ROUND_TRIP_MS = [ 300, 600 ];

/**
 * The columns: class, name, what it is sorted by, and how a cell is filled. On a narrow screen those that are `wide` are
 * not shown, and rows are cards, whose cells say what they are if they are `isNamed`.
 */
const COLUMNS = [
    { name: 'Conference', sort: 'conference', isHeader: true, make: makeLink, fill: fillLink },
    { name: 'User', sort: 'user', className: 'wide', fill: (cell, session) => fillText(cell, userOf(session)) },
    { name: 'Browser', sort: 'browser', className: 'wide', fill: (cell, session) => fillText(cell, browserOf(session)) },
    { name: 'State', sort: 'state', className: 'state', make: makeState, fill: fillState },
    { name: 'Start', sort: 'start', className: 'date', isNamed: true, make: makeTime, fill: fillTime },
    { name: 'Duration', sort: 'duration', className: 'number', isNamed: true,
        fill: (cell, session) => fillText(cell, formatDuration(session.durationMs)) },
    { name: 'Connections', className: 'number', isNamed: true, fill: (cell, { connections }) => fillText(cell, connections) },
    { name: 'Loss', sort: 'loss', className: 'number', isNamed: true,
        fill: (cell, { loss }) => fillNumber(cell, loss, LOSS, formatShare(loss)) },
    { name: 'Round trip', sort: 'rtt', className: 'number', isNamed: true,
        fill: (cell, { rttMs }) => fillNumber(cell, rttMs, ROUND_TRIP_MS, `${Math.round(rttMs)} ms`) }
];

/** Shows sessions, and says which column is chosen. */
export class SessionTable {
    #rows = new Map();
    #body = element('tbody', { role: 'rowgroup' });
    #headers = [];

    /**
     * @param {(sort: string) => void} onSort hears of the column to sort by
     */
    constructor(onSort) {
        const headers = COLUMNS.map(({ name, sort, className }) => {
            const header = element('th', { scope: 'col', role: 'columnheader', class: className },
                sort ? element('button', { type: 'button', class: 'sort', onclick: () => onSort(sort) }, name) : name);

            this.#headers.push([ sort, header ]);

            return header;
        });

        // Said once more by roles: what a style lays out as a card would be no table else.
        this.element = element('table', { class: 'sessions', role: 'table' },
            element('caption', { class: 'unseen' }, 'Sessions'),
            element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, headers)), this.#body);
    }

    /**
     * Shows these sessions in this order. Rows that are there stay, so that whoever is at one stays there.
     *
     * @param {Object[]} sessions as the server lists them
     * @param {ListQuery} query what was asked for
     */
    show(sessions, { sort, order }) {
        for (const [ key, header ] of this.#headers) {
            if (key === sort) {
                header.setAttribute('aria-sort', order === 'asc' ? 'ascending' : 'descending');
            } else {
                header.removeAttribute('aria-sort');
            }
        }
        const focused = this.#body.contains(document.activeElement) ? document.activeElement : null;
        const shown = new Map();

        sessions.forEach((session, index) => {
            const row = this.#rows.get(session.id) ?? makeRow();

            shown.set(session.id, row);
            fillRow(row, session);
            if (this.#body.children[index] !== row) {
                this.#body.insertBefore(row, this.#body.children[index] ?? null);
            }
        });
        for (const [ id, row ] of this.#rows) {
            if (shown.get(id) !== row) {
                row.remove();
            }
        }
        this.#rows = shown;
        // A row that moved has lost it.
        if (focused?.isConnected && document.activeElement !== focused) {
            focused.focus({ preventScroll: true });
        }
    }
}

function makeRow() {
    return element('tr', { role: 'row' }, COLUMNS.map(({ name, isHeader, isNamed, className, make }) => isHeader
        ? element('th', { class: className, scope: 'row', role: 'rowheader' }, make?.())
        : element('td', { class: className, role: 'cell', 'data-name': isNamed ? name : null }, make?.())));
}

function fillRow(row, session) {
    row.classList.toggle('live', session.state === 'live');
    COLUMNS.forEach(({ fill }, index) => fill(row.children[index], session));
}

function makeLink() {
    return [
        element('a', {}, element('span', { class: 'room' }), ' ', element('span', { class: 'id' })),
        element('span', { class: 'narrow user' })
    ];
}

function fillLink(cell, session) {
    const [ link, user ] = cell.children;
    const target = `/sessions/${encodeURIComponent(session.id)}`;

    if (link.getAttribute('href') !== target) {
        link.setAttribute('href', target);
    }
    setText(link.children[0], session.conference || 'No conference');
    setText(link.children[1], session.id);
    setText(user, [ userOf(session), browserOf(session) ].filter(Boolean).join(', '));
}

function makeState() {
    return element('span', { class: 'badge' });
}

function fillState(cell, { state }) {
    const [ badge ] = cell.children;

    badge.classList.toggle('live', state === 'live');
    setText(badge, stateName(state));
}

function makeTime() {
    return element('time', {});
}

function fillTime(cell, { startMs }) {
    const [ time ] = cell.children;
    const date = formatDate(startMs, 'local');

    if (date === NOTHING) {
        time.removeAttribute('datetime');
    } else {
        time.setAttribute('datetime', new Date(startMs).toISOString());
    }
    setText(time, date);
}

function fillText(cell, text) {
    setText(cell, isEmpty(text) ? NOTHING : String(text));
}

function fillNumber(cell, number, [ much, tooMuch ], text) {
    const isNumber = typeof number === 'number' && Number.isFinite(number);

    cell.classList.toggle('much', isNumber && number >= much && number < tooMuch);
    cell.classList.toggle('too-much', isNumber && number >= tooMuch);
    setText(cell, isNumber ? text : NOTHING);
}

function formatShare(share) {
    const percent = share * 100;

    return `${percent.toFixed(percent < 10 && percent > 0 ? 2 : 1)} %`;
}

function userOf({ displayName, user }) {
    return isEmpty(displayName) ? user ?? '' : displayName;
}

function browserOf({ browser, browserVersion }) {
    const [ major ] = String(browserVersion ?? '').split('.');

    return [ browser, /^\d/.test(major) ? major : '' ].filter(Boolean).join(' ');
}

function isEmpty(text) {
    return text === null || text === undefined || text === '';
}
