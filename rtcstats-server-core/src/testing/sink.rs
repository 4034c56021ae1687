//! The contract of sinks.

use std::collections::BTreeMap;
use std::thread;

use serde_json::value::RawValue;

use super::{block_on, name};
use crate::{DumpName, FeatureSink, RecordPart, SessionRecord};

/// Holds a [`FeatureSink`] to its contract. `make` opens a new, empty one at each call; `stored` tells
/// which (session, part, JSON text) it holds, each as often as it is stored.
///
/// # Panics
///
/// At the first thing the contract forbids.
pub fn sink_contract<S: FeatureSink>(
    make: impl Fn() -> S,
    stored: impl Fn(&S) -> Vec<(DumpName, String, String)>,
) {
    published_parts_are_stored(&make(), &stored);
    a_repetition_is_not_stored_again(&make(), &stored);
    a_repetition_adds_the_parts_that_were_missing(&make(), &stored);
    concurrent_publishes_all_arrive(&make(), &stored);
    let sink = make();
    assert!(!sink.name().is_empty(), "a sink has a name");
}

fn record(name: DumpName, parts: &[(&str, &str)]) -> SessionRecord {
    let parts = parts.iter().map(|(part, json)| RecordPart {
        part: (*part).to_owned(),
        json: RawValue::from_string((*json).to_owned()).expect("JSON of this suite"),
    });
    SessionRecord {
        name,
        parts: parts.collect(),
    }
}

fn publish(sink: &impl FeatureSink, record: &SessionRecord) {
    block_on(sink.publish(record)).unwrap_or_else(|error| panic!("{error}"));
}

/// What is stored, each once.
fn once<S>(
    sink: &S,
    stored: impl Fn(&S) -> Vec<(DumpName, String, String)>,
) -> BTreeMap<(DumpName, String), String> {
    let mut parts = BTreeMap::new();
    for (session, part, json) in stored(sink) {
        let before = parts.insert((session, part), json);
        assert!(before.is_none(), "a part is stored twice");
    }
    parts
}

const PARTS: [(&str, &str); 3] = [
    ("features", r#"{"score":4.5,"text":"é\u0000\n"}"#),
    ("pc/PC_0", "[1,2.50,null]"),
    ("pc/\"odd\"\n\\", "\"text\""),
];

fn published_parts_are_stored<S: FeatureSink>(
    sink: &S,
    stored: impl Fn(&S) -> Vec<(DumpName, String, String)>,
) {
    publish(sink, &record(name("a"), &PARTS));
    publish(sink, &record(name("a").next(), &PARTS));
    publish(sink, &record(name("empty"), &[]));
    let stored = once(sink, stored);
    assert_eq!(stored.len(), 6);
    for (part, json) in PARTS {
        let key = (name("a"), part.to_owned());
        assert_eq!(stored.get(&key).map(String::as_str), Some(json));
    }
}

fn a_repetition_is_not_stored_again<S: FeatureSink>(
    sink: &S,
    stored: impl Fn(&S) -> Vec<(DumpName, String, String)>,
) {
    for _ in 0..3 {
        publish(sink, &record(name("a"), &PARTS));
    }
    assert_eq!(once(sink, stored).len(), PARTS.len());
}

fn a_repetition_adds_the_parts_that_were_missing<S: FeatureSink>(
    sink: &S,
    stored: impl Fn(&S) -> Vec<(DumpName, String, String)>,
) {
    let (first, _) = PARTS.split_at(1);
    publish(sink, &record(name("a"), first));
    publish(sink, &record(name("a"), &PARTS));
    assert_eq!(once(sink, stored).len(), PARTS.len());
}

fn concurrent_publishes_all_arrive<S: FeatureSink>(
    sink: &S,
    stored: impl Fn(&S) -> Vec<(DumpName, String, String)>,
) {
    const SESSIONS: usize = 8;
    thread::scope(|scope| {
        for session in 0..SESSIONS {
            scope.spawn(move || {
                let record = record(name(&format!("session-{session}")), &PARTS);
                publish(sink, &record);
                publish(sink, &record);
            });
        }
    });
    assert_eq!(once(sink, stored).len(), SESSIONS * PARTS.len());
}
