//! An export of webrtc-internals: its events are in order and whole, and they become a dump of any
//! generation that has them.
//!
//! The input is the text of the export.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcstats_proto::dump::{Coding, Converter, Format, Internals, LineReader, Replay, WholeValue};
use rtcstats_proto::{EventForm, Generation, Limits, Method, RawJson, Timeseries};

const TARGETS: [(Generation, Coding); 4] = [
    (Generation::Rtcstats, Coding::Coded),
    (Generation::Rtcstats, Coding::Plain),
    (Generation::Jitsi, Coding::Coded),
    (Generation::Legacy, Coding::Coded),
];

fuzz_target!(|input: &[u8]| {
    let limits = Limits::default();
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let _ = Format::detect(input);
    let Ok(mut internals) = Internals::parse(text, &limits) else {
        return;
    };
    let mut replay = Replay::default();
    let mut last = f64::NEG_INFINITY;
    while let Some(event) = internals.next_event() {
        assert_eq!(event.form(), EventForm::Import);
        let time = event.timestamp().expect("every event has a time");
        assert!(last <= time && time.is_finite());
        last = time;
        let payload = event.payload().as_str();
        assert!(
            RawJson::parse(payload).is_ok() && !payload.contains(['\n', '\r']),
            "{payload}"
        );
        let is_report = event.method() == Some(Method::GetStats) && payload.starts_with('{');
        // Over a limit, it may be refused.
        if let Ok(replayed) = replay.push(event) {
            assert_eq!(is_report, matches!(replayed.value, WholeValue::Stats(_)));
        }
    }
    if let Ok(export) = RawJson::parse(text) {
        for (_, connection) in export
            .get("PeerConnections")
            .unwrap_or(RawJson::NULL)
            .members()
        {
            let stats = connection.get("stats").unwrap_or(RawJson::NULL);
            let _ = Timeseries::from_internals(stats, &limits);
        }
    }
    for (generation, coding) in TARGETS {
        check_conversion(text, generation, coding);
    }
});

fn check_conversion(text: &str, generation: Generation, coding: Coding) {
    let limits = Limits::default();
    let mut internals = Internals::parse(text, &limits).expect("it was read before");
    let mut converter = Converter::new(generation, limits)
        .with_coding(coding)
        .with_head(internals.head());
    let mut dump = String::new();
    let mut events = 0;
    while let Some(event) = internals.next_event() {
        let length = dump.len();
        match converter.push(event, &mut dump) {
            Ok(()) => events += 1,
            Err(_) => assert_eq!(dump.len(), length),
        }
    }
    converter.finish(&mut dump);
    let mut replay = Replay::default();
    let mut lines = LineReader::new(dump.as_bytes());
    let mut read = 0;
    while let Some(line) = lines.next_line().expect("memory yields no errors") {
        let replayed = replay.push_line(line.as_str());
        let is_event = match &replayed {
            Ok(replayed) => replayed.is_some(),
            // A report that was within a limit before, and is over it now.
            Err(_) => true,
        };
        read += u64::from(is_event);
    }
    assert_eq!(replay.generation(), Some(generation));
    // And the head.
    assert_eq!(read, events + 1, "{dump}");
}
