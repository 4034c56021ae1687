//! Completes a session: archive, sinks, then out of the journal (an upload, for whose record somebody
//! waits: sinks, archive). A crash between any two steps
//! repeats, and loses nothing.

use std::future::Future;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use rtcstats_features::jitsi::Extraction;
use tokio::sync::oneshot;

use super::erasure::Stops;
use super::filtered_dump::FilteredDump;
use super::monitor::Store;
use super::whole_log::WholeLog;
use super::{Shared, lock};
use crate::{DumpName, FeatureSink, RecordOptions, SessionFacts, SessionFeatures, SessionRecord};

/// Sessions completed at the same time: enough to hide the waiting for disks and databases.
pub(super) const AT_ONCE: usize = 8;

/// How long to wait for another dump.
const PAUSE: Duration = Duration::from_millis(100);

/// A session that ended, its features extracted.
pub(super) struct Ended {
    pub(super) name: DumpName,
    pub(super) features: SessionFeatures,
    pub(super) facts: SessionFacts,
    /// Of the dump.
    pub(super) bytes: u64,
    /// Told when the record is published; dropped if the dump is given up instead.
    pub(super) reply: Option<oneshot::Sender<()>>,
}

/// How often a step is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempts {
    /// For as long as the process lives; the next start goes on.
    Endless,
    /// A few times: others may do better.
    Few,
}

/// A step that failed as often as it was tried.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {reason}")]
pub(super) struct StepError {
    step: String,
    reason: String,
}

/// Completes a session of this node.
pub(super) async fn complete(shared: Arc<Shared>, ended: Ended) {
    if let Err(error) = perform(&shared, ended, Attempts::Endless).await {
        tracing::error!(%error, "session is not completed");
    }
    shared.completing.fetch_sub(1, Ordering::Relaxed);
}

/// All steps, unless the session is to be deleted.
pub(super) async fn perform(
    shared: &Shared,
    ended: Ended,
    attempts: Attempts,
) -> Result<(), StepError> {
    let name = ended.name.clone();
    tokio::select! {
        biased;
        result = perform_all(shared, ended, attempts) => {
            shared.stops.forget(&name);
            result
        }
        () = shared.stops.stopped(&name) => {
            shared.abandon(&name);
            Ok(())
        }
    }
}

async fn perform_all(shared: &Shared, ended: Ended, attempts: Attempts) -> Result<(), StepError> {
    if shared.completions.available_permits() == 0 {
        shared.state().server.counters_mut().queued += 1;
    }
    let Ended {
        name,
        features,
        facts,
        bytes,
        reply,
    } = ended;
    count(shared, &features, bytes);
    let steps = Steps {
        shared,
        stops: &shared.stops,
        name: &name,
        attempts,
    };
    let failed = || shared.state().server.counters_mut().storage_errors += 1;
    let stored = loop {
        let free_name = || free_name(shared, &name, bytes);
        if let Some(stored) = steps.until_done(Store::Archive, free_name, failed).await? {
            break stored;
        }
        // The other dump waits for no turn of this one.
        tokio::time::sleep(PAUSE).await;
    };
    shared.stops.note_stored(&name, &stored.name);
    let archive = || async {
        let dump = read(shared, &name, bytes).await?;
        let stored = shared.archive.store(&stored.name, dump).await;
        stored.map_err(boxed)
    };
    if reply.is_none() {
        // First of all: after a crash the archive tells which name the dump has, and the record
        // goes by it.
        steps.until_done(Store::Archive, archive, failed).await?;
    }
    let options = RecordOptions {
        environment: &shared.environment,
        now: shared.clock.now().unix_ms,
        bytes,
    };
    let record = SessionRecord::of(stored.name.clone(), features, &facts, &options);
    let mut sinks = shared.sinks.iter();
    if reply.is_some()
        && let Some(first) = sinks.next()
        && !publish_soon(shared, &name, first.as_ref(), &record).await
    {
        // An upload, which is forgotten.
        return steps.remove().await;
    }
    for sink in sinks {
        steps.publish(sink.as_ref(), &record).await?;
    }
    if let Some(reply) = reply {
        // The one who waits may have gone.
        let _ = reply.send(());
        steps.until_done(Store::Archive, archive, failed).await?;
    }
    steps.remove().await?;
    shared.state().server.finished(&name);
    tracing::info!(session = %name, stored = %stored.name, bytes, "session completed");
    Ok(())
}

/// Publishes the record of a dump that is archived already, unless that is deleted.
pub(super) async fn publish_again(
    shared: &Shared,
    name: &DumpName,
    features: SessionFeatures,
    facts: &SessionFacts,
    bytes: u64,
) -> Result<(), StepError> {
    tokio::select! {
        biased;
        result = publish_all_again(shared, name, features, facts, bytes) => result,
        () = shared.extraction_stops.stopped(name) => Ok(()),
    }
}

async fn publish_all_again(
    shared: &Shared,
    name: &DumpName,
    features: SessionFeatures,
    facts: &SessionFacts,
    bytes: u64,
) -> Result<(), StepError> {
    let steps = Steps {
        shared,
        stops: &shared.extraction_stops,
        name,
        attempts: Attempts::Few,
    };
    let options = RecordOptions {
        environment: &shared.environment,
        now: shared.clock.now().unix_ms,
        bytes,
    };
    let mut record = SessionRecord::of(name.clone(), features, facts, &options);
    for sink in &shared.sinks {
        if let Some(earlier) = steps.stored(sink.as_ref()).await? {
            record.keep_facts(&earlier);
            break;
        }
    }
    for sink in &shared.sinks {
        steps.publish(sink.as_ref(), &record).await?;
    }
    Ok(())
}

/// A name under which a dump is being stored, until it is dropped.
struct Stored<'a> {
    shared: &'a Shared,
    name: DumpName,
}

impl Drop for Stored<'_> {
    fn drop(&mut self) {
        lock(&self.shared.storing).remove(&self.name);
    }
}

/// Publishes a record that somebody waits for; `false` if that fails a few times.
async fn publish_soon(
    shared: &Shared,
    name: &DumpName,
    sink: &dyn FeatureSink,
    record: &SessionRecord,
) -> bool {
    const ATTEMPTS: u32 = 3;
    const PAUSE: Duration = Duration::from_millis(200);
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let turn = shared.stops.turn(name).await;
        let result = sink.publish(record).await;
        drop(turn);
        shared.note(Store::Sink(sink.name()), result.is_ok());
        let Err(error) = result else {
            return true;
        };
        shared.state().server.counters_mut().sink_errors += 1;
        tracing::error!(session = %record.name, sink = sink.name(), %error, "upload not published");
    }
    false
}

/// A dump as it is archived, made of a log of so many bytes.
async fn read(
    shared: &Shared,
    name: &DumpName,
    bytes: u64,
) -> Result<Box<dyn BufRead + Send>, Failure> {
    let log = shared.journal.read(name).await.map_err(boxed)?;
    Ok(FilteredDump::wrap(
        Box::new(WholeLog::new(log, bytes)),
        &shared.handshakes.privacy,
        shared.limits.message,
    ))
}

fn count(shared: &Shared, features: &SessionFeatures, bytes: u64) {
    let mut state = shared.state();
    let counters = state.server.counters_mut();
    counters.dump_bytes.observe(bytes as f64);
    if let Some(features) = features.jitsi.as_ref().and_then(Extraction::client) {
        let metrics = &features.metrics;
        counters
            .session_duration_ms
            .observe(metrics.session_duration_ms);
        counters
            .total_processed_bytes
            .observe(metrics.total_processed_bytes as f64);
        counters
            .total_processed_count
            .observe(metrics.total_processed_count as f64);
    }
}

/// The name to store a dump under: its own, unless the archive has another dump of that name, from
/// before the server forgot the session. `None` while another dump is being stored under it: to pass
/// it over would make the name depend on who is first, and a repetition could store the dump again
/// under another one.
///
/// The name is taken until [`Stored`] gives it back: others find it neither in the archive yet nor
/// free.
async fn free_name<'a>(
    shared: &'a Shared,
    name: &DumpName,
    bytes: u64,
) -> Result<Option<Stored<'a>>, Failure> {
    let mut candidate = name.archived();
    loop {
        if !lock(&shared.storing).insert(candidate.clone()) {
            return Ok(None);
        }
        // From here on, so that the name is given back also where this is given up half-way.
        let stored = Stored {
            shared,
            name: candidate,
        };
        if is_free(shared, name, bytes, &stored.name).await? {
            return Ok(Some(stored));
        }
        candidate = stored.name.next();
    }
}

/// Whether the archive has no dump of this name, or has this very dump.
async fn is_free(
    shared: &Shared,
    name: &DumpName,
    bytes: u64,
    candidate: &DumpName,
) -> Result<bool, Failure> {
    let Some(archived) = shared.archive.open(candidate).await.map_err(boxed)? else {
        return Ok(true);
    };
    let own = read(shared, name, bytes).await?;
    let same = move || same_content(own, MultiGzDecoder::new(BufReader::new(archived)));
    let compared = tokio::task::spawn_blocking(same).await.map_err(boxed)?;
    compared.map_err(boxed)
}

/// Whether an archived dump is this log's. What is no gzip is another dump; a log that cannot be read is
/// none, but an error: its dump would be archived twice.
fn same_content(mut log: impl BufRead, archived: impl Read) -> io::Result<bool> {
    let mut archived = BufReader::new(archived);
    loop {
        let a = log.fill_buf()?;
        let Ok(b) = archived.fill_buf() else {
            return Ok(false);
        };
        let length = a.len().min(b.len());
        if length == 0 {
            return Ok(a.is_empty() && b.is_empty());
        }
        if a.get(..length) != b.get(..length) {
            return Ok(false);
        }
        log.consume(length);
        archived.consume(length);
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn boxed<E: std::error::Error + Send + Sync + 'static>(error: E) -> Failure {
    error.into()
}

/// What is done with a session, step by step.
#[derive(Clone, Copy)]
struct Steps<'a> {
    shared: &'a Shared,
    stops: &'a Stops,
    name: &'a DumpName,
    attempts: Attempts,
}

impl Steps<'_> {
    async fn publish(
        &self,
        sink: &dyn FeatureSink,
        record: &SessionRecord,
    ) -> Result<(), StepError> {
        let publish = || async { sink.publish(record).await.map_err(boxed) };
        let failed = || self.shared.state().server.counters_mut().sink_errors += 1;
        self.until_done(Store::Sink(sink.name()), publish, failed)
            .await
    }

    /// The record that a sink has.
    async fn stored(&self, sink: &dyn FeatureSink) -> Result<Option<SessionRecord>, StepError> {
        let stored = || async { sink.stored(self.name).await.map_err(boxed) };
        let failed = || self.shared.state().server.counters_mut().sink_errors += 1;
        self.until_done(Store::Sink(sink.name()), stored, failed)
            .await
    }

    async fn remove(&self) -> Result<(), StepError> {
        let remove = || async { self.shared.journal.remove(self.name).await.map_err(boxed) };
        let failed = || self.shared.state().server.counters_mut().journal_errors += 1;
        self.until_done(Store::Journal, remove, failed).await
    }

    /// Tries again, with growing pauses.
    async fn until_done<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        store: Store<'_>,
        mut attempt: impl FnMut() -> F,
        count_failure: impl Fn(),
    ) -> Result<T, StepError> {
        const LONGEST_PAUSE: Duration = Duration::from_secs(60);
        const FEW: u32 = 3;
        let mut pause = Duration::from_millis(200);
        let mut tried = 0;
        loop {
            // Given back before the pause, so that a step that keeps failing holds up no other session.
            let permit = self.shared.completions.acquire().await;
            let turn = self.stops.turn(self.name).await;
            let result = attempt().await;
            drop((turn, permit));
            self.shared.note(store, result.is_ok());
            let error = match result {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            count_failure();
            tried += 1;
            let cause = error.source().map(ToString::to_string);
            if self.attempts == Attempts::Few && tried >= FEW {
                let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                return Err(StepError {
                    step: store.to_string(),
                    reason: format!("{error}{cause}"),
                });
            }
            tracing::error!(session = %self.name, step = %store, %error, cause, retry_in = ?pause, "not completed");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_compared_whatever_the_buffers() {
        let same = |one: &[u8], other: &[u8]| {
            same_content(
                BufReader::with_capacity(3, one),
                BufReader::with_capacity(2, other),
            )
            .unwrap()
        };
        assert!(same(b"abcdefg", b"abcdefg"));
        assert!(same(b"", b""));
        assert!(!same(b"abcdefg", b"abcdef"));
        assert!(!same(b"abcdef", b"abcdefg"));
        assert!(!same(b"abcdefg", b"abcdefh"));
    }
}
