/** The session of a Jitsi client: a call with its disturbances, then the checks of what is stored. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { compareDump } from './compare.mjs';
import { compareFeatures, compareWithKnown } from './features.mjs';
import { jitsiExpectations } from './jitsi-expectations.mjs';
import { Snapshots } from './snapshots.mjs';

/** The client's final close code. */
const CONFERENCE_LEFT = 3001;

/** Entries that the client remembers; beyond that it may lose some by itself. */
const CLIENT_BUFFER = 1000;

/** Times that the live snapshot has to have moved on. */
const MOVES = 3;

/** A server has this long to finish a session that the client left. */
const FINISH_MS = 15_000;

/** The page to open. */
export const PAGE = { name: 'jitsi', path: '/' };

/** How far a session has come: both have to grow. */
const progress = ({ features }) => [ features?.sessionEndTime, features?.metrics?.statsRequestCount ];

/** Holds the call with its disturbances; returns what the page and the snapshots saw. */
async function holdCall({ scenario, seconds, server, proxy, page, endpoint, api, problems }) {
    const snapshots = new Snapshots(progress);
    const id = await page.call('start', endpoint);

    snapshots.start(api, id);
    try {
        await scenario.run({ page, server, proxy, seconds });
        if (!(await api.sessions()).some(session => session.id === id && session.state === 'live')) {
            problems.push('the list of sessions does not show the session as live during the call');
        }
    } finally {
        await snapshots.stop();
    }
    const closeCode = await page.call('hangUp');

    return { id, closeCode, status: await page.call('status'), log: await page.call('log'),
        snapshots: snapshots.figures };
}

/** Checks the story itself: did what the scenario is about really happen? */
function checkCall({ scenario, proxy, problems }, { closeCode, status, log, snapshots }) {
    const { reconnects } = scenario;

    problems.push(...log.problems.slice(0, 3));
    if (closeCode !== CONFERENCE_LEFT) {
        problems.push(`leaving the conference ended with close code ${closeCode}, so the client comes back`);
    }
    if (status.initials.length !== reconnects + 1) {
        problems.push(`let in ${status.initials.length} times, expected ${reconnects + 1}`);
    }
    if (status.initials[0] !== 0) {
        problems.push(`the first initial number is ${status.initials[0]}, not 0`);
    }
    if (reconnects && !status.emittedOffline) {
        problems.push('nothing was emitted while disconnected, so nothing was put to the test');
    }
    if (proxy && !proxy.late) {
        problems.push('nothing was delivered late, so the fence was not put to the test');
    }
    if (!status.acks.length) {
        problems.push('the server acknowledged nothing during the call: the client\'s buffer fills up');
    }
    if (status.mostUnacknowledged >= CLIENT_BUFFER) {
        problems.push(`${status.mostUnacknowledged} entries unacknowledged: the client's buffer overflowed`);
    }
    if (snapshots.moved < MOVES) {
        problems.push(`the live snapshot moved ${snapshots.moved} times in ${snapshots.read} readings`);
    }
}

/** Checks what is stored, once the session is finished. */
async function checkStored({ options, api, directory, problems }, { id, log }) {
    const record = await api.finished(id, FINISH_MS);
    const dump = await api.dump(id);
    const file = join(directory, id);

    writeFileSync(file, dump);
    const { figures, problems: differences } = compareDump(dump, log, id);

    problems.push(...differences, ...await compareFeatures(record, options.rtcstats, file),
        ...compareWithKnown(record, jitsiExpectations(log)));
    const copies = (await api.sessions()).filter(session => session.id.startsWith(id)).length;

    if (copies !== 1) {
        problems.push(`the list of sessions shows the session ${copies} times`);
    }

    return figures;
}

/** The figures of the summary line. */
function summary({ status, snapshots }, { proxy }) {
    return {
        emitted: status.emitted,
        emittedOffline: status.emittedOffline,
        resent: status.resent,
        mostUnacknowledged: status.mostUnacknowledged,
        acknowledgements: status.acks.length,
        reconnects: status.initials.length - 1,
        reconnectAttempts: status.reconnectUrls,
        initials: status.initials,
        closeCodes: status.closeCodes,
        deliveredLate: proxy?.late,
        snapshots: { ...snapshots, states: [ ...snapshots.states ] }
    };
}

/** Holds the session and checks it; fills `session.figures` and `session.problems`. */
export async function run(session) {
    await session.api.health();
    const call = await holdCall(session);

    checkCall(session, call);
    Object.assign(session.figures, summary(call, session));
    Object.assign(session.figures, await checkStored(session, call));
}
