//! Stores in memory that fail on demand, and a client.

#![allow(
    dead_code,
    clippy::indexing_slicing,
    reason = "not every test needs all of it, and a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, Cursor, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use rtcstats_server_core::{
    Append, Archive, ArchiveError, ArchiveOperation, ArchivedDump, BoxFuture, DumpName, Erasure,
    FeatureSink, Journal, JournalEntry, JournalError, JournalErrorKind, JournalOperation,
    MemoryJournal, Outgoing, Runtime, RuntimeOptions, Selection, SessionRecord, SinkError, Socket,
    Upgrade,
};
use serde_json::Value;
use tokio::sync::watch;

/// Dumps in memory, each with the time at which it was stored.
#[derive(Default)]
pub(crate) struct Dumps {
    pub(crate) dumps: Mutex<BTreeMap<DumpName, (Vec<u8>, f64)>>,
    pub(crate) is_failing: AtomicBool,
    /// Those that cannot be removed.
    pub(crate) stuck: Mutex<Vec<DumpName>>,
}

impl Dumps {
    pub(crate) fn names(&self) -> Vec<String> {
        let dumps = self.dumps.lock().unwrap();
        dumps.keys().map(ToString::to_string).collect()
    }

    /// Keeps a dump as if it had been stored at this time.
    pub(crate) fn put(&self, dump: &str, text: &str, modified_ms: f64) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        let bytes = encoder.finish().unwrap();
        self.dumps
            .lock()
            .unwrap()
            .insert(name(dump), (bytes, modified_ms));
    }

    fn check(&self, operation: ArchiveOperation) -> Result<(), ArchiveError> {
        match self.is_failing.load(Ordering::SeqCst) {
            true => Err(ArchiveError::new(operation, None, "out of order")),
            false => Ok(()),
        }
    }
}

impl Archive for Dumps {
    fn store(
        &self,
        name: &DumpName,
        mut dump: Box<dyn BufRead + Send>,
    ) -> BoxFuture<'_, Result<(), ArchiveError>> {
        let name = name.clone();
        Box::pin(async move {
            self.check(ArchiveOperation::Store)?;
            let mut text = String::new();
            dump.read_to_string(&mut text).unwrap();
            self.put(&name.to_string(), &text, now_ms());
            Ok(())
        })
    }

    fn open(
        &self,
        name: &DumpName,
    ) -> BoxFuture<'_, Result<Option<Box<dyn Read + Send>>, ArchiveError>> {
        let dump = self.dumps.lock().unwrap().get(name).cloned();
        Box::pin(async {
            self.check(ArchiveOperation::Open)?;
            Ok(dump.map(|dump| Box::new(Cursor::new(dump.0)) as Box<dyn Read + Send>))
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<ArchivedDump>, ArchiveError>> {
        let dumps = self.dumps.lock().unwrap();
        let dumps = dumps
            .iter()
            .map(|(name, (dump, modified_ms))| ArchivedDump {
                name: name.clone(),
                bytes: dump.len() as u64,
                modified_ms: *modified_ms,
            });
        let dumps = dumps.collect();
        Box::pin(async { Ok(dumps) })
    }

    fn remove(&self, name: &DumpName) -> BoxFuture<'_, Result<(), ArchiveError>> {
        let name = name.clone();
        Box::pin(async move {
            self.check(ArchiveOperation::Remove)?;
            if self.stuck.lock().unwrap().contains(&name) {
                let operation = ArchiveOperation::Remove;
                return Err(ArchiveError::new(operation, Some(name), "stuck"));
            }
            self.dumps.lock().unwrap().remove(&name);
            Ok(())
        })
    }
}

/// A sink that knows the users of its records, can hold a publish up, and can fail.
pub(crate) struct Records {
    pub(crate) records: Mutex<BTreeMap<DumpName, Record>>,
    pub(crate) can_be_asked: bool,
    pub(crate) is_failing: AtomicBool,
    /// Publishing waits until this is open.
    pub(crate) gate: watch::Sender<bool>,
    /// How many are waiting at the gate, or have gone through.
    pub(crate) arrived: watch::Sender<usize>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub(crate) user: Option<String>,
    pub(crate) conference: Option<String>,
    pub(crate) ended_ms: f64,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            records: Mutex::default(),
            can_be_asked: true,
            is_failing: AtomicBool::new(false),
            gate: watch::Sender::new(true),
            arrived: watch::Sender::new(0),
        }
    }
}

impl Records {
    pub(crate) fn names(&self) -> Vec<String> {
        let records = self.records.lock().unwrap();
        records.keys().map(ToString::to_string).collect()
    }

    pub(crate) fn put(&self, session: &str, record: Record) {
        self.records.lock().unwrap().insert(name(session), record);
    }

    fn check(&self) -> Result<(), SinkError> {
        match self.is_failing.load(Ordering::SeqCst) {
            true => Err(SinkError::new("records", None, "out of order")),
            false => Ok(()),
        }
    }
}

impl FeatureSink for Records {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        let name = record.name.clone();
        let session = record.parts.iter().find(|part| part.part == "session");
        let facts: Value = serde_json::from_str(session.unwrap().json.get()).unwrap();
        let text = |member: &str| facts[member].as_str().map(str::to_owned);
        let record = Record {
            user: text("user"),
            conference: text("conference"),
            ended_ms: now_ms(),
        };
        let mut gate = self.gate.subscribe();
        Box::pin(async move {
            self.arrived.send_modify(|arrived| *arrived += 1);
            gate.wait_for(|is_open| *is_open).await.unwrap();
            self.check()?;
            self.records.lock().unwrap().insert(name, record);
            Ok(())
        })
    }

    fn erase(&self, sessions: &[DumpName]) -> BoxFuture<'_, Result<Erasure, SinkError>> {
        let sessions = sessions.to_vec();
        Box::pin(async move {
            self.check()?;
            let mut records = self.records.lock().unwrap();
            let removed = sessions.iter().filter_map(|name| records.remove(name));
            Ok(Erasure::Erased(removed.count() as u64))
        })
    }

    fn find(
        &self,
        selection: &Selection,
    ) -> BoxFuture<'_, Result<Option<Vec<DumpName>>, SinkError>> {
        let selection = selection.clone();
        Box::pin(async move {
            self.check()?;
            let records = self.records.lock().unwrap();
            let found = records.iter().filter(|(name, record)| match &selection {
                Selection::Session(id) => name.session_id() == id,
                Selection::User(user) => record.user.as_ref() == Some(user),
                Selection::Conference(room) => record.conference.as_ref() == Some(room),
                Selection::EndedBefore(end) => record.ended_ms < *end,
                _ => false,
            });
            let found = found.map(|(name, _)| name.clone()).collect();
            Ok(self.can_be_asked.then_some(found))
        })
    }

    fn name(&self) -> &str {
        "records"
    }
}

/// A memory journal whose appends fail, or wait, on demand.
pub(crate) struct FaultyJournal {
    pub(crate) inner: MemoryJournal,
    pub(crate) is_failing: AtomicBool,
    pub(crate) is_stalled: watch::Sender<bool>,
    /// Logs that cannot be read.
    pub(crate) unreadable: Mutex<Vec<DumpName>>,
}

impl Default for FaultyJournal {
    fn default() -> Self {
        Self {
            inner: MemoryJournal::new(32 << 20),
            is_failing: AtomicBool::new(false),
            is_stalled: watch::Sender::new(false),
            unreadable: Mutex::default(),
        }
    }
}

impl Journal for FaultyJournal {
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'_, Result<(), JournalError>> {
        let mut stalled = self.is_stalled.subscribe();
        Box::pin(async move {
            stalled.wait_for(|is_stalled| !is_stalled).await.unwrap();
            if self.is_failing.load(Ordering::SeqCst) {
                let kind = JournalErrorKind::Full("no room".into());
                return Err(JournalError::new(JournalOperation::Append, None, kind));
            }
            self.inner.append(batch).await
        })
    }

    fn read(
        &self,
        name: &DumpName,
    ) -> BoxFuture<'_, Result<Box<dyn BufRead + Send>, JournalError>> {
        if self.unreadable.lock().unwrap().contains(name) {
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

/// A server over these stores.
pub(crate) struct Setup {
    pub(crate) journal: Arc<FaultyJournal>,
    pub(crate) archive: Arc<Dumps>,
    pub(crate) sink: Arc<Records>,
    pub(crate) runtime: Runtime,
}

/// Stores, before a server runs over them.
#[derive(Default)]
pub(crate) struct Stores {
    pub(crate) journal: FaultyJournal,
    pub(crate) archive: Dumps,
    pub(crate) sink: Records,
}

pub(crate) async fn setup(stores: Stores, adjust: impl FnOnce(&mut RuntimeOptions)) -> Setup {
    let journal = Arc::new(stores.journal);
    let archive = Arc::new(stores.archive);
    let sink = Arc::new(stores.sink);
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

pub(crate) fn upgrade(id: &str) -> Upgrade {
    Upgrade {
        target: format!("/room?statsSessionId={id}&isReconnect=false"),
        subprotocols: "3.1_STANDARD".to_owned(),
        ..Upgrade::default()
    }
}

pub(crate) async fn connect(runtime: &Runtime, id: &str) -> Socket {
    let handshake = runtime.handshake(&upgrade(id)).unwrap();
    runtime.connect(&handshake).await.unwrap()
}

/// A client of rtcstats 5.0 that says whose call it is.
pub(crate) async fn plain_call(runtime: &Runtime, user: &str, conference: &str) -> Socket {
    let upgrade = Upgrade {
        target: "/".to_owned(),
        subprotocols: "rtcstats#5.0".to_owned(),
        ..Upgrade::default()
    };
    let mut socket = runtime
        .connect(&runtime.handshake(&upgrade).unwrap())
        .await
        .unwrap();
    let identity = format!(
        "[\"identity\",null,{{\"user\":\"{user}\",\"conference\":\"{conference}\"}},1700000000000]"
    );
    socket.receive(identity.as_bytes()).await;
    socket
}

/// Sends what a Jitsi client says of itself, and numbered events behind it.
pub(crate) async fn send(socket: &mut Socket, id: &str, user: &str, events: u64) {
    let identity = format!(
        "[\\\"identity\\\",null,{{\\\"confName\\\":\\\"room\\\",\\\"displayName\\\":\\\"{user}\\\"}},1700000000000,1]"
    );
    let event = |number| format!("[\\\"e\\\",null,1,{},{number}]", 1_700_000_000_000 + number);
    let lines = std::iter::once(identity).chain((2..=events + 1).map(event));
    for line in lines {
        let frame =
            format!("{{\"statsSessionId\":\"{id}\",\"type\":\"stats-entry\",\"data\":\"{line}\"}}");
        socket.receive(frame.as_bytes()).await;
    }
}

/// The code with which a socket is closed.
pub(crate) async fn close_code(socket: &mut Socket) -> u16 {
    let closed = async {
        loop {
            if let Outgoing::Close(reason) = socket.outgoing().await {
                return reason.code();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), closed)
        .await
        .unwrap()
}

pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain: {what}");
}

pub(crate) fn name(text: &str) -> DumpName {
    text.parse().unwrap()
}

pub(crate) fn now_ms() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs_f64() * 1000.0
}
