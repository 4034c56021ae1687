#!/usr/bin/env node
/**
 * Looks at one page as a reader does: `node pages.mjs --page NAME --server-binary PATH`.
 *
 * A page is a file in `pages/`; its `run` is given a {@link PageSession}. Exit codes are those of `run.mjs`.
 */
import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const EXIT = { passed: 0, failed: 1, usage: 2, skipped: 77 };

const PAGES = readdirSync(new URL('pages/', import.meta.url)).filter(name => name.endsWith('.mjs'))
    .map(name => name.slice(0, -'.mjs'.length));

const USAGE = 'usage: node pages.mjs --page NAME --server-binary PATH [--shared PATH] [--screenshots DIRECTORY]'
    + ` [--assets DIRECTORY] [--timeout 300]\npages: ${PAGES.join(', ')}`;

/** Recordings lie beside the checkout. */
const SHARED = process.env.RTCSTATS_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url));

const SCREENSHOTS = process.env.RTCSTATS_SCREENSHOTS
    ?? fileURLToPath(new URL('../../target/screenshots', import.meta.url));

const TIDY_MS = 8000;

let isLeaving = false;

function leave(code, message) {
    console.log(message);
    process.exit(code);
}

/** The command line, checked. */
function readArguments() {
    let values;

    try {
        ({ values } = parseArgs({ options: {
            'page': { type: 'string' },
            'server-binary': { type: 'string' },
            'shared': { type: 'string', default: SHARED },
            'screenshots': { type: 'string', default: SCREENSHOTS },
            // Scripts and styles of this directory instead of those in the server: to try without building.
            'assets': { type: 'string' },
            'timeout': { type: 'string', default: '300' }
        } }));
    } catch (error) {
        leave(EXIT.usage, `${error.message}\n${USAGE}`);
    }
    const timeout = Number(values.timeout);

    if (!PAGES.includes(values.page) || !values['server-binary'] || !(timeout > 0)) {
        leave(EXIT.usage, USAGE);
    }
    const server = resolve(values['server-binary']);

    if (!existsSync(server)) {
        leave(EXIT.usage, `no such file: ${server}`);
    }

    return { page: values.page, server, shared: values.shared, screenshots: resolve(values.screenshots),
        assets: values.assets && resolve(values.assets), timeout };
}

/** Undoes everything, the youngest first, then prints `message` and ends. The first call decides. */
async function tidyAndLeave(cleanups, code, message) {
    if (isLeaving) {
        return;
    }
    isLeaving = true;
    setTimeout(() => leave(code, message), TIDY_MS);
    while (cleanups.length) {
        await Promise.resolve(cleanups.pop()()).catch(() => {});
    }
    leave(code, message);
}

async function main() {
    const options = readArguments();
    const session = await import('./page-session.mjs').catch(error => {
        if (error.code === 'ERR_MODULE_NOT_FOUND') {
            return leave(EXIT.skipped, 'SKIPPED: packages not installed, run npm ci');
        }
        throw error;
    });

    if (!session.findChromium()) {
        leave(EXIT.skipped, 'SKIPPED: chromium not found');
    }
    const cleanups = [];

    for (const [ signal, number ] of [ [ 'SIGINT', 2 ], [ 'SIGTERM', 15 ], [ 'SIGHUP', 1 ] ]) {
        process.on(signal, () => tidyAndLeave(cleanups, 128 + number, `FAIL ${options.page}\n  ${signal}`));
    }
    const { skipped, figures, problems, serverOutput } = await Promise.race([
        session.runPage(options, cleanups),
        new Promise(resolve => {
            setTimeout(() => resolve({ figures: {}, problems: [ `not done after ${options.timeout} s` ], serverOutput: '' }),
                options.timeout * 1000);
        })
    ]);

    if (skipped) {
        await tidyAndLeave(cleanups, EXIT.skipped, `SKIPPED: ${skipped}`);
    }
    const report = [ JSON.stringify({ page: options.page, ok: !problems.length, ...figures }) ];

    if (problems.length) {
        report.push(`FAIL ${options.page}`, ...problems.map(problem => `  ${problem}`),
            '--- last output of the server ---', serverOutput);
    } else {
        report.push(`PASS ${options.page}`);
    }
    await tidyAndLeave(cleanups, problems.length ? EXIT.failed : EXIT.passed, report.join('\n'));
}

main().catch(error => leave(EXIT.failed, `FAIL\n  ${error.stack ?? error}`));
