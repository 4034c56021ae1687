//! Borrowed JSON text.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

use super::{JsonError, Reader, Token, number_from_text, write_number};
use crate::Limits;

/// A JSON value as it was written, borrowed.
///
/// Made by [`RawJson::parse`], which checks it; what is read out of it is checked already. (The
/// report in a getstats [`Event`](crate::Event) is the one exception: the delta decoder checks it
/// while it reads. Methods called before that see damaged text as `null` or as ended.)
///
/// ```
/// use rtcstats_proto::RawJson;
///
/// let value = RawJson::parse(r#"{"rtt": 12.5, "region": "eu"}"#)?;
/// assert_eq!(value.get("rtt").and_then(|rtt| rtt.as_number()), Some(12.5));
/// assert!(value.get("jitter").is_none());
/// # Ok::<(), rtcstats_proto::JsonError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawJson<'a> {
    text: &'a str,
}

/// What kind of value a [`RawJson`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JsonKind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A string.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl<'a> RawJson<'a> {
    /// The value `null`, which also stands for JavaScript's `undefined` on the wire.
    pub const NULL: RawJson<'static> = RawJson { text: "null" };

    /// Checks that `text` is one JSON value.
    ///
    /// # Errors
    ///
    /// If it is not, or nested deeper than the default of [`Limits::depth`].
    pub fn parse(text: &'a str) -> Result<Self, JsonError> {
        Self::parse_within(text, &Limits::default())
    }

    /// As [`RawJson::parse`], with the depth of `limits`.
    ///
    /// # Errors
    ///
    /// If `text` is not one JSON value, or nested deeper than [`Limits::depth`].
    pub fn parse_within(text: &'a str, limits: &Limits) -> Result<Self, JsonError> {
        let mut reader = Reader::new(text, limits.depth);
        let value = reader.value()?;
        reader.finish()?;
        Ok(Self { text: value })
    }

    /// Takes text that was checked, or will be by its one reader.
    pub(crate) fn trusted(text: &'a str) -> Self {
        Self { text }
    }

    /// The text as it was written, without white space around it.
    pub fn as_str(self) -> &'a str {
        self.text
    }

    fn reader(self) -> Reader<'a> {
        Reader::new(self.text, Limits::MAX_DEPTH)
    }

    fn token(self) -> Token<'a> {
        self.reader().token().unwrap_or(Token::Null)
    }

    /// What kind of value this is.
    pub fn kind(self) -> JsonKind {
        match self.text.as_bytes().first() {
            Some(b'{') => JsonKind::Object,
            Some(b'[') => JsonKind::Array,
            Some(b'"') => JsonKind::Text,
            Some(b't' | b'f') => JsonKind::Bool,
            Some(b'0'..=b'9' | b'-') => JsonKind::Number,
            _ => JsonKind::Null,
        }
    }

    /// Whether this is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == JsonKind::Null
    }

    /// The boolean, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        match self.token() {
            Token::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_number(self) -> Option<f64> {
        match self.token() {
            Token::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The string with its escapes resolved, if it is one.
    pub fn as_text(self) -> Option<Cow<'a, str>> {
        match self.token() {
            Token::Text(text) => Some(text.resolve()),
            _ => None,
        }
    }

    /// Whether this is exactly the string `text`.
    pub fn is_text(self, text: &str) -> bool {
        self.as_text().is_some_and(|own| own == text)
    }

    /// JavaScript's truthiness: everything but `null`, `false`, 0 and `""`.
    pub fn is_truthy(self) -> bool {
        match self.token() {
            Token::Null => false,
            Token::Bool(value) => value,
            Token::Number(number) => number != 0.0,
            Token::Text(text) => !text.written.is_empty(),
            Token::Array | Token::Object => true,
        }
    }

    /// JavaScript's `Number(value)`; NaN for an array or object.
    pub fn to_number(self) -> f64 {
        match self.token() {
            Token::Null => 0.0,
            Token::Bool(value) => f64::from(u8::from(value)),
            Token::Number(number) => number,
            Token::Text(text) => number_from_text(&text.resolve()),
            Token::Array | Token::Object => f64::NAN,
        }
    }

    /// The value as JavaScript turns it into a property key: `1` and `"1"` are the same.
    ///
    /// An array or object gives its JSON text, which differs from JavaScript's and keeps
    /// different values apart.
    pub fn to_key(self) -> Cow<'a, str> {
        match self.token() {
            Token::Text(text) => text.resolve(),
            Token::Number(number) => {
                let mut key = String::new();
                if number.is_finite() {
                    write_number(number, &mut key);
                } else {
                    key.push_str(if number > 0.0 {
                        "Infinity"
                    } else {
                        "-Infinity"
                    });
                }
                Cow::Owned(key)
            }
            _ => Cow::Borrowed(self.text),
        }
    }

    /// The member `name` of an object; of several with that name the last, as in JavaScript.
    pub fn get(self, name: &str) -> Option<Self> {
        self.members()
            .filter(|(key, _)| key == name)
            .last()
            .map(|(_, value)| value)
    }

    /// The members of an object in written order; nothing for other kinds.
    pub fn members(self) -> Members<'a> {
        let mut reader = self.reader();
        let open = reader.take(b'{') && reader.peek() == Some(b'"');
        Members {
            reader: open.then_some(reader),
        }
    }

    /// The elements of an array; nothing for other kinds.
    pub fn elements(self) -> Elements<'a> {
        let mut reader = self.reader();
        let open = reader.take(b'[') && reader.peek() != Some(b']');
        Elements {
            reader: open.then_some(reader),
        }
    }

    /// Reads the value into a type of yours.
    ///
    /// # Errors
    ///
    /// Where the value has not the shape that `T` wants.
    pub fn deserialize<T: Deserialize<'a>>(self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.text)
    }
}

/// Shows kind and size only: the text may hold personal data.
impl fmt::Debug for RawJson<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "RawJson({:?}, {} bytes)",
            self.kind(),
            self.text.len()
        )
    }
}

/// The members of an object, see [`RawJson::members`].
#[derive(Debug, Clone)]
pub struct Members<'a> {
    reader: Option<Reader<'a>>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, RawJson<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = self.reader.take()?;
        let key = reader.key().ok()?.resolve();
        let value = RawJson::trusted(reader.value().ok()?);
        if reader.more(b'}').ok()? {
            self.reader = Some(reader);
        }
        Some((key, value))
    }
}

/// The elements of an array, see [`RawJson::elements`].
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    reader: Option<Reader<'a>>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = RawJson<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = self.reader.take()?;
        let value = RawJson::trusted(reader.value().ok()?);
        if reader.more(b']').ok()? {
            self.reader = Some(reader);
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_repeated_members_counts() {
        let value = RawJson::parse(r#"{"a":1,"b":2,"\u0061":3}"#).unwrap();
        assert_eq!(value.get("a").unwrap().as_number(), Some(3.0));
    }

    #[test]
    fn conversions_follow_javascript() {
        let number = |text| RawJson::parse(text).unwrap().to_number();
        assert_eq!(number("null"), 0.0);
        assert_eq!(number("true"), 1.0);
        assert_eq!(number("\" 0x10 \""), 16.0);
        assert!(number("{}").is_nan());
        assert_eq!(RawJson::parse("3475661459").unwrap().to_key(), "3475661459");
        assert_eq!(RawJson::parse("1e3").unwrap().to_key(), "1000");
        assert!(!RawJson::parse("-0.0").unwrap().is_truthy());
    }

    #[test]
    fn elements_and_members_of_empty_and_other_kinds_are_none() {
        for text in ["[]", "{}", "1", "\"[1]\""] {
            let value = RawJson::parse(text).unwrap();
            assert_eq!(
                (value.elements().count(), value.members().count()),
                (0, 0),
                "{text}"
            );
        }
    }
}
