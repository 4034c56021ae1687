//! What the journal asks of a file system: little, so that tests can fail, tear and lose any of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::SystemTime;

/// A file system.
pub(super) trait Disk: Send + Sync + 'static {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>>;

    /// Replaces what is at `to`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// The files of a directory.
    fn entries(&self, path: &Path) -> io::Result<Vec<DiskEntry>>;
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenMode {
    Read,
    /// An existing file, for reading and writing.
    Write,
    /// A new file, for reading and writing; fails if there is one.
    Create,
}

/// An open file.
pub(super) trait DiskFile: Read + Write + Seek + Send {
    /// Makes content and length durable.
    fn sync(&mut self) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`. Where the file is read or written next is not said.
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        self.write_all(bytes)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()>;

    fn len(&mut self) -> io::Result<u64>;

    fn set_modified(&mut self, time: SystemTime) -> io::Result<()>;
}

/// A file in a directory.
#[derive(Debug, Clone)]
pub(super) struct DiskEntry {
    /// Its name, if it is UTF-8.
    pub(super) name: Option<String>,
    pub(super) len: u64,
    pub(super) modified: Option<SystemTime>,
}

/// The file system of the machine.
#[derive(Debug)]
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(mode != OpenMode::Read)
            .create_new(mode == OpenMode::Create)
            .open(path)?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        crate::directory::sync(path)
    }

    fn entries(&self, path: &Path) -> io::Result<Vec<DiskEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_file() {
                entries.push(DiskEntry {
                    name: entry.file_name().into_string().ok(),
                    len: metadata.len(),
                    modified: metadata.modified().ok(),
                });
            }
        }
        Ok(entries)
    }
}

impl DiskFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    #[cfg(unix)]
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, bytes, offset)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn len(&mut self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_modified(&mut self, time: SystemTime) -> io::Result<()> {
        File::set_modified(self, time)
    }
}
