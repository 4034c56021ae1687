//! Frames through the server core without sockets, on one core.
//!
//! ```text
//! cargo bench -p rtcstats-benches --bench ingest
//! ```
//!
//! CPU time, all threads: parsed and accepted; with all features of the generation's own server; and
//! with the file journal, batches of frames synced before they are acknowledged.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "prints its figures, and stops where its input is not as it was"
)]

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ProcessTime;
use rtcstats_benches::{Workload, frames, ingest};
use rtcstats_features::Extractor;
use rtcstats_features::jitsi::JitsiFold;
use rtcstats_features::rtcstats::RtcstatsFold;
use rtcstats_proto::dump::line_text;
use rtcstats_server_core::{
    Append, DumpName, FileJournal, FileJournalOptions, Journal, SyncPolicy,
};

/// What the examples run with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;

fn main() {
    println!("µs of CPU time a frame, and frames/s on one core");
    for (subprotocol, frames) in [("3.1_STANDARD", jitsi()), ("rtcstats#5.0", rtcstats())] {
        let bytes: usize = frames.iter().map(String::len).sum();
        println!("{subprotocol}: {} B a frame", bytes / frames.len());
        measure("core", &frames, || {
            ingest::session(subprotocol, &frames, 1, |_| {});
        });
        measure("core and features", &frames, || {
            with_features(subprotocol, &frames);
        });
        for (name, sync) in [
            ("core and journal, synced", SyncPolicy::Batched),
            ("core and journal, not synced", SyncPolicy::Never),
        ] {
            measure(name, &frames, || with_journal(subprotocol, &frames, sync));
        }
    }
}

fn jitsi() -> Vec<String> {
    let workload = Workload::long_session(10);
    workload.dumps.iter().flat_map(frames::of).collect()
}

fn rtcstats() -> Vec<String> {
    let workload = Workload::long_rtcstats_session(10);
    let lines = workload.dumps.into_iter().flat_map(|dump| dump.lines);
    // The two lines at the head of the dump are the server's.
    lines.skip(2).collect()
}

fn measure(name: &str, frames: &[String], mut work: impl FnMut()) {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = ProcessTime::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let median = times.get(ROUNDS / 2).unwrap().as_secs_f64();
    let count = frames.len() as f64;
    println!(
        "  {name:30} {:6.1} µs  {:8.0}/s",
        median * 1e6 / count,
        count / median
    );
}

fn with_features(subprotocol: &str, frames: &[String]) {
    if subprotocol.starts_with("rtcstats") {
        let mut extractor = Extractor::new(RtcstatsFold::default());
        ingest::session(subprotocol, frames, 1, |lines| {
            push(lines, |line| drop(extractor.push_line(line)));
        });
        black_box(extractor.finish(0.0));
    } else {
        let mut extractor = Extractor::new(JitsiFold::new("a-session"));
        ingest::session(subprotocol, frames, 1, |lines| {
            push(lines, |line| drop(extractor.push_line(line)));
        });
        black_box(extractor.finish(0.0));
    }
}

fn push(appends: Vec<Append>, mut line: impl FnMut(&str)) {
    for append in appends {
        for text in line_text(&append.lines).lines() {
            line(text);
        }
    }
}

/// As many frames at a time as come from some thousand sessions while the disk is busy.
fn with_journal(subprotocol: &str, frames: &[String], sync: SyncPolicy) {
    const BATCH: usize = 100;
    let directory = tempfile::tempdir().unwrap();
    let options = FileJournalOptions {
        sync,
        ..FileJournalOptions::default()
    };
    let (journal, _) = FileJournal::open(directory.path(), options).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut names: Vec<DumpName> = Vec::new();
    ingest::session(subprotocol, frames, BATCH, |appends| {
        if names.is_empty() {
            names.extend(appends.first().map(|append| append.name.clone()));
        }
        runtime.block_on(journal.append(appends)).unwrap();
    });
    for name in names {
        runtime.block_on(journal.remove(&name)).unwrap();
    }
}
