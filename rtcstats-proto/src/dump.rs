//! Dump files: one JSON value a line, plain or compressed; and exports of webrtc-internals.
//!
//! [`Format::detect`] tells what a file is once it is [decompressed](decompress). From lines to
//! events lead [`LineReader`] and an [`EventReader`](crate::EventReader), or [`Replay`], which also
//! merges reports and restores descriptions. [`Internals`] makes events of an export.
//!
//! [`Converter`] writes the dump of any generation from all of them, [`Writer`] that of a Jitsi
//! session from its messages.

mod converter;
mod decompress;
mod event_size;
mod format;
mod internals;
mod line_reader;
mod replay;
mod writer;
#[cfg(feature = "zstd")]
mod zstd;

pub use converter::{Coding, Converter, Head};
pub use decompress::{Compression, decompress};
pub use event_size::EventSize;
pub use format::Format;
pub use internals::{Internals, InternalsError};
pub use line_reader::{DumpLine, LineError, LineReader, line_text};
pub use replay::{Replay, ReplayError, Replayed, WholeValue};
pub use writer::Writer;

pub(crate) use internals::{Columns, read_columns};
