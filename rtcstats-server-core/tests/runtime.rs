//! The tokio driver: from frames to durable dumps and records, with stores that fail.

#![cfg(feature = "tokio")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, Cursor, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use rtcstats_proto::jitsi::SequenceNumberMessage;
use rtcstats_proto::sequence_number_of;
use rtcstats_server_core::{
    Append, Archive, ArchiveError, ArchivedDump, BoxFuture, CloseReason, DumpName, FeatureSink,
    Journal, JournalEntry, JournalError, JournalErrorKind, JournalOperation, MemoryJournal,
    MemorySink, Outgoing, Runtime, RuntimeOptions, SessionState, Socket, Timing, Upgrade,
};

/// Dumps in memory.
#[derive(Default)]
struct MemoryArchive {
    dumps: Mutex<BTreeMap<DumpName, Vec<u8>>>,
    failures: AtomicUsize,
}

impl Archive for MemoryArchive {
    fn store(
        &self,
        name: &DumpName,
        mut dump: Box<dyn BufRead + Send>,
    ) -> BoxFuture<'_, Result<(), ArchiveError>> {
        let name = name.clone();
        Box::pin(async move {
            if take_one(&self.failures) {
                return Err(ArchiveError::new(
                    rtcstats_server_core::ArchiveOperation::Store,
                    Some(name),
                    "out of order",
                ));
            }
            let mut text = Vec::new();
            dump.read_to_end(&mut text).unwrap();
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&text).unwrap();
            self.dumps
                .lock()
                .unwrap()
                .insert(name, encoder.finish().unwrap());
            Ok(())
        })
    }

    fn open(
        &self,
        name: &DumpName,
    ) -> BoxFuture<'_, Result<Option<Box<dyn Read + Send>>, ArchiveError>> {
        let dump = self.dumps.lock().unwrap().get(name).cloned();
        Box::pin(async { Ok(dump.map(|dump| Box::new(Cursor::new(dump)) as Box<dyn Read + Send>)) })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<ArchivedDump>, ArchiveError>> {
        let dumps = self.dumps.lock().unwrap();
        let dumps = dumps.iter().map(|(name, dump)| ArchivedDump {
            name: name.clone(),
            bytes: dump.len() as u64,
            modified_ms: 0.0,
        });
        let dumps = dumps.collect();
        Box::pin(async { Ok(dumps) })
    }

    fn remove(&self, name: &DumpName) -> BoxFuture<'_, Result<(), ArchiveError>> {
        self.dumps.lock().unwrap().remove(name);
        Box::pin(async { Ok(()) })
    }
}

fn take_one(counter: &AtomicUsize) -> bool {
    counter
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
            count.checked_sub(1)
        })
        .is_ok()
}

/// A memory journal that fails on demand, with a part of the batch stored.
struct FaultyJournal {
    inner: MemoryJournal,
    is_failing: AtomicBool,
    appends: AtomicUsize,
    /// Reads that fail.
    bad_reads: AtomicUsize,
    /// Appends that are refused for ever.
    refusals: AtomicUsize,
}

impl Journal for FaultyJournal {
    fn append(&self, mut batch: Vec<Append>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async move {
            self.appends.fetch_add(1, Ordering::SeqCst);
            let is_failing = self.is_failing.load(Ordering::SeqCst);
            if !is_failing && take_one(&self.refusals) {
                let name = batch.first().map(|append| append.name.clone());
                let kind = JournalErrorKind::OverLimit { limit: 0 };
                return Err(JournalError::new(JournalOperation::Append, name, kind));
            }
            if !is_failing {
                return self.inner.append(batch).await;
            }
            batch.truncate(1);
            for append in &mut batch {
                let first_line = append.lines.iter().position(|byte| *byte == b'\n');
                append.lines.truncate(first_line.map_or(0, |at| at + 1));
            }
            let name = batch.first().map(|append| append.name.clone());
            self.inner.append(batch).await?;
            let kind = JournalErrorKind::Full("no room".into());
            Err(JournalError::new(JournalOperation::Append, name, kind))
        })
    }

    fn read(
        &self,
        name: &DumpName,
    ) -> BoxFuture<'_, Result<Box<dyn BufRead + Send>, JournalError>> {
        if take_one(&self.bad_reads) {
            let kind = JournalErrorKind::Store("unreadable".into());
            let error = JournalError::new(JournalOperation::Read, Some(name.clone()), kind);
            return Box::pin(async { Err(error) });
        }
        self.inner.read(name)
    }

    fn finish(&self, name: &DumpName) -> BoxFuture<'_, Result<(), JournalError>> {
        self.inner.finish(name)
    }

    fn remove(&self, name: &DumpName) -> BoxFuture<'_, Result<(), JournalError>> {
        self.inner.remove(name)
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<JournalEntry>, JournalError>> {
        self.inner.list()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        self.inner.close()
    }
}

struct Setup {
    journal: Arc<FaultyJournal>,
    archive: Arc<MemoryArchive>,
    sink: Arc<MemorySink>,
    runtime: Runtime,
}

async fn setup(adjust: impl FnOnce(&mut RuntimeOptions)) -> Setup {
    let journal = Arc::new(FaultyJournal {
        inner: MemoryJournal::new(32 << 20),
        is_failing: AtomicBool::new(false),
        appends: AtomicUsize::new(0),
        bad_reads: AtomicUsize::new(0),
        refusals: AtomicUsize::new(0),
    });
    let archive = Arc::new(MemoryArchive::default());
    let sink = Arc::new(MemorySink::default());
    let mut options = RuntimeOptions::new(
        Arc::clone(&journal) as Arc<dyn Journal>,
        Arc::clone(&archive) as Arc<dyn Archive>,
    );
    options
        .sinks
        .push(Arc::clone(&sink) as Arc<dyn FeatureSink>);
    adjust(&mut options);
    let (runtime, _) = Runtime::start(options).await.unwrap();
    Setup {
        journal,
        archive,
        sink,
        runtime,
    }
}

async fn connect(runtime: &Runtime, id: &str) -> Socket {
    let upgrade = Upgrade {
        target: format!("/room?statsSessionId={id}&isReconnect=false"),
        subprotocols: "3.1_STANDARD".to_owned(),
        user_agent: "react-native/1 (iOS 17)".to_owned(),
        ..Upgrade::default()
    };
    runtime
        .connect(&runtime.handshake(&upgrade).unwrap())
        .await
        .unwrap()
}

async fn send(socket: &mut Socket, id: &str, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        let time = 1_700_000_000_000 + number;
        let frame = format!(
            "{{\"statsSessionId\":\"{id}\",\"type\":\"stats-entry\",\"data\":\"[\\\"e\\\",null,1,{time},{number}]\"}}"
        );
        socket.receive(frame.as_bytes()).await;
    }
}

async fn next_number(socket: &mut Socket) -> SequenceNumberMessage {
    let outgoing = tokio::time::timeout(Duration::from_secs(10), socket.outgoing())
        .await
        .unwrap();
    let Outgoing::Text(text) = outgoing else {
        panic!("{outgoing:?}")
    };
    SequenceNumberMessage::parse(&text).unwrap()
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain: {what}");
}

fn name(text: &str) -> DumpName {
    text.parse().unwrap()
}

fn dump_of(archive: &MemoryArchive, dump: &str) -> Vec<String> {
    let bytes = archive.dumps.lock().unwrap()[&name(dump)].clone();
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    text.lines().map(str::to_owned).collect()
}

fn numbers(lines: &[String]) -> Vec<u64> {
    lines
        .iter()
        .filter_map(|line| sequence_number_of(line))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_becomes_a_dump_and_a_record() {
    let setup = setup(|_| {}).await;
    let mut socket = connect(&setup.runtime, "s").await;
    assert_eq!(
        next_number(&mut socket).await,
        SequenceNumberMessage::initial(0)
    );
    send(&mut socket, "s", 1..=250).await;
    assert!(next_number(&mut socket).await.value >= 100);

    let snapshot = setup.runtime.snapshot(&name("s")).await.unwrap();
    let events = snapshot
        .jitsi
        .as_ref()
        .unwrap()
        .client()
        .unwrap()
        .metrics
        .other_request_count;
    assert!((100..=250).contains(&(events as u64)));
    assert_eq!(setup.runtime.sessions()[0].state, SessionState::Live);

    socket.disconnected(Some(3001));
    until("the dump", || {
        setup.archive.dumps.lock().unwrap().len() == 1
    })
    .await;
    let dump = dump_of(&setup.archive, "s");
    assert_eq!(numbers(&dump), (1..=250).collect::<Vec<_>>());
    until("the journal to be empty", || {
        setup.runtime.sessions().is_empty()
    })
    .await;

    let features = part(&setup.sink, "s", "features");
    assert_eq!(features["features"]["metrics"]["otherRequestCount"], 250);
    let meeting = part(&setup.sink, "s", "meeting");
    assert_eq!(meeting["statsSessionId"], "s");
    setup
        .runtime
        .shutdown(Duration::from_secs(5))
        .await
        .unwrap();
    assert!(setup.journal.inner.list().await.is_err(), "closed");
}

fn part(sink: &MemorySink, session: &str, part: &str) -> serde_json::Value {
    let parts = sink.parts();
    serde_json::from_str(parts[&(name(session), part.to_owned())].get()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_journal_acknowledges_nothing_and_loses_nothing() {
    let setup = setup(|_| {}).await;
    let mut socket = connect(&setup.runtime, "s").await;
    next_number(&mut socket).await;
    send(&mut socket, "s", 1..=10).await;
    setup.journal.is_failing.store(true, Ordering::SeqCst);
    send(&mut socket, "s", 11..=400).await;
    let silence = tokio::time::timeout(Duration::from_millis(2_500), async {
        loop {
            let number = next_number(&mut socket).await.value;
            assert!(number <= 10, "{number} is not durable");
        }
    });
    assert!(silence.await.is_err());
    assert!(!setup.runtime.is_healthy());
    setup.journal.is_failing.store(false, Ordering::SeqCst);
    until("health", || setup.runtime.is_healthy()).await;
    socket.disconnected(Some(3001));
    until("the dump", || {
        setup.archive.dumps.lock().unwrap().len() == 1
    })
    .await;
    assert_eq!(
        numbers(&dump_of(&setup.archive, "s")),
        (1..=400).collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_cannot_be_read_for_a_while_doubles_nothing() {
    let setup = setup(|_| {}).await;
    let mut socket = connect(&setup.runtime, "s").await;
    send(&mut socket, "s", 1..=5).await;
    setup.journal.is_failing.store(true, Ordering::SeqCst);
    setup.journal.bad_reads.store(3, Ordering::SeqCst);
    send(&mut socket, "s", 6..=50).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    setup.journal.is_failing.store(false, Ordering::SeqCst);
    socket.disconnected(Some(3001));
    setup.journal.bad_reads.store(2, Ordering::SeqCst);
    until("the dump", || {
        setup.archive.dumps.lock().unwrap().len() == 1
    })
    .await;
    assert_eq!(
        numbers(&dump_of(&setup.archive, "s")),
        (1..=50).collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_journal_refuses_for_ever_holds_up_no_other() {
    let setup = setup(|_| {}).await;
    // The inner journal takes no more than its limit.
    let mut big = connect(&setup.runtime, "big").await;
    let filler = "x".repeat(2 << 20);
    for number in 1..=40_u64 {
        let time = 1_700_000_000_000 + number;
        let frame = format!(
            "{{\"statsSessionId\":\"big\",\"type\":\"stats-entry\",\"data\":\"[\\\"e\\\",null,\\\"{filler}\\\",{time},{number}]\"}}"
        );
        let taken = tokio::time::timeout(Duration::from_secs(5), big.receive(frame.as_bytes()));
        if taken.await.is_err() {
            break;
        }
    }
    drop(big);
    let mut small = connect(&setup.runtime, "small").await;
    send(&mut small, "small", 1..=3).await;
    small.disconnected(Some(3001));
    until("the other session", || {
        setup
            .archive
            .dumps
            .lock()
            .unwrap()
            .contains_key(&name("small"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_refused_has_no_hole() {
    let setup = setup(|_| {}).await;
    let mut socket = connect(&setup.runtime, "s").await;
    send(&mut socket, "s", 1..=5).await;
    until("the first lines", || {
        setup.journal.appends.load(Ordering::SeqCst) > 0
    })
    .await;
    setup.journal.is_failing.store(true, Ordering::SeqCst);
    send(&mut socket, "s", 6..=10).await;
    until("a failure", || !setup.runtime.is_healthy()).await;
    // Behind the lines that will be refused.
    send(&mut socket, "s", 11..=20).await;
    setup.journal.refusals.store(1, Ordering::SeqCst);
    setup.journal.is_failing.store(false, Ordering::SeqCst);
    until("the dump", || {
        setup.archive.dumps.lock().unwrap().contains_key(&name("s"))
    })
    .await;
    let stored = numbers(&dump_of(&setup.archive, "s"));
    assert!(stored.len() < 11, "{stored:?}");
    assert_eq!(stored, (1..=stored.len() as u64).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_journal_slows_the_sockets() {
    let setup = setup(|options| options.limits.queue_bytes = 4_000).await;
    setup.journal.is_failing.store(true, Ordering::SeqCst);
    let mut socket = connect(&setup.runtime, "s").await;
    let flood = tokio::time::timeout(
        Duration::from_millis(500),
        send(&mut socket, "s", 1..=1_000),
    );
    assert!(flood.await.is_err(), "reading went on");
    let sessions = setup.runtime.sessions();
    assert!(
        sessions[0].bytes < 8_000,
        "{} bytes are held",
        sessions[0].bytes
    );
    let (counters, _) = setup.runtime.metrics().await;
    assert!(counters.limits.queue_bytes > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_fails_is_tried_again() {
    let setup = setup(|_| {}).await;
    setup.archive.failures.store(2, Ordering::SeqCst);
    let mut socket = connect(&setup.runtime, "s").await;
    send(&mut socket, "s", 1..=3).await;
    socket.disconnected(Some(3001));
    until("the dump", || {
        setup.archive.dumps.lock().unwrap().len() == 1
    })
    .await;
    let (counters, _) = setup.runtime.metrics().await;
    assert_eq!(counters.storage_errors, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_the_same_name_is_not_overwritten() {
    let setup = setup(|options| {
        let mut timing = Timing::default();
        timing.tombstone = Duration::ZERO;
        options.timing = timing;
    })
    .await;
    for (round, expected) in ["s", "s_1"].into_iter().enumerate() {
        let mut socket = connect(&setup.runtime, "s").await;
        send(&mut socket, "s", 1..=3).await;
        socket.disconnected(Some(3001));
        until(expected, || {
            setup.archive.dumps.lock().unwrap().len() == round + 1
        })
        .await;
        assert!(
            setup
                .archive
                .dumps
                .lock()
                .unwrap()
                .contains_key(&name(expected))
        );
        until("the end", || setup.runtime.sessions().is_empty()).await;
        // The server forgets it.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_resumes_sessions_and_completes_those_that_ended() {
    let first = setup(|_| {}).await;
    let mut socket = connect(&first.runtime, "s").await;
    send(&mut socket, "s", 1..=7).await;
    first.archive.failures.store(usize::MAX, Ordering::SeqCst);
    let mut ended = connect(&first.runtime, "ended").await;
    send(&mut ended, "ended", 1..=3).await;
    ended.disconnected(Some(3001));
    let (counters, _) = loop {
        let metrics = first.runtime.metrics().await;
        if metrics.0.storage_errors > 0 && metrics.0.events == 10 {
            break metrics;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(counters.finished, 0);

    // The first runtime is left as a killed process leaves its journal.
    let archive = Arc::new(MemoryArchive::default());
    let mut options = RuntimeOptions::new(
        Arc::clone(&first.journal) as Arc<dyn Journal>,
        Arc::clone(&archive) as Arc<dyn Archive>,
    );
    options
        .sinks
        .push(Arc::clone(&first.sink) as Arc<dyn FeatureSink>);
    let (second, recovery) = Runtime::start(options).await.unwrap();
    assert_eq!((recovery.resumable, recovery.ended), (1, 1));
    until("the ended session", || {
        archive.dumps.lock().unwrap().contains_key(&name("ended"))
    })
    .await;

    let mut socket = connect(&second, "s").await;
    assert_eq!(
        next_number(&mut socket).await,
        SequenceNumberMessage::initial(7)
    );
    send(&mut socket, "s", 6..=9).await;
    until("the features", || {
        second.sessions().iter().any(|s| s.sequence_number == 9)
    })
    .await;
    socket.disconnected(Some(3001));
    until("the dump", || {
        archive.dumps.lock().unwrap().contains_key(&name("s"))
    })
    .await;
    assert_eq!(
        numbers(&dump_of(&archive, "s")),
        (1..=9).collect::<Vec<_>>()
    );
    let features = part(&first.sink, "s", "features");
    assert_eq!(features["features"]["metrics"]["otherRequestCount"], 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_makes_everything_durable_and_tells_the_clients_to_come_back() {
    let setup = setup(|_| {}).await;
    let mut socket = connect(&setup.runtime, "s").await;
    next_number(&mut socket).await;
    send(&mut socket, "s", 1..=40).await;
    let log = Arc::clone(&setup.journal);
    setup
        .runtime
        .shutdown(Duration::from_secs(5))
        .await
        .unwrap();
    loop {
        match socket.outgoing().await {
            Outgoing::Text(_) => {}
            Outgoing::Close(reason) => {
                assert_eq!(reason, CloseReason::GoingAway);
                break;
            }
        }
    }
    drop(log);
}
