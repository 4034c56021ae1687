//! What happens when time has passed.

use std::time::Duration;

use rtcstats_proto::jitsi::SessionId;
use rtcstats_proto::{ClientType, Generation};

use super::plain::is_plain;
use super::timers::Timer;
use super::{CloseReason, ConnectionId, EndReason, Server};
use crate::Time;
use crate::session::{Phase, Session};

impl Server {
    /// When to call [`Server::timeout`] next, as [`Time::monotonic`].
    pub fn next_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// Does everything that is due.
    pub fn timeout(&mut self, time: Time) {
        let now = time.monotonic;
        self.tombstones.expire(now);
        self.erased.expire(now);
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Idle(connection) => self.check_idle(now, connection),
                Timer::Grace(id) => self.check_grace(now, &id),
                Timer::Acknowledge(id) => self.check_acknowledge(now, &id),
            }
        }
    }

    fn check_idle(&mut self, now: Duration, connection: ConnectionId) {
        let Some(generation) = self
            .connections
            .get(&connection)
            .map(|peer| peer.client.generation)
        else {
            return;
        };
        let idle = self.idle(generation);
        let Some(peer) = self.connections.get_mut(&connection) else {
            return;
        };
        let deadline = peer.last_message.monotonic + idle;
        if deadline > now {
            peer.idle_due = deadline;
            self.timers.add(deadline, Timer::Idle(connection));
        } else {
            self.counters.idle_connections += 1;
            self.close(connection, CloseReason::Idle);
        }
    }

    fn check_grace(&mut self, now: Duration, id: &SessionId) {
        let phase = self.sessions.get(id).map(|session| session.phase);
        // A deadline that moved has a timer of its own.
        if matches!(phase, Some(Phase::Resumable(deadline)) if deadline <= now) {
            self.end(id, EndReason::Expired);
        }
    }

    /// Nothing of a session has to be looked at any more.
    pub(super) fn remove_timers(&mut self, session: &Session) {
        let id = session.name.session_id();
        if let Phase::Resumable(deadline) = session.phase {
            self.timers.remove(deadline, Timer::Grace(id.clone()));
        }
        if let Some(due) = session.acknowledge_due {
            self.timers.remove(due, Timer::Acknowledge(id.clone()));
        }
    }

    /// How long a socket may be silent.
    pub(super) fn idle(&self, generation: Generation) -> Duration {
        if is_plain(generation) {
            self.timing.idle_without_keepalive
        } else {
            self.timing.idle
        }
    }

    pub(super) fn grace(&self, client_type: ClientType) -> Duration {
        if client_type.is_browser() {
            self.timing.grace
        } else {
            self.timing.back_end_grace
        }
    }
}
