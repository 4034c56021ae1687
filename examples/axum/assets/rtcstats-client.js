/**
 * Traces what a page does with WebRTC, and sends it to a server that speaks rtcstats 5.0.
 *
 * For pages that have no client library. An ES module without dependencies and without a build step: import it from
 * the server that takes the traces, or copy it, with the five `rtcstats-*.js` files beside it, to your own site.
 *
 *     <script type="module">
 *     import { startTracing } from 'https://stats.example.org/assets/rtcstats-client.js';
 *
 *     startTracing({
 *         url: 'wss://stats.example.org/',
 *         identity: { user: 'ann', conference: 'weekly', clientId: 'a1b2c3' }
 *     });
 *     </script>
 *
 * Start it before the page makes its first `RTCPeerConnection`: connections that are older are not seen.
 *
 * What is sent
 * - each `RTCPeerConnection`: its configuration (without credentials), calls with their results and failures, events,
 *   states, and what `getStats` returns, once a second from the first time it is connected or has failed;
 * - what senders, receivers, transceivers and tracks are told; how large received video is shown;
 * - `getUserMedia`, `getDisplayMedia`, `enumerateDevices`, changes of devices; which browser and window it is.
 *
 * Never sound or pictures. But descriptions and candidates hold IP addresses, and devices and tracks have names: the
 * server can mask the addresses (`--obfuscate`, see its `--help`); whether people have to be asked is yours to say.
 *
 * What the page notices: nothing, unless it reads functions as text. Functions return what they returned before, and fail as they did before; `instanceof`,
 * static methods, prototypes and subclasses are what they were. No error of the tracing reaches the page.
 *
 * Without a connection, events wait, and the connection is tried again, the sooner the shorter it was gone. To this
 * protocol each connection is a session of its own. So a session that follows a lost connection begins with all that
 * happened before to the connections of the page that are open, except their reports: those that were sent are in the
 * session before it. What waits is bounded by `bufferBytes`: then first every second report goes, then the oldest events,
 * and an event `:dropped` says how many.
 *
 * The page's Content-Security-Policy, if it has one, must let it connect to the server: `connect-src wss://…`.
 */
import { ConnectionTracing } from './rtcstats-connections.js';
import { MediaTracing } from './rtcstats-media.js';
import { Patches, quietly } from './rtcstats-patches.js';
import { Recorder } from './rtcstats-recorder.js';

/** Time between two reports of a connection. */
const INTERVAL_MS = 1000;

/** What may wait for a connection. */
const BUFFER_BYTES = 4 << 20;

/**
 * Who is traced: what sessions are searched by on the server. All of it is optional.
 *
 * @typedef {object} Identity
 * @property {string} [user] The person.
 * @property {string} [conference] The conference, room or call.
 * @property {string} [clientId] This page, or this participant in this conference.
 */

/**
 * @typedef {object} TracingOptions
 * @property {string | URL} url Of the server: `ws`, `wss`, `http`, `https`, or relative to the page. The path is free,
 *   and kept with the session.
 * @property {number} [interval] Milliseconds between two reports of a connection; 0 for no more than the first.
 * @property {Identity} [identity] Who is traced.
 * @property {string | (() => string | Promise<string>)} [token] A JSON Web Token, if the server asks for one; a
 *   function is asked for a new one at each connection.
 * @property {number} [bufferBytes] About how many bytes may wait while there is no connection.
 * @property {(message: string) => void} [log] Hears what goes wrong, such as a server that refuses.
 * @property {object} [scope] Where the APIs are; the page's `window` if it is not given.
 */

/**
 * @typedef {object} Tracing
 * @property {(name: string, value?: *) => void} trace Adds an event of the application, such as `('rating', 5)`. Its
 *   name gets a colon in front, which marks such events.
 * @property {() => Promise<boolean>} stop Ends tracing: at once all is as it was before. Resolves when what was still
 *   waiting is sent: to true if that is all of it, to false if the server could not be reached for 10 s.
 */

/**
 * Starts tracing. Never throws: where something is missing or wrong, `log` hears of it.
 *
 * @param {TracingOptions} options
 * @returns {Tracing}
 */
export function startTracing(options = {}) {
    const { interval = INTERVAL_MS, bufferBytes = BUFFER_BYTES, scope = globalThis } = options;
    const log = message => quietly(() => options.log?.(message));
    let recorder;

    try {
        recorder = new Recorder({ connect: connector(options, scope), bufferBytes, log });
    } catch (error) {
        log(`not traced: ${error.message}`);

        return { trace() {}, stop: () => Promise.resolve(false) };
    }
    const patches = new Patches();
    const media = new MediaTracing({ scope, recorder, patches });
    const connections = new ConnectionTracing({ scope, recorder, patches, media, interval });

    quietly(() => {
        recorder.trace('create', null, surroundings(scope));
        introduce(recorder, options.identity ?? {});
        media.start();
        connections.start();
    });
    recorder.start();

    return {
        trace: (name, value) => quietly(() => recorder.trace(`:${String(name).replace(/^:/, '')}`, null, value)),
        stop() {
            patches.undo();
            connections.stop();
            media.stop();

            return recorder.stop();
        }
    };
}

/** What opens a socket to the server; throws if that is never going to be possible. */
function connector({ url, token }, scope) {
    const { WebSocket } = scope;
    const target = new URL(url, scope.location?.href);

    if (!WebSocket) {
        throw new Error('there is no WebSocket');
    }
    target.protocol = target.protocol.replace(/^http/, 'ws');
    target.hash = '';
    if (!/^wss?:$/.test(target.protocol)) {
        throw new Error(`${target.protocol} is no protocol of WebSockets`);
    }

    return async () => {
        const secret = typeof token === 'function' ? await token() : token;

        target.searchParams.delete('rtcstats-token');
        if (secret) {
            target.searchParams.set('rtcstats-token', secret);
        }

        return new WebSocket(target.href, 'rtcstats#5.0');
    };
}

/** Says whose session it is, in the two ways in which servers read it. */
function introduce(recorder, { user, conference, clientId }) {
    if (user || conference) {
        recorder.trace('identity', null, { user, conference });
    }
    if (clientId) {
        recorder.trace('constraints', null, { optional: [ { rtcStatsClientId: clientId } ] });
    }
}

/** Browser, machine and window; without what this browser does not tell. */
function surroundings({ navigator = {}, screen, innerWidth, innerHeight, devicePixelRatio }) {
    const { hardwareConcurrency, deviceMemory, cpuPerformance, userAgentData } = navigator;

    return {
        hardwareConcurrency,
        userAgentData: userAgentData && {
            brands: userAgentData.brands, mobile: userAgentData.mobile, platform: userAgentData.platform },
        deviceMemory,
        cpuPerformance,
        screen: screen && { width: screen.availWidth, height: screen.availHeight, devicePixelRatio },
        window: innerWidth === undefined ? undefined : { width: innerWidth, height: innerHeight }
    };
}
