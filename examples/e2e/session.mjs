/** One scenario from the empty data directory to the verdict. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Api } from './api.mjs';
import { openPage } from './browser.mjs';
import { compareDump } from './compare.mjs';
import { compareFeatures } from './features.mjs';
import { hostPage } from './host.mjs';
import { Proxy } from './proxy.mjs';
import { SCENARIOS } from './scenarios.mjs';
import { Server, freePort } from './server.mjs';
import { Snapshots } from './snapshots.mjs';

/** The client's final close code. */
const CONFERENCE_LEFT = 3001;

/** Entries that the client remembers; beyond that it may lose some by itself. */
const CLIENT_BUFFER = 1000;

/** Times that the live snapshot has to have moved on. */
const MOVES = 3;

/** A server has this long to finish a session that the client left. */
const FINISH_MS = 15_000;

/** A temporary directory that is removed in the end. */
function temporaryDirectory(cleanups) {
    const path = mkdtempSync(join(tmpdir(), 'rtcstats-e2e-'));

    // A browser that is just being killed may still write.
    cleanups.push(() => rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));

    return path;
}

/** Starts server, proxy if needed, and browser. */
async function setUp(options, directory, cleanups, problems) {
    const server = new Server(options.server, join(directory, 'data'), await freePort(),
        end => problems.push(end));

    cleanups.push(() => server.abandon());
    await server.start();
    const proxy = SCENARIOS[options.scenario].usesProxy ? new Proxy(server.port) : null;
    const port = proxy ? await proxy.listen() : server.port;

    cleanups.push(() => proxy?.close());
    const host = await hostPage();

    cleanups.push(() => host.close());
    const page = await openPage(host.url, join(directory, 'profile'), problem => problems.push(problem));

    cleanups.push(() => page.close());

    return { server, proxy, page, endpoint: `ws://127.0.0.1:${port}`, api: new Api(server.port) };
}

/** Holds the call with its disturbances; returns what the page and the snapshots saw. */
async function holdCall(options, { server, proxy, page, endpoint, api }, problems) {
    const snapshots = new Snapshots();

    await api.health();
    const id = await page.call('start', endpoint);

    snapshots.start(api, id);
    try {
        await SCENARIOS[options.scenario].run({ page, server, proxy, seconds: options.seconds });
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
function checkCall(options, { proxy }, { closeCode, status, log, snapshots }, problems) {
    const { reconnects } = SCENARIOS[options.scenario];

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
async function checkStored(options, { api }, { id, log }, directory, problems) {
    const record = await api.finished(id, FINISH_MS);
    const dump = await api.dump(id);
    const file = join(directory, id);

    writeFileSync(file, dump);
    const { figures, problems: differences } = compareDump(dump, log, id);

    problems.push(...differences, ...await compareFeatures(record, options.rtcstats, file, log));
    const copies = (await api.sessions()).filter(session => session.id.startsWith(id)).length;

    if (copies !== 1) {
        problems.push(`the list of sessions shows the session ${copies} times`);
    }

    return figures;
}

/** The figures of the summary line. */
function summary({ status, snapshots }, stored, { server, proxy }, seconds) {
    return {
        emitted: status.emitted,
        ...stored,
        emittedOffline: status.emittedOffline,
        resent: status.resent,
        mostUnacknowledged: status.mostUnacknowledged,
        acknowledgements: status.acks.length,
        reconnects: status.initials.length - 1,
        reconnectAttempts: status.reconnectUrls,
        initials: status.initials,
        closeCodes: status.closeCodes,
        serverStarts: server.starts,
        deliveredLate: proxy?.late,
        snapshots: { ...snapshots, states: [ ...snapshots.states ] },
        seconds
    };
}

/**
 * Runs one scenario; `cleanups` takes what has to be undone at the end, youngest last, however that comes
 * about.
 * Returns `{figures, problems, serverOutput}`; it passed if there are no problems.
 */
export async function runSession(options, cleanups) {
    const began = Date.now();
    const problems = [];
    const directory = temporaryDirectory(cleanups);
    let parts = null;
    let figures = {};

    try {
        parts = await setUp(options, directory, cleanups, problems);
        const call = await holdCall(options, parts, problems);

        checkCall(options, parts, call, problems);
        figures = summary(call, {}, parts, 0);
        const stored = await checkStored(options, parts, call, directory, problems);

        figures = summary(call, stored, parts, Math.round((Date.now() - began) / 1000));
        if (!await parts.server.stop()) {
            problems.push('the server did not end on SIGTERM');
        }
    } catch (error) {
        problems.push(error.stack ?? String(error));
    }

    return { figures, problems, serverOutput: parts?.server.output ?? '' };
}
