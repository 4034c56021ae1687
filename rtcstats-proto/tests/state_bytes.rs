//! What a decoder keeps of a peer connection, in bytes for each value.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and this one prints its figures"
)]

mod golden;

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;
use std::thread;

use allocation_counter::measure;
use rtcstats_proto::delta::{Decoder, Encoder};
use rtcstats_proto::dump::{Replay, WholeValue, decompress};
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Limits, RawJson};

/// The most that a value may cost, if a decoder serves a single connection.
const MOST_BYTES: f64 = 32.0;

/// The most that all decoders of a thread may keep for their work.
const MOST_SCRATCH_BYTES: f64 = 64e3;

/// By then buffers have the sizes that they keep.
const REPORTS: usize = 20;

/// Bytes that are alive after some reports, those of the structs themselves included.
#[derive(Debug)]
struct State {
    /// What the connections of a session share.
    decoder: f64,
    stats: f64,
    values: f64,
    /// What the decoders of a thread share.
    scratch: f64,
}

impl State {
    fn of(deltas: &[String], decoder: impl Fn(Limits) -> Decoder + Sync) -> Self {
        let run = || {
            let mut decoder = decoder(Limits::default());
            let mut stats = Stats::default();
            for delta in deltas {
                let delta = RawJson::parse(delta).unwrap();
                decoder.decode(delta, &mut stats).unwrap();
            }
            (decoder, stats)
        };
        // Tables that all decoders share are made once.
        let (decoder, stats) = run();
        let values = stats.values() as f64;
        let rest_of_thread = || measure(|| drop(run())).bytes_current as f64;
        let scratch = thread::scope(|scope| scope.spawn(rest_of_thread).join());
        Self {
            decoder: alive(decoder),
            stats: alive(stats),
            values,
            scratch: scratch.unwrap(),
        }
    }
}

/// The bytes that dropping something sets free.
fn alive<T>(owner: T) -> f64 {
    let freed = -measure(|| drop(owner)).bytes_current;
    freed as f64 + size_of::<T>() as f64
}

fn deltas(reports: &[String], mut encoder: Encoder) -> Vec<String> {
    let delta = |report: &String| {
        let mut delta = String::new();
        let report = RawJson::parse(report).unwrap();
        encoder.encode(report, &mut delta).unwrap();
        delta
    };
    reports.iter().take(REPORTS).map(delta).collect()
}

fn text(path: &Path) -> String {
    let mut text = String::new();
    let file = BufReader::new(File::open(path).unwrap());
    decompress(file).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// The full reports of a connection in a dump.
fn reports(dump: &str, connection: &str) -> Vec<String> {
    let mut replay = Replay::default();
    let mut reports = Vec::new();
    for line in dump.lines() {
        let Some(replayed) = replay.push_line(line).unwrap() else {
            continue;
        };
        if let WholeValue::Stats(stats) = replayed.value
            && replayed.event.connection_key() == connection
        {
            let mut report = String::new();
            stats.write_json(&mut report);
            reports.push(report);
        }
    }
    reports
}

#[test]
fn a_value_costs_at_most_so_many_bytes() {
    let recording = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../benches/data/chromium-av-p2p.dump.gz"
    ));
    let mut calls = vec![("recording", reports(&text(recording), "PC_0"))];
    if cfg!(feature = "zstd")
        && let Some(path) = golden::shared("corpus/reports/chrome156.jsonl.zst")
    {
        // [epoch ms, {…}]
        let report = |line: &str| line[line.find('{').unwrap()..line.len() - 1].to_owned();
        calls.push(("chrome156", text(&path).lines().map(report).collect()));
    }
    for (name, reports) in calls {
        let limits = Limits::default();
        let jitsi = deltas(&reports, Encoder::jitsi(limits));
        check(name, "Jitsi", &State::of(&jitsi, Decoder::jitsi));
        let rtcstats = deltas(&reports, Encoder::rtcstats(limits));
        check(name, "5.0", &State::of(&rtcstats, Decoder::rtcstats));
    }
}

fn check(name: &str, dialect: &str, state: &State) {
    let stats = state.stats / state.values;
    let decoder = state.decoder / state.values;
    println!(
        "{name:<9} {dialect:<5} {:4} values of {stats:.1} bytes each, {decoder:.1} in the decoder, \
         {} bytes of scratch",
        state.values, state.scratch
    );
    let all = stats + decoder;
    assert!(all <= MOST_BYTES, "{name}, {dialect}: {all}");
    assert!(state.scratch <= MOST_SCRATCH_BYTES, "{name}, {dialect}");
}
