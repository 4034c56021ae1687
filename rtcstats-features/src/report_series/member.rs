//! The tables of members: which of them are quantities, and in which unit.

use rtcstats_proto::stats::{Field, StatsKind};

/// Members that are no quantities though they may be numbers, and why.
const NO_QUANTITIES: &[(&str, &[Field])] = &[
    (
        "tells one thing from another",
        &[
            Field::Id,
            Field::Ssrc,
            Field::RtxSsrc,
            Field::FecSsrc,
            Field::Mid,
            Field::Rid,
            Field::EncodingIndex,
            Field::PayloadType,
            Field::DataChannelIdentifier,
            Field::Datachannelid,
            Field::TransportId,
            Field::CodecId,
            Field::TrackId,
            Field::TrackIdentifier,
            Field::StreamIdentifier,
            Field::MediaSourceId,
            Field::PlayoutId,
            Field::RemoteId,
            Field::LocalId,
            Field::LocalCandidateId,
            Field::RemoteCandidateId,
            Field::SelectedCandidatePairId,
            Field::LocalCertificateId,
            Field::RemoteCertificateId,
            Field::IssuerCertificateId,
            Field::RtcpTransportStatsId,
            Field::IceLocalUsernameFragment,
            Field::UsernameFragment,
            Field::Foundation,
            Field::Label,
            Field::GoogTrackId,
            Field::GoogChannelId,
            Field::GoogComponent,
        ],
    ),
    (
        "is a place in a network",
        &[
            Field::Address,
            Field::Ip,
            Field::IpAddress,
            Field::RelatedAddress,
            Field::Port,
            Field::PortNumber,
            Field::RelatedPort,
            Field::GoogLocalAddress,
            Field::GoogRemoteAddress,
        ],
    ),
    (
        "is a time of day, or that of the report",
        &[
            Field::Timestamp,
            Field::RemoteTimestamp,
            Field::LastPacketReceivedTimestamp,
            Field::LastPacketSentTimestamp,
            Field::EstimatedPlayoutTimestamp,
            Field::FirstRequestTimestamp,
            Field::LastRequestTimestamp,
            Field::LastResponseTimestamp,
            Field::ConsentExpiredTimestamp,
            Field::GoogCaptureStartNtpTimeMs,
        ],
    ),
    (
        "says what is preferred, in bits that are put together",
        &[Field::Priority],
    ),
    (
        "says what a codec is, and never changes",
        &[Field::ClockRate, Field::Channels],
    ),
    (
        "is a key or a fingerprint",
        &[
            Field::Fingerprint,
            Field::Base64Certificate,
            Field::GoogFingerprint,
            Field::GoogDerBase64,
        ],
    ),
];

/// How names end that the table does not know, and that are no quantities.
const NO_QUANTITY_ENDINGS: &[&str] = &["Id", "Ssrc", "Timestamp", "Port"];

/// Members that are objects of numbers.
const NESTED: &[Field] = &[Field::QualityLimitationDurations, Field::PsnrSum];

/// Units, and the members that have them.
const UNITS: &[(&str, &[Field])] = &[
    (
        "B",
        &[
            Field::BytesSent,
            Field::BytesReceived,
            Field::HeaderBytesSent,
            Field::HeaderBytesReceived,
            Field::RetransmittedBytesSent,
            Field::RetransmittedBytesReceived,
            Field::FecBytesReceived,
            Field::BytesDiscardedOnSend,
            Field::BytesDiscarded,
            Field::TotalEncodedBytesTarget,
        ],
    ),
    (
        "s",
        &[
            Field::Jitter,
            Field::TotalDecodeTime,
            Field::TotalEncodeTime,
            Field::TotalInterFrameDelay,
            Field::TotalPausesDuration,
            Field::TotalFreezesDuration,
            Field::TotalProcessingDelay,
            Field::TotalAssemblyTime,
            Field::TotalPacketSendDelay,
            Field::TotalPlayoutDelay,
            Field::TotalSamplesDuration,
            Field::SynthesizedSamplesDuration,
            Field::JitterBufferDelay,
            Field::JitterBufferTargetDelay,
            Field::JitterBufferMinimumDelay,
            Field::RoundTripTime,
            Field::TotalRoundTripTime,
            Field::CurrentRoundTripTime,
            Field::QualityLimitationDurations,
            Field::AverageRtcpInterval,
        ],
    ),
    ("s²", &[Field::TotalSquaredInterFrameDelay]),
    (
        "ms",
        &[
            Field::GoogCurrentDelayMs,
            Field::GoogJitterBufferMs,
            Field::GoogRtt,
            Field::GoogJitterReceived,
            Field::GoogInterframeDelayMax,
            Field::GoogTargetDelayMs,
            Field::GoogDecodeMs,
            Field::GoogAvgEncodeMs,
            Field::GoogMaxDecodeMs,
            Field::GoogBucketDelay,
            Field::GoogPreferredJitterBufferMs,
            Field::GoogMinPlayoutDelayMs,
            Field::GoogFirstFrameReceivedToDecodedMs,
        ],
    ),
    (
        "bit/s",
        &[
            Field::TargetBitrate,
            Field::AvailableOutgoingBitrate,
            Field::AvailableIncomingBitrate,
            Field::BitrateMean,
            Field::BitrateStdDev,
            Field::GoogTransmitBitrate,
            Field::GoogActualEncBitrate,
            Field::GoogTargetEncBitrate,
            Field::GoogRetransmitBitrate,
            Field::GoogAvailableSendBandwidth,
            Field::GoogAvailableReceiveBandwidth,
        ],
    ),
    (
        "px",
        &[
            Field::FrameWidth,
            Field::FrameHeight,
            Field::Width,
            Field::Height,
            Field::GoogFrameWidthReceived,
            Field::GoogFrameWidthInput,
            Field::GoogFrameHeightInput,
        ],
    ),
    (
        "1/s",
        &[
            Field::FramesPerSecond,
            Field::FramerateMean,
            Field::FramerateStdDev,
            Field::GoogFrameRateReceived,
            Field::GoogFrameRateOutput,
            Field::GoogFrameRateDecoded,
            Field::GoogFrameRateInput,
            Field::GoogFrameRateSent,
        ],
    ),
    (
        "dB",
        &[
            Field::EchoReturnLoss,
            Field::EchoReturnLossEnhancement,
            Field::GoogEchoCancellationReturnLoss,
            Field::GoogEchoCancellationReturnLossEnhancement,
            Field::PsnrSum,
        ],
    ),
    ("%", &[Field::GoogEncodeUsagePercent]),
];

/// Chrome's types before webrtc-stats, whose objects have numbers as text.
const TEXTUAL: &[StatsKind] = &[
    StatsKind::LegacySsrc,
    StatsKind::GoogCandidatePair,
    StatsKind::GoogTrack,
    StatsKind::GoogLibjingleSession,
    StatsKind::GoogComponent,
    StatsKind::VideoBwe,
];

/// Whether a member of this name is a quantity, if it is a number.
pub(super) fn is_quantity(name: &str, field: Option<Field>) -> bool {
    match field {
        Some(field) => !NO_QUANTITIES
            .iter()
            .any(|(_, fields)| fields.contains(&field)),
        // What an export of webrtc-internals has derived already, rounded.
        None if name.starts_with('[') => false,
        None => !NO_QUANTITY_ENDINGS
            .iter()
            .any(|ending| name.ends_with(ending)),
    }
}

/// Whether the members of a member are quantities.
pub(super) fn is_nested(field: Field) -> bool {
    NESTED.contains(&field)
}

/// The unit of a member; empty where there is none.
pub(super) fn unit(field: Option<Field>) -> &'static str {
    let has = |fields: &[Field]| field.is_some_and(|field| fields.contains(&field));
    let unit = UNITS.iter().find(|(_, fields)| has(fields));
    unit.map_or("", |(unit, _)| unit)
}

/// Whether objects of a type have numbers as text.
pub(super) fn has_textual_numbers(kind: Option<StatsKind>) -> bool {
    kind.is_some_and(|kind| TEXTUAL.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_member_is_in_two_rows_of_a_table() {
        for table in [NO_QUANTITIES, UNITS] {
            let mut fields: Vec<_> = table.iter().flat_map(|(_, fields)| *fields).collect();
            let count = fields.len();
            fields.sort();
            fields.dedup();
            assert_eq!(fields.len(), count);
        }
        for (_, fields) in UNITS {
            assert!(fields.iter().all(|field| is_quantity("", Some(*field))));
        }
    }

    #[test]
    fn unknown_members_are_quantities_unless_their_name_says_otherwise() {
        for (name, expected) in [
            ("packetsWithMagic", true),
            ("networkId", false),
            ("otherSsrc", false),
            ("[bytesSent/s]", false),
        ] {
            assert_eq!(is_quantity(name, None), expected, "{name}");
        }
        assert!(!is_quantity("ssrc", Some(Field::Ssrc)));
    }
}
