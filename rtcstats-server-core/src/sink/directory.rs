//! One file a session, to look records up by name.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::summary::RecordSummary;
use crate::directory::sync_parent;
use crate::worker::Worker;
use crate::{
    BoxFuture, DumpName, Erasure, FeatureSink, RecordEntry, RecordPage, RecordPart, RecordQuery,
    RecordSearch, RecordStore, Selection, SessionRecord, SinkError,
};

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
        path_of(&self.directory, name)
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
        let mut records = entries(&self.directory)?;
        records.truncate(limit);
        Ok(records)
    }

    /// Does something with the directory, on the thread of the sink.
    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, SinkError>> {
        let directory = self.directory.clone();
        let done = self.worker.run(move || work(&directory));
        Box::pin(async move {
            let result = done.await;
            let result = result.unwrap_or_else(|| Err(io::Error::other("the worker is gone")));
            result.map_err(|error| SinkError::new(Self::NAME, None, error))
        })
    }
}

/// All records, the latest first.
fn entries(directory: &Path) -> io::Result<Vec<RecordEntry>> {
    let mut records = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Some(name) = record_name(&entry.path()) else {
            continue;
        };
        let modified = match entry.metadata() {
            Ok(metadata) => metadata.modified()?.duration_since(UNIX_EPOCH),
            // It was erased meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let modified_ms = modified.unwrap_or_default().as_secs_f64() * 1000.0;
        records.push(RecordEntry { name, modified_ms });
    }
    records.sort_by(|one, other| other.modified_ms.total_cmp(&one.modified_ms));
    Ok(records)
}

fn path_of(directory: &Path, name: &DumpName) -> PathBuf {
    directory.join(format!("{name}.json"))
}

fn read_record(directory: &Path, name: &DumpName) -> io::Result<Option<SessionRecord>> {
    match fs::read(path_of(directory, name)) {
        Ok(json) => Ok(Some(SessionRecord {
            name: name.clone(),
            parts: serde_json::from_slice::<Parts>(&json)?.0,
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The parts of a record in their order, as they were written.
struct Parts(Vec<RecordPart>);

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartsVisitor;

        impl<'de> Visitor<'de> for PartsVisitor {
            type Value = Parts;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object with a member for each part")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Parts, A::Error> {
                let mut parts = Vec::new();
                while let Some((part, json)) = members.next_entry::<String, Box<RawValue>>()? {
                    parts.push(RecordPart { part, json });
                }
                Ok(Parts(parts))
            }
        }

        deserializer.deserialize_map(PartsVisitor)
    }
}

/// Removes records; how many there were.
fn erase(directory: &Path, names: &[DumpName]) -> io::Result<u64> {
    let mut erased = 0;
    for name in names {
        let path = path_of(directory, name);
        // Left from a crash while the record was written.
        let _ = fs::remove_file(path.with_extension("tmp"));
        match fs::remove_file(&path) {
            Ok(()) => erased += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    if erased > 0 {
        File::open(directory)?.sync_all()?;
    }
    Ok(erased)
}

/// Reads all records, one by one.
fn find(directory: &Path, selection: &Selection) -> io::Result<Vec<DumpName>> {
    let mut found = Vec::new();
    for RecordEntry { name, modified_ms } in entries(directory)? {
        let Some(record) = read_record(directory, &name)? else {
            continue;
        };
        if RecordSummary::of(&record).is_selected(&name, modified_ms, selection) {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

/// Reads records one by one, if not all are wanted.
fn latest(directory: &Path, query: &RecordQuery) -> io::Result<Vec<RecordEntry>> {
    let mut found = Vec::new();
    for entry in entries(directory)? {
        if found.len() == query.limit {
            break;
        }
        let is_wanted = query.is_unfiltered()
            || read_record(directory, &entry.name)?
                .is_some_and(|record| RecordSummary::of(&record).matches(query));
        if is_wanted {
            found.push(entry);
        }
    }
    Ok(found)
}

/// Reads all records, one by one.
fn search(directory: &Path, search: &RecordSearch) -> io::Result<RecordPage> {
    let mut failure = None;
    let records = entries(directory)?.into_iter().filter_map(|entry| {
        let record = read_record(directory, &entry.name);
        let record = record.unwrap_or_else(|error| {
            failure.get_or_insert(error);
            None
        });
        Some((record?, entry.modified_ms))
    });
    let page = search.select(records);
    failure.map_or(Ok(page), Err)
}

impl RecordStore for DirectorySink {
    fn record(&self, name: &DumpName) -> BoxFuture<'_, Result<Option<SessionRecord>, SinkError>> {
        let name = name.clone();
        self.ask(move |directory| read_record(directory, &name))
    }

    /// Those with a filter read the records one by one: fine for thousands of them.
    fn latest(&self, query: &RecordQuery) -> BoxFuture<'_, Result<Vec<RecordEntry>, SinkError>> {
        let query = query.clone();
        self.ask(move |directory| latest(directory, &query))
    }

    /// Reads all records one by one: fine for thousands of them.
    fn search(&self, search: &RecordSearch) -> BoxFuture<'_, Result<RecordPage, SinkError>> {
        let wanted = search.clone();
        self.ask(move |directory| self::search(directory, &wanted))
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

    fn erase(&self, sessions: &[DumpName]) -> BoxFuture<'_, Result<Erasure, SinkError>> {
        let names = sessions.to_vec();
        self.ask(move |directory| erase(directory, &names).map(Erasure::Erased))
    }

    fn find(
        &self,
        selection: &Selection,
    ) -> BoxFuture<'_, Result<Option<Vec<DumpName>>, SinkError>> {
        let selection = selection.clone();
        self.ask(move |directory| find(directory, &selection).map(Some))
    }

    fn stored(&self, name: &DumpName) -> BoxFuture<'_, Result<Option<SessionRecord>, SinkError>> {
        self.record(name)
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

    #[test]
    fn records_are_given_back_as_they_were_listed_and_erased() {
        let directory = tempfile::tempdir().unwrap();
        let sink = DirectorySink::open(directory.path()).unwrap();
        let record = |name: &str, user: &str| SessionRecord {
            name: name.parse().unwrap(),
            parts: vec![
                RecordPart {
                    part: "z\0".to_owned(),
                    json: RawValue::from_string("[1.50,  \"\\u0000\"]".to_owned()).unwrap(),
                },
                RecordPart {
                    part: "session".to_owned(),
                    json: to_raw_value(&serde_json::json!({"user": user, "startedMs": 5})).unwrap(),
                },
            ],
        };
        for (name, user) in [("a", "ann"), ("b", "bob"), ("a_1", "ann")] {
            block_on(sink.publish(&record(name, user))).unwrap();
        }
        let a: DumpName = "a".parse().unwrap();
        let found = block_on(sink.record(&a)).unwrap().unwrap();
        let texts = |record: &SessionRecord| -> Vec<_> {
            let parts = record.parts.iter();
            parts
                .map(|part| (part.part.clone(), part.json.get().to_owned()))
                .collect()
        };
        assert_eq!(texts(&found), texts(&record("a", "ann")));
        let find = |selection| {
            let found = block_on(sink.find(&selection)).unwrap().unwrap();
            found.iter().map(DumpName::to_string).collect::<Vec<_>>()
        };
        assert_eq!(find(Selection::User("ann".to_owned())), ["a", "a_1"]);
        assert_eq!(find(Selection::EndedBefore(6.0)), ["a", "a_1", "b"]);
        assert_eq!(find(Selection::EndedBefore(5.0)), [""; 0]);
        let query = RecordQuery {
            user: Some("bob".to_owned()),
            ..RecordQuery::last(9)
        };
        assert_eq!(
            block_on(RecordStore::latest(&sink, &query)).unwrap()[0]
                .name
                .to_string(),
            "b"
        );
        let erased = [a.clone(), "c".parse().unwrap()];
        assert_eq!(block_on(sink.erase(&erased)).unwrap(), Erasure::Erased(1));
        assert!(block_on(sink.record(&a)).unwrap().is_none());
        assert_eq!(find(Selection::User("ann".to_owned())), ["a_1"]);
    }
}
