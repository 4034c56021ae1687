//! A member's value in eight bytes.

use compact_str::CompactString;

use crate::RawJson;
use crate::json::Value;

/// A value: a number as it is, everything else inside the bits that no number uses. A quiet NaN
/// with the sign set is never the result of reading a number, so its lower bits are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packed(u64);

const TAG: u64 = 0xFFF8_0000_0000_0000;
const TAG_MASK: u64 = 0xFFFF_0000_0000_0000;
const NULL: u64 = TAG;
const FALSE: u64 = TAG | 1;
const TRUE: u64 = TAG | 2;
/// Stands for [`Texts::shared`].
const SHARED: u64 = TAG | 3;
/// `{}`, which deltas of rtcstats 5.0 make of `null`, costs no text.
const EMPTY_OBJECT: u64 = TAG | 4;
/// The lower half is an index into [`Texts`].
const TEXT: u64 = TAG | 1 << 32;
const NESTED: u64 = TAG | 2 << 32;
const KIND_MASK: u64 = TAG_MASK | 0x0000_FFFF_0000_0000;

/// A value on its way into [`Stats`](super::Stats).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum NewValue<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(&'a str),
    /// JSON text of an array or object.
    Nested(&'a str),
}

/// The texts that packed values point to.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    texts: Vec<CompactString>,
    free: Vec<u32>,
    /// Bytes of all texts in use.
    bytes: usize,
    /// One number that many members have.
    shared: f64,
}

impl Packed {
    /// The number that is [`Texts::set_shared`], now and later.
    pub(crate) const SHARED: Self = Self(SHARED);

    #[inline]
    pub(crate) fn is_number(self) -> bool {
        self.0 & TAG_MASK != TAG
    }

    /// Puts a number in the place of a number; `false` if one of the two is none.
    #[inline]
    pub(crate) fn replace_number(&mut self, value: NewValue<'_>) -> bool {
        match value {
            NewValue::Number(number) if self.is_number() && !number.is_nan() => {
                self.0 = number.to_bits();
                true
            }
            _ => false,
        }
    }

    fn text_index(self) -> Option<usize> {
        matches!(self.0 & KIND_MASK, TEXT | NESTED).then_some((self.0 & 0xFFFF_FFFF) as usize)
    }
}

impl Texts {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    pub(crate) fn value(&self, packed: Packed) -> Value<'_> {
        if packed.is_number() {
            return Value::Number(f64::from_bits(packed.0));
        }
        let text = || {
            let index = packed.text_index()?;
            self.texts.get(index).map(CompactString::as_str)
        };
        match packed.0 & KIND_MASK {
            TEXT => Value::Text(text().unwrap_or_default()),
            NESTED => Value::Nested(RawJson::trusted(text().unwrap_or("null"))),
            _ => match packed.0 {
                FALSE => Value::Bool(false),
                TRUE => Value::Bool(true),
                SHARED => Value::Number(self.shared),
                EMPTY_OBJECT => Value::Nested(RawJson::trusted("{}")),
                _ => Value::Null,
            },
        }
    }

    /// Changes the number of every [`Packed::SHARED`] at once.
    pub(crate) fn set_shared(&mut self, number: f64) {
        self.shared = number;
    }

    pub(crate) fn pack(&mut self, value: NewValue<'_>) -> Packed {
        match value {
            NewValue::Null => Packed(NULL),
            NewValue::Bool(false) => Packed(FALSE),
            NewValue::Bool(true) => Packed(TRUE),
            NewValue::Number(number) if number.is_nan() => Packed(f64::NAN.to_bits() & !(1 << 63)),
            NewValue::Number(number) => Packed(number.to_bits()),
            NewValue::Text(text) => Packed(TEXT | self.insert(text)),
            NewValue::Nested("{}") => Packed(EMPTY_OBJECT),
            NewValue::Nested(text) => Packed(NESTED | self.insert(text)),
        }
    }

    fn insert(&mut self, text: &str) -> u64 {
        self.bytes += text.len();
        if let Some(index) = self.free.pop()
            && let Some(slot) = self.texts.get_mut(index as usize)
        {
            slot.push_str(text);
            return u64::from(index);
        }
        self.texts.push(text.into());
        // Bounded by `Limits::values`, far below.
        self.texts.len() as u64 - 1
    }

    /// Puts a new value in the place of an old one, in its memory where that can be.
    pub(crate) fn replace(&mut self, packed: &mut Packed, value: NewValue<'_>) {
        if let (Some(index), NewValue::Text(text) | NewValue::Nested(text)) =
            (packed.text_index(), value)
            && let Some(slot) = self.texts.get_mut(index)
        {
            if slot != text {
                self.bytes = self.bytes - slot.len() + text.len();
                slot.clear();
                give_back(slot, text.len());
                slot.push_str(text);
            }
            let kind = if matches!(value, NewValue::Text(_)) {
                TEXT
            } else {
                NESTED
            };
            *packed = Packed(kind | index as u64);
            return;
        }
        self.release(*packed);
        *packed = self.pack(value);
    }

    pub(crate) fn release(&mut self, packed: Packed) {
        if let Some(index) = packed.text_index()
            && let Some(slot) = self.texts.get_mut(index)
        {
            self.bytes -= slot.len();
            slot.clear();
            give_back(slot, 0);
            self.free.push(u32::try_from(index).unwrap_or_default());
        }
    }
}

/// Gives the memory of an empty text back, if it is much more than `needed`.
#[inline]
fn give_back(text: &mut CompactString, needed: usize) {
    /// Certificates are bigger, ids are not.
    const KEPT_BYTES: usize = 256;
    if text.capacity() > KEPT_BYTES.max(2 * needed) {
        *text = CompactString::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_does_not_hold_the_memory_of_a_long_one() {
        let mut texts = Texts::default();
        let mut packed = texts.pack(NewValue::Text(&"x".repeat(100_000)));
        texts.replace(&mut packed, NewValue::Text("short"));
        assert!(texts.texts[0].capacity() < 256);
    }

    #[test]
    fn every_kind_of_value_survives_packing() {
        let mut texts = Texts::default();
        for number in [
            0.0,
            -0.0,
            1.5,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MIN_POSITIVE,
            -1e308,
        ] {
            let packed = texts.pack(NewValue::Number(number));
            assert!(
                matches!(texts.value(packed), Value::Number(n) if n.to_bits() == number.to_bits())
            );
        }
        let packed = texts.pack(NewValue::Number(-f64::NAN));
        assert!(matches!(texts.value(packed), Value::Number(number) if number.is_nan()));
        let mut packed = texts.pack(NewValue::Text("a"));
        texts.replace(&mut packed, NewValue::Nested("[1]"));
        assert!(matches!(texts.value(packed), Value::Nested(raw) if raw.as_str() == "[1]"));
        assert_eq!(texts.bytes(), 3);
        for (new, value) in [
            (NewValue::Null, Value::Null),
            (NewValue::Bool(true), Value::Bool(true)),
            (NewValue::Bool(false), Value::Bool(false)),
        ] {
            texts.replace(&mut packed, new);
            assert_eq!(texts.value(packed), value);
        }
        assert_eq!((texts.bytes(), texts.free.len()), (0, 1));
        texts.pack(NewValue::Text("again"));
        assert_eq!(texts.texts.len(), 1);
    }
}
