//! Deliveries that wait on disk until somebody takes them.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::directory::{sync, sync_parent};

mod remembered;

use remembered::Remembered;

const DEAD: &str = "dead";
const LOCK: &str = "lock";
const DELIVERED: &str = "delivered";

/// How much an outbox takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutboxLimits {
    pub(super) entries: usize,
    pub(super) bytes: u64,
    /// Entries that were given up and are kept; the oldest are removed.
    pub(super) dead: usize,
    /// Keys of parts that were delivered.
    pub(super) remembered: usize,
}

/// A delivery, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Delivery {
    /// The same for the same parts of the same session.
    pub(super) id: Uuid,
    /// When it was put in, in Unix epoch milliseconds.
    pub(super) created_ms: f64,
    /// Text of the session's name.
    pub(super) session: String,
    /// The keys of the parts that are in it.
    pub(super) keys: Vec<Uuid>,
    /// What is to be delivered.
    pub(super) content: Box<RawValue>,
}

/// An outbox takes no more.
#[derive(Debug, thiserror::Error)]
#[error("the outbox is full: {entries} deliveries of {bytes} bytes wait")]
pub(super) struct OutboxFull {
    entries: usize,
    bytes: u64,
}

/// A directory of deliveries.
///
/// Each is a file, `<id>.json`, written under another name, synced and renamed, so that it is there
/// whole or not at all. Those that are given up go to the directory `dead`, next to a file with the
/// reason. What was delivered is removed, and the keys of its parts are remembered in the file
/// `delivered`. One process has it at a time. All methods block.
#[derive(Debug)]
pub(super) struct Outbox {
    directory: PathBuf,
    limits: OutboxLimits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Held for as long as it is open.
    lock: Option<File>,
    entries: HashMap<Uuid, Entry>,
    /// In the order in which they were put in.
    order: BTreeMap<u64, Uuid>,
    next: u64,
    bytes: u64,
    /// The keys of all parts in it.
    pending: HashSet<Uuid>,
    delivered: Remembered,
    /// Oldest first.
    dead: VecDeque<String>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    bytes: u64,
    session: String,
    keys: Vec<Uuid>,
}

impl Outbox {
    /// Opens a directory, and creates it if need be.
    pub(super) fn open(directory: &Path, limits: OutboxLimits) -> io::Result<Self> {
        fs::create_dir_all(directory.join(DEAD))?;
        sync(directory)?;
        sync_parent(directory)?;
        let lock = lock(&directory.join(LOCK))?;
        let mut state = State {
            lock: Some(lock),
            entries: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
            bytes: 0,
            pending: HashSet::new(),
            delivered: Remembered::open(&directory.join(DELIVERED), limits.remembered)?,
            dead: dead_files(&directory.join(DEAD))?,
        };
        let mut found = read_entries(directory)?;
        found.sort_by(|(one, _), (other, _)| one.created_ms.total_cmp(&other.created_ms));
        for (delivery, bytes) in found {
            state.add(&delivery, bytes);
        }
        Ok(Self {
            directory: directory.to_owned(),
            limits,
            state: Mutex::new(state),
        })
    }

    /// Whether a part waits here, or was delivered as far as is remembered.
    pub(super) fn has(&self, key: &Uuid) -> bool {
        let state = self.state();
        state.pending.contains(key) || state.delivered.contains(key)
    }

    /// Puts a delivery in; it is durable then. Nothing, if it is there already.
    pub(super) fn put(&self, delivery: &Delivery) -> io::Result<()> {
        let json = serde_json::to_vec(delivery)?;
        let bytes = json.len() as u64;
        let mut state = self.state();
        if state.lock.is_none() {
            return Err(closed());
        }
        if state.entries.contains_key(&delivery.id) {
            return Ok(());
        }
        if state.entries.len() >= self.limits.entries || state.bytes + bytes > self.limits.bytes {
            return Err(io::Error::new(
                ErrorKind::StorageFull,
                OutboxFull {
                    entries: state.entries.len(),
                    bytes: state.bytes,
                },
            ));
        }
        write(&self.path(&delivery.id), &json)?;
        state.add(delivery, bytes);
        Ok(())
    }

    /// Reads a delivery; `None` if it is gone.
    pub(super) fn read(&self, id: &Uuid) -> io::Result<Option<Delivery>> {
        match fs::read(self.path(id)) {
            Ok(json) => Ok(Some(serde_json::from_slice(&json)?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Forgets a delivery that was taken, and remembers the keys of its parts.
    pub(super) fn delivered(&self, id: &Uuid) -> io::Result<()> {
        let mut state = self.state();
        // The next owner may be at it.
        if state.lock.is_none() {
            return Ok(());
        }
        let Some(entry) = state.remove(id) else {
            return Ok(());
        };
        // In this order: a crash in between delivers it again rather than never.
        let remembered = state.delivered.add(&entry.keys);
        let removed = fs::remove_file(self.path(id)).and_then(|()| sync(&self.directory));
        remembered.and(removed)
    }

    /// Puts a delivery away for good, with the reason.
    pub(super) fn give_up(&self, id: &Uuid, reason: &str) -> io::Result<()> {
        let mut state = self.state();
        if state.lock.is_none() || state.remove(id).is_none() {
            return Ok(());
        }
        let name = format!("{id}.json");
        let dead = self.directory.join(DEAD).join(&name);
        write(&dead.with_extension("reason"), reason.as_bytes())?;
        fs::rename(self.path(id), &dead)?;
        sync_parent(&dead)?;
        sync(&self.directory)?;
        state.dead.push_back(name);
        while state.dead.len() > self.limits.dead {
            let Some(oldest) = state.dead.pop_front() else {
                break;
            };
            let oldest = self.directory.join(DEAD).join(oldest);
            // The reason may be missing after a crash.
            let _ = fs::remove_file(oldest.with_extension("reason"));
            fs::remove_file(oldest)?;
        }
        Ok(())
    }

    /// The ids of all deliveries, the oldest first.
    pub(super) fn ids(&self) -> Vec<Uuid> {
        self.state().order.values().copied().collect()
    }

    /// How many deliveries wait, and their bytes.
    pub(super) fn size(&self) -> (usize, u64) {
        let state = self.state();
        (state.entries.len(), state.bytes)
    }

    /// Removes what waits of these sessions, and what was given up. How many there were.
    pub(super) fn erase(&self, sessions: &HashSet<String>) -> io::Result<usize> {
        let mut state = self.state();
        if state.lock.is_none() {
            return Err(closed());
        }
        let of_sessions = state
            .entries
            .iter()
            .filter(|(_, entry)| sessions.contains(&entry.session));
        let ids: Vec<Uuid> = of_sessions.map(|(id, _)| *id).collect();
        for id in &ids {
            fs::remove_file(self.path(id))?;
            state.remove(id);
        }
        sync(&self.directory)?;
        let mut erased = ids.len();
        let directory = self.directory.join(DEAD);
        let mut kept = VecDeque::new();
        for name in std::mem::take(&mut state.dead) {
            let path = directory.join(&name);
            if is_of(&path, sessions) {
                // The reason may be missing after a crash.
                let _ = fs::remove_file(path.with_extension("reason"));
                fs::remove_file(&path)?;
                erased += 1;
            } else {
                kept.push_back(name);
            }
        }
        state.dead = kept;
        sync(&directory)?;
        Ok(erased)
    }

    /// Leaves the directory to the next one. Nothing is written any more.
    pub(super) fn close(&self) {
        self.state().lock = None;
    }

    fn path(&self, id: &Uuid) -> PathBuf {
        self.directory.join(format!("{id}.json"))
    }

    /// No code panics while it holds the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, delivery: &Delivery, bytes: u64) {
        let number = self.next;
        self.next += 1;
        self.bytes += bytes;
        self.order.insert(number, delivery.id);
        self.pending.extend(&delivery.keys);
        let entry = Entry {
            number,
            bytes,
            session: delivery.session.clone(),
            keys: delivery.keys.clone(),
        };
        self.entries.insert(delivery.id, entry);
    }

    fn remove(&mut self, id: &Uuid) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        self.order.remove(&entry.number);
        self.bytes -= entry.bytes;
        for key in &entry.keys {
            self.pending.remove(key);
        }
        Some(entry)
    }
}

fn closed() -> io::Error {
    io::Error::other("the outbox is closed")
}

/// Whether a file has a delivery of one of these sessions.
fn is_of(path: &Path, sessions: &HashSet<String>) -> bool {
    let delivery = fs::read(path)
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok());
    delivery.is_some_and(|delivery: Delivery| sessions.contains(&delivery.session))
}

fn lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => Ok(file),
        Err(fs4::TryLockError::WouldBlock) => Err(io::Error::new(
            ErrorKind::WouldBlock,
            "another process has the outbox open",
        )),
        Err(fs4::TryLockError::Error(error)) => Err(error),
    }
}

/// Writes a file as a whole.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        // It is not a delivery's name, and is removed when the outbox is opened.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_parent(path)
}

/// All deliveries and their sizes. What crashes left is removed.
fn read_entries(directory: &Path) -> io::Result<Vec<(Delivery, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("tmp") => fs::remove_file(&path)?,
            Some("json") => {
                let json = fs::read(&path)?;
                match serde_json::from_slice(&json) {
                    Ok(delivery) => found.push((delivery, json.len() as u64)),
                    Err(error) => tracing::warn!(?path, %error, "no delivery: left alone"),
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The names of what was given up, oldest first.
fn dead_files(directory: &Path) -> io::Result<VecDeque<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(name) = name.to_str().filter(|name| name.ends_with(".json")) {
            found.push((entry.metadata()?.modified()?, name.to_owned()));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, name)| name).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;

    const LIMITS: OutboxLimits = OutboxLimits {
        entries: 3,
        bytes: 10_000,
        dead: 1,
        remembered: 100,
    };

    fn delivery(session: &str, created_ms: f64) -> Delivery {
        let key =
            |kind: &str| Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{session}{kind}").as_bytes());
        Delivery {
            id: key("id"),
            created_ms,
            session: session.to_owned(),
            keys: vec![key("part")],
            content: to_raw_value(session).unwrap(),
        }
    }

    #[test]
    fn what_was_put_in_is_there_after_a_restart_in_its_order() {
        let root = tempfile::tempdir().unwrap();
        let (a, b) = (delivery("a", 1.0), delivery("b", 2.0));
        let outbox = Outbox::open(root.path(), LIMITS).unwrap();
        outbox.put(&a).unwrap();
        outbox.put(&b).unwrap();
        outbox.put(&b).unwrap();
        let size = outbox.size();
        assert_eq!(size.0, 2);
        assert!(Outbox::open(root.path(), LIMITS).is_err(), "it is locked");
        drop(outbox);
        fs::write(root.path().join("x.tmp"), "torn").unwrap();
        fs::write(root.path().join("x.json"), "foreign").unwrap();
        let outbox = Outbox::open(root.path(), LIMITS).unwrap();
        assert!(!root.path().join("x.tmp").exists());
        assert_eq!(outbox.ids(), [a.id, b.id]);
        assert_eq!(outbox.size(), size);
        assert!(outbox.has(&a.keys[0]));
        let read = outbox.read(&a.id).unwrap().unwrap();
        assert_eq!(read.content.get(), "\"a\"");
    }

    #[test]
    fn what_was_delivered_is_gone_and_remembered() {
        let root = tempfile::tempdir().unwrap();
        let a = delivery("a", 1.0);
        let outbox = Outbox::open(root.path(), LIMITS).unwrap();
        outbox.put(&a).unwrap();
        outbox.delivered(&a.id).unwrap();
        for _ in 0..2 {
            outbox.delivered(&a.id).unwrap();
        }
        drop(outbox);
        let outbox = Outbox::open(root.path(), LIMITS).unwrap();
        assert_eq!(outbox.size(), (0, 0));
        assert!(outbox.has(&a.keys[0]));
        assert!(outbox.read(&a.id).unwrap().is_none());
    }

    #[test]
    fn a_full_outbox_takes_nothing_until_there_is_room() {
        let root = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(root.path(), LIMITS).unwrap();
        for session in ["a", "b", "c"] {
            outbox.put(&delivery(session, 1.0)).unwrap();
        }
        let d = delivery("d", 1.0);
        let error = outbox.put(&d).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert!(!outbox.has(&d.keys[0]));
        outbox.delivered(&delivery("a", 1.0).id).unwrap();
        outbox.put(&d).unwrap();
        let mut large = delivery("large", 1.0);
        large.content = to_raw_value(&"x".repeat(10_000)).unwrap();
        outbox.delivered(&d.id).unwrap();
        assert!(outbox.put(&large).is_err());
    }

    #[test]
    fn what_is_given_up_is_kept_with_the_reason_and_only_so_much_of_it() {
        let root = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(root.path(), LIMITS).unwrap();
        let dead = |delivery: &Delivery, extension: &str| {
            let name = format!("{}.{extension}", delivery.id);
            fs::read_to_string(root.path().join(DEAD).join(name)).ok()
        };
        let (a, b) = (delivery("a", 1.0), delivery("b", 2.0));
        outbox.put(&a).unwrap();
        outbox.give_up(&a.id, "gone").unwrap();
        assert_eq!(dead(&a, "reason").as_deref(), Some("gone"));
        assert!(dead(&a, "json").unwrap().contains("\"a\""));
        assert!(!outbox.has(&a.keys[0]));
        drop(outbox);
        let outbox = Outbox::open(root.path(), LIMITS).unwrap();
        outbox.put(&b).unwrap();
        outbox.give_up(&b.id, "gone too").unwrap();
        assert_eq!((dead(&a, "reason"), dead(&a, "json")), (None, None));
        assert!(dead(&b, "json").is_some());
    }

    #[test]
    fn a_session_is_erased_wherever_it_is() {
        let root = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(root.path(), LIMITS).unwrap();
        let (a, b) = (delivery("a", 1.0), delivery("b", 2.0));
        outbox.put(&a).unwrap();
        outbox.put(&b).unwrap();
        outbox.give_up(&a.id, "gone").unwrap();
        let erase = |session: &str| outbox.erase(&HashSet::from([session.to_owned()])).unwrap();
        assert_eq!((erase("a"), erase("a")), (1, 0));
        assert_eq!(outbox.size().0, 1);
        assert_eq!((erase("b"), erase("b")), (1, 0));
        assert_eq!(outbox.size(), (0, 0));
        assert_eq!(fs::read_dir(root.path().join(DEAD)).unwrap().count(), 0);
    }

    #[test]
    fn a_closed_outbox_is_the_next_ones() {
        let root = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(root.path(), LIMITS).unwrap();
        let a = delivery("a", 1.0);
        outbox.put(&a).unwrap();
        outbox.close();
        let next = Outbox::open(root.path(), LIMITS).unwrap();
        outbox.delivered(&a.id).unwrap();
        assert!(outbox.put(&delivery("b", 1.0)).is_err());
        assert_eq!(next.ids(), [a.id]);
        assert!(next.read(&a.id).unwrap().is_some());
    }
}
