//! The record of a peer connection.

use serde::Serialize;
use serde_json::Value as Json;

use super::CommonRecord;
use crate::javascript::{number, optional_number};
use crate::jitsi::PcAggregate;

/// The record of a peer connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PcRecord {
    /// Random.
    pub id: String,
    /// The key of the connection, such as `PC_0`.
    pub pcname: String,
    /// What all records of the session have.
    #[serde(flatten)]
    pub common: CommonRecord,
    /// [`PcAggregate::dtls_errors`].
    pub dtls_errors: u64,
    /// [`PcAggregate::dtls_failure`].
    pub dtls_failure: u64,
    /// [`PcAggregate::sdp_create_failure`].
    pub sdp_create_failure: u64,
    /// [`PcAggregate::sdp_set_failure`].
    pub sdp_set_failure: u64,
    /// [`PcAggregate::is_p2p`].
    #[serde(rename = "isP2P")]
    pub is_p2p: Json,
    /// [`PcAggregate::uses_relay`].
    pub uses_relay: Option<bool>,
    /// [`PcAggregate::ice_reconnects`].
    pub ice_reconnects: u64,
    /// [`PcAggregate::pc_session_duration_ms`].
    #[serde(serialize_with = "number")]
    pub pc_session_duration_ms: f64,
    /// [`PcAggregate::connection_failed`].
    pub connection_failed: bool,
    /// [`PcAggregate::last_ice_failure`], in Unix epoch milliseconds.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_ice_failure: Option<f64>,
    /// [`PcAggregate::last_ice_disconnect`], in Unix epoch milliseconds.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_ice_disconnect: Option<f64>,
    /// [`TrackAggregates::received_packets_lost_pct`](crate::jitsi::TrackAggregates::received_packets_lost_pct).
    #[serde(serialize_with = "number")]
    pub received_packets_lost_pct: f64,
    /// [`TrackAggregates::sent_packets_lost_pct`](crate::jitsi::TrackAggregates::sent_packets_lost_pct).
    #[serde(serialize_with = "number")]
    pub sent_packets_lost_pct: f64,
    /// [`TrackAggregates::total_packets_received`](crate::jitsi::TrackAggregates::total_packets_received).
    #[serde(serialize_with = "number")]
    pub total_packets_received: f64,
    /// [`TrackAggregates::total_packets_sent`](crate::jitsi::TrackAggregates::total_packets_sent).
    #[serde(serialize_with = "number")]
    pub total_packets_sent: f64,
    /// [`TrackAggregates::total_received_packets_lost`](crate::jitsi::TrackAggregates::total_received_packets_lost).
    #[serde(serialize_with = "number")]
    pub total_received_packets_lost: f64,
    /// [`TrackAggregates::total_sent_packets_lost`](crate::jitsi::TrackAggregates::total_sent_packets_lost).
    #[serde(serialize_with = "number")]
    pub total_sent_packets_lost: f64,
    /// [`TransportAggregates::mean_rtt`](crate::jitsi::TransportAggregates::mean_rtt), see there
    /// for the unit.
    #[serde(serialize_with = "number")]
    pub mean_rtt: f64,
    /// [`VideoBounds::mean_frame_height`](crate::jitsi::VideoBounds::mean_frame_height) of the
    /// largest videos.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub mean_upper_bound_frame_height: Option<f64>,
    /// [`VideoBounds::mean_frames_per_second`](crate::jitsi::VideoBounds::mean_frames_per_second)
    /// of the largest videos.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub mean_upper_bound_frames_per_second: Option<f64>,
    /// [`VideoBounds::mean_frame_height`](crate::jitsi::VideoBounds::mean_frame_height) of the
    /// smallest videos.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub mean_lower_bound_frame_height: Option<f64>,
    /// [`VideoBounds::mean_frames_per_second`](crate::jitsi::VideoBounds::mean_frames_per_second)
    /// of the smallest videos.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub mean_lower_bound_frames_per_second: Option<f64>,
    /// [`CandidatePairData::local_address`](crate::jitsi::CandidatePairData::local_address); absent
    /// without a selected pair, as those that follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_address: Option<Json>,
    /// [`CandidatePairData::local_candidate_type`](crate::jitsi::CandidatePairData::local_candidate_type).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_candidate_type: Option<Json>,
    /// [`CandidatePairData::local_protocol`](crate::jitsi::CandidatePairData::local_protocol).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_protocol: Option<Json>,
    /// [`CandidatePairData::remote_address`](crate::jitsi::CandidatePairData::remote_address).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_address: Option<Json>,
    /// [`CandidatePairData::remote_candidate_type`](crate::jitsi::CandidatePairData::remote_candidate_type).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_candidate_type: Option<Json>,
    /// [`CandidatePairData::remote_protocol`](crate::jitsi::CandidatePairData::remote_protocol).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_protocol: Option<Json>,
}

impl PcRecord {
    pub(super) fn new(
        id: String,
        name: &str,
        aggregate: &PcAggregate,
        common: CommonRecord,
    ) -> Self {
        let packets = &aggregate.track_aggregates;
        let video = aggregate.inbound_video_experience.as_ref();
        let upper = video.map(|video| video.upper_bound_aggregates);
        let lower = video.map(|video| video.lower_bound_aggregates);
        let pair = aggregate.candidate_pair_data.as_deref();
        Self {
            id,
            pcname: name.to_owned(),
            common,
            dtls_errors: aggregate.dtls_errors,
            dtls_failure: aggregate.dtls_failure,
            sdp_create_failure: aggregate.sdp_create_failure,
            sdp_set_failure: aggregate.sdp_set_failure,
            is_p2p: aggregate.is_p2p.clone(),
            uses_relay: aggregate.uses_relay,
            ice_reconnects: aggregate.ice_reconnects,
            pc_session_duration_ms: aggregate.pc_session_duration_ms,
            connection_failed: aggregate.connection_failed,
            last_ice_failure: aggregate.last_ice_failure,
            last_ice_disconnect: aggregate.last_ice_disconnect,
            received_packets_lost_pct: packets.received_packets_lost_pct,
            sent_packets_lost_pct: packets.sent_packets_lost_pct,
            total_packets_received: packets.total_packets_received,
            total_packets_sent: packets.total_packets_sent,
            total_received_packets_lost: packets.total_received_packets_lost,
            total_sent_packets_lost: packets.total_sent_packets_lost,
            mean_rtt: aggregate.transport_aggregates.mean_rtt,
            mean_upper_bound_frame_height: upper.and_then(|video| video.mean_frame_height),
            mean_upper_bound_frames_per_second: upper
                .and_then(|video| video.mean_frames_per_second),
            mean_lower_bound_frame_height: lower.and_then(|video| video.mean_frame_height),
            mean_lower_bound_frames_per_second: lower
                .and_then(|video| video.mean_frames_per_second),
            local_address: pair.map(|pair| pair.local_address.clone()),
            local_candidate_type: pair.map(|pair| pair.local_candidate_type.clone()),
            local_protocol: pair.map(|pair| pair.local_protocol.clone()),
            remote_address: pair.map(|pair| pair.remote_address.clone()),
            remote_candidate_type: pair.map(|pair| pair.remote_candidate_type.clone()),
            remote_protocol: pair.map(|pair| pair.remote_protocol.clone()),
        }
    }
}
