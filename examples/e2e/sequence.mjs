/** Compares stored lines with expected events that have no sequence numbers. */
import { firstDifference, show } from './difference.mjs';

/** A value as text that is the same for all spellings of the same JSON. */
function canonical(value) {
    return JSON.stringify(value, (key, inner) => {
        const isObject = typeof inner === 'object' && inner !== null && !Array.isArray(inner);

        return isObject ? Object.fromEntries(Object.entries(inner).sort(([ a ], [ b ]) => (a < b ? -1 : 1))) : inner;
    });
}

/** How often each value occurs. */
function countsOf(values) {
    const counts = new Map();

    for (const value of values.map(canonical)) {
        counts.set(value, (counts.get(value) ?? 0) + 1);
    }

    return counts;
}

/** How many occurrences of `some` are not in `others`. */
function surplus(some, others) {
    return [ ...some ].reduce((sum, [ value, count ]) => sum + Math.max(0, count - (others.get(value) ?? 0)), 0);
}

/**
 * Whether `stored` (lines of a dump, parsed) are the events `expected`, each once, equal as JSON and in order.
 * Returns `{figures, problems}`.
 */
export function compareSequence(expected, stored) {
    const problems = [];
    const storedCounts = countsOf(stored.map(({ entry }) => entry));
    const expectedCounts = countsOf(expected);
    const figures = { missing: surplus(expectedCounts, storedCounts), foreign: surplus(storedCounts, expectedCounts) };
    const length = Math.max(expected.length, stored.length);

    for (let index = 0; index < length; index += 1) {
        const item = stored[index];
        const difference = index < expected.length && item
            ? firstDifference(expected[index], item.entry)
            : `expected ${show(expected[index])}, got ${show(item?.entry)}`;

        if (difference) {
            problems.push(`event ${index} (${item ? `line ${item.line}` : 'behind the last line'}): ${difference}; `
                + `${figures.missing} missing, ${figures.foreign} foreign`);
            break;
        }
    }

    return { figures, problems };
}
