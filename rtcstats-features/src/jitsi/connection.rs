//! One peer connection (§11.4, §11.6, §11.8).

use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Method, RawJson};
use serde_json::Value as Json;

use super::budget::Budget;
use super::candidate_pair::PairHistory;
use super::metrics::duration;
use super::track_reports::TrackReports;
use super::video::{VideoHistory, VideoObject};
use super::{PcAggregate, StatsFormat, TransportAggregates};
use crate::room::fill;
use crate::statistics::round2;

/// What is known of one peer connection.
pub(super) struct Connection {
    pub(super) is_p2p: Json,
    dtls_errors: u64,
    dtls_failures: u64,
    sdp_create_failures: u64,
    sdp_set_failures: u64,
    /// None if the event had no time, 0 if there was no event.
    last_ice_failure: Option<f64>,
    last_ice_disconnect: Option<f64>,
    connected: u64,
    failed: bool,
    /// When it was connected first; 0 if never.
    start: f64,
    /// Of its last event since then.
    end: f64,
    /// How the last report was looked at.
    reading: Option<Reading>,
    pair: PairHistory,
    pub(super) tracks: TrackReports,
    video_objects: Vec<VideoObject>,
    video: VideoHistory,
}

/// What decides which objects of a report are looked at, and where.
#[derive(Clone, Copy, PartialEq)]
struct Reading {
    layout: u64,
    format: StatsFormat,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            is_p2p: Json::Null,
            dtls_errors: 0,
            dtls_failures: 0,
            sdp_create_failures: 0,
            sdp_set_failures: 0,
            last_ice_failure: Some(0.0),
            last_ice_disconnect: Some(0.0),
            connected: 0,
            failed: false,
            start: 0.0,
            end: 0.0,
            reading: None,
            pair: PairHistory::default(),
            tracks: TrackReports::default(),
            video_objects: Vec::new(),
            video: VideoHistory::default(),
        }
    }
}

impl Connection {
    pub(super) fn take(
        &mut self,
        method: Method,
        value: RawJson<'_>,
        timestamp: Option<f64>,
        format: StatsFormat,
    ) {
        match method {
            Method::OnConnectionStateChange => {
                let is_connected = value.is_text("connected");
                if self.start == 0.0 && (is_connected || value.is_text("completed")) {
                    self.start = timestamp.unwrap_or_default();
                }
                self.connected += u64::from(is_connected);
                self.failed |= value.is_text("failed");
            }
            Method::OnIceConnectionStateChange if value.is_text("disconnected") => {
                self.last_ice_disconnect = timestamp;
            }
            Method::OnIceConnectionStateChange if value.is_text("failed") => {
                self.last_ice_failure = timestamp;
            }
            Method::CreateOfferOnFailure | Method::CreateAnswerOnFailure => {
                self.sdp_create_failures += 1;
            }
            Method::SetLocalDescriptionOnFailure | Method::SetRemoteDescriptionOnFailure => {
                self.sdp_set_failures += 1;
            }
            Method::OnDtlsError => self.dtls_errors += 1,
            Method::OnDtlsStateChange if value.is_text("failed") => {
                // Firefox reports a failure when the other side has gone.
                let was_disconnected = self.last_ice_disconnect != Some(0.0);
                let is_expected = format == StatsFormat::Firefox && was_disconnected;
                self.dtls_failures += u64::from(!is_expected);
            }
            _ => {}
        }
    }

    /// What every line of the connection does.
    pub(super) fn note_time(&mut self, timestamp: f64) {
        if self.start != 0.0 {
            self.end = timestamp;
        }
    }

    /// Takes a merged report (§11.6). A partial one, as of an import, lacks what the remote reported at
    /// another time.
    pub(super) fn take_report(
        &mut self,
        stats: &Stats,
        format: StatsFormat,
        is_partial: bool,
        timestamp: Option<f64>,
        budget: &mut Budget<'_>,
    ) {
        let reading = Reading {
            layout: stats.layout(),
            format,
        };
        if self.reading != Some(reading) {
            self.reading = Some(reading);
            self.arrange(stats, format);
        }
        self.pair.take(stats, budget);
        self.tracks.take(stats, is_partial, timestamp, budget);
        self.video
            .take(&self.video_objects, stats, budget.limits.mean_runs);
    }

    /// Walks through all objects for those that features are made of.
    fn arrange(&mut self, stats: &Stats, format: StatsFormat) {
        self.pair.arrange(stats, format);
        self.tracks.arrange(stats, format);
        let objects = stats.iter().filter(|object| object.is_object());
        fill(
            &mut self.video_objects,
            objects.filter_map(|object| VideoObject::of(object, format)),
        );
    }

    pub(super) fn inexact_means(&self) -> u64 {
        u64::from(self.pair.round_trip_times.is_capped()) + self.video.inexact_means()
    }

    pub(super) fn aggregate(&self) -> PcAggregate {
        let is_over = self.start != 0.0 && self.end != 0.0;
        let (tracks, track_aggregates) = self.tracks.tracks.rows();
        PcAggregate {
            is_p2p: self.is_p2p.clone(),
            uses_relay: self.pair.data.as_ref().map(|pair| pair.is_using_relay),
            dtls_errors: self.dtls_errors,
            dtls_failure: self.dtls_failures,
            sdp_create_failure: self.sdp_create_failures,
            sdp_set_failure: self.sdp_set_failures,
            last_ice_failure: self.last_ice_failure,
            last_ice_disconnect: self.last_ice_disconnect,
            candidate_pair_data: self.pair.data.clone(),
            tracks,
            track_aggregates,
            transport_aggregates: TransportAggregates {
                mean_rtt: round2(self.pair.round_trip_times.value()),
            },
            ice_reconnects: self.connected.saturating_sub(1),
            pc_session_duration_ms: if is_over {
                duration(self.start, self.end)
            } else {
                0.0
            },
            connection_failed: self.failed,
            inbound_video_experience: self.video.experience(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{CHROME, FIREFOX, aggregate};
    use super::*;

    fn event(name: &str, value: Json, time: u64) -> Json {
        json!([name, "PC_0", value, time])
    }

    fn state(value: &str, time: u64) -> Json {
        event("onconnectionstatechange", json!(value), time)
    }

    #[test]
    fn a_connection_lasts_from_being_connected_to_its_last_line() {
        let found = aggregate(
            CHROME,
            &[
                state("connecting", 10),
                state("connected", 20),
                state("connected", 30),
                event("x", json!(0), 50),
                event("x", json!(0), 45),
            ],
        );
        assert_eq!(found["pcSessionDurationMs"], 25);
        assert_eq!(found["iceReconnects"], 1);
        assert_eq!(found["connectionFailed"], false);
        let found = aggregate(
            CHROME,
            &[event("create", json!({}), 10), state("failed", 30)],
        );
        assert_eq!(found["pcSessionDurationMs"], 0);
        assert_eq!(
            (&found["iceReconnects"], &found["connectionFailed"]),
            (&json!(0), &json!(true))
        );
        let completed = [state("completed", 10), event("x", json!(0), 30)];
        assert_eq!(aggregate(CHROME, &completed)["pcSessionDurationMs"], 20);
    }

    #[test]
    fn nothing_is_known_of_a_connection_at_first() {
        let found = aggregate(CHROME, &[event("x", json!(0), 5)]);
        assert_eq!(found["isP2P"], json!(null));
        assert_eq!(found["usesRelay"], json!(null));
        assert_eq!(found["candidatePairData"], json!({}));
        assert_eq!(
            (&found["lastIceFailure"], &found["lastIceDisconnect"]),
            (&json!(0), &json!(0))
        );
        assert_eq!(found.get("inboundVideoExperience"), None);
    }

    #[test]
    fn failures_are_counted() {
        let names = [
            "createOfferOnFailure",
            "createAnswerOnFailure",
            "setLocalDescriptionOnFailure",
            "setRemoteDescriptionOnFailure",
            "setRemoteDescriptionOnFailure",
            "ondtlserror",
        ];
        let events: Vec<_> = names
            .iter()
            .map(|name| event(name, json!("e"), 5))
            .collect();
        let found = aggregate(CHROME, &events);
        assert_eq!(
            (&found["sdpCreateFailure"], &found["sdpSetFailure"]),
            (&json!(2), &json!(3))
        );
        assert_eq!(found["dtlsErrors"], 1);
    }

    #[test]
    fn ice_failures_leave_their_time() {
        let ice = |value: &str, time: u64| event("oniceconnectionstatechange", json!(value), time);
        let found = aggregate(
            CHROME,
            &[
                ice("disconnected", 5),
                ice("failed", 6),
                ice("disconnected", 7),
                ice("connected", 8),
            ],
        );
        assert_eq!(
            (&found["lastIceFailure"], &found["lastIceDisconnect"]),
            (&json!(6), &json!(7))
        );
    }

    #[test]
    fn in_firefox_a_dtls_failure_behind_a_disconnect_is_expected() {
        let failed = event("ondtlsstatechange", json!("failed"), 5);
        let disconnected = event("oniceconnectionstatechange", json!("disconnected"), 5);
        let events = [failed.clone(), disconnected, failed];
        assert_eq!(aggregate(FIREFOX, &events)["dtlsFailure"], 1);
        assert_eq!(aggregate(CHROME, &events)["dtlsFailure"], 2);
    }
}
