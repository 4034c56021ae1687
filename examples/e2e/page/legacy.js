/**
 * The page of the legacy client: the stock client over a loopback call. The driver calls the functions of
 * `window.e2e`.
 */
import rtcstatsInit from 'rtcstats';
import traceInit from 'rtcstats/trace-ws';

import { startCall } from './call.js';
import { observeFrames } from './frames.js';
import { FOREIGN_CANDIDATES, burst, constraintsFor, introduce, runApplication, sendOldShapes }
    from './legacy-application.js';
import { until } from './until.js';

/** getStats period. */
const POLL_MS = 1000;

/** Current browsers refuse the callback form of getStats, which the client uses where it finds this function. */
Object.defineProperty(navigator, 'webkitGetUserMedia', { value: undefined, configurable: true });

const socket = observeFrames();

/** What was asked of the client, in order: `{name, pc, discarded}`. */
const calls = [];
let stock;
let call;
let endApplication;

/** The client's own function, watched. The client sends in that very call, or drops or keeps the event. */
function trace(name, pc, value) {
    const { state } = socket;
    const discarded = state > WebSocket.OPEN || (name === 'getstats' && state < WebSocket.OPEN);

    calls.push({ name, pc, discarded });
    stock(name, pc, value);
}

/** Connects to `endpoint`, starts the call and the application's events. */
async function start(endpoint) {
    stock = traceInit(endpoint);
    rtcstatsInit(trace, POLL_MS, [ '' ]);
    // On purpose without waiting for the socket: the first events have to come out of the client's buffer.
    introduce(trace);
    call = await startCall({ caller: constraintsFor('peer 1', true), callee: constraintsFor('peer 2', false) });
    endApplication = runApplication(trace);
    for (const candidate of FOREIGN_CANDIDATES) {
        await call.caller.addIceCandidate(candidate);
    }
    await call.negotiateAgain();
    sendOldShapes(trace);
    await until(() => socket.state === WebSocket.OPEN, 15000, 'the connection');
}

/** Ends the call, and the connection unless it is gone already; returns the close code. */
async function hangUp() {
    endApplication();
    call.end();
    await new Promise(resolve => { setTimeout(resolve, POLL_MS + 500); });
    if (socket.state === WebSocket.OPEN) {
        stock.close();
    }
    await until(() => socket.closeCodes.length > 0, 15000, 'the close handshake');

    return socket.closeCodes.at(-1);
}

/** Where what was sent differs from what was asked for; `null` if nowhere. */
function firstLoss() {
    const sent = socket.frames.map(frame => JSON.parse(frame)).map(([ name, pc ]) => ({ name, pc: pc ?? null }));
    const expected = calls.filter(({ discarded }) => !discarded).map(({ name, pc }) => ({ name, pc: pc ?? null }));
    const at = expected.findIndex(({ name, pc }, index) => sent[index]?.name !== name || sent[index].pc !== pc);

    if (at < 0 && sent.length === expected.length) {
        return null;
    }

    return `the client was asked to send ${expected.length} events and sent ${sent.length}; first difference at `
        + `${at}: ${JSON.stringify(expected[at])}, sent ${JSON.stringify(sent[at])}`;
}

/** Figures of the moment. */
function status() {
    return {
        emitted: socket.frames.length,
        discarded: calls.filter(({ discarded }) => discarded).length,
        sockets: socket.sockets,
        received: socket.received,
        subprotocol: socket.subprotocol,
        closeCodes: socket.closeCodes
    };
}

window.e2e = {
    start,
    hangUp,
    status,
    burst: count => burst(trace, count),
    log: () => ({ frames: socket.frames, problems: [ firstLoss() ].filter(Boolean), userAgent: navigator.userAgent,
        origin: location.origin, path: location.pathname })
};
