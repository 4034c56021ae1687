//! Removes what has been kept for long enough, or takes too much room.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::committer::Commit;
use super::erasure::{Failure, within, within_listing};
use super::{Shared, lock};
use crate::{DumpName, Erasure, FeatureSink, JournalEntry, Selection};

/// For how long data is kept, and how much of it. What is not given is kept for ever.
///
/// Nothing of a session goes before the session is completed. Several nodes over the same stores may all have
/// the same rules: removing twice does no harm, but is needless work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How often it is looked what can go. Default every hour.
    pub interval: Duration,
    /// Archived dumps go so long after they were stored.
    pub dump_age: Option<Duration>,
    /// As many bytes of dumps, compressed, are kept in the archive; the oldest go first.
    pub dump_bytes: Option<u64>,
    /// Records go from the sinks that keep them so long after their sessions ended.
    pub record_age: Option<Duration>,
    /// Logs of the journal that can never be completed go so long after they were last written to:
    /// logs that could not be read at the start, and uploads that were cut off.
    pub leftover_age: Option<Duration>,
    /// As many bytes of such logs are kept; the oldest go first.
    pub leftover_bytes: Option<u64>,
    /// The most that is removed of each kind at a time. Default 10,000.
    pub at_once: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(3_600),
            dump_age: None,
            dump_bytes: None,
            record_age: None,
            leftover_age: None,
            leftover_bytes: None,
            at_once: 10_000,
        }
    }
}

impl Retention {
    /// Whether anything is ever removed.
    pub(super) fn is_limited(&self) -> bool {
        self.dump_age.is_some()
            || self.dump_bytes.is_some()
            || self.record_age.is_some()
            || self.leftover_age.is_some()
            || self.leftover_bytes.is_some()
    }
}

/// Something that may go.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    name: DumpName,
    bytes: u64,
    modified_ms: f64,
}

/// Sweeps again and again until the server shuts down.
pub(super) async fn run(shared: Arc<Shared>, retention: Retention) {
    let mut shutdown = shared.shutdown.subscribe();
    loop {
        sweep(&shared, &retention).await;
        tokio::select! {
            () = tokio::time::sleep(retention.interval) => {}
            _ = shutdown.wait_for(|stop| *stop) => return,
        }
    }
}

/// Removes what can go, at most so many of each kind.
async fn sweep(shared: &Shared, retention: &Retention) {
    if retention.dump_age.is_some() || retention.dump_bytes.is_some() {
        match sweep_dumps(shared, retention).await {
            Ok(0) => {}
            Ok(dumps) => tracing::info!(dumps, "old dumps removed"),
            Err(error) => tracing::error!(%error, "old dumps not removed"),
        }
    }
    if let Some(age) = retention.record_age {
        for sink in &shared.sinks {
            match sweep_records(shared, sink.as_ref(), age, retention.at_once).await {
                Ok(0) => {}
                Ok(records) => {
                    tracing::info!(sink = sink.name(), records, "old records removed");
                }
                Err(error) => {
                    tracing::error!(sink = sink.name(), %error, "old records not removed");
                }
            }
        }
    }
    if retention.leftover_age.is_some() || retention.leftover_bytes.is_some() {
        match sweep_leftovers(shared, retention).await {
            Ok(0) => {}
            Ok(logs) => tracing::warn!(logs, "logs removed that could not be completed"),
            Err(error) => tracing::error!(%error, "leftovers of the journal not removed"),
        }
    }
}

/// After so many failures a store is left alone until the next time.
const MOST_FAILURES: usize = 10;

async fn sweep_dumps(shared: &Shared, retention: &Retention) -> Result<u64, Failure> {
    let dumps = within_listing(shared.archive.list()).await?;
    let dumps = dumps.into_iter().map(|dump| Kept {
        name: dump.name,
        bytes: dump.bytes,
        modified_ms: dump.modified_ms,
    });
    let oldest_ms = oldest_ms(shared, retention.dump_age);
    let (mut removed, mut failures) = (0, 0);
    for dump in expired(
        dumps.collect(),
        oldest_ms,
        retention.dump_bytes,
        retention.at_once,
    ) {
        // Its session still has steps before it.
        if is_storing(shared, &dump) {
            continue;
        }
        // One that cannot be removed is to keep no other.
        if let Err(error) = within(shared.archive.remove(&dump)).await {
            failures += 1;
            if failures == MOST_FAILURES {
                return Err(error);
            }
            tracing::error!(%dump, %error, "old dump not removed");
            continue;
        }
        removed += 1;
        shared.state().server.counters_mut().expired_dumps += 1;
    }
    Ok(removed)
}

async fn sweep_records(
    shared: &Shared,
    sink: &dyn FeatureSink,
    age: Duration,
    at_once: usize,
) -> Result<u64, Failure> {
    /// A statement of a database has room for so many.
    const BATCH: usize = 500;
    let Some(oldest_ms) = oldest_ms(shared, Some(age)) else {
        return Ok(0);
    };
    let found = within(sink.find(&Selection::EndedBefore(oldest_ms))).await?;
    let mut found = found.unwrap_or_default();
    found.retain(|name| !is_storing(shared, name));
    found.truncate(at_once);
    let mut removed = 0;
    for names in found.chunks(BATCH) {
        if let Erasure::Erased(count) = within(sink.erase(names)).await? {
            removed += count;
            shared.state().server.counters_mut().expired_records += count;
        }
    }
    Ok(removed)
}

async fn sweep_leftovers(shared: &Shared, retention: &Retention) -> Result<u64, Failure> {
    let entries = within(shared.journal.list()).await?;
    let leftovers = entries
        .into_iter()
        .filter(|entry| is_leftover(shared, entry));
    let leftovers = leftovers.map(|entry| Kept {
        name: entry.name,
        bytes: entry.bytes,
        modified_ms: entry.modified_ms,
    });
    let oldest_ms = oldest_ms(shared, retention.leftover_age);
    let bytes = retention.leftover_bytes;
    let mut removed = 0;
    for name in expired(leftovers.collect(), oldest_ms, bytes, retention.at_once) {
        tracing::warn!(session = %name, "log removed that could not be completed");
        let (reply, done) = oneshot::channel();
        shared.commit(Commit::Erase {
            name: name.clone(),
            reply,
        });
        within(async { done.await.map_err(Failure::from)?.map_err(Failure::from) }).await?;
        lock(&shared.unreadable).remove(&name);
        removed += 1;
        let mut state = shared.state();
        state.server.discarded(&name);
        state.server.counters_mut().expired_logs += 1;
    }
    Ok(removed)
}

/// Whether a log will never be completed: it could not be read. An upload that was cut off is
/// one too, after a time in which it would have been completed or given up.
fn is_leftover(shared: &Shared, entry: &JournalEntry) -> bool {
    const UPLOAD_MS: f64 = 86_400_000.0;
    let age_ms = shared.clock.now().unix_ms - entry.modified_ms;
    let is_lost_upload = entry.name.is_upload() && !entry.finished && age_ms > UPLOAD_MS;
    is_lost_upload || lock(&shared.unreadable).contains(&entry.name)
}

fn is_storing(shared: &Shared, name: &DumpName) -> bool {
    lock(&shared.storing).contains(name)
}

/// What was modified before this moment is too old.
fn oldest_ms(shared: &Shared, age: Option<Duration>) -> Option<f64> {
    age.map(|age| shared.clock.now().unix_ms - age.as_secs_f64() * 1000.0)
}

/// Those that are too old, and the oldest of the others as far as they are too many bytes: the oldest first,
/// at most `at_once`.
fn expired(
    mut kept: Vec<Kept>,
    oldest_ms: Option<f64>,
    bytes: Option<u64>,
    at_once: usize,
) -> Vec<DumpName> {
    kept.sort_by(|one, other| {
        let by_time = one.modified_ms.total_cmp(&other.modified_ms);
        by_time.then_with(|| one.name.cmp(&other.name))
    });
    let mut total: u64 = kept.iter().map(|kept| kept.bytes).sum();
    let is_expired = |kept: &Kept| {
        let is_old = oldest_ms.is_some_and(|oldest| kept.modified_ms < oldest);
        let is_too_much = bytes.is_some_and(|bytes| total > bytes);
        total -= kept.bytes;
        is_old || is_too_much
    };
    let expired = kept.into_iter().take(at_once);
    let expired = expired.scan(is_expired, |is_expired, kept| {
        is_expired(&kept).then_some(kept.name)
    });
    expired.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(
        kept: &[(&str, u64, f64)],
        oldest: Option<f64>,
        bytes: Option<u64>,
        at_once: usize,
    ) -> Vec<String> {
        let kept = kept.iter().map(|(name, bytes, modified_ms)| Kept {
            name: name.parse().unwrap(),
            bytes: *bytes,
            modified_ms: *modified_ms,
        });
        let expired = expired(kept.collect(), oldest, bytes, at_once);
        expired.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_oldest_go_by_age_and_until_the_rest_has_room() {
        let kept = [
            ("b", 10, 2.0),
            ("a", 10, 1.0),
            ("d", 10, 4.0),
            ("c", 10, 3.0),
        ];
        assert_eq!(names(&kept, Some(3.0), None, 9), ["a", "b"]);
        assert_eq!(names(&kept, None, Some(25), 9), ["a", "b"]);
        assert_eq!(names(&kept, None, Some(40), 9), [""; 0]);
        assert_eq!(names(&kept, Some(2.0), Some(15), 9), ["a", "b", "c"]);
        assert_eq!(names(&kept, Some(9.0), None, 3), ["a", "b", "c"]);
        assert_eq!(names(&kept, None, None, 9), [""; 0]);
    }
}
