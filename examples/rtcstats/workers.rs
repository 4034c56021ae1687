//! Work on several cores at a time.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use rayon::ThreadPoolBuilder;

/// How far workers may be ahead of the result that is due, so that one that takes long does not make
/// the others pile up: enough to go on beside an input that takes as long as 64 others, and some
/// megabytes if results have ten or twenty kilobytes.
pub(crate) const BEGUN_PER_WORKER: usize = 64;

/// Does `work` on each of the inputs, as many at a time as there are `workers`, and gives the results
/// to `take` in the order of the inputs, on the thread of the caller.
///
/// At most 64 inputs a worker are begun and not taken.
///
/// # Errors
///
/// If there can be no threads, and those of `take`. No input is begun after one.
pub(crate) fn in_order<I: Send, R: Send>(
    workers: usize,
    mut inputs: impl Iterator<Item = I>,
    work: impl Fn(I) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let pool = ThreadPoolBuilder::new().num_threads(workers).build()?;
    let is_stopped = AtomicBool::new(false);
    let (work, is_stopped) = (&work, &is_stopped);
    pool.in_place_scope_fifo(|scope| {
        let mut begun = VecDeque::new();
        loop {
            while begun.len() < workers.saturating_mul(BEGUN_PER_WORKER)
                && let Some(input) = inputs.next()
            {
                let (sender, receiver) = mpsc::sync_channel(1);
                scope.spawn_fifo(move |_| {
                    if !is_stopped.load(Ordering::Relaxed) {
                        // Nobody waits for it any more if there was an error.
                        let _ = sender.send(work(input));
                    }
                });
                begun.push_back(receiver);
            }
            let Some(first) = begun.pop_front() else {
                return Ok(());
            };
            let Ok(result) = first.recv() else {
                // Work has panicked, and the scope does so too.
                return Ok(());
            };
            if let Err(error) = take(result) {
                is_stopped.store(true, Ordering::Relaxed);
                return Err(error);
            }
        }
    })
}
