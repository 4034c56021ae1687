//! What goes wrong with InfluxDB.

use std::time::Duration;

/// Points could not be written to InfluxDB; the [source](std::error::Error::source) of a
/// [`SinkError`](crate::SinkError) of an [`InfluxSink`](crate::InfluxSink).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InfluxError {
    /// The options are none that it can work with.
    #[error("{0}")]
    Options(String),
    /// No answer came.
    #[error("InfluxDB cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It has too much to do (429 or 503). Until the time is over the sink asks it for nothing.
    #[error("InfluxDB is busy ({status}), for {} s", retry_after.as_secs())]
    Busy {
        /// The status of its answer.
        status: u16,
        /// How long it wants to be left alone.
        retry_after: Duration,
    },
    /// It does not take the points, or not all of them.
    #[error("InfluxDB refuses points ({status}): {message}")]
    Refused {
        /// The status of its answer.
        status: u16,
        /// What it says about it, cut where it is long.
        message: String,
    },
    /// A part of the record is not what is published under its name.
    #[error("part {part} of the record cannot be read")]
    Part {
        /// Its name.
        part: &'static str,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The points could not be prepared.
    #[error("points cannot be prepared")]
    Preparation(#[source] Box<dyn std::error::Error + Send + Sync>),
}
