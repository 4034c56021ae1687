//! What a server wants done.

use std::fmt;

use bytes::Bytes;

use crate::{DumpName, SessionFacts};

/// One socket, for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub(crate) u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Something to do, see [`Server`](crate::Server).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Action {
    /// Send a text frame.
    Send {
        /// To whom.
        connection: ConnectionId,
        /// What.
        text: String,
    },
    /// Close a socket, and report that it is gone.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why, and with which code.
        reason: CloseReason,
    },
    /// Append a line to a log, and report when it is durable.
    Append {
        /// Which log; the first line creates it.
        name: DumpName,
        /// Where in the log the line begins.
        offset: u64,
        /// The line with its terminator.
        line: Bytes,
        /// The number to report with it.
        sequence_number: Option<u64>,
    },
    /// Everything of this log was given out: complete it (features, sinks, archive), and report
    /// that it is finished.
    Finish {
        /// Which log.
        name: DumpName,
        /// Why.
        reason: EndReason,
        /// What happened in the session.
        facts: SessionFacts,
        /// Bytes of the whole log.
        bytes: u64,
    },
}

/// Close codes with a meaning in this protocol (section 1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseCode;

impl CloseCode {
    /// The conference was left. A client that gets it never reconnects.
    pub const LEFT: u16 = 3001;
    /// Reserved; a client that gets it never reconnects.
    pub const DUMP_ERROR: u16 = 3002;
}

/// Why the server closes a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// A newer connection has taken all its sessions.
    Superseded,
    /// Another node has taken a session of it.
    Moved,
    /// No message for too long.
    Idle,
    /// What it sends is not JSON.
    Malformed,
    /// A message over the limit.
    MessageTooLong,
    /// Too many messages that had to be refused.
    TooManyRefused,
    /// Its session is over the limit.
    SessionOverLimit,
    /// Its session cannot be begun: there are too many.
    TooManySessions,
    /// A session of it cannot be taken over from another node now.
    NotTakenOver,
    /// Its session cannot be stored.
    JournalFailed,
    /// It does not read what it is sent.
    TooSlow,
    /// The server shuts down.
    GoingAway,
    /// Its session was deleted on request. The client does not come back.
    Erased,
}

impl CloseReason {
    /// The code of the close frame. Only that of [`CloseReason::Erased`] keeps a client from coming back.
    pub fn code(self) -> u16 {
        match self {
            Self::Superseded => 1000,
            Self::Idle | Self::Moved | Self::GoingAway => 1001,
            Self::Malformed => 1007,
            Self::TooManyRefused | Self::TooSlow => 1008,
            Self::MessageTooLong | Self::SessionOverLimit => 1009,
            Self::JournalFailed => 1011,
            Self::Erased => CloseCode::LEFT,
            Self::TooManySessions | Self::NotTakenOver => 1013,
        }
    }

    /// The reason in the close frame.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Superseded => "replaced by a newer connection of the same session",
            Self::Moved => "session goes on at another node",
            Self::Idle => "no message for too long",
            Self::Malformed => "malformed message",
            Self::MessageTooLong => "message over the size limit",
            Self::TooManyRefused => "too many invalid messages",
            Self::SessionOverLimit => "session over the size limit",
            Self::TooManySessions => "too many sessions",
            Self::NotTakenOver => Refusal::TRY_AGAIN_STORE.reason,
            Self::JournalFailed => "session cannot be stored",
            Self::TooSlow => "too slow to take acknowledgements",
            Self::GoingAway => "server is shutting down",
            Self::Erased => Refusal::ERASED.reason,
        }
    }
}

/// A connection that is closed right after it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (close code {code})")]
pub struct Refusal {
    /// The code of the close frame.
    pub code: u16,
    /// The reason in the close frame.
    pub reason: &'static str,
}

impl Refusal {
    /// The session id of the query is not allowed.
    pub const INVALID_SESSION_ID: Self = Self {
        code: 1008,
        reason: "invalid statsSessionId",
    };
    /// The upgrade request has a header or a target that is too long.
    pub const REQUEST_TOO_LONG: Self = Self {
        code: 1009,
        reason: "request target or header too long",
    };
    pub(crate) const GOING_AWAY: Self = Self {
        code: 1001,
        reason: "server is shutting down",
    };
    pub(crate) const TRY_AGAIN_CONNECTIONS: Self = Self {
        code: 1013,
        reason: "too many connections",
    };
    pub(crate) const TRY_AGAIN_SESSIONS: Self = Self {
        code: 1013,
        reason: "too many sessions",
    };
    pub(crate) const TRY_AGAIN_STORE: Self = Self {
        code: 1013,
        reason: "session cannot be taken over now",
    };
    #[cfg_attr(
        not(feature = "tokio"),
        expect(dead_code, reason = "drivers have roles")
    )]
    pub(crate) const NO_SOCKETS: Self = Self {
        code: 1013,
        reason: "this node takes no connections",
    };
    pub(crate) const NO_SESSION_ID: Self = Self {
        code: 1011,
        reason: "session has no id",
    };
    /// Final: what the client still has of it was to be deleted.
    pub(crate) const ERASED: Self = Self {
        code: CloseCode::LEFT,
        reason: "session was deleted",
    };
    /// Final: the client would only send more of what cannot be stored.
    pub(crate) const SESSION_OVER_LIMIT: Self = Self {
        code: CloseCode::LEFT,
        reason: "session over the size limit",
    };
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The client closed with 3001: it left the conference.
    Left,
    /// The client sent `close`.
    Closed,
    /// Its socket was closed, and nobody can come back to it.
    Disconnected,
    /// The client did not come back in time.
    Expired,
    /// The session got too big.
    OverLimit,
    /// The journal does not take it any more.
    JournalFailed,
    /// A later dump of the same session goes on.
    Superseded,
}
