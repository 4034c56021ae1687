import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loadPageModule } from './page-modules.mjs';

const { joined, thin } = await loadPageModule('thinning.js');

const times = Array.from({ length: 100_000 }, (_, index) => index * 10);

test('a spike, a dip and a gap stay when points are left out', () => {
    const values = times.map((_, index) => Math.sin(index));

    values[34_567] = 99;
    values[45_678] = -99;
    values[56_789] = null;
    const line = thin({ times, values }, [ 0, times.at(-1) ]);

    assert.ok(line.times.length < 2000, `${line.times.length} points are left`);
    assert.equal(line.values[line.times.indexOf(345_670)], 99);
    assert.equal(line.values[line.times.indexOf(456_780)], -99);
    assert.equal(line.values[line.times.indexOf(567_890)], null);
    assert.deepEqual(line.times, [ ...line.times ].sort((a, b) => a - b));
});

test('within a narrow range all points stay, and the line goes on to both sides', () => {
    const line = thin({ times, values: times }, [ 5000, 6000 ]);

    assert.deepEqual(line.times.filter(ms => ms >= 5000 && ms <= 6000), times.slice(500, 601));
    assert.ok(line.times[0] < 5000 && line.times.at(-1) > 6000 && line.times.length < 300);
});

test('nothing is left of nothing', () => {
    assert.deepEqual(thin({ times: [], values: [] }, [ 0, 1 ]), { times: [], values: [] });
});

test('times of other numbers make no gaps, and what was not reported for long does', () => {
    const line = joined({ times: [ 0, 300, 1000, 1300, 2000, 2300, 3300, 4300, 5000, 6000 ],
        values: [ 1, null, 2, null, 3, null, null, null, 4, 5 ] });

    assert.deepEqual(line, { times: [ 0, 1000, 2000, 2300, 5000, 6000 ], values: [ 1, 2, 3, null, 4, 5 ] });
    assert.deepEqual(joined({ times: [ 0 ], values: [ null ] }), { times: [], values: [] });
});
