//! One decoded member of a stats object.

use super::{RawJson, number_from_text};

/// A member's value in a [`StatsObject`](crate::stats::StatsObject).
///
/// Absence is not a value: what JavaScript calls `undefined` is an `Option` here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number. NaN stands for a date that could not be computed and is written as `null`.
    Number(f64),
    /// A string, escapes resolved.
    Text(&'a str),
    /// An array or object, as it was written.
    Nested(RawJson<'a>),
}

impl<'a> Value<'a> {
    /// JavaScript's truthiness: everything but `null`, `false`, 0, NaN and `""`.
    pub fn is_truthy(self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => value,
            Self::Number(number) => number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::Nested(_) => true,
        }
    }

    /// JavaScript's `Number(value)`. An array or object is NaN, which differs for the arrays
    /// (`[]`, `[5]`) that convert through their text; no stats member is read that way.
    pub fn to_number(self) -> f64 {
        match self {
            Self::Null => 0.0,
            Self::Bool(value) => f64::from(u8::from(value)),
            Self::Number(number) => number,
            Self::Text(text) => number_from_text(text),
            Self::Nested(_) => f64::NAN,
        }
    }

    /// The number, if it is one; no conversion.
    pub fn as_number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The string, if it is one; no conversion.
    pub fn as_text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}
