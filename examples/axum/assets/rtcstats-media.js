/** What happens to devices, tracks, and the elements that show them. */
import { quietly } from './rtcstats-patches.js';

const PREFIX = 'navigator.mediaDevices.';

/** Calls that give tracks, with the codes in the numbers of these calls. */
const CODES = { getUserMedia: 60, getDisplayMedia: 63 };

/** A track as it stands in events, with the streams that it is in. */
export function describeTrack(track, ...streams) {
    return [ track.kind, track.id, track.label, ...streams.map(stream => stream.id) ];
}

/** Follows the devices of a page, the tracks that come of them, and those that come from afar. */
export class MediaTracing {
    #scope;
    #recorder;
    #patches;

    #calls = {};
    /** Tracks that were asked for, with the number of that call; those that are sent, with none. */
    #local = new WeakMap();
    /** Received tracks with their connections. */
    #received = new WeakMap();
    #shown = new WeakSet();
    #listening = new AbortController();

    constructor({ scope, recorder, patches }) {
        this.#scope = scope;
        this.#recorder = recorder;
        this.#patches = patches;
    }

    /** Follows what happens from here on. */
    start() {
        const { navigator, MediaStreamTrack, HTMLMediaElement } = this.#scope;
        const devices = navigator?.mediaDevices;

        if (devices) {
            this.#traceDevices(devices);
        }
        if (MediaStreamTrack) {
            this.#traceLocalTracks(MediaStreamTrack.prototype);
        }
        if (HTMLMediaElement) {
            this.#patches.setter(HTMLMediaElement.prototype, 'srcObject', element => this.#traceSize(element));
        }
    }

    /** Follows nothing any more. */
    stop() {
        this.#listening.abort();
    }

    /** Says that a connection sends this track. */
    sent(track) {
        if (!this.#local.has(track)) {
            this.#local.set(track, null);
        }
    }

    /** Says that a connection receives this track. */
    received(track, connection) {
        if (this.#received.has(track)) {
            return;
        }
        this.#received.set(track, connection);
        for (const type of [ 'mute', 'unmute' ]) {
            this.#on(track, type, () =>
                this.#recorder.trace(`MediaStreamTrack.on${type}`, connection, track.id));
        }
    }

    #on(target, type, listener) {
        const { signal } = this.#listening;

        target.addEventListener(type, event => {
            if (!signal.aborted) {
                quietly(() => listener(event));
            }
        }, { signal });
    }

    #traceDevices(devices) {
        for (const name of Object.keys(CODES)) {
            this.#traceAcquisition(devices, name);
        }
        this.#patches.method(devices, 'enumerateDevices', {
            before() {},
            after: (self, args, found) => this.#recorder.trace(`${PREFIX}enumerateDevices`, null, found)
        });
        this.#on(devices, 'devicechange', () => this.#recorder.trace(`${PREFIX}ondevicechange`, null, null));
    }

    #traceAcquisition(devices, name) {
        this.#patches.method(devices, name, {
            before: (self, [ constraints ]) => {
                const number = `${CODES[name]}-${this.#calls[name] ?? 0}`;

                this.#calls[name] = (this.#calls[name] ?? 0) + 1;
                this.#recorder.trace(PREFIX + name, null, constraints, number);

                return number;
            },
            after: (self, args, stream, number) => {
                const tracks = stream.getTracks();

                this.#recorder.trace(`${PREFIX}${name}OnSuccess`, null,
                    tracks.map(track => describeTrack(track, stream)), number);
                for (const track of tracks) {
                    this.#acquired(track, number);
                }
            },
            failed: (self, args, error, number) =>
                this.#recorder.trace(`${PREFIX}${name}OnFailure`, null, String(error), number)
        });
    }

    #acquired(track, number) {
        this.#local.set(track, number);
        this.#on(track, 'ended', () => this.#recorder.trace('MediaStreamTrack.onended', null, track.id, number));
    }

    #traceLocalTracks(prototype) {
        for (const name of [ 'stop', 'applyConstraints' ]) {
            this.#patches.method(prototype, name, {
                before: (track, args) => {
                    if (track.readyState !== 'ended') {
                        this.#recorder.trace(`MediaStreamTrack.${name}`, null, args, track.id,
                            this.#local.get(track) ?? null);
                    }
                }
            });
        }
        for (const name of [ 'enabled', 'contentHint' ]) {
            this.#patches.setter(prototype, name, track => {
                if (this.#local.has(track)) {
                    this.#recorder.trace(`MediaStreamTrack.${name}`, null, track[name], track.id);
                }
            });
        }
    }

    /** How large received video is, and how large it is shown. */
    #traceSize(element) {
        if (this.#shown.has(element) || !('videoWidth' in element)) {
            return;
        }
        this.#shown.add(element);
        this.#on(element, 'resize', () => {
            const track = element.srcObject?.getVideoTracks?.().find(candidate => this.#received.has(candidate));

            if (track) {
                const { clientWidth: width, clientHeight: height, videoWidth, videoHeight } = element;

                this.#recorder.trace('HTMLMediaElement.resize', this.#received.get(track),
                    { width, height, videoWidth, videoHeight }, track.id);
            }
        });
    }
}
