//! The lines of a dump of any generation: extraction takes whatever comes, and a look at the features in
//! between changes nothing.
//!
//! The first byte of the input is where that look is taken, the rest is the dump.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtcstats_features::{Extractor, FeatureSet, SetsFold, Strictness};

const NOW: f64 = 1.8e12;

fuzz_target!(|input: &[u8]| {
    let Some((&look, dump)) = input.split_first() else {
        return;
    };
    let Ok(dump) = std::str::from_utf8(dump) else {
        return;
    };
    let watched = features(dump, Some(usize::from(look)), Strictness::Lenient);
    assert_eq!(watched, features(dump, None, Strictness::Lenient));
    features(dump, Some(usize::from(look)), Strictness::Strict);
});

/// The features as JSON, those before line `look` thrown away.
fn features(dump: &str, look: Option<usize>, strictness: Strictness) -> String {
    let mut extractor =
        Extractor::new(SetsFold::new("id", &FeatureSet::ALL)).with_strictness(strictness);
    for (number, line) in dump.split('\n').enumerate() {
        if Some(number) == look {
            let snapshot = extractor.snapshot(NOW);
            serde_json::to_string(&snapshot).expect("features are JSON");
        }
        let _ = extractor.push_line(line);
    }
    assert!(extractor.counters().errors <= extractor.counters().lines);
    serde_json::to_string(&extractor.finish(NOW)).expect("features are JSON")
}
