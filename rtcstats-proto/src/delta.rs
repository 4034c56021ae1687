//! The getStats delta codec: from wire deltas to [`Stats`](crate::stats::Stats), and back.

pub(crate) mod date;
mod decoder;
mod encoder;
mod error;
mod nested;
mod scan;

pub use decoder::{Decoder, Dialect, Strictness};
pub use encoder::Encoder;
pub use error::{DeltaError, DeltaLimit};
