//! What clients may cost, and how long the server waits for them.

use std::time::Duration;

use clap::Args;
use rtcstats_server_core::{Limits, Timing};

/// Limits and patience.
#[derive(Args)]
pub(crate) struct LimitOptions {
    /// How long a browser may come back after its connection was lost.
    #[arg(long, env = "RTCSTATS_GRACE", default_value = "720s", value_parser = humantime::parse_duration)]
    pub(crate) grace: Duration,

    /// How long a back-end client may come back.
    #[arg(long, env = "RTCSTATS_BACK_END_GRACE", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) back_end_grace: Duration,

    /// A connection that is silent for so long is closed.
    #[arg(long, env = "RTCSTATS_IDLE", default_value = "120s", value_parser = humantime::parse_duration)]
    pub(crate) idle: Duration,

    /// A connection may take so long over the head of its request, and be silent for so long between two.
    #[arg(long, env = "RTCSTATS_REQUEST_PATIENCE", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) request_patience: Duration,

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
}

impl LimitOptions {
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
}
