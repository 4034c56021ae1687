/**
 * What an application says through the legacy client's own function: who it is, tags, ratings. And what software
 * development kits of that time send in the same way, which servers repair.
 */

/** Who the call is between, as the constraints of its connections say it. */
export const CLIENT = 'client Zoë 🦀';
export const CONFERENCE = 'e2e-room';

/** Pace of the application's events. */
const TICK_MS = 300;

/** A connection that exists on paper only. */
const OLD_CONNECTION = 'OLD_0';

/** The constraints of a connection to `peer`. */
export function constraintsFor(peer, isSfu) {
    return { optional: [ { rtcStatsClientId: CLIENT }, { rtcStatsPeerId: peer }, { rtcStatsConferenceId: CONFERENCE },
        { rtcStatsSFUP2P: isSfu } ] };
}

/**
 * Candidates from nowhere, in the address ranges of documentation: one of each kind that is treated differently.
 * Nobody answers there, so they change nothing about the call.
 */
export const FOREIGN_CANDIDATES = [
    'candidate:1 1 udp 2122260223 192.0.2.17 50001 typ host generation 0 network-id 1',
    'candidate:2 1 udp 2122260222 2001:db8:17:4:3:2:1:9 50002 typ host generation 0',
    'candidate:3 1 udp 1686052607 198.51.100.18 50003 typ srflx raddr 192.0.2.19 rport 50004 generation 0',
    'candidate:4 1 udp 41885439 203.0.113.20 50005 typ relay raddr 198.51.100.21 rport 50006 generation 0',
    'candidate:5 1 tcp 1518280447 192.0.2.22 9 typ host tcptype active generation 0',
    'candidate:6 1 udp 2122260221 0a1b2c3d-1111-4222-8333-444455556666.local 50007 typ host generation 0'
].map(candidate => ({ candidate, sdpMid: '0', sdpMLineIndex: 0 }));

/** The events right after the connection: the socket need not be open yet. */
export function introduce(trace) {
    trace('identity', null, { user: CLIENT, conference: CONFERENCE });
    trace('wsconnect', null, 41);
    trace('tags', null, { release: '5.2.0', text: 'line\nbreak \u2028 "quoted" \\ \ud83e', nothing: null });
}

/** Events in the shapes of older clients. */
export function sendOldShapes(trace) {
    const report = { id: 'ssrc_1_send', type: 'ssrc', bytesSent: '7', packetsSent: '1', googTrackId: 'old track' };

    trace('create', OLD_CONNECTION, { browserType: 'webkit', iceServers: [] });
    trace('constraints', OLD_CONNECTION, { mandatory: { a: true },
        constraintsOptional: { rtcStatsClientId: CLIENT, rtcStatsPeerId: 'old peer', googDscp: true } });
    trace('addStream', OLD_CONNECTION, 'old-stream audio:old track');
    trace('getstats', OLD_CONNECTION, { values: { 'ssrc_1_send': { ...report, timestamp: 0 } },
        timestamp: Date.now() });
    trace('setLocalDescriptionOnError', OLD_CONNECTION, 'InvalidStateError');
    trace('createOfferOnError', OLD_CONNECTION, null);
}

/** Starts regular events; the returned function ends them, with a rating as the last word. */
export function runApplication(trace) {
    let tick = 0;
    const timer = setInterval(() => {
        trace('tags', null, { tick });
        tick += 1;
    }, TICK_MS);

    return () => {
        clearInterval(timer);
        trace('userfeedback', null, { mediaType: 'video', score: 4 });
    };
}

/** Many events at once, so that a server is killed in the middle of work. None is longer than features keep. */
export function burst(trace, count) {
    for (let i = 0; i < count; i += 1) {
        trace('tags', null, { burst: i, text: 'x'.repeat(200 + i % 700) });
    }
}
