//! Flags and environment variables.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use rtcstats_features::{FeatureSet, UnknownFeatureSet};
use rtcstats_proto::Generation;
use rtcstats_server_core::{
    Authorizer, FileJournalOptions, GeoFile, JwtAuthorizer, Limits, Obfuscation, Privacy,
    SyncPolicy, Timing,
};

/// Files besides sockets and logs: segments, archives, records.
const OTHER_FILES: usize = 256;

/// Receives the telemetry of WebRTC clients, keeps dumps of their sessions, and extracts features.
#[derive(Parser)]
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

    /// Acknowledge after so many events, and at the latest after two seconds. Jitsi's client forgets what is not
    /// acknowledged from the 1000th event on.
    #[arg(long, env = "RTCSTATS_ACKNOWLEDGE_EVENTS", default_value_t = Timing::default().acknowledge_events)]
    pub(crate) acknowledge_events: u32,

    /// The most connections at a time.
    #[arg(long, env = "RTCSTATS_MAX_CONNECTIONS", default_value_t = Limits::default().connections)]
    pub(crate) max_connections: usize,

    /// The most bytes of one session.
    #[arg(long, env = "RTCSTATS_MAX_SESSION_BYTES", default_value_t = Limits::default().session_bytes)]
    pub(crate) max_session_bytes: u64,

    /// The most bytes of one message.
    #[arg(long, env = "RTCSTATS_MAX_MESSAGE_BYTES", default_value_t = Limits::default().message.line_bytes)]
    pub(crate) max_message_bytes: usize,

    /// The most bytes of one uploaded dump, decompressed.
    #[arg(long, env = "RTCSTATS_MAX_UPLOAD_BYTES", default_value_t = Limits::default().upload_bytes)]
    pub(crate) max_upload_bytes: u64,

    /// What each WebSocket keeps for reading, from 4,096 to 8,192 bytes. Most of the memory of a silent connection; twice as
    /// much saves long messages a system call.
    #[arg(long, env = "RTCSTATS_READ_BUFFER_BYTES", default_value_t = 4_096, value_parser = clap::value_parser!(u16).range(4_096..=8_192))]
    pub(crate) read_buffer_bytes: u16,

    /// Of the system, for each connection and direction. A silent connection does not use them; they bound what a slow
    /// server holds of what clients send. Small ones make fast clients slow. Default: what the system does.
    #[arg(long, env = "RTCSTATS_SOCKET_BUFFER_BYTES")]
    pub(crate) socket_buffer_bytes: Option<u32>,

    /// Take uploads of dumps on this path, such as /upload; without it there are none.
    #[arg(long, env = "RTCSTATS_UPLOAD_PATH", value_name = "PATH", value_parser = parse_path)]
    pub(crate) upload_path: Option<String>,

    /// Let in only clients with a JSON Web Token that is signed with this secret (HS256, HS384, HS512),
    /// as the query parameter rtcstats-token or as bearer token. Without this and --jwks everybody
    /// may send. Reading is not protected: page, API (with the dumps) and metrics are for whoever
    /// reaches the port, so let a proxy keep them apart.
    #[arg(
        long,
        env = "RTCSTATS_JWT_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub(crate) jwt_secret: Option<String>,

    /// As --jwt-secret, but signed with one of the keys of this JSON Web Key Set (RS256, RS384, RS512,
    /// ES256, ES384).
    #[arg(
        long,
        env = "RTCSTATS_JWKS",
        value_name = "FILE",
        conflicts_with = "jwt_secret"
    )]
    pub(crate) jwks: Option<PathBuf>,

    /// Whether addresses are made unrecognizable, and when; without a value before anything is
    /// stored.
    #[arg(
        long,
        env = "RTCSTATS_OBFUSCATE",
        value_enum,
        num_args = 0..=1,
        default_value_t = Obfuscate::Off,
        default_missing_value = "before-journal"
    )]
    pub(crate) obfuscate: Obfuscate,

    /// With --obfuscate: mask every address wherever it stands, also those of relays, which existing
    /// servers leave readable.
    #[arg(long, env = "RTCSTATS_OBFUSCATE_STRICTLY")]
    pub(crate) obfuscate_strictly: bool,

    /// Note where addresses are, before they are made unrecognizable: a database file in MaxMind's format
    /// (City), read at the start.
    #[arg(long, env = "RTCSTATS_GEO", value_name = "FILE")]
    pub(crate) geo: Option<PathBuf>,

    /// What clients are taken for whose WebSocket subprotocol says nothing.
    #[arg(long, env = "RTCSTATS_UNNAMED_CLIENTS", value_enum, default_value_t = Clients::Jitsi)]
    pub(crate) unnamed_clients: Clients,

    /// Which features are extracted, separated by commas: jitsi, rtcstats, legacy; or none.
    #[arg(long, env = "RTCSTATS_SETS", value_name = "SETS", default_value = "jitsi,rtcstats,legacy", value_parser = parse_sets)]
    sets: Sets,

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

/// When addresses are made unrecognizable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Obfuscate {
    /// Never: what clients send is stored.
    Off,
    /// Before anything is stored.
    BeforeJournal,
    /// When a session is over: dumps and features never have addresses, the journal of open sessions
    /// has.
    BeforeArchive,
}

/// Clients of the three generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Clients {
    /// Jitsi's clients and back ends.
    Jitsi,
    /// rtcstats 5.0.
    Rtcstats,
    /// The original client, protocol 2.0.
    Legacy,
}

/// Sets of features. (A `Vec` would be an argument that is repeated.)
#[derive(Clone)]
struct Sets(Vec<FeatureSet>);

fn parse_sets(text: &str) -> Result<Sets, UnknownFeatureSet> {
    if text == "none" {
        return Ok(Sets(Vec::new()));
    }
    text.split(',')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map(Sets)
}

/// A path as it stands in requests.
fn parse_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') || text.contains(['?', '#', '{', '}', ' ']) {
        return Err("a path such as /upload".to_owned());
    }
    Ok(text.to_owned())
}

impl Options {
    /// Who may send.
    pub(crate) fn authorizer(&self) -> Result<Option<Arc<dyn Authorizer>>, Box<dyn Error>> {
        let authorizer = match (&self.jwt_secret, &self.jwks) {
            (Some(secret), _) if secret.is_empty() => return Err("the secret is empty".into()),
            (Some(secret), _) => JwtAuthorizer::from_secret(secret.as_bytes()),
            (None, Some(file)) => JwtAuthorizer::from_jwks(&std::fs::read_to_string(file)?)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(Arc::new(authorizer)))
    }

    /// What becomes of addresses.
    pub(crate) fn privacy(&self) -> Result<Privacy, Box<dyn Error>> {
        let mut privacy = Privacy::default();
        privacy.obfuscation = match self.obfuscate {
            Obfuscate::Off => Obfuscation::Off,
            Obfuscate::BeforeJournal => Obfuscation::BeforeJournal,
            Obfuscate::BeforeArchive => Obfuscation::BeforeArchive,
        };
        privacy.is_strict = self.obfuscate_strictly;
        if let Some(file) = &self.geo {
            privacy.locations = Some(Arc::new(GeoFile::open(file)?));
        }
        Ok(privacy)
    }

    /// What clients are taken for that do not say what they are.
    pub(crate) fn unnamed(&self) -> Generation {
        match self.unnamed_clients {
            Clients::Jitsi => Generation::Jitsi,
            Clients::Rtcstats => Generation::Rtcstats,
            Clients::Legacy => Generation::Legacy,
        }
    }

    /// The limits of the server.
    pub(crate) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        limits.connections = self.max_connections;
        limits.session_bytes = self.max_session_bytes;
        limits.message.line_bytes = self.max_message_bytes;
        limits.upload_bytes = self.max_upload_bytes;
        limits
    }

    /// The server's patience.
    pub(crate) fn timing(&self) -> Timing {
        let mut timing = Timing::default();
        timing.grace = self.grace;
        timing.back_end_grace = self.back_end_grace;
        timing.idle = self.idle;
        timing.acknowledge_events = self.acknowledge_events;
        timing
    }

    /// What is extracted.
    pub(crate) fn feature_sets(&self) -> Vec<FeatureSet> {
        self.sets.0.clone()
    }

    /// How many logs may be open: what the limit of open files leaves beside the sockets. A log that is
    /// closed meanwhile is opened for every message.
    fn open_log_files(&self) -> usize {
        let limit = rlimit::Resource::NOFILE.get_soft().unwrap_or_default();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let spare = limit.saturating_sub(self.max_connections.saturating_add(OTHER_FILES));
        spare.clamp(
            FileJournalOptions::default().open_files,
            Limits::default().sessions,
        )
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
            open_files: self.open_log_files(),
            ..FileJournalOptions::default()
        }
    }
}
