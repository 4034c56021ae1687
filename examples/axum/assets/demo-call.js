/** A call of this page with itself. */

/** A caller that sends sound and pictures, and a callee that sends them back. */
export class LoopbackCall {
    #media;
    #caller = new RTCPeerConnection();
    #callee = new RTCPeerConnection();
    /** One negotiation at a time. */
    #negotiated = Promise.resolve();

    /**
     * @param {MediaStream} media What is sent, both ways.
     * @param {object} hears
     * @param {(stream: MediaStream) => void} hears.onReceived What the callee gets.
     * @param {(state: string) => void} hears.onState How the caller's connection is.
     */
    constructor(media, { onReceived, onState }) {
        this.#media = media;
        this.#callee.addEventListener('track', ({ streams: [ stream ] }) => onReceived(stream));
        this.#caller.addEventListener('connectionstatechange', () => onState(this.#caller.connectionState));
        trickle(this.#caller, this.#callee);
        trickle(this.#callee, this.#caller);
    }

    /** Calls. Resolves when both sides are described; `onState` tells when they are connected. */
    start() {
        this.#caller.createDataChannel('notes', { ordered: true });
        for (const connection of [ this.#caller, this.#callee ]) {
            for (const track of this.#media.getTracks()) {
                connection.addTrack(track, this.#media);
            }
        }

        return this.#negotiate();
    }

    /** Sends sound, or pictures, or none of these (`kind` is `audio` or `video`). */
    mute(kind, isMuted) {
        for (const track of this.#media.getTracks().filter(candidate => candidate.kind === kind)) {
            track.enabled = !isMuted;
        }
    }

    /** Sends no more than so many bits of video a second; without a number, as many as it likes. */
    limitBandwidth(bitsPerSecond) {
        return this.#encode({ maxBitrate: bitsPerSecond });
    }

    /** Sends pictures of a half, a third … of the width and height. */
    divideResolution(divisor) {
        return this.#encode({ scaleResolutionDownBy: divisor });
    }

    /** Looks for a way once more, while the call goes on. */
    restartIce() {
        return this.#negotiate({ iceRestart: true });
    }

    /** Ends it. */
    close() {
        this.#caller.close();
        this.#callee.close();
    }

    async #encode(change) {
        const sender = this.#caller.getSenders().find(({ track }) => track?.kind === 'video');
        const parameters = sender.getParameters();

        for (const encoding of parameters.encodings) {
            Object.assign(encoding, change);
            for (const name of Object.keys(change).filter(key => change[key] === undefined)) {
                delete encoding[name];
            }
        }
        await sender.setParameters(parameters);
    }

    #negotiate(options) {
        this.#negotiated = this.#negotiated.catch(() => {}).then(async () => {
            await this.#caller.setLocalDescription(await this.#caller.createOffer(options));
            await this.#callee.setRemoteDescription(this.#caller.localDescription);
            await this.#callee.setLocalDescription(await this.#callee.createAnswer());
            await this.#caller.setRemoteDescription(this.#callee.localDescription);
        });

        return this.#negotiated;
    }
}

/** Hands the candidates of one side to the other, once that can take them. */
function trickle(from, to) {
    const waiting = [];
    const hand = candidate => to.addIceCandidate(candidate).catch(() => {
        // Of a description that another has replaced, or of a call that is over.
    });

    from.addEventListener('icecandidate', ({ candidate }) => {
        if (to.remoteDescription) {
            hand(candidate);
        } else {
            waiting.push(candidate);
        }
    });
    to.addEventListener('signalingstatechange', () => {
        while (to.remoteDescription && waiting.length) {
            hand(waiting.shift());
        }
    });
}
