//! Numbers.

use super::Reader;
use crate::json::decimal::{decimal, leading_digits};
use crate::json::{JsonError, JsonErrorKind};

impl Reader<'_> {
    /// The number that the key at the cursor is, and the bytes of that key; nothing is consumed.
    #[inline]
    pub(crate) fn number_key(&self) -> Option<(u16, usize)> {
        let (b'"', rest) = self.rest.split_first()? else {
            return None;
        };
        let (digits, number) = leading_digits(*rest.first_chunk::<8>()?);
        let is_canonical = digits == 1 || ((2..5).contains(&digits) && rest.first() != Some(&b'0'));
        let is_key = is_canonical && rest.get(digits..digits + 2) == Some(b"\":");
        is_key.then_some((number as u16, digits + 3))
    }

    /// The number at the cursor, if it is a [`decimal`] number and another member or the end of the
    /// object comes right behind it. Others are not consumed, malformed ones included.
    #[inline(always)]
    pub(crate) fn decimal(&mut self) -> Option<f64> {
        let (number, length, _) = self.whole_decimal()?;
        self.advance(length);
        Some(number)
    }

    /// As [`Reader::decimal`] and then [`Reader::more`] in an object.
    #[inline(always)]
    pub(crate) fn decimal_member(&mut self) -> Option<(f64, bool)> {
        let (number, length, behind) = self.whole_decimal()?;
        self.advance(length + 1);
        Some((number, behind == b','))
    }

    /// The number, its length, and the byte behind it.
    #[inline(always)]
    fn whole_decimal(&self) -> Option<(f64, usize, u8)> {
        let (number, length) = decimal(self.rest);
        let behind = *self.rest.get(length)?;
        let is_whole = length > 0 && matches!(behind, b',' | b'}');
        is_whole.then_some((number, length, behind))
    }

    /// Any number, exactly as JavaScript reads it; the cursor stands at its first byte.
    #[cold]
    pub(super) fn long_number(&mut self) -> Result<f64, JsonError> {
        let start = self.position();
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

    pub(super) fn skip_number(&mut self) -> Result<(), JsonError> {
        self.take_exact(b"-");
        let leading_zero = self.byte() == Some(b'0');
        let integer_digits = self.skip_digits()?;
        if leading_zero && integer_digits > 1 {
            return Err(self.error(JsonErrorKind::Number));
        }
        if self.take_exact(b".") {
            self.skip_digits()?;
        }
        if self.take_exact(b"e") || self.take_exact(b"E") {
            if !self.take_exact(b"+") {
                self.take_exact(b"-");
            }
            self.skip_digits()?;
        }
        Ok(())
    }

    /// At least one digit; how many.
    #[inline]
    fn skip_digits(&mut self) -> Result<usize, JsonError> {
        let mut rest = self.rest;
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
        self.advance(count);
        Ok(count)
    }

    #[cold]
    fn missing_digits(&self) -> JsonError {
        let at_end = self.rest.is_empty();
        self.error(if at_end {
            JsonErrorKind::UnexpectedEnd
        } else {
            JsonErrorKind::Number
        })
    }
}
