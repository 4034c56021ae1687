/** Features of a Jitsi client's session that are known without extracting them. */

/** What follows from the page's log without any extraction: values by the path of their member. */
export function jitsiExpectations(log) {
    const entries = log.entries.map(({ text }) => JSON.parse(text));
    const timed = entries.filter(([ name ]) => name !== 'identity').map(entry => entry[3]);

    return {
        'dumpMetadata.conferenceId': 'e2e-room',
        'dumpMetadata.conferenceUrl': 'meet.example.org/tenant/e2e-room',
        'dumpMetadata.endpointId': 'a1b2c3d4',
        'dumpMetadata.userId': 'Zoë "the tester" 🦀',
        'dumpMetadata.app': 'Jitsi Meet',
        'dumpMetadata.sessionId': '6f1e2d3c-0000-4000-8000-00000000e2e0',
        'features.sessionStartTime': timed[0],
        'features.sessionEndTime': Math.max(...timed),
        'features.deploymentInfo.region': 'eu-central-1',
        'features.metrics.statsRequestCount': entries.filter(([ name ]) => name === 'getstats').length,
        'features.metrics.dsRequestCount': entries.filter(([ name ]) => name === 'dominantSpeaker').length,
        'features.metrics.sentimentRequestCount': entries.filter(([ name ]) => name === 'faceLandmarks').length,
        'features.aggregates.PC_0.isP2P': false,
        'features.aggregates.PC_1.isP2P': true
    };
}
