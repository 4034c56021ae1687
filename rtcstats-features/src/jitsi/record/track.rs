//! The record of a track in one direction.

use serde::Serialize;
use serde_json::Value as Json;

use super::{CommonRecord, PcRecord};
use crate::javascript::number;
use crate::jitsi::sql_time::sql_time;
use crate::jitsi::{PacketsLost, Track};

/// The record of a track in one direction.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TrackRecord {
    /// Random.
    pub id: String,
    /// The id of its connection's record.
    pub pc_id: String,
    /// What all records of the session have.
    #[serde(flatten)]
    pub common: CommonRecord,
    /// [`PcRecord::is_p2p`].
    #[serde(rename = "isP2P")]
    pub is_p2p: Json,
    /// Which way it went.
    pub direction: Direction,
    /// [`Track::media_type`].
    pub media_type: String,
    /// [`Track::ssrc`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssrc: Option<Json>,
    /// [`Track::packets`].
    #[serde(serialize_with = "number")]
    pub packets: f64,
    /// [`Track::packets_lost`].
    #[serde(skip_serializing_if = "PacketsLost::is_absent")]
    pub packets_lost: PacketsLost,
    /// [`Track::packets_lost_pct`].
    #[serde(serialize_with = "number")]
    pub packets_lost_pct: f64,
    /// [`Track::packets_lost_variance`].
    #[serde(serialize_with = "number")]
    pub packets_lost_variance: f64,
    /// [`Track::concealed_percentage`].
    #[serde(serialize_with = "number")]
    pub concealed_percentage: f64,
    /// [`Track::start_time`] as SQL text; absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// [`Track::end_time`] as SQL text; absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
}

/// Which way a track went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the remote.
    Received,
    /// To the remote.
    Send,
}

impl TrackRecord {
    pub(super) fn new(id: String, direction: Direction, track: &Track, pc: &PcRecord) -> Self {
        let known = |time: Option<f64>| time.filter(|time| *time != 0.0).and_then(sql_time);
        Self {
            id,
            pc_id: pc.id.clone(),
            common: pc.common.clone(),
            is_p2p: pc.is_p2p.clone(),
            direction,
            media_type: track.media_type.clone(),
            ssrc: track.ssrc.clone(),
            packets: track.packets,
            packets_lost: track.packets_lost,
            packets_lost_pct: track.packets_lost_pct,
            packets_lost_variance: track.packets_lost_variance,
            concealed_percentage: track.concealed_percentage,
            start_time: known(track.start_time),
            end_time: known(track.end_time),
        }
    }
}
