import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { compareFeatures, compareWithKnown, compareWithReference } from './features.mjs';

const FEATURES = { duration: 5, peerConnections: [ { meanRtt: 0.25 } ] };

const METADATA = { app: 'a', dumpPath: 'x', clientId: 'y' };
const OUTPUTS = { jitsi: { dumpMetadata: METADATA, features: { count: 1 } }, rtcstats: FEATURES, legacy: { client: {} } };
const RECORD = { ...OUTPUTS.jitsi, rtcstats: FEATURES, legacy: OUTPUTS.legacy };

/** The path of a program that prints the features of the set that it is asked for. */
function printer(context) {
    const directory = mkdtempSync(join(tmpdir(), 'rtcstats-e2e-'));
    const path = join(directory, 'printer');
    const cases = Object.entries(OUTPUTS).map(([ set, output ]) => `${set}) echo '${JSON.stringify(output)}';;`);

    context.after(() => rmSync(directory, { recursive: true }));
    writeFileSync(path, `#!/bin/sh\ncase "$3" in ${cases.join(' ')} esac\n`);
    chmodSync(path, 0o755);

    return path;
}

test('a_set_that_differs_or_is_absent_is_reported', async context => {
    const binary = printer(context);
    const problemsOf = async changes => (await compareFeatures({ ...RECORD, ...changes }, binary, 'file')).join();

    assert.equal(await problemsOf({}), '');
    assert.match(await problemsOf({ rtcstats: { duration: 5, peerConnections: [ { meanRtt: 0.26 } ] } }),
        /^rtcstats .*meanRtt: expected 0\.25, got 0\.26/);
    assert.match(await problemsOf({ legacy: undefined }), /^legacy .*got absent/);
    assert.match(await problemsOf({ features: { count: 2 } }), /^jitsi .*count/);
});

test('what_is_local_to_a_copy_of_a_jitsi_dump_does_not_count', async context => {
    const binary = printer(context);
    const problemsOf = async dumpMetadata => (await compareFeatures({ ...RECORD, dumpMetadata }, binary, 'file')).join();

    assert.equal(await problemsOf({ app: 'a', dumpPath: 'z' }), '');
    assert.match(await problemsOf({ app: 'b' }), /dumpMetadata\.app/);
});

test('known_values_and_those_of_the_reference_are_compared', () => {
    const record = { rtcstats: FEATURES };

    assert.deepEqual(compareWithKnown(record, { 'rtcstats.peerConnections.length': 1, 'rtcstats.none': undefined }), []);
    assert.match(compareWithKnown(record, { 'rtcstats.duration': 6 }).join(), /rtcstats\.duration: expected 6, got 5/);
    assert.deepEqual(compareWithReference(record, { duration: 5 + 4e-9, peerConnections: [ { meanRtt: 0.25 } ] }), []);
    assert.match(compareWithReference(record, { ...FEATURES, duration: 5 + 6e-9 }).join(), /\$\.duration/);
    assert.match(compareWithReference(record, { ...FEATURES, page: 1 }).join(), /\$\.page: expected 1, got absent/);
    assert.match(compareWithReference({}, FEATURES).join(), /got absent/);
});
