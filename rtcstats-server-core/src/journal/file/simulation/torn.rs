//! Files that end, or are damaged, at any byte.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::disk::SimDisk;
use super::{ROOT, open};
use crate::journal::file::{FileJournalOptions, RecoveryReport};
use crate::journal::{Append, Journal};
use crate::testing::block_on;

/// Lines of three logs, a batch a line of this table.
const BATCHES: [&[(&str, &str)]; 6] = [
    &[("a", "[1]\n[2]\n")],
    &[("b", "[1,\"é\"]\n"), ("a", "[3]\n")],
    &[("c_1", "[1]\n"), ("c_1", "[2]\n")],
    &[("a", "[4,\"a longer line than the others\"]\n")],
    &[("b", "[2]\n[3]\n[4]\n")],
    &[("a", "[5]\n"), ("c_1", "[3]\n")],
];

const LOGS: [&str; 3] = ["a", "b", "c_1"];

/// A disk after a crash, and how long its segment was after each batch.
fn crashed() -> (SimDisk, PathBuf, Vec<usize>) {
    let disk = SimDisk::new(7);
    let (journal, _) = open(&disk, FileJournalOptions::default());
    let segment = Path::new(ROOT).join("wal/00000000000000000001.log");
    let mut ends = Vec::new();
    for batch in BATCHES {
        let appends = batch.iter().map(|(name, lines)| Append {
            name: name.parse().unwrap(),
            lines: (*lines).into(),
        });
        block_on(journal.append(appends.collect())).unwrap();
        ends.push(disk.content(&segment).unwrap().len());
    }
    drop(journal);
    (disk, segment, ends)
}

fn log_path(name: &str) -> PathBuf {
    Path::new(ROOT).join(format!("open/{name}.jsonl"))
}

/// What the first batches put into a log.
fn expected(name: &str, batches: usize) -> String {
    let lines = BATCHES.iter().take(batches).copied().flatten();
    let of_log = lines.filter(|(log, _)| *log == name);
    of_log.map(|(_, lines)| *lines).collect()
}

fn recovered(disk: &SimDisk) -> (Vec<String>, RecoveryReport) {
    let (journal, report) = open(disk, FileJournalOptions::default());
    let texts = LOGS.iter().map(|name| {
        let mut text = String::new();
        if let Ok(mut reader) = block_on(journal.read(&name.parse().unwrap())) {
            reader.read_to_string(&mut text).unwrap();
        }
        text
    });
    (texts.collect(), report)
}

#[test]
fn a_segment_cut_at_any_byte_yields_what_was_committed_before() {
    let (disk, segment, ends) = crashed();
    let whole = disk.content(&segment).unwrap();
    for cut in 0..=whole.len() {
        let batches = ends.iter().filter(|&&end| end <= cut).count();
        for files_are_there in [false, true] {
            let disk = disk.after_kill(cut as u64);
            disk.set_content(&segment, &whole[..cut]);
            if !files_are_there {
                for name in LOGS {
                    disk.set_content(&log_path(name), b"");
                }
            }
            let (texts, report) = recovered(&disk);
            assert_eq!(report.damaged, []);
            for (name, text) in LOGS.iter().zip(texts) {
                let all = expected(name, BATCHES.len());
                let committed = expected(name, batches);
                assert!(all.starts_with(&text), "cut {cut}, {name}: {text:?}");
                assert!(text.starts_with(&committed), "cut {cut}, {name}: {text:?}");
                assert!(text.is_empty() || text.ends_with('\n'));
            }
        }
    }
}

#[test]
fn a_log_cut_at_any_byte_is_made_whole_from_the_segment() {
    let (disk, _, _) = crashed();
    for name in LOGS {
        let whole = disk.content(&log_path(name)).unwrap();
        for cut in 0..=whole.len() {
            // Some file systems put zeros where content did not arrive.
            for zeros in [0, 1, 100] {
                let disk = disk.after_kill(cut as u64);
                let mut content = whole[..cut].to_vec();
                content.resize(cut + zeros, 0);
                disk.set_content(&log_path(name), &content);
                assert_all_there(&disk);
            }
        }
    }
}

fn assert_all_there(disk: &SimDisk) {
    let (texts, report) = recovered(disk);
    assert_eq!(report.damaged, []);
    for (name, text) in LOGS.iter().zip(texts) {
        assert_eq!(text, expected(name, BATCHES.len()));
    }
}

#[test]
fn a_log_cut_at_any_byte_keeps_its_whole_lines_without_the_segment() {
    let (disk, _, _) = crashed();
    let (journal, _) = open(&disk, FileJournalOptions::default());
    block_on(journal.close()).unwrap();
    drop(journal);
    let segments = disk
        .paths()
        .into_iter()
        .filter(|path| path.starts_with("/journal/wal"));
    assert_eq!(
        segments.count(),
        0,
        "a closed journal needs no write-ahead log"
    );
    for (index, name) in LOGS.iter().enumerate() {
        let whole = disk.content(&log_path(name)).unwrap();
        for cut in 0..=whole.len() {
            let lines_end = whole[..cut].iter().rposition(|&byte| byte == b'\n');
            let lines = &whole[..lines_end.map_or(0, |end| end + 1)];
            for zeros in [0, 10, 40_000] {
                let disk = disk.after_kill(cut as u64);
                let mut content = whole[..cut].to_vec();
                content.resize(cut + zeros, 0);
                disk.set_content(&log_path(name), &content);
                let (texts, report) = recovered(&disk);
                assert_eq!(texts[index].as_bytes(), lines, "cut {cut}, {zeros} zeros");
                let cut_bytes = (content.len() - lines.len()) as u64;
                let expected_cut = (cut_bytes > 0).then(|| (name.parse().unwrap(), cut_bytes));
                assert_eq!(report.cut, Vec::from_iter(expected_cut));
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_a_segment_costs_only_what_is_behind_it() {
    let (disk, segment, ends) = crashed();
    let whole = disk.content(&segment).unwrap();
    for position in 0..whole.len() {
        let batches = ends.iter().filter(|&&end| end <= position).count();
        let disk = disk.after_kill(position as u64);
        let mut damaged = whole.clone();
        damaged[position] ^= 0x10;
        disk.set_content(&segment, &damaged);
        for name in LOGS {
            disk.set_content(&log_path(name), b"");
        }
        let (texts, _) = recovered(&disk);
        // A flipped header costs all of it.
        let batches = if position < 44 { 0 } else { batches };
        for (name, text) in LOGS.iter().zip(texts) {
            let all = expected(name, BATCHES.len());
            assert!(all.starts_with(&text), "byte {position}, {name}: {text:?}");
            assert!(
                text.starts_with(&expected(name, batches)),
                "byte {position}, {name}"
            );
        }
    }
}

#[test]
fn what_is_missing_in_the_middle_is_reported() {
    let disk = SimDisk::new(7);
    let options = FileJournalOptions {
        segment_bytes: 1,
        ..FileJournalOptions::default()
    };
    // No checkpoint succeeds, so that several segments remain.
    disk.refuse(log_path("a"));
    let (journal, _) = open(&disk, options);
    let name = "a".parse::<crate::DumpName>().unwrap();
    for number in 0..3 {
        let lines = format!("[{number}]\n").into();
        block_on(journal.append(vec![Append {
            name: name.clone(),
            lines,
        }]))
        .unwrap();
    }
    drop(journal);
    let disk = disk.after_kill(1);
    let second = Path::new(ROOT).join("wal/00000000000000000002.log");
    let mut content = disk.content(&second).unwrap();
    *content.last_mut().unwrap() ^= 1;
    disk.set_content(&second, &content);
    disk.set_content(&log_path("a"), b"");
    let (texts, report) = recovered(&disk);
    assert_eq!(texts[0], "[0]\n", "{report:?}");
    assert_eq!(report.damaged, [name]);
    assert!(report.lost_wal_bytes > 0);
}

#[test]
fn what_a_segment_has_behind_its_confirmed_end_does_not_count() {
    let disk = SimDisk::new(7);
    let options = FileJournalOptions {
        segment_bytes: 1,
        ..FileJournalOptions::default()
    };
    disk.refuse(log_path("a"));
    let (journal, _) = open(&disk, options);
    let append = |name: &str, lines: &'static str| Append {
        name: name.parse().unwrap(),
        lines: lines.into(),
    };
    block_on(journal.append(vec![append("a", "[1]\n"), append("a", "[2]\n")])).unwrap();
    block_on(journal.append(vec![append("b", "[1]\n")])).unwrap();
    drop(journal);
    let disk = disk.after_kill(1);
    let first = Path::new(ROOT).join("wal/00000000000000000001.log");
    let mut content = disk.content(&first).unwrap();
    // Taken for committed, the first record once more would cut the log back.
    let records = &content[44..];
    let again = records[..records.len() / 2].to_vec();
    content.extend(again);
    disk.set_content(&first, &content);
    let (texts, report) = recovered(&disk);
    assert_eq!(texts[..2], ["[1]\n[2]\n", "[1]\n"], "{report:?}");
}

#[test]
fn what_was_written_half_when_the_disk_was_full_is_not_found_later() {
    let disk = SimDisk::new(7);
    let (journal, _) = open(
        &disk,
        FileJournalOptions {
            retry: std::time::Duration::ZERO,
            ..FileJournalOptions::default()
        },
    );
    let name: crate::DumpName = "a".parse().unwrap();
    let append = |lines: &'static str| {
        let name = name.clone();
        block_on(journal.append(vec![Append {
            name,
            lines: lines.into(),
        }]))
    };
    append("[0]\n").unwrap();
    // Enough for the record, and two of its three lines in the log itself.
    let record = 20 + "a".len() + "[111111]\n[2]\n[3]\n".len();
    disk.leave_space(record + "[111111]\n[2]\n".len());
    append("[111111]\n[2]\n[3]\n").unwrap_err();
    assert_eq!(
        disk.content(&log_path("a")).unwrap(),
        b"[0]\n[111111]\n[2]\n"
    );
    disk.leave_space(1 << 20);
    drop(block_on(journal.read(&name)).unwrap());
    append("[4]\n").unwrap();
    assert_eq!(disk.content(&log_path("a")).unwrap(), b"[0]\n[4]\n");
    drop(journal);
    let (texts, report) = recovered(&disk.after_kill(1));
    assert_eq!(texts[0], "[0]\n[4]\n");
    assert_eq!((report.damaged.len(), report.cut.len()), (0, 0));
}
