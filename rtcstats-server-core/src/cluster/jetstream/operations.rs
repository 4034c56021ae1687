//! Operations on logs: those of one log one after the other in the order of calls, those of different
//! logs at the same time.

use std::collections::{HashMap, VecDeque};
use std::io::BufRead;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use foldhash::fast::RandomState;
use tokio::sync::Notify;

use super::Shared;
use super::log::{Log, TakenOver};
use super::store::StoreError;
use crate::future::Completer;
use crate::{Append, DumpName, JournalError, JournalErrorKind, JournalOperation};

/// Logs that something is done with, or that something is known of.
pub(super) struct Operations {
    state: Mutex<State>,
    max_bytes: usize,
}

#[derive(Default)]
struct State {
    logs: HashMap<DumpName, Queue, RandomState>,
    /// Of appends that are not done.
    bytes: usize,
    closed: bool,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Operation>,
    /// Absent while a task works with it, or nothing is known.
    log: Option<Log>,
    is_running: bool,
}

pub(super) type Done<T> = Completer<Result<T, JournalError>>;

pub(super) enum Operation {
    Append {
        lines: Bytes,
        batch: Arc<Batch>,
    },
    Read(Done<Box<dyn BufRead + Send>>),
    Finish(Done<()>),
    Remove(Done<()>),
    TakeOver {
        key: String,
        revision: u64,
        is_own: bool,
        done: Completer<Result<TakenOver, StoreError>>,
    },
    /// Tells what is known when everything before it is done.
    Tell(Completer<Option<Known>>),
}

/// A log that this process writes to.
pub(super) struct Known {
    pub(super) name: DumpName,
    pub(super) bytes: u64,
    pub(super) finished: bool,
    pub(super) modified_ms: f64,
}

/// The appends of one call. None is begun before it is certain that nobody made a mistake.
pub(super) struct Batch {
    state: Mutex<BatchState>,
    admitted: Notify,
}

struct BatchState {
    /// Logs that were not looked at yet.
    unseen: usize,
    /// A mistake was made.
    refused: bool,
    /// Logs that are not done.
    undone: usize,
    error: Option<JournalError>,
    done: Option<Done<()>>,
}

impl Batch {
    fn new(logs: usize, error: Option<JournalError>, done: Done<()>) -> Self {
        Self {
            state: Mutex::new(BatchState {
                unseen: logs,
                refused: error.is_some(),
                undone: logs,
                error,
                done: Some(done),
            }),
            admitted: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether a log can be appended to, and waits for the others. Whether the append is to be done.
    async fn admit(&self, name: &DumpName, admitted: &Result<(), JournalErrorKind>) -> bool {
        {
            let mut state = self.lock();
            state.unseen = state.unseen.saturating_sub(1);
            if let Err(JournalErrorKind::Finished) = admitted {
                state.refused = true;
                let kind = JournalErrorKind::Finished;
                let error = JournalError::new(JournalOperation::Append, Some(name.clone()), kind);
                state.error.get_or_insert(error);
            }
            if state.unseen == 0 {
                self.admitted.notify_waiters();
            }
        }
        loop {
            let notified = self.admitted.notified();
            {
                let state = self.lock();
                if state.unseen == 0 {
                    return admitted.is_ok() && !state.refused;
                }
            }
            notified.await;
        }
    }

    fn finish(&self, name: DumpName, result: Result<(), JournalErrorKind>) {
        let completed = {
            let mut state = self.lock();
            if let Err(kind) = result {
                let error = JournalError::new(JournalOperation::Append, Some(name), kind);
                state.error.get_or_insert(error);
            }
            state.undone = state.undone.saturating_sub(1);
            if state.undone > 0 {
                return;
            }
            let result = state.error.take().map_or(Ok(()), Err);
            state.done.take().map(|done| (done, result))
        };
        if let Some((done, result)) = completed {
            done.complete(result);
        }
    }
}

impl Operations {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            state: Mutex::default(),
            max_bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Takes no more operations; `false` if it did so before.
    pub(super) fn close(&self) -> bool {
        !std::mem::replace(&mut self.lock().closed, true)
    }
}

/// Queues an operation on one log. Closed, it comes back.
pub(super) fn submit(
    shared: &Arc<Shared>,
    name: &DumpName,
    operation: Operation,
) -> Result<(), Operation> {
    let mut state = shared.operations.lock();
    if state.closed {
        return Err(operation);
    }
    state.push(shared, name, operation);
    Ok(())
}

/// Queues the appends of one call.
pub(super) fn submit_batch(shared: &Arc<Shared>, batch: Vec<Append>, done: Done<()>) {
    let mut state = shared.operations.lock();
    if state.closed {
        drop(state);
        let kind = JournalErrorKind::Closed;
        return done.complete(Err(JournalError::new(JournalOperation::Append, None, kind)));
    }
    let error = mistake(&batch).or_else(|| {
        let bytes: usize = batch.iter().map(cost).fold(0, usize::saturating_add);
        let limit = shared.operations.max_bytes;
        if state.bytes.saturating_add(bytes) <= limit {
            return None;
        }
        let limit = limit as u64;
        let name = batch.last().map(|append| append.name.clone());
        let kind = JournalErrorKind::OverLimit { limit };
        Some(JournalError::new(JournalOperation::Append, name, kind))
    });
    let is_refused = error.is_some();
    let mut logs: Vec<(DumpName, Vec<Bytes>)> = Vec::new();
    let mut places: HashMap<DumpName, usize, RandomState> = HashMap::default();
    for Append { name, lines } in batch {
        let place = *places.entry(name.clone()).or_insert(logs.len());
        match logs.get_mut(place) {
            Some((_, parts)) => parts.push(lines),
            None => logs.push((name, vec![lines])),
        }
    }
    if logs.is_empty() {
        drop(state);
        return done.complete(Ok(()));
    }
    let batch = Arc::new(Batch::new(logs.len(), error, done));
    for (name, parts) in logs {
        let lines = if is_refused {
            Bytes::new()
        } else {
            joined(parts)
        };
        state.bytes += APPEND_BYTES + lines.len();
        let batch = Arc::clone(&batch);
        state.push(shared, &name, Operation::Append { lines, batch });
    }
}

/// Asks what is known of every log that something is done with.
pub(super) fn ask_all(
    shared: &Arc<Shared>,
) -> Option<Vec<crate::future::Completion<Option<Known>>>> {
    let mut state = shared.operations.lock();
    if state.closed {
        return None;
    }
    Some(state.ask_all(shared))
}

/// Waits until everything that was called is done.
pub(super) async fn drain(shared: &Arc<Shared>) {
    let answers = shared.operations.lock().ask_all(shared);
    for answer in answers {
        answer.await;
    }
}

/// What an append costs besides its lines.
const APPEND_BYTES: usize = 256;

fn cost(append: &Append) -> usize {
    append.lines.len().saturating_add(APPEND_BYTES)
}

fn mistake(batch: &[Append]) -> Option<JournalError> {
    let is_torn = |append: &&Append| !append.lines.is_empty() && !append.lines.ends_with(b"\n");
    let append = batch.iter().find(is_torn)?;
    let log = Some(append.name.clone());
    let kind = JournalErrorKind::NotLines;
    Some(JournalError::new(JournalOperation::Append, log, kind))
}

fn joined(mut parts: Vec<Bytes>) -> Bytes {
    if let [lines] = parts.as_mut_slice() {
        return std::mem::take(lines);
    }
    let mut lines = BytesMut::new();
    for part in parts {
        lines.extend_from_slice(&part);
    }
    lines.freeze()
}

impl State {
    fn push(&mut self, shared: &Arc<Shared>, name: &DumpName, operation: Operation) {
        let queue = self.logs.entry(name.clone()).or_default();
        queue.waiting.push_back(operation);
        if queue.is_running {
            return;
        }
        queue.is_running = true;
        let log = queue.log.take();
        let log = log.unwrap_or_else(|| Log::new(shared, name.clone()));
        let (shared, name) = (Arc::clone(shared), name.clone());
        let handle = shared.handle.clone();
        handle.spawn(async move { work(&shared, name, log).await });
    }

    fn ask_all(&mut self, shared: &Arc<Shared>) -> Vec<crate::future::Completion<Option<Known>>> {
        let names: Vec<DumpName> = self.logs.keys().cloned().collect();
        let ask = |name: &DumpName| {
            let (done, answer) = crate::future::completion();
            self.push(shared, name, Operation::Tell(done));
            answer
        };
        names.iter().map(ask).collect()
    }
}

/// Works until nothing waits for the log.
async fn work(shared: &Arc<Shared>, name: DumpName, mut log: Log) {
    loop {
        let operation = {
            let mut state = shared.operations.lock();
            let Some(queue) = state.logs.get_mut(&name) else {
                return;
            };
            match queue.waiting.pop_front() {
                Some(operation) => operation,
                None if log.is_worth_keeping(&shared.process) => {
                    queue.log = Some(log);
                    queue.is_running = false;
                    return;
                }
                None => {
                    state.logs.remove(&name);
                    return;
                }
            }
        };
        perform(shared, &name, &mut log, operation).await;
    }
}

async fn perform(shared: &Arc<Shared>, name: &DumpName, log: &mut Log, operation: Operation) {
    let error = |operation, kind| JournalError::new(operation, Some(name.clone()), kind);
    match operation {
        Operation::Append { lines, batch } => {
            let bytes = APPEND_BYTES + lines.len();
            let result = append(shared, name, log, lines, &batch).await;
            {
                let mut state = shared.operations.lock();
                state.bytes = state.bytes.saturating_sub(bytes);
            }
            batch.finish(name.clone(), result);
        }
        Operation::Read(done) => {
            let reader = log.read(shared).await;
            done.complete(match reader {
                Ok(reader) => Ok(Box::new(reader)),
                Err(kind) => Err(error(JournalOperation::Read, kind)),
            });
        }
        Operation::Finish(done) => {
            let result = log.finish(shared).await;
            done.complete(result.map_err(|kind| error(JournalOperation::Finish, kind)));
        }
        Operation::Remove(done) => {
            let result = log.remove(shared).await;
            done.complete(result.map_err(|kind| error(JournalOperation::Remove, kind)));
        }
        Operation::TakeOver {
            key,
            revision,
            is_own,
            done,
        } => done.complete(log.take_over(shared, &key, revision, is_own).await),
        Operation::Tell(done) => done.complete(log.known(&shared.process).map(|last| Known {
            name: name.clone(),
            bytes: last.record.whole,
            finished: last.is_finished(),
            modified_ms: last.modified_ms,
        })),
    }
}

async fn append(
    shared: &Shared,
    name: &DumpName,
    log: &mut Log,
    lines: Bytes,
    batch: &Batch,
) -> Result<(), JournalErrorKind> {
    let admitted = log.admit(shared).await;
    let is_admitted = batch.admit(name, &admitted).await;
    let result = match admitted {
        Ok(()) if is_admitted => log.append(shared, lines).await,
        // The batch has the error of the one who made the mistake.
        Ok(()) => {
            log.break_off();
            return Ok(());
        }
        error => error,
    };
    if let Err(kind) = &result
        && !matches!(kind, JournalErrorKind::Fenced | JournalErrorKind::Finished)
    {
        log.break_off();
    }
    result
}
