//! Exports of webrtc-internals and series against what existing tools make of them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod golden;

use std::collections::BTreeMap;

use rtcstats_proto::delta::Decoder;
use rtcstats_proto::dump::Internals;
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{
    EventForm, Limits, Method, Point, PointValue, RawJson, Timeseries, mark_gaps,
};
use serde_json::{Value, json};

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

fn rows(file: &str) -> Vec<(String, Value)> {
    let Some(path) = golden::shared(&format!("golden/rtcstats/{file}")) else {
        return Vec::new();
    };
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| (line.to_owned(), serde_json::from_str(line).unwrap()))
        .collect()
}

/// A member as it was written: a tree would lose the order of its keys.
fn written<'a>(line: &'a str, member: &str) -> RawJson<'a> {
    RawJson::parse(line).unwrap().get(member).unwrap()
}

/// The events by connection, in JavaScript's order of connections.
fn converted(text: &str) -> Vec<(String, Vec<Value>)> {
    let mut connections: Vec<(String, Vec<Value>)> = vec![("null".to_owned(), Vec::new())];
    let mut internals = Internals::parse(text, &Limits::default()).unwrap();
    while let Some(event) = internals.next_event() {
        assert_eq!(event.form(), EventForm::Import);
        let value: Value = serde_json::from_str(event.payload().as_str()).unwrap();
        let row = json!({"type": event.name(), "value": value, "timestamp": event.timestamp(), "extra": []});
        let key = event.connection_key();
        match connections.iter_mut().find(|own| own.0 == key) {
            Some((_, events)) => events.push(row),
            None => connections.push((key.to_owned(), vec![row])),
        }
    }
    connections
}

/// The value of an event may be absent, which is `null` here.
fn with_values(events: &Value) -> Value {
    let mut events = normalized(events);
    for event in events.as_array_mut().unwrap() {
        event
            .as_object_mut()
            .unwrap()
            .entry("value")
            .or_insert(Value::Null);
    }
    events
}

#[test]
fn every_export_converts_as_in_the_existing_importer() {
    let rows = rows("internals-convert.jsonl");
    for (line, row) in &rows {
        let name = &row["name"];
        let own = converted(written(line, "in").as_str());
        let expected = row["out"]["peerConnections"].as_object().unwrap();
        assert_eq!(own.len(), expected.len(), "{name}");
        for (key, events) in &own {
            assert_eq!(
                normalized(&Value::from(events.clone())),
                with_values(&expected[key]),
                "{name}, {key}"
            );
        }
        let mut order: Vec<&str> = own.iter().map(|(key, _)| key.as_str()).collect();
        let listed = row["connectionOrder"].as_array().unwrap();
        let expected: Vec<&str> = listed.iter().map(|key| key.as_str().unwrap()).collect();
        // Events come by time, so the connections come as they began: only the set is the same.
        let mut sorted = expected.clone();
        sorted.sort_unstable();
        order.sort_unstable();
        assert_eq!(order, sorted, "{name}");
    }
    println!("{} exports agree", rows.len());
}

/// Series as the vectors have them: id → member → pairs, and the type.
fn to_json(series: &Timeseries) -> Value {
    let stats = series.iter().map(|stats| {
        let members = stats
            .members()
            .map(|(name, points)| (name.to_owned(), points_to_json(points)));
        let kind = stats
            .kind()
            .map(|kind| ("type".to_owned(), value_to_json(kind)));
        (
            stats.id().to_owned(),
            members.chain(kind).collect::<Value>(),
        )
    });
    stats.collect()
}

fn points_to_json(points: &[Point]) -> Value {
    let point = |point: &Point| json!([point.time, value_to_json(&point.value)]);
    points.iter().map(point).collect()
}

fn value_to_json(value: &PointValue) -> Value {
    let mut json = String::new();
    value.write_json(&mut json);
    serde_json::from_str(&json).unwrap()
}

fn of_trace(events: RawJson<'_>) -> Timeseries {
    let mut series = Timeseries::new(Limits::default());
    let mut decoder = Decoder::full(Limits::default());
    for event in events.elements() {
        if event.get("type").unwrap().is_text("getStats") {
            let mut stats = Stats::default();
            decoder
                .decode(event.get("value").unwrap(), &mut stats)
                .unwrap();
            series.push(&stats).unwrap();
        }
    }
    series
}

fn point(pair: &Value) -> Point {
    let value = match pair[1].as_f64() {
        Some(number) => PointValue::Number(number),
        None => PointValue::Null,
    };
    Point {
        time: pair[0].as_f64(),
        value,
    }
}

#[test]
fn every_series_is_that_of_the_existing_tools() {
    let rows = rows("timeseries.jsonl");
    for (line, row) in &rows {
        let (name, input) = (&row["name"], written(line, "in"));
        let own = match row["kind"].as_str().unwrap() {
            "internals" => {
                let stats = input.get("stats").unwrap_or(RawJson::NULL);
                let series = Timeseries::from_internals(stats, &Limits::default()).unwrap();
                series.as_ref().map_or(Value::Null, to_json)
            }
            "rtcstats" => to_json(&of_trace(input)),
            "gaps" => {
                let input = &row["in"];
                let points = input["series"].as_array().unwrap().iter().map(point);
                let marked = mark_gaps(points, input["gapSizeMs"].as_f64().unwrap());
                points_to_json(&marked.collect::<Vec<_>>())
            }
            kind => panic!("{kind}"),
        };
        assert_eq!(normalized(&own), normalized(&row["out"]), "{name}");
    }
    println!("{} series agree", rows.len());
}

#[test]
fn recorded_exports_have_all_their_events_and_samples() {
    let Some(folder) = golden::shared("corpus/internals") else {
        return;
    };
    let mut exports = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().ends_with(".webrtc-internals.json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let export: Value = serde_json::from_str(&text).unwrap();
        let mut expected = export["getUserMedia"].as_array().unwrap().len() + 1;
        for connection in export["PeerConnections"].as_object().unwrap().values() {
            expected += connection["updateLog"].as_array().unwrap().len() + 1;
        }
        let mut internals = Internals::parse(&text, &Limits::default()).unwrap();
        let mut values: BTreeMap<String, usize> = BTreeMap::new();
        let mut events = 0;
        let mut last = f64::MIN;
        while let Some(event) = internals.next_event() {
            let time = event.timestamp().unwrap();
            assert!(time >= last);
            last = time;
            if event.method() == Some(Method::GetStats) {
                for (_, report) in event.payload().members() {
                    *values.entry(event.connection_key().to_owned()).or_default() +=
                        report.members().count() - 3;
                }
            } else {
                events += 1;
            }
        }
        assert_eq!(events, expected, "{}", path.display());
        assert_eq!(internals.skipped(), 0, "{}", path.display());
        for (key, connection) in export["PeerConnections"].as_object().unwrap() {
            assert_eq!(
                values[key],
                samples(&connection["stats"]),
                "{}",
                path.display()
            );
        }
        exports += 1;
    }
    assert_eq!(exports, 6);
}

/// How many values there are with distinct times, but for times, types and ids.
fn samples(stats: &Value) -> usize {
    let stats = stats.as_object().unwrap();
    let series = |key: &str| -> Vec<Value> {
        serde_json::from_str(stats[key]["values"].as_str().unwrap()).unwrap()
    };
    let members = stats.keys().filter(|key| {
        !["-timestamp", "-type", "-id"]
            .iter()
            .any(|end| key.ends_with(end))
    });
    members
        .map(|key| {
            let (id, _) = if key.contains('[') {
                key.rsplit_once("-[").unwrap()
            } else {
                key.rsplit_once('-').unwrap()
            };
            let (times, values) = (series(&format!("{id}-timestamp")), series(key));
            let mut times: Vec<String> = times[times.len() - values.len()..]
                .iter()
                .map(Value::to_string)
                .collect();
            times.dedup();
            times.len()
        })
        .sum()
}
