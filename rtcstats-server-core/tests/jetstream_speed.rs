//! How fast JetStream is as a journal. Run with
//! `cargo test --release -p rtcstats-server-core --all-features --test jetstream_speed -- --ignored --nocapture`.

#![cfg(feature = "jetstream")]
#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints, and fails by panicking"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtcstats_server_core::{Append, DumpName, JetStream, JetStreamOptions, Journal};

#[path = "services/nats.rs"]
mod nats;

use nats::NatsServers;

const LINES: usize = 10;
const LINE_BYTES: usize = 300;
/// How many logs are read one after the other, besides the first.
const OTHERS: usize = 5;
const TIME: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn appenders_that_wait_for_each_batch() {
    println!("batches of {LINES} lines of {LINE_BYTES} bytes, each appender to its own log");
    println!(
        "servers, appenders, logs created/s, batches/s, MB/s, p50 ms, p99 ms, max ms, list ms, first log read MB/s, others MB/s"
    );
    for count in [1, 3] {
        let Some(servers) = NatsServers::start(count) else {
            return;
        };
        for appenders in [1, 100, 1_000] {
            measure(&servers, appenders).await;
        }
    }
}

async fn measure(servers: &NatsServers, appenders: usize) {
    let options = JetStreamOptions {
        deployment: format!("speed{appenders}"),
        replicas: servers.count(),
        give_up_after: Duration::from_secs(60),
        ..JetStreamOptions::new(servers.url(), "a")
    };
    let journal = Arc::new(JetStream::connect(options).await.unwrap());
    let line = format!("{}\n", "x".repeat(LINE_BYTES - 1));
    let lines = Bytes::from(line.repeat(LINES));
    let name = |appender: usize| -> DumpName { format!("appender-{appender}").parse().unwrap() };
    let create = Instant::now();
    let created = (0..appenders).map(|appender| Append {
        name: name(appender),
        lines: Bytes::new(),
    });
    journal.append(created.collect()).await.unwrap();
    let create = create.elapsed().as_secs_f64();
    let begin = Instant::now();
    let tasks: Vec<_> = (0..appenders)
        .map(|appender| {
            let name = name(appender);
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
    let list = Instant::now();
    assert_eq!(journal.list().await.unwrap().len(), appenders);
    let list = list.elapsed().as_secs_f64() * 1e3;
    let (cold, bytes) = read(&journal, &name(0)).await;
    let mut warm = Duration::ZERO;
    let mut others = 0;
    for log in 1..=appenders.min(OTHERS) {
        let (time, bytes) = read(&journal, &name(log % appenders)).await;
        warm += time;
        others += bytes;
    }
    let rate = |bytes: u64, time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
    let (cold, warm) = (rate(bytes, cold), rate(others, warm));
    let batches = latencies.len() as f64 / seconds;
    println!(
        "{}, {appenders}, {:.0}, {batches:.0}, {:.1}, {:.2}, {:.2}, {:.2}, {list:.1}, {cold:.1}, {warm:.1}",
        servers.count(),
        appenders as f64 / create,
        batches * (LINES * LINE_BYTES) as f64 / 1e6,
        percentile(0.5),
        percentile(0.99),
        percentile(1.0),
    );
}

/// Reads a log; how long it took, and its bytes.
async fn read(journal: &JetStream, name: &DumpName) -> (Duration, u64) {
    let begin = Instant::now();
    let mut reader = journal.read(name).await.unwrap();
    let copied = tokio::task::spawn_blocking(move || {
        std::io::copy(&mut reader, &mut std::io::sink()).unwrap()
    });
    let bytes = copied.await.unwrap();
    (begin.elapsed(), bytes)
}
