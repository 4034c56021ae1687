//! Small sessions for tests.

use serde_json::{Value as Json, json};

use super::{Features, LegacyFold};
use crate::{Extractor, Limits};

/// What a session of these events yields; all of them must be taken.
pub(super) fn features_within(limits: Limits, events: &[Json]) -> Features {
    let mut extractor = Extractor::with_limits(LegacyFold::default(), limits);
    let head = json!({"fileFormat": 2, "userAgent": "Chrome/99.0"});
    extractor.push_line(&head.to_string()).unwrap();
    for event in events {
        extractor.push_line(&event.to_string()).unwrap();
    }
    extractor.finish(0.0)
}

/// What it yields as JSON.
pub(super) fn features(events: &[Json]) -> Json {
    serde_json::to_value(features_within(Limits::default(), events)).unwrap()
}

/// What it says of its connection `PC_0`.
pub(super) fn connection(events: &[Json]) -> Json {
    features(events)["connections"]["PC_0"].take()
}
