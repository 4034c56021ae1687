/** Features of a legacy client's session that are known without extracting them. */

/** What follows from the page's log without any extraction: values by the path of their member. */
export function legacyExpectations({ frames, origin }) {
    const events = frames.map(frame => JSON.parse(frame));
    const valueOf = name => events.findLast(event => event[0] === name)?.[2];
    const { user, conference } = valueOf('identity');
    const connections = new Set(events.map(([ , pc ]) => pc).filter(pc => pc !== null));

    return {
        'legacy.client.origin': origin,
        'legacy.client.clientIdentifier': user,
        'legacy.client.conferenceIdentifier': conference,
        'legacy.client.webSocketConnectionTime': valueOf('wsconnect'),
        'legacy.client.calledLegacyGetUserMedia': false,
        'legacy.client.tags': valueOf('tags'),
        'legacy.client.feedback': valueOf('userfeedback'),
        'legacy.client.usesHttpProxy': false,
        'rtcstats.calledGetUserMedia': true,
        'rtcstats.peerConnections.length': connections.size
    };
}
