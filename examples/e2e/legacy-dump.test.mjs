import assert from 'node:assert/strict';
import { test } from 'node:test';

import { compareLegacyDump } from './legacy-dump.mjs';

const ORIGIN = 'http://localhost:1';
const BEGAN = 1700000000000;
const HEADER = JSON.stringify({ path: '/meet/room', origin: ORIGIN, url: `${ORIGIN}/meet/room`, userAgent: 'agent',
    time: BEGAN + 1, fileFormat: 2 });
const PUBLIC_IP = `["publicIP",null,["127.0.0.1"],${BEGAN + 1}]`;
const CLOSE = `["close",null,null,${BEGAN + 9}]`;
const CANDIDATE = ip => `["onicecandidate","PC_0",{"candidate":"${ip}"},${BEGAN + 4}]`;
const RAW = CANDIDATE('candidate:1 1 udp 5 192.0.2.7 9 typ host generation 0');
const MASKED = CANDIDATE('candidate:1 1 UDP 5 192.0.2.x 9 typ host');
const FRAMES = [ `["identity",null,{"user":"u"},${BEGAN + 2}]`, `["createOfferOnError","PC_0",null,${BEGAN + 3}]`, RAW ];
const STORED = [ FRAMES[0], FRAMES[1].replace('OnError', 'OnFailure'), RAW ];
const LOG = { path: '/meet/room', origin: ORIGIN, userAgent: 'agent', frames: FRAMES };

/** Compares a dump of these lines with the log of three frames. */
const compareWith = (options, ...lines) =>
    compareLegacyDump(lines.map(line => `${line}\n`).join(''), LOG, { began: BEGAN, ...options });
const compare = (...lines) => compareWith({}, ...lines);
const problemsOf = (...lines) => compare(...lines).problems.join('\n');

test('a_faithful_dump_passes', () => {
    const { figures, problems } = compare(HEADER, PUBLIC_IP, ...STORED, CLOSE);

    assert.deepEqual(problems, []);
    assert.deepEqual(figures, { stored: 3, missing: 0, foreign: 0, tailLost: 0, verbatim: 2 });
});

test('a_name_that_is_not_repaired_is_reported', () => {
    assert.match(problemsOf(HEADER, PUBLIC_IP, ...FRAMES, CLOSE), /event 1 \(line 4\).*OnFailure/);
});

test('an_address_that_is_not_masked_is_reported_and_so_is_one_that_should_not_be', () => {
    const masked = PUBLIC_IP.replace('.1"', '.x"');

    assert.deepEqual(compareWith({ masks: 'server' }, HEADER, masked, ...STORED.slice(0, 2), MASKED, CLOSE).problems, []);
    assert.match(compareWith({ masks: 'server' }, HEADER, masked, ...STORED, CLOSE).problems.join(), /event 2 .*192\.0\.2\.x/);
    assert.match(compareWith({ masks: 'server' }, HEADER, PUBLIC_IP, ...STORED.slice(0, 2), MASKED, CLOSE).problems.join(),
        /line 2, .*127\.0\.0\.x/);
    assert.match(problemsOf(HEADER, PUBLIC_IP, ...STORED.slice(0, 2), MASKED, CLOSE), /event 2/);
});

test('under_strict_rules_events_that_hold_addresses_are_compared_by_name_connection_and_time', () => {
    const strict = (...lines) => compareWith({ masks: 'strict' }, HEADER, PUBLIC_IP, ...lines, CLOSE).problems.join();
    const [ first, second ] = STORED;

    assert.equal(strict(first, second, MASKED), '');
    assert.match(strict(first, second, MASKED.replace('PC_0', 'PC_1')), /event 2/);
    assert.match(strict(first.replace('"u"', '"v"'), second, MASKED), /event 0 .*\$\[2\]\.user/);
});

test('dropped_repeated_swapped_changed_and_foreign_events_are_reported', () => {
    const [ first, second, third ] = STORED;

    assert.match(problemsOf(HEADER, PUBLIC_IP, first, third, CLOSE), /event 1 .*1 missing, 0 foreign/);
    assert.match(problemsOf(HEADER, PUBLIC_IP, first, second, CLOSE), /event 2 \(behind.*1 missing, 0 foreign/);
    assert.match(problemsOf(HEADER, PUBLIC_IP, first, second, second, third, CLOSE), /event 2 .*0 missing, 1 foreign/);
    assert.match(problemsOf(HEADER, PUBLIC_IP, second, first, third, CLOSE), /event 0 .*0 missing, 0 foreign/);
    assert.match(problemsOf(HEADER, PUBLIC_IP, first.replace('"u"', '"v"'), second, third, CLOSE), /\$\[2\]\.user/);
    assert.match(problemsOf(HEADER, PUBLIC_IP, ...STORED, '["x",null,1,2]', CLOSE), /event 3 .*0 missing, 1 foreign/);
});

test('header_addresses_and_close_are_checked', () => {
    assert.match(problemsOf(HEADER.replace('agent', 'other'), PUBLIC_IP, ...STORED, CLOSE), /header, \$\.userAgent/);
    assert.match(problemsOf(HEADER.replace(BEGAN + 1, BEGAN - 1), PUBLIC_IP, ...STORED, CLOSE), /not within/);
    assert.match(problemsOf(HEADER, ...STORED, CLOSE), /line 2, \$\[0\]: expected "publicIP"/);
    assert.match(problemsOf(HEADER, PUBLIC_IP, ...STORED), /the last line, \$\[0\]: expected "close"/);
    assert.match(problemsOf(HEADER, PUBLIC_IP, ...STORED, CLOSE.replace(BEGAN + 9, BEGAN + 3)), /and the event before/);
    assert.match(problemsOf(HEADER, PUBLIC_IP, ...STORED, CLOSE, CLOSE), /event 3/);
});

test('only_the_end_behind_what_had_to_be_kept_may_be_lost', () => {
    const two = STORED.slice(0, 2);

    assert.deepEqual(compareWith({ kept: 2 }, HEADER, PUBLIC_IP, ...two, CLOSE).problems, []);
    assert.equal(compareWith({ kept: 2 }, HEADER, PUBLIC_IP, ...two, CLOSE).figures.tailLost, 1);
    assert.match(compareWith({ kept: 3 }, HEADER, PUBLIC_IP, ...two, CLOSE).problems.join(), /event 2 .*1 missing/);
    assert.match(compareWith({ kept: 1 }, HEADER, PUBLIC_IP, STORED[0], STORED[2], CLOSE).problems.join(), /event 1/);
    assert.match(compareWith({ kept: 1 }, HEADER, PUBLIC_IP, ...STORED, STORED[0], CLOSE).problems.join(), /event 3/);
});
