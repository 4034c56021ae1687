/** The first difference between two JSON values. */

/** Longest text of a value in a report. */
const SHOWN = 300;

/** A value for people to read. */
export function show(value) {
    const text = JSON.stringify(value) ?? 'absent';

    return text.length > SHOWN ? `${text.slice(0, SHOWN)}… (${text.length} characters)` : text;
}

const isObject = value => typeof value === 'object' && value !== null;

/** Whether two values that are not both objects count as equal. */
function isSame(expected, actual, tolerance) {
    const areNumbers = typeof expected === 'number' && typeof actual === 'number';

    return areNumbers ? Math.abs(expected - actual) <= tolerance * Math.abs(expected) : expected === actual;
}

/**
 * Where and how `actual` first differs from `expected`, or `null`. Member order has no meaning; an absent member is
 * not the same as null. Numbers may differ by `tolerance`, a part of the expected one; by default they may not.
 */
export function firstDifference(expected, actual, { path = '$', tolerance = 0 } = {}) {
    if (!isObject(expected) || !isObject(actual) || Array.isArray(expected) !== Array.isArray(actual)) {
        return isSame(expected, actual, tolerance) ? null : `${path}: expected ${show(expected)}, got ${show(actual)}`;
    }
    for (const key of new Set([ ...Object.keys(expected), ...Object.keys(actual) ])) {
        const at = Array.isArray(expected) ? `${path}[${key}]` : `${path}.${key}`;

        if (!Object.hasOwn(expected, key) || !Object.hasOwn(actual, key)) {
            return `${at}: expected ${show(expected[key])}, got ${show(actual[key])}`;
        }
        const difference = firstDifference(expected[key], actual[key], { path: at, tolerance });

        if (difference) {
            return difference;
        }
    }

    return null;
}
