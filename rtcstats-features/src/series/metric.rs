//! What is plotted.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

/// A number that is plotted. Names in JSON are those here with a small first letter; where one is that of
/// a member of W3C webrtc-stats it means the same, in the same unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Metric {
    /// Of a connection: bits a second that its transports sent.
    BitrateSent,
    /// Of a connection: bits a second that its transports received.
    BitrateReceived,
    /// Of a connection: round-trip time of its candidate pair in seconds, mean of the reports.
    CurrentRoundTripTime,
    /// Of a connection: what can be sent by the estimate of its candidate pair, in bits a second; mean of
    /// the reports.
    AvailableOutgoingBitrate,
    /// Of a stream: bits a second of payload, sent or received.
    Bitrate,
    /// Of a stream: which part of its packets was lost, 0 to 1; of one that is sent by the reports of
    /// its receiver.
    PacketLoss,
    /// Of a stream: packets that were lost since it began, the last number of the step; of one that is sent by
    /// the reports of its receiver. May fall, as packets that come late are no longer lost.
    PacketsLost,
    /// Of a stream that is sent: round-trip time in seconds, mean of the reports of its receiver.
    RoundTripTime,
    /// Of a stream: jitter in seconds, mean of the reports; of one that is sent by its receiver.
    Jitter,
    /// Of a video stream: frames a second that were encoded or decoded.
    FramesPerSecond,
    /// Of a video stream: height of the frames in pixels, the last one of the step.
    FrameHeight,
    /// Of a video stream that is received: freezes within the step.
    Freezes,
    /// Of an audio stream that is received: which part of its samples was made up, 0 to 1, silence not
    /// counted.
    Concealment,
    /// Of a video stream that is sent: for which part of the time it was limited by the CPU, 0 to 1.
    CpuLimitation,
    /// Of a video stream that is sent: for which part of the time it was limited by the bandwidth, 0 to 1.
    BandwidthLimitation,
    /// Of an audio stream: its level, 0 to 1, the root of its mean energy.
    AudioLevel,
}

/// What becomes of several values in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregation {
    /// The mean, by weight.
    Mean,
    /// The root of the mean, by weight.
    Root,
    /// The sum.
    Sum,
    /// The last one.
    Last,
}

impl Metric {
    /// Those of a connection.
    pub const OF_CONNECTIONS: [Self; 4] = [
        Self::BitrateSent,
        Self::BitrateReceived,
        Self::CurrentRoundTripTime,
        Self::AvailableOutgoingBitrate,
    ];

    /// Those of a stream.
    pub const OF_STREAMS: [Self; 12] = [
        Self::Bitrate,
        Self::PacketLoss,
        Self::PacketsLost,
        Self::RoundTripTime,
        Self::Jitter,
        Self::FramesPerSecond,
        Self::FrameHeight,
        Self::Freezes,
        Self::Concealment,
        Self::CpuLimitation,
        Self::BandwidthLimitation,
        Self::AudioLevel,
    ];

    pub(super) fn aggregation(self) -> Aggregation {
        match self {
            Self::FrameHeight | Self::PacketsLost => Aggregation::Last,
            Self::Freezes => Aggregation::Sum,
            Self::AudioLevel => Aggregation::Root,
            _ => Aggregation::Mean,
        }
    }
}

/// The values of one series. Seven digits of each are kept.
#[derive(Debug, Clone, Default)]
pub struct Values(pub(super) Vec<f32>);

impl Values {
    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a step; `None` if none is known.
    pub fn get(&self, step: usize) -> Option<f32> {
        self.0.get(step).copied().filter(|value| !value.is_nan())
    }

    /// The value of each step.
    pub fn iter(&self) -> impl Iterator<Item = Option<f32>> + '_ {
        let known = |value: &f32| (!value.is_nan()).then_some(*value);
        self.0.iter().map(known)
    }
}

/// Steps without a value are equal.
impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// As an array, with `null` where no value is known, and integers without fraction.
impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut array = serializer.serialize_seq(Some(self.0.len()))?;
        for value in self.iter() {
            match value {
                #[expect(clippy::cast_possible_truncation, reason = "saturates")]
                Some(value) if value.fract() == 0.0 && value.abs() < 1e15 => {
                    array.serialize_element(&(value as i64))?;
                }
                value => array.serialize_element(&value)?,
            }
        }
        array.end()
    }
}
