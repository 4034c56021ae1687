//! What the journal has made durable, and what of it clients are told (Jitsi spec, section 6).

use std::time::Duration;

use rtcstats_proto::jitsi::{SequenceNumberMessage, SessionId};

use super::timers::Timer;
use super::{Action, CloseReason, EndReason, Server};
use crate::session::Session;
use crate::{DumpName, Time};

impl Server {
    /// The journal has made lines of a dump durable, up to this sequence number if they have any.
    pub fn appended(&mut self, time: Time, name: &DumpName, sequence_number: Option<u64>) {
        let id = name.session_id();
        let Some(number) = sequence_number else {
            return;
        };
        self.tombstones.mark_durable(name, number);
        // A later dump of the session gains by it too: its client waits for the number.
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let acknowledgements = session.mark_durable(number, time.monotonic, &self.timing);
        if session.acknowledge_due.is_none() && session.unacknowledged_since.is_some() {
            let due = time.monotonic + self.timing.acknowledge_after;
            session.acknowledge_due = Some(due);
            self.timers.add(due, Timer::Acknowledge(id.clone()));
        }
        self.send_acknowledgements(id, acknowledgements);
    }

    /// Sends what a session acknowledges, if its owner's acknowledgements are about it.
    pub(super) fn send_acknowledgements(
        &mut self,
        id: &SessionId,
        numbers: impl Iterator<Item = u64>,
    ) {
        let owner = self.sessions.get(id).and_then(Session::owner);
        let Some(connection) = owner else { return };
        let peer = self.connections.get(&connection);
        if !peer.is_some_and(|peer| {
            peer.session.as_ref() == Some(id) && peer.client.client_type.is_browser()
        }) {
            return;
        }
        for number in numbers {
            self.counters.acknowledgements += 1;
            let text = SequenceNumberMessage::acknowledgement(number).to_json();
            self.actions.push_back(Action::Send { connection, text });
        }
    }

    pub(super) fn check_acknowledge(&mut self, now: Duration, id: &SessionId) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        session.acknowledge_due = None;
        let Some(since) = session.unacknowledged_since else {
            return;
        };
        let due = since + self.timing.acknowledge_after;
        if due > now {
            session.acknowledge_due = Some(due);
            self.timers.add(due, Timer::Acknowledge(id.clone()));
            return;
        }
        let acknowledgements = session.acknowledge();
        self.send_acknowledgements(id, acknowledgements);
    }

    /// The journal will never take the lines of this dump. What it has is completed; the client
    /// goes on in a new dump with everything that was not acknowledged. If the journal has taken
    /// some of the lines, report that [before](Self::appended).
    ///
    /// Returns the later dumps of the session, if it has been continued already. They fail with it, and
    /// what is still to be appended to them must not be: it goes on from lines that are nowhere.
    pub fn append_failed(&mut self, name: &DumpName) -> Vec<DumpName> {
        self.counters.session_errors += 1;
        let id = name.session_id();
        let live = self.sessions.get(id).filter(|live| live.name >= *name);
        let owner = live.and_then(Session::owner);
        if live.is_some() {
            self.end(id, EndReason::JournalFailed);
        }
        let last = self.tombstones.forget_accepted(name);
        if let Some(owner) = owner {
            self.close(owner, CloseReason::JournalFailed);
        }
        let mut later = Vec::new();
        let mut next = name.next();
        while last.as_ref().is_some_and(|last| next <= *last) {
            later.push(next.clone());
            next = next.next();
        }
        later
    }

    /// A dump that was ended is complete and out of the journal.
    pub fn finished(&mut self, name: &DumpName) {
        self.ending.remove(name);
        self.counters.finished += 1;
    }
}
