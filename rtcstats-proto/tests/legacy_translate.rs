//! The translation of Chrome's first statistics against that of the existing server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use rtcstats_proto::delta::Decoder;
use rtcstats_proto::legacy::Translator;
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Limits, RawJson};
use serde_json::Value;

#[test]
fn every_vector_translates_as_the_existing_server_does() {
    let Some(path) = golden::shared("golden/jitsi/legacy-translate-vectors.jsonl") else {
        return;
    };
    // One for all: nothing may be left of the vector before.
    let mut translator = Translator::default();
    let mut passed = 0;
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let decoded = RawJson::parse(line).unwrap().get("decoded").unwrap();
        let mut stats = Stats::default();
        let mut decoder = Decoder::jitsi(Limits::default());
        decoder.decode(decoded, &mut stats).unwrap();
        let mut json = String::new();
        translator.translate(&stats).write_json(&mut json);
        let mut own: Value = serde_json::from_str(&json).unwrap();
        // Ours know their id without a member of that name.
        for (id, report) in own.as_object_mut().unwrap() {
            if let Some(report) = report.as_object_mut() {
                report.entry("id").or_insert_with(|| id.clone().into());
            }
        }
        let expected = vector["translated"].as_object().unwrap();
        for (id, report) in expected {
            assert_eq!(
                normalized(&own[id]),
                normalized(report),
                "{}: {id}",
                vector["name"]
            );
        }
        assert_eq!(own.as_object().unwrap().len(), expected.len());
        passed += 1;
    }
    assert_eq!(passed, 5);
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
