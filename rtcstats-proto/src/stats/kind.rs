//! The table of stats types.

use std::fmt;

use crate::table::number;

macro_rules! kinds {
    ($($variant:ident $name:literal $(= $number:literal)?,)*) => {
        /// The type of a stats object (W3C `RTCStatsType`).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[non_exhaustive]
        #[allow(missing_docs, reason = "the macro writes the name as documentation")]
        pub enum StatsKind {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl StatsKind {
            /// Every known type, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The type with this name, if it is known.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The type that this number stands for in the deltas of rtcstats 5.0.
            pub fn from_number(number: u16) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.number() == Some(number))
            }

            /// The name in the member `type`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The number that stands for it in the deltas of rtcstats 5.0, if it has one.
            pub fn number(self) -> Option<u16> {
                match self {
                    $(Self::$variant => number!($($number)?),)*
                }
            }
        }
    };
}

kinds! {
    // webrtc-stats, in the order of the numbers of rtcstats 5.0
    InboundRtp "inbound-rtp" = 1,
    OutboundRtp "outbound-rtp" = 2,
    RemoteInboundRtp "remote-inbound-rtp" = 3,
    RemoteOutboundRtp "remote-outbound-rtp" = 4,
    Transport "transport" = 5,
    CandidatePair "candidate-pair" = 6,
    LocalCandidate "local-candidate" = 7,
    RemoteCandidate "remote-candidate" = 8,
    DataChannel "data-channel" = 9,
    PeerConnection "peer-connection" = 10,
    Certificate "certificate" = 11,
    MediaSource "media-source" = 12,
    MediaPlayout "media-playout" = 13,
    Codec "codec" = 14,
    // Obsolete types of webrtc-stats
    Csrc "csrc",
    Sender "sender",
    Receiver "receiver",
    Transceiver "transceiver",
    Track "track",
    Stream "stream",
    SctpTransport "sctp-transport",
    IceServer "ice-server",
    // Chrome's types before webrtc-stats
    LegacySsrc "ssrc",
    GoogCandidatePair "googCandidatePair",
    GoogTrack "googTrack",
    LegacyLocalCandidate "localcandidate",
    LegacyRemoteCandidate "remotecandidate",
    GoogCertificate "googCertificate",
    GoogLibjingleSession "googLibjingleSession",
    VideoBwe "VideoBwe",
    GoogComponent "googComponent",
    // Pressure of the device, put into the stats by rtcstats 5.0
    ComputePressure "compute-pressure",
}

impl fmt::Debug for StatsKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_kind() {
        for kind in StatsKind::ALL {
            assert_eq!(StatsKind::from_name(kind.as_str()), Some(*kind));
        }
        assert_eq!(StatsKind::InboundRtp.number(), Some(1));
        assert_eq!(StatsKind::from_number(14), Some(StatsKind::Codec));
        assert_eq!(StatsKind::from_number(15), None);
    }
}
