//! Whose sessions are, in a key-value bucket.

use rtcstats_proto::jitsi::SessionId;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Shared;
use super::store::{Entry, Published, StoreError, failed};
use crate::{DumpName, EndedSession};

/// What the bucket holds of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Session {
    /// Its latest log.
    #[serde(with = "name_text")]
    pub(super) name: DumpName,
    pub(super) state: State,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(super) enum State {
    /// A process writes to it, or nobody does at the moment.
    Open {
        owner: Option<String>,
        /// How far the log before this one got.
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<Ended>,
    },
    Ended(Ended),
}

/// [`EndedSession`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ended {
    #[serde(with = "name_text")]
    pub(super) log: DumpName,
    pub(super) accepted: u64,
    pub(super) durable: u64,
    pub(super) over_limit: bool,
}

mod name_text {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::DumpName;

    pub(super) fn serialize<S: Serializer>(
        name: &DumpName,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(name)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<DumpName, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl From<&EndedSession> for Ended {
    fn from(ended: &EndedSession) -> Self {
        Self {
            log: ended.name.clone(),
            accepted: ended.accepted,
            durable: ended.durable,
            over_limit: ended.over_limit,
        }
    }
}

impl From<Ended> for EndedSession {
    fn from(ended: Ended) -> Self {
        Self {
            name: ended.log,
            accepted: ended.accepted,
            durable: ended.durable,
            over_limit: ended.over_limit,
        }
    }
}

/// An upload has nothing to do with a session of the same id.
pub(super) fn key_of(name: &DumpName) -> String {
    if name.is_upload() {
        format!("upload.{}", name.session_id())
    } else {
        key(name.session_id())
    }
}

pub(super) fn key(session: &SessionId) -> String {
    format!("session.{session}")
}

/// What a bucket holds under a key, and the revision to replace it by.
pub(super) struct Held {
    pub(super) session: Option<Session>,
    pub(super) revision: u64,
}

/// Another process writes to the session.
#[derive(Debug)]
pub(super) struct Taken;

impl Shared {
    pub(super) async fn session(&self, key: &str) -> Result<Held, StoreError> {
        let stream = &self.store.sessions;
        let Some(entry) = self.store.last(stream, &stream.subject(key)).await? else {
            return Ok(Held {
                session: None,
                revision: 0,
            });
        };
        Ok(Held {
            session: read(&entry)?,
            revision: entry.sequence,
        })
    }

    /// Replaces what is held; `None` if somebody else did so meanwhile.
    pub(super) async fn replace_session(
        &self,
        key: &str,
        session: &Session,
        revision: u64,
    ) -> Result<Option<u64>, StoreError> {
        let stream = &self.store.sessions;
        let text = serde_json::to_vec(session).map_err(failed)?;
        let published = self
            .store
            .publish(
                stream,
                &stream.subject(key),
                async_nats::HeaderMap::new(),
                text.into(),
                revision,
                &self.message_id(),
            )
            .await?;
        Ok(match published {
            Published::Stored(revision) => Some(revision),
            Published::Conflict => None,
        })
    }

    pub(super) async fn forget_session(&self, key: &str, revision: u64) -> Result<(), StoreError> {
        let stream = &self.store.sessions;
        let subject = stream.subject(key);
        self.store.purge_until(stream, &subject, revision).await
    }

    /// Makes a log this process' at its first append, unless another one has the session.
    pub(super) async fn open_session(
        &self,
        name: &DumpName,
    ) -> Result<Result<(), Taken>, StoreError> {
        let key = key_of(name);
        let deadline = self.store.deadline();
        loop {
            let held = self.session(&key).await?;
            let before = match held.session {
                Some(Session {
                    state: State::Open { owner, before },
                    name: open,
                }) => {
                    let is_ours = owner.as_deref() == Some(self.process.as_str());
                    if owner.is_some() && !is_ours {
                        return Ok(Err(Taken));
                    }
                    if is_ours && open == *name {
                        return Ok(Ok(()));
                    }
                    if !is_ours && *name < open {
                        return Ok(Err(Taken));
                    }
                    before
                }
                Some(Session {
                    state: State::Ended(ended),
                    ..
                }) => {
                    // What comes late must not begin a log again that was completed and removed.
                    if *name <= ended.log {
                        return Ok(Err(Taken));
                    }
                    Some(ended)
                }
                None => None,
            };
            let session = Session {
                name: name.clone(),
                state: State::Open {
                    owner: Some(self.process.clone()),
                    before,
                },
            };
            let replaced = self.replace_session(&key, &session, held.revision).await?;
            if replaced.is_some() {
                return Ok(Ok(()));
            }
            contended(deadline)?;
        }
    }

    /// Forgets the open state of a log that is removed.
    pub(super) async fn forget_removed(&self, name: &DumpName) -> Result<(), StoreError> {
        let key = key_of(name);
        let held = self.session(&key).await?;
        let Some(session) = held.session.filter(|session| session.name == *name) else {
            return Ok(());
        };
        let State::Open { owner, before } = session.state else {
            return Ok(());
        };
        let is_ours = owner.as_deref() == Some(self.process.as_str());
        if !is_ours && !name.is_upload() {
            return Ok(());
        }
        self.revert_session(&key, before, held.revision).await
    }

    /// Makes an open session whose log is gone what it was before that log.
    pub(super) async fn revert_session(
        &self,
        key: &str,
        before: Option<Ended>,
        revision: u64,
    ) -> Result<(), StoreError> {
        let Some(ended) = before else {
            return self.forget_session(key, revision).await;
        };
        let session = Session {
            name: ended.log.clone(),
            state: State::Ended(ended),
        };
        self.replace_session(key, &session, revision).await?;
        Ok(())
    }
}

/// What an entry says. An operator's deletion leaves an empty one.
pub(super) fn read(entry: &Entry) -> Result<Option<Session>, StoreError> {
    if entry.payload.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&entry.payload)
        .map(Some)
        .map_err(failed)
}

/// Ends a loop of attempts to replace what others replace too.
pub(super) fn contended(deadline: Instant) -> Result<(), StoreError> {
    if Instant::now() < deadline {
        return Ok(());
    }
    Err(failed("others replace the session all the time"))
}
