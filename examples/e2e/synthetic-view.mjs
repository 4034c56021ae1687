/** A session's view that no client sent: as large and as hostile as a test wants it. */

/** Markup that would run, or be drawn, if it were taken for such. */
export const MARKUP = '<img src=x onerror="window.hacked=1"><b>bold</b>&amp;<script>window.hacked=1</script>';

const START_MS = Date.UTC(2026, 10, 20, 12);

const CATEGORIES = [ 'api', 'state', 'negotiation', 'candidate', 'media', 'client', 'other' ];

/** Numbers that go up and down, and now and then are missing. */
function wave(count, scale, phase) {
    return Array.from({ length: count }, (_, index) =>
        ((index + phase) % 37 === 36 ? null : Math.round(scale * (1 + Math.sin((index + phase) / 9)) * 100) / 100));
}

function makeObject(index, reports, text) {
    const isVideo = index % 2 === 0;
    const type = index % 3 === 0 ? 'outbound-rtp' : 'inbound-rtp';
    const sent = type === 'outbound-rtp' ? 'Sent' : 'Received';
    const series = [
        { name: `bytes${sent}`, unit: 'B', first: 0, values: Array.from({ length: reports }, (_, at) => at * 40_000) },
        { name: `[bytes${sent}_in_bits/s]`, unit: 'bit/s', of: `bytes${sent}`, first: 1, values: wave(reports - 1, 3e5, index) },
        { name: 'jitter', unit: 's', first: 0, values: wave(reports, 0.01, index) },
        { name: 'packetsLost', unit: '', first: 0, values: wave(reports, 4, index) },
        ...isVideo ? [ { name: 'framesPerSecond', unit: '1/s', first: 0, values: wave(reports, 15, index) },
            { name: 'frameWidth', unit: 'px', first: 0, values: wave(reports, 640, index).map(value => value && Math.round(value)) } ] : [],
        { name: text, unit: '', first: 0, values: wave(reports, 1, index) },
        ...Array.from({ length: 30 }, (_, at) => ({ name: `number${at}`, unit: '', first: 0, values: wave(reports, at, index) }))
    ];

    return { id: `O${index}${text}`, type, kind: isVideo ? 'video' : 'audio', label: `${type} ${index} ${text}`, series };
}

/**
 * A view with so many objects of so many `reports`, and so many `events`; `text` is in everything that a client names.
 */
export function syntheticView({ id = 'synthetic', state = 'finished', objects = 10, reports = 600, events = 200, text = 'VP8' }) {
    const times = Array.from({ length: reports }, (_, index) => START_MS + (index * 1000));
    const at = index => START_MS + Math.round(index * reports * 1000 / Math.max(1, events));

    return {
        session: { id, state, conference: `Conference ${text}`, user: `User ${text}`, browser: `Browser ${text}`, userAgent: text },
        startMs: times[0],
        endMs: times.at(-1),
        features: { rtcstats: { duration: reports * 1000, startTime: START_MS, [`name ${text}`]: text,
            peerConnections: [ { id: `PC ${text}`, connected: true, tracks: [ { kind: 'video', label: text } ] } ] } },
        connections: [ { id: `PC_0 ${text}`, label: text, times,
            objects: Array.from({ length: objects }, (_, index) => makeObject(index, reports, text)) } ],
        events: Array.from({ length: events }, (_, index) => ({ ms: at(index), connection: index % 3 ? `PC_0 ${text}` : null,
            category: CATEGORIES[index % CATEGORIES.length], name: `event${index} ${text}`, text: `what ${index} ${text}`,
            detail: JSON.stringify({ index, text }) })),
        eventsOmitted: 0,
        isIncomplete: false
    };
}
