//! Workers of the command line: order, and how far they run ahead.

// An example is no library.
#[path = "../rtcstats/workers.rs"]
mod workers;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use workers::{BEGUN_PER_WORKER, in_order};

#[test]
fn results_come_in_the_order_of_the_inputs() {
    for workers in [1, 2, 7] {
        let mut results = Vec::new();
        let work = |number: u64| {
            sleep(Duration::from_millis(number % 3));
            number
        };
        let take = |number| {
            results.push(number);
            Ok(())
        };
        in_order(workers, 0..200, work, take).unwrap();
        assert_eq!(results, Vec::from_iter(0..200));
    }
}

#[test]
fn workers_do_not_run_far_ahead_of_one_that_takes_long() {
    let begun = AtomicUsize::new(0);
    let work = |number: usize| {
        begun.fetch_add(1, Ordering::Relaxed);
        if number == 0 {
            sleep(Duration::from_millis(200));
        }
        begun.load(Ordering::Relaxed)
    };
    let mut begun_with_first = None;
    let take = |begun| {
        begun_with_first.get_or_insert(begun);
        Ok(())
    };
    in_order(2, 0..1_000, work, take).unwrap();
    let begun_with_first = begun_with_first.unwrap();
    assert!(
        begun_with_first <= 2 * BEGUN_PER_WORKER,
        "{begun_with_first}"
    );
    assert_eq!(begun.into_inner(), 1_000);
}

#[test]
fn nothing_is_begun_after_an_error() {
    let begun = AtomicUsize::new(0);
    let work = |_| {
        begun.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(5));
    };
    in_order(2, 0..1_000, work, |()| Err("the disk is full".into())).unwrap_err();
    assert!(begun.into_inner() < 2 * BEGUN_PER_WORKER);
}
