/** A page that is watched: what it fetches, what it complains of, how accessible it is. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** What axe calls serious enough. */
const SERIOUS = new Set([ 'serious', 'critical' ]);

const TYPES = { '.js': 'text/javascript', '.css': 'text/css' };

/** Longest wait for something on the page. */
const WAIT_MS = 20_000;

/** One page in a window of its own. */
export class WatchedPage {
    #session;
    #allowed;

    constructor(session, allowed) {
        this.#session = session;
        this.#allowed = allowed;
    }

    async open(browser, url, { theme, size, userAgent, routes }) {
        const { problems, options } = this.#session;
        const context = await browser.newContext({ colorScheme: theme, viewport: size, userAgent, acceptDownloads: true,
            reducedMotion: 'reduce', timezoneId: 'Europe/Berlin', permissions: [ 'clipboard-read', 'clipboard-write' ] });

        this.context = context;
        this.page = await context.newPage();
        this.page.setDefaultTimeout(WAIT_MS);
        context.on('request', request => {
            const { protocol, origin } = new URL(request.url());

            if (origin !== this.#session.origin && protocol !== 'data:' && protocol !== 'blob:') {
                problems.push(`${url} fetched ${request.url()} from another host`);
            }
        });
        this.page.on('pageerror', error => problems.push(`uncaught in ${url}: ${error.stack ?? error}`));
        this.page.on('console', message => {
            if ([ 'error', 'warning' ].includes(message.type()) && !this.#allowed.some(pattern => pattern.test(message.text()))) {
                problems.push(`in the console of ${url}: ${message.text()}`);
            }
        });
        this.page.on('dialog', dialog => {
            problems.push(`${url} opened a dialog: ${dialog.message()}`);
            dialog.dismiss().catch(() => {});
        });
        if (options.assets) {
            await this.page.route('**/assets/*', route => this.#serveAsset(route));
        }
        for (const [ pattern, handler ] of routes) {
            await this.page.route(pattern, handler);
        }
        await this.page.goto(url);
    }

    /** Has axe judge the page, and looks whether it is wider than the screen; `what` names it in the report. */
    async judge(what) {
        // As a tool of the browser, not of the page: the page's own policy lets no script in.
        await this.page.evaluate(readFileSync(AXE, 'utf8'));
        const { violations } = await this.page.evaluate(() => window.axe.run(document, { resultTypes: [ 'violations' ] }));

        for (const { id, impact, help, nodes } of violations.filter(({ impact }) => SERIOUS.has(impact))) {
            this.#session.problems.push(`${what}: ${impact}: ${help} (${id}), ${nodes.length} times: ${
                nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`).join(' | ')}`);
        }
        const [ inner, outer ] = await this.page.evaluate(() =>
            [ document.documentElement.scrollWidth, document.documentElement.clientWidth ]);

        this.#session.check(inner <= outer, `${what}: the page is ${inner} px wide on a screen of ${outer} px`);
    }

    /** Takes a picture `NAME.png`. */
    async picture(name) {
        await this.page.screenshot({ path: join(this.#session.options.screenshots, `${name}.png`) });
    }

    /** Does something that saves a file; returns `{name, bytes}`. */
    async download(action) {
        const [ download ] = await Promise.all([ this.page.waitForEvent('download'), action() ]);

        return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
    }

    async close() {
        await this.context.close();
    }

    async #serveAsset(route) {
        const name = basename(new URL(route.request().url()).pathname);

        try {
            await route.fulfill({ body: readFileSync(join(this.#session.options.assets, name)),
                contentType: TYPES[name.slice(name.lastIndexOf('.'))] });
        } catch (error) {
            if (error.code !== 'ENOENT') {
                throw error;
            }
            await route.fallback();
        }
    }
}
