/** Bundles the page and serves it from 127.0.0.1, which browsers treat as a secure context. */
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

import * as esbuild from 'esbuild';

const SHELL = '<!doctype html><meta charset="utf-8"><title>rtcstats end to end</title><body>'
    + '<script src="/page.js"></script>';

/** The client names a directory of a package that exports only files. */
const ALIASES = { '@jitsi/js-utils/browser-detection': '@jitsi/js-utils/browser-detection/index.js' };

/** The page and the stock client as one script. */
async function bundle() {
    const entry = fileURLToPath(new URL('./page.js', import.meta.url));
    const { outputFiles: [ script ] } = await esbuild.build({
        entryPoints: [ entry ], bundle: true, write: false, format: 'iife', target: 'chrome120', logLevel: 'silent',
        alias: ALIASES });

    // The bundler keeps a process of its own running.
    await esbuild.stop();

    return script.contents;
}

/** Serves the page on a free port; returns `{url, close}`. */
export async function hostPage() {
    const script = await bundle();
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
        url: `http://127.0.0.1:${server.address().port}/`,
        close() {
            server.close();
            server.closeAllConnections();
        }
    };
}
