//! One RTP stream: what all reports say of one stats id.

use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, Stats, StatsKind, StatsObject};
use serde_json::Value as Json;

use super::flushes::Flushes;
use super::last_report::LastReport;
use super::quota::Quota;
use super::resolution::Resolutions;
use super::tracks::{Ident, Tracks};
use crate::place::Place;

/// What is known of a stream, whether it has a track or not.
#[derive(Debug)]
pub(super) struct Stream {
    number: usize,
    id: Box<str>,
    pub(super) last: LastReport,
    pub(super) last_time: f64,
    pub(super) codec: Option<Box<Codec>>,
    pub(super) has_null_decoder: bool,
    width: Place,
    height: Place,
    pub(super) resolutions: Option<Box<Resolutions>>,
    jitter_buffer_flushes: Place,
    pub(super) flushes: Flushes,
    pub(super) remote: Option<Box<Remote>>,
    search: TrackSearch,
}

/// The first codec of a stream.
#[derive(Debug)]
pub(super) struct Codec {
    pub(super) mime_type: Option<Json>,
    pub(super) sdp_fmtp_line: Json,
}

/// What the receiver of a stream that is sent says of it, if it says something of ECN.
#[derive(Debug)]
pub(super) struct Remote {
    slot: u32,
    places: [Place; 3],
    /// Packets with ECT(1), with CE, and with an ECT(1) marking that was lost; in the last report.
    pub(super) packets: [Option<f64>; 3],
}

/// How the search for the track of a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TrackSearch {
    /// To be done.
    Open,
    /// It was found, and stays the first: those that come are behind it.
    Found { is_of_older_client: bool },
    /// None of so many was it.
    Failed {
        tracks: usize,
        is_of_older_client: bool,
    },
}

impl Stream {
    pub(super) fn new(number: usize, id: &str) -> Self {
        Self {
            number,
            id: id.into(),
            last: LastReport::default(),
            last_time: f64::NAN,
            codec: None,
            has_null_decoder: false,
            width: Place::nowhere(Field::FrameWidth),
            height: Place::nowhere(Field::FrameHeight),
            resolutions: None,
            jitter_buffer_flushes: Place::nowhere(Field::JitterBufferFlushes),
            flushes: Flushes::default(),
            remote: None,
            search: TrackSearch::Open,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Looks at the stream's object where the layout of the stats is a new one: at all that stays as
    /// long as that does.
    pub(super) fn arrange(
        &mut self,
        object: StatsObject<'_>,
        stats: &Stats,
        quota: &mut Quota<'_>,
    ) {
        self.last.arrange(object, quota);
        self.width = Place::of(Field::FrameWidth, object);
        self.height = Place::of(Field::FrameHeight, object);
        self.jitter_buffer_flushes = Place::of(Field::JitterBufferFlushes, object);
        let decoder = object.get(Field::DecoderImplementation);
        self.has_null_decoder |= decoder == Some(Value::Text("NullVideoDecoder"));
        if self.codec.is_none() {
            self.codec = Codec::of(object, stats, quota).map(Box::new);
        }
        self.remote = Remote::of(object, stats).map(Box::new);
        self.search = TrackSearch::Open;
    }

    /// Takes the stream's object in the next report.
    #[inline]
    pub(super) fn take(
        &mut self,
        object: StatsObject<'_>,
        stats: &Stats,
        time: f64,
        tracks: &mut Tracks,
        quota: &mut Quota<'_>,
    ) {
        self.last.take(object, quota);
        self.last_time = time;
        let number = |place: Place| place.number(object).unwrap_or(f64::NAN);
        if self.width.is_there() && self.height.is_there() {
            let resolutions = self.resolutions.get_or_insert_default();
            resolutions.take(number(self.width), number(self.height), quota);
        }
        if self.jitter_buffer_flushes.is_there() {
            self.flushes.take(number(self.jitter_buffer_flushes), time);
        }
        if let Some(remote) = &mut self.remote {
            remote.take(stats);
        }
        if !self.search.is_settled(tracks) {
            self.find_track(object, stats, tracks);
        }
    }

    fn find_track(&mut self, object: StatsObject<'_>, stats: &Stats, tracks: &mut Tracks) {
        let is_of_older_client = tracks.are_of_older_client();
        let mut ident = match object.kind() {
            Some(StatsKind::InboundRtp) => Ident::of(object.get(Field::TrackIdentifier)),
            Some(StatsKind::OutboundRtp) => ident_behind(object, Field::MediaSourceId, stats),
            _ => return,
        };
        // In older browsers a stream leads to its track by way of an object for the track.
        if ident == Ident::Absent && is_of_older_client {
            ident = ident_behind(object, Field::TrackId, stats);
        }
        self.search = if tracks.associate(self.number, ident) {
            TrackSearch::Found { is_of_older_client }
        } else {
            TrackSearch::Failed {
                tracks: tracks.len(),
                is_of_older_client,
            }
        };
    }
}

impl TrackSearch {
    /// Whether searching again would lead to the same.
    #[inline]
    fn is_settled(self, tracks: &Tracks) -> bool {
        let older = tracks.are_of_older_client();
        match self {
            Self::Open => false,
            Self::Found { is_of_older_client } => is_of_older_client == older,
            Self::Failed {
                tracks: known,
                is_of_older_client,
            } => known == tracks.len() && is_of_older_client == older,
        }
    }
}

/// The id of the track, by the object that a member names.
fn ident_behind<'a>(object: StatsObject<'a>, name: Field, stats: &'a Stats) -> Ident<'a> {
    Ident::of(named(object, name, stats).and_then(|named| named.get(Field::TrackIdentifier)))
}

/// The object that a member names.
fn named<'a>(object: StatsObject<'a>, name: Field, stats: &'a Stats) -> Option<StatsObject<'a>> {
    stats.get(object.get(name)?.as_text()?)
}

impl Codec {
    /// That of a stream's object, if it is there.
    fn of(object: StatsObject<'_>, stats: &Stats, quota: &mut Quota<'_>) -> Option<Self> {
        let codec = named(object, Field::CodecId, stats).filter(|codec| codec.is_truthy())?;
        let line = codec.get(Field::SdpFmtpLine);
        let line = line.filter(|line| line.is_truthy());
        Some(Self {
            mime_type: quota.keep_member(codec.get(Field::MimeType)),
            sdp_fmtp_line: quota
                .keep_member(line)
                .unwrap_or_else(|| Json::String(String::new())),
        })
    }
}

impl Remote {
    const ECN: [Field; 3] = [
        Field::PacketsReceivedWithEct1,
        Field::PacketsReceivedWithCe,
        Field::PacketsWithBleachedEct1Marking,
    ];

    /// That of a stream's object.
    fn of(object: StatsObject<'_>, stats: &Stats) -> Option<Self> {
        if object.kind() != Some(StatsKind::OutboundRtp) {
            return None;
        }
        let remote = named(object, Field::RemoteId, stats)?;
        let places = Self::ECN.map(|field| Place::of(field, remote));
        places.into_iter().any(Place::is_there).then(|| Self {
            slot: remote.slot(),
            places,
            packets: [None; 3],
        })
    }

    fn take(&mut self, stats: &Stats) {
        let Some(object) = stats.at(self.slot) else {
            return;
        };
        self.packets = self.places.map(|place| {
            let number = place.number(object).unwrap_or(f64::NAN);
            place.is_there().then_some(number)
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::rtcstats::testing::features;

    #[test]
    fn the_last_report_counts_whatever_its_members_have_become() {
        let report = |members: Value| {
            let mut stream = json!({"type": "outbound-rtp", "trackId": "T"});
            for (name, value) in members.as_object().unwrap() {
                stream[name] = value.clone();
            }
            let track = json!({"type": "track", "trackIdentifier": "mine"});
            json!(["getstats", "PC_0", {"O": stream, "T": track}, 1e12, 2])
        };
        let story = [
            json!({"framesEncoded": 5, "encoderImplementation": "a", "qualityLimitationDurations": {"cpu": 1, "none": 1}}),
            json!({"framesEncoded": 6, "encoderImplementation": "b", "qualityLimitationDurations": {"cpu": 3, "none": 1}}),
            json!({"framesEncoded": null, "encoderImplementation": 7}),
            json!({"framesEncoded": 9, "encoderImplementation": 8, "frameWidth": 640}),
            json!({"encoderImplementation": 10}),
            json!({"encoderImplementation": 11}),
        ];
        let expected = [
            json!([5.0, "a", 0.5]),
            json!([6.0, "b", 0.75]),
            json!([null, 7, 0.75]),
            json!([9.0, 8, 0.75]),
            json!([9.0, 10, 0.75]),
            json!([9.0, 11, 0.75]),
        ];
        for (count, expected) in (1..).zip(expected) {
            let mut lines = vec![json!(["addTrack", "PC_0", "video:mine stream:s", 1e12, 1])];
            lines.extend(story[..count].iter().cloned().map(report));
            let features = features(&lines);
            let track = &features.peer_connections[0].tracks[0];
            let cpu = track.cpu_quality_limitation_percentage;
            let found = json!([track.frame_count, track.encoder_implementation, cpu]);
            assert_eq!(found, expected);
        }
    }
}
