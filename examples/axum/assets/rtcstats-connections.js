/** What happens to the peer connections of a page. */
import { describeTrack } from './rtcstats-media.js';
import { quietly } from './rtcstats-patches.js';

/** Calls that are answered later have a number, `<code of the method>-<count>`, and so has their answer. */
const CODES = {
    createOffer: 2,
    createAnswer: 4,
    setLocalDescription: 6,
    setRemoteDescription: 8,
    addIceCandidate: 10
};

/** States that have an event of their own. */
const STATES = [ 'signaling', 'iceConnection', 'connection', 'iceGathering' ];

/**
 * A peer connection that was made while tracing.
 *
 * @typedef {object} Connection
 * @property {string} id `PC_0`, `PC_1`, …
 * @property {RTCPeerConnection} pc
 * @property {*} [timer] Of its reports.
 * @property {boolean} [isPending] Whether a report is being made.
 */

/** Follows all peer connections of a page. */
export class ConnectionTracing {
    #scope;
    #recorder;
    #patches;
    #media;
    #interval;

    /** @type {Map<RTCPeerConnection, Connection>} Those that are not closed. */
    #open = new Map();
    #ids = new WeakMap();
    #made = 0;
    #calls = {};
    #listening = new AbortController();

    constructor({ scope, recorder, patches, media, interval }) {
        this.#scope = scope;
        this.#recorder = recorder;
        this.#patches = patches;
        this.#media = media;
        this.#interval = interval;
    }

    /** Follows those that are made from here on. */
    start() {
        this.#patches.constructors(this.#scope, [ 'RTCPeerConnection', 'webkitRTCPeerConnection' ],
            (pc, [ configuration, constraints ]) => this.#follow(pc, configuration, constraints));
        this.#traceDescriptions();
        this.#traceCandidates();
        this.#traceTracks();
        this.#traceOtherCalls();
        this.#traceSenders();
    }

    /** Follows none any more. */
    stop() {
        this.#listening.abort();
        for (const { timer } of this.#open.values()) {
            clearInterval(timer);
        }
        this.#open.clear();
    }

    #follow(pc, configuration, constraints) {
        const id = `PC_${this.#made}`;

        this.#made += 1;
        this.#ids.set(pc, id);
        this.#open.set(pc, { id, pc });
        this.#recorder.trace('create', id, withoutSecrets(configuration));
        if (constraints) {
            this.#recorder.trace('constraints', id, constraints);
        }
        this.#listen(pc, id);
    }

    #listen(pc, id) {
        const on = (type, describe) => this.#on(pc, type, event =>
            this.#recorder.trace(`on${type}`, id, describe(event)));

        on('icecandidate', describeCandidate);
        on('icecandidateerror', ({ address, port, hostCandidate, url, errorCode, errorText }) =>
            ({ address, port, hostCandidate, url, errorCode, errorText }));
        on('track', ({ track, streams }) => describeTrack(track, ...streams));
        on('negotiationneeded', () => null);
        on('datachannel', ({ channel }) => [ channel.id, channel.label ]);
        for (const state of STATES) {
            on(`${state.toLowerCase()}statechange`, () => pc[`${state}State`]);
        }
        this.#on(pc, 'track', ({ track }) => this.#media.received(track, id));
        this.#on(pc, 'connectionstatechange', () => this.#startReports(pc));
    }

    #on(target, type, listener) {
        const { signal } = this.#listening;

        target.addEventListener(type, event => {
            if (!signal.aborted) {
                quietly(() => listener(event));
            }
        }, { signal });
    }

    #startReports(pc) {
        const connection = this.#open.get(pc);
        const state = pc.connectionState;

        if (!connection || connection.isReported || (state !== 'connected' && state !== 'failed')) {
            return;
        }
        connection.isReported = true;
        if (this.#interval > 0) {
            connection.timer = setInterval(() => this.#report(connection), this.#interval);
        }
        this.#report(connection, `${state}-0`);
    }

    async #report(connection, ...reason) {
        const { id, pc } = connection;

        if (pc.signalingState === 'closed' || pc.connectionState === 'closed') {
            this.#forget(pc);

            return;
        }
        if (connection.isPending) {
            return;
        }
        connection.isPending = true;
        try {
            const report = await pc.getStats();

            if (pc.signalingState !== 'closed' && this.#open.has(pc)) {
                this.#recorder.traceReport(id, report, ...reason);
            }
        } catch {
            // The next one may succeed.
        }
        connection.isPending = false;
    }

    #forget(pc) {
        clearInterval(this.#open.get(pc)?.timer);
        this.#open.delete(pc);
    }

    /** Puts `around` around a method of peer connections; it gets the connection's id behind `this`. */
    #method(name, { before, after, failed, callback }) {
        const traced = action => action
            && ((pc, ...rest) => (this.#ids.has(pc) ? action(pc, this.#ids.get(pc), ...rest) : undefined));

        this.#patches.method(this.#scope.RTCPeerConnection?.prototype, name,
            { before: traced(before), after: traced(after), failed: traced(failed), callback });
    }

    /** Traces a call that is answered later. `describe` makes a value of its arguments, `result` one of its answer. */
    #call(name, callback, describe, result = () => null, prepare = () => undefined) {
        this.#method(name, {
            callback,
            before: (pc, id, args) => {
                const number = `${CODES[name]}-${this.#calls[name] ?? 0}`;

                this.#calls[name] = (this.#calls[name] ?? 0) + 1;
                this.#recorder.trace(name, id, quietly(() => describe(args)), number);

                return { number, prepared: prepare(args) };
            },
            after: (pc, id, args, value, { number, prepared }) =>
                this.#recorder.trace(`${name}OnSuccess`, id, result(value, pc, prepared), number),
            failed: (pc, id, args, error, { number }) =>
                this.#recorder.trace(`${name}OnFailure`, id, String(error), number)
        });
    }

    #traceDescriptions() {
        for (const name of [ 'createOffer', 'createAnswer' ]) {
            this.#call(name, 0, args => args.find(argument => typeof argument !== 'function'), describeDescription);
        }
        this.#call('setLocalDescription', 1, ([ description ]) => describeDescription(description),
            (value, pc, isImplicit) => (isImplicit ? describeDescription(pc.localDescription) : null),
            args => args.length === 0);
        this.#call('setRemoteDescription', 1, ([ description ]) => describeDescription(description));
    }

    #traceCandidates() {
        this.#call('addIceCandidate', 1, ([ candidate ]) => candidate);
    }

    #traceTracks() {
        const announce = name => (pc, id, args, made) => {
            const track = receiverTrack(pc, ({ sender, receiver }) => sender === made || receiver === made?.receiver);

            if (track) {
                this.#recorder.trace(`${name}OnSuccess`, id, null, track.id);
            }
        };

        this.#method('addTrack', {
            before: (pc, id, [ track, ...streams ]) => {
                this.#media.sent(track);
                this.#recorder.trace('addTrack', id, describeTrack(track, ...streams));
            },
            after: announce('addTrack')
        });
        this.#method('addTransceiver', {
            before: (pc, id, [ source, init ]) => {
                const streams = init?.streams && Array.from(init.streams, stream => stream.id);

                if (typeof source !== 'string') {
                    this.#media.sent(source);
                }
                this.#recorder.trace('addTransceiver', id, [
                    typeof source === 'string' ? source : describeTrack(source),
                    ...init ? [ { ...init, streams } ] : []
                ]);
            },
            after: announce('addTransceiver')
        });
        this.#method('removeTrack', {
            before: (pc, id, [ removed ]) =>
                this.#recorder.trace('removeTrack', id, receiverTrack(pc, ({ sender }) => sender === removed)?.id)
        });
    }

    #traceOtherCalls() {
        const trace = (name, describe) => this.#method(name, {
            before: (pc, id, args) => this.#recorder.trace(name, id, describe(args)) });

        trace('createDataChannel', ([ label, init ]) => (init ? [ label, init ] : [ label ]));
        trace('restartIce', () => null);
        trace('setConfiguration', ([ configuration ]) => withoutSecrets(configuration));
        this.#method('close', {
            before: (pc, id) => {
                if (pc.signalingState !== 'closed') {
                    this.#recorder.trace('close', id, null);
                }
                this.#forget(pc);
            }
        });
    }

    /** Senders and transceivers are known by the track of the receiver beside them. */
    #traceSenders() {
        const trace = (type, name, isMeant, describe) =>
            this.#patches.method(this.#scope[type]?.prototype, name, {
                before: (self, args) => {
                    for (const { id, pc } of this.#open.values()) {
                        const track = receiverTrack(pc, transceiver => isMeant(transceiver, self));

                        if (track) {
                            this.#recorder.trace(name, id, describe(args, self), track.id);

                            return;
                        }
                    }
                }
            });
        const isSelf = (transceiver, self) => transceiver === self;
        const isSender = ({ sender }, self) => sender === self;

        trace('RTCRtpTransceiver', 'setCodecPreferences', isSelf, ([ codecs ]) => codecs);
        trace('RTCRtpTransceiver', 'setHeaderExtensionsToNegotiate', isSelf, ([ extensions ]) => extensions);
        trace('RTCRtpSender', 'setParameters', isSender, ([ parameters, ...options ]) =>
            [ { ...parameters, transactionId: undefined }, ...options ]);
        trace('RTCRtpSender', 'replaceTrack', isSender, ([ track ], self) => {
            if (track) {
                this.#media.sent(track);
            }

            return [ self.track && describeTrack(self.track), track && describeTrack(track) ];
        });
    }
}

/** The received track of the transceiver that is meant. */
function receiverTrack(pc, isMeant) {
    return pc.getTransceivers().find(isMeant)?.receiver.track;
}

function describeDescription(description) {
    return description ? { type: description.type, sdp: description.sdp } : null;
}

function describeCandidate({ candidate }) {
    if (!candidate) {
        return null;
    }
    const { url, relayProtocol } = candidate;

    return { ...candidate.toJSON(), ...url || relayProtocol ? { url, relayProtocol } : {} };
}

/** A configuration as it may be known to others. */
function withoutSecrets(configuration) {
    if (!configuration) {
        return configuration;
    }
    const { certificates, iceServers, ...others } = configuration;

    return {
        ...others,
        ...iceServers
            ? { iceServers: Array.from(iceServers, server => ({ ...server, credential: undefined })) } : {},
        ...certificates
            ? { certificates: Array.from(certificates, certificate =>
                ({ expires: certificate.expires, fingerprints: certificate.getFingerprints?.() })) } : {}
    };
}
