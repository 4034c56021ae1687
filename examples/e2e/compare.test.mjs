import assert from 'node:assert/strict';
import { test } from 'node:test';

import { compareDump } from './compare.mjs';
import { firstDifference } from './difference.mjs';

const ID = '11111111-2222-4333-8444-555555555555';
const ORIGIN = 'http://127.0.0.1:1';
const PATH = `/tenant/e2e-room?statsSessionId=${ID}&isReconnect=false`;
const HEADER = JSON.stringify([ 'connectionInfo', null, { path: PATH, origin: ORIGIN, url: ORIGIN + PATH,
    userAgent: 'agent', clientProtocol: '3.1_STANDARD', statsFormat: 'chrome_standard',
    clientType: 'RTCSTATS_CLIENT' }, 1700000000000 ]);
const ENTRIES = [ 1, 2, 3 ].map(n => JSON.stringify([ 'logs', null, [ `text ${n}` ], 1700000000000 + n, n ]));
const LOG = { userAgent: 'agent', origin: ORIGIN,
    entries: ENTRIES.map((text, index) => ({ number: index + 1, type: 'stats-entry', text })) };

/** Compares a dump of these lines with the log of three entries. */
const compare = (...lines) => compareDump(lines.map(line => `${line}\n`).join(''), LOG, ID);

test('a_faithful_dump_passes', () => {
    const { figures, problems } = compare(HEADER, ...ENTRIES);

    assert.deepEqual(problems, []);
    assert.deepEqual(figures, { stored: 3, missing: 0, duplicates: 0, changed: 0, verbatim: 3, foreign: 0 });
});

test('other_spelling_of_the_same_json_passes_but_is_not_verbatim', () => {
    const { figures, problems } = compare(HEADER, ENTRIES[0].replaceAll(',', ', '), ENTRIES[1], ENTRIES[2]);

    assert.deepEqual(problems, []);
    assert.equal(figures.verbatim, 2);
});

test('a_dropped_entry_is_reported', () => {
    const { figures, problems } = compare(HEADER, ENTRIES[0], ENTRIES[2]);

    assert.equal(figures.missing, 1);
    assert.match(problems.join(), /^first missing: number 2/);
});

test('a_repeated_entry_is_reported', () => {
    const { figures, problems } = compare(HEADER, ENTRIES[0], ENTRIES[1], ENTRIES[1], ENTRIES[2]);

    assert.equal(figures.duplicates, 1);
    assert.match(problems.join(), /^first duplicate: number 2 on lines 3, 4$/);
});

test('a_changed_entry_is_reported_with_the_place', () => {
    const { problems } = compare(HEADER, ENTRIES[0], ENTRIES[1].replace('text', 'word'), ENTRIES[2]);

    assert.match(problems.join(), /^first changed: number 2 on line 3, \$\[2\]\[0\]: expected "text 2", got "word 2"$/);
});

test('swapped_entries_are_reported', () => {
    assert.match(compare(HEADER, ENTRIES[0], ENTRIES[2], ENTRIES[1]).problems.join(), /^out of order: line 4/);
});

test('foreign_lines_second_headers_and_torn_ends_are_reported', () => {
    const foreign = '["x",null,1,1700000000000,9]';
    const torn = '["logs",nu';

    assert.match(compare(HEADER, ...ENTRIES, foreign).problems.join(), /line 5 was never emitted/);
    assert.match(compare(HEADER, ...ENTRIES, HEADER).problems.join(), /line 5 was never emitted/);
    assert.match(compare(HEADER, ...ENTRIES, '{}').problems.join(), /line 5 is not an entry/);
    assert.match(compareDump([ HEADER, ...ENTRIES ].join('\n'), LOG, ID).problems.join(), /does not end/);
    assert.match(compare(HEADER, torn, ...ENTRIES).problems.join(), /line 2 is not JSON/);
});

test('a_wrong_header_is_reported', () => {
    assert.match(compare(...ENTRIES).problems.join(), /line 1 is not a connection header/);
    assert.match(compare(HEADER.replace('STANDARD', 'LEGACY'), ...ENTRIES).problems.join(), /clientProtocol/);
});

test('absent_null_and_zero_differ', () => {
    assert.equal(firstDifference({ a: 1, b: [ 2 ] }, { b: [ 2 ], a: 1 }), null);
    assert.match(firstDifference({ a: null }, {}), /\$\.a: expected null, got absent/);
    assert.match(firstDifference({ a: 0 }, { a: null }), /\$\.a/);
    assert.match(firstDifference([ 1 ], { 0: 1 }), /^\$:/);
    assert.match(firstDifference([ 1 ], [ 1, 2 ]), /\$\[1\]/);
});

test('numbers_are_equal_within_the_tolerance_only', () => {
    assert.equal(firstDifference([ 1e9 ], [ 1e9 + 1 ], { tolerance: 1e-9 }), null);
    assert.match(firstDifference([ 1e9 ], [ 1e9 + 2 ], { tolerance: 1e-9 }), /\$\[0\]/);
    assert.match(firstDifference([ 1e9 ], [ 1e9 + 1 ]), /\$\[0\]/);
    assert.match(firstDifference([ 1 ], [ '1' ], { tolerance: 1 }), /\$\[0\]/);
});
