//! Why a report could not be decoded.

use crate::JsonError;

/// A report that was not merged; the stats are as they were before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeltaError {
    /// Malformed JSON.
    #[error("malformed report: {0}")]
    Json(#[from] JsonError),
    /// JSON, but not an object.
    #[error("report is not an object")]
    Shape,
    /// `null` in the place of an object. Existing decoders fail on it; unless strict, it counts
    /// as removal.
    #[error("null in the place of a stats object at byte {offset}")]
    NullObject {
        /// Byte offset in the report.
        offset: usize,
    },
    /// Over a limit.
    #[error("{limit} over the limit of {allowed}, at byte {offset}")]
    Limit {
        /// Which limit.
        limit: DeltaLimit,
        /// Its value.
        allowed: usize,
        /// Byte offset in the report.
        offset: usize,
    },
}

/// A limit of [`Limits`](crate::Limits) that reports may hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DeltaLimit {
    /// [`Limits::objects`](crate::Limits::objects)
    #[error("stats objects")]
    Objects,
    /// [`Limits::members`](crate::Limits::members)
    #[error("members of an object")]
    Members,
    /// [`Limits::values`](crate::Limits::values)
    #[error("values of a peer connection")]
    Values,
    /// [`Limits::text_bytes`](crate::Limits::text_bytes)
    #[error("bytes of text of a peer connection")]
    TextBytes,
    /// [`Limits::nested_bytes`](crate::Limits::nested_bytes)
    #[error("bytes of a nested value that is added to")]
    NestedBytes,
    /// [`Limits::unknown_names`](crate::Limits::unknown_names)
    #[error("unknown member names")]
    UnknownNames,
    /// [`Limits::name_bytes`](crate::Limits::name_bytes)
    #[error("bytes of an id or name")]
    NameBytes,
}
