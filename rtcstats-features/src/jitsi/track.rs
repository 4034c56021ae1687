//! One track (§11.6, §11.8).

use rtcstats_proto::json::Value;
use serde_json::Value as Json;

use super::Track;
use super::budget::Budget;
use super::packets::{Concealment, MediaTypeValue, PacketCount, RtpSample};
use crate::javascript::{is_truthy, json_of, key, key_of};
use crate::statistics::{Variance, percent};

/// One track.
#[derive(Default)]
pub(super) struct TrackState {
    /// As first seen.
    pub(super) ssrc: Option<Json>,
    pub(super) start: Option<f64>,
    pub(super) end: Option<f64>,
    pub(super) media_type: Option<MediaType>,
    pub(super) video_type: Option<Json>,
    pub(super) sent: Option<PacketSeries>,
    pub(super) received: Option<PacketSeries>,
    pub(super) concealment: Option<Concealment>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum MediaType {
    Audio,
    Video,
    Other(Box<str>),
}

/// The packets of a track in one direction, report by report.
pub(super) struct PacketSeries {
    pub(super) last: PacketCount,
    /// Of the packets lost from report to report.
    losses: Variance,
}

impl TrackState {
    pub(super) fn new(ssrc: Option<Value<'_>>, timestamp: Option<f64>) -> Self {
        Self {
            ssrc: ssrc.map(json_of),
            start: timestamp,
            end: timestamp,
            ..Self::default()
        }
    }

    #[inline]
    pub(super) fn note_time(&mut self, timestamp: Option<f64>) {
        if let Some(timestamp) = timestamp.filter(|time| *time != 0.0) {
            let start = self.start.unwrap_or(f64::NAN);
            let is_known = !start.is_nan();
            self.end = Some(if is_known {
                start.max(timestamp)
            } else {
                f64::NAN
            });
        }
    }

    /// Takes what an object says of the track.
    #[inline]
    pub(super) fn take(&mut self, sample: &RtpSample<'_>, budget: &mut Budget<'_>) {
        if sample.sent.is_some() || sample.received.is_some() {
            self.set_media_type(sample.media_type, budget);
        }
        if let Some(count) = sample.sent {
            PacketSeries::add(&mut self.sent, count);
        }
        if let Some(count) = sample.received {
            PacketSeries::add(&mut self.received, count);
        }
        if sample.concealment.is_some() {
            self.concealment = sample.concealment;
        }
    }

    #[inline]
    fn set_media_type(&mut self, value: MediaTypeValue<'_>, budget: &mut Budget<'_>) {
        match (value, &self.media_type) {
            (MediaTypeValue::Audio, Some(MediaType::Audio))
            | (MediaTypeValue::Video, Some(MediaType::Video)) => {}
            (MediaTypeValue::Audio, _) => self.media_type = Some(MediaType::Audio),
            (MediaTypeValue::Video, _) => self.media_type = Some(MediaType::Video),
            (MediaTypeValue::Other(other), _) => self.set_other_media_type(other, budget),
        }
    }

    #[cold]
    fn set_other_media_type(&mut self, value: Option<Value<'_>>, budget: &mut Budget<'_>) {
        match (value, &self.media_type) {
            (Some(Value::Text("audio")), _) => self.media_type = Some(MediaType::Audio),
            (Some(Value::Text("video")), _) => self.media_type = Some(MediaType::Video),
            (Some(Value::Text(text)), Some(MediaType::Other(known))) if **known == *text => {}
            (other, _) => {
                self.media_type = other
                    .filter(|other| other.is_truthy())
                    .and_then(|other| budget.admitted(other))
                    .map(|other| MediaType::Other(key_of(Some(other)).into()));
            }
        }
    }

    pub(super) fn row(&self, media_type: &MediaType, series: &PacketSeries) -> Track {
        let last = series.last;
        let concealed = self
            .concealment
            .and_then(|audio| percent(audio.concealed, audio.samples));
        Track {
            media_type: self.full_media_type(media_type),
            ssrc: self.ssrc.clone(),
            packets: last.packets,
            packets_lost: last.lost,
            packets_lost_pct: lost_percent(last.lost.to_number(), last.packets),
            packets_lost_variance: series.losses.value(),
            concealed_percentage: concealed.filter(|pct| !pct.is_nan()).unwrap_or(0.0),
            start_time: self.start,
            end_time: self.end,
        }
    }

    fn full_media_type(&self, media_type: &MediaType) -> String {
        let media_type = match media_type {
            MediaType::Audio => "audio",
            MediaType::Video => "video",
            MediaType::Other(text) => text,
        };
        if is_truthy(self.video_type.as_ref()) {
            format!("{media_type}/{}", key(self.video_type.as_ref()))
        } else {
            media_type.to_owned()
        }
    }
}

impl PacketSeries {
    /// Takes the count of the next report.
    #[inline]
    fn add(series: &mut Option<Self>, count: PacketCount) {
        let Some(series) = series else {
            *series = Some(Self {
                last: count,
                losses: Variance::default(),
            });
            return;
        };
        let lost = count.lost.to_number() - series.last.lost.to_number();
        series.losses.add(lost);
        series.last = count;
    }
}

/// The lost of all packets in percent; 0 unless both make sense.
pub(super) fn lost_percent(lost: f64, packets: f64) -> f64 {
    let is_meaningful = packets != 0.0 && lost > 0.0 && lost < packets;
    let percent = is_meaningful.then(|| percent(lost, packets)).flatten();
    percent.filter(|percent| !percent.is_nan()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{CHROME, FIREFOX, aggregate, reports};
    use super::*;

    fn received(ssrc: Json, packets: u64, lost: i64) -> Json {
        json!({"type": "inbound-rtp", "ssrc": ssrc, "kind": "audio", "packetsReceived": packets, "packetsLost": lost})
    }

    fn receiver_tracks(events: &[Json]) -> Vec<Json> {
        let tracks = aggregate(CHROME, events)["tracks"]["receiverTracks"].take();
        tracks.as_array().unwrap().clone()
    }

    #[test]
    fn losses_are_those_of_the_last_report_and_vary_from_report_to_report() {
        let lost = [0, 2, 10, 8];
        let reports = reports(&lost.map(|lost| json!({"a": received(json!(7), 400, lost)})));
        let tracks = receiver_tracks(&reports);
        assert_eq!(tracks[0]["packetsLost"], 8);
        assert_eq!(tracks[0]["packetsLostPct"], 2);
        // Of 2, 8 and -2.
        let variance = tracks[0]["packetsLostVariance"].as_f64().unwrap();
        assert!((variance - 152.0 / 9.0).abs() < 1e-12);
        assert_eq!(
            (&tracks[0]["startTime"], &tracks[0]["endTime"]),
            (&json!(1000), &json!(4000))
        );
    }

    #[test]
    fn a_percentage_needs_fewer_losses_than_packets() {
        let percentage = |packets, lost| {
            receiver_tracks(&reports(&[json!({"a": received(json!(7), packets, lost)})]))[0]["packetsLostPct"].as_f64().unwrap()
        };
        assert_eq!(percentage(300, 1), 0.33);
        assert_eq!(
            (percentage(5, 5), percentage(5, -1), percentage(5, 0)),
            (0.0, 0.0, 0.0)
        );
    }

    #[test]
    fn an_unknown_loss_spoils_the_variance() {
        let remote = |lost: Json| json!({"a": {"type": "remote-inbound-rtp", "ssrc": 7, "kind": "audio", "packetsLost": lost}});
        let found = aggregate(
            FIREFOX,
            &reports(&[
                json!({"a": {"type": "remote-inbound-rtp", "ssrc": 7, "kind": "audio"}}),
                remote(json!(1)),
                remote(json!(2)),
            ]),
        );
        assert_eq!(
            found["tracks"]["senderTracks"][0]["packetsLostVariance"],
            json!(null)
        );
        assert_eq!(found["tracks"]["senderTracks"][0]["packetsLost"], 2);
    }

    #[test]
    fn a_track_without_start_has_no_end_that_is_a_number() {
        let report = json!({"a": received(json!(7), 5, 1)});
        let without_time = json!(["getstats", "PC_0", report]);
        let track = receiver_tracks(std::slice::from_ref(&without_time))[0].take();
        assert_eq!((track.get("startTime"), track.get("endTime")), (None, None));
        let track =
            receiver_tracks(&[without_time, json!(["getstats", "PC_0", report, 5])])[0].take();
        assert_eq!(
            (track.get("startTime"), track.get("endTime")),
            (None, Some(&json!(null)))
        );
    }
    #[test]
    fn a_track_does_not_end_before_its_start() {
        let report = json!({"a": received(json!(7), 5, 1)});
        let end = |times: &[u64]| {
            let events: Vec<_> = times
                .iter()
                .map(|time| json!(["getstats", "PC_0", report, time]))
                .collect();
            receiver_tracks(&events)[0]["endTime"].as_u64()
        };
        assert_eq!(end(&[50, 90, 70]), Some(70));
        assert_eq!(end(&[50, 20]), Some(50));
        assert_eq!(end(&[50, 90, 0]), Some(90));
    }
}
