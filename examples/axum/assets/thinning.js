/** Fewer points where there are more than can be seen, with all that stands out. */

/** In the shown range, a line is cut into so many pieces; of each, the lowest and the highest point stay. */
const PIECES = 300;

/** So much of the shown range is kept on each side of it, to be seen while it is moved. */
const MARGIN = 0.5;

/** A pause is a gap if it is so many times as long as those between most points. */
const GAP = 1.8;

/** So many pauses are looked at to know how long most are. */
const SAMPLES = 200;

/**
 * A line without what is only missing because other numbers of the connection have other times; where it was not reported
 * for longer than it usually is, one gap stays.
 *
 * @param {{times: number[], values: Array<number|null>}} line
 * @returns {{times: number[], values: Array<number|null>}}
 */
export function joined({ times, values }) {
    const there = values.flatMap((value, index) => (value === null ? [] : [ index ]));
    const step = Math.max(1, Math.floor(there.length / SAMPLES));
    const pauses = there.flatMap((at, index) => (index && index % step === 0 ? [ times[at] - times[there[index - 1]] ] : []))
        .sort((a, b) => a - b);
    const longest = (pauses[pauses.length >> 1] ?? 0) * GAP;
    const kept = there.flatMap((at, index) => {
        const before = there[index - 1] ?? at;

        return at - before > 1 && times[at] - times[before] > longest ? [ before + 1, at ] : [ at ];
    });

    return { times: kept.map(at => times[at]), values: kept.map(at => values[at]) };
}

/**
 * A line to draw for a range: some points on both sides of it, and within no more than are needed to see all highs, lows
 * and gaps.
 *
 * @param {{times: number[], values: Array<number|null>}} line its times ascend
 * @param {[number, number]} range
 * @returns {{times: number[], values: Array<number|null>}}
 */
export function thin({ times, values }, [ from, to ]) {
    const span = to - from;
    const begin = Math.max(0, firstAtLeast(times, from - (span * MARGIN)) - 1);
    const end = Math.min(times.length, firstAtLeast(times, to + (span * MARGIN)) + 1);
    const width = span / PIECES;

    if (end - begin <= 2 * PIECES) {
        return { times: times.slice(begin, end), values: values.slice(begin, end) };
    }
    const kept = [];

    for (let index = begin; index < end;) {
        const piece = Math.floor((times[index] - from) / width);
        let [ lowest, highest, gap ] = [ null, null, null ];

        for (; index < end && Math.floor((times[index] - from) / width) === piece; index += 1) {
            const value = values[index];

            if (value === null) {
                gap ??= index;
            } else {
                lowest = lowest === null || value < values[lowest] ? index : lowest;
                highest = highest === null || value > values[highest] ? index : highest;
            }
        }
        kept.push(...new Set([ lowest, highest, gap ].filter(at => at !== null).sort((a, b) => a - b)));
    }

    return { times: kept.map(at => times[at]), values: kept.map(at => values[at]) };
}

/** The index of the first time that is not before `ms`. */
function firstAtLeast(times, ms) {
    let [ low, high ] = [ 0, times.length ];

    while (low < high) {
        const middle = (low + high) >> 1;

        if (times[middle] < ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }

    return low;
}
