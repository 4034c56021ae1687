//! The delta codec against vectors computed by the existing implementations.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use rtcstats_proto::delta::{Decoder, DeltaError, Encoder, Strictness};
use rtcstats_proto::stats::{Stats, StatsObject};
use rtcstats_proto::{Limits, RawJson};
use serde_json::Value;

/// A member as it was written: a tree would lose the order of its keys.
fn written<'a>(line: &'a str, member: &str) -> &'a str {
    RawJson::parse(line).unwrap().get(member).unwrap().as_str()
}

fn vectors(file: &str) -> Vec<(String, Value)> {
    let Some(path) = golden::shared(&format!("golden/jitsi/{file}")) else {
        return Vec::new();
    };
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| (line.to_owned(), serde_json::from_str(line).unwrap()))
        .collect()
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

fn decoded(base: &str, delta: &str) -> Result<Stats, DeltaError> {
    let mut stats = Stats::default();
    let mut decoder = Decoder::jitsi(Limits::default()).with_strictness(Strictness::Strict);
    decoder
        .decode(RawJson::parse(base).unwrap(), &mut stats)
        .unwrap();
    decoder.decode(RawJson::parse(delta).unwrap(), &mut stats)?;
    Ok(stats)
}

#[test]
fn every_delta_vector_decodes_as_the_existing_server_does() {
    let vectors = vectors("delta-vectors.jsonl");
    for (line, vector) in &vectors {
        let name = &vector["name"];
        let result = decoded(written(line, "base"), written(line, "delta"));
        if vector["throws"] == true {
            assert!(
                matches!(result, Err(DeltaError::NullObject { .. })),
                "{name}"
            );
            continue;
        }
        let stats = result.unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut json = String::new();
        stats.write_json(&mut json);
        let own: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(normalized(&own), normalized(&vector["expected"]), "{name}");
        let order: Vec<&str> = stats.iter().map(StatsObject::id).collect();
        let expected: Vec<&str> = vector["order"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_str().unwrap())
            .collect();
        assert_eq!(order, expected, "{name}");
    }
    println!("{} delta vectors agree", vectors.len());
}

#[test]
fn every_compress_vector_encodes_as_the_existing_client_does() {
    let vectors = vectors("compress-vectors.jsonl");
    for (line, vector) in &vectors {
        let name = &vector["name"];
        let (old, new) = (written(line, "old"), written(line, "new"));
        let mut encoder = Encoder::jitsi(Limits::default());
        let mut delta = String::new();
        let first = encoder.encode(RawJson::parse(old).unwrap(), &mut delta);
        if vector["old"]
            .as_object()
            .unwrap()
            .values()
            .any(Value::is_null)
        {
            // The existing client would have thrown before; only the step from there is defined.
            assert!(
                matches!(first, Err(DeltaError::NullObject { .. })),
                "{name}"
            );
        } else {
            first.unwrap();
        }
        delta.clear();
        let result = encoder.encode(RawJson::parse(new).unwrap(), &mut delta);
        if vector["throws"] == true {
            assert!(
                matches!(result, Err(DeltaError::NullObject { .. })),
                "{name}"
            );
            continue;
        }
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
        let own: Value = serde_json::from_str(&delta).unwrap();
        assert_eq!(normalized(&own), normalized(&vector["expected"]), "{name}");
    }
    println!("{} compress vectors agree", vectors.len());
}
