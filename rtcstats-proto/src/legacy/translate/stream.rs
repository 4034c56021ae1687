//! What Chrome's first statistics say of an RTP stream.

use crate::json::Value;
use crate::stats::{Field, StatsObject};

/// What a report of type `ssrc` says, in standard names.
pub(super) struct Stream<'a> {
    pub(super) is_remote: bool,
    pub(super) is_video: bool,
    pub(super) kind: Option<Value<'a>>,
    pub(super) numbers: [(Field, Option<f64>); 20],
}

impl<'a> Stream<'a> {
    pub(super) fn of(object: StatsObject<'a>) -> Self {
        let is_remote = object.id().contains("recv");
        let kind = [Field::Kind, Field::MediaType]
            .into_iter()
            .find_map(|field| object.get(field).filter(|kind| kind.is_truthy()));
        let is_video = kind == Some(Value::Text("video"));
        let first = |fields: &[Field]| integer_of(object, fields);
        let own = |field| (field, integer_of(object, &[field]));
        // Chrome did not count frames.
        let no_frames = |is_given: bool| is_given.then_some(0.0);
        let has = |field| object.get(field).is_some_and(Value::is_truthy);
        let level = first(&[Field::AudioInputLevel, Field::AudioOutputLevel]);
        let numbers = [
            own(Field::Ssrc),
            own(Field::BytesSent),
            own(Field::BytesReceived),
            own(Field::PacketsSent),
            own(Field::PacketsReceived),
            own(Field::PacketsLost),
            (
                Field::FrameWidth,
                first(&[Field::GoogFrameWidthReceived, Field::GoogFrameWidthSent]),
            ),
            (
                Field::FrameHeight,
                first(&[Field::GoogFrameHeightReceived, Field::GoogFrameHeightSent]),
            ),
            (
                Field::FramesPerSecond,
                first(&[Field::GoogFrameRateInput, Field::GoogFrameRateReceived]),
            ),
            (Field::FramesSent, no_frames(has(Field::GoogFrameRateInput))),
            (
                Field::FramesReceived,
                no_frames(has(Field::GoogFrameRateReceived)),
            ),
            (Field::FramesDropped, no_frames(is_video)),
            (Field::AudioLevel, level.map(|level| level / 32_767.0)),
            (Field::Jitter, first(&[Field::GoogJitterReceived])),
            (
                Field::FirCount,
                first(&[Field::GoogFirsReceived, Field::GoogFirsSent]),
            ),
            (
                Field::PliCount,
                first(&[Field::GoogPlisReceived, Field::GoogPlisSent]),
            ),
            (
                Field::NackCount,
                first(&[Field::GoogNacksReceived, Field::GoogNacksSent]),
            ),
            (
                Field::EchoReturnLoss,
                first(&[Field::GoogEchoCancellationReturnLoss]),
            ),
            (
                Field::EchoReturnLossEnhancement,
                first(&[Field::GoogEchoCancellationReturnLossEnhancement]),
            ),
            (Field::RoundTripTime, first(&[Field::GoogRtt])),
        ];
        Self {
            is_remote,
            is_video,
            kind,
            numbers,
        }
    }

    pub(super) fn get(&self, field: Field) -> Option<f64> {
        let mut numbers = self.numbers.iter();
        numbers.find(|(own, _)| *own == field)?.1
    }
}

/// The integer of the first of the members that is truthy.
pub(super) fn integer_of(object: StatsObject<'_>, fields: &[Field]) -> Option<f64> {
    let mut values = fields.iter().filter_map(|field| object.get(*field));
    integer(values.find(|value| value.is_truthy())?)
}

/// JavaScript's `parseInt(value)` of a text, as far as counters need it.
pub(super) fn integer(value: Value<'_>) -> Option<f64> {
    let text = match value {
        Value::Number(number) => return number.is_finite().then(|| number.trunc()),
        other => other.as_text()?.trim_start(),
    };
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let number: f64 = digits.get(..length)?.parse().ok()?;
    Some(if text.starts_with('-') {
        -number
    } else {
        number
    })
}
