//! Strings.

use super::Reader;
use crate::json::{JsonError, JsonErrorKind, Text};

impl<'a> Reader<'a> {
    /// A string; the cursor stands at its opening quote.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Text<'a>, JsonError> {
        let start = self.position() + 1;
        let escaped = self.skip_string()?;
        let end = self.position() - 1;
        let written = self.text.get(start..end).unwrap_or_default();
        Ok(Text { written, escaped })
    }

    /// Skips a string and tells whether it holds escapes.
    #[inline]
    pub(super) fn skip_string(&mut self) -> Result<bool, JsonError> {
        self.advance(1);
        let mut escaped = false;
        loop {
            self.advance(plain_length(self.rest));
            match self.byte() {
                Some(b'"') => {
                    self.advance(1);
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
        match self.rest {
            [
                _,
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                ..,
            ] => {
                self.advance(2);
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
        self.advance(6);
        Ok(())
    }
}

/// How many bytes come before the next quote, backslash or control character, or the end.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut rest = bytes;
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        // Bytes that are too small borrow, and so do maybe some behind the first such, but none before it.
        let quotes = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
        let backslashes = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
        let controls = word.wrapping_sub(ONES * b' ' as u64);
        let special = (quotes | backslashes | controls) & !word & HIGHS;
        if special != 0 {
            return bytes.len() - rest.len() + (special.trailing_zeros() / 8) as usize;
        }
        rest = tail;
    }
    let is_plain = |byte: &&u8| **byte >= b' ' && **byte != b'"' && **byte != b'\\';
    bytes.len() - rest.len() + rest.iter().take_while(is_plain).count()
}
