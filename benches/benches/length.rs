//! What may not grow with the length of a dump: peak memory of extraction, its time for a byte, and
//! the time for a description that nothing comes of.
//!
//! ```text
//! cargo bench -p rtcstats-benches --bench length -- [--check] [MEGABYTES...]
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "prints its figures, and stops where its input is not as it was"
)]

use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode};

use cpu_time::{ProcessTime, ThreadTime};
use rtcstats_benches::{Dump, Pass, Workload, descriptions, pass};
use rtcstats_features::{Extractor, FeatureSet, SetsFold, extract};
use rtcstats_proto::dump::LineReader;

/// What the examples run with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Peak resident memory of the process, at any length.
const MOST_MEGABYTES: f64 = 16.0;
/// Bytes a second of the longest dump against those of the shortest.
const LEAST_RATE: f64 = 0.95;
/// Time for four times as many descriptions.
const MOST_TIME: f64 = 4.4;

const ROUNDS: usize = 7;

/// Tells the process that measures itself.
const CHILD: &str = "--child";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [CHILD, path, bytes] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        let run = Run::measured(Path::new(path), bytes.parse().unwrap());
        println!("{} {}", run.seconds, run.peak_bytes);
        return ExitCode::SUCCESS;
    }
    let lengths = arguments.iter().filter_map(|text| text.parse().ok());
    let mut lengths: Vec<usize> = lengths.collect();
    if lengths.is_empty() {
        lengths = vec![50, 200];
    }
    lengths.sort_unstable();
    let mut gate = Gate::default();
    for make in [Workload::long_session, Workload::long_rtcstats_session] {
        compare_lengths(make, &lengths, &mut gate);
    }
    compare_descriptions("Jitsi", descriptions::jitsi, &mut gate);
    compare_descriptions("5.0", descriptions::rtcstats, &mut gate);
    let is_checked = arguments.iter().any(|argument| argument == "--check");
    if is_checked && gate.is_missed {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[derive(Default)]
struct Gate {
    is_missed: bool,
}

impl Gate {
    fn check(&mut self, is_reached: bool, what: &str) {
        if !is_reached {
            eprintln!("missed: {what}");
            self.is_missed = true;
        }
    }
}

/// Extracts all sets from the beginnings of one long dump, each in a process of its own, in turn.
fn compare_lengths(make: fn(usize) -> Workload, megabytes: &[usize], gate: &mut Gate) {
    let (first, last) = (*megabytes.first().unwrap(), *megabytes.last().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dump");
    let name = write(&make(last), &path);
    let mut runs = vec![Vec::new(); megabytes.len()];
    for _ in 0..ROUNDS {
        for (megabytes, runs) in megabytes.iter().zip(&mut runs) {
            runs.push(Run::in_process(&path, megabytes * 1_000_000));
        }
    }
    for (megabytes, runs) in megabytes.iter().zip(&runs) {
        let peak = runs.iter().map(|run| run.peak_bytes).fold(0.0, f64::max) / 1e6;
        let rate = *megabytes as f64 / median(runs.iter().map(|run| run.seconds));
        let what = format!("{megabytes:4} MB of {name:<5} {peak:5.2} MB at most, {rate:4.0} MB/s");
        println!("{what}");
        gate.check(peak <= MOST_MEGABYTES, &what);
    }
    // Round by round: what else the machine does slows both.
    let rounds = runs.first().unwrap().iter().zip(runs.last().unwrap());
    let growth = last as f64 / first as f64;
    let rate = median(rounds.map(|(first, last)| first.seconds * growth / last.seconds));
    let what = format!("{last:4} MB of {name:<5} at {rate:.3} of the rate of {first} MB");
    println!("{what}");
    gate.check(rate >= LEAST_RATE, &what);
}

/// Writes a dump that is one session, and returns its name.
fn write(workload: &Workload, path: &Path) -> String {
    let mut file = BufWriter::new(File::create(path).unwrap());
    for line in workload.lines() {
        writeln!(file, "{line}").unwrap();
    }
    file.flush().unwrap();
    workload.name.clone()
}

/// What it took to extract a dump.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// On the processor.
    seconds: f64,
    peak_bytes: f64,
}

impl Run {
    fn in_process(path: &Path, bytes: usize) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .arg(CHILD)
            .arg(path)
            .arg(bytes.to_string())
            .output()
            .unwrap();
        assert!(child.status.success());
        let output = String::from_utf8(child.stdout).unwrap();
        let (seconds, peak_bytes) = output.trim_end().split_once(' ').unwrap();
        Self {
            seconds: seconds.parse().unwrap(),
            peak_bytes: peak_bytes.parse().unwrap(),
        }
    }

    /// Extracts the first `bytes` of a dump in this process.
    fn measured(path: &Path, bytes: u64) -> Self {
        let start = ProcessTime::now();
        let file = File::open(path).unwrap().take(bytes);
        let lines = LineReader::new(BufReader::with_capacity(64 << 10, file));
        let mut extractor = Extractor::new(SetsFold::new("a-session", &FeatureSet::ALL));
        extract(lines, &mut extractor).unwrap();
        assert_eq!(extractor.counters().errors, 0);
        black_box(extractor.finish(1_800_000_000_000.0));
        Self {
            seconds: start.elapsed().as_secs_f64(),
            peak_bytes: peak_bytes(),
        }
    }
}

fn peak_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kibibytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes * 1024.0
}

/// Extracts all sets, and reads the values, of four times as many offers that match nothing.
fn compare_descriptions(generation: &str, make: fn(usize) -> Dump, gate: &mut Gate) {
    let (few, many) = ([make(10_000)], [make(40_000)]);
    let passes: [(&str, Pass); 2] = [
        ("all sets", pass::extracted_all_sets),
        ("replay", pass::replayed),
    ];
    for (name, pass) in passes {
        let rounds = (0..ROUNDS).map(|_| seconds(pass, &many) / seconds(pass, &few));
        let time = median(rounds);
        let what = format!("40,000 descriptions, {generation}, {name}: {time:.2} times 10,000");
        println!("{what}");
        gate.check(time <= MOST_TIME, &what);
    }
}

fn seconds(pass: Pass, dumps: &[Dump]) -> f64 {
    let start = ThreadTime::now();
    black_box(pass(black_box(dumps)));
    start.elapsed().as_secs_f64()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
