//! Dump files: one JSON value a line, plain or compressed.

#[cfg(feature = "gzip")]
mod decompress;
mod line_reader;
mod writer;

#[cfg(feature = "gzip")]
pub use decompress::decompress;
pub use line_reader::{DumpLine, LineError, LineReader, line_text};
pub use writer::Writer;
