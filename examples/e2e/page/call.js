/**
 * A call of the page with itself: two connections, fake camera and microphone, a data channel, trickled candidates.
 */

/** Plays a remote stream, so that the receiving side decodes and renders as in a real call. */
function play(stream) {
    const video = document.createElement('video');

    video.srcObject = stream;
    video.muted = true;
    video.autoplay = true;
    document.body.append(video);
}

/** Hands candidates of `from` to `to`, once `to` can take them. */
function trickle(from, to, described) {
    from.addEventListener('icecandidate', async ({ candidate }) => {
        if (candidate) {
            await described;
            await to.addIceCandidate(candidate);
        }
    });
}

/** Resolves when `connection` is connected. */
function connected(connection) {
    return new Promise((resolve, reject) => {
        connection.addEventListener('connectionstatechange', () => {
            if (connection.connectionState === 'connected') {
                resolve();
            } else if (connection.connectionState === 'failed') {
                reject(new Error('the loopback call failed to connect'));
            }
        });
    });
}

/** SSRC of the first video source in a description. */
function videoSsrc({ sdp }) {
    return Number(/^m=video[^]*?^a=ssrc:(\d+)/m.exec(sdp)?.[1]);
}

/** Offer and answer from `caller` to `callee`; `onDescribed` hears of each that has its remote description. */
async function negotiate(caller, callee, onDescribed = () => {}) {
    const offer = await caller.createOffer({ offerToReceiveAudio: true });

    await caller.setLocalDescription(offer);
    await callee.setRemoteDescription(offer);
    onDescribed(callee);

    const answer = await callee.createAnswer();

    await callee.setLocalDescription(answer);
    await caller.setRemoteDescription(answer);
    onDescribed(caller);
}

/**
 * Sets the call up and waits until both sides are connected. The wrapped constructor must be in place already.
 *
 * `constraints.caller` and `constraints.callee` are the second arguments of the two constructors: browsers pass over
 * them, the stock clients report them.
 */
export async function startCall(constraints) {
    const media = await navigator.mediaDevices.getUserMedia({
        audio: true,
        video: { width: 320, height: 240, frameRate: 15 }
    });
    const iceServers = [];
    const caller = new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle' }, constraints.caller);
    const callee = new RTCPeerConnection({ iceServers }, constraints.callee);
    const bothConnected = Promise.all([ connected(caller), connected(callee) ]);

    let callerDescribed;
    let calleeDescribed;

    trickle(callee, caller, new Promise(resolve => { callerDescribed = resolve; }));
    trickle(caller, callee, new Promise(resolve => { calleeDescribed = resolve; }));
    callee.addEventListener('track', event => play(event.streams[0]));
    caller.addEventListener('track', event => play(event.streams[0]));

    caller.createDataChannel('bridge', { ordered: true });
    media.getTracks().forEach(track => caller.addTrack(track, media));
    media.getTracks().forEach(track => callee.addTrack(track, media));

    await negotiate(caller, callee, side => (side === callee ? calleeDescribed() : callerDescribed()));
    await bothConnected;

    return {
        caller,
        ssrc: videoSsrc(caller.remoteDescription),
        /** Once more offer and answer, which now hold the candidates. */
        negotiateAgain: () => negotiate(caller, callee),
        end() {
            caller.close();
            callee.close();
            media.getTracks().forEach(track => track.stop());
        }
    };
}
