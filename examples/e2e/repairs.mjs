/**
 * What a legacy server repairs in events before it stores them, written from the description of that protocol and
 * from nothing of the server under test.
 */

/** `{constraintsOptional: {a, b}}` becomes `{optional: [{a}, {b}]}`. */
function repairConstraints(value) {
    if (typeof value?.constraintsOptional !== 'object' || value.constraintsOptional === null) {
        return value;
    }
    const { constraintsOptional, ...rest } = value;

    return { ...rest, optional: Object.entries(constraintsOptional).map(([ name, inner ]) => ({ [name]: inner })) };
}

/** `{values, timestamp}` becomes the values, with the timestamp among them. */
function repairStats(value) {
    return value?.values ? { ...value.values, timestamp: value.timestamp } : value;
}

/** The event as it is stored, but for addresses. */
export function repaired([ name, pc, value, ...rest ]) {
    const repairs = { constraints: repairConstraints, getstats: repairStats };
    const repair = Object.hasOwn(repairs, name) ? repairs[name] : same => same;

    return [ name.replace(/OnError$/, 'OnFailure'), pc, repair(value), ...rest ];
}
