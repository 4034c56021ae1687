//! Who owns which session: connections come, go, replace each other; sessions end.

mod action;
mod deadlines;
mod durability;
mod erasure;
mod handover;
mod plain;
mod summary;
mod timers;
mod tombstones;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::RandomState;
use rtcstats_proto::jitsi::{MessageError, SequenceNumberMessage, SessionId};

pub use action::{Action, CloseCode, CloseReason, ConnectionId, EndReason, Refusal};
pub use summary::{Footprint, SessionState, SessionSummary};

use crate::session::{Client, Numbers, Phase, Session, Verdict};
use crate::{
    Content, Counters, DumpName, Handshake, Identifiers, Incoming, Limits, Recovered, Time, Timing,
};
use erasure::Erased;
use plain::is_plain;
use timers::{Timer, Timers};
use tombstones::{Tombstone, Tombstones};

/// The sessions of one server, without I/O: it is told what happened, and says what to do.
///
/// # Running it
///
/// Whoever drives it must, in any order and as often as there is something:
///
/// 1. report what happens: [`connect`](Self::connect), [`receive`](Self::receive),
///    [`refuse`](Self::refuse), [`disconnect`](Self::disconnect);
/// 2. call [`timeout`](Self::timeout) when [`next_timeout`](Self::next_timeout) has come;
/// 3. after each of these perform every [`Action`] that [`poll_action`](Self::poll_action) gives, in
///    order (for one connection, and for one session), and report outcomes:
///    [`appended`](Self::appended) or [`append_failed`](Self::append_failed),
///    [`finished`](Self::finished).
///
/// It then holds: a number is acknowledged only after `appended` reported it; each numbered entry
/// is appended at most once; only the newest connection of a session appends to it.
#[derive(Debug)]
pub struct Server {
    limits: Limits,
    timing: Timing,
    connections: HashMap<ConnectionId, Peer, RandomState>,
    sessions: HashMap<SessionId, Session, RandomState>,
    /// Dumps that were ended and are not yet completed.
    ending: HashSet<DumpName, RandomState>,
    tombstones: Tombstones,
    erased: Erased,
    timers: Timers,
    actions: VecDeque<Action>,
    counters: Counters,
    next_connection: u64,
    is_closing: bool,
}

/// One open socket.
#[derive(Debug)]
struct Peer {
    client: Client,
    /// The session of its query, which acknowledgements are about; or the one it is.
    session: Option<SessionId>,
    owned: HashSet<SessionId, RandomState>,
    /// Sessions that a newer connection took over.
    fenced: HashSet<SessionId, RandomState>,
    last_message: Time,
    refused: u32,
    /// When its silence is looked at.
    idle_due: Duration,
    /// It was told to close, and why; nothing that still arrives counts.
    closing: Option<CloseReason>,
}

impl Server {
    /// A server without sessions.
    pub fn new(limits: Limits, timing: Timing) -> Self {
        Self {
            limits,
            timing,
            connections: HashMap::default(),
            sessions: HashMap::default(),
            ending: HashSet::default(),
            tombstones: Tombstones::new(limits.tombstones, timing.tombstone),
            erased: Erased::new(limits.tombstones, timing.tombstone.max(timing.grace)),
            timers: Timers::default(),
            actions: VecDeque::new(),
            counters: Counters::default(),
            next_connection: 0,
            is_closing: false,
        }
    }

    /// Takes in a session that the journal still holds unfinished after a restart. Its client has
    /// a full grace period from now to come back (section 6.6).
    ///
    /// Nobody comes back to a session of another client than Jitsi's: it ends now. Its close event has
    /// code 1006 and, of 5.0, a delta of 0: the last line is the last that is known of the client. A
    /// legacy one has the time at which the log was last appended to. A log of such a session that has
    /// no events is not recovered, but removed.
    pub fn recover(&mut self, time: Time, recovered: Recovered) {
        if is_plain(recovered.generation) {
            return self.recover_plain(recovered);
        }
        let id = recovered.name.session_id().clone();
        let deadline = time.monotonic + self.grace(recovered.client_type);
        let recovered = Session::recovered(recovered, deadline);
        // Two logs of one session: the later dump goes on, the earlier is complete.
        let (session, superseded) = match self.sessions.remove(&id) {
            Some(other) if other.name > recovered.name => (other, Some(recovered)),
            other => (recovered, other),
        };
        if let Some(superseded) = superseded {
            self.remove_timers(&superseded);
            self.finish(superseded, EndReason::Superseded);
        }
        self.timers.add(deadline, Timer::Grace(id.clone()));
        self.sessions.insert(id, session);
    }

    /// Takes note that a dump of this name is being completed, from before a restart.
    pub fn recover_finished(&mut self, name: DumpName) {
        self.ending.insert(name);
    }

    /// A socket was opened. An older connection of the same session is fenced first.
    ///
    /// # Errors
    ///
    /// If it must be closed at once; with which code and why.
    pub fn connect(&mut self, time: Time, handshake: &Handshake) -> Result<ConnectionId, Refusal> {
        if let Err(refusal) = self.admit(handshake) {
            self.counters.connection_errors += 1;
            return Err(refusal);
        }
        self.next_connection += 1;
        let id = ConnectionId(self.next_connection);
        self.counters.connections += 1;
        let idle_due = time.monotonic + self.idle(handshake.generation);
        self.connections.insert(
            id,
            Peer {
                client: Client {
                    generation: handshake.generation,
                    client_type: handshake.client_type,
                    header: handshake.header.clone(),
                    claims: handshake.claims.clone(),
                    opened: time.unix_ms,
                },
                session: handshake.session.clone(),
                owned: HashSet::default(),
                fenced: HashSet::default(),
                last_message: time,
                refused: 0,
                idle_due,
                closing: None,
            },
        );
        self.timers.add(idle_due, Timer::Idle(id));
        if is_plain(handshake.generation) {
            return Ok(id);
        }
        let value = match &handshake.session {
            Some(session) if self.sessions.contains_key(session) => self.attach(id, session),
            Some(session) => self
                .tombstones
                .get(session)
                .map_or(0, |tombstone| tombstone.durable),
            None => 0,
        };
        let text = SequenceNumberMessage::initial(value).to_json();
        self.actions.push_back(Action::Send {
            connection: id,
            text,
        });
        Ok(id)
    }

    /// Whether a socket would be taken.
    pub(crate) fn admit(&mut self, handshake: &Handshake) -> Result<(), Refusal> {
        if self.is_closing {
            return Err(Refusal::GOING_AWAY);
        }
        if self.connections.len() >= self.limits.connections {
            self.counters.limits.connections += 1;
            return Err(Refusal::TRY_AGAIN_CONNECTIONS);
        }
        if is_plain(handshake.generation) {
            return self.admit_plain(handshake);
        }
        let Some(session) = &handshake.session else {
            return Ok(());
        };
        if self.erased.contains(session) {
            return Err(Refusal::ERASED);
        }
        if self.sessions.get(session).is_some_and(Session::is_plain) {
            return Err(Refusal::INVALID_SESSION_ID);
        }
        if self
            .tombstones
            .get(session)
            .is_some_and(|tombstone| tombstone.over_limit)
        {
            return Err(Refusal::SESSION_OVER_LIMIT);
        }
        if !self.sessions.contains_key(session) && self.sessions.len() >= self.limits.sessions {
            self.counters.limits.sessions += 1;
            return Err(Refusal::TRY_AGAIN_SESSIONS);
        }
        Ok(())
    }

    /// A message arrived.
    pub fn receive(&mut self, time: Time, connection: ConnectionId, incoming: Incoming) {
        let Some(peer) = self.connections.get_mut(&connection) else {
            return;
        };
        if peer.closing.is_some() {
            return;
        }
        peer.last_message = time;
        self.counters.requests += 1;
        let Incoming { session, content } = incoming;
        match content {
            Content::Keepalive => {}
            Content::Close => {
                if self.sessions.get(&session).and_then(Session::owner) == Some(connection) {
                    self.end(&session, EndReason::Closed);
                }
            }
            Content::Line {
                line,
                sequence_number,
            } => {
                if self.own(connection, &session) {
                    self.accept(time, connection, &session, line, sequence_number);
                } else if self.is_without_session(connection, &session) {
                    // A later line might be taken, and acknowledged as if this one had been.
                    self.close(connection, CloseReason::TooManySessions);
                }
            }
            Content::PlainLines {
                lines,
                count,
                malformed,
                identifiers,
            } => {
                if !self.own(connection, &session) {
                    // It would be told nothing, and lose the beginning of its session.
                    return self.close(connection, CloseReason::TooManySessions);
                }
                self.accept(time, connection, &session, lines, None);
                self.note_plain(&session, count, malformed, identifiers);
            }
        }
    }

    /// Makes sure that the session is the connection's to write; whether it is.
    fn own(&mut self, connection: ConnectionId, id: &SessionId) -> bool {
        let Some(peer) = self.connections.get(&connection) else {
            return false;
        };
        if peer.owned.contains(id) {
            return true;
        }
        if peer.fenced.contains(id) {
            self.counters.fenced_messages += 1;
            return false;
        }
        if !self.has_room(peer) {
            self.counters.limits.sessions_per_connection += 1;
            return false;
        }
        if let Some(session) = self.sessions.get(id) {
            // One session is not spoken in two ways.
            if session.generation != peer.client.generation {
                self.counters.fenced_messages += 1;
                return false;
            }
            // Of two connections the newer one knows better; ids grow.
            if session.newest > Some(connection) {
                self.counters.fenced_messages += 1;
                return false;
            }
            self.attach(connection, id);
            return true;
        }
        self.open(connection, id)
    }

    /// Whether a connection may have one more session.
    fn has_room(&self, peer: &Peer) -> bool {
        let limit = if peer.client.client_type.is_browser() {
            self.limits.sessions_per_browser
        } else {
            self.limits.sessions_per_connection
        };
        peer.owned.len() + peer.fenced.len() < limit
    }

    /// Whether the session that a connection was opened for could not be begun.
    fn is_without_session(&self, connection: ConnectionId, id: &SessionId) -> bool {
        let peer = self.connections.get(&connection);
        peer.is_some_and(|peer| peer.session.as_ref() == Some(id))
            && !self.sessions.contains_key(id)
    }

    /// Begins a session that is not known.
    fn open(&mut self, connection: ConnectionId, id: &SessionId) -> bool {
        if self.erased.contains(id) {
            self.counters.fenced_messages += 1;
            return false;
        }
        if self.sessions.len() >= self.limits.sessions {
            self.counters.limits.sessions += 1;
            return false;
        }
        let tombstone = self.tombstones.get(id);
        if tombstone.is_some_and(|tombstone| tombstone.over_limit) {
            self.counters.limits.session_bytes += 1;
            return false;
        }
        let (mut name, numbers) = match tombstone {
            Some(Tombstone {
                name,
                accepted,
                durable,
                ..
            }) => {
                let (accepted, durable) = (*accepted, *durable);
                (name.next(), Numbers { accepted, durable })
            }
            None => (DumpName::first(id.clone()), Numbers::default()),
        };
        while self.ending.contains(&name) {
            name = name.next();
        }
        let Some(peer) = self.connections.get_mut(&connection) else {
            return false;
        };
        peer.owned.insert(id.clone());
        let session = Session::new(name, peer.client.clone(), numbers, connection);
        self.sessions.insert(id.clone(), session);
        self.counters.sessions += 1;
        true
    }

    /// Gives a known session to a connection, and fences the one that had it. The number to open
    /// the connection with.
    fn attach(&mut self, connection: ConnectionId, id: &SessionId) -> u64 {
        let Some(session) = self.sessions.get_mut(id) else {
            return 0;
        };
        let previous = session.owner().filter(|previous| *previous != connection);
        if let Phase::Resumable(deadline) = session.phase {
            self.timers.remove(deadline, Timer::Grace(id.clone()));
        }
        let number = session.attach(connection);
        if let Some(peer) = self.connections.get_mut(&connection) {
            peer.owned.insert(id.clone());
            let claimed = Identifiers::from_claims(peer.client.claims.clone());
            session.facts.identifiers.merge(claimed);
        }
        let Some(previous) = previous else {
            return number;
        };
        self.counters.fenced_connections += 1;
        if let Some(peer) = self.connections.get_mut(&previous) {
            peer.owned.remove(id);
            peer.fenced.insert(id.clone());
            if peer.owned.is_empty() {
                self.close(previous, CloseReason::Superseded);
            }
        }
        number
    }

    fn accept(
        &mut self,
        time: Time,
        connection: ConnectionId,
        id: &SessionId,
        line: Bytes,
        sequence_number: Option<u64>,
    ) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let is_over = session.bytes + line.len() as u64 > self.limits.session_bytes;
        if is_over && !session.is_repetition(sequence_number) {
            self.counters.limits.session_bytes += 1;
            self.append_close(time, id, CloseReason::SessionOverLimit.code(), 0);
            self.end(id, EndReason::OverLimit);
            if self
                .connections
                .get(&connection)
                .is_some_and(|peer| peer.session.as_ref() == Some(id))
            {
                self.close(connection, CloseReason::SessionOverLimit);
            }
            return;
        }
        let name = session.name.clone();
        let (actions, gaps) = (&mut self.actions, session.facts.gap_count);
        let verdict = session.accept(line, sequence_number, time, |offset, line| {
            let sequence_number = sequence_number.filter(|_| offset > 0);
            actions.push_back(Action::Append {
                name: name.clone(),
                offset,
                line,
                sequence_number,
            });
        });
        self.counters.gaps += session.facts.gap_count - gaps;
        match verdict {
            Verdict::Accepted => self.counters.events += 1,
            Verdict::Duplicate => self.counters.duplicates += 1,
        }
    }

    /// A message of the connection was refused, or nothing more can be read from it.
    pub fn refuse(&mut self, connection: ConnectionId, error: &MessageError) {
        let Some(peer) = self.connections.get_mut(&connection) else {
            return;
        };
        peer.refused = peer.refused.saturating_add(1);
        self.counters.refused_messages += 1;
        let is_last = peer.refused >= self.limits.refused_messages;
        match error {
            MessageError::TooLong { .. } => {
                self.counters.limits.message_bytes += 1;
                self.close(connection, CloseReason::MessageTooLong);
            }
            // Each frame is a message of its own, so that the next one can be read.
            _ if is_plain(peer.client.generation) => {}
            error if error.is_fatal() => self.close(connection, CloseReason::Malformed),
            _ if is_last => self.close(connection, CloseReason::TooManyRefused),
            _ => {}
        }
    }

    /// The socket is gone; with which close code, if the peer gave one.
    pub fn disconnect(&mut self, time: Time, connection: ConnectionId, code: Option<u16>) {
        let Some(peer) = self.connections.remove(&connection) else {
            return;
        };
        self.timers.remove(peer.idle_due, Timer::Idle(connection));
        let left = matches!(code, Some(CloseCode::LEFT | CloseCode::DUMP_ERROR));
        let is_plain = is_plain(peer.client.generation);
        for id in &peer.owned {
            if is_plain {
                self.end_plain(time, id, &peer, code);
            } else if left {
                self.end(id, EndReason::Left);
            } else {
                self.release(time.monotonic, id);
            }
        }
    }

    /// Nobody writes to the session any more; it waits for its client.
    fn release(&mut self, now: Duration, id: &SessionId) {
        let Some(session) = self.sessions.get(id) else {
            return;
        };
        let deadline = now + self.grace(session.client_type);
        if let Some(session) = self.sessions.get_mut(id) {
            session.phase = Phase::Resumable(deadline);
            session.unacknowledged_since = None;
        }
        self.timers.add(deadline, Timer::Grace(id.clone()));
    }

    /// Ends a session: its log is complete, and a new one begins if it comes again.
    fn end(&mut self, id: &SessionId, reason: EndReason) {
        let Some(session) = self.sessions.remove(id) else {
            return;
        };
        self.remove_timers(&session);
        if let Some(peer) = session
            .owner()
            .and_then(|owner| self.connections.get_mut(&owner))
        {
            peer.owned.remove(id);
        }
        if session.bytes == 0 {
            return;
        }
        if session.is_plain() {
            // Nobody can come back to it.
            return self.finish(session, reason);
        }
        self.tombstones
            .add(&session, reason == EndReason::OverLimit, self.timers.now());
        self.finish(session, reason);
    }

    fn finish(&mut self, session: Session, reason: EndReason) {
        let Session {
            name, facts, bytes, ..
        } = session;
        self.ending.insert(name.clone());
        self.actions.push_back(Action::Finish {
            name,
            reason,
            facts,
            bytes,
        });
    }

    /// A frame could not be sent: the socket does not read what it is sent.
    pub fn too_slow(&mut self, connection: ConnectionId) {
        self.counters.limits.outgoing_frames += 1;
        self.close(connection, CloseReason::TooSlow);
    }

    fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        let Some(peer) = self.connections.get_mut(&connection) else {
            return;
        };
        if peer.closing.is_none() {
            peer.closing = Some(reason);
            self.actions.push_back(Action::Close { connection, reason });
        }
    }

    /// Closes every socket and admits none, for a shutdown. Sessions stay resumable; those that end
    /// with their sockets end now.
    pub fn close_all(&mut self, time: Time) {
        self.is_closing = true;
        self.end_all_plain(time);
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            self.close(id, CloseReason::GoingAway);
        }
    }

    /// The next thing to do.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Counters that others keep: the driver's.
    pub fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// How many sockets are open.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// The sessions that are live or can be resumed, in no order.
    pub fn sessions(&self) -> impl Iterator<Item = SessionSummary> + '_ {
        self.sessions
            .values()
            .filter(|session| session.bytes > 0)
            .map(SessionSummary::new)
    }

    /// One of them.
    pub fn session(&self, id: &SessionId) -> Option<SessionSummary> {
        self.sessions.get(id).map(SessionSummary::new)
    }

    /// What was noted about a session that is not yet ended.
    pub fn session_by_name(&self, name: &DumpName) -> Option<SessionSummary> {
        self.session(name.session_id())
            .filter(|session| session.name == *name)
    }
}
