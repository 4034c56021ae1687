//! The pull parser: reads JSON text value by value, without building anything.

mod number;
mod string;

use super::key::{KeyWord, begins_with};
use super::{JsonError, JsonErrorKind, Text};
use crate::Limits;

/// A cursor in JSON text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    /// What of it comes behind the cursor.
    rest: &'a [u8],
    /// At most [`Limits::MAX_DEPTH`]: the nesting is kept in one `u128`.
    max_depth: u32,
}

/// A scalar, or the start of something nested (which is not consumed).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Token<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Text<'a>),
    /// The reader stands at the bracket.
    Array,
    /// The reader stands at the brace.
    Object,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str, max_depth: u32) -> Self {
        Self {
            text,
            rest: text.as_bytes(),
            max_depth: max_depth.min(Limits::MAX_DEPTH),
        }
    }

    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// Consumes so many bytes, which were looked at.
    #[inline]
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// The whole text.
    #[inline]
    pub(crate) fn source(&self) -> &'a str {
        self.text
    }

    /// Where a part of the text begins in it.
    #[inline]
    pub(crate) fn offset_of(&self, part: &'a str) -> usize {
        (part.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize)
    }

    /// The text from `start` to the cursor.
    #[inline]
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.position()).unwrap_or_default()
    }

    #[cold]
    pub(crate) fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError {
            kind,
            offset: self.position(),
        }
    }

    #[cold]
    fn unexpected(&self) -> JsonError {
        let at_end = self.rest.is_empty();
        self.error(if at_end {
            JsonErrorKind::UnexpectedEnd
        } else {
            JsonErrorKind::UnexpectedByte
        })
    }

    /// The error where a value was wanted: one that is cut off is not a wrong one.
    #[cold]
    fn unexpected_value(&self) -> JsonError {
        const WORDS: [&[u8]; 3] = [b"true", b"false", b"null"];
        if WORDS.iter().any(|word| word.starts_with(self.rest)) {
            self.error(JsonErrorKind::UnexpectedEnd)
        } else {
            self.error(JsonErrorKind::UnexpectedByte)
        }
    }

    #[inline]
    pub(crate) fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next byte that is not white space, not consumed.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let byte = self.byte();
        if matches!(byte, Some(0..=b' ')) {
            self.skip_space();
            return self.byte();
        }
        byte
    }

    /// Consumes `byte` if it comes next, white space before it included.
    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.advance(1);
        }
        found
    }

    /// Consumes `byte`, which must come next.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// Consumes exactly `bytes` if they stand at the cursor (no white space skipped).
    #[inline]
    pub(crate) fn take_exact(&mut self, bytes: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(bytes);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Consumes a [quoted](super::quoted) name if it stands at the cursor (no white space skipped).
    #[inline]
    pub(crate) fn take_key(&mut self, key: &str) -> bool {
        let found = begins_with(self.rest, key.as_bytes());
        if found {
            self.advance(key.len());
        }
        found
    }

    /// The same for a name without quotes, which must be [plain](super::is_plain).
    #[inline]
    pub(crate) fn take_plain_key(&mut self, name: &str) -> bool {
        let (rest, name) = (self.rest, name.as_bytes());
        let end = name.len() + 1;
        let found = rest.first() == Some(&b'"')
            && rest.get(end..end + 2) == Some(b"\":")
            && (name.is_empty() || begins_with(rest.get(1..end).unwrap_or_default(), name));
        if found {
            self.advance(end + 2);
        }
        found
    }

    /// As [`Reader::take_key`] for a name that has a word. Near the end of the text nothing is found, nor
    /// for a word of a name that is too long.
    #[inline]
    pub(crate) fn take_key_word(&mut self, word: KeyWord) -> bool {
        let Some(chunk) = self.rest.first_chunk::<8>() else {
            return false;
        };
        let others = u64::from_le_bytes(*chunk) ^ word.bytes;
        let unused = 64 - 8 * u32::from(word.length);
        let found = word.length > 0 && others << (unused & 63) == 0;
        if found {
            self.advance(usize::from(word.length));
        }
        found
    }

    /// After a value inside an object: `true` if another member follows, `false` at its end.
    #[inline]
    pub(crate) fn more(&mut self, close: u8) -> Result<bool, JsonError> {
        let mut byte = self.byte();
        if byte != Some(b',') && byte != Some(close) {
            // A copy, so that the cursor itself can be kept in registers.
            let mut cursor = *self;
            cursor.skip_space();
            byte = cursor.byte();
            if byte != Some(b',') && byte != Some(close) {
                return Err(cursor.unexpected());
            }
            *self = cursor;
        }
        self.advance(1);
        Ok(byte == Some(b','))
    }

    /// A member name and its colon.
    pub(crate) fn key(&mut self) -> Result<Text<'a>, JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let text = self.string()?;
        self.expect(b':')?;
        Ok(text)
    }

    /// Nothing but white space may follow.
    pub(crate) fn finish(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error(JsonErrorKind::Trailing)),
        }
    }

    /// Reads a scalar; stops before something nested.
    #[inline]
    pub(crate) fn token(&mut self) -> Result<Token<'a>, JsonError> {
        match self.decimal() {
            Some(number) => Ok(Token::Number(number)),
            None => self.other_token(),
        }
    }

    /// As [`Reader::token`], where there is no [`Reader::decimal`].
    #[inline]
    pub(crate) fn other_token(&mut self) -> Result<Token<'a>, JsonError> {
        match self.peek() {
            Some(b'0'..=b'9' | b'-') => Ok(Token::Number(self.long_number()?)),
            Some(b'"') => Ok(Token::Text(self.string()?)),
            Some(b'{') => Ok(Token::Object),
            Some(b'[') => Ok(Token::Array),
            Some(b't') if self.take_exact(b"true") => Ok(Token::Bool(true)),
            Some(b'f') if self.take_exact(b"false") => Ok(Token::Bool(false)),
            Some(b'n') if self.take_exact(b"null") => Ok(Token::Null),
            _ => Err(self.unexpected_value()),
        }
    }

    /// Checks one value of any kind and returns its text.
    pub(crate) fn value(&mut self) -> Result<&'a str, JsonError> {
        self.skip_space();
        let start = self.position();
        self.skip_value()?;
        Ok(self.since(start))
    }

    /// Checks one value of any kind. Iterative: depth costs no stack.
    fn skip_value(&mut self) -> Result<(), JsonError> {
        let mut depth = 0_u32;
        // Bit n tells whether level n + 1 is an object.
        let mut objects = 0_u128;
        loop {
            match self.peek() {
                Some(b'"') => self.skip_string().map(|_| ())?,
                Some(b'0'..=b'9' | b'-') => self.skip_number()?,
                Some(open @ (b'{' | b'[')) => {
                    if depth >= self.max_depth {
                        return Err(self.error(JsonErrorKind::Depth));
                    }
                    self.advance(1);
                    let is_object = open == b'{';
                    let close = if is_object { b'}' } else { b']' };
                    if !self.take(close) {
                        let bit = 1_u128 << depth;
                        objects = if is_object {
                            objects | bit
                        } else {
                            objects & !bit
                        };
                        depth += 1;
                        if is_object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b't') if self.take_exact(b"true") => {}
                Some(b'f') if self.take_exact(b"false") => {}
                Some(b'n') if self.take_exact(b"null") => {}
                _ => return Err(self.unexpected_value()),
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let is_object = objects >> (depth - 1) & 1 == 1;
                if self.more(if is_object { b'}' } else { b']' })? {
                    if is_object {
                        self.key()?;
                    }
                    break;
                }
                depth -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::quoted;
    use super::*;

    fn number(text: &str) -> Result<f64, JsonError> {
        let mut reader = Reader::new(text, 8);
        let number = match reader.decimal() {
            Some(number) => number,
            None => reader.long_number()?,
        };
        reader.finish().map(|()| number)
    }

    fn check(text: &str) -> Result<(), JsonError> {
        let mut reader = Reader::new(text, 8);
        reader.value()?;
        reader.finish()
    }

    #[test]
    fn malformed_numbers_are_rejected_where_they_go_wrong() {
        for (text, offset) in [("01", 2), ("-a", 1), ("1.e1", 2), ("1ee", 2)] {
            assert_eq!(
                number(text),
                Err(JsonError {
                    kind: JsonErrorKind::Number,
                    offset
                }),
                "{text}"
            );
        }
    }

    #[test]
    fn every_value_cut_off_is_an_unexpected_end() {
        for text in [
            "-1.5e+7",
            "[0.25e-3",
            "true",
            "false",
            "null",
            "{\"a\":\"\\u00e9\"",
        ] {
            for length in 0..text.len() {
                let cut = &text[..length];
                if let Err(error) = check(cut) {
                    assert_eq!(error.kind, JsonErrorKind::UnexpectedEnd, "{cut}");
                }
            }
        }
    }

    #[test]
    fn keys_are_taken_only_if_every_byte_agrees() {
        for name in [
            "",
            "a",
            "abcdefg",
            "abcdefgh",
            "abcdefghi",
            "abcdefghijklmnopqrstuvw",
        ] {
            let text = format!("\"{name}\":");
            let is_taken = |name: &str| {
                let (mut plain, mut key) = (Reader::new(&text, 8), Reader::new(&text, 8));
                let is_taken = plain.take_plain_key(name);
                assert_eq!(key.take_key(&quoted(name)), is_taken, "{name}");
                assert_eq!(plain.position(), if is_taken { text.len() } else { 0 });
                assert_eq!(key.position(), plain.position());
                is_taken
            };
            assert!(is_taken(name));
            for at in 0..name.len() {
                let mut other = name.to_owned();
                other.replace_range(at..=at, "Z");
                assert!(!is_taken(&other), "{name} {other}");
            }
            assert!(!is_taken(&format!("{name}x")));
        }
    }

    #[test]
    fn numbers_beyond_the_fast_path_are_exact() {
        for text in [
            "0.1",
            "123456789012345678901234567890",
            "1e400",
            "-0",
            "5e-324",
            "9007199254740993",
        ] {
            assert_eq!(
                number(text).unwrap().to_bits(),
                text.parse::<f64>().unwrap().to_bits(),
                "{text}"
            );
        }
    }

    #[test]
    fn depth_is_bounded() {
        assert!(check("[[[[[[[[]]]]]]]]").is_ok());
        let error = check("[[[[[[[[[]]]]]]]]]").unwrap_err();
        assert_eq!(
            error,
            JsonError {
                kind: JsonErrorKind::Depth,
                offset: 8
            }
        );
    }

    #[test]
    fn errors_name_the_byte() {
        for (text, kind, offset) in [
            ("", JsonErrorKind::UnexpectedEnd, 0),
            ("{\"a\" 1}", JsonErrorKind::UnexpectedByte, 5),
            ("[1 2]", JsonErrorKind::UnexpectedByte, 3),
            ("\"a\nb\"", JsonErrorKind::ControlCharacter, 2),
            ("\"\\x\"", JsonErrorKind::Escape, 1),
            ("\"\\u12", JsonErrorKind::UnexpectedEnd, 1),
            ("\"\\u1\"", JsonErrorKind::Escape, 1),
            ("1 x", JsonErrorKind::Trailing, 2),
            ("{\"a\":1,}", JsonErrorKind::UnexpectedByte, 7),
            ("trx", JsonErrorKind::UnexpectedByte, 0),
            ("[1,t", JsonErrorKind::UnexpectedEnd, 3),
            ("{t", JsonErrorKind::UnexpectedByte, 1),
        ] {
            assert_eq!(check(text), Err(JsonError { kind, offset }), "{text}");
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<f64>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<String>().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..8)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn numbers_equal_the_standard_parser(bits in any::<u64>(), decimals in 0_usize..20) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            for text in [format!("{value}"), format!("{value:e}"), format!("{:.decimals$}", value % 1e9)] {
                prop_assert_eq!(number(&text).unwrap().to_bits(), text.parse::<f64>().unwrap().to_bits());
            }
        }

        #[test]
        fn what_serde_json_writes_is_accepted(value in json()) {
            prop_assert!(check(&value.to_string()).is_ok());
        }

        #[test]
        fn a_damaged_text_is_judged_as_serde_json_does(value in json(), at in any::<prop::sample::Index>(), byte in 0x20_u8..0x7f) {
            let mut text = value.to_string().into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            let Ok(text) = String::from_utf8(text) else { return Ok(()) };
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(check(&text).is_ok(), theirs, "{}", text);
        }

        #[test]
        fn arbitrary_text_never_panics(text in any::<String>()) {
            let _ = check(&text);
        }
    }
}
