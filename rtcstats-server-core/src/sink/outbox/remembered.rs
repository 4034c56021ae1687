//! Keys of what was delivered, the last ones.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

const BYTES: usize = 16;

/// A file of keys, 16 bytes each, appended to; it is written anew when half of it is too old.
///
/// It is not synced: a key that is lost with the machine lets a part be delivered again, which its
/// receiver can tell.
#[derive(Debug)]
pub(super) struct Remembered {
    path: PathBuf,
    file: File,
    /// Keys in the file.
    written: usize,
    keys: HashSet<Uuid>,
    /// Oldest first.
    order: VecDeque<Uuid>,
    limit: usize,
}

impl Remembered {
    pub(super) fn open(path: &Path, limit: usize) -> io::Result<Self> {
        let content = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            content => content?,
        };
        let (chunks, _torn) = content.as_chunks::<BYTES>();
        let mut remembered = Self {
            file: append(path)?,
            path: path.to_owned(),
            written: chunks.len(),
            keys: HashSet::new(),
            order: VecDeque::new(),
            limit,
        };
        for bytes in chunks {
            remembered.remember(Uuid::from_bytes(*bytes));
        }
        remembered.rewrite()?;
        Ok(remembered)
    }

    pub(super) fn contains(&self, key: &Uuid) -> bool {
        self.keys.contains(key)
    }

    pub(super) fn add(&mut self, keys: &[Uuid]) -> io::Result<()> {
        let mut content = Vec::with_capacity(keys.len() * BYTES);
        for key in keys {
            content.extend_from_slice(key.as_bytes());
            self.remember(*key);
        }
        self.file.write_all(&content)?;
        self.written += keys.len();
        if self.written > 2 * self.limit {
            self.rewrite()?;
        }
        Ok(())
    }

    fn remember(&mut self, key: Uuid) {
        if self.limit == 0 || !self.keys.insert(key) {
            return;
        }
        self.order.push_back(key);
        while self.order.len() > self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.keys.remove(&oldest);
            }
        }
    }

    /// Writes what is remembered, and nothing else.
    fn rewrite(&mut self) -> io::Result<()> {
        let temporary = self.path.with_extension("tmp");
        let content: Vec<u8> = self.order.iter().flat_map(|key| *key.as_bytes()).collect();
        fs::write(&temporary, content)?;
        fs::rename(&temporary, &self.path)?;
        self.file = append(&self.path)?;
        self.written = self.order.len();
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_keys_are_remembered_whatever_is_torn() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("keys");
        let key = |number: u128| Uuid::from_u128(number);
        let mut remembered = Remembered::open(&path, 3).unwrap();
        for number in 0..20 {
            remembered.add(&[key(number), key(number)]).unwrap();
            assert!(fs::metadata(&path).unwrap().len() <= 8 * BYTES as u64);
        }
        drop(remembered);
        let torn = [fs::read(&path).unwrap(), vec![1, 2, 3]].concat();
        fs::write(&path, torn).unwrap();
        let mut remembered = Remembered::open(&path, 3).unwrap();
        let known = |remembered: &Remembered| {
            (0..30)
                .filter(|&n| remembered.contains(&key(n)))
                .collect::<Vec<_>>()
        };
        assert_eq!(known(&remembered), [17, 18, 19]);
        remembered.add(&[key(25)]).unwrap();
        let reopened = Remembered::open(&path, 3).unwrap();
        assert_eq!(known(&reopened), [18, 19, 25]);
    }
}
