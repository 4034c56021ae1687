/** Which numbers are drawn together without being asked for. */

/**
 * The groups, in their order on the page. `series`: for a type of object, names of its series; of a list of names, the
 * first that the object has.
 */
const GROUPS = [
    { name: 'Bitrate sent', series: {
        'outbound-rtp': [ '[bytesSent_in_bits/s]' ],
        'candidate-pair': [ 'availableOutgoingBitrate' ],
        'VideoBwe': [ 'googActualEncBitrate', 'googTransmitBitrate', 'googAvailableSendBandwidth' ],
        'ssrc': [ '[bytesSent_in_bits/s]' ] } },
    { name: 'Bitrate received', series: {
        'inbound-rtp': [ '[bytesReceived_in_bits/s]' ],
        'candidate-pair': [ 'availableIncomingBitrate' ],
        'ssrc': [ '[bytesReceived_in_bits/s]' ] } },
    { name: 'Packet loss', series: {
        'inbound-rtp': [ [ '[packetsLost/s]', 'packetsLost' ] ],
        'remote-inbound-rtp': [ 'fractionLost', [ '[packetsLost/s]', 'packetsLost' ] ],
        'ssrc': [ [ '[packetsLost/s]', 'packetsLost' ] ] } },
    { name: 'Round-trip time', series: {
        'candidate-pair': [ 'currentRoundTripTime' ],
        'remote-inbound-rtp': [ 'roundTripTime' ],
        'remote-outbound-rtp': [ 'roundTripTime' ],
        'googCandidatePair': [ 'googRtt' ],
        'ssrc': [ 'googRtt' ] } },
    { name: 'Jitter', series: {
        'inbound-rtp': [ 'jitter', '[jitterBufferDelay/jitterBufferEmittedCount_in_ms]' ],
        'remote-inbound-rtp': [ 'jitter' ],
        'ssrc': [ 'googJitterReceived', 'googJitterBufferMs' ] } },
    { name: 'Frame rate', series: {
        'inbound-rtp': [ 'framesPerSecond' ],
        'outbound-rtp': [ 'framesPerSecond' ],
        'media-source': [ 'framesPerSecond' ],
        'ssrc': [ 'googFrameRateSent', 'googFrameRateReceived' ] } },
    { name: 'Resolution', series: {
        'inbound-rtp': [ 'frameWidth', 'frameHeight' ],
        'outbound-rtp': [ 'frameWidth', 'frameHeight' ],
        'ssrc': [ 'googFrameWidthReceived', 'googFrameWidthInput', 'googFrameHeightInput' ] } },
    { name: 'Freezes', series: {
        'inbound-rtp': [ 'freezeCount', 'totalFreezesDuration', 'pauseCount' ] } },
    { name: 'Concealment', series: {
        'inbound-rtp': [ [ '[concealedSamples/s]', 'concealedSamples' ], 'concealmentEvents' ] } },
    { name: 'Quality limitation', prefixes: [ 'qualityLimitation', '[qualityLimitation' ], series: {
        'outbound-rtp': [] } },
    { name: 'Audio level', series: {
        'inbound-rtp': [ [ 'audioLevel', '[Audio_Level_in_RMS]' ] ],
        'media-source': [ [ 'audioLevel', '[Audio_Level_in_RMS]' ] ] } }
];

/** What numbers of a candidate pair are worth only of those that are used. */
const PAIR = 'candidate-pair';

/**
 * The groups of a connection that have anything to show, one for each unit in them:
 * `{ id, title, unit, members: [{ object, series }] }`.
 *
 * @param {Object} connection of a session's view
 * @returns {Array<{id: string, title: string, unit: string, members: Array<{object: Object, series: Object}>}>}
 */
export function groupsOf(connection) {
    const groups = [];

    for (const group of GROUPS) {
        const byUnit = new Map();

        for (const object of connection.objects) {
            for (const series of seriesOf(group, object)) {
                const unit = series.unit ?? '';

                byUnit.set(unit, [ ...byUnit.get(unit) ?? [], { object, series } ]);
            }
        }
        for (const [ unit, members ] of byUnit) {
            groups.push({ id: `${group.name}/${unit}`, unit, members, title: titleOf(group, members, byUnit.size > 1) });
        }
    }

    return groups;
}

function seriesOf(group, object) {
    const wanted = group.series[object.type];

    if (!wanted || (object.type === PAIR && !isUsed(object))) {
        return [];
    }
    const named = wanted.map(names => [ names ].flat().map(name => find(object, name)).find(Boolean));
    const prefixed = (group.prefixes ?? []).flatMap(prefix =>
        object.series.filter(({ name }) => name.startsWith(prefix)));

    return [ ...named, ...prefixed ].filter(series => series?.values.some(value => value !== null));
}

function find(object, wanted) {
    return object.series.find(({ name }) => name === wanted);
}

function isUsed(object) {
    return (find(object, 'bytesSent')?.values.some(value => value > 0)
        || find(object, 'currentRoundTripTime')?.values.some(value => value !== null)) ?? false;
}

/** Groups of several units are told apart by what is in them. */
function titleOf({ name }, members, hasOthers) {
    if (!hasOthers) {
        return name;
    }
    const names = [ ...new Set(members.map(({ series }) => series.name)) ];

    return `${name} (${names.slice(0, 2).join(', ')}${names.length > 2 ? ', …' : ''})`;
}
