import assert from 'node:assert/strict';
import { test } from 'node:test';

import { compareReplayedDump } from './replayed-dump.mjs';

const BEGAN = Date.now() - 1000;
const FRAMES = [ `[39,null,{"a":1},${BEGAN}]`, '[":joined",null,null,5]', '["g","PC_0",{"t":7},9]' ];
const RECORDING = { url: '/room', subprotocol: 'rtcstats#5.0', frames: FRAMES };
const LOG = { origin: 'http://localhost:1', userAgent: 'agent' };
const METADATA = JSON.stringify({ url: '/room', origin: LOG.origin, userAgent: 'agent', startTime: BEGAN + 1,
    remoteAddresses: [ '127.0.0.1' ], clientProtocol: 'rtcstats#5.0', fileFormat: 3 });
const CLOSE = '["close",null,1005,12]';

/** Compares a dump of these lines with the recording of three frames. */
const compare = (...lines) => compareReplayedDump(lines.map(line => `${line}\n`).join(''), RECORDING,
    FRAMES.map(frame => JSON.parse(frame)), LOG, BEGAN);
const problemsOf = (...lines) => compare(...lines).problems.join('\n');

test('a_faithful_dump_passes', () => {
    const { figures, problems, closeDelta } = compare('RTCStatsDump', METADATA, ...FRAMES, CLOSE);

    assert.deepEqual(problems, []);
    assert.deepEqual(figures, { stored: 3, missing: 0, foreign: 0, verbatim: 3 });
    assert.equal(closeDelta, 12);
});

test('dropped_repeated_and_changed_events_are_reported', () => {
    const [ first, second, third ] = FRAMES;

    assert.match(problemsOf('RTCStatsDump', METADATA, first, third, CLOSE), /event 1 \(line 4\).*1 missing, 0 foreign/);
    assert.match(problemsOf('RTCStatsDump', METADATA, first, second, second, third, CLOSE), /0 missing, 1 foreign/);
    assert.match(problemsOf('RTCStatsDump', METADATA, first, second.replace('5', '6'), third, CLOSE), /\$\[3\]/);
});

test('first_line_meta_data_and_close_are_checked', () => {
    assert.match(problemsOf(METADATA, ...FRAMES, CLOSE), /the dump begins with/);
    assert.match(problemsOf('RTCStatsDump', METADATA.replace('/room', '/'), ...FRAMES, CLOSE), /meta data, \$\.url/);
    assert.match(problemsOf('RTCStatsDump', METADATA.replace(BEGAN + 1, 5), ...FRAMES, CLOSE), /not within/);
    assert.match(problemsOf('RTCStatsDump', METADATA, ...FRAMES), /the last line, \$\[0\]: expected "close"/);
    assert.match(problemsOf('RTCStatsDump', METADATA, ...FRAMES, CLOSE.replace('1005', '1006')), /the last line/);
    assert.match(problemsOf('RTCStatsDump', METADATA, ...FRAMES, CLOSE.replace('12', '-1')), /time difference/);
});
