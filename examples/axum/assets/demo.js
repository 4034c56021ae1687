/** `/demo`: a call of this browser with itself, and what this server makes of it while it goes on. */
import { LoopbackCall } from './demo-call.js';
import { deviceMedia, drawnMedia } from './demo-media.js';
import { element } from './elements.js';
import { startTracing } from './rtcstats-client.js';
import { mountView } from './session-view.js';

const POLL_MS = 300;

/** How long the server may take to list a session, and to finish it. */
const PATIENCE_MS = 20_000;

const BANDWIDTHS = [ [ 'as it likes', '' ], [ '500 kbit/s', '500000' ], [ '150 kbit/s', '150000' ],
    [ '50 kbit/s', '50000' ] ];
const RESOLUTIONS = [ [ 'whole', '1' ], [ 'a half', '2' ], [ 'a quarter', '4' ] ];

const SNIPPET = `<script type="module">
import { startTracing } from '${location.origin}/assets/rtcstats-client.js';

startTracing({
    url: '${webSocketUrl()}',
    identity: { user: 'ann', conference: 'weekly', clientId: 'a1b2c3' }
});
</script>`;

/** The latest call: `{call, media, tracing, following, session, clientId}`; null before the first. */
let current = null;

/** The view of its session. */
let view = null;

const status = element('p', { class: 'demo-status', role: 'status' }, 'No call yet.');
const start = element('button', { type: 'button', class: 'primary', onclick: startCall }, 'Start the call');
const hangUp = element('button', { type: 'button', onclick: endCall, disabled: true }, 'Hang up');
const sources = element('fieldset', {},
    element('legend', {}, 'Sound and pictures'),
    source('devices', 'Camera and microphone', true),
    source('drawn', 'A drawn picture and a tone: no devices, no permission', false));
const knobs = makeKnobs();
const pictures = [ 'Sent', 'Received' ].map(picture);
const outcome = element('section', { 'class': 'demo-outcome', 'aria-labelledby': 'outcome', 'hidden': true });
const live = element('section', { 'class': 'demo-view', 'aria-label': 'What the server knows' },
    element('h2', {}, 'What the server knows'),
    element('p', {}, 'Start the call: its graphs, events and features appear here, and move while it goes on.'));

document.head.append(element('link', { rel: 'stylesheet', href: '/assets/demo.css' }));
document.querySelector('main').replaceChildren(
    element('h1', {}, 'A call within this browser'),
    element('p', {}, 'This page calls itself, and reports the call to this server with ',
        element('a', { href: '/assets/rtcstats-client.js' }, 'a small script'),
        '. Beside it is what the server knows of the call, while it goes on.'),
    element('div', { class: 'demo' },
        element('section', { 'class': 'demo-call', 'aria-labelledby': 'call' },
            element('h2', { id: 'call' }, 'The call'),
            sources, element('p', { class: 'demo-buttons' }, start, hangUp), status,
            element('div', { class: 'demo-pictures' }, pictures.map(({ figure }) => figure)), knobs.form),
        element('div', { class: 'demo-result' }, outcome, live,
            element('section', { 'aria-labelledby': 'own' },
                element('h2', { id: 'own' }, 'On your own site'),
                element('p', {}, 'These lines trace all peer connections of a page, with no other library. They come '
                    + 'before the scripts that make connections. What else there is to set stands in the script.'),
                element('pre', { tabindex: 0, role: 'region', 'aria-label': 'Lines for your own page' },
                    element('code', {}, SNIPPET))))));
window.addEventListener('pagehide', () => current?.tracing.stop());

function webSocketUrl() {
    return `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/`;
}

function source(value, label, checked) {
    return element('label', {}, element('input', { type: 'radio', name: 'source', value, checked }), ` ${label}`);
}

function picture(name) {
    const video = element('video', { 'autoplay': true, 'playsinline': true, 'aria-label': `${name} picture` });

    // Both are this page's own sound. As a property: the attribute counts for elements of markup only.
    video.muted = true;

    return { video, figure: element('figure', {}, video, element('figcaption', {}, name)) };
}

/** What can be done to a call. */
function makeKnobs() {
    const toggle = (kind, label) => element('button', {
        'type': 'button',
        'aria-pressed': 'false',
        'onclick': ({ currentTarget: button }) => {
            const isMuted = button.getAttribute('aria-pressed') !== 'true';

            button.setAttribute('aria-pressed', String(isMuted));
            attempt(() => current.call.mute(kind, isMuted));
        }
    }, label);
    const choice = (label, options, choose) => {
        const select = element('select', { onchange: () => attempt(() => choose(select.value)) },
            ...options.map(([ text, value ]) => element('option', { value }, text)));

        return { select, label: element('label', {}, `${label} `, select) };
    };
    const toggles = [ toggle('audio', 'Mute sound'), toggle('video', 'Mute picture') ];
    const choices = [
        choice('Bandwidth', BANDWIDTHS, value => current.call.limitBandwidth(value ? Number(value) : undefined)),
        choice('Resolution', RESOLUTIONS, value => current.call.divideResolution(Number(value)))
    ];
    const form = element('fieldset', { class: 'demo-knobs', disabled: true },
        element('legend', {}, 'Make something happen'), ...toggles, ...choices.map(({ label }) => label),
        element('button', { type: 'button', onclick: () => attempt(() => current.call.restartIce()) }, 'Restart ICE'));

    return {
        form,
        reset() {
            toggles.forEach(button => button.setAttribute('aria-pressed', 'false'));
            choices.forEach(({ select }) => {
                select.selectedIndex = 0;
            });
        }
    };
}

/** Does something to the call; what fails is said. */
async function attempt(action) {
    try {
        await action();
    } catch (error) {
        say(`That did not work: ${error.message}.`);
    }
}

function say(text) {
    status.textContent = text;
}

/** Shows what can be done: start a call, or end one. */
function offer(isCalling) {
    start.disabled = isCalling;
    sources.disabled = isCalling;
    hangUp.disabled = !isCalling;
    knobs.form.disabled = !isCalling;
}

async function startCall() {
    offer(true);
    hangUp.disabled = true;
    knobs.form.disabled = true;
    knobs.reset();
    outcome.hidden = true;
    const clientId = `demo-${randomName()}`;
    const own = { clientId, tracing: startTracing({
        url: webSocketUrl(),
        identity: { conference: 'demo', user: 'visitor', clientId },
        log: message => say(`Tracing: ${message}.`)
    }) };

    current = own;
    try {
        own.media = await chosenMedia();
        pictures[0].video.srcObject = own.media.stream;
        own.call = new LoopbackCall(own.media.stream, {
            onReceived: stream => {
                pictures[1].video.srcObject = stream;
            },
            onState: state => say(state === 'connected' ? 'The call goes on.' : `The call is ${state}.`)
        });
        say('Calling…');
        await own.call.start();
    } catch (error) {
        say(`No call: ${error.message}.`);
        await release(own);
        offer(false);

        return;
    }
    own.following = attempt(() => follow(own));
    offer(true);
}

/** What was chosen; made here where there are no devices, or none that are allowed. */
async function chosenMedia() {
    const chosen = sources.querySelector(':checked').value;

    if (chosen === 'devices') {
        try {
            say('Asking for camera and microphone…');

            return await deviceMedia();
        } catch {
            sources.querySelector('[value=drawn]').checked = true;
        }
    }

    return drawnMedia();
}

/** Mounts the view of the session as soon as the server lists it. */
async function follow(own) {
    own.session = await within(PATIENCE_MS, async () => (await sessionsOf(own.clientId))[0]);
    if (!own.session) {
        throw new Error('the server does not list the session');
    }
    view?.close();
    live.replaceChildren();
    view = mountView(live, { id: own.session.id });
}

async function endCall() {
    const own = current;

    offer(true);
    hangUp.disabled = true;
    knobs.form.disabled = true;
    say('The call is over. The server extracts its features…');
    await Promise.all([ release(own), own.following ]);
    const session = own.session && await finished(own.session.id, own.clientId);

    say(session ? 'The call is over.' : 'The call is over; the server has not finished its session yet.');
    if (session) {
        showOutcome(session);
    }
    offer(false);
    start.focus();
}

/** Ends what a call holds: connections first, so that their end is traced. */
async function release({ call, media, tracing }) {
    call?.close();
    media?.close();
    for (const { video } of pictures) {
        video.srcObject = null;
    }
    await tracing.stop();
}

/** The sessions of a client: open ones, and those whose features are stored. In between there is none for a moment. */
async function sessionsOf(clientId) {
    return (await fetchJson(`/api/sessions?clientId=${encodeURIComponent(clientId)}`)).sessions;
}

/** A session with its features, as soon as they are stored; null if that takes too long. */
async function finished(id, clientId) {
    const isFinished = await within(PATIENCE_MS, async () =>
        (await sessionsOf(clientId)).some(session => session.id === id && session.state === 'finished'));

    return isFinished ? fetchJson(`/api/sessions/${encodeURIComponent(id)}`) : null;
}

function showOutcome({ id, rtcstats }) {
    const link = `/sessions/${encodeURIComponent(id)}`;
    const connections = rtcstats?.peerConnections ?? [];

    outcome.replaceChildren(
        element('h2', { id: 'outcome' }, 'What is left of it'),
        element('p', {}, element('a', { href: link }, 'The session, with all of its features and graphs'), ' · ',
            element('a', { href: `/api/sessions/${encodeURIComponent(id)}/dump`, download: `${id}.jsonl` }, 'its dump')),
        element('div', { 'class': 'demo-table', 'tabindex': 0, 'role': 'region', 'aria-label': 'Features, in short' },
            element('table', {},
                element('thead', {}, element('tr', {}, element('th', { scope: 'col' }, 'Feature'),
                    ...connections.map((_, index) => element('th', { scope: 'col' }, index ? 'Callee' : 'Caller')))),
                element('tbody', {}, ...features(connections)))));
    outcome.hidden = false;
}

/** Rows of the features that most people ask for first. */
function features(connections) {
    const sent = kind => ({ tracks = [] }) =>
        tracks.find(track => track.direction === 'outbound' && track.kind === kind) ?? {};
    const video = sent('video');
    const rows = [
        [ 'Connected', ({ connected }) => (connected ? 'yes' : 'no') ],
        [ 'Time to connect', ({ connectionTime }) => number(connectionTime, 'ms') ],
        [ 'ICE restarted', ({ iceRestart }) => (iceRestart ? 'yes' : 'no') ],
        [ 'Negotiations', ({ numberOfNegotiations }) => number(numberOfNegotiations) ],
        [ 'Video sent', connection => video(connection).codecMimeType ],
        [ 'Audio sent', connection => sent('audio')(connection).codecMimeType ],
        [ 'Largest picture', connection => size(video(connection)) ],
        [ 'Frames', connection => number(video(connection).frameCount) ],
        [ 'Sent on average', ({ averageOutboundBitrate }) => number(averageOutboundBitrate / 1000, 'kbit/s') ],
        [ 'Round trip', ({ averageStunRoundTripTime }) => number(averageStunRoundTripTime * 1000, 'ms') ]
    ];

    return rows.map(([ name, read ]) => element('tr', {}, element('th', { scope: 'row' }, name),
        ...connections.map(connection => element('td', {}, read(connection) ?? '–'))));
}

function size({ maxWidth, maxHeight }) {
    return maxWidth ? `${maxWidth} × ${maxHeight}` : undefined;
}

/** A number as people read it; nothing if there is none. */
function number(value, unit = '') {
    return Number.isFinite(value)
        ? `${new Intl.NumberFormat('en', { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value)} ${unit}`.trim()
        : undefined;
}

/** How long one answer may take. */
const ANSWER_MS = 5000;

/** Asks again and again until there is an answer, or until it takes too long; a failure is no answer. */
async function within(milliseconds, ask) {
    const deadline = Date.now() + milliseconds;

    while (Date.now() < deadline) {
        const answer = await ask().catch(() => null);

        if (answer) {
            return answer;
        }
        await new Promise(resolve => { setTimeout(resolve, POLL_MS); });
    }

    return null;
}

async function fetchJson(path) {
    const response = await fetch(path, { signal: AbortSignal.timeout(ANSWER_MS) });

    if (!response.ok) {
        throw new Error(`${path}: ${response.status}`);
    }

    return response.json();
}

/** As `crypto.randomUUID`, which only secure addresses have. */
function randomName() {
    return [ ...crypto.getRandomValues(new Uint8Array(8)) ]
        .map(byte => byte.toString(16).padStart(2, '0')).join('');
}
