//! What the journal holds at the start.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rtcstats_proto::dump::line_text;
use rtcstats_proto::jitsi::ConnectionInfo;
use rtcstats_proto::{ClientType, Event, Method, sequence_number_of};

use super::Shared;
use super::extraction::Work;
use crate::{
    JournalEntry, JournalError, JournalErrorKind, JournalOperation, Recovered, SessionFacts,
};

/// What a start found in the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Sessions that can be resumed.
    pub resumable: usize,
    /// Sessions that had ended and are completed now.
    pub ended: usize,
    /// Logs that could not be read. They stay in the journal.
    pub unreadable: usize,
}

pub(super) async fn recover(shared: &Arc<Shared>) -> Result<Recovery, JournalError> {
    let mut recovery = Recovery::default();
    let mut ended = Vec::new();
    for entry in shared.journal.list().await? {
        if entry.bytes == 0 {
            // Created, and then nothing was durable.
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
            Ok(recovered) => {
                let mut state = shared.state();
                state.server.recover(shared.clock.now(), recovered);
                shared.dispatch(&mut state);
                recovery.resumable += 1;
            }
            Err(error) => {
                tracing::error!(session = %entry.name, %error, "session cannot be recovered");
                // Its name stays taken: nothing may be appended to what cannot be read.
                shared.state().server.recover_finished(entry.name.clone());
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

async fn complete(shared: Arc<Shared>, ended: Vec<Recovered>) {
    for Recovered {
        name, facts, bytes, ..
    } in ended
    {
        if let Some(extraction) = shared.extraction_of(&name) {
            // Fails only when the extraction has stopped.
            let _ = extraction.send(Work::Finish { name, facts, bytes }).await;
        }
    }
}

/// Reads through a log for what its lines tell of the session.
async fn read_facts(shared: &Shared, entry: &JournalEntry) -> Result<Recovered, JournalError> {
    let mut log = shared.journal.read(&entry.name).await?;
    let mut recovered = Recovered {
        name: entry.name.clone(),
        client_type: ClientType::Unsupported,
        sequence_number: 0,
        bytes: 0,
        facts: SessionFacts::default(),
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = log
            .read_until(b'\n', &mut line)
            .map_err(|error| unreadable(entry, error))?;
        if length == 0 {
            return Ok(recovered);
        }
        let text = line_text(&line);
        if recovered.bytes == 0 {
            read_header(text.trim_end(), &mut recovered);
        } else {
            let number = sequence_number_of(&text).filter(|_| recovered.client_type.is_browser());
            recovered.facts.count(recovered.sequence_number, number);
            recovered.sequence_number = number.unwrap_or(recovered.sequence_number);
        }
        recovered.bytes += length as u64;
    }
}

fn unreadable(entry: &JournalEntry, error: std::io::Error) -> JournalError {
    let kind = JournalErrorKind::Store(Box::new(error));
    JournalError::new(JournalOperation::Read, Some(entry.name.clone()), kind)
}

fn read_header(line: &str, recovered: &mut Recovered) {
    let Ok(event) = Event::parse(line) else {
        return;
    };
    if event.method() == Some(Method::ConnectionInfo)
        && let Ok(info) = ConnectionInfo::from_payload(event.payload())
    {
        recovered.client_type = info.client_type();
        recovered.facts.started_ms = event.timestamp().unwrap_or_default() as u64;
    }
}
