//! Sessions that ended: what is still known of them when their clients come late (section 6.5).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use foldhash::fast::RandomState;
use rtcstats_proto::jitsi::SessionId;

use crate::session::Session;
use crate::{DumpName, EndedSession};

#[derive(Debug)]
pub(super) struct Tombstones {
    limit: usize,
    retention: Duration,
    by_id: HashMap<SessionId, Tombstone, RandomState>,
    /// In the order in which they expire.
    expiry: VecDeque<(Duration, SessionId)>,
}

#[derive(Debug)]
pub(super) struct Tombstone {
    /// The last dump of the session.
    pub(super) name: DumpName,
    /// Highest number that was accepted: what is at most that is a repetition.
    pub(super) accepted: u64,
    /// Highest number that is durable: what the client may be told.
    pub(super) durable: u64,
    /// It was ended because it got too big.
    pub(super) over_limit: bool,
    expires: Duration,
}

impl Tombstones {
    pub(super) fn new(limit: usize, retention: Duration) -> Self {
        Self {
            limit,
            retention,
            by_id: HashMap::default(),
            expiry: VecDeque::new(),
        }
    }

    /// How many, those included that a later one replaced.
    pub(super) fn len(&self) -> usize {
        self.expiry.len()
    }

    pub(super) fn get(&self, id: &SessionId) -> Option<&Tombstone> {
        self.by_id.get(id)
    }

    pub(super) fn add(&mut self, session: &Session, over_limit: bool, now: Duration) {
        let ended = EndedSession {
            name: session.name.clone(),
            accepted: session.last_number(),
            durable: session.durable_number(),
            over_limit,
        };
        self.put(ended, now);
    }

    pub(super) fn put(&mut self, ended: EndedSession, now: Duration) {
        let id = ended.name.session_id().clone();
        let expires = now + self.retention;
        let tombstone = Tombstone {
            name: ended.name,
            accepted: ended.accepted,
            durable: ended.durable,
            over_limit: ended.over_limit,
            expires,
        };
        self.by_id.insert(id.clone(), tombstone);
        self.expiry.push_back((expires, id));
        while self.expiry.len() > self.limit {
            self.remove_oldest();
        }
    }

    /// More of an ended dump has become durable.
    pub(super) fn mark_durable(&mut self, name: &DumpName, number: u64) {
        if let Some(tombstone) = self.by_id.get_mut(name.session_id())
            && tombstone.name == *name
        {
            tombstone.durable = tombstone.durable.max(number);
        }
    }

    /// What was accepted into a dump or later ones and is not durable never will be. The last dump.
    pub(super) fn forget_accepted(&mut self, name: &DumpName) -> Option<DumpName> {
        let tombstone = self.by_id.get_mut(name.session_id())?;
        if tombstone.name < *name {
            return None;
        }
        tombstone.accepted = tombstone.durable;
        Some(tombstone.name.clone())
    }

    /// Another node knows better what became of this dump.
    pub(super) fn forget(&mut self, name: &DumpName) {
        let id = name.session_id();
        if self.by_id.get(id).is_some_and(|own| own.name == *name) {
            self.by_id.remove(id);
        }
    }

    pub(super) fn expire(&mut self, now: Duration) {
        while self
            .expiry
            .front()
            .is_some_and(|(expires, _)| *expires <= now)
        {
            self.remove_oldest();
        }
    }

    fn remove_oldest(&mut self) {
        let Some((expires, id)) = self.expiry.pop_front() else {
            return;
        };
        // The session may have ended again since.
        if self
            .by_id
            .get(&id)
            .is_some_and(|tombstone| tombstone.expires == expires)
        {
            self.by_id.remove(&id);
        }
    }
}
