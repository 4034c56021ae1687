//! Its work queue.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::{MemoryNode, Shared};
use crate::{BoxFuture, ClusterError, DumpName, Task, TaskLease, Work, WorkQueue};

/// Work that was put aside.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// The work.
    pub work: Work,
    /// How often it was tried.
    pub attempts: u32,
    /// What the last worker said.
    pub reason: String,
}

#[derive(Debug)]
pub(super) struct Queue {
    attempts: u32,
    waiting: VecDeque<Waiting>,
    given: Vec<Given>,
    dead: Vec<DeadLetter>,
    next_lease: u64,
    /// Those who wait for something to do.
    wakers: Vec<Waker>,
}

#[derive(Debug, Clone)]
struct Waiting {
    work: Work,
    /// Attempts made before.
    attempts: u32,
}

#[derive(Debug)]
struct Given {
    lease: u64,
    node: Arc<str>,
    task: Waiting,
}

struct Lease {
    shared: Arc<Shared>,
    lease: u64,
}

impl Queue {
    pub(super) fn new(attempts: u32) -> Self {
        Self {
            attempts,
            waiting: VecDeque::new(),
            given: Vec::new(),
            dead: Vec::new(),
            next_lease: 0,
            wakers: Vec::new(),
        }
    }

    pub(super) fn dead_letters(&self) -> Vec<DeadLetter> {
        self.dead.clone()
    }

    /// Whether somebody was told that a log is to be completed.
    pub(super) fn knows(&self, log: &DumpName) -> bool {
        let waiting = self.waiting.iter().map(|task| &task.work);
        let given = self.given.iter().map(|given| &given.task.work);
        let dead = self.dead.iter().map(|letter| &letter.work);
        let mut all = waiting.chain(given).chain(dead);
        all.any(|work| is_about(work, log))
    }

    /// Gives the tasks of a node to others.
    pub(super) fn give_back(&mut self, node: &str) {
        let lost: Vec<u64> = self
            .given
            .iter()
            .filter(|given| *given.node == *node)
            .map(|given| given.lease)
            .collect();
        for lease in lost {
            self.again(lease, "its worker is gone");
        }
    }

    fn push(&mut self, work: &Work) {
        let is_waiting = self.waiting.iter().any(|task| is_same(&task.work, work));
        let is_given = self
            .given
            .iter()
            .any(|given| is_same(&given.task.work, work));
        if is_waiting || is_given {
            return;
        }
        self.dead.retain(|letter| !is_same(&letter.work, work));
        self.add(Waiting {
            work: work.clone(),
            attempts: 0,
        });
    }

    fn add(&mut self, task: Waiting) {
        self.waiting.push_back(task);
        self.wakers.drain(..).for_each(Waker::wake);
    }

    fn take(&mut self, node: &Arc<str>) -> Option<(u64, Waiting)> {
        let mut task = self.waiting.pop_front()?;
        task.attempts += 1;
        self.next_lease += 1;
        self.given.push(Given {
            lease: self.next_lease,
            node: Arc::clone(node),
            task: task.clone(),
        });
        Some((self.next_lease, task))
    }

    /// Ends a lease; `None` if another worker has the task.
    fn end(&mut self, lease: u64) -> Option<Waiting> {
        let at = self.given.iter().position(|given| given.lease == lease)?;
        Some(self.given.swap_remove(at).task)
    }

    /// An attempt ended without success.
    fn again(&mut self, lease: u64, reason: &str) {
        let Some(task) = self.end(lease) else { return };
        if task.attempts < self.attempts {
            return self.add(task);
        }
        self.dead.push(DeadLetter {
            work: task.work,
            attempts: task.attempts,
            reason: reason.to_owned(),
        });
    }
}

fn is_about(work: &Work, log: &DumpName) -> bool {
    matches!(work, Work::Complete { name, .. } if name == log)
}

/// Whether doing one of them does the other. What one node knows of a session and another does not makes
/// no difference.
fn is_same(one: &Work, other: &Work) -> bool {
    match other {
        Work::Complete { name, .. } => is_about(one, name),
        Work::Extract { .. } => one == other,
    }
}

impl WorkQueue for MemoryNode {
    fn push(&self, work: &Work) -> BoxFuture<'_, Result<(), ClusterError>> {
        let state = self.for_cluster("push work");
        super::ready(state.map(|mut state| state.queue.push(work)))
    }

    fn take(&self) -> BoxFuture<'_, Result<Task, ClusterError>> {
        Box::pin(poll_fn(|context| {
            let mut state = match self.for_cluster("take work") {
                Ok(state) => state,
                Err(error) => return Poll::Ready(Err(error)),
            };
            let Some((lease, task)) = state.queue.take(&self.name) else {
                let waker = context.waker();
                if !state.queue.wakers.iter().any(|own| own.will_wake(waker)) {
                    state.queue.wakers.push(waker.clone());
                }
                return Poll::Pending;
            };
            let lease = Lease {
                shared: Arc::clone(&self.shared),
                lease,
            };
            Poll::Ready(Ok(Task {
                work: task.work,
                attempt: task.attempts,
                lease: Box::new(lease),
            }))
        }))
    }
}

impl TaskLease for Lease {
    /// Nominal: a worker is lost when the test says so, or when it drops its lease.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn extend(&self) -> BoxFuture<'_, Result<(), ClusterError>> {
        let is_held = {
            let state = self.shared.state();
            let mut given = state.queue.given.iter();
            given.any(|given| given.lease == self.lease)
        };
        let lost = || ClusterError::new("extend a lease", "another worker has the task");
        super::ready(if is_held { Ok(()) } else { Err(lost()) })
    }

    fn done(&self) -> BoxFuture<'_, Result<(), ClusterError>> {
        self.shared.state().queue.end(self.lease);
        super::ready(Ok(()))
    }

    fn failed(&self, reason: &str) -> BoxFuture<'_, Result<(), ClusterError>> {
        self.shared.state().queue.again(self.lease, reason);
        super::ready(Ok(()))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.queue.again(self.lease, "its worker gave it up");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryCluster;
    use crate::testing::block_on;

    fn work(name: &str) -> Work {
        Work::Extract {
            name: name.parse().unwrap(),
        }
    }

    #[test]
    fn a_task_of_a_lost_worker_is_given_to_another() {
        let cluster = MemoryCluster::new(1 << 20);
        let (a, b) = (cluster.node("a"), cluster.node("b"));
        block_on(a.push(&work("s"))).unwrap();
        block_on(b.push(&work("s"))).unwrap();
        let task = block_on(a.take()).unwrap();
        assert_eq!((task.work, task.attempt), (work("s"), 1));
        block_on(b.push(&work("s"))).unwrap();
        block_on(b.push(&work("t"))).unwrap();
        assert_eq!(
            block_on(b.take()).unwrap().work,
            work("t"),
            "once at a time"
        );
        cluster.presume_dead("a");
        assert!(block_on(task.lease.extend()).is_err());
        drop(task.lease);
        let again = std::iter::from_fn(|| {
            let task = block_on(b.take()).unwrap();
            block_on(task.lease.done()).unwrap();
            Some((task.work, task.attempt))
        });
        assert_eq!(again.take(2).last(), Some((work("s"), 2)));
    }

    #[test]
    fn what_fails_too_often_is_put_aside_with_the_reason() {
        let cluster = MemoryCluster::with_attempts(1 << 20, 2);
        let node = cluster.node("a");
        block_on(node.push(&work("s"))).unwrap();
        for reason in ["first", "second"] {
            assert_eq!(cluster.dead_letters(), []);
            let task = block_on(node.take()).unwrap();
            block_on(task.lease.failed(reason)).unwrap();
        }
        let letter = DeadLetter {
            work: work("s"),
            attempts: 2,
            reason: "second".to_owned(),
        };
        assert_eq!(cluster.dead_letters(), [letter]);
        block_on(node.push(&work("s"))).unwrap();
        assert_eq!(cluster.dead_letters(), [], "pushed again");
        assert_eq!(block_on(node.take()).unwrap().attempt, 1);
    }
}
