/** One scenario from the empty data directory to the verdict. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Api } from './api.mjs';
import { openPage } from './browser.mjs';
import { hostPage } from './host.mjs';
import * as jitsi from './jitsi-session.mjs';
import * as legacy from './legacy-session.mjs';
import { Proxy } from './proxy.mjs';
import * as replay from './replay-session.mjs';
import { SCENARIOS } from './scenarios.mjs';
import { Server, freePort } from './server.mjs';

/**
 * The kinds of session. Each has a `PAGE` to open and a `run` for what happens; one that needs material has `load`,
 * which returns `null` if there is none.
 */
const KINDS = { jitsi, legacy, replay };

/** A temporary directory that is removed in the end. */
function temporaryDirectory(cleanups) {
    const path = mkdtempSync(join(tmpdir(), 'rtcstats-e2e-'));

    // A browser that is just being killed may still write.
    cleanups.push(() => rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));

    return path;
}

/** Starts server, proxy if needed, and browser. */
async function setUp({ options, scenario, kind, material, problems, directory }, cleanups) {
    const server = new Server(options.server, join(directory, 'data'), await freePort(), scenario.serverArguments ?? [],
        end => problems.push(end));

    cleanups.push(() => server.abandon());
    await server.start();
    const proxy = scenario.usesProxy ? new Proxy(server.port) : null;
    const port = proxy ? await proxy.listen() : server.port;

    cleanups.push(() => proxy?.close());
    const host = await hostPage(kind.PAGE.name);

    cleanups.push(() => host.close());
    const page = await openPage(new URL(kind.PAGE.path, host.url).href, join(directory, 'profile'),
        { userAgent: material?.userAgent }, problem => problems.push(problem));

    cleanups.push(() => page.close());

    return { server, proxy, page, endpoint: `ws://127.0.0.1:${port}`, api: new Api(server.port) };
}

/**
 * Runs one scenario; `cleanups` takes what has to be undone at the end, youngest last, however that comes
 * about.
 * Returns `{figures, problems, serverOutput}`; it passed if there are no problems. `skipped` tells why there was
 * nothing to run.
 */
export async function runSession(options, cleanups) {
    const began = Date.now();
    const scenario = SCENARIOS[options.scenario];
    const seconds = options.seconds ?? scenario.seconds;
    const kind = KINDS[scenario.kind];
    const material = kind.load?.(options);

    if (material === null) {
        return { skipped: 'no recordings, see --shared' };
    }
    const session = { options, scenario, seconds, kind, material, began, problems: [], figures: {},
        directory: temporaryDirectory(cleanups) };

    try {
        Object.assign(session, await setUp(session, cleanups));
        await kind.run(session);
        session.figures.serverStarts = session.server.starts;
        session.figures.seconds = Math.round((Date.now() - began) / 1000);
        if (!await session.server.stop()) {
            session.problems.push('the server did not end on SIGTERM');
        }
    } catch (error) {
        session.problems.push(error.stack ?? String(error));
    }

    return { figures: session.figures, problems: session.problems, serverOutput: session.server?.output ?? '' };
}
