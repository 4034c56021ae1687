//! Comparing trees with JavaScript's notion of a number.

use serde_json::Value;

/// The number, if it is one; integers beyond 2^53 as JavaScript rounds them.
pub fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

/// Whether two trees are the same to JavaScript; the order of members does not count.
pub fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(_), Value::Number(_)) => number(left) == number(right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(name, value)| right.get(name).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}
