//! Deadlines, in order.

use std::collections::BTreeSet;
use std::time::Duration;

use rtcstats_proto::jitsi::SessionId;

use super::ConnectionId;

/// Something to look at when its time comes. What has moved its deadline meanwhile is added again,
/// so that a message costs no timer. Each is there at most once: whoever connects again and again
/// must not fill the memory with what is due in a day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Idle(ConnectionId),
    Grace(SessionId),
    Acknowledge(SessionId),
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeSet<(Duration, Timer)>,
    /// The latest time that was told.
    now: Duration,
}

impl Timers {
    pub(super) fn add(&mut self, deadline: Duration, timer: Timer) {
        self.due.insert((deadline, timer));
    }

    pub(super) fn remove(&mut self, deadline: Duration, timer: Timer) {
        self.due.remove(&(deadline, timer));
    }

    pub(super) fn next(&self) -> Option<Duration> {
        self.due.first().map(|(deadline, _)| *deadline)
    }

    pub(super) fn pop_due(&mut self, now: Duration) -> Option<Timer> {
        self.now = self.now.max(now);
        if self.next()? > now {
            return None;
        }
        self.due.pop_first().map(|(_, timer)| timer)
    }

    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    pub(super) fn now(&self) -> Duration {
        self.now
    }
}
