/** A recorded 5.0 connection, sent again by a real browser, then the checks of what is stored. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { compareFeatures, compareWithReference } from './features.mjs';
import { readRecording } from './recording.mjs';
import { compareReplayedDump } from './replayed-dump.mjs';

/** The page to open. */
export const PAGE = { name: 'replay', path: '/' };

/** An audio and video call of two connections. */
const RECORDING = 'rtcstatsjs-chromium-01-av-p2p';

const CLOSED = 1005;
const FINISH_MS = 15_000;

/** The recording to send, or `null`. */
export function load({ shared }) {
    return readRecording(shared, RECORDING);
}

/** Waits for the one session that is not in `known`. */
async function newSession(api, known) {
    const deadline = Date.now() + FINISH_MS;

    while (Date.now() < deadline) {
        const added = (await api.sessions()).map(({ id }) => id).filter(id => !known.includes(id));

        if (added.length === 1) {
            return added[0];
        }
        await new Promise(resolve => { setTimeout(resolve, 50); });
    }
    throw new Error('the replayed connection is not in the list of sessions, or more than once');
}

/** The reference's features, but for how long this connection, not the recorded one, was open behind the last event. */
function referenceFeatures({ features, dump }, closeDelta) {
    return { ...features, duration: features.duration - dump.closeDelta + closeDelta };
}

/** Holds the session and checks it; fills `session.figures` and `session.problems`. */
export async function run({ options, scenario, page, endpoint, api, directory, material: recording, problems, figures }) {
    const began = Date.now();
    const log = await page.call('log');
    const answer = await page.call('replay',
        { url: endpoint + recording.url, subprotocol: recording.subprotocol, frames: recording.frames });

    if (answer.subprotocol !== recording.subprotocol || answer.received || answer.closeCode !== CLOSED) {
        problems.push(`the server answered ${JSON.stringify(answer)}`);
    }
    const id = await newSession(api, []);
    const record = await api.finished(id, FINISH_MS);
    const dump = await api.dump(id);
    const file = join(directory, id);

    writeFileSync(file, dump);
    const expected = scenario.masks ? recording.dump.events : recording.frames.map(frame => JSON.parse(frame));
    const compared = compareReplayedDump(dump, recording, expected, log, began);

    problems.push(...compared.problems, ...await compareFeatures(record, options.rtcstats, file),
        ...compareWithReference(record, referenceFeatures(recording, compared.closeDelta)));
    Object.assign(figures, { emitted: recording.frames.length, ...compared.figures });
}
