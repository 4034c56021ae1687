/** Bundles a page and serves it from this machine, which browsers treat as a secure context. */
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

import * as esbuild from 'esbuild';

const SHELL = '<!doctype html><meta charset="utf-8"><title>rtcstats end to end</title><body>'
    + '<script src="/page.js"></script>';

/** The client names a directory of a package that exports only files. */
const ALIASES = { '@jitsi/js-utils/browser-detection': '@jitsi/js-utils/browser-detection/index.js' };

/** The page `name` and its stock client as one script. */
async function bundle(name) {
    const entry = fileURLToPath(new URL(`./page/${name}.js`, import.meta.url));
    const { outputFiles: [ script ] } = await esbuild.build({
        entryPoints: [ entry ], bundle: true, write: false, format: 'iife', target: 'chrome120', logLevel: 'silent',
        alias: ALIASES });

    // The bundler keeps a process of its own running.
    await esbuild.stop();

    return script.contents;
}

/**
 * Serves the page `name` at any path of a free port; returns `{url, close}`.
 *
 * The URL has no literal address: clients report it, and addresses are looked for in what is stored.
 */
export async function hostPage(name) {
    const script = await bundle(name);
    const server = createServer((request, response) => {
        const isScript = request.url === '/page.js';

        response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html; charset=utf-8' });
        response.end(isScript ? script : SHELL);
    });

    await new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', resolve);
    });

    return {
        url: `http://localhost:${server.address().port}/`,
        close() {
            server.close();
            server.closeAllConnections();
        }
    };
}
