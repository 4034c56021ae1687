/** What the tracing script makes of reports is what decoders of rtcstats 5.0 make reports of again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { encode, sequences } from './report-sequences.mjs';

/** The decoder as the protocol defines it, for names that are not numbers. */
function decode(base, delta) {
    const { t: time, ...decoded } = structuredClone(delta);

    for (const id of Object.keys(base)) {
        if (decoded[id] === null) {
            delete decoded[id];
            continue;
        }
        const isTimed = decoded[id] !== undefined && Object.hasOwn(decoded[id], 'timestamp');

        decoded[id] ??= {};
        for (const [ name, old ] of Object.entries(base[id])) {
            const value = decoded[id][name];

            if (value === undefined) {
                decoded[id][name] = old;
            } else if (typeof old === 'object' && !Array.isArray(value)) {
                decoded[id][name] = { ...old, ...value };
            }
        }
        if (time !== undefined && !isTimed) {
            decoded[id].timestamp = time;
        }
    }
    for (const object of Object.values(decoded)) {
        object.timestamp ??= time;
    }

    return decoded;
}

function withoutIds(report) {
    return Object.fromEntries(Object.entries(report).map(([ key, { id, ...object } ]) => [ key, object ]));
}

test('what is decoded is what getStats returned', () => {
    for (const [ index, reports ] of sequences().entries()) {
        let decoded = {};

        for (const [ place, deltas ] of encode(reports).entries()) {
            for (const delta of deltas) {
                decoded = decode(decoded, JSON.parse(JSON.stringify(delta)));
            }
            assert.deepEqual(decoded, withoutIds(reports[place]), `sequence ${index}, report ${place}`);
        }
    }
});

test('only what changed is sent', () => {
    const [ call ] = sequences();
    const time = call[0].T01.timestamp;

    assert.deepEqual(encode(call), [
        [ {
            T01: { type: 'transport', bytesSent: 0, dtlsState: 'connecting' },
            OT01: { type: 'outbound-rtp', transportId: 'T01', framesPerSecond: 30,
                qualityLimitationDurations: { none: 1, cpu: 0 }, active: true, bytesSent: 10 },
            RI01: { type: 'remote-inbound-rtp', timestamp: time - 400.5, localId: 'OT01', packetsLost: 0 },
            t: time
        } ],
        [ {
            T01: { bytesSent: 99, dtlsState: 'connected' },
            OT01: { qualityLimitationDurations: { none: 1.5 } },
            RI01: { timestamp: time - 400.5 },
            t: time + 1000
        } ],
        // A member less cannot be said: the object goes, and comes.
        [ { OT01: null }, {
            OT01: { type: 'outbound-rtp', transportId: 'T01', qualityLimitationDurations: { none: 1.5, cpu: 0 },
                active: false, bytesSent: 10 },
            RI01: null,
            t: time + 2000
        } ],
        [ { t: time + 3000 } ],
        [ { T01: null, OT01: null } ],
        [ { T01: { type: 'transport', bytesSent: 0 }, t: time + 5000 } ]
    ]);
});
