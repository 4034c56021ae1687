/** What a scenario of a page is given: a server of its own, a browser, and eyes. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

import { Api } from './api.mjs';
import { FLAGS, findChromium } from './browser.mjs';
import { Server, freePort } from './server.mjs';
import { WatchedPage } from './watched-page.mjs';

export { findChromium };

/** Both themes. */
const THEMES = [ 'light', 'dark' ];

/** A desk and a phone. */
const SIZES = [ { width: 1280, height: 1400 }, { width: 390, height: 1400 } ];

/**
 * Runs one scenario; returns `{figures, problems, serverOutput}`; it passed if there are no problems. `skipped` tells why
 * there was nothing to run.
 */
export async function runPage(options, cleanups) {
    const session = new PageSession(options, cleanups);

    try {
        await session.start();
        const { run, serverArguments = [] } = await import(`./pages/${options.page}.mjs`);

        await session.startServer(serverArguments);
        await run(session);
        if (session.skipped) {
            return { skipped: session.skipped };
        }
        if (!await session.server.stop()) {
            session.problems.push('the server did not end on SIGTERM');
        }
    } catch (error) {
        session.problems.push(error.stack ?? String(error));
    }

    return { figures: session.figures, problems: session.problems, serverOutput: session.server?.output ?? '' };
}

/** Everything that a scenario needs. */
export class PageSession {
    #cleanups;

    /** What goes wrong; the scenario passed if this stays empty. */
    problems = [];

    /** Why there is nothing to run, if there is not. */
    skipped = null;

    /** What is worth saying in the summary. */
    figures = {};

    constructor(options, cleanups) {
        this.options = options;
        this.#cleanups = cleanups;
    }

    async start() {
        this.directory = mkdtempSync(join(tmpdir(), 'rtcstats-pages-'));
        this.#cleanups.push(() => rmSync(this.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
        mkdirSync(this.options.screenshots, { recursive: true });
        this.browser = await chromium.launch({ executablePath: findChromium(), headless: true, args: FLAGS,
            chromiumSandbox: false, handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false });
        this.#cleanups.push(() => this.browser.close());
    }

    async startServer(moreArguments) {
        this.server = new Server(this.options.server, join(this.directory, 'data'), await freePort(), moreArguments,
            end => this.problems.push(end));
        this.#cleanups.push(() => this.server.abandon());
        await this.server.start();
        this.origin = `http://127.0.0.1:${this.server.port}`;
        this.api = new Api(this.server.port);
    }

    /**
     * Opens a page of the server and watches it.
     *
     * `theme` is `light` or `dark`; `size` `{width, height}`; `userAgent` another than the browser's own; `routes` a list of
     * `[pattern, handler]` for answers that are made up (see `page.route`); `allowed` a list of patterns of messages in the
     * console that are no problem.
     */
    async open(path, { theme = 'light', size = SIZES[0], userAgent, routes = [], allowed = [] } = {}) {
        const page = new WatchedPage(this, allowed);

        await page.open(this.browser, new URL(path, this.origin).href, { theme, size, userAgent, routes });

        return page;
    }

    /**
     * Opens a page in both themes, at a desk's and a phone's width; lets `prepare` bring it into the state to look at; takes a
     * picture `NAME-THEME-WIDTH.png`; and has axe judge it. Nothing may be wider than the screen.
     */
    async look(name, path, options, prepare) {
        for (const theme of THEMES) {
            for (const size of SIZES) {
                const page = await this.open(path, { ...options, theme, size });

                await prepare(page.page, page);
                await page.judge(`${name}, ${theme}, ${size.width} px`);
                await page.picture(`${name}-${theme}-${size.width}`);
                await page.close();
            }
        }
    }

    /** Notes a problem unless `isRight`. */
    check(isRight, problem) {
        if (!isRight) {
            this.problems.push(problem);
        }
    }

    /** Waits until `read` gives something true; throws after a while, saying what was waited for. */
    async until(what, read, milliseconds = 20_000) {
        const deadline = Date.now() + milliseconds;

        for (;;) {
            const value = await read();

            if (value) {
                return value;
            }
            if (Date.now() > deadline) {
                throw new Error(`waited ${milliseconds} ms for ${what}`);
            }
            await new Promise(resolve => { setTimeout(resolve, 100); });
        }
    }
}
