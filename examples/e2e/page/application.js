/**
 * What a Jitsi Meet application adds to the connection events: identity, speakers, round trips, faces, logs.
 */

/** The participant under test. */
export const OWN_ENDPOINT = 'a1b2c3d4';

/** Others of the imaginary conference. */
const OTHERS = [ 'e5f60718', '9a0b1c2d' ];

/** Pace of the application's events. */
const TICK_MS = 400;

/** The large first identity and the small second one, as the application sends them right after it connected. */
export function introduce(identity, statsEntry) {
    identity('identity', null, {
        applicationName: 'Jitsi Meet',
        confID: 'meet.example.org/tenant/e2e-room',
        confName: 'e2e-room',
        endpointId: OWN_ENDPOINT,
        displayName: 'Zoë "the tester" 🦀',
        isBreakoutRoom: false,
        deploymentInfo: { environment: 'e2e', envType: 'test', releaseNumber: '1', shard: 's1', region: 'eu-central-1',
            userRegion: 'eu-central-1', crossRegion: 0 },
        hosts: { domain: 'meet.example.org' }
    });
    identity('identity', null, { meetingUniqueId: '6f1e2d3c-0000-4000-8000-00000000e2e0' });
    statsEntry('conferenceStartTimestamp', null, Date.now() - 1000);
}

/** Someone speaks; `null` is silence. */
function speaker(statsEntry, endpoint) {
    statsEntry('dominantSpeaker', null, { dominantSpeakerEndpoint: endpoint, previousSpeakers: OTHERS });
}

/** The rota of events, one a tick; each takes `(statsEntry, tick, ssrc)`. */
const ROTA = [
    statsEntry => speaker(statsEntry, OWN_ENDPOINT),
    (statsEntry, tick) => statsEntry('e2eRtt', null,
        { remoteEndpointId: OTHERS[tick % 2], rtt: 40 + (tick / 8), remoteRegion: 'us-east-1' }),
    statsEntry => speaker(statsEntry, OTHERS[0]),
    (statsEntry, tick, ssrc) => statsEntry('setVideoType', null,
        { ssrc, videoType: tick % 2 ? 'camera' : 'desktop', ownerEndpointId: OTHERS[0] }),
    (statsEntry, tick) => statsEntry('faceLandmarks', null,
        { duration: 2, faceLandmarks: [ 'happy', 'neutral', 'surprised', 'camera-on' ][tick % 4],
            timestamp: Date.now() }),
    statsEntry => speaker(statsEntry, null),
    (statsEntry, tick) => statsEntry('logs', null, [
        // Line breaks, a line separator and an emoji cut in half by a length limit: all occur in real logs.
        { text: `tick ${tick}\nsecond line\u2028third \\ "quoted" \ud83e`, timestamp: Date.now(), count: 2 },
        `plain text ${tick}`
    ]),
    statsEntry => statsEntry('audioMutedChanged', null, undefined),
    statsEntry => speaker(statsEntry, OTHERS[1])
];

/** Starts the rota; the returned function ends it, with the two last words of an application. */
export function runApplication(statsEntry, ssrc) {
    let tick = 0;
    const timer = setInterval(() => {
        ROTA[tick % ROTA.length](statsEntry, tick, ssrc);
        tick += 1;
    }, TICK_MS);

    return () => {
        clearInterval(timer);
        // Not silence last: the speaker figures stay 0 after that.
        speaker(statsEntry, OWN_ENDPOINT);
        statsEntry('conferenceStartTimestamp', null, 0);
    };
}

/** Many entries at once, so that a server is killed or a connection cut in the middle of work. */
export function burst(statsEntry, count) {
    for (let i = 0; i < count; i += 1) {
        statsEntry('logs', null, [ { text: `burst ${i} ${'x'.repeat(200 + i)}`, timestamp: Date.now() } ]);
    }
}
