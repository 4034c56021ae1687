//! Where the features of finished sessions go.

use std::fmt;
use std::future::ready;

use rtcstats_proto::jitsi::SessionId;

use crate::{BoxFuture, DumpName};

mod directory;
#[cfg(feature = "influxdb")]
mod influxdb;
mod jsonl;
mod memory;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "webhook")]
mod outbox;
mod record;
mod search;
#[cfg(feature = "sql")]
mod sql;
mod store;
mod summary;
#[cfg(feature = "webhook")]
mod webhook;

pub use directory::DirectorySink;
#[cfg(feature = "influxdb")]
pub use influxdb::{InfluxError, InfluxOptions, InfluxSink, InfluxTarget};
pub use jsonl::{JsonlSink, JsonlSinkOptions};
pub use memory::MemorySink;
#[cfg(feature = "nats")]
pub use nats::{NatsDelivery, NatsSink, NatsSinkOptions};
pub use record::{RecordOptions, RecordPart, SessionRecord};
pub use search::{RecordKey, RecordPage, RecordRow, RecordSearch, SearchText};
#[cfg(feature = "sql")]
pub use sql::{SqlSink, SqlSinkOptions};
pub use store::{RecordEntry, RecordQuery, RecordStore};
#[cfg(feature = "webhook")]
pub use webhook::{
    UnixClock, WebhookCounters, WebhookEvents, WebhookKey, WebhookKeyError, WebhookOptions,
    WebhookSecret, WebhookSecretError, WebhookSink,
};

/// Takes the features of finished sessions: a database, a broker, a file.
///
/// An implementation passes `testing::sink_contract` (feature `testing`) and
/// keeps this contract:
///
/// - **At least once.** When [`publish`](Self::publish) resolves to `Ok`, all parts are durable where
///   the sink keeps them. After an error, or a crash, the caller publishes the same record again, so
///   any part of it may arrive again.
/// - **Idempotent by (session, part).** A part that is already there is not stored a second time; the
///   sink documents for how long it remembers. The content of a repetition is the same, or at least as
///   good, so it may keep or replace what it has.
/// - **Order:** none between sessions, that of the record within one.
/// - **Untrusted:** the content of a part and, within the characters of [`DumpName`], the session.
///   Part names may carry text of the remote, such as ids of peer connections.
///
/// Methods take `&self`, since sessions end concurrently; a sink that can only do one thing at a time
/// queues.
pub trait FeatureSink: Send + Sync + 'static {
    /// Publishes a record. Dropping the future may or may not cancel it.
    ///
    /// # Errors
    ///
    /// Those of the store. Some parts may have been published.
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>>;

    /// Removes everything that is kept of these sessions. Removing what is not there is no error.
    ///
    /// By default nothing is kept that could be removed: what was handed on is out of reach.
    ///
    /// # Errors
    ///
    /// Those of the store. Some may have been removed.
    fn erase(&self, sessions: &[DumpName]) -> BoxFuture<'_, Result<Erasure, SinkError>> {
        let _ = sessions;
        Box::pin(ready(Ok(Erasure::HandedOn)))
    }

    /// Which sessions it has records of; `None`, the default, if it cannot be asked.
    ///
    /// # Errors
    ///
    /// Those of the store.
    fn find(
        &self,
        selection: &Selection,
    ) -> BoxFuture<'_, Result<Option<Vec<DumpName>>, SinkError>> {
        let _ = selection;
        Box::pin(ready(Ok(None)))
    }

    /// The record that it has of a dump; `None` if there is none, and by default, where it cannot be asked.
    /// A dump that is extracted again keeps what only this record knows
    /// ([`SessionRecord::keep_facts`]).
    ///
    /// # Errors
    ///
    /// Those of the store.
    fn stored(&self, name: &DumpName) -> BoxFuture<'_, Result<Option<SessionRecord>, SinkError>> {
        let _ = name;
        Box::pin(ready(Ok(None)))
    }

    /// What it is called in logs and metrics: short, lower case, no secrets.
    fn name(&self) -> &str;
}

/// What became of records that were to be [erased](FeatureSink::erase).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasure {
    /// So many sessions had records; they have none any more.
    Erased(u64),
    /// The sink hands records on, and keeps none.
    HandedOn,
}

/// Which sessions.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Selection {
    /// All dumps of this id.
    Session(SessionId),
    /// Those of a user, as the application calls it ([`Identifiers`](crate::Identifiers)).
    User(String),
    /// Those of a conference, as the application calls it.
    Conference(String),
    /// Those that ended before this time, in Unix epoch milliseconds.
    EndedBefore(f64),
}

/// A sink could not publish, or could not be opened.
#[derive(Debug, thiserror::Error)]
pub struct SinkError {
    sink: String,
    session: Option<DumpName>,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl SinkError {
    /// An error of the sink of this [name](FeatureSink::name). `session` is absent where it concerns
    /// the sink as a whole.
    pub fn new(
        sink: impl Into<String>,
        session: Option<DumpName>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            sink: sink.into(),
            session,
            source: source.into(),
        }
    }

    /// [`FeatureSink::name`] of the sink.
    pub fn sink(&self) -> &str {
        &self.sink
    }

    /// The session that was to be published.
    pub fn session(&self) -> Option<&DumpName> {
        self.session.as_ref()
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.session {
            Some(session) => write!(formatter, "sink {} failed to publish {session}", self.sink),
            None => write!(formatter, "sink {} failed", self.sink),
        }
    }
}
