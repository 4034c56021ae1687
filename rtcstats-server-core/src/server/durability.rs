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
        let was_waiting = session.unacknowledged_since.is_some();
        let acknowledgements = session.mark_durable(number, time.monotonic, &self.timing);
        if !was_waiting && session.unacknowledged_since.is_some() {
            let due = time.monotonic + self.timing.acknowledge_after;
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
        let Some(since) = session.unacknowledged_since else {
            return;
        };
        let due = since + self.timing.acknowledge_after;
        if due > now {
            self.timers.add(due, Timer::Acknowledge(id.clone()));
            return;
        }
        let acknowledgements = session.acknowledge();
        self.send_acknowledgements(id, acknowledgements);
    }

    /// The journal will never take the lines of this dump. What it has is completed; the client
    /// goes on in a new dump with everything that was not acknowledged.
    pub fn append_failed(&mut self, name: &DumpName) {
        self.counters.session_errors += 1;
        let id = name.session_id().clone();
        let Some(session) = self
            .sessions
            .get(&id)
            .filter(|session| session.name == *name)
        else {
            return;
        };
        let owner = session.owner();
        self.end(&id, EndReason::JournalFailed);
        self.tombstones.forget_accepted(&id);
        if let Some(owner) = owner {
            self.close(owner, CloseReason::JournalFailed);
        }
    }

    /// A dump that was ended is complete and out of the journal.
    pub fn finished(&mut self, name: &DumpName) {
        self.ending.remove(name);
        self.counters.finished += 1;
    }
}
