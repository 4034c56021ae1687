//! Looking records up again.

use crate::{BoxFuture, DumpName, RecordPage, RecordSearch, SessionRecord, SinkError};

/// A sink whose records can be looked up. An implementation passes `testing::record_store_contract`
/// (feature `testing`).
pub trait RecordStore: Send + Sync + 'static {
    /// The record of a dump; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Those of the store.
    fn record(&self, name: &DumpName) -> BoxFuture<'_, Result<Option<SessionRecord>, SinkError>>;

    /// The records that were published last, the latest first.
    ///
    /// # Errors
    ///
    /// Those of the store.
    fn latest(&self, query: &RecordQuery) -> BoxFuture<'_, Result<Vec<RecordEntry>, SinkError>>;

    /// A page of the records that a search finds. Records that come and go between two pages move what
    /// is on them.
    ///
    /// # Errors
    ///
    /// Those of the store.
    fn search(&self, search: &RecordSearch) -> BoxFuture<'_, Result<RecordPage, SinkError>>;
}

/// Which records are listed: those that have everything that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordQuery {
    /// At most so many.
    pub limit: usize,
    /// [`Identifiers::user`](crate::Identifiers::user)
    pub user: Option<String>,
    /// [`Identifiers::conference`](crate::Identifiers::conference)
    pub conference: Option<String>,
    /// [`Identifiers::session`](crate::Identifiers::session)
    pub session: Option<String>,
    /// [`Identifiers::client_id`](crate::Identifiers::client_id)
    pub client_id: Option<String>,
    /// One of [`Identifiers::peer_ids`](crate::Identifiers::peer_ids).
    pub peer_id: Option<String>,
}

impl RecordQuery {
    /// The last `limit` records, whosever they are.
    pub fn last(limit: usize) -> Self {
        Self {
            limit,
            user: None,
            conference: None,
            session: None,
            client_id: None,
            peer_id: None,
        }
    }

    /// Whether all records are wanted, up to the limit.
    pub fn is_unfiltered(&self) -> bool {
        *self == Self::last(self.limit)
    }
}

/// A record that a store has.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordEntry {
    /// Whose record it is.
    pub name: DumpName,
    /// When it was published, in Unix epoch milliseconds.
    pub modified_ms: f64,
}
