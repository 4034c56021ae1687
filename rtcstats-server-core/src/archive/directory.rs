//! An archive in one directory.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufRead, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Archive, ArchiveError, ArchiveOperation, ArchivedDump};
use crate::worker::Worker;
use crate::{BoxFuture, DumpName};

/// What was left in the middle by a process that is surely gone.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Stores each dump as `<name>.gz` in one directory.
///
/// A dump is compressed into a file of another name (`.….tmp`), synced, renamed, and the directory
/// synced. So it is there as a whole or not at all, and when [`store`](Archive::store) resolves it
/// survives power loss. Several processes may share a directory. Leftovers of crashes are removed when
/// it is opened, a day after they were written.
///
/// The work is done by threads of its own, by default one for storing; it reads the dump there, so
/// the reader that is given to it may block. Up to 64 dumps wait for a thread; further futures wait to
/// be queued. Looking things up does not wait behind storing. Memory is constant for each thread.
#[derive(Debug)]
pub struct DirectoryArchive {
    directory: PathBuf,
    level: Compression,
    stores: Worker,
    lookups: Worker,
}

/// How a [`DirectoryArchive`] works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectoryArchiveOptions {
    /// Threads that compress. Default 1: some tens of MiB of dumps a second.
    pub threads: usize,
    /// Compression level, 0 to 9. Default 6, as everywhere.
    pub level: u32,
}

impl Default for DirectoryArchiveOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            level: 6,
        }
    }
}

impl DirectoryArchive {
    /// Opens an archive, and creates the directory if need be.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn open(
        directory: impl Into<PathBuf>,
        options: DirectoryArchiveOptions,
    ) -> Result<Self, ArchiveError> {
        let directory = directory.into();
        let open = || {
            fs::create_dir_all(&directory)?;
            crate::directory::sync_parent(&directory)?;
            remove_abandoned(&directory)?;
            Ok(Self {
                level: Compression::new(options.level.min(9)),
                stores: Worker::start("archive-store", options.threads, 64)?,
                lookups: Worker::start("archive-lookup", 1, 64)?,
                directory: directory.clone(),
            })
        };
        open().map_err(|error: io::Error| ArchiveError::new(ArchiveOperation::Prepare, None, error))
    }

    fn path(&self, name: &DumpName) -> PathBuf {
        self.directory.join(format!("{name}.gz"))
    }
}

impl Archive for DirectoryArchive {
    fn store(
        &self,
        name: &DumpName,
        dump: Box<dyn BufRead + Send>,
    ) -> BoxFuture<'_, Result<(), ArchiveError>> {
        let (path, level) = (self.path(name), self.level);
        let stored = self.stores.run(move || store(&path, dump, level));
        complete(ArchiveOperation::Store, Some(name), stored)
    }

    fn open(
        &self,
        name: &DumpName,
    ) -> BoxFuture<'_, Result<Option<Box<dyn Read + Send>>, ArchiveError>> {
        let path = self.path(name);
        let opened = self.lookups.run(move || match File::open(path) {
            Ok(file) => Ok(Some(Box::new(file) as Box<dyn Read + Send>)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        });
        complete(ArchiveOperation::Open, Some(name), opened)
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<ArchivedDump>, ArchiveError>> {
        let directory = self.directory.clone();
        let listed = self.lookups.run(move || list(&directory));
        complete(ArchiveOperation::List, None, listed)
    }

    fn remove(&self, name: &DumpName) -> BoxFuture<'_, Result<(), ArchiveError>> {
        let path = self.path(name);
        let removed = self.lookups.run(move || remove(&path));
        complete(ArchiveOperation::Remove, Some(name), removed)
    }
}

fn complete<'a, T: Send + 'a>(
    operation: ArchiveOperation,
    name: Option<&DumpName>,
    result: BoxFuture<'a, Option<io::Result<T>>>,
) -> BoxFuture<'a, Result<T, ArchiveError>> {
    let name = name.cloned();
    Box::pin(async move {
        let result = result.await;
        let result = result.unwrap_or_else(|| Err(io::Error::other("the job panicked")));
        result.map_err(|error| ArchiveError::new(operation, name, error))
    })
}

fn store(path: &Path, dump: Box<dyn BufRead + Send>, level: Compression) -> io::Result<()> {
    let file_name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    // Several may store the same name at once, in this process and others.
    let unique = RandomState::new().build_hasher().finish();
    let temporary = path.with_file_name(format!(".{file_name}.{unique:016x}.tmp"));
    let result = compress(&temporary, dump, level).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = result {
        // It is not the dump's name, so nobody takes it for one.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    crate::directory::sync_parent(path)
}

fn compress(path: &Path, mut dump: Box<dyn BufRead + Send>, level: Compression) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let mut encoder = GzEncoder::new(BufWriter::with_capacity(64 << 10, file), level);
    io::copy(&mut dump, &mut encoder)?;
    let mut output = encoder.finish()?;
    output.flush()?;
    output.get_ref().sync_all()
}

fn list(directory: &Path) -> io::Result<Vec<ArchivedDump>> {
    let mut dumps = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let file_name = entry.file_name();
        let stem = file_name.to_str().and_then(|name| name.strip_suffix(".gz"));
        let Some(name) = stem.and_then(|stem| stem.parse::<DumpName>().ok()) else {
            continue;
        };
        // It may have been removed in between.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH);
        dumps.push(ArchivedDump {
            name,
            bytes: metadata.len(),
            modified_ms: modified.unwrap_or_default().as_secs_f64() * 1000.0,
        });
    }
    dumps.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(dumps)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => crate::directory::sync_parent(path),
    }
}

fn remove_abandoned(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let file_name = entry.file_name();
        if !file_name.to_str().is_some_and(is_temporary) {
            continue;
        }
        // Another process may have removed it in between.
        let age = entry.metadata().and_then(|metadata| metadata.modified());
        let age = age.ok().and_then(|modified| modified.elapsed().ok());
        if age.is_some_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Whether a name is one that [`store`] makes: `.<name>.gz.<16 digits>.tmp`.
fn is_temporary(file_name: &str) -> bool {
    let inner = file_name
        .strip_prefix('.')
        .and_then(|name| name.strip_suffix(".tmp"))
        .and_then(|name| name.rsplit_once('.'));
    inner.is_some_and(|(name, unique)| unique.len() == 16 && name.ends_with(".gz"))
}
