//! Twice as much as the server can take, and then the end of its process.
//!
//! 1. Clients send flat out: what the server acknowledges a second is its capacity.
//! 2. They insist on twice as much: each sends at fixed times, and is late where its socket takes no
//!    more. Meanwhile further clients come, for whom there is no room.
//! 3. In the middle of it the server is killed (SIGKILL), started again, and ends the sessions.
//! 4. Each dump must have the lines 1 to n that its client sent, each once, in order and unchanged,
//!    with n not below the last number that was acknowledged.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::client::{self, Insisted, Phase};
use super::server::Server;
use super::story::{self, Story};
use super::{Generation, Options, Outcome, connect, run as send};

/// Clients beyond what there is room for.
const REFUSED: usize = 32;

/// How many times its capacity the server gets.
const FACTOR: f64 = 2.0;

/// How long the server may take for all dumps, once it is back.
const DUMPS_PATIENCE: Duration = Duration::from_secs(180);

/// What is found in the dumps.
#[derive(Default)]
struct Verdict {
    dumps: usize,
    acknowledged: u64,
    stored: u64,
    /// Acknowledged, and in no dump.
    lost: u64,
    /// In a dump more than once, out of order, or not as they were sent.
    wrong: u64,
}

pub(crate) async fn run(
    options: &Options,
    mut server: Server,
    story: &Arc<Story>,
    connections: usize,
) {
    let duration = Duration::from_secs(options.seconds);
    let clients = connect(&server, Generation::Jitsi, story, connections).await;
    let flat_out = Phase {
        messages: usize::MAX,
        interval: None,
        spread: Duration::ZERO,
        limit: duration,
    };
    let (clients, outcome) = send(clients, flat_out).await;
    let capacity = outcome.rate();
    let before = server.resident_bytes();
    println!(
        "{connections} connections, capacity: {capacity:.0} messages/s; acknowledged after p50 {} ms, p99 {} ms",
        outcome.percentile(0.5),
        outcome.percentile(0.99)
    );

    let interval = Duration::from_secs_f64(connections as f64 / (capacity * FACTOR));
    let start = Instant::now();
    let end = start + duration;
    let mut insisting = JoinSet::new();
    for (number, client) in clients.into_iter().enumerate() {
        let delay = interval.mul_f64(number as f64 / connections as f64);
        insisting.spawn(client.insist(start + delay, interval, end));
    }
    sleep_until((start + duration / 2).into()).await;
    let mut refusals = JoinSet::new();
    for number in 0..REFUSED {
        refusals.spawn(client::refused(
            server.address(),
            Generation::Jitsi,
            connections + number,
        ));
    }
    sleep_until(end.into()).await;
    let mut codes = HashMap::<_, usize>::new();
    while let Some(code) = refusals.join_next().await {
        *codes.entry(code.unwrap()).or_default() += 1;
    }
    let elapsed = start.elapsed().as_secs_f64();
    let peak = server.peak_bytes();
    server.kill();
    let mut insisted = Vec::with_capacity(connections);
    while let Some(client) = insisting.join_next().await {
        insisted.push(client.unwrap());
    }
    report(&mut insisted, elapsed, capacity);
    println!(
        "  memory: {} MiB before, {} MiB at the most",
        before >> 20,
        peak >> 20
    );
    println!("  further clients, by the code they were closed with: {codes:?}");
    assert_eq!(codes.get(&Some(1013)), Some(&REFUSED), "1013 is the answer");

    server.restart();
    let dumps = dumps(&server, connections).await;
    let verdict = compare(&dumps, &insisted, story);
    println!(
        "  killed and started again: {} dumps, {} lines acknowledged, {} stored, {} lost, {} wrong",
        verdict.dumps, verdict.acknowledged, verdict.stored, verdict.lost, verdict.wrong
    );
    assert_eq!((verdict.lost, verdict.wrong), (0, 0), "nothing is lost");
}

fn report(insisted: &mut [Insisted], elapsed: f64, capacity: f64) {
    let mut outcome = Outcome::default();
    let mut late: Vec<_> = insisted.iter().map(|client| client.late).collect();
    late.sort_unstable();
    for client in insisted {
        outcome.messages += client.sent.messages;
        outcome.latencies.append(&mut client.sent.latencies);
    }
    outcome.latencies.sort_unstable();
    let part = |count: usize| count as f64 / elapsed;
    println!(
        "  {FACTOR} times that wanted: {:.0} messages/s; taken {:.0}/s, acknowledged {:.0}/s",
        capacity * FACTOR,
        part(outcome.messages),
        part(outcome.latencies.len())
    );
    println!(
        "  acknowledged after p50 {} ms, p99 {} ms since they were due; clients late by {:.1} s (median), {:.1} s (most)",
        outcome.percentile(0.5),
        outcome.percentile(0.99),
        late.get(late.len() / 2).unwrap().as_secs_f64(),
        late.last().unwrap().as_secs_f64()
    );
}

/// The dumps by session, when all are there.
async fn dumps(server: &Server, sessions: usize) -> HashMap<String, PathBuf> {
    let deadline = Instant::now() + DUMPS_PATIENCE;
    loop {
        let mut found = HashMap::new();
        collect(server.data(), &mut found);
        if found.len() >= sessions || Instant::now() > deadline {
            return found;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Finds dumps in a directory, and those in it.
fn collect(directory: &Path, found: &mut HashMap<String, PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "gz") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            found.insert(name, path);
        }
    }
}

fn compare(dumps: &HashMap<String, PathBuf>, insisted: &[Insisted], story: &Story) -> Verdict {
    let lines: HashMap<_, _> = story
        .frames
        .iter()
        .filter_map(|frame| Some((frame.sequence_number?, frame.line?)))
        .collect();
    let mut verdict = Verdict {
        dumps: dumps.len(),
        ..Verdict::default()
    };
    for client in insisted {
        verdict.acknowledged += client.acknowledged;
        let mut last = 0;
        if let Some(path) = dumps.get(&client.session_id) {
            for line in BufReader::new(MultiGzDecoder::new(File::open(path).unwrap())).lines() {
                let line = line.unwrap();
                let Some(number) = rtcstats_proto::sequence_number_of(&line) else {
                    continue;
                };
                let is_right =
                    number == last + 1 && lines.get(&number) == Some(&story::hash(&line));
                verdict.wrong += u64::from(!is_right);
                last = last.max(number);
                verdict.stored += 1;
            }
        }
        verdict.lost += client.acknowledged.saturating_sub(last);
    }
    verdict
}
