//! Whole dumps of rtcstats 5.0 against what the existing reader makes of them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod golden;

use rtcstats_proto::dump::{Format, Replay, ReplayError};
use rtcstats_proto::json::write_text;
use rtcstats_proto::rtcstats::DUMP_HEADER;
use rtcstats_proto::{EventError, EventForm, RawJson};
use serde_json::{Map, Value, json};

/// Rows on which this reader does better, and how.
const DEVIATIONS: [(&str, &str); 19] = [
    ("s-header-only", NO_METADATA),
    ("s-header-no-newline", NO_METADATA),
    ("s-crlf-header", "lines may end in CR LF"),
    ("s-metadata-array", NO_METADATA),
    ("s-metadata-string", NO_METADATA),
    ("s-metadata-number", NO_METADATA),
    ("s-metadata-null", NO_METADATA),
    ("s-metadata-not-json", MALFORMED_LINE),
    ("s-bad-json-line-discards-everything", MALFORMED_LINE),
    ("s-line-with-only-cr", MALFORMED_LINE),
    ("s-line-with-only-space", MALFORMED_LINE),
    ("s-short-arrays", MALFORMED_ARRAY),
    ("s-three-elements", MALFORMED_ARRAY),
    ("s-two-elements", MALFORMED_ARRAY),
    ("s-empty-array", MALFORMED_ARRAY),
    ("s-string-delta", MALFORMED_ARRAY),
    ("s-getstats-first-event-of-connection", NO_BASE),
    ("s-getstats-on-client-connection", NO_BASE),
    ("s-sld-first-event-of-connection", NO_BASE),
];
/// More of them.
const MORE_DEVIATIONS: [(&str, &str); 2] = [
    ("s-create-offer-success-first-event", NO_BASE),
    ("s-create-success-null-value", NO_BASE),
];

const NO_METADATA: &str = "a dump without metadata has its events all the same";
const MALFORMED_LINE: &str = "a malformed line is one error, not the end of all";
const MALFORMED_ARRAY: &str = "a malformed array is an error (spec 17)";
const NO_BASE: &str = "what has no base starts from an empty one (spec 17)";

/// What the existing reader returns, and the order of its connections.
struct Recording {
    metadata: Map<String, Value>,
    connections: Vec<(String, Vec<Value>, Vec<Value>)>,
    errors: Vec<ReplayError>,
}

impl Recording {
    /// The dump as lines ending in LF. `None` if it is in no known format.
    fn read(text: &str) -> Option<Self> {
        if Format::detect(text.as_bytes()) != Some(Format::Rtcstats) {
            return None;
        }
        let mut recording = Self {
            metadata: Map::new(),
            // The page comes first, if it has events.
            connections: vec![("null".to_owned(), Vec::new(), Vec::new())],
            errors: Vec::new(),
        };
        let mut replay = Replay::default();
        // Decoding text drops it, as does a `LineReader`.
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        for line in text.split('\n') {
            recording.push(&mut replay, line);
        }
        let connections = &mut recording.connections;
        connections.retain(|(key, events, _)| key != "null" || !events.is_empty());
        connections.sort_by_key(|(key, _, _)| key.parse::<u32>().unwrap_or(u32::MAX));
        Some(recording)
    }

    fn push(&mut self, replay: &mut Replay, line: &str) {
        let replayed = match replay.push_line(line) {
            Ok(Some(replayed)) => replayed,
            Ok(None) => return,
            Err(error) => return self.errors.push(error),
        };
        let mut value = String::new();
        replayed.value.write_json(&mut value);
        let value: Value = serde_json::from_str(&value).unwrap();
        let event = &replayed.event;
        if event.form() == EventForm::Metadata {
            self.metadata = value.as_object().unwrap().clone();
            return;
        }
        let extra = event.extra().map(|extra| -> Value { parse(extra) });
        let row = json!({
            "timestamp": event.timestamp(),
            "type": name(event.name()),
            "value": value,
            "extra": extra.collect::<Vec<_>>(),
        });
        let size = replayed.size();
        let size = json!({"x": size.time, "y": size.length, "method": name(size.method)});
        let key = event.connection_key();
        let place = self.connections.iter().position(|own| own.0 == key);
        let place = place.unwrap_or_else(|| {
            self.connections
                .push((key.to_owned(), Vec::new(), Vec::new()));
            self.connections.len() - 1
        });
        self.connections[place].1.push(row);
        self.connections[place].2.push(size);
    }

    fn to_json(&self) -> Value {
        let mut json = self.metadata.clone();
        let connections = self.connections.iter();
        let events = connections
            .clone()
            .map(|own| (own.0.clone(), own.1.clone()));
        let sizes = connections.map(|own| (own.0.clone(), own.2.clone()));
        json.insert("peerConnections".to_owned(), by_key(events));
        json.insert("eventSizes".to_owned(), by_key(sizes));
        Value::Object(json)
    }
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

fn by_key(lists: impl Iterator<Item = (String, Vec<Value>)>) -> Value {
    lists.map(|(key, list)| (key, Value::Array(list))).collect()
}

fn parse(raw: RawJson<'_>) -> Value {
    serde_json::from_str(raw.as_str()).unwrap()
}

/// The existing reader leaves unknown numbers numbers.
fn name(name: &str) -> Value {
    match name.parse::<u32>() {
        Ok(number) => Value::from(number),
        Err(_) => Value::from(name),
    }
}

#[test]
fn every_dump_reads_as_in_the_existing_reader() {
    let Some(path) = golden::shared("golden/rtcstats/dump-reader.jsonl") else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let mut deviations = 0;
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let row_name = row["name"].as_str().unwrap();
        let recording = Recording::read(row["in"].as_str().unwrap());
        let own = recording.as_ref().map_or(Value::Null, Recording::to_json);
        let order = recording.as_ref().map_or(Value::Null, |recording| {
            let keys = recording.connections.iter().map(|own| own.0.as_str());
            keys.collect::<Vec<_>>().into()
        });
        let agrees = normalized(&own) == normalized(&row["out"]) && order == row["connectionOrder"];
        let mut known = DEVIATIONS.iter().chain(&MORE_DEVIATIONS);
        match known.find(|(known, _)| *known == row_name) {
            Some((_, reason)) => {
                assert!(!agrees, "{row_name} is no deviation: {reason}");
                check_deviation(row_name, reason, recording.as_ref().unwrap());
                deviations += 1;
            }
            None => {
                assert_eq!(normalized(&own), normalized(&row["out"]), "{row_name}");
                assert_eq!(order, row["connectionOrder"], "{row_name}");
            }
        }
    }
    assert_eq!(deviations, DEVIATIONS.len() + MORE_DEVIATIONS.len());
    println!(
        "{} dumps, {deviations} of them better",
        text.lines().count()
    );
}

/// What is better about a row.
fn check_deviation(row: &str, reason: &str, recording: &Recording) {
    let errors = recording.errors.as_slice();
    let events: usize = recording.connections.iter().map(|own| own.1.len()).sum();
    match reason {
        MALFORMED_LINE => assert!(
            matches!(errors, [ReplayError::Event(EventError::Json(_)), ..]),
            "{row}: {errors:?}"
        ),
        MALFORMED_ARRAY => assert!(
            matches!(errors, [ReplayError::Event(EventError::Shape)]),
            "{row}: {errors:?}"
        ),
        NO_BASE => assert!(errors.is_empty() && events > 0, "{row}: {errors:?}"),
        _ => assert_eq!(events, 0, "{row}"),
    }
}

#[test]
fn a_report_after_a_malformed_one_builds_on_the_last_good_one() {
    let mut replay = Replay::default();
    let mut last = String::new();
    for line in [
        DUMP_HEADER,
        "{}",
        r#"["g","P",{"0":{"type":5,"80":1},"t":5},5]"#,
        r#"["g","P",{"0":{"80":},"t":6},1]"#,
        r#"["g","P",{"t":7},2]"#,
    ] {
        if let Ok(Some(replayed)) = replay.push_line(line) {
            last.clear();
            replayed.value.write_json(&mut last);
            write_text(&format!("{:?}", replayed.event.timestamp()), &mut last);
        }
    }
    assert_eq!(
        last,
        r#"{"0":{"type":"transport","bytesSent":1,"timestamp":7}}"Some(8.0)""#
    );
}
