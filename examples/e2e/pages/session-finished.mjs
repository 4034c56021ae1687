/** The page of sessions that are over: numbers, files, links, events, features. */
import { CALL, JITSI_CALL, LONG_CALL, RecordedClient } from '../recorded-client.mjs';

const FINISH_MS = 20_000;

/** Sends a whole recording; returns the id of the session, once it is finished. */
async function store(session, name) {
    const known = new Set((await session.api.sessions()).map(({ id }) => id));
    const client = await RecordedClient.connect(session, name);

    await client.send();
    const id = await session.until('the session', async () =>
        (await session.api.sessions()).map(own => own.id).find(own => !known.has(own)));

    await client.close();
    await session.api.finished(id, FINISH_MS);

    return id;
}

async function viewOf(session, id) {
    return (await fetch(`${session.origin}/api/sessions/${id}/view`)).json();
}

/** The chart of this title, in sight and drawn. */
async function chartOf(page, title, at = 0) {
    const chart = page.locator('figure.chart').filter({ has: page.getByRole('heading', { name: title, exact: true }) }).nth(at);

    await chart.scrollIntoViewIfNeeded();
    await chart.locator('.js-line').first().waitFor({ state: 'attached' });

    return chart;
}

/** The series that the chart of bitrates sent has to show. */
function bitrates(connection) {
    return connection.objects.filter(({ type }) => type === 'outbound-rtp')
        .map(object => object.series.find(({ name }) => name === '[bytesSent_in_bits/s]')).filter(Boolean);
}

/** The saved numbers are those that the server sent. */
async function checkFiles(session, watched, view) {
    const chart = await chartOf(watched.page, 'Bitrate sent');
    const csv = await watched.download(() => chart.getByRole('button', { name: 'Save Bitrate sent as CSV' }).click());
    const [ head, ...rows ] = csv.bytes.toString().trimEnd().split('\r\n').map(line => line.split(','));
    const [ connection ] = view.connections;
    const expected = bitrates(connection);
    const cells = text => text.filter(cell => cell !== '').map(Number).sort((a, b) => a - b);

    session.check(csv.name.endsWith('.csv') && head[0] === 'time_ms', `the file is ${csv.name}: ${head}`);
    session.check(expected.length > 0, 'there are no bitrates to compare with');
    for (const { first, values } of expected) {
        const times = values.map((_, index) => connection.times[first + index]).filter((_, index) => values[index] !== null);
        const wanted = values.filter(value => value !== null);
        const columns = head.slice(2).map((_, index) => rows.filter(row => row[index + 2] !== ''));
        const isThere = columns.some((column, index) => column.length === wanted.length
            && column.every((row, at) => Number(row[0]) === times[at] && Number(row[index + 2]) === wanted[at]));

        session.check(isThere, `a series of ${wanted.length} bitrates is in no column of the file`);
    }
    session.check(cells(rows.map(row => row[2])).length > 0, 'the first column of the file is empty');
    session.figures.csvRows = rows.length;
    const png = await watched.download(() => chart.getByRole('button', { name: 'Save Bitrate sent as PNG' }).click());

    session.check(png.bytes.subarray(1, 4).toString() === 'PNG' && png.bytes.readUInt32BE(16) >= 1600,
        `the picture ${png.name} is none, or small: ${png.bytes.length} bytes`);
    const label = await chart.locator('.plot').getAttribute('aria-label');

    session.check(/^Bitrate sent\. .*last .*lowest .*highest/.test(label), `the graph is described as ${label}`);
}

/** What is drawn is what the server sent, in its place. */
async function checkDrawing(session, page, view) {
    const chart = await chartOf(page, 'Bitrate sent');
    const drawn = await chart.locator('.plot').evaluate(plot => plot.data.map(({ y }) => y.filter(value => value !== null)));
    const expected = bitrates(view.connections[0]).map(({ values }) => values.filter(value => value !== null));

    for (const values of expected) {
        session.check(drawn.some(line => JSON.stringify(line) === JSON.stringify(values)),
            `bitrates ${values.slice(0, 4)}… are not drawn`);
    }
    const box = chart.getByRole('checkbox').first();

    const ground = () => chart.locator('.plot').evaluate(plot => plot.layout.paper_bgcolor);
    const light = await ground();

    await page.emulateMedia({ colorScheme: 'dark' });
    await session.until('the colours of the dark theme', async () => await ground() !== light);
    await page.emulateMedia({ colorScheme: 'light' });
    await session.until('the colours of the light theme', async () => await ground() === light);
    await page.locator('.zone select').selectOption('utc');
    await session.until('UTC', () => chart.locator('.plot').evaluate(plot => plot.layout.xaxis.title.text === 'UTC'));
    const firstTime = await chart.locator('.plot').evaluate(plot => plot.data[0].x[0]);

    session.check(view.connections[0].times.some(ms => Math.abs(ms - Date.parse(`${firstTime.replace(' ', 'T')}Z`)) < 1),
        `the first point is at ${firstTime}, which is no time of a report in UTC`);
    await page.locator('.zone select').selectOption('local');
    await box.uncheck();
    await session.until('the line to go', () => chart.locator('.plot').evaluate(plot => plot.data[0].visible === false));
    await box.check();
    await session.until('the line to come back', () => chart.locator('.plot').evaluate(plot => plot.data[0].visible === true));
}

/** The shown range of a drawn chart. */
const rangeOf = chart => chart.locator('.plot').evaluate(plot => plot.layout.xaxis.range.join(' to '));

/** What the buttons do, all graphs do; and a link has it. */
async function checkLink(session, watched, id, view) {
    const { page } = watched;
    const first = await chartOf(page, 'Bitrate sent');
    const whole = await rangeOf(first);

    await page.getByRole('button', { name: 'Zoom in' }).click();
    await session.until('the zoom', async () => await rangeOf(first) !== whole);
    const second = await chartOf(page, 'Round-trip time');

    await session.until('the same range in another graph', async () => await rangeOf(second) === await rangeOf(first).catch(() => null)
        || await rangeOf(second) !== whole);
    await page.getByText(`All numbers of ${view.connections[0].id}`).click();
    await page.locator('.all-numbers[open] > details > summary', { hasText: 'outbound-rtp' }).first().click();
    const choice = page.getByLabel('packetsSent', { exact: true }).first();

    await choice.check();
    await page.getByRole('heading', { name: 'Chosen numbers', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Copy link' }).click();
    await page.getByText('Link copied').waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());

    session.check(/#from=\d+&to=\d+&series=[^,]+$/.test(link), `the link is ${link}`);
    const restored = await session.open(link);
    const chosen = restored.page.getByRole('region', { name: 'Chosen numbers', exact: true });

    await chosen.waitFor();
    await chosen.getByRole('checkbox').first().waitFor();
    session.check(await chosen.getByRole('checkbox').count() === 1, 'the link has not one chosen series');
    const again = await chartOf(restored.page, 'Bitrate sent');
    const [ from, to ] = [ 'from', 'to' ].map(name => Number(new RegExp(`${name}=(\\d+)`).exec(link)[1]));
    const shown = await again.locator('.plot').evaluate(plot => plot.layout.xaxis.range.map(text => `${text}Z`));

    // The page is in a time zone of an hour ahead of UTC.
    session.check(shown.every((text, index) => Math.abs(Date.parse(text.replace(' ', 'T')) - 3_600_000 - [ from, to ][index]) < 2),
        `the link of ${from} to ${to} shows ${shown}`);
    await restored.close();
}

/** Events are filtered, opened, and marked in the graphs. */
async function checkEvents(session, page, view) {
    const all = Number((await page.locator('.pager').textContent()).match(/of ([\d,]+) events/)[1].replaceAll(',', ''));

    session.check(all === view.events.length, `${all} of ${view.events.length} events are listed`);
    await page.getByLabel('Text').fill('setlocaldescription');
    const wanted = view.events.filter(event => JSON.stringify(event).toLowerCase().includes('setlocaldescription'));

    await session.until('the filtered events', async () => await page.locator('.events tbody tr').count() === wanted.length);
    session.check(wanted.length > 0, 'there is nothing to filter');
    const event = page.locator('button.event').first();

    await event.click();
    await page.locator('.detail pre').waitFor();
    const chart = await chartOf(page, 'Bitrate sent');

    await session.until('the mark', () => chart.locator('.plot').evaluate(plot => plot.layout.shapes.length === 1));
    await page.getByLabel('Text').fill('');
}

/** Features are listed, found and saved. */
async function checkFeatures(session, watched, view) {
    const { page } = watched;
    const part = page.locator('section').filter({ has: page.getByRole('heading', { name: 'rtcstats features', exact: true }) }).last();

    await part.getByLabel('Filter').fill('getUserMediaSuccessCount');
    await part.getByText('1 found').waitFor();
    await part.getByLabel('Filter').fill('');
    await part.locator('details > summary').first().click();
    const raw = await watched.download(() => part.getByText('Raw JSON').click());

    session.check(JSON.stringify(JSON.parse(raw.bytes)) === JSON.stringify(view.features.rtcstats), 'the saved features differ');
}

/** Opens what is closed, and goes to the parts below the graphs. */
async function open(page) {
    await page.locator('button.event').first().click();
    await page.locator('.features details > summary').first().click();
    await page.locator('.all-numbers > summary').first().click();
    await page.locator('.all-numbers details > summary').nth(3).click();
    await page.locator('.all-numbers .js-line').first().waitFor({ state: 'attached' });
    await page.getByRole('link', { name: 'Events' }).click();
}

/** Checks one session in full, and looks at some. */
export async function run(session) {
    if (!await RecordedClient.connect(session, CALL)) {
        session.skipped = 'no recordings, see --shared';

        return;
    }
    const id = await store(session, CALL);
    const view = await viewOf(session, id);
    const watched = await session.open(`/sessions/${id}`);

    await checkFiles(session, watched, view);
    await checkDrawing(session, watched.page, view);
    await checkEvents(session, watched.page, view);
    await checkFeatures(session, watched, view);
    await checkLink(session, watched, id, view);
    await watched.close();
    const missing = await session.open('/sessions/there-is-none', { allowed: [ /404/ ] });

    await missing.page.getByRole('alert').filter({ hasText: 'no such session' }).waitFor();
    await missing.close();
    for (const [ name, recording ] of [ [ 'session', LONG_CALL ], [ 'session-jitsi', JITSI_CALL ] ]) {
        const path = `/sessions/${await store(session, recording)}`;

        await session.look(name, path, {}, page => page.locator('.js-line').first().waitFor({ state: 'attached' }));
        if (recording === LONG_CALL) {
            await session.look(`${name}-parts`, path, {}, page => open(page));
        }
    }
}
