//! What a report says, as places in its text.

use std::ops::Range;

use crate::stats::{Form, Name};

/// One object in a report.
#[derive(Debug)]
pub(in crate::delta) struct ScannedObject {
    pub(in crate::delta) target: Target,
    pub(in crate::delta) content: Content,
    /// Byte offset in the report.
    pub(in crate::delta) offset: usize,
}

/// Which object of the stats is meant.
#[derive(Debug, Clone, Copy)]
pub(in crate::delta) enum Target {
    /// One that is there.
    Known(u32),
    /// One with this id, which is not.
    New(Span),
}

/// What a report says of one object.
#[derive(Debug, Clone)]
pub(in crate::delta) enum Content {
    Object(Range<usize>),
    Array(Range<usize>),
    Scalar(ScannedValue),
}

/// One member in a report.
#[derive(Debug, Clone, Copy)]
pub(in crate::delta) struct ScannedMember {
    pub(in crate::delta) name: Name,
    /// Where the object has it, if it has.
    pub(in crate::delta) position: u16,
    pub(in crate::delta) value: ScannedValue,
}

/// [`ScannedMember::position`] of a member that the object does not have.
pub(in crate::delta) const NO_POSITION: u16 = u16::MAX;

/// A value, texts as places.
#[derive(Debug, Clone, Copy)]
pub(in crate::delta) enum ScannedValue {
    Null,
    Bool(bool),
    Number(f64),
    Text(Span),
    Nested(Span),
}

/// A place in the report's text, or in [`Scan::resolved`].
#[derive(Debug, Clone, Copy)]
pub(in crate::delta) struct Span {
    start: u32,
    /// The highest bit tells that it is in [`Scan::resolved`].
    length: u32,
}

impl Span {
    /// Longer reports than this cannot be read.
    pub(in crate::delta) const MAX: usize = u32::MAX as usize >> 1;
    const RESOLVED: u32 = 1 << 31;

    #[inline]
    pub(super) fn new(start: usize, length: usize, resolved: bool) -> Self {
        // In bounds: `Scan::read` checks, and escapes only get shorter.
        let narrow = |number: usize| u32::try_from(number).unwrap_or_default();
        let flag = if resolved { Self::RESOLVED } else { 0 };
        Self {
            start: narrow(start),
            length: narrow(length) | flag,
        }
    }

    pub(super) fn len(self) -> usize {
        (self.length & !Self::RESOLVED) as usize
    }

    #[inline]
    pub(super) fn text<'a>(self, source: &'a str, resolved: &'a str) -> &'a str {
        let is_resolved = self.length & Self::RESOLVED != 0;
        let text = if is_resolved { resolved } else { source };
        let start = self.start as usize;
        text.get(start..start + self.len()).unwrap_or_default()
    }
}

impl ScannedValue {
    /// Whether JavaScript takes it for true.
    pub(in crate::delta) fn is_truthy(self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => value,
            Self::Number(number) => number != 0.0,
            Self::Text(span) => span.len() > 0,
            Self::Nested(_) => true,
        }
    }

    pub(in crate::delta) fn is_zero(self) -> bool {
        matches!(self, Self::Number(0.0))
    }

    pub(super) fn text_bytes(self) -> usize {
        match self {
            Self::Text(span) | Self::Nested(span) => span.len(),
            Self::Null | Self::Bool(_) | Self::Number(_) => 0,
        }
    }
}

impl ScannedObject {
    pub(in crate::delta) fn is_null(&self) -> bool {
        matches!(self.content, Content::Scalar(ScannedValue::Null))
    }

    /// Whether JavaScript takes it for false, as only scalars can be.
    pub(in crate::delta) fn is_falsy(&self) -> bool {
        matches!(self.content, Content::Scalar(value) if !value.is_truthy())
    }
}

impl Content {
    pub(in crate::delta) fn form(&self) -> Form {
        match self {
            Self::Object(_) => Form::Object,
            Self::Array(_) => Form::Array,
            Self::Scalar(_) => Form::Scalar,
        }
    }
}
