import assert from 'node:assert/strict';
import { test } from 'node:test';

import { maskAddress, masked } from './mask.mjs';
import { repaired } from './repairs.mjs';

test('addresses_keep_their_network', () => {
    assert.equal(maskAddress('192.0.2.17'), '192.0.2.x');
    assert.equal(maskAddress('2001:db8:17:4:3:2:1:9'), '2001:db8:17:x:x:x:x:x');
    assert.equal(maskAddress('[2001:db8:17:4::9]'), '2001:db8:17:x:x:x:x:x');
    assert.equal(maskAddress('name.local'), 'name.local');
});

test('relays_keep_their_address_and_lose_the_related_one', () => {
    const [ , , { candidate } ] = masked([ 'onicecandidate', 'PC_0', { candidate:
        'candidate:4 1 udp 9 203.0.113.20 5 typ relay raddr 198.51.100.21 rport 6 generation 0 ufrag u' }, 1 ]);

    assert.equal(candidate, 'candidate:4 1 UDP 9 203.0.113.20 5 typ relay raddr 198.51.100.x rport 6 ufrag u');
});

test('descriptions_and_reports_are_masked_and_media_requests_are_not', () => {
    const sdp = 'v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\nc=IN IP4 192.0.2.1\r\na=rtcp:5 IN IP4 192.0.2.1\r\n';

    assert.equal(masked([ 'setLocalDescription', 'PC_0', { sdp }, 1 ])[2].sdp,
        'v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n');
    assert.deepEqual(masked([ 'getstats', 'PC_0', { a: { ip: '192.0.2.1' }, b: { ip: '192.0.2.1',
        candidateType: 'relayed' }, c: { googLocalAddress: '[2001:db8:1:2::3]:5' }, timestamp: 7 }, 1 ])[2],
    { a: { ip: '192.0.2.x' }, b: { ip: '192.0.2.1', candidateType: 'relayed' },
        c: { googLocalAddress: '2001:db8:1:x:x:x:x:x:5' }, timestamp: 7 });
    assert.deepEqual(masked([ 'getUserMedia', null, { ip: '192.0.2.1' }, 1 ])[2], { ip: '192.0.2.1' });
});

test('old_shapes_are_repaired', () => {
    assert.deepEqual(repaired([ 'createOfferOnError', 'PC_0', 'x', 1 ]), [ 'createOfferOnFailure', 'PC_0', 'x', 1 ]);
    assert.deepEqual(repaired([ 'constraints', 'PC_0', { m: 1, constraintsOptional: { a: 2, b: 3 } }, 1 ]),
        [ 'constraints', 'PC_0', { m: 1, optional: [ { a: 2 }, { b: 3 } ] }, 1 ]);
    assert.deepEqual(repaired([ 'getstats', 'PC_0', { values: { a: {} }, timestamp: 5 }, 1 ]),
        [ 'getstats', 'PC_0', { a: {}, timestamp: 5 }, 1 ]);
});
