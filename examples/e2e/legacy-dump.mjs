/** Compares the stored dump of a legacy client with the page's own log. */
import { firstDifference, show } from './difference.mjs';
import { parseDump } from './dump.mjs';
import { isMasked, maskAddress, masked } from './mask.mjs';
import { repaired } from './repairs.mjs';
import { compareSequence } from './sequence.mjs';

/** Where the page connects from. */
const PEER_ADDRESS = '127.0.0.1';

/** Position of the time in an event. */
const TIME = 3;

/** Checks the object at the head against what the page knows of itself. */
function checkHeader(header, log, began, problems) {
    const expected = { path: log.path, origin: log.origin, url: log.origin + log.path, userAgent: log.userAgent,
        time: header?.time, fileFormat: 2 };
    const difference = firstDifference(expected, header);

    if (difference) {
        problems.push(`header, ${difference}`);
    } else if (!(header.time >= began && header.time <= Date.now())) {
        problems.push(`the header's time, ${show(header.time)}, is not within the session`);
    }
}

/** Checks the line with the addresses that the client came over. */
function checkPublicIp(event, header, masks, problems) {
    const address = masks === 'server' ? maskAddress(PEER_ADDRESS) : PEER_ADDRESS;
    const difference = firstDifference([ 'publicIP', null, [ address ], event?.[TIME] ], event);

    if (difference) {
        problems.push(`line 2, ${difference}`);
    } else if (!(event[TIME] >= header?.time)) {
        problems.push(`line 2 has the time ${show(event[TIME])}, before the header's`);
    }
}

/** Checks the line that ends the dump; `last` is the event before it. */
function checkClose(event, last, problems) {
    const difference = firstDifference([ 'close', null, null, event?.[TIME] ], event);

    if (difference) {
        problems.push(`the last line, ${difference}`);
    } else if (!(event[TIME] >= (last?.[TIME] ?? 0) && event[TIME] <= Date.now())) {
        problems.push(`the last line has the time ${show(event[TIME])}, and the event before it ${show(last?.[TIME])}`);
    }
}

/** Of an event that holds addresses, what strict rules leave: how much they mask is not predicted here. */
const frameOf = event => (isMasked(event) ? [ event[0], event[1], event[TIME] ] : event);

/** Expected events and stored lines as they have to be equal under the rules `masks`, if any. */
function comparable(emitted, stored, masks) {
    if (masks === 'strict') {
        return { expected: emitted.map(frameOf),
            stored: stored.map(item => ({ ...item, entry: Array.isArray(item.entry) ? frameOf(item.entry) : item.entry })) };
    }

    return { expected: masks ? emitted.map(masked) : emitted, stored };
}

/**
 * Whether `dump` holds each frame of `log` exactly once, repaired and in order, between header and `close`.
 *
 * `began` is the time before the page was started; `masks` names the rules by which addresses are
 * masked, if they are. Where `kept` is a
 * number, the end may be missing, but not within the first `kept` frames. Returns `{figures, problems}`.
 */
export function compareLegacyDump(dump, log, { began, masks = null, kept = null }) {
    const problems = [];
    const [ header, publicIp, ...rest ] = parseDump(dump, problems);
    const close = rest.pop();
    const emitted = log.frames.map(frame => repaired(JSON.parse(frame)));
    const { expected, stored } = comparable(emitted, rest, masks);
    const cut = kept === null ? expected.length : Math.max(kept, Math.min(rest.length, expected.length));

    checkHeader(header?.entry, log, began, problems);
    checkPublicIp(publicIp?.entry, header?.entry, masks, problems);
    checkClose(close?.entry, rest.at(-1)?.entry, problems);
    const { figures, problems: differences } = compareSequence(expected.slice(0, cut), stored);
    const verbatim = rest.filter(({ text }, index) => text === log.frames[index]).length;

    return { figures: { stored: rest.length, ...figures, tailLost: expected.length - cut, verbatim },
        problems: [ ...problems, ...differences ] };
}
