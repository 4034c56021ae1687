/** Links to a view: time range and series, in the part of the URL that is not sent. */

/**
 * The hash of a link: `#from=ms&to=ms&series=<connection>/<object>/<name>,…`; `hidden` in the same way.
 *
 * @param {import('./time-axis.js').TimeAxis} time
 * @param {import('./selection.js').Selection} selection
 * @returns {string} empty where all is as it is without
 */
export function toHash(time, selection) {
    const parts = [];

    if (time.range) {
        parts.push(`from=${Math.round(time.range[0])}`, `to=${Math.round(time.range[1])}`);
    }
    for (const name of [ 'series', 'hidden' ]) {
        const keys = name === 'series' ? selection.chosen : selection.hidden;

        if (keys.length) {
            parts.push(`${name}=${keys.join(',')}`);
        }
    }

    return parts.length ? `#${parts.join('&')}` : '';
}

/**
 * Sets time range and selection as a hash says; what it does not name is as it is without. A hash that is no link of
 * this kind changes nothing.
 *
 * @param {string} hash
 * @param {import('./time-axis.js').TimeAxis} time
 * @param {import('./selection.js').Selection} selection
 */
export function applyHash(hash, time, selection) {
    if (!hash.includes('=')) {
        return;
    }
    const parts = new Map(hash.slice(1).split('&').map(part => {
        const at = part.indexOf('=');

        return [ part.slice(0, at), part.slice(at + 1) ];
    }));
    const [ from, to ] = [ 'from', 'to' ].map(name => (parts.get(name) ? Number(parts.get(name)) : NaN));
    const keys = name => (parts.get(name) ?? '').split(',').filter(Boolean).map(normalized);

    time.setRange(from < to ? [ from, to ] : null);
    selection.set(keys('series'), keys('hidden'));
}

/** The key as the page itself writes it: programs encode more or fewer characters. */
function normalized(key) {
    try {
        return key.split('/').map(part => encodeURIComponent(decodeURIComponent(part))).join('/');
    } catch {
        return key;
    }
}
