//! The tracks of a peer connection (§11.6 to §11.8).

use std::collections::HashMap;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use rtcstats_proto::json::Value;
use serde_json::Value as Json;

use super::budget::Budget;
use super::track::{TrackState, lost_percent};
use super::{TrackAggregates, Tracks};
use crate::javascript::{array_index, is_identical, key, key_of};
use crate::room::make_room;

/// The tracks of a peer connection by SSRC.
#[derive(Default)]
pub(super) struct TrackStates {
    /// In order of appearance.
    list: Vec<TrackState>,
    /// SSRCs that JavaScript takes for array indices: all real ones, as number or text. Their tracks
    /// come first, ascending.
    indexed: HashMap<u32, usize, RandomState>,
    /// Everything else, in order of appearance.
    others: IndexMap<Box<str>, usize, RandomState>,
    /// Tracks that ended when their video type changed.
    ended: Vec<usize>,
}

impl TrackStates {
    /// The number of the track with this SSRC, which may be new; none if there are too many.
    pub(super) fn find_or_add(
        &mut self,
        ssrc: Option<Value<'_>>,
        timestamp: Option<f64>,
        budget: &mut Budget<'_>,
    ) -> Option<usize> {
        match ssrc_index(ssrc) {
            Some(index) => {
                if let Some(known) = self.indexed.get(&index) {
                    return Some(*known);
                }
                let number = self.add(TrackState::new(ssrc, timestamp), budget)?;
                self.indexed.insert(index, number);
                Some(number)
            }
            None => {
                let key = key_of(ssrc);
                if let Some(known) = self.others.get(key.as_ref()) {
                    return Some(*known);
                }
                if !budget.admits(&key) {
                    budget.dropped.tracks += 1;
                    return None;
                }
                let number = self.add(TrackState::new(ssrc, timestamp), budget)?;
                self.others.insert(key.into(), number);
                Some(number)
            }
        }
    }

    fn add(&mut self, track: TrackState, budget: &mut Budget<'_>) -> Option<usize> {
        if self.list.len() >= budget.limits.tracks {
            budget.dropped.tracks += 1;
            return None;
        }
        make_room(&mut self.list);
        self.list.push(track);
        Some(self.list.len() - 1)
    }

    /// The track with this number.
    #[inline]
    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut TrackState> {
        self.list.get_mut(number)
    }

    /// Ends the track with this SSRC and begins another, unless it has that video type already.
    pub(super) fn set_video_type(
        &mut self,
        ssrc: Option<&Json>,
        video_type: Option<&Json>,
        timestamp: Option<f64>,
        budget: &mut Budget<'_>,
    ) {
        let key = key(ssrc);
        let index = array_index(&key);
        let known = match index {
            Some(index) => self.indexed.get(&index),
            None => self.others.get(key.as_ref()),
        };
        let known = known.and_then(|number| self.list.get(*number));
        if known.is_some_and(|track| is_identical(track.video_type.as_ref(), video_type)) {
            return;
        }
        let track = TrackState {
            ssrc: ssrc.cloned(),
            start: timestamp,
            end: timestamp,
            video_type: video_type.cloned(),
            ..TrackState::default()
        };
        let Some(number) = self.add(track, budget) else {
            return;
        };
        let ended = match index {
            Some(index) => self.indexed.insert(index, number),
            None => {
                // The place behind the others, too.
                let ended = self.others.shift_remove(key.as_ref());
                self.others.insert(key.into(), number);
                ended
            }
        };
        if let Some(ended) = ended {
            self.ended.push(ended);
            if let Some(track) = self.list.get_mut(ended) {
                track.end = timestamp;
            }
        }
    }

    /// The tracks by direction, and their packets in sum.
    pub(super) fn rows(&self) -> (Tracks, TrackAggregates) {
        let mut tracks = Tracks::default();
        let mut sum = TrackAggregates::default();
        for track in self.ordered() {
            let Some(media_type) = &track.media_type else {
                continue;
            };
            if let Some(sent) = &track.sent {
                sum.total_packets_sent += sent.last.packets;
                sum.total_sent_packets_lost += sent.last.lost.to_number();
                tracks.sender_tracks.push(track.row(media_type, sent));
            }
            if let Some(received) = &track.received {
                sum.total_packets_received += received.last.packets;
                sum.total_received_packets_lost += received.last.lost.to_number();
                tracks.receiver_tracks.push(track.row(media_type, received));
            }
        }
        sum.sent_packets_lost_pct =
            lost_percent(sum.total_sent_packets_lost, sum.total_packets_sent);
        sum.received_packets_lost_pct =
            lost_percent(sum.total_received_packets_lost, sum.total_packets_received);
        (tracks, sum)
    }

    /// The tracks in the order of JavaScript, those that ended behind the others.
    fn ordered(&self) -> impl Iterator<Item = &TrackState> {
        let mut indexed: Vec<_> = self.indexed.iter().collect();
        indexed.sort_by_key(|(index, _)| **index);
        let indexed = indexed.into_iter().map(|(_, number)| number);
        let numbers = indexed.chain(self.others.values()).chain(&self.ended);
        numbers.filter_map(|number| self.list.get(*number))
    }
}

/// The number of an SSRC that JavaScript takes for an array index.
#[inline]
fn ssrc_index(ssrc: Option<Value<'_>>) -> Option<u32> {
    match ssrc? {
        Value::Number(number) => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "compared with the original"
            )]
            let index = number as u32;
            (f64::from(index) == number && index != u32::MAX).then_some(index)
        }
        Value::Text(text) => array_index(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{CHROME, aggregate, extraction_within, reports};
    use super::*;
    use crate::Limits;

    fn received(ssrc: Json, packets: u64, lost: i64) -> Json {
        json!({"type": "inbound-rtp", "ssrc": ssrc, "kind": "audio", "packetsReceived": packets, "packetsLost": lost})
    }

    fn receiver_tracks(events: &[Json]) -> Vec<Json> {
        let tracks = aggregate(CHROME, events)["tracks"]["receiverTracks"].take();
        tracks.as_array().unwrap().clone()
    }

    fn video_type(ssrc: Json, name: &str, time: u64) -> Json {
        json!(["setVideoType", null, {"ssrc": ssrc, "videoType": name}, time])
    }

    #[test]
    fn an_ssrc_is_the_same_as_number_and_text_and_keeps_its_first_form() {
        let tracks = receiver_tracks(&reports(&[
            json!({"a": received(json!("7"), 1, 0)}),
            json!({"a": {"ssrc": 7, "packetsReceived": 2}}),
        ]));
        assert_eq!(tracks.len(), 1);
        assert_eq!(
            (&tracks[0]["ssrc"], &tracks[0]["packets"]),
            (&json!("7"), &json!(2))
        );
    }

    #[test]
    fn tracks_come_in_the_order_of_javascript_and_ended_ones_last() {
        let ssrcs = [
            json!("04"),
            json!(900),
            json!(4_294_967_295_u64),
            json!("x"),
            json!(20),
            json!("4294967294"),
        ];
        let report = Json::Object(
            ssrcs
                .iter()
                .enumerate()
                .map(|(id, ssrc)| (format!("id{id}"), received(ssrc.clone(), 1, 0)))
                .collect(),
        );
        let mut events = reports(&[report]);
        let order = |events: &[Json]| {
            receiver_tracks(events)
                .iter()
                .map(|track| track["ssrc"].clone())
                .collect::<Vec<_>>()
        };
        let expected = [
            json!(20),
            json!(900),
            json!("4294967294"),
            json!("04"),
            json!(4_294_967_295_u64),
            json!("x"),
        ];
        assert_eq!(order(&events), expected);
        events.push(video_type(json!(20), "camera", 9));
        assert_eq!(order(&events).last(), Some(&json!(20)));
    }

    #[test]
    fn a_track_of_another_video_type_begins_anew() {
        let report =
            |packets| json!(["getstats", "PC_0", {"a": received(json!(7), packets, 0)}, packets]);
        let tracks = receiver_tracks(&[
            video_type(json!(7), "camera", 5), // There is no connection yet.
            report(10),
            video_type(json!("7"), "desktop", 15),
            video_type(json!(7), "desktop", 16),
            report(20),
            report(30),
            video_type(json!(7), "camera", 35),
        ]);
        let rows: Vec<_> = tracks
            .iter()
            .map(|t| {
                json!([
                    t["mediaType"],
                    t["ssrc"],
                    t["packets"],
                    t["startTime"],
                    t["endTime"]
                ])
            })
            .collect();
        assert_eq!(
            rows,
            [
                json!(["audio", 7, 10, 10, 15]),
                json!(["audio/desktop", "7", 30, 15, 35])
            ]
        );
    }

    #[test]
    fn a_track_without_media_type_is_left_out() {
        let mut object = received(json!(7), 5, 1);
        object["kind"] = json!(null);
        let found = aggregate(CHROME, &reports(&[json!({"a": object})]));
        assert_eq!(found["tracks"]["receiverTracks"], json!([]));
        assert_eq!(found["trackAggregates"]["totalPacketsReceived"], 0);
    }

    #[test]
    fn sums_are_over_all_tracks() {
        let report = json!({"a": received(json!(7), 100, 3), "b": received(json!(8), 300, 9)});
        let sums = aggregate(CHROME, &reports(&[report]))["trackAggregates"].take();
        assert_eq!(
            (
                &sums["totalPacketsReceived"],
                &sums["totalReceivedPacketsLost"]
            ),
            (&json!(400), &json!(12))
        );
        assert_eq!(
            (&sums["receivedPacketsLostPct"], &sums["sentPacketsLostPct"]),
            (&json!(3), &json!(0))
        );
    }

    #[test]
    fn tracks_and_splits_beyond_the_limit_are_left_out() {
        let limits = Limits {
            tracks: 1,
            ..Limits::default()
        };
        let mut events = reports(&[
            json!({"a": received(json!(7), 5, 1), "b": received(json!(8), 5, 1), "c": received(json!("x"), 5, 1)}),
        ]);
        events.push(video_type(json!(7), "camera", 9));
        let extraction = extraction_within(limits, CHROME, &events);
        let aggregates = &extraction.client().unwrap().aggregates;
        assert_eq!(aggregates["PC_0"].tracks.receiver_tracks.len(), 1);
        assert_eq!(extraction.dropped.tracks, 3);
    }
    #[test]
    fn a_track_that_begins_anew_goes_behind_the_others() {
        let names = ["x", "y", "z"];
        let report = Json::Object(
            names
                .iter()
                .map(|name| ((*name).to_owned(), received(json!(name), 1, 0)))
                .collect(),
        );
        let mut events = reports(std::slice::from_ref(&report));
        events.push(video_type(json!("x"), "camera", 2000));
        events.push(json!(["getstats", "PC_0", report, 3000]));
        let tracks = receiver_tracks(&events);
        let order: Vec<_> = tracks
            .iter()
            .map(|track| track["ssrc"].as_str().unwrap())
            .collect();
        assert_eq!(order, ["y", "z", "x", "x"]);
        assert_eq!(tracks[2]["mediaType"], "audio/camera");
    }

    #[test]
    fn only_connections_with_a_usual_key_learn_of_video_types() {
        let report = json!({"a": received(json!(7), 5, 1)});
        let events = ["PC_0", "other"].map(|key| json!(["getstats", key, report, 1]));
        let mut events = events.to_vec();
        events.push(video_type(json!(7), "camera", 9));
        let extraction = extraction_within(Limits::default(), CHROME, &events);
        let end = |key: &str| {
            extraction.client().unwrap().aggregates[key]
                .tracks
                .receiver_tracks[0]
                .end_time
        };
        assert_eq!((end("PC_0"), end("other")), (Some(9.0), Some(1.0)));
    }
}
