//! Watches the stores: what became of the last attempts, and whether an idle journal still works.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rtcstats_proto::jitsi::SessionId;
use uuid::Uuid;

use super::{Degradation, Health, HealthOptions, Shared, lock};
use crate::{Append, DumpName, Time};

/// How often a server looks at its own health.
const INTERVAL: Duration = Duration::from_secs(1);

/// A store that sessions go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store<'a> {
    Journal,
    Archive,
    Sink(&'a str),
}

impl fmt::Display for Store<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Journal => "journal",
            Self::Archive => "archive",
            Self::Sink(name) => name,
        })
    }
}

/// What is known of the stores.
pub(super) struct Monitor {
    options: HealthOptions,
    observed: Mutex<Observed>,
}

#[derive(Default)]
struct Observed {
    journal: Outcomes,
    /// When the journal was given what it has not yet answered.
    appending: Option<Time>,
    /// When the journal answered last.
    journal_used: Duration,
    archive: Outcomes,
    sinks: BTreeMap<String, Outcomes>,
    /// When the queue was seen full, without interruption.
    queue_full: Option<Time>,
    is_draining: bool,
    /// What was logged and lasts.
    logged: BTreeSet<String>,
}

/// Failures since the last success.
#[derive(Default)]
struct Outcomes {
    failures: u64,
    since_ms: f64,
}

impl Outcomes {
    fn note(&mut self, is_success: bool, time: Time) {
        if is_success {
            self.failures = 0;
            return;
        }
        if self.failures == 0 {
            self.since_ms = time.unix_ms;
        }
        self.failures += 1;
    }
}

impl Monitor {
    pub(super) fn new(options: HealthOptions) -> Self {
        Self {
            options,
            observed: Mutex::default(),
        }
    }

    /// The journal was given something.
    pub(super) fn appending(&self, time: Time) {
        lock(&self.observed).appending.get_or_insert(time);
    }

    /// What became of an attempt.
    pub(super) fn note(&self, store: Store<'_>, is_success: bool, time: Time) {
        let mut observed = lock(&self.observed);
        match store {
            Store::Journal => {
                observed.appending = None;
                observed.journal_used = time.monotonic;
                observed.journal.note(is_success, time);
            }
            Store::Archive => observed.archive.note(is_success, time),
            Store::Sink(name) => match observed.sinks.get_mut(name) {
                Some(outcomes) => outcomes.note(is_success, time),
                None if is_success => {}
                None => {
                    let outcomes = observed.sinks.entry(name.to_owned()).or_default();
                    outcomes.note(is_success, time);
                }
            },
        }
    }

    pub(super) fn drain(&self) {
        lock(&self.observed).is_draining = true;
    }

    /// Whether the journal took what it was given last.
    pub(super) fn journal_works(&self) -> bool {
        lock(&self.observed).journal.failures == 0
    }

    /// Whether it is time to try the journal.
    fn must_probe(&self, now: Duration) -> bool {
        let observed = lock(&self.observed);
        let patience = match observed.journal.failures {
            0 => self.options.probe_after,
            // The committer tries again only while it has something to append.
            _ => INTERVAL,
        };
        observed.appending.is_none() && now.saturating_sub(observed.journal_used) >= patience
    }

    fn note_queue(&self, is_full: bool, time: Time) {
        let mut observed = lock(&self.observed);
        observed.queue_full = is_full.then(|| observed.queue_full.unwrap_or(time));
    }

    fn health(&self, waiting: u64, time: Time) -> Health {
        let observed = lock(&self.observed);
        let mut degradations = Vec::new();
        if observed.journal.failures > 0 {
            degradations.push(Degradation::JournalFailing {
                since_ms: observed.journal.since_ms,
                failures: observed.journal.failures,
            });
        }
        let age = |since: &Time| time.monotonic.saturating_sub(since.monotonic);
        let stalled = observed.appending.as_ref();
        if let Some(since) = stalled.filter(|since| age(since) >= self.options.stalled_after) {
            degradations.push(Degradation::JournalStalled {
                since_ms: since.unix_ms,
            });
        }
        if observed.is_draining {
            degradations.push(Degradation::Draining);
        }
        // A queue is full for moments all the time when clients come back at once.
        let full = observed.queue_full.as_ref();
        if let Some(since) = full.filter(|since| age(since) >= INTERVAL) {
            degradations.push(Degradation::QueueFull {
                since_ms: since.unix_ms,
            });
        }
        if observed.archive.failures > 0 {
            degradations.push(Degradation::ArchiveFailing {
                since_ms: observed.archive.since_ms,
                failures: observed.archive.failures,
            });
        }
        let failing = observed.sinks.iter().filter(|sink| sink.1.failures > 0);
        degradations.extend(failing.map(|(sink, outcomes)| Degradation::SinkFailing {
            sink: sink.clone(),
            since_ms: outcomes.since_ms,
            failures: outcomes.failures,
        }));
        let limit = self.options.backlog;
        if waiting > limit {
            degradations.push(Degradation::CompletionBacklog { waiting, limit });
        }
        Health::new(degradations)
    }

    /// Logs what has begun and what is over.
    fn log_changes(&self, health: &Health) {
        let lasting = health.degradations.iter().map(ToString::to_string);
        let lasting: BTreeSet<String> = lasting.collect();
        let mut observed = lock(&self.observed);
        for begun in lasting.difference(&observed.logged) {
            tracing::warn!(status = ?health.status, "health: {begun}");
        }
        for over in observed.logged.difference(&lasting) {
            tracing::info!(status = ?health.status, "health: no longer so: {over}");
        }
        observed.logged = lasting;
    }
}

impl Shared {
    /// What became of an attempt at a store.
    pub(super) fn note(&self, store: Store<'_>, is_success: bool) {
        self.monitor.note(store, is_success, self.clock.now());
    }

    pub(super) fn health(&self) -> Health {
        let waiting = self.completing.load(std::sync::atomic::Ordering::Relaxed);
        self.monitor.health(waiting, self.clock.now())
    }
}

/// Looks at the health of the server until it shuts down.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut shutdown = shared.shutdown.subscribe();
    // A name of its own, so that several nodes over one journal are not in each other's way.
    let probe = SessionId::new(&Uuid::new_v4().hyphenated().to_string());
    let probe = probe.ok().map(DumpName::first);
    loop {
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            _ = shutdown.wait_for(|stop| *stop) => return,
        }
        if let Some(name) = &probe
            && shared.monitor.must_probe(shared.clock.now().monotonic)
        {
            try_journal(&shared, name).await;
        }
        shared.stops.expire(shared.clock.now().monotonic);
        shared.extraction_stops.expire(shared.clock.now().monotonic);
        let is_full = shared.queue.available_permits() == 0;
        shared.monitor.note_queue(is_full, shared.clock.now());
        shared.monitor.log_changes(&shared.health());
    }
}

/// Makes a log without lines, and removes it. If that is interrupted, the next start removes it.
async fn try_journal(shared: &Shared, name: &DumpName) {
    let append = Append {
        name: name.clone(),
        lines: Bytes::new(),
    };
    let attempt = async {
        shared.journal.append(vec![append]).await?;
        shared.journal.remove(name).await
    };
    let patience = shared.monitor.options.stalled_after;
    let result = tokio::time::timeout(patience, attempt).await;
    let is_success = matches!(result, Ok(Ok(())));
    if !is_success {
        let error = result.ok().and_then(Result::err);
        tracing::debug!(?error, "the journal was tried in vain");
        // Only a log that was read since a failure can be appended to again; there may be none.
        let read = shared.journal.read(name);
        let _ = tokio::time::timeout(patience, read).await;
    }
    shared.note(Store::Journal, is_success);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HealthStatus;

    fn at(seconds: u64) -> Time {
        Time {
            monotonic: Duration::from_secs(seconds),
            unix_ms: seconds as f64 * 1000.0,
        }
    }

    #[test]
    fn a_journal_that_fails_or_does_not_answer_makes_the_server_unready() {
        let monitor = Monitor::new(HealthOptions::default());
        monitor.appending(at(1));
        assert_eq!(monitor.health(0, at(5)).status, HealthStatus::Ok);
        let stalled = Degradation::JournalStalled { since_ms: 1000.0 };
        assert_eq!(monitor.health(0, at(6)).degradations, [stalled]);
        monitor.note(Store::Journal, false, at(7));
        monitor.appending(at(8));
        monitor.note(Store::Journal, false, at(8));
        let failing = Degradation::JournalFailing {
            since_ms: 7000.0,
            failures: 2,
        };
        assert_eq!(monitor.health(0, at(8)).degradations, [failing]);
        assert!(!monitor.health(0, at(8)).is_ready());
        monitor.note(Store::Journal, true, at(9));
        assert_eq!(monitor.health(0, at(9)).status, HealthStatus::Ok);
    }

    #[test]
    fn an_idle_journal_is_tried_and_a_failing_one_more_often() {
        let monitor = Monitor::new(HealthOptions::default());
        assert!(!monitor.must_probe(Duration::from_secs(9)));
        assert!(monitor.must_probe(Duration::from_secs(10)));
        monitor.note(Store::Journal, false, at(10));
        assert!(monitor.must_probe(Duration::from_secs(11)));
        monitor.appending(at(11));
        assert!(
            !monitor.must_probe(Duration::from_secs(60)),
            "it is being used"
        );
    }

    #[test]
    fn sinks_archive_backlog_and_queue_degrade_while_they_last() {
        let monitor = Monitor::new(HealthOptions::default());
        monitor.note(Store::Sink("sql"), false, at(1));
        monitor.note(Store::Sink("nats"), true, at(1));
        monitor.note(Store::Archive, false, at(2));
        monitor.note_queue(true, at(3));
        assert_eq!(monitor.health(0, at(3)).degradations.len(), 2, "a moment");
        monitor.note_queue(true, at(4));
        let health = monitor.health(1_001, at(4));
        assert_eq!(health.status, HealthStatus::Degraded);
        assert_eq!(health.degradations.len(), 4, "{health:?}");
        monitor.note(Store::Sink("sql"), true, at(5));
        monitor.note(Store::Archive, true, at(5));
        monitor.note_queue(false, at(5));
        assert_eq!(monitor.health(1_000, at(5)).status, HealthStatus::Ok);
        monitor.drain();
        assert!(!monitor.health(0, at(5)).is_ready());
    }
}
