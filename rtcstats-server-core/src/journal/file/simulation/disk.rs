//! A disk in memory that fails, fills up, and loses what was not synced.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use super::super::disk::{Disk, DiskEntry, DiskFile, OpenMode};

/// Pseudo-random numbers that a seed repeats.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit.max(1)
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

#[derive(Clone)]
pub(super) struct SimDisk(Arc<Mutex<State>>);

struct State {
    files: Vec<Content>,
    /// What a process sees.
    names: BTreeMap<PathBuf, usize>,
    /// What is on the disk for sure.
    durable_names: BTreeMap<PathBuf, usize>,
    /// Changes of names that may be on the disk or not.
    changes: Vec<Change>,
    random: Random,
    /// Operations until the power goes.
    crash_in: Option<usize>,
    crashed: bool,
    /// Chance that a sync fails, in percent.
    sync_fails: usize,
    /// Chance that an existing file cannot be opened for writing, in percent.
    opens_fail: usize,
    /// A file that cannot be opened for writing.
    refused: Option<PathBuf>,
    capacity: usize,
}

#[derive(Clone, Default)]
struct Content {
    cached: Vec<u8>,
    /// Which cached bytes the system knows to differ from the disk.
    dirty: Vec<bool>,
    durable: Vec<u8>,
}

#[derive(Clone)]
enum Change {
    Link(PathBuf, usize),
    Unlink(PathBuf, usize),
    Rename(PathBuf, PathBuf, usize),
}

impl Change {
    fn touches(&self, dir: &Path) -> bool {
        match self {
            Self::Link(path, _) | Self::Unlink(path, _) => path.parent() == Some(dir),
            Self::Rename(from, to, _) => from.parent() == Some(dir) || to.parent() == Some(dir),
        }
    }

    fn file(&self) -> usize {
        let (Self::Link(_, file) | Self::Unlink(_, file) | Self::Rename(_, _, file)) = self;
        *file
    }

    fn apply(self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Link(path, file) => {
                names.insert(path, file);
            }
            Self::Unlink(path, _) => {
                names.remove(&path);
            }
            Self::Rename(from, to, file) => {
                names.remove(&from);
                names.insert(to, file);
            }
        }
    }
}

impl SimDisk {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            changes: Vec::new(),
            random: Random::new(seed),
            crash_in: None,
            crashed: false,
            sync_fails: 0,
            opens_fail: 0,
            refused: None,
            capacity: usize::MAX,
        })))
    }

    pub(super) fn crash_in(&self, operations: usize) {
        self.lock().crash_in = Some(operations);
    }

    /// From now on every operation fails.
    pub(super) fn crash_now(&self) {
        self.lock().crashed = true;
    }

    pub(super) fn has_crashed(&self) -> bool {
        self.lock().crashed
    }

    pub(super) fn fail_syncs(&self, percent: usize) {
        self.lock().sync_fails = percent;
    }

    pub(super) fn fail_opens(&self, percent: usize) {
        self.lock().opens_fail = percent;
    }

    /// An existing file cannot be opened for writing any more.
    pub(super) fn refuse(&self, path: PathBuf) {
        self.lock().refused = Some(path);
    }

    /// Lets `bytes` more be written.
    pub(super) fn leave_space(&self, bytes: usize) {
        let mut state = self.lock();
        state.capacity = state.used().saturating_add(bytes);
    }

    /// The disk that another process finds after this one was killed.
    pub(super) fn after_kill(&self, seed: u64) -> Self {
        let state = self.lock();
        let after = Self::new(seed);
        {
            let mut new = after.lock();
            new.files.clone_from(&state.files);
            new.names.clone_from(&state.names);
            new.durable_names.clone_from(&state.durable_names);
            new.changes.clone_from(&state.changes);
        }
        after
    }

    /// The disk after a power loss: of what was not synced, anything may be there.
    pub(super) fn after_power_loss(&self, seed: u64) -> Self {
        let state = self.lock();
        let after = Self::new(seed);
        {
            let mut new = after.lock();
            let mut random = Random::new(seed);
            let kept = random.below(101);
            let mut names = state.durable_names.clone();
            for change in &state.changes {
                if random.chance(kept) {
                    change.clone().apply(&mut names);
                }
            }
            for content in &state.files {
                let bytes = content.lose(&mut random);
                new.files.push(Content {
                    dirty: vec![false; bytes.len()],
                    durable: bytes.clone(),
                    cached: bytes,
                });
            }
            new.durable_names.clone_from(&names);
            new.names = names;
        }
        after
    }

    /// The content of a file, to be looked at.
    pub(super) fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.lock();
        let &file = state.names.get(path)?;
        Some(state.files[file].cached.clone())
    }

    /// Replaces the content of a file, durably.
    pub(super) fn set_content(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.lock();
        let file = state.names[path];
        state.files[file] = Content {
            cached: bytes.to_vec(),
            dirty: vec![false; bytes.len()],
            durable: bytes.to_vec(),
        };
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.lock().names.keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Counts an operation that changes something.
    fn step(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        if let Some(left) = state.crash_in {
            state.crashed |= left == 0;
            state.crash_in = Some(left.saturating_sub(1));
        }
        if state.crashed {
            return Err(io::Error::other("crashed"));
        }
        Ok(state)
    }
}

impl State {
    fn used(&self) -> usize {
        let files = self.names.values();
        files.map(|&file| self.files[file].cached.len()).sum()
    }

    fn change(&mut self, change: Change) {
        change.clone().apply(&mut self.names);
        self.changes.push(change);
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        let file = self.names.get(path).copied();
        file.ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl Content {
    fn resize(&mut self, len: usize) {
        self.cached.resize(len, 0);
        self.dirty.resize(len, true);
    }

    fn sync(&mut self) {
        self.durable.resize(self.cached.len(), 0);
        for (position, dirty) in self.dirty.iter_mut().enumerate() {
            if std::mem::take(dirty) {
                self.durable[position] = self.cached[position];
            }
        }
    }

    /// What is there after a power loss: any length between, any block written or not.
    fn lose(&self, random: &mut Random) -> Vec<u8> {
        const BLOCK_BYTES: usize = 16;
        let (short, long) = (
            self.durable.len().min(self.cached.len()),
            self.durable.len().max(self.cached.len()),
        );
        let len = match random.below(4) {
            0 => self.durable.len(),
            1 => self.cached.len(),
            _ => short + random.below(long - short + 1),
        };
        let kept = random.below(101);
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            let is_kept = random.chance(kept);
            for position in bytes.len()..(bytes.len() + BLOCK_BYTES).min(len) {
                let old = self.durable.get(position).copied();
                let new = self.cached.get(position).copied();
                let is_dirty = self.dirty.get(position).copied().unwrap_or(false);
                let byte = if is_dirty && is_kept { new } else { old };
                bytes.push(byte.unwrap_or(0));
            }
        }
        bytes
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let mut state = if mode == OpenMode::Read {
            self.lock()
        } else {
            self.step()?
        };
        let percent = state.opens_fail;
        if mode == OpenMode::Write && state.random.chance(percent) {
            return Err(ErrorKind::PermissionDenied.into());
        }
        if mode == OpenMode::Write && state.refused.as_deref() == Some(path) {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let file = match (mode, state.find(path)) {
            (OpenMode::Create, Ok(_)) => return Err(ErrorKind::AlreadyExists.into()),
            (OpenMode::Create, Err(_)) => {
                let file = state.files.len();
                state.files.push(Content::default());
                state.change(Change::Link(path.to_owned(), file));
                file
            }
            (_, file) => file?,
        };
        Ok(Box::new(SimFile {
            disk: self.clone(),
            file,
            position: 0,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        let file = state.find(from)?;
        state.change(Change::Rename(from.to_owned(), to.to_owned(), file));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        let file = state.find(path)?;
        state.change(Change::Unlink(path.to_owned(), file));
        Ok(())
    }

    fn create_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        // Changes of one file are not reordered.
        let touching = state.changes.iter().filter(|change| change.touches(path));
        let files: Vec<usize> = touching.map(Change::file).collect();
        let (synced, rest): (Vec<Change>, Vec<Change>) = std::mem::take(&mut state.changes)
            .into_iter()
            .partition(|change| files.contains(&change.file()));
        state.changes = rest;
        for change in synced {
            change.apply(&mut state.durable_names);
        }
        Ok(())
    }

    fn entries(&self, path: &Path) -> io::Result<Vec<DiskEntry>> {
        let state = self.lock();
        let names = state.names.iter();
        Ok(names
            .filter(|(name, _)| name.parent() == Some(path))
            .map(|(name, &file)| DiskEntry {
                name: name.file_name().unwrap().to_str().map(str::to_owned),
                len: state.files[file].cached.len() as u64,
                modified: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1)),
            })
            .collect())
    }
}

struct SimFile {
    disk: SimDisk,
    file: usize,
    position: usize,
}

impl Read for SimFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.lock();
        let content = &state.files[self.file].cached;
        let rest = &content[self.position.min(content.len())..];
        let size = rest.len().min(buffer.len());
        buffer[..size].copy_from_slice(&rest[..size]);
        self.position += size;
        Ok(size)
    }
}

impl Write for SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = match self.disk.step() {
            Ok(state) => state,
            Err(error) => {
                // The power goes in the middle of a write.
                let mut state = self.disk.lock();
                if state.crash_in == Some(0) {
                    state.crash_in = None;
                    let size = state.random.below(bytes.len() + 1);
                    put(&mut state.files[self.file], self.position, &bytes[..size]);
                }
                return Err(error);
            }
        };
        let old_len = state.files[self.file].cached.len();
        let growth = (self.position + bytes.len()).saturating_sub(old_len);
        let space = state.capacity.saturating_sub(state.used());
        let size = bytes.len() - growth.saturating_sub(space).min(bytes.len());
        if size == 0 && !bytes.is_empty() {
            return Err(ErrorKind::StorageFull.into());
        }
        // Writes may be short.
        let size = if state.random.chance(10) {
            size.div_ceil(2)
        } else {
            size
        };
        put(&mut state.files[self.file], self.position, &bytes[..size]);
        self.position += size;
        Ok(size)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn put(content: &mut Content, position: usize, bytes: &[u8]) {
    let end = position + bytes.len();
    if content.cached.len() < end {
        content.resize(end);
    }
    content.cached[position..end].copy_from_slice(bytes);
    content.dirty[position..end].fill(true);
}

impl Seek for SimFile {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(position) = target else {
            return Err(ErrorKind::Unsupported.into());
        };
        self.position = position as usize;
        Ok(position)
    }
}

impl DiskFile for SimFile {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.step()?;
        let percent = state.sync_fails;
        if state.random.chance(percent) {
            // Some of it is on the disk, and the rest is forgotten: it will not be tried again.
            let mut random = state.random.clone();
            state.random.below(2);
            let content = &mut state.files[self.file];
            content.durable = content.lose(&mut random);
            content.dirty.fill(false);
            return Err(io::Error::other("sync failed"));
        }
        state.files[self.file].sync();
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        let mut state = self.disk.step()?;
        state.files[self.file].resize(len as usize);
        Ok(())
    }

    fn len(&mut self) -> io::Result<u64> {
        Ok(self.disk.lock().files[self.file].cached.len() as u64)
    }

    fn set_modified(&mut self, _time: SystemTime) -> io::Result<()> {
        Ok(())
    }
}
