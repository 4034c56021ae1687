/** Modules of the pages that touch no element, for tests without a browser. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ASSETS = fileURLToPath(new URL('../axum/assets/', import.meta.url));

/** Loads the module `name` of the pages. */
export async function loadPageModule(name) {
    const directory = mkdtempSync(join(tmpdir(), 'rtcstats-modules-'));

    try {
        // Beside the server's sources nothing tells Node.js that these are modules.
        cpSync(ASSETS, directory, { recursive: true });
        writeFileSync(join(directory, 'package.json'), '{"type":"module"}');

        return await import(pathToFileURL(join(directory, name)));
    } finally {
        rmSync(directory, { recursive: true, force: true });
    }
}
