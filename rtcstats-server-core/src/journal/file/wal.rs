//! The write-ahead log: the segment that is written, and those that wait for a checkpoint.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, DiskFile, OpenMode};
use super::segment::{SEGMENT_HEADER_BYTES, SegmentEnd, SegmentHeader, segment_path};

pub(super) struct Wal {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Whether a new segment is durable before anything is written to it.
    syncs: bool,
    active: Segment,
    /// Oldest first.
    sealed: Vec<u64>,
    next_number: u64,
}

struct Segment {
    number: u64,
    salt: u64,
    file: Box<dyn DiskFile>,
    /// Up to where it counts. What a failed write or sync left behind that does not.
    end: u64,
    synced: bool,
}

impl Wal {
    /// Begins a segment behind those that are there.
    pub(super) fn create(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        syncs: bool,
        sealed: Vec<u64>,
        previous: Option<SegmentEnd>,
        next_number: u64,
    ) -> io::Result<Self> {
        let mut next_number = next_number;
        let active = create_segment(&*disk, &dir, syncs, previous, &mut next_number)?;
        Ok(Self {
            disk,
            dir,
            syncs,
            active,
            sealed,
            next_number,
        })
    }

    /// What seeds the checksums of records of the active segment.
    pub(super) fn salt(&self) -> u64 {
        self.active.salt
    }

    pub(super) fn active_bytes(&self) -> u64 {
        self.active.end
    }

    pub(super) fn has_records(&self) -> bool {
        self.active.end > SEGMENT_HEADER_BYTES as u64
    }

    /// The segments that wait for a checkpoint, oldest first.
    pub(super) fn sealed(&self) -> &[u64] {
        &self.sealed
    }

    /// Writes records, and syncs them when asked to. After an error the segment must be left with
    /// [`rotate`](Self::rotate): what it holds behind its end is unknown.
    pub(super) fn append(&mut self, records: &[u8], sync: bool) -> io::Result<()> {
        let active = &mut self.active;
        active.file.write_all(records)?;
        if sync {
            active.file.sync()?;
        }
        active.end += records.len() as u64;
        active.synced = sync;
        Ok(())
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        if !self.active.synced {
            self.active.file.sync()?;
            self.active.synced = true;
        }
        Ok(())
    }

    /// Seals the active segment where it counts and begins a new one. After an error everything is as
    /// before.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        let previous = SegmentEnd {
            number: self.active.number,
            end: self.active.end,
        };
        let next = create_segment(
            &*self.disk,
            &self.dir,
            self.syncs,
            Some(previous),
            &mut self.next_number,
        )?;
        let mut sealed = std::mem::replace(&mut self.active, next);
        self.sealed.push(sealed.number);
        // Gives the space back that a failed write took; the header of the next segment already says
        // that it does not count.
        let _ = sealed.file.set_len(sealed.end);
        Ok(())
    }

    /// Forgets sealed segments whose files are gone.
    pub(super) fn forget(&mut self, numbers: &[u64]) {
        self.sealed.retain(|number| !numbers.contains(number));
    }

    /// Deletes the active segment, once the sealed ones are gone: as long as it is there, older ones that
    /// come back because a removal was not durable are recognized by the gap.
    pub(super) fn delete_active(&self) -> io::Result<()> {
        remove_segments(&*self.disk, &self.dir, &[self.active.number])
    }
}

/// Removes segments, oldest first, and makes that durable.
pub(super) fn remove_segments(disk: &dyn Disk, dir: &Path, numbers: &[u64]) -> io::Result<()> {
    if numbers.is_empty() {
        return Ok(());
    }
    for &number in numbers {
        match disk.remove(&segment_path(dir, number)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    disk.sync_dir(dir)
}

fn create_segment(
    disk: &dyn Disk,
    dir: &Path,
    sync: bool,
    previous: Option<SegmentEnd>,
    next_number: &mut u64,
) -> io::Result<Segment> {
    let number = *next_number;
    let path = segment_path(dir, number);
    let salt = RandomState::new().build_hasher().finish();
    let header = SegmentHeader {
        number,
        salt,
        previous,
    };
    let mut file = match disk.open(&path, OpenMode::Create) {
        Ok(file) => file,
        Err(error) => {
            // Left by a failure before, with a header that may be torn: a gap, but no missing number.
            if error.kind() == ErrorKind::AlreadyExists {
                *next_number += 1;
            }
            return Err(error);
        }
    };
    let mut write = || {
        file.write_all(&header.encode())?;
        if sync {
            file.sync()?;
            disk.sync_dir(dir)?;
        }
        file.seek(SeekFrom::Start(SEGMENT_HEADER_BYTES as u64))
    };
    if let Err(error) = write() {
        if disk.remove(&path).is_err() {
            *next_number += 1;
        }
        return Err(error);
    }
    *next_number += 1;
    Ok(Segment {
        number,
        salt,
        file,
        end: SEGMENT_HEADER_BYTES as u64,
        synced: true,
    })
}
