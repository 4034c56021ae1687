//! Sessions that are their socket: rtcstats 5.0 and legacy. They begin with the first message and
//! end with the socket; nobody comes back to them, nothing is acknowledged.

use rtcstats_proto::Generation;
use rtcstats_proto::jitsi::SessionId;

use super::{Action, EndReason, Peer, Server};
use crate::header::close_line;
use crate::session::Session;
use crate::{CloseReason, Handshake, Identifiers, Recovered, Refusal, Time};

/// Close code where there was no close frame.
const LOST: u16 = 1006;

/// Whether sessions of this generation live and end with their socket.
pub(super) fn is_plain(generation: Generation) -> bool {
    generation != Generation::Jitsi
}

impl Server {
    pub(super) fn admit_plain(&mut self, handshake: &Handshake) -> Result<(), Refusal> {
        let Some(session) = &handshake.session else {
            return Err(Refusal::NO_SESSION_ID);
        };
        if self.sessions.len() >= self.limits.sessions || self.sessions.contains_key(session) {
            self.counters.limits.sessions += 1;
            return Err(Refusal::TRY_AGAIN_SESSIONS);
        }
        Ok(())
    }

    /// Takes note of what lines tell that were just accepted, if their session goes on.
    pub(super) fn note_plain(
        &mut self,
        id: &SessionId,
        count: u64,
        malformed: u64,
        identifiers: Option<Box<Identifiers>>,
    ) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        // One was counted when they were accepted together.
        let others = count.saturating_sub(1);
        session.facts.events += others;
        self.counters.events += others;
        session.facts.malformed += malformed;
        self.counters.malformed_lines += malformed;
        if let Some(identifiers) = identifiers {
            session.facts.identifiers.merge(*identifiers);
        }
    }

    /// The socket of a session is gone; `code` is that of its peer.
    pub(super) fn end_plain(&mut self, time: Time, id: &SessionId, peer: &Peer, code: Option<u16>) {
        let own = peer.closing.map(CloseReason::code);
        self.append_close(time, id, code.or(own).unwrap_or(LOST), silence(peer, time));
        self.end(id, EndReason::Disconnected);
    }

    /// Ends what ends with its socket, before all sockets are closed.
    pub(super) fn end_all_plain(&mut self, time: Time) {
        let peers = self.connections.values();
        let plain = peers.filter(|peer| is_plain(peer.client.generation));
        let owned: Vec<(SessionId, u64)> = plain
            .flat_map(|peer| {
                peer.owned
                    .iter()
                    .map(|id| (id.clone(), silence(peer, time)))
            })
            .collect();
        for (id, silence) in owned {
            self.append_close(time, &id, CloseReason::GoingAway.code(), silence);
            self.end(&id, EndReason::Disconnected);
        }
    }

    /// Appends the event that ends a dump, if dumps of its generation have one.
    pub(super) fn append_close(&mut self, time: Time, id: &SessionId, code: u16, silence: u64) {
        let Some(session) = self
            .sessions
            .get_mut(id)
            .filter(|session| session.bytes > 0)
        else {
            return;
        };
        let now = time.unix_ms.round() as u64;
        let Some(line) = close_line(session.generation, code, silence, now) else {
            return;
        };
        let name = session.name.clone();
        let actions = &mut self.actions;
        session.accept(line.into(), None, time, |offset, line| {
            actions.push_back(Action::Append {
                name: name.clone(),
                offset,
                line,
                sequence_number: None,
            });
        });
    }

    /// Completes a session that a crash cut off.
    pub(super) fn recover_plain(&mut self, recovered: Recovered) {
        let (is_closed, modified_ms) = (recovered.is_closed, recovered.modified_ms);
        let session = Session::recovered(recovered, self.timers.now());
        let id = session.name.session_id().clone();
        self.sessions.insert(id.clone(), session);
        if !is_closed {
            let time = Time {
                monotonic: self.timers.now(),
                unix_ms: modified_ms,
            };
            self.append_close(time, &id, LOST, 0);
        }
        self.end(&id, EndReason::Disconnected);
    }
}

/// Milliseconds since the last message of a socket, or since it was opened.
pub(super) fn silence(peer: &Peer, time: Time) -> u64 {
    // As existing servers, which subtract whole milliseconds.
    (time.unix_ms.round() - peer.last_message.unix_ms.round()).max(0.0) as u64
}
