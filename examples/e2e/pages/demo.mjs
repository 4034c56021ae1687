/** The demo, from the click to the features. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual, promisify } from 'node:util';

const FINISH_MS = 20_000;

/** So many reports tell of what was done. */
const MORE_REPORTS = 3;

/** Longer than any dump here. */
const MAX_OUTPUT = 256 << 20;

const SIZES = [ { width: 1280, height: 1400 }, { width: 390, height: 1400 } ];

/** Runs the demo with devices and without, and looks at it. */
export async function run(session) {
    await checkCall(session);
    for (const theme of [ 'light', 'dark' ]) {
        for (const size of SIZES) {
            await look(session, theme, size);
        }
    }
}

/** Controls of the demo, as people find them. */
function controls({ page }) {
    const own = page.getByRole('region', { name: 'The call', exact: true });
    const button = name => own.getByRole('button', { name, exact: true });

    return {
        start: button('Start the call'),
        hangUp: button('Hang up'),
        muteSound: button('Mute sound'),
        mutePicture: button('Mute picture'),
        restartIce: button('Restart ICE'),
        bandwidth: own.getByLabel('Bandwidth'),
        resolution: own.getByLabel('Resolution'),
        drawn: own.getByLabel('A drawn picture'),
        outcome: page.getByRole('region', { name: 'What is left of it' }),
        status: page.locator('.demo-status')
    };
}

/** Starts a call, and waits until it is connected and its first graph is there. */
async function call(session, opened) {
    const { page } = opened;
    const { start, status } = controls(opened);

    await start.click();
    await session.until('the call', async () => await status.textContent() === 'The call goes on.');
    // Graphs are drawn when they come into sight.
    await page.locator('.demo-view .chart').first().scrollIntoViewIfNeeded();
    await page.locator('.demo-view .js-plotly-plot').first().waitFor();
}

/** How many points the graphs have that are drawn. */
function countPoints(page) {
    return page.locator('.demo-view .js-plotly-plot').evaluateAll(plots => plots.reduce((all, { data }) =>
        all + (data ?? []).reduce((sum, { y }) => sum + [ ...y ?? [] ].filter(value => value !== null).length, 0), 0));
}

/** A call with the browser's made-up devices, with everything that can be done to it. */
async function checkCall(session) {
    const opened = await session.open('/demo');
    const { page } = opened;
    const found = controls(opened);

    await keepReports(page);
    await call(session, opened);
    const { sessions } = await fetchJson(session, '/api/sessions');

    session.check(sessions.length === 1 && sessions[0].state === 'live', `sessions: ${JSON.stringify(sessions)}`);
    const [ { id } ] = sessions;
    const before = await session.until('points in a graph', () => countPoints(page));

    session.figures.pointsFirst = before;
    await session.until('more points', async () => (session.figures.pointsLater = await countPoints(page)) > before);
    await session.until('both pictures', () => page.locator('.demo-pictures video').evaluateAll(videos =>
        videos.length === 2 && videos.every(({ videoWidth }) => videoWidth > 0)));
    await stir(session, page, found);
    await checkTimeline(session, page);
    await found.hangUp.click();
    await found.outcome.waitFor();
    const record = await session.api.finished(id, FINISH_MS);

    checkFeatures(session, record);
    await checkOutcome(session, found);
    await checkDump(session, id, await page.evaluate(() => window.reports));
    await page.getByRole('link', { name: 'The session, with all' }).click();
    await page.locator('.js-plotly-plot').first().waitFor();
    session.check(new URL(page.url()).pathname === `/sessions/${id}`, `the link leads to ${page.url()}`);
    await opened.close();
}

/** Keeps what `getStats` returns, by connection, before the tracing script sees it. */
function keepReports(page) {
    return page.evaluate(() => {
        const { getStats } = RTCPeerConnection.prototype;
        const connections = [];

        window.reports = [];
        RTCPeerConnection.prototype.getStats = async function keep() {
            const report = await getStats.call(this);

            if (!connections.includes(this)) {
                connections.push(this);
                window.reports.push([]);
            }
            // What is not in JSON is not sent.
            window.reports[connections.indexOf(this)].push(JSON.parse(JSON.stringify(Object.fromEntries(report))));

            return report;
        };
    });
}

/** Turns each knob. */
async function stir(session, page, { muteSound, mutePicture, restartIce, bandwidth, resolution }) {
    await muteSound.click();
    session.check(await muteSound.getAttribute('aria-pressed') === 'true', 'the button does not say that sound is muted');
    await bandwidth.selectOption('150 kbit/s');
    await resolution.selectOption('a half');
    const received = page.locator('.demo-pictures video').nth(1);

    // At most a half: a busy browser makes it smaller of its own accord.
    await session.until('a smaller picture', () => received.evaluate(({ videoWidth }) => videoWidth > 0 && videoWidth <= 320),
        FINISH_MS * 2);
    await untilReported(session, page);
    await mutePicture.click();
    await restartIce.click();
    await mutePicture.click();
}

/** Waits for some more reports of each connection: they come once a second, however fast all else goes. */
async function untilReported(session, page) {
    const counts = () => page.evaluate(() => window.reports.map(({ length }) => length));
    const before = await counts();

    await session.until('reports', async () => (await counts()).every((count, index) => count >= before[index] + MORE_REPORTS));
}

/** What was done is in the live timeline. */
async function checkTimeline(session, page) {
    const search = page.locator('.demo-view').getByLabel('Text');

    for (const text of [ 'setParameters', 'iceRestart', 'MediaStreamTrack.enabled', 'onconnectionstatechange' ]) {
        await search.fill(text);
        await session.until(`${text} in the timeline`, () => page.locator('.demo-view .events tbody tr').count());
    }
    await search.fill('');
}

/** All sets of features say what happened. */
function checkFeatures(session, { user, conference, rtcstats, legacy, features }) {
    const { check } = session;
    const [ caller, callee, ...others ] = rtcstats?.peerConnections ?? [];
    const is = (what, value, expected) =>
        check.call(session, isDeepStrictEqual(value, expected), `${what} is ${JSON.stringify(value)}`);

    is('who it is', [ user, conference ], [ 'visitor', 'demo' ]);
    is('the number of connections', others.length, 0);
    for (const [ name, connection ] of Object.entries({ caller, callee })) {
        const { connected, iceConnected, closed, numberOfNegotiations, setLocalDescriptionFailure } = connection;

        is(`${name}: its states`, { connected, iceConnected, closed, numberOfNegotiations, setLocalDescriptionFailure },
            { connected: true, iceConnected: true, closed: true, numberOfNegotiations: 2, setLocalDescriptionFailure: undefined });
        is(`${name}: its tracks`,
            connection.tracks.map(({ kind, direction, codecMimeType }) => `${direction} ${kind}: ${codecMimeType}`).sort(),
            [ 'inbound audio: audio/opus', 'inbound video: video/VP8', 'outbound audio: audio/opus',
                'outbound video: video/VP8' ]);
    }
    is('restarts', [ caller.iceRestart, caller.iceRestartFollowedBySetRemoteDescription, callee.iceRestart ],
        [ true, true, false ]);
    const { minWidth, maxWidth, maxHeight, frameCount } = sentVideo(caller);

    is('the largest picture sent', [ maxWidth, maxHeight ], [ 640, 360 ]);
    check.call(session, minWidth > 0 && minWidth <= 320, `the smallest picture sent is ${minWidth} px wide`);
    check.call(session, frameCount > 20, `${frameCount} frames`);
    is('media', [ rtcstats.calledGetUserMedia, rtcstats.getUserMediaSuccessCount ], [ true, 1 ]);
    check.call(session, rtcstats.webSocketConnectionTime >= 0 && rtcstats.hardwareConcurrency > 0, 'the page is not described');
    const { PC_0: aggregate } = features?.aggregates ?? {};

    check.call(session, aggregate?.connectionFailed === false && aggregate.trackAggregates.totalPacketsSent > 50
        && aggregate.candidatePairData.localCandidateType === 'host', `Jitsi's features: ${JSON.stringify(aggregate)}`);
    is('legacy features', [ legacy?.client?.conferenceIdentifier, legacy?.client?.calledLegacyGetUserMedia ], [ 'demo', false ]);
    session.figures.frames = frameCount;
}

function sentVideo({ tracks }) {
    return tracks.find(({ kind, direction }) => kind === 'video' && direction === 'outbound');
}

/** What the page itself says in the end. */
async function checkOutcome(session, { outcome, start, status }) {
    const text = await outcome.textContent();

    for (const part of [ 'Connectedyesyes', 'ICE restartedyesno', 'Video sentvideo/VP8video/VP8', '640 × 360' ]) {
        session.check(text.includes(part), `"${part}" is not in: ${text}`);
    }
    await session.until('the end', async () => await status.textContent() === 'The call is over.');
    session.check(await start.isEnabled(), 'no other call can be started');
}

/** The dump decodes to what `getStats` returned. */
async function checkDump(session, id, reports) {
    const file = join(session.directory, `${id}.dump`);
    const dump = await session.api.dump(id);

    writeFileSync(file, dump);
    const { stdout, stderr } = await promisify(execFile)(join(dirname(session.options.server), 'rtcstats'), [ 'events', file ],
        { maxBuffer: MAX_OUTPUT });

    session.check(stderr === '', `the dump does not decode: ${stderr}`);
    const decoded = stdout.trim().split('\n').map(line => JSON.parse(line)).filter(({ method }) => method === 'getStats');

    session.check(reports.length === 2, `${reports.length} connections made reports`);
    for (const returned of reports) {
        const expected = returned.map(withoutIds);
        const connection = decoded.find(({ value }) => isDeepStrictEqual(value, expected[0]))?.peerConnection;
        const own = decoded.filter(({ peerConnection }) => peerConnection === connection);
        let matched = 0;

        for (const { value } of own) {
            matched += isDeepStrictEqual(value, expected[matched]) ? 1 : 0;
        }
        // The last one may have been made when the connection was closed.
        session.check(matched >= 5 && matched >= expected.length - 1,
            `${connection}: ${matched} of ${expected.length} reports are in the dump as they were returned`);
        session.figures[`reports ${connection}`] = matched;
    }
    const bytes = dump.split('\n').filter(line => line.startsWith('["getStats"')).map(line => line.length).sort((a, b) => a - b);

    session.figures.reportBytes = bytes[Math.floor(bytes.length / 2)];
}

function withoutIds(report) {
    return Object.fromEntries(Object.entries(report).map(([ key, { id, ...object } ]) => [ key, object ]));
}

/** Looks at the page before, in and after a call without devices. */
async function look(session, theme, size) {
    const opened = await session.open('/demo', { theme, size });
    const { page } = opened;
    const { drawn, hangUp, outcome, start } = controls(opened);
    const see = async state => {
        const name = `demo-${state}-${theme}-${size.width}`;

        await opened.judge(name);
        await opened.picture(name);
    };

    await start.waitFor();
    await see('before');
    await drawn.check();
    await call(session, opened);
    await session.until('a graph', async () => await countPoints(page) > 30);
    await see('during');
    await hangUp.click();
    await outcome.waitFor();
    await see('after');
    session.check((await outcome.textContent()).includes('video/VP8'), 'the call without devices has no video');
    await opened.close();
}

async function fetchJson({ origin }, path) {
    return (await fetch(origin + path)).json();
}
