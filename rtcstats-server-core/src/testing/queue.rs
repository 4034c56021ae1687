//! The contract of work queues.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use super::{block_on, name};
use crate::{BoxFuture, ClusterError, DumpName, SessionFacts, Task, Work, WorkQueue};

/// Holds a [`WorkQueue`] to its contract. `make` opens the queue of two nodes of a new, empty deployment at
/// each call, which gives a task up after `attempts` attempts; how long a lost worker is waited for, and how
/// long a failed task pauses, should be short. `put_aside` tells what was put aside, with reasons.
///
/// # Panics
///
/// At the first thing the contract forbids.
pub fn queue_contract<Q: WorkQueue>(
    attempts: u32,
    make: impl Fn() -> (Q, Q),
    put_aside: impl Fn(&Q) -> Vec<(DumpName, String)>,
) {
    work_is_given_out_and_done(&make());
    waiting_work_is_queued_once(&make());
    work_that_is_done_can_be_pushed_again(&make());
    each_worker_gets_other_work(&make());
    a_dropped_take_takes_nothing(&make());
    a_failed_task_is_tried_again(&make());
    a_lost_worker_loses_its_task(&make());
    a_slow_worker_that_says_so_keeps_its_task(&make());
    a_task_that_keeps_failing_is_put_aside(attempts, &make(), &put_aside);
    a_task_whose_workers_are_lost_is_put_aside(attempts, &make(), &put_aside);
}

fn done<T>(future: BoxFuture<'_, Result<T, ClusterError>>) -> T {
    block_on(future).unwrap_or_else(|error| panic!("{error}: {error:?}"))
}

fn complete(id: &str) -> Work {
    let facts = SessionFacts {
        events: 3,
        started_ms: 1_700_000_000_000,
        continues_from: Some(2),
        ..SessionFacts::default()
    };
    Work::Complete {
        name: name(id),
        facts: Box::new(facts),
        bytes: 1 << 40,
    }
}

/// Whether there is nothing to take for a while.
fn is_empty(queue: &impl WorkQueue, time: Duration) -> bool {
    let mut take = pin!(queue.take());
    let deadline = Instant::now() + time;
    loop {
        let taken = block_on(poll_fn(|context| {
            Poll::Ready(take.as_mut().poll(context).is_ready())
        }));
        if taken {
            return false;
        }
        if Instant::now() > deadline {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn work_is_given_out_and_done<Q: WorkQueue>((a, b): &(Q, Q)) {
    let extract = Work::Extract {
        name: name("b").next(),
    };
    for work in [complete("a"), extract] {
        done(a.push(&work));
        let task = done(b.take());
        assert_eq!((&task.work, task.attempt), (&work, 1));
        done(task.lease.done());
    }
    assert!(is_empty(a, Duration::from_millis(100)));
}

fn waiting_work_is_queued_once<Q: WorkQueue>((a, b): &(Q, Q)) {
    let work = complete("a");
    done(a.push(&work));
    done(b.push(&work));
    let task = done(a.take());
    done(b.push(&work));
    assert!(is_empty(b, Duration::from_millis(100)));
    done(task.lease.done());
    assert!(is_empty(b, Duration::from_millis(100)));
}

fn work_that_is_done_can_be_pushed_again<Q: WorkQueue>((a, b): &(Q, Q)) {
    for _ in 0..3 {
        done(a.push(&complete("a")));
        done(done(b.take()).lease.done());
    }
    assert!(is_empty(b, Duration::from_millis(100)));
}

fn each_worker_gets_other_work<Q: WorkQueue>((a, b): &(Q, Q)) {
    const TASKS: usize = 20;
    for number in 0..TASKS {
        done(a.push(&complete(&format!("n{number}"))));
    }
    let taken: Vec<Task> = thread::scope(|scope| {
        let workers: Vec<_> = (0..TASKS)
            .map(|number| {
                let queue = if number % 2 == 0 { a } else { b };
                scope.spawn(move || done(queue.take()))
            })
            .collect();
        let taken = workers.into_iter().map(thread::ScopedJoinHandle::join);
        taken.map(|task| task.expect("a worker")).collect()
    });
    let names: BTreeSet<String> = taken
        .iter()
        .map(|task| format!("{:?}", task.work))
        .collect();
    assert_eq!(names.len(), TASKS);
    for task in taken {
        done(task.lease.done());
    }
}

fn a_dropped_take_takes_nothing<Q: WorkQueue>((a, b): &(Q, Q)) {
    assert!(is_empty(a, Duration::from_millis(50)));
    done(b.push(&complete("a")));
    let begin = Instant::now();
    let task = done(b.take());
    assert!(
        begin.elapsed() < task.lease.patience(),
        "it was with a taker that had given up"
    );
    done(task.lease.done());
}

fn a_failed_task_is_tried_again<Q: WorkQueue>((a, b): &(Q, Q)) {
    done(a.push(&complete("a")));
    let first = done(a.take());
    done(first.lease.failed("the disk is full"));
    let second = done(b.take());
    assert_eq!((&second.work, second.attempt), (&complete("a"), 2));
    done(second.lease.done());
    assert!(is_empty(a, Duration::from_millis(100)));
}

fn a_lost_worker_loses_its_task<Q: WorkQueue>((a, b): &(Q, Q)) {
    done(a.push(&complete("a")));
    let lost = done(a.take());
    let patience = lost.lease.patience();
    let begin = Instant::now();
    drop(lost);
    let task = done(b.take());
    assert_eq!((&task.work, task.attempt), (&complete("a"), 2));
    let waited = begin.elapsed();
    assert!(
        waited < patience * 10 + Duration::from_secs(5),
        "{waited:?}"
    );
    done(task.lease.done());
}

fn a_slow_worker_that_says_so_keeps_its_task<Q: WorkQueue>((a, b): &(Q, Q)) {
    done(a.push(&complete("a")));
    let task = done(a.take());
    let patience = task.lease.patience();
    let begin = Instant::now();
    while begin.elapsed() < patience * 2 {
        done(task.lease.extend());
        assert!(is_empty(b, patience / 4), "it was taken away");
    }
    done(task.lease.done());
    assert!(is_empty(b, patience));
}

fn a_task_that_keeps_failing_is_put_aside<Q: WorkQueue>(
    attempts: u32,
    (a, b): &(Q, Q),
    put_aside: impl Fn(&Q) -> Vec<(DumpName, String)>,
) {
    done(a.push(&complete("a")));
    for attempt in 1..=attempts {
        let task = done(b.take());
        assert_eq!(task.attempt, attempt);
        assert!(put_aside(a).is_empty());
        done(task.lease.failed(&format!("reason {attempt}\n\0é")));
    }
    assert!(is_empty(b, Duration::from_millis(200)));
    let aside = put_aside(a);
    let [(name, reason)] = aside.as_slice() else {
        panic!("{} tasks are put aside instead of one", aside.len());
    };
    assert_eq!(name, &super::name("a"));
    let expected = format!("reason {attempts}");
    assert!(reason.starts_with(&expected), "{reason}");
    // Whoever mended what was wrong pushes it again.
    done(a.push(&complete("a")));
    let task = done(b.take());
    assert_eq!(task.attempt, 1);
    done(task.lease.done());
    assert!(put_aside(a).is_empty());
}

fn a_task_whose_workers_are_lost_is_put_aside<Q: WorkQueue>(
    attempts: u32,
    (a, b): &(Q, Q),
    put_aside: impl Fn(&Q) -> Vec<(DumpName, String)>,
) {
    done(a.push(&complete("a")));
    for attempt in 1..=attempts {
        let task = done(b.take());
        assert_eq!(task.attempt, attempt);
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while put_aside(a).is_empty() {
        // Somebody has to ask for work.
        assert!(
            is_empty(b, Duration::from_millis(50)),
            "given out once more"
        );
        assert!(Instant::now() < deadline, "it is never put aside");
    }
    assert_eq!(put_aside(a).len(), 1);
}
