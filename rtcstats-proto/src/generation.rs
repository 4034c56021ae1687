//! The generations of the protocol.

use std::fmt;

/// A generation of the rtcstats protocol: which messages a client sends, how its stats are
/// compressed, and what its dumps look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generation {
    /// The original client: subprotocol `2.0`, absolute times, dumps that begin with an object.
    Legacy,
    /// Jitsi's client and back ends: subprotocol `3.1_STANDARD` and others, sequence numbers,
    /// dumps that begin with a `connectionInfo` line.
    Jitsi,
    /// rtcstats.com: subprotocol `rtcstats#5.0`, time deltas, numbers for names, dumps that begin
    /// with `RTCStatsDump`.
    Rtcstats,
}

impl Generation {
    /// The generation that a WebSocket's subprotocol stands for. Whatever is unknown, nothing
    /// included, is taken for Jitsi's, whose server decides by
    /// [`ClientType`](crate::ClientType).
    ///
    /// ```
    /// use rtcstats_proto::Generation;
    /// assert_eq!(Generation::from_subprotocol("rtcstats#5.0"), Generation::Rtcstats);
    /// assert_eq!(Generation::from_subprotocol("2.0"), Generation::Legacy);
    /// assert_eq!(Generation::from_subprotocol("3.1_STANDARD"), Generation::Jitsi);
    /// ```
    pub fn from_subprotocol(subprotocol: &str) -> Self {
        match subprotocol {
            "2.0" => Self::Legacy,
            "rtcstats#5.0" => Self::Rtcstats,
            _ => Self::Jitsi,
        }
    }

    /// A short name: `legacy`, `jitsi` or `rtcstats`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Jitsi => "jitsi",
            Self::Rtcstats => "rtcstats",
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
