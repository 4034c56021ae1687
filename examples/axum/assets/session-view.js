/** A session on a page: live, finished, or of a dump that is not stored. */
import { ConnectionTables } from './connection-tables.js';
import { element, headings, setText, uniqueId } from './elements.js';
import { FeatureTables } from './feature-tables.js';
import { Graphs } from './graphs.js';
import { LiveUpdates } from './live-updates.js';
import { Selection } from './selection.js';
import { SessionFacts, stateName } from './session-facts.js';
import { SessionModel } from './session-model.js';
import { applyHash, toHash } from './share-link.js';
import { TimeAxis } from './time-axis.js';
import { TimeToolbar } from './time-toolbar.js';
import { Timeline } from './timeline.js';

/** What came is shown at most this often. */
const PAUSE_MS = 1000;

/** So long before the first report, and after the last one, events are on the time axis. */
const AROUND_MS = 60_000;

/** After a session is over, its stored view may take a moment; it is asked for again after this long. */
const RETRY_MS = 500;

/** How often. */
const MOST_RETRIES = 40;

/** How long an answer may take. A large session takes the server some seconds. */
const PATIENCE_MS = 60_000;

/** When nothing came for so long, the server is asked whether the client is still there; and so often. */
const SILENCE_MS = 15_000;

/**
 * Shows a session in an element.
 *
 * @param {HTMLElement} target emptied first
 * @param {{id: string}|{view: Object}} source a session of this server, which is followed while it is live; or a view
 *     that is there already, as `POST /api/import` answers it. `onTitle`, if there is one, hears what it is called
 * @returns {{close: () => void, hash: () => string}} `close` ends it; `hash` is that of a link to what is shown
 */
export function mountView(target, source) {
    const view = new SessionView(target, source);

    return { close: () => view.close(), hash: () => view.hash() };
}

class SessionView {
    #target;
    #source;
    #time = new TimeAxis();
    #selection = new Selection();
    #model = null;
    #parts = [];
    #updates = null;
    #timer = null;
    #retryTimer = null;
    #silenceTimer = null;
    #heardAt = 0;
    #status = element('p', { class: 'status', role: 'status' });
    #isClosed = false;
    #shownAt = -Infinity;
    #onHash = () => applyHash(location.hash, this.#time, this.#selection);

    constructor(target, source) {
        this.#target = target;
        this.#source = source;
        target.replaceChildren(this.#status);
        window.addEventListener('hashchange', this.#onHash);
        if (source.view) {
            this.#show(source.view);
        } else {
            setText(this.#status, 'Loading the session…');
            this.#load();
        }
    }

    close() {
        this.#isClosed = true;
        this.#updates?.close();
        clearTimeout(this.#timer);
        clearTimeout(this.#retryTimer);
        clearInterval(this.#silenceTimer);
        window.removeEventListener('hashchange', this.#onHash);
        this.#parts.forEach(part => part.close());
        this.#target.replaceChildren();
    }

    hash() {
        return toHash(this.#time, this.#selection);
    }

    async #load() {
        try {
            const view = await fetchView(this.#source.id);

            if (!this.#isClosed) {
                this.#show(view);
                this.#follow();
            }
        } catch (error) {
            if (this.#isClosed) {
                return;
            }
            this.#target.replaceChildren(headings(this.#topLevel())(0, {}, 'No session'),
                element('p', { class: 'error', role: 'alert' }, error.message));
        }
    }

    #follow() {
        if (this.#model.isOpen) {
            this.#updates = new LiveUpdates(this.#source.id, {
                onView: view => this.#replace(view),
                onUpdate: update => this.#apply(update),
                onEnd: () => this.#finish(0),
                onConnection: isConnected => this.#sayState(isConnected)
            });
            this.#silenceTimer = setInterval(() => this.#look(), SILENCE_MS);
        }
    }

    /** Asks for the state of a session that is silent. */
    async #look() {
        if (document.hidden || performance.now() - this.#heardAt < SILENCE_MS) {
            return;
        }
        const answer = await fetchJson(`/api/sessions/${encodeURIComponent(this.#source.id)}`).catch(() => null);

        if (answer?.state === 'live' || answer?.state === 'resumable') {
            this.#enter(answer.state);
        }
    }

    #enter(state) {
        if (!this.#isClosed && this.#model.isOpen && this.#model.session.state !== state) {
            this.#model.session.state = state;
            this.#sayState(true);
            this.#refreshSoon();
        }
    }

    #replace(view) {
        this.#model.replace(view);
        this.#refreshSoon();
    }

    #apply(update) {
        const isComplete = this.#model.apply(update);

        this.#heardAt = performance.now();
        // What is new comes from a client that is there.
        this.#enter('live');
        this.#refreshSoon();

        return isComplete;
    }

    /** The session is over: what is stored of it takes the place of what was followed. */
    async #finish(attempt) {
        clearInterval(this.#silenceTimer);
        try {
            const view = await fetchView(this.#source.id);

            if (view.session.state !== 'finished' && attempt < MOST_RETRIES) {
                throw new Error('the session is not stored yet');
            }
            if (!this.#isClosed) {
                this.#replace(view);
                this.#sayState(true);
            }
        } catch (error) {
            if (attempt < MOST_RETRIES && !this.#isClosed) {
                this.#retryTimer = setTimeout(() => this.#finish(attempt + 1), RETRY_MS);
            } else {
                setText(this.#status, `The session is over; what is stored of it cannot be shown: ${error.message}`);
            }
        }
    }

    /** A page with a heading of its own has the session below it. */
    #topLevel() {
        return document.querySelector('h1') && !this.#target.querySelector('h1') ? 2 : 1;
    }

    #show(view) {
        const level = headings(this.#topLevel());

        this.#model = new SessionModel(view);
        this.#extend();
        applyHash(location.hash, this.#time, this.#selection);
        const inner = (step, ...rest) => level(step + 1, ...rest);
        const facts = new SessionFacts(this.#model, this.#time);
        const toolbar = new TimeToolbar(this.#time, this.#source.id ? () => this.#link() : null);
        const graphs = new Graphs(this.#model, this.#time, this.#selection, inner);
        const connections = new ConnectionTables(this.#model, inner);
        const timeline = new Timeline(this.#model, this.#time);
        const features = new FeatureTables(this.#model, this.#time, inner);

        this.#parts = [ facts, toolbar, connections, graphs, timeline, features ];
        this.title = level(0, { dir: 'auto' });
        this.badge = element('span', { class: 'badge' });
        this.notice = element('p', { class: 'notice' });
        const sections = [ [ 'Graphs', graphs ], [ 'Connections', connections ], [ 'Events', timeline ],
            [ 'Features', features ] ].map(([ name, part ]) => section(level, name, part));

        this.#target.replaceChildren(
            element('div', { class: 'title' }, this.title, this.badge),
            this.#status, this.notice, facts.element,
            element('nav', { class: 'jumps', 'aria-label': 'Parts of this session' },
                element('ul', {}, sections.map(({ link }) => element('li', {}, link)))),
            toolbar.element,
            ...sections.map(own => own.element));
        this.#sayWhat();
        this.#sayState(true);
        this.#shownAt = performance.now();
    }

    #link() {
        const target = new URL(`/sessions/${encodeURIComponent(this.#source.id)}${this.hash()}`, location.href);

        if (target.pathname === location.pathname) {
            history.replaceState(history.state, '', target.href);
        }

        return target.href;
    }

    #extend() {
        const { startMs, endMs, connections } = this.#model;
        const ends = connections.flatMap(({ times }) => (times.length ? [ times[0], times.at(-1) ] : []));
        const [ from, to ] = ends.length ? [ Math.min(...ends), Math.max(...ends) ] : [ startMs, endMs ];
        const isNear = ms => ms !== null && ms > from - AROUND_MS && ms < to + AROUND_MS;

        // Events far off are of another clock: there is nothing to draw there.
        this.#time.setExtent(isNear(startMs) ? Math.min(startMs, from) : from, isNear(endMs) ? Math.max(endMs, to) : to);
    }

    #refreshSoon() {
        this.#timer ??= setTimeout(() => {
            this.#timer = null;
            this.#refresh();
        }, Math.max(0, this.#shownAt + PAUSE_MS - performance.now()));
    }

    #refresh() {
        this.#shownAt = performance.now();
        this.#extend();
        this.#sayWhat();
        this.#parts.forEach(part => part.update());
    }

    #sayWhat() {
        const { session, features, isIncomplete } = this.#model;
        const name = [ session.conference ?? features.jitsi?.dumpMetadata?.conferenceId,
            session.user ?? features.jitsi?.dumpMetadata?.userId ].filter(Boolean).join(' · ');

        setText(this.title, name || session.id || 'Session');
        this.#source.onTitle?.(this.title.textContent);
        setText(this.badge, stateName(session.state));
        this.badge.className = `badge ${this.#model.isOpen ? 'live' : ''}`;
        this.notice.hidden = !isIncomplete;
        setText(this.notice, isIncomplete ? 'A part of this session could not be read, or was left out.' : '');
    }

    /** Said once for each change, not with each number. */
    #sayState(isConnected) {
        const texts = { live: 'Live: numbers come as they are sent.',
            resumable: 'The client is away; the session goes on if it comes back.',
            finished: this.#updates ? 'The session is over.' : '' };

        setText(this.#status, isConnected ? texts[this.#model.session.state] ?? ''
            : 'The server cannot be reached; it is tried again.');
    }
}

/** A part of the page with its heading, and a link to it. */
function section(level, name, part) {
    const id = uniqueId('part');
    const heading = level(1, { id, tabindex: '-1' }, name);

    return {
        element: element('section', { 'aria-labelledby': id }, heading, part.element),
        // The hash is that of links to a view.
        link: element('a', { href: `#${id}`, onclick: event => {
            event.preventDefault();
            heading.scrollIntoView();
            heading.focus({ preventScroll: true });
        } }, name)
    };
}

function fetchView(id) {
    return fetchJson(`/api/sessions/${encodeURIComponent(id)}/view`);
}

async function fetchJson(path) {
    const response = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const answer = await response.json().catch(() => null);

    if (!response.ok || !answer) {
        throw new Error(answer?.error ?? `the server answered ${response.status}`);
    }

    return answer;
}
