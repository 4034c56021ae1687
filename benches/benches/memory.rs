//! Memory of live sessions: 1,000 sockets of the runtime, each fed with a recorded call.
//!
//! ```text
//! cargo bench -p rtcstats-benches --bench memory
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "prints its figures, and stops where its input is not as it was"
)]

use std::sync::Arc;
use std::time::Duration;

use rtcstats_benches::{Dump, Workload, frames};
use rtcstats_server_core::{
    DirectoryArchive, DirectoryArchiveOptions, FileJournal, FileJournalOptions, Runtime,
    RuntimeOptions, Socket, Upgrade,
};

/// What the examples run with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SESSIONS: usize = 1_000;

#[tokio::main]
async fn main() {
    let story = recorded_call();
    let messages = frames::of(&story);
    let directory = tempfile::tempdir().unwrap();
    let (journal, _) = FileJournal::open(
        directory.path().join("journal"),
        FileJournalOptions::default(),
    )
    .unwrap();
    let options = DirectoryArchiveOptions::default();
    let archive = DirectoryArchive::open(directory.path().join("dumps"), options).unwrap();
    let options = RuntimeOptions::new(Arc::new(journal), Arc::new(archive));
    let (runtime, _) = Runtime::start(options).await.unwrap();

    let before = resident_bytes();
    let mut sockets: Vec<(String, Socket)> = Vec::new();
    for number in 0..SESSIONS {
        sockets.push(connect(&runtime, number).await);
    }
    let connected = resident_bytes();
    for message in &messages {
        for (id, socket) in &mut sockets {
            let message = message.replace(RECORDED_ID, id);
            socket.receive(message.as_bytes()).await;
        }
    }
    wait_until_extracted(&runtime).await;
    let fed = resident_bytes();

    let per_session = |bytes: u64| bytes as f64 / SESSIONS as f64 / 1024.0;
    println!(
        "{SESSIONS} sessions, {} messages each, {} connections a session",
        messages.len(),
        {
            let snapshot = runtime
                .snapshot(&"session-0".parse().unwrap())
                .await
                .unwrap();
            snapshot
                .jitsi
                .as_ref()
                .unwrap()
                .client()
                .unwrap()
                .aggregates
                .len()
        }
    );
    println!(
        "connected, nothing sent: {:6.1} KiB a session",
        per_session(connected - before)
    );
    println!(
        "fed, features live:      {:6.1} KiB a session",
        per_session(fed - before)
    );
    drop(sockets);
    runtime.shutdown(Duration::from_secs(1)).await.unwrap();
}

/// The session id in the messages that [`frames::of`] makes.
const RECORDED_ID: &str = "c19b8581-3c42-43a2-a8d2-0f94282ab569";

/// The recording inside the project.
fn recorded_call() -> Dump {
    Workload::recorded_call().dumps.remove(0)
}

async fn connect(runtime: &Runtime, number: usize) -> (String, Socket) {
    let id = format!("session-{number}");
    let upgrade = Upgrade {
        target: format!("/room?statsSessionId={id}&isReconnect=false"),
        subprotocols: "3.1_STANDARD".to_owned(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                     Chrome/156.0.0.0 Safari/537.36"
            .to_owned(),
        ..Upgrade::default()
    };
    let socket = runtime
        .connect(&runtime.handshake(&upgrade).unwrap())
        .await
        .unwrap();
    (id, socket)
}

/// A snapshot is taken behind everything that was given to the extraction before.
async fn wait_until_extracted(runtime: &Runtime) {
    tokio::time::sleep(Duration::from_secs(3)).await;
    for number in 0..SESSIONS {
        let name = format!("session-{number}").parse().unwrap();
        assert!(runtime.snapshot(&name).await.is_some());
    }
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}
