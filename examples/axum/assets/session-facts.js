/** What there is to know of a session at a glance. */
import { element, setText } from './elements.js';
import { NOTHING, formatDate, formatDuration, formatNumber } from './quantities.js';

/** What the states are called. */
const STATES = { live: 'Live', resumable: 'Waiting for its client', finished: 'Finished', imported: 'Imported, not stored' };

/** Longer texts take the place of two. */
const WIDE = 30;

/** A list of facts; those that are not known are left out. */
export class SessionFacts {
    #model;
    #time;
    #values = new Map();
    #stopListening;

    /**
     * @param {import('./session-model.js').SessionModel} model
     * @param {import('./time-axis.js').TimeAxis} time
     */
    constructor(model, time) {
        this.#model = model;
        this.#time = time;
        this.element = element('dl', { class: 'facts' });
        this.#stopListening = time.onChange(what => what === 'zone' && this.update());
        this.update();
    }

    /** Takes what changed in the model. */
    update() {
        for (const [ name, text ] of factsOf(this.#model, this.#time.zone)) {
            let value = this.#values.get(name);

            if (text === null || text === undefined || text === '' || text === NOTHING) {
                value?.parentElement.remove();
                this.#values.delete(name);
                continue;
            }
            if (!value) {
                value = element('dd', { dir: 'auto' });
                this.#values.set(name, value);
                this.element.append(element('div', {}, element('dt', {}, name), value));
            }
            setText(value, String(text));
            value.parentElement.classList.toggle('wide', String(text).length > WIDE);
        }
    }

    close() {
        this.#stopListening();
    }
}

/**
 * What a state is called.
 *
 * @param {string} state
 * @returns {string}
 */
export function stateName(state) {
    return STATES[state] ?? state ?? 'Unknown';
}

function factsOf({ session, features, startMs, endMs, connections, events, eventsOmitted }, zone) {
    const { rtcstats } = features;
    const jitsi = { ...features.jitsi, ...features.jitsi?.features };
    const browser = [ session.browser, session.browserVersion ].filter(isText).join(' ')
        || [ jitsi.browserInfo?.name, jitsi.browserInfo?.version ].filter(isText).join(' ');
    const reports = connections.reduce((sum, { times }) => sum + times.length, 0);
    const start = startMs ?? session.startMs ?? session.startedMs;
    const end = endMs ?? session.endMs;

    return [
        [ 'Conference', first(session.conference, jitsi.dumpMetadata?.conferenceId, session.conferenceUrl) ],
        [ 'User', first(session.user, jitsi.dumpMetadata?.userId) ],
        [ 'Client', first(session.client, knownClient(session.clientType)) ],
        [ 'Browser', browser ],
        [ 'System', first(jitsi.browserInfo?.os, rtcstats?.operatingSystem) ],
        [ 'Protocol', first(session.generation, session.format) ],
        [ 'Start', formatDate(start, zone) ],
        [ 'End', session.state === 'live' ? null : formatDate(end, zone) ],
        [ 'Duration', formatDuration(end - start) ],
        [ 'Connections', connections.length ],
        [ 'Reports', formatNumber(reports) ],
        [ 'Events', formatNumber(events.length + eventsOmitted) ],
        [ 'Lines that could not be read', session.malformed ? formatNumber(session.malformed) : null ],
        [ 'Size', typeof session.bytes === 'number' ? formatNumber(session.bytes, 'B') : null ],
        [ 'Session', session.id ],
        [ 'User agent', first(session.userAgent, jitsi.browserInfo?.userAgent, rtcstats?.userAgent) ]
    ];
}

function isText(value) {
    return typeof value === 'string' && value !== '';
}

function first(...values) {
    return values.find(isText) ?? null;
}

/** What Jitsi's features call clients that they do not know tells readers nothing. */
function knownClient(clientType) {
    return clientType === 'UNSUPPORTED_CLIENT' ? null : clientType;
}
