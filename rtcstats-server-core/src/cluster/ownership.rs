//! Whose a session is.

use std::sync::Arc;

use rtcstats_proto::jitsi::SessionId;

use super::ClusterError;
use crate::{BoxFuture, DumpName};

/// Which of several nodes writes to a session.
///
/// - **Fencing:** once [`claim`](Self::claim) or [`adopt`](Self::adopt) has given a session to this node,
///   whatever another node appends to its log, or finishes, fails with
///   [`JournalErrorKind::Fenced`](crate::JournalErrorKind::Fenced), also what was on its way, and also
///   when the log is finished by then. What the log holds from there on is stable: this node may read it
///   and go on.
/// - **Nodes come and go:** a node whose process is gone is noticed within a documented time; until
///   then its sessions are claimed one by one as their clients come back, after it they can be adopted.
/// - The first append of a log that nobody has makes it this node's; it needs no claim before.
pub trait Ownership: Send + Sync + 'static {
    /// Takes a session for this node, whoever has it.
    ///
    /// # Errors
    ///
    /// Those of the store. Then nothing may be assumed about the session.
    fn claim(&self, session: &SessionId) -> BoxFuture<'_, Result<Claim, ClusterError>>;

    /// Remembers how far an ended session got, for whoever claims it next, for as long as the store
    /// documents.
    ///
    /// # Errors
    ///
    /// Those of the store.
    fn end(&self, ended: &EndedSession) -> BoxFuture<'_, Result<(), ClusterError>>;

    /// Gives sessions back that are this node's: others may adopt them at once.
    ///
    /// # Errors
    ///
    /// Those of the store. Some may have been given back.
    fn release(&self, sessions: &[SessionId]) -> BoxFuture<'_, Result<(), ClusterError>>;

    /// Takes over at most `limit` of the logs that nobody has: their node is gone, or gave them back.
    /// Finished ones that wait for completion are not among them, unless nobody was told of them.
    ///
    /// Left out are sessions of which `is_known` says that this node still believes to have them: it has
    /// to learn first, by being fenced, that it does not. Otherwise what it has on its way would go into a
    /// log that another node has continued.
    ///
    /// # Errors
    ///
    /// Those of the store. Some may have been taken over; they are adopted again by the next call.
    fn adopt(
        &self,
        limit: usize,
        is_known: IsKnown,
    ) -> BoxFuture<'_, Result<Vec<DumpName>, ClusterError>>;
}

/// Whether a node has a session, or believes to have it.
pub type IsKnown = Arc<dyn Fn(&SessionId) -> bool + Send + Sync>;

/// What a node finds when it takes a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nobody remembers it.
    New,
    /// It is this node's already, and has not ended. What its log holds, if there is one, is not told:
    /// a node that does not know can [release](Ownership::release) it and claim it again.
    Own,
    /// It was another node's, or nobody's. This log of it is not finished: it goes on.
    Taken(DumpName),
    /// It has ended. A new log has to continue it under the next name.
    Ended(EndedSession),
}

/// How far a session got that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedSession {
    /// The name of its last log.
    pub name: DumpName,
    /// Highest sequence number that was accepted.
    pub accepted: u64,
    /// Highest sequence number that became durable.
    pub durable: u64,
    /// Whether it ended because it was too big. It cannot be continued.
    pub over_limit: bool,
}
