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

/// Whether `text` is JSON by its grammar alone: lone surrogates and numbers beyond `f64` pass.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
