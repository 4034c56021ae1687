/** The stories: what happens to the server or the network while the call goes on. */

const sleep = milliseconds => new Promise(resolve => { setTimeout(resolve, milliseconds); });

/** The client's own delays are 1 s, 2 s and 4 s here; the rest is slack for a busy machine. */
const RECONNECT_MS = 25_000;

/** Entries emitted at once, twice around each disturbance. */
const BURST = 60;

/** Entries emitted at once when a server is killed that nobody will send them to again. */
const FLOOD = 1000;

/** How long a killed server is down. */
const RESTART_MS = 700;

/** All that the server's own crates have to say, so that a leak into the log shows. */
const LOUD = 'info,axum=trace,rtcstats_server_core=trace,rtcstats_features=trace,rtcstats_proto=trace';

/** Quiet time after the last disturbance. */
const AFTERMATH_MS = 5000;

/** Waits until the client has been let in `times` times and is connected; throws after a while. */
async function letIn(page, times) {
    const deadline = Date.now() + RECONNECT_MS;

    for (;;) {
        const { initials, ready, closeCodes } = await page.call('status');

        if (ready && initials.length >= times) {
            return;
        }
        if (Date.now() > deadline) {
            throw new Error(`let in ${initials.length} of ${times} times, close codes ${closeCodes.join(', ')}`);
        }
        await sleep(50);
    }
}

/**
 * Spreads `disturbances` over the call: an even pause, a burst of entries, the disturbance, the reconnect.
 * Lasts `seconds`, and longer where that is needed for the last reconnect and some time after it.
 */
async function disturb(page, seconds, disturbances) {
    const end = Date.now() + (seconds * 1000);

    await letIn(page, 1);
    for (const [ index, disturbance ] of disturbances.entries()) {
        await sleep(seconds * 1000 / (disturbances.length + 1) / 2);
        // One burst is on its way when the disturbance hits, the other comes right with it.
        const before = page.call('burst', BURST);

        await sleep(10);
        await Promise.all([ before, page.call('burst', BURST), disturbance() ]);
        await letIn(page, index + 2);
    }
    await sleep(Math.max(end - Date.now(), disturbances.length ? AFTERMATH_MS : 0));
}

/** Kills the server in the midst of work and starts it again; the client, which does not come back, calls on. */
async function killOnce({ page, server, seconds, beforeKill }) {
    await sleep(seconds * 1000 / 2);
    await page.call('burst', BURST);
    await beforeKill();
    // More than a server takes in at once, so that the kill cuts something off.
    const work = page.call('burst', FLOOD);

    await sleep(60);
    await Promise.all([ work, server.crash() ]);
    await sleep(RESTART_MS);
    await server.start();
    await sleep(Math.max(seconds * 1000 / 2, AFTERMATH_MS));
}

/**
 * `kind` is the kind of session, `seconds` the length of its call. `run` takes `{page, server, proxy, seconds}` and
 * more that its kind has to give; `serverArguments`, `usesProxy`, `reconnects`, `isCut` and `masks` tell what to set up
 * and expect.
 */
export const SCENARIOS = {
    'plain': {
        kind: 'jitsi',
        seconds: 22,
        reconnects: 0,
        run: ({ page, seconds }) => disturb(page, seconds, [])
    },
    'restarts': {
        kind: 'jitsi',
        seconds: 22,
        reconnects: 2,
        run: ({ page, server, seconds }) => {
            const restart = downMs => async () => {
                await server.crash();
                await sleep(downMs);
                await server.start();
            };

            // The second time the client finds nobody at its first attempt.
            return disturb(page, seconds, [ restart(700), restart(2000) ]);
        }
    },
    'cuts': {
        kind: 'jitsi',
        seconds: 22,
        reconnects: 3,
        usesProxy: true,
        run: ({ page, proxy, seconds }) => disturb(page, seconds,
            [ () => proxy.reset(), () => proxy.loseEntries(), () => proxy.deliverLate() ])
    },
    'legacy-plain': {
        kind: 'legacy',
        seconds: 10,
        run: ({ seconds }) => sleep(seconds * 1000)
    },
    'legacy-killed': {
        kind: 'legacy',
        seconds: 10,
        isCut: true,
        run: killOnce
    },
    'legacy-masked': {
        kind: 'legacy',
        seconds: 10,
        masks: 'server',
        serverArguments: [ '--obfuscate', 'before-journal', '--log', LOUD ],
        run: ({ seconds }) => sleep(seconds * 1000)
    },
    'legacy-strict': {
        kind: 'legacy',
        seconds: 10,
        masks: 'strict',
        serverArguments: [ '--obfuscate', 'before-journal', '--obfuscate-strictly', '--log', LOUD ],
        run: ({ seconds }) => sleep(seconds * 1000)
    },
    'rtcstats-replay': {
        kind: 'replay'
    }
};
