//! The getStats delta codec: from wire deltas to [`Stats`](crate::stats::Stats), and back.

mod date;
mod decoder;
mod encoder;
mod error;
mod scan;

pub use decoder::{Decoder, Strictness};
pub use encoder::Encoder;
pub use error::{DeltaError, DeltaLimit};
