//! A sink in a file of JSON lines.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Erasure, FeatureSink, SessionRecord, SinkError};
use crate::worker::Worker;
use crate::{BoxFuture, DumpName};

const NAME: &str = "jsonl";

/// Appends each part of a record as one line to a file:
/// `{"session":"7c9e6679","part":"features","value":{…}}`.
///
/// A record is durable when [`publish`](FeatureSink::publish) resolves: it is written with one `write`
/// and synced. A torn end, which a crash leaves, is cut off when the file is opened. The file is locked,
/// so that two processes do not write to it.
///
/// **Idempotent** as far as it remembers: the last
/// [`remembered_parts`](JsonlSinkOptions::remembered_parts) that were written, and after opening those
/// within the last [`scanned_bytes`](JsonlSinkOptions::scanned_bytes) of the file. This is enough for
/// what causes repetitions: a crash between publishing a session and forgetting it, after which the
/// session is published again as soon as the process is back.
///
/// [Erasing](FeatureSink::erase) writes the file anew without the lines of these sessions, while others wait
/// to publish: it takes as long as copying the file. What the sink has cannot be asked for.
///
/// Publishing is done by one thread; up to 1,024 records wait for it, further futures wait to be
/// queued.
#[derive(Debug)]
pub struct JsonlSink {
    file: Arc<Mutex<Lines>>,
    worker: Worker,
}

/// How a [`JsonlSink`] works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonlSinkOptions {
    /// How many parts are remembered, to be told from repetitions. Default 65,536: the parts of some
    /// thousands of sessions, in some MiB of memory.
    pub remembered_parts: usize,
    /// How much of the end of the file is read when it is opened. Default 64 MiB: thousands of
    /// sessions, read within a second.
    pub scanned_bytes: u64,
}

impl Default for JsonlSinkOptions {
    fn default() -> Self {
        Self {
            remembered_parts: 65_536,
            scanned_bytes: 64 << 20,
        }
    }
}

impl JsonlSink {
    /// Opens a file, or creates it.
    ///
    /// # Errors
    ///
    /// If another process has it open, if its end is neither whole lines nor a torn line of such a
    /// sink, and those of the file system.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SinkError> {
        Self::open_with(path, JsonlSinkOptions::default())
    }

    /// As [`JsonlSink::open`].
    ///
    /// # Errors
    ///
    /// As [`JsonlSink::open`].
    pub fn open_with(path: impl AsRef<Path>, options: JsonlSinkOptions) -> Result<Self, SinkError> {
        let open = || {
            Ok(Self {
                file: Arc::new(Mutex::new(Lines::open(path.as_ref(), options)?)),
                worker: Worker::start("sink-jsonl", 1, 1_024)?,
            })
        };
        open().map_err(|error: io::Error| SinkError::new(NAME, None, error))
    }
}

impl FeatureSink for JsonlSink {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        let (file, record) = (Arc::clone(&self.file), record.clone());
        let session = record.name.clone();
        let published = self.worker.run(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.publish(&record)
        });
        Box::pin(async move {
            let result = published.await;
            let result = result.unwrap_or_else(|| Err(io::Error::other("the sink has ended")));
            result.map_err(|error| SinkError::new(NAME, Some(session), error))
        })
    }

    fn erase(&self, sessions: &[DumpName]) -> BoxFuture<'_, Result<Erasure, SinkError>> {
        let sessions: HashSet<String> = sessions.iter().map(DumpName::to_string).collect();
        let file = Arc::clone(&self.file);
        let erased = self.worker.run(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.erase(&sessions)
        });
        Box::pin(async move {
            let result = erased.await;
            let result = result.unwrap_or_else(|| Err(io::Error::other("the sink has ended")));
            let result = result.map(Erasure::Erased);
            result.map_err(|error| SinkError::new(NAME, None, error))
        })
    }

    fn name(&self) -> &str {
        NAME
    }
}

/// A line, as it is written.
#[derive(Serialize)]
struct Line<'a> {
    session: &'a DumpName,
    part: &'a str,
    value: &'a serde_json::value::RawValue,
}

/// What is read of a line.
#[derive(Deserialize)]
struct Key {
    session: String,
    part: String,
}

impl Key {
    /// Unambiguous, since no session has a zero byte.
    fn text(&self) -> Arc<str> {
        format!("{}\0{}", self.session, self.part).into()
    }
}

/// The file, and what is known to be in it.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    file: File,
    /// Up to where it is durable. What is behind it is left from a failure.
    len: u64,
    ragged: bool,
    keys: HashSet<Arc<str>>,
    /// Oldest first.
    order: VecDeque<Arc<str>>,
    remembered: usize,
}

impl Lines {
    fn open(path: &Path, options: JsonlSinkOptions) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)?;
        lock(&file)?;
        let mut lines = Self {
            path: path.to_owned(),
            len: 0,
            ragged: false,
            keys: HashSet::new(),
            order: VecDeque::new(),
            remembered: options.remembered_parts,
            file,
        };
        lines.recover(options.scanned_bytes)?;
        // What was written before a crash may be seen and yet not be on the disk.
        lines.file.sync_all()?;
        crate::directory::sync_parent(path)?;
        Ok(lines)
    }

    /// Reads the end of the file, and cuts what is torn.
    fn recover(&mut self, scanned_bytes: u64) -> io::Result<()> {
        let len = self.file.metadata()?.len();
        let start = len.saturating_sub(scanned_bytes);
        let mut input = BufReader::with_capacity(256 << 10, &self.file);
        // From one byte before, so that a line that begins right there is whole.
        let mut position = start.saturating_sub(1);
        input.seek(SeekFrom::Start(position))?;
        let mut keys = Vec::new();
        let mut line = Vec::new();
        let mut is_whole = start == 0;
        let mut good = position;
        while input.read_until(b'\n', &mut line)? > 0 {
            // Zeros are what some file systems leave of what did not reach the disk. As every publish
            // is synced before the next one, all behind them is of the one that failed.
            if !line.ends_with(b"\n") || line.contains(&0) {
                break;
            }
            position += line.len() as u64;
            good = position;
            if is_whole {
                keys.extend(serde_json::from_slice::<Key>(&line).ok());
            }
            is_whole = true;
            line.clear();
        }
        drop(input);
        if good < len && !is_whole && start > 0 {
            // The torn line began before.
            return self.recover(scanned_bytes.saturating_mul(4).max(4096));
        }
        if good < len {
            check_torn(&line)?;
            tracing::warn!(
                bytes = len - good,
                "the end of the file was torn, and is cut off"
            );
            self.file.set_len(good)?;
        }
        self.len = good;
        for key in keys {
            self.remember(key.text());
        }
        Ok(())
    }

    fn publish(&mut self, record: &SessionRecord) -> io::Result<()> {
        let session = record.name.to_string();
        let mut text = Vec::new();
        let mut keys = Vec::new();
        for part in &record.parts {
            let key = Key {
                session: session.clone(),
                part: part.part.clone(),
            };
            let key = key.text();
            if self.keys.contains(&key) || keys.contains(&key) {
                continue;
            }
            let begin = text.len();
            let line = Line {
                session: &record.name,
                part: &part.part,
                value: &part.json,
            };
            serde_json::to_writer(&mut text, &line)?;
            // In JSON text they can only be white space.
            for byte in text.iter_mut().skip(begin) {
                if matches!(byte, b'\n' | b'\r') {
                    *byte = b' ';
                }
            }
            text.push(b'\n');
            keys.push(key);
        }
        if text.is_empty() {
            return Ok(());
        }
        self.append(&text)?;
        keys.into_iter().for_each(|key| self.remember(key));
        Ok(())
    }

    /// Appends durably, or leaves the file as it was.
    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        if self.ragged {
            self.file.set_len(self.len)?;
        }
        self.ragged = true;
        self.file.seek(SeekFrom::Start(self.len))?;
        let result = self
            .file
            .write_all(text)
            .and_then(|()| self.file.sync_data());
        if let Err(error) = result {
            // After a failed sync another one would not tell what is missing: the caller publishes
            // again, and so it is written again.
            self.ragged = self.file.set_len(self.len).is_err();
            return Err(error);
        }
        self.ragged = false;
        self.len += text.len() as u64;
        Ok(())
    }

    /// Puts a file without the lines of these sessions in the place of this one; how many sessions it
    /// had. After a crash it is the one or the other.
    fn erase(&mut self, sessions: &HashSet<String>) -> io::Result<u64> {
        let mut name = self.path.clone().into_os_string();
        name.push(".tmp");
        let temporary = PathBuf::from(name);
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(&temporary)?;
        lock(&file)?;
        let mut output = BufWriter::with_capacity(256 << 10, &file);
        self.file.seek(SeekFrom::Start(0))?;
        let mut input = BufReader::with_capacity(256 << 10, &self.file).take(self.len);
        let mut erased = HashSet::new();
        let (mut line, mut len) = (Vec::new(), 0);
        while input.read_until(b'\n', &mut line)? > 0 {
            match serde_json::from_slice::<Key>(&line) {
                Ok(key) if sessions.contains(&key.session) => {
                    erased.insert(key.session);
                }
                _ => {
                    output.write_all(&line)?;
                    len += line.len() as u64;
                }
            }
            line.clear();
        }
        output.flush()?;
        drop(output);
        if erased.is_empty() {
            fs::remove_file(&temporary)?;
            return Ok(0);
        }
        file.sync_all()?;
        fs::rename(&temporary, &self.path)?;
        (self.file, self.len, self.ragged) = (file, len, false);
        let is_kept = |key: &Arc<str>| {
            let session = key.split('\0').next();
            session.is_none_or(|session| !erased.contains(session))
        };
        self.keys.retain(is_kept);
        self.order.retain(is_kept);
        crate::directory::sync_parent(&self.path)?;
        Ok(erased.len() as u64)
    }

    fn remember(&mut self, key: Arc<str>) {
        if self.remembered == 0 || !self.keys.insert(Arc::clone(&key)) {
            return;
        }
        self.order.push_back(key);
        while self.order.len() > self.remembered {
            if let Some(oldest) = self.order.pop_front() {
                self.keys.remove(&oldest);
            }
        }
    }
}

fn lock(file: &File) -> io::Result<()> {
    match fs4::FileExt::try_lock(file) {
        Ok(()) => Ok(()),
        Err(fs4::TryLockError::WouldBlock) => Err(io::Error::new(
            ErrorKind::WouldBlock,
            "another process has the file open",
        )),
        Err(fs4::TryLockError::Error(error)) => Err(error),
    }
}

/// A file that was opened by mistake is not cut.
fn check_torn(line: &[u8]) -> io::Result<()> {
    const BEGIN: &[u8] = br#"{"session":""#;
    let zero = line.iter().position(|&byte| byte == 0);
    let text = line.get(..zero.unwrap_or(line.len())).unwrap_or_default();
    let common = text.len().min(BEGIN.len());
    if text.get(..common) != BEGIN.get(..common) {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "the file does not end in a line of this sink",
        ));
    }
    Ok(())
}
