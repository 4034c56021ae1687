//! Sessions that ended on one of several nodes: out of this node's hands, into the queue of all.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::committer::Finished;
use super::extraction::Work as Extract;
use super::node::Node;
use super::takeover::{TakeoverError, causes, read_log};
use crate::{DumpName, EndedSession, JournalErrorKind, Work};

/// Marks the log of a session as complete, says how far the session got, and has it completed by whoever
/// comes to it; each is tried until it is done. A crash between two of them is repaired by the node that
/// adopts the log.
///
/// Its turn at the session lasts until then: whoever claims it here has to learn how far it got.
pub(super) async fn hand_over(shared: Arc<Shared>, log: Finished) {
    let Some(node) = &shared.node else { return };
    if let Some(extraction) = shared.extraction_of(&log.name) {
        // The worker reads the log.
        let name = log.name.clone();
        extraction.give(Extract::Forget { name });
    }
    let _turn = node.handovers.acquire().await;
    let is_done = match finish(&shared, &log.name).await {
        Marked::Done => tell(&shared, node, &log).await,
        Marked::Lost => {
            tracing::info!(session = %log.name, "session goes on at another node");
            shared.state().server.lost(&log.name);
            true
        }
        Marked::Stopped => false,
    };
    if !is_done {
        tracing::warn!(session = %log.name, "session is not handed over; another node adopts it");
    }
    drop(log.turn);
}

/// What became of an attempt to mark a log as complete.
enum Marked {
    Done,
    /// It is another node's, or out of the journal.
    Lost,
    /// The runtime stops.
    Stopped,
}

async fn finish(shared: &Shared, name: &DumpName) -> Marked {
    let attempt = || async {
        let Err(error) = shared.journal.finish(name).await else {
            return Ok(Marked::Done);
        };
        match error.kind() {
            JournalErrorKind::Fenced | JournalErrorKind::UnknownLog => Ok(Marked::Lost),
            _ => {
                // Only a log that has been read since an append failed can be finished.
                let _ = shared.journal.read(name).await;
                Err(error)
            }
        }
    };
    let marked = until_done(shared, name, "finish", attempt).await;
    marked.unwrap_or(Marked::Stopped)
}

/// Whether others know of the session.
async fn tell(shared: &Shared, node: &Node, log: &Finished) -> bool {
    let name = &log.name;
    let ended = || end_of(shared, node, log);
    let Some(ended) = until_done(shared, name, "read", ended).await else {
        return false;
    };
    if let Some(ended) = ended {
        let end = || node.options.ownership.end(&ended);
        if until_done(shared, name, "end", end).await.is_none() {
            return false;
        }
    }
    let work = Work::Complete {
        name: name.clone(),
        facts: log.facts.clone(),
        bytes: log.bytes,
    };
    let push = || node.options.queue.push(&work);
    if until_done(shared, name, "push", push).await.is_none() {
        return false;
    }
    shared.state().server.handed_over(name);
    true
}

/// How far a session got, unless it goes on in a later dump.
async fn end_of(
    shared: &Shared,
    node: &Node,
    log: &Finished,
) -> Result<Option<EndedSession>, TakeoverError> {
    let name = &log.name;
    {
        let state = shared.state();
        if let Some(ended) = state.server.ended(name) {
            return Ok(Some(ended));
        }
        if state.server.knows(name.session_id()) {
            return Ok(None);
        }
    }
    // One that nobody comes back to; or it was forgotten since, and its log tells.
    let recovered = if log.is_resumable {
        read_log(shared, node, name, 0.0).await?
    } else {
        None
    };
    let number = recovered.map_or(0, |recovered| recovered.sequence_number);
    Ok(Some(EndedSession {
        name: name.clone(),
        accepted: number,
        durable: number,
        over_limit: false,
    }))
}

/// Tries again, with growing pauses, until it is done; `None` if the runtime stops before.
async fn until_done<T, E: Error, F: Future<Output = Result<T, E>>>(
    shared: &Shared,
    name: &DumpName,
    step: &str,
    mut attempt: impl FnMut() -> F,
) -> Option<T> {
    const LONGEST_PAUSE: Duration = Duration::from_secs(5);
    let mut pause = Duration::from_millis(50);
    let mut shutdown = shared.shutdown.subscribe();
    loop {
        let error = match attempt().await {
            Ok(done) => return Some(done),
            Err(error) => error,
        };
        shared.state().server.counters_mut().journal_errors += 1;
        let cause = causes(&error);
        tracing::error!(session = %name, step, %error, cause, retry_in = ?pause, "not handed over");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = shutdown.wait_for(|stop| *stop) => return None,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
