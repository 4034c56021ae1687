//! Whether a server should get new clients, and what is not as it should be.

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

/// When something counts as trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthOptions {
    /// A journal that was not used for so long is tried, by a log without lines. Default 10 s.
    pub probe_after: Duration,
    /// A journal that has not answered for so long counts as [stalled](Degradation::JournalStalled).
    /// Default 5 s.
    pub stalled_after: Duration,
    /// As many dumps may be on their way to sinks and archive. Default 1,000.
    pub backlog: u64,
}

impl Default for HealthOptions {
    fn default() -> Self {
        Self {
            probe_after: Duration::from_secs(10),
            stalled_after: Duration::from_secs(5),
            backlog: 1_000,
        }
    }
}

/// What [`Runtime::health`](super::Runtime::health) tells.
///
/// It serializes as `{"status":"degraded","degradations":[{"state":"sinkFailing","sink":"sql",…}]}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// In one word.
    pub status: HealthStatus,
    /// What is not as it should be.
    pub degradations: Vec<Degradation>,
}

/// Health in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// All is well.
    Ok,
    /// Clients are served and lose nothing, but something needs care.
    Degraded,
    /// New clients should go elsewhere.
    Unready,
}

/// Something that is not as it should be. Times are in Unix epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(
    tag = "state",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum Degradation {
    /// The journal refuses what it is given. Nothing is acknowledged; the server is not ready.
    JournalFailing {
        /// When it began.
        since_ms: f64,
        /// Attempts since then.
        failures: u64,
    },
    /// The journal has not answered for too long. Nothing is acknowledged; the server is not ready.
    JournalStalled {
        /// When it was asked.
        since_ms: f64,
    },
    /// The server goes; it is not ready.
    Draining,
    /// Clients are sending faster than the journal takes it: sockets are not read.
    QueueFull {
        /// When it was first seen.
        since_ms: f64,
    },
    /// The archive refuses dumps. They wait in the journal.
    ArchiveFailing {
        /// When it began.
        since_ms: f64,
        /// Attempts since then.
        failures: u64,
    },
    /// A sink refuses records. The dumps wait in the journal.
    SinkFailing {
        /// Which.
        sink: String,
        /// When it began.
        since_ms: f64,
        /// Attempts since then.
        failures: u64,
    },
    /// Too many sessions that ended are not yet completed.
    CompletionBacklog {
        /// How many.
        waiting: u64,
        /// How many there may be.
        limit: u64,
    },
}

impl Health {
    pub(super) fn new(degradations: Vec<Degradation>) -> Self {
        let status = if degradations.is_empty() {
            HealthStatus::Ok
        } else if degradations.iter().any(Degradation::is_final) {
            HealthStatus::Unready
        } else {
            HealthStatus::Degraded
        };
        Self {
            status,
            degradations,
        }
    }

    /// Whether new clients should come here.
    pub fn is_ready(&self) -> bool {
        self.status != HealthStatus::Unready
    }

    /// The gauges `rtcstats_ready` and, for each kind of trouble, `rtcstats_degraded` in Prometheus' text
    /// format; they are to follow those of [`Counters`](crate::Counters).
    pub fn to_prometheus(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "# HELP rtcstats_ready Whether new clients should come here.\n# TYPE rtcstats_ready gauge\n\
             rtcstats_ready {}\n# HELP rtcstats_degraded What is not as it should be.\n\
             # TYPE rtcstats_degraded gauge",
            u8::from(self.is_ready())
        );
        for state in Degradation::STATES {
            let count = self.degradations.iter().filter(|own| own.state() == state);
            let _ = writeln!(
                out,
                "rtcstats_degraded{{state=\"{state}\"}} {}",
                count.count()
            );
        }
        out
    }
}

impl Degradation {
    const STATES: [&str; 7] = [
        "journal_failing",
        "journal_stalled",
        "draining",
        "queue_full",
        "archive_failing",
        "sink_failing",
        "completion_backlog",
    ];

    /// Its kind, as metrics call it.
    fn state(&self) -> &'static str {
        match self {
            Self::JournalFailing { .. } => "journal_failing",
            Self::JournalStalled { .. } => "journal_stalled",
            Self::Draining => "draining",
            Self::QueueFull { .. } => "queue_full",
            Self::ArchiveFailing { .. } => "archive_failing",
            Self::SinkFailing { .. } => "sink_failing",
            Self::CompletionBacklog { .. } => "completion_backlog",
        }
    }

    /// Whether the server is not ready for it.
    fn is_final(&self) -> bool {
        matches!(
            self,
            Self::JournalFailing { .. } | Self::JournalStalled { .. } | Self::Draining
        )
    }
}

/// What it is about, without figures: the same for as long as it lasts.
impl fmt::Display for Degradation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::JournalFailing { .. } => formatter.write_str("the journal fails"),
            Self::JournalStalled { .. } => formatter.write_str("the journal does not answer"),
            Self::Draining => formatter.write_str("the server goes"),
            Self::QueueFull { .. } => formatter.write_str("the way to the journal is full"),
            Self::ArchiveFailing { .. } => formatter.write_str("the archive fails"),
            Self::SinkFailing { sink, .. } => write!(formatter, "sink {sink} fails"),
            Self::CompletionBacklog { .. } => {
                formatter.write_str("many sessions wait to be completed")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_keeps_clients_from_being_served_makes_it_unready() {
        let sink = Degradation::SinkFailing {
            sink: "sql".to_owned(),
            since_ms: 5.0,
            failures: 2,
        };
        let degraded = Health::new(vec![sink.clone()]);
        assert!(degraded.is_ready());
        assert_eq!(
            serde_json::to_string(&degraded).unwrap(),
            r#"{"status":"degraded","degradations":[{"state":"sinkFailing","sink":"sql","sinceMs":5.0,"failures":2}]}"#
        );
        let unready = Health::new(vec![sink, Degradation::Draining]);
        assert!(!unready.is_ready());
        let metrics = unready.to_prometheus();
        assert!(metrics.contains("rtcstats_ready 0\n"), "{metrics}");
        for (state, value) in [("sink_failing", 1), ("draining", 1), ("queue_full", 0)] {
            let line = format!("rtcstats_degraded{{state=\"{state}\"}} {value}\n");
            assert!(metrics.contains(&line), "{metrics}");
        }
        assert_eq!(Health::new(Vec::new()).status, HealthStatus::Ok);
    }
}
