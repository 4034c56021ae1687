/** Recorded connections: what a client sent, what the reference server stored, and its features. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** Where recordings are in the directory of shared data. */
const FOLDER = 'corpus/wire';

/** The text of a gzip file. */
const readText = path => gunzipSync(readFileSync(path)).toString('utf8');

/** Lines of JSON. */
const parseLines = lines => lines.map(line => JSON.parse(line));

/**
 * Reads the recording `name` below `shared`; `null` if there is no such directory, as on most machines.
 *
 * Returns `{url, subprotocol, userAgent, frames, dump: {events, closeDelta}, features}`; the dump is the reference
 * server's, with masked addresses.
 */
export function readRecording(shared, name) {
    const folder = join(shared, FOLDER);

    if (!existsSync(folder)) {
        return null;
    }
    const [ header, ...messages ] = parseLines(readText(join(folder, `${name}.wire.jsonl.gz`)).trim().split('\n'));
    const [ , , ...lines ] = readText(join(folder, `${name}.dump.gz`)).trim().split('\n');
    const close = JSON.parse(lines.pop());

    return {
        url: header.url,
        subprotocol: header.subprotocol,
        userAgent: header.headers['user-agent'],
        frames: messages.filter(({ dir }) => dir === 'c2s').map(({ data }) => data),
        dump: { events: parseLines(lines), closeDelta: close.at(-1) },
        features: JSON.parse(readFileSync(join(folder, `${name}.features.json`), 'utf8'))
    };
}
