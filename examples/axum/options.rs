//! Flags and environment variables.

mod access;
mod clients;
mod journal;
mod limits;
mod privacy;
mod retention;
mod rtcscope;
mod sinks;
mod stores;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

pub(crate) use access::AccessOptions;
pub(crate) use clients::ClientOptions;
pub(crate) use journal::{JournalOptions, OpenJournal};
pub(crate) use limits::LimitOptions;
pub(crate) use privacy::PrivacyOptions;
pub(crate) use retention::RetentionOptions;
pub(crate) use rtcscope::ScopeOptions;
pub(crate) use sinks::SinkOptions;
pub(crate) use stores::{OpenArchive, StoreOptions};

/// Receives the telemetry of WebRTC clients, keeps dumps of their sessions, and extracts features.
#[derive(Parser)]
#[command(name = "axum", version)]
pub struct Options {
    /// Where to listen.
    #[arg(long, env = "RTCSTATS_LISTEN", default_value = "127.0.0.1:3000")]
    pub(crate) listen: SocketAddr,

    /// Where everything is kept that no other flag sends elsewhere.
    #[arg(long, env = "RTCSTATS_DATA", default_value = "rtcstats-data")]
    pub(crate) data: PathBuf,

    #[command(flatten, next_help_heading = "Journal and nodes")]
    pub(crate) journal: JournalOptions,

    #[command(flatten, next_help_heading = "Stores")]
    pub(crate) stores: StoreOptions,

    #[command(flatten, next_help_heading = "Sinks")]
    pub(crate) sinks: SinkOptions,

    #[command(flatten, next_help_heading = "Retention")]
    pub(crate) retention: RetentionOptions,

    #[command(flatten, next_help_heading = "Graphs")]
    pub(crate) scope: ScopeOptions,

    #[command(flatten, next_help_heading = "Clients and features")]
    pub(crate) clients: ClientOptions,

    #[command(flatten, next_help_heading = "Limits")]
    pub(crate) limits: LimitOptions,

    #[command(flatten, next_help_heading = "Access")]
    pub(crate) access: AccessOptions,

    #[command(flatten, next_help_heading = "Privacy")]
    pub(crate) privacy: PrivacyOptions,

    #[command(flatten, next_help_heading = "Process")]
    pub(crate) process: ProcessOptions,
}

/// The end, and what is said meanwhile.
#[derive(clap::Args)]
pub(crate) struct ProcessOptions {
    /// How long a shutdown waits for finished sessions.
    #[arg(long, env = "RTCSTATS_SHUTDOWN_PATIENCE", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) shutdown_patience: Duration,

    /// What to log, as `tracing` filters have it.
    #[arg(long, env = "RTCSTATS_LOG", default_value = "info")]
    pub(crate) log: String,
}
