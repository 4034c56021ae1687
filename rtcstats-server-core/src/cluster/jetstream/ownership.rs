//! Taking sessions, ending them, giving them back.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt};
use rtcstats_proto::jitsi::SessionId;

use super::log::{Last, TakenOver};
use super::operations::{Operation, submit};
use super::reader::LogReader;
use super::sessions::{Ended, Session, State, contended, key, key_of};
use super::store::{StoreError, failed};
use super::{Shared, gone};
use crate::future::completion;
use crate::{Claim, DumpName, EndedSession, Recovered};

pub(super) async fn claim(shared: &Arc<Shared>, session: &SessionId) -> Result<Claim, StoreError> {
    if shared.operations.is_closed() {
        return Err(gone());
    }
    let key = key(session);
    let deadline = shared.store.deadline();
    loop {
        if let Some(claim) = claim_once(shared, session, &key).await? {
            return Ok(claim);
        }
        contended(deadline)?;
    }
}

/// Claims a session as the bucket tells of it; nothing if others changed that meanwhile.
async fn claim_once(
    shared: &Arc<Shared>,
    session: &SessionId,
    key: &str,
) -> Result<Option<Claim>, StoreError> {
    let held = shared.session(key).await?;
    let (name, owner, before) = match held.session {
        None => {
            let name = DumpName::first(session.clone());
            let revision = own(shared, key, name, None, held.revision).await?;
            return Ok(revision.map(|_| Claim::New));
        }
        Some(Session {
            state: State::Ended(ended),
            ..
        }) => return Ok(Some(Claim::Ended(ended.into()))),
        Some(Session {
            name,
            state: State::Open { owner, before },
        }) => (name, owner, before),
    };
    let is_own = owner.as_deref() == Some(shared.process.as_str());
    let revision = if is_own {
        Some(held.revision)
    } else {
        own(shared, key, name.clone(), before.clone(), held.revision).await?
    };
    let Some(revision) = revision else {
        return Ok(None);
    };
    let taken = take_over(shared, &name, key, revision, is_own).await?;
    Ok(match taken {
        TakenOver::Lost => None,
        TakenOver::Own => Some(Claim::Own),
        TakenOver::Open { bytes: 0 } => match before {
            // The log before it is all there is.
            Some(ended) => {
                shared
                    .revert_session(key, Some(ended.clone()), revision)
                    .await?;
                Some(Claim::Ended(ended.into()))
            }
            None => Some(Claim::New),
        },
        TakenOver::Open { .. } => Some(Claim::Taken(name)),
        TakenOver::Finished(last) => {
            let ended = settle(shared, key, name, &last, revision).await?;
            Some(Claim::Ended(ended.into()))
        }
    })
}

/// Makes a session this process' in the bucket; `None` if others changed it meanwhile.
pub(super) async fn own(
    shared: &Shared,
    key: &str,
    name: DumpName,
    before: Option<Ended>,
    revision: u64,
) -> Result<Option<u64>, StoreError> {
    let session = Session {
        name,
        state: State::Open {
            owner: Some(shared.process.clone()),
            before,
        },
    };
    shared.replace_session(key, &session, revision).await
}

/// Makes a log this process', behind what this process does with it already.
pub(super) async fn take_over(
    shared: &Arc<Shared>,
    name: &DumpName,
    key: &str,
    revision: u64,
    is_own: bool,
) -> Result<TakenOver, StoreError> {
    let (done, answer) = completion();
    let operation = Operation::TakeOver {
        key: key.to_owned(),
        revision,
        is_own,
        done,
    };
    submit(shared, name, operation).map_err(|_| gone())?;
    answer.await.unwrap_or_else(|| Err(gone()))
}

/// Remembers how far a session got whose log was finished, by a process that was gone before it said so.
pub(super) async fn settle(
    shared: &Arc<Shared>,
    key: &str,
    name: DumpName,
    last: &Last,
    revision: u64,
) -> Result<Ended, StoreError> {
    let subject = shared.store.logs.subject(&name.to_string());
    let reader = LogReader::new(Arc::clone(shared), subject, last);
    let (log, modified_ms) = (name.clone(), last.modified_ms);
    // It blocks, and what it waits for is done on this thread.
    let read = tokio::task::spawn_blocking(move || Recovered::read(log, reader, modified_ms)).await;
    let recovered = read.map_err(failed)?.map_err(failed)?;
    let ended = Ended {
        log: name.clone(),
        accepted: recovered.sequence_number,
        durable: recovered.sequence_number,
        over_limit: false,
    };
    let session = Session {
        name,
        state: State::Ended(ended.clone()),
    };
    // Somebody else who did so found the same.
    shared.replace_session(key, &session, revision).await?;
    Ok(ended)
}

pub(super) async fn end(shared: &Shared, ended: &EndedSession) -> Result<(), StoreError> {
    let key = key_of(&ended.name);
    let session = Session {
        name: ended.name.clone(),
        state: State::Ended(ended.into()),
    };
    let deadline = shared.store.deadline();
    loop {
        let held = shared.session(&key).await?;
        match held.session {
            // A later log of the session follows the one that ended.
            Some(Session { name, .. }) if name != ended.name && !precedes(&name, ended) => {
                return Ok(());
            }
            Some(Session { state, .. }) => {
                let is_others = match state {
                    State::Open { owner, .. } => owner.is_some_and(|own| own != shared.process),
                    State::Ended(_) => true,
                };
                let last = if is_others {
                    last_of(shared, &ended.name).await?
                } else {
                    None
                };
                match last {
                    Some(last) if !last.is_finished() => {
                        return Err(failed("another node owns the session"));
                    }
                    // Whoever finished the log knows how far it got.
                    Some(last) if last.record.owner != shared.process => return Ok(()),
                    _ => {}
                }
            }
            None => {}
        }
        let replaced = shared
            .replace_session(&key, &session, held.revision)
            .await?;
        if replaced.is_some() {
            return Ok(());
        }
        contended(deadline)?;
    }
}

/// The last message of a log, as the servers know it.
async fn last_of(shared: &Shared, name: &DumpName) -> Result<Option<Last>, StoreError> {
    let logs = &shared.store.logs;
    let entry = shared
        .store
        .last(logs, &logs.subject(&name.to_string()))
        .await?;
    entry.as_ref().map(Last::of).transpose()
}

/// Whether a log of a session comes before the one that ended.
fn precedes(name: &DumpName, ended: &EndedSession) -> bool {
    name < &ended.name
}

pub(super) async fn release(
    shared: &Arc<Shared>,
    sessions: Vec<SessionId>,
) -> Result<(), StoreError> {
    const AT_ONCE: usize = 64;
    let released = futures_util::stream::iter(sessions)
        .map(|session| release_one(shared, key(&session)))
        .buffer_unordered(AT_ONCE);
    released.try_collect().await
}

async fn release_one(shared: &Shared, key: String) -> Result<(), StoreError> {
    let deadline = shared.store.deadline();
    loop {
        let held = shared.session(&key).await?;
        let Some(session) = held.session else {
            return Ok(());
        };
        let State::Open {
            owner: Some(owner),
            before,
        } = session.state
        else {
            return Ok(());
        };
        if owner != shared.process {
            return Ok(());
        }
        let released = Session {
            name: session.name,
            state: State::Open {
                owner: None,
                before,
            },
        };
        let replaced = shared
            .replace_session(&key, &released, held.revision)
            .await?;
        if replaced.is_some() {
            return Ok(());
        }
        contended(deadline)?;
    }
}
