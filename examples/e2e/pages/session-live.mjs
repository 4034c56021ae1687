/** The page of a session while it goes on. */
import { CALL, RecordedClient } from '../recorded-client.mjs';

/** How often the graphs have to move. */
const MOVES = 3;

/** Messages before the first look: to the third report of each connection. */
const FIRST = 84;

/** How much of the recording is sent between two looks. */
const BATCH = 12;

/** Points of the longest drawn line of a chart. */
const pointsOf = chart => chart.locator('.plot').evaluate(plot => Math.max(0, ...(plot.data ?? []).map(({ y }) => y.length)));

const rangeOf = chart => chart.locator('.plot').evaluate(plot => plot.layout.xaxis.range.join(' to '));

/** Follows a session from its beginning to its end. */
export async function run(session) {
    const client = await RecordedClient.connect(session, CALL);

    if (!client) {
        session.skipped = 'no recordings, see --shared';

        return;
    }
    await client.send(FIRST);
    const id = await session.api.live(20_000);
    const watched = await session.open(`/sessions/${id}`);
    const { page } = watched;

    await page.locator('.badge.live', { hasText: 'Live' }).waitFor();
    await page.getByRole('status').filter({ hasText: 'Live: numbers come' }).waitFor();
    const chart = page.locator('figure.chart').filter({ has: page.getByRole('heading', { name: 'Bitrate sent', exact: true }) }).first();

    await chart.scrollIntoViewIfNeeded();
    await chart.locator('.js-line').first().waitFor({ state: 'attached' });
    let points = await pointsOf(chart);

    session.figures.points = [ points ];
    for (let moves = 0; moves < MOVES && client.left > 2 * BATCH; moves += 1) {
        const range = await rangeOf(chart);

        await client.send(BATCH);
        points = await session.until('the graph to move', async () => {
            const more = await pointsOf(chart);

            return more > points && await rangeOf(chart) !== range ? more : 0;
        });
        session.figures.points.push(points);
    }
    session.check(session.figures.points.length === MOVES + 1, 'the recording is too short for the test');
    await watched.judge('session-live');
    await watched.picture('session-live');
    // A reader who looked closer is left where they are, and gets the rest when they want all.
    await page.getByRole('button', { name: 'Zoom in' }).click();
    await page.getByRole('button', { name: 'Earlier', exact: true }).click();
    await session.until('the zoom', () => page.getByRole('button', { name: 'All' }).isEnabled());
    const zoomed = await session.until('the zoomed graph', async () => {
        const range = await rangeOf(chart);

        return new Promise(resolve => { setTimeout(async () => resolve(await rangeOf(chart) === range && range), 500); });
    });
    const reports = page.locator('.facts dd').filter({ has: page.locator('xpath=../dt[text()="Reports"]') });
    const before = await reports.textContent();

    await client.send();
    await session.until('the new numbers', async () => await reports.textContent() !== before);
    session.check(await rangeOf(chart) === zoomed, 'the range that the reader chose moved');
    await page.getByRole('button', { name: 'Show all' }).click();
    await session.until('all of it', async () => await pointsOf(chart) > points);
    await client.close();
    await page.getByRole('status').filter({ hasText: 'The session is over.' }).waitFor();
    await page.locator('.badge', { hasText: 'Finished' }).waitFor();
    const view = await (await fetch(`${session.origin}/api/sessions/${id}/view`)).json();
    const all = view.connections.reduce((sum, { times }) => sum + times.length, 0);

    session.check(Number((await reports.textContent()).replaceAll(',', '')) === all,
        `in the end, the page knows ${await reports.textContent()} of ${all} reports`);
    await watched.close();
}
