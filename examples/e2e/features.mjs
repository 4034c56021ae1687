/** Compares the features that the server computed with those of the command line, and with what the page did. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { firstDifference } from './difference.mjs';

/** Of the metadata, what names a file or a copy of the session rather than describes it. */
const LOCAL = [ 'dumpPath', 'clientId' ];

/** `{dumpMetadata, features}` of a record, without what is local. */
function comparable({ dumpMetadata, features }) {
    const kept = Object.entries(dumpMetadata ?? {}).filter(([ name ]) => !LOCAL.includes(name));

    return { dumpMetadata: Object.fromEntries(kept), features };
}

/** What follows from the page's log without any extraction. */
function expectedOf(log) {
    const entries = log.entries.map(({ text }) => JSON.parse(text));
    const timed = entries.filter(([ name ]) => name !== 'identity').map(entry => entry[3]);

    return {
        'dumpMetadata.conferenceId': 'e2e-room',
        'dumpMetadata.conferenceUrl': 'meet.example.org/tenant/e2e-room',
        'dumpMetadata.endpointId': 'a1b2c3d4',
        'dumpMetadata.userId': 'Zoë "the tester" 🦀',
        'dumpMetadata.app': 'Jitsi Meet',
        'dumpMetadata.sessionId': '6f1e2d3c-0000-4000-8000-00000000e2e0',
        'features.sessionStartTime': timed[0],
        'features.sessionEndTime': Math.max(...timed),
        'features.deploymentInfo.region': 'eu-central-1',
        'features.metrics.statsRequestCount': entries.filter(([ name ]) => name === 'getstats').length,
        'features.metrics.dsRequestCount': entries.filter(([ name ]) => name === 'dominantSpeaker').length,
        'features.metrics.sentimentRequestCount': entries.filter(([ name ]) => name === 'faceLandmarks').length,
        'features.aggregates.PC_0.isP2P': false,
        'features.aggregates.PC_1.isP2P': true
    };
}

/** Runs `rtcstats features FILE`. */
async function extract(binary, file) {
    const { stdout } = await promisify(execFile)(binary, [ 'features', file ],
        { timeout: 20_000, maxBuffer: 64 * 1024 * 1024 });

    return JSON.parse(stdout);
}

/** Problems of the final `record`: against the command line's view of the same dump, and against the page's log. */
export async function compareFeatures(record, binary, dumpFile, log) {
    const fromServer = comparable(record);
    const fromDump = comparable(await extract(binary, dumpFile));
    const problems = [];
    const difference = firstDifference(fromDump, fromServer);

    if (difference) {
        problems.push(`features of the server differ from those of its dump, ${difference}`);
    }
    for (const [ path, expected ] of Object.entries(expectedOf(log))) {
        const actual = path.split('.').reduce((value, name) => value?.[name], fromServer);
        const wrong = firstDifference(expected, actual, path);

        if (wrong) {
            problems.push(`features differ from what the page did, ${wrong}`);
        }
    }

    return problems;
}
