/** The compression of reports: what `getStats` returned, as the difference to the report before. */

/**
 * Makes the deltas of one peer connection within one session (the decoder of rtcstats 5.0 begins with nothing in each).
 *
 * Objects and members keep their names: readers take them as they take numbers, unknown ones too, and nothing has to be
 * left out. What the decoder then has is what `getStats` returned, except the member `id`, which is the key.
 *
 * - An object that is not in the delta is unchanged, and so is a member; `null` for an object says that it is gone.
 * - `t` is the time of each object that brings no `timestamp`.
 * - Of nested objects, only the members that changed are sent.
 */
export class ReportEncoder {
    #previous = {};

    /**
     * The deltas to send for `report`: an object of stats objects by their ids, as it comes out of JSON.
     *
     * One delta; or two, if an object changed in a way that a delta cannot say, such as a member less: then the first
     * says that it is gone, and the second has it as if it were a new one.
     */
    encode(report) {
        const previous = this.#previous;
        const time = commonTime(report);
        const gone = {};
        const replaced = {};
        const delta = {};

        for (const id of Object.keys(previous)) {
            if (!Object.hasOwn(report, id)) {
                gone[id] = null;
            }
        }
        for (const [ id, object ] of Object.entries(report)) {
            let base = Object.hasOwn(previous, id) ? previous[id] : undefined;

            if (base && !isSayable(base, object)) {
                replaced[id] = null;
                base = undefined;
            }
            const changes = base ? difference(base, object) : { ...object };

            // A timestamp is never left out because it is the old one: without, that of the whole report would count.
            delete changes.id;
            delete changes.timestamp;
            if (object.timestamp !== time) {
                changes.timestamp = object.timestamp;
            }
            if (!base || Object.keys(changes).length > 0) {
                delta[id] = changes;
            }
        }
        this.#previous = report;
        const deltas = Object.keys(replaced).length > 0 ? [ replaced ] : [];

        return [ ...deltas, { ...delta, ...gone, ...time === undefined ? {} : { t: time } } ];
    }
}

/** The time that most objects have; none if not all of them have a time. */
function commonTime(report) {
    const counts = new Map();
    let common;

    for (const { timestamp } of Object.values(report)) {
        if (typeof timestamp !== 'number') {
            return undefined;
        }
        const count = (counts.get(timestamp) ?? 0) + 1;

        counts.set(timestamp, count);
        if (common === undefined || count > counts.get(common)) {
            common = timestamp;
        }
    }

    return common;
}

/** Whether a delta can make `object` of `base`. */
function isSayable(base, object) {
    return Object.entries(base).every(([ name, old ]) => {
        const value = object[name];

        if (value === undefined || same(old, value)) {
            return value !== undefined;
        }
        if (old === null || Array.isArray(old)) {
            // The decoder adds anything but a list to what is there.
            return Array.isArray(value);
        }
        if (typeof old === 'object') {
            return Array.isArray(value)
                || (isObject(value) && Object.keys(old).every(key => Object.hasOwn(value, key)));
        }

        return true;
    });
}

/** The members of `object` that are not those of `base`. */
function difference(base, object) {
    const changes = {};

    for (const [ name, value ] of Object.entries(object)) {
        const old = base[name];

        if (!same(old, value)) {
            changes[name] = isObject(value) && isObject(old) ? changedMembers(old, value) : value;
        }
    }

    return changes;
}

function changedMembers(old, value) {
    return Object.fromEntries(Object.entries(value).filter(([ key, member ]) => !same(old[key], member)));
}

function isObject(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether two values of JSON are equal. */
function same(one, other) {
    return one === other
        || (typeof one === 'object' && typeof other === 'object' && JSON.stringify(one) === JSON.stringify(other));
}
