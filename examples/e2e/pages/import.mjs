/** The page that shows dumps: every format, refusals, storing. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';

/** One file of every format, below the directory of shared data. */
const FILES = [
    'corpus/internals/rtcstatsjs-chromium-01-av-p2p.webrtc-internals.json',
    'corpus/internals/rtcstatsjs-chromium-01-av-p2p.webrtc-internals.json.gz',
    'corpus/internals/rtcstatsjs-chromium-01-av-p2p.chrome-rtcstats.gz',
    'corpus/wire/jitsi-chromium-01-av-p2p.dump.gz',
    'corpus/wire/rtcstatsjs-chromium-01-av-p2p.dump.gz',
    'corpus/wire/rtcstatsjs-firefox-01-av-p2p.dump.gz'
];

/** One that says of which client it is. */
const STORED = 'corpus/wire/jitsi-chromium-01-av-p2p.dump.gz';

/** Bytes of the file that is large. */
const LARGE_BYTES = 24 << 20;

/** Bytes of a line of {@link smallDump}. */
const LINE_BYTES = 140;

/** A dump of the smallest kind: a legacy one, with two reports. */
function smallDump(reports = 2) {
    const lines = [ JSON.stringify([ 'publicIP', null, [ '192.0.2.1' ], Date.UTC(2026, 10, 20) ]),
        JSON.stringify([ 'create', 'PC_0', { iceServers: [] }, Date.UTC(2026, 10, 20) ]) ];

    for (let index = 0; index < reports; index += 1) {
        lines.push(JSON.stringify([ 'getstats', 'PC_0', { timestamp: Date.UTC(2026, 10, 20) + (index * 1000),
            OT1: { type: 'outbound-rtp', kind: 'video', bytesSent: index * 125_000, timestamp: 0 } },
        Date.UTC(2026, 10, 20) + (index * 1000) ]));
    }

    return lines.join('\n');
}

const choose = (page, file) => page.locator('input[type=file]').setInputFiles(file);

/** Waits for the view of a file; nothing of it may be stored. */
async function checkFile(session, page, name, file) {
    await choose(page, file);
    const outcome = page.locator('.title h2, [role=alert]:not(:empty)').first();

    await page.getByText(`${name},`).or(page.locator('[role=alert]:not(:empty)')).first().waitFor();
    session.check(await page.locator('[role=alert]:not(:empty)').count() === 0,
        `${name}: ${await page.locator('[role=alert]').first().textContent()}`);
    await outcome.waitFor();
    session.check(await page.locator('figure.chart').count() > 0, `${name}: there are no graphs`);
    session.check(await page.locator('.events tbody tr').count() > 0, `${name}: there are no events`);
    session.check((await session.api.sessions()).length === 0, `${name} was stored without being asked for`);
}

async function checkCorpus(session, page) {
    const missing = FILES.filter(file => !existsSync(join(session.options.shared, file)));

    session.figures.imported = FILES.length - missing.length;
    if (missing.length) {
        session.check(!process.env.RTCSTATS_REQUIRE_ALL, `not found: ${missing}`);
        console.error(`SKIPPED: ${missing.length} recorded dumps not found`);
    }
    for (const file of FILES.filter(own => !missing.includes(own))) {
        const path = join(session.options.shared, file);

        await checkFile(session, page, basename(file), path);
        if (file.endsWith('.gz')) {
            const name = basename(file, '.gz').concat('.txt');

            await checkFile(session, page, name, { name, mimeType: 'text/plain', buffer: gunzipSync(readFileSync(path)) });
        }
    }
}

/** A large file, with its progress; and one that is stopped half-way. */
async function checkLarge(session, page) {
    const path = join(session.directory, 'large.txt');

    writeFileSync(path, smallDump(Math.ceil(LARGE_BYTES / LINE_BYTES)));
    const began = Date.now();

    await page.evaluate(() => {
        window.progressSeen = [];
        new MutationObserver(() => {
            const bar = document.querySelector('progress');

            window.progressSeen.push(bar.hasAttribute('value') ? bar.value : null);
        }).observe(document.querySelector('progress'), { attributes: true });
    });
    await checkFile(session, page, 'large.txt', path);
    session.figures.largeImportMs = Date.now() - began;
    const seen = await page.evaluate(() => window.progressSeen);

    session.check(seen.some(value => value !== null && value < 1) && seen.includes(null), `the progress shown was ${seen}`);
}

async function checkCancel(session, page) {
    let release;
    const held = new Promise(resolve => { release = resolve; });

    await page.route('**/api/import', async route => {
        await held;
        await route.abort().catch(() => {});
    });
    await choose(page, { name: 'small.txt', mimeType: 'text/plain', buffer: Buffer.from(smallDump()) });
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('alert').filter({ hasText: 'Cancelled' }).waitFor();
    release();
    await page.unroute('**/api/import');
}

/** A file that somebody lets go over the page. */
async function checkDrop(session, page) {
    const data = await page.evaluateHandle(text => {
        const transfer = new DataTransfer();

        transfer.items.add(new File([ text ], 'dropped.txt', { type: 'text/plain' }));

        return transfer;
    }, smallDump());

    await page.dispatchEvent('.drop', 'drop', { dataTransfer: data });
    await page.getByText('dropped.txt,').waitFor();
    session.check(await page.locator('.events tbody tr').count() > 0, 'the dropped file is not shown');
}

/** What is shown can be stored, unless nothing in it says which client it is of. */
async function checkStore(session, page) {
    const button = page.getByRole('button', { name: 'Store it as a session' });

    await page.getByText('Nothing of this file is stored').waitFor();
    await button.click();
    await page.getByRole('alert').filter({ hasText: 'unsupported file format' }).waitFor();
    session.check((await session.api.sessions()).length === 0, 'a dump that was refused is stored');
    const file = join(session.options.shared, STORED);

    if (!existsSync(file)) {
        return;
    }
    await choose(page, file);
    await page.getByText(`${basename(STORED)},`).waitFor();
    await button.click();
    const link = page.getByRole('status').getByRole('link');

    await link.waitFor();
    await link.click();
    await page.locator('.badge', { hasText: 'Finished' }).waitFor();
    session.check((await session.api.sessions()).length === 1, 'the file was not stored once');
}

/** Everything in one window, as a reader does it. */
export async function run(session) {
    const watched = await session.open('/import', { allowed: [ /status of 4\d\d/ ] });
    const { page } = watched;

    await page.getByRole('heading', { name: 'Import a dump' }).waitFor();
    await choose(page, { name: 'shopping.txt', mimeType: 'text/plain', buffer: Buffer.from('milk\nbread\n') });
    await page.getByRole('alert').filter({ hasText: 'not a dump' }).waitFor();
    await checkFile(session, page, 'small.txt', { name: 'small.txt', mimeType: 'text/plain', buffer: Buffer.from(smallDump()) });
    await checkFile(session, page, 'small.gz', { name: 'small.gz', mimeType: 'application/gzip', buffer: gzipSync(smallDump()) });
    await checkCorpus(session, page);
    await checkLarge(session, page);
    await checkCancel(session, page);
    await checkDrop(session, page);
    await checkStore(session, page);
    await watched.close();
    await session.look('import', '/import', {}, own => own.locator('h1').waitFor());
    const [ file ] = FILES.map(own => join(session.options.shared, own)).filter(existsSync);

    if (file) {
        await session.look('import-shown', '/import', {}, async own => {
            await choose(own, file);
            await own.locator('.js-line').first().waitFor({ state: 'attached' });
        });
    }
}
