/** Finds Chromium and opens the page in it. */
import { accessSync, constants } from 'node:fs';

import { chromium } from 'playwright-core';

/** Flags of the browser. */
export const FLAGS = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    '--autoplay-policy=no-user-gesture-required',
    // A host without network has only its loopback interface to call itself over.
    '--allow-loopback-in-peer-connection'
];

/** The browser's path: `CHROMIUM`, else where Debian puts it; `null` if it cannot be run. */
export function findChromium() {
    const path = process.env.CHROMIUM || '/usr/bin/chromium';

    try {
        accessSync(path, constants.X_OK);

        return path;
    } catch {
        return null;
    }
}

/**
 * Opens `url` with a new profile in `profileDir`, and with another `userAgent` than its own where one is given.
 * `onProblem` hears of errors in the page.
 */
export async function openPage(url, profileDir, { userAgent }, onProblem) {
    const context = await chromium.launchPersistentContext(profileDir, {
        executablePath: findChromium(), headless: true, args: FLAGS, chromiumSandbox: false,
        userAgent,
        // The driver tidies up on signals, in an order of its own.
        handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false });
    const page = context.pages()[0] ?? await context.newPage();

    page.on('pageerror', error => onProblem(`uncaught in the page: ${error.stack ?? error}`));
    // The client reports its own failures with console.error; a refused reconnect is reported there too, as a
    // network error with a location, and is nothing to worry about.
    page.on('console', message => {
        if (message.type() === 'error' && message.text().includes('RTCStats')) {
            onProblem(`the client reported: ${message.text()}`);
        }
    });
    await page.goto(url);

    return {
        /** Calls `window.e2e[name](argument)` in the page. */
        call: (name, argument) => page.evaluate(([ n, a ]) => window.e2e[n](a), [ name, argument ]),
        close: () => context.close()
    };
}
