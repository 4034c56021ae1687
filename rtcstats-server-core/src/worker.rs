//! Threads for work that blocks, so that async callers do not.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread::{self, JoinHandle};

use crate::BoxFuture;
use crate::future::completion;

/// Some threads behind a bounded queue. While it is full, futures wait.
#[derive(Debug)]
pub(crate) struct Worker {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

type Job = Box<dyn FnOnce() + Send>;

struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Those who wait for room.
    waiting: Vec<Waker>,
    closed: bool,
}

impl Worker {
    /// Starts `threads` threads, and queues at most `capacity` jobs.
    pub(crate) fn start(name: &str, threads: usize, capacity: usize) -> io::Result<Self> {
        let mut worker = Self {
            queue: Arc::new(Queue {
                state: Mutex::default(),
                changed: Condvar::new(),
                capacity: capacity.max(1),
            }),
            threads: Vec::new(),
        };
        for _ in 0..threads.max(1) {
            let queue = Arc::clone(&worker.queue);
            let thread = thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || queue.work())?;
            worker.threads.push(thread);
        }
        Ok(worker)
    }

    /// Does a job on a thread. `None` if the job panicked. A job whose future is dropped is done if it
    /// was queued already.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> BoxFuture<'static, Option<T>> {
        let (done, result) = completion();
        let mut job: Option<Job> = Some(Box::new(move || done.complete(job())));
        let queue = Arc::clone(&self.queue);
        Box::pin(async move {
            poll_fn(|context| queue.poll_push(&mut job, context.waker())).await;
            result.await
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let jobs = {
            let mut state = self.queue.lock();
            state.closed = true;
            std::mem::take(&mut state.jobs)
        };
        drop(jobs);
        self.queue.changed.notify_all();
        for thread in self.threads.drain(..) {
            // It does not panic; jobs that do are caught.
            let _ = thread.join();
        }
    }
}

impl Queue {
    fn poll_push(&self, job: &mut Option<Job>, waker: &Waker) -> Poll<()> {
        let mut state = self.lock();
        if state.jobs.len() >= self.capacity && !state.closed {
            if !state.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
                state.waiting.push(waker.clone());
            }
            return Poll::Pending;
        }
        // Closed: the job is dropped, and its future learns.
        if let Some(job) = job.take().filter(|_| !state.closed) {
            state.jobs.push_back(job);
        }
        drop(state);
        self.changed.notify_one();
        Poll::Ready(())
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("a job of a storage thread panicked");
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                // All of them, as some may have been given up: the others wait again.
                let waiting = std::mem::take(&mut state.waiting);
                drop(state);
                waiting.into_iter().for_each(Waker::wake);
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Queue").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::testing::block_on;

    #[test]
    fn a_full_queue_delays_and_loses_nothing() {
        let worker = Worker::start("test", 2, 1).unwrap();
        let results: Vec<Option<usize>> = thread::scope(|scope| {
            let callers: Vec<_> = (0..50)
                .map(|number| {
                    let worker = &worker;
                    scope.spawn(move || {
                        block_on(worker.run(move || {
                            thread::sleep(Duration::from_micros(100));
                            number
                        }))
                    })
                })
                .collect();
            let results = callers.into_iter().map(|caller| caller.join().unwrap());
            results.collect()
        });
        assert_eq!(results, (0..50).map(Some).collect::<Vec<_>>());
    }

    #[test]
    fn a_job_that_panics_fails_alone() {
        let worker = Worker::start("test", 1, 8).unwrap();
        assert_eq!(
            block_on(worker.run(|| -> u8 { panic!("as intended") })),
            None
        );
        assert_eq!(block_on(worker.run(|| 7)), Some(7));
    }

    #[test]
    fn a_caller_that_gives_up_while_waiting_blocks_nobody() {
        let worker = Worker::start("test", 1, 1).unwrap();
        let (go, wait) = mpsc::channel::<()>();
        let blocked = thread::scope(|scope| {
            let worker = &worker;
            let first = scope.spawn(move || block_on(worker.run(move || wait.recv().is_ok())));
            drop(worker.run(|| ()));
            let second = scope.spawn(move || block_on(worker.run(|| 2)));
            go.send(()).unwrap();
            (first.join().unwrap(), second.join().unwrap())
        });
        assert_eq!(blocked, (Some(true), Some(2)));
    }
}
