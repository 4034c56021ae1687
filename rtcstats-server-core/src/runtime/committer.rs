//! Gives lines to the journal, and tells what is durable.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, Read};
use std::iter::Peekable;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::RandomState;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::Shared;
use super::extraction::{DurableLines, Work};
use super::handover::hand_over;
use super::monitor::Store;
use super::turns::Turn;
use crate::{
    Append, DumpName, JournalError, JournalErrorKind, JournalOperation, Recovered, SessionFacts,
};

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
        facts: Box<SessionFacts>,
        bytes: u64,
        /// Told when the record of the dump is published; dropped if the dump is given up instead.
        reply: Option<oneshot::Sender<()>>,
        /// Whether its client can come back to it.
        is_resumable: bool,
        /// At the session, until it is in other hands; of several nodes only.
        turn: Option<Turn>,
    },
    /// Forgets a log.
    Discard { name: DumpName },
    /// Forgets a log, and tells what became of it.
    Erase {
        name: DumpName,
        reply: oneshot::Sender<Result<(), JournalError>>,
    },
    /// Everything before this of a log that another node has taken is dropped; what follows is of a session
    /// that came back.
    Renew { name: DumpName },
    /// Told when everything before it is done.
    Barrier { reply: oneshot::Sender<()> },
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
    erased: Vec<(DumpName, oneshot::Sender<Result<(), JournalError>>)>,
    permits: Vec<OwnedSemaphorePermit>,
    end: Option<End>,
}

/// What ends a round.
enum End {
    Renew(DumpName),
    Barrier(oneshot::Sender<()>),
    Stop,
}

/// A log that is complete.
pub(super) struct Finished {
    pub(super) name: DumpName,
    pub(super) facts: Box<SessionFacts>,
    pub(super) bytes: u64,
    pub(super) reply: Option<oneshot::Sender<()>>,
    pub(super) is_resumable: bool,
    pub(super) turn: Option<Turn>,
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
    // Logs that other nodes have taken, until what is still queued of them has passed.
    let mut lost: HashSet<DumpName, RandomState> = HashSet::default();
    while commits.recv_many(&mut received, AT_ONCE).await > 0 {
        let mut rest = received.drain(..).peekable();
        while rest.peek().is_some() {
            let mut round = Round::collect(&mut rest);
            let batch: Batch = round
                .batch
                .into_iter()
                .filter(|(name, _)| !refused.contains(name) && !lost.contains(name))
                .map(|(name, lines)| (name, lines.joined()))
                .collect();
            if !batch.is_empty() {
                let outcome = commit(&shared, batch).await;
                refused.extend(outcome.refused);
                lost.extend(outcome.lost);
            }
            drop(round.permits);
            round.finished.retain(|log| !lost.contains(&log.name));
            let is_whole = |log: &Finished| !refused.remove(&log.name) || log.reply.is_none();
            let (whole, cut): (Vec<_>, _) = round.finished.into_iter().partition(is_whole);
            finish(&shared, whole).await;
            // Whoever waits for it learns that it was not stored.
            round.discarded.extend(cut.into_iter().map(|log| log.name));
            for name in round.discarded {
                refused.remove(&name);
                discard(&shared, name).await;
            }
            for (name, reply) in round.erased {
                refused.remove(&name);
                // Whoever asked may have gone.
                let _ = reply.send(erase(&shared, name).await);
            }
            match round.end {
                None => {}
                Some(End::Renew(name)) => {
                    lost.remove(&name);
                }
                Some(End::Barrier(reply)) => {
                    // The one who waits may have gone.
                    let _ = reply.send(());
                }
                Some(End::Stop) => {
                    stop_extraction(&shared).await;
                    return;
                }
            }
        }
    }
}

impl Round {
    fn collect<I: Iterator<Item = Commit>>(commits: &mut Peekable<I>) -> Self {
        /// Enough to be worth a flush, little enough for any journal's queue.
        const MAX_BYTES: usize = 8 << 20;
        let mut round = Self::default();
        while let Some(commit) = commits.next_if(|commit| !round.is_continued_by(commit)) {
            round.add(commit);
            if round.end.is_some() || round.bytes >= MAX_BYTES {
                break;
            }
        }
        round
    }

    /// Whether it begins a dump that goes on from one of this round. Nothing is promised of the order in
    /// which logs of a batch become durable, and what goes on is not to be there without what it goes on from.
    fn is_continued_by(&self, commit: &Commit) -> bool {
        let Commit::Append { name, .. } = commit else {
            return false;
        };
        if name.is_first() || name.is_upload() || self.batch.contains_key(name) {
            return false;
        }
        let id = name.session_id();
        self.batch.keys().any(|other| other.session_id() == id)
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
                is_resumable,
                turn,
            } => self.finished.push(Finished {
                name,
                facts,
                bytes,
                reply,
                is_resumable,
                turn,
            }),
            Commit::Discard { name } => self.discarded.push(name),
            Commit::Erase { name, reply } => self.erased.push((name, reply)),
            Commit::Release { permit } => self.permits.push(permit),
            Commit::Renew { name } => self.end = Some(End::Renew(name)),
            Commit::Barrier { reply } => self.end = Some(End::Barrier(reply)),
            Commit::Stop => self.end = Some(End::Stop),
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

/// Logs of a batch that are not stored.
#[derive(Default)]
struct Outcome {
    /// Those that will never take another line.
    refused: Vec<DumpName>,
    /// Those that other nodes have taken.
    lost: Vec<DumpName>,
}

impl Outcome {
    fn has(&self, name: &DumpName) -> bool {
        self.refused.contains(name) || self.lost.contains(name)
    }
}

/// Appends until it is durable. A journal that fails (a full disk, say) holds everything up: the
/// queue fills, sockets are not read, nothing is acknowledged, and nothing is lost.
async fn commit(shared: &Arc<Shared>, batch: Batch) -> Outcome {
    const LONGEST_PAUSE: Duration = Duration::from_secs(5);
    let mut pause = Duration::from_millis(50);
    let mut outcome = Outcome::default();
    let mut errors = append_together(shared, appends(&batch)).await;
    while !errors.is_empty() {
        let mut is_stuck = false;
        for (log, error) in errors {
            match (log, fate(shared, &batch, &error)) {
                // Never again: what others put there is not to be taken for ours.
                (Some(name), Fate::Lost) => outcome.lost.push(name),
                // Trying again would not help this one; the others go on.
                (Some(name), Fate::Refused) => {
                    note_failure(shared, &error, Duration::ZERO);
                    outcome.refused.push(name);
                }
                _ => {
                    note_failure(shared, &error, pause);
                    is_stuck = true;
                }
            }
        }
        if is_stuck {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        let missing = loop {
            match still_missing(shared, &batch, &mut outcome).await {
                Ok(missing) => break missing,
                Err(error) => {
                    tracing::error!(%error, kind = %error.kind(), "journal cannot tell what it has");
                    tokio::time::sleep(pause).await;
                }
            }
        };
        errors = if shared.node.is_some() {
            append_one_by_one(shared, missing).await
        } else {
            append_together(shared, missing).await
        };
    }
    shared.note(Store::Journal, true);
    let mut stored = Vec::new();
    for name in &outcome.refused {
        stored.push((name.clone(), stored_number(shared, name).await));
    }
    let later = report(shared, batch, &outcome, &stored);
    outcome.refused.extend(later);
    outcome
}

/// What becomes of a log with an error.
enum Fate {
    TryAgain,
    Refused,
    Lost,
}

fn fate(shared: &Shared, batch: &Batch, error: &JournalError) -> Fate {
    match error.kind() {
        JournalErrorKind::Fenced => Fate::Lost,
        // This node appends nothing to what it finished, so another one did.
        JournalErrorKind::Finished if shared.node.is_some() => {
            let lines = error.log().and_then(|name| batch.get(name));
            match lines {
                // A name that should have been free: the next one is tried.
                Some(lines) if lines.offset == 0 => Fate::Refused,
                _ => Fate::Lost,
            }
        }
        kind if is_final(kind) => Fate::Refused,
        _ => Fate::TryAgain,
    }
}

fn note_failure(shared: &Shared, error: &JournalError, pause: Duration) {
    shared.note(Store::Journal, false);
    shared.state().server.counters_mut().journal_errors += 1;
    tracing::error!(%error, kind = %error.kind(), retry_in = ?pause, "journal failed to append");
}

/// What failed, and of which log if that is known.
type Errors = Vec<(Option<DumpName>, JournalError)>;

async fn append_together(shared: &Shared, batch: Vec<Append>) -> Errors {
    shared.monitor.appending(shared.clock.now());
    match shared.journal.append(batch).await {
        Ok(()) => Errors::new(),
        Err(error) => vec![(error.log().cloned(), error)],
    }
}

/// Appends to each log on its own. Where one log is fenced others are likely to be, and an error tells of
/// one only.
async fn append_one_by_one(shared: &Shared, batch: Vec<Append>) -> Errors {
    shared.monitor.appending(shared.clock.now());
    let calls: Vec<_> = batch
        .into_iter()
        .map(|append| (append.name.clone(), shared.journal.append(vec![append])))
        .collect();
    let mut errors = Errors::new();
    for (name, call) in calls {
        if let Err(error) = call.await {
            errors.push((Some(name), error));
        }
    }
    errors
}

/// The last number of a log that failed: what an attempt has stored is not to be sent again.
async fn stored_number(shared: &Shared, name: &DumpName) -> Option<u64> {
    let log = shared.journal.read(name).await.ok()?;
    let name = name.clone();
    let read = tokio::task::spawn_blocking(move || Recovered::read(name, log, 0.0));
    let recovered = read.await.ok()?.ok()?;
    Some(recovered.sequence_number).filter(|number| *number > 0)
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
    outcome: &mut Outcome,
) -> Result<Vec<Append>, JournalError> {
    // Only a log that has been read since can be appended to, or finished, again.
    for name in batch.keys().filter(|name| !outcome.lost.contains(name)) {
        acknowledge_failure(shared, name).await?;
    }
    let entries = shared.journal.list().await?;
    let lengths: HashMap<_, _> = entries
        .iter()
        .map(|entry| (&entry.name, entry.bytes))
        .collect();
    let mut missing = Vec::new();
    for (name, lines) in batch {
        if outcome.has(name) {
            continue;
        }
        let length = lengths.get(name).copied().unwrap_or_default();
        if shared.node.is_some() && !is_ours(shared, name, lines, length).await? {
            outcome.lost.push(name.clone());
            continue;
        }
        let stored = usize::try_from(length.saturating_sub(lines.offset)).unwrap_or(usize::MAX);
        missing.push(Append {
            name: name.clone(),
            lines: lines.text.slice(stored.min(lines.text.len())..),
        });
    }
    Ok(missing)
}

/// Whether a log of this length has what this node put there, as far as it goes. Where another node has
/// taken it meanwhile, its lines must not be taken for ours.
async fn is_ours(
    shared: &Shared,
    name: &DumpName,
    lines: &Lines,
    length: u64,
) -> Result<bool, JournalError> {
    if length <= lines.offset {
        return Ok(length == lines.offset);
    }
    let log = shared.journal.read(name).await?;
    let (offset, text) = (lines.offset, lines.text.clone());
    let compared = tokio::task::spawn_blocking(move || continues_with(log, offset, &text)).await;
    let compared = compared.map_err(io::Error::other).and_then(|same| same);
    compared.map_err(|error| {
        let kind = JournalErrorKind::Store(error.into());
        JournalError::new(JournalOperation::Read, Some(name.clone()), kind)
    })
}

/// Whether a log has these bytes, or some of the first of them, behind its first `offset`.
fn continues_with(mut log: impl BufRead, offset: u64, text: &[u8]) -> io::Result<bool> {
    io::copy(&mut log.by_ref().take(offset), &mut io::sink())?;
    let mut stored = Vec::new();
    log.take(text.len() as u64).read_to_end(&mut stored)?;
    Ok(text.starts_with(&stored))
}

async fn acknowledge_failure(shared: &Shared, name: &DumpName) -> Result<(), JournalError> {
    match shared.journal.read(name).await {
        Err(error) if !matches!(error.kind(), JournalErrorKind::UnknownLog) => Err(error),
        _ => Ok(()),
    }
}

/// Tells what became of a batch, of which the logs in `stored` were refused after the number that is
/// with them. Returns logs that fail because of it.
fn report(
    shared: &Arc<Shared>,
    batch: Batch,
    outcome: &Outcome,
    stored: &[(DumpName, Option<u64>)],
) -> Vec<DumpName> {
    let mut refused_too = Vec::new();
    {
        let mut state = shared.state();
        let time = shared.clock.now();
        for (name, lines) in &batch {
            if outcome.lost.contains(name) {
                tracing::info!(session = %name, "session goes on at another node");
                state.server.lost(name);
                // Under the lock: all that is queued of the session as it was is before it.
                shared.commit(Commit::Renew { name: name.clone() });
                continue;
            }
            let Some((_, stored)) = stored.iter().find(|(refused, _)| refused == name) else {
                state.server.appended(time, name, lines.sequence_number);
                continue;
            };
            state.server.appended(time, name, *stored);
            refused_too.extend(state.server.append_failed(name));
        }
        shared.dispatch(&mut state);
    }
    for name in &outcome.lost {
        if let Some(extraction) = shared.extraction_of(name) {
            let name = name.clone();
            extraction.give(Work::Forget { name });
        }
    }
    let mut durable: Vec<Vec<DurableLines>> = Vec::new();
    durable.resize_with(shared.extraction.len(), Vec::new);
    for (name, Lines { offset, text, .. }) in batch {
        if outcome.has(&name) {
            continue;
        }
        if let Some(lines) = durable.get_mut(shared.extraction_index(&name)) {
            lines.push(DurableLines { name, offset, text });
        }
    }
    for (extraction, lines) in shared.extraction.iter().zip(durable) {
        extraction.try_fold(lines);
    }
    refused_too
}

/// Marks logs as complete, all at once, so that one flush serves them.
async fn finish(shared: &Arc<Shared>, mut finished: Vec<Finished>) {
    if shared.node.is_some() {
        // Those that somebody waits for are completed here.
        let (others, own): (Vec<_>, _) = finished.into_iter().partition(|log| log.reply.is_none());
        for log in others {
            tokio::spawn(hand_over(Arc::clone(shared), log));
        }
        finished = own;
    }
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
            ..
        } = log;
        extraction.give(Work::Finish {
            name,
            facts: *facts,
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
        let result = shared.journal.finish(name).await;
        shared.note(Store::Journal, result.is_ok());
        let Err(error) = result else {
            return true;
        };
        tracing::error!(session = %name, %error, kind = %error.kind(), "session is not marked as ended");
        shared.state().server.counters_mut().journal_errors += 1;
        if matches!(
            error.kind(),
            JournalErrorKind::UnknownLog | JournalErrorKind::Fenced
        ) {
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

/// Forgets a log that was to be deleted.
async fn erase(shared: &Shared, name: DumpName) -> Result<(), JournalError> {
    let removed = shared.journal.remove(&name).await;
    if let Some(extraction) = shared.extraction_of(&name) {
        extraction.give(Work::Forget { name });
    }
    removed
}

async fn stop_extraction(shared: &Shared) {
    for extraction in &shared.extraction {
        extraction.send(Work::Stop).await;
    }
}
