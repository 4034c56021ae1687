//! What waits to be sent on one socket.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::CloseReason;

/// The way to one socket: frames in order, and in the end why it is closed.
///
/// Most of the time it is empty, in every one of tens of thousands of sockets, so it has no memory for
/// frames until there are some.
pub(super) struct Outbox(Arc<Mutex<State>>);

/// The other end of an [`Outbox`].
pub(super) struct OutboxReader(Arc<Mutex<State>>);

/// What a transport has to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// A text frame.
    Text(String),
    /// A close frame; nothing comes after it.
    Close(CloseReason),
}

struct State {
    frames: VecDeque<String>,
    /// What comes after the frames.
    close: Option<CloseReason>,
    waiting: Option<Waker>,
}

pub(super) fn outbox() -> (Outbox, OutboxReader) {
    let state = Arc::new(Mutex::new(State {
        frames: VecDeque::new(),
        close: None,
        waiting: None,
    }));
    (Outbox(Arc::clone(&state)), OutboxReader(state))
}

impl Outbox {
    /// Whether there was room for a frame: at most `limit` of them wait.
    pub(super) fn send(&self, frame: String, limit: usize) -> bool {
        let mut state = lock(&self.0);
        if state.frames.len() >= limit {
            return false;
        }
        state.frames.push_back(frame);
        wake(state);
        true
    }

    /// Closes the socket once the frames are sent.
    pub(super) fn close(self, reason: CloseReason) {
        self.end(reason);
    }

    fn end(&self, reason: CloseReason) {
        let mut state = lock(&self.0);
        state.close.get_or_insert(reason);
        wake(state);
    }
}

impl Drop for Outbox {
    /// Without a reason the server itself is gone.
    fn drop(&mut self) {
        self.end(CloseReason::GoingAway);
    }
}

impl OutboxReader {
    /// The next thing to send. Nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Outgoing {
        poll_fn(|context| {
            let mut state = lock(&self.0);
            if let Some(frame) = state.frames.pop_front() {
                if state.frames.is_empty() {
                    state.frames = VecDeque::new();
                }
                return Poll::Ready(Outgoing::Text(frame));
            }
            if let Some(reason) = state.close {
                return Poll::Ready(Outgoing::Close(reason));
            }
            let waker = context.waker();
            if !state
                .waiting
                .as_ref()
                .is_some_and(|own| own.will_wake(waker))
            {
                state.waiting = Some(waker.clone());
            }
            Poll::Pending
        })
        .await
    }
}

/// Wakes whoever waits, and not under the lock.
fn wake(mut state: MutexGuard<'_, State>) {
    let waiting = state.waiting.take();
    drop(state);
    if let Some(waiting) = waiting {
        waiting.wake();
    }
}

/// No code panics while it holds the lock.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::testing::block_on;

    #[test]
    fn frames_come_in_order_and_the_reason_to_close_after_them() {
        let (sender, mut reader) = outbox();
        assert!(sender.send("1".to_owned(), 2));
        assert!(sender.send("2".to_owned(), 2));
        assert!(!sender.send("3".to_owned(), 2), "there is no room");
        sender.close(CloseReason::Idle);
        let mut next = || block_on(reader.next());
        assert_eq!(next(), Outgoing::Text("1".to_owned()));
        assert_eq!(next(), Outgoing::Text("2".to_owned()));
        assert_eq!(next(), Outgoing::Close(CloseReason::Idle));
        assert_eq!(next(), Outgoing::Close(CloseReason::Idle));
    }

    #[test]
    fn a_reader_that_waits_is_woken() {
        let (sender, mut reader) = outbox();
        thread::scope(|scope| {
            let reading = scope.spawn(move || (block_on(reader.next()), block_on(reader.next())));
            assert!(sender.send("1".to_owned(), 1));
            drop(sender);
            let expected = (
                Outgoing::Text("1".to_owned()),
                Outgoing::Close(CloseReason::GoingAway),
            );
            assert_eq!(reading.join().unwrap(), expected);
        });
    }
}
