//! What a webhook counts.

/// What a [`WebhookSink`](super::WebhookSink) sent since it was opened, and what waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookCounters {
    /// Events that were delivered.
    pub delivered: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Events that were given up.
    pub given_up: u64,
    /// Events that wait.
    pub pending: u64,
    /// Their bytes.
    pub pending_bytes: u64,
}

impl WebhookCounters {
    /// The counters in Prometheus' text format; the first two as in section 13.5 of the Jitsi spec.
    pub fn to_prometheus(&self) -> String {
        let rows = [
            (
                "rtcstats_upload_webhook_count",
                "counter",
                "Events delivered.",
                self.delivered,
            ),
            (
                "rtcstats_upload_webhook_error",
                "counter",
                "Requests that failed.",
                self.failures,
            ),
            (
                "rtcstats_upload_webhook_given_up_count",
                "counter",
                "Events given up.",
                self.given_up,
            ),
            (
                "rtcstats_upload_webhook_pending",
                "gauge",
                "Events that wait.",
                self.pending,
            ),
            (
                "rtcstats_upload_webhook_pending_bytes",
                "gauge",
                "Bytes of events that wait.",
                self.pending_bytes,
            ),
        ];
        rows.map(|(name, kind, help, value)| {
            format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n")
        })
        .concat()
    }
}
