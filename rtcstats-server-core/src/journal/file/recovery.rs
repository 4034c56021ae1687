//! From what a crash left to what was acknowledged.
//!
//! The write-ahead log is read twice: first for [what becomes of each log](super::plan) in the end, so
//! that removed ones are not brought back to be removed again; then to write what it has into the files.

use std::io::{self, SeekFrom};

use super::disk::{Disk, DiskEntry, DiskFile, OpenMode};
use super::log::{Layout, Log, LogFiles, Map, log_name, write_at};
use super::plan::{Plan, Scan};
use super::record::RecordKind;
use super::segment::{SEGMENT_HEADER_BYTES, SegmentReader};
use crate::DumpName;

/// What was found when a file journal was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Logs that are live.
    pub open_logs: usize,
    /// Logs that are finished and not yet removed.
    pub finished_logs: usize,
    /// Records of the write-ahead log that were applied again.
    pub replayed_records: u64,
    /// The lines in them, in bytes.
    pub replayed_bytes: u64,
    /// Bytes at the end of the write-ahead log that were no whole record: what a crash tore. Nothing
    /// in them was acknowledged, except under a policy that acknowledges before it syncs.
    pub torn_wal_bytes: u64,
    /// Bytes of the write-ahead log that were committed and cannot be read any more: a damaged disk, or
    /// a power loss under a policy that acknowledges before it syncs.
    pub lost_wal_bytes: u64,
    /// Logs whose end was cut off, and by how many bytes, because it was torn or never committed.
    pub cut: Vec<(DumpName, u64)>,
    /// Logs that lack something in the middle or at the end that was committed. They hold the whole
    /// lines before it.
    pub damaged: Vec<DumpName>,
    /// Files in the directories that are none of the journal's. They are left alone.
    pub foreign_files: usize,
}

/// What is known of a log while its records are written again.
pub(super) struct Target {
    pub(super) finished: bool,
    /// How far its file reaches.
    pub(super) len: u64,
    /// Nothing is written behind it.
    pub(super) limit: Option<u64>,
    /// Whether something before the end was found missing.
    pub(super) damaged: bool,
}

/// Writes what the write-ahead log has of the logs into their files again, also where the file seems
/// to have it already: after a failed sync, what is read from a file may not be what is on the disk.
///
/// `targets` knows the logs; one that is absent is created, if `creates`, or passed over.
/// Yields the number of records, and of bytes of lines.
pub(super) fn rewrite(
    disk: &dyn Disk,
    layout: &Layout,
    scan: &Scan,
    files: &mut LogFiles,
    targets: &mut Map<Target>,
    creates: bool,
) -> io::Result<(u64, u64)> {
    let (mut records, mut bytes) = (0, 0);
    let mut payload = Vec::new();
    for segment in &scan.segments {
        if segment.end <= SEGMENT_HEADER_BYTES as u64 {
            continue;
        }
        let Some(mut reader) = SegmentReader::open(disk, &layout.wal, segment.number)? else {
            continue;
        };
        reader.stop_at(segment.end);
        while let Some(record) = reader.next(&mut payload)? {
            let position = (segment.number, reader.position());
            let plan = scan.plans.get(&record.name);
            let Some(limit) = plan.and_then(|plan| plan.limit(position)) else {
                continue;
            };
            let target_limit = targets.get(&record.name).and_then(|target| target.limit);
            let limit = target_limit.map_or(limit, |end| end.min(limit));
            // One without lines counts where it creates the log.
            let counts = record.offset < limit || (record.offset == limit && payload.is_empty());
            if record.kind != RecordKind::Append || !counts {
                continue;
            }
            if !targets.contains_key(&record.name) {
                // Without its beginning it cannot be made whole; that is reported.
                if !creates || record.offset > 0 {
                    continue;
                }
                files.create(&record.name)?;
                let target = Target {
                    finished: false,
                    len: 0,
                    limit: None,
                    damaged: false,
                };
                targets.insert(record.name.clone(), target);
            }
            let Some(target) = targets.get_mut(&record.name) else {
                continue;
            };
            target.damaged |= record.offset > target.len;
            if target.damaged {
                continue;
            }
            let counting = usize::try_from(limit.saturating_sub(record.offset));
            let lines = payload.get(..counting.unwrap_or(usize::MAX));
            let lines = lines.unwrap_or(&payload);
            let file = files.handle(&record.name, target.finished)?;
            write_at(file, record.offset, lines)?;
            let end = record.offset.saturating_add(lines.len() as u64);
            target.len = target.len.max(end);
            records += 1;
            bytes += lines.len() as u64;
        }
    }
    Ok((records, bytes))
}

/// Brings the files to the state the write-ahead log says, and tells what logs there are.
///
/// If `syncs`, all of it is synced: a process that was killed may have left to the system alone what the
/// write-ahead log does not have, and from now on that counts.
pub(super) fn recover(
    disk: &dyn Disk,
    layout: &Layout,
    scan: &Scan,
    files: &mut LogFiles,
    syncs: bool,
) -> io::Result<(Map<Log>, RecoveryReport)> {
    let mut report = RecoveryReport {
        torn_wal_bytes: scan.torn_bytes,
        lost_wal_bytes: scan.lost_bytes,
        ..RecoveryReport::default()
    };
    let mut found: Map<(bool, DiskEntry)> = Map::default();
    for finished in [true, false] {
        let dir = if finished {
            &layout.finished
        } else {
            &layout.open
        };
        for entry in disk.entries(dir)? {
            match entry.name.as_deref().and_then(log_name) {
                // It was moved, and the removal of the old entry was not durable.
                Some(name) if found.contains_key(&name) => files.remove(&name, finished)?,
                Some(name) => {
                    found.insert(name, (finished, entry));
                }
                None => report.foreign_files += 1,
            }
        }
    }
    for (name, _) in scan.plans.iter().filter(|(_, plan)| plan.restarted) {
        // What is there may be of before the removal; what came after is all in the log.
        files.remove(name, true)?;
        files.remove(name, false)?;
        found.remove(name);
    }
    let mut targets: Map<Target> = Map::default();
    for (name, (finished, entry)) in &found {
        let target = Target {
            finished: *finished,
            len: entry.len,
            limit: None,
            damaged: false,
        };
        targets.insert(name.clone(), target);
    }
    (report.replayed_records, report.replayed_bytes) =
        rewrite(disk, layout, scan, files, &mut targets, true)?;

    let mut logs: Map<Log> = Map::default();
    for (name, target) in targets {
        let entry = found.get(&name).map(|(_, entry)| entry);
        let plan = scan.plans.get(&name);
        let log = settle(files, &name, &target, plan, entry, &mut report)?;
        if syncs {
            files.open(&name, log.finished, OpenMode::Write)?.sync()?;
        }
        if log.finished {
            report.finished_logs += 1;
        } else {
            report.open_logs += 1;
        }
        logs.insert(name, log);
    }
    for (name, plan) in &scan.plans {
        if !plan.removed && !logs.contains_key(name) {
            report.damaged.push(name.clone());
        }
    }
    files.close_all();
    if syncs {
        // In this order a file that was moved is in one of them at any time.
        for dir in [&layout.finished, &layout.open] {
            disk.sync_dir(dir)?;
        }
    }
    Ok((logs, report))
}

/// Gives a log its right length and place.
fn settle(
    files: &mut LogFiles,
    name: &DumpName,
    target: &Target,
    plan: Option<&Plan>,
    entry: Option<&DiskEntry>,
    report: &mut RecoveryReport,
) -> io::Result<Log> {
    let mut file = files.open(name, target.finished, OpenMode::Write)?;
    let len = match plan {
        Some(plan) if !target.damaged && plan.end <= target.len => plan.end,
        Some(_) => {
            report.damaged.push(name.clone());
            whole_lines(&mut *file, target.len)?
        }
        None => whole_lines(&mut *file, target.len)?,
    };
    if len < target.len {
        file.set_len(len)?;
        report.cut.push((name.clone(), target.len - len));
    }
    let modified = entry.and_then(|entry| entry.modified);
    if let Some(modified) = modified.filter(|_| entry.is_some_and(|entry| entry.len == len)) {
        // Writing the same again is no modification. If this fails, only a time is wrong.
        let _ = file.set_modified(modified);
    }
    drop(file);
    let mut log = Log {
        len,
        finished: target.finished,
        exists: true,
        has_file: true,
        is_recorded: true,
        modified_ms: super::unix_ms(modified),
        ..Log::default()
    };
    if plan.is_some_and(|plan| plan.finished) && !log.finished {
        files.finish(name, &mut log)?;
        log.finished = true;
    }
    Ok(log)
}

/// How much of a file is whole lines. JSON text has no zero bytes: some file systems put them where
/// content did not make it to the disk, so nothing counts from there on.
fn whole_lines(file: &mut dyn DiskFile, len: u64) -> io::Result<u64> {
    const CHUNK_BYTES: usize = 16 << 10;
    let mut end = len;
    let mut chunk = [0; CHUNK_BYTES];
    let mut position = len;
    let mut lines_end = None;
    while position > 0 {
        let start = position.saturating_sub(CHUNK_BYTES as u64);
        let size = usize::try_from(position - start).unwrap_or(CHUNK_BYTES);
        let bytes = chunk.get_mut(..size).unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(bytes)?;
        let zero = bytes.iter().position(|&byte| byte == 0);
        if let Some(zero) = zero {
            end = start + zero as u64;
            lines_end = None;
        }
        if lines_end.is_none() {
            let counting = bytes.get(..zero.unwrap_or(size)).unwrap_or_default();
            let newline = counting.iter().rposition(|&byte| byte == b'\n');
            lines_end = newline.map(|newline| start + newline as u64 + 1);
        }
        // A chunk without zeros and with a line end: what is before it is taken to be good.
        if zero.is_none() && lines_end.is_some() {
            break;
        }
        position = start;
    }
    Ok(lines_end.unwrap_or(0).min(end))
}
