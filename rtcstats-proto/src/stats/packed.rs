//! A member's value in eight bytes.

use compact_str::CompactString;

use super::StatsKind;
use crate::RawJson;
use crate::json::Value;

/// A value: a number as it is, everything else inside the bits that no number uses. A quiet NaN
/// with the sign set is never the result of reading a number, so its lower bits are free.
///
/// The highest two of its bytes, which come last, tell what the others are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(8))]
pub(crate) struct Packed([u8; 8]);

/// What all have in the highest bits that are no number.
const TAG: u64 = 0xFFF8 << 48;
const NULL: u64 = TAG;
const FALSE: u64 = TAG | 1;
const TRUE: u64 = TAG | 2;
/// Stands for [`Texts::shared`].
const SHARED: u64 = TAG | 3;
/// `{}`, which deltas of rtcstats 5.0 make of `null`, costs no text.
const EMPTY_OBJECT: u64 = TAG | 4;
/// The lower half is an index into [`Texts`].
const TEXT: u64 = TAG | 1 << 48;
const NESTED: u64 = TAG | 2 << 48;
/// The lower half is an index into [`StatsKind::ALL`], the text its name.
const KIND: u64 = TAG | 3 << 48;
/// The first bytes are the text itself, up to a zero.
const SHORT: u64 = TAG | 4 << 48;
/// So many bytes at most has a text that is inside its value.
pub(crate) const SHORT_BYTES: usize = 6;
const KIND_MASK: u64 = 0xFFFF << 48;

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

impl NewValue<'_> {
    /// Whether it is this one.
    pub(crate) fn is(self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(own), Value::Bool(other)) => own == other,
            (Self::Number(own), Value::Number(other)) => own == other,
            (Self::Text(own), Value::Text(other)) => own == other,
            (Self::Nested(own), Value::Nested(other)) => own == other.as_str(),
            _ => false,
        }
    }
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
    pub(crate) const SHARED: Self = Self::from_bits(SHARED);

    #[inline]
    const fn from_bits(bits: u64) -> Self {
        Self(bits.to_le_bytes())
    }

    #[inline]
    fn bits(self) -> u64 {
        u64::from_le_bytes(self.0)
    }

    #[inline]
    pub(crate) fn is_number(self) -> bool {
        self.bits() & TAG != TAG
    }

    /// Puts a number in the place of a number; `false` if there is none, or it is not to be one.
    #[inline]
    pub(crate) fn replace_number(&mut self, number: f64) -> bool {
        let is_replaced = self.is_number() && !number.is_nan();
        if is_replaced {
            *self = Self::from_bits(number.to_bits());
        }
        is_replaced
    }

    /// A text inside the value, if it is short.
    fn short(text: &str) -> Option<Self> {
        let is_short = text.len() <= SHORT_BYTES && !text.contains('\0');
        let mut bytes = SHORT.to_le_bytes();
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        is_short.then_some(Self(bytes))
    }

    /// The name of a type, if this is one.
    fn kind(text: &str) -> Option<Self> {
        let kind = StatsKind::from_name(text)?;
        let index = StatsKind::ALL.iter().position(|other| *other == kind)?;
        Some(Self::from_bits(KIND | index as u64))
    }

    fn kind_name(self) -> &'static str {
        let kind = StatsKind::ALL.get(self.index());
        kind.map_or("", |kind| kind.as_str())
    }

    /// The text that is inside the value.
    fn short_text(&self) -> &str {
        let bytes = self.0.get(..SHORT_BYTES).unwrap_or_default();
        let length = bytes.iter().take_while(|byte| **byte != 0).count();
        let text = bytes.get(..length).map(str::from_utf8);
        text.and_then(Result::ok).unwrap_or_default()
    }

    fn index(self) -> usize {
        (self.bits() & 0xFFFF_FFFF) as usize
    }

    fn text_index(self) -> Option<usize> {
        matches!(self.bits() & KIND_MASK, TEXT | NESTED).then(|| self.index())
    }
}

impl Texts {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    pub(crate) fn value<'a>(&'a self, packed: &'a Packed) -> Value<'a> {
        if packed.is_number() {
            return Value::Number(f64::from_bits(packed.bits()));
        }
        let text = || self.texts.get(packed.index()).map(CompactString::as_str);
        match packed.bits() & KIND_MASK {
            SHORT => Value::Text(packed.short_text()),
            KIND => Value::Text(packed.kind_name()),
            TEXT => Value::Text(text().unwrap_or_default()),
            NESTED => Value::Nested(RawJson::trusted(text().unwrap_or("null"))),
            _ => match packed.bits() {
                FALSE => Value::Bool(false),
                TRUE => Value::Bool(true),
                SHARED => Value::Number(self.shared),
                EMPTY_OBJECT => Value::Nested(RawJson::trusted("{}")),
                _ => Value::Null,
            },
        }
    }

    /// The value, if it is a number.
    #[inline]
    pub(crate) fn number(&self, packed: Packed) -> Option<f64> {
        if packed.is_number() {
            return Some(f64::from_bits(packed.bits()));
        }
        (packed == Packed::SHARED).then_some(self.shared)
    }

    /// Makes room for exactly so many more.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.texts.reserve_exact(count);
    }

    /// Changes the number of every [`Packed::SHARED`] at once.
    pub(crate) fn set_shared(&mut self, number: f64) {
        self.shared = number;
    }

    pub(crate) fn pack(&mut self, value: NewValue<'_>) -> Packed {
        match value {
            NewValue::Null => Packed::from_bits(NULL),
            NewValue::Bool(false) => Packed::from_bits(FALSE),
            NewValue::Bool(true) => Packed::from_bits(TRUE),
            NewValue::Number(number) if number.is_nan() => {
                Packed::from_bits(f64::NAN.to_bits() & !(1 << 63))
            }
            NewValue::Number(number) => Packed::from_bits(number.to_bits()),
            NewValue::Text(text) => match Packed::short(text).or_else(|| Packed::kind(text)) {
                Some(packed) => {
                    self.bytes += text.len();
                    packed
                }
                None => Packed::from_bits(TEXT | self.insert(text)),
            },
            NewValue::Nested("{}") => Packed::from_bits(EMPTY_OBJECT),
            NewValue::Nested(text) => Packed::from_bits(NESTED | self.insert(text)),
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
        make_room(&mut self.texts);
        self.texts.push(text.into());
        // Bounded by `Limits::values`, far below.
        self.texts.len() as u64 - 1
    }

    /// Puts a new value in the place of an old one, in its memory where that can be.
    pub(crate) fn replace(&mut self, packed: &mut Packed, value: NewValue<'_>) {
        if let (Some(index), NewValue::Text(text) | NewValue::Nested(text)) =
            (packed.text_index(), value)
            && text.len() > SHORT_BYTES
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
            *packed = Packed::from_bits(kind | index as u64);
            return;
        }
        self.release(packed);
        *packed = self.pack(value);
    }

    pub(crate) fn release(&mut self, packed: &Packed) {
        match packed.bits() & KIND_MASK {
            SHORT => self.bytes -= packed.short_text().len(),
            KIND => self.bytes -= packed.kind_name().len(),
            _ => {}
        }
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

/// Makes room for another element, and some more: doubling would leave much of the memory unused.
pub(super) fn make_room<T>(elements: &mut Vec<T>) {
    if elements.len() == elements.capacity() {
        elements.reserve_exact(elements.len() / 8 + 4);
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
                matches!(texts.value(&packed), Value::Number(n) if n.to_bits() == number.to_bits())
            );
        }
        let packed = texts.pack(NewValue::Number(-f64::NAN));
        assert!(matches!(texts.value(&packed), Value::Number(number) if number.is_nan()));
        for text in [
            "",
            "audio",
            "Größe",
            "\0",
            "relay1",
            "inbound-rtp",
            "longer than that",
        ] {
            let packed = texts.pack(NewValue::Text(text));
            assert_eq!(texts.value(&packed), Value::Text(text));
            texts.release(&packed);
            assert_eq!(texts.bytes(), 0);
        }
        let mut packed = texts.pack(NewValue::Text("a"));
        texts.replace(&mut packed, NewValue::Nested("[1]"));
        assert!(matches!(texts.value(&packed), Value::Nested(raw) if raw.as_str() == "[1]"));
        assert_eq!(texts.bytes(), 3);
        for (new, value) in [
            (NewValue::Null, Value::Null),
            (NewValue::Bool(true), Value::Bool(true)),
            (NewValue::Bool(false), Value::Bool(false)),
        ] {
            texts.replace(&mut packed, new);
            assert_eq!(texts.value(&packed), value);
        }
        assert_eq!((texts.bytes(), texts.free.len()), (0, 1));
        texts.pack(NewValue::Text("again"));
        assert_eq!(texts.texts.len(), 1);
    }
}
