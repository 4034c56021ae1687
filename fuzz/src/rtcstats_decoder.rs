//! The delta decoder of the rtcstats spec (section 6.2), line by line.

use indexmap::IndexMap;
use rtcstats_proto::stats::{Field, StatsKind};
use serde_json::{Map, Value};

use crate::decoder::array_index;

/// The decoded set of one connection.
#[derive(Debug, Default)]
pub struct ReferenceRtcstatsDecoder {
    base: IndexMap<String, Map<String, Value>>,
}

impl ReferenceRtcstatsDecoder {
    /// Takes one delta; `false` if it has scalars or arrays in the place of objects, which browsers do
    /// not send: nothing is said of what they become.
    pub fn decode(&mut self, delta: &Value) -> bool {
        let Value::Object(delta) = delta else {
            return true;
        };
        let mut delta = delta.clone();
        let timestamp = delta.shift_remove("t");
        let is_plain = |report: &Value| report.is_null() || report.is_object();
        if !delta.values().all(is_plain) {
            return false;
        }
        let mut next: IndexMap<String, Option<Map<String, Value>>> = IndexMap::new();
        for (id, report) in delta {
            let report = report.as_object().map(renamed);
            next.insert(id, report);
        }
        for (id, known) in &self.base {
            match next.get_mut(id) {
                // The report ended.
                Some(None) => {}
                Some(Some(report)) => {
                    let is_explicit = report.contains_key("timestamp");
                    for (name, known) in known {
                        let merged = match report.get(name) {
                            None => known.clone(),
                            Some(new) if is_merged(known, new) => merge(known, new),
                            Some(_) => continue,
                        };
                        report.insert(name.clone(), merged);
                    }
                    if let Some(timestamp) = timestamp.as_ref().filter(|_| !is_explicit) {
                        report.insert("timestamp".to_owned(), timestamp.clone());
                    }
                }
                None => {
                    let mut report = known.clone();
                    if let Some(timestamp) = &timestamp {
                        report.insert("timestamp".to_owned(), timestamp.clone());
                    }
                    next.insert(id.clone(), Some(report));
                }
            }
        }
        // Null for an unknown id is dropped.
        self.base = next
            .into_iter()
            .filter_map(|(id, report)| Some((id, report?)))
            .collect();
        for report in self.base.values_mut() {
            if let (false, Some(timestamp)) = (report.contains_key("timestamp"), &timestamp) {
                report.insert("timestamp".to_owned(), timestamp.clone());
            }
        }
        true
    }

    /// The decoded set as JSON, and its ids in JavaScript's order.
    pub fn state(&self) -> (Value, Vec<&str>) {
        let state = self.base.iter();
        let state = state.map(|(id, report)| (id.clone(), Value::Object(report.clone())));
        let mut ids: Vec<&str> = self.base.keys().map(String::as_str).collect();
        // Stable: those that are no index stay as they came.
        ids.sort_by_key(|id| array_index(id).map_or((1, 0), |index| (0, index)));
        (state.collect(), ids)
    }
}

/// A report with full names; a member that came by number counts more than one that came by name.
fn renamed(report: &Map<String, Value>) -> Map<String, Value> {
    let mut renamed = Map::new();
    let (short, full): (Vec<_>, Vec<_>) = report
        .iter()
        .map(|(key, value)| (key, field(key), value))
        .partition(|(_, field, _)| field.is_some());
    for (key, field, value) in full.into_iter().chain(short) {
        let name = field.map_or(key.as_str(), |field| field.as_str());
        renamed.insert(name.to_owned(), value.clone());
    }
    if let Some(kind) = renamed.get_mut("type") {
        let number = match &*kind {
            Value::String(text) => array_index(text),
            // `1.0` is 1 to JavaScript.
            number => number
                .as_f64()
                .filter(|number| number.fract() == 0.0)
                .map(|number| number as u32),
        };
        let number = number.and_then(|number| u16::try_from(number).ok());
        if let Some(known) = number.and_then(StatsKind::from_number) {
            *kind = Value::from(known.as_str());
        }
    }
    renamed
}

fn field(key: &str) -> Option<Field> {
    if key == "t" {
        return Some(Field::Timestamp);
    }
    Field::from_number(u16::try_from(array_index(key)?).ok()?)
}

fn is_merged(known: &Value, new: &Value) -> bool {
    (known.is_null() || known.is_object() || known.is_array()) && !new.is_array()
}

fn merge(known: &Value, new: &Value) -> Value {
    let mut merged = Map::new();
    match known {
        Value::Object(known) => merged = known.clone(),
        Value::Array(known) => {
            for (index, value) in known.iter().enumerate() {
                merged.insert(index.to_string(), value.clone());
            }
        }
        _ => {}
    }
    match new {
        Value::Object(new) => merged.extend(new.clone()),
        Value::String(text) => {
            for (index, unit) in text.encode_utf16().enumerate() {
                let unit = String::from_utf16_lossy(&[unit]);
                merged.insert(index.to_string(), Value::String(unit));
            }
        }
        _ => {}
    }
    Value::Object(merged)
}
