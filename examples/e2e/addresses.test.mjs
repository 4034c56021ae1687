import assert from 'node:assert/strict';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { addressesOf, findAddresses, findAddressesBelow } from './addresses.mjs';

const FRAMES = [
    '["addIceCandidate","PC_0",{"candidate":"candidate:1 1 udp 5 2001:db8::7 9 typ host"},1]',
    '["addIceCandidate","PC_0",{"candidate":"candidate:1 1 udp 5 203.0.113.1 9 typ relay raddr 192.0.2.1 rport 9"},1]',
    '["setLocalDescription","PC_0",{"sdp":"v=0\\r\\no=- 1 2 IN IP4 127.0.0.1\\r\\nc=IN IP4 198.51.100.7\\r\\n"},1]',
    '["getstats","PC_0",{"AB:CD:EF":{"ip":"198.51.100.8","t":"0.0.0.0","relatedAddress":"198.51.100.9"}},1]',
    '["getstats","PC_0",{"a":{"ip":"127.0.0.1"}},1]'
];

test('addresses_are_found_where_browsers_put_them', () => {
    assert.deepEqual(addressesOf(FRAMES, 'strict').sort(),
        [ '192.0.2.1', '198.51.100.7', '198.51.100.8', '198.51.100.9', '2001:db8::7', '203.0.113.1' ]);
});

test('what_servers_let_pass_is_left_out', () => {
    assert.deepEqual(addressesOf(FRAMES, 'server').sort(),
        [ '127.0.0.1', '192.0.2.1', '198.51.100.7', '198.51.100.8', '2001:db8::7' ]);
});

test('a_literal_address_is_reported_and_a_masked_one_is_not', () => {
    const addresses = addressesOf(FRAMES, 'server');

    assert.deepEqual(findAddresses(addresses, '2001:db8:::x:x 198.51.100.x 198.51.100.77', 'it'), []);
    assert.deepEqual(findAddresses(addresses, 'to 198.51.100.7: gone', 'it'), [ 'it has the address 198.51.100.7' ]);
    assert.match(findAddresses(addresses, FRAMES.join('\n'), 'it').join(), /2001:db8::7/);
});

test('files_are_searched_also_if_they_are_compressed', context => {
    const directory = mkdtempSync(join(tmpdir(), 'rtcstats-e2e-'));

    context.after(() => rmSync(directory, { recursive: true }));
    mkdirSync(join(directory, 'inner'));
    writeFileSync(join(directory, 'plain'), 'nothing');
    writeFileSync(join(directory, 'inner', 'packed.gz'), gzipSync(FRAMES[3]));
    assert.deepEqual(findAddressesBelow([ '198.51.100.8' ], directory), [ 'packed.gz has the address 198.51.100.8' ]);
});
