//! The delta encoder of the Jitsi spec (section 10.1), line by line, for reports whose objects are
//! all objects and whose timestamps are numbers or null.

use serde_json::{Map, Value};

use super::number;

/// The previous full map of one connection.
#[derive(Debug, Default)]
pub struct ReferenceEncoder {
    previous: Map<String, Value>,
}

impl ReferenceEncoder {
    /// The delta from the previous map to `report`.
    pub fn encode(&mut self, report: &Map<String, Value>) -> Value {
        let mut out = report.clone();
        for (id, object) in &mut out {
            let Value::Object(object) = object else {
                continue;
            };
            object.shift_remove("id");
            if let Some(Value::Object(previous)) = self.previous.get(id) {
                object.retain(|name, value| {
                    !previous
                        .get(name)
                        .is_some_and(|other| is_identical(value, other))
                });
            }
        }
        let timestamps = out.values().filter_map(|object| object.get("timestamp"));
        // A null is 0 to a comparison, and passed on as null.
        let mut newest: Option<Value> = None;
        for timestamp in timestamps {
            let value = number(timestamp).unwrap_or(0.0);
            if newest
                .as_ref()
                .is_none_or(|newest| value > number(newest).unwrap_or(0.0))
            {
                newest = Some(timestamp.clone());
            }
        }
        for object in out.values_mut() {
            if let Some(timestamp) = object.get_mut("timestamp")
                && newest
                    .as_ref()
                    .is_some_and(|newest| is_identical(newest, timestamp))
            {
                *timestamp = Value::from(0);
            }
        }
        out.insert("timestamp".to_owned(), newest.unwrap_or(Value::Null));
        self.previous = report.clone();
        Value::Object(out)
    }
}

/// JavaScript's `===` between values that were parsed apart from each other.
fn is_identical(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(_) | Value::Object(_), _) => false,
        (Value::Number(_), Value::Number(_)) => number(left) == number(right),
        _ => left == right,
    }
}
