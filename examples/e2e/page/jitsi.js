/**
 * The page of the Jitsi client: the stock client over a loopback call. The driver calls the functions of `window.e2e`.
 */
import rtcstatsInit from '@jitsi/rtcstats/rtcstats';
import traceInit from '@jitsi/rtcstats/trace-ws';

import { burst, introduce, runApplication } from './application.js';
import { startCall } from './call.js';
import { recordEmissions } from './emissions.js';
import { observeSockets } from './socket.js';
import { until } from './until.js';

/** getStats period. */
const POLL_MS = 1000;

/** Keepalive period; the client's own default is longer than the call. */
const KEEPALIVE_MS = 5000;

const socket = observeSockets();
let trace;
let emissions;
let call;
let endApplication;
let emittedOffline = 0;
let mostUnacknowledged = 0;

/**
 * Makes the client's next reconnect come after its shortest delay (1 s, 2 s, 4 s, …).
 *
 * The client draws the delay right after it called its close callback, from which this runs. The stub serves that
 * one draw; the microtask removes it when the close was final and nothing was drawn.
 */
function shortenReconnectDelay() {
    const stock = Math.random;
    const restore = () => { Math.random = stock; };

    Math.random = () => {
        restore();

        return 0;
    };
    queueMicrotask(restore);
}

/** `statsEntry` with the figures that only the moment of emission can give. */
function emit(...args) {
    emissions.statsEntry(...args);
    emittedOffline += socket.ready ? 0 : 1;
    mostUnacknowledged = Math.max(mostUnacknowledged, emissions.entries.length - socket.lastAcknowledged);
}

/** The constraints by which the client is told which kind of connection this is. */
const mark = isP2P => ({ optional: [ { rtcStatsSFUP2P: isP2P } ] });

/** Connects to `endpoint`, starts the call and the application's events. */
async function start(endpoint) {
    trace = traceInit({ endpoint, meetingFqn: 'tenant/e2e-room', onCloseCallback: shortenReconnectDelay,
        useLegacy: false, pingInterval: KEEPALIVE_MS });
    emissions = recordEmissions(trace);
    rtcstatsInit({ statsEntry: emit }, { pollInterval: POLL_MS, useLegacy: false, sendSdp: true });
    trace.connect(false);
    // On purpose without waiting for the socket: the first entries have to come out of the client's buffer.
    introduce(emissions.identity, emit);
    // The caller is marked as a bridge connection and the callee as peer-to-peer, so that both kinds occur.
    call = await startCall({ caller: mark(false), callee: mark(true) });
    endApplication = runApplication(emit, call.ssrc);

    return socket.sessionId;
}

/**
 * Ends the call and leaves the conference; returns the close code.
 *
 * Waits until nothing can be emitted any more before it closes: what comes later is never sent, and rightly so.
 */
async function hangUp() {
    endApplication();
    call.end();
    await new Promise(resolve => { setTimeout(resolve, POLL_MS + 500); });
    await until(() => socket.ready, 15000, 'a usable connection');

    const closes = socket.closeCodes.length;

    trace.close();
    await until(() => socket.closeCodes.length > closes, 15000, 'the close handshake');

    return socket.closeCodes.at(-1);
}

/** Figures of the moment. */
function status() {
    const frames = [ ...socket.timesSent.values() ].reduce((sum, times) => sum + times, 0);

    return {
        emitted: emissions?.entries.length ?? 0,
        emittedOffline,
        mostUnacknowledged,
        resent: frames - socket.timesSent.size,
        ready: socket.ready,
        initials: socket.initials,
        acks: socket.acks,
        closeCodes: socket.closeCodes,
        reconnectUrls: socket.urls.filter(url => url.endsWith('isReconnect=true')).length
    };
}

window.e2e = {
    start,
    hangUp,
    status,
    burst: count => burst(emit, count),
    log: () => ({ entries: emissions.entries, problems: [ ...emissions.problems, ...socket.problems ],
        userAgent: navigator.userAgent, origin: location.origin })
};
