//! What the fuzz targets compare with: delta codecs written for clarity, over whole trees.

mod chunks;
mod decoder;
mod encoder;
mod rtcstats_decoder;
mod tree;

pub use chunks::chunks;
pub use decoder::ReferenceDecoder;
pub use encoder::ReferenceEncoder;
pub use rtcstats_decoder::ReferenceRtcstatsDecoder;
pub use tree::{number, same};

use rtcstats_proto::delta::DeltaError;
use rtcstats_proto::json::JsonErrorKind;

/// Whether `text` is JSON by its grammar alone: lone surrogates and numbers beyond `f64` pass.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Whether a decoder may refuse `report` with this error: it is no JSON or no object, or over a limit.
pub fn is_excused(error: &DeltaError, report: &str) -> bool {
    match error {
        DeltaError::Json(error) => error.kind == JsonErrorKind::Depth || !is_json(report),
        DeltaError::Shape => is_json(report) && !report.trim_ascii_start().starts_with('{'),
        DeltaError::Limit { .. } => true,
        _ => false,
    }
}
