//! One file a session, to look records up by name.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde_json::{Map, Value};

use crate::directory::sync_parent;
use crate::worker::Worker;
use crate::{BoxFuture, DumpName, FeatureSink, SessionRecord, SinkError};

/// Keeps each record as `<name>.json`: an object with a member for each part.
///
/// A record that is published again replaces its file, so repetitions never add anything. Each
/// publish writes a small file and waits for the disk, on a thread of the sink's; for many sessions a
/// second a database serves better.
#[derive(Debug)]
pub struct DirectorySink {
    directory: PathBuf,
    worker: Worker,
}

/// A record that a [`DirectorySink`] has.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordEntry {
    /// Whose record it is.
    pub name: DumpName,
    /// When it was published, in Unix epoch milliseconds.
    pub modified_ms: f64,
}

impl DirectorySink {
    const NAME: &'static str = "directory";

    /// Keeps records in `directory`, which is created if it is missing.
    ///
    /// # Errors
    ///
    /// If it cannot be created.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, SinkError> {
        let directory = directory.into();
        let failed = |error: io::Error| SinkError::new(Self::NAME, None, error);
        fs::create_dir_all(&directory).map_err(failed)?;
        let worker = Worker::start("sink-directory", 1, 1_024).map_err(failed)?;
        Ok(Self { directory, worker })
    }

    fn path(&self, name: &DumpName) -> PathBuf {
        self.directory.join(format!("{name}.json"))
    }

    /// The record of a session, part by part; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn read(&self, name: &DumpName) -> io::Result<Option<Map<String, Value>>> {
        match fs::read(self.path(name)) {
            Ok(json) => Ok(Some(serde_json::from_slice(&json)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The records published last, the latest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub fn latest(&self, limit: usize) -> io::Result<Vec<RecordEntry>> {
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let Some(name) = record_name(&entry.path()) else {
                continue;
            };
            let modified = entry.metadata()?.modified()?.duration_since(UNIX_EPOCH);
            let modified_ms = modified.unwrap_or_default().as_secs_f64() * 1000.0;
            records.push(RecordEntry { name, modified_ms });
        }
        records.sort_by(|one, other| other.modified_ms.total_cmp(&one.modified_ms));
        records.truncate(limit);
        Ok(records)
    }
}

fn json_of(record: &SessionRecord) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::new();
    json.push(b'{');
    for (index, part) in record.parts.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        serde_json::to_writer(&mut json, &part.part)?;
        json.push(b':');
        json.extend_from_slice(part.json.get().as_bytes());
    }
    json.push(b'}');
    Ok(json)
}

/// Replaces a file as a whole.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_parent(path)
}

fn record_name(path: &Path) -> Option<DumpName> {
    if path.extension() != Some(OsStr::new("json")) {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}

impl FeatureSink for DirectorySink {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        let name = record.name.clone();
        let path = self.path(&name);
        let json = json_of(record);
        let written = self.worker.run(move || write(&path, &json?));
        Box::pin(async move {
            let result = written.await;
            let result = result.unwrap_or_else(|| Err(io::Error::other("the worker is gone")));
            result.map_err(|error| SinkError::new(Self::NAME, Some(name), error))
        })
    }

    fn name(&self) -> &str {
        Self::NAME
    }
}

#[cfg(test)]
mod tests {
    use rtcstats_proto::jitsi::SessionId;
    use serde_json::value::to_raw_value;

    use super::*;
    use crate::RecordPart;
    use crate::testing::block_on;

    fn publish(sink: &DirectorySink, id: &str, value: u32) {
        let part = RecordPart {
            part: "pc/\"0".to_owned(),
            json: to_raw_value(&value).unwrap(),
        };
        let name = DumpName::first(SessionId::new(id).unwrap());
        let record = SessionRecord {
            name,
            parts: vec![part],
        };
        block_on(sink.publish(&record)).unwrap();
    }

    #[test]
    fn a_record_is_found_again_and_a_repetition_replaces_it() {
        let directory = tempfile::tempdir().unwrap();
        let sink = DirectorySink::open(directory.path().join("records")).unwrap();
        publish(&sink, "a", 1);
        publish(&sink, "b", 1);
        publish(&sink, "a", 2);
        let name = "a".parse().unwrap();
        assert_eq!(sink.read(&name).unwrap().unwrap()["pc/\"0"], 2);
        assert_eq!(sink.latest(9).unwrap().len(), 2);
        assert_eq!(sink.latest(1).unwrap().len(), 1);
        assert!(sink.read(&"c".parse().unwrap()).unwrap().is_none());
    }
}
