/** Many finished sessions, stored by uploading small dumps. */

/** Where the server takes uploads; see `serverArguments`. */
const PATH = '/upload';

/** Flags of a server that takes them. */
export const serverArguments = [ '--upload-path', PATH ];

/** Uploads at a time: the server refuses many more. */
const AT_ONCE = 4;

const USER_AGENTS = [
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36',
    'Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15'
];

/** When the first of them began. */
const BEGIN_MS = 1_700_000_000_000;

/**
 * Stores `count` sessions: `user-0`, `user-1`, … in `room-0` to `room-96`, every third with the same browser, each a
 * minute after the one before and a millisecond longer, `index % 100` packets lost of 1,000 received.
 */
export async function storeSessions(origin, count) {
    let next = 0;
    const store = async () => {
        while (next < count) {
            const index = next;

            next += 1;
            await storeSession(origin, index, { user: `user-${index}`, conference: `room-${index % 97}` });
        }
    };

    await Promise.all(Array.from({ length: AT_ONCE }, store));
}

/** Stores one session, of which the application says who it is. */
export async function storeSession(origin, index, identity) {
    const time = BEGIN_MS + (index * 60_000);
    const report = {
        T1: { timestamp: time, type: 'transport', selectedCandidatePairId: 'CP1' },
        CP1: { timestamp: time, type: 'candidate-pair', state: 'succeeded', nominated: true, localCandidateId: 'L',
            remoteCandidateId: 'R', currentRoundTripTime: 0.05, totalRoundTripTime: (index % 40) / 10, responsesReceived: 10 },
        IT1: { timestamp: time, type: 'inbound-rtp', kind: 'audio', ssrc: 1234, packetsReceived: 1000,
            packetsLost: index % 100, trackIdentifier: 'x' }
    };
    const dump = [ 'RTCStatsDump', ...[
        { fileFormat: 3, userAgent: USER_AGENTS[index % 3], startTime: time, url: '/page' },
        [ 'identity', null, identity, time ],
        [ 'create', 'PC_0', {}, 1 ],
        [ 'getStats', 'PC_0', report, 60_000 + index ]
    ].map(line => JSON.stringify(line)) ].join('\n');
    const response = await fetch(origin + PATH, { method: 'POST',
        headers: { 'content-type': 'multipart/form-data; boundary=x' }, body: `--x\r\n\r\n${dump}\r\n--x--\r\n` });

    if (!response.ok) {
        throw new Error(`upload of session ${index}: status ${response.status}`);
    }
}
