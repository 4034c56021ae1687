/** Compares the stored dump of a replayed 5.0 connection with the recording. */
import { firstDifference, show } from './difference.mjs';
import { parseDump } from './dump.mjs';
import { compareSequence } from './sequence.mjs';

const FIRST_LINE = 'RTCStatsDump\n';

/** What a server notes of a close frame without a code, which is what the client sends. */
const NO_CODE = 1005;

/** Checks the object with meta data. */
function checkMetadata(metadata, recording, log, began, problems) {
    const expected = { url: recording.url, origin: log.origin, userAgent: log.userAgent,
        startTime: metadata?.startTime, remoteAddresses: [ '127.0.0.1' ], clientProtocol: recording.subprotocol,
        fileFormat: 3 };
    const difference = firstDifference(expected, metadata);

    if (difference) {
        problems.push(`meta data, ${difference}`);
    } else if (!(metadata.startTime >= began && metadata.startTime <= Date.now())) {
        problems.push(`startTime, ${show(metadata.startTime)}, is not within the session`);
    }
}

/** Checks the line that ends the dump. */
function checkClose(event, began, problems) {
    const difference = firstDifference([ 'close', null, NO_CODE, event?.[3] ], event);

    if (difference) {
        problems.push(`the last line, ${difference}`);
    } else if (!(event[3] >= 0 && event[3] <= Date.now() - began)) {
        problems.push(`the last line has the time difference ${show(event[3])}`);
    }
}

/**
 * Whether `dump` holds the events `expected` between the meta data and the `close` of this connection, which was
 * made after `began`. Returns `{figures, problems, closeDelta}`.
 */
export function compareReplayedDump(dump, recording, expected, log, began) {
    if (!dump.startsWith(FIRST_LINE)) {
        return { figures: {}, problems: [ `the dump begins with ${show(dump.slice(0, FIRST_LINE.length))}` ] };
    }
    const problems = [];
    const [ metadata, ...rest ] = parseDump(dump.slice(FIRST_LINE.length), problems)
        .map(item => ({ ...item, line: item.line + 1 }));
    const close = rest.pop();

    checkMetadata(metadata?.entry, recording, log, began, problems);
    checkClose(close?.entry, began, problems);
    const { figures, problems: differences } = compareSequence(expected, rest);
    const verbatim = rest.filter(({ text }, index) => text === recording.frames[index]).length;

    return { figures: { stored: rest.length, ...figures, verbatim }, problems: [ ...problems, ...differences ],
        closeDelta: close?.entry?.[3] };
}
