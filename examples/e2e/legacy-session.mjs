/** The session of a legacy client: a call that the server may be killed in, then the checks of what is stored. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { addressesOf, findAddresses, findAddressesBelow } from './addresses.mjs';
import { compareFeatures, compareWithKnown } from './features.mjs';
import { legacyExpectations } from './legacy-expectations.mjs';
import { compareLegacyDump } from './legacy-dump.mjs';
import { Snapshots } from './snapshots.mjs';

/** The page to open: the client appends its path to the server's address. */
export const PAGE = { name: 'legacy', path: '/meet/e2e-room' };

/** What a browser reports: closed without a code, and lost. */
const CLOSED = 1005;
const LOST = 1006;

/** Times that the live snapshot has to have moved on. */
const MOVES = 3;

/** A server has this long to show a session that began, and to finish one that the client left. */
const BEGIN_MS = 10_000;
const FINISH_MS = 15_000;

/** An event that was sent so long before the kill has to be stored: nobody acknowledges, but a server must be swift. */
const SWIFT_MS = 3000;

/** How far a session has come. */
const progress = ({ events }) => [ events ];

/** Lines of a live dump that are events of the client: neither the two at its head nor a line that is not finished. */
const eventsIn = dump => Math.max(0, dump.split('\n').length - 3);

/** Holds the call; returns what the page and the snapshots saw, and what was stored before the server was killed. */
async function holdCall({ scenario, seconds, server, page, endpoint, api, problems }) {
    const snapshots = new Snapshots(progress);
    const killed = { at: null, stored: 0 };

    await page.call('start', endpoint);
    const id = await api.live(BEGIN_MS);

    snapshots.start(api, id);
    try {
        await scenario.run({ page, server, seconds,
            beforeKill: async () => {
                killed.stored = eventsIn(await api.dump(id));
                killed.at = Date.now();
            } });
    } finally {
        await snapshots.stop();
    }
    if (scenario.masks) {
        const { frames } = await page.call('log');

        problems.push(...findAddressesBelow(addressesOf(frames, scenario.masks), server.dataDir).map(text => `during the call, ${text}`));
    }
    const closeCode = await page.call('hangUp');

    return { id, closeCode, killed, status: await page.call('status'), log: await page.call('log'),
        snapshots: snapshots.figures };
}

/** Checks the story itself: did what the scenario is about really happen? */
function checkCall({ scenario, problems }, { closeCode, killed, status, log, snapshots }) {
    const expected = scenario.isCut ? LOST : CLOSED;

    problems.push(...log.problems);
    if (closeCode !== expected) {
        problems.push(`the connection ended with close code ${closeCode}, expected ${expected}`);
    }
    if (status.sockets !== 1) {
        problems.push(`the client made ${status.sockets} connections, but it does not come back by itself`);
    }
    if (status.subprotocol !== '2.0') {
        problems.push(`the server chose the subprotocol "${status.subprotocol}"`);
    }
    if (status.received) {
        problems.push(`the server sent ${status.received} messages, which this protocol does not have`);
    }
    if (snapshots.moved < MOVES) {
        problems.push(`the live snapshot moved ${snapshots.moved} times in ${snapshots.read} readings`);
    }
    if (scenario.isCut && !(killed.stored > 0 && status.discarded > 0)) {
        problems.push(`${killed.stored} events stored before the kill and ${status.discarded} made after it, so that `
            + 'nothing was put to the test');
    }
}

/** How many of the first frames have to be stored. */
function keptOf({ frames }, killed) {
    const swift = frames.filter(frame => JSON.parse(frame).at(-1) < killed.at - SWIFT_MS).length;

    return Math.max(killed.stored, swift);
}

/** Checks what is stored, once the session is finished. */
async function checkStored({ options, scenario, server, api, directory, began, problems }, { id, log, killed }) {
    const record = await api.finished(id, FINISH_MS);
    const dump = await api.dump(id);
    const file = join(directory, id);

    writeFileSync(file, dump);
    const { figures, problems: differences } = compareLegacyDump(dump, log,
        { began, masks: scenario.masks, kept: scenario.isCut ? keptOf(log, killed) : null });

    problems.push(...differences, ...await compareFeatures(record, options.rtcstats, file),
        ...compareWithKnown(record, legacyExpectations({ ...log, frames: log.frames.slice(0, figures.stored) })));
    if ((await api.sessions()).length !== 1) {
        problems.push('the list of sessions shows others than this one');
    }
    if (scenario.masks) {
        problems.push(...findLeaks(addressesOf(log.frames, scenario.masks), record, dump, server));
    }

    return figures;
}

/** Where an address shows that the page sent. */
function findLeaks(addresses, record, dump, server) {
    const problems = addresses.length > 5 ? [] : [ `only ${addresses.join(', ')} to look for` ];

    return [
        ...problems,
        ...findAddresses(addresses, dump, 'the dump'),
        ...findAddresses(addresses, JSON.stringify(record), 'the record'),
        ...findAddresses(addresses, server.log, 'the log of the server'),
        ...findAddressesBelow(addresses, server.dataDir)
    ];
}

/** Holds the session and checks it; fills `session.figures` and `session.problems`. */
export async function run(session) {
    await session.api.health();
    const call = await holdCall(session);
    const { status, snapshots, killed } = call;

    checkCall(session, call);
    Object.assign(session.figures, { emitted: status.emitted, discarded: status.discarded,
        storedBeforeKill: killed.at ? killed.stored : undefined, closeCodes: status.closeCodes,
        snapshots: { ...snapshots, states: [ ...snapshots.states ] } });
    Object.assign(session.figures, await checkStored(session, call));
}
