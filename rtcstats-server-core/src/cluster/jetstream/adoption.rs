//! What nobody has: the logs of processes that are gone, and what is no longer needed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::Shared;
use super::log::{Last, TakenOver};
use super::ownership::{own, settle, take_over};
use super::sessions::{Session, State, key_of, read};
use super::store::{Entry, StoreError};
use crate::{DumpName, IsKnown};

/// The bucket of sessions, with revisions.
type Sessions = HashMap<String, (Session, Entry), RandomState>;

pub(super) async fn adopt(
    shared: &Arc<Shared>,
    limit: usize,
    is_known: IsKnown,
) -> Result<Vec<DumpName>, StoreError> {
    if shared.operations.is_closed() {
        return Err(super::gone());
    }
    let living = shared.living().await?;
    // What is completed between these looks is not found in the last one.
    let known = known_work(shared).await?;
    let sessions = sessions(shared).await?;
    let logs = shared.store.snapshot(&shared.store.logs, true).await?;
    let is_gone = |owner: &str| {
        owner != shared.process
            && living
                .as_ref()
                .is_some_and(|living| !living.contains(owner))
    };
    let is_untold =
        |owner: &str, name: &DumpName| owner == shared.process && shared.untold().contains(name);
    let mut adopted = Vec::new();
    let mut existing: HashSet<DumpName, RandomState> = HashSet::default();
    for entry in &logs {
        let Some(name) = name_of(shared, entry) else {
            continue;
        };
        existing.insert(name.clone());
        if adopted.len() >= limit || is_known(name.session_id()) {
            continue;
        }
        let last = Last::of(entry)?;
        let session = sessions.get(&key_of(&name));
        let open = session.filter(|(session, _)| session.name == name);
        let is_free = match open.map(|(session, _)| &session.state) {
            Some(State::Open { owner, .. }) => owner
                .as_ref()
                .is_none_or(|owner| is_gone(owner) || is_untold(owner, &name)),
            _ => is_gone(&last.record.owner) || is_untold(&last.record.owner, &name),
        };
        if !is_free || (last.is_finished() && !is_gone(&last.record.owner)) {
            continue;
        }
        // Half of it may be done when it fails: the next call does the rest.
        shared.untold().insert(name.clone());
        let result = adopt_one(shared, &name, &last, open, known.contains(&name)).await;
        if result.is_ok() {
            shared.untold().remove(&name);
        }
        match result {
            Ok(true) => adopted.push(name),
            Ok(false) => {}
            // What was adopted must be told.
            Err(error) if !adopted.is_empty() => {
                tracing::warn!(session = %name, %error, "session is not adopted");
                return Ok(adopted);
            }
            Err(error) => return Err(error),
        }
    }
    shared.untold().retain(|name| existing.contains(name));
    match sweep(shared, &sessions, &existing, is_gone).await {
        // What was adopted must be told.
        Err(error) if !adopted.is_empty() => {
            tracing::warn!(%error, "sessions that ended long ago are not forgotten");
            Ok(adopted)
        }
        result => result.map(|()| adopted),
    }
}

/// Whether a log without a node is this one's to go on with.
async fn adopt_one(
    shared: &Arc<Shared>,
    name: &DumpName,
    last: &Last,
    open: Option<&(Session, Entry)>,
    is_known: bool,
) -> Result<bool, StoreError> {
    let key = key_of(name);
    let open = match open {
        Some((
            Session {
                state: State::Open { before, .. },
                ..
            },
            entry,
        )) => Some((before.clone(), entry.sequence)),
        _ => None,
    };
    if last.is_finished() {
        if let Some((_, revision)) = open
            && !name.is_upload()
        {
            settle(shared, &key, name.clone(), last, revision).await?;
        }
        return Ok(!is_known);
    }
    let revision = match open {
        Some((before, revision)) => {
            let owned = own(shared, &key, name.clone(), before, revision).await?;
            let Some(revision) = owned else {
                return Ok(false);
            };
            revision
        }
        None => shared.session(&key).await?.revision,
    };
    let taken = take_over(shared, name, &key, revision, false).await?;
    Ok(matches!(taken, TakenOver::Open { .. } | TakenOver::Own))
}

/// What waits for workers, and what was put aside.
async fn known_work(shared: &Shared) -> Result<HashSet<DumpName, RandomState>, StoreError> {
    let mut known = shared.store.subjects(&shared.store.work).await?;
    known.extend(shared.store.subjects(&shared.store.dead).await?);
    let names = known
        .iter()
        .filter_map(|subject| subject.strip_prefix("complete."));
    Ok(names.filter_map(|name| name.parse().ok()).collect())
}

async fn sessions(shared: &Shared) -> Result<Sessions, StoreError> {
    let stream = &shared.store.sessions;
    let mut sessions = Sessions::default();
    for entry in shared.store.snapshot(stream, false).await? {
        if let Some(session) = read(&entry)?
            && let Some(key) = stream.rest(&entry.subject)
        {
            sessions.insert(key.to_owned(), (session, entry));
        }
    }
    Ok(sessions)
}

fn name_of(shared: &Shared, entry: &Entry) -> Option<DumpName> {
    shared.store.logs.rest(&entry.subject)?.parse().ok()
}

/// Forgets sessions that ended long ago, and those that never came to have a log.
async fn sweep(
    shared: &Shared,
    sessions: &Sessions,
    existing: &HashSet<DumpName, RandomState>,
    is_gone: impl Fn(&str) -> bool,
) -> Result<(), StoreError> {
    let now = super::now_ms();
    let retention = shared.options.ended_retention.as_secs_f64() * 1e3;
    for (key, (session, entry)) in sessions {
        let is_old = now - entry.modified_ms > retention;
        match &session.state {
            State::Ended(_) if is_old => shared.forget_session(key, entry.sequence).await?,
            State::Open { owner, before } if !existing.contains(&session.name) => {
                let is_free = owner.as_ref().is_none_or(|owner| is_gone(owner));
                if is_free || is_old {
                    let before = before.clone();
                    shared.revert_session(key, before, entry.sequence).await?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}
