//! The axum example under load: WebSockets over loopback, paced and flat out.
//!
//! ```text
//! cargo bench -p rtcstats-benches --bench load
//! cargo bench -p rtcstats-benches --bench load -- --connections 1000 --generation jitsi --sets none
//! ```
//!
//! For each number of connections a server is started, release build, with its file journal in a
//! temporary directory. Then, each measured by itself:
//!
//! 1. connections are opened, and are silent: memory of an idle one;
//! 2. each sends the beginning of a call with 20 reports, paced: memory of a live one, time until an
//!    event is acknowledged as durable, CPU time at this pace;
//! 3. each sends as fast as it can: messages a second, CPU time of each.
//!
//! With `--address` the server is one that is running already; its memory and CPU time are known with
//! `--pid` only. With `--overload` the server gets twice of what it can take, see [`overload`].
//!
//! The messages are encoded and masked (with the key 0) beforehand, so that sending them costs less
//! than receiving them. Clients run on one thread.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "prints its figures, and stops where something is not as it was"
)]

mod client;
mod overload;
mod server;
mod story;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use client::{Client, Phase, Sent};
use server::{CpuTime, Server};
use story::{REPORTS, Story};

/// Load on the axum example over loopback.
#[derive(Parser)]
struct Options {
    /// How many clients; may be repeated.
    #[arg(long, default_values_t = [1_000, 5_000, 20_000])]
    connections: Vec<usize>,

    /// What the clients speak; may be repeated.
    #[arg(long, value_enum, default_values_t = [Generation::Jitsi, Generation::Rtcstats])]
    generation: Vec<Generation>,

    /// Which features are extracted live, separated by commas, or `none`. Default: the set of the
    /// generation's own server.
    #[arg(long)]
    sets: Option<String>,

    /// The longest that clients send flat out.
    #[arg(long, default_value_t = 10)]
    seconds: u64,

    /// Seconds in which calls begin in the paced phase, and in which each sends its beginning.
    #[arg(long, default_value_t = 10)]
    pace: u64,

    /// A server that is already built, instead of building the example.
    #[arg(long)]
    server: Option<PathBuf>,

    /// The address of a server that is running already, such as `127.0.0.1:3000`, whatever its journal.
    #[arg(long, conflicts_with_all = ["server", "overload"])]
    address: Option<SocketAddr>,

    /// The process of that server.
    #[arg(long, requires = "address")]
    pid: Option<u32>,

    /// Send twice as much as the server can take, kill it under that load, and look for everything it
    /// acknowledged. Jitsi clients only: others are acknowledged nothing.
    #[arg(long)]
    overload: bool,

    /// Where the data of servers goes while they run. Default: the system's directory for temporary files.
    #[arg(long)]
    data: Option<PathBuf>,

    /// Have every event acknowledged as soon as it is durable, instead of every hundredth or after 2 s: so the
    /// time until then is measured. It costs a frame for each message.
    #[arg(long)]
    acknowledge_at_once: bool,

    /// Further arguments of the server, such as `--server-argument=--sync=never`; may be repeated.
    #[arg(long)]
    server_argument: Vec<String>,

    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Generation {
    /// Envelopes, an identity, numbers that are acknowledged.
    Jitsi,
    /// Arrays; nothing is acknowledged.
    Rtcstats,
}

impl Generation {
    fn name(self) -> &'static str {
        match self {
            Self::Jitsi => "jitsi",
            Self::Rtcstats => "rtcstats",
        }
    }

    fn subprotocol(self) -> &'static str {
        match self {
            Self::Jitsi => "3.1_STANDARD",
            Self::Rtcstats => "rtcstats#5.0",
        }
    }
}

/// Files that a server and its clients have open besides their connections: the journal keeps 512.
const OTHER_FILES: u64 = 600;

/// Connections that are opened at a time.
const CONNECTING: usize = 64;

fn main() {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let binary = match (&options.server, options.address) {
        (Some(binary), _) => binary.clone(),
        (None, Some(_)) => PathBuf::new(),
        (None, None) => server::build(),
    };
    let most = most_connections();
    if !options.overload {
        print_head();
    }
    for &generation in &options.generation {
        if options.overload && generation != Generation::Jitsi {
            continue;
        }
        let story = Arc::new(Story::new(generation));
        for &wanted in &options.connections {
            let connections = wanted.min(most);
            if connections < wanted {
                eprintln!(
                    "{wanted} connections need {} open files, and the limit cannot be raised beyond {}: \
                     {connections} instead",
                    wanted as u64 + OTHER_FILES,
                    most as u64 + OTHER_FILES
                );
            }
            let sets = options.sets.as_deref().unwrap_or(generation.name());
            let server = match options.address {
                Some(address) => Server::running(address, options.pid),
                None => Server::start(&binary, &options, sets, connections),
            };
            if options.overload {
                runtime.block_on(overload::run(&options, server, &story, connections));
                continue;
            }
            runtime.block_on(measure(&options, server, generation, &story, connections));
        }
    }
}

/// How many connections the limit of open files leaves room for, once it is raised.
fn most_connections() -> usize {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1_024);
    usize::try_from(limit.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX)
}

/// All phases with one server; prints a line.
async fn measure(
    options: &Options,
    server: Server,
    generation: Generation,
    story: &Arc<Story>,
    connections: usize,
) {
    let before = server.resident_bytes();
    let cpu = server.cpu_time();
    let clients = connect(&server, generation, story, connections).await;
    // What is only kept for the requests is given back.
    sleep(Duration::from_secs(2)).await;
    let connecting = server.cpu_time() - cpu;
    let idle = server.resident_bytes();

    let paced = Phase {
        messages: story.beginning(),
        interval: Some(Duration::from_secs(options.pace) / story.beginning() as u32),
        spread: Duration::from_secs(options.pace),
        // All of it, however far behind the machine is.
        limit: Duration::from_secs(options.pace * 4),
    };
    let cpu = server.cpu_time();
    let (clients, paced) = run(clients, paced).await;
    server.settle().await;
    let paced_cpu = server.cpu_time() - cpu;
    let live = server.resident_bytes();

    let flat_out = Phase {
        messages: usize::MAX,
        interval: None,
        spread: Duration::ZERO,
        limit: Duration::from_secs(options.seconds),
    };
    let cpu = server.cpu_time();
    let (clients, flat_out) = run(clients, flat_out).await;
    server.settle().await;
    let flat_out_cpu = server.cpu_time() - cpu;
    let end = server.resident_bytes();
    drop(clients);

    let kib = |bytes: u64| bytes.saturating_sub(before) as f64 / 1024.0 / connections as f64;
    let per = |cpu: &CpuTime, count: usize| cpu.as_micros() / count.max(1) as f64;
    println!(
        "{:8} {:>6} | {:>5.0} {:>5.1} {:>5.1} {:>5.1} | {:>7.0} {:>6.1} {:>7} {:>7} | {:>7.0} {:>6.1} {:>7} {:>7} | {}",
        generation.name(),
        connections,
        per(&connecting, connections),
        kib(idle),
        kib(live),
        kib(end),
        paced.rate(),
        per(&paced_cpu, paced.messages),
        paced.percentile(0.5),
        paced.percentile(0.99),
        flat_out.rate(),
        per(&flat_out_cpu, flat_out.messages),
        flat_out.percentile(0.5),
        flat_out.percentile(0.99),
        flat_out_cpu.by_thread(),
    );
}

fn print_head() {
    println!(
        "connect: µs of server CPU time a connection; idle, live ({REPORTS} reports), end: KiB a connection"
    );
    println!(
        "msg/s; µs of server CPU time a message; ms from sending to being acknowledged as durable"
    );
    println!(
        "{:8} {:>6} | {:>5} {:>5} {:>5} {:>5} | {:>7} {:>6} {:>7} {:>7} | {:>7} {:>6} {:>7} {:>7} |",
        "",
        "conns",
        "conn",
        "idle",
        "live",
        "end",
        "paced/s",
        "µs",
        "p50",
        "p99",
        "flat/s",
        "µs",
        "p50",
        "p99"
    );
}

/// Opens connections, some at a time.
async fn connect(
    server: &Server,
    generation: Generation,
    story: &Arc<Story>,
    connections: usize,
) -> Vec<Client> {
    let mut opening = JoinSet::new();
    let mut clients = Vec::with_capacity(connections);
    for number in 0..connections {
        if opening.len() >= CONNECTING {
            clients.push(opening.join_next().await.unwrap().unwrap());
        }
        opening.spawn(Client::connect(
            server.address(),
            generation,
            Arc::clone(story),
            number,
        ));
    }
    while let Some(client) = opening.join_next().await {
        clients.push(client.unwrap());
    }
    clients
}

/// Sends on all connections at a time.
async fn run(clients: Vec<Client>, phase: Phase) -> (Vec<Client>, Outcome) {
    let start = Instant::now();
    let count = clients.len() as u32;
    let mut running = JoinSet::new();
    for (number, client) in clients.into_iter().enumerate() {
        // Calls do not all begin at the same moment, with their first, large report.
        let delay = phase.spread / count * number as u32;
        running.spawn(client.run(phase, start + delay));
    }
    let mut clients = Vec::with_capacity(running.len());
    let mut outcome = Outcome::default();
    // Those who wait for an acknowledgement wait longer than the phase, but not for ever.
    let patience = phase.limit + Duration::from_secs(40);
    while let Ok(Some(client)) = timeout(patience, running.join_next()).await {
        let (client, sent) = client.unwrap();
        clients.push(client);
        outcome.add(sent);
    }
    assert!(running.is_empty(), "a client does not come to its end");
    if outcome.unacknowledged > 0 {
        eprintln!(
            "{} of {} messages were not acknowledged in time: the figures of this phase are too good",
            outcome.unacknowledged, outcome.messages
        );
    }
    outcome.latencies.sort_unstable();
    outcome.elapsed = start.elapsed();
    (clients, outcome)
}

/// What came of a phase.
#[derive(Default)]
struct Outcome {
    messages: usize,
    latencies: Vec<Duration>,
    unacknowledged: usize,
    elapsed: Duration,
}

impl Outcome {
    fn add(&mut self, sent: Sent) {
        self.messages += sent.messages;
        self.latencies.extend(sent.latencies);
        self.unacknowledged += sent.unacknowledged;
    }

    fn rate(&self) -> f64 {
        self.messages as f64 / self.elapsed.as_secs_f64()
    }

    /// In milliseconds; nothing where nothing is acknowledged.
    fn percentile(&self, part: f64) -> String {
        let index = (self.latencies.len() as f64 * part) as usize;
        let latency = self.latencies.get(index);
        latency.map_or("-".to_owned(), |latency| {
            format!("{:.1}", latency.as_secs_f64() * 1e3)
        })
    }
}
