//! Deletes what is kept of sessions: of one user, of one conference, of one session.

mod report;
mod stops;

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufReader;
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

pub use report::{ErasureFailure, ErasureReport, SinkErasure, SinkErasureOutcome, StoreErasure};
pub(super) use stops::Stops;

use super::committer::Commit;
use super::{Runtime, Shared};
use crate::naming::{is_named, matches};
use crate::{Archive, DumpName, EndedSession, Erasure, FeatureSink, Selection, SessionSummary};

/// How long a store may take for one thing.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long an archive may take to list what it has.
const LISTING_PATIENCE: Duration = Duration::from_secs(900);

impl Runtime {
    /// Deletes everything that is kept of the selected sessions, wherever it is:
    ///
    /// - Those that are open end, without being completed. Their clients are told not to come back (close
    ///   code 3001), and what they would bring back is refused for about an hour.
    /// - Logs of the journal go, also of sessions that wait to be completed. One that is being completed at
    ///   this moment is waited for, and does not appear afterwards.
    /// - Records go from every sink that keeps them, dumps from the archive.
    ///
    /// Sessions are found by what is known of those that are open, by the lines of the journal, by the
    /// sinks that [can be asked](FeatureSink::find), and by reading each archived dump that none of them
    /// knows; that takes as long as the dumps are. Not covered is what comes after the call, such as
    /// an upload that is not yet complete.
    ///
    /// Of several nodes it may be called at any one. Where another one is completing a session at that moment,
    /// or extracting it again, the record may appear afterwards; the call that is repeated when that node is done finds it.
    ///
    /// A step that fails is in the report and keeps no other from being done. Repeating the call is safe, and
    /// does what was left.
    pub async fn erase(&self, selection: &Selection) -> ErasureReport {
        let shared = &self.0.shared;
        let mut report = ErasureReport::default();
        let logs = find_logs(shared, selection, &mut report).await;
        keep_from_other_nodes(shared, selection, &logs, &mut report).await;
        let stored = erase_logs(shared, selection, logs, &mut report).await;
        let mut found = find_records(shared, selection, &mut report).await;
        found.extend(stored);
        let archived = find_dumps(shared, selection, &mut found, &mut report).await;
        let names: Vec<DumpName> = found.iter().cloned().collect();
        stop_extraction(shared, &names, &mut report).await;
        for sink in &shared.sinks {
            let outcome = erase_records(sink.as_ref(), &names).await;
            report.sinks.push(SinkErasure {
                sink: sink.name().to_owned(),
                outcome,
            });
        }
        for name in archived.intersection(&found) {
            match within(shared.archive.remove(name)).await {
                Ok(()) => report.archive.erased += 1,
                Err(error) => report.archive.fail(Some(name), error),
            }
        }
        report.sessions.extend(found);
        tracing::info!(
            sessions = report.sessions.len(),
            is_complete = report.is_complete(),
            "data deleted on request"
        );
        report
    }
}

/// The logs of the journal that are selected.
async fn find_logs(
    shared: &Shared,
    selection: &Selection,
    report: &mut ErasureReport,
) -> BTreeSet<DumpName> {
    let mut open = open_sessions(shared);
    let entries = match within(shared.journal.list()).await {
        Ok(entries) => entries,
        Err(error) => {
            report.journal.fail(None, error);
            Vec::new()
        }
    };
    let mut found = BTreeSet::new();
    for entry in entries {
        if entry.name.is_upload() && !entry.finished {
            continue;
        }
        let summary = open.remove(&entry.name);
        let facts = summary.as_ref().map(|summary| &summary.facts.identifiers);
        if is_session(selection, &entry.name)
            || facts.is_some_and(|facts| matches(selection, facts))
        {
            found.insert(entry.name);
            continue;
        }
        if !is_by_name(selection) {
            continue;
        }
        match is_named_in_log(shared, selection, &entry.name).await {
            Ok(true) => {
                found.insert(entry.name);
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(session = %entry.name, %error, "log not searched");
                report.unreadable.push(entry.name);
            }
        }
    }
    // What the journal was not yet given.
    let unwritten = open.into_values().filter(|summary| {
        is_session(selection, &summary.name) || matches(selection, &summary.facts.identifiers)
    });
    found.extend(unwritten.map(|summary| summary.name));
    found
}

fn open_sessions(shared: &Shared) -> BTreeMap<DumpName, SessionSummary> {
    let state = shared.state();
    let sessions = state.server.sessions();
    sessions.map(|one| (one.name.clone(), one)).collect()
}

async fn is_named_in_log(
    shared: &Shared,
    selection: &Selection,
    name: &DumpName,
) -> Result<bool, Failure> {
    let log = within(shared.journal.read(name)).await?;
    let selection = selection.clone();
    let searched = spawn_blocking(move || is_named(&selection, log));
    Ok(searched.await??)
}

/// Takes the sessions from the nodes that have them. Whichever node their clients come back to refuses them.
async fn keep_from_other_nodes(
    shared: &Shared,
    selection: &Selection,
    logs: &BTreeSet<DumpName>,
    report: &mut ErasureReport,
) {
    let Some(node) = &shared.node else { return };
    let ownership = &node.options.ownership;
    // Also one that has no log now: its client may be on its way.
    let awaited = match selection {
        Selection::Session(id) if !logs.iter().any(|log| log.session_id() == id) => {
            Some(DumpName::first(id.clone()))
        }
        _ => None,
    };
    for name in logs.iter().cloned().chain(awaited) {
        let ended = EndedSession {
            name: name.clone(),
            accepted: 0,
            durable: 0,
            // Which is refused for good.
            over_limit: true,
        };
        let taken = async {
            ownership.claim(name.session_id()).await?;
            ownership.end(&ended).await
        };
        if let Err(error) = within(taken).await {
            report.journal.fail(Some(&name), error);
        }
    }
}

/// Ends and removes the logs; the names under which they were being completed.
async fn erase_logs(
    shared: &Shared,
    selection: &Selection,
    logs: BTreeSet<DumpName>,
    report: &mut ErasureReport,
) -> BTreeSet<DumpName> {
    let mut stored = BTreeSet::new();
    let mut removals = Vec::new();
    {
        let now = shared.clock.now();
        let mut state = shared.state();
        if let Selection::Session(id) = selection {
            // Also one that is unknown here: its client may be on its way.
            state.server.erase(id);
        }
        for name in logs {
            let is_open = state.server.session_by_name(&name).is_some();
            if is_open {
                state.server.erase(name.session_id());
            }
            stored.extend(shared.stops.stop(&name, now.monotonic));
            let (reply, removed) = oneshot::channel();
            removals.push((name.clone(), removed));
            // Behind everything that the sessions gave out before.
            shared.dispatch(&mut state);
            shared.commit(Commit::Erase { name, reply });
        }
        shared.dispatch(&mut state);
    }
    // For all of them together: they wait for the same journal.
    let deadline = Instant::now() + PATIENCE;
    for (name, removed) in removals {
        let removed = async {
            removed.await??;
            shared.stops.stopped(&name).await;
            Ok::<_, Failure>(())
        };
        let removed = timeout_at(deadline, removed).await;
        match removed.unwrap_or_else(|_| Err(unanswered())) {
            Ok(()) => report.journal.erased += 1,
            Err(error) => report.journal.fail(Some(&name), error),
        }
        report.sessions.insert(name.archived());
    }
    stored
}

/// Keeps dumps that are being extracted again from being published afterwards.
async fn stop_extraction(shared: &Shared, names: &[DumpName], report: &mut ErasureReport) {
    let now = shared.clock.now().monotonic;
    for name in names {
        shared.extraction_stops.stop(name, now);
    }
    let deadline = Instant::now() + PATIENCE;
    for name in names {
        let stopped = shared.extraction_stops.stopped(name);
        if timeout_at(deadline, stopped).await.is_err() {
            report.archive.fail(Some(name), unanswered());
        }
    }
}

/// What the sinks know of the selected sessions.
async fn find_records(
    shared: &Shared,
    selection: &Selection,
    report: &mut ErasureReport,
) -> BTreeSet<DumpName> {
    let mut found = BTreeSet::new();
    for sink in &shared.sinks {
        match within(sink.find(selection)).await {
            Ok(names) => found.extend(names.into_iter().flatten()),
            Err(error) => {
                tracing::warn!(sink = sink.name(), %error, "sink not searched");
                report.unsearched.push(sink.name().to_owned());
            }
        }
    }
    found
}

/// All archived dumps; those that are selected are added to `found`.
async fn find_dumps(
    shared: &Shared,
    selection: &Selection,
    found: &mut BTreeSet<DumpName>,
    report: &mut ErasureReport,
) -> BTreeSet<DumpName> {
    let dumps = match within_listing(shared.archive.list()).await {
        Ok(dumps) => dumps,
        Err(error) => {
            report.archive.fail(None, error);
            return BTreeSet::new();
        }
    };
    let known = if is_by_name(selection) {
        known_records(shared).await
    } else {
        BTreeSet::new()
    };
    let mut archived = BTreeSet::new();
    for dump in dumps {
        let is_selected = match selection {
            Selection::EndedBefore(end) => dump.modified_ms < *end,
            selection if is_session(selection, &dump.name) => true,
            selection if is_by_name(selection) && !known.contains(&dump.name) => {
                report.scanned += 1;
                match is_named_in_dump(shared.archive.as_ref(), selection, &dump.name).await {
                    Ok(is_named) => is_named,
                    Err(error) => {
                        tracing::warn!(session = %dump.name, %error, "dump not searched");
                        report.unreadable.push(dump.name.clone());
                        false
                    }
                }
            }
            _ => false,
        };
        if is_selected {
            found.insert(dump.name.clone());
        }
        archived.insert(dump.name);
    }
    archived
}

/// Every session that some sink has a record of.
async fn known_records(shared: &Shared) -> BTreeSet<DumpName> {
    /// Clocks of clients may be ahead.
    const YEAR_MS: f64 = 366.0 * 86_400_000.0;
    let everything = Selection::EndedBefore(shared.clock.now().unix_ms + YEAR_MS);
    let mut known = BTreeSet::new();
    for sink in &shared.sinks {
        // If it fails its dumps are read.
        let names = within(sink.find(&everything)).await.ok().flatten();
        known.extend(names.into_iter().flatten());
    }
    known
}

async fn is_named_in_dump(
    archive: &dyn Archive,
    selection: &Selection,
    name: &DumpName,
) -> Result<bool, Failure> {
    let Some(dump) = within(archive.open(name)).await? else {
        return Ok(false);
    };
    let selection = selection.clone();
    let searched = spawn_blocking(move || {
        let dump = MultiGzDecoder::new(BufReader::new(dump));
        is_named(&selection, BufReader::new(dump))
    });
    Ok(searched.await??)
}

async fn erase_records(sink: &dyn FeatureSink, names: &[DumpName]) -> SinkErasureOutcome {
    match within(sink.erase(names)).await {
        Ok(Erasure::Erased(count)) => SinkErasureOutcome::Erased(count),
        Ok(Erasure::HandedOn) => SinkErasureOutcome::HandedOn,
        Err(error) => SinkErasureOutcome::Failed(text_of(&error)),
    }
}

/// Whether dumps have to be looked into.
fn is_by_name(selection: &Selection) -> bool {
    matches!(selection, Selection::User(_) | Selection::Conference(_))
}

fn is_session(selection: &Selection, name: &DumpName) -> bool {
    matches!(selection, Selection::Session(id) if id == name.session_id())
}

pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a store does, or that it takes too long.
pub(super) async fn within<T, E: Into<Failure>>(
    operation: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    match timeout(PATIENCE, operation).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(unanswered()),
    }
}

/// As [`within`], for what takes the longer the more there is: an object store lists a thousand at a time.
pub(super) async fn within_listing<T, E: Into<Failure>>(
    operation: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    match timeout(LISTING_PATIENCE, operation).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(format!("no answer within {LISTING_PATIENCE:?}").into()),
    }
}

fn unanswered() -> Failure {
    format!("no answer within {PATIENCE:?}").into()
}

/// An error with its causes.
fn text_of(error: &Failure) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl Shared {
    /// Takes note that the completion of a session was stopped.
    pub(super) fn abandon(&self, name: &DumpName) {
        self.stops.forget(name);
        self.state().server.discarded(name);
        tracing::info!(session = %name, "session deleted instead of completed");
    }
}
