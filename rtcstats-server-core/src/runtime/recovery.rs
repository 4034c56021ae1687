//! What the journal holds at the start.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rtcstats_proto::Generation;

use super::extraction::Work;
use super::{Shared, lock};
use crate::{JournalEntry, JournalError, JournalErrorKind, JournalOperation, Recovered};

/// What a start found in the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Sessions that can be resumed.
    pub resumable: usize,
    /// Sessions that had ended and are completed now.
    pub ended: usize,
    /// Sessions that cannot be resumed and were cut off; they ended with the process, and are
    /// completed now.
    pub cut_off: usize,
    /// Logs that could not be read. They stay in the journal.
    pub unreadable: usize,
}

pub(super) async fn recover(shared: &Arc<Shared>) -> Result<Recovery, JournalError> {
    let mut recovery = Recovery::default();
    let mut ended = Vec::new();
    for entry in shared.journal.list().await? {
        if entry.bytes == 0 && !entry.finished {
            // Created, and then nothing was durable.
            shared.journal.remove(&entry.name).await?;
            continue;
        }
        if entry.name.is_upload() && !entry.finished {
            // Whoever uploaded it was not told that it was stored.
            shared.journal.remove(&entry.name).await?;
            continue;
        }
        match read_facts(shared, &entry).await {
            Ok(recovered) if entry.finished => {
                shared
                    .state()
                    .server
                    .recover_finished(recovered.name.clone());
                ended.push(recovered);
            }
            Ok(recovered) if is_nothing(&recovered) => {
                shared.journal.remove(&entry.name).await?;
            }
            Ok(recovered) => {
                let is_resumable = recovered.generation == Generation::Jitsi;
                let mut state = shared.state();
                state.server.recover(shared.clock.now(), recovered);
                shared.dispatch(&mut state);
                recovery.resumable += usize::from(is_resumable);
                recovery.cut_off += usize::from(!is_resumable);
            }
            Err(error) => {
                tracing::error!(session = %entry.name, %error, "session cannot be recovered");
                // Its name stays taken: nothing may be appended to what cannot be read.
                shared.state().server.recover_finished(entry.name.clone());
                lock(&shared.unreadable).insert(entry.name.clone());
                recovery.unreadable += 1;
            }
        }
    }
    recovery.ended = ended.len();
    shared
        .completing
        .fetch_add(ended.len() as u64, Ordering::Relaxed);
    // Clients must not wait for features.
    tokio::spawn(complete(Arc::clone(shared), ended));
    Ok(recovery)
}

/// Whether a log has nothing but its head, and nobody will add to it.
fn is_nothing(recovered: &Recovered) -> bool {
    recovered.generation != Generation::Jitsi && recovered.facts.events == 0
}

async fn complete(shared: Arc<Shared>, ended: Vec<Recovered>) {
    for Recovered {
        name, facts, bytes, ..
    } in ended
    {
        if let Some(extraction) = shared.extraction_of(&name) {
            let work = Work::Finish {
                name,
                facts,
                bytes,
                reply: None,
            };
            extraction.send(work).await;
        }
    }
}

/// Reads through a log for what its lines tell of the session.
async fn read_facts(shared: &Shared, entry: &JournalEntry) -> Result<Recovered, JournalError> {
    let log = shared.journal.read(&entry.name).await?;
    Recovered::read(entry.name.clone(), log, entry.modified_ms)
        .map_err(|error| unreadable(entry, error))
}

fn unreadable(entry: &JournalEntry, error: std::io::Error) -> JournalError {
    let kind = JournalErrorKind::Store(Box::new(error));
    JournalError::new(JournalOperation::Read, Some(entry.name.clone()), kind)
}
