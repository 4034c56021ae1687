//! Futures of the storage traits, completed from threads.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// What the methods of the storage traits return: a future behind a pointer, so that the traits can be
/// used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Completes a [`Completion`]. Dropped without a value, it completes with `None`.
#[derive(Debug)]
pub(crate) struct Completer<T>(Arc<Mutex<State<T>>>);

/// The future of a value that another thread provides.
#[derive(Debug)]
pub(crate) struct Completion<T>(Arc<Mutex<State<T>>>);

#[derive(Debug)]
enum State<T> {
    Waiting(Option<Waker>),
    Done(Option<T>),
}

pub(crate) fn completion<T>() -> (Completer<T>, Completion<T>) {
    let state = Arc::new(Mutex::new(State::Waiting(None)));
    (Completer(Arc::clone(&state)), Completion(state))
}

/// Blocks this thread until the value is there. The caller knows that it will be.
#[cfg(feature = "jetstream")]
pub(crate) fn wait<T>(completion: Completion<T>) -> Option<T> {
    struct Unpark(std::thread::Thread);

    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut completion = std::pin::pin!(completion);
    loop {
        if let Poll::Ready(value) = completion.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::park();
    }
}

impl<T> Completer<T> {
    pub(crate) fn complete(self, value: T) {
        self.settle(Some(value));
    }

    fn settle(&self, value: Option<T>) {
        let waker = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let State::Waiting(waker) = &mut *state else {
                return;
            };
            let waker = waker.take();
            *state = State::Done(value);
            waker
        };
        // Not under the lock: an executor may poll right here.
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Completer<T> {
    fn drop(&mut self) {
        self.settle(None);
    }
}

impl<T> Future for Completion<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Done(value) => Poll::Ready(value.take()),
            State::Waiting(Some(waker)) if waker.will_wake(context.waker()) => Poll::Pending,
            State::Waiting(waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
