//! What a WebSocket subprotocol says about the client behind it.

use std::fmt;

/// Who sends, derived from the subprotocol of the WebSocket (Jitsi spec 1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientType {
    /// A browser, Electron or React Native client: `3.1_STANDARD`.
    Rtcstats,
    /// Jigasi, the SIP gateway.
    Jigasi,
    /// Jicofo, the conference focus.
    Jicofo,
    /// Jibri, the recorder.
    Jibri,
    /// The Jitsi video bridge.
    Jvb,
    /// Everything else, no subprotocol and `3.1_LEGACY` included.
    Unsupported,
}

/// First hit decides, in this order.
const SUBPROTOCOL_PARTS: [(&str, ClientType); 5] = [
    ("3.1_STANDARD", ClientType::Rtcstats),
    ("JIGASI", ClientType::Jigasi),
    ("JICOFO", ClientType::Jicofo),
    ("JIBRI", ClientType::Jibri),
    ("JVB", ClientType::Jvb),
];

impl ClientType {
    /// Derives the client type from the selected subprotocol; empty if there is none.
    ///
    /// ```
    /// use rtcstats_proto::ClientType;
    /// assert_eq!(ClientType::from_subprotocol("3.1_STANDARD"), ClientType::Rtcstats);
    /// assert_eq!(ClientType::from_subprotocol("3.0_STANDARD"), ClientType::Unsupported);
    /// ```
    pub fn from_subprotocol(subprotocol: &str) -> Self {
        SUBPROTOCOL_PARTS
            .iter()
            .find(|(part, _)| subprotocol.contains(part))
            .map_or(Self::Unsupported, |(_, client_type)| *client_type)
    }

    /// The name that dump headers and records carry, such as `RTCSTATS_CLIENT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rtcstats => "RTCSTATS_CLIENT",
            Self::Jigasi => "JIGASI_CLIENT",
            Self::Jicofo => "JICOFO_CLIENT",
            Self::Jibri => "JIBRI_CLIENT",
            Self::Jvb => "JVB_CLIENT",
            Self::Unsupported => "UNSUPPORTED_CLIENT",
        }
    }

    /// Whether its messages carry sequence numbers and its dump lines are event arrays.
    pub fn is_browser(self) -> bool {
        self == Self::Rtcstats
    }
}

impl fmt::Display for ClientType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The subprotocol a server selects: the first that the client offers in its
/// `Sec-WebSocket-Protocol` header, or `None` where it offers none. Browsers abort the connection
/// unless it is echoed.
pub fn select_subprotocol(offered: &str) -> Option<&str> {
    offered
        .split(',')
        .map(str::trim)
        .find(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_part_in_the_table_decides() {
        assert_eq!(
            ClientType::from_subprotocol("1.0_JICOFO"),
            ClientType::Jicofo
        );
        assert_eq!(
            ClientType::from_subprotocol("JVB_JIGASI"),
            ClientType::Jigasi
        );
        assert_eq!(
            ClientType::from_subprotocol("3.1_LEGACY"),
            ClientType::Unsupported
        );
        assert_eq!(ClientType::from_subprotocol(""), ClientType::Unsupported);
    }

    #[test]
    fn the_first_offer_is_selected() {
        assert_eq!(select_subprotocol("3.1_STANDARD, x"), Some("3.1_STANDARD"));
        assert_eq!(select_subprotocol(" ,"), None);
    }
}
