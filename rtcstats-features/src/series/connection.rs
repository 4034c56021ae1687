//! One peer connection.

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, Stats, StatsKind, StatsObject};

use super::counter::{Counters, number, time_of};
use super::plot::{Grid, PlotState};
use super::stream::{Objects, StreamState, direction};
use super::{ConnectionSeries, Metric, SeriesOptions};
use crate::Limits;

/// The state of a connection.
#[derive(Debug)]
pub(super) struct ConnectionState {
    /// Of the stats that were looked at last.
    layout: Option<u64>,
    /// What counts bytes: transports, or candidate pairs where these do not.
    carriers: Vec<Carrier>,
    /// Slots of the candidate pairs in use.
    pairs: Vec<u32>,
    /// The slot of Chrome's first estimates of bandwidth.
    estimates: Option<u32>,
    /// Slots of the streams, of their sources and of what their receivers tell, with their numbers.
    current: Vec<CurrentStream>,
    streams: IndexMap<Box<str>, Box<StreamState>, RandomState>,
    /// Of the last report.
    time: f64,
    grid: Grid,
    plot: PlotState<{ Metric::OF_CONNECTIONS.len() }>,
}

/// An object that counts bytes.
#[derive(Debug)]
struct Carrier {
    id: Box<str>,
    slot: u32,
    time: f64,
    sent: Counters<2>,
    received: Counters<2>,
}

/// Where the stream of that number is in the report.
#[derive(Debug, Clone, Copy)]
struct CurrentStream {
    number: usize,
    own: u32,
    source: Option<u32>,
    remote: Option<u32>,
}

/// What a session may keep.
#[derive(Debug)]
pub(super) struct Quota<'a> {
    pub(super) limits: &'a Limits,
    /// Streams so far, of all connections.
    pub(super) streams: &'a mut usize,
    pub(super) is_incomplete: &'a mut bool,
}

impl ConnectionState {
    /// A connection without reports, the first of which is of this time.
    pub(super) fn new(time: f64, options: SeriesOptions) -> Self {
        let grid = Grid::new(time, options);
        Self {
            layout: None,
            carriers: Vec::new(),
            pairs: Vec::new(),
            estimates: None,
            current: Vec::new(),
            streams: IndexMap::default(),
            time: f64::NAN,
            grid,
            plot: grid.plot(time, Metric::OF_CONNECTIONS),
        }
    }

    /// Takes a report; `time` is that of the whole, for objects that have none.
    pub(super) fn take(&mut self, stats: &Stats, time: Option<f64>, quota: &mut Quota<'_>) {
        if self.layout != Some(stats.layout()) {
            self.layout = Some(stats.layout());
            self.arrange_transports(stats);
            self.arrange_streams(stats, time, quota);
        }
        for stream in &self.current {
            let (Some(own), Some((_, state))) = (
                stats.at(stream.own),
                self.streams.get_index_mut(stream.number),
            ) else {
                continue;
            };
            let objects = Objects {
                own,
                source: stream.source.and_then(|slot| stats.at(slot)),
                remote: stream.remote.and_then(|slot| stats.at(slot)),
            };
            state.take(&objects, time);
        }
        self.take_transports(stats, time);
    }

    /// Finds what carries packets.
    fn arrange_transports(&mut self, stats: &Stats) {
        let of_kind = |kind| {
            stats
                .iter()
                .filter(move |object| object.kind() == Some(kind))
        };
        let counts = |object: &StatsObject<'_>| {
            object.get(Field::BytesSent).is_some() || object.get(Field::BytesReceived).is_some()
        };
        let pairs = pairs_in_use(stats);
        let mut known = std::mem::take(&mut self.carriers);
        let mut carry = |object: StatsObject<'_>| {
            let index = known.iter().position(|carrier| *carrier.id == *object.id());
            let mut carrier = match index {
                Some(index) => known.swap_remove(index),
                None => Carrier::new(object.id()),
            };
            carrier.slot = object.slot();
            carrier
        };
        let mut carriers: Vec<_> = of_kind(StatsKind::Transport)
            .filter(counts)
            .map(&mut carry)
            .collect();
        if carriers.is_empty() {
            carriers = pairs.iter().copied().filter(counts).map(carry).collect();
        }
        self.carriers = carriers;
        self.pairs = pairs.into_iter().map(StatsObject::slot).collect();
        self.estimates = of_kind(StatsKind::VideoBwe).next().map(StatsObject::slot);
    }

    fn arrange_streams(&mut self, stats: &Stats, time: Option<f64>, quota: &mut Quota<'_>) {
        self.current.clear();
        for own in stats {
            let Some(direction) = direction(own) else {
                continue;
            };
            let number = match self.streams.get_index_of(own.id()) {
                Some(number) => number,
                None => {
                    let Some(time) = time_of(own).or(time) else {
                        continue;
                    };
                    if !quota.admits_stream(own.id()) {
                        continue;
                    }
                    let stream = Box::new(StreamState::new(direction, self.grid, time));
                    self.streams.insert_full(own.id().into(), stream).0
                }
            };
            let objects = Objects::of(own, stats);
            if let Some((_, state)) = self.streams.get_index_mut(number) {
                state.describe(&objects, quota.limits.text_bytes);
            }
            self.current.push(CurrentStream {
                number,
                own: own.slot(),
                source: objects.source.map(StatsObject::slot),
                remote: objects.remote.map(StatsObject::slot),
            });
        }
    }

    fn take_transports(&mut self, stats: &Stats, time: Option<f64>) {
        // That of what is looked at; of the event where that has none.
        let mut slots = self
            .pairs
            .iter()
            .chain(self.carriers.iter().map(|it| &it.slot));
        let told = slots.find_map(|slot| time_of(stats.at(*slot)?));
        let Some(time) = told.or(time) else {
            return;
        };
        if time == self.time {
            return;
        }
        self.time = time;
        self.plot.advance(time);
        self.take_bytes(stats, time);
        let pairs = self.pairs.iter().filter_map(|slot| stats.at(*slot));
        for pair in pairs {
            let in_milliseconds = || Some(number(pair, Field::GoogRtt)? / 1_000.0);
            let round_trip_time = number(pair, Field::CurrentRoundTripTime);
            self.plot.add_value(
                Metric::CurrentRoundTripTime,
                round_trip_time.or_else(in_milliseconds),
            );
            let available = number(pair, Field::AvailableOutgoingBitrate);
            self.plot
                .add_value(Metric::AvailableOutgoingBitrate, available);
        }
        if let Some(estimates) = self.estimates.and_then(|slot| stats.at(slot)) {
            let available = number(estimates, Field::GoogAvailableSendBandwidth);
            self.plot
                .add_value(Metric::AvailableOutgoingBitrate, available);
        }
    }

    /// The bytes of all carriers over the longest time that one of them took.
    fn take_bytes(&mut self, stats: &Stats, time: f64) {
        let mut sent = Growth::default();
        let mut received = Growth::default();
        for carrier in &mut self.carriers {
            let Some(object) = stats.at(carrier.slot) else {
                continue;
            };
            let time = time_of(object).unwrap_or(time);
            if time == carrier.time {
                continue;
            }
            carrier.time = time;
            let bytes = |field| [Some(time), number(object, field)];
            sent.add(carrier.sent.grow(bytes(Field::BytesSent)));
            received.add(carrier.received.grow(bytes(Field::BytesReceived)));
        }
        for (metric, growth) in [
            (Metric::BitrateSent, sent),
            (Metric::BitrateReceived, received),
        ] {
            if growth.elapsed > 0.0 {
                self.plot
                    .add(metric, growth.bytes * 8.0, growth.elapsed / 1_000.0);
            }
        }
    }

    pub(super) fn series(&self) -> ConnectionSeries {
        let streams = self.streams.iter();
        ConnectionSeries {
            plot: self.plot.plot(),
            streams: streams
                .map(|(id, stream)| (id.to_string(), stream.series()))
                .collect(),
        }
    }
}

/// The candidate pairs that transports have selected, or that are in use in browsers that have no
/// such transports.
fn pairs_in_use(stats: &Stats) -> Vec<StatsObject<'_>> {
    let selected = stats
        .iter()
        .filter(|object| object.kind() == Some(StatsKind::Transport))
        .filter_map(|transport| {
            stats.get(transport.get(Field::SelectedCandidatePairId)?.as_text()?)
        });
    let selected: Vec<_> = selected.collect();
    if !selected.is_empty() {
        return selected;
    }
    let is_set = |object: &StatsObject<'_>, field| object.get(field) == Some(Value::Bool(true));
    let pairs = stats.iter().filter(|object| match object.kind() {
        Some(StatsKind::CandidatePair) => {
            is_set(object, Field::Selected)
                || (is_set(object, Field::Nominated)
                    && object.get(Field::Selected).is_none()
                    && object.get(Field::State) == Some(Value::Text("succeeded")))
        }
        Some(StatsKind::GoogCandidatePair) => {
            object.get(Field::GoogActiveConnection) == Some(Value::Text("true"))
        }
        _ => false,
    });
    pairs.collect()
}

/// How bytes grew.
#[derive(Debug, Clone, Copy, Default)]
struct Growth {
    /// In milliseconds.
    elapsed: f64,
    bytes: f64,
}

impl Growth {
    fn add(&mut self, growth: Option<[f64; 2]>) {
        if let Some([elapsed, bytes]) = growth {
            self.elapsed = self.elapsed.max(elapsed);
            self.bytes += bytes;
        }
    }
}

impl Carrier {
    fn new(id: &str) -> Self {
        Self {
            id: id.into(),
            slot: 0,
            time: f64::NAN,
            sent: Counters::default(),
            received: Counters::default(),
        }
    }
}

impl Quota<'_> {
    /// Whether there is room for one more stream of this id.
    fn admits_stream(&mut self, id: &str) -> bool {
        let is_admitted =
            *self.streams < self.limits.series_streams && id.len() <= self.limits.text_bytes;
        *self.streams += usize::from(is_admitted);
        *self.is_incomplete |= !is_admitted;
        is_admitted
    }
}
