//! RTP streams: how their counters grew from report to report.

use indexmap::IndexMap;
use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, Stats, StatsKind, StatsObject};
use serde::Serialize;

use super::budget::Budget;
use super::series::{Samples, Series};
use crate::javascript::number;
use crate::place::Place;
use crate::room::{make_room, more_than};
use crate::statistics::floor;

/// An RTP stream that was sent or received: an `outbound-rtp` or `inbound-rtp` object, or one of type
/// `ssrc` in Chrome's first statistics.
///
/// Rates are those between two reports in which the object has different timestamps, without
/// negative ones, rounded down to whole numbers (of packets or bytes) per second. They are absent if
/// the first report does not have the counter.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Stream {
    /// Whether it was sent or received.
    pub direction: StreamDirection,
    /// `audio` or `video`, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `trackIdentifier`, or `googTrackId`, of the first report that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track_identifier: Option<String>,
    /// Reports in which its timestamp was newer than before (`numberOfStats`).
    pub number_of_reports: u64,
    /// From the first to the last of those, in ms (`duration`).
    #[serde(serialize_with = "number")]
    pub duration: f64,
    /// How much of that time bytes were sent, or received, in ms (`active`).
    #[serde(serialize_with = "number")]
    pub active_duration: f64,
    /// Packets a second (`…PacketsSent…` or `…PacketsReceived…`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packet_rate: Option<Series>,
    /// Lost packets a second, where the object itself has them (`…PacketsLost…`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packet_loss_rate: Option<Series>,
    /// Bits a second (`…BytesSent…` or `…BytesReceived…`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<Series>,
}

/// Which way a stream goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StreamDirection {
    /// It was sent.
    Send,
    /// It was received.
    #[serde(rename = "recv")]
    Receive,
}

/// The streams of a connection by stats id.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// Those of the last report, in its order.
    objects: Vec<StreamObject>,
    by_id: IndexMap<Box<str>, StreamState, foldhash::fast::RandomState>,
}

/// The object of a stream, and where it has its counters.
#[derive(Debug, Clone, Copy)]
struct StreamObject {
    slot: u32,
    /// None before the first report with a time.
    number: Option<usize>,
    direction: StreamDirection,
    time: Place,
    packets: Place,
    lost: Place,
    bytes: Place,
}

#[derive(Debug)]
struct StreamState {
    direction: StreamDirection,
    kind: Option<String>,
    track: Option<String>,
    reports: u64,
    first: Counters,
    last: Counters,
    active: f64,
    packets: Samples,
    lost: Samples,
    bytes: Samples,
}

/// What one report says.
#[derive(Debug, Clone, Copy)]
struct Counters {
    time: f64,
    packets: Option<f64>,
    lost: Option<f64>,
    bytes: Option<f64>,
}

impl Streams {
    /// Finds the objects to look at, where the layout of the stats is a new one; `is_goog` tells
    /// whether they are a translation.
    pub(super) fn arrange(&mut self, stats: &Stats, is_goog: bool, budget: &mut Budget<'_>) {
        self.objects.clear();
        for object in stats {
            let Some(direction) = direction(object, is_goog) else {
                continue;
            };
            let number = self.by_id.get_index_of(object.id());
            make_room(&mut self.objects);
            self.objects
                .push(StreamObject::of(object, direction, number));
            let known = number.and_then(|number| self.by_id.get_index_mut(number));
            if let Some((_, stream)) = known.filter(|(_, stream)| stream.track.is_none()) {
                stream.track = track_of(object, stats).and_then(|track| budget.keep(track));
            }
        }
    }

    /// Takes a report.
    pub(super) fn take(&mut self, stats: &Stats, budget: &mut Budget<'_>) {
        let mut objects = std::mem::take(&mut self.objects);
        for source in &mut objects {
            let Some(object) = stats.at(source.slot) else {
                continue;
            };
            let Some(counters) = source.counters(object) else {
                continue;
            };
            match source.number {
                Some(number) => {
                    if let Some((_, stream)) = self.by_id.get_index_mut(number) {
                        stream.take(counters);
                    }
                }
                None => source.number = self.add(object, stats, source.direction, counters, budget),
            }
        }
        self.objects = objects;
    }

    /// The number of a new stream, if there is room for it.
    fn add(
        &mut self,
        object: StatsObject<'_>,
        stats: &Stats,
        direction: StreamDirection,
        counters: Counters,
        budget: &mut Budget<'_>,
    ) -> Option<usize> {
        if self.by_id.len() >= budget.limits.tracks {
            budget.dropped.streams += 1;
            return None;
        }
        let id = budget.keep(object.id())?;
        if self.by_id.len() == self.by_id.capacity() {
            self.by_id.reserve_exact(more_than(self.by_id.len()));
        }
        let stream = StreamState::new(object, stats, direction, counters, budget);
        Some(self.by_id.insert_full(id.into(), stream).0)
    }

    pub(super) fn streams(&self) -> IndexMap<String, Stream> {
        self.by_id
            .iter()
            .map(|(id, state)| (id.to_string(), state.stream()))
            .collect()
    }
}

fn direction(object: StatsObject<'_>, is_goog: bool) -> Option<StreamDirection> {
    match object.kind()? {
        // As existing definitions have it.
        StatsKind::LegacySsrc if object.id().ends_with("_recv") => Some(StreamDirection::Receive),
        StatsKind::LegacySsrc => Some(StreamDirection::Send),
        // What the translation adds.
        _ if is_goog => None,
        _ if object.get(Field::IsRemote) == Some(Value::Bool(true)) => None,
        StatsKind::InboundRtp => Some(StreamDirection::Receive),
        StatsKind::OutboundRtp => Some(StreamDirection::Send),
        _ => None,
    }
}

/// The identifier of the track that a stream belongs to.
fn track_of<'a>(object: StatsObject<'a>, stats: &'a Stats) -> Option<&'a str> {
    if let Some(track) = object.get(Field::TrackIdentifier) {
        return track.as_text();
    }
    let source = [Field::MediaSourceId, Field::TrackId]
        .iter()
        .find_map(|field| stats.get(object.get(*field)?.as_text()?))?;
    source.get(Field::TrackIdentifier)?.as_text()
}

impl StreamObject {
    fn of(object: StatsObject<'_>, direction: StreamDirection, number: Option<usize>) -> Self {
        let (packets, bytes) = match direction {
            StreamDirection::Send => (Field::PacketsSent, Field::BytesSent),
            StreamDirection::Receive => (Field::PacketsReceived, Field::BytesReceived),
        };
        Self {
            slot: object.slot(),
            number,
            direction,
            time: Place::of(Field::Timestamp, object),
            packets: Place::of(packets, object),
            lost: Place::of(Field::PacketsLost, object),
            bytes: Place::of(bytes, object),
        }
    }

    /// None without a time.
    #[inline]
    fn counters(&self, object: StatsObject<'_>) -> Option<Counters> {
        let values = object.values();
        Some(Counters {
            time: self.time.number_in(values)?,
            packets: self.packets.number_in(values),
            lost: self.lost.number_in(values),
            bytes: self.bytes.number_in(values),
        })
    }
}

impl StreamState {
    /// A stream by the first report of it.
    fn new(
        object: StatsObject<'_>,
        stats: &Stats,
        direction: StreamDirection,
        counters: Counters,
        budget: &mut Budget<'_>,
    ) -> Self {
        let kind = [Field::Kind, Field::MediaType]
            .iter()
            .find_map(|field| object.get(*field)?.as_text());
        Self {
            direction,
            kind: kind.and_then(|kind| budget.keep(kind)),
            track: track_of(object, stats).and_then(|track| budget.keep(track)),
            reports: 1,
            first: counters,
            last: counters,
            active: 0.0,
            packets: Samples::default(),
            lost: Samples::default(),
            bytes: Samples::default(),
        }
    }

    #[inline]
    fn take(&mut self, counters: Counters) {
        let last = self.last;
        let elapsed = counters.time - last.time;
        if elapsed <= 0.0 || elapsed.is_nan() {
            return;
        }
        let rate = |last: Option<f64>, new: Option<f64>| {
            let rate = (new? - last?) * 1_000.0 / elapsed;
            (rate >= 0.0).then(|| floor(rate))
        };
        if let Some(rate) = rate(last.packets, counters.packets) {
            self.packets.add(rate);
        }
        if let Some(rate) = rate(last.lost, counters.lost) {
            self.lost.add(rate);
        }
        if let Some(rate) = rate(last.bytes, counters.bytes) {
            self.bytes.add(rate * 8.0);
        }
        if last.bytes != counters.bytes {
            self.active += elapsed;
        }
        self.reports += 1;
        self.last = counters;
    }

    fn stream(&self) -> Stream {
        // As existing definitions have it: what comes late is no series.
        let series = |first: Option<f64>, samples: Samples| first.and_then(|_| samples.series());
        Stream {
            direction: self.direction,
            kind: self.kind.clone(),
            track_identifier: self.track.clone(),
            number_of_reports: self.reports,
            duration: self.last.time - self.first.time,
            active_duration: self.active,
            packet_rate: series(self.first.packets, self.packets),
            packet_loss_rate: series(self.first.lost, self.lost),
            bitrate: series(self.first.bytes, self.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::{connection, features_within};
    use crate::Limits;

    fn report(object: Json) -> Json {
        let source = json!({"type": "media-source", "trackIdentifier": "t"});
        json!(["getstats", "PC_0", {"O": object, "M": source}, 1])
    }

    fn sent(time: u64, packets: u64, bytes: u64) -> Json {
        report(
            json!({"type": "outbound-rtp", "kind": "audio", "mediaSourceId": "M", "timestamp": time, "packetsSent": packets, "bytesSent": bytes}),
        )
    }

    #[test]
    fn rates_are_whole_numbers_a_second() {
        let found = connection(&[
            sent(1_000, 0, 0),
            sent(3_000, 7, 1_001),
            sent(3_000, 7, 1_001), // The same report again.
            sent(4_000, 5, 1_001),
        ]);
        let stream = &found["streams"]["O"];
        assert_eq!(stream["direction"], "send");
        assert_eq!(stream["trackIdentifier"], "t");
        assert_eq!(stream["numberOfReports"], 3);
        assert_eq!(
            (&stream["duration"], &stream["activeDuration"]),
            (&json!(3_000), &json!(2_000))
        );
        // A counter that goes back is no rate.
        assert_eq!(
            stream["packetRate"],
            json!({"count": 1, "mean": 3, "max": 3, "min": 3, "variance": 0})
        );
        assert_eq!(stream["bitrate"]["max"], 4_000);
        assert_eq!(stream.get("packetLossRate"), None);
    }

    #[test]
    fn what_the_remote_sends_or_receives_is_no_stream() {
        let remote = |kind: &str, is_remote: bool| {
            let object = json!({"type": kind, "isRemote": is_remote, "timestamp": 1});
            connection(&[report(object)])["streams"]
                .as_object()
                .unwrap()
                .len()
        };
        assert_eq!(remote("inbound-rtp", false), 1);
        assert_eq!(remote("inbound-rtp", true), 0);
        assert_eq!(remote("remote-inbound-rtp", false), 0);
    }

    #[test]
    fn old_statistics_of_chrome_have_one_object_for_each_stream() {
        let report = |time: u64, packets: &str| {
            json!(["getstats", "PC_0", {
                "C": {"type": "googComponent", "timestamp": time},
                "S_recv": {"type": "ssrc", "mediaType": "video", "googTrackId": "t", "timestamp": time, "packetsReceived": packets, "packetsLost": "0"},
            }, time])
        };
        let found = connection(&[report(1_000, "10"), report(2_000, "30")]);
        let streams = found["streams"].as_object().unwrap();
        assert_eq!(streams.keys().collect::<Vec<_>>(), ["S_recv"]);
        let stream = &streams["S_recv"];
        assert_eq!(
            (
                &stream["direction"],
                &stream["kind"],
                &stream["trackIdentifier"]
            ),
            (&json!("recv"), &json!("video"), &json!("t"))
        );
        assert_eq!(stream["packetRate"]["mean"], 20);
        assert_eq!(stream["packetLossRate"]["mean"], 0);
    }

    #[test]
    fn streams_beyond_the_limit_are_left_out() {
        let limits = Limits {
            tracks: 1,
            ..Limits::default()
        };
        let objects = json!({
            "A": {"type": "inbound-rtp", "timestamp": 1},
            "B": {"type": "inbound-rtp", "timestamp": 1},
        });
        let found = features_within(limits, &[json!(["getstats", "PC_0", objects, 1])]);
        assert_eq!(found.connections["PC_0"].streams.len(), 1);
        assert_eq!(found.dropped.streams, 1);
    }
}
