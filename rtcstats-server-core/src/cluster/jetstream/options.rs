//! Where the servers are, and how long to wait for them.

use std::path::PathBuf;
use std::time::Duration;

/// Which servers a [`JetStream`](super::JetStream) uses, under which name, with which bounds.
#[derive(Debug, Clone)]
pub struct JetStreamOptions {
    /// URLs of the servers, separated by commas: `nats://host:4222` or `tls://host:4222`, with
    /// `user:password@` where they ask for it. Servers of a cluster that are not among them are found.
    pub servers: String,
    /// What is shown to the servers besides what the URLs hold. Default nothing.
    pub credentials: NatsCredentials,
    /// What all streams, buckets and subjects begin with: letters, digits, `_` and `-`. Nodes that share
    /// it share their sessions. Default `rtcstats`.
    pub deployment: String,
    /// The name of this node, for people: letters, digits, `_` and `-`. Each process is told apart from
    /// all others whatever the name.
    pub node: String,
    /// How many servers keep each message: 1 to 5, best an odd number. It counts when streams are
    /// created. Default 1.
    pub replicas: usize,
    /// How large all logs together may become, counted when streams are created. Default as large as the
    /// servers allow.
    pub max_bytes: Option<u64>,
    /// Bytes of appends that wait for the servers. Default 64 MiB.
    pub queue_bytes: usize,
    /// How many messages are on their way at the same time, one for each log. Default 256.
    pub in_flight: usize,
    /// How long to wait for one answer of a server. Default 5 s.
    pub timeout: Duration,
    /// How long an operation tries before it fails. Default 15 s, longer than servers need to find a new
    /// leader.
    pub give_up_after: Duration,
    /// After which silence a node is taken for gone, at least 1 s. It counts when streams are created.
    /// Default 15 s.
    pub node_timeout: Duration,
    /// How long ended sessions are remembered. Default 24 h.
    pub ended_retention: Duration,
    /// After which silence of its worker a task is given to another one. Default 60 s.
    pub task_timeout: Duration,
    /// How often a task is tried. Default 5.
    pub attempts: u32,
    /// How long a task waits after its first failed attempt; twice as long after each further one, until
    /// a minute. Default 1 s.
    pub retry_pause: Duration,
}

/// Who this node is to the servers.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum NatsCredentials {
    /// Nobody, or what the URLs say.
    #[default]
    None,
    /// A token.
    Token(String),
    /// A user and a password.
    User {
        /// The name.
        name: String,
        /// The password.
        password: String,
    },
    /// A file with a JWT and the seed of a key.
    File(PathBuf),
}

impl std::fmt::Debug for NatsCredentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::None => "None",
            Self::Token(_) => "Token",
            Self::User { .. } => "User",
            Self::File(_) => "File",
        };
        formatter.write_str(name)
    }
}

/// Options that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{option} must be {wanted}")]
pub(super) struct OptionError {
    option: &'static str,
    wanted: &'static str,
}

impl JetStreamOptions {
    /// Options for these servers with the defaults.
    pub fn new(servers: impl Into<String>, node: impl Into<String>) -> Self {
        Self {
            servers: servers.into(),
            credentials: NatsCredentials::None,
            deployment: "rtcstats".to_owned(),
            node: node.into(),
            replicas: 1,
            max_bytes: None,
            queue_bytes: 64 << 20,
            in_flight: 256,
            timeout: Duration::from_secs(5),
            give_up_after: Duration::from_secs(15),
            node_timeout: Duration::from_secs(15),
            ended_retention: Duration::from_secs(24 * 60 * 60),
            task_timeout: Duration::from_secs(60),
            attempts: 5,
            retry_pause: Duration::from_secs(1),
        }
    }

    pub(super) fn check(&self) -> Result<(), OptionError> {
        const NAME: &str = "letters, digits, '_' and '-'";
        let checks = [
            ("deployment", NAME, is_name(&self.deployment)),
            ("node", NAME, is_name(&self.node)),
            ("replicas", "1 to 5", (1..=5).contains(&self.replicas)),
            ("in_flight", "at least 1", self.in_flight > 0),
            ("attempts", "at least 1", self.attempts > 0),
            (
                "node_timeout",
                "at least 1 s",
                self.node_timeout >= Duration::from_secs(1),
            ),
        ];
        match checks.into_iter().find(|(_, _, holds)| !holds) {
            Some((option, wanted, _)) => Err(OptionError { option, wanted }),
            None => Ok(()),
        }
    }
}

/// Whether it can be a token of a subject, and part of the name of a stream.
fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed)
}
