//! The core of a WebRTC telemetry server: sessions that are resumed without loss, journals that
//! keep them, sinks that get their features.
//!
//! The machines ([`Connection`], [`Server`]) do no I/O: they are told what happened and what time it
//! is, and answer with [`Action`]s. They open no sockets and read no clock, so that everything they do
//! can be replayed. Feature `tokio` adds `Runtime`, which drives them; a web framework's WebSocket
//! is connected to it in thirty lines.
//!
//! The promise: an event is acknowledged only when the [`Journal`] says that it is durable, and what
//! was acknowledged is in the finished dump exactly once.
//!
//! Start with `Runtime` to embed a server, or with [`Server`] for a driver of your own.

mod archive;
mod connection;
mod directory;
mod dump_name;
mod future;
mod journal;
mod limits;
#[cfg(feature = "tokio")]
mod runtime;
mod server;
mod session;
mod sink;
mod stats;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod worker;

pub use archive::{
    Archive, ArchiveError, ArchiveOperation, DirectoryArchive, DirectoryArchiveOptions,
};
pub use connection::{Connection, Content, Handshake, HandshakeError, Incoming, Upgrade};
pub use dump_name::{DumpName, DumpNameError};
pub use future::BoxFuture;
pub use journal::{
    Append, FileJournal, FileJournalOptions, Journal, JournalEntry, JournalError, JournalErrorKind,
    JournalOperation, MemoryJournal, RecoveryReport, SyncPolicy,
};
pub use limits::{Limits, Time, Timing};
#[cfg(feature = "tokio")]
pub use runtime::{Outgoing, Recovery, Runtime, RuntimeOptions, Socket};
pub use server::{
    Action, CloseCode, CloseReason, ConnectionId, EndReason, Refusal, Server, SessionState,
    SessionSummary,
};
pub use session::{Gap, Recovered, SessionFacts};
pub use sink::{
    DirectorySink, FeatureSink, JsonlSink, JsonlSinkOptions, MemorySink, RecordEntry, RecordPart,
    SessionRecord, SinkError,
};
pub use stats::{Counters, Gauges, LimitCounters, Summary};
