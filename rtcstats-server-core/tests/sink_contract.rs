//! Every sink keeps the contract of sinks.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use rtcstats_server_core::testing::{self, block_on};
use rtcstats_server_core::{
    BoxFuture, DirectorySink, DumpName, Erasure, FeatureSink, JsonlSink, JsonlSinkOptions,
    MemorySink, RecordPart, SessionRecord, SinkError,
};
use serde::Deserialize;
use serde_json::value::RawValue;

#[test]
fn memory_sink_keeps_the_contract() {
    testing::sink_contract(MemorySink::default, |sink| {
        let parts = sink.parts().into_iter();
        parts
            .map(|((session, part), json)| (session, part, json.get().to_owned()))
            .collect()
    });
}

#[test]
fn stores_keep_the_contract_of_stores() {
    testing::record_store_contract(MemorySink::default);
    let root = tempfile::tempdir().unwrap();
    let count = Cell::new(0);
    testing::record_store_contract(|| {
        count.set(count.get() + 1);
        DirectorySink::open(root.path().join(count.get().to_string())).unwrap()
    });
}

/// A sink that knows its file.
struct InFile(JsonlSink, PathBuf);

impl FeatureSink for InFile {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        self.0.publish(record)
    }

    fn name(&self) -> &str {
        self.0.name()
    }
}

#[test]
fn jsonl_sink_keeps_the_contract() {
    let root = tempfile::tempdir().unwrap();
    let count = Cell::new(0);
    let make = || {
        count.set(count.get() + 1);
        let path = root.path().join(format!("{}.jsonl", count.get()));
        InFile(JsonlSink::open(&path).unwrap(), path)
    };
    testing::sink_contract(make, |sink| stored(&sink.1));
}

#[derive(Deserialize)]
struct Line {
    session: String,
    part: String,
    value: Box<RawValue>,
}

fn stored(path: &Path) -> Vec<(DumpName, String, String)> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines()
        .map(|line| {
            let line: Line = serde_json::from_str(line).unwrap();
            let session = line.session.parse().unwrap();
            (session, line.part, line.value.get().to_owned())
        })
        .collect()
}

fn record(session: &str, parts: &[&str]) -> SessionRecord {
    let parts = parts.iter().map(|part| RecordPart {
        part: (*part).to_owned(),
        json: RawValue::from_string("{\n  \"of\": 1\r\n}".to_owned()).unwrap(),
    });
    SessionRecord {
        name: session.parse().unwrap(),
        parts: parts.collect(),
    }
}

fn publish(sink: &JsonlSink, session: &str) {
    block_on(sink.publish(&record(session, &["features", "pc/PC_0"]))).unwrap();
}

#[test]
fn a_repetition_after_reopening_is_not_stored_again() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("features.jsonl");
    for _ in 0..3 {
        let sink = JsonlSink::open(&path).unwrap();
        publish(&sink, "a");
        publish(&sink, "b");
    }
    assert_eq!(stored(&path).len(), 4);
    assert_eq!(stored(&path)[0].2, "{   \"of\": 1  }");
}

#[test]
fn a_file_cut_at_any_byte_keeps_its_whole_lines_and_takes_the_rest_again() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("features.jsonl");
    let sink = JsonlSink::open(&path).unwrap();
    publish(&sink, "a");
    publish(&sink, "b");
    drop(sink);
    let whole = fs::read(&path).unwrap();
    for cut in 0..=whole.len() {
        for zeros in [0, 9_000] {
            let mut content = whole[..cut].to_vec();
            content.resize(cut + zeros, 0);
            fs::write(&path, content).unwrap();
            let options = JsonlSinkOptions {
                scanned_bytes: 100,
                ..JsonlSinkOptions::default()
            };
            let sink = JsonlSink::open_with(&path, options).unwrap();
            let lines_end = whole[..cut].iter().rposition(|&byte| byte == b'\n');
            let lines = &whole[..lines_end.map_or(0, |end| end + 1)];
            assert_eq!(fs::read(&path).unwrap(), lines, "cut {cut}, {zeros} zeros");
            drop(sink);
            let sink = JsonlSink::open(&path).unwrap();
            publish(&sink, "a");
            publish(&sink, "b");
            assert_eq!(fs::read(&path).unwrap(), whole, "cut {cut}, {zeros} zeros");
        }
    }
}

#[test]
fn only_so_many_parts_are_remembered() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("features.jsonl");
    let options = JsonlSinkOptions {
        remembered_parts: 4,
        ..JsonlSinkOptions::default()
    };
    let sink = JsonlSink::open_with(&path, options).unwrap();
    for session in ["a", "b", "b", "a", "c", "b", "a"] {
        publish(&sink, session);
    }
    let mut counts: HashMap<String, usize> = HashMap::new();
    for (session, _, _) in stored(&path) {
        *counts.entry(session.to_string()).or_default() += 1;
    }
    assert_eq!((counts["a"], counts["b"], counts["c"]), (4, 2, 2));
}

#[test]
fn a_file_is_not_shared() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("features.jsonl");
    let sink = JsonlSink::open(&path).unwrap();
    assert!(JsonlSink::open(&path).is_err());
    drop(sink);
    JsonlSink::open(&path).unwrap();
}

#[test]
fn a_file_of_another_kind_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("notes.txt");
    for content in ["a note", "one\ntwo\nthree", "{\"sessions\":"] {
        fs::write(&path, content).unwrap();
        let error = JsonlSink::open(&path).unwrap_err();
        assert_eq!(error.session(), None);
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[test]
fn erased_sessions_are_gone_from_the_file_and_can_be_published_again() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("features.jsonl");
    let sink = JsonlSink::open(&path).unwrap();
    for session in ["a", "b", "c"] {
        publish(&sink, session);
    }
    let names = ["a", "c", "d"].map(|name| name.parse().unwrap());
    assert_eq!(block_on(sink.erase(&names)).unwrap(), Erasure::Erased(2));
    assert_eq!(block_on(sink.erase(&names)).unwrap(), Erasure::Erased(0));
    let sessions = || -> Vec<_> {
        let lines = stored(&path).into_iter();
        lines.map(|(session, _, _)| session.to_string()).collect()
    };
    assert_eq!(sessions(), ["b", "b"]);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    assert!(JsonlSink::open(&path).is_err(), "it is still locked");
    for session in ["a", "b"] {
        publish(&sink, session);
    }
    assert_eq!(sessions(), ["b", "b", "a", "a"]);
    drop(sink);
    let sink = JsonlSink::open(&path).unwrap();
    publish(&sink, "a");
    assert_eq!(sessions().len(), 4);
}
