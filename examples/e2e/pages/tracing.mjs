/** A page of another origin that imports the tracing script from the server, in a browser as it is. */
import { createServer } from 'node:http';

const FINISH_MS = 20_000;

/** How long the script may take to come back: its second delay is the longest that is needed here. */
const BACK_MS = 15_000;

/** Runs it, with the server killed in between. */
export async function run(session) {
    const host = await elsewhere(session.origin);

    try {
        const context = await session.browser.newContext();
        const page = await context.newPage();

        page.on('pageerror', error => session.problems.push(`uncaught: ${error.stack ?? error}`));
        page.on('console', message => {
            // The refused connections, while there is no server.
            if (message.type() === 'error' && !message.text().includes('ERR_CONNECTION_REFUSED')) {
                session.problems.push(`in the console: ${message.text()}`);
            }
        });
        await page.goto(host.url);
        await checkPage(session, page);
        await checkSessions(session, page, host.url);
        await context.close();
    } finally {
        host.close();
    }
}

/** Serves a page on another port, which is another origin. */
async function elsewhere(origin) {
    const html = `<!doctype html><meta charset="utf-8"><title>Elsewhere</title><link rel="icon" href="data:,">
        <script type="module">
        const before = () => [ RTCPeerConnection, webkitRTCPeerConnection,
            ...[ RTCPeerConnection, RTCRtpSender, RTCRtpTransceiver, MediaStreamTrack, HTMLMediaElement, MediaDevices ]
                .map(({ prototype }) => Object.getOwnPropertyDescriptors(prototype)) ];
        window.native = before();
        window.look = before;
        const { startTracing } = await import('${origin}/assets/rtcstats-client.js');
        window.logged = [];
        window.startTracing = () => {
            window.tracing = startTracing({ url: '${origin}/elsewhere', interval: 200, log: text => window.logged.push(text),
                identity: { user: 'ann', conference: 'other', clientId: 'elsewhere' } });
        };
        </script>`;
    const server = createServer((request, response) => {
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
        response.end(html);
    });

    await new Promise(resolve => { server.listen(0, '127.0.0.1', resolve); });

    return {
        url: `http://localhost:${server.address().port}/`,
        close() {
            server.close();
            server.closeAllConnections();
        }
    };
}

/** What the page sees of its browser is what it saw before. */
async function checkPage(session, page) {
    await page.waitForFunction(() => window.startTracing);
    const seen = await page.evaluate(async () => {
        const [ native ] = window.native;
        const { createOffer } = native.prototype;

        window.startTracing();
        const pc = new RTCPeerConnection();
        class Own extends RTCPeerConnection {}
        const failure = RTCPeerConnection.prototype.createOffer.call({}).catch(error => error.name);
        const unhandled = new Promise(resolve => {
            window.addEventListener('unhandledrejection', event => {
                event.preventDefault();
                resolve(event.reason.name);
            }, { once: true });
        });

        pc.setRemoteDescription({ type: 'answer', sdp: '' });
        const result = {
            isTraced: RTCPeerConnection !== native && pc.createOffer !== createOffer,
            instances: [ pc instanceof RTCPeerConnection, pc instanceof native, new Own() instanceof Own,
                pc.constructor === RTCPeerConnection, webkitRTCPeerConnection === RTCPeerConnection ],
            texts: [ [ RTCPeerConnection, native ], [ pc.createOffer, createOffer ] ].map(pair =>
                new Set(pair.map(one => [ one.name, one.length, /\[native code\]/.test(Function.prototype.toString.call(one)) ].join())).size),
            names: Object.keys(RTCPeerConnection.prototype).join() === Object.keys(native.prototype).join(),
            certificate: (await RTCPeerConnection.generateCertificate({ name: 'ECDSA', namedCurve: 'P-256' })).constructor.name,
            call: (() => {
                try {
                    return RTCPeerConnection();
                } catch (error) {
                    return error.name;
                }
            })(),
            failure: await failure,
            unhandled: await unhandled,
            value: await pc.setLocalDescription()
        };

        pc.close();

        return result;
    });

    const expected = { isTraced: true, instances: [ true, true, true, true, true ], texts: [ 1, 1 ], names: true,
        certificate: 'RTCCertificate', call: 'TypeError', failure: 'TypeError', unhandled: seen.unhandled, value: undefined };

    session.check(JSON.stringify(seen) === JSON.stringify(expected), `the page sees ${JSON.stringify(seen)}`);
    session.check(/^(InvalidStateError|OperationError|InvalidAccessError)$/.test(seen.unhandled),
        `the failure that nobody handled is ${seen.unhandled}`);
}

/** The server has it all, although it was killed. */
async function checkSessions(session, page, origin) {
    const list = async () => (await (await fetch(`${session.origin}/api/sessions?clientId=elsewhere`)).json()).sessions;

    await page.evaluate(startCall);
    const [ { id: first } ] = await session.until('the session', async () => (await list()).length && list());

    await session.until('reports', async () => (await session.api.dump(first)).split('"getStats"').length > 6);
    await session.server.crash();
    await page.evaluate(() => window.call.caller.createDataChannel('while it is away'));
    await page.evaluate(() => new Promise(resolve => { setTimeout(resolve, 2000); }));
    await session.server.start();
    const { id: second } = await session.until('another session',
        async () => (await list()).find(({ id, state }) => id !== first && state === 'live'), BACK_MS);

    await session.until('its reports', async () => (await session.api.dump(second)).split('"getStats"').length > 20);
    const isAll = await page.evaluate(async () => {
        window.call.caller.close();
        window.call.callee.close();

        return window.tracing.stop();
    });
    const isNative = await page.evaluate(() => {
        const flat = all => all.flatMap(item => (typeof item === 'function' ? [ item ]
            : Object.values(item).flatMap(({ value, get, set }) => [ value, get, set ])));
        const [ before, after ] = [ flat(window.native), flat(window.look()) ];

        return before.length === after.length && before.every((item, index) => Object.is(item, after[index]));
    });

    session.check(isAll, 'not all was sent');
    session.check(isNative, 'what was replaced is not what it was');
    const record = await session.api.finished(second, FINISH_MS);
    const { rtcstats: { peerConnections }, user, conference } = record;

    session.check(user === 'ann' && conference === 'other', `the session is of ${user} in ${conference}`);
    session.check(record.origin === new URL(origin).origin, `the session is of ${record.origin}`);
    session.check(peerConnections.some(({ connected, closed }) => connected && closed), JSON.stringify(peerConnections));
    checkDump(session, await session.api.dump(second), await session.api.dump(first));
    session.figures.logged = await page.evaluate(() => window.logged);
}

/** A call of two connections with nothing but a channel. */
async function startCall() {
    const [ caller, callee ] = [ new RTCPeerConnection(), new RTCPeerConnection() ];
    const connected = new Promise(resolve => {
        caller.addEventListener('connectionstatechange', () => caller.connectionState === 'connected' && resolve());
    });

    for (const [ from, to ] of [ [ caller, callee ], [ callee, caller ] ]) {
        from.addEventListener('icecandidate', ({ candidate }) => to.addIceCandidate(candidate));
    }
    caller.createDataChannel('first');
    await caller.setLocalDescription();
    await callee.setRemoteDescription(caller.localDescription);
    await callee.setLocalDescription();
    await caller.setRemoteDescription(callee.localDescription);
    await connected;
    window.call = { caller, callee };
}

/** The second session begins with all that came before, and has what happened without a server. */
function checkDump(session, second, first) {
    const [ earlier, later ] = [ first, second ].map(dump => dump.split('\n').slice(2).filter(line => line !== '')
        .map(line => JSON.parse(line)));
    const key = ([ method, connection, value ]) => JSON.stringify([ method, connection, value ]);
    const known = new Set(later.map(key));
    // A connection that was closed before, of which the first session knows the end, is not told of again.
    const closed = new Set(earlier.filter(([ method, connection ]) => method === 'close' && connection).map(([ , id ]) => id));
    const lost = earlier.filter(event => event[1] && !closed.has(event[1]) && event[0] !== 'getStats' && !known.has(key(event)));

    session.check(closed.size === 1, `${closed.size} connections were closed before`);
    session.check(lost.length === 0, `not in the second session: ${JSON.stringify(lost.slice(0, 3))}`);
    session.check(later.some(([ method, , value ]) => method === 'createDataChannel' && value[0] === 'while it is away'),
        'what happened without a server is not in the second session');
    session.check(later[0][0] === 'create' && later[0][1] === null && later[0].at(-1) > 1.6e12, 'the second session has no beginning');
    // Reports went on all the time: 200 ms, on a busy machine.
    let time = 0;
    const times = [ ...earlier.map(event => (time += event.at(-1), event[0] === 'getStats' ? time : null)) ];

    time = 0;
    times.push(...later.map(event => (time += event.at(-1), event[0] === 'getStats' ? time : null)));
    const gaps = times.filter(Boolean).sort((one, other) => one - other).map((value, index, all) => value - (all[index - 1] ?? value));

    session.figures.longestGapMs = Math.max(...gaps);
    session.check(session.figures.longestGapMs < 1500, `no reports for ${session.figures.longestGapMs} ms`);
}
