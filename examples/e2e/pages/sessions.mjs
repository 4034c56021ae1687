/** The page of all sessions: nothing, thousands, live ones, hostile names. */
import { serverArguments, storeSession, storeSessions } from '../stored-sessions.mjs';
import { MARKUP } from '../synthetic-view.mjs';

export { serverArguments };

const COUNT = 2400;

/** How long a click may take, with a machine that does other things as well. */
const CLICK_MS = 5000;

const rows = page => page.locator('.sessions tbody tr');
const range = page => page.locator('.list-range').textContent();
const users = page => page.locator('.sessions tbody td:nth-child(2)').allTextContents();
const column = async (page, number) =>
    (await page.locator(`.sessions tbody td:nth-child(${number})`).allTextContents()).map(text => parseFloat(text));

/** Waits until the page says which sessions it shows. */
async function untilRange(session, page, expected) {
    const began = Date.now();

    await session.until(`the range "${expected}"`, async () => await range(page) === expected);

    return Date.now() - began;
}

async function checkNothing(session) {
    const { page, close } = bound(await session.open('/'));

    await page.getByText('No sessions yet').waitFor();
    const text = await page.locator('main').textContent();
    const targets = await page.locator('.list-empty a').evaluateAll(links => links.map(link => link.getAttribute('href')));

    session.check(text.includes(session.origin.replace('http', 'ws')), `where to point clients is not in ${text}`);
    session.check(targets.join() === '/demo,/import', `the empty page links to ${targets}`);
    await close();
}

async function checkPaging(session) {
    const { page, close } = bound(await session.open('/'));
    const all = (COUNT + 1).toLocaleString('en');
    const button = name => page.getByRole('navigation', { name: 'Pages of the list' }).getByRole('button', { name, exact: true });

    session.figures.firstPageMs = await untilRange(session, page, `1 to 50 of ${all} sessions`);
    session.check((await users(page))[0] === MARKUP, `the first is not the session that ended last, but ${(await users(page))[0]}`);
    session.check(await button('First').isDisabled() && await button('Previous').isDisabled(), 'there is a page before the first');
    await button('Next').click();
    session.figures.nextPageMs = await untilRange(session, page, `51 to 100 of ${all} sessions`);
    session.check(new URL(page.url()).search === '?page=2', `the second page is at ${page.url()}`);
    await button('Last').click();
    await untilRange(session, page, `2,401 to 2,401 of ${all} sessions`);
    session.check(await button('Next').isDisabled() && await button('Last').isDisabled(), 'there is a page behind the last');
    await page.goBack();
    await untilRange(session, page, `51 to 100 of ${all} sessions`);
    await page.getByLabel('Rows').selectOption('1000');
    await untilRange(session, page, `1 to 1,000 of ${all} sessions`);
    session.check(await rows(page).count() === 1000, `${await rows(page).count()} rows of 1,000`);
    // Whatever a link says, there is a page.
    await page.goto(`${session.origin}/?page=77777&sort=zzz&size=3&order=up&state=x`);
    await untilRange(session, page, `2,401 to 2,401 of ${all} sessions`);
    session.check(new URL(page.url()).search === '?page=49', `behind the last page is ${page.url()}`);
    await close();
}

async function checkSearch(session) {
    const { page, close } = bound(await session.open('/'));
    const box = page.getByRole('searchbox', { name: 'Search' });

    await rows(page).first().waitFor();
    await box.pressSequentially('USER-77 firefox');
    await session.until('what is searched for', async () => {
        const found = await users(page);

        return found.length && found.every(user => user.startsWith('user-77'));
    });
    session.check(await box.evaluate(node => node === document.activeElement), 'searching took the focus away');
    const link = page.url();

    session.check(new URL(link).searchParams.get('q') === 'USER-77 firefox', `the search is at ${link}`);
    const found = await range(page);

    await page.goBack();
    await untilRange(session, page, `1 to 50 of ${(COUNT + 1).toLocaleString('en')} sessions`);
    session.check(await box.inputValue() === '', 'going back leaves the text');
    await page.goto(link);
    await untilRange(session, page, found);
    session.check(await box.inputValue() === 'USER-77 firefox', 'a link does not fill the search');
    await box.fill('nobody at all');
    await page.getByText('No session is like that').waitFor();
    await page.getByRole('button', { name: 'Show all sessions' }).click();
    await untilRange(session, page, `1 to 50 of ${(COUNT + 1).toLocaleString('en')} sessions`);
    await page.getByLabel('State').selectOption('live');
    await page.getByText('No session is like that').waitFor();
    await page.getByLabel('State').selectOption('finished');
    await rows(page).first().waitFor();
    await close();
}

async function checkSorting(session) {
    const { page, close } = bound(await session.open('/'));
    const header = name => page.getByRole('columnheader', { name });
    const sorted = async (name, number, isRight) => {
        const began = Date.now();

        await session.until(`the order by ${name}`, async () => isRight(await column(page, number)));
        session.check(Date.now() - began < CLICK_MS, `to sort by ${name} takes ${Date.now() - began} ms`);
    };
    const falls = numbers => numbers.length > 1 && numbers.every((number, index) => !index || number <= numbers[index - 1]);
    const rises = numbers => falls([ ...numbers ].reverse());

    await rows(page).first().waitFor();
    // By keyboard.
    await header('Loss').getByRole('button').focus();
    await page.keyboard.press('Enter');
    await sorted('loss', 8, numbers => falls(numbers) && numbers[0] === 9.01);
    session.check(await header('Loss').getAttribute('aria-sort') === 'descending', 'the header does not say that it falls');
    session.check(new URL(page.url()).search === '?sort=loss&order=desc', `sorted by loss it is ${page.url()}`);
    await page.keyboard.press('Enter');
    await sorted('loss', 8, numbers => rises(numbers) && numbers[0] === 0);
    session.check(await header('Loss').getAttribute('aria-sort') === 'ascending', 'the header does not say that it rises');
    session.check(await page.locator('[aria-sort]').count() === 1, 'several columns say that they sort');
    await header('Round trip').getByRole('button').click();
    await sorted('round trip', 9, numbers => falls(numbers) && numbers[0] === 390);
    await header('User').getByRole('button').click();
    await session.until('the order of users', async () => (await users(page))[1] === 'user-0');
    await header('Start').getByRole('button').click();
    await session.until('the latest first', async () => (await users(page))[0] === `user-${COUNT - 1}`);
    await header('Duration').getByRole('button').click();
    await session.until('the longest first', async () => (await users(page))[0] === `user-${COUNT - 1}`);
    await close();
}

async function checkMarkup(session) {
    const { page, close } = bound(await session.open('/?q=%3Cimg'));

    await page.getByText(MARKUP).first().waitFor();
    session.check(await rows(page).count() === 1, `${await rows(page).count()} sessions are called <img`);
    session.check(await page.locator('main img, main script, main b').count() === 0, 'markup of a client became elements');
    session.check(!await page.evaluate(() => 'hacked' in window), 'a script of a client ran');
    await close();
}

/** Begins a session in the page's own browser; it lasts as long as the page. */
function beginSession(page, user) {
    return page.evaluate(name => new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://${location.host}/room`, '2.0');

        socket.onopen = () => {
            socket.send(JSON.stringify([ 'identity', null, { user: name, conference: 'right now' }, Date.now() ]));
            window.sockets = [ ...window.sockets ?? [], socket ];
            resolve();
        };
        socket.onerror = () => reject(new Error('the socket does not open'));
    }), user);
}

async function checkLive(session) {
    const caller = bound(await session.open('/import'));
    const { page, close } = bound(await session.open('/', { size: { width: 1280, height: 700 } }));

    await rows(page).first().waitFor();
    await beginSession(caller.page, 'first caller');
    await session.until('the live session', async () => (await users(page))[0] === 'first caller', CLICK_MS * 3);
    const first = rows(page).first();

    session.check((await first.locator('.badge.live').textContent()) === 'Live', 'a live session is not marked');
    // Somebody reads further down while another one comes.
    const link = rows(page).nth(30).locator('a');

    await link.focus();
    const before = { id: await link.getAttribute('href'), top: await page.evaluate(() => scrollY) };

    await beginSession(caller.page, 'second caller');
    await session.until('the second live session', async () => (await users(page))[0] === 'second caller', CLICK_MS * 3);
    const [ focused, offset ] = await page.evaluate(() => [ document.activeElement.getAttribute('href'), scrollY ]);

    session.check(before.top > 0 && focused === before.id, `the focus went from ${before.id} to ${focused}`);
    // A row more above is no jump.
    session.check(Math.abs(offset - before.top) < 120, `the page scrolled from ${before.top} to ${offset}`);
    const duration = () => first.locator('td:nth-child(6)').textContent();
    const shown = await duration();

    await session.until('a duration that goes on', async () => await duration() !== shown);
    await page.getByRole('searchbox', { name: 'Search' }).fill('SECOND caller');
    await session.until('the live session that is searched for', async () => await rows(page).count() === 1);
    await page.getByLabel('State').selectOption('open');
    session.check(await rows(page).count() === 1, 'a live session is not open');
    await caller.page.evaluate(() => window.sockets.forEach(socket => socket.close()));
    await page.getByText('No session is like that').waitFor({ timeout: CLICK_MS * 3 });
    await close();
    await caller.close();
}

async function checkFailure(session) {
    let isBroken = true;
    const answer = route => isBroken
        ? route.fulfill({ status: 500, json: { error: 'the <b>database</b> is away' } })
        : route.fallback();
    const { page, close } = bound(await session.open('/', { routes: [ [ '**/api/sessions?*', answer ] ],
        allowed: [ /Failed to load resource.*500/ ] }));

    await page.getByRole('alert').getByText('the <b>database</b> is away').waitFor();
    isBroken = false;
    await page.getByLabel('State').selectOption('finished');
    await rows(page).first().waitFor();
    session.check(await page.locator('.error').textContent() === '', 'an error stays when it is over');
    await close();
}

function bound(watched) {
    return { page: watched.page, close: () => watched.close() };
}

/** Checks all of it. */
export async function run(session) {
    await checkNothing(session);
    await session.look('sessions-none', '/', {}, page => page.getByText('No sessions yet').waitFor());
    const began = Date.now();

    await storeSessions(session.origin, COUNT);
    // The last one is stored last: it is the first in the list.
    await storeSession(session.origin, 0, { user: MARKUP, conference: MARKUP });
    session.figures.storedMs = Date.now() - began;
    await session.until('all to be stored', async () =>
        (await (await fetch(`${session.origin}/api/sessions?limit=1`)).json()).total === COUNT + 1);
    await checkPaging(session);
    await checkSearch(session);
    await checkSorting(session);
    await checkMarkup(session);
    await checkLive(session);
    await checkFailure(session);
    await session.look('sessions', '/?sort=loss&order=desc', {}, page => rows(page).first().waitFor());
    const caller = bound(await session.open('/import'));

    await beginSession(caller.page, 'live caller');
    await session.look('sessions-live', '/', {}, page => page.locator('.badge.live').first().waitFor());
    await caller.close();
}
