// CPU seconds of `JSON.parse` over the lines of a file, which are in memory before: the median of so
// many rounds, after one that warms up.
//
//     node json_parse.mjs FILE ROUNDS

import { readFileSync } from 'node:fs';

const [file, rounds] = process.argv.slice(2);
const lines = readFileSync(file, 'utf8').split('\n');

function parseAll() {
    let parsed = 0;
    for (const line of lines) {
        try {
            JSON.parse(line);
            parsed += 1;
        } catch {
            // The head of a dump of rtcstats 5.0.
        }
    }
    return parsed;
}

const seconds = [];
for (let round = 0; round <= Number(rounds); round += 1) {
    const start = process.cpuUsage();
    if (parseAll() < lines.length / 2) {
        throw new Error('this is no file of JSON lines');
    }
    const { user, system } = process.cpuUsage(start);
    if (round > 0) {
        seconds.push((user + system) / 1e6);
    }
}
seconds.sort((a, b) => a - b);
console.log(seconds[Math.floor(seconds.length / 2)]);
