//! The table of stats members.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use foldhash::fast::FixedState;

use super::array_index;
use crate::json::KeyWord;
use crate::table::number;

/// The key of a member in rtcstats 5.0: its number or letter where it has one.
macro_rules! key {
    ($name:literal) => {
        $name
    };
    ($name:literal / $letter:literal) => {
        $letter
    };
    ($name:literal = $number:literal) => {
        stringify!($number)
    };
}

/// Declares [`Field`]: variant, name in `getStats()`, and letter or number in rtcstats 5.0 where it
/// has one.
macro_rules! fields {
    ($($variant:ident $name:literal $(/ $letter:literal)? $(= $number:literal)?,)*) => {
        /// A known member of a stats object, named as in W3C webrtc-stats.
        ///
        /// The table holds the members of the specification, obsolete and non-standard ones that
        /// browsers send, and Chrome's statistics before webrtc-stats. Others are kept by name
        /// too, see [`StatsObject::get_by_name`](super::StatsObject::get_by_name).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        #[non_exhaustive]
        #[allow(missing_docs, reason = "the macro writes the name as documentation")]
        pub enum Field {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl Field {
            /// Every known member, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub(super) const NAMES: &'static [&'static str] = &[$($name,)*];

            /// The names with quotes and colon.
            pub(super) const QUOTED: &'static [&'static str] = &[$(concat!("\"", $name, "\":"),)*];

            pub(super) const KEYS: &'static [&'static str] =
                &[$(key!($name $(/ $letter)? $(= $number)?),)*];

            /// The keys that are short enough, as words.
            pub(super) const KEY_WORDS: &'static [KeyWord] =
                &[$(KeyWord::new(key!($name $(/ $letter)? $(= $number)?)),)*];

            const NUMBERS: &'static [Option<u16>] = &[$(number!($($number)?),)*];
        }
    };
}

fields! {
    // webrtc-stats members with a number in rtcstats 5.0, in the order of the numbers
    Timestamp "timestamp" / "t",
    PayloadType "payloadType" = 4,
    TransportId "transportId" = 5,
    MimeType "mimeType" = 6,
    ClockRate "clockRate" = 7,
    Channels "channels" = 8,
    SdpFmtpLine "sdpFmtpLine" = 9,
    Ssrc "ssrc" = 10,
    Kind "kind" = 11,
    CodecId "codecId" = 12,
    PacketsReceived "packetsReceived" = 14,
    PacketsLost "packetsLost" = 15,
    Jitter "jitter" = 16,
    TrackIdentifier "trackIdentifier" = 17,
    Mid "mid" = 18,
    RemoteId "remoteId" = 19,
    FramesDecoded "framesDecoded" = 20,
    KeyFramesDecoded "keyFramesDecoded" = 21,
    FramesDropped "framesDropped" = 22,
    FrameWidth "frameWidth" = 23,
    FrameHeight "frameHeight" = 24,
    FramesPerSecond "framesPerSecond" = 25,
    QpSum "qpSum" = 26,
    TotalDecodeTime "totalDecodeTime" = 27,
    TotalInterFrameDelay "totalInterFrameDelay" = 28,
    TotalSquaredInterFrameDelay "totalSquaredInterFrameDelay" = 29,
    PauseCount "pauseCount" = 30,
    TotalPausesDuration "totalPausesDuration" = 31,
    FreezeCount "freezeCount" = 32,
    TotalFreezesDuration "totalFreezesDuration" = 33,
    LastPacketReceivedTimestamp "lastPacketReceivedTimestamp" = 34,
    HeaderBytesReceived "headerBytesReceived" = 35,
    PacketsDiscarded "packetsDiscarded" = 36,
    FecPacketsReceived "fecPacketsReceived" = 37,
    FecPacketsDiscarded "fecPacketsDiscarded" = 38,
    FecBytesReceived "fecBytesReceived" = 39,
    FecSsrc "fecSsrc" = 40,
    BytesReceived "bytesReceived" = 41,
    NackCount "nackCount" = 42,
    FirCount "firCount" = 43,
    PliCount "pliCount" = 44,
    TotalProcessingDelay "totalProcessingDelay" = 45,
    EstimatedPlayoutTimestamp "estimatedPlayoutTimestamp" = 46,
    JitterBufferDelay "jitterBufferDelay" = 47,
    JitterBufferTargetDelay "jitterBufferTargetDelay" = 48,
    JitterBufferEmittedCount "jitterBufferEmittedCount" = 49,
    JitterBufferMinimumDelay "jitterBufferMinimumDelay" = 50,
    TotalSamplesReceived "totalSamplesReceived" = 51,
    ConcealedSamples "concealedSamples" = 52,
    SilentConcealedSamples "silentConcealedSamples" = 53,
    ConcealmentEvents "concealmentEvents" = 54,
    InsertedSamplesForDeceleration "insertedSamplesForDeceleration" = 55,
    RemovedSamplesForAcceleration "removedSamplesForAcceleration" = 56,
    AudioLevel "audioLevel" = 57,
    TotalAudioEnergy "totalAudioEnergy" = 58,
    TotalSamplesDuration "totalSamplesDuration" = 59,
    FramesReceived "framesReceived" = 60,
    DecoderImplementation "decoderImplementation" = 61,
    PlayoutId "playoutId" = 62,
    PowerEfficientDecoder "powerEfficientDecoder" = 63,
    FramesAssembledFromMultiplePackets "framesAssembledFromMultiplePackets" = 64,
    TotalAssemblyTime "totalAssemblyTime" = 65,
    ContentType "contentType" = 66,
    GoogTimingFrameInfo "googTimingFrameInfo" = 67,
    RetransmittedPacketsReceived "retransmittedPacketsReceived" = 68,
    RetransmittedBytesReceived "retransmittedBytesReceived" = 69,
    RtxSsrc "rtxSsrc" = 70,
    TotalCorruptionProbability "totalCorruptionProbability" = 71,
    TotalSquaredCorruptionProbability "totalSquaredCorruptionProbability" = 72,
    CorruptionMeasurements "corruptionMeasurements" = 73,
    LocalId "localId" = 74,
    RoundTripTime "roundTripTime" = 75,
    TotalRoundTripTime "totalRoundTripTime" = 76,
    FractionLost "fractionLost" = 77,
    RoundTripTimeMeasurements "roundTripTimeMeasurements" = 78,
    PacketsSent "packetsSent" = 79,
    BytesSent "bytesSent" = 80,
    MediaSourceId "mediaSourceId" = 81,
    Rid "rid" = 82,
    EncodingIndex "encodingIndex" = 83,
    HeaderBytesSent "headerBytesSent" = 84,
    RetransmittedPacketsSent "retransmittedPacketsSent" = 85,
    RetransmittedBytesSent "retransmittedBytesSent" = 86,
    TargetBitrate "targetBitrate" = 87,
    TotalEncodedBytesTarget "totalEncodedBytesTarget" = 88,
    FramesSent "framesSent" = 89,
    HugeFramesSent "hugeFramesSent" = 90,
    FramesEncoded "framesEncoded" = 91,
    KeyFramesEncoded "keyFramesEncoded" = 92,
    TotalEncodeTime "totalEncodeTime" = 93,
    TotalPacketSendDelay "totalPacketSendDelay" = 94,
    QualityLimitationReason "qualityLimitationReason" = 95,
    QualityLimitationDurations "qualityLimitationDurations" = 96,
    QualityLimitationResolutionChanges "qualityLimitationResolutionChanges" = 97,
    EncoderImplementation "encoderImplementation" = 98,
    PowerEfficientEncoder "powerEfficientEncoder" = 99,
    Active "active" = 100,
    ScalabilityMode "scalabilityMode" = 101,
    RemoteTimestamp "remoteTimestamp" = 102,
    ReportsSent "reportsSent" = 103,
    EchoReturnLoss "echoReturnLoss" = 104,
    EchoReturnLossEnhancement "echoReturnLossEnhancement" = 105,
    Width "width" = 106,
    Height "height" = 107,
    Frames "frames" = 108,
    SynthesizedSamplesDuration "synthesizedSamplesDuration" = 109,
    SynthesizedSamplesEvents "synthesizedSamplesEvents" = 110,
    TotalPlayoutDelay "totalPlayoutDelay" = 111,
    TotalSamplesCount "totalSamplesCount" = 112,
    DataChannelsOpened "dataChannelsOpened" = 113,
    DataChannelsClosed "dataChannelsClosed" = 114,
    Label "label" = 115,
    Protocol "protocol" = 116,
    DataChannelIdentifier "dataChannelIdentifier" = 117,
    State "state" = 118,
    MessagesSent "messagesSent" = 119,
    MessagesReceived "messagesReceived" = 120,
    IceRole "iceRole" = 121,
    IceLocalUsernameFragment "iceLocalUsernameFragment" = 122,
    DtlsState "dtlsState" = 123,
    IceState "iceState" = 124,
    SelectedCandidatePairId "selectedCandidatePairId" = 125,
    LocalCertificateId "localCertificateId" = 126,
    RemoteCertificateId "remoteCertificateId" = 127,
    TlsVersion "tlsVersion" = 128,
    DtlsCipher "dtlsCipher" = 129,
    DtlsRole "dtlsRole" = 130,
    SrtpCipher "srtpCipher" = 131,
    SelectedCandidatePairChanges "selectedCandidatePairChanges" = 132,
    RtcpTransportStatsId "rtcpTransportStatsId" = 133,
    Address "address" = 134,
    Port "port" = 135,
    CandidateType "candidateType" = 136,
    Priority "priority" = 137,
    Url "url" = 138,
    RelayProtocol "relayProtocol" = 139,
    Foundation "foundation" = 140,
    RelatedAddress "relatedAddress" = 141,
    RelatedPort "relatedPort" = 142,
    UsernameFragment "usernameFragment" = 143,
    TcpType "tcpType" = 144,
    NetworkType "networkType" = 145,
    LocalCandidateId "localCandidateId" = 148,
    RemoteCandidateId "remoteCandidateId" = 149,
    Nominated "nominated" = 150,
    LastPacketSentTimestamp "lastPacketSentTimestamp" = 151,
    CurrentRoundTripTime "currentRoundTripTime" = 152,
    AvailableOutgoingBitrate "availableOutgoingBitrate" = 153,
    AvailableIncomingBitrate "availableIncomingBitrate" = 154,
    RequestsReceived "requestsReceived" = 155,
    RequestsSent "requestsSent" = 156,
    ResponsesReceived "responsesReceived" = 157,
    ResponsesSent "responsesSent" = 158,
    ConsentRequestsSent "consentRequestsSent" = 159,
    PacketsDiscardedOnSend "packetsDiscardedOnSend" = 160,
    BytesDiscardedOnSend "bytesDiscardedOnSend" = 161,
    Fingerprint "fingerprint" = 163,
    FingerprintAlgorithm "fingerprintAlgorithm" = 164,
    Base64Certificate "base64Certificate" = 165,
    IssuerCertificateId "issuerCertificateId" = 166,
    // Members that rtcstats 5.0 only decodes
    PsnrMeasurements "psnrMeasurements" = 167,
    PsnrSum "psnrSum" = 168,
    PacketsReceivedWithEct1 "packetsReceivedWithEct1" = 169,
    PacketsReceivedWithCe "packetsReceivedWithCe" = 170,
    PacketsReportedAsLost "packetsReportedAsLost" = 171,
    PacketsReportedAsLostButRecovered "packetsReportedAsLostButRecovered" = 172,
    PacketsWithBleachedEct1Marking "packetsWithBleachedEct1Marking" = 173,
    PacketsSentWithEct1 "packetsSentWithEct1" = 174,
    CcfbMessagesSent "ccfbMessagesSent" = 175,
    CcfbMessagesReceived "ccfbMessagesReceived" = 176,
    // Members of every object
    Id "id",
    Type "type",
    // webrtc-stats members without a number
    JitterBufferFlushes "jitterBufferFlushes",
    PacketsDuplicated "packetsDuplicated",
    PacketsRepaired "packetsRepaired",
    PacketsFailedDecryption "packetsFailedDecryption",
    BurstPacketsLost "burstPacketsLost",
    BurstDiscardCount "burstDiscardCount",
    PerDscpPacketsReceived "perDscpPacketsReceived",
    PerDscpPacketsSent "perDscpPacketsSent",
    AverageRtcpInterval "averageRtcpInterval",
    BytesDiscarded "bytesDiscarded",
    LastRequestTimestamp "lastRequestTimestamp",
    LastResponseTimestamp "lastResponseTimestamp",
    FirstRequestTimestamp "firstRequestTimestamp",
    RetransmissionsReceived "retransmissionsReceived",
    RetransmissionsSent "retransmissionsSent",
    ConsentExpiredTimestamp "consentExpiredTimestamp",
    CircuitBreakerTriggerCount "circuitBreakerTriggerCount",
    DataChannelsRequested "dataChannelsRequested",
    DataChannelsAccepted "dataChannelsAccepted",
    SliCount "sliCount",
    FramesRendered "framesRendered",
    PartialFramesLost "partialFramesLost",
    FullFramesLost "fullFramesLost",
    BitDepth "bitDepth",
    FrameBitDepth "frameBitDepth",
    VoiceActivityFlag "voiceActivityFlag",
    CodecType "codecType",
    TlsGroup "tlsGroup",
    // Members that rtcstats 5.0 removes before it encodes
    MediaType "mediaType",
    IsRemote "isRemote",
    Ip "ip",
    Writable "writable",
    // Obsolete and non-standard members of older browsers
    TrackId "trackId",
    TrackIds "trackIds",
    StreamIdentifier "streamIdentifier",
    RemoteSource "remoteSource",
    Ended "ended",
    Detached "detached",
    Selected "selected",
    Readable "readable",
    Transport "transport",
    IpAddress "ipAddress",
    PortNumber "portNumber",
    DiscardedPackets "discardedPackets",
    DroppedFrames "droppedFrames",
    BitrateMean "bitrateMean",
    BitrateStdDev "bitrateStdDev",
    FramerateMean "framerateMean",
    FramerateStdDev "framerateStdDev",
    StunKeepaliveRequestsSent "stunKeepaliveRequestsSent",
    StunKeepaliveResponsesReceived "stunKeepaliveResponsesReceived",
    StunKeepaliveRttTotal "stunKeepaliveRttTotal",
    StunKeepaliveRttSquaredTotal "stunKeepaliveRttSquaredTotal",
    AudioInputLevel "audioInputLevel",
    AudioOutputLevel "audioOutputLevel",
    CodecImplementationName "codecImplementationName",
    Datachannelid "datachannelid",
    Deleted "deleted",
    // Chrome's statistics before webrtc-stats
    GoogCurrentDelayMs "googCurrentDelayMs",
    GoogJitterBufferMs "googJitterBufferMs",
    GoogRtt "googRtt",
    GoogDecodingNormal "googDecodingNormal",
    GoogDecodingCTN "googDecodingCTN",
    GoogJitterReceived "googJitterReceived",
    GoogInterframeDelayMax "googInterframeDelayMax",
    GoogTargetDelayMs "googTargetDelayMs",
    GoogFrameRateReceived "googFrameRateReceived",
    GoogTransmitBitrate "googTransmitBitrate",
    GoogActualEncBitrate "googActualEncBitrate",
    GoogFrameRateOutput "googFrameRateOutput",
    GoogFrameRateDecoded "googFrameRateDecoded",
    GoogCaptureStartNtpTimeMs "googCaptureStartNtpTimeMs",
    GoogDecodeMs "googDecodeMs",
    GoogTrackId "googTrackId",
    GoogAvgEncodeMs "googAvgEncodeMs",
    GoogEncodeUsagePercent "googEncodeUsagePercent",
    GoogRemoteAddress "googRemoteAddress",
    GoogLocalAddress "googLocalAddress",
    GoogAccelerateRate "googAccelerateRate",
    GoogMaxDecodeMs "googMaxDecodeMs",
    GoogReadable "googReadable",
    GoogBucketDelay "googBucketDelay",
    GoogFrameRateInput "googFrameRateInput",
    GoogWritable "googWritable",
    GoogRemoteCandidateType "googRemoteCandidateType",
    GoogLocalCandidateType "googLocalCandidateType",
    GoogTransportType "googTransportType",
    GoogChannelId "googChannelId",
    GoogActiveConnection "googActiveConnection",
    GoogCodecName "googCodecName",
    GoogDecodingPLC "googDecodingPLC",
    GoogFrameRateSent "googFrameRateSent",
    GoogAvailableSendBandwidth "googAvailableSendBandwidth",
    GoogPreemptiveExpandRate "googPreemptiveExpandRate",
    GoogSpeechExpandRate "googSpeechExpandRate",
    GoogExpandRate "googExpandRate",
    GoogPreferredJitterBufferMs "googPreferredJitterBufferMs",
    GoogPlisReceived "googPlisReceived",
    GoogTargetEncBitrate "googTargetEncBitrate",
    GoogFrameWidthReceived "googFrameWidthReceived",
    GoogFrameHeightReceived "googFrameHeightReceived",
    GoogPlisSent "googPlisSent",
    GoogDecodingPLCCNG "googDecodingPLCCNG",
    GoogDecodingMuted "googDecodingMuted",
    GoogContentType "googContentType",
    GoogNacksSent "googNacksSent",
    GoogFrameWidthSent "googFrameWidthSent",
    GoogFrameHeightSent "googFrameHeightSent",
    GoogSecondaryDiscardedRate "googSecondaryDiscardedRate",
    GoogSecondaryDecodedRate "googSecondaryDecodedRate",
    GoogRenderDelayMs "googRenderDelayMs",
    GoogMinPlayoutDelayMs "googMinPlayoutDelayMs",
    GoogFirsSent "googFirsSent",
    GoogDecodingCTSG "googDecodingCTSG",
    GoogDecodingCNG "googDecodingCNG",
    GoogFingerprintAlgorithm "googFingerprintAlgorithm",
    GoogFingerprint "googFingerprint",
    GoogDerBase64 "googDerBase64",
    GoogFirstFrameReceivedToDecodedMs "googFirstFrameReceivedToDecodedMs",
    GoogEchoCancellationReturnLoss "googEchoCancellationReturnLoss",
    GoogBandwidthLimitedResolution "googBandwidthLimitedResolution",
    GoogTypingNoiseState "googTypingNoiseState",
    GoogRetransmitBitrate "googRetransmitBitrate",
    GoogNacksReceived "googNacksReceived",
    GoogInitiator "googInitiator",
    GoogHasEnteredLowResolution "googHasEnteredLowResolution",
    GoogFrameWidthInput "googFrameWidthInput",
    GoogFrameHeightInput "googFrameHeightInput",
    GoogFirsReceived "googFirsReceived",
    GoogEchoCancellationReturnLossEnhancement "googEchoCancellationReturnLossEnhancement",
    GoogCpuLimitedResolution "googCpuLimitedResolution",
    GoogComponent "googComponent",
    GoogAvailableReceiveBandwidth "googAvailableReceiveBandwidth",
    GoogAdaptationChanges "googAdaptationChanges",
}

static BY_NAME: LazyLock<HashMap<&'static str, Field, FixedState>> = LazyLock::new(|| {
    Field::ALL
        .iter()
        .map(|field| (field.as_str(), *field))
        .collect()
});

/// By number in rtcstats 5.0.
const BY_NUMBER: [Option<Field>; 177] = by_number();

#[expect(clippy::indexing_slicing, reason = "checked while compiling")]
const fn by_number() -> [Option<Field>; 177] {
    let mut table = [None; 177];
    let mut place = 0;
    while place < Field::ALL.len() {
        if let Some(number) = Field::NUMBERS[place] {
            table[number as usize] = Some(Field::ALL[place]);
        }
        place += 1;
    }
    table
}

impl Field {
    /// The member with this name, if it is known.
    ///
    /// ```
    /// use rtcstats_proto::stats::Field;
    /// assert_eq!(Field::from_name("packetsLost"), Some(Field::PacketsLost));
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        BY_NAME.get(name).copied()
    }

    /// The member that this number stands for in the deltas of rtcstats 5.0.
    ///
    /// ```
    /// use rtcstats_proto::stats::Field;
    /// assert_eq!(Field::from_number(80), Some(Field::BytesSent));
    /// assert_eq!(Field::from_number(13), None);
    /// ```
    pub fn from_number(number: u16) -> Option<Self> {
        BY_NUMBER.get(usize::from(number)).copied().flatten()
    }

    /// The member that this letter or canonical decimal number stands for in rtcstats 5.0.
    pub(crate) fn from_key(key: &str) -> Option<Self> {
        if key == Self::Timestamp.key() {
            return Some(Self::Timestamp);
        }
        Self::from_number(u16::try_from(array_index(key)?).ok()?)
    }

    /// The name in `getStats()`.
    pub const fn as_str(self) -> &'static str {
        entry(Self::NAMES, self as usize)
    }

    /// The key in the deltas of rtcstats 5.0: letter, number, or the name where it has none.
    pub(crate) const fn key(self) -> &'static str {
        entry(Self::KEYS, self as usize)
    }

    /// The number that clients of rtcstats 5.0 send. They only understand the numbers behind it.
    pub(crate) fn sent_number(self) -> Option<u16> {
        const LAST: u16 = 166;
        self.number().filter(|number| *number <= LAST)
    }

    /// The key that clients of rtcstats 5.0 send.
    pub(crate) fn sent_key(self) -> &'static str {
        let is_sent = self == Self::Timestamp || self.sent_number().is_some();
        if is_sent { self.key() } else { self.as_str() }
    }

    /// Whether rtcstats 5.0 has a shorter key for it.
    pub(crate) fn has_short_key(self) -> bool {
        self.key() != self.as_str()
    }

    /// Whether it says, where it is no number, what an object is or which others belong to it. As a
    /// rule such a member is as it was in the first report; see [`Stats::layout`](super::Stats::layout).
    pub const fn is_descriptive(self) -> bool {
        matches!(
            self,
            Self::Id
                | Self::Type
                | Self::Ssrc
                | Self::Kind
                | Self::MediaType
                | Self::Rid
                | Self::IsRemote
                // Other objects
                | Self::RemoteId
                | Self::LocalId
                | Self::CodecId
                | Self::TrackId
                | Self::TrackIdentifier
                | Self::MediaSourceId
                | Self::TransportId
                | Self::SelectedCandidatePairId
                | Self::LocalCandidateId
                | Self::RemoteCandidateId
                // Which pair
                | Self::State
                | Self::Nominated
                | Self::Selected
                | Self::GoogActiveConnection
                // Candidates
                | Self::CandidateType
                | Self::Address
                | Self::Ip
                | Self::IpAddress
                | Self::Port
                | Self::Protocol
                | Self::RelayProtocol
                | Self::NetworkType
                | Self::Url
                // Codecs
                | Self::MimeType
                | Self::SdpFmtpLine
                | Self::EncoderImplementation
                | Self::DecoderImplementation
                | Self::PowerEfficientEncoder
                | Self::PowerEfficientDecoder
                // Encryption
                | Self::TlsVersion
                | Self::DtlsRole
                | Self::DtlsCipher
                | Self::SrtpCipher
        )
    }

    /// The number that stands for it in the deltas of rtcstats 5.0, if it has one.
    pub fn number(self) -> Option<u16> {
        Self::NUMBERS.get(self as usize).copied().flatten()
    }
}

/// `table[place]`; every field has its place.
#[expect(clippy::indexing_slicing, reason = "`get` is not const")]
const fn entry(table: &'static [&'static str], place: usize) -> &'static str {
    table[place]
}

impl fmt::Debug for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_and_numbers_are_unique() {
        let names: HashSet<_> = Field::ALL.iter().map(|field| field.as_str()).collect();
        assert_eq!(names.len(), Field::ALL.len());
        let numbers: Vec<_> = Field::ALL
            .iter()
            .filter_map(|field| field.number())
            .collect();
        assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), numbers.len());
    }

    #[test]
    fn names_lead_back_to_their_field() {
        for field in Field::ALL {
            assert_eq!(Field::from_name(field.as_str()), Some(*field));
        }
        assert_eq!(Field::from_name("nothing"), None);
        assert_eq!(Field::PacketsLost.number(), Some(15));
    }

    #[test]
    fn keys_lead_back_to_their_field() {
        for field in Field::ALL.iter().filter(|field| field.has_short_key()) {
            assert_eq!(Field::from_key(field.key()), Some(*field));
        }
        assert_eq!(Field::from_key("t"), Some(Field::Timestamp));
        assert_eq!(Field::from_key("80"), Some(Field::BytesSent));
        assert_eq!(Field::PsnrSum.sent_key(), "psnrSum");
        assert_eq!(Field::IssuerCertificateId.sent_key(), "166");
        assert_eq!(Field::Timestamp.sent_key(), "t");
        for key in ["080", "8e1", "13", "177", "65616", "type", "timestamp", ""] {
            assert_eq!(Field::from_key(key), None, "{key}");
        }
    }
}
