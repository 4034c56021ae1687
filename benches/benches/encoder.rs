//! What encoding a report costs in the middle of a call, and how many bytes it then has on the wire.
//!
//! ```text
//! cargo bench -p rtcstats-benches --bench encoder
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "prints its figures, and stops where its input is not as it was"
)]

use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use cpu_time::ThreadTime;
use rtcstats_benches::{pass, recording};
use rtcstats_proto::delta::Encoder;
use rtcstats_proto::{Limits, RawJson};

/// What the examples run with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 9;

type MakeEncoder = fn(Limits) -> Encoder;

const ENCODERS: [(&str, MakeEncoder); 3] = [
    ("jitsi", Encoder::jitsi),
    ("legacy", Encoder::legacy),
    ("rtcstats 5.0", Encoder::rtcstats),
];

/// Reads the same reports with `JSON.parse`: the microseconds that one takes, median of the rounds.
const JSON_PARSE: &str = r#"
const [file, rounds] = process.argv.slice(1);
const reports = require("fs").readFileSync(file, "utf8").trimEnd().split("\n");
const times = [];
let objects = 0;
for (let round = 0; round <= rounds; round++) {
    const start = process.cpuUsage();
    for (const report of reports) objects += Object.keys(JSON.parse(report)).length;
    const { user, system } = process.cpuUsage(start);
    if (round > 0) times.push((user + system) / reports.length);
}
times.sort((left, right) => left - right);
console.log(times[rounds >> 1], objects);
"#;

fn main() {
    let reports = recording::reports();
    let objects = RawJson::parse(reports.last().unwrap())
        .unwrap()
        .members()
        .count();
    println!(
        "{} consecutive reports, the last one of {objects} objects",
        reports.len()
    );
    let raw: usize = reports.iter().map(String::len).sum();
    let yardstick =
        measure(|| pass::ignored_any_texts(reports.iter().map(String::as_str)) as usize);
    print_row("IgnoredAny", &reports, raw, yardstick, yardstick);
    for (name, make) in ENCODERS {
        let mut encoder = make(Limits::default());
        let bytes = encode(&mut encoder, &reports);
        let time = measure(|| encode(&mut encoder, &reports));
        print_row(name, &reports, bytes, time, yardstick);
    }
    match json_parse(&reports) {
        Some(micros) => println!("  JSON.parse    {micros:>7.1} µs"),
        None => println!("  node not found: no figure for JSON.parse"),
    }
}

/// Bytes of all deltas. The first report follows the last one of the round before: what most members
/// of it are compared with.
fn encode(encoder: &mut Encoder, reports: &[String]) -> usize {
    let mut delta = String::new();
    let mut bytes = 0;
    for report in reports {
        delta.clear();
        encoder.encode_text(report, &mut delta).unwrap();
        bytes += delta.len();
    }
    bytes
}

/// CPU time, median of the rounds.
fn measure(mut pass: impl FnMut() -> usize) -> Duration {
    let mut times: Vec<Duration> = (0..=ROUNDS)
        .map(|_| {
            let start = ThreadTime::now();
            black_box(pass());
            start.elapsed()
        })
        // The first round warms up.
        .skip(1)
        .collect();
    times.sort_unstable();
    *times.get(ROUNDS / 2).unwrap()
}

fn print_row(name: &str, reports: &[String], bytes: usize, time: Duration, yardstick: Duration) {
    let seconds = time.as_secs_f64() / reports.len() as f64;
    println!(
        "  {name:<13} {:>7.1} µs  {:>7.0} reports/s  {:>6.0} bytes a report  {:>5.2} × IgnoredAny",
        seconds * 1e6,
        1.0 / seconds,
        bytes as f64 / reports.len() as f64,
        time.as_secs_f64() / yardstick.as_secs_f64()
    );
}

/// Microseconds that Node takes to parse a report, where there is Node.
fn json_parse(reports: &[String]) -> Option<f64> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), reports.join("\n")).unwrap();
    let mut node = Command::new("node");
    node.args(["-e", JSON_PARSE, "--"]);
    node.arg(file.path()).arg(ROUNDS.to_string());
    let output = node.output().ok()?;
    let output = String::from_utf8(output.stdout).unwrap();
    let (micros, _) = output.split_once(' ')?;
    micros.parse().ok()
}
