/** Compares the features that the server computed with those of the command line, and with what else is known. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { firstDifference } from './difference.mjs';

/** Of the metadata, what names a file or a copy of the session rather than describes it. */
const LOCAL = [ 'dumpPath', 'clientId' ];

/** What sums may differ by that are added up in another order. */
const TOLERANCE = 1e-9;

/** `{dumpMetadata, features}` of a record, without what is local. */
function jitsiFeatures({ dumpMetadata, features }) {
    const kept = Object.entries(dumpMetadata ?? {}).filter(([ name ]) => !LOCAL.includes(name));

    return { dumpMetadata: Object.fromEntries(kept), features };
}

/** The sets of features: where they are in the server's record, and what of the command line's output they are. */
const SETS = {
    jitsi: { ofRecord: jitsiFeatures, ofOutput: jitsiFeatures },
    rtcstats: { ofRecord: ({ rtcstats }) => rtcstats, ofOutput: output => output },
    legacy: { ofRecord: ({ legacy }) => legacy, ofOutput: output => output }
};

/** Runs `rtcstats features FILE`. */
async function extract(binary, file, set) {
    const { stdout } = await promisify(execFile)(binary, [ 'features', '--set', set, file ],
        { timeout: 20_000, maxBuffer: 64 * 1024 * 1024 });

    return JSON.parse(stdout);
}

/** Problems of `record`, the server's: against the command line's view of the same dump, in every set. */
export async function compareFeatures(record, binary, dumpFile) {
    const problems = [];

    for (const [ set, { ofRecord, ofOutput } ] of Object.entries(SETS)) {
        const difference = firstDifference(ofOutput(await extract(binary, dumpFile, set)), ofRecord(record));

        if (difference) {
            problems.push(`${set} features of the server differ from those of its dump, ${difference}`);
        }
    }

    return problems;
}

/** Problems of `record` against `expected` values of some of its members, by their path. */
export function compareWithKnown(record, expected) {
    return Object.entries(expected).flatMap(([ path, value ]) => {
        const actual = path.split('.').reduce((outer, name) => outer?.[name], record);
        const difference = firstDifference(value, actual, { path });

        return difference ? [ `features differ from what the page did, ${difference}` ] : [];
    });
}

/** Problems of `record` against the features that the reference server extracted, in the set `rtcstats`. */
export function compareWithReference(record, reference) {
    const difference = firstDifference(reference, record.rtcstats, { tolerance: TOLERANCE });

    return difference ? [ `features differ from those of the reference, ${difference}` ] : [];
}
