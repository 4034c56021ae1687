//! Anonymised files against the recorded behaviour of the reference.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use rtcstats_proto::Limits;
use rtcstats_proto::privacy::Anonymizer;
use serde_json::Value;

#[test]
fn files_are_anonymised_as_by_the_reference() {
    let Some(path) = golden::shared("golden/rtcstats/anonymize.jsonl") else {
        return;
    };
    for row in std::fs::read_to_string(path).unwrap().lines() {
        // Lone surrogates are escaped twice here.
        let row: Value = serde_json::from_str(row).unwrap();
        let name = row["name"].as_str().unwrap();
        let file = row["in"].as_str().unwrap();
        let mut out = Vec::new();
        let result = Anonymizer::compatible(Limits::default()).run(file.as_bytes(), &mut out);
        let Some(expected) = row["out"].as_str() else {
            assert!(result.is_err(), "{name}");
            continue;
        };
        assert!(result.is_ok(), "{name}: {result:?}");
        assert_same(name, &String::from_utf8(out).unwrap(), expected);
    }
}

/// Exports as one JSON value, dumps line by line.
fn assert_same(name: &str, out: &str, expected: &str) {
    if expected.starts_with('{') {
        let parsed = |text| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(parsed(out), parsed(expected), "{name}");
        return;
    }
    let lines: Vec<&str> = out.split('\n').collect();
    let expected: Vec<&str> = expected.split('\n').collect();
    assert_eq!(lines.len(), expected.len(), "{name}");
    for (line, expected) in lines.into_iter().zip(expected) {
        if line != expected {
            let normalized = |text: &str| numbers_as_f64(serde_json::from_str(text).unwrap());
            assert_eq!(normalized(line), normalized(expected), "{name}");
        }
    }
}

/// `5` and `5.0` are the same.
fn numbers_as_f64(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64().unwrap()),
        Value::Array(items) => items.into_iter().map(numbers_as_f64).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, numbers_as_f64(value)))
            .collect(),
        other => other,
    }
}
