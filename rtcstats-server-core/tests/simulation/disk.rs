//! What survives a process: journal, archive, published records.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use rtcstats_server_core::DumpName;

use crate::ledger::{Ledger, Violation, event_of, hold};

#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) logs: BTreeMap<DumpName, Log>,
    pub(crate) archive: BTreeMap<DumpName, Vec<u8>>,
    /// Of each record a hash.
    records: BTreeMap<DumpName, u64>,
    /// Which session an id has.
    tags: BTreeMap<String, usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) bytes: Vec<u8>,
    pub(crate) finished: bool,
    /// An append failed; it takes nothing until it has been read.
    pub(crate) has_failed: bool,
    /// The last event.
    pub(crate) last: u64,
}

impl Disk {
    /// Lines that were given out together become durable.
    pub(crate) fn append(
        &mut self,
        name: &DumpName,
        offset: u64,
        lines: &[u8],
        ledger: &mut Ledger,
    ) -> Result<(), Violation> {
        let log = self.logs.entry(name.clone()).or_default();
        hold(!log.finished, "nothing follows the end of a log", || {
            name.to_string()
        })?;
        let length = log.bytes.len() as u64;
        hold(length == offset, "offsets follow each other", || {
            format!("{name}: {offset} at {length}")
        })?;
        log.bytes.extend_from_slice(lines);
        for line in std::str::from_utf8(lines).unwrap().lines() {
            let Some((tag, number)) = event_of(line) else {
                continue;
            };
            ledger.stored(tag, number, line, log.last)?;
            log.last = number;
            let id = name.session_id().as_str();
            let known = self.tags.get(id).copied();
            hold(
                known.is_none_or(|known| known == tag),
                "a log is of one session",
                || format!("{name}: {tag} and {known:?}"),
            )?;
            if known.is_none() {
                self.tags.insert(id.to_owned(), tag);
            }
        }
        Ok(())
    }

    /// Whose log it is, as far as it has events.
    pub(crate) fn tag_of(&self, name: &DumpName) -> Option<usize> {
        self.tags.get(name.session_id().as_str()).copied()
    }

    /// Whether an unfinished log has an event of a session.
    pub(crate) fn has_open_log(&self, tag: usize) -> bool {
        let open = self.logs.iter().filter(|(_, log)| !log.finished);
        let mut with_events = open.filter(|(_, log)| log.last > 0);
        with_events.any(|(name, _)| self.tag_of(name) == Some(tag))
    }

    /// Publishes what there is to say of a log.
    pub(crate) fn publish(&mut self, log: &DumpName, stored: &DumpName) -> Result<(), Violation> {
        let mut hasher = DefaultHasher::new();
        self.logs[log].bytes.hash(&mut hasher);
        let record = hasher.finish();
        let before = self.records.insert(stored.clone(), record);
        hold(
            before.is_none_or(|before| before == record),
            "a record is not replaced by that of another dump",
            || stored.to_string(),
        )
    }

    /// After everything was completed: the archive has what became durable, no more and no less, and
    /// each dump a record.
    pub(crate) fn check_end(&self, ledger: &Ledger) -> Result<(), Violation> {
        hold(
            self.logs.is_empty(),
            "the journal is empty in the end",
            || format!("{:?}", self.logs.keys()),
        )?;
        let mut archived: BTreeMap<(usize, u64), u8> = BTreeMap::new();
        for (name, dump) in &self.archive {
            let text = std::str::from_utf8(dump).unwrap();
            let before = archived.len();
            for event in text.lines().filter_map(event_of) {
                *archived.entry(event).or_default() += 1;
            }
            if archived.len() == before {
                // Two heads of the same millisecond are one dump.
                continue;
            }
            let mut hasher = DefaultHasher::new();
            dump.hash(&mut hasher);
            hold(
                self.records.get(name) == Some(&hasher.finish()),
                "each dump has its record",
                || name.to_string(),
            )?;
        }
        for name in self.records.keys() {
            hold(
                self.archive.contains_key(name),
                "each record has its dump",
                || name.to_string(),
            )?;
        }
        let total: u64 = archived.values().map(|times| u64::from(*times)).sum();
        hold(
            total == ledger.durable_events,
            "the archive has what became durable",
            || format!("{total} of {}", ledger.durable_events),
        )?;
        for ((tag, number), times) in archived {
            hold(
                ledger.times_stored(tag, number) == times,
                "the archive has what became durable",
                || format!("session {tag}: {number}, {times} times"),
            )?;
        }
        Ok(())
    }
}
