//! Where events become durable, and what of several nodes this one is.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use rtcstats_server_core::{
    ClusterOptions, FileJournal, FileJournalOptions, JetStream, JetStreamOptions, Journal, Limits,
    Role, SyncPolicy,
};

/// Files besides sockets and logs: segments, archives, records.
const OTHER_FILES: usize = 256;

/// The journal.
#[derive(Args)]
pub(crate) struct JournalOptions {
    /// Where events are kept until their sessions are over: servers of NATS with JetStream, separated by
    /// commas, such as nats://a:4222,nats://b:4222, whose nodes take over from each other. Without it
    /// the directory journal in the data directory, which one process has for itself.
    #[arg(
        long,
        env = "RTCSTATS_JOURNAL",
        value_name = "URL",
        hide_env_values = true,
        value_parser = parse_journal
    )]
    pub(crate) journal: Option<String>,

    /// What survives before a client is told that its events are stored.
    #[arg(long, env = "RTCSTATS_SYNC", value_enum, default_value_t = Sync::Batched)]
    pub(crate) sync: Sync,

    /// The name of this node among those that share a journal: letters, digits, _ and -.
    #[arg(long, env = "RTCSTATS_NODE", default_value = "node")]
    pub(crate) node: String,

    /// What the streams of the journal are called: nodes of the same deployment share their sessions.
    #[arg(long, env = "RTCSTATS_DEPLOYMENT", default_value = "rtcstats")]
    pub(crate) deployment: String,

    /// How many servers of NATS keep each event, when its streams are created: 1, 3 or 5.
    #[arg(long, env = "RTCSTATS_REPLICAS", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) replicas: u8,

    /// What this node does.
    #[arg(long, env = "RTCSTATS_ROLE", value_enum, default_value_t = NodeRole::Both)]
    pub(crate) role: NodeRole,

    /// Over how long the connections are closed when this node is told to go (SIGTERM), so that the
    /// others get its clients one after another.
    #[arg(long, env = "RTCSTATS_DRAIN_FOR", default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) drain_for: Duration,
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

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NodeRole {
    /// It takes connections, and leaves sessions that are over to others.
    Ingest,
    /// It extracts sessions that are over, and takes no connections.
    Extract,
    /// Both.
    Both,
}

/// A journal, and what it shares with other nodes.
pub(crate) struct OpenJournal {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) cluster: Option<ClusterOptions>,
}

fn parse_journal(text: &str) -> Result<String, String> {
    let is_server = |server: &str| server.starts_with("nats://") || server.starts_with("tls://");
    if text.split(',').all(is_server) {
        return Ok(text.to_owned());
    }
    Err("servers such as nats://host:4222, separated by commas".to_owned())
}

impl JournalOptions {
    /// Opens the journal; one of its own is below the data directory.
    pub(crate) async fn open(
        &self,
        data: &Path,
        max_connections: usize,
    ) -> Result<OpenJournal, Box<dyn Error>> {
        let Some(servers) = &self.journal else {
            if self.role != NodeRole::Both {
                return Err("a role needs a journal that nodes share: --journal nats://…".into());
            }
            let options = self.file_journal(max_connections);
            let (journal, cut) = FileJournal::open(data.join("journal"), options)?;
            tracing::info!(?cut, "journal opened");
            return Ok(OpenJournal {
                journal: Arc::new(journal),
                cluster: None,
            });
        };
        let mut options = JetStreamOptions::new(servers, &self.node);
        options.deployment.clone_from(&self.deployment);
        options.replicas = self.replicas.into();
        let store = Arc::new(JetStream::connect(options).await?);
        let mut cluster = ClusterOptions::new(store.clone(), store.clone());
        cluster.role = match self.role {
            NodeRole::Ingest => Role::Ingest,
            NodeRole::Extract => Role::Extract,
            NodeRole::Both => Role::Both,
        };
        cluster.drain_spread = self.drain_for;
        tracing::info!(node = self.node, role = ?cluster.role, "journal connected");
        Ok(OpenJournal {
            journal: store,
            cluster: Some(cluster),
        })
    }

    /// How the file journal flushes.
    fn file_journal(&self, max_connections: usize) -> FileJournalOptions {
        let sync = match self.sync {
            Sync::Batched => SyncPolicy::Batched,
            Sync::Interval => SyncPolicy::Interval(Duration::from_secs(1)),
            Sync::Never => SyncPolicy::Never,
        };
        FileJournalOptions {
            sync,
            open_files: open_log_files(max_connections),
            ..FileJournalOptions::default()
        }
    }
}

/// How many logs may be open: what the limit of open files leaves beside the sockets. A log that is
/// closed meanwhile is opened for every message.
fn open_log_files(max_connections: usize) -> usize {
    let limit = rlimit::Resource::NOFILE.get_soft().unwrap_or_default();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let spare = limit.saturating_sub(max_connections.saturating_add(OTHER_FILES));
    spare.clamp(
        FileJournalOptions::default().open_files,
        Limits::default().sessions,
    )
}
