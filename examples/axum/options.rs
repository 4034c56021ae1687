//! Flags and environment variables.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use rtcstats_server_core::{FileJournalOptions, Limits, SyncPolicy, Timing};

/// Receives the telemetry of WebRTC clients, keeps dumps of their sessions, and extracts features.
#[derive(Debug, Parser)]
#[command(name = "axum", version)]
pub(crate) struct Options {
    /// Where to listen.
    #[arg(long, env = "RTCSTATS_LISTEN", default_value = "127.0.0.1:3000")]
    pub(crate) listen: SocketAddr,

    /// Where journal, dumps and features are kept.
    #[arg(long, env = "RTCSTATS_DATA", default_value = "rtcstats-data")]
    pub(crate) data: PathBuf,

    /// What survives before a client is told that its events are stored.
    #[arg(long, env = "RTCSTATS_SYNC", value_enum, default_value_t = Sync::Batched)]
    pub(crate) sync: Sync,

    /// How long a browser may come back after its connection was lost.
    #[arg(long, env = "RTCSTATS_GRACE", default_value = "720s", value_parser = humantime::parse_duration)]
    pub(crate) grace: Duration,

    /// How long a back-end client may come back.
    #[arg(long, env = "RTCSTATS_BACK_END_GRACE", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) back_end_grace: Duration,

    /// A connection that is silent for so long is closed.
    #[arg(long, env = "RTCSTATS_IDLE", default_value = "120s", value_parser = humantime::parse_duration)]
    pub(crate) idle: Duration,

    /// The most connections at a time.
    #[arg(long, env = "RTCSTATS_MAX_CONNECTIONS", default_value_t = Limits::default().connections)]
    pub(crate) max_connections: usize,

    /// The most bytes of one session.
    #[arg(long, env = "RTCSTATS_MAX_SESSION_BYTES", default_value_t = Limits::default().session_bytes)]
    pub(crate) max_session_bytes: u64,

    /// The most bytes of one message.
    #[arg(long, env = "RTCSTATS_MAX_MESSAGE_BYTES", default_value_t = Limits::default().message.line_bytes)]
    pub(crate) max_message_bytes: usize,

    /// The name of this deployment in published records.
    #[arg(long, env = "RTCSTATS_ENVIRONMENT", default_value = "dev")]
    pub(crate) environment: String,

    /// How long a shutdown waits for finished sessions.
    #[arg(long, env = "RTCSTATS_SHUTDOWN_PATIENCE", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) shutdown_patience: Duration,

    /// What to log, as `tracing` filters have it.
    #[arg(long, env = "RTCSTATS_LOG", default_value = "info")]
    pub(crate) log: String,
}

/// When lines are flushed to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sync {
    /// Before they are acknowledged, many sessions at once: survives a power loss.
    Batched,
    /// Once a second: a power loss may cost the last second; a crash of the process costs nothing.
    Interval,
    /// When the system likes: a crash of the process costs nothing.
    Never,
}

impl Options {
    /// The limits of the server.
    pub(crate) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        limits.connections = self.max_connections;
        limits.session_bytes = self.max_session_bytes;
        limits.message.line_bytes = self.max_message_bytes;
        limits
    }

    /// The server's patience.
    pub(crate) fn timing(&self) -> Timing {
        let mut timing = Timing::default();
        timing.grace = self.grace;
        timing.back_end_grace = self.back_end_grace;
        timing.idle = self.idle;
        timing
    }

    /// How the journal flushes.
    pub(crate) fn journal(&self) -> FileJournalOptions {
        let sync = match self.sync {
            Sync::Batched => SyncPolicy::Batched,
            Sync::Interval => SyncPolicy::Interval(Duration::from_secs(1)),
            Sync::Never => SyncPolicy::Never,
        };
        FileJournalOptions {
            sync,
            ..FileJournalOptions::default()
        }
    }
}
