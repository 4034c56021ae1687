/** The page of a session that goes on, when the server goes away and comes back. */
import { JITSI_CALL, RecordedClient } from '../recorded-client.mjs';

/** Messages that are sent: to some reports of each connection. */
const FIRST = 80;

/** And afterwards. */
const MORE = 20;

/** Follows a session over the end of its server. */
export async function run(session) {
    const client = await RecordedClient.connect(session, JITSI_CALL);

    if (!client) {
        session.skipped = 'no recordings, see --shared';

        return;
    }
    await client.send(FIRST);
    const id = await session.api.live(20_000);
    const { page } = await session.open(`/sessions/${id}`, { allowed: [ /net::ERR_/ ] });
    const status = text => page.getByRole('status').filter({ hasText: text }).waitFor();
    const reports = page.locator('.facts div', { hasText: 'Reports' }).locator('dd');

    await status('Live: numbers come');
    await page.locator('.js-line').first().waitFor({ state: 'attached' });
    const before = await reports.textContent();

    await session.server.crash();
    await status('The server cannot be reached');
    await session.server.start();
    // What was acknowledged is still there; the client is another matter.
    await status('The client is away');
    session.check(await reports.textContent() === before, `${before} reports have become ${await reports.textContent()}`);
    session.check(await page.locator('.js-line').count() > 0, 'the graphs are gone');

    await client.reconnect();
    await client.send(MORE);
    await status('Live: numbers come');
    await page.locator('.badge', { hasText: 'Live' }).waitFor();
}
