/** How numbers, times and durations are written. */

const PREFIXES = [ [ 1e9, 'G' ], [ 1e6, 'M' ], [ 1e3, 'k' ] ];

/** Units that take a prefix for large numbers. */
export const SCALED = new Set([ 'B', 'B/s', 'bit/s', 'bit', 'Hz' ]);

/** What is shown where there is no number. */
export const NOTHING = '–';

/**
 * A number for reading: four significant digits, or all digits of a whole number.
 *
 * @param {number|null|undefined} value
 * @param {string} [unit]
 * @returns {string}
 */
export function formatNumber(value, unit = '') {
    if (typeof value !== 'number' || !Number.isFinite(value)) {
        return NOTHING;
    }
    if (unit === 's' && value !== 0 && Math.abs(value) < 1) {
        return formatNumber(value * 1000, 'ms');
    }
    const [ factor, prefix ] = SCALED.has(unit)
        ? PREFIXES.find(([ least ]) => Math.abs(value) >= least) ?? [ 1, '' ]
        : [ 1, '' ];
    const scaled = value / factor;
    const digits = Number.isInteger(scaled) && Math.abs(scaled) < 1e15
        ? scaled.toLocaleString('en', { maximumFractionDigits: 0 })
        : significant(scaled);

    // 30/s reads better than 30 1/s.
    return unit.startsWith('1/') ? `${digits}${unit.slice(1)}` : `${digits} ${prefix}${unit}`.trimEnd();
}

function significant(value) {
    const size = Math.abs(value);

    return size >= 1e15 || size < 1e-4
        ? value.toExponential(3)
        : value.toLocaleString('en', { maximumSignificantDigits: size >= 1000 ? 6 : 4 });
}

/**
 * A span of time: `1 h 2 min`, `3 min 20 s`, `4.2 s`, `350 ms`.
 *
 * @param {number|null|undefined} milliseconds
 * @returns {string}
 */
export function formatDuration(milliseconds) {
    if (typeof milliseconds !== 'number' || !Number.isFinite(milliseconds)) {
        return NOTHING;
    }
    if (milliseconds < 1000) {
        return `${Math.round(milliseconds)} ms`;
    }
    const seconds = milliseconds / 1000;

    if (seconds < 60) {
        return `${seconds.toFixed(1)} s`;
    }
    const minutes = Math.floor(seconds / 60);

    return minutes < 60
        ? `${minutes} min ${Math.floor(seconds % 60)} s`
        : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The name of the browser's time zone, or of UTC. */
export function zoneName(zone) {
    return zone === 'utc' ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone || 'local time';
}

/**
 * A date with its time of day: `2026-11-21 12:31:05`.
 *
 * @param {number|null|undefined} ms Unix epoch milliseconds
 * @param {'utc'|'local'} zone
 * @returns {string}
 */
export function formatDate(ms, zone) {
    return onClock(ms, zone)?.toISOString().slice(0, 19).replace('T', ' ') ?? NOTHING;
}

/**
 * A time of day: `12:31:05.250`.
 *
 * @param {number|null|undefined} ms Unix epoch milliseconds
 * @param {'utc'|'local'} zone
 * @returns {string}
 */
export function formatTime(ms, zone) {
    return onClock(ms, zone)?.toISOString().slice(11, 23) ?? NOTHING;
}

/**
 * The milliseconds whose UTC reading is what a clock of the zone shows at `ms`.
 *
 * @param {number} ms Unix epoch milliseconds
 * @param {'utc'|'local'} zone
 * @returns {number}
 */
export function toClock(ms, zone) {
    return zone === 'utc' ? ms : ms - (new Date(ms).getTimezoneOffset() * 60_000);
}

/**
 * The reverse of {@link toClock}.
 *
 * @param {number} reading
 * @param {'utc'|'local'} zone
 * @returns {number}
 */
export function fromClock(reading, zone) {
    if (zone === 'utc') {
        return reading;
    }
    const near = reading + (new Date(reading).getTimezoneOffset() * 60_000);

    // The offset is that of the instant, which is known only now.
    return reading + (new Date(near).getTimezoneOffset() * 60_000);
}

/** A date as the zone's clock shows it; `null` for what is no time that a date can hold. */
function onClock(ms, zone) {
    const reading = typeof ms === 'number' ? new Date(toClock(ms, zone)) : null;

    return reading && !Number.isNaN(reading.getTime()) ? reading : null;
}
