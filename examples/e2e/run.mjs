#!/usr/bin/env node
/**
 * Runs one scenario: `node run.mjs --scenario NAME --server-binary PATH [--seconds N]`.
 *
 * Exit codes: 0 passed, 1 failed, 2 wrong arguments, 77 skipped because something to run with is missing.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const EXIT = { passed: 0, failed: 1, usage: 2, skipped: 77 };

const USAGE = 'usage: node run.mjs --scenario NAME --server-binary PATH [--rtcstats-binary PATH] [--shared PATH]'
    + ' [--seconds N] [--timeout 120]\n'
    + 'scenarios: plain, restarts, cuts, legacy-plain, legacy-killed, legacy-masked, legacy-strict, rtcstats-replay';

/** Recordings lie beside the checkout. */
const SHARED = process.env.RTCSTATS_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url));

/** Longest time that tidying up may take. */
const TIDY_MS = 8000;

let leaving = false;

/** Prints `message` and ends. */
function leave(code, message) {
    console.log(message);
    process.exit(code);
}

/** The command line, checked. */
function readArguments() {
    let values;

    try {
        ({ values } = parseArgs({ options: {
            'scenario': { type: 'string' },
            'server-binary': { type: 'string' },
            'rtcstats-binary': { type: 'string' },
            'shared': { type: 'string', default: SHARED },
            'seconds': { type: 'string' },
            'timeout': { type: 'string', default: '120' }
        } }));
    } catch (error) {
        leave(EXIT.usage, `${error.message}\n${USAGE}`);
    }
    const seconds = values.seconds === undefined ? undefined : Number(values.seconds);
    const timeout = Number(values.timeout);

    if (!values.scenario || !values['server-binary'] || (seconds !== undefined && !(seconds > 0)) || !(timeout > 0)) {
        leave(EXIT.usage, USAGE);
    }
    const server = resolve(values['server-binary']);
    // The command-line tool is built beside the server.
    const rtcstats = resolve(values['rtcstats-binary'] ?? join(dirname(server), 'rtcstats'));

    for (const binary of [ server, rtcstats ].filter(path => !existsSync(path))) {
        leave(EXIT.usage, `no such file: ${binary}`);
    }

    return { scenario: values.scenario, server, rtcstats, shared: values.shared, seconds, timeout };
}

/** The harness itself, or `null` if its packages are not installed. */
async function load() {
    try {
        return { ...await import('./session.mjs'), ...await import('./browser.mjs'),
            ...await import('./scenarios.mjs') };
    } catch (error) {
        if (error.code === 'ERR_MODULE_NOT_FOUND') {
            return null;
        }
        throw error;
    }
}

/** Undoes everything, the youngest first, then prints `message` and ends. The first call decides. */
async function tidyAndLeave(cleanups, code, message) {
    if (leaving) {
        return;
    }
    leaving = true;
    setTimeout(() => leave(code, message), TIDY_MS);
    while (cleanups.length) {
        await Promise.resolve(cleanups.pop()()).catch(() => {});
    }
    leave(code, message);
}

/** Runs one scenario as the command line asks. */
async function main() {
    const options = readArguments();
    const harness = await load();

    if (!harness) {
        leave(EXIT.skipped, 'SKIPPED: packages not installed, run npm ci');
    }
    if (!harness.findChromium()) {
        leave(EXIT.skipped, 'SKIPPED: chromium not found');
    }
    if (!Object.hasOwn(harness.SCENARIOS, options.scenario)) {
        leave(EXIT.usage, USAGE);
    }
    const cleanups = [];

    for (const [ signal, number ] of [ [ 'SIGINT', 2 ], [ 'SIGTERM', 15 ], [ 'SIGHUP', 1 ] ]) {
        process.on(signal, () => tidyAndLeave(cleanups, 128 + number, `FAIL ${options.scenario}\n  ${signal}`));
    }
    setTimeout(() => tidyAndLeave(cleanups, EXIT.failed,
        `FAIL ${options.scenario}\n  not done after ${options.timeout} s`), options.timeout * 1000);

    const { skipped, figures, problems, serverOutput } = await harness.runSession(options, cleanups);

    if (skipped) {
        await tidyAndLeave(cleanups, EXIT.skipped, `SKIPPED: ${skipped}`);
    }
    const passed = problems.length === 0;
    const report = [ JSON.stringify({ scenario: options.scenario, ok: passed, ...figures }) ];

    if (passed) {
        report.push(`PASS ${options.scenario}`);
    } else {
        report.push(`FAIL ${options.scenario}`, ...problems.map(problem => `  ${problem}`),
            '--- last output of the server ---', serverOutput);
    }
    await tidyAndLeave(cleanups, passed ? EXIT.passed : EXIT.failed, report.join('\n'));
}

main().catch(error => leave(EXIT.failed, `FAIL\n  ${error.stack ?? error}`));
