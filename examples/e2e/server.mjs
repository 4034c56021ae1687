/** The server under test as a child process: started, killed, started again on the same port and data. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const READY_LINE = 'listening on';
const START_MS = 20_000;
const STOP_MS = 10_000;

/** Lines of output in a failure report. */
const SHOWN_LINES = 60;

/** A port that was free a moment ago. */
export function freePort() {
    return new Promise((resolve, reject) => {
        const probe = createServer();

        probe.once('error', reject);
        probe.listen(0, '127.0.0.1', () => {
            const { port } = probe.address();

            probe.close(() => resolve(port));
        });
    });
}

/** One server, over all its lives. */
export class Server {
    #binary;
    #moreArguments;
    #child = null;
    #lines = [];

    /** `onExit` hears of every end that was not asked for. */
    constructor(binary, dataDir, port, moreArguments, onExit) {
        this.#binary = binary;
        this.dataDir = dataDir;
        this.port = port;
        this.#moreArguments = moreArguments;
        this.onExit = onExit;
        this.starts = 0;
    }

    /** The last lines that the server printed. */
    get output() {
        return this.#lines.slice(-SHOWN_LINES).join('\n');
    }

    /** All that the server printed, without its own address. */
    get log() {
        return this.#lines.join('\n').replaceAll(`127.0.0.1:${this.port}`, '');
    }

    /** Starts the server and waits until it says that it listens. */
    async start() {
        const child = spawn(this.#binary,
            [ '--listen', `127.0.0.1:${this.port}`, '--data', this.dataDir, '--grace', '60s',
                ...this.#moreArguments ],
            { stdio: [ 'ignore', 'pipe', 'pipe' ] });

        this.#child = child;
        this.starts += 1;
        await new Promise((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error(`no "${READY_LINE}" within ${START_MS} ms`)), START_MS);

            for (const stream of [ child.stdout, child.stderr ]) {
                createInterface({ input: stream }).on('line', line => {
                    this.#lines.push(line);
                    if (line.includes(READY_LINE)) {
                        clearTimeout(timer);
                        resolve();
                    }
                });
            }
            child.once('error', reject);
            child.once('exit', (code, signal) => {
                clearTimeout(timer);
                const end = `the server ended by itself (${signal ?? `exit code ${code}`})`;

                // `#child` is another or none when the end was asked for.
                if (this.#child === child) {
                    this.#child = null;
                    this.onExit(end);
                }
                reject(new Error(end));
            });
        });
    }

    /** Sends `signal` and waits for the end; returns `{code, signal}`, or `null` if it had to be killed. */
    async #end(signal) {
        const child = this.#child;

        if (!child) {
            return null;
        }
        this.#child = null;
        const exited = new Promise(resolve => {
            child.once('exit', (code, by) => resolve({ code, signal: by }));
        });

        child.kill(signal);
        const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
        const end = await exited;

        clearTimeout(timer);

        return end.signal === 'SIGKILL' && signal !== 'SIGKILL' ? null : end;
    }

    /** Ends the server as a power cut would. */
    async crash() {
        await this.#end('SIGKILL');
    }

    /** Ends the server as an operator would; false if it did not go. */
    async stop() {
        return await this.#end('SIGTERM') !== null;
    }

    /** Ends the server without waiting; for the exit of the harness. */
    abandon() {
        this.#child?.kill('SIGKILL');
    }
}
