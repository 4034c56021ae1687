import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loadPageModule } from './page-modules.mjs';

const { fileName, toCsv } = await loadPageModule('export.js');
const { applyHash, toHash } = await loadPageModule('share-link.js');
const { Selection } = await loadPageModule('selection.js');
const { TimeAxis } = await loadPageModule('time-axis.js');
const { formatDuration, formatNumber, fromClock, toClock } = await loadPageModule('quantities.js');

test('rows are times, columns are lines, and what has no number is empty', () => {
    const csv = toCsv([ { name: 'a', times: [ 0, 1000 ], values: [ 1, null ] }, { name: 'b', times: [ 1000, 9000 ], values: [ 2.5, 3 ] } ],
        'bit/s', [ 0, 5000 ]);

    assert.equal(csv, 'time_ms,time_utc,a (bit/s),b (bit/s)\r\n0,1970-01-01T00:00:00.000Z,1,\r\n'
        + '1000,1970-01-01T00:00:01.000Z,,2.5\r\n');
});

test('names of clients are quoted, and no formula of theirs is run', () => {
    const [ head ] = toCsv([ { name: '=cmd("x"),1', times: [], values: [] } ], '', [ 0, 1 ]).split('\r\n');

    assert.equal(head, 'time_ms,time_utc,"\'=cmd(""x""),1"');
});

test('names of files are harmless, whatever they are made of', () => {
    assert.equal(fileName([ '../../etc', 'a b/c' ], 'csv'), 'etc_a-b-c.csv');
    assert.equal(fileName([ '…' ], 'png'), 'rtcstats.png');
});

test('a link gives back range and series, whatever their names', () => {
    const [ time, selection ] = [ new TimeAxis(), new Selection() ];
    const key = [ 'PC,0', 'a/b&c=d', '[x/s] %{y}' ].map(encodeURIComponent).join('/');

    time.setRange([ 1000, 2000 ]);
    selection.choose(key, true);
    selection.hide('p/q/r', true);
    const hash = new URL(`http://x/${toHash(time, selection)}`).hash;
    const [ otherTime, other ] = [ new TimeAxis(), new Selection() ];

    applyHash(hash, otherTime, other);
    assert.deepEqual(otherTime.range, [ 1000, 2000 ]);
    assert.deepEqual(other.chosen, [ key ]);
    assert.deepEqual(other.hidden, [ 'p/q/r' ]);
});

test('a hash that is no link, or a broken one, does no harm', () => {
    const [ time, selection ] = [ new TimeAxis(), new Selection() ];

    for (const hash of [ '', '#main', '#from=5&to=1', '#from=x&to=NaN', '#series=%E0%A4%A/b/c,,', '#from=&to=5' ]) {
        applyHash(hash, time, selection);
        assert.equal(time.range, null, hash);
    }
});

test('what is zoomed stays within what there is', () => {
    const time = new TimeAxis();

    time.setExtent(0, 100_000);
    time.move(-1);
    assert.equal(time.range, null);
    time.zoom(true);
    assert.deepEqual(time.range, [ 25_000, 75_000 ]);
    time.move(-1);
    time.move(-1);
    assert.deepEqual(time.range, [ 0, 50_000 ]);
    time.zoom(false);
    assert.equal(time.range, null);
});

test('numbers are short and have their units', () => {
    assert.equal(formatNumber(1_234_567, 'bit/s'), '1.235 Mbit/s');
    assert.equal(formatNumber(0.0123, 's'), '12.3 ms');
    assert.equal(formatNumber(1234567), '1,234,567');
    assert.equal(formatNumber(30, '1/s'), '30/s');
    assert.equal(formatNumber(null), '–');
    assert.equal(formatNumber(0), '0');
    assert.equal(formatDuration(3_725_000), '1 h 2 min');
});

test('clocks are read back as they are written', () => {
    for (const ms of [ Date.UTC(2026, 0, 1), Date.UTC(2026, 6, 1), 1_700_000_000_123 ]) {
        assert.equal(fromClock(toClock(ms, 'local'), 'local'), ms);
        assert.equal(fromClock(toClock(ms, 'utc'), 'utc'), ms);
    }
});
