/** What is asked of the list of sessions, as it is in the address of the page. */

/** How many sessions a page has. */
export const SIZES = [ 25, 50, 100, 250, 1000 ];

const DEFAULT_SIZE = 50;

/** States that can be asked for, and what they are called; of the empty one, all sessions. */
export const STATES = [
    [ '', 'All' ],
    [ 'open', 'Live and resumable' ],
    [ 'live', 'Live' ],
    [ 'resumable', 'Resumable' ],
    [ 'finished', 'Finished' ]
];

/** Columns that the list can be sorted by, their names, and the order that one looks for first. */
export const SORTS = [
    [ 'state', 'State', 'asc' ],
    [ 'conference', 'Conference', 'asc' ],
    [ 'user', 'User', 'asc' ],
    [ 'browser', 'Browser', 'asc' ],
    [ 'start', 'Start', 'desc' ],
    [ 'ended', 'End', 'desc' ],
    [ 'duration', 'Duration', 'desc' ],
    [ 'loss', 'Loss', 'desc' ],
    [ 'rtt', 'Round trip', 'desc' ]
];

/** Filters of the interface that have no control on the page: links may have them. */
const FILTERS = [ 'user', 'conference', 'session', 'clientId', 'peerId' ];

/** Longest text that is searched for. */
export const MOST_TEXT = 256;

/**
 * One list that can be asked for. It is never changed; {@link ListQuery#with} makes another.
 */
export class ListQuery {
    constructor({ text = '', state = '', sort = 'state', order = 'asc', page = 1, size = DEFAULT_SIZE, filters = {} } = {}) {
        Object.assign(this, { text, state, sort, order, page, size, filters });
        Object.freeze(this);
    }

    /**
     * What an address asks for; what is no such thing counts as not there.
     *
     * @param {string} search the part of the address from `?` on
     * @returns {ListQuery}
     */
    static of(search) {
        const given = new URLSearchParams(search);
        const sort = SORTS.find(([ key ]) => key === given.get('sort'))?.[0] ?? 'state';
        const size = Number(given.get('size'));
        const page = Number(given.get('page'));

        return new ListQuery({
            text: (given.get('q') ?? '').slice(0, MOST_TEXT),
            state: STATES.some(([ state ]) => state === given.get('state')) ? given.get('state') : '',
            sort,
            order: given.get('order') === 'desc' ? 'desc' : 'asc',
            page: Number.isSafeInteger(page) && page > 0 && page < 1e9 ? page : 1,
            size: SIZES.includes(size) ? size : DEFAULT_SIZE,
            filters: Object.fromEntries(FILTERS.filter(name => given.has(name)).map(name => [ name, given.get(name) ]))
        });
    }

    /**
     * The same but for some members. Whatever changes what is listed begins at the first page.
     *
     * @param {Object} changes
     * @returns {ListQuery}
     */
    with(changes) {
        return new ListQuery({ ...this, page: 1, ...changes });
    }

    /** The same, sorted by a column; by the one that it is sorted by already, the other way round. */
    sortedBy(sort) {
        const first = SORTS.find(([ key ]) => key === sort)?.[2] ?? 'asc';
        const turned = this.order === 'asc' ? 'desc' : 'asc';

        return this.with({ sort, order: sort === this.sort ? turned : first });
    }

    /** Whether some sessions are left out. */
    get isFiltered() {
        return Boolean(this.text.trim() || this.state || Object.keys(this.filters).length);
    }

    /** How many sessions come before the page. */
    get offset() {
        return (this.page - 1) * this.size;
    }

    /** The part of the page's address from `?` on; empty for the list as it is first. */
    get search() {
        const given = new URLSearchParams({
            ...this.text && { q: this.text },
            ...this.state && { state: this.state },
            ...this.filters,
            ...(this.sort !== 'state' || this.order !== 'asc') && { sort: this.sort, order: this.order },
            ...this.page > 1 && { page: this.page },
            ...this.size !== DEFAULT_SIZE && { size: this.size }
        }).toString();

        return given && `?${given}`;
    }

    /** Where the server has it. */
    get source() {
        const asked = new URLSearchParams({ ...this.filters, q: this.text, state: this.state, sort: this.sort, order: this.order,
            offset: this.offset, limit: this.size });

        return `/api/sessions?${asked}`;
    }
}
