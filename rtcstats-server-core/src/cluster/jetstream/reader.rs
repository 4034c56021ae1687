//! Reads a log, message by message, while it is read.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::time::Duration;
use std::vec;

use bytes::{Buf, Bytes, BytesMut};

use super::chain::Walk;
use super::log::Last;
use super::record::Record;
use super::store::{Entry, StoreError, failed};
use super::{Answer, Shared};

/// A log as it was when the reader was made. Holds a few messages at a time, and where all of them are;
/// fetches the next ones while the last ones are read.
pub(super) struct LogReader {
    shared: Arc<Shared>,
    /// Whole lines, ready to be read.
    ready: Bytes,
    /// What comes next, on its way; none at the end.
    coming: Option<Answer<Chunk, StoreError>>,
}

/// Some lines, and where to go on.
struct Chunk {
    lines: Bytes,
    place: Option<Place>,
}

/// Where in the log a reader is.
struct Place {
    subject: String,
    /// The messages that were not asked for.
    sequences: vec::IntoIter<u64>,
    /// Those that are on their way, or have come.
    entries: VecDeque<Answer<Entry, StoreError>>,
    /// About how many bytes the largest of the last messages had.
    size: usize,
    /// Where the whole lines end.
    whole: u64,
    /// Bytes so far, with those in `torn`.
    offset: u64,
    /// The beginning of a line that has not ended yet.
    torn: BytesMut,
}

impl LogReader {
    pub(super) fn new(shared: Arc<Shared>, subject: String, last: &Last) -> Self {
        let coming = (last.record.whole > 0).then(|| {
            let (store, last) = (Arc::clone(&shared), last.clone());
            shared.spawn(async move {
                Place::find(&store, subject, last)
                    .await?
                    .fetch(&store)
                    .await
            })
        });
        Self {
            shared,
            ready: Bytes::new(),
            coming,
        }
    }
}

impl BufRead for LogReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.ready.is_empty()
            && let Some(coming) = self.coming.take()
        {
            let chunk = coming.wait().map_err(io::Error::other)?;
            self.ready = chunk.lines;
            self.coming = chunk.place.map(|place| fetch(&self.shared, place));
        }
        Ok(&self.ready)
    }

    fn consume(&mut self, amount: usize) {
        self.ready.advance(amount.min(self.ready.len()));
    }
}

impl Read for LogReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

fn fetch(shared: &Arc<Shared>, place: Place) -> Answer<Chunk, StoreError> {
    let store = Arc::clone(shared);
    shared.spawn(async move { place.fetch(&store).await })
}

impl Place {
    /// Where a log begins.
    async fn find(shared: &Shared, subject: String, last: Last) -> Result<Self, StoreError> {
        let whole = last.record.whole;
        let mut walk = Walk::new(last.sequence);
        let mut chain = last.record.before;
        while let Some(earliest) = walk.follow(&chain).map_err(failed)? {
            let entry = entry(shared, &subject, earliest).await?;
            chain = Record::from_headers(&entry.headers).map_err(failed)?.before;
        }
        let sequences = walk.sequences();
        let size = whole / sequences.len().max(1) as u64;
        Ok(Self {
            subject,
            sequences: sequences.into_iter(),
            entries: VecDeque::new(),
            size: usize::try_from(size).unwrap_or(usize::MAX),
            whole,
            offset: 0,
            torn: BytesMut::new(),
        })
    }

    async fn fetch(mut self, shared: &Arc<Shared>) -> Result<Chunk, StoreError> {
        /// Enough to hide the way between threads, little enough to hold for each reader.
        const ENOUGH: usize = 64 << 10;
        let mut lines = BytesMut::new();
        while lines.len() < ENOUGH {
            self.look_ahead(shared);
            let Some(entry) = self.entries.pop_front() else {
                let is_complete = self.offset - self.torn.len() as u64 == self.whole;
                if !is_complete {
                    return Err(failed("messages of the log are missing"));
                }
                return Ok(Chunk {
                    lines: lines.freeze(),
                    place: None,
                });
            };
            self.take(&entry.await?, &mut lines)?;
        }
        Ok(Chunk {
            lines: lines.freeze(),
            place: Some(self),
        })
    }

    /// Asks for messages before they are needed: enough to hide the way to the servers, fewer of large
    /// ones.
    fn look_ahead(&mut self, shared: &Arc<Shared>) {
        const MESSAGES: usize = 16;
        const BYTES: usize = 512 << 10;
        let messages = (BYTES / self.size.max(1)).clamp(1, MESSAGES);
        while self.entries.len() < messages
            && let Some(sequence) = self.sequences.next()
        {
            let (store, subject) = (Arc::clone(shared), self.subject.clone());
            let answer = shared.spawn(async move { entry(&store, &subject, sequence).await });
            self.entries.push_back(answer);
        }
    }

    fn take(&mut self, entry: &Entry, lines: &mut BytesMut) -> Result<(), StoreError> {
        let record = Record::from_headers(&entry.headers).map_err(failed)?;
        let whole = self.offset - self.torn.len() as u64;
        if record.offset < whole || record.offset > self.offset {
            return Err(failed("messages of the log do not follow each other"));
        }
        let kept = usize::try_from(record.offset - whole).unwrap_or(usize::MAX);
        self.torn.truncate(kept);
        self.offset = record.offset + entry.payload.len() as u64;
        self.size = entry.payload.len().max(self.size - self.size / 8);
        match memchr::memrchr(b'\n', &entry.payload) {
            None => self.torn.extend_from_slice(&entry.payload),
            Some(end) => {
                let (ended, begun) = entry.payload.split_at(end + 1);
                lines.extend_from_slice(&self.torn);
                lines.extend_from_slice(ended);
                self.torn.clear();
                self.torn.extend_from_slice(begun);
            }
        }
        Ok(())
    }
}

/// The message of a log at a sequence number. Servers that are behind come to it.
async fn entry(shared: &Shared, subject: &str, sequence: u64) -> Result<Entry, StoreError> {
    const PAUSE: Duration = Duration::from_millis(20);
    let deadline = shared.store.deadline();
    let stream = &shared.store.logs;
    loop {
        let mut found = shared.store.get(stream, sequence).await?;
        if found.is_none() {
            found = shared.store.get_from_leader(stream, sequence).await?;
        }
        if let Some(entry) = found {
            if entry.subject != subject {
                return Err(failed("another log has a message of the log"));
            }
            return Ok(entry);
        }
        if shared.store.last(stream, subject).await?.is_none() {
            return Err(failed("the log was removed"));
        }
        // One that has just become the leader may still be behind, too.
        if tokio::time::Instant::now() > deadline {
            return Err(failed("a message of the log is missing"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
