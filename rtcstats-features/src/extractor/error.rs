//! Why a line was not taken.

use std::io;

use rtcstats_proto::EventError;
use rtcstats_proto::delta::DeltaError;

use crate::FoldError;

/// A line that was not taken.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {kind}")]
#[non_exhaustive]
pub struct ExtractError {
    /// Which line, or event, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    #[source]
    pub kind: ExtractErrorKind,
}

/// Why a line was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractErrorKind {
    /// It is no event.
    #[error(transparent)]
    Event(#[from] EventError),
    /// Its report cannot be decoded.
    #[error(transparent)]
    Delta(#[from] DeltaError),
    /// A fold did not take it.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// It is the first report of one peer connection too many, or of one whose key is longer than
    /// [`Limits::text_bytes`](crate::Limits::text_bytes).
    #[error("peer connections over the limit of {allowed}")]
    Connections {
        /// [`Limits::connections`](crate::Limits::connections)
        allowed: usize,
    },
    /// The dump cannot be read on.
    #[error(transparent)]
    Io(#[from] io::Error),
}
