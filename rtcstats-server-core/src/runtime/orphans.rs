//! Logs that nobody has: of nodes that are gone, and of such that gave them back.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::FixedState;
use rtcstats_proto::Generation;

use super::node::Node;
use super::takeover::{TakeoverError, causes, read_log, take_log};
use super::turns::Turn;
use super::{Recovery, Shared};
use crate::{
    Append, DumpName, EndedSession, IsKnown, JournalEntry, JournalErrorKind, Recovered, Work,
};

/// Logs that are this node's and not yet dealt with.
#[derive(Default)]
pub(super) struct Orphans(Vec<Orphan>);

struct Orphan {
    name: DumpName,
    /// Whoever claims its session waits.
    turn: Turn,
}

/// Looks again and again until the node is drained, or ends.
pub(super) async fn run(shared: Arc<Shared>, mut orphans: Orphans) {
    let Some(node) = &shared.node else { return };
    let mut draining = node.draining.subscribe();
    let mut shutdown = shared.shutdown.subscribe();
    for round in 0_u64.. {
        let interval = interval(node.options.orphan_interval, node.options.seed, round);
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            _ = draining.wait_for(|is_draining| *is_draining) => return,
            _ = shutdown.wait_for(|stop| *stop) => return,
        }
        // It is waited for, as giving up half-way leaves logs that are this node's without its knowing.
        if let Err(error) = sweep(&shared, node, &mut orphans).await {
            tracing::error!(%error, "logs of other nodes are not adopted");
        }
    }
}

/// A fifth more or less than the usual, in each round and on each node another.
fn interval(usual: Duration, seed: u64, round: u64) -> Duration {
    let part = FixedState::default().hash_one((seed, round)) % 401;
    usual.mul_f64(0.8 + part as f64 / 1_000.0)
}

/// Adopts what nobody has, and deals with it. What fails is tried again by the next sweep.
pub(super) async fn sweep(
    shared: &Arc<Shared>,
    node: &Node,
    orphans: &mut Orphans,
) -> Result<Recovery, TakeoverError> {
    let mut recovery = Recovery::default();
    adopt(shared, node, orphans).await?;
    if orphans.0.is_empty() {
        return Ok(recovery);
    }
    let entries = shared.journal.list().await?;
    let entries: HashMap<_, _> = entries.iter().map(|entry| (&entry.name, entry)).collect();
    for orphan in std::mem::take(&mut orphans.0) {
        // One that is not listed was completed meanwhile; or whoever listed it is behind.
        let Some(entry) = entries.get(&orphan.name) else {
            if !is_gone(shared, &orphan.name).await {
                orphans.0.push(orphan);
            }
            continue;
        };
        match settle(shared, node, entry, &mut recovery).await {
            Ok(()) => {
                shared.state().server.counters_mut().sessions_adopted += 1;
                drop(orphan.turn);
            }
            Err(error) => {
                let cause = causes(&error);
                tracing::error!(session = %orphan.name, %error, cause, "adopted log is not dealt with");
                recovery.unreadable += 1;
                orphans.0.push(orphan);
            }
        }
    }
    Ok(recovery)
}

async fn adopt(
    shared: &Arc<Shared>,
    node: &Node,
    orphans: &mut Orphans,
) -> Result<(), TakeoverError> {
    let _adopting = node.adopting.lock().await;
    let own = Arc::clone(shared);
    let is_known: IsKnown = Arc::new(move |id| {
        let is_held = |node: &Node| node.turns.is_busy(id) || node.is_named(id);
        own.node.as_ref().is_some_and(is_held) || own.state().server.knows(id)
    });
    let room = node.options.adopted_at_once.saturating_sub(orphans.0.len());
    if room == 0 {
        return Ok(());
    }
    let adopted = node.options.ownership.adopt(room, is_known).await?;
    orphans.0.extend(adopted.into_iter().map(|name| Orphan {
        turn: node.turns.join(name.session_id()),
        name,
    }));
    Ok(())
}

/// Whether a log takes nothing more. What is removed for not being finished must not be so by hearsay.
async fn is_finished(shared: &Shared, name: &DumpName) -> Result<bool, TakeoverError> {
    let nothing = Append {
        name: name.clone(),
        lines: Bytes::new(),
    };
    match shared.journal.append(vec![nothing]).await {
        Ok(()) => Ok(false),
        Err(error) if matches!(error.kind(), JournalErrorKind::Finished) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

async fn is_gone(shared: &Shared, name: &DumpName) -> bool {
    let read = shared.journal.read(name).await;
    read.is_err_and(|error| matches!(error.kind(), JournalErrorKind::UnknownLog))
}

/// Resumes a session, or has it completed.
async fn settle(
    shared: &Arc<Shared>,
    node: &Node,
    entry: &JournalEntry,
    recovery: &mut Recovery,
) -> Result<(), TakeoverError> {
    let name = &entry.name;
    let is_finished = entry.finished || (name.is_upload() && is_finished(shared, name).await?);
    if name.is_upload() && !is_finished {
        // Whoever uploaded it was not told that it was durable.
        shared.journal.remove(name).await?;
        return Ok(());
    }
    if !is_finished {
        let is_taken = take_log(shared, node, name, entry.modified_ms).await?;
        let is_resumable = shared.state().server.knows(name.session_id());
        recovery.resumable += usize::from(is_resumable);
        recovery.cut_off += usize::from(is_taken && !is_resumable);
        return Ok(());
    }
    let Some(recovered) = read_log(shared, node, name, entry.modified_ms).await? else {
        return Ok(());
    };
    if recovered.bytes < entry.bytes {
        // From a server that is behind.
        return Err(TakeoverError::Undecided);
    }
    if recovered.bytes == 0 {
        // Nothing was durable.
        shared.journal.remove(name).await?;
        return Ok(());
    }
    tell_others(node, recovered).await?;
    recovery.ended += 1;
    Ok(())
}

/// Does what its node did not come to after it had finished a log.
async fn tell_others(node: &Node, recovered: Recovered) -> Result<(), TakeoverError> {
    let is_resumable = recovered.generation == Generation::Jitsi;
    if is_resumable && !recovered.name.is_upload() {
        let number = recovered.sequence_number;
        let ended = EndedSession {
            name: recovered.name.clone(),
            accepted: number,
            durable: number,
            over_limit: false,
        };
        node.options.ownership.end(&ended).await?;
    }
    let work = Work::Complete {
        name: recovered.name,
        facts: Box::new(recovered.facts),
        bytes: recovered.bytes,
    };
    node.options.queue.push(&work).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_do_not_look_at_the_same_time() {
        let usual = Duration::from_secs(5);
        let of = |seed| (0..50).map(move |round| interval(usual, seed, round));
        for interval in of(1) {
            assert!((usual.mul_f64(0.8)..=usual.mul_f64(1.2)).contains(&interval));
        }
        assert_eq!(of(1).collect::<Vec<_>>(), of(1).collect::<Vec<_>>());
        assert_ne!(of(1).collect::<Vec<_>>(), of(2).collect::<Vec<_>>());
    }
}
