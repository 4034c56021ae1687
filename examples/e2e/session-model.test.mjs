import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loadPageModule } from './page-modules.mjs';

const { SessionModel, points, seriesKey } = await loadPageModule('session-model.js');

const view = () => ({
    session: { id: 'x', state: 'live' }, startMs: 0, endMs: 1000, features: {},
    connections: [ { id: 'PC_0', label: null, times: [ 0, 1000 ], objects: [ { id: 'OT1', type: 'outbound-rtp', kind: 'video',
        label: 'video', series: [ { name: 'bytesSent', unit: 'B', first: 0, values: [ 1, 2 ] } ] } ] } ],
    events: [ { ms: 0, connection: null, category: 'api', name: 'create', text: '', detail: '{}' } ],
    eventsOmitted: 0, isIncomplete: false
});

const update = (from, times, first, values) => ({ connections: [ { id: 'PC_0', from, times, objects: [ { id: 'OT1',
    type: 'outbound-rtp', kind: 'video', label: 'video', series: [ { name: 'bytesSent', unit: 'B', first, values } ] } ] } ] });

const bytes = model => model.series(seriesKey('PC_0', 'OT1', 'bytesSent')).series;

test('new values go behind the known ones, and what was left out between them has no value', () => {
    const model = new SessionModel(view());

    assert.equal(model.apply(update(2, [ 2000, 3000 ], 3, [ 4 ])), true);
    assert.deepEqual(model.connections[0].times, [ 0, 1000, 2000, 3000 ]);
    assert.deepEqual(bytes(model).values, [ 1, 2, null, 4 ]);
    assert.deepEqual(points(model.connections[0], bytes(model)), { times: [ 0, 1000, 2000, 3000 ], values: [ 1, 2, null, 4 ] });
});

test('an update that does not follow the last one asks for a whole view', () => {
    const model = new SessionModel(view());

    assert.equal(model.apply(update(3, [ 3000 ], 3, [ 4 ])), false);
    assert.deepEqual(bytes(model).values, [ 1, 2 ]);
});

test('what is sent again takes the place of what was there', () => {
    const model = new SessionModel(view());

    model.apply(update(1, [ 1500, 2000 ], 1, [ 7, 8 ]));
    assert.deepEqual(model.connections[0].times, [ 0, 1500, 2000 ]);
    assert.deepEqual(bytes(model).values, [ 1, 7, 8 ]);
});

test('new connections, objects and series are known from then on', () => {
    const model = new SessionModel(view());
    const series = { name: 'jitter', unit: 's', first: 2, values: [ 0.1 ] };

    model.apply({ connections: [
        { id: 'PC_0', from: 2, times: [ 2000 ], objects: [ { id: 'IT1', type: 'inbound-rtp', kind: 'audio', label: 'audio',
            series: [ series ] } ] },
        { id: 'PC_1', from: 0, label: null, times: [ 2000 ], objects: [ { id: 'T', type: 'transport', kind: null, label: 'transport',
            series: [ { name: 'bytesSent', unit: 'B', first: 0, values: [ 5 ] } ] } ] } ] });
    assert.deepEqual(model.series(seriesKey('PC_0', 'IT1', 'jitter')).series.values, [ 0.1 ]);
    model.apply({ connections: [ { id: 'PC_1', from: 1, times: [ 3000 ], objects: [ { id: 'T', series: [ { name: 'bytesSent',
        unit: 'B', first: 1, values: [ 6 ] } ] } ] } ] });
    const { connection, series: sent } = model.series(seriesKey('PC_1', 'T', 'bytesSent'));

    assert.deepEqual(points(connection, sent), { times: [ 2000, 3000 ], values: [ 5, 6 ] });
});

test('a view in place of another keeps the events that were there, so that an open one stays open', () => {
    const model = new SessionModel(view());
    const [ event ] = model.events;

    model.replace(view());
    assert.equal(model.events[0], event);
});

test('keys tell parts with slashes and commas apart', () => {
    assert.notEqual(seriesKey('a/b', 'c', 'd'), seriesKey('a', 'b/c', 'd'));
    assert.ok(!seriesKey('a,b', 'c,', 'd').includes(','));
});
