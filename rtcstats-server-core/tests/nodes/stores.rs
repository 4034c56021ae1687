//! What nodes share besides their journal, and stops where a test wants them.

use std::collections::BTreeMap;
use std::io::{BufRead, Cursor, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use rtcstats_server_core::{
    Append, Archive, ArchiveError, ArchivedDump, BoxFuture, DumpName, FeatureSink, Journal,
    JournalEntry, JournalError, MemoryNode, MemorySink, SessionRecord, SinkError,
};

/// Dumps in memory.
#[derive(Default)]
pub(crate) struct MemoryArchive(Mutex<BTreeMap<DumpName, Vec<u8>>>);

impl MemoryArchive {
    pub(crate) fn names(&self) -> Vec<String> {
        let dumps = self.0.lock().unwrap();
        dumps.keys().map(ToString::to_string).collect()
    }

    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let bytes = self.0.lock().unwrap()[&name.parse().unwrap()].clone();
        let mut text = String::new();
        flate2::read::GzDecoder::new(bytes.as_slice())
            .read_to_string(&mut text)
            .unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl Archive for MemoryArchive {
    fn store(
        &self,
        name: &DumpName,
        mut dump: Box<dyn BufRead + Send>,
    ) -> BoxFuture<'_, Result<(), ArchiveError>> {
        let name = name.clone();
        Box::pin(async move {
            let mut text = Vec::new();
            dump.read_to_end(&mut text).unwrap();
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&text).unwrap();
            let dump = encoder.finish().unwrap();
            self.0.lock().unwrap().insert(name, dump);
            Ok(())
        })
    }

    fn open(
        &self,
        name: &DumpName,
    ) -> BoxFuture<'_, Result<Option<Box<dyn Read + Send>>, ArchiveError>> {
        let dump = self.0.lock().unwrap().get(name).cloned();
        Box::pin(async { Ok(dump.map(|dump| Box::new(Cursor::new(dump)) as Box<dyn Read + Send>)) })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<ArchivedDump>, ArchiveError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn remove(&self, name: &DumpName) -> BoxFuture<'_, Result<(), ArchiveError>> {
        self.0.lock().unwrap().remove(name);
        Box::pin(async { Ok(()) })
    }
}

/// A step of a completion at which a worker stops for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    BeforePublishing,
    AfterPublishing,
    AfterArchiving,
    AfterRemoving,
}

/// Stores of one node, which stop at a step.
pub(crate) struct Stopping<S> {
    pub(crate) inner: Arc<S>,
    pub(crate) stop: Stop,
    /// How often it stopped.
    pub(crate) stopped: Arc<AtomicUsize>,
}

impl<S> Stopping<S> {
    async fn at(&self, stop: Stop) {
        if self.stop == stop {
            self.stopped.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
    }
}

impl FeatureSink for Stopping<MemorySink> {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        let record = record.clone();
        Box::pin(async move {
            self.at(Stop::BeforePublishing).await;
            let result = self.inner.publish(&record).await;
            self.at(Stop::AfterPublishing).await;
            result
        })
    }

    fn name(&self) -> &'static str {
        "stopping"
    }
}

impl Archive for Stopping<MemoryArchive> {
    fn store(
        &self,
        name: &DumpName,
        dump: Box<dyn BufRead + Send>,
    ) -> BoxFuture<'_, Result<(), ArchiveError>> {
        let name = name.clone();
        Box::pin(async move {
            let result = self.inner.store(&name, dump).await;
            self.at(Stop::AfterArchiving).await;
            result
        })
    }

    fn open(
        &self,
        name: &DumpName,
    ) -> BoxFuture<'_, Result<Option<Box<dyn Read + Send>>, ArchiveError>> {
        self.inner.open(name)
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<ArchivedDump>, ArchiveError>> {
        self.inner.list()
    }

    fn remove(&self, name: &DumpName) -> BoxFuture<'_, Result<(), ArchiveError>> {
        self.inner.remove(name)
    }
}

impl Journal for Stopping<MemoryNode> {
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'_, Result<(), JournalError>> {
        self.inner.append(batch)
    }

    fn read(
        &self,
        name: &DumpName,
    ) -> BoxFuture<'_, Result<Box<dyn BufRead + Send>, JournalError>> {
        self.inner.read(name)
    }

    fn finish(&self, name: &DumpName) -> BoxFuture<'_, Result<(), JournalError>> {
        self.inner.finish(name)
    }

    fn remove(&self, name: &DumpName) -> BoxFuture<'_, Result<(), JournalError>> {
        let name = name.clone();
        Box::pin(async move {
            let result = self.inner.remove(&name).await;
            self.at(Stop::AfterRemoving).await;
            result
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<JournalEntry>, JournalError>> {
        self.inner.list()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        self.inner.close()
    }
}
