//! Memory that decoding asks for: none, once it has seen what a call is made of.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;
mod steady_call;

use allocation_counter::measure;
use rtcstats_proto::delta::Decoder;
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{EventReader, Limits};
use steady_call::{Dump, SteadyCall};

const ROUNDS: usize = 3;

/// Reads and merges a dump. In each round after the first no report may allocate.
fn check(name: &str, dump: &Dump, mut decoder: Decoder) {
    let mut reader = EventReader::default();
    let mut stats = Stats::default();
    let first_report = dump.lines.len() - ROUNDS * dump.round;
    let first_counted = first_report + dump.round;
    let mut allocations = Vec::new();
    for (number, line) in dump.lines.iter().enumerate() {
        let counted = measure(|| {
            let event = reader.read(line).unwrap();
            if number >= first_report {
                decoder
                    .decode(event.unwrap().payload(), &mut stats)
                    .unwrap();
            }
        });
        if number >= first_counted && counted.count_total > 0 {
            let report = number - first_counted;
            allocations.push((report, counted.count_total, counted.bytes_total));
        }
    }
    assert!(dump.round > 10 && stats.reports() as usize == ROUNDS * dump.round);
    assert!(
        allocations.is_empty(),
        "{name}: report, allocations and bytes: {allocations:?}"
    );
}

#[test]
fn reports_of_a_call_that_goes_on_are_decoded_without_an_allocation() {
    let mut calls = vec![("the recording of the project", SteadyCall::recorded())];
    for name in [
        "jitsi-chromium-15-long-lossy",
        "jitsi-firefox-15-long-lossy",
        "rtcstatsjs-chromium-15-long-lossy",
        "rtcstatsjs-firefox-15-long-lossy",
    ] {
        if let Some(path) = golden::shared(&format!("corpus/wire/{name}.dump.gz")) {
            calls.push((name, SteadyCall::of(&path)));
        }
    }
    for (name, call) in calls {
        let dump = call.repeated(ROUNDS);
        check(name, &dump, Decoder::jitsi(Limits::default()));
        let dump = dump.as_rtcstats();
        check(name, &dump, Decoder::rtcstats(Limits::default()));
    }
}
