//! What the last report of an RTP stream says.

use rtcstats_proto::RawJson;
use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, StatsObject};
use serde_json::Value as Json;

use super::quota::Quota;
use crate::javascript::json_of;
use crate::place::Place;

/// The wanted members of the last report.
///
/// Where they are in the object is found out once, and again when the layout of the stats changes.
#[derive(Debug, Default)]
pub(super) struct LastReport {
    /// Slot and shape of the object.
    of: Option<(u32, u32)>,
    /// Those that are numbers: nearly all.
    numbers: Vec<NumberMember>,
    others: Vec<OtherMember>,
}

#[derive(Debug)]
struct NumberMember {
    place: Place,
    number: f64,
}

#[derive(Debug)]
struct OtherMember {
    place: Place,
    value: Kept,
    /// It changes while the layout stays.
    is_volatile: bool,
}

/// A value that is kept. An array or object is its JSON text.
#[derive(Debug)]
enum Kept {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}

/// What features are made of.
const WANTED: [Field; 44] = [
    // What is looked at in each report, first: see `Stream`
    Field::TrackIdentifier,
    Field::MediaSourceId,
    Field::TrackId,
    Field::RemoteId,
    Field::CodecId,
    Field::FrameWidth,
    Field::FrameHeight,
    Field::JitterBufferFlushes,
    Field::DecoderImplementation,
    // Both directions
    Field::FramesEncoded,
    Field::FramesDecoded,
    Field::KeyFramesEncoded,
    Field::KeyFramesDecoded,
    Field::QpSum,
    Field::NackCount,
    Field::PliCount,
    Field::FirCount,
    // Sent
    Field::QualityLimitationDurations,
    Field::QualityLimitationResolutionChanges,
    Field::Rid,
    Field::EncodingIndex,
    Field::EncoderImplementation,
    Field::PowerEfficientEncoder,
    Field::PacketsSentWithEct1,
    Field::TotalEncodeTime,
    Field::PsnrMeasurements,
    Field::PsnrSum,
    // Received
    Field::FreezeCount,
    Field::TotalFreezesDuration,
    Field::FramesDropped,
    Field::PowerEfficientDecoder,
    Field::JitterBufferDelay,
    Field::JitterBufferMinimumDelay,
    Field::JitterBufferTargetDelay,
    Field::JitterBufferEmittedCount,
    Field::TotalProcessingDelay,
    Field::FramesAssembledFromMultiplePackets,
    Field::TotalAssemblyTime,
    Field::ConcealedSamples,
    Field::TotalSamplesReceived,
    Field::InsertedSamplesForDeceleration,
    Field::RemovedSamplesForAcceleration,
    Field::TotalDecodeTime,
    Field::TotalInterFrameDelay,
];

impl LastReport {
    /// Takes the object of a report with another layout than the one before.
    pub(super) fn arrange(&mut self, object: StatsObject<'_>, quota: &mut Quota<'_>) {
        let of = Some((object.slot(), object.shape()));
        if self.of != of {
            self.of = of;
            self.find_members(object, quota);
        }
        for member in &mut self.others {
            member.take(object, quota);
        }
    }

    fn find_members(&mut self, object: StatsObject<'_>, quota: &mut Quota<'_>) {
        self.numbers.clear();
        self.others.clear();
        for field in WANTED {
            let place = Place::of(field, object);
            match place.get(object) {
                None => {}
                Some(Value::Number(number)) => self.numbers.push(NumberMember { place, number }),
                Some(_) => {
                    let mut member = OtherMember {
                        place,
                        value: Kept::Null,
                        is_volatile: !field.is_descriptive(),
                    };
                    member.take(object, quota);
                    self.others.push(member);
                }
            }
        }
        self.numbers.shrink_to_fit();
        self.others.shrink_to_fit();
    }

    /// Takes the object of the next report.
    #[inline]
    pub(super) fn take(&mut self, object: StatsObject<'_>, quota: &mut Quota<'_>) {
        let values = object.values();
        for member in &mut self.numbers {
            let Some(number) = member.place.number_in(values) else {
                return self.find_members(object, quota);
            };
            member.number = number;
        }
        for member in self.others.iter_mut().filter(|member| member.is_volatile) {
            member.take(object, quota);
        }
    }

    /// A member; an array or object as text.
    pub(super) fn get(&self, field: Field) -> Option<Value<'_>> {
        let mut numbers = self.numbers.iter();
        if let Some(member) = numbers.find(|member| member.place.field() == field) {
            return Some(Value::Number(member.number));
        }
        let mut others = self.others.iter();
        let member = others.find(|member| member.place.field() == field)?;
        Some(member.value.get())
    }

    /// The number in a member; NaN for what is none.
    pub(super) fn number(&self, field: Field) -> Option<f64> {
        Some(self.get(field)?.as_number().unwrap_or(f64::NAN))
    }

    /// A text or flag as it is.
    pub(super) fn json(&self, field: Field) -> Option<Json> {
        self.get(field).map(json_of)
    }

    /// The JSON of an array or object.
    pub(super) fn nested(&self, field: Field) -> Option<RawJson<'_>> {
        RawJson::parse(self.get(field)?.as_text()?).ok()
    }

    /// The quotient of two members. Absent if one of them is, or the second is 0.
    pub(super) fn ratio(&self, dividend: Field, divisor: Field) -> Option<f64> {
        let (dividend, divisor) = (self.get(dividend)?, self.get(divisor)?);
        if divisor == Value::Number(0.0) {
            return None;
        }
        Some(dividend.to_number() / divisor.to_number())
    }
}

impl OtherMember {
    fn take(&mut self, object: StatsObject<'_>, quota: &mut Quota<'_>) {
        if let Some(value) = self.place.get(object) {
            // A number changes without notice.
            self.is_volatile |= matches!(value, Value::Number(_));
            self.value.set(value, quota);
        }
    }
}

impl Kept {
    fn set(&mut self, value: Value<'_>, quota: &mut Quota<'_>) {
        match value {
            Value::Null => *self = Self::Null,
            Value::Bool(value) => *self = Self::Bool(value),
            Value::Number(number) => *self = Self::Number(number),
            Value::Text(text) => self.set_text(text, quota),
            Value::Nested(raw) => self.set_text(raw.as_str(), quota),
        }
    }

    fn set_text(&mut self, text: &str, quota: &mut Quota<'_>) {
        let is_kept = quota.admits_text(text.len());
        match self {
            Self::Text(own) if is_kept => {
                own.clear();
                own.push_str(text);
            }
            _ if is_kept => *self = Self::Text(text.to_owned()),
            _ => *self = Self::Null,
        }
    }

    fn get(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::Text(text),
        }
    }
}
