/** The graphs of all calls: they move while calls go on, and can be hidden, filtered and saved. */
import { MARKUP } from '../synthetic-view.mjs';

/** Ids of calls are text, and as bad as they may be. */
const CALLS = [ 'call-1', 'call-2', MARKUP.replaceAll(/\s/g, '_').replaceAll('\\', '/').slice(0, 200) ];

const SERIES = [ 'availableBandwidth', 'rtt', 'inputLevel', 'packetsLost' ];

/** Writes as a client of rtcscope does. */
async function write(session, call, values, time) {
    const line = `${call} ${Object.entries(values).map(([ name, value ]) => `${name}=${value}`).join(',')} ${time}`;
    const response = await fetch(`${session.origin}/v1/stats/write/`,
        { method: 'POST', body: new URLSearchParams({ 'rtc_stats,id': line }) });

    session.check(response.status === 200, `${line} is answered ${response.status} ${await response.text()}`);
}

function values(number) {
    return { availableBandwidth: 1e6 * number, rtt: 0.05 * number, inputLevel: 0.1 * number, packetsLost: number };
}

/** What a graph draws: a list of lines, each with the values of its points. */
function drawn(plot) {
    return plot.evaluate(element => (element.data ?? []).map(({ name, y }) => ({ name, last: Array.from(y).at(-1), points: y.length })));
}

async function checkMoving(session) {
    const watched = await session.open('/graph/rtt/');
    const { page } = watched;
    const plot = page.locator('.js-plotly-plot');

    await plot.waitFor();
    const before = await session.until('three lines', async () => {
        const lines = await drawn(plot);

        return lines.length === 3 && lines;
    });

    await write(session, 'call-1', values(7), Date.now());
    await write(session, 'call-4', values(3), Date.now());
    const began = Date.now();
    const after = await session.until('the graph to move', async () => {
        const lines = await drawn(plot);

        return lines.length === 4 && lines;
    });

    session.figures.movedMs = Date.now() - began;
    const last = lines => lines.find(({ name }) => name === 'call-1').last;

    session.check(last(after) !== last(before), `the line of call-1 ends at ${last(before)} and ${last(after)}`);
    session.check(await page.locator('.lines label').getByText(CALLS[2]).count() === 1, 'the id full of markup is not shown as text');
    session.check(await page.locator('main img, main script, main b').count() === 0, 'markup of an id became elements');

    const saved = await watched.download(() => page.getByRole('button', { name: /as CSV/ }).click());
    const text = saved.bytes.toString();

    session.check(text.includes('call-4') && text.split('\r\n').length > 20, `the CSV file is ${text.slice(0, 200)}`);
    const picture = await watched.download(() => page.getByRole('button', { name: /as PNG/ }).click());

    session.check(picture.bytes.subarray(1, 4).toString() === 'PNG', 'the picture is no PNG file');

    await page.locator('.lines li').filter({ hasText: 'call-1' }).locator('input').uncheck();
    await session.until('a hidden line', async () => (await drawn(plot)).find(({ name }) => name === 'call-1').points === 0);
    await page.getByLabel('Only calls with').fill('call-');
    await session.until('three calls', async () => (await drawn(page.locator('.js-plotly-plot'))).length === 3);
    for (const [ label, buckets ] of [ [ '10 minutes', 20 ], [ '1 hour', 12 ] ]) {
        const answered = page.waitForResponse(response => response.url().includes('/v1/stats/interval/'));

        await page.getByLabel(label).check();
        const answer = await (await answered).json();

        session.check(answer['call-2'].length >= buckets, `${label} has ${answer['call-2'].length} buckets`);
    }
    await watched.close();
}

/** Looks at the dashboard and at a graph. */
export async function run(session) {
    const now = Date.now();

    for (const [ number, call ] of CALLS.entries()) {
        for (let index = 0; index < 28; ++index) {
            await write(session, call, values((number + 1) * (1 + (0.3 * Math.sin(index / 3)))), now - 10_000 * (index + 1));
        }
    }
    await checkMoving(session);
    const missing = await session.open('/graph/nothing/', { allowed: [ /404/ ] });

    await missing.page.getByRole('heading', { name: 'No such graph' }).waitFor();
    await missing.close();
    await session.look('dashboard', '/dashboard', {}, page => session.until('four graphs with lines', async () => {
        // What is out of sight is drawn when it comes into sight.
        for (const chart of await page.locator('.chart').all()) {
            await chart.scrollIntoViewIfNeeded();
        }

        return await page.locator('.js-plotly-plot .js-line').count() >= 3 * SERIES.length;
    }));
    await session.look('graph', '/graph/inputLevel/', {}, page => page.locator('.js-plotly-plot .js-line').nth(2).waitFor());
}
