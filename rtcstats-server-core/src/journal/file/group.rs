//! What is written with one sync: operations of all sessions, checked and placed.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::log::{Log, Map};
use super::queue::{Command, Done};
use super::record::{Record, RecordKind};
use crate::DumpName;
use crate::journal::{Append, JournalErrorKind};

/// The largest batch for one log. The record format could take 4 GiB.
const MAX_LINES_BYTES: usize = 64 << 20;

/// Operations in the order they were called, each with where it goes, and their records.
pub(super) struct Group {
    pub(super) records: Vec<u8>,
    pub(super) steps: Vec<Step>,
    /// The logs as they will be once the steps so far were performed.
    ahead: Map<Log>,
    salt: u64,
}

/// One operation, ready to be performed when its records are committed.
pub(super) enum Step {
    Append {
        writes: Vec<Write>,
        done: Done<()>,
    },
    /// An append that cannot be performed.
    Fail {
        names: Vec<DumpName>,
        log: DumpName,
        kind: JournalErrorKind,
        done: Done<()>,
    },
    /// Neither records nor a place are needed, or they are already there.
    Perform(Command),
}

/// Lines, and where in their log they go.
pub(super) struct Write {
    pub(super) name: DumpName,
    pub(super) offset: u64,
    pub(super) lines: bytes::Bytes,
}

impl Group {
    pub(super) fn new(salt: u64, records: Vec<u8>) -> Self {
        Self {
            records,
            steps: Vec::new(),
            ahead: Map::default(),
            salt,
        }
    }

    /// Adds an operation, given the logs as they are before the group.
    pub(super) fn add(&mut self, command: Command, logs: &Map<Log>, queue_bytes: usize) {
        match command {
            Command::Append { batch, done } => self.add_append(batch, done, logs),
            Command::Refused { names, done } => {
                let limit = queue_bytes as u64;
                self.fail(
                    names,
                    None,
                    JournalErrorKind::OverLimit { limit },
                    done,
                    logs,
                );
            }
            Command::Finish { ref name, .. } => {
                let log = self.ahead(name, logs);
                if log.exists && !log.broken && !log.finished {
                    log.finished = true;
                    let offset = log.len;
                    self.record(RecordKind::Finish, name, offset, &[]);
                }
                self.steps.push(Step::Perform(command));
            }
            Command::Remove { ref name, .. } => {
                let log = self.ahead(name, logs);
                let is_there = log.is_recorded || log.may_be_recorded;
                *log = Log::default();
                if is_there {
                    self.record(RecordKind::Remove, name, 0, &[]);
                }
                self.steps.push(Step::Perform(command));
            }
            Command::Read { ref name, .. } => {
                self.ahead(name, logs).broken = false;
                self.steps.push(Step::Perform(command));
            }
            Command::List { .. } | Command::Close { .. } => self.steps.push(Step::Perform(command)),
        }
    }

    fn add_append(&mut self, batch: Vec<Append>, done: Done<()>, logs: &Map<Log>) {
        let mistake = batch.iter().find_map(|append| {
            let kind = refusal(append, self.ahead(&append.name, logs))?;
            Some((append.name.clone(), kind))
        });
        if let Some((log, kind)) = mistake {
            let names = batch.into_iter().map(|append| append.name).collect();
            self.fail(names, Some(log), kind, done, logs);
            return;
        }
        let mut writes = Vec::with_capacity(batch.len());
        for Append { name, lines } in batch {
            let log = self.ahead(&name, logs);
            let offset = log.len;
            log.len = log.len.saturating_add(lines.len() as u64);
            (log.exists, log.is_recorded) = (true, true);
            self.record(RecordKind::Append, &name, offset, &lines);
            writes.push(Write {
                name,
                offset,
                lines,
            });
        }
        self.steps.push(Step::Append { writes, done });
    }

    fn fail(
        &mut self,
        names: Vec<DumpName>,
        log: Option<DumpName>,
        kind: JournalErrorKind,
        done: Done<()>,
        logs: &Map<Log>,
    ) {
        for name in &names {
            self.ahead(name, logs).broken = true;
        }
        let Some(log) = log.or_else(|| names.first().cloned()) else {
            done.complete(Ok(()));
            return;
        };
        self.steps.push(Step::Fail {
            names,
            log,
            kind,
            done,
        });
    }

    fn ahead(&mut self, name: &DumpName, logs: &Map<Log>) -> &mut Log {
        if !self.ahead.contains_key(name) {
            let log = logs.get(name).cloned().unwrap_or_default();
            self.ahead.insert(name.clone(), log);
        }
        self.ahead.entry(name.clone()).or_default()
    }

    fn record(&mut self, kind: RecordKind, name: &DumpName, offset: u64, payload: &[u8]) {
        let record = Record {
            kind,
            name: name.clone(),
            offset,
        };
        let encoded = record.encode(self.salt, payload, &mut self.records);
        debug_assert!(encoded.is_some(), "limits are below those of the format");
    }
}

/// Why an append cannot be performed.
fn refusal(append: &Append, log: &Log) -> Option<JournalErrorKind> {
    if log.finished {
        return Some(JournalErrorKind::Finished);
    }
    if log.broken {
        return Some(JournalErrorKind::EarlierFailure);
    }
    if append.lines.len() > MAX_LINES_BYTES {
        let limit = MAX_LINES_BYTES as u64;
        return Some(JournalErrorKind::OverLimit { limit });
    }
    let is_lines = append.lines.is_empty() || append.lines.ends_with(b"\n");
    (!is_lines).then_some(JournalErrorKind::NotLines)
}

/// What an error of the file system means.
pub(super) fn failure_kind(error: Arc<io::Error>) -> JournalErrorKind {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            JournalErrorKind::Full(Box::new(error))
        }
        _ => JournalErrorKind::Store(Box::new(error)),
    }
}
