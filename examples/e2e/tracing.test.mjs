/** What the tracing script sends of a page, and what the page notices of it: nothing. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { loadPageModule } from './page-modules.mjs';
import { Stream, fakePage } from './tracing-fakes.mjs';

const { startTracing } = await loadPageModule('rtcstats-client.js');

const START = 1_761_000_000_000;

let page;
let tracing;
let logged;

beforeEach(() => {
    mock.timers.enable({ apis: [ 'setTimeout', 'setInterval', 'Date' ], now: START });
    logged = [];
    page = fakePage();
});

afterEach(async () => {
    const stopped = tracing?.stop();

    mock.timers.tick(60_000);
    await stopped;
    tracing = undefined;
    mock.timers.reset();
});

/** Lets promises go on; timers stand still. */
async function settle() {
    for (let index = 0; index < 20; index += 1) {
        await Promise.resolve();
    }
}

/** Lets time pass second by second, and what waits for it happen. */
async function pass(seconds) {
    for (let second = 0; second < seconds; second += 1) {
        mock.timers.tick(1000);
        await settle();
    }
}

/** Starts tracing, and lets it in unless `isOpen` is false. */
async function start({ isOpen = true, ...options } = {}) {
    tracing = startTracing({ url: '/stats', scope: page.scope, log: message => logged.push(message), ...options });
    await settle();
    if (isOpen) {
        page.sockets.at(-1).open();
    }
}

/** Messages of one connection, without their times. */
function of(messages, id) {
    return messages.filter(([ , connection ]) => connection === id).map(message => message.slice(0, -1));
}

/** A report whose time stands still. */
const outbound = bytesSent => ({ OT01: { id: 'OT01', type: 'outbound-rtp', timestamp: START + 0.5, bytesSent } });

test('a page is introduced, in the subprotocol of rtcstats 5.0', async () => {
    await start({ identity: { user: 'ann', conference: 'weekly', clientId: 'a1' }, token: async () => 'secret' });
    const [ socket ] = page.sockets;

    assert.equal(socket.url, 'wss://page.example/stats?rtcstats-token=secret');
    assert.equal(socket.protocol, 'rtcstats#5.0');
    assert.deepEqual(socket.messages, [
        [ 'create', null, { hardwareConcurrency: 8,
            screen: { width: 800, height: 600, devicePixelRatio: 2 }, window: { width: 400, height: 300 } }, START ],
        [ 'identity', null, { user: 'ann', conference: 'weekly' }, 0 ],
        [ 'constraints', null, { optional: [ { rtcStatsClientId: 'a1' } ] }, 0 ],
        [ 'websocket', null, { connectionTime: 0 }, 0 ]
    ]);
});

test('a call is traced: calls, their answers, events, reports', async () => {
    await start();
    const { RTCPeerConnection, navigator } = page.scope;
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const [ track ] = stream.getTracks();
    const pc = new RTCPeerConnection(
        { iceServers: [ { urls: 'turn:t.example', username: 'u', credential: 'secret' } ], bundlePolicy: 'balanced' });
    const sender = pc.addTrack(track, stream);
    const received = pc.getTransceivers()[0].receiver.track;
    const offer = await pc.createOffer({ iceRestart: true });

    await pc.setLocalDescription(offer);
    await assert.rejects(pc.setRemoteDescription({ type: 'answer', sdp: 'x' }), /no/);
    await pc.addIceCandidate();
    pc.dispatchEvent(Object.assign(new Event('icecandidate'),
        { candidate: { toJSON: () => ({ candidate: 'c', sdpMid: '0' }), url: 'turn:t.example' } }));
    pc.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate: null }));
    pc.dispatchEvent(Object.assign(new Event('track'), { track: received, streams: [ new Stream('far', []) ] }));
    received.dispatchEvent(new Event('unmute'));
    pc.report = outbound(100);
    pc.enter('connected');
    await settle();
    pc.report = outbound(250);
    await pass(1);
    await sender.setParameters({ transactionId: 't', encodings: [ { maxBitrate: 5 } ] });
    await sender.replaceTrack(null);
    track.enabled = false;
    track.stop();
    track.stop();
    pc.close();
    pc.close();
    await pass(3);
    tracing.trace('rating', { stars: 4 });

    const { messages } = page.sockets[0];

    assert.deepEqual(of(messages, 'PC_0'), [
        [ 'create', 'PC_0',
            { bundlePolicy: 'balanced', iceServers: [ { urls: 'turn:t.example', username: 'u' } ] } ],
        [ 'addTrack', 'PC_0', [ 'audio', track.id, 'audio source', 'stream' ] ],
        [ 'addTrackOnSuccess', 'PC_0', null, received.id ],
        [ 'createOffer', 'PC_0', { iceRestart: true }, '2-0' ],
        [ 'createOfferOnSuccess', 'PC_0', offer, '2-0' ],
        [ 'setLocalDescription', 'PC_0', offer, '6-0' ],
        [ 'setLocalDescriptionOnSuccess', 'PC_0', null, '6-0' ],
        [ 'setRemoteDescription', 'PC_0', { type: 'answer', sdp: 'x' }, '8-0' ],
        [ 'setRemoteDescriptionOnFailure', 'PC_0', 'InvalidAccessError: no', '8-0' ],
        [ 'addIceCandidate', 'PC_0', null, '10-0' ],
        [ 'addIceCandidateOnSuccess', 'PC_0', null, '10-0' ],
        [ 'onicecandidate', 'PC_0', { candidate: 'c', sdpMid: '0', url: 'turn:t.example' } ],
        [ 'onicecandidate', 'PC_0', null ],
        [ 'ontrack', 'PC_0', [ 'audio', received.id, 'audio source', 'far' ] ],
        [ 'MediaStreamTrack.onunmute', 'PC_0', received.id ],
        [ 'onconnectionstatechange', 'PC_0', 'connected' ],
        [ 'getStats', 'PC_0', { OT01: { type: 'outbound-rtp', bytesSent: 100 }, t: START + 0.5 }, 'connected-0' ],
        [ 'getStats', 'PC_0', { OT01: { bytesSent: 250 }, t: START + 0.5 } ],
        [ 'setParameters', 'PC_0', [ { encodings: [ { maxBitrate: 5 } ] } ], received.id ],
        [ 'replaceTrack', 'PC_0', [ [ 'audio', track.id, 'audio source' ], null ], received.id ],
        [ 'close', 'PC_0', null ]
    ]);
    assert.deepEqual(of(messages, null).slice(2), [
        [ 'navigator.mediaDevices.getUserMedia', null, { audio: true }, '60-0' ],
        [ 'navigator.mediaDevices.getUserMediaOnSuccess', null, [ [ 'audio', track.id, 'audio source', 'stream' ] ],
            '60-0' ],
        [ 'MediaStreamTrack.enabled', null, false, track.id ],
        [ 'MediaStreamTrack.stop', null, [], track.id, '60-0' ],
        [ ':rating', null, { stars: 4 } ]
    ]);
    assert.equal(messages.reduce((time, message) => time + message.at(-1), 0), Date.now());
});

test('the implicit description and calls with callbacks are traced', async () => {
    await start();
    const pc = new page.scope.RTCPeerConnection();
    const heard = [];

    assert.equal(await pc.createOffer(offer => heard.push(offer), () => {}, { iceRestart: true }), undefined);
    await pc.setLocalDescription();
    assert.deepEqual(of(page.sockets[0].messages, 'PC_0').slice(1), [
        [ 'createOffer', 'PC_0', { iceRestart: true }, '2-0' ],
        [ 'createOfferOnSuccess', 'PC_0', heard[0], '2-0' ],
        [ 'setLocalDescription', 'PC_0', null, '6-0' ],
        [ 'setLocalDescriptionOnSuccess', 'PC_0', { type: 'offer', sdp: 'implicit' }, '6-0' ]
    ]);
});

test('the page notices nothing', async () => {
    const { scope } = page;
    const native = scope.RTCPeerConnection;

    await start();
    const { RTCPeerConnection } = scope;
    const pc = new RTCPeerConnection();

    class Own extends RTCPeerConnection {
        isOwn = true;
    }
    const own = new Own();

    assert.notEqual(RTCPeerConnection, native);
    assert.equal(scope.webkitRTCPeerConnection, RTCPeerConnection);
    assert.ok(pc instanceof RTCPeerConnection && pc instanceof native && own instanceof Own && own.isOwn);
    assert.equal(pc.constructor, RTCPeerConnection);
    assert.equal(RTCPeerConnection.prototype, native.prototype);
    assert.deepEqual([ RTCPeerConnection.name, RTCPeerConnection.length ], [ 'RTCPeerConnection', native.length ]);
    assert.deepEqual(await RTCPeerConnection.generateCertificate({}), { certificate: true });
    assert.throws(() => RTCPeerConnection(), TypeError);
    assert.throws(() => new RTCPeerConnection({ iceServers: 'wrong' }), { message: 'iceServers' });
    await assert.rejects(scope.navigator.mediaDevices.getUserMedia(), { message: 'no constraints' });
    assert.equal(pc.createOffer.name, 'createOffer');
    assert.deepEqual(Object.keys(pc.createDataChannel('x')), [ 'label' ]);
    assert.deepEqual(of(page.sockets[0].messages, 'PC_1'), [ [ 'create', 'PC_1', null ] ]);
});

test('a failure that nobody handles stays one, and one that is handled does', () => {
    // The test runner takes unhandled failures as its own.
    const script = `
        import { loadPageModule } from './page-modules.mjs';
        import { fakePage } from './tracing-fakes.mjs';

        const { startTracing } = await loadPageModule('rtcstats-client.js');
        const { scope } = fakePage();
        process.on('unhandledRejection', error => console.log('unhandled', error.message));
        startTracing({ url: 'ws://x/', scope });
        const pc = new scope.RTCPeerConnection();
        pc.setRemoteDescription({});
        pc.setRemoteDescription({}).catch(error => console.log('handled', error.message));`;
    const output = execFileSync(process.execPath, [ '--input-type=module', '--eval', script ],
        { cwd: fileURLToPath(new URL('.', import.meta.url)), encoding: 'utf8', stdio: [ 'ignore', 'pipe', 'ignore' ] });

    assert.deepEqual(output.trim().split('\n').sort(), [ 'handled no', 'unhandled no' ]);
});

test('an error within the tracing does not reach the page', async () => {
    await start();
    const pc = new page.scope.RTCPeerConnection();

    pc.getTransceivers = () => {
        throw new Error('broken');
    };
    const circular = {};

    circular.self = circular;
    assert.equal(pc.createDataChannel('x', circular).label, 'x');
    assert.ok(pc.addTrack(new page.MediaStreamTrack('audio')));
    assert.deepEqual(of(page.sockets[0].messages, 'PC_0').slice(1, 2), [ [ 'createDataChannel', 'PC_0', null ] ]);
    for (const url of [ 'ftp://x/', 'http://[', undefined ]) {
        const inert = startTracing({ url, scope: { ...page.scope, location: undefined }, log: text => logged.push(text) });

        inert.trace('x');
        assert.equal(await inert.stop(), false);
    }
    assert.equal(logged.length, 3);
});

test('what happens without a connection is sent when there is one', async () => {
    await start({ isOpen: false });
    const pc = new page.scope.RTCPeerConnection();

    pc.report = outbound(1);
    pc.enter('connected');
    await settle();
    await pass(3);
    page.sockets[0].open();
    assert.deepEqual(page.sockets[0].messages.map(([ method, , , ...rest ]) => [ method, rest.at(-1) ]), [
        [ 'create', START ], [ 'create', 0 ], [ 'onconnectionstatechange', 0 ], [ 'getStats', 0 ],
        [ 'getStats', 1000 ], [ 'getStats', 1000 ], [ 'getStats', 1000 ], [ 'websocket', 0 ]
    ]);
});

test('a session after a lost connection has all that came before, and no report is in both', async () => {
    await start();
    const { RTCPeerConnection } = page.scope;
    const [ over, pc ] = [ new RTCPeerConnection(), new RTCPeerConnection() ];

    over.close();
    pc.report = outbound(1);
    pc.enter('connected');
    await settle();
    await pass(1);
    page.sockets[0].end(1006);
    pc.report = outbound(2);
    await pass(1);
    pc.report = outbound(3);
    pc.restartIce();
    await pass(1);
    assert.equal(page.sockets.length, 2, 'tried again soon');
    page.sockets[1].open();
    pc.report = outbound(4);
    await pass(1);

    const [ first, second ] = page.sockets.map(({ messages }) => messages);
    const sent = messages => of(messages, 'PC_1').filter(([ method ]) => method === 'getStats')
        .map(([ , , { OT01 } ]) => OT01);

    assert.deepEqual(sent(first), [ { type: 'outbound-rtp', bytesSent: 1 }, undefined ]);
    assert.deepEqual(sent(second), [ { type: 'outbound-rtp', bytesSent: 2 }, { bytesSent: 3 }, { bytesSent: 4 } ]);
    assert.deepEqual(of(second, 'PC_1').map(([ method ]) => method),
        [ 'create', 'onconnectionstatechange', 'getStats', 'restartIce', 'getStats', 'getStats' ]);
    assert.deepEqual(of(second, 'PC_0'), [], 'the first session knows its end');
    assert.deepEqual(of(second, null).map(([ method ]) => method), [ 'create', 'websocket' ]);
    assert.equal(second[0].at(-1), START, 'times are those of the first session');
    assert.equal(second.reduce((time, message) => time + message.at(-1), 0), Date.now());
});

test('what a socket did not get rid of is in the next session', async () => {
    await start();
    const pc = new page.scope.RTCPeerConnection();

    pc.report = outbound(1);
    page.sockets[0].bufferedAmount = 100;
    pc.enter('connected');
    await settle();
    pc.close();
    page.sockets[0].end(1006);
    await pass(2);
    page.sockets[1].open();
    assert.deepEqual(of(page.sockets[1].messages, 'PC_0').map(([ method ]) => method),
        [ 'create', 'onconnectionstatechange', 'getStats', 'close' ]);
});

test('a socket that is stuck is given no more for a while', async () => {
    await start();
    const [ socket ] = page.sockets;
    const before = socket.sent.length;

    socket.bufferedAmount = 1 << 20;
    tracing.trace('one');
    assert.equal(socket.sent.length, before);
    socket.bufferedAmount = 0;
    await pass(1);
    assert.deepEqual(socket.messages.at(-1).slice(0, 3), [ ':one', null, null ]);
});

test('connections are tried again ever more rarely, and never when the server refuses', async () => {
    await start();
    const gaps = [];

    for (let attempt = 0; attempt < 9; attempt += 1) {
        const { length } = page.sockets;
        const since = Date.now();

        page.sockets.at(-1).end(1006);
        while (page.sockets.length === length) {
            await pass(1);
        }
        gaps.push((Date.now() - since) / 1000);
    }
    for (const [ attempt, gap ] of gaps.entries()) {
        const longest = Math.min(2 ** attempt, 60);

        assert.ok(gap >= longest / 2 && gap <= longest + 1, `attempt ${attempt}: ${gap} s`);
    }
    const { length } = page.sockets;

    page.sockets.at(-1).end(1008);
    await pass(200);
    assert.equal(page.sockets.length, length);
    assert.equal(logged.at(-1), 'the server refused the connection');
    assert.equal(await tracing.stop(), false);
});

test('what waits is bounded, reports are thinned first, and what went is told', async () => {
    await start({ isOpen: false, bufferBytes: 4000 });
    const pc = new page.scope.RTCPeerConnection();

    pc.report = { T: { type: 'transport', note: 'x'.repeat(500) } };
    pc.enter('connected');
    await settle();
    await pass(60);
    for (let index = 0; index < 5; index += 1) {
        tracing.trace('event', index);
    }
    page.sockets.at(-1).open();
    const { messages } = page.sockets.at(-1);
    const reports = messages.filter(([ method ]) => method === 'getStats').length;
    const dropped = messages.find(([ method ]) => method === ':dropped')[2];

    assert.ok(reports >= 2 && reports <= 6, `${reports} reports`);
    assert.deepEqual(dropped, { events: 0, reports: 61 - reports });
    assert.equal(messages.filter(([ method ]) => method === ':event').length, 5);
    for (let index = 0; index < 200; index += 1) {
        page.sockets.at(-1).bufferedAmount = 1 << 20;
        tracing.trace('event', 'y'.repeat(50));
    }
    page.sockets.at(-1).bufferedAmount = 0;
    await pass(1);
    const kept = page.sockets.at(-1).messages;

    assert.ok(kept.length - messages.length < 40, 'the oldest events went');
    assert.equal(kept[0][0], 'create');
});

test('a full buffer costs a later session nothing of whose it is, and of connections that are over', async () => {
    await start({ bufferBytes: 20_000, identity: { user: 'ann', clientId: 'a1' } });
    for (let index = 0; index < 300; index += 1) {
        new page.scope.RTCPeerConnection().close();
        tracing.trace('event', 'z'.repeat(100));
        await settle();
    }
    const { messages } = page.sockets[0];

    assert.equal(messages.filter(([ method ]) => method === 'close').length, 300, 'each end is told');
    assert.equal(messages.filter(([ method ]) => method === ':event').length, 300);
    page.sockets[0].end(1006);
    await pass(3);
    page.sockets.at(-1).open();
    const again = page.sockets.at(-1).messages.map(([ method ]) => method);

    assert.deepEqual(again.slice(0, 3), [ 'create', 'identity', 'constraints' ]);
});

test('promises count as such whatever the page has put in place of their class', async () => {
    await start();
    const { Promise: native } = globalThis;
    const pc = new page.scope.RTCPeerConnection();

    try {
        globalThis.Promise = class Promise {};
        globalThis.Promise.resolve = value => native.resolve(value);
        const offer = pc.createOffer();

        globalThis.Promise = native;
        await offer;
    } finally {
        globalThis.Promise = native;
    }
    await settle();
    const sent = page.sockets[0].messages.find(([ method ]) => method === 'createOfferOnSuccess');

    assert.equal(sent[2].type, 'offer');
});

test('a token that is there no more is not sent again', async () => {
    const tokens = [ 'secret', '' ];

    await start({ token: () => tokens.shift() });
    assert.match(page.sockets[0].url, /rtcstats-token=secret/);
    page.sockets[0].end(1006);
    await pass(3);
    assert.doesNotMatch(page.sockets[1].url, /rtcstats-token/);
});

test('a silent connection is kept alive by messages that add nothing', async () => {
    await start();
    await pass(100);
    assert.deepEqual(page.sockets[0].sent.slice(2), [ '', '' ]);
});

test('stopping restores all, sends what is left, and closes', async () => {
    const { scope } = page;
    const describe = () => {
        const { RTCPeerConnection, MediaStreamTrack, navigator, RTCRtpSender } = scope;
        const objects = [ RTCPeerConnection.prototype, RTCRtpSender.prototype, MediaStreamTrack.prototype,
            Object.getPrototypeOf(navigator.mediaDevices) ];

        return [ RTCPeerConnection, scope.webkitRTCPeerConnection, ...objects.map(Object.getOwnPropertyDescriptors) ];
    };
    const before = describe();

    await start({ isOpen: false });
    const pc = new scope.RTCPeerConnection();
    const traced = scope.RTCPeerConnection;

    pc.enter('connected');
    const stopped = tracing.stop();

    assert.deepEqual(describe(), before);
    assert.equal(scope.RTCPeerConnection, before[0]);
    pc.restartIce();
    page.sockets[0].open();
    assert.equal(await stopped, true);
    assert.equal(page.sockets[0].readyState, 3);
    await pass(5);
    assert.deepEqual(page.sockets[0].messages.map(([ method ]) => method),
        [ 'create', 'create', 'onconnectionstatechange', 'websocket' ]);
    assert.ok(new traced() instanceof before[0], 'what the page kept still works');
    assert.equal(page.sockets.length, 1);
});

test('a replacement that others have replaced since stays, and tells nothing', async () => {
    const { scope } = page;

    await start();
    const ours = scope.RTCPeerConnection.prototype.restartIce;

    scope.RTCPeerConnection.prototype.restartIce = function restartIce() {
        return ours.call(this);
    };
    const theirs = scope.RTCPeerConnection.prototype.restartIce;
    const pc = new scope.RTCPeerConnection();

    tracing.stop();
    assert.equal(scope.RTCPeerConnection.prototype.restartIce, theirs);
    pc.restartIce();
    assert.ok(!page.sockets[0].messages.some(([ method ]) => method === 'restartIce'));
});

test('stopping gives up on a server that does not answer', async () => {
    await start({ isOpen: false });
    const stopped = tracing.stop();

    mock.timers.tick(10_000);
    assert.equal(await stopped, false);
});
