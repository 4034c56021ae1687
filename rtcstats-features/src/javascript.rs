//! JavaScript's values where features carry them on: the existing extractor is written in it.

use std::borrow::Cow;

use rtcstats_proto::RawJson;
use rtcstats_proto::json::{JsonKind, Value, number_from_text, write_number};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};

/// Serializes a number as `JSON.stringify` does: integral values without fraction, NaN and
/// infinities as null.
pub(crate) fn number<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match integer(*number) {
        Some(integer) => serializer.serialize_i64(integer),
        None if number.is_finite() => serializer.serialize_f64(*number),
        None => serializer.serialize_unit(),
    }
}

/// As [`number`], of each of a list.
pub(crate) fn numbers<S: Serializer>(numbers: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(numbers.iter().copied().map(Number))
}

/// A number that is serialized as [`number`] does.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        number(&self.0, serializer)
    }
}

/// As [`number`]; for members that are left out where there is none.
pub(crate) fn optional_number<S: Serializer>(
    value: &Option<f64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => number(value, serializer),
        None => serializer.serialize_none(),
    }
}

/// A number as a JSON value, in the spelling of [`number`].
pub(crate) fn json_number(number: f64) -> Json {
    match integer(number) {
        Some(integer) => integer.into(),
        None => number.into(),
    }
}

/// The number as an integer, if it is one.
fn integer(number: f64) -> Option<i64> {
    const LIMIT: f64 = (1_u64 << 63) as f64;
    #[expect(clippy::cast_possible_truncation, reason = "checked")]
    (number.fract() == 0.0 && number.abs() < LIMIT).then_some(number as i64)
}

/// A value of an event as a JSON tree.
pub(crate) fn json(value: RawJson<'_>) -> Json {
    match value.kind() {
        JsonKind::Null => Json::Null,
        JsonKind::Bool => Json::Bool(value.as_bool().unwrap_or_default()),
        JsonKind::Number => json_number(value.as_number().unwrap_or(f64::NAN)),
        JsonKind::Text => Json::String(value.as_text().unwrap_or_default().into_owned()),
        JsonKind::Array => value.elements().map(json).collect(),
        JsonKind::Object => {
            let members = value.members();
            Json::Object(
                members
                    .map(|(key, value)| (key.into_owned(), json(value)))
                    .collect(),
            )
        }
    }
}

/// A member of a stats object as a JSON tree.
pub(crate) fn json_of(value: Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(value),
        Value::Number(number) => json_number(number),
        Value::Text(text) => Json::String(text.to_owned()),
        Value::Nested(raw) => json(raw),
    }
}

/// The text without white space around it, as JavaScript's `trim()`.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|character: char| {
        character == '\u{FEFF}' || (character.is_whitespace() && character != '\u{85}')
    })
}

/// Whether `value` as a JSON tree is `tree`.
pub(crate) fn is_same(tree: &Json, value: Value<'_>) -> bool {
    match (tree, value) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(own), Value::Bool(other)) => *own == other,
        (Json::Number(own), Value::Number(other)) => own.as_f64() == Some(other),
        (Json::String(own), Value::Text(other)) => own == other,
        _ => false,
    }
}

/// JavaScript's truthiness; `None` is `undefined`.
pub(crate) fn is_truthy(value: Option<&Json>) -> bool {
    match value {
        None | Some(Json::Null) => false,
        Some(Json::Bool(value)) => *value,
        Some(Json::Number(number)) => number.as_f64() != Some(0.0),
        Some(Json::String(text)) => !text.is_empty(),
        Some(Json::Array(_) | Json::Object(_)) => true,
    }
}

/// JavaScript's `===`. Arrays and objects are never the same one.
pub(crate) fn is_identical(one: Option<&Json>, other: Option<&Json>) -> bool {
    match (one, other) {
        (Some(Json::Array(_) | Json::Object(_)), _) => false,
        (Some(Json::Number(one)), Some(Json::Number(other))) => one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

/// What a NaN is replaced with: nothing.
pub(crate) fn nan_to_zero(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number }
}

/// The value as a property key.
pub(crate) fn key(value: Option<&Json>) -> Cow<'_, str> {
    match value {
        None => Cow::Borrowed("undefined"),
        Some(Json::String(text)) => Cow::Borrowed(text),
        Some(Json::Number(number)) => {
            let mut key = String::new();
            write_number(number.as_f64().unwrap_or(f64::NAN), &mut key);
            Cow::Owned(key)
        }
        Some(other) => Cow::Owned(other.to_string()),
    }
}

/// The member of a stats object as a property key.
#[inline]
pub(crate) fn key_of(value: Option<Value<'_>>) -> Cow<'_, str> {
    match value {
        None => Cow::Borrowed("undefined"),
        Some(Value::Text(text)) => Cow::Borrowed(text),
        Some(other) => converted_key(other),
    }
}

#[cold]
fn converted_key(value: Value<'_>) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed("null"),
        Value::Bool(value) => Cow::Borrowed(if value { "true" } else { "false" }),
        Value::Text(text) => Cow::Borrowed(text),
        Value::Nested(raw) => raw.to_key(),
        Value::Number(number) => {
            let mut key = String::new();
            write_number(number, &mut key);
            Cow::Owned(key)
        }
    }
}

/// The number of a key that JavaScript takes for an array index: canonical decimal, at most
/// 4294967294. Such properties come first, ascending.
pub(crate) fn array_index(key: &str) -> Option<u32> {
    let is_canonical =
        key == "0" || (!key.starts_with('0') && key.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_canonical || key.is_empty() || key.len() > 10 {
        return None;
    }
    key.parse().ok().filter(|index| *index != u32::MAX)
}

/// JavaScript's `one < other` between two members of stats objects: texts by their characters,
/// everything else as numbers.
#[inline]
pub(crate) fn is_less(one: Value<'_>, other: Value<'_>) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one < other,
        _ => is_less_converted(one, other),
    }
}

#[cold]
fn is_less_converted(one: Value<'_>, other: Value<'_>) -> bool {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => one.encode_utf16().lt(other.encode_utf16()),
        _ => one.to_number() < other.to_number(),
    }
}

/// The number of an event's value: numbers and texts convert, nothing else does.
pub(crate) fn number_or_text(value: RawJson<'_>) -> Option<f64> {
    value
        .as_number()
        .or_else(|| value.as_text().map(|text| number_from_text(&text)))
}

/// A JSON object whose members are merged one by one.
pub(crate) type JsonObject = Map<String, Json>;

/// Serializes nothing but an empty object.
pub(crate) fn empty_object<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    JsonObject::new().serialize(serializer)
}

/// How many UTF-16 code units a text has in JavaScript.
pub(crate) fn utf16_length(text: &str) -> usize {
    // Nearly every line is ASCII, which is much faster to see than to count.
    if text.is_ascii() {
        return text.len();
    }
    // Every character begins with one byte that continues no other, and takes two units if that byte
    // begins four.
    let units = |byte: u8| usize::from(byte & 0xC0 != 0x80) + usize::from(byte >= 0xF0);
    text.bytes().map(units).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    struct Numbers {
        #[serde(serialize_with = "number")]
        number: f64,
        #[serde(serialize_with = "optional_number")]
        optional: Option<f64>,
    }

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        let text = |number| {
            serde_json::to_string(&Numbers {
                number,
                optional: Some(number),
            })
            .unwrap()
        };
        for (number, written) in [
            (720.0, "720"),
            (-0.0, "0"),
            (-3.0, "-3"),
            (0.5, "0.5"),
            (1_700_000_000_123.0, "1700000000123"),
            (9.007_199_254_740_992e15, "9007199254740992"),
            (f64::NAN, "null"),
            (f64::NEG_INFINITY, "null"),
        ] {
            assert_eq!(
                text(number),
                format!("{{\"number\":{written},\"optional\":{written}}}")
            );
        }
    }

    #[test]
    fn values_are_carried_on_in_that_spelling() {
        let text = r#"{"a":[1.0,null,true,"\u00e9"],"b":{"c":1.5},"b":{"d":1e3}}"#;
        let tree = json(RawJson::parse(text).unwrap());
        assert_eq!(
            tree.to_string(),
            r#"{"a":[1,null,true,"é"],"b":{"d":1000}}"#
        );
        assert_eq!(json_of(Value::Number(f64::NAN)), Json::Null);
    }

    #[test]
    fn keys_are_texts() {
        assert_eq!(key(None), "undefined");
        assert_eq!(key(Some(&json!(5.0))), "5");
        assert_eq!(key_of(Some(Value::Number(1e21))), "1e+21");
        assert_eq!(
            (key_of(Some(Value::Null)), key_of(Some(Value::Bool(true)))),
            ("null".into(), "true".into())
        );
    }

    #[test]
    fn array_indices_are_canonical() {
        assert_eq!(
            (array_index("0"), array_index("4294967294")),
            (Some(0), Some(u32::MAX - 1))
        );
        for other in ["", "01", "-1", "4294967295", "99999999999", "1.0", "a"] {
            assert_eq!(array_index(other), None, "{other}");
        }
    }

    #[test]
    fn texts_compare_by_their_characters_and_everything_else_as_numbers() {
        assert!(is_less(Value::Text("180"), Value::Text("90")));
        assert!(is_less(Value::Text("90"), Value::Number(180.0)));
        assert!(is_less(Value::Null, Value::Bool(true)));
        assert!(!is_less(Value::Text("x"), Value::Number(1.0)));
    }

    #[test]
    fn the_same_is_of_the_same_type_and_no_object() {
        let is = |one: &Json, other: &Json| is_identical(Some(one), Some(other));
        assert!(is(&json!(1), &json!(1.0)));
        assert!(!is(&json!(1), &json!("1")));
        assert!(!is(&json!({}), &json!({})));
        assert!(is_identical(None, None) && !is_identical(None, Some(&Json::Null)));
    }

    proptest! {
        #[test]
        fn lengths_are_those_of_utf16(text in any::<String>()) {
            prop_assert_eq!(utf16_length(&text), text.encode_utf16().count());
        }
    }
}
