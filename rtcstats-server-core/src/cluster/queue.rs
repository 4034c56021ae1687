//! Who completes what has ended.

use super::ClusterError;
use crate::{BoxFuture, DumpName, SessionFacts};

/// What waits for a worker, shared by all nodes.
///
/// - **At least once:** work that was [pushed](Self::push) is given to some worker again and again until
///   one is [done](TaskLease::done) with it; a worker whose process is gone loses its tasks after a
///   documented time.
/// - **Not for ever:** after a documented number of attempts it is put aside, with the reason that
///   the last worker gave. Whoever operates the store can look at it and push it again.
/// - **Once at a time:** the same work pushed again while it waits is not given out twice.
pub trait WorkQueue: Send + Sync + 'static {
    /// Adds work.
    ///
    /// # Errors
    ///
    /// Those of the store; then it may have been added or not.
    fn push(&self, work: &Work) -> BoxFuture<'_, Result<(), ClusterError>>;

    /// Waits for something to do. Dropping the future takes nothing.
    ///
    /// # Errors
    ///
    /// Those of the store.
    fn take(&self) -> BoxFuture<'_, Result<Task, ClusterError>>;
}

/// Something to do.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Work {
    /// A finished log is to be completed: features, sinks, archive, and out of the journal.
    Complete {
        /// The log.
        name: DumpName,
        /// What happened in the session.
        facts: Box<SessionFacts>,
        /// Bytes of the whole log.
        bytes: u64,
    },
    /// The features of an archived dump are to be extracted and published again.
    Extract {
        /// The dump.
        name: DumpName,
    },
}

/// Work that was given to this worker.
pub struct Task {
    /// What to do.
    pub work: Work,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// What to tell the queue about it.
    pub lease: Box<dyn TaskLease>,
}

/// A worker's hold on a task. Dropping it gives the task back, after the time of a lost worker.
pub trait TaskLease: Send + Sync + 'static {
    /// How long the worker may be silent before another one gets the task.
    fn patience(&self) -> std::time::Duration;

    /// Says that the worker is still at it.
    ///
    /// # Errors
    ///
    /// Those of the store.
    fn extend(&self) -> BoxFuture<'_, Result<(), ClusterError>>;

    /// It is done: nobody gets it again.
    ///
    /// # Errors
    ///
    /// Those of the store; then somebody may get it again.
    fn done(&self) -> BoxFuture<'_, Result<(), ClusterError>>;

    /// It failed: another attempt is made later, or it is put aside with this reason if this was the
    /// last.
    ///
    /// # Errors
    ///
    /// Those of the store; then somebody may get it again.
    fn failed(&self, reason: &str) -> BoxFuture<'_, Result<(), ClusterError>>;
}
