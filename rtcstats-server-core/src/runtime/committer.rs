//! Gives lines to the journal, and tells what is durable.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::RandomState;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::Shared;
use super::extraction::{DurableLines, Work};
use crate::{Append, DumpName, JournalError, JournalErrorKind, SessionFacts};

/// Something for the journal, in order.
pub(super) enum Commit {
    Append {
        name: DumpName,
        offset: u64,
        line: Bytes,
        sequence_number: Option<u64>,
    },
    Finish {
        name: DumpName,
        facts: SessionFacts,
        bytes: u64,
        /// Told when the record of the dump is published; dropped if the dump is given up instead.
        reply: Option<oneshot::Sender<()>>,
    },
    /// Forgets a log.
    Discard { name: DumpName },
    /// Gives back the room in the queue that the lines before it took.
    Release { permit: OwnedSemaphorePermit },
    /// Everything was given.
    Stop,
}

/// Lines of one log that go to the journal together.
#[derive(Debug)]
struct Lines {
    offset: u64,
    text: Bytes,
    sequence_number: Option<u64>,
}

type Batch = HashMap<DumpName, Lines, RandomState>;

/// What is given to the journal at once, and what follows when it is durable.
#[derive(Default)]
struct Round {
    batch: HashMap<DumpName, Growing, RandomState>,
    bytes: usize,
    finished: Vec<Finished>,
    discarded: Vec<DumpName>,
    permits: Vec<OwnedSemaphorePermit>,
    stop: bool,
}

/// A log that is complete.
struct Finished {
    name: DumpName,
    facts: SessionFacts,
    bytes: u64,
    reply: Option<oneshot::Sender<()>>,
}

/// [`Lines`] being collected.
struct Growing {
    offset: u64,
    /// The lines of different messages.
    parts: Vec<Bytes>,
    sequence_number: Option<u64>,
}

/// Takes everything that has come, makes it durable at once, and begins again.
pub(super) async fn run(shared: Arc<Shared>, mut commits: mpsc::UnboundedReceiver<Commit>) {
    const AT_ONCE: usize = 4_096;
    let mut received = Vec::new();
    // Logs that are refused for ever, until they are finished: what still comes for them would
    // leave a hole in front of it.
    let mut refused: HashSet<DumpName, RandomState> = HashSet::default();
    while commits.recv_many(&mut received, AT_ONCE).await > 0 {
        let mut rest = received.drain(..).peekable();
        while rest.peek().is_some() {
            let mut round = Round::collect(&mut rest);
            let batch: Batch = round
                .batch
                .into_iter()
                .filter(|(name, _)| !refused.contains(name))
                .map(|(name, lines)| (name, lines.joined()))
                .collect();
            if !batch.is_empty() {
                refused.extend(commit(&shared, batch).await);
            }
            drop(round.permits);
            let is_whole = |log: &Finished| !refused.remove(&log.name) || log.reply.is_none();
            let (whole, cut): (Vec<_>, _) = round.finished.into_iter().partition(is_whole);
            finish(&shared, whole).await;
            // Whoever waits for it learns that it was not stored.
            round.discarded.extend(cut.into_iter().map(|log| log.name));
            for name in round.discarded {
                refused.remove(&name);
                discard(&shared, name).await;
            }
            if round.stop {
                stop_extraction(&shared).await;
                return;
            }
        }
    }
}

impl Round {
    fn collect(commits: &mut impl Iterator<Item = Commit>) -> Self {
        /// Enough to be worth a flush, little enough for any journal's queue.
        const MAX_BYTES: usize = 8 << 20;
        let mut round = Self::default();
        for commit in commits {
            round.add(commit);
            if round.stop || round.bytes >= MAX_BYTES {
                break;
            }
        }
        round
    }

    fn add(&mut self, commit: Commit) {
        match commit {
            Commit::Append {
                name,
                offset,
                line,
                sequence_number,
            } => {
                self.bytes += line.len();
                let lines = self.batch.entry(name).or_insert_with(|| Growing {
                    offset,
                    parts: Vec::with_capacity(1),
                    sequence_number: None,
                });
                lines.parts.push(line);
                lines.sequence_number = sequence_number.or(lines.sequence_number);
            }
            Commit::Finish {
                name,
                facts,
                bytes,
                reply,
            } => self.finished.push(Finished {
                name,
                facts,
                bytes,
                reply,
            }),
            Commit::Discard { name } => self.discarded.push(name),
            Commit::Release { permit } => self.permits.push(permit),
            Commit::Stop => self.stop = true,
        }
    }
}

impl Growing {
    fn joined(mut self) -> Lines {
        let text = match self.parts.as_mut_slice() {
            // Most of the time there is one, and need not be copied.
            [line] => std::mem::take(line),
            lines => lines.concat().into(),
        };
        Lines {
            offset: self.offset,
            text,
            sequence_number: self.sequence_number,
        }
    }
}

/// Appends until it is durable. A journal that fails (a full disk, say) holds everything up: the
/// queue fills, sockets are not read, nothing is acknowledged, and nothing is lost. Returns the logs
/// that will never take another line.
async fn commit(shared: &Arc<Shared>, batch: Batch) -> Vec<DumpName> {
    const LONGEST_PAUSE: Duration = Duration::from_secs(5);
    let mut pause = Duration::from_millis(50);
    let mut failed: Vec<DumpName> = Vec::new();
    let mut missing = appends(&batch);
    while let Err(error) = shared.journal.append(missing).await {
        shared.journal_healthy.store(false, Ordering::Relaxed);
        shared.state().server.counters_mut().journal_errors += 1;
        tracing::error!(%error, kind = %error.kind(), retry_in = ?pause, "journal failed to append");
        match error.log() {
            // Trying again would not help this one; the others go on.
            Some(name) if is_final(error.kind()) => failed.push(name.clone()),
            _ => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        missing = loop {
            match still_missing(shared, &batch, &failed).await {
                Ok(missing) => break missing,
                Err(error) => {
                    tracing::error!(%error, kind = %error.kind(), "journal cannot tell what it has");
                    tokio::time::sleep(pause).await;
                }
            }
        };
    }
    shared.journal_healthy.store(true, Ordering::Relaxed);
    report(shared, batch, &failed).await;
    failed
}

fn appends(batch: &Batch) -> Vec<Append> {
    batch
        .iter()
        .map(|(name, lines)| Append {
            name: name.clone(),
            lines: lines.text.clone(),
        })
        .collect()
}

/// Whether a log with this error will never take another line.
fn is_final(kind: &JournalErrorKind) -> bool {
    matches!(
        kind,
        JournalErrorKind::Finished
            | JournalErrorKind::NotLines
            | JournalErrorKind::OverLimit { .. }
    )
}

/// What of the batch the journal does not have after an append that failed somewhere.
async fn still_missing(
    shared: &Shared,
    batch: &Batch,
    failed: &[DumpName],
) -> Result<Vec<Append>, JournalError> {
    // Only a log that has been read since can be appended to, or finished, again.
    for name in batch.keys() {
        acknowledge_failure(shared, name).await?;
    }
    let entries = shared.journal.list().await?;
    let lengths: HashMap<_, _> = entries
        .iter()
        .map(|entry| (&entry.name, entry.bytes))
        .collect();
    let wanted = batch.iter().filter(|(name, _)| !failed.contains(name));
    let missing = wanted.map(|(name, lines)| {
        let length = lengths.get(name).copied().unwrap_or_default();
        let stored = usize::try_from(length.saturating_sub(lines.offset)).unwrap_or(usize::MAX);
        Append {
            name: name.clone(),
            lines: lines.text.slice(stored.min(lines.text.len())..),
        }
    });
    Ok(missing.collect())
}

async fn acknowledge_failure(shared: &Shared, name: &DumpName) -> Result<(), JournalError> {
    match shared.journal.read(name).await {
        Err(error) if !matches!(error.kind(), JournalErrorKind::UnknownLog) => Err(error),
        _ => Ok(()),
    }
}

async fn report(shared: &Arc<Shared>, batch: Batch, failed: &[DumpName]) {
    {
        let mut state = shared.state();
        let time = shared.clock.now();
        for (name, lines) in &batch {
            if failed.contains(name) {
                state.server.append_failed(name);
            } else {
                state.server.appended(time, name, lines.sequence_number);
            }
        }
        shared.dispatch(&mut state);
    }
    let mut durable: Vec<Vec<DurableLines>> = Vec::new();
    durable.resize_with(shared.extraction.len(), Vec::new);
    for (name, Lines { offset, text, .. }) in batch {
        if let Some(lines) = durable.get_mut(shared.extraction_index(&name)) {
            lines.push(DurableLines { name, offset, text });
        }
    }
    for (extraction, lines) in shared.extraction.iter().zip(durable) {
        extraction.try_fold(lines);
    }
}

/// Marks logs as complete, all at once, so that one flush serves them.
async fn finish(shared: &Arc<Shared>, finished: Vec<Finished>) {
    let calls: Vec<_> = finished
        .iter()
        .map(|log| shared.journal.finish(&log.name))
        .collect();
    let mut results = Vec::new();
    for call in calls {
        results.push(call.await);
    }
    for (log, result) in finished.into_iter().zip(results) {
        if result.is_err() && !finish_again(shared, &log.name).await {
            shared.state().server.finished(&log.name);
            continue;
        }
        let Some(extraction) = shared.extraction_of(&log.name) else {
            continue;
        };
        shared.completing.fetch_add(1, Ordering::Relaxed);
        let Finished {
            name,
            facts,
            bytes,
            reply,
        } = log;
        extraction.give(Work::Finish {
            name,
            facts,
            bytes,
            reply,
        });
    }
}

/// Tries until a log is marked; `false` if there is no such log.
async fn finish_again(shared: &Shared, name: &DumpName) -> bool {
    const PAUSE: Duration = Duration::from_secs(1);
    loop {
        if let Err(error) = acknowledge_failure(shared, name).await {
            tracing::error!(session = %name, %error, "journal cannot be read");
        }
        let Err(error) = shared.journal.finish(name).await else {
            return true;
        };
        tracing::error!(session = %name, %error, kind = %error.kind(), "session is not marked as ended");
        shared.state().server.counters_mut().journal_errors += 1;
        if matches!(error.kind(), JournalErrorKind::UnknownLog) {
            return false;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Forgets what came of a log.
async fn discard(shared: &Shared, name: DumpName) {
    if let Err(error) = shared.journal.remove(&name).await {
        // The next start removes it: nobody finished it.
        tracing::error!(session = %name, %error, "refused upload is not removed");
        shared.state().server.counters_mut().journal_errors += 1;
    }
    if let Some(extraction) = shared.extraction_of(&name) {
        // Acknowledgements must not wait for features, and nothing more comes of this log.
        extraction.give(Work::Forget { name });
    }
}

async fn stop_extraction(shared: &Shared) {
    for extraction in &shared.extraction {
        extraction.send(Work::Stop).await;
    }
}
