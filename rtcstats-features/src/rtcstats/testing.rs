//! Sessions for tests.

use serde_json::{Value, json};

use super::{Features, RtcstatsFold};
use crate::{Extractor, Limits};

/// The features of these lines, each an event of rtcstats 5.0 unless the first is another client's.
pub(super) fn features(lines: &[Value]) -> Features {
    features_within(Limits::default(), lines)
}

pub(super) fn features_within(limits: Limits, lines: &[Value]) -> Features {
    let mut extractor = Extractor::with_limits(RtcstatsFold::default(), limits);
    for line in lines {
        extractor.push_line(&line.to_string()).unwrap();
    }
    extractor.finish(0.0)
}

/// The features of the one connection whose events these are, name and value, a second apart.
pub(super) fn connection(events: &[(&str, Value)]) -> Value {
    let mut lines = vec![json!([39, "PC_0", {}, 1e12])];
    let events = events.iter();
    lines.extend(events.map(|(name, value)| json!([name, "PC_0", value, 1000])));
    let features = features(&lines);
    serde_json::to_value(&features.peer_connections[0]).unwrap()
}
