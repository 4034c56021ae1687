//! What the encoder makes of reports, the decoder makes reports of again.
//!
//! Not everything survives, by the definition of the codec (Jitsi spec, section 10):
//!
//! - the member `id` is dropped: it is the key;
//! - a member that vanishes from an object that stays is not signalled, so the old value remains;
//! - timestamps: the newest of those that changed becomes zero and is restored, but for the first
//!   report, which is taken as it is; one that did not change loses its fraction; an object that
//!   has none gets one that is no number.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use rtcstats_proto::delta::{Decoder, Encoder};
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Limits, RawJson};
use serde_json::{Map, Value, json};

/// Numeric ids, which JavaScript puts first, and some that need escapes.
const IDS: [&str; 7] = ["IT01V1", "T01", "5", "10", "a\"b\\", "übung", ""];
/// Known names, unknown ones, an array index.
const NAMES: [&str; 8] = [
    "type",
    "bytesSent",
    "state",
    "psnrSum",
    "custom",
    "ünknown\n",
    "0",
    "id",
];
const START: u64 = 1_700_000_000_000;

/// What a report says of one object: its age in half milliseconds, if it has a timestamp, and members.
type Object = (Option<u64>, BTreeMap<&'static str, Value>);
type Report = BTreeMap<&'static str, Object>;

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        // Few different ones, so that some do not change.
        (0_u8..4).prop_map(Value::from),
        any::<i32>().prop_map(|number| json!(f64::from(number) / 1000.0)),
        prop::num::f64::NORMAL.prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let nested = prop::collection::vec(scalar.clone(), 0..3);
    prop_oneof![
        8 => scalar,
        1 => nested.clone().prop_map(Value::from),
        1 => nested.prop_map(|values| json!({"none": values})),
    ]
}

fn report() -> impl Strategy<Value = Report> {
    let members = prop::collection::btree_map(prop::sample::select(&NAMES[..]), value(), 0..6);
    let object = (prop::option::weighted(0.9, 0_u64..3), members);
    prop::collection::btree_map(prop::sample::select(&IDS[..]), object, 0..6)
}

/// The report as a browser gives it out, `index` seconds into the call. An age of zero is the time of the
/// report, one of two an old time that stays the same.
fn as_json(report: &Report, index: u64) -> Map<String, Value> {
    let object = |(id, (age, members)): (&&str, &Object)| {
        let mut object = Map::new();
        let now = START + index * 1_000;
        match age {
            Some(0) => object.insert("timestamp".to_owned(), json!(now as f64 + 0.25)),
            Some(1) => object.insert("timestamp".to_owned(), json!(now as f64 - 0.5)),
            Some(_) => object.insert("timestamp".to_owned(), json!(START as f64 - 7.75)),
            None => None,
        };
        object.extend(
            members
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        ((*id).to_owned(), Value::Object(object))
    };
    report.iter().map(object).collect()
}

/// What should be known after a report.
fn overlay(known: &mut BTreeMap<String, Map<String, Value>>, report: &Map<String, Value>) {
    known.retain(|id, _| report.contains_key(id));
    for (id, object) in report {
        let members = object.as_object().unwrap().clone();
        known.entry(id.clone()).or_default().extend(members);
    }
}

fn decoded_json(stats: &Stats) -> BTreeMap<String, Map<String, Value>> {
    let mut text = String::new();
    stats.write_json(&mut text);
    let tree: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let objects = tree.into_iter().filter(|(_, object)| object.is_object());
    objects
        .map(|(id, object)| (id, object.as_object().unwrap().clone()))
        .collect()
}

/// Numbers are compared as JavaScript's.
fn normalized(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap() + 0.0),
        Value::Array(values) => values.iter().map(normalized).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), normalized(value)))
            .collect(),
        other => other.clone(),
    }
}

fn timestamp_of(object: Option<&Map<String, Value>>) -> Option<f64> {
    object?.get("timestamp")?.as_f64()
}

proptest! {
    #[test]
    fn decoding_what_was_encoded_gives_the_reports(reports in prop::collection::vec(report(), 1..8)) {
        let mut encoder = Encoder::jitsi(Limits::default());
        let mut decoder = Decoder::jitsi(Limits::default());
        let mut stats = Stats::default();
        let mut known = BTreeMap::new();
        let mut previous = Map::new();
        let mut decoded = BTreeMap::new();
        for (index, report) in reports.iter().enumerate() {
            let report = as_json(report, index as u64);
            let text = Value::Object(report.clone()).to_string();
            let mut delta = String::new();
            encoder.encode(RawJson::parse(&text).unwrap(), &mut delta).unwrap();
            decoder.decode(RawJson::parse(&delta).unwrap(), &mut stats).unwrap();
            overlay(&mut known, &report);

            let before = std::mem::replace(&mut decoded, decoded_json(&stats));
            let expected: Vec<&String> = known.keys().collect();
            prop_assert_eq!(decoded.keys().collect::<Vec<_>>(), expected, "{}", delta);
            for (id, members) in &known {
                let own = &decoded[id];
                for (name, value) in members.iter().filter(|(name, _)| !matches!(name.as_str(), "id" | "timestamp")) {
                    let own = own.get(name).map(normalized);
                    prop_assert_eq!(own, Some(normalized(value)), "{} of {}: {}", name, id, delta);
                }
                prop_assert!(!own.contains_key("id"));
                let now = report[id].get("timestamp").and_then(Value::as_f64);
                let last = previous.get(id).and_then(|object: &Value| object.get("timestamp")?.as_f64());
                if index > 0 && now.is_some() && now != last {
                    prop_assert_eq!(timestamp_of(Some(own)), now, "{}: {}", id, delta);
                } else if index > 0 && previous.contains_key(id) {
                    let kept = timestamp_of(before.get(id)).map(f64::trunc);
                    prop_assert_eq!(timestamp_of(Some(own)), kept, "{}: {}", id, delta);
                }
            }
            previous = report;
        }
    }
}
