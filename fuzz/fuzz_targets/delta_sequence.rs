//! The reports of one connection, one a line: the decoder agrees with a simple one over trees, a
//! report that is refused changes nothing, and what was decoded survives encoding.
//!
//! The first byte of the input chooses the limits, the rest are the reports.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcstats_fuzz::{ReferenceDecoder, ReferenceEncoder, is_excused, is_json, same};
use rtcstats_proto::delta::{Decoder, DeltaError, Encoder};
use rtcstats_proto::stats::{Stats, StatsObject};
use rtcstats_proto::{Event, Limits, RawJson};
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, reports)) = input.split_first() else {
        return;
    };
    let Ok(reports) = std::str::from_utf8(reports) else {
        return;
    };
    let limits = limits(choice);
    let mut decoder = Decoder::jitsi(limits);
    let mut stats = Stats::default();
    let mut reference = ReferenceDecoder::default();
    let mut round_trip = RoundTrip::default();
    for report in reports.split('\n') {
        let before = json(&stats);
        match decode(&mut decoder, report, &mut stats) {
            Ok(()) => {
                assert!(is_json(report), "{report}");
                let Ok(tree) = serde_json::from_str(report) else {
                    return;
                };
                if !reference.decode(&tree) {
                    return;
                }
                compare(&stats, &reference);
                check_limits(&stats, &limits);
                round_trip.step(&stats);
            }
            Err(error) => {
                assert_eq!(json(&stats), before, "{error}");
                assert!(is_excused(&error, report), "{error}: {report}");
            }
        }
    }
});

fn limits(choice: u8) -> Limits {
    if choice % 2 == 0 {
        return Limits::default();
    }
    Limits {
        line_bytes: 1_024,
        depth: 6,
        objects: 6,
        members: 6,
        values: 20,
        text_bytes: 64,
        nested_bytes: 32,
        unknown_names: 4,
        name_bytes: 16,
        ..Limits::default()
    }
}

/// A report that is an object comes unread, as in a getstats line; others as they are.
fn decode(decoder: &mut Decoder, report: &str, stats: &mut Stats) -> Result<(), DeltaError> {
    let line = format!("[\"getstats\",\"PC_0\",{report},1700000000000,1]");
    let unread = Event::parse(&line).ok().map(|event| event.payload());
    match unread.filter(|payload| payload.as_str() == report) {
        Some(payload) => decoder.decode(payload, stats),
        None => decoder.decode(RawJson::parse(report)?, stats),
    }
}

fn json(stats: &Stats) -> String {
    let mut json = String::new();
    stats.write_json(&mut json);
    json
}

fn compare(stats: &Stats, reference: &ReferenceDecoder) {
    let own: Value = serde_json::from_str(&json(stats)).expect("stats are JSON");
    let (theirs, ids) = reference.state();
    assert!(same(&own, &theirs), "{own}\n{theirs}");
    let own: Vec<&str> = stats.iter().map(StatsObject::id).collect();
    assert_eq!(own, ids);
}

fn check_limits(stats: &Stats, limits: &Limits) {
    let values: usize = stats.iter().map(|object| object.members().count()).sum();
    let scalars = stats
        .iter()
        .filter(|object| object.scalar().is_some())
        .count();
    assert_eq!(stats.values(), values + scalars);
    assert!(stats.len() <= limits.objects);
    // Dates are added to objects that have none.
    assert!(stats.values() <= limits.values + limits.objects);
    assert!(stats.text_bytes() <= limits.text_bytes);
}

/// What was decoded, taken for what a browser reports.
struct RoundTrip {
    encoder: Encoder,
    reference: ReferenceEncoder,
    decoder: Decoder,
    stats: Stats,
}

impl Default for RoundTrip {
    fn default() -> Self {
        Self {
            encoder: Encoder::jitsi(Limits::default()),
            reference: ReferenceEncoder::default(),
            decoder: Decoder::jitsi(Limits::default()),
            stats: Stats::default(),
        }
    }
}

impl RoundTrip {
    fn step(&mut self, stats: &Stats) {
        let report = json(stats);
        let Ok(Value::Object(tree)) = serde_json::from_str(&report) else {
            panic!("stats are a JSON object");
        };
        let is_plain = |object: StatsObject<'_>| {
            let timestamp = object.get_by_name("timestamp");
            object.is_object() && timestamp.is_none_or(|value| value.as_number().is_some())
        };
        if tree.contains_key("timestamp") || !stats.iter().all(is_plain) {
            *self = Self::default();
            return;
        }
        let mut delta = String::new();
        let raw = RawJson::parse_within(
            &report,
            &Limits {
                depth: Limits::MAX_DEPTH,
                ..Limits::default()
            },
        );
        self.encoder
            .encode(raw.expect("stats are JSON"), &mut delta)
            .expect("stats can be encoded");
        let expected = self.reference.encode(&tree);
        let own: Value = serde_json::from_str(&delta).expect("a delta is JSON");
        assert!(same(&own, &expected), "{own}\n{expected}");
        self.decoder
            .decode(
                RawJson::parse(&delta).expect("a delta is JSON"),
                &mut self.stats,
            )
            .expect("a delta can be decoded");
        let decoded: Value = serde_json::from_str(&json(&self.stats)).expect("stats are JSON");
        assert!(
            same(&comparable(decoded), &comparable(Value::Object(tree))),
            "{report}\n{delta}"
        );
    }
}

/// Without what the codec loses: ids inside objects, and zero and fractional timestamps.
fn comparable(mut report: Value) -> Value {
    let objects = report.as_object_mut().expect("a report is an object");
    objects.shift_remove("timestamp");
    for object in objects.values_mut() {
        let members = object.as_object_mut().expect("all are objects");
        members.shift_remove("id");
        members.shift_remove("timestamp");
    }
    report
}
