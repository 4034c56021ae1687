//! Keeps the completion of sessions from bringing back what was deleted.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Mutex;
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::sync::Notify;

use super::super::lock;
use crate::DumpName;

/// How long a stop lasts: longer than anything waits between two attempts.
const LASTING: Duration = Duration::from_secs(3_600);

/// Which sessions are not to be completed.
///
/// Each attempt of a completion, at a sink, at the archive, asks for a [turn](Self::turn). Of a stopped
/// session none begins any more; whoever stopped it waits until those under way are over, and removes what
/// they left.
#[derive(Default)]
pub(in super::super) struct Stops {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Those to stop, until when.
    stopped: HashMap<DumpName, Duration, RandomState>,
    /// Attempts under way.
    turns: HashMap<DumpName, usize, RandomState>,
    /// Under which name each dump is being archived.
    stored: HashMap<DumpName, DumpName, RandomState>,
}

/// An attempt under way.
pub(in super::super) struct Turn<'a> {
    stops: &'a Stops,
    name: &'a DumpName,
}

impl Stops {
    /// Allows one attempt; waits for ever once the session is stopped.
    pub(in super::super) async fn turn<'a>(&'a self, name: &'a DumpName) -> Turn<'a> {
        let is_stopped = {
            let mut state = lock(&self.state);
            let is_stopped = state.stopped.contains_key(name);
            if !is_stopped {
                *state.turns.entry(name.clone()).or_default() += 1;
            }
            is_stopped
        };
        if is_stopped {
            return pending().await;
        }
        Turn { stops: self, name }
    }

    /// Notes under which name a dump is being archived.
    pub(in super::super) fn note_stored(&self, name: &DumpName, stored: &DumpName) {
        let mut state = lock(&self.state);
        state.stored.insert(name.clone(), stored.clone());
    }

    /// The completion of a session is over. The name under which it was archived.
    pub(in super::super) fn forget(&self, name: &DumpName) -> Option<DumpName> {
        lock(&self.state).stored.remove(name)
    }

    /// Stops a session. The name under which it may have been stored.
    pub(super) fn stop(&self, name: &DumpName, now: Duration) -> Option<DumpName> {
        let mut state = lock(&self.state);
        state.stopped.insert(name.clone(), now + LASTING);
        let stored = state.stored.get(name).cloned();
        drop(state);
        self.changed.notify_waiters();
        stored
    }

    /// Ends stops that have lasted long enough: the name may be that of another session by now.
    pub(in super::super) fn expire(&self, now: Duration) {
        lock(&self.state).stopped.retain(|_, until| *until > now);
    }

    pub(in super::super) fn is_stopped(&self, name: &DumpName) -> bool {
        lock(&self.state).stopped.contains_key(name)
    }

    /// Waits until a session is stopped and nothing is done for it any more.
    pub(in super::super) async fn stopped(&self, name: &DumpName) {
        loop {
            let changed = self.changed.notified();
            {
                let state = lock(&self.state);
                if state.stopped.contains_key(name) && !state.turns.contains_key(name) {
                    return;
                }
            }
            changed.await;
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.stops.state);
        if let Some(turns) = state.turns.get_mut(self.name) {
            *turns -= 1;
            if *turns == 0 {
                state.turns.remove(self.name);
            }
        }
        if state.stopped.contains_key(self.name) {
            drop(state);
            self.stops.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_stop_waits_for_the_attempt_under_way_and_allows_no_other() {
        let stops = Stops::default();
        let name: DumpName = "s".parse().unwrap();
        let turn = match poll(std::pin::pin!(stops.turn(&name))) {
            Poll::Ready(turn) => turn,
            Poll::Pending => panic!("nobody stopped it"),
        };
        let mut stopped = std::pin::pin!(stops.stopped(&name));
        assert!(poll(stopped.as_mut()).is_pending());
        stops.note_stored(&name, &name.next());
        assert_eq!(stops.stop(&name, Duration::ZERO), Some(name.next()));
        assert!(
            poll(stopped.as_mut()).is_pending(),
            "an attempt is under way"
        );
        assert!(poll(std::pin::pin!(stops.turn(&name))).is_pending());
        drop(turn);
        assert!(poll(stopped.as_mut()).is_ready());
    }

    #[test]
    fn a_stop_ends_and_keeps_no_later_session_of_the_name_from_its_completion() {
        let stops = Stops::default();
        let name: DumpName = "s".parse().unwrap();
        stops.stop(&name, Duration::ZERO);
        stops.expire(LASTING - Duration::from_secs(1));
        assert!(stops.is_stopped(&name));
        stops.expire(LASTING);
        assert!(!stops.is_stopped(&name));
        assert!(poll(std::pin::pin!(stops.turn(&name))).is_ready());
    }
}
