//! Lines of an open session for whoever follows it, while they become durable.
//!
//! The extraction thread of the session knows how much of its log was folded. Whoever comes reads so much
//! from the journal, and is told what is folded from then on.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use foldhash::fast::RandomState;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Runtime;
use super::extraction::Work;
use super::filtered_dump::DumpFilter;
use super::whole_log::WholeLog;
use crate::{DumpName, JournalError, JournalErrorKind};

/// Bytes of lines that wait for one follower: many seconds of the busiest session.
const WAITING_BYTES: usize = 8 << 20;

/// What lines cost besides their text.
const LINES_BYTES: usize = 128;

/// Bytes that are read from the journal, or handed out, at once; more, if a message has more.
const CHUNK_BYTES: usize = 256 << 10;

/// Why a session cannot be followed, or no longer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// No such session is open; of several nodes, not at this one.
    #[error("no such session is open here")]
    Unknown,
    /// As many follow sessions as [`Limits::followers`](crate::Limits::followers) allows.
    #[error("too many follow sessions")]
    TooMany,
    /// More lines waited than are kept for one follower (8 MiB). It may begin again.
    #[error("the follower was too slow")]
    TooSlow,
    /// The runtime has stopped.
    #[error("the server stops")]
    Stopped,
    /// The journal could not be read.
    #[error("the journal cannot be read")]
    Journal(#[from] JournalError),
    /// Its log could not be read to the end.
    #[error("the log cannot be read")]
    Read(#[from] io::Error),
}

/// The lines of an open session, from its beginning on; see [`Runtime::follow`].
///
/// Costs a session nothing when it is dropped.
pub struct Follower {
    filter: Option<DumpFilter>,
    log: Option<Box<dyn BufRead + Send>>,
    reading: Option<JoinHandle<io::Result<Chunk>>>,
    lines: mpsc::UnboundedReceiver<Bytes>,
    link: Arc<Link>,
    _place: OwnedSemaphorePermit,
}

/// What was read from the journal at once.
struct Chunk {
    filter: Option<DumpFilter>,
    /// `None` at its end.
    log: Option<Box<dyn BufRead + Send>>,
    text: String,
}

/// What both ends know.
#[derive(Default)]
struct Link {
    /// Bytes that wait.
    waiting: AtomicUsize,
    is_over: AtomicBool,
    is_slow: AtomicBool,
}

impl Runtime {
    /// The lines of an open session, from the beginning of its dump and then as they become durable:
    /// each once, in their order, filtered as they will be in the archive. Ends with the session.
    ///
    /// Of several nodes, only that which owns the session can follow it; there it also ends when the session goes
    /// on at another node. A session that nobody follows costs nothing more than without this.
    ///
    /// # Errors
    ///
    /// If it cannot be followed: [`FollowError::Unknown`], [`FollowError::TooMany`], or what the journal says.
    pub async fn follow(&self, name: &DumpName) -> Result<Follower, FollowError> {
        let shared = &self.0.shared;
        if shared.state().server.session_by_name(name).is_none() {
            return Err(FollowError::Unknown);
        }
        let place = Arc::clone(&shared.followers).try_acquire_owned();
        let place = place.map_err(|_| FollowError::TooMany)?;
        let (reply, answer) = oneshot::channel();
        let name = name.clone();
        let extraction = shared.extraction_of(&name).ok_or(FollowError::Unknown)?;
        let work = Work::Follow {
            name: name.clone(),
            reply,
        };
        extraction.send(work).await;
        let begun = answer.await.map_err(|_| FollowError::Stopped)?;
        let Begun { bytes, lines, link } = begun.ok_or(FollowError::Unknown)?;
        let log = match bytes {
            0 => None,
            bytes => Some(shared.begin_of_log(&name, bytes).await?),
        };
        let privacy = &shared.handshakes.privacy;
        Ok(Follower {
            filter: Some(DumpFilter::new(privacy, shared.limits.message)),
            log,
            reading: None,
            lines,
            link,
            _place: place,
        })
    }
}

impl super::Shared {
    /// The first bytes of a log, all of them.
    async fn begin_of_log(
        &self,
        name: &DumpName,
        bytes: u64,
    ) -> Result<Box<dyn BufRead + Send>, FollowError> {
        match self.journal.read(name).await {
            Ok(log) => Ok(Box::new(WholeLog::new(log, bytes).take(bytes))),
            // It has ended, and was archived, meanwhile.
            Err(error) if matches!(error.kind(), JournalErrorKind::UnknownLog) => {
                Err(FollowError::Unknown)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Follower {
    /// The next lines, each with its terminator; `None` when the session is over. Waits until there are
    /// some; yields none once when it becomes [current](Self::is_current). Nothing is lost where the future is
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`FollowError::TooSlow`], [`FollowError::Stopped`] and [`FollowError::Read`]; nothing follows.
    pub async fn next(&mut self) -> Result<Option<String>, FollowError> {
        loop {
            if !self.is_current() {
                let text = self.read_on().await?;
                if !text.is_empty() || self.is_current() {
                    return Ok(Some(text));
                }
                continue;
            }
            let Some(lines) = self.lines.recv().await else {
                return self.end();
            };
            let text = self.filtered(&lines);
            if !text.is_empty() {
                return Ok(Some(text));
            }
        }
    }

    /// Whether all that was durable when it began was handed out.
    pub fn is_current(&self) -> bool {
        self.log.is_none() && self.reading.is_none()
    }

    /// Reads from the journal, where that may block. What is under way survives a caller that does not wait.
    async fn read_on(&mut self) -> io::Result<String> {
        if let (None, Some(log)) = (&self.reading, self.log.take()) {
            let filter = self.filter.take();
            self.reading = Some(tokio::task::spawn_blocking(move || read(log, filter)));
        }
        let Some(reading) = &mut self.reading else {
            return Ok(String::new());
        };
        let chunk = reading.await;
        self.reading = None;
        let chunk = chunk.map_err(io::Error::other)??;
        self.log = chunk.log;
        self.filter = chunk.filter;
        Ok(chunk.text)
    }

    /// The lines, and others that have come, as they are handed out.
    fn filtered(&mut self, lines: &Bytes) -> String {
        let mut text = String::new();
        self.filter_into(lines, &mut text);
        while text.len() < CHUNK_BYTES {
            let Ok(more) = self.lines.try_recv() else {
                break;
            };
            self.filter_into(&more, &mut text);
        }
        text
    }

    fn filter_into(&mut self, lines: &Bytes, text: &mut String) {
        let waited = lines.len() + LINES_BYTES;
        self.link.waiting.fetch_sub(waited, Ordering::Relaxed);
        if let Some(filter) = &mut self.filter {
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                filter.apply(line, text);
            }
        }
    }

    fn end(&self) -> Result<Option<String>, FollowError> {
        // What the other end noted before it went.
        if self.link.is_over.load(Ordering::Acquire) {
            return Ok(None);
        }
        match self.link.is_slow.load(Ordering::Acquire) {
            true => Err(FollowError::TooSlow),
            false => Err(FollowError::Stopped),
        }
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Follower").finish_non_exhaustive()
    }
}

fn read(mut log: Box<dyn BufRead + Send>, mut filter: Option<DumpFilter>) -> io::Result<Chunk> {
    let mut text = String::new();
    let mut line = Vec::new();
    let mut bytes = 0;
    while bytes < CHUNK_BYTES {
        line.clear();
        let length = log.read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(Chunk {
                filter,
                log: None,
                text,
            });
        }
        bytes += length;
        if let Some(filter) = &mut filter {
            filter.apply(&line, &mut text);
        }
    }
    Ok(Chunk {
        filter,
        log: Some(log),
        text,
    })
}

/// A follower that has begun: how much of the log it has to read, and the way that the rest comes.
pub(super) struct Begun {
    bytes: u64,
    lines: mpsc::UnboundedReceiver<Bytes>,
    link: Arc<Link>,
}

/// Who follows the sessions of one extraction thread.
#[derive(Default)]
pub(super) struct Followers(HashMap<DumpName, Vec<Following>, RandomState>);

/// The other end of a [`Follower`].
struct Following {
    lines: mpsc::UnboundedSender<Bytes>,
    link: Arc<Link>,
    /// Bytes of the log that it has, or was told to read.
    bytes: u64,
}

impl Followers {
    /// Adds one, who reads so many bytes itself.
    pub(super) fn begin(&mut self, name: &DumpName, bytes: u64) -> Begun {
        // Those of silent sessions are not noticed otherwise.
        self.0.retain(|_, all| {
            all.retain(|one| !one.lines.is_closed());
            !all.is_empty()
        });
        let (sender, lines) = mpsc::unbounded_channel();
        let link = Arc::<Link>::default();
        self.0.entry(name.clone()).or_default().push(Following {
            lines: sender,
            link: Arc::clone(&link),
            bytes,
        });
        Begun { bytes, lines, link }
    }

    pub(super) fn has(&self, name: &DumpName) -> bool {
        !self.0.is_empty() && self.0.contains_key(name)
    }

    /// Tells those of a session what is in its log at `offset`. Whoever has it already, because it was read
    /// again, is not told twice.
    pub(super) fn tell(&mut self, name: &DumpName, offset: u64, text: &Bytes) {
        if self.0.is_empty() {
            return;
        }
        let Some(all) = self.0.get_mut(name) else {
            return;
        };
        all.retain_mut(|one| one.tell(offset, text));
        if all.is_empty() {
            self.0.remove(name);
        }
    }

    /// The session is over.
    pub(super) fn end(&mut self, name: &DumpName) {
        for one in self.0.remove(name).unwrap_or_default() {
            one.link.is_over.store(true, Ordering::Release);
        }
    }
}

impl Following {
    /// Whether it goes on.
    fn tell(&mut self, offset: u64, text: &Bytes) -> bool {
        let had = self.bytes.saturating_sub(offset);
        let had = usize::try_from(had).unwrap_or(usize::MAX).min(text.len());
        let news = text.slice(had..);
        if news.is_empty() {
            return true;
        }
        self.bytes += news.len() as u64;
        let bytes = news.len() + LINES_BYTES;
        let waiting = self.link.waiting.fetch_add(bytes, Ordering::Relaxed);
        if waiting > 0 && waiting + bytes > WAITING_BYTES {
            self.link.is_slow.store(true, Ordering::Release);
            return false;
        }
        self.lines.send(news).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(begun: &mut Begun) -> String {
        let mut text = String::new();
        while let Ok(lines) = begun.lines.try_recv() {
            text.push_str(std::str::from_utf8(&lines).unwrap());
        }
        text
    }

    #[test]
    fn what_is_read_again_is_not_told_again() {
        let name: DumpName = "s".parse().unwrap();
        let mut followers = Followers::default();
        let mut one = followers.begin(&name, 2);
        let mut other = followers.begin(&name, 0);
        for (offset, text) in [(0, "a\nb\n"), (0, "a\nb\nc\n"), (2, "b\n"), (6, "d\n")] {
            followers.tell(&name, offset, &Bytes::from_static(text.as_bytes()));
        }
        assert_eq!(told(&mut one), "b\nc\nd\n");
        assert_eq!(told(&mut other), "a\nb\nc\nd\n");
        followers.end(&name);
        assert!(one.link.is_over.load(Ordering::Acquire) && !followers.has(&name));
    }

    #[test]
    fn those_who_have_gone_leave_nothing() {
        let name: DumpName = "s".parse().unwrap();
        let mut followers = Followers::default();
        drop(followers.begin(&name, 0));
        followers.tell(&name, 0, &Bytes::from_static(b"a\n"));
        assert!(!followers.has(&name));
        let other: DumpName = "t".parse().unwrap();
        drop(followers.begin(&name, 0));
        let _begun = followers.begin(&other, 0);
        assert!(!followers.has(&name) && followers.has(&other));
    }
}
