//! The deltas of one rtcstats 5.0 connection, one a line: the decoder agrees with a simple one over
//! trees, a delta that is refused changes nothing, and what was decoded can be encoded and decoded.
//!
//! The first byte of the input chooses the limits, the rest are the deltas.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcstats_fuzz::{ReferenceRtcstatsDecoder, is_excused, is_json, same};
use rtcstats_proto::delta::{Decoder, DeltaError, Encoder};
use rtcstats_proto::stats::{Stats, StatsObject};
use rtcstats_proto::{Event, Limits, RawJson};
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, deltas)) = input.split_first() else {
        return;
    };
    let Ok(deltas) = std::str::from_utf8(deltas) else {
        return;
    };
    let limits = limits(choice);
    let mut decoder = Decoder::rtcstats(limits);
    let mut stats = Stats::default();
    let mut reference = Some(ReferenceRtcstatsDecoder::default());
    let mut encoder = Encoder::rtcstats(Limits::default());
    for delta in deltas.split('\n') {
        let before = json(&stats);
        match decode(&mut decoder, delta, &mut stats) {
            Ok(()) => {
                assert!(is_json(delta), "{delta}");
                reference = reference.and_then(|reference| followed(reference, delta));
                if let Some(reference) = &reference {
                    compare(&stats, reference);
                }
                check_limits(&stats, &limits);
                encode(&mut encoder, &stats);
            }
            Err(error) => {
                assert_eq!(json(&stats), before, "{error}");
                assert!(is_excused(&error, delta), "{error}: {delta}");
            }
        }
    }
});

fn limits(choice: u8) -> Limits {
    if choice % 2 == 0 {
        return Limits::default();
    }
    Limits {
        depth: 6,
        objects: 6,
        members: 6,
        values: 20,
        text_bytes: 256,
        nested_bytes: 64,
        unknown_names: 4,
        name_bytes: 16,
        ..Limits::default()
    }
}

/// A delta that is an object comes unread, as in an event; others as they are.
fn decode(decoder: &mut Decoder, delta: &str, stats: &mut Stats) -> Result<(), DeltaError> {
    let line = format!("[\"getstats\",\"PC_0\",{delta},1700000000000,1]");
    let unread = Event::parse(&line).ok().map(|event| event.payload());
    match unread.filter(|payload| payload.as_str() == delta) {
        Some(payload) => decoder.decode(payload, stats),
        None => decoder.decode(RawJson::parse(delta)?, stats),
    }
}

fn json(stats: &Stats) -> String {
    let mut json = String::new();
    stats.write_json(&mut json);
    json
}

/// The simple decoder after the delta; none where it is of no use any more.
fn followed(
    mut reference: ReferenceRtcstatsDecoder,
    delta: &str,
) -> Option<ReferenceRtcstatsDecoder> {
    let tree = serde_json::from_str(delta).ok()?;
    reference.decode(&tree).then_some(reference)
}

fn compare(stats: &Stats, reference: &ReferenceRtcstatsDecoder) {
    // Halves of characters are escapes in the decoder's text, and nothing that serde_json can hold.
    let Ok(own) = serde_json::from_str::<Value>(&json(stats)) else {
        return;
    };
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
    // Timestamps are added to objects that have none.
    assert!(stats.values() <= limits.values + limits.objects);
    assert!(stats.text_bytes() <= limits.text_bytes);
}

/// What was decoded, taken for what a browser reports, makes a delta that a decoder takes.
fn encode(encoder: &mut Encoder, stats: &Stats) {
    let report = json(stats);
    let limits = Limits {
        depth: Limits::MAX_DEPTH,
        ..Limits::default()
    };
    let report = RawJson::parse_within(&report, &limits).expect("stats are JSON");
    let mut delta = String::new();
    if encoder.encode(report, &mut delta).is_ok() {
        let delta = RawJson::parse_within(&delta, &limits).expect("a delta is JSON");
        let mut stats = Stats::default();
        let mut decoder = Decoder::rtcstats(limits);
        decoder
            .decode(delta, &mut stats)
            .expect("a delta can be decoded");
    }
}
