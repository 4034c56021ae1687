//! Several nodes over one journal: whose a session is, and who completes what has ended.
//!
//! Nodes know nothing of each other. What they share are three things of one store: the
//! [`Journal`](crate::Journal), the [`Ownership`] of its sessions, and a [`WorkQueue`] of sessions that
//! ended. A node that is gone leaves all of its sessions there; any other goes on with them.

#[cfg(feature = "jetstream")]
mod jetstream;
mod memory;
mod ownership;
mod queue;

#[cfg(feature = "jetstream")]
pub use jetstream::{JetStream, JetStreamOptions, NatsCredentials};
pub use memory::{DeadLetter, MemoryCluster, MemoryNode};
pub use ownership::{Claim, EndedSession, IsKnown, Ownership};
pub use queue::{Task, TaskLease, Work, WorkQueue};

/// The store that nodes share failed.
#[derive(Debug, thiserror::Error)]
#[error("cluster: failed to {operation}")]
pub struct ClusterError {
    operation: &'static str,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl ClusterError {
    /// An error of an operation, which is told in the infinitive: `claim a session`.
    pub fn new(
        operation: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            operation,
            source: source.into(),
        }
    }

    /// What was tried, in the infinitive.
    pub fn operation(&self) -> &'static str {
        self.operation
    }
}
