//! What became of data that was to be deleted.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Failure, text_of};
use crate::DumpName;

/// What [`Runtime::erase`](crate::Runtime::erase) did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ErasureReport {
    /// Every dump that was found, wherever; their names are all that is kept.
    pub sessions: BTreeSet<DumpName>,
    /// Logs of sessions that were open or not yet completed.
    pub journal: StoreErasure,
    /// Finished dumps.
    pub archive: StoreErasure,
    /// Records, sink by sink.
    pub sinks: Vec<SinkErasure>,
    /// Dumps that were read because no sink knew them.
    pub scanned: u64,
    /// Logs and dumps that could not be read, so that nobody knows whose they are.
    pub unreadable: Vec<DumpName>,
    /// Sinks that could not be asked what they have.
    pub unsearched: Vec<String>,
}

/// What became of the data in one store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoreErasure {
    /// How many were removed.
    pub erased: u64,
    /// What could not be removed, and why.
    pub failed: Vec<ErasureFailure>,
}

/// Something that was not deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ErasureFailure {
    /// What; absent where the store could not be searched at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<DumpName>,
    /// Why.
    pub error: String,
}

/// What became of the records in one sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SinkErasure {
    /// Its [name](crate::FeatureSink::name).
    pub sink: String,
    /// What became of them.
    pub outcome: SinkErasureOutcome,
}

/// What one sink answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SinkErasureOutcome {
    /// So many sessions had records; they have none any more.
    Erased(u64),
    /// The sink hands records on, and keeps none: who got them has to delete them too.
    HandedOn,
    /// It failed.
    Failed(String),
}

impl ErasureReport {
    /// Whether all that was found is gone, and everything could be searched. Otherwise the call should be
    /// repeated.
    pub fn is_complete(&self) -> bool {
        let is_failed = |sink: &SinkErasure| matches!(sink.outcome, SinkErasureOutcome::Failed(_));
        self.journal.failed.is_empty()
            && self.archive.failed.is_empty()
            && self.unreadable.is_empty()
            && self.unsearched.is_empty()
            && !self.sinks.iter().any(is_failed)
    }
}

impl StoreErasure {
    pub(super) fn fail(&mut self, session: Option<&DumpName>, error: Failure) {
        let error = text_of(&error);
        tracing::warn!(session = ?session.map(ToString::to_string), error, "data not deleted");
        self.failed.push(ErasureFailure {
            session: session.cloned(),
            error,
        });
    }
}
