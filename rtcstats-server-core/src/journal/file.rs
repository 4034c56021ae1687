//! A journal in one directory: group commit through a write-ahead log that all logs share.
//!
//! What is synced when, and why that is enough, is told at [`FileJournal`].

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Append, Journal, JournalEntry, JournalError, JournalErrorKind, JournalOperation};
use crate::future::{Completer, completion};
use crate::{BoxFuture, DumpName};

mod checkpoint;
mod disk;
mod group;
mod log;
mod plan;
mod queue;
mod record;
mod recovery;
mod segment;
#[cfg(test)]
mod simulation;
mod wal;
mod writer;

use disk::{Disk, RealDisk};
use log::Layout;
use queue::{Command, Queue};
pub use recovery::RecoveryReport;
use writer::Writer;

/// A [`Journal`] in one directory, shared by all sessions of the process.
///
/// ```
/// use rtcstats_server_core::{Append, FileJournal, FileJournalOptions, Journal};
///
/// # let directory = tempfile::tempdir()?;
/// # let directory = directory.path().join("journal");
/// let (journal, report) = FileJournal::open(&directory, FileJournalOptions::default())?;
/// assert_eq!(report.open_logs, 0);
/// let append = Append { name: "7c9e6679".parse()?, lines: "[\"create\",\"PC_0\",{},1]\n".into() };
/// let durable = journal.append(vec![append]);
/// # let _ = durable;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Dropping it waits until what is queued was written, and leaves the rest to the next
/// [`open`](Self::open), as a crash does; [`close`](Journal::close) also empties the write-ahead log.
///
/// # Files
///
/// ```text
/// lock                     held by the process that uses the directory
/// wal/<n>.log              the write-ahead log, in segments
/// open/<name>.jsonl        live logs, each exactly the text of its dump
/// finished/<name>.jsonl    finished logs
/// ```
///
/// The logs can be looked at at any time; writing there is the journal's alone. The file system must
/// tell upper from lower case; where it does not, a log whose name differs from another only in case
/// is refused.
///
/// # How an append becomes durable
///
/// One thread takes what all sessions queued since it last looked, up to
/// [`group_bytes`](FileJournalOptions::group_bytes), and
///
/// 1. writes it to the write-ahead log with one `write`,
/// 2. syncs the write-ahead log (`fdatasync`): **this one sync is the promise** for everything in the
///    group, whatever number of logs it goes to,
/// 3. writes the lines to the files of the logs, which are not synced, and resolves the futures.
///
/// The order matters: as nothing reaches the files before it is durable in the write-ahead log, the
/// log can always say how long each file must be, whatever part of it the system wrote back by itself.
///
/// When a segment of the write-ahead log is full, another one is begun, and a checkpoint makes the full
/// ones superfluous on another thread: it syncs the files of all logs that were written, and their
/// directories, and only then deletes the segments, oldest first. Appends go on meanwhile.
///
/// # After a crash
///
/// Every record has a checksum, its log, and the offset of its lines therein, so it can be applied any
/// number of times. Opening the journal makes the end of the write-ahead log durable (a killed
/// process may not have come to it), applies all records, cuts the files to the lengths they say, and
/// moves or removes what was finished or removed. A torn record at the end is ignored. Each segment
/// tells where the one before it ended; so it shows if something committed is missing, and a group
/// whose sync failed is never taken for committed later. What was torn, cut or lost is in the
/// [`RecoveryReport`].
///
/// # What each sync promises
///
/// | sync of | when | so that |
/// |---|---|---|
/// | the active segment | before the futures of a group resolve | the group survives power loss |
/// | the header of a new segment, and `wal/` | before the first record goes there | the segment is found again |
/// | the files of logs, `finished/`, `open/` | before segments are deleted | they are not needed any more |
/// | `wal/` | after segments were deleted | what comes back of them is recognized by a gap in the numbers |
/// | the last segment, written again | before recovery does what it says | what was recovered is not lost after all |
///
/// # When the store fails
///
/// A failed write or sync of the write-ahead log fails all operations of its group. The segment is not
/// used again, since after a failed sync nobody can tell what of it is on the disk; it counts up to the
/// last successful sync. A failed sync of a log's file fails nothing that was acknowledged, because
/// the write-ahead log still has it; it is not deleted before all it has was written again, and
/// synced. Until a new segment could be written, which is tried with the next operation but not within
/// [`retry`](FileJournalOptions::retry), everything that writes fails; reads go on.
///
/// A full disk is such a failure: nothing is acknowledged, and appends work again once there is space. What
/// a failed write left behind the end of a log is cut off before the write-ahead log goes.
pub struct FileJournal {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

/// How a [`FileJournal`] works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileJournalOptions {
    /// What is synced when. Default [`SyncPolicy::Batched`].
    pub sync: SyncPolicy,
    /// Size at which a segment of the write-ahead log is full. Default 64 MiB: some seconds of tens of
    /// thousands of sessions, and read again within a second after a crash. The write-ahead log takes
    /// two to three times as much, more if the disk is slow to sync the files of many logs.
    pub segment_bytes: u64,
    /// How much is written before a sync, at most, but for the last batch. Default 8 MiB: what a disk
    /// writes in some hundredths of a second.
    pub group_bytes: usize,
    /// How much may wait to be written. Up to it futures wait, past it appends fail with
    /// [`JournalErrorKind::OverLimit`], as does a batch that is larger by itself. Default 256 MiB: some
    /// KiB for each of tens of thousands of sessions while the disk hangs.
    pub queue_bytes: usize,
    /// How many files of logs are kept open. Default 512, half of the usual limit of a process. The
    /// journal opens some more for short moments, and one for each reader.
    pub open_files: usize,
    /// How long a failed store is left alone before it is tried again. Default one second.
    pub retry: Duration,
}

/// When the write-ahead log is synced, and so what an acknowledged append survives.
///
/// | | process killed | power loss, crash of the system |
/// |---|---|---|
/// | `Batched` | everything | everything |
/// | `Interval` | everything | all but the last interval |
/// | `Never` | everything | what the system happened to write back |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncPolicy {
    /// Before futures resolve, once for all that are queued.
    Batched,
    /// Futures resolve when the system has taken the lines; the sync follows within this time.
    ///
    /// A log that was written shortly before a power loss is cut at the last whole line.
    Interval(Duration),
    /// Only by [`Journal::close`]. Segments are deleted without syncing anything.
    Never,
}

impl Default for FileJournalOptions {
    fn default() -> Self {
        Self {
            sync: SyncPolicy::Batched,
            segment_bytes: 64 << 20,
            group_bytes: 8 << 20,
            queue_bytes: 256 << 20,
            open_files: 512,
            retry: Duration::from_secs(1),
        }
    }
}

impl FileJournal {
    /// Opens the journal in a directory, which is created if need be, and recovers what a crash left
    /// behind. This takes the time to read the write-ahead log and to look at the end of each file.
    ///
    /// # Errors
    ///
    /// [`JournalErrorKind::Locked`] if a journal is open there already, in this process or another;
    /// otherwise those of the file system.
    pub fn open(
        directory: impl AsRef<Path>,
        options: FileJournalOptions,
    ) -> Result<(Self, RecoveryReport), JournalError> {
        let directory = directory.as_ref();
        let lock = lock::acquire(directory)?;
        Self::open_on(Arc::new(RealDisk), directory, options, Some(lock))
    }

    fn open_on(
        disk: Arc<dyn Disk>,
        directory: &Path,
        options: FileJournalOptions,
        lock: Option<std::fs::File>,
    ) -> Result<(Self, RecoveryReport), JournalError> {
        let queue = Arc::new(Queue::new(options.queue_bytes));
        let layout = Layout::new(directory);
        let (writer, report) =
            Writer::open(disk, layout, options, Arc::clone(&queue), lock).map_err(open_error)?;
        let thread = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(open_error)?;
        let journal = Self {
            queue,
            thread: Some(thread),
        };
        Ok((journal, report))
    }

    /// Queues an operation, at once, and yields the future of its result.
    fn call<T: Send + 'static>(
        &self,
        operation: JournalOperation,
        log: Option<&DumpName>,
        command: impl FnOnce(Completer<Result<T, JournalError>>) -> Command,
    ) -> BoxFuture<'_, Result<T, JournalError>> {
        let (done, result) = completion();
        self.queue.push(command(done));
        let log = log.cloned();
        Box::pin(async move {
            result
                .await
                .unwrap_or_else(|| Err(JournalError::new(operation, log, JournalErrorKind::Closed)))
        })
    }
}

impl Journal for FileJournal {
    fn append(&self, batch: Vec<Append>) -> BoxFuture<'_, Result<(), JournalError>> {
        self.call(JournalOperation::Append, None, |done| Command::Append {
            batch,
            done,
        })
    }

    fn read(
        &self,
        name: &DumpName,
    ) -> BoxFuture<'_, Result<Box<dyn BufRead + Send>, JournalError>> {
        self.call(JournalOperation::Read, Some(name), |done| Command::Read {
            name: name.clone(),
            done,
        })
    }

    fn finish(&self, name: &DumpName) -> BoxFuture<'_, Result<(), JournalError>> {
        self.call(JournalOperation::Finish, Some(name), |done| {
            Command::Finish {
                name: name.clone(),
                done,
            }
        })
    }

    fn remove(&self, name: &DumpName) -> BoxFuture<'_, Result<(), JournalError>> {
        self.call(JournalOperation::Remove, Some(name), |done| {
            Command::Remove {
                name: name.clone(),
                done,
            }
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<JournalEntry>, JournalError>> {
        self.call(JournalOperation::List, None, |done| Command::List { done })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        let (done, result) = completion();
        self.queue.push(Command::Close { done });
        // Without a result it was closed already.
        Box::pin(async move { result.await.unwrap_or(Ok(())) })
    }
}

impl Drop for FileJournal {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // If it panicked, the futures were told.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for FileJournal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FileJournal")
            .finish_non_exhaustive()
    }
}

fn open_error(error: std::io::Error) -> JournalError {
    let kind = group::failure_kind(Arc::new(error));
    JournalError::new(JournalOperation::Open, None, kind)
}

fn unix_ms(time: Option<SystemTime>) -> f64 {
    let time = time.unwrap_or_else(SystemTime::now);
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64() * 1e3)
}

mod lock {
    //! One journal a directory.
    //!
    //! The system gives the lock back when the process ends, however it does.

    use std::fs::{File, OpenOptions};
    use std::path::Path;

    use super::{JournalError, JournalErrorKind, JournalOperation, open_error};

    pub(super) fn acquire(directory: &Path) -> Result<File, JournalError> {
        std::fs::create_dir_all(directory).map_err(open_error)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join("lock"))
            .map_err(open_error)?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => Ok(file),
            Err(fs4::TryLockError::WouldBlock) => Err(JournalError::new(
                JournalOperation::Open,
                None,
                JournalErrorKind::Locked,
            )),
            Err(fs4::TryLockError::Error(error)) => Err(open_error(error)),
        }
    }
}
