//! Completes a session: sinks, archive, then out of the journal. A crash between any two steps
//! repeats, and loses nothing.

use std::future::Future;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use rtcstats_features::jitsi::{Extraction, MissingTime, RecordContext};
use serde::Serialize;
use serde_json::value::to_raw_value;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::features::SessionFeatures;
use super::filtered_dump::FilteredDump;
use super::{Shared, lock};
use crate::{DumpName, FeatureSink, RecordPart, SessionFacts, SessionRecord};

/// Sessions completed at the same time: enough to hide the waiting for disks and databases.
pub(super) const AT_ONCE: usize = 8;

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

pub(super) async fn complete(shared: Arc<Shared>, ended: Ended) {
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
    count(&shared, &features, bytes);
    let failed = || shared.state().server.counters_mut().storage_errors += 1;
    let stored = until_done(
        &shared,
        &name,
        "archive",
        || async { free_name(&shared, &name).await },
        failed,
    )
    .await;
    let record = record(&shared, &stored, &features, &facts);
    let mut sinks = shared.sinks.iter();
    if reply.is_some()
        && let Some(first) = sinks.next()
        && !publish_soon(&shared, first.as_ref(), &record).await
    {
        return give_up(&shared, &name, &stored).await;
    }
    for sink in sinks {
        let failed = || shared.state().server.counters_mut().sink_errors += 1;
        until_done(
            &shared,
            &name,
            sink.name(),
            || async { sink.publish(&record).await.map_err(boxed) },
            failed,
        )
        .await;
    }
    if let Some(reply) = reply {
        // The one who waits may have gone.
        let _ = reply.send(());
    }
    let archive = || async {
        let dump = read(&shared, &name).await?;
        shared.archive.store(&stored, dump).await.map_err(boxed)
    };
    until_done(&shared, &name, "archive", archive, failed).await;
    let failed = || shared.state().server.counters_mut().journal_errors += 1;
    until_done(
        &shared,
        &name,
        "journal",
        || async { shared.journal.remove(&name).await.map_err(boxed) },
        failed,
    )
    .await;
    lock(&shared.storing).remove(&stored);
    shared.state().server.finished(&name);
    shared.completing.fetch_sub(1, Ordering::Relaxed);
    tracing::info!(session = %name, %stored, bytes, "session completed");
}

/// Publishes a record that somebody waits for; `false` if that fails a few times.
async fn publish_soon(shared: &Shared, sink: &dyn FeatureSink, record: &SessionRecord) -> bool {
    const ATTEMPTS: u32 = 3;
    const PAUSE: Duration = Duration::from_millis(200);
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let Err(error) = sink.publish(record).await else {
            return true;
        };
        shared.state().server.counters_mut().sink_errors += 1;
        tracing::error!(session = %record.name, sink = sink.name(), %error, "upload not published");
    }
    false
}

/// Forgets an upload whose record could not be published.
async fn give_up(shared: &Shared, name: &DumpName, stored: &DumpName) {
    let failed = || shared.state().server.counters_mut().journal_errors += 1;
    until_done(
        shared,
        name,
        "journal",
        || async { shared.journal.remove(name).await.map_err(boxed) },
        failed,
    )
    .await;
    lock(&shared.storing).remove(stored);
    shared.completing.fetch_sub(1, Ordering::Relaxed);
}

/// A dump as it is archived.
async fn read(shared: &Shared, name: &DumpName) -> Result<Box<dyn BufRead + Send>, Failure> {
    let log = shared.journal.read(name).await.map_err(boxed)?;
    Ok(FilteredDump::wrap(
        log,
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
/// before the server forgot the session.
///
/// The name is taken until [`complete`] gives it back: others find it neither in the archive yet nor
/// free.
async fn free_name(shared: &Shared, name: &DumpName) -> Result<DumpName, Failure> {
    let mut candidate = name.archived();
    loop {
        if !lock(&shared.storing).insert(candidate.clone()) {
            candidate = candidate.next();
            continue;
        }
        match is_free(shared, name, &candidate).await {
            Ok(true) => return Ok(candidate),
            result => {
                lock(&shared.storing).remove(&candidate);
                result?;
                candidate = candidate.next();
            }
        }
    }
}

/// Whether the archive has no dump of this name, or has this very dump.
async fn is_free(shared: &Shared, name: &DumpName, candidate: &DumpName) -> Result<bool, Failure> {
    let Some(archived) = shared.archive.open(candidate).await.map_err(boxed)? else {
        return Ok(true);
    };
    let own = read(shared, name).await?;
    // What is no gzip is another dump too.
    let same =
        move || same_content(own, MultiGzDecoder::new(BufReader::new(archived))).unwrap_or(false);
    tokio::task::spawn_blocking(same).await.map_err(boxed)
}

fn same_content(mut one: impl BufRead, other: impl Read) -> io::Result<bool> {
    let mut other = BufReader::new(other);
    loop {
        let (a, b) = (one.fill_buf()?, other.fill_buf()?);
        let length = a.len().min(b.len());
        if length == 0 {
            return Ok(a.is_empty() && b.is_empty());
        }
        if a.get(..length) != b.get(..length) {
            return Ok(false);
        }
        one.consume(length);
        other.consume(length);
    }
}

/// What is published of a session. Its content depends on the dump only, so that a repetition
/// publishes the same.
fn record(
    shared: &Shared,
    stored: &DumpName,
    features: &SessionFeatures,
    facts: &SessionFacts,
) -> SessionRecord {
    let mut parts = Vec::new();
    if let Some(extraction) = &features.jitsi {
        add_jitsi(shared, stored, extraction, &mut parts);
    }
    if let Some(features) = &features.rtcstats {
        add_part(&mut parts, "rtcstats", features);
    }
    if let Some(features) = &features.legacy {
        add_part(&mut parts, "legacy", features);
    }
    add_part(&mut parts, "session", facts);
    SessionRecord {
        name: stored.clone(),
        parts,
    }
}

/// The records that Jitsi's servers publish.
fn add_jitsi(
    shared: &Shared,
    stored: &DumpName,
    extraction: &Extraction,
    parts: &mut Vec<RecordPart>,
) {
    let now = shared.clock.now().unix_ms;
    add_part(parts, "features", extraction);
    add_part(parts, "metadata", &extraction.metadata_row(now));
    let mut ids = 0_u64;
    let mut uuid = || {
        ids += 1;
        Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{stored}/{ids}").as_bytes()).to_string()
    };
    let context = RecordContext {
        environment: &shared.environment,
        now,
        uuid: &mut uuid,
        missing_time: MissingTime::Null,
    };
    if let Some(records) = extraction.records(context) {
        add_part(parts, "meeting", &records.meeting_record);
        for (index, record) in records.pc_records.iter().enumerate() {
            add_part(parts, &format!("pc/{index}"), record);
        }
        for (index, record) in records.track_records.iter().enumerate() {
            add_part(parts, &format!("track/{index}"), record);
        }
    }
}

fn add_part<T: Serialize>(parts: &mut Vec<RecordPart>, part: &str, value: &T) {
    match to_raw_value(value) {
        Ok(json) => parts.push(RecordPart {
            part: part.to_owned(),
            json,
        }),
        Err(error) => tracing::error!(part, %error, "part of a record cannot be written"),
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn boxed<E: std::error::Error + Send + Sync + 'static>(error: E) -> Failure {
    error.into()
}

/// Tries again, with growing pauses, for as long as the process lives; the next start goes on.
async fn until_done<T, F: Future<Output = Result<T, Failure>>>(
    shared: &Shared,
    name: &DumpName,
    step: &str,
    mut attempt: impl FnMut() -> F,
    count_failure: impl Fn(),
) -> T {
    const LONGEST_PAUSE: Duration = Duration::from_secs(60);
    let mut pause = Duration::from_millis(200);
    loop {
        // Given back before the pause, so that a step that keeps failing holds up no other session.
        let turn = shared.completions.acquire().await;
        let result = attempt().await;
        drop(turn);
        match result {
            Ok(done) => return done,
            Err(error) => {
                count_failure();
                let cause = error.source().map(ToString::to_string);
                tracing::error!(session = %name, step, %error, cause, retry_in = ?pause, "not completed");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
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
