//! The thread that writes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use super::checkpoint::Checkpointer;
use super::disk::{Disk, OpenMode};
use super::group::{Group, Step, Write, failure_kind};
use super::log::{Layout, Log, LogFiles, Map};
use super::plan;
use super::queue::{Command, Done, Queue, Work};
use super::recovery::{self, RecoveryReport};
use super::wal::{Wal, remove_segments};
use super::{FileJournalOptions, SyncPolicy, unix_ms};
use crate::DumpName;
use crate::journal::{JournalEntry, JournalError, JournalErrorKind, JournalOperation};

mod upkeep;

pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    layout: Layout,
    options: FileJournalOptions,
    queue: Arc<Queue>,
    wal: Wal,
    logs: Map<Log>,
    files: LogFiles,
    /// Logs that were written since the last checkpoint began.
    dirty: Map<()>,
    checkpointer: Checkpointer,
    /// When the next checkpoint may begin, after one failed.
    checkpoint_at: Instant,
    /// At which size the active segment is full.
    rotate_at: u64,
    /// When what was written must be synced, under [`SyncPolicy::Interval`].
    sync_at: Option<Instant>,
    failure: Option<Failure>,
    /// Reused from group to group.
    records: Vec<u8>,
    lock: Option<File>,
}

/// The store failed, and was not yet seen to work again.
struct Failure {
    error: Arc<io::Error>,
    /// What is in the write-ahead log must be written to the logs again.
    rewrite: bool,
    retry_at: Instant,
}

type Committed = Result<(), Arc<io::Error>>;

impl Writer {
    /// Recovers what is in the directory.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        layout: Layout,
        options: FileJournalOptions,
        queue: Arc<Queue>,
        lock: Option<File>,
    ) -> io::Result<(Self, RecoveryReport)> {
        let syncs = options.sync != SyncPolicy::Never;
        for dir in [&layout.wal, &layout.open, &layout.finished] {
            disk.create_dir(dir)?;
        }
        if syncs {
            disk.sync_dir(&layout.root)?;
            if let Some(parent) = layout
                .root
                .parent()
                .filter(|path| !path.as_os_str().is_empty())
            {
                disk.sync_dir(parent)?;
            }
        }
        let mut files = LogFiles::new(Arc::clone(&disk), layout.clone(), options.open_files);
        let scan = plan::scan(&*disk, &layout.wal)?;
        if syncs {
            // Before anything it says is done.
            plan::harden(&*disk, &layout.wal, &scan)?;
        }
        let (logs, report) = recovery::recover(&*disk, &layout, &scan, &mut files, syncs)?;
        remove_segments(&*disk, &layout.wal, &scan.stale)?;
        let wal = Wal::create(
            Arc::clone(&disk),
            layout.wal.clone(),
            syncs,
            scan.segments.iter().map(|segment| segment.number).collect(),
            scan.last(),
            scan.next_number,
        )?;
        let checkpointer = Checkpointer::spawn(
            Arc::clone(&disk),
            layout.clone(),
            Arc::downgrade(&queue),
            syncs,
        )?;
        let dirty = scan.plans.into_keys().map(|name| (name, ())).collect();
        let writer = Self {
            disk,
            layout,
            options,
            queue,
            wal,
            logs,
            files,
            dirty,
            checkpointer,
            checkpoint_at: Instant::now(),
            rotate_at: options.segment_bytes,
            sync_at: None,
            failure: None,
            records: Vec::new(),
            lock,
        };
        Ok((writer, report))
    }

    /// Works until the queue is closed.
    pub(super) fn run(mut self) {
        // However this thread ends, nobody waits for it for ever.
        let _abandon = AbandonOnDrop(Arc::clone(&self.queue));
        loop {
            self.maintain();
            let wake_at = self.wake_at();
            match self.queue.take(self.options.group_bytes, wake_at) {
                Work::Commands(commands) => {
                    if let Some(done) = self.perform(commands) {
                        self.close(done);
                        return;
                    }
                }
                Work::End => {
                    self.checkpointer.stop();
                    return;
                }
            }
        }
    }

    /// Performs operations together. Yields the completer of a `close`, which is the last one.
    fn perform(&mut self, commands: Vec<Command>) -> Option<Done<()>> {
        if commands.is_empty() {
            return None;
        }
        // A new segment has a new salt, so this comes first.
        self.try_repair();
        let mut group = Group::new(self.wal.salt(), mem::take(&mut self.records));
        for command in commands {
            group.add(command, &self.logs, self.queue.max_bytes());
        }
        let Group {
            mut records, steps, ..
        } = group;
        let committed = self.commit(&records);
        // One large group does not cost its memory for ever.
        records.clear();
        records.shrink_to(self.options.group_bytes.saturating_mul(2));
        self.records = records;
        let now = unix_ms(None);
        let mut closing = None;
        for step in steps {
            match step {
                Step::Append { writes, done } => {
                    done.complete(self.append(&writes, &committed, now));
                }
                Step::Fail {
                    names,
                    log,
                    kind,
                    done,
                } => {
                    self.set_broken(names.iter());
                    let error = JournalError::new(JournalOperation::Append, Some(log), kind);
                    done.complete(Err(error));
                }
                Step::Perform(Command::Close { done }) => closing = Some(done),
                Step::Perform(command) => self.perform_one(command, &committed),
            }
        }
        closing
    }

    fn perform_one(&mut self, command: Command, committed: &Committed) {
        match command {
            Command::Read { name, done } => done.complete(self.read(&name)),
            Command::Finish { name, done } => done.complete(self.finish(&name, committed)),
            Command::Remove { name, done } => done.complete(self.remove(&name, committed)),
            Command::List { done } => done.complete(Ok(self.list())),
            // They have steps of their own.
            Command::Append { .. } | Command::Refused { .. } | Command::Close { .. } => {}
        }
    }

    /// Makes records durable by the policy.
    fn commit(&mut self, records: &[u8]) -> Committed {
        if records.is_empty() {
            return Ok(());
        }
        if let Some(failure) = &self.failure {
            return Err(Arc::clone(&failure.error));
        }
        let sync = self.options.sync == SyncPolicy::Batched;
        self.wal
            .append(records, sync)
            .map_err(|error| self.fail(error, false))?;
        if let SyncPolicy::Interval(interval) = self.options.sync {
            self.sync_at
                .get_or_insert_with(|| Instant::now() + interval);
        }
        Ok(())
    }

    fn append(
        &mut self,
        writes: &[Write],
        committed: &Committed,
        now: f64,
    ) -> Result<(), JournalError> {
        for write in writes {
            let log = self.logs.entry(write.name.clone()).or_default();
            log.is_recorded |= committed.is_ok();
            log.may_be_recorded |= committed.is_err();
        }
        for write in writes {
            if let Err(kind) = self.write(write, committed, now) {
                self.set_broken(writes.iter().map(|write| &write.name));
                let log = Some(write.name.clone());
                return Err(JournalError::new(JournalOperation::Append, log, kind));
            }
        }
        Ok(())
    }

    fn write(
        &mut self,
        write: &Write,
        committed: &Committed,
        now: f64,
    ) -> Result<(), JournalErrorKind> {
        let log = self.logs.entry(write.name.clone()).or_default();
        if let Err(error) = committed {
            return Err(failure_kind(Arc::clone(error)));
        }
        // Something before it in this group went wrong.
        if log.broken || log.len != write.offset {
            return Err(JournalErrorKind::EarlierFailure);
        }
        self.dirty.insert(write.name.clone(), ());
        self.files
            .append(&write.name, log, &write.lines)
            .map_err(|error| {
                tracing::warn!(log = %write.name, %error, "a log cannot be written");
                failure_kind(Arc::new(error))
            })?;
        log.len = log.len.saturating_add(write.lines.len() as u64);
        log.exists = true;
        log.modified_ms = now;
        Ok(())
    }

    fn set_broken<'a>(&mut self, names: impl Iterator<Item = &'a DumpName>) {
        for name in names {
            let log = self.logs.entry(name.clone()).or_default();
            log.broken = !log.finished;
        }
    }

    fn read(&mut self, name: &DumpName) -> Result<Box<dyn BufRead + Send>, JournalError> {
        let error = |kind| JournalError::new(JournalOperation::Read, Some(name.clone()), kind);
        let Some(log) = self.logs.get_mut(name) else {
            return Err(error(JournalErrorKind::UnknownLog));
        };
        if !log.exists {
            log.broken = log.doomed;
            if !log.is_recorded && !log.may_be_recorded {
                self.logs.remove(name);
            }
            return Err(error(JournalErrorKind::UnknownLog));
        }
        log.broken = false;
        let file = self
            .files
            .open(name, log.finished, OpenMode::Read)
            .map_err(|source| error(failure_kind(Arc::new(source))))?;
        Ok(Box::new(BufReader::with_capacity(
            64 << 10,
            file.take(log.len),
        )))
    }

    fn finish(&mut self, name: &DumpName, committed: &Committed) -> Result<(), JournalError> {
        let error = |kind| JournalError::new(JournalOperation::Finish, Some(name.clone()), kind);
        let Some(log) = self
            .logs
            .get_mut(name)
            .filter(|log| log.exists || log.broken)
        else {
            return Err(error(JournalErrorKind::UnknownLog));
        };
        if log.finished {
            return Ok(());
        }
        if log.broken {
            return Err(error(JournalErrorKind::EarlierFailure));
        }
        if let Err(source) = committed {
            return Err(error(failure_kind(Arc::clone(source))));
        }
        self.dirty.insert(name.clone(), ());
        self.files
            .finish(name, log)
            .map_err(|source| error(failure_kind(Arc::new(source))))?;
        log.finished = true;
        Ok(())
    }

    fn remove(&mut self, name: &DumpName, committed: &Committed) -> Result<(), JournalError> {
        let error = |source| {
            let kind = failure_kind(source);
            JournalError::new(JournalOperation::Remove, Some(name.clone()), kind)
        };
        let Some(log) = self.logs.get_mut(name) else {
            return Ok(());
        };
        if log.is_recorded || log.may_be_recorded {
            if let Err(source) = committed {
                return Err(error(Arc::clone(source)));
            }
            if let Err(source) = self.files.remove(name, log.finished) {
                // It is removed for good, but until the file is gone the name cannot be used.
                (log.doomed, log.broken, log.exists) = (true, true, false);
                return Err(error(Arc::new(source)));
            }
        }
        self.logs.remove(name);
        self.dirty.remove(name);
        Ok(())
    }

    fn list(&self) -> Vec<JournalEntry> {
        let existing = self.logs.iter().filter(|(_, log)| log.exists);
        existing
            .map(|(name, log)| JournalEntry {
                name: name.clone(),
                finished: log.finished,
                bytes: log.len,
                modified_ms: log.modified_ms,
            })
            .collect()
    }
}

/// Tells all who wait that nobody works any more.
struct AbandonOnDrop(Arc<Queue>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
