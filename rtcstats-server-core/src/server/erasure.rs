//! Sessions that were deleted on request: their clients are not to bring them back.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use foldhash::fast::RandomState;
use rtcstats_proto::jitsi::SessionId;

use super::{CloseReason, ConnectionId, Server};
use crate::DumpName;

/// Ids whose sessions are not taken any more, for some time.
#[derive(Debug)]
pub(super) struct Erased {
    limit: usize,
    retention: Duration,
    ids: HashSet<SessionId, RandomState>,
    /// In the order in which they expire.
    expiry: VecDeque<(Duration, SessionId)>,
}

impl Erased {
    pub(super) fn new(limit: usize, retention: Duration) -> Self {
        Self {
            limit,
            retention,
            ids: HashSet::default(),
            expiry: VecDeque::new(),
        }
    }

    pub(super) fn contains(&self, id: &SessionId) -> bool {
        self.ids.contains(id)
    }

    fn add(&mut self, id: &SessionId, now: Duration) {
        if !self.ids.insert(id.clone()) {
            return;
        }
        self.expiry.push_back((now + self.retention, id.clone()));
        while self.expiry.len() > self.limit {
            self.remove_oldest();
        }
    }

    pub(super) fn expire(&mut self, now: Duration) {
        while self.expiry.front().is_some_and(|(due, _)| *due <= now) {
            self.remove_oldest();
        }
    }

    fn remove_oldest(&mut self) {
        if let Some((_, id)) = self.expiry.pop_front() {
            self.ids.remove(&id);
        }
    }
}

impl Server {
    /// Forgets a session, without completing it, and keeps its client from coming back: its sockets are
    /// closed with 3001, and for as long as ended sessions are remembered (at least a grace period) it is
    /// refused. A socket with other sessions stays open; what it still sends of this one is dropped.
    ///
    /// The name of its log, if it was open. What was appended to that is for the caller to remove, after
    /// all actions that were given out before.
    pub fn erase(&mut self, id: &SessionId) -> Option<DumpName> {
        self.erased.add(id, self.timers.now());
        let session = self.sessions.remove(id);
        let own = |peer: &super::Peer| peer.session.as_ref() == Some(id);
        let ids: Vec<ConnectionId> = self
            .connections
            .iter_mut()
            .filter_map(|(connection, peer)| {
                let had = peer.owned.remove(id);
                if had && !own(peer) && !peer.owned.is_empty() {
                    peer.fenced.insert(id.clone());
                    return None;
                }
                (had || own(peer)).then_some(*connection)
            })
            .collect();
        for connection in ids {
            self.close(connection, CloseReason::Erased);
        }
        let session = session?;
        self.remove_timers(&session);
        self.counters.erased_sessions += 1;
        (session.bytes > 0).then_some(session.name)
    }

    /// Whether a dump of this name was ended and is not yet completed.
    pub fn is_ending(&self, name: &DumpName) -> bool {
        self.ending.contains(name)
    }

    /// A dump that was ended is gone, without being completed.
    pub fn discarded(&mut self, name: &DumpName) {
        self.ending.remove(name);
    }
}
