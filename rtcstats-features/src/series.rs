//! Bounded time series of the numbers that people plot: of each peer connection and each of its RTP
//! streams, one value of a metric for each step of time.
//!
//! Feed an [`Extractor`](crate::Extractor) with a [`SeriesFold`]; it yields [`SessionSeries`]. The reports of
//! all generations give the same [metrics](Metric), as far as their clients measure them.
//!
//! ```
//! use rtcstats_features::Extractor;
//! use rtcstats_features::series::{Metric, SeriesFold, SeriesOptions};
//!
//! let mut extractor = Extractor::new(SeriesFold::new(SeriesOptions::default()));
//! for line in [
//!     r#"["getstats","PC_0",{"O":{"type":"outbound-rtp","kind":"audio","timestamp":1700000000000,"bytesSent":0}},1,1]"#,
//!     r#"["getstats","PC_0",{"O":{"timestamp":1700000005000,"bytesSent":20000}},1,2]"#,
//!     r#"["getstats","PC_0",{"O":{"timestamp":1700000025000,"bytesSent":20000}},1,3]"#,
//! ] {
//!     extractor.push_line(line)?;
//! }
//! let series = extractor.finish(0.0);
//! let plot = &series.connections["PC_0"].streams["O"].plot;
//! assert_eq!((plot.start, plot.step), (1_700_000_000_000.0, 10_000.0));
//! assert_eq!(plot.values[&Metric::Bitrate].iter().collect::<Vec<_>>(), [Some(32_000.0), None, Some(0.0)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Steps
//!
//! The series of a connection begin with its first report, those of a stream in the step of its first
//! one, by the timestamps of the stats objects: the client's clock. What is between two reports, such
//! as a number of bytes, counts for the step of the later one. A step in which nothing is known has no
//! value, which is not 0. A counter that falls was reset; what is between is not known. While a clock is
//! behind a time it has told before, values count for the last step.
//!
//! # Memory
//!
//! A series has at most [`SeriesOptions::points`] values. When it is full the step is doubled, and two
//! values become one: their mean, the sum of counts, the later one of sizes. Streams and connections are
//! bounded by [`Limits`](crate::Limits). A series takes four bytes a value.

mod connection;
mod counter;
mod fold;
mod metric;
mod plot;
mod stream;

use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

use crate::javascript::number;
use crate::rtcstats::Direction;
use foldhash::fast::RandomState;

pub(crate) use counter::valid_time;
pub use fold::SeriesFold;
pub use metric::{Metric, Values};

/// How fine series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesOptions {
    /// The time of one value, at first. Default 10 s, at least 1 ms.
    pub step: Duration,
    /// Values of one series, at most. Default 360: an hour of steps of 10 s, two of 20 s. At least 2.
    pub points: usize,
}

impl Default for SeriesOptions {
    fn default() -> Self {
        Self {
            step: Duration::from_secs(10),
            points: 360,
        }
    }
}

/// The series of a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SessionSeries {
    /// Of each peer connection that sent reports, in the order of their first ones.
    pub connections: IndexMap<String, ConnectionSeries, RandomState>,
    /// Whether something was left out because of a limit. Not in JSON unless so.
    #[serde(rename = "incomplete", skip_serializing_if = "is_false")]
    pub is_incomplete: bool,
}

/// The series of a peer connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConnectionSeries {
    /// Those of its transports.
    #[serde(flatten)]
    pub plot: Plot,
    /// Those of its RTP streams by stats id, in the order of appearance. Layers of simulcast are streams
    /// of one track.
    pub streams: IndexMap<String, StreamSeries, RandomState>,
}

/// The series of an RTP stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StreamSeries {
    /// Whether the client receives or sends it.
    pub direction: Direction,
    /// What it carries, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<MediaKind>,
    /// Its `trackIdentifier`, or that of its source, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track_identifier: Option<String>,
    /// Its `rid`: which layer of a track.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// Its numbers.
    #[serde(flatten)]
    pub plot: Plot,
}

/// What a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// Several series with the same steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Plot {
    /// When the first step begins, in Unix epoch milliseconds by the client's clock.
    #[serde(serialize_with = "number")]
    pub start: f64,
    /// How long a step is, in milliseconds.
    #[serde(serialize_with = "number")]
    pub step: f64,
    /// The values of each metric that has some, all equally long. Value `i` is that of the step that
    /// begins at `start + i * step`.
    pub values: IndexMap<Metric, Values, RandomState>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}
