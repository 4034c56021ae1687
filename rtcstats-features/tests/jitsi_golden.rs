//! Conformance of the Jitsi features with recorded results of the existing extractor.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;
mod tally;

use std::fs::{File, read_dir, read_to_string};
use std::io::{BufRead, BufReader};
use std::path::Path;

use rtcstats_features::jitsi::{Extraction, JitsiFold, MissingTime, RecordContext};
use rtcstats_features::{Extractor, Strictness, extract};
use rtcstats_proto::dump::{LineReader, decompress};
use serde_json::{Value, json};
use tally::Tally;

/// The time of extraction: a date that occurs in no recording.
const NOW: f64 = 4_000_000_000_000.0;
const NOW_SQL: &str = "2096-10-02 07:06:40";

/// The legacy dump lacks a header line; its golden result is with this one.
const STANDARD_HEADER: &str = concat!(
    r#"["connectionInfo",null,{"path":"/room","origin":"https://meet.example.org","#,
    r#""url":"https://meet.example.org/room","userAgent":"Mozilla/5.0 (Windows NT 10.0; "#,
    r#"Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/86.0.4240.198 "#,
    r#"Safari/537.36","clientProtocol":"3.1_STANDARD"},1605199238000]"#,
    "\n"
);

#[test]
fn features_of_the_recordings_are_those_of_the_existing_extractor() {
    compare_recordings("features", ".features.json", |extraction| {
        serde_json::to_value(extraction).unwrap()
    });
}

#[test]
fn published_records_are_those_of_the_existing_server() {
    compare_recordings("published", ".published.json", |extraction| {
        let uuids = std::cell::Cell::new(0);
        let records = extraction.records(RecordContext {
            environment: "test-env",
            now: NOW,
            uuid: &mut || {
                uuids.set(uuids.get() + 1);
                format!("uuid {}", uuids.get())
            },
            missing_time: MissingTime::Now,
        });
        let row = serde_json::to_value(extraction.metadata_row(NOW)).unwrap();
        let object_key = row["dumpId"].clone();
        let mut found = records.map_or(json!({}), |records| serde_json::to_value(records).unwrap());
        put_placeholders(&mut found);
        found["storedObjectKey"] = object_key;
        found["metadataRow"] = row;
        found
    });
}

#[test]
fn features_of_the_synthetic_dumps_are_those_of_the_existing_extractor() {
    let Some(path) = golden::shared("golden/jitsi/synthetic-dumps.jsonl") else {
        return;
    };
    let mut tally = Tally::new("synthetic");
    for line in read_to_string(path).unwrap().lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let name = vector["name"].as_str().unwrap();
        let found = extracted(name, vector["dump"].as_str().unwrap().as_bytes());
        tally.compare(
            name,
            &vector["expected"],
            &serde_json::to_value(found).unwrap(),
        );
    }
    tally.finish(95);
}

#[test]
fn features_of_the_captures_are_those_of_the_existing_extractor() {
    let Some(folder) = golden::shared("corpus/wire") else {
        return;
    };
    let mut tally = Tally::new("captures");
    for (name, path) in files(&folder, ".dump.gz") {
        if !name.starts_with("jitsi-") {
            continue;
        }
        let expected = read_to_string(folder.join(format!("{name}.features.json"))).unwrap();
        let expected: Value = serde_json::from_str(&expected).unwrap();
        let client_id = expected["dumpMetadata"]["clientId"].as_str().unwrap();
        let dump_path = expected["dumpMetadata"]["dumpPath"].as_str().unwrap();
        let dump = decompress(BufReader::new(File::open(path).unwrap())).unwrap();
        let fold = JitsiFold::new(client_id).with_dump_path(dump_path);
        let found = serde_json::to_value(run(fold, dump)).unwrap();
        tally.compare(&name, &expected, &found);
    }
    tally.finish(30);
}

fn compare_recordings(kind: &'static str, suffix: &str, result: impl Fn(&Extraction) -> Value) {
    let Some(folder) = golden::shared("golden/jitsi") else {
        return;
    };
    let mut tally = Tally::new(kind);
    for (name, path) in files(&folder, suffix) {
        if name.ends_with(".legacy-2.0") {
            continue;
        }
        let expected: Value = serde_json::from_str(&read_to_string(path).unwrap()).unwrap();
        let (dump_name, header) = match name.strip_suffix(".with-standard-header") {
            Some(dump_name) => (dump_name, STANDARD_HEADER),
            None => (name.as_str(), ""),
        };
        let dump = File::open(folder.join(format!("{dump_name}.dump"))).unwrap();
        let dump = std::io::Read::chain(header.as_bytes(), BufReader::new(dump));
        tally.compare(&name, &expected, &result(&extracted(&name, dump)));
    }
    tally.finish(13);
}

/// Files of a folder with the suffix, which is cut off their names.
fn files(folder: &Path, suffix: &str) -> Vec<(String, std::path::PathBuf)> {
    let mut files: Vec<_> = read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(suffix)?;
            Some((name.to_owned(), path))
        })
        .collect();
    files.sort();
    files
}

fn extracted(name: &str, dump: impl BufRead) -> Extraction {
    run(JitsiFold::new(name), dump)
}

/// Strict: the existing extractor took all of these dumps.
fn run(fold: JitsiFold, dump: impl BufRead) -> Extraction {
    let mut extractor = Extractor::new(fold).with_strictness(Strictness::Strict);
    extract(LineReader::new(dump), &mut extractor).unwrap();
    let extraction = extractor.finish(NOW);
    assert_eq!(extraction.dropped, Default::default());
    extraction
}

/// Writes what is not determined as the golden data does.
fn put_placeholders(records: &mut Value) {
    let mut names = Vec::new();
    for record in array(records, "pcRecords") {
        let placeholder = json!(format!("<id of {}>", record["pcname"].as_str().unwrap()));
        names.push((record["id"].clone(), placeholder.clone()));
        record["id"] = placeholder;
    }
    for record in array(records, "trackRecords") {
        assert!(record["id"].as_str().unwrap().starts_with("uuid "));
        record["id"] = json!("<uuid>");
        let name = names.iter().find(|(id, _)| *id == record["pcId"]).unwrap();
        record["pcId"] = name.1.clone();
    }
    replace_now(records);
}

fn array<'a>(records: &'a mut Value, name: &str) -> &'a mut [Value] {
    let array = records.get_mut(name).and_then(Value::as_array_mut);
    array.map(Vec::as_mut_slice).unwrap_or_default()
}

fn replace_now(value: &mut Value) {
    match value {
        Value::String(text) if text == NOW_SQL => *value = json!("<now>"),
        Value::Array(items) => items.iter_mut().for_each(replace_now),
        Value::Object(members) => members.values_mut().for_each(replace_now),
        _ => {}
    }
}
