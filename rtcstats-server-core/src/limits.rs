//! What clients may cost a server, and how long it waits for them.

use std::time::Duration;

/// Upper bounds. Every one that is hit is counted and answered with a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Length and depth of one message. Default 16 MiB and 64 levels.
    pub message: rtcstats_proto::Limits,
    /// Open sockets. Default 50,000: what one machine carries.
    pub connections: usize,
    /// Sessions that are live or may be resumed. Default 100,000.
    pub sessions: usize,
    /// Sessions multiplexed on one socket of a back-end client. Default 10,000: a bridge sends one a
    /// conference.
    pub sessions_per_connection: usize,
    /// Sessions on one socket of a browser. Default 4: the stock client has one.
    pub sessions_per_browser: usize,
    /// Bytes of the request target and of each header that a dump begins with (origin, user agent,
    /// subprotocols, forwarded addresses). Default 4,096.
    pub request_bytes: usize,
    /// Messages refused on one socket before it is closed. Default 100.
    pub refused_messages: u32,
    /// Bytes of one session's dump. Default 1 GiB: a day of reports once a second.
    pub session_bytes: u64,
    /// Bytes of one uploaded dump, decompressed; also, but for a megabyte, of the body it comes in. Default 256 MiB: a working day of reports, or the
    /// largest exports of browsers.
    pub upload_bytes: u64,
    /// Uploads at a time. Default 8: each may hold an export of [`rtcstats_proto::Limits::import_bytes`]
    /// in memory.
    pub uploads: usize,
    /// Followers of open sessions at a time. Default 64: people who look. Each may have 8 MiB of lines
    /// waiting.
    pub followers: usize,
    /// Bytes accepted but not yet durable, of all sockets together; reading stops above. Default
    /// 64 MiB.
    pub queue_bytes: usize,
    /// Frames waiting for one socket that does not read. Default 64; it needs one every 2 s.
    pub outgoing_frames: usize,
    /// Ended sessions that are remembered, to know their clients when they come late. Default
    /// 100,000.
    pub tombstones: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: rtcstats_proto::Limits::default(),
            connections: 50_000,
            sessions: 100_000,
            sessions_per_connection: 10_000,
            sessions_per_browser: 4,
            request_bytes: 4_096,
            refused_messages: 100,
            session_bytes: 1 << 30,
            upload_bytes: 256 << 20,
            uploads: 8,
            followers: 64,
            queue_bytes: 64 << 20,
            outgoing_frames: 64,
            tombstones: 100_000,
        }
    }
}

/// How long the server waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// A socket without any message for so long is closed (not its sessions). Default 120 s: clients
    /// send a keepalive every 30 s, throttled to once a minute in a background tab.
    pub idle: Duration,
    /// The same for clients that send no keepalive: rtcstats 5.0 and legacy. Default 24 h: between two
    /// calls a page may be silent for hours, and a peer that is gone shows up at the next proxy much
    /// earlier.
    pub idle_without_keepalive: Duration,
    /// A browser's session is kept resumable for so long. Default 720 s: the stock client gives up
    /// after 600 s of waiting, and connecting takes its time too.
    pub grace: Duration,
    /// The same for back-end clients, which reconnect after 5 s or have gone. Default 60 s.
    pub back_end_grace: Duration,
    /// An acknowledgement follows after so many events … Default 100; the stock client forgets
    /// events from the 1000th on.
    pub acknowledge_events: u32,
    /// … or so long after the first that has none. Default 2 s.
    pub acknowledge_after: Duration,
    /// An ended session is remembered for so long. Default 3600 s.
    pub tombstone: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(120),
            idle_without_keepalive: Duration::from_secs(24 * 3600),
            grace: Duration::from_secs(720),
            back_end_grace: Duration::from_secs(60),
            acknowledge_events: 100,
            acknowledge_after: Duration::from_secs(2),
            tombstone: Duration::from_secs(3600),
        }
    }
}

/// A moment, as the caller sees it. No machine of this crate reads a clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Time {
    /// Time since any fixed point, never going backwards: what deadlines are measured with.
    pub monotonic: Duration,
    /// Unix epoch milliseconds: what is written into dumps.
    pub unix_ms: f64,
}
