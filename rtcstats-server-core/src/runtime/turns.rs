//! Turns at sessions.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use foldhash::fast::RandomState;
use rtcstats_proto::jitsi::SessionId;
use tokio::sync::Notify;

use super::lock;

/// Who does something with a session that must not be disturbed.
#[derive(Default)]
pub(super) struct Turns {
    busy: Mutex<HashMap<SessionId, usize, RandomState>>,
    changed: Notify,
}

/// A turn at a session, until it is dropped.
pub(super) struct Turn {
    turns: Arc<Turns>,
    id: SessionId,
}

impl Turns {
    /// Takes a turn at once, beside others.
    pub(super) fn join(self: &Arc<Self>, id: &SessionId) -> Turn {
        *lock(&self.busy).entry(id.clone()).or_default() += 1;
        self.turn(id)
    }

    /// Takes a turn when nobody has one.
    pub(super) async fn alone(self: &Arc<Self>, id: &SessionId) -> Turn {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Before looking, so that no change is missed.
            changed.as_mut().enable();
            if self.begin(id) {
                return self.turn(id);
            }
            changed.await;
        }
    }

    /// Waits until nobody has a turn at anything.
    pub(super) async fn all_over(&self) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if lock(&self.busy).is_empty() {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn is_busy(&self, id: &SessionId) -> bool {
        lock(&self.busy).contains_key(id)
    }

    fn begin(&self, id: &SessionId) -> bool {
        let mut busy = lock(&self.busy);
        if busy.contains_key(id) {
            return false;
        }
        busy.insert(id.clone(), 1);
        true
    }

    fn turn(self: &Arc<Self>, id: &SessionId) -> Turn {
        Turn {
            turns: Arc::clone(self),
            id: id.clone(),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut busy = lock(&self.turns.busy);
        if let Some(count) = busy.get_mut(&self.id) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                busy.remove(&self.id);
                drop(busy);
                self.turns.changed.notify_waiters();
            }
        }
    }
}
