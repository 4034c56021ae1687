/** Files that the page makes: numbers as CSV, pictures, documents. */

/** Spreadsheets run cells that begin like this. */
const FORMULA = /^[=+\-@\t\r]/;

/**
 * The visible lines as CSV: a row a time, a column a line; empty where a line has no number.
 *
 * @param {Array<{name: string, times: number[], values: Array<number|null>}>} lines
 * @param {string} unit
 * @param {[number, number]} range only times within are written
 * @returns {string}
 */
export function toCsv(lines, unit, [ from, to ]) {
    const rows = new Map();

    lines.forEach(({ times, values }, column) => {
        times.forEach((ms, index) => {
            if (ms >= from && ms <= to && values[index] !== null) {
                const row = rows.get(ms) ?? new Array(lines.length).fill('');

                row[column] = values[index];
                rows.set(ms, row);
            }
        });
    });
    const head = [ 'time_ms', 'time_utc', ...lines.map(({ name }) => (unit ? `${name} (${unit})` : name)) ];
    const body = [ ...rows ].sort(([ a ], [ b ]) => a - b).map(([ ms, row ]) => [ ms, toIso(ms), ...row ]);

    return [ head.map(toCell), ...body ].map(row => row.join(',')).join('\r\n').concat('\r\n');
}

function toIso(ms) {
    const date = new Date(ms);

    return Number.isNaN(date.getTime()) ? '' : date.toISOString();
}

function toCell(text) {
    const safe = FORMULA.test(text) ? `'${text}` : text;

    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * Lets the browser save a text.
 *
 * @param {string} name the file's
 * @param {string} type the media type
 * @param {string} text
 */
export function saveText(name, type, text) {
    const url = URL.createObjectURL(new Blob([ text ], { type }));

    saveUrl(name, url);
    // The browser has taken hold of it when the click is over; older ones a little later.
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/**
 * Lets the browser save what is behind a URL of the page's own (`data:`, `blob:`).
 *
 * @param {string} name the file's
 * @param {string} url
 */
export function saveUrl(name, url) {
    const link = document.createElement('a');

    link.href = url;
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
}

/**
 * A file name made of texts, whatever is in them.
 *
 * @param {string[]} parts
 * @param {string} extension
 * @returns {string}
 */
export function fileName(parts, extension) {
    const stem = parts.map(part => part.replaceAll(/[^A-Za-z0-9._-]+/g, '-').replaceAll(/^[-.]+|-+$/g, ''))
        .filter(Boolean).join('_').slice(0, 120);

    return `${stem || 'rtcstats'}.${extension}`;
}
