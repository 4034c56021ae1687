//! What the encoders of rtcstats 5.0 and legacy 2.0 make of reports, their decoders make reports of
//! again, and a report that is refused changes nothing.
//!
//! Not everything survives, by the definition of the codecs (rtcstats spec, section 6.3; legacy spec,
//! section 3). So the tests know what must come out: a member that vanishes stays, nested objects grow,
//! timestamps of unchanged objects follow that of the report, ids and references become numbers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use rtcstats_proto::delta::{Decoder, Dialect, Encoder};
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Limits, RawJson};
use serde_json::{Map, Value, json};

/// None is an array index: those overwrite each other.
const IDS: [&str; 6] = ["IT01V1", "T01", "a\"b\\", "übung", "1e5", "007"];
const NAMES: [&str; 7] = [
    "bytesSent",
    "state",
    "psnrSum",
    "custom",
    "ünknown\n",
    "frameWidth",
    "id",
];
const START: f64 = 1_700_000_000_000.0;

/// The kind of a member stays, as that of every member that a browser sends; scalars, lists and
/// nested objects come and go.
#[derive(Debug, Clone)]
struct Object {
    age: u64,
    members: BTreeMap<&'static str, Value>,
    nested: Option<BTreeMap<String, i32>>,
    list: Option<Vec<u8>>,
}

fn object() -> impl Strategy<Value = Object> {
    let scalar = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0_u8..4).prop_map(Value::from),
        any::<i32>().prop_map(|number| json!(f64::from(number) / 1000.0)),
        prop::num::f64::NORMAL.prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let members = prop::collection::btree_map(prop::sample::select(&NAMES[..]), scalar, 0..6);
    let nested = prop::collection::btree_map("[a-d\"é]{1,2}", 0..3, 1..12);
    let list = prop::option::of(prop::collection::vec(0_u8..3, 0..3));
    (0_u64..3, members, prop::option::of(nested), list).prop_map(|(age, members, nested, list)| {
        Object {
            age,
            members,
            nested,
            list,
        }
    })
}

type Report = BTreeMap<&'static str, Object>;

fn report() -> impl Strategy<Value = Report> {
    prop::collection::btree_map(prop::sample::select(&IDS[..]), object(), 0..5)
}

/// The report as a browser gives it out, `index` seconds into the call.
fn as_json(report: &Report, index: usize) -> Map<String, Value> {
    let object = |(id, object): (&&str, &Object)| {
        let mut members = Map::new();
        let now = START + index as f64 * 1_000.0;
        let timestamp = match object.age {
            0 => now + 0.25,
            1 => now - 0.5,
            _ => START - 7.75,
        };
        members.insert("timestamp".to_owned(), json!(timestamp));
        members.insert("type".to_owned(), json!("outbound-rtp"));
        for (name, value) in &object.members {
            members.insert((*name).to_owned(), value.clone());
        }
        if let Some(nested) = &object.nested {
            members.insert("qualityLimitationDurations".to_owned(), json!(nested));
        }
        if let Some(list) = &object.list {
            members.insert("list".to_owned(), json!(list));
        }
        ((*id).to_owned(), Value::Object(members))
    };
    report.iter().map(object).collect()
}

fn tree(stats: &Stats) -> Map<String, Value> {
    let mut text = String::new();
    stats.write_json(&mut text);
    serde_json::from_str(&text).unwrap()
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

/// What should be known of an object after a report that has it.
fn overlay(known: &mut Map<String, Value>, object: &Map<String, Value>, is_nested_kept: bool) {
    let members = object.iter();
    for (name, value) in members.filter(|(name, _)| !["id", "timestamp"].contains(&name.as_str())) {
        match (known.get_mut(name), value) {
            (Some(Value::Object(known)), Value::Object(new)) if is_nested_kept => {
                known.extend(new.clone());
            }
            _ => {
                known.insert(name.clone(), value.clone());
            }
        }
    }
}

proptest! {
    #[test]
    fn reports_survive_rtcstats(reports in prop::collection::vec(report(), 1..8)) {
        let mut encoder = Encoder::rtcstats(Limits::default());
        let mut decoder = Decoder::rtcstats(Limits::default());
        let mut stats = Stats::default();
        let mut known: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        let mut previous = Map::new();
        for (index, report) in reports.iter().enumerate() {
            let report = as_json(report, index);
            let text = Value::Object(report.clone()).to_string();
            let mut delta = String::new();
            encoder.encode(RawJson::parse(&text).unwrap(), &mut delta).unwrap();
            decoder.decode(RawJson::parse(&delta).unwrap(), &mut stats).unwrap();

            known.retain(|id, _| report.contains_key(id));
            let newest: Option<f64> = serde_json::from_str::<Value>(&delta).unwrap()["t"].as_f64();
            for (id, object) in &report {
                let object = object.as_object().unwrap();
                let own = known.entry(id.clone()).or_default();
                overlay(own, object, true);
                let last = previous.get(id).and_then(|last: &Value| last["timestamp"].as_f64());
                let now = object["timestamp"].as_f64();
                if let Some(timestamp) = now.filter(|_| now != last).or(newest) {
                    own.insert("timestamp".to_owned(), json!(timestamp));
                }
            }
            let numbers: BTreeMap<&str, usize> =
                encoder.ids().enumerate().map(|(number, id)| (id, number)).collect();
            let decoded = tree(&stats);
            prop_assert_eq!(decoded.len(), known.len(), "{}", delta);
            for (id, members) in &known {
                let own = &decoded[&numbers[id.as_str()].to_string()];
                let expected = normalized(&Value::Object(members.clone()));
                prop_assert_eq!(normalized(own), expected, "{}: {}", id, delta);
            }
            previous = report;
        }
    }

    #[test]
    fn reports_survive_legacy(reports in prop::collection::vec(report(), 1..8)) {
        let mut encoder = Encoder::legacy(Limits::default());
        let mut decoder = Decoder::legacy(Limits::default());
        let mut stats = Stats::default();
        let mut known: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for (index, report) in reports.iter().enumerate() {
            let report = as_json(report, index);
            let text = Value::Object(report.clone()).to_string();
            let mut delta = String::new();
            encoder.encode(RawJson::parse(&text).unwrap(), &mut delta).unwrap();
            decoder.decode(RawJson::parse(&delta).unwrap(), &mut stats).unwrap();
            for (id, object) in &report {
                overlay(known.entry(id.clone()).or_default(), object.as_object().unwrap(), false);
            }
            let decoded = tree(&stats);
            prop_assert_eq!(decoded.len(), known.len(), "{}", delta);
            for (id, members) in &known {
                let without_timestamp = |members: &Map<String, Value>| {
                    let mut members = members.clone();
                    members.remove("timestamp");
                    normalized(&Value::Object(members))
                };
                let own = decoded[id].as_object().unwrap();
                prop_assert_eq!(without_timestamp(own), without_timestamp(members), "{}: {}", id, delta);
            }
        }
    }

    #[test]
    fn full_reports_are_what_they_say(reports in prop::collection::vec(report(), 1..8)) {
        let mut decoder = Decoder::full(Limits::default());
        let mut stats = Stats::default();
        for (index, report) in reports.iter().enumerate() {
            let mut report = as_json(report, index);
            let text = Value::Object(report.clone()).to_string();
            decoder.decode(RawJson::parse(&text).unwrap(), &mut stats).unwrap();
            for object in report.values_mut() {
                object.as_object_mut().unwrap().remove("id");
            }
            let decoded = Value::Object(tree(&stats));
            prop_assert_eq!(normalized(&decoded), normalized(&Value::Object(report)));
        }
    }
}

/// Deltas with everything in them that the decoder knows.
const DELTAS: [&str; 4] = [
    r#"{"0":{"5":"1","80":1200,"96":{"cpu":0,"none":1.5},"type":2,"list":[1,{"a":2}],"none":null},"1":{"type":5,"bytesSent":12},"é":{"9":"a\"\u00e9\ud83d\ude00"},"t":1761000001999.5}"#,
    r#"{"0":{"80":1300,"96":{"none":2.5},"none":"xy","list":7,"t":1761000002000},"1":{"80":13},"t":1761000002999.5}"#,
    r#"{"1":null,"2":{"type":"6","150":true,"custom":[]},"0":{"96":"ab","80":-1e3,"bytesSent":7},"t":1761000003999.5}"#,
    r#"{"é":{"9":""},"7":null,"timestamp":5,"t":1761000004999.5}"#,
];

fn json(stats: &Stats) -> String {
    let mut json = String::new();
    stats.write_json(&mut json);
    json
}

fn merged(decoder: &mut Decoder, reports: &[&str]) -> Stats {
    let mut stats = Stats::default();
    for report in reports {
        decoder
            .decode(RawJson::parse(report).unwrap(), &mut stats)
            .unwrap();
    }
    stats
}

/// Every cut and changed byte is refused, and then nothing changes, or gives a report that can be
/// followed by the next.
#[test]
fn damaged_reports_are_refused_whole_or_taken_whole() {
    const CHANGES: [fn(u8) -> u8; 5] = [
        |byte| byte ^ 1,
        |byte| byte ^ 2,
        |_| b'"',
        |_| b'}',
        |_| b'0',
    ];
    for dialect in [Dialect::Rtcstats, Dialect::Legacy, Dialect::Full] {
        let mut decoder = Decoder::new(dialect, Limits::default());
        for place in 0..DELTAS.len() {
            let line = DELTAS[place];
            let cut = (1..line.len()).map(|length| line.as_bytes()[..length].to_vec());
            let changed = (0..line.len()).flat_map(|at| {
                CHANGES.iter().map(move |change| {
                    let mut bytes = line.as_bytes().to_vec();
                    bytes[at] = change(bytes[at]);
                    bytes
                })
            });
            for bytes in cut.chain(changed) {
                let Ok(text) = String::from_utf8(bytes) else {
                    continue;
                };
                // As in an event, where nobody has read the report before the decoder does.
                let wrapped = format!("[\"getstats\",\"PC_0\",{text},1,1]");
                let event = rtcstats_proto::Event::parse(&wrapped);
                let Some(report) = event.ok().map(|event| event.payload()) else {
                    continue;
                };
                let mut stats = merged(&mut decoder, &DELTAS[..place]);
                let before = json(&stats);
                if decoder.decode(report, &mut stats).is_err() {
                    assert_eq!(json(&stats), before, "{text}");
                }
                let next = DELTAS.get(place + 1).unwrap_or(&"{}");
                decoder
                    .decode(RawJson::parse(next).unwrap(), &mut stats)
                    .unwrap();
                serde_json::from_str::<Value>(&json(&stats)).unwrap();
            }
        }
    }
}
