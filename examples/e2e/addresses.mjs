/** Looks for the literal addresses that a page sent in what a server keeps and says. */
import { readFileSync, readdirSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** The originator line of a description: browsers write a constant there, and the rules of servers do not cover it. */
const ORIGINATOR = /o=\S+ \d+ \d+ IN IP[46] [0-9a-fA-F:.]+/g;

/** The address of a relay. */
const RELAY = /candidate:\S+ \d+ \S+ \d+ (\S+) \d+ typ relay/g;

/** The address that a report has beside its own. */
const RELATED = /"relatedAddress":"([^"]*)"/g;

/** Addresses that name nobody, and those that name everybody's own machine. */
const UNSPECIFIED = [ '0.0.0.0', '::' ];
const LOOPBACK = [ '127.0.0.1', '::1' ];

/**
 * What a server lets pass, by the name of its rules. `server`: as servers of the legacy generation do, relays, so that
 * sessions can be grouped by them, and what they forget. `strict`: the loopback addresses.
 */
const KEPT = {
    server: text => [ RELAY, RELATED ].flatMap(pattern => [ ...text.matchAll(pattern) ]).map(([ , address ]) => address),
    strict: () => LOOPBACK
};

/** Escapes in JSON text that would run into the word behind them. */
const ESCAPE = /\\+[nrtbfu/"]/g;

/** The literal addresses in `text`, each once. */
function literalsIn(text) {
    const words = text.replace(ORIGINATOR, '').replace(ESCAPE, ' ').split(/[^0-9A-Za-z.:]+/);

    // What is masked, such as `2001:db8:1:x:x:x:x:x`, is no address any more.
    return [ ...new Set(words.map(word => word.replace(/[.:]$/, '')).filter(word => isIP(word))) ];
}

/** The literal addresses in `frames` that `rules` have to mask. */
export function addressesOf(frames, rules) {
    const text = frames.join('\n');
    const kept = [ ...UNSPECIFIED, ...KEPT[rules](text) ];

    return literalsIn(text).filter(address => !kept.includes(address));
}

/** Which of `addresses` are in `text`, as problems that call the text `place`. */
export function findAddresses(addresses, text, place) {
    const found = literalsIn(text);

    return addresses.filter(address => found.includes(address)).map(address => `${place} has the address ${address}`);
}

/** The same for all files below `directory`. */
export function findAddressesBelow(addresses, directory) {
    const files = readdirSync(directory, { withFileTypes: true, recursive: true }).filter(entry => entry.isFile());

    return files.flatMap(entry => {
        const bytes = readFileSync(join(entry.parentPath ?? entry.path, entry.name));
        const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;

        return findAddresses(addresses, (isGzip ? gunzipSync(bytes) : bytes).toString('latin1'), entry.name);
    });
}
