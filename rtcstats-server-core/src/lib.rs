//! The core of a WebRTC telemetry server: sessions that are resumed without loss, journals that
//! keep them, sinks that get their features.
//!
//! The machines ([`Connection`], [`Server`], [`Upload`]) do no I/O: they are told what happened and what
//! time it is, and answer with [`Action`]s. They open no sockets, read no clock and make no random
//! numbers, so that everything they do can be replayed. Feature `tokio` adds `Runtime`, which drives
//! them; a web framework's WebSocket is connected to it in thirty lines.
//!
//! The promise: an event is acknowledged only when the [`Journal`] says that it is durable, and what
//! was acknowledged is in the finished dump exactly once.
//!
//! Start with `Runtime` to embed a server, or with [`Server`] for a driver of your own.
//!
//! # Clients
//!
//! One server takes the clients of all generations; their WebSocket subprotocol tells them apart.
//!
//! | Client | Session | Acknowledged, resumed | Dump begins with |
//! |---|---|---|---|
//! | Jitsi 3.x | the client names it | yes | a `connectionInfo` line |
//! | rtcstats 5.0 | one socket; the server names it | no | `RTCStatsDump` and meta data |
//! | legacy 2.0 | one socket; the server names it | no | an object and a `publicIP` line |
//!
//! Sessions that are their socket end with it, and their dumps with a `close` event; after a crash
//! [`Server::recover`] adds that. Dumps of all of them can be [uploaded](Upload).
//!
//! # Several nodes
//!
//! With [`Ownership`] and [`WorkQueue`] over the same store as the journal, a `Runtime` is one of any number
//! of nodes behind a load balancer (`RuntimeOptions::cluster`). A client goes on at whichever node it comes
//! to: that node claims the session, which fences the one that had it, and reads the journal. What a node
//! leaves behind that is gone, the others adopt. Sessions that ended are completed by whoever takes
//! them from the queue.
//!
//! # Features
//!
//! | Feature | Adds |
//! |---|---|
//! | `tokio` | `Runtime`, which drives the machines |
//! | `jwt` | `JwtAuthorizer`, an [`Authorizer`] for JSON Web Tokens |
//! | `geo` | `GeoFile`, a [`LocationDatabase`] in a file |
//! | `influxdb` | `InfluxSink`, series and summaries as points of InfluxDB |
//! | `sql` | `SqlSink`: records in the tables of SQLite or PostgreSQL |
//! | `jetstream` | `JetStream`, journal, ownership and queue of several nodes over NATS |
//! | `archive` | `ObjectArchive`, an [`Archive`] in S3, Google Cloud Storage, Azure or a directory |
//! | `webhook` | `WebhookSink`, a [`FeatureSink`] that sends signed requests |
//! | `nats` | `NatsSink`, a [`FeatureSink`] that sends NATS messages |
//! | `testing` | contract suites for implementors of [`Journal`], [`FeatureSink`] and [`Archive`] |

mod archive;
mod authorization;
#[cfg(any(test, feature = "archive", feature = "testing"))]
mod block_on;
mod cluster;
mod connection;
mod directory;
mod dump_head;
mod dump_name;
mod features;
mod future;
#[cfg(feature = "geo")]
mod geo;
mod header;
mod identifiers;
mod journal;
mod limits;
#[cfg(feature = "tokio")]
mod naming;
mod privacy;
mod recovered;
#[cfg(feature = "tokio")]
mod runtime;
mod server;
mod session;
mod sink;
mod stats;
mod target;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod upgrade;
mod upload;
mod worker;

pub use archive::{
    Archive, ArchiveError, ArchiveOperation, ArchivedDump, DirectoryArchive,
    DirectoryArchiveOptions, DumpLinks,
};
#[cfg(feature = "archive")]
pub use archive::{ObjectArchive, ObjectArchiveOptions};
pub use authorization::{AuthorizationError, Authorizer, Claims};
#[cfg(feature = "jwt")]
pub use authorization::{JwtAuthorizer, KeyError};
pub use cluster::{
    Claim, ClusterError, DeadLetter, EndedSession, IsKnown, MemoryCluster, MemoryNode, Ownership,
    Task, TaskLease, Work, WorkQueue,
};
#[cfg(feature = "jetstream")]
pub use cluster::{JetStream, JetStreamOptions, NatsCredentials};
pub use connection::{Connection, Content, Incoming};
pub use dump_head::DumpHead;
pub use dump_name::{DumpName, DumpNameError};
pub use features::SessionFeatures;
pub use future::BoxFuture;
#[cfg(feature = "geo")]
pub use geo::{GeoFile, GeoFileError};
pub use identifiers::Identifiers;
pub use journal::{
    Append, FileJournal, FileJournalOptions, Journal, JournalEntry, JournalError, JournalErrorKind,
    JournalOperation, MemoryJournal, RecoveryReport, SyncPolicy,
};
pub use limits::{Limits, Time, Timing};
pub use privacy::{LocationDatabase, Obfuscation, Privacy};
pub use recovered::Recovered;
#[cfg(feature = "tokio")]
pub use runtime::{
    ClusterOptions, Degradation, ErasureFailure, ErasureReport, FollowError, Follower, Health,
    HealthOptions, HealthStatus, Outgoing, Recovery, Retention, Role, Runtime, RuntimeOptions,
    SinkErasure, SinkErasureOutcome, Socket, StoreErasure, UploadReceiver,
};
pub use server::{
    Action, CloseCode, CloseReason, ConnectionId, EndReason, Footprint, Refusal, Server,
    SessionState, SessionSummary,
};
pub use session::{Gap, SessionFacts};
pub use sink::{
    DirectorySink, Erasure, FeatureSink, JsonlSink, JsonlSinkOptions, MemorySink, RecordEntry,
    RecordKey, RecordOptions, RecordPage, RecordPart, RecordQuery, RecordRow, RecordSearch,
    RecordStore, SearchText, Selection, SessionRecord, SinkError,
};
#[cfg(feature = "influxdb")]
pub use sink::{InfluxError, InfluxOptions, InfluxSink, InfluxTarget};
#[cfg(feature = "nats")]
pub use sink::{NatsDelivery, NatsSink, NatsSinkOptions};
#[cfg(feature = "sql")]
pub use sink::{SqlSink, SqlSinkOptions};
#[cfg(feature = "webhook")]
pub use sink::{
    UnixClock, WebhookCounters, WebhookEvents, WebhookKey, WebhookKeyError, WebhookOptions,
    WebhookSecret, WebhookSecretError, WebhookSink,
};
pub use stats::{Counters, Gauges, LimitCounters, Summary};
pub use upgrade::{Handshake, HandshakeError, HandshakeOptions, Upgrade};
pub use upload::{Upload, UploadError};
