//! The pull parser: reads JSON text value by value, without building anything.

use super::{JsonError, JsonErrorKind, Text};
use crate::Limits;

/// A cursor in JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    position: usize,
    /// At most [`Limits::MAX_DEPTH`]: the nesting is kept in one `u128`.
    max_depth: u32,
}

/// A short member name with its quotes and colon, to be compared at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyWord {
    bytes: u64,
    /// At most 8; 0 for a name that is too long.
    length: u8,
}

impl KeyWord {
    pub(crate) const fn new(name: &str) -> Self {
        let name = name.as_bytes();
        let length = name.len() + 3;
        if length > 8 {
            return Self {
                bytes: 0,
                length: 0,
            };
        }
        let mut bytes = b'"' as u64;
        let mut rest = name;
        let mut place = 1;
        while let Some((byte, tail)) = rest.split_first() {
            bytes |= (*byte as u64) << (8 * place);
            rest = tail;
            place += 1;
        }
        bytes |= (b'"' as u64) << (8 * place) | (b':' as u64) << (8 * (place + 1));
        Self {
            bytes,
            length: length as u8,
        }
    }

    /// Whether the name is too long for a word.
    #[inline]
    pub(crate) fn is_long(self) -> bool {
        self.length == 0
    }
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
            position: 0,
            max_depth: max_depth.min(Limits::MAX_DEPTH),
        }
    }

    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.text
            .as_bytes()
            .get(self.position..)
            .unwrap_or_default()
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
        self.text.get(start..self.position).unwrap_or_default()
    }

    #[cold]
    pub(crate) fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError {
            kind,
            offset: self.position,
        }
    }

    #[cold]
    fn unexpected(&self) -> JsonError {
        let at_end = self.position >= self.text.len();
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
        if WORDS.iter().any(|word| word.starts_with(self.rest())) {
            self.error(JsonErrorKind::UnexpectedEnd)
        } else {
            self.error(JsonErrorKind::UnexpectedByte)
        }
    }

    #[inline]
    pub(crate) fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.position += 1;
        }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
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
        self.position += usize::from(found);
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
        let found = self.rest().starts_with(bytes);
        if found {
            self.position += bytes.len();
        }
        found
    }

    /// Consumes `"name":` if it stands at the cursor, spelled without escapes and white space.
    #[inline]
    pub(crate) fn take_key(&mut self, name: &str) -> bool {
        let (rest, name) = (self.rest(), name.as_bytes());
        let end = name.len() + 1;
        let found = rest.first() == Some(&b'"')
            && rest.get(end..end + 2) == Some(b"\":")
            && rest.get(1..end).is_some_and(|key| is_same(key, name));
        if found {
            self.position += end + 2;
        }
        found
    }

    /// The number that the key at the cursor is, and the bytes of that key; nothing is consumed.
    #[inline]
    pub(crate) fn number_key(&self) -> Option<(u16, usize)> {
        let rest = self.rest();
        let (b'"', rest) = rest.split_first()? else {
            return None;
        };
        let (digits, number) = leading_digits(*rest.first_chunk::<8>()?);
        let is_canonical = digits == 1 || ((2..5).contains(&digits) && rest.first() != Some(&b'0'));
        let is_key = is_canonical && rest.get(digits..digits + 2) == Some(b"\":");
        is_key.then_some((number as u16, digits + 3))
    }

    /// Consumes so many bytes, which were looked at.
    #[inline]
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.position = (self.position + bytes).min(self.text.len());
    }

    /// As [`Reader::take_key`] for a name that has a word. Near the end of the text nothing is found, nor
    /// for a word of a name that is too long.
    #[inline]
    pub(crate) fn take_key_word(&mut self, word: KeyWord) -> bool {
        let Some(chunk) = self.rest().first_chunk::<8>() else {
            return false;
        };
        let others = u64::from_le_bytes(*chunk) ^ word.bytes;
        let unused = 64 - 8 * u32::from(word.length);
        let found = word.length > 0 && others << (unused & 63) == 0;
        if found {
            self.position += usize::from(word.length);
        }
        found
    }

    /// After a value inside an object: `true` if another member follows, `false` at its end.
    #[inline]
    pub(crate) fn more(&mut self, close: u8) -> Result<bool, JsonError> {
        match self.peek() {
            Some(b',') => {
                self.position += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.position += 1;
                Ok(false)
            }
            _ => Err(self.unexpected()),
        }
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
        match self.short_number() {
            Some(number) => Ok(Token::Number(number)),
            None => self.other_token(),
        }
    }

    /// As [`Reader::token`], where there is no [`Reader::short_number`].
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
        let start = self.position;
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
                    self.position += 1;
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

    /// A string; the cursor stands at its opening quote.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Text<'a>, JsonError> {
        let start = self.position + 1;
        let escaped = self.skip_string()?;
        let written = self.text.get(start..self.position - 1).unwrap_or_default();
        Ok(Text { written, escaped })
    }

    /// Skips a string and tells whether it holds escapes.
    #[inline]
    fn skip_string(&mut self) -> Result<bool, JsonError> {
        let bytes = self.text.as_bytes();
        self.position += 1;
        let mut escaped = false;
        loop {
            self.position = plain_end(bytes, self.position);
            match self.byte() {
                Some(b'"') => {
                    self.position += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.skip_escape()?;
                }
                Some(_) => return Err(self.error(JsonErrorKind::ControlCharacter)),
                None => return Err(self.unexpected()),
            }
        }
    }

    #[inline]
    fn skip_escape(&mut self) -> Result<(), JsonError> {
        match self.rest() {
            [
                _,
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                ..,
            ] => {
                self.position += 2;
                Ok(())
            }
            [_, b'u', digits @ ..] => self.skip_unicode_escape(digits),
            [_] => Err(self.error(JsonErrorKind::UnexpectedEnd)),
            _ => Err(self.error(JsonErrorKind::Escape)),
        }
    }

    #[cold]
    fn skip_unicode_escape(&mut self, digits: &[u8]) -> Result<(), JsonError> {
        let digits = digits.get(..4).unwrap_or(digits);
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(self.error(JsonErrorKind::Escape));
        }
        if digits.len() < 4 {
            return Err(self.error(JsonErrorKind::UnexpectedEnd));
        }
        self.position += 6;
        Ok(())
    }

    /// A number as most are: not negative, without exponent, followed by another member or the end
    /// of the object, and with so few digits that it is an exact integer over an exact power of ten.
    /// Then the quotient is rounded once, as the number itself would be. Others are not consumed,
    /// malformed ones included.
    #[inline]
    pub(crate) fn short_number(&mut self) -> Option<f64> {
        let rest = self.rest();
        let (mut digits, mut mantissa) = up_to_15_digits(rest)?;
        if digits == 0 || (digits > 1 && rest.first() == Some(&b'0')) {
            return None;
        }
        let mut end = digits;
        let mut power = None;
        if rest.get(end) == Some(&b'.') {
            let (count, fraction) = up_to_15_digits(rest.get(end + 1..)?)?;
            digits += count;
            // Fewer than 18 digits, or the mantissa may have wrapped.
            mantissa = mantissa.wrapping_mul(*INTEGER_POWERS_OF_TEN.get(count)?);
            mantissa = mantissa.wrapping_add(fraction);
            if count == 0 || digits > 18 || mantissa > MAX_EXACT_MANTISSA {
                return None;
            }
            end += 1 + count;
            power = POWERS_OF_TEN.get(count);
        }
        if !matches!(rest.get(end), Some(b',' | b'}')) {
            return None;
        }
        self.position += end;
        let integer = mantissa as i64 as f64;
        Some(power.map_or(integer, |power| integer / power))
    }

    /// Any number, exactly as JavaScript reads it; the cursor stands at its first byte.
    #[cold]
    fn long_number(&mut self) -> Result<f64, JsonError> {
        let start = self.position;
        self.skip_number()?;
        self.parse_number(start)
    }

    #[cold]
    fn parse_number(&self, start: usize) -> Result<f64, JsonError> {
        self.since(start).parse().map_err(|_| JsonError {
            kind: JsonErrorKind::Number,
            offset: start,
        })
    }

    fn skip_number(&mut self) -> Result<(), JsonError> {
        self.position += usize::from(self.byte() == Some(b'-'));
        let leading_zero = self.byte() == Some(b'0');
        let integer_digits = self.skip_digits()?;
        if leading_zero && integer_digits > 1 {
            return Err(self.error(JsonErrorKind::Number));
        }
        if self.byte() == Some(b'.') {
            self.position += 1;
            self.skip_digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.position += 1;
            self.position += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.skip_digits()?;
        }
        Ok(())
    }

    /// At least one digit; how many.
    #[inline]
    fn skip_digits(&mut self) -> Result<usize, JsonError> {
        let mut rest = self.rest();
        let mut count = 0;
        while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
            let (digits, _) = leading_digits(*chunk);
            count += digits;
            if digits < 8 {
                rest = &[];
                break;
            }
            rest = tail;
        }
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        count += digits.count();
        if count == 0 {
            return Err(self.missing_digits());
        }
        self.position += count;
        Ok(count)
    }

    #[cold]
    fn missing_digits(&self) -> JsonError {
        let at_end = self.position >= self.text.len();
        self.error(if at_end {
            JsonErrorKind::UnexpectedEnd
        } else {
            JsonErrorKind::Number
        })
    }
}

/// The place of the next quote, backslash or control character from `position` on, or the end.
#[inline]
fn plain_end(bytes: &[u8], mut position: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zero_bytes = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut rest = bytes.get(position..).unwrap_or_default();
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let quotes = zero_bytes(word ^ (ONES * b'"' as u64));
        let backslashes = zero_bytes(word ^ (ONES * b'\\' as u64));
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let hits = quotes | backslashes | controls;
        if hits != 0 {
            // Borrows may mark bytes above the first hit, never below it.
            return position + (hits.trailing_zeros() / 8) as usize;
        }
        position += 8;
        rest = tail;
    }
    let plain = rest
        .iter()
        .take_while(|&&byte| byte != b'"' && byte != b'\\' && byte >= 0x20);
    position + plain.count()
}

/// How many digits `bytes` begin with, and the number that they are; `None` if there are more than
/// fifteen, or too few bytes to tell.
#[inline]
fn up_to_15_digits(bytes: &[u8]) -> Option<(usize, u64)> {
    let (chunk, rest) = bytes.split_first_chunk::<8>()?;
    let (count, number) = leading_digits(*chunk);
    if count < 8 {
        return Some((count, number));
    }
    let (more, lower) = leading_digits(*rest.first_chunk::<8>()?);
    let power = INTEGER_POWERS_OF_TEN.get(more)?;
    (more < 8).then(|| (8 + more, number * power + lower))
}

/// `left == right` without a call: what is compared is short, and mostly equal.
#[inline]
fn is_same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let (Some(left_end), Some(right_end)) = (left.last_chunk::<8>(), right.last_chunk::<8>())
    else {
        return std::iter::zip(left, right).all(|(left, right)| left == right);
    };
    // The last chunk may overlap the one before.
    let (left, right) = (left.chunks_exact(8), right.chunks_exact(8));
    left_end == right_end && std::iter::zip(left, right).all(|(left, right)| left == right)
}

/// How many of eight bytes, from the first, are digits, and the number that they are.
#[inline]
fn leading_digits(bytes: [u8; 8]) -> (usize, u64) {
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // Digits become 0 to 9. Adding 0x76 sets the high bit of what is more; a carry out of a byte
    // disturbs only those behind it.
    let digits = u64::from_le_bytes(bytes) ^ 0x3030_3030_3030_3030;
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & HIGHS;
    let count = others.trailing_zeros() / 8;
    if count == 0 {
        return (0, 0);
    }
    // The digits move to the end, behind zeros; then neighbours join, two, four and eight.
    let digits = digits << (64 - 8 * count);
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    const PAIRS: u64 = 0x0000_00FF_0000_00FF;
    let first = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let second = (pairs >> 16 & PAIRS).wrapping_mul(1 + (10_000 << 32));
    (count as usize, first.wrapping_add(second) >> 32)
}

const INTEGER_POWERS_OF_TEN: [u64; 16] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
    100_000_000_000,
    1_000_000_000_000,
    10_000_000_000_000,
    100_000_000_000_000,
    1_000_000_000_000_000,
];

/// Integers up to 2^53 are exact in an `f64`.
const MAX_EXACT_MANTISSA: u64 = 1 << 53;

/// The powers of ten that are exact in an `f64`.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Result<f64, JsonError> {
        let mut reader = Reader::new(text, 8);
        let number = match reader.short_number() {
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
    fn digits_are_counted_up_to_the_first_other_byte() {
        for (text, expected) in [
            (b"12345678", (8, 12_345_678)),
            (b"00000009", (8, 9)),
            (b"9999999,", (7, 9_999_999)),
            (b"42\xFF\xFF90/:", (2, 42)),
            (b"0}000000", (1, 0)),
            (b"/0000000", (0, 0)),
            (b":0000000", (0, 0)),
        ] {
            assert_eq!(leading_digits(*text), expected, "{text:?}");
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
            assert!(Reader::new(&text, 8).take_key(name));
            for at in 0..name.len() {
                let mut other = name.to_owned();
                other.replace_range(at..=at, "Z");
                assert!(!Reader::new(&text, 8).take_key(&other), "{name} {other}");
            }
            assert!(!Reader::new(&text, 8).take_key(&format!("{name}x")));
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
