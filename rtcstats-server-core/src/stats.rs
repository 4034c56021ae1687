//! What a server counts, under the names that existing dashboards know (Jitsi spec, section 13.5).

use std::fmt::Write as _;

/// Counters since the start of the process. Plain numbers: any exporter can read them;
/// [`Counters::to_prometheus`] is one.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Counters {
    /// Sockets accepted.
    pub connections: u64,
    /// Sockets refused.
    pub connection_errors: u64,
    /// Sockets and uploads refused for their tokens.
    pub unauthorized: u64,
    /// Sockets closed because they were silent.
    pub idle_connections: u64,
    /// Older sockets that a newer one of the same session replaced.
    pub fenced_connections: u64,
    /// Messages of older sockets that were dropped.
    pub fenced_messages: u64,
    /// Messages received.
    pub requests: u64,
    /// Messages refused.
    pub refused_messages: u64,
    /// Dumps begun.
    pub sessions: u64,
    /// Dumps that could not be stored as they should.
    pub session_errors: u64,
    /// Dumps uploaded.
    pub uploads: u64,
    /// Uploads refused for what they hold.
    pub refused_uploads: u64,
    /// Lines accepted.
    pub events: u64,
    /// Lines among them that are not JSON.
    pub malformed_lines: u64,
    /// Entries that came more than once and were dropped.
    pub duplicates: u64,
    /// Gaps between sequence numbers.
    pub gaps: u64,
    /// Acknowledgements sent.
    pub acknowledgements: u64,
    /// Dumps completed: features published, archived, out of the journal.
    pub finished: u64,
    /// Dumps that had to wait for being completed.
    pub queued: u64,
    /// Dumps whose lines could not all be read by the extractor.
    pub process_errors: u64,
    /// Failed attempts to append to the journal.
    pub journal_errors: u64,
    /// Failed attempts to archive a dump.
    pub storage_errors: u64,
    /// Failed attempts to publish a record.
    pub sink_errors: u64,
    /// Open sessions that were ended because they were to be deleted.
    pub erased_sessions: u64,
    /// Dumps removed from the archive because of their age, or for room.
    pub expired_dumps: u64,
    /// Records removed from sinks because of their age.
    pub expired_records: u64,
    /// Logs removed from the journal that could not be completed.
    pub expired_logs: u64,
    /// Sessions that were another node's, and were claimed because their clients came here.
    pub sessions_claimed: u64,
    /// Attempts to claim a session that failed.
    pub claim_errors: u64,
    /// Logs that nobody had, and were adopted.
    pub sessions_adopted: u64,
    /// Sessions that another node has taken.
    pub sessions_lost: u64,
    /// Tasks of the work queue that were done.
    pub tasks_done: u64,
    /// Attempts at tasks that failed.
    pub tasks_failed: u64,
    /// Tasks that were given up unfinished, for another worker to do.
    pub tasks_put_back: u64,
    /// How often each limit was hit.
    pub limits: LimitCounters,
    /// Sizes of requests, in bytes.
    pub request_bytes: Summary,
    /// Sizes of dumps, in bytes.
    pub dump_bytes: Summary,
    /// Durations of sessions, in milliseconds.
    pub session_duration_ms: Summary,
    /// Bytes of the lines of one dump, as the feature `totalProcessedBytes` counts them.
    pub total_processed_bytes: Summary,
    /// Lines of one dump, as the feature `totalProcessedCount` counts them.
    pub total_processed_count: Summary,
}

/// How often each limit of [`Limits`](crate::Limits) was hit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitCounters {
    /// `Limits::message`
    pub message_bytes: u64,
    /// `Limits::connections`
    pub connections: u64,
    /// `Limits::sessions`
    pub sessions: u64,
    /// `Limits::sessions_per_connection`
    pub sessions_per_connection: u64,
    /// `Limits::session_bytes`
    pub session_bytes: u64,
    /// `Limits::outgoing_frames`
    pub outgoing_frames: u64,
    /// `Limits::queue_bytes`: how often a socket had to wait.
    pub queue_bytes: u64,
}

/// Count and sum of observations.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Summary {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

impl Summary {
    /// Adds one.
    pub fn observe(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
    }
}

/// What is measured at the moment of asking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gauges {
    /// Open sockets.
    pub connections: u64,
    /// Sessions with a client.
    pub live_sessions: u64,
    /// Sessions that wait for their client.
    pub resumable_sessions: u64,
    /// Dumps being completed.
    pub queue_size: u64,
    /// Bytes in the journal.
    pub journal_bytes: u64,
    /// Whether the journal takes what it is given.
    pub journal_healthy: bool,
    /// Sessions that are this node's, of several: live, resumable, or on their way into the queue.
    pub owned_sessions: u64,
    /// Tasks of the work queue that this node has.
    pub running_tasks: u64,
}

impl Counters {
    /// The counters and gauges in Prometheus' text format.
    pub fn to_prometheus(&self, gauges: Gauges) -> String {
        let mut out = String::new();
        for (name, help, value) in self.gauge_table(gauges) {
            metric(&mut out, name, "gauge", help, value);
        }
        for (name, help, value) in self.counter_table() {
            metric(&mut out, name, "counter", help, value);
        }
        self.write_limits(&mut out);
        for (name, help, summary) in self.summary_table() {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} summary");
            let _ = writeln!(
                out,
                "{name}_sum {}\n{name}_count {}",
                summary.sum, summary.count
            );
        }
        out
    }

    fn gauge_table(&self, gauges: Gauges) -> [(&'static str, &'static str, u64); 8] {
        [
            (
                "rtcstats_websocket_connections",
                "Open sockets.",
                gauges.connections,
            ),
            (
                "rtcstats_disk_queue_size",
                "Bytes in the journal.",
                gauges.journal_bytes,
            ),
            (
                "rtcstats_queue_size",
                "Dumps being completed.",
                gauges.queue_size,
            ),
            (
                "rtcstats_live_sessions",
                "Sessions with a client.",
                gauges.live_sessions,
            ),
            (
                "rtcstats_resumable_sessions",
                "Sessions that wait for their client.",
                gauges.resumable_sessions,
            ),
            (
                "rtcstats_journal_healthy",
                "Whether the journal works.",
                gauges.journal_healthy.into(),
            ),
            (
                "rtcstats_owned_sessions",
                "Sessions of this node, of several.",
                gauges.owned_sessions,
            ),
            (
                "rtcstats_running_tasks",
                "Tasks of the work queue that this node has.",
                gauges.running_tasks,
            ),
        ]
    }

    fn counter_table(&self) -> [(&'static str, &'static str, u64); 34] {
        [
            (
                "rtcstats_websocket_connection_count",
                "Sockets accepted.",
                self.connections,
            ),
            (
                "rtcstats_websocket_connection_error",
                "Sockets refused.",
                self.connection_errors,
            ),
            (
                "rtcstats_unauthorized_count",
                "Sockets and uploads refused for their tokens.",
                self.unauthorized,
            ),
            (
                "rtcstats_idle_connection_count",
                "Sockets closed for silence.",
                self.idle_connections,
            ),
            (
                "rtcstats_fenced_connection_count",
                "Sockets replaced.",
                self.fenced_connections,
            ),
            (
                "rtcstats_fenced_message_count",
                "Messages of replaced sockets.",
                self.fenced_messages,
            ),
            (
                "rtcstats_request_count",
                "Messages received.",
                self.requests,
            ),
            (
                "rtcstats_refused_request_count",
                "Messages refused.",
                self.refused_messages,
            ),
            ("rtcstats_session_count", "Dumps begun.", self.sessions),
            (
                "rtcstats_session_error_count",
                "Dumps not stored as they should.",
                self.session_errors,
            ),
            ("rtcstats_upload_count", "Dumps uploaded.", self.uploads),
            (
                "rtcstats_refused_upload_count",
                "Uploads refused for what they hold.",
                self.refused_uploads,
            ),
            ("rtcstats_event_count", "Lines accepted.", self.events),
            (
                "rtcstats_malformed_line_count",
                "Lines accepted that are not JSON.",
                self.malformed_lines,
            ),
            (
                "rtcstats_duplicate_count",
                "Entries that came again.",
                self.duplicates,
            ),
            (
                "rtcstats_gap_count",
                "Gaps between sequence numbers.",
                self.gaps,
            ),
            (
                "rtcstats_acknowledgement_count",
                "Acknowledgements sent.",
                self.acknowledgements,
            ),
            (
                "rtcstats_files_processed",
                "Dumps completed.",
                self.finished,
            ),
            (
                "rtcstats_queued_dumps",
                "Dumps that had to wait.",
                self.queued,
            ),
            (
                "rtcstats_process_error_count",
                "Dumps with unreadable lines.",
                self.process_errors,
            ),
            (
                "rtcstats_journal_error_count",
                "Failed appends.",
                self.journal_errors,
            ),
            (
                "rtcstats_storage_error_count",
                "Failed attempts to archive.",
                self.storage_errors,
            ),
            (
                "rtcstats_sink_error_count",
                "Failed attempts to publish.",
                self.sink_errors,
            ),
            (
                "rtcstats_erased_session_count",
                "Open sessions deleted on request.",
                self.erased_sessions,
            ),
            (
                "rtcstats_expired_dump_count",
                "Archived dumps removed by retention.",
                self.expired_dumps,
            ),
            (
                "rtcstats_expired_record_count",
                "Records removed by retention.",
                self.expired_records,
            ),
            (
                "rtcstats_expired_log_count",
                "Unfinished logs removed by retention.",
                self.expired_logs,
            ),
            (
                "rtcstats_claimed_session_count",
                "Sessions claimed from other nodes.",
                self.sessions_claimed,
            ),
            (
                "rtcstats_claim_error_count",
                "Failed attempts to claim a session.",
                self.claim_errors,
            ),
            (
                "rtcstats_adopted_session_count",
                "Logs adopted that nobody had.",
                self.sessions_adopted,
            ),
            (
                "rtcstats_lost_session_count",
                "Sessions that another node has taken.",
                self.sessions_lost,
            ),
            ("rtcstats_done_task_count", "Tasks done.", self.tasks_done),
            (
                "rtcstats_failed_task_count",
                "Failed attempts at tasks.",
                self.tasks_failed,
            ),
            (
                "rtcstats_put_back_task_count",
                "Tasks given up unfinished.",
                self.tasks_put_back,
            ),
        ]
    }

    fn write_limits(&self, out: &mut String) {
        let limits = &self.limits;
        let _ = writeln!(
            out,
            "# HELP rtcstats_limit_count How often a limit was hit."
        );
        let _ = writeln!(out, "# TYPE rtcstats_limit_count counter");
        for (limit, count) in [
            ("message_bytes", limits.message_bytes),
            ("connections", limits.connections),
            ("sessions", limits.sessions),
            ("sessions_per_connection", limits.sessions_per_connection),
            ("session_bytes", limits.session_bytes),
            ("outgoing_frames", limits.outgoing_frames),
            ("queue_bytes", limits.queue_bytes),
        ] {
            let _ = writeln!(out, "rtcstats_limit_count{{limit=\"{limit}\"}} {count}");
        }
    }

    fn summary_table(&self) -> [(&'static str, &'static str, Summary); 5] {
        [
            (
                "rtcstats_requests_size_bytes",
                "Bytes of a request.",
                self.request_bytes,
            ),
            (
                "rtcstats_dump_size_bytes",
                "Bytes of a dump.",
                self.dump_bytes,
            ),
            (
                "rtcstats_session_duration_ms",
                "Duration of a session.",
                self.session_duration_ms,
            ),
            (
                "rtcstats_total_processed_bytes",
                "Feature of a dump.",
                self.total_processed_bytes,
            ),
            (
                "rtcstats_total_processed_count",
                "Feature of a dump.",
                self.total_processed_count,
            ),
        ]
    }
}

fn metric(out: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    let _ = writeln!(
        out,
        "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_help_type_and_value() {
        let counters = Counters {
            events: 7,
            ..Counters::default()
        };
        let text = counters.to_prometheus(Gauges {
            journal_healthy: true,
            ..Gauges::default()
        });
        assert!(text.contains("# TYPE rtcstats_event_count counter\nrtcstats_event_count 7\n"));
        assert!(text.contains("rtcstats_journal_healthy 1\n"));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            let is_typed = |name: &str| text.contains(&format!("# TYPE {name} "));
            let of_summary = |suffix| name.strip_suffix(suffix).is_some_and(is_typed);
            assert!(
                is_typed(name) || of_summary("_sum") || of_summary("_count"),
                "{line}"
            );
            assert!(
                line.rsplit_once(' ').unwrap().1.parse::<f64>().is_ok(),
                "{line}"
            );
        }
    }
}
