//! Compares features with recorded ones, value by value.

use std::io::Write as _;

use serde_json::{Value, json};

/// How much of one kind was compared, and what differed.
pub(crate) struct Tally {
    kind: &'static str,
    total: usize,
    failures: Vec<String>,
}

impl Tally {
    pub(crate) fn new(kind: &'static str) -> Self {
        Self {
            kind,
            total: 0,
            failures: Vec::new(),
        }
    }

    pub(crate) fn compare(&mut self, name: &str, expected: &Value, found: &Value) {
        self.total += 1;
        let mut differences = Vec::new();
        collect_differences(name, expected, found, &mut differences);
        if !differences.is_empty() {
            self.failures.push(differences.join("\n"));
        }
    }

    pub(crate) fn finish(self, at_least: usize) {
        let passed = self.total - self.failures.len();
        // Not a print macro: those are captured while the test passes.
        let _ = writeln!(std::io::stderr(), "{}: {passed}/{}", self.kind, self.total);
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
        assert!(self.total >= at_least, "only {} compared", self.total);
    }
}

/// Members that must agree to the last digit although they are fractions.
const EXACT: [&str; 3] = ["meanRtt", "meanFrameHeight", "meanFramesPerSecond"];

fn collect_differences(path: &str, expected: &Value, found: &Value, out: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (name, expected) in ours {
                let path = format!("{path}.{name}");
                match theirs.get(name) {
                    Some(found) => collect_differences(&path, expected, found, out),
                    None => out.push(format!("{path}: expected {expected}, found nothing")),
                }
            }
            for (name, found) in theirs.iter().filter(|(name, _)| !ours.contains_key(*name)) {
                out.push(format!("{path}.{name}: expected nothing, found {found}"));
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (index, (expected, found)) in ours.iter().zip(theirs).enumerate() {
                collect_differences(&format!("{path}[{index}]"), expected, found, out);
            }
        }
        (Value::Number(_), Value::Number(_)) => {
            let is_exact = EXACT.iter().any(|name| path.ends_with(name));
            let (ours, theirs) = (expected.as_f64().unwrap(), found.as_f64().unwrap());
            let tolerance = if is_exact || ours.fract() == 0.0 {
                0.0
            } else {
                1e-9
            };
            if (ours - theirs).abs() > tolerance * ours.abs() {
                out.push(format!("{path}: expected {expected}, found {found}"));
            }
        }
        _ if expected == found => {}
        _ => out.push(format!("{path}: expected {expected}, found {found}")),
    }
}

#[test]
fn differences_are_found() {
    let differ = |expected: Value, found: Value| {
        let mut differences = Vec::new();
        collect_differences("x", &expected, &found, &mut differences);
        !differences.is_empty()
    };
    assert!(!differ(json!({"a": 720}), json!({"a": 720.0})));
    assert!(!differ(json!({"v": 1.5}), json!({"v": 1.500_000_000_1})));
    assert!(differ(json!({"v": 1.5}), json!({"v": 1.500_000_1})));
    assert!(differ(
        json!({"meanRtt": 1.5}),
        json!({"meanRtt": 1.500_000_000_1})
    ));
    assert!(differ(json!({"a": null}), json!({})));
    assert!(differ(json!({}), json!({"a": null})));
    assert!(differ(json!([1, 2]), json!([2, 1])));
    assert!(differ(json!({"a": 1}), json!({"a": "1"})));
    assert!(differ(json!(1), json!(1.000_000_000_000_1)));
}
