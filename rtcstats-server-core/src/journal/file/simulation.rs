//! The journal on a disk that crashes, fails and fills up at any step.

mod disk;
mod torn;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::disk::{Random, SimDisk};
use super::{FileJournal, FileJournalOptions, RecoveryReport, SyncPolicy};
use crate::DumpName;
use crate::journal::{Append, Journal, JournalError, JournalErrorKind};
use crate::testing::block_on;

const ROOT: &str = "/journal";

fn open(disk: &SimDisk, options: FileJournalOptions) -> (FileJournal, RecoveryReport) {
    FileJournal::open_on(Arc::new(disk.clone()), Path::new(ROOT), options, None).unwrap()
}

fn tiny(sync: SyncPolicy) -> FileJournalOptions {
    FileJournalOptions {
        sync,
        segment_bytes: 700,
        group_bytes: 300,
        queue_bytes: 100_000,
        open_files: 2,
        retry: Duration::ZERO,
    }
}

/// What may be in a log.
#[derive(Debug, Clone, Default)]
struct Expected {
    /// What was acknowledged.
    text: String,
    /// What it would be if what was tried and not acknowledged was there.
    tries: Vec<String>,
    exists: Surely,
    finished: Surely,
    /// Whether an append to it failed, so that it must be read.
    failed: bool,
    /// So many bytes were there when a removal failed: they are there, or they are gone.
    removed: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Surely {
    #[default]
    No,
    Maybe,
    Yes,
}

impl Surely {
    fn allows(self, is: bool) -> bool {
        self == Self::Maybe || (self == Self::Yes) == is
    }
}

impl Expected {
    /// Whether a log of this text may be found.
    fn allows(&self, text: &str) -> bool {
        self.allows_behind(0, text) || self.allows_behind(self.removed, text)
    }

    fn allows_behind(&self, removed: usize, text: &str) -> bool {
        let is_whole = text.is_empty() || text.ends_with('\n');
        let was_tried = || {
            self.tries
                .iter()
                .any(|tried| tried[removed..].starts_with(text))
        };
        let acknowledged = &self.text[removed..];
        text == acknowledged || (is_whole && text.starts_with(acknowledged) && was_tried())
    }
}

struct Story {
    random: Random,
    logs: BTreeMap<DumpName, Expected>,
    line: usize,
}

impl Story {
    fn new(seed: u64) -> Self {
        let names = ["a", "b", "b_1", "c-c", "d"];
        Self {
            random: Random::new(seed),
            logs: names
                .iter()
                .map(|name| (name.parse().unwrap(), Expected::default()))
                .collect(),
            line: 0,
        }
    }

    fn lines(&mut self) -> String {
        let count = self.random.below(4);
        let mut text = String::new();
        for _ in 0..count {
            self.line += 1;
            let padding = "x".repeat(self.random.below(60));
            text.push_str(&format!("[{},\"{padding}\"]\n", self.line));
        }
        text
    }

    fn name(&mut self) -> DumpName {
        let index = self.random.below(self.logs.len());
        self.logs.keys().nth(index).unwrap().clone()
    }

    /// One operation, or several at once.
    fn act(&mut self, journal: &FileJournal) {
        match self.random.below(12) {
            0 => self.finish(journal),
            1 => self.remove(journal),
            2 => {
                let name = self.name();
                self.read(journal, &name);
            }
            3 => self.list(journal),
            _ => self.append(journal),
        }
    }

    fn append(&mut self, journal: &FileJournal) {
        let mut batches = Vec::new();
        for _ in 0..=self.random.below(4) {
            let batch: Vec<(DumpName, String)> = (0..=self.random.below(2))
                .map(|_| (self.name(), self.lines()))
                .collect();
            batches.push(batch);
        }
        let pending: Vec<_> = batches
            .iter()
            .map(|batch| {
                let appends = batch.iter().map(|(name, text)| Append {
                    name: name.clone(),
                    lines: text.clone().into(),
                });
                journal.append(appends.collect())
            })
            .collect();
        // What is tried in this go, by log.
        let mut tried: BTreeMap<DumpName, String> = BTreeMap::new();
        for (batch, result) in batches.into_iter().zip(pending) {
            let result = block_on(result);
            for (name, text) in batch {
                let log = self.logs.get_mut(&name).unwrap();
                if result.is_ok() {
                    assert_ne!(log.finished, Surely::Yes, "{name} is finished");
                    assert!(!log.failed, "{name} was not read after a failure");
                    log.text.push_str(&text);
                    log.tries.clear();
                    log.exists = Surely::Yes;
                    log.finished = Surely::No;
                } else {
                    let tried = tried.entry(name).or_insert_with(|| log.text.clone());
                    tried.push_str(&text);
                    log.tries.push(tried.clone());
                    log.failed = log.finished != Surely::Yes;
                    if log.exists == Surely::No {
                        log.exists = Surely::Maybe;
                    }
                }
            }
        }
        let failed: Vec<DumpName> = self
            .logs
            .iter()
            .filter(|(_, log)| log.failed)
            .map(|(name, _)| name.clone())
            .collect();
        for name in failed {
            self.read(journal, &name);
        }
    }

    fn finish(&mut self, journal: &FileJournal) {
        let name = self.name();
        let result = block_on(journal.finish(&name));
        let log = self.logs.get_mut(&name).unwrap();
        match result {
            Ok(()) => {
                log.finished = Surely::Yes;
                log.tries.clear();
            }
            Err(error) if is_unknown(&error) => assert_ne!(log.exists, Surely::Yes),
            Err(_) if log.finished == Surely::No => log.finished = Surely::Maybe,
            Err(_) => {}
        }
    }

    fn remove(&mut self, journal: &FileJournal) {
        let name = self.name();
        let result = block_on(journal.remove(&name));
        let log = self.logs.get_mut(&name).unwrap();
        match result {
            Ok(()) => *log = Expected::default(),
            Err(_) => {
                log.removed = log.text.len();
                // Of what was tried before nothing can come behind what is removed.
                log.tries.retain(|tried| tried.len() >= log.removed);
                if log.exists == Surely::Yes {
                    log.exists = Surely::Maybe;
                }
            }
        }
    }

    fn read(&mut self, journal: &FileJournal, name: &DumpName) {
        let log = self.logs.get_mut(name).unwrap();
        match block_on(journal.read(name)) {
            Ok(mut reader) => {
                let mut text = String::new();
                reader.read_to_string(&mut text).unwrap();
                assert!(
                    log.allows(&text),
                    "{name}: {} of {}",
                    brief(&text),
                    brief(&format!("{log:?}"))
                );
                assert_ne!(log.exists, Surely::No, "{name}");
                if !log.allows_behind(0, &text) {
                    for tried in &mut log.tries {
                        tried.drain(..log.removed);
                    }
                    log.removed = 0;
                }
                // It is there now, though a crash may still bring what was tried.
                log.text = text;
            }
            Err(error) if is_unknown(&error) => {
                assert_ne!(log.exists, Surely::Yes, "{name}: {log:?}");
            }
            Err(error) => panic!("{name}: {error}: {}", error.kind()),
        }
        log.failed = false;
    }

    fn list(&mut self, journal: &FileJournal) {
        let entries = block_on(journal.list()).unwrap();
        for (name, log) in &self.logs {
            let entry = entries.iter().find(|entry| &entry.name == name);
            let (exists, finished) = (log.exists, log.finished);
            assert!(
                exists.allows(entry.is_some())
                    && entry.is_none_or(|is| finished.allows(is.finished)),
                "{name}: {entry:?}, exists {exists:?}, finished {finished:?}"
            );
        }
    }

    /// After a crash all of it is looked at, and what is found is what counts from now on.
    fn reopened(&mut self, journal: &FileJournal) {
        self.list(journal);
        let names: Vec<DumpName> = self.logs.keys().cloned().collect();
        let entries = block_on(journal.list()).unwrap();
        for name in names {
            self.read(journal, &name);
            let log = self.logs.get_mut(&name).unwrap();
            let entry = entries.iter().find(|entry| entry.name == name);
            match entry {
                Some(entry) => {
                    assert_eq!(entry.bytes, log.text.len() as u64);
                    log.tries.clear();
                    log.removed = 0;
                    log.exists = Surely::Yes;
                    log.finished = if entry.finished {
                        Surely::Yes
                    } else {
                        Surely::No
                    };
                }
                None => *log = Expected::default(),
            }
        }
    }
}

fn is_unknown(error: &JournalError) -> bool {
    matches!(error.kind(), JournalErrorKind::UnknownLog)
}

/// Lives through some lives, each of which ends in a crash, with faults on the way.
fn live(seed: u64, sync: SyncPolicy, power_loss: bool, faults: bool) {
    live_on(seed, [sync; 6], power_loss, faults);
}

/// The same with a policy for each life. Without syncs a life ends with the process only.
fn live_on(seed: u64, policies: [SyncPolicy; 6], power_loss: bool, faults: bool) {
    let mut story = Story::new(seed);
    let mut disk = SimDisk::new(seed);
    for (life, sync) in (0..).zip(policies) {
        let power_loss = power_loss && sync != SyncPolicy::Never;
        let (journal, report) = open(&disk, tiny(sync));
        assert_eq!(report.damaged, [], "seed {seed}, life {life}");
        assert_eq!(report.lost_wal_bytes, 0, "seed {seed}, life {life}");
        story.reopened(&journal);
        disk.crash_in(story.random.below(400));
        while !disk.has_crashed() {
            if story.random.chance(1) {
                // If this fails it changes nothing.
                let _ = block_on(journal.close());
                break;
            }
            if faults && story.random.chance(5) {
                let percent = story.random.below(2) * 30;
                disk.fail_opens(percent);
            }
            if faults && story.random.chance(5) {
                let percent = story.random.below(2) * 30;
                disk.fail_syncs(percent);
            }
            if faults && story.random.chance(5) {
                let space = [usize::MAX, story.random.below(500)];
                disk.leave_space(space[story.random.below(2)]);
            }
            story.act(&journal);
        }
        drop(journal);
        disk.crash_now();
        let next = seed.wrapping_mul(31).wrapping_add(life);
        disk = if power_loss && story.random.chance(80) {
            disk.after_power_loss(next)
        } else {
            disk.after_kill(next)
        };
        if story.random.chance(30) {
            // A crash while recovering.
            disk.crash_in(story.random.below(30));
            let opened =
                FileJournal::open_on(Arc::new(disk.clone()), Path::new(ROOT), tiny(sync), None);
            drop(opened);
            disk.crash_now();
            disk = if power_loss {
                disk.after_power_loss(next + 1)
            } else {
                disk.after_kill(next + 1)
            };
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_in_a_power_loss_at_any_step() {
    for seed in 0..300 {
        live(seed, SyncPolicy::Batched, true, false);
    }
}

#[test]
fn what_a_life_without_syncs_left_is_safe_once_a_life_with_syncs_begins() {
    let mut policies = [SyncPolicy::Batched; 6];
    policies[0] = SyncPolicy::Never;
    for seed in 3000..3200 {
        live_on(seed, policies, true, false);
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_syncs_fail_and_the_disk_is_full_as_well() {
    for seed in 1000..1300 {
        live(seed, SyncPolicy::Batched, true, true);
    }
}

#[test]
fn without_syncs_nothing_acknowledged_is_lost_when_killed() {
    for seed in 2000..2100 {
        live(seed, SyncPolicy::Never, false, seed % 2 == 0);
        let soon = Duration::from_micros(200);
        live(seed, SyncPolicy::Interval(soon), false, seed % 2 == 0);
    }
}

/// Lines without their padding.
fn brief(text: &str) -> String {
    text.replace('x', "")
}
