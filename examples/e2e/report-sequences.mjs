/**
 * Reports as peer connections make them one after the other, and worse: objects and members come and go, change their
 * kind, have times of their own.
 *
 * Run as a program it prints, for each sequence, `{reports, deltas}` as a line of JSON: what the tracing script makes of
 * them, for another decoder to read.
 */
import { fileURLToPath } from 'node:url';

import { loadPageModule } from './page-modules.mjs';

const { ReportEncoder } = await loadPageModule('rtcstats-reports.js');

const START = 1_761_000_000_000;

/** A browser's, in short: a call that begins, sends, is muted, and loses an object. */
const CALL = [
    {
        T01: { id: 'T01', type: 'transport', timestamp: START, bytesSent: 0, dtlsState: 'connecting' },
        OT01: { id: 'OT01', type: 'outbound-rtp', timestamp: START, transportId: 'T01', framesPerSecond: 30,
            qualityLimitationDurations: { none: 1, cpu: 0 }, active: true, bytesSent: 10 },
        RI01: { id: 'RI01', type: 'remote-inbound-rtp', timestamp: START - 400.5, localId: 'OT01', packetsLost: 0 }
    },
    {
        T01: { id: 'T01', type: 'transport', timestamp: START + 1000, bytesSent: 99, dtlsState: 'connected' },
        OT01: { id: 'OT01', type: 'outbound-rtp', timestamp: START + 1000, transportId: 'T01', framesPerSecond: 30,
            qualityLimitationDurations: { none: 1.5, cpu: 0 }, active: true, bytesSent: 10 },
        RI01: { id: 'RI01', type: 'remote-inbound-rtp', timestamp: START - 400.5, localId: 'OT01', packetsLost: 0 }
    },
    {
        T01: { id: 'T01', type: 'transport', timestamp: START + 2000, bytesSent: 99, dtlsState: 'connected' },
        OT01: { id: 'OT01', type: 'outbound-rtp', timestamp: START + 2000, transportId: 'T01',
            qualityLimitationDurations: { none: 1.5, cpu: 0 }, active: false, bytesSent: 10 }
    },
    {
        T01: { id: 'T01', type: 'transport', timestamp: START + 3000, bytesSent: 99, dtlsState: 'connected' },
        OT01: { id: 'OT01', type: 'outbound-rtp', timestamp: START + 3000, transportId: 'T01',
            qualityLimitationDurations: { none: 1.5, cpu: 0 }, active: false, bytesSent: 10 }
    },
    {},
    { T01: { id: 'T01', type: 'transport', timestamp: START + 5000, bytesSent: 0 } }
];

/** What members may be. Lists and nested objects as browsers have them; some that none has. */
const VALUES = [ 0, 1, -2.5, 1e21, true, false, '', 'text', 'ü"\\\u2028', null, [], [ 1 ], [ 1, 2 ], [ { a: 1 } ], {},
    { a: 1 }, { a: 2 }, { a: 1, b: 'x' }, { b: { c: 1 } }, { b: null } ];
const NAMES = [ 'bytesSent', 'codecId', 'psnrSum', 'state', 'unknown', 'qualityLimitationDurations' ];
const IDS = [ 'A', 'CP01_x', '5', '0', 'ü"' ];
const TIMES = [ START, START, START + 1000, START + 0.25 ];

/** Numbers that are always the same for a seed. */
function randomFrom(seed) {
    let state = seed;

    return length => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;

        return Math.floor(state / 2 ** 32 * length);
    };
}

function randomReport(random) {
    const report = {};

    for (const id of IDS.filter(() => random(4) > 0)) {
        report[id] = { id, type: 'outbound-rtp', timestamp: TIMES[random(TIMES.length)] };
        for (const name of NAMES.filter(() => random(3) > 0)) {
            report[id][name] = VALUES[random(VALUES.length)];
        }
    }

    return report;
}

/** All sequences of reports. */
export function sequences() {
    const made = Array.from({ length: 200 }, (_, seed) => {
        const random = randomFrom(seed + 1);

        return Array.from({ length: 12 }, () => randomReport(random));
    });

    return [ CALL, ...made ];
}

/** The deltas of each report of a sequence. */
export function encode(reports) {
    const encoder = new ReportEncoder();

    return reports.map(report => encoder.encode(structuredClone(report)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    for (const reports of sequences()) {
        process.stdout.write(`${JSON.stringify({ reports, deltas: encode(reports) })}\n`);
    }
}
