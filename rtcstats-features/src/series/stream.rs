//! One RTP stream.

use rtcstats_proto::RawJson;
use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, Stats, StatsKind, StatsObject};

use super::counter::{Counters, number, time_of};
use super::plot::{Grid, PlotState};
use super::{MediaKind, Metric, StreamSeries};
use crate::rtcstats::Direction;

/// The state of a stream.
#[derive(Debug)]
pub(super) struct StreamState {
    direction: Direction,
    kind: Option<MediaKind>,
    track: Option<Box<str>>,
    rid: Option<Box<str>>,
    /// Of the last report.
    time: f64,
    /// Of the last report of the receiver.
    remote_time: f64,
    bytes: Counters<2>,
    packets: Counters<2>,
    frames: Counters<2>,
    freezes: Counters<1>,
    samples: Counters<3>,
    energy: Counters<2>,
    limitations: Counters<4>,
    plot: PlotState<{ Metric::OF_STREAMS.len() }>,
}

/// The objects that tell of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Objects<'a> {
    /// Its own.
    pub(super) own: StatsObject<'a>,
    /// Of its source; of its track in older browsers.
    pub(super) source: Option<StatsObject<'a>>,
    /// What its receiver reports.
    pub(super) remote: Option<StatsObject<'a>>,
}

/// Which way the stream of an object goes; `None` if it is none, or one that others tell of.
pub(super) fn direction(object: StatsObject<'_>) -> Option<Direction> {
    match object.kind()? {
        StatsKind::LegacySsrc if object.id().ends_with("_recv") => Some(Direction::Inbound),
        StatsKind::LegacySsrc => Some(Direction::Outbound),
        _ if object.get(Field::IsRemote) == Some(Value::Bool(true)) => None,
        StatsKind::InboundRtp => Some(Direction::Inbound),
        StatsKind::OutboundRtp => Some(Direction::Outbound),
        _ => None,
    }
}

impl<'a> Objects<'a> {
    /// Those of a stream.
    pub(super) fn of(own: StatsObject<'a>, stats: &'a Stats) -> Self {
        let named = |field| stats.get(own.get(field)?.as_text()?);
        Self {
            own,
            source: named(Field::MediaSourceId).or_else(|| named(Field::TrackId)),
            remote: named(Field::RemoteId)
                .filter(|remote| remote.kind() == Some(StatsKind::RemoteInboundRtp)),
        }
    }

    /// A number of the stream, or of its source.
    fn number(&self, field: Field) -> Option<f64> {
        number(self.own, field).or_else(|| number(self.source?, field))
    }

    /// The first of these numbers that there is.
    fn first(&self, fields: &[Field]) -> Option<f64> {
        fields.iter().find_map(|field| self.number(*field))
    }

    fn text(&self, field: Field, longest: usize) -> Option<Box<str>> {
        let text = |object: StatsObject<'a>| object.get(field)?.as_text();
        let text = text(self.own).or_else(|| text(self.source?))?;
        (!text.is_empty() && text.len() <= longest).then(|| text.into())
    }
}

impl StreamState {
    /// A stream without reports, the first of which is of this time.
    pub(super) fn new(direction: Direction, grid: Grid, time: f64) -> Self {
        Self {
            direction,
            kind: None,
            track: None,
            rid: None,
            time: f64::NAN,
            remote_time: f64::NAN,
            bytes: Counters::default(),
            packets: Counters::default(),
            frames: Counters::default(),
            freezes: Counters::default(),
            samples: Counters::default(),
            energy: Counters::default(),
            limitations: Counters::default(),
            plot: grid.plot(time, Metric::OF_STREAMS),
        }
    }

    /// Looks at what stays, where the layout of the stats is a new one. Longer texts are left out.
    pub(super) fn describe(&mut self, objects: &Objects<'_>, longest_text: usize) {
        let text = |field| objects.text(field, longest_text);
        self.kind = self.kind.or_else(|| {
            let kind = text(Field::Kind).or_else(|| text(Field::MediaType))?;
            match &*kind {
                "audio" => Some(MediaKind::Audio),
                "video" => Some(MediaKind::Video),
                _ => None,
            }
        });
        if self.track.is_none() {
            self.track = text(Field::TrackIdentifier).or_else(|| text(Field::GoogTrackId));
        }
        if self.rid.is_none() {
            self.rid = text(Field::Rid);
        }
    }

    /// Takes a report, whose time is `reported` where the object has none.
    pub(super) fn take(&mut self, objects: &Objects<'_>, reported: Option<f64>) {
        let Some(time) = time_of(objects.own).or(reported) else {
            return;
        };
        if time == self.time {
            return;
        }
        self.time = time;
        self.plot.advance(time);
        match self.direction {
            Direction::Inbound => self.take_received(objects, time),
            Direction::Outbound => self.take_sent(objects, time),
        }
        self.take_level(objects);
    }

    fn take_received(&mut self, objects: &Objects<'_>, time: f64) {
        let bytes = objects.number(Field::BytesReceived);
        self.take_bytes(time, bytes);
        let lost = objects.number(Field::PacketsLost);
        self.plot.add_value(Metric::PacketsLost, lost);
        let received = objects.number(Field::PacketsReceived);
        // Packets that come late are no longer lost: that number falls too.
        if let Some([lost, received]) = self.packets.advance([lost, received])
            && received >= 0.0
            && lost + received > 0.0
        {
            self.plot.add(Metric::PacketLoss, lost, lost + received);
        }
        let googled = || Some(number(objects.own, Field::GoogJitterReceived)? / 1_000.0);
        let jitter = objects.number(Field::Jitter).or_else(googled);
        self.plot.add_value(Metric::Jitter, jitter);
        self.take_frames(
            time,
            objects.number(Field::FramesDecoded),
            objects.first(&[
                Field::FramesPerSecond,
                Field::GoogFrameRateDecoded,
                Field::GoogFrameRateReceived,
            ]),
            objects.first(&[Field::FrameHeight, Field::GoogFrameHeightReceived]),
        );
        if let Some([freezes]) = self.freezes.grow([objects.number(Field::FreezeCount)]) {
            self.plot.add(Metric::Freezes, freezes, 1.0);
        }
        let concealed = objects.number(Field::ConcealedSamples);
        let silent = objects.number(Field::SilentConcealedSamples);
        let samples = [
            concealed,
            silent.or(concealed.map(|_| 0.0)),
            objects.number(Field::TotalSamplesReceived),
        ];
        if let Some([concealed, silent, all]) = self.samples.grow(samples)
            && all > 0.0
        {
            let heard = (concealed - silent).max(0.0);
            self.plot.add(Metric::Concealment, heard, all);
        }
    }

    fn take_sent(&mut self, objects: &Objects<'_>, time: f64) {
        self.take_bytes(time, objects.number(Field::BytesSent));
        self.take_frames(
            time,
            objects.first(&[Field::FramesEncoded, Field::FramesSent]),
            objects.first(&[Field::FramesPerSecond, Field::GoogFrameRateSent]),
            // The height of a source is that before it is scaled.
            number(objects.own, Field::FrameHeight)
                .or_else(|| number(objects.own, Field::GoogFrameHeightSent)),
        );
        self.take_limitations(objects.own);
        let packets = objects.number(Field::PacketsSent);
        if objects.own.kind() == Some(StatsKind::LegacySsrc) {
            let lost = objects.number(Field::PacketsLost);
            self.plot.add_value(Metric::PacketsLost, lost);
            self.take_remote_loss(lost, packets);
            let round_trip_time = number(objects.own, Field::GoogRtt);
            let in_seconds = round_trip_time.map(|time| time / 1_000.0);
            self.plot.add_value(Metric::RoundTripTime, in_seconds);
        } else if let Some(remote) = objects.remote {
            self.take_remote(remote, packets);
        }
    }

    /// What the receiver tells, once each time it does.
    fn take_remote(&mut self, remote: StatsObject<'_>, packets: Option<f64>) {
        let time = time_of(remote).unwrap_or(self.time);
        if time == self.remote_time {
            return;
        }
        self.remote_time = time;
        let round_trip_time = number(remote, Field::RoundTripTime);
        self.plot.add_value(Metric::RoundTripTime, round_trip_time);
        self.plot
            .add_value(Metric::Jitter, number(remote, Field::Jitter));
        let lost = number(remote, Field::PacketsLost);
        self.plot.add_value(Metric::PacketsLost, lost);
        match number(remote, Field::FractionLost) {
            Some(lost) => self.plot.add(Metric::PacketLoss, lost, 1.0),
            None => self.take_remote_loss(lost, packets),
        }
    }

    fn take_remote_loss(&mut self, lost: Option<f64>, sent: Option<f64>) {
        if let Some([lost, sent]) = self.packets.advance([lost, sent])
            && sent > 0.0
        {
            self.plot.add(Metric::PacketLoss, lost, sent);
        }
    }

    fn take_bytes(&mut self, time: f64, bytes: Option<f64>) {
        if let Some([elapsed, bytes]) = self.bytes.grow([Some(time), bytes])
            && elapsed > 0.0
        {
            self.plot
                .add(Metric::Bitrate, bytes * 8.0, elapsed / 1_000.0);
        }
    }

    /// Counted frames tell more than a rate of the last second.
    fn take_frames(
        &mut self,
        time: f64,
        count: Option<f64>,
        rate: Option<f64>,
        height: Option<f64>,
    ) {
        self.plot.add_value(Metric::FrameHeight, height);
        if count.is_none() {
            self.plot.add_value(Metric::FramesPerSecond, rate);
        }
        if let Some([elapsed, frames]) = self.frames.grow([Some(time), count])
            && elapsed > 0.0
        {
            self.plot
                .add(Metric::FramesPerSecond, frames, elapsed / 1_000.0);
        }
    }

    fn take_limitations(&mut self, object: StatsObject<'_>) {
        let durations = object.get(Field::QualityLimitationDurations);
        let [cpu, bandwidth, all] = if let Some(Value::Nested(durations)) = durations {
            let of = |reason| durations.get(reason).and_then(RawJson::as_number);
            let numbers = ["cpu", "bandwidth", "other", "none"].map(of);
            let Some([cpu, bandwidth, other, none]) = self.limitations.grow(numbers) else {
                return;
            };
            [cpu, bandwidth, cpu + bandwidth + other + none]
        } else if let Some(reason) = object.get(Field::QualityLimitationReason) {
            let is = |name| f64::from(u8::from(reason.as_text() == Some(name)));
            [is("cpu"), is("bandwidth"), 1.0]
        } else {
            let limited = |field| {
                let text = object.get(field)?.as_text()?;
                Some(f64::from(u8::from(text == "true")))
            };
            let cpu = limited(Field::GoogCpuLimitedResolution);
            let Some(cpu) = cpu else { return };
            let Some(bandwidth) = limited(Field::GoogBandwidthLimitedResolution) else {
                return;
            };
            [cpu, bandwidth, 1.0]
        };
        self.plot.add(Metric::CpuLimitation, cpu, all);
        self.plot.add(Metric::BandwidthLimitation, bandwidth, all);
    }

    fn take_level(&mut self, objects: &Objects<'_>) {
        let energy = objects.number(Field::TotalAudioEnergy);
        let duration = objects.number(Field::TotalSamplesDuration);
        if energy.is_some() && duration.is_some() {
            if let Some([energy, duration]) = self.energy.grow([energy, duration]) {
                self.plot.add(Metric::AudioLevel, energy, duration);
            }
            return;
        }
        /// The level of full scale.
        const LOUDEST: f64 = 32_767.0;
        let googled = || {
            let level = objects.first(&[Field::AudioOutputLevel, Field::AudioInputLevel])?;
            Some(level / LOUDEST)
        };
        let level = objects.number(Field::AudioLevel).or_else(googled);
        // As energy: of several levels the root of the mean square is taken.
        let energy = level.map(|level| level * level);
        self.plot.add_value(Metric::AudioLevel, energy);
    }

    pub(super) fn series(&self) -> StreamSeries {
        StreamSeries {
            direction: self.direction,
            kind: self.kind,
            track_identifier: self.track.as_deref().map(str::to_owned),
            rid: self.rid.as_deref().map(str::to_owned),
            plot: self.plot.plot(),
        }
    }
}
