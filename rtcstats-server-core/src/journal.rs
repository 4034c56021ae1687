//! Where the lines of live sessions are kept until a session is over.

use std::io::BufRead;

use bytes::Bytes;

use crate::{BoxFuture, DumpName};

mod error;
mod file;
mod memory;

pub use error::{JournalError, JournalErrorKind, JournalOperation};
pub use file::{FileJournal, FileJournalOptions, RecoveryReport, SyncPolicy};
pub use memory::MemoryJournal;

/// Lines for one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The log. The first append creates it.
    pub name: DumpName,
    /// Whole lines: empty, or ends in `\n`.
    pub lines: Bytes,
}

/// A log, as [`Journal::list`] knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalEntry {
    /// Its name.
    pub name: DumpName,
    /// Whether [`Journal::finish`] was called for it.
    pub finished: bool,
    /// How much [`Journal::read`] would yield.
    pub bytes: u64,
    /// When it was last appended to, in Unix epoch milliseconds, as far as the store knows.
    pub modified_ms: f64,
}

/// An ordered, durable log per session.
///
/// A sequence number is acknowledged to a client once its line is durable here, so this trait carries
/// the promise that nothing acknowledged is lost. An implementation passes
/// `testing::journal_contract` (feature `testing`) and keeps this contract:
///
/// - **Order is the order of calls.** An operation takes its place among the others when the method
///   is *called*, not when its future is first polled; futures may be polled later, concurrently, or
///   dropped, which cancels nothing. So an append that is called after another one is behind it in the
///   log, and a read sees all appends to its log called before it that succeeded.
/// - **Durable means:** when [`append`](Self::append), [`finish`](Self::finish) or
///   [`remove`](Self::remove) resolve to `Ok`, what they did survives whatever the store documents
///   (for a file: which fsync policy survives what). Nothing else may be acknowledged to anybody.
///   What [`read`](Self::read) yields is durable by the same policy, so it may be acknowledged.
/// - **Atomic:** a line. A crash, or an error, may leave any prefix of a batch in the log, cut between
///   two lines; `read` never yields a part of a line.
/// - **No holes.** After an append failed, further appends to that log, and `finish`, fail with
///   [`JournalErrorKind::EarlierFailure`] until `read` has been called for it, even if they were
///   called before the failure was known. Whoever pipelines appends cannot lose a batch in the middle.
///   After an error: read the log, see what it holds, go on from there.
/// - **Nothing twice.** A batch is stored at most once; the journal never repeats one on its own. The
///   caller that reads the log after an error knows what to send again.
/// - **Backpressure:** a slow store delays the futures. What is queued is bounded: past a documented
///   limit `append` fails with [`JournalErrorKind::OverLimit`] instead of taking memory. A caller that
///   awaits each append of a log before the next holds one batch per log and never sees it.
/// - **Names are untrusted only as far as [`DumpName`] lets them be**; lines are opaque and
///   untrusted, and never appear in errors or logs.
///
/// Methods take `&self`: one journal is shared by all sessions of the process, that is what lets one
/// fsync serve them all.
pub trait Journal: Send + Sync + 'static {
    /// Appends lines to logs, those of one log in the order of the batch. Creates a log at its first
    /// append, also by an append without lines.
    ///
    /// # Errors
    ///
    /// Then none of the batch may be acknowledged, though a prefix of it may be in the logs.
    /// [`JournalErrorKind::Finished`] and [`JournalErrorKind::NotLines`] tell of a mistake of the
    /// caller, and nothing of the batch is stored; the others are the store's.
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'_, Result<(), JournalError>>;

    /// Reads what was appended so far, whole lines only, finished or not. The reader sees the log as
    /// it was at the call; it may block, so read it where blocking is allowed.
    ///
    /// # Errors
    ///
    /// [`JournalErrorKind::UnknownLog`], or the store's.
    fn read(&self, name: &DumpName)
    -> BoxFuture<'_, Result<Box<dyn BufRead + Send>, JournalError>>;

    /// Marks a log as complete; nothing can be appended after it. Finishing it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`JournalErrorKind::UnknownLog`], or the store's; then it may be finished or not.
    fn finish(&self, name: &DumpName) -> BoxFuture<'_, Result<(), JournalError>>;

    /// Forgets a log, finished or not. Its name is free again. Removing an unknown one is no error.
    ///
    /// # Errors
    ///
    /// The store's; then it may be removed or not.
    fn remove(&self, name: &DumpName) -> BoxFuture<'_, Result<(), JournalError>>;

    /// All logs, in no particular order.
    ///
    /// # Errors
    ///
    /// The store's.
    fn list(&self) -> BoxFuture<'_, Result<Vec<JournalEntry>, JournalError>>;

    /// Completes what was called before, makes all of it durable whatever the policy, and closes. Every
    /// later operation fails with [`JournalErrorKind::Closed`], except `close`, which does nothing.
    ///
    /// # Errors
    ///
    /// The store's; then what is durable is what the policy made durable.
    fn close(&self) -> BoxFuture<'_, Result<(), JournalError>>;
}
