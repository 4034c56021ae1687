//! CPU time of the whole way of a dump against `serde_json`'s `IgnoredAny` over the same bytes.
//!
//! Both run in one process, in turn, so that the ratio of the medians survives a busy machine.
//!
//! ```text
//! cargo bench -p rtcstats-benches --bench ratio -- [--check MIN] [--rounds N] [--workload NAME]... [--node]
//! ```
//!
//! With `--node`, also against a loop of `JSON.parse` over the same lines in Node.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "prints its figures"
)]

use std::error::Error;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::process::{Command, ExitCode};
use std::time::Duration;

use cpu_time::ThreadTime;
use rtcstats_benches::{Pass, Workload, pass, recording};

/// What the examples run with. Short sessions live from allocating their state.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is measured; the first is the yardstick, [`GATE`] what must reach a ratio.
const PASSES: [(&str, Pass); 5] = [
    ("IgnoredAny", pass::ignored_any),
    ("event", pass::events),
    ("event + merge", pass::merged_lines),
    (GATE, pass::extracted),
    ("all sets", pass::extracted_all_sets),
];

const GATE: &str = "extraction";

/// What the arguments say.
struct Options {
    check: Option<f64>,
    rounds: usize,
    workloads: Vec<String>,
    with_node: bool,
}

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::FAILURE;
        }
    };
    if !recording::has_shared() {
        println!("shared recordings not found: workloads are made from the one in data/");
    }
    let mut lowest = f64::INFINITY;
    for make in [
        Workload::short_sessions,
        || Workload::long_session(10),
        || Workload::long_session(50),
        Workload::full_reports,
        || Workload::long_rtcstats_session(10),
        || Workload::long_rtcstats_session(50),
    ] {
        let workload = make();
        if options.wants(&workload.name) {
            lowest = lowest.min(measure(&workload, &options));
        }
    }
    match options.check {
        Some(min) if lowest < min => {
            eprintln!("lowest ratio {lowest:.3} is below {min:.3}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Prints one workload's figures and returns the ratio that counts.
fn measure(workload: &Workload, options: &Options) -> f64 {
    let rounds = options.rounds;
    let bytes = workload.bytes() as f64;
    println!(
        "{} ({:.1} MB, {} dumps)",
        workload.name,
        bytes / 1e6,
        workload.dumps.len()
    );
    let mut times = PASSES.map(|_| Vec::with_capacity(rounds));
    // The first round warms up.
    for round in 0..=rounds {
        for ((_, pass), times) in PASSES.iter().zip(&mut times) {
            let start = ThreadTime::now();
            black_box(pass(black_box(&workload.dumps)));
            if round > 0 {
                times.push(start.elapsed());
            }
        }
    }
    let medians = times.map(median);
    let yardstick = medians.first().map_or(0.0, Duration::as_secs_f64);
    let print = |name: &str, seconds: f64| {
        let (rate, ratio) = (bytes / 1e6 / seconds, yardstick / seconds);
        println!("  {name:<14} {rate:>7.0} MB/s  {ratio:.3}");
        ratio
    };
    let mut gate = 0.0;
    for ((name, _), median) in PASSES.iter().zip(&medians) {
        let ratio = print(name, median.as_secs_f64());
        if *name == GATE {
            gate = ratio;
        }
    }
    if options.with_node {
        match node_seconds(workload, rounds) {
            Ok(seconds) => {
                let ratio = print("JSON.parse", seconds);
                println!("  {GATE} at {:.2} of the rate of JSON.parse", gate / ratio);
            }
            Err(error) => println!("  JSON.parse     {error}"),
        }
    }
    gate
}

/// What `JSON.parse` takes for all lines, in a process of its own.
fn node_seconds(workload: &Workload, rounds: usize) -> Result<f64, Box<dyn Error>> {
    let file = tempfile::NamedTempFile::new()?;
    let mut lines = BufWriter::new(&file);
    for line in workload.lines() {
        writeln!(lines, "{line}")?;
    }
    lines.flush()?;
    let node = Command::new("node")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/benches/json_parse.mjs"
        ))
        .arg(file.path())
        .arg(rounds.to_string())
        .output()
        .map_err(|error| format!("node: {error}"))?;
    if !node.status.success() {
        return Err(String::from_utf8_lossy(&node.stderr).into());
    }
    Ok(String::from_utf8(node.stdout)?.trim().parse()?)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            check: None,
            rounds: 9,
            workloads: Vec::new(),
            with_node: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("{argument} needs a value"))
            };
            match argument.as_str() {
                "--check" => options.check = Some(parsed(&value()?)?),
                "--rounds" => options.rounds = parsed(&value()?)?,
                "--workload" => options.workloads.push(value()?),
                "--node" => options.with_node = true,
                // What cargo itself passes to every benchmark.
                "--bench" => {}
                _ => return Err(format!("unknown argument {argument}")),
            }
        }
        Ok(options)
    }

    fn wants(&self, workload: &str) -> bool {
        self.workloads.is_empty() || self.workloads.iter().any(|name| name == workload)
    }
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}
