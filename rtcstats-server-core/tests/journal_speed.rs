//! How fast a file journal is. Run with
//! `cargo test --release -p rtcstats-server-core --test journal_speed -- --ignored --nocapture`;
//! the directory is `JOURNAL_SPEED_DIRECTORY`, or a temporary one.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints, and fails by panicking"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtcstats_server_core::{
    Append, DumpName, FileJournal, FileJournalOptions, Journal, SyncPolicy,
};

const LINES: usize = 10;
const LINE_BYTES: usize = 300;
const TIME: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn appenders_that_wait_for_each_batch() {
    println!("batches of {LINES} lines of {LINE_BYTES} bytes, each appender to its own log");
    println!("policy, appenders, batches/s, lines/s, MB/s, p50 ms, p99 ms, max ms");
    for (policy, sync) in [
        ("batched", SyncPolicy::Batched),
        (
            "interval 100 ms",
            SyncPolicy::Interval(Duration::from_millis(100)),
        ),
        ("never", SyncPolicy::Never),
    ] {
        for appenders in [1, 100, 1_000, 10_000] {
            measure(policy, sync, appenders).await;
        }
    }
}

async fn measure(policy: &str, sync: SyncPolicy, appenders: usize) {
    let root = match std::env::var("JOURNAL_SPEED_DIRECTORY") {
        Ok(directory) => tempfile::tempdir_in(directory),
        Err(_) => tempfile::tempdir(),
    };
    let root = root.unwrap();
    let options = FileJournalOptions {
        sync,
        ..FileJournalOptions::default()
    };
    let journal = Arc::new(FileJournal::open(root.path(), options).unwrap().0);
    let line = format!("{}\n", "x".repeat(LINE_BYTES - 1));
    let lines = Bytes::from(line.repeat(LINES));
    // Creating a file costs far more than appending to it.
    let created: Vec<Append> = (0..appenders)
        .map(|appender| Append {
            name: format!("appender-{appender}").parse().unwrap(),
            lines: Bytes::new(),
        })
        .collect();
    let create = Instant::now();
    journal.append(created).await.unwrap();
    let create = create.elapsed().as_secs_f64();
    let begin = Instant::now();
    let tasks: Vec<_> = (0..appenders)
        .map(|appender| {
            let name: DumpName = format!("appender-{appender}").parse().unwrap();
            let (journal, lines) = (Arc::clone(&journal), lines.clone());
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while begin.elapsed() < TIME {
                    let start = Instant::now();
                    let append = Append {
                        name: name.clone(),
                        lines: lines.clone(),
                    };
                    journal.append(vec![append]).await.unwrap();
                    latencies.push(start.elapsed());
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.unwrap());
    }
    let seconds = begin.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let percentile = |share: f64| {
        let index = (latencies.len() as f64 * share) as usize;
        latencies[index.min(latencies.len() - 1)].as_secs_f64() * 1e3
    };
    let batches = latencies.len() as f64 / seconds;
    println!(
        "{policy}, {appenders}, {batches:.0}, {:.0}, {:.1}, {:.2}, {:.2}, {:.2}",
        batches * LINES as f64,
        batches * (LINES * LINE_BYTES) as f64 / 1e6,
        percentile(0.5),
        percentile(0.99),
        percentile(1.0),
    );
    drop(journal);
    let open = Instant::now();
    let (journal, report) = FileJournal::open(root.path(), options).unwrap();
    let open = open.elapsed().as_secs_f64();
    let close = Instant::now();
    journal.close().await.unwrap();
    let close = close.elapsed().as_secs_f64();
    let replayed = report.replayed_bytes as f64 / 1e6;
    println!(
        "    logs created in {create:.2} s, {replayed:.0} MB recovered in {open:.2} s, closed in {close:.2} s"
    );
}
