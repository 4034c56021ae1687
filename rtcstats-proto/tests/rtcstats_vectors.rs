//! The codecs of rtcstats 5.0 and legacy 2.0 against vectors computed by the existing implementations.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod golden;

use rtcstats_proto::delta::{Decoder, Encoder, Strictness};
use rtcstats_proto::stats::{Stats, StatsObject};
use rtcstats_proto::{Limits, RawJson};
use serde_json::Value;

/// One vector: its text, and its tree.
fn vectors(file: &str) -> Vec<(String, Value)> {
    let Some(path) = golden::shared(&format!("golden/{file}")) else {
        return Vec::new();
    };
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| (line.to_owned(), serde_json::from_str(line).unwrap()))
        .collect()
}

/// The elements of a member as they were written: a tree would lose the order of their keys.
fn written<'a>(line: &'a str, member: &str) -> impl Iterator<Item = RawJson<'a>> {
    let list = RawJson::parse(line).unwrap().get(member).unwrap();
    list.elements()
}

/// Numbers are compared as `f64`: `720` and `720.0` are the same.
fn normalized(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64().unwrap()),
        Value::Array(items) => items.iter().map(normalized).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), normalized(value)))
            .collect(),
        other => other.clone(),
    }
}

fn tree(stats: &Stats) -> Value {
    let mut json = String::new();
    stats.write_json(&mut json);
    normalized(&serde_json::from_str(&json).unwrap())
}

fn ids(object: RawJson<'_>) -> Vec<String> {
    object.members().map(|(id, _)| id.into_owned()).collect()
}

/// Decodes the deltas of a vector, as the existing decoder does what others drop.
fn decode_all(line: &str, vector: &Value) {
    let name = &vector["name"];
    let mut decoder = Decoder::rtcstats(Limits::default()).with_strictness(Strictness::Strict);
    let mut stats = Stats::default();
    for (delta, decoded) in written(line, "deltas").zip(written(line, "decoded")) {
        decoder
            .decode(delta, &mut stats)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected: Value = serde_json::from_str(decoded.as_str()).unwrap();
        assert_eq!(
            tree(&stats),
            normalized(&expected),
            "{name}: {}",
            delta.as_str()
        );
        let order: Vec<&str> = stats.iter().map(StatsObject::id).collect();
        assert_eq!(order, ids(decoded), "{name}: {}", delta.as_str());
    }
}

#[test]
fn every_delta_of_rtcstats_decodes_as_the_existing_decoder_does() {
    for file in ["stats-decode.jsonl", "stats-codec.jsonl"] {
        let vectors = vectors(&format!("rtcstats/{file}"));
        for (line, vector) in &vectors {
            decode_all(line, vector);
        }
        println!("{} vectors of {file} agree", vectors.len());
    }
}

#[test]
fn every_legacy_delta_decodes_as_the_existing_server_does() {
    let vectors = vectors("jitsi/legacy-delta-vectors.jsonl");
    for (line, vector) in &vectors {
        let name = &vector["name"];
        let member = |member| RawJson::parse(line).unwrap().get(member).unwrap();
        let mut decoder = Decoder::legacy(Limits::default()).with_strictness(Strictness::Strict);
        let mut stats = Stats::default();
        decoder.decode(member("base"), &mut stats).unwrap();
        let result = decoder.decode(member("delta"), &mut stats);
        if vector["throws"] == true {
            assert!(result.is_err(), "{name}");
            continue;
        }
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(tree(&stats), normalized(&vector["expected"]), "{name}");
    }
    println!("{} legacy delta vectors agree", vectors.len());
}

#[test]
fn every_report_of_rtcstats_encodes_as_the_existing_client_does() {
    let vectors = vectors("rtcstats/stats-codec.jsonl");
    for (line, vector) in &vectors {
        let name = &vector["name"];
        let mut encoder = Encoder::rtcstats(Limits::default());
        for (report, expected) in written(line, "reports").zip(written(line, "deltas")) {
            let mut delta = String::new();
            encoder
                .encode(report, &mut delta)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let [own, expected] = [delta.as_str(), expected.as_str()]
                .map(|text| normalized(&serde_json::from_str(text).unwrap()));
            assert_eq!(own, expected, "{name}: {}", report.as_str());
        }
        let ids = encoder.ids().enumerate();
        let ids: Value = ids
            .map(|(number, id)| (id.to_owned(), Value::from(number.to_string())))
            .collect();
        assert_eq!(ids, vector["idMap"], "{name}");
    }
    println!("{} vectors agree", vectors.len());
}

#[test]
fn every_legacy_report_encodes_as_the_existing_client_does() {
    let vectors = vectors("jitsi/legacy-compress-vectors.jsonl");
    for (line, vector) in &vectors {
        let name = &vector["name"];
        let member = |member| RawJson::parse(line).unwrap().get(member).unwrap();
        let mut encoder = Encoder::legacy(Limits::default());
        let mut delta = String::new();
        encoder.encode(member("old"), &mut delta).unwrap();
        delta.clear();
        encoder.encode(member("new"), &mut delta).unwrap();
        let expected = if vector["throws"] == true {
            // The existing client loses the sample. Here nothing has changed.
            serde_json::json!({"timestamp": null})
        } else {
            normalized(&vector["expected"])
        };
        let own: Value = serde_json::from_str(&delta).unwrap();
        assert_eq!(normalized(&own), expected, "{name}");
    }
    println!("{} legacy compress vectors agree", vectors.len());
}
