//! Uploads: into the journal while they come, and completed like sessions.

use std::sync::Arc;

use bytes::Bytes;
use rtcstats_proto::jitsi::SessionId;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::Shared;
use super::committer::Commit;
use crate::header::generation_of;
use crate::privacy::{LineFilter, Stage};
use crate::{Claims, DumpName, Identifiers, SessionFacts, Upgrade, Upload, UploadError};

/// A dump that is being uploaded. Dropped before [`finish`](Self::finish), it leaves nothing; so does
/// one that the process does not survive.
///
/// A transport hands the body of the request to [`receive`](Self::receive), chunk by chunk, then calls
/// [`finish`](Self::finish), and answers what the result says.
pub struct UploadReceiver {
    stored: Stored,
    upload: Option<Upload>,
    claims: Claims,
    _turn: OwnedSemaphorePermit,
}

/// The log that an upload goes to.
struct Stored {
    shared: Arc<Shared>,
    name: DumpName,
    /// Bytes given to the journal.
    bytes: u64,
    lines: Lines,
    is_kept: bool,
}

/// Lines that are not yet given to the journal.
struct Lines {
    text: Vec<u8>,
    is_begun: bool,
    filter: Option<LineFilter>,
    filtered: String,
}

/// Compressed bytes that are unpacked at once: what becomes of them has to be in memory.
const PIECE_BYTES: usize = 4 << 10;

/// Bytes that are given to the journal at once.
const BATCH_BYTES: usize = 64 << 10;

impl UploadReceiver {
    pub(super) fn open(
        shared: &Arc<Shared>,
        request: &Upgrade,
        content_type: Option<&str>,
    ) -> Result<Self, UploadError> {
        let claims = shared
            .authorize(request)
            .map_err(|_| UploadError::Forbidden)?;
        let turn = Arc::clone(&shared.uploads).try_acquire_owned();
        let turn = turn.map_err(|_| UploadError::TooMany)?;
        let upload = Upload::new(content_type, &shared.limits)?;
        let id = Uuid::new_v4().hyphenated().to_string();
        let id = SessionId::new(&id).map_err(|_| UploadError::Storage)?;
        Ok(Self {
            stored: Stored {
                shared: Arc::clone(shared),
                name: DumpName::upload(id),
                bytes: 0,
                lines: Lines {
                    text: Vec::new(),
                    is_begun: false,
                    filter: None,
                    filtered: String::new(),
                },
                is_kept: false,
            },
            upload: Some(upload),
            claims,
            _turn: turn,
        })
    }

    /// Takes a chunk of the body. Waits while too much is on its way to the journal.
    ///
    /// # Errors
    ///
    /// If the upload is refused. The rest of the body does not matter then.
    pub async fn receive(&mut self, chunk: &[u8]) -> Result<(), UploadError> {
        for piece in chunk.chunks(PIECE_BYTES) {
            let stored = &mut self.stored;
            let upload = self.upload.as_mut().ok_or(UploadError::Incomplete)?;
            let result = {
                let (lines, shared) = (&mut stored.lines, &stored.shared);
                upload.push(piece, &mut |line| lines.add(line, shared))
            };
            if let Err(error) = result {
                return Err(stored.refuse(error));
            }
            if stored.lines.text.len() >= BATCH_BYTES {
                stored.flush().await?;
            }
        }
        Ok(())
    }

    /// The body has ended. Waits until the dump is durable and its record published; then the
    /// upload counts, whatever becomes of the process. Yields the id of its session.
    ///
    /// # Errors
    ///
    /// If the upload is refused, or cannot be stored; then nothing of it is kept. Where the server shuts
    /// down meanwhile, the next start may complete it all the same.
    pub async fn finish(mut self) -> Result<SessionId, UploadError> {
        let upload = self.upload.take().ok_or(UploadError::Incomplete)?;
        let runtime = Handle::current();
        // An export is converted as a whole, which takes its time.
        let (stored, result) = spawn_blocking(move || {
            let Self {
                mut stored,
                _turn,
                claims,
                ..
            } = self;
            // What an export becomes can be many times its size, and goes to the journal meanwhile.
            let mut flushed = Ok(());
            let result = upload.finish(&mut |line| {
                if flushed.is_ok() {
                    stored.lines.add(line, &stored.shared);
                    if stored.lines.text.len() >= BATCH_BYTES {
                        flushed = runtime.block_on(stored.flush());
                    }
                }
            });
            let result = result.and_then(|facts| flushed.map(|()| facts));
            (stored, result.map(|facts| with_claims(facts, claims)))
        })
        .await
        .map_err(|_| UploadError::Storage)?;
        match result {
            Ok(facts) => stored.finish(facts).await,
            Err(error) => Err(stored.refuse(error)),
        }
    }
}

fn with_claims(mut facts: SessionFacts, claims: Claims) -> SessionFacts {
    let found = std::mem::replace(&mut facts.identifiers, Identifiers::from_claims(claims));
    facts.identifiers.merge(found);
    facts
}

impl Lines {
    fn add(&mut self, line: &str, shared: &Shared) {
        if !std::mem::replace(&mut self.is_begun, true) {
            self.filter = LineFilter::new(
                &shared.handshakes.privacy,
                generation_of(line),
                Stage::Journal,
                shared.limits.message,
            );
        }
        match &mut self.filter {
            Some(filter) => {
                self.filtered.clear();
                if !filter.apply(line, &mut self.filtered) {
                    return;
                }
                self.text.extend_from_slice(self.filtered.as_bytes());
            }
            None => self.text.extend_from_slice(line.as_bytes()),
        }
        self.text.push(b'\n');
    }
}

impl Stored {
    /// Gives the lines to the journal.
    async fn flush(&mut self) -> Result<(), UploadError> {
        let text = std::mem::take(&mut self.lines.text);
        if text.is_empty() {
            return Ok(());
        }
        let shared = &self.shared;
        let wanted = u32::try_from(text.len().min(shared.limits.queue_bytes)).unwrap_or(u32::MAX);
        let queue = Arc::clone(&shared.queue);
        let permit = queue.acquire_many_owned(wanted).await;
        let permit = permit.map_err(|_| UploadError::Storage)?;
        let offset = self.bytes;
        self.bytes += text.len() as u64;
        shared.commit(Commit::Append {
            name: self.name.clone(),
            offset,
            line: Bytes::from(text),
            sequence_number: None,
        });
        shared.commit(Commit::Release { permit });
        Ok(())
    }

    async fn finish(mut self, facts: SessionFacts) -> Result<SessionId, UploadError> {
        self.flush().await?;
        let events = facts.events;
        let (reply, published) = oneshot::channel();
        self.is_kept = true;
        self.shared.commit(Commit::Finish {
            name: self.name.clone(),
            facts: Box::new(facts),
            bytes: self.bytes,
            reply: Some(reply),
            is_resumable: false,
            turn: None,
        });
        published.await.map_err(|_| UploadError::Storage)?;
        let mut state = self.shared.state();
        let counters = state.server.counters_mut();
        counters.uploads += 1;
        counters.events += events;
        drop(state);
        Ok(self.name.session_id().clone())
    }

    fn refuse(&self, error: UploadError) -> UploadError {
        let mut state = self.shared.state();
        state.server.counters_mut().refused_uploads += 1;
        drop(state);
        tracing::debug!(%error, "upload refused");
        error
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        // The journal knows nothing of what it was never given.
        if !self.is_kept && self.bytes > 0 {
            let name = self.name.clone();
            self.shared.commit(Commit::Discard { name });
        }
    }
}
