//! Features of WebRTC calls from their telemetry: what an rtcstats client traced, in numbers.
//!
//! This crate turns [events](rtcstats_proto::Event) into features while they come, in bounded
//! memory, live or from a dump; both give the same. It opens no sockets or files, reads no clock
//! and keeps no history of the reports. Malformed input yields an error and changes nothing; it
//! never panics.
//!
//! Start with [`Extractor`], which takes events, and [`jitsi::JitsiFold`], the features of the
//! Jitsi rtcstats server. Features of your own are a [`Fold`].
//!
//! ```
//! use rtcstats_features::{Extractor, jitsi::JitsiFold};
//!
//! let mut extractor = Extractor::new(JitsiFold::new("a-session"));
//! extractor.push_line(r#"["connectionInfo",null,{"clientProtocol":"3.1_STANDARD","userAgent":"Chrome/99.0"},1]"#)?;
//! extractor.push_line(r#"["onconnectionstatechange","PC_0","failed",1700000000123,1]"#)?;
//! let extraction = extractor.snapshot(1_700_000_000_200.0);
//! let features = extraction.client().ok_or("not a browser")?;
//! assert!(features.aggregates["PC_0"].connection_failed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Map
//!
//! | Item | What |
//! |---|---|
//! | [`Extractor`], [`extract`], [`extract_export`] | feed events, lines, a whole dump or export to folds |
//! | [`Fold`] | a computation over events and stats; tuples of folds are folds |
//! | [`Limits`] | what a remote may make an extraction remember |
//! | [`SetsFold`] | the sets below, as many as are wanted, in one pass |
//! | [`jitsi`] | the features, records and metadata of the Jitsi rtcstats server |
//! | [`legacy`] | features of the legacy (2.0) server that other sets do not have |
//! | [`rtcstats`] | the features of the rtcstats.com server: client, connections, tracks |
//! | [`series`] | bounded time series of the numbers that people plot |
//! | [`report_series`] | every number of every report over time, as a page shows it |
//! | [`timeline`] | what happened, in words |

mod extractor;
mod fold;
mod javascript;
pub mod jitsi;
pub mod legacy;
mod limits;
mod place;
pub mod report_series;
mod room;
pub mod rtcstats;
pub mod series;
mod sets;
mod statistics;
pub mod timeline;

pub use extractor::{Counters, ExtractError, ExtractErrorKind, Extractor, extract, extract_export};
pub use fold::{Context, Fold, FoldError};
pub use limits::Limits;
pub use rtcstats_proto::delta::Strictness;
pub use sets::{FeatureSet, Sets, SetsFold, UnknownFeatureSet};

/// The version of this crate: features of different versions may differ.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
