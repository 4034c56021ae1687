//! What the tracing script makes of reports, in our decoder.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use rtcstats_proto::delta::Decoder;
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Limits, RawJson};
use serde_json::{Map, Value};

#[test]
fn what_the_script_sends_of_reports_is_decoded_to_what_the_browser_returned() {
    let Some(text) = harness::output("report-sequences.mjs") else {
        return;
    };
    let mut count = 0;
    for line in text.lines() {
        let sequence: Value = serde_json::from_str(line).unwrap();
        let (reports, deltas) = (&sequence["reports"], &sequence["deltas"]);
        let mut decoder = Decoder::rtcstats(Limits::default());
        let mut stats = Stats::default();
        for (report, deltas) in reports
            .as_array()
            .unwrap()
            .iter()
            .zip(deltas.as_array().unwrap())
        {
            for delta in deltas.as_array().unwrap() {
                let text = delta.to_string();
                decoder
                    .decode(RawJson::parse(&text).unwrap(), &mut stats)
                    .unwrap();
            }
            assert_eq!(decoded(&stats), returned(report), "{line}");
            count += 1;
        }
    }
    assert!(count > 1_000, "{count} reports");
}

fn decoded(stats: &Stats) -> Value {
    let mut text = String::new();
    stats.write_json(&mut text);
    normalized(&serde_json::from_str(&text).unwrap())
}

/// A report without the members `id`, which are its keys.
fn returned(report: &Value) -> Value {
    let objects = report.as_object().unwrap().iter();
    let objects: Map<String, Value> = objects
        .map(|(id, object)| {
            let mut object = object.clone();
            object.as_object_mut().unwrap().remove("id");
            (id.clone(), object)
        })
        .collect();
    normalized(&Value::Object(objects))
}

/// Numbers as they are in JavaScript.
fn normalized(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64().unwrap()),
        Value::Array(values) => values.iter().map(normalized).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), normalized(value)))
            .collect(),
        other => other.clone(),
    }
}
