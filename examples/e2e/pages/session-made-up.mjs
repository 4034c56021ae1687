/** The page of a session whose names are markup, and one that is very large. */
import { MARKUP, syntheticView } from '../synthetic-view.mjs';

/** How long a search may take on a large session, on a busy machine. */
const CLICK_MS = 5000;

const answers = view => [ [ '**/api/sessions/*/view', route => route.fulfill({ json: view }) ] ];

/** Markup is text, wherever it is shown. */
async function checkMarkup(session) {
    const { page, close } = bound(await session.open('/sessions/synthetic',
        { routes: answers(syntheticView({ text: MARKUP, objects: 4, reports: 60 })) }));

    // What is said of it fills the screen.
    await page.locator('figure.chart').first().scrollIntoViewIfNeeded();
    await page.locator('.js-plotly-plot').first().waitFor();
    for (const place of [ 'h1', 'h3', '.facts dd', '.objects th[scope=row]', '.lines label', '.events .event',
        '.events .text', '.events td:nth-child(2)', 'option' ]) {
        const texts = await page.locator(place).allTextContents();

        session.check(texts.some(text => text.includes(MARKUP)), `${place} does not show the markup as text: ${texts[0]}`);
    }
    await page.getByText('All numbers of').first().click();
    await page.locator('.all-numbers details summary').first().click();
    await page.locator('.all-numbers .choose').first().waitFor();
    await page.getByRole('button', { name: 'event0' }).click();
    await page.locator('.detail pre').waitFor();
    // What Plotly draws of a name is what the name says.
    const chart = page.locator('.chart').first();

    await chart.scrollIntoViewIfNeeded();
    await chart.locator('.nsewdrag').first().hover();
    const hover = await session.until('the hover text', () => chart.locator('.hoverlayer').evaluate(layer => layer.textContent));

    session.check(hover.includes('<img src=x') && hover.includes('<b>bold'), `the hover text is ${hover}`);
    session.check(await page.locator('.hoverlayer img, .hoverlayer a, main img, main script, main b').count() === 0,
        'markup of a client became elements');
    session.check(!await page.evaluate(() => 'hacked' in window), 'a script of a client ran');
    const [ bold ] = await chart.locator('.hoverlayer').evaluate(layer =>
        [ [ ...layer.querySelectorAll('tspan') ].some(span => span.style.fontWeight === 'bold' && span.textContent === 'bold') ]);

    session.check(!bold, 'Plotly took a tag for its own');
    await close();
}

/** Ten thousand events, and more than a thousand series. */
async function checkSize(session) {
    const view = syntheticView({ objects: 40, reports: 3600, events: 10_000, text: 'VP8' });
    const began = Date.now();
    const { page, close } = bound(await session.open('/sessions/synthetic', { routes: answers(view) }));

    await page.locator('.js-plotly-plot').first().waitFor();
    session.figures.largeShownMs = Date.now() - began;
    await session.until('all graphs in sight', () => page.locator('figure.chart').evaluateAll(charts =>
        charts.filter(chart => chart.getBoundingClientRect().top < innerHeight).every(chart => chart.querySelector('.js-line'))));
    const rows = await page.locator('.events tbody tr').count();

    session.check(rows > 0 && rows <= 200, `${rows} rows of 10,000 events are in the page`);
    const searched = Date.now();

    await page.getByLabel('Text').fill('event9999 ');
    await session.until('one event', async () => (await page.locator('.events tbody tr').count()) === 1);
    session.figures.searchMs = Date.now() - searched;
    session.check(session.figures.searchMs < CLICK_MS, `to search 10,000 events takes ${session.figures.searchMs} ms`);
    const opened = Date.now();

    await page.getByText('All numbers of').first().click();
    await page.locator('.all-numbers > details > summary').nth(39).waitFor();
    for (const summary of await page.locator('.all-numbers > details > summary').all()) {
        await summary.click();
    }
    await session.until('the graphs of the last object', async () => await page.locator('.all-numbers .chart').count() > 1000);
    session.figures.openAllMs = Date.now() - opened;
    const [ charts, drawn ] = await page.evaluate(() =>
        [ '.chart', '.js-plotly-plot' ].map(name => document.querySelectorAll(name).length));

    Object.assign(session.figures, { charts, drawn });
    session.check(charts > 1000, `there are ${charts} graphs of all numbers`);
    session.check(drawn > 0 && drawn < 60, `${drawn} of ${charts} graphs are drawn at once`);
    await close();
}

function bound(watched) {
    return { page: watched.page, close: () => watched.close() };
}

/** Checks both. */
export async function run(session) {
    await checkMarkup(session);
    await checkSize(session);
    await session.look('session-made-up', '/sessions/synthetic',
        { routes: answers(syntheticView({ objects: 10, reports: 900, events: 500, text: 'VP8' })) },
        page => page.locator('.js-plotly-plot .lines path, .js-plotly-plot .js-line').first().waitFor());
}
