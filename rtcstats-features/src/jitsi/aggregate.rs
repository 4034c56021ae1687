//! What an extraction says of one peer connection (§11.3).

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::javascript::{empty_object, number, optional_number};

/// What happened on one peer connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PcAggregate {
    /// Whether it led to the other participant and not to a bridge: `rtcStatsSFUP2P` of its last
    /// `constraints`, as sent; a boolean in practice, null if unknown.
    #[serde(rename = "isP2P")]
    pub is_p2p: Json,
    /// Whether the selected candidate pair has a relay; null if none was seen.
    pub uses_relay: Option<bool>,
    /// `ondtlserror` events.
    pub dtls_errors: u64,
    /// DTLS transports that failed. In Firefox those after a disconnect do not count.
    pub dtls_failure: u64,
    /// Failed `createOffer` and `createAnswer` calls.
    pub sdp_create_failure: u64,
    /// Failed `setLocalDescription` and `setRemoteDescription` calls.
    pub sdp_set_failure: u64,
    /// When the ICE connection failed last; 0 if it never did.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_ice_failure: Option<f64>,
    /// When the ICE connection was lost last; 0 if it never was.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_ice_disconnect: Option<f64>,
    /// The candidate pair that was selected last; `{}` if none was seen.
    #[serde(serialize_with = "or_empty_object")]
    pub candidate_pair_data: Option<Box<CandidatePairData>>,
    /// Its media.
    pub tracks: Tracks,
    /// Packets of all its tracks.
    pub track_aggregates: TrackAggregates,
    /// Its transport.
    pub transport_aggregates: TransportAggregates,
    /// How often it connected again.
    pub ice_reconnects: u64,
    /// From the first time it was connected to its last event, in ms; 0 if it never was.
    #[serde(serialize_with = "number")]
    pub pc_session_duration_ms: f64,
    /// Whether its connection state was `failed` once.
    pub connection_failed: bool,
    /// How well video was received; absent if no report had a frame height, as always in Firefox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbound_video_experience: Option<VideoExperience>,
}

fn or_empty_object<S: Serializer>(
    pair: &Option<Box<CandidatePairData>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match pair {
        Some(pair) => pair.serialize(serializer),
        None => empty_object(serializer),
    }
}

/// A candidate pair (§11.6.1). Members of JSON type are as in the reports: texts and numbers in
/// practice, `""` where there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CandidatePairData {
    /// Stats id of the pair. Empty if the pair was brought by the very report that selected it,
    /// behind its transport.
    pub id: Json,
    /// Whether either candidate is a relay.
    pub is_using_relay: bool,
    /// `candidateType` of the local candidate.
    pub local_candidate_type: Json,
    /// `address` of the local candidate.
    pub local_address: Json,
    /// `port` of the local candidate.
    pub local_port: Json,
    /// `protocol` of the local candidate; for a relay its `relayProtocol`.
    pub local_protocol: Json,
    /// `candidateType` of the remote candidate.
    pub remote_candidate_type: Json,
    /// `address` of the remote candidate.
    pub remote_address: Json,
    /// `port` of the remote candidate.
    pub remote_port: Json,
    /// `protocol` of the remote candidate; for a relay its `relayProtocol`.
    pub remote_protocol: Json,
}

/// Tracks by direction. A track that was both sent and received, by what the reports say, is in
/// both.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Tracks {
    /// Tracks with received packets, those that the remote reports to have received included.
    pub receiver_tracks: Vec<Track>,
    /// Tracks with sent packets, those that the remote reports to have sent included.
    pub sender_tracks: Vec<Track>,
}

/// One track in one direction (§11.8).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Track {
    /// `audio` or `video`; behind a slash the video type, if one was announced (`video/desktop`).
    pub media_type: String,
    /// Its SSRC as first seen: a number, in Chrome's old statistics a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssrc: Option<Json>,
    /// Packets sent or received, from the last report.
    #[serde(serialize_with = "number")]
    pub packets: f64,
    /// Packets lost, from the last report; absent or null if that had none or null (Firefox).
    #[serde(skip_serializing_if = "PacketsLost::is_absent")]
    pub packets_lost: PacketsLost,
    /// `packets_lost` of `packets` in percent; 0 unless both make sense.
    #[serde(serialize_with = "number")]
    pub packets_lost_pct: f64,
    /// Population variance of the packets lost from report to report; null if they were unknown
    /// once.
    #[serde(serialize_with = "number")]
    pub packets_lost_variance: f64,
    /// Concealed samples of all received samples in percent, from the last report that had any
    /// concealed ones; 0 if none had.
    #[serde(serialize_with = "number")]
    pub concealed_percentage: f64,
    /// When it was first seen; absent if that event had no time.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub start_time: Option<f64>,
    /// When it was last seen; null if the start is absent.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub end_time: Option<f64>,
}

/// A number of lost packets as a report has it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum PacketsLost {
    /// Nothing.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// A number.
    Number(f64),
}

impl PacketsLost {
    /// Whether there is nothing, not even null.
    pub fn is_absent(&self) -> bool {
        *self == Self::Absent
    }

    /// JavaScript's number: NaN for nothing, 0 for null.
    pub fn to_number(self) -> f64 {
        match self {
            Self::Absent => f64::NAN,
            Self::Null => 0.0,
            Self::Number(number) => number,
        }
    }
}

impl Serialize for PacketsLost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent | Self::Null => serializer.serialize_unit(),
            Self::Number(value) => number(value, serializer),
        }
    }
}

/// Packets of all tracks of a connection (§11.8).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TrackAggregates {
    /// Sum over the sender tracks; null if one is unknown.
    #[serde(serialize_with = "number")]
    pub total_sent_packets_lost: f64,
    /// Sum over the sender tracks.
    #[serde(serialize_with = "number")]
    pub total_packets_sent: f64,
    /// The former of the latter in percent; 0 unless both make sense.
    #[serde(serialize_with = "number")]
    pub sent_packets_lost_pct: f64,
    /// Sum over the receiver tracks.
    #[serde(serialize_with = "number")]
    pub total_received_packets_lost: f64,
    /// Sum over the receiver tracks.
    #[serde(serialize_with = "number")]
    pub total_packets_received: f64,
    /// The former of the latter in percent; 0 unless both make sense.
    #[serde(serialize_with = "number")]
    pub received_packets_lost_pct: f64,
}

/// The transport of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TransportAggregates {
    /// Mean round-trip time, rounded to two decimals; 0 without samples, null if below 0.000001.
    /// In **seconds** (`currentRoundTripTime` of the selected pair, in Firefox `roundTripTime` of
    /// `remote-inbound-rtp`), but in milliseconds from Chrome's old statistics (`googRtt`).
    #[serde(serialize_with = "number")]
    pub mean_rtt: f64,
}

/// How well video was received: means over the reports of the largest and the smallest video in
/// each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct VideoExperience {
    /// Of the largest.
    pub upper_bound_aggregates: VideoBounds,
    /// Of the smallest.
    pub lower_bound_aggregates: VideoBounds,
}

/// Means over reports, rounded to two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct VideoBounds {
    /// `frameHeight` of `inbound-rtp`, in pixels; absent if not a number.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub mean_frame_height: Option<f64>,
    /// `framesPerSecond` of the same; absent if not a number.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub mean_frames_per_second: Option<f64>,
}
