//! Checkpoints: once the log files themselves are durable, the write-ahead log may go.

use std::io::{self, ErrorKind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use super::disk::{Disk, OpenMode};
use super::log::Layout;
use super::queue::Queue;
use super::wal::remove_segments;
use crate::DumpName;

/// What one checkpoint does.
pub(super) struct Job {
    /// Segments, oldest first, to be deleted.
    pub(super) segments: Vec<u64>,
    /// Every log that may have something that is in these segments only.
    pub(super) dirty: Vec<DumpName>,
}

pub(super) struct Outcome {
    pub(super) job: Job,
    pub(super) result: Result<(), CheckpointError>,
}

pub(super) enum CheckpointError {
    /// A log could not be synced. What the file system has of it is unknown: it must be written
    /// again before the next attempt.
    Sync(io::Error),
    /// Something else; it can be tried again.
    Other(io::Error),
}

/// Makes the dirty logs durable, then deletes the segments.
pub(super) fn checkpoint(
    disk: &dyn Disk,
    layout: &Layout,
    job: &Job,
    syncs: bool,
) -> Result<(), CheckpointError> {
    if syncs {
        for name in &job.dirty {
            sync_log(disk, layout, name)?;
        }
        // In this order a file that was moved is in one of them at any time.
        for dir in [&layout.finished, &layout.open] {
            disk.sync_dir(dir).map_err(CheckpointError::Sync)?;
        }
    }
    remove_segments(disk, &layout.wal, &job.segments).map_err(CheckpointError::Other)
}

/// Syncs a log wherever it is. One that is nowhere was removed.
fn sync_log(disk: &dyn Disk, layout: &Layout, name: &DumpName) -> Result<(), CheckpointError> {
    for finished in [false, true] {
        match disk.open(&layout.log(name, finished), OpenMode::Write) {
            Ok(mut file) => return file.sync().map_err(CheckpointError::Sync),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(CheckpointError::Other(error)),
        }
    }
    Ok(())
}

/// Does checkpoints on a thread of its own, since thousands of files take their time.
pub(super) struct Checkpointer {
    /// Absent once stopped.
    thread: Option<(Sender<Job>, JoinHandle<()>)>,
    outcomes: Receiver<Outcome>,
    running: bool,
}

impl Checkpointer {
    pub(super) fn spawn(
        disk: Arc<dyn Disk>,
        layout: Layout,
        queue: Weak<Queue>,
        syncs: bool,
    ) -> io::Result<Self> {
        let (jobs, todo) = mpsc::channel::<Job>();
        let (done, outcomes) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("journal-checkpoint".to_owned())
            .spawn(move || {
                for job in todo {
                    let result = checkpoint(&*disk, &layout, &job, syncs);
                    if done.send(Outcome { job, result }).is_err() {
                        return;
                    }
                    if let Some(queue) = queue.upgrade() {
                        queue.poke();
                    }
                }
            })?;
        Ok(Self {
            thread: Some((jobs, thread)),
            outcomes,
            running: false,
        })
    }

    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    /// Gives the job back if there is no thread any more.
    pub(super) fn start(&mut self, job: Job) -> Result<(), Job> {
        let Some((jobs, _)) = &self.thread else {
            return Err(job);
        };
        jobs.send(job).map_err(|mpsc::SendError(job)| job)?;
        self.running = true;
        Ok(())
    }

    /// How the running checkpoint ended, once it has.
    pub(super) fn outcome(&mut self) -> Option<Outcome> {
        let outcome = self.outcomes.try_recv().ok()?;
        self.running = false;
        Some(outcome)
    }

    /// Waits for the running checkpoint, if there is one, and ends the thread.
    pub(super) fn stop(&mut self) -> Option<Outcome> {
        let (jobs, thread) = self.thread.take()?;
        drop(jobs);
        // A checkpoint that panicked has no outcome.
        let _ = thread.join();
        self.outcome()
    }
}
