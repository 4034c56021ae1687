//! A journal in memory.

use std::collections::HashMap;
use std::future::ready;
use std::io::{BufRead, Cursor};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};

use super::{Append, Journal, JournalEntry, JournalError, JournalErrorKind, JournalOperation};
use crate::{BoxFuture, DumpName};

/// A [`Journal`] in memory, for tests and for embedding where losing everything with the process is
/// acceptable: its "durable" survives nothing.
#[derive(Debug)]
pub struct MemoryJournal {
    max_bytes: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    logs: HashMap<DumpName, Log, foldhash::fast::RandomState>,
    bytes: usize,
    closed: bool,
}

#[derive(Debug, Default)]
struct Log {
    text: BytesMut,
    finished: bool,
    /// An append failed and nobody has read the log since.
    broken: bool,
    /// Whether an append ever succeeded: a log that only failed exists for nobody.
    exists: bool,
    modified_ms: f64,
}

impl MemoryJournal {
    /// A journal that holds at most `max_bytes` of lines in all logs together.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            state: Mutex::default(),
        }
    }

    /// The state, unless the journal is closed. No code panics while it holds the lock, and every
    /// change is complete when it is let go.
    fn open_state(
        &self,
        operation: JournalOperation,
    ) -> Result<MutexGuard<'_, State>, JournalError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(JournalError::new(operation, None, JournalErrorKind::Closed));
        }
        Ok(state)
    }

    pub(crate) fn append_now(&self, batch: &[Append]) -> Result<(), JournalError> {
        let mut state = self.open_state(JournalOperation::Append)?;
        let mut result = Ok(());
        let mut added = 0_usize;
        for append in batch {
            if let Err(kind) = state.admit(append) {
                result = Err((append, kind));
                break;
            }
            added = added.saturating_add(append.lines.len());
        }
        if let (Ok(()), Some(last)) = (&result, batch.last()) {
            let free = self.max_bytes.saturating_sub(state.bytes);
            let limit = self.max_bytes as u64;
            if added > free {
                result = Err((last, JournalErrorKind::OverLimit { limit }));
            }
        }
        if let Err((append, kind)) = result {
            for append in batch {
                let log = state.logs.entry(append.name.clone()).or_default();
                log.broken = !log.finished;
            }
            let log = Some(append.name.clone());
            return Err(JournalError::new(JournalOperation::Append, log, kind));
        }
        let now = now_ms();
        for append in batch {
            let log = state.logs.entry(append.name.clone()).or_default();
            log.text.extend_from_slice(&append.lines);
            log.exists = true;
            log.modified_ms = now;
        }
        state.bytes += added;
        Ok(())
    }

    /// An append of this batch failed elsewhere: its logs have to be read before they take more.
    pub(crate) fn fail<'a>(&self, batch: impl Iterator<Item = &'a Append>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for append in batch {
            if let Some(log) = state.logs.get_mut(&append.name) {
                log.broken = !log.finished;
            }
        }
    }

    pub(crate) fn read_now(&self, name: &DumpName) -> Result<Bytes, JournalError> {
        let mut state = self.open_state(JournalOperation::Read)?;
        match state.logs.get_mut(name) {
            Some(log) if log.exists => {
                log.broken = false;
                Ok(Bytes::copy_from_slice(&log.text))
            }
            _ => {
                state.logs.remove(name);
                Err(unknown(JournalOperation::Read, name))
            }
        }
    }

    pub(crate) fn finish_now(&self, name: &DumpName) -> Result<(), JournalError> {
        let mut state = self.open_state(JournalOperation::Finish)?;
        match state.logs.get_mut(name) {
            Some(log) if log.broken => Err(JournalError::new(
                JournalOperation::Finish,
                Some(name.clone()),
                JournalErrorKind::EarlierFailure,
            )),
            Some(log) => {
                log.finished = true;
                Ok(())
            }
            None => Err(unknown(JournalOperation::Finish, name)),
        }
    }

    pub(crate) fn remove_now(&self, name: &DumpName) -> Result<(), JournalError> {
        let mut state = self.open_state(JournalOperation::Remove)?;
        if let Some(log) = state.logs.remove(name) {
            state.bytes = state.bytes.saturating_sub(log.text.len());
        }
        Ok(())
    }

    pub(crate) fn list_now(&self) -> Result<Vec<JournalEntry>, JournalError> {
        let state = self.open_state(JournalOperation::List)?;
        let existing = state.logs.iter().filter(|(_, log)| log.exists);
        Ok(existing
            .map(|(name, log)| JournalEntry {
                name: name.clone(),
                finished: log.finished,
                bytes: log.text.len() as u64,
                modified_ms: log.modified_ms,
            })
            .collect())
    }
}

impl State {
    fn admit(&self, append: &Append) -> Result<(), JournalErrorKind> {
        if !append.lines.is_empty() && !append.lines.ends_with(b"\n") {
            return Err(JournalErrorKind::NotLines);
        }
        match self.logs.get(&append.name) {
            Some(log) if log.finished => Err(JournalErrorKind::Finished),
            Some(log) if log.broken => Err(JournalErrorKind::EarlierFailure),
            _ => Ok(()),
        }
    }
}

fn unknown(operation: JournalOperation, name: &DumpName) -> JournalError {
    JournalError::new(operation, Some(name.clone()), JournalErrorKind::UnknownLog)
}

fn now_ms() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0.0, |now| now.as_secs_f64() * 1e3)
}

impl Journal for MemoryJournal {
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(ready(self.append_now(&batch)))
    }

    fn read(
        &self,
        name: &DumpName,
    ) -> BoxFuture<'_, Result<Box<dyn BufRead + Send>, JournalError>> {
        let text = self.read_now(name);
        Box::pin(ready(text.map(|text| {
            Box::new(Cursor::new(text)) as Box<dyn BufRead + Send>
        })))
    }

    fn finish(&self, name: &DumpName) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(ready(self.finish_now(name)))
    }

    fn remove(&self, name: &DumpName) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(ready(self.remove_now(name)))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<JournalEntry>, JournalError>> {
        Box::pin(ready(self.list_now()))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        Box::pin(ready(Ok(())))
    }
}
