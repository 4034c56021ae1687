//! Memory of extraction, all sets, against the length of the dump: peak resident memory of a process
//! that does nothing else.
//!
//! ```text
//! cargo bench -p rtcstats-benches --bench length [-- MEGABYTES...]
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "prints its figures, and stops where its input is not as it was"
)]

use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rtcstats_benches::Workload;
use rtcstats_features::{Extractor, FeatureSet, SetsFold, extract};
use rtcstats_proto::dump::LineReader;

/// What the examples run with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Tells the process that measures itself.
const CHILD: &str = "--child";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(position) = arguments.iter().position(|argument| argument == CHILD) {
        measure(Path::new(arguments.get(position + 1).unwrap()));
        return;
    }
    let lengths: Vec<usize> = arguments
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    let lengths = if lengths.is_empty() {
        vec![10, 100, 500]
    } else {
        lengths
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dump");
    let workloads: [fn(usize) -> Workload; 2] =
        [Workload::long_session, Workload::long_rtcstats_session];
    let workloads = workloads
        .iter()
        .flat_map(|make| lengths.iter().map(|length| make(*length)));
    for workload in workloads {
        write(&workload, &path);
        print!("{:<5} ", workload.name);
        std::io::stdout().flush().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .arg(CHILD)
            .arg(&path)
            .status();
        assert!(child.unwrap().success());
    }
}

fn write(workload: &Workload, path: &Path) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    for line in workload.lines() {
        writeln!(file, "{line}").unwrap();
    }
    file.flush().unwrap();
}

/// Extracts a dump and prints what that took.
fn measure(path: &Path) {
    let start = Instant::now();
    let bytes = path.metadata().unwrap().len();
    let lines = LineReader::new(BufReader::with_capacity(
        64 << 10,
        File::open(path).unwrap(),
    ));
    let mut extractor = Extractor::new(SetsFold::new("a-session", &FeatureSet::ALL));
    extract(lines, &mut extractor).unwrap();
    assert_eq!(extractor.counters().errors, 0);
    black_box(extractor.finish(1_800_000_000_000.0));
    let rate = bytes as f64 / 1e6 / start.elapsed().as_secs_f64();
    println!(
        "{:5.1} MiB at most, {rate:4.0} MB/s",
        peak_bytes() / f64::from(1 << 20)
    );
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
