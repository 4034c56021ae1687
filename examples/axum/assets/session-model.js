/** A session as the page knows it: the view that the server sent, and what came since. No element is touched here. */

/** Events that are kept; of more, the oldest are left out and counted. */
const MOST_EVENTS = 50_000;

/**
 * The key of a series in the page and in links: its connection, object and name, each percent-encoded.
 *
 * @param {string} connection
 * @param {string} object
 * @param {string} name
 * @returns {string}
 */
export function seriesKey(connection, object, name) {
    // Half a surrogate pair cannot be encoded; a client may send one.
    return [ connection, object, name ].map(part => encodeURIComponent(part.toWellFormed())).join('/');
}

/** One session. */
export class SessionModel {
    #series = new Map();

    /** @param {Object} view what `GET /api/sessions/{id}/view` or `POST /api/import` answers */
    constructor(view) {
        this.replace(view);
    }

    /**
     * Takes another whole view in place of what is known.
     *
     * @param {Object} view
     */
    replace(view) {
        this.session = view.session ?? {};
        this.startMs = view.startMs ?? null;
        this.endMs = view.endMs ?? null;
        this.features = view.features ?? {};
        this.connections = view.connections ?? [];
        this.events = keepKnown(this.events ?? [], view.events ?? []);
        this.eventsOmitted = view.eventsOmitted ?? 0;
        this.isIncomplete = Boolean(view.isIncomplete);
        this.#series.clear();
        for (const connection of this.connections) {
            this.#index(connection, connection.objects);
        }
    }

    /**
     * Adds what is new.
     *
     * @param {Object} update the same shape as a view, with only what is new
     * @returns {boolean} false where something between this and the last update is missing: a whole view is needed
     */
    apply(update) {
        Object.assign(this.session, update.session);
        this.startMs = update.startMs ?? this.startMs;
        this.endMs = update.endMs ?? this.endMs;
        this.features = update.features ?? this.features;
        this.eventsOmitted = update.eventsOmitted ?? this.eventsOmitted;
        this.isIncomplete = update.isIncomplete ?? this.isIncomplete;
        this.#addEvents(update.events ?? []);

        return (update.connections ?? []).every(connection => this.#addTo(connection));
    }

    /**
     * A series by its key: `{ connection, object, series }`.
     *
     * @param {string} key
     * @returns {{connection: Object, object: Object, series: Object}|undefined}
     */
    series(key) {
        return this.#series.get(key);
    }

    /** Whether more may come. */
    get isOpen() {
        return this.session.state === 'live' || this.session.state === 'resumable';
    }

    #addEvents(events) {
        const excess = this.events.length + events.length - MOST_EVENTS;

        if (excess > 0) {
            this.events = this.events.slice(excess);
            this.eventsOmitted += excess;
        }
        this.events.push(...events);
    }

    #addTo(update) {
        const known = this.connections.find(({ id }) => id === update.id);
        const from = update.from ?? known?.times.length ?? 0;

        if (!known) {
            const { from: _, ...connection } = update;

            this.connections.push({ ...connection, times: connection.times ?? [], objects: connection.objects ?? [] });
            this.#index(connection, connection.objects ?? []);

            return from === 0;
        }
        if (from > known.times.length) {
            return false;
        }
        known.label = update.label ?? known.label;
        known.times.length = from;
        known.times.push(...update.times ?? []);
        for (const object of update.objects ?? []) {
            this.#addObject(known, object);
        }

        return true;
    }

    #addObject(connection, update) {
        const known = connection.objects.find(({ id }) => id === update.id);

        if (!known) {
            connection.objects.push(update);
            this.#index(connection, [ update ]);

            return;
        }
        const { series, ...facts } = update;

        Object.assign(known, facts);
        for (const added of series ?? []) {
            const { series: old } = this.#series.get(seriesKey(connection.id, known.id, added.name)) ?? {};

            if (old) {
                addValues(old, added);
            } else {
                known.series.push(added);
                this.#indexSeries(connection, known, added);
            }
        }
    }

    #index(connection, objects) {
        for (const object of objects) {
            for (const series of object.series) {
                this.#indexSeries(connection, object, series);
            }
        }
    }

    #indexSeries(connection, object, series) {
        const known = this.connections.find(({ id }) => id === connection.id) ?? connection;

        this.#series.set(seriesKey(connection.id, object.id, series.name), { connection: known, object, series });
    }
}

/** The new events; those that were there before as the same objects, so that what is open stays open. */
function keepKnown(old, events) {
    const isSame = (a, b) => a?.ms === b.ms && a.name === b.name && a.detail === b.detail;

    return events.map((event, index) => (isSame(old[index], event) ? old[index] : event));
}

/** Puts new values behind the old ones; times between them had no value. */
function addValues(series, { first, values }) {
    const at = first - series.first;

    if (at < 0) {
        Object.assign(series, { first, values });

        return;
    }
    while (series.values.length < at) {
        series.values.push(null);
    }
    series.values.length = at;
    series.values.push(...values);
}

/**
 * The last number of a series; `null` if it has none.
 *
 * @param {{first: number, values: Array<number|null>}} series
 * @returns {number|null}
 */
export function latest({ values }) {
    for (let index = values.length - 1; index >= 0; index -= 1) {
        if (values[index] !== null) {
            return values[index];
        }
    }

    return null;
}

/**
 * The points of a series: two arrays of the same length.
 *
 * @param {{times: number[]}} connection
 * @param {{first: number, values: Array<number|null>}} series
 * @returns {{times: number[], values: Array<number|null>}}
 */
export function points({ times }, { first, values }) {
    const length = Math.max(0, Math.min(values.length, times.length - first));

    return { times: times.slice(first, first + length), values: values.slice(0, length) };
}
