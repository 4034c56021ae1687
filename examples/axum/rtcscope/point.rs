//! A number of a call.

use std::sync::Arc;

/// A value of a series at a time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    pub(crate) call: CallId,
    pub(crate) origin: Origin,
    /// One of the [names](super::names).
    pub(crate) series: &'static str,
    /// In Unix epoch nanoseconds.
    pub(crate) time: i64,
    /// Finite; see [`Point::is_sane`].
    pub(crate) value: f64,
}

/// Who tells of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// A client of the API.
    Api,
    /// A session of this server.
    Session,
}

/// What a call is known by: text without control characters and backslashes, which not every store can keep.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CallId(Arc<str>);

/// Text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallIdError {
    #[error("the id of the call is missing")]
    Empty,
    #[error("the id of the call has more than {} bytes", CallId::MAX_BYTES)]
    Long,
    #[error("the id of the call has a backslash or a control character")]
    Character,
}

impl Point {
    /// Larger numbers are none of a call; their sums could be infinite.
    const LARGEST: f64 = 1e18;

    /// Whether a value may be stored.
    pub(crate) fn is_sane(value: f64) -> bool {
        value.abs() <= Self::LARGEST
    }
}

impl CallId {
    /// The longest id.
    pub(crate) const MAX_BYTES: usize = 256;

    pub(crate) fn parse(text: &str) -> Result<Self, CallIdError> {
        if text.is_empty() {
            return Err(CallIdError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(CallIdError::Long);
        }
        if text
            .chars()
            .any(|character| character == '\\' || character.is_control())
        {
            return Err(CallIdError::Character);
        }
        Ok(Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Origin {
    /// As stores keep it.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Api => 0,
            Self::Session => 1,
        }
    }
}
