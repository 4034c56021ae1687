//! The logs: what is known of each, and their files.
//!
//! `open/<name>.jsonl` is a live log, `finished/<name>.jsonl` a finished one. Each is exactly the text
//! of its dump.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, DiskFile, OpenMode};
use crate::DumpName;

pub(super) type Map<V> = HashMap<DumpName, V, foldhash::fast::RandomState>;

/// What is known of a log.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    /// How much of it was committed. Its file may be longer after a failure.
    pub(super) len: u64,
    pub(super) finished: bool,
    /// Whether an append ever succeeded; otherwise the entry only remembers a failure.
    pub(super) exists: bool,
    /// Whether its file was created, even if nothing could be written to it.
    pub(super) has_file: bool,
    /// Whether the write-ahead log has it, even if it does not exist yet.
    pub(super) is_recorded: bool,
    /// Whether a group failed that may be in the write-ahead log nevertheless, as long as no new
    /// segment says otherwise.
    pub(super) may_be_recorded: bool,
    /// An append failed, and the log has not been read since.
    pub(super) broken: bool,
    /// Its removal was committed, but its file could not be removed.
    pub(super) doomed: bool,
    /// There may be something behind `len` in the file.
    pub(super) ragged: bool,
    pub(super) modified_ms: f64,
}

/// Where everything is.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) root: PathBuf,
    pub(super) wal: PathBuf,
    pub(super) open: PathBuf,
    pub(super) finished: PathBuf,
}

impl Layout {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            wal: root.join("wal"),
            open: root.join("open"),
            finished: root.join("finished"),
        }
    }

    pub(super) fn log(&self, name: &DumpName, finished: bool) -> PathBuf {
        let dir = if finished { &self.finished } else { &self.open };
        dir.join(format!("{name}.jsonl"))
    }
}

/// The log in the file name of a log, if it is one.
pub(super) fn log_name(file_name: &str) -> Option<DumpName> {
    file_name.strip_suffix(".jsonl")?.parse().ok()
}

/// The files of the logs, some of them open.
pub(super) struct LogFiles {
    disk: Arc<dyn Disk>,
    layout: Layout,
    handles: Map<Handle>,
    capacity: usize,
    clock: u64,
}

struct Handle {
    file: Box<dyn DiskFile>,
    used: u64,
}

impl LogFiles {
    /// Keeps at most `capacity` files open.
    pub(super) fn new(disk: Arc<dyn Disk>, layout: Layout, capacity: usize) -> Self {
        Self {
            disk,
            layout,
            handles: Map::default(),
            capacity: capacity.max(1),
            clock: 0,
        }
    }

    /// Writes `lines` behind what the log has. Only the file changes, and what `log` says about it.
    pub(super) fn append(
        &mut self,
        name: &DumpName,
        log: &mut Log,
        lines: &[u8],
    ) -> io::Result<()> {
        if !log.has_file {
            self.create(name)?;
            log.has_file = true;
        }
        self.trim(name, log)?;
        log.ragged = true;
        write_at(self.handle(name, log.finished)?, log.len, lines)?;
        log.ragged = false;
        Ok(())
    }

    /// Cuts off what a failed append may have left behind the end.
    pub(super) fn trim(&mut self, name: &DumpName, log: &mut Log) -> io::Result<()> {
        if log.ragged {
            self.handle(name, log.finished)?.set_len(log.len)?;
            log.ragged = false;
        }
        Ok(())
    }

    /// Moves the file of an open log to the finished ones.
    pub(super) fn finish(&mut self, name: &DumpName, log: &mut Log) -> io::Result<()> {
        self.trim(name, log)?;
        // A finished log is not written again.
        self.handles.remove(name);
        let from = self.layout.log(name, false);
        self.disk.rename(&from, &self.layout.log(name, true))
    }

    /// Removes the file of a log.
    pub(super) fn remove(&mut self, name: &DumpName, finished: bool) -> io::Result<()> {
        self.handles.remove(name);
        match self.disk.remove(&self.layout.log(name, finished)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Opens a log for somebody else.
    pub(super) fn open(
        &mut self,
        name: &DumpName,
        finished: bool,
        mode: OpenMode,
    ) -> io::Result<Box<dyn DiskFile>> {
        let path = self.layout.log(name, finished);
        let disk = Arc::clone(&self.disk);
        self.with_spare_handles(|| disk.open(&path, mode))
    }

    /// Creates an empty file for a log.
    pub(super) fn create(&mut self, name: &DumpName) -> io::Result<()> {
        let file = self.open(name, false, OpenMode::Create)?;
        self.keep(name, file);
        Ok(())
    }

    /// The file of a log, for writing.
    pub(super) fn handle(
        &mut self,
        name: &DumpName,
        finished: bool,
    ) -> io::Result<&mut dyn DiskFile> {
        if !self.handles.contains_key(name) {
            let file = self.open(name, finished, OpenMode::Write)?;
            self.keep(name, file);
        }
        self.clock += 1;
        match self.handles.get_mut(name) {
            Some(handle) => {
                handle.used = self.clock;
                Ok(&mut *handle.file)
            }
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    /// Closes all files.
    pub(super) fn close_all(&mut self) {
        self.handles.clear();
    }

    fn keep(&mut self, name: &DumpName, file: Box<dyn DiskFile>) {
        self.clock += 1;
        let used = self.clock;
        self.make_room();
        self.handles.insert(name.clone(), Handle { file, used });
    }

    /// Closes the quarter of the files that was not used for longest, if too many are open.
    fn make_room(&mut self) {
        if self.handles.len() < self.capacity {
            return;
        }
        let mut used: Vec<u64> = self.handles.values().map(|handle| handle.used).collect();
        let quarter = used.len() / 4;
        let (_, &mut oldest_kept, _) = used.select_nth_unstable(quarter);
        // At least one goes, so that there is room.
        self.handles.retain(|_, handle| handle.used > oldest_kept);
    }

    /// Opens something; if the process has too many files open, closes ours and tries again.
    fn with_spare_handles<T>(&mut self, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match open() {
            Err(error) if is_out_of_handles(&error) && !self.handles.is_empty() => {
                self.close_all();
                open()
            }
            result => result,
        }
    }
}

/// Writes all of `bytes` at `offset`.
pub(super) fn write_at(file: &mut dyn DiskFile, offset: u64, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    file.write_all_at(bytes, offset)
}

/// `EMFILE` and `ENFILE`, which [`ErrorKind`] does not name.
fn is_out_of_handles(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}
