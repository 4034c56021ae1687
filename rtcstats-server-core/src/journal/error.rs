//! What can go wrong with a journal.

use std::fmt;

use crate::DumpName;

/// An operation of a journal failed.
#[derive(Debug, thiserror::Error)]
pub struct JournalError {
    operation: JournalOperation,
    log: Option<DumpName>,
    #[source]
    kind: JournalErrorKind,
}

/// Which operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalOperation {
    /// [`Journal::append`](crate::Journal::append).
    Append,
    /// [`Journal::read`](crate::Journal::read).
    Read,
    /// [`Journal::finish`](crate::Journal::finish).
    Finish,
    /// [`Journal::remove`](crate::Journal::remove).
    Remove,
    /// [`Journal::list`](crate::Journal::list).
    List,
    /// [`Journal::close`](crate::Journal::close).
    Close,
    /// Opening the journal.
    Open,
}

/// Why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalErrorKind {
    /// No space left. Free some and try again.
    #[error("no space left")]
    Full(#[source] Source),
    /// The store failed. Later operations may succeed.
    #[error("the store failed")]
    Store(#[source] Source),
    /// An earlier append to this log failed and the log has not been read since.
    #[error("an earlier append failed, and the log has not been read since")]
    EarlierFailure,
    /// The batch, or what is queued, is too large.
    #[error("over the limit of {limit} bytes")]
    OverLimit {
        /// The limit.
        limit: u64,
    },
    /// The log is finished.
    #[error("the log is finished")]
    Finished,
    /// There is no such log.
    #[error("there is no such log")]
    UnknownLog,
    /// What was to be appended does not end in a line feed.
    #[error("what is appended does not end in a line feed")]
    NotLines,
    /// Another node owns the session (see [`Ownership`](crate::Ownership)). It stays so until this one
    /// claims it.
    #[error("another node owns the session")]
    Fenced,
    /// The journal is closed.
    #[error("the journal is closed")]
    Closed,
    /// Another process uses the journal.
    #[error("another process uses the journal")]
    Locked,
}

type Source = Box<dyn std::error::Error + Send + Sync>;

impl JournalError {
    /// An error of an operation. `log` is absent where it concerns no log in particular.
    pub fn new(operation: JournalOperation, log: Option<DumpName>, kind: JournalErrorKind) -> Self {
        Self {
            operation,
            log,
            kind,
        }
    }

    /// What was tried.
    pub fn operation(&self) -> JournalOperation {
        self.operation
    }

    /// The log it was about, if it was about one.
    pub fn log(&self) -> Option<&DumpName> {
        self.log.as_ref()
    }

    /// What went wrong.
    pub fn kind(&self) -> &JournalErrorKind {
        &self.kind
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = match self.operation {
            JournalOperation::Append => "append to",
            JournalOperation::Read => "read",
            JournalOperation::Finish => "finish",
            JournalOperation::Remove => "remove",
            JournalOperation::List => "list",
            JournalOperation::Close => "close",
            JournalOperation::Open => "open",
        };
        match &self.log {
            Some(log) => write!(formatter, "failed to {operation} log {log}"),
            None => write!(formatter, "failed to {operation} the journal"),
        }
    }
}
