//! What encoding a report costs, and how many bytes it then has on the wire.
//!
//! ```text
//! cargo bench -p rtcstats-benches --bench encoder
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "prints its figures, and stops where its input is not as it was"
)]

use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use rtcstats_benches::{pass, recording};
use rtcstats_proto::delta::Encoder;
use rtcstats_proto::{Limits, RawJson};

/// What the examples run with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 9;

/// Objects of a report: those of a small conference in Chrome.
const OBJECTS: usize = 60;

fn main() {
    let reports: Vec<String> = recording::reports()
        .iter()
        .map(|report| grown(report))
        .collect();
    let raw: usize = reports.iter().map(String::len).sum();
    let objects = RawJson::parse(reports.last().unwrap())
        .unwrap()
        .members()
        .count();
    println!(
        "{} reports, the last one of {objects} objects",
        reports.len()
    );
    print_row("raw", &reports, raw, || {
        pass::ignored_any_texts(reports.iter().map(String::as_str)) as usize
    });
    let dialects: [(&str, MakeEncoder); 2] = [
        ("jitsi", Encoder::jitsi),
        ("rtcstats 5.0", Encoder::rtcstats),
    ];
    for (name, make) in dialects {
        let bytes = encoded(make, &reports);
        print_row(name, &reports, bytes, || encoded(make, &reports));
    }
}

type MakeEncoder = fn(Limits) -> Encoder;

/// Bytes of all deltas.
fn encoded(make: MakeEncoder, reports: &[String]) -> usize {
    let mut encoder = make(Limits::default());
    let mut delta = String::new();
    let mut bytes = 0;
    for report in reports {
        delta.clear();
        encoder
            .encode(RawJson::parse(report).unwrap(), &mut delta)
            .unwrap();
        bytes += delta.len();
    }
    bytes
}

fn print_row(name: &str, reports: &[String], bytes: usize, mut pass: impl FnMut() -> usize) {
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
    let seconds = times.get(ROUNDS / 2).unwrap().as_secs_f64() / reports.len() as f64;
    println!(
        "  {name:<13} {:>7.1} µs  {:>7.0} reports/s  {:>6.0} bytes a report",
        seconds * 1e6,
        1.0 / seconds,
        bytes as f64 / reports.len() as f64
    );
}

/// The report with some of its objects twice, under other ids.
fn grown(report: &str) -> String {
    let objects: Vec<_> = RawJson::parse(report).unwrap().members().collect();
    let missing = OBJECTS.saturating_sub(objects.len());
    let mut grown = report.trim_end().strip_suffix('}').unwrap().to_owned();
    for (id, object) in objects.iter().take(missing) {
        write!(grown, ",\"{id}-again\":{}", object.as_str()).unwrap();
    }
    grown.push('}');
    grown
}
