//! What the encoders make of the text of a report, however that is spelled, and what it costs them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use rtcstats_proto::delta::{DeltaError, Encoder};
use rtcstats_proto::{Limits, RawJson};
use serde_json::{Value, json};

type MakeEncoder = fn(Limits) -> Encoder;

const DIALECTS: [MakeEncoder; 3] = [Encoder::jitsi, Encoder::legacy, Encoder::rtcstats];

fn delta(encoder: &mut Encoder, report: &str) -> Result<String, DeltaError> {
    let mut delta = String::new();
    encoder.encode_text(report, &mut delta)?;
    Ok(delta)
}

/// The delta from the first report to the second.
fn second_delta(make: MakeEncoder, first: &str, second: &str) -> String {
    let mut encoder = make(Limits::default());
    delta(&mut encoder, first).unwrap();
    delta(&mut encoder, second).unwrap()
}

#[test]
fn of_a_member_that_comes_again_the_last_counts() {
    let first = r#"{"a":{"x":1,"timestamp":1,"y":1}}"#;
    let second = r#"{"a":{"x":2,"timestamp":2,"x":1,"y":3,"timestamp":1}}"#;
    let third = r#"{"a":{"x":2,"timestamp":1,"x":3,"y":3}}"#;
    let expected = [
        [
            r#"{"a":{"y":3},"timestamp":null}"#,
            r#"{"a":{"x":3},"timestamp":null}"#,
        ],
        [
            r#"{"a":{"y":3},"timestamp":null}"#,
            r#"{"a":{"x":3},"timestamp":null}"#,
        ],
        [r#"{"0":{"y":3}}"#, r#"{"0":{"x":3}}"#],
    ];
    for (make, expected) in DIALECTS.into_iter().zip(expected) {
        assert_eq!(second_delta(make, first, second), expected[0]);
        assert_eq!(second_delta(make, second, third), expected[1]);
    }
}

#[test]
fn elements_of_an_array_are_compared_with_those_at_their_places() {
    for (first, second, expected) in [
        (r#"{"a":[[1]]}"#, r#"{"a":[[1]]}"#, "{}"),
        (r#"{"a":[1,{"x":1}]}"#, r#"{"a":[1,{"x":1}]}"#, "{}"),
        (
            r#"{"a":[[1],[2]]}"#,
            r#"{"a":[[1],[3]]}"#,
            r#"{"0":[null,[3]]}"#,
        ),
    ] {
        assert_eq!(second_delta(Encoder::rtcstats, first, second), expected);
    }
}

#[test]
fn a_member_that_comes_again_is_not_passed_over() {
    let first = r#"{"a":{"x":1,"timestamp":6,"y":1,"timestamp":7,"z":1}}"#;
    let second = r#"{"a":{"x":1,"timestamp":5,"y":1,"timestamp":7,"z":1}}"#;
    let deltas = DIALECTS.map(|make| second_delta(make, first, second));
    let expected = [
        r#"{"a":{},"timestamp":null}"#,
        r#"{"timestamp":null}"#,
        "{}",
    ];
    assert_eq!(deltas, expected);
}

#[test]
fn numbers_are_equal_that_are_written_in_different_ways() {
    for (first, second) in [
        ("1", "1.0"),
        ("1e3", "1000"),
        ("0", "-0"),
        ("0.1", "0.10000000000000001"),
        ("1e-7", "0.0000001"),
        (r#""\u0061""#, r#""a""#),
    ] {
        for (first, second) in [(first, second), (second, first)] {
            let report = |value: &str| format!(r#"{{"a":{{"x":{value}}}}}"#);
            let deltas = DIALECTS.map(|make| second_delta(make, &report(first), &report(second)));
            let expected = [
                r#"{"a":{},"timestamp":null}"#,
                r#"{"timestamp":null}"#,
                "{}",
            ];
            assert_eq!(deltas, expected, "{first} {second}");
        }
    }
}

#[test]
fn a_number_that_goes_on_is_another_one() {
    let report = |x: &str| format!(r#"{{"a":{{"x":{x},"y":1}},"b":{{"x":{x}}}}}"#);
    let second = second_delta(Encoder::jitsi, &report("12"), &report("123"));
    assert_eq!(second, r#"{"a":{"x":123},"b":{"x":123},"timestamp":null}"#);
    let second = second_delta(Encoder::jitsi, &report("12"), &report("1"));
    assert_eq!(second, r#"{"a":{"x":1},"b":{"x":1},"timestamp":null}"#);
}

#[test]
fn a_report_that_is_cut_off_is_refused_and_changes_nothing() {
    let first = r#"{"a":{"id":"a","timestamp":1,"x":"\"","y":[1]},"b":{"timestamp":1}}"#;
    let second = r#"{"a":{"id":"a","timestamp":2,"x":"\"","y":[1]},"c":{"timestamp":2,"z":1.50}}"#;
    for make in DIALECTS {
        let expected = second_delta(make, first, second);
        for length in 0..second.len() {
            let mut encoder = make(Limits::default());
            delta(&mut encoder, first).unwrap();
            let cut = delta(&mut encoder, &second[..length]);
            assert!(matches!(cut, Err(DeltaError::Json(_))), "{length}");
            assert_eq!(delta(&mut encoder, second).unwrap(), expected);
        }
    }
}

#[test]
fn limits_hold_for_reports_that_repeat_the_previous_one() {
    let report = r#"{"a":{"x":"text","y":1},"b":{"x":1}}"#;
    for limits in [
        Limits {
            objects: 1,
            ..Limits::default()
        },
        Limits {
            members: 1,
            ..Limits::default()
        },
        Limits {
            values: 2,
            ..Limits::default()
        },
        Limits {
            text_bytes: 5,
            ..Limits::default()
        },
        Limits {
            name_bytes: 0,
            ..Limits::default()
        },
    ] {
        let mut encoder = Encoder::jitsi(limits);
        for _ in 0..2 {
            let error = delta(&mut encoder, report).unwrap_err();
            assert!(matches!(error, DeltaError::Limit { .. }), "{error}");
        }
    }
    let mut encoder = Encoder::jitsi(Limits {
        values: 3,
        text_bytes: 6,
        ..Limits::default()
    });
    for _ in 0..3 {
        delta(&mut encoder, report).unwrap();
    }
}

/// Reports of a call, as many objects and members as a browser has.
fn reports(count: usize) -> Vec<String> {
    let object = |number: usize, second: usize| {
        let object = json!({
            "id": format!("IT{number:02}"),
            "timestamp": 1_700_000_000_000.25 + second as f64 * 1000.0,
            "type": "inbound-rtp",
            "kind": "audio",
            "bytesReceived": 1_000 * number * second,
            "jitter": 0.001 * (second % 7) as f64,
            "totalAudioEnergy": 0.1 + 0.2 * second as f64,
            "label": "with \"quotes\"",
            "qualityLimitationDurations": { "none": second, "cpu": 0 },
            "custom": second / 2,
        });
        (format!("IT{number:02}"), object)
    };
    let report = |second: usize| {
        let objects = (0..40).map(|number| object(number, second));
        Value::Object(objects.collect()).to_string()
    };
    (100..100 + count).map(report).collect()
}

#[test]
fn a_report_in_the_middle_of_a_call_is_encoded_without_allocation() {
    let reports = reports(60);
    let (first, rest) = reports.split_at(30);
    for make in DIALECTS {
        let mut encoder = make(Limits::default());
        let mut out = String::with_capacity(1 << 20);
        for report in first {
            encoder.encode_text(report, &mut out).unwrap();
        }
        let info = allocation_counter::measure(|| {
            for report in rest {
                out.clear();
                encoder.encode_text(report, &mut out).unwrap();
            }
        });
        assert_eq!(info.count_total, 0);
        assert!(out.contains("IT39") || out.contains("\"39\""), "{out}");
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_u8..3).prop_map(Value::from),
        (0_u32..3000).prop_map(|number| json!(f64::from(number) / 8.0)),
        prop::num::f64::NORMAL.prop_map(Value::from),
        "[ab]{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ]
}

type Report = BTreeMap<String, BTreeMap<&'static str, Value>>;

fn report() -> impl Strategy<Value = Report> {
    const NAMES: [&str; 6] = [
        "bytesSent",
        "timestamp",
        "type",
        "kind",
        "ünknown\n",
        "custom",
    ];
    let members = prop::collection::btree_map(prop::sample::select(&NAMES[..]), scalar(), 0..6);
    prop::collection::btree_map("[A-C\"é]{1,2}", members, 0..5)
}

proptest! {
    /// White space and escapes keep the texts of two reports from running in parallel.
    #[test]
    fn spelling_makes_no_difference(reports in prop::collection::vec((report(), 0..3), 1..8)) {
        for make in DIALECTS {
            let (mut dense, mut spelled) = (make(Limits::default()), make(Limits::default()));
            for (report, spelling) in &reports {
                let text = serde_json::to_string(report).unwrap();
                let other = match spelling {
                    0 => text.clone(),
                    1 => serde_json::to_string_pretty(report).unwrap(),
                    _ => text.replace("\"custom\"", "\"c\\u0075stom\""),
                };
                RawJson::parse(&other).unwrap();
                let expected = delta(&mut dense, &text).unwrap();
                prop_assert_eq!(delta(&mut spelled, &other).unwrap(), expected, "{}", other);
            }
        }
    }

    /// What is taken over from the previous report is what would have been read.
    #[test]
    fn the_report_before_the_last_makes_no_difference(
        first in report(), second in report(), third in report(),
    ) {
        let text = |report: &Report| serde_json::to_string(report).unwrap();
        for make in [Encoder::jitsi, Encoder::legacy] {
            let mut encoder = make(Limits::default());
            delta(&mut encoder, &text(&first)).unwrap();
            delta(&mut encoder, &text(&second)).unwrap();
            let expected = second_delta(make, &text(&second), &text(&third));
            prop_assert_eq!(delta(&mut encoder, &text(&third)).unwrap(), expected);
        }
    }
}
