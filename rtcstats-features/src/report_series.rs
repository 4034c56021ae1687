//! Every number of every stats object over time, as a page that graphs them wants it: what
//! `chrome://webrtc-internals` shows, of clients of any generation, live or afterwards.
//!
//! Feed an [`Extractor`](crate::Extractor) with a [`ReportSeriesFold`]; it yields
//! [`SessionReportSeries`]. For few metrics that mean the same for all clients see
//! [`series`](crate::series).
//!
//! ```
//! use rtcstats_features::Extractor;
//! use rtcstats_features::report_series::{ReportSeriesFold, ReportSeriesOptions};
//!
//! let mut extractor = Extractor::new(ReportSeriesFold::new(ReportSeriesOptions::default()));
//! for line in [
//!     r#"["getstats","PC_0",{"O":{"type":"outbound-rtp","kind":"audio","ssrc":7,"bytesSent":0}},1700000000000,1]"#,
//!     r#"["getstats","PC_0",{"O":{"bytesSent":500}},1700000002000,2]"#,
//! ] {
//!     extractor.push_line(line)?;
//! }
//! let reports = extractor.finish(0.0);
//! let connection = &reports.connections[0];
//! assert_eq!(connection.times, [1_700_000_000_000.0, 1_700_000_002_000.0]);
//! let series = &connection.objects[0].series;
//! assert_eq!((&*series[0].name, series[0].unit, &*series[0].values), ("bytesSent", "B", &[0.0, 500.0][..]));
//! assert_eq!((&*series[1].name, series[1].first, &*series[1].values), ("[bytesSent_in_bits/s]", 1, &[2_000.0][..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Times
//!
//! A connection has one time for each report that is kept: that of its stats, if the client's clock
//! told it along with them and it is within a minute of that of the event; else that of the event. While a clock is behind a
//! time it has told before, reports count for the last time, and rates have no value. Of an export of
//! webrtc-internals, which has the time of each object alone, what peers told (`remote-inbound-rtp`,
//! `remote-outbound-rtp`) belongs to the report before.
//!
//! # Which numbers
//!
//! All members that are numbers, but for those that are no quantities: identifiers, ports, times and
//! the like. In Chrome's first statistics (`googTrack`, `ssrc` and the other types that webrtc-stats
//! replaced) texts of numbers count. Of members that are objects the durations of
//! `qualityLimitationDurations` and the sums of `psnrSum` are series, named like
//! `qualityLimitationDurations.cpu`.
//!
//! What is derived from counters has the names and units of `chrome://webrtc-internals`, such as
//! `[bytesSent_in_bits/s]`, where that derives it too; the rest is named in the same way, such as `[nackCount/s]`. It is
//! computed between neighbouring reports that have the counter. What peers tell is in all reports until they tell it
//! again: of that, rates are between their messages, by the objects' own times where they have them. A counter that
//! falls was reset, or repaired: there is no value there, which is not 0.
//!
//! # Memory
//!
//! A connection has at most [`ReportSeriesOptions::points`] times. When it is full, neighbours are
//! merged by pairs, and from then on twice as many reports become one: of each member the last value
//! that one of them has. So counters stay exact, and what is derived of them is that of the longer
//! time. Everything else keeps its last value too, as a browser's own graphs would with fewer
//! reports: a mean of states such as a height would be a value that never was. What is at hand
//! of the time that is not full is the last report, see [`Extent`].
//! Objects, columns and values are bounded by [`ReportSeriesOptions`]; a value takes eight bytes.

mod column;
mod connection;
mod cursor;
mod derived;
mod fold;
mod label;
mod member;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::Serialize;

use crate::javascript::numbers;

pub use cursor::{Extent, ReportCursor};
pub use fold::ReportSeriesFold;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportSeriesOptions {
    /// Times of one connection, at most. Default 1,000: about as many as a page has pixels. At least
    /// 4; odd numbers count as the next lower one.
    pub points: usize,
    /// Stats objects of a session. Default 16,384: a call of 500 participants has some thousands.
    pub objects: usize,
    /// Members of all of them, each of which is a column. Default 131,072: eight for each object.
    pub columns: usize,
    /// Values of all columns together, with the times, also those that objects have of their own. Where there would be more, the connection with most of them
    /// is merged by pairs early. Default 2,097,152, 16 MiB: two connections with 20 streams for
    /// 1,000 reports.
    pub values: usize,
}

impl Default for ReportSeriesOptions {
    fn default() -> Self {
        Self {
            points: 1_000,
            objects: 16_384,
            columns: 131_072,
            values: 2 << 20,
        }
    }
}

/// The series of a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SessionReportSeries {
    /// Of each peer connection, in the order in which they were heard of; also those without reports.
    pub connections: Vec<ConnectionReportSeries>,
    /// Whether something was left out because of a limit.
    pub is_incomplete: bool,
}

/// The series of a peer connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConnectionReportSeries {
    /// Its key, such as `PC_0`.
    pub id: String,
    /// What it is for, if its client says so: `P2P` or `SFU` (Jitsi clients).
    pub label: Option<&'static str>,
    /// How often its times were merged by pairs. All of them are others when it is.
    #[serde(skip)]
    pub epoch: u32,
    /// Which of all its times the first of [`ConnectionReportSeries::times`] is. Not in JSON if it is 0 and all are
    /// there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<usize>,
    /// When reports were made, in Unix epoch milliseconds by the client's clock, ascending.
    #[serde(serialize_with = "numbers")]
    pub times: Vec<f64>,
    /// The stats objects that have numbers, in the order in which they came.
    pub objects: Vec<ObjectSeries>,
}

/// The series of a stats object.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ObjectSeries {
    /// Its id.
    pub id: String,
    /// Its `type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `audio` or `video`, where it says so.
    #[serde(rename = "kind")]
    pub media: Option<&'static str>,
    /// What it is, in words: type, media, codec, mid, and so on.
    pub label: String,
    /// One for each member, followed by what is derived of it.
    pub series: Vec<MemberSeries>,
}

/// A number over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MemberSeries {
    /// The name of the member, or of what is derived.
    pub name: Cow<'static, str>,
    /// `B`, `s`, `ms`, `bit/s`, `px`, `1/s`, `dB`, `%` and the like; empty for plain numbers, and where it is not
    /// known.
    pub unit: &'static str,
    /// The counter that it is derived of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<&'static str>,
    /// Which of all times of the connection that of the first value is.
    pub first: usize,
    /// A value for each time from there on, as far as there is one; NaN, in JSON null, where it is not known.
    #[serde(serialize_with = "numbers")]
    pub values: Vec<f64>,
}
