//! Sessions that come from another node, and go to one.

use rtcstats_proto::jitsi::SessionId;

use super::plain::{is_plain, silence};
use super::{CloseReason, ConnectionId, EndReason, Server};
use crate::{Content, DumpName, EndedSession, Incoming, Time};

/// With several nodes, a driver has to do more than [`Server`] asks for: to claim a session before the
/// server decides about it (where [`Server::knows`] denies it, for a socket that names it and for a
/// message that is [new](Server::is_new_to) to its connection), to tell what it found
/// ([`Server::recover`], [`Server::remember`]), and to report what another node has taken
/// ([`Server::lost`]).
impl Server {
    /// Whether the session is live or can be resumed.
    pub fn knows(&self, id: &SessionId) -> bool {
        self.sessions.contains_key(id)
    }

    /// Whether a message would begin a session that is not known. Then another node may have it.
    pub fn is_new_to(&self, connection: ConnectionId, incoming: &Incoming) -> bool {
        let id = &incoming.session;
        let Some(peer) = self.connections.get(&connection) else {
            return false;
        };
        // Sessions that are their socket have ids of their own.
        matches!(incoming.content, Content::Line { .. })
            && peer.closing.is_none()
            && !is_plain(peer.client.generation)
            && !self.sessions.contains_key(id)
            && self.sessions.len() < self.limits.sessions
            && !self
                .tombstones
                .get(id)
                .is_some_and(|ended| ended.over_limit)
            && !peer.owned.contains(id)
            && !peer.fenced.contains(id)
            && self.has_room(peer)
    }

    /// Takes note of a session that has ended on another node: a new dump continues it.
    pub fn remember(&mut self, ended: EndedSession) {
        self.tombstones.put(ended, self.timers.now());
    }

    /// How far an ended dump got, if it is the last of its session that is remembered.
    pub fn ended(&self, name: &DumpName) -> Option<EndedSession> {
        let tombstone = self.tombstones.get(name.session_id())?;
        (tombstone.name == *name).then(|| EndedSession {
            name: name.clone(),
            accepted: tombstone.accepted,
            durable: tombstone.durable,
            over_limit: tombstone.over_limit,
        })
    }

    /// A session of this connection could not be claimed. The socket is closed, for its client to try again.
    pub fn turn_away(&mut self, connection: ConnectionId) {
        self.close(connection, CloseReason::NotTakenOver);
    }

    /// Another node has taken this dump. The session is forgotten and not finished, and its socket is
    /// closed: the client comes back, here or there, with everything that was not acknowledged.
    pub fn lost(&mut self, name: &DumpName) {
        self.counters.sessions_lost += 1;
        self.ending.remove(name);
        self.tombstones.forget(name);
        let id = name.session_id();
        let Some(session) = self
            .sessions
            .get(id)
            .filter(|session| session.name == *name)
        else {
            return;
        };
        let owner = session.owner();
        if let Some(session) = self.sessions.remove(id) {
            self.remove_timers(&session);
        }
        let Some(owner) = owner else { return };
        if let Some(peer) = self.connections.get_mut(&owner) {
            peer.owned.remove(id);
            peer.fenced.insert(id.clone());
        }
        self.close(owner, CloseReason::Moved);
    }

    /// A dump that was ended waits in the queue of all nodes.
    pub fn handed_over(&mut self, name: &DumpName) {
        self.ending.remove(name);
    }

    /// Dumps that were ended and are not yet completed, or handed over.
    pub fn ending(&self) -> usize {
        self.ending.len()
    }

    /// Whether it admits no socket any more.
    pub fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// Admits no socket any more.
    pub fn close_door(&mut self) {
        self.is_closing = true;
    }

    /// Closes some of the sockets, for a shutdown that is not noticed by all clients at once. Sessions that
    /// end with these sockets end now. Whether there are more.
    pub fn close_some(&mut self, time: Time, count: usize) -> bool {
        let open = self.connections.iter();
        let mut open = open.filter(|(_, peer)| peer.closing.is_none());
        let chosen: Vec<ConnectionId> = open.by_ref().take(count).map(|(id, _)| *id).collect();
        let is_more = open.next().is_some();
        for connection in chosen {
            self.end_plain_of(time, connection);
            self.close(connection, CloseReason::GoingAway);
        }
        is_more
    }

    fn end_plain_of(&mut self, time: Time, connection: ConnectionId) {
        let Some(peer) = self.connections.get(&connection) else {
            return;
        };
        if !is_plain(peer.client.generation) {
            return;
        }
        let silence = silence(peer, time);
        let owned: Vec<SessionId> = peer.owned.iter().cloned().collect();
        for id in owned {
            self.append_close(time, &id, CloseReason::GoingAway.code(), silence);
            self.end(&id, EndReason::Disconnected);
        }
    }

    /// Forgets all sessions without ending them, for other nodes to have. Whose nothing is under way must
    /// be certain before: their sockets are closed, and their lines durable.
    pub fn leave_all(&mut self) -> Vec<SessionId> {
        let sessions = std::mem::take(&mut self.sessions);
        for session in sessions.values() {
            self.remove_timers(session);
        }
        sessions.into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Action, Handshake, Limits, Timing, Upgrade};

    const NOW: Time = Time {
        monotonic: Duration::ZERO,
        unix_ms: 5.0,
    };

    fn connect(server: &mut Server) -> ConnectionId {
        let upgrade = Upgrade {
            target: "/?statsSessionId=s".to_owned(),
            subprotocols: "3.1_STANDARD".to_owned(),
            ..Upgrade::default()
        };
        let handshake = Handshake::new(&upgrade, &Limits::default()).unwrap();
        server.connect(NOW, &handshake).unwrap()
    }

    fn line(number: u64) -> Incoming {
        Incoming {
            session: SessionId::new("s").unwrap(),
            content: Content::Line {
                line: "x\n".into(),
                sequence_number: Some(number),
            },
        }
    }

    fn actions(server: &mut Server) -> Vec<Action> {
        std::iter::from_fn(|| server.poll_action()).collect()
    }

    #[test]
    fn a_session_that_moved_is_not_finished_and_its_socket_closed() {
        let mut server = Server::new(Limits::default(), Timing::default());
        let connection = connect(&mut server);
        assert!(server.is_new_to(connection, &line(1)));
        server.receive(NOW, connection, line(1));
        assert!(!server.is_new_to(connection, &line(2)));
        let name = DumpName::first(SessionId::new("s").unwrap());
        actions(&mut server);
        server.lost(&name);
        let reason = CloseReason::Moved;
        assert_eq!(actions(&mut server), [Action::Close { connection, reason }]);
        assert!(!server.knows(name.session_id()));
        server.receive(NOW, connection, line(2));
        assert_eq!(actions(&mut server), [], "what still comes is not taken");
        assert_eq!(server.ended(&name), None);
    }

    #[test]
    fn what_ended_elsewhere_goes_on_under_the_next_name() {
        let mut server = Server::new(Limits::default(), Timing::default());
        let name = DumpName::first(SessionId::new("s").unwrap());
        let ended = EndedSession {
            name: name.clone(),
            accepted: 7,
            durable: 5,
            over_limit: false,
        };
        server.remember(ended.clone());
        assert_eq!(server.ended(&name), Some(ended));
        let connection = connect(&mut server);
        let [Action::Send { text, .. }] = &actions(&mut server)[..] else {
            panic!("no number to begin with")
        };
        assert!(text.contains('5'), "{text}");
        server.receive(NOW, connection, line(7));
        assert_eq!(actions(&mut server), [], "a repetition");
        server.receive(NOW, connection, line(8));
        for action in actions(&mut server) {
            let Action::Append { name: log, .. } = action else {
                panic!("{action:?}")
            };
            assert_eq!(log, name.next());
        }
    }
}
