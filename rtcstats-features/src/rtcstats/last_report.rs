//! What the last report of an RTP stream says.

use rtcstats_proto::RawJson;
use rtcstats_proto::json::{Value, number_from_text};
use rtcstats_proto::stats::{Field, StatsObject};
use serde_json::Value as Json;

use super::quota::Quota;

/// The wanted members of the last report.
///
/// Where they are in the object is found out once, and again when its members change.
#[derive(Debug, Default)]
pub(super) struct LastReport {
    /// Slot and shape of the object.
    of: Option<(u32, u32)>,
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    field: Field,
    position: u32,
    member: Member,
}

/// A value that is kept. An array or object is its JSON text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Member {
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
    /// Takes the object of the next report. Returns whether it has other members than the one before.
    pub(super) fn take(&mut self, object: StatsObject<'_>, quota: &mut Quota<'_>) -> bool {
        let of = Some((object.slot(), object.shape()));
        let is_reshaped = self.of != of;
        if is_reshaped {
            self.of = of;
            self.find_columns(object);
        }
        for column in &mut self.columns {
            if let Some(value) = object.get_at(column.position as usize, column.field) {
                column.member.set(value, quota);
            }
        }
        is_reshaped
    }

    fn find_columns(&mut self, object: StatsObject<'_>) {
        self.columns.clear();
        let columns = WANTED.iter().filter_map(|field| {
            Some(Column {
                field: *field,
                position: u32::try_from(object.position(*field)?).ok()?,
                member: Member::Null,
            })
        });
        self.columns.extend(columns);
        self.columns.shrink_to_fit();
    }

    /// Which column a member is in, if the object has it.
    pub(super) fn column(&self, field: Field) -> Option<usize> {
        self.columns.iter().position(|column| column.field == field)
    }

    pub(super) fn member(&self, column: Option<usize>) -> Option<&Member> {
        self.columns.get(column?).map(|column| &column.member)
    }

    pub(super) fn get(&self, field: Field) -> Option<&Member> {
        self.member(self.column(field))
    }

    /// The number in a member; NaN for what is none.
    pub(super) fn number(&self, field: Field) -> Option<f64> {
        self.get(field).map(Member::number)
    }

    /// A text or flag as it is.
    pub(super) fn json(&self, field: Field) -> Option<Json> {
        self.get(field).map(Member::json)
    }

    /// The quotient of two members. Absent if one of them is, or the second is 0.
    pub(super) fn ratio(&self, dividend: Field, divisor: Field) -> Option<f64> {
        let (dividend, divisor) = (self.get(dividend)?, self.get(divisor)?);
        if *divisor == Member::Number(0.0) {
            return None;
        }
        Some(dividend.to_number() / divisor.to_number())
    }
}

impl Member {
    #[inline]
    fn set(&mut self, value: Value<'_>, quota: &mut Quota<'_>) {
        match (&mut *self, value) {
            (Self::Number(own), Value::Number(number)) => *own = number,
            (Self::Text(own), Value::Text(text)) if own == text => {}
            (_, Value::Number(number)) => *self = Self::Number(number),
            (_, Value::Bool(value)) => *self = Self::Bool(value),
            (_, Value::Null) => *self = Self::Null,
            (_, Value::Text(text)) => self.set_text(text, quota),
            (_, Value::Nested(raw)) => self.set_text(raw.as_str(), quota),
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

    /// The number, or NaN for what is none.
    pub(super) fn number(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            _ => f64::NAN,
        }
    }

    /// JavaScript's conversion to a number.
    fn to_number(&self) -> f64 {
        match self {
            Self::Null => 0.0,
            Self::Bool(value) => f64::from(u8::from(*value)),
            Self::Number(number) => *number,
            Self::Text(text) => number_from_text(text),
        }
    }

    pub(super) fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Number(number) => crate::javascript::json_number(*number),
            Self::Text(text) => Json::String(text.clone()),
        }
    }

    /// The JSON of an array or object.
    pub(super) fn nested(&self) -> Option<RawJson<'_>> {
        RawJson::parse(self.text()?).ok()
    }
}
