/** Stand-ins for what a browser offers, so that tracing can be tested without one. */

class Track extends EventTarget {
    static #made = 0;

    #enabled = true;

    constructor(kind) {
        super();
        Track.#made += 1;
        Object.assign(this, { kind, id: `track-${Track.#made}`, label: `${kind} source`, readyState: 'live' });
    }

    get enabled() {
        return this.#enabled;
    }

    set enabled(value) {
        this.#enabled = Boolean(value);
    }

    stop() {
        this.readyState = 'ended';
    }

    async applyConstraints() {}
}

/** An array of tracks with a name. */
export class Stream {
    constructor(id, tracks) {
        this.id = id;
        this.tracks = tracks;
    }

    getTracks() {
        return this.tracks;
    }
}

class Sender {
    constructor(track) {
        this.track = track;
    }

    async setParameters() {
        return undefined;
    }

    async replaceTrack(track) {
        this.track = track;
    }
}

class Transceiver {
    constructor(track, kind) {
        this.sender = new Sender(track);
        this.receiver = { track: new Track(kind) };
    }

    setCodecPreferences() {}
}

class Connection extends EventTarget {
    static async generateCertificate() {
        return { certificate: true };
    }

    #transceivers = [];
    /** What `getStats` returns. */
    report = {};
    signalingState = 'stable';
    connectionState = 'new';
    localDescription = null;

    constructor(configuration) {
        super();
        if (configuration?.iceServers === 'wrong') {
            throw new TypeError('iceServers');
        }
    }

    createOffer(...args) {
        const description = { type: 'offer', sdp: 'v=0\r\n' };

        if (typeof args[0] === 'function') {
            args[0](description);

            return Promise.resolve();
        }

        return Promise.resolve(description);
    }

    async setLocalDescription(description = { type: 'offer', sdp: 'implicit' }) {
        this.localDescription = description;
    }

    setRemoteDescription() {
        return Promise.reject(Object.assign(new Error('no'), { name: 'InvalidAccessError' }));
    }

    async addIceCandidate() {}

    addTrack(track) {
        const transceiver = new Transceiver(track, track.kind);

        this.#transceivers.push(transceiver);

        return transceiver.sender;
    }

    addTransceiver(source) {
        const track = typeof source === 'string' ? null : source;
        const transceiver = new Transceiver(track, track?.kind ?? source);

        this.#transceivers.push(transceiver);

        return transceiver;
    }

    removeTrack() {}

    createDataChannel(label) {
        return { label };
    }

    getTransceivers() {
        return this.#transceivers;
    }

    restartIce() {}

    setConfiguration() {}

    async getStats() {
        return new Map(Object.entries(structuredClone(this.report)));
    }

    close() {
        this.signalingState = 'closed';
    }

    /** Enters a state, and says so. */
    enter(connectionState) {
        this.connectionState = connectionState;
        this.dispatchEvent(new Event('connectionstatechange'));
    }
}

class Devices extends EventTarget {
    async getUserMedia(constraints) {
        if (!constraints) {
            throw new TypeError('no constraints');
        }

        return new Stream('stream', Object.keys(constraints).map(kind => new Track(kind)));
    }

    async enumerateDevices() {
        return [];
    }
}

/** The sockets of one page; `sockets` has all that were opened. */
function socketClass(sockets) {
    return class Socket extends EventTarget {
        readyState = 0;
        bufferedAmount = 0;
        sent = [];

        constructor(url, protocol) {
            super();
            Object.assign(this, { url, protocol });
            sockets.push(this);
        }

        send(text) {
            this.sent.push(text);
        }

        close() {
            this.end(1005);
        }

        /** The server lets it in. */
        open() {
            this.readyState = 1;
            this.dispatchEvent(new Event('open'));
        }

        /** Either side, or the network, ends it. */
        end(code) {
            if (this.readyState !== 3) {
                this.readyState = 3;
                this.dispatchEvent(Object.assign(new Event('close'), { code }));
            }
        }

        /** What was sent, parsed. */
        get messages() {
            return this.sent.filter(text => text !== '').map(text => JSON.parse(text));
        }
    };
}

/** What a page has of the browser, all of it new; and the `sockets` that are opened in it. */
export function fakePage() {
    const sockets = [];

    class RTCPeerConnection extends Connection {}
    for (const name of Object.getOwnPropertyNames(Connection.prototype)) {
        if (name !== 'constructor') {
            Object.defineProperty(RTCPeerConnection.prototype, name,
                Object.getOwnPropertyDescriptor(Connection.prototype, name));
        }
    }
    class MediaStreamTrack extends Track {}
    const scope = {
        WebSocket: socketClass(sockets),
        RTCPeerConnection,
        webkitRTCPeerConnection: RTCPeerConnection,
        RTCRtpSender: Sender,
        RTCRtpTransceiver: Transceiver,
        MediaStreamTrack: Track,
        navigator: { hardwareConcurrency: 8, mediaDevices: new Devices() },
        screen: { availWidth: 800, availHeight: 600 },
        innerWidth: 400,
        innerHeight: 300,
        devicePixelRatio: 2,
        location: { href: 'https://page.example/room' }
    };

    return { scope, sockets, MediaStreamTrack };
}
