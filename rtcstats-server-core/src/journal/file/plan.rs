//! What the write-ahead log says that becomes of each log.

use std::io::{self, SeekFrom};
use std::path::Path;

use super::disk::{Disk, OpenMode};
use super::log::{Map, write_at};
use super::record::RecordKind;
use super::segment::{SegmentEnd, SegmentReader, segment_number, segment_path};

/// What the write-ahead log says.
pub(super) struct Scan {
    /// The segments that count, oldest first, and where each ends.
    pub(super) segments: Vec<SegmentEnd>,
    /// Those of them whose end no other segment confirms.
    unconfirmed: Vec<SegmentEnd>,
    /// Segments that were deleted, but came back.
    pub(super) stale: Vec<u64>,
    pub(super) next_number: u64,
    pub(super) plans: Map<Plan>,
    pub(super) torn_bytes: u64,
    pub(super) lost_bytes: u64,
}

/// What becomes of a log.
pub(super) struct Plan {
    /// The segment and position from where on its records count: behind the last removal.
    start: (u64, u64),
    /// How long it is in the end.
    pub(super) end: u64,
    /// Where it was cut back, since what had been committed failed afterwards: the segment and
    /// position of the record that says so, and the length it begins again with.
    cuts: Vec<((u64, u64), u64)>,
    pub(super) finished: bool,
    pub(super) removed: bool,
    /// Whether it was removed before it began again.
    pub(super) restarted: bool,
}

/// Reads the write-ahead log for what becomes of each log.
pub(super) fn scan(disk: &dyn Disk, dir: &Path) -> io::Result<Scan> {
    let mut numbers: Vec<u64> = disk
        .entries(dir)?
        .iter()
        .filter_map(|entry| segment_number(entry.name.as_deref()?))
        .collect();
    numbers.sort_unstable();
    let next_number = numbers.last().map_or(1, |last| last.saturating_add(1));
    // Segments are deleted oldest first. One before a gap came back from the dead.
    let run = numbers
        .windows(2)
        .rposition(|pair| matches!(pair, [a, b] if a.checked_add(1) != Some(*b)))
        .map_or(0, |gap| gap + 1);
    let counting = numbers.split_off(run);

    let mut ends = Vec::new();
    for &number in &counting {
        if let Some(reader) = SegmentReader::open(disk, dir, number)? {
            ends.extend(reader.header().previous);
        }
    }
    let mut scan = Scan {
        segments: Vec::with_capacity(counting.len()),
        unconfirmed: Vec::new(),
        stale: numbers,
        next_number,
        plans: Map::default(),
        torn_bytes: 0,
        lost_bytes: 0,
    };
    for number in counting {
        let committed = ends.iter().find(|end| end.number == number);
        let end = match SegmentReader::open(disk, dir, number)? {
            Some(reader) => scan.read(reader, committed.map(|end| end.end))?,
            None => {
                scan.lost_bytes += committed.map_or(0, |end| end.end);
                0
            }
        };
        let segment = SegmentEnd { number, end };
        scan.segments.push(segment);
        if committed.is_none() {
            scan.unconfirmed.push(segment);
        }
    }
    Ok(scan)
}

impl Plan {
    /// Up to where a record at this place counts; `None` if it does not count at all.
    pub(super) fn limit(&self, position: (u64, u64)) -> Option<u64> {
        if self.removed || position <= self.start {
            return None;
        }
        let later = self.cuts.iter().filter(|(cut, _)| *cut > position);
        Some(later.map(|(_, end)| *end).fold(self.end, u64::min))
    }
}

impl Scan {
    /// Reads one segment, and tells where it ends.
    fn read(&mut self, mut reader: SegmentReader, committed: Option<u64>) -> io::Result<u64> {
        let number = reader.header().number;
        let file_end = reader.end();
        if let Some(committed) = committed {
            reader.stop_at(committed);
        }
        let mut payload = Vec::new();
        while let Some(record) = reader.next(&mut payload)? {
            let position = (number, reader.position());
            let plan = self.plans.entry(record.name).or_insert(Plan {
                start: (0, 0),
                end: 0,
                cuts: Vec::new(),
                finished: false,
                removed: false,
                restarted: false,
            });
            if record.kind != RecordKind::Remove && record.offset < plan.end {
                plan.cuts.push((position, record.offset));
            }
            match record.kind {
                RecordKind::Append => {
                    plan.end = record.offset.saturating_add(payload.len() as u64);
                    plan.removed = false;
                    // An append behind it means that finishing failed.
                    plan.finished = false;
                }
                RecordKind::Finish => {
                    plan.end = record.offset;
                    plan.finished = true;
                }
                RecordKind::Remove => {
                    *plan = Plan {
                        start: position,
                        end: 0,
                        cuts: Vec::new(),
                        finished: false,
                        removed: true,
                        restarted: true,
                    };
                }
            }
        }
        match committed {
            Some(committed) => self.lost_bytes += committed.saturating_sub(reader.position()),
            None => self.torn_bytes += file_end.saturating_sub(reader.position()),
        }
        Ok(reader.position())
    }

    /// The last segment.
    pub(super) fn last(&self) -> Option<SegmentEnd> {
        self.segments.last().copied()
    }
}

/// Makes durable what was read: a process that was killed may not have come to sync the last segment, and
/// one without syncs has synced none. The last one is written again, since a sync that failed before
/// would not tell that something is missing.
pub(super) fn harden(disk: &dyn Disk, dir: &Path, scan: &Scan) -> io::Result<()> {
    for segment in &scan.segments {
        let is_confirmed = !scan
            .unconfirmed
            .iter()
            .any(|other| other.number == segment.number);
        if is_confirmed {
            let path = segment_path(dir, segment.number);
            disk.open(&path, OpenMode::Write)?.sync()?;
        } else {
            harden_segment(disk, dir, *segment)?;
        }
    }
    disk.sync_dir(dir)
}

fn harden_segment(disk: &dyn Disk, dir: &Path, segment: SegmentEnd) -> io::Result<()> {
    let mut file = disk.open(&segment_path(dir, segment.number), OpenMode::Write)?;
    let mut chunk = vec![0; 256 << 10];
    let mut position = 0;
    while position < segment.end {
        let left = usize::try_from(segment.end - position).unwrap_or(usize::MAX);
        let size = left.min(chunk.len());
        let bytes = chunk.get_mut(..size).unwrap_or_default();
        file.seek(SeekFrom::Start(position))?;
        file.read_exact(bytes)?;
        write_at(&mut *file, position, bytes)?;
        position += size as u64;
    }
    file.sync()
}
