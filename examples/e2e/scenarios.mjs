/** The three stories: what happens to the server or the network while the call goes on. */

const sleep = milliseconds => new Promise(resolve => { setTimeout(resolve, milliseconds); });

/** The client's own delays are 1 s, 2 s and 4 s here; the rest is slack for a busy machine. */
const RECONNECT_MS = 25_000;

/** Entries emitted at once, twice around each disturbance. */
const BURST = 60;

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

/** `run` takes `{page, server, proxy, seconds}`; `usesProxy` and `reconnects` tell what to set up and expect. */
export const SCENARIOS = {
    plain: {
        reconnects: 0,
        run: ({ page, seconds }) => disturb(page, seconds, [])
    },
    restarts: {
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
    cuts: {
        reconnects: 3,
        usesProxy: true,
        run: ({ page, proxy, seconds }) => disturb(page, seconds,
            [ () => proxy.reset(), () => proxy.loseEntries(), () => proxy.deliverLate() ])
    }
};
