//! Whoever follows a session is told each of its lines once, in order, from whenever on.

#![cfg(feature = "tokio")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::GzDecoder;
use rtcstats_server_core::{
    Archive, DirectoryArchive, DirectoryArchiveOptions, DumpName, FollowError, Follower, Journal,
    MemoryJournal, Obfuscation, Runtime, RuntimeOptions, Socket, Upgrade,
};
use tempfile::TempDir;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

struct Setup {
    runtime: Runtime,
    journal: Arc<MemoryJournal>,
    archive: Arc<DirectoryArchive>,
    _folder: TempDir,
}

async fn setup(journal: Arc<MemoryJournal>, adjust: impl FnOnce(&mut RuntimeOptions)) -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let archive = DirectoryArchive::open(folder.path(), DirectoryArchiveOptions::default());
    let archive = Arc::new(archive.unwrap());
    let mut options = RuntimeOptions::new(
        Arc::clone(&journal) as Arc<dyn Journal>,
        Arc::clone(&archive) as Arc<dyn Archive>,
    );
    adjust(&mut options);
    let (runtime, _) = Runtime::start(options).await.unwrap();
    Setup {
        runtime,
        journal,
        archive,
        _folder: folder,
    }
}

fn journal() -> Arc<MemoryJournal> {
    Arc::new(MemoryJournal::new(64 << 20))
}

async fn connect(runtime: &Runtime, id: &str) -> Socket {
    let upgrade = Upgrade {
        target: format!("/room?statsSessionId={id}&isReconnect=false"),
        subprotocols: "3.1_STANDARD".to_owned(),
        ..Upgrade::default()
    };
    let handshake = runtime.handshake(&upgrade).unwrap();
    runtime.connect(&handshake).await.unwrap()
}

/// Sends events of these numbers, each with a candidate.
async fn send(socket: &mut Socket, id: &str, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        let time = 1_700_000_000_000 + number;
        let candidate = "candidate:1 1 udp 5 198.51.100.9 5000 typ host";
        let event = format!(
            "[\"onicecandidate\",\"PC_0\",{{\"candidate\":\"{candidate}\"}},{time},{number}]"
        );
        let frame = serde_json::json!({
            "statsSessionId": id, "type": "stats-entry", "data": event,
        });
        socket.receive(frame.to_string().as_bytes()).await;
    }
}

fn name(text: &str) -> DumpName {
    text.parse().unwrap()
}

/// A follower, once the session is there.
async fn follow(runtime: &Runtime, id: &str) -> Follower {
    let following = async {
        loop {
            match runtime.follow(&name(id)).await {
                Ok(follower) => return follower,
                Err(FollowError::Unknown) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(PATIENCE, following).await.unwrap()
}

/// All lines, to the end.
async fn lines(mut follower: Follower) -> Result<String, FollowError> {
    let mut text = String::new();
    while let Some(lines) = timeout(PATIENCE, follower.next()).await.unwrap()? {
        assert!(lines.is_empty() || lines.ends_with('\n'));
        text.push_str(&lines);
    }
    Ok(text)
}

/// The dump, once it is archived.
async fn dump(setup: &Setup, id: &str) -> String {
    let archived = async {
        loop {
            if let Some(dump) = setup.archive.open(&name(id)).await.unwrap() {
                return dump;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let dump = timeout(PATIENCE, archived).await.unwrap();
    let mut text = String::new();
    GzDecoder::new(dump).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn all_followers_have_the_dump_in_the_end_whenever_they_begin() {
    let setup = setup(journal(), |_| {}).await;
    let mut socket = connect(&setup.runtime, "s").await;
    let mut followers = Vec::new();
    for begin in (1..=2_000).step_by(100) {
        send(&mut socket, "s", begin..=begin + 99).await;
        let follower = follow(&setup.runtime, "s").await;
        followers.push(tokio::spawn(lines(follower)));
    }
    socket.disconnected(Some(3001));
    let dump = dump(&setup, "s").await;
    assert_eq!(dump.lines().count(), 2_001);
    for follower in followers {
        assert_eq!(follower.await.unwrap().unwrap(), dump);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_before_a_restart_is_told_too() {
    let first = setup(journal(), |_| {}).await;
    let mut socket = connect(&first.runtime, "s").await;
    send(&mut socket, "s", 1..=50).await;
    let before = lines(follow(&first.runtime, "s").await);
    let before = tokio::spawn(before);
    // As a killed process leaves it, once all is there.
    let bytes = |setup: &Setup| {
        setup
            .runtime
            .sessions()
            .first()
            .map(|session| session.bytes)
    };
    let durable = async {
        loop {
            let logs = first.journal.list().await.unwrap();
            if bytes(&first).is_some() && logs.first().map(|log| log.bytes) == bytes(&first) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, durable).await.unwrap();
    let second = setup(Arc::clone(&first.journal), |_| {}).await;
    let follower = follow(&second.runtime, "s").await;
    let mut socket = connect(&second.runtime, "s").await;
    send(&mut socket, "s", 51..=60).await;
    socket.disconnected(Some(3001));
    let dump = dump(&second, "s").await;
    assert_eq!(dump.lines().count(), 61);
    assert_eq!(lines(follower).await.unwrap(), dump);
    drop(first);
    let error = before.await.unwrap().unwrap_err();
    assert!(matches!(error, FollowError::Stopped), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_filtered_as_those_of_the_archive() {
    let setup = setup(journal(), |options| {
        options.privacy.obfuscation = Obfuscation::BeforeArchive;
        options.privacy.is_strict = true;
    })
    .await;
    let mut socket = connect(&setup.runtime, "s").await;
    send(&mut socket, "s", 1..=20).await;
    let follower = tokio::spawn(lines(follow(&setup.runtime, "s").await));
    send(&mut socket, "s", 21..=40).await;
    socket.disconnected(Some(3001));
    let told = follower.await.unwrap().unwrap();
    assert_eq!(told, dump(&setup, "s").await);
    assert!(told.contains("onicecandidate") && !told.contains("198.51.100.9"));
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_are_bounded_and_make_room_when_they_go() {
    let setup = setup(journal(), |options| options.limits.followers = 1).await;
    let unknown = setup.runtime.follow(&name("s")).await.unwrap_err();
    assert!(matches!(unknown, FollowError::Unknown));
    let mut socket = connect(&setup.runtime, "s").await;
    send(&mut socket, "s", 1..=1).await;
    let follower = follow(&setup.runtime, "s").await;
    let more = setup.runtime.follow(&name("s")).await.unwrap_err();
    assert!(matches!(more, FollowError::TooMany));
    drop(follower);
    let mut follower = setup.runtime.follow(&name("s")).await.unwrap();
    // Nothing is lost where somebody does not wait.
    while !follower.is_current() {
        let _ = timeout(Duration::ZERO, follower.next()).await;
    }
    drop(follower);
    setup.runtime.shutdown(PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_reads_nothing_is_told_that_it_was_too_slow() {
    let setup = setup(journal(), |_| {}).await;
    let mut socket = connect(&setup.runtime, "s").await;
    send(&mut socket, "s", 1..=1).await;
    let slow = follow(&setup.runtime, "s").await;
    let filler = "x".repeat(1 << 20);
    for number in 2..=14_u64 {
        let time = 1_700_000_000_000 + number;
        let event = format!("[\"e\",null,\"{filler}\",{time},{number}]");
        let frame = serde_json::json!({
            "statsSessionId": "s", "type": "stats-entry", "data": event,
        });
        socket.receive(frame.to_string().as_bytes()).await;
    }
    socket.disconnected(Some(3001));
    // By then all was told.
    assert_eq!(dump(&setup, "s").await.lines().count(), 15);
    let error = lines(slow).await.unwrap_err();
    assert!(matches!(error, FollowError::TooSlow), "{error}");
}
