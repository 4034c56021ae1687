import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loadPageModule } from './page-modules.mjs';

const { ListQuery } = await loadPageModule('list-query.js');

test('an address says what is asked for, and what is asked for makes the same address', () => {
    for (const search of [ '', '?q=a+b%26%3C', '?state=open', '?sort=loss&order=desc', '?sort=user&order=asc', '?page=3&size=250',
        '?q=x&state=finished&user=u&peerId=p&sort=state&order=desc&page=2' ]) {
        assert.equal(ListQuery.of(search).search, search);
    }
});

test('what is nothing to ask for counts as not there', () => {
    for (const search of [ '?state=x&sort=y&order=z&size=3&page=0', '?page=-1', '?page=1.5', '?page=1e99', '?other=1', '?q=' ]) {
        assert.equal(ListQuery.of(search).search, '');
    }
    assert.equal(ListQuery.of(`?q=${'x'.repeat(999)}`).text.length, 256);
});

test('whatever changes what is listed begins at the first page', () => {
    const query = ListQuery.of('?page=7&q=a');

    assert.equal(query.with({ state: 'live' }).page, 1);
    assert.equal(query.with({ page: 8 }).page, 8);
    assert.equal(query.with({ page: 8 }).source, '/api/sessions?q=a&state=&sort=state&order=asc&offset=350&limit=50');
});

test('a column that is chosen again turns the order round', () => {
    const byLoss = new ListQuery().sortedBy('loss');

    assert.deepEqual([ byLoss.sort, byLoss.order ], [ 'loss', 'desc' ]);
    assert.equal(byLoss.sortedBy('loss').order, 'asc');
    assert.equal(byLoss.sortedBy('user').order, 'asc');
});

test('only what leaves sessions out is a filter', () => {
    assert.deepEqual([ '', '?sort=loss&page=3', '?q=+' ].map(search => ListQuery.of(search).isFiltered), [ false, false, false ]);
    assert.deepEqual([ '?q=a', '?state=live', '?clientId=c' ].map(search => ListQuery.of(search).isFiltered), [ true, true, true ]);
});
