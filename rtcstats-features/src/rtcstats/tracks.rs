//! The tracks of a connection, and which RTP streams carry them (§10).

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use rtcstats_proto::json::{JsonKind, Value};
use rtcstats_proto::{Method, RawJson};
use serde_json::Value as Json;

use super::Direction;
use super::peer_connection::Step;
use super::quota::Quota;
use super::track_value::{TrackText, TrackValue, texts};
use crate::javascript::json;
use crate::room::make_room;

/// The tracks in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    list: Vec<Track>,
    untied: Untied,
    /// The first track of each stream that has one.
    of_streams: HashMap<usize, usize, RandomState>,
    /// When each track id was first unmuted. The event may come before the track.
    unmuted: HashMap<Box<str>, f64, RandomState>,
    /// They came from a Jitsi or legacy client.
    are_of_older_client: bool,
}

/// The tracks without stream by their id, in the order in which they came: there may be thousands, and
/// of streams too.
#[derive(Debug, Default)]
struct Untied {
    without_id: VecDeque<usize>,
    with_null: VecDeque<usize>,
    by_id: HashMap<Box<str>, VecDeque<usize>, RandomState>,
}

/// A track that an event announced.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) kind: Option<String>,
    /// Absent, null, or as a rule a text.
    pub(super) id: Option<Json>,
    pub(super) label: Option<String>,
    pub(super) streams: Vec<String>,
    pub(super) direction: Direction,
    pub(super) start: f64,
    /// The number of the RTP stream that carries it.
    pub(super) stream: Option<usize>,
}

/// The track id that a report says a stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ident<'a> {
    Absent,
    Null,
    Text(&'a str),
    /// What is no id.
    Other,
}

/// Which tracks keep another one out.
#[derive(Debug, Clone, Copy)]
enum Unless {
    Never,
    /// An inbound one with the same id.
    Inbound,
    /// Any one with the same id.
    Any,
}

impl Tracks {
    pub(super) fn take(&mut self, step: &Step<'_>, quota: &mut Quota<'_>) {
        let value = step.value;
        self.are_of_older_client |= step.is_of_older_client();
        match step.method {
            Method::AddStream if step.is_of_older_client() => {
                self.add_stream(value, step.time, quota);
            }
            Method::AddTrack => self.add_from(value, Direction::Outbound, step.time, quota),
            Method::OnTrack => self.add_from(value, Direction::Inbound, step.time, quota),
            Method::AddTransceiver => self.add_transceiver(value, step.time, quota),
            Method::ReplaceTrack => {
                let new = value.elements().nth(1).filter(|new| new.is_truthy());
                if let Some(new) = new.and_then(TrackValue::read) {
                    let track = Track::of(new, Direction::Outbound, step.time);
                    self.add(track, Unless::Any, quota);
                }
            }
            Method::TransceiverAdded => self.announce_transceiver(value, step.time, quota),
            Method::TransceiverModified => {
                let direction = value.get("currentDirection").and_then(RawJson::as_text);
                let receives = direction.is_some_and(|direction| direction.contains("recv"));
                let receiver = value.get("receiver").and_then(|it| it.get("track"));
                if receives && receiver.is_some_and(RawJson::is_truthy) {
                    self.add_receiver(value, step.time, quota);
                }
            }
            Method::MediaStreamTrackOnUnmute => self.unmute(value, step.time, quota),
            _ => {}
        }
    }

    /// What `addTrack` and `ontrack` say.
    fn add_from(
        &mut self,
        value: RawJson<'_>,
        direction: Direction,
        time: f64,
        quota: &mut Quota<'_>,
    ) {
        let unless = match direction {
            Direction::Inbound => Unless::Inbound,
            // Chrome's exports write objects, and the same track as a transceiver in front.
            Direction::Outbound if value.kind() == JsonKind::Object => Unless::Any,
            Direction::Outbound => Unless::Never,
        };
        let track = match value.as_text() {
            Some(text) => {
                TrackText::read(&text).map(|track| Track::of_text(&track, direction, time))
            }
            None => TrackValue::read(value).map(|track| Track::of(track, direction, time)),
        };
        if let Some(track) = track {
            self.add(track, unless, quota);
        }
    }

    /// What `addStream` of older pages says: `<stream> <kind>:<id>,<kind>:<id>`.
    fn add_stream(&mut self, value: RawJson<'_>, time: f64, quota: &mut Quota<'_>) {
        let Some(text) = value.as_text() else {
            return;
        };
        let (stream, tracks) = text.split_once(' ').unwrap_or((&text, ""));
        for track in tracks.split(',').filter_map(TrackText::read) {
            let mut track = Track::of_text(&track, Direction::Outbound, time);
            track.streams = vec![stream.to_owned()];
            self.add(track, Unless::Any, quota);
        }
    }

    fn add_transceiver(&mut self, value: RawJson<'_>, time: f64, quota: &mut Quota<'_>) {
        let direction = Direction::Outbound;
        match value.kind() {
            JsonKind::Array => {
                let mut elements = value.elements();
                // A kind is no track.
                let Some(track) = elements.next().and_then(TrackValue::read) else {
                    return;
                };
                let mut track = Track::of(track, direction, time);
                let streams = elements.next().and_then(|init| init.get("streams"));
                if let Some(streams) = streams.filter(|streams| streams.is_truthy()) {
                    track.streams = texts(streams).into_iter().map(Cow::into_owned).collect();
                }
                self.add(track, Unless::Never, quota);
            }
            JsonKind::Object => {
                let track = value.get("track");
                if track.is_some_and(RawJson::is_truthy) {
                    self.add_from(value, direction, time, quota);
                }
            }
            // Without a track the text is the kind alone.
            _ => self.add_from(value, direction, time, quota),
        }
    }

    fn announce_transceiver(&mut self, value: RawJson<'_>, time: f64, quota: &mut Quota<'_>) {
        let reason = value.get("reason").and_then(RawJson::as_text);
        match reason.as_deref() {
            Some("addTrack" | "addTransceiver") => {
                let track = Track::of_end(value, "sender", Direction::Outbound, time);
                self.add(track, Unless::Never, quota);
            }
            Some("setRemoteDescription") => self.add_receiver(value, time, quota),
            _ => {}
        }
    }

    fn add_receiver(&mut self, transceiver: RawJson<'_>, time: f64, quota: &mut Quota<'_>) {
        let track = Track::of_end(transceiver, "receiver", Direction::Inbound, time);
        self.add(track, Unless::Any, quota);
    }

    fn add(&mut self, mut track: Track, unless: Unless, quota: &mut Quota<'_>) {
        let is_known = self.list.iter().any(|known| {
            let counts = match unless {
                Unless::Never => false,
                Unless::Inbound => known.direction == Direction::Inbound,
                Unless::Any => true,
            };
            counts && known.id == track.id
        });
        if is_known || !quota.admits_one(self.list.len(), quota.limits.tracks) {
            return;
        }
        let bytes = match &track.id {
            Some(Json::String(id)) => id.len(),
            _ => 0,
        };
        let bytes = bytes + track.kind.as_ref().map_or(0, String::len);
        if !quota.admits_text(bytes) {
            return;
        }
        track.shorten(quota);
        self.untied.add(&track, self.list.len());
        make_room(&mut self.list);
        self.list.push(track);
    }

    fn unmute(&mut self, id: RawJson<'_>, time: f64, quota: &mut Quota<'_>) {
        let Some(id) = id.as_text() else {
            return;
        };
        if !self.unmuted.contains_key(id.as_ref())
            && quota.admits_text(id.len())
            && quota.admits_one(self.unmuted.len(), quota.limits.tracks)
        {
            self.unmuted.insert(id.into(), time);
        }
    }

    /// Ties a stream to the first track that it is tied to already, or that has its id and no stream.
    /// Kind and direction do not matter.
    pub(super) fn associate(&mut self, stream: usize, ident: Ident<'_>) -> bool {
        let untied = self.untied.with(ident);
        let free = untied.as_deref().and_then(VecDeque::front).copied();
        let tied = self.of_streams.get(&stream).copied();
        if let (Some(free), Some(untied)) = (free, untied)
            && tied.is_none_or(|tied| free < tied)
        {
            untied.pop_front();
            self.of_streams.insert(stream, free);
            if let Some(track) = self.list.get_mut(free) {
                track.stream = Some(stream);
            }
        }
        free.or(tied).is_some()
    }

    pub(super) fn are_of_older_client(&self) -> bool {
        self.are_of_older_client
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Track> {
        self.list.iter()
    }

    /// When the track was first unmuted.
    pub(super) fn unmuted(&self, track: &Track) -> Option<f64> {
        let id = track.id.as_ref()?.as_str()?;
        self.unmuted.get(id).copied()
    }
}

impl Track {
    fn of(value: TrackValue<'_>, direction: Direction, start: f64) -> Self {
        Self {
            kind: value.kind.map(Cow::into_owned),
            id: value.id.and_then(track_id),
            label: value.label.map(Cow::into_owned),
            streams: value.streams.into_iter().map(Cow::into_owned).collect(),
            direction,
            start,
            stream: None,
        }
    }

    fn of_text(text: &TrackText<'_>, direction: Direction, start: f64) -> Self {
        Self {
            kind: Some(text.kind.to_owned()),
            id: Some(Json::String(text.id.to_owned())),
            label: None,
            streams: text.streams().map(str::to_owned).collect(),
            direction,
            start,
            stream: None,
        }
    }

    /// The track at one end of a transceiver.
    fn of_end(transceiver: RawJson<'_>, end: &str, direction: Direction, start: f64) -> Self {
        let kind = transceiver.get("kind").and_then(RawJson::as_text);
        let end = transceiver.get(end);
        let id = end.and_then(|end| end.get("track"));
        let streams = end.and_then(|end| end.get("streams"));
        let streams = streams.map(texts).unwrap_or_default();
        Self {
            kind: kind.map(Cow::into_owned),
            id: id.and_then(track_id),
            label: id.and_then(RawJson::as_text).map(Cow::into_owned),
            streams: streams.into_iter().map(Cow::into_owned).collect(),
            direction,
            start,
            stream: None,
        }
    }

    /// Leaves out what is too long, and of the streams what is too many.
    fn shorten(&mut self, quota: &mut Quota<'_>) {
        const STREAMS: usize = 16;
        if let Some(label) = &self.label
            && !quota.admits_text(label.len())
        {
            self.label = None;
        }
        quota.used.is_incomplete |= self.streams.len() > STREAMS;
        self.streams.truncate(STREAMS);
        self.streams
            .retain(|stream| quota.admits_text(stream.len()));
    }
}

/// An array or object is no id.
fn track_id(value: RawJson<'_>) -> Option<Json> {
    let is_id = !matches!(value.kind(), JsonKind::Array | JsonKind::Object);
    is_id.then(|| json(value))
}

impl<'a> Ident<'a> {
    /// What a member says.
    pub(super) fn of(member: Option<Value<'a>>) -> Self {
        match member {
            None => Self::Absent,
            Some(Value::Null) => Self::Null,
            Some(Value::Text(text)) => Self::Text(text),
            Some(_) => Self::Other,
        }
    }
}

impl Untied {
    /// Adds the track with this number.
    fn add(&mut self, track: &Track, number: usize) {
        let tracks = match &track.id {
            None => &mut self.without_id,
            Some(Json::Null) => &mut self.with_null,
            Some(Json::String(id)) => self.by_id.entry(id.as_str().into()).or_default(),
            Some(_) => return,
        };
        tracks.push_back(number);
    }

    /// Those with this id.
    fn with(&mut self, ident: Ident<'_>) -> Option<&mut VecDeque<usize>> {
        match ident {
            Ident::Absent => Some(&mut self.without_id),
            Ident::Null => Some(&mut self.with_null),
            Ident::Text(id) => self.by_id.get_mut(id),
            Ident::Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::rtcstats::testing::features;

    /// Kind, id, direction and stats id of each track.
    fn tracks(lines: &[Value]) -> Vec<Value> {
        let features = features(lines);
        let tracks = features.peer_connections[0].tracks.iter();
        tracks
            .map(|track| {
                json!([
                    track.kind,
                    track.track_identifier,
                    track.direction,
                    track.stats_id
                ])
            })
            .collect()
    }

    #[test]
    fn older_pages_add_streams_and_older_browsers_have_objects_for_tracks() {
        let report = json!({
            "O": {"type": "outbound-rtp", "trackId": "T"},
            "I": {"type": "inbound-rtp", "trackId": "R"},
            "T": {"type": "track", "trackIdentifier": "mine"},
            "R": {"type": "track", "trackIdentifier": "theirs"},
        });
        let found = tracks(&[
            json!(["addStream", "PC_0", "s audio:other,video:mine", 1e12, 1]),
            json!(["addTrack", "PC_0", "audio:other stream:s", 1e12, 2]),
            json!(["ontrack", "PC_0", "video:theirs stream:t", 1e12, 3]),
            json!(["getstats", "PC_0", report, 1e12, 4]),
        ]);
        let expected = [
            json!(["audio", "other", "outbound", null]),
            json!(["video", "mine", "outbound", "O"]),
            json!(["audio", "other", "outbound", null]),
            json!(["video", "theirs", "inbound", "I"]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn chromes_objects_name_a_track_once() {
        let transceiver =
            json!({"reason": "addTrack", "kind": "audio", "sender": {"track": "a", "streams": []}});
        let found = tracks(&[
            json!([39, "PC_0", {}, 1e12]),
            json!(["transceiverAdded", "PC_0", transceiver, 1]),
            json!(["addTrack", "PC_0", {"kind": "audio", "id": "a", "streams": []}, 1]),
            json!(["addTransceiver", "PC_0", {"kind": "audio", "track": null}, 1]),
            json!(["addTransceiver", "PC_0", {"kind": "video", "track": "v"}, 1]),
        ]);
        let expected = [
            json!(["audio", "a", "outbound", null]),
            json!(["video", "v", "outbound", null]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_stream_keeps_its_track_when_the_source_changes() {
        let source = |id: &str| json!({"0": {"type": 2, "81": "1"}, "1": {"type": 12, "17": id}});
        let found = tracks(&[
            json!([39, "PC_0", {}, 1e12]),
            json!(["g", "PC_0", source("a"), 1]),
            json!([30, "PC_0", ["audio", "a", "l", "s"], 1]),
            json!(["g", "PC_0", {"t": 5}, 1]),
            json!([
                51,
                "PC_0",
                [["audio", "a", "l"], ["audio", "b", "l"]],
                "x",
                1
            ]),
            json!(["g", "PC_0", source("b"), 1]),
        ]);
        let expected = [
            json!(["audio", "a", "outbound", "0"]),
            json!(["audio", "b", "outbound", null]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn tracks_of_one_id_are_tied_one_after_the_other() {
        let streams = |id: &str| json!({"a": {"type": 1, "17": id}, "b": {"type": 1, "17": id}, "c": {"type": 1, "17": "y"}});
        let found = tracks(&[
            json!([39, "PC_0", {}, 1e12]),
            json!([30, "PC_0", ["audio", "y", "l"], 1]),
            json!([30, "PC_0", ["audio", "x", "l"], 1]),
            json!([30, "PC_0", ["audio", "x", "l"], 1]),
            json!(["g", "PC_0", streams("x"), 1]),
            json!([30, "PC_0", ["audio", "y", "l"], 1]),
            json!(["g", "PC_0", {"t": 5}, 1]),
        ]);
        let expected = [
            json!(["audio", "y", "outbound", "c"]),
            json!(["audio", "x", "outbound", "a"]),
            json!(["audio", "x", "outbound", "b"]),
            json!(["audio", "y", "outbound", null]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn many_streams_and_tracks_that_do_not_meet_cost_no_more_than_others() {
        use super::{Direction, Ident, Track, Tracks, Unless};
        use crate::Limits;
        use crate::rtcstats::quota::{Quota, Used};

        let start = std::time::Instant::now();
        let (limits, mut used) = (Limits::default(), Used::default());
        let mut quota = Quota {
            limits: &limits,
            used: &mut used,
        };
        let mut tracks = Tracks::default();
        let idents = (0..2_000).map(|stream| format!("another {stream}"));
        let idents: Vec<String> = idents.collect();
        for number in 0..4_000 {
            let track = Track {
                kind: None,
                id: Some(json!(format!("number {number}"))),
                label: None,
                streams: Vec::new(),
                direction: Direction::Outbound,
                start: 0.0,
                stream: None,
            };
            tracks.add(track, Unless::Never, &mut quota);
            // As a report with so many streams does behind every track.
            for (stream, ident) in idents.iter().enumerate() {
                assert!(!tracks.associate(stream, Ident::Text(ident)));
            }
        }
        assert!(start.elapsed().as_secs() < 5);
    }
}
