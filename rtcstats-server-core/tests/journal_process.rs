//! What a file journal keeps when its process is killed, or the disk is full.
//!
//! These tests run themselves again as another process.

#![cfg(all(feature = "testing", unix))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rtcstats_server_core::testing::block_on;
use rtcstats_server_core::{
    Append, DumpName, FileJournal, FileJournalOptions, Journal, JournalErrorKind, SyncPolicy,
};

const DIRECTORY: &str = "JOURNAL_TEST_DIRECTORY";
const ROUND: &str = "JOURNAL_TEST_ROUND";
const APPENDERS: usize = 4;

fn options() -> FileJournalOptions {
    FileJournalOptions {
        // Several segments and checkpoints in the short life of a child.
        segment_bytes: 16 << 10,
        open_files: 3,
        ..FileJournalOptions::default()
    }
}

fn child(test: &str, directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            test,
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

fn say(words: std::fmt::Arguments<'_>) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{words}").unwrap();
    output.flush().unwrap();
}

fn text(journal: &impl Journal, name: &DumpName) -> String {
    let mut text = String::new();
    let mut reader = block_on(journal.read(name)).unwrap();
    reader.read_to_string(&mut text).unwrap();
    text
}

/// The lines of each log, which are `<name> <number>`, and begin at 1.
fn numbers(journal: &impl Journal) -> HashMap<DumpName, Vec<u64>> {
    let entries = block_on(journal.list()).unwrap();
    let of_log = |name: DumpName| {
        let text = text(journal, &name);
        assert!(text.is_empty() || text.ends_with('\n'));
        let prefix = format!("{name} ");
        let numbers = text.lines().map(|line| {
            let (number, _padding) = line.strip_prefix(&prefix).unwrap().split_once(' ').unwrap();
            number.parse().unwrap()
        });
        (name, numbers.collect())
    };
    entries
        .into_iter()
        .map(|entry| of_log(entry.name))
        .collect()
}

fn line(name: &DumpName, number: u64) -> String {
    format!("{name} {number} {}\n", "x".repeat(number as usize * 7 % 90))
}

#[test]
#[ignore = "run by the next test, as another process"]
fn child_that_appends_until_it_is_killed() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let (journal, report) = FileJournal::open(directory, options()).unwrap();
    assert_eq!((report.damaged.len(), report.lost_wal_bytes), (0, 0));
    let journal = Arc::new(journal);
    let stored = numbers(&*journal);
    let appenders = (0..APPENDERS).map(|appender| {
        let name: DumpName = format!("log-{appender}").parse().unwrap();
        let mut number = stored.get(&name).map_or(0, |numbers| numbers.len() as u64);
        let journal = Arc::clone(&journal);
        thread::spawn(move || {
            while number < u64::MAX {
                let mut batch = Vec::new();
                for _ in 0..=number % 3 {
                    number += 1;
                    batch.push(Append {
                        name: name.clone(),
                        lines: line(&name, number).into(),
                    });
                }
                block_on(journal.append(batch)).unwrap();
                say(format_args!("appended {name} {number}"));
            }
        })
    });
    // Logs that come and go.
    let finisher = {
        let journal = Arc::clone(&journal);
        let round = std::env::var(ROUND).unwrap();
        thread::spawn(move || {
            for number in 1..u64::MAX {
                let name: DumpName = format!("end-{round}-{number}").parse().unwrap();
                let lines = line(&name, 1).into();
                block_on(journal.append(vec![Append {
                    name: name.clone(),
                    lines,
                }]))
                .unwrap();
                say(format_args!("appended {name} 1"));
                block_on(journal.finish(&name)).unwrap();
                say(format_args!("finished {name} 1"));
                if number % 3 > 0 {
                    say(format_args!("removing {name} 1"));
                    block_on(journal.remove(&name)).unwrap();
                    say(format_args!("removed {name} 1"));
                }
            }
        })
    };
    for appender in appenders.collect::<Vec<_>>() {
        appender.join().unwrap();
    }
    finisher.join().unwrap();
}

/// What the children said.
#[derive(Default)]
struct Said {
    appended: HashMap<DumpName, u64>,
    finished: Vec<DumpName>,
    removing: Vec<DumpName>,
    removed: Vec<DumpName>,
}

impl Said {
    /// Reads until the child is dead; what it wrote before is still in the pipe.
    fn read(&mut self, output: ChildStdout) {
        for said in BufReader::new(output).lines() {
            let said = said.unwrap();
            let words: Vec<&str> = said.split(' ').collect();
            // Some are of the test harness.
            let [what, name, number] = words[..] else {
                continue;
            };
            let Ok(name) = name.parse::<DumpName>() else {
                continue;
            };
            match what {
                "appended" => {
                    self.appended.insert(name, number.parse().unwrap());
                }
                "finished" => self.finished.push(name),
                "removing" => self.removing.push(name),
                "removed" => self.removed.push(name),
                _ => {}
            }
        }
    }

    fn check(&self, journal: &FileJournal) {
        let stored = numbers(journal);
        for (name, stored) in &stored {
            let in_order: Vec<u64> = (1..=stored.len() as u64).collect();
            assert_eq!(stored, &in_order, "{name}: each once, and in order");
        }
        for (name, acknowledged) in &self.appended {
            if self.removing.contains(name) {
                continue;
            }
            let stored = stored.get(name).map_or(0, |numbers| numbers.len() as u64);
            assert!(
                stored >= *acknowledged,
                "{name}: {stored} of {acknowledged}"
            );
        }
        let entries = block_on(journal.list()).unwrap();
        let entry = |name: &DumpName| entries.iter().find(|entry| entry.name == *name);
        for name in &self.removed {
            assert_eq!(entry(name), None);
        }
        for name in &self.finished {
            assert!(entry(name).is_none_or(|entry| entry.finished), "{name}");
        }
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let root = tempfile::tempdir().unwrap();
    let mut said = Said::default();
    // Random enough, and the same in each run.
    let mut random = 12_345_u64;
    for round in 0..30 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let mut child = child("child_that_appends_until_it_is_killed", root.path())
            .env(ROUND, round.to_string())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let reader = thread::spawn(move || {
            let mut said = Said::default();
            said.read(output);
            said
        });
        wait_for_first_log(root.path(), &mut child);
        thread::sleep(Duration::from_micros(random >> 33 & 0x3_FFFF));
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        let new = reader.join().unwrap();
        said.appended.extend(new.appended);
        said.finished.extend(new.finished);
        said.removing.extend(new.removing);
        said.removed.extend(new.removed);
        if round % 5 == 4 {
            let (journal, report) = FileJournal::open(root.path(), options()).unwrap();
            assert_eq!(report.damaged, []);
            said.check(&journal);
            if round % 10 == 9 {
                block_on(journal.close()).unwrap();
                assert_eq!(fs::read_dir(root.path().join("wal")).unwrap().count(), 0);
            }
        }
    }
    let total: u64 = said.appended.values().sum();
    println!(
        "{total} lines acknowledged, {} logs finished",
        said.finished.len()
    );
    assert!(total > 100, "the children hardly did anything: {total}");
}

/// In the first round there is nothing to be lost before. Later children are also killed while they
/// recover.
fn wait_for_first_log(directory: &Path, child: &mut Child) {
    let begin = Instant::now();
    while !directory.join("open/log-0.jsonl").exists() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the child ended by itself"
        );
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "the child does not begin"
        );
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
#[ignore = "run by the next test, as another process"]
fn child_that_appends_until_the_disk_is_full() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let options = FileJournalOptions {
        retry: Duration::from_millis(1),
        ..FileJournalOptions::default()
    };
    let (journal, _) = FileJournal::open(directory, options).unwrap();
    let name: DumpName = "log-0".parse().unwrap();
    let mut number = 0;
    let mut failures = 0;
    while failures < 5 {
        let lines = line(&name, number + 1);
        let append = Append {
            name: name.clone(),
            lines: lines.into(),
        };
        match block_on(journal.append(vec![append])) {
            Ok(()) => {
                number += 1;
                say(format_args!("appended {name} {number}"));
            }
            Err(error) => {
                assert!(
                    matches!(error.kind(), JournalErrorKind::Full(_)),
                    "{error:?}"
                );
                failures += 1;
                // Reads go on, and show what is there.
                let stored = text(&journal, &name).lines().count() as u64;
                assert_eq!(stored, number);
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
    say(format_args!("full {name} {number}"));
}

#[test]
fn nothing_is_acknowledged_on_a_full_disk_and_it_works_again_with_space() {
    let root = tempfile::tempdir().unwrap();
    let exe = std::env::current_exe().unwrap();
    // Files may have 100 blocks of 512 bytes; with the signal ignored, more is an error.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\""])
        .arg(exe)
        .args([
            "child_that_appends_until_the_disk_is_full",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(DIRECTORY, root.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let full = said
        .lines()
        .find_map(|line| line.strip_prefix("full log-0 "));
    let acknowledged: u64 = full.unwrap().parse().unwrap();
    assert!(acknowledged > 100, "{acknowledged}");
    let (journal, report) = FileJournal::open(root.path(), options()).unwrap();
    assert_eq!(report.damaged, []);
    let name: DumpName = "log-0".parse().unwrap();
    let stored = numbers(&journal).remove(&name).unwrap();
    let in_order: Vec<u64> = (1..=stored.len() as u64).collect();
    assert_eq!(stored, in_order);
    assert!(stored.len() as u64 >= acknowledged);
    let next = stored.len() as u64 + 1;
    let append = Append {
        name: name.clone(),
        lines: line(&name, next).into(),
    };
    block_on(journal.append(vec![append])).unwrap();
    assert_eq!(numbers(&journal)[&name].len() as u64, next);
}

#[test]
fn a_directory_is_not_shared() {
    let root = tempfile::tempdir().unwrap();
    let (journal, _) = FileJournal::open(root.path(), options()).unwrap();
    let error = FileJournal::open(root.path(), options()).unwrap_err();
    assert!(
        matches!(error.kind(), JournalErrorKind::Locked),
        "{error:?}"
    );
    block_on(journal.close()).unwrap();
    // Closed is enough, it need not be dropped.
    let (second, _) = FileJournal::open(root.path(), options()).unwrap();
    drop(second);
    drop(journal);
    FileJournal::open(root.path(), options()).unwrap();
}

#[test]
fn thousands_of_logs_need_few_files_open() {
    const LOGS: usize = 5_000;
    let root = tempfile::tempdir().unwrap();
    let options = FileJournalOptions {
        sync: SyncPolicy::Batched,
        segment_bytes: 256 << 10,
        open_files: 16,
        ..FileJournalOptions::default()
    };
    let (journal, _) = FileJournal::open(root.path(), options).unwrap();
    let names: Vec<DumpName> = (0..LOGS)
        .map(|log| format!("log-{log}").parse().unwrap())
        .collect();
    for number in 1..=3 {
        let pending: Vec<_> = names
            .iter()
            .map(|name| {
                let lines = line(name, number).into();
                journal.append(vec![Append {
                    name: name.clone(),
                    lines,
                }])
            })
            .collect();
        let open = fs::read_dir("/proc/self/fd").map(|files| {
            let paths = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
            paths.filter(|path| path.starts_with(root.path())).count()
        });
        if let Ok(open) = open {
            assert!(open <= 16 + 8, "{open} files are open");
        }
        for append in pending {
            block_on(append).unwrap();
        }
    }
    for name in names.iter().step_by(2) {
        drop(journal.finish(name));
    }
    drop(journal);
    let (journal, report) = FileJournal::open(root.path(), options).unwrap();
    assert_eq!(
        (report.open_logs, report.finished_logs),
        (LOGS / 2, LOGS / 2)
    );
    let stored = numbers(&journal);
    assert_eq!(stored.len(), LOGS);
    assert!(stored.values().all(|numbers| numbers == &[1, 2, 3]));
}
