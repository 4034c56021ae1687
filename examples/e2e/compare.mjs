/** Compares the stored dump of a Jitsi client with the page's own log. */
import { firstDifference, show } from './difference.mjs';
import { parseDump } from './dump.mjs';

/** Position of the sequence number in an entry. */
const NUMBER = 4;

/** Checks the connection header against what the page knows of itself. */
function checkHeader(header, log, sessionId, problems) {
    const [ name, pc, details, time ] = Array.isArray(header) ? header : [];

    if (name !== 'connectionInfo' || pc !== null || typeof time !== 'number') {
        problems.push(`line 1 is not a connection header: ${show(header)}`);

        return;
    }
    const path = `/tenant/e2e-room?statsSessionId=${sessionId}&isReconnect=false`;
    const expected = { path, origin: log.origin, url: log.origin + path, userAgent: log.userAgent,
        clientProtocol: '3.1_STANDARD', statsFormat: 'chrome_standard', clientType: 'RTCSTATS_CLIENT' };
    const difference = firstDifference(expected, details);

    if (difference) {
        problems.push(`connection header, ${difference}`);
    }
}

/** First place where the numbers stored are not in rising order. */
function checkOrder(stored, problems) {
    const at = stored.findIndex(({ entry }, index) => index > 0 && entry[NUMBER] < stored[index - 1].entry[NUMBER]);

    if (at > 0) {
        problems.push(`out of order: line ${stored[at].line} has number ${stored[at].entry[NUMBER]} after `
            + `${stored[at - 1].entry[NUMBER]}`);
    }
}

/** The stored lines of each number. */
function groupByNumber(stored) {
    const groups = new Map();

    for (const item of stored) {
        groups.set(item.entry[NUMBER], [ ...groups.get(item.entry[NUMBER]) ?? [], item ]);
    }

    return groups;
}

/** Compares entry by entry; counts what is missing, stored twice or changed. */
function checkEntries(stored, log, problems) {
    const byNumber = groupByNumber(stored);
    const figures = { missing: 0, duplicates: 0, changed: 0, verbatim: 0 };

    for (const { number, text } of log.entries) {
        const copies = byNumber.get(number) ?? [];
        const emitted = JSON.parse(text);

        if (copies.length === 0 && ++figures.missing === 1) {
            problems.push(`first missing: number ${number}, ${show(emitted)}`);
        }
        if (copies.length > 1) {
            figures.duplicates += copies.length - 1;
            if (figures.duplicates === copies.length - 1) {
                problems.push(`first duplicate: number ${number} on lines ${copies.map(c => c.line).join(', ')}`);
            }
        }
        for (const copy of copies) {
            const difference = firstDifference(emitted, copy.entry);

            figures.verbatim += copy.text === text ? 1 : 0;
            if (difference && ++figures.changed === 1) {
                problems.push(`first changed: number ${number} on line ${copy.line}, ${difference}`);
            }
        }
        byNumber.delete(number);
    }
    const [ foreign ] = [ ...byNumber.values() ].flat();

    if (foreign) {
        problems.push(`line ${foreign.line} was never emitted: ${show(foreign.entry)}`);
    }

    return { ...figures, foreign: [ ...byNumber.values() ].flat().length };
}

/**
 * Whether `dump` holds each entry of `log` exactly once, unchanged and in order, behind one connection header.
 * Returns `{figures, problems}`.
 */
export function compareDump(dump, log, sessionId) {
    const problems = [];
    const [ header, ...rest ] = parseDump(dump, problems);
    const stored = rest.filter(({ entry }) => Array.isArray(entry));

    rest.filter(({ entry }) => entry !== null && !Array.isArray(entry))
        .slice(0, 1)
        .forEach(({ line, entry }) => problems.push(`line ${line} is not an entry: ${show(entry)}`));
    checkHeader(header?.entry, log, sessionId, problems);
    checkOrder(stored, problems);

    return { figures: { stored: stored.length, ...checkEntries(stored, log, problems) }, problems };
}
