//! One RTP stream: what all reports say of one stats id.

use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, Stats, StatsKind, StatsObject};
use serde_json::Value as Json;

use super::flushes::Flushes;
use super::last_report::{LastReport, Member};
use super::place::{Place, Reference};
use super::quota::Quota;
use super::resolution::Resolutions;
use super::tracks::{Ident, Tracks};

/// What is known of a stream, whether it has a track or not.
#[derive(Debug)]
pub(super) struct Stream {
    number: usize,
    id: Box<str>,
    pub(super) last: LastReport,
    columns: Columns,
    pub(super) last_time: f64,
    pub(super) codec: Option<Codec>,
    pub(super) has_null_decoder: bool,
    pub(super) resolutions: Option<Box<Resolutions>>,
    pub(super) flushes: Flushes,
    pub(super) remote: Remote,
    source: TrackReference,
    /// In older browsers a stream leads to its track by way of an object for the track.
    track: TrackReference,
    association: Association,
}

/// Where the last report has what is looked at each time.
#[derive(Debug, Default)]
struct Columns {
    track: Option<usize>,
    source: Option<usize>,
    track_object: Option<usize>,
    remote: Option<usize>,
    codec: Option<usize>,
    width: Option<usize>,
    height: Option<usize>,
    flushes: Option<usize>,
    decoder: Option<usize>,
}

/// The first codec of a stream.
#[derive(Debug)]
pub(super) struct Codec {
    pub(super) mime_type: Option<Json>,
    pub(super) sdp_fmtp_line: Json,
}

/// What the receiver of a stream that is sent says of it, in the last report.
#[derive(Debug)]
pub(super) struct Remote {
    reference: Reference,
    places: [Place; 3],
    /// Packets with ECT(1), with CE, and with an ECT(1) marking that was lost.
    pub(super) packets: [Option<f64>; 3],
}

/// The object that has the id of the stream's track.
#[derive(Debug)]
struct TrackReference {
    reference: Reference,
    ident: Place,
}

/// What was last tried to find the track of a stream.
#[derive(Debug, Default)]
struct Association {
    is_found: bool,
    /// How many tracks there were.
    tracks: Option<usize>,
    ident: Option<Member>,
}

impl Stream {
    pub(super) fn new(number: usize, id: &str) -> Self {
        Self {
            number,
            id: id.into(),
            last: LastReport::default(),
            columns: Columns::default(),
            last_time: f64::NAN,
            codec: None,
            has_null_decoder: false,
            resolutions: None,
            flushes: Flushes::default(),
            remote: Remote {
                reference: Reference::default(),
                places: [
                    Place::of(Field::PacketsReceivedWithEct1),
                    Place::of(Field::PacketsReceivedWithCe),
                    Place::of(Field::PacketsWithBleachedEct1Marking),
                ],
                packets: [None; 3],
            },
            source: TrackReference::new(),
            track: TrackReference::new(),
            association: Association::default(),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Takes the stream's object in the next report.
    pub(super) fn take(
        &mut self,
        object: StatsObject<'_>,
        stats: &Stats,
        time: f64,
        tracks: &mut Tracks,
        quota: &mut Quota<'_>,
    ) {
        if self.last.take(object, quota) {
            self.columns = Columns::of(&self.last);
        }
        self.last_time = time;
        self.take_codec(stats, quota);
        self.take_picture(quota);
        if let Some(flushes) = self.last.member(self.columns.flushes) {
            self.flushes.take(flushes.number(), time);
        }
        if object.kind() == Some(StatsKind::OutboundRtp) {
            let remote = self.last.member(self.columns.remote);
            self.remote.take(remote, stats);
        }
        self.find_track(object.kind(), stats, tracks);
    }

    fn find_track(&mut self, kind: Option<StatsKind>, stats: &Stats, tracks: &mut Tracks) {
        let mut ident = match kind {
            Some(StatsKind::InboundRtp) => {
                let ident = self.last.member(self.columns.track);
                ident.map_or(Ident::Absent, Ident::of)
            }
            Some(StatsKind::OutboundRtp) => {
                let source = self.last.member(self.columns.source);
                self.source.ident(source, stats)
            }
            _ => return,
        };
        if ident == Ident::Absent && tracks.are_of_older_client() {
            let track = self.last.member(self.columns.track_object);
            ident = self.track.ident(track, stats);
        }
        self.association.update(ident, self.number, tracks);
    }

    fn take_codec(&mut self, stats: &Stats, quota: &mut Quota<'_>) {
        if self.codec.is_some() {
            return;
        }
        let id = self.last.member(self.columns.codec).and_then(Member::text);
        let Some(codec) = id.and_then(|id| stats.get(id)) else {
            return;
        };
        if !codec.is_truthy() {
            return;
        }
        let line = codec.get(Field::SdpFmtpLine);
        let line = line.filter(|line| line.is_truthy());
        self.codec = Some(Codec {
            mime_type: quota.keep_member(codec.get(Field::MimeType)),
            sdp_fmtp_line: quota
                .keep_member(line)
                .unwrap_or_else(|| Json::String(String::new())),
        });
    }

    fn take_picture(&mut self, quota: &mut Quota<'_>) {
        if let Some(decoder) = self.last.member(self.columns.decoder) {
            self.has_null_decoder |= decoder.text() == Some("NullVideoDecoder");
        }
        let width = self.last.member(self.columns.width);
        let height = self.last.member(self.columns.height);
        if let (Some(width), Some(height)) = (width, height) {
            self.resolutions
                .get_or_insert_default()
                .take(width.number(), height.number(), quota);
        }
    }
}

impl Columns {
    fn of(report: &LastReport) -> Self {
        Self {
            track: report.column(Field::TrackIdentifier),
            source: report.column(Field::MediaSourceId),
            track_object: report.column(Field::TrackId),
            remote: report.column(Field::RemoteId),
            codec: report.column(Field::CodecId),
            width: report.column(Field::FrameWidth),
            height: report.column(Field::FrameHeight),
            flushes: report.column(Field::JitterBufferFlushes),
            decoder: report.column(Field::DecoderImplementation),
        }
    }
}

impl Remote {
    fn take(&mut self, id: Option<&Member>, stats: &Stats) {
        let id = id.and_then(Member::text);
        let object = id.and_then(|id| self.reference.follow(id, stats));
        let Some(object) = object else {
            self.packets = [None; 3];
            return;
        };
        for (packets, place) in self.packets.iter_mut().zip(&mut self.places) {
            let value = place.get(object);
            *packets = value.map(|value| value.as_number().unwrap_or(f64::NAN));
        }
    }
}

impl TrackReference {
    fn new() -> Self {
        Self {
            reference: Reference::default(),
            ident: Place::of(Field::TrackIdentifier),
        }
    }

    /// The id of the track, by the object with this id.
    fn ident<'a>(&mut self, id: Option<&Member>, stats: &'a Stats) -> Ident<'a> {
        let id = id.and_then(Member::text);
        let object = id.and_then(|id| self.reference.follow(id, stats));
        match object.and_then(|object| self.ident.get(object)) {
            None => Ident::Absent,
            Some(Value::Text(text)) => Ident::Text(text),
            Some(Value::Null) => Ident::Null,
            Some(_) => Ident::Other,
        }
    }
}

impl Association {
    /// Looks for the stream's track, unless nothing has changed since the last time.
    #[inline]
    fn update(&mut self, ident: Ident<'_>, stream: usize, tracks: &mut Tracks) {
        let is_same = self.tracks.is_some() && ident.is(self.ident.as_ref());
        // A track that was found stays the first; those that come are behind it.
        let is_settled = self.is_found || self.tracks == Some(tracks.len());
        if is_same && is_settled {
            return;
        }
        self.tracks = Some(tracks.len());
        self.ident = ident.to_member();
        self.is_found = tracks.associate(stream, ident);
    }
}
