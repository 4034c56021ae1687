//! Sessions that are taken over from other nodes.

use std::sync::Arc;

use rtcstats_proto::Generation;
use rtcstats_proto::jitsi::SessionId;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Shared;
use super::node::Node;
use super::turns::Turn;
use crate::{Claim, ClusterError, DumpName, JournalError, JournalErrorKind, Recovered, Refusal};

/// A session could not be taken over; nothing may be assumed about it.
#[derive(Debug, thiserror::Error)]
pub(super) enum TakeoverError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("log cannot be read")]
    Log(#[source] std::io::Error),
    #[error("the node is being drained")]
    Draining,
    #[error("the session is being handed over, or taken over")]
    Busy,
    #[error("the store does not say whose the session is")]
    Undecided,
}

/// Makes a session this node's, if it is not, and tells the server what is known of it. Nothing becomes of
/// the session elsewhere on this node until the turn is dropped.
pub(super) async fn take(
    shared: &Arc<Shared>,
    node: &Node,
    id: &SessionId,
) -> Result<Turn, Refusal> {
    // A task of its own: given up half-way, the session would be this node's and nobody here knew.
    let taking = tokio::spawn(take_now(Arc::clone(shared), id.clone()));
    let error: Box<dyn std::error::Error> = match timeout(node.options.claim_patience, taking).await
    {
        Ok(Ok(Ok(turn))) => return Ok(turn),
        Ok(Ok(Err(error))) => error.into(),
        Ok(Err(error)) => error.into(),
        Err(error) => error.into(),
    };
    let cause = causes(error.as_ref());
    tracing::warn!(session = %id.as_str(), %error, cause, "session is not taken over");
    shared.state().server.counters_mut().claim_errors += 1;
    Err(Refusal::TRY_AGAIN_STORE)
}

/// What lies behind an error, to the bottom.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

async fn take_now(shared: Arc<Shared>, id: SessionId) -> Result<Turn, TakeoverError> {
    /// Claims that find the session to be this node's without its knowing.
    const ATTEMPTS: u32 = 3;
    let node = shared.node.as_ref().ok_or(TakeoverError::Undecided)?;
    let ownership = &node.options.ownership;
    for attempt in 0..ATTEMPTS {
        // Not for ever: clients come again and again.
        let turn = timeout(node.options.claim_patience, node.turns.alone(&id));
        let turn = turn.await.map_err(|_| TakeoverError::Busy)?;
        if shared.state().server.knows(&id) {
            return Ok(turn);
        }
        if node.is_draining() {
            return Err(TakeoverError::Draining);
        }
        match ownership.claim(&id).await? {
            Claim::New => return Ok(turn),
            Claim::Ended(ended) => {
                shared.state().server.remember(ended);
                return Ok(turn);
            }
            Claim::Taken(name) => {
                let now = shared.clock.now().unix_ms;
                take_log(&shared, node, &name, now).await?;
                let mut state = shared.state();
                state.server.counters_mut().sessions_claimed += 1;
                tracing::info!(session = %name, "session taken over");
                return Ok(turn);
            }
            // Perhaps it is being adopted, and will be known in a moment.
            Claim::Own if attempt == 0 => {
                drop(turn);
                drop(node.adopting.lock().await);
            }
            // Of an earlier claim whose answer was lost, or that nothing came of.
            Claim::Own => ownership.release(std::slice::from_ref(&id)).await?,
        }
    }
    Err(TakeoverError::Undecided)
}

/// Reads a log that this node has taken, and gives its session to the server. Whether there was one.
pub(super) async fn take_log(
    shared: &Arc<Shared>,
    node: &Node,
    name: &DumpName,
    modified_ms: f64,
) -> Result<bool, TakeoverError> {
    let Some(recovered) = read_log(shared, node, name, modified_ms).await? else {
        return Ok(false);
    };
    // Nothing but a head, and of clients that do not come back; or not even that.
    let is_plain = recovered.generation != Generation::Jitsi;
    if recovered.bytes == 0 || (is_plain && recovered.facts.events == 0) {
        shared.journal.remove(name).await?;
        return Ok(false);
    }
    let mut state = shared.state();
    state.server.recover(shared.clock.now(), recovered);
    shared.dispatch(&mut state);
    Ok(true)
}

/// What a log tells; `None` if it is gone.
pub(super) async fn read_log(
    shared: &Shared,
    node: &Node,
    name: &DumpName,
    modified_ms: f64,
) -> Result<Option<Recovered>, TakeoverError> {
    let _turn = node.reads.acquire().await;
    let log = match shared.journal.read(name).await {
        Ok(log) => log,
        Err(error) if matches!(error.kind(), JournalErrorKind::UnknownLog) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let name = name.clone();
    let read = spawn_blocking(move || Recovered::read(name, log, modified_ms));
    let read = read.await.map_err(std::io::Error::other);
    read.and_then(|read| read)
        .map(Some)
        .map_err(TakeoverError::Log)
}
