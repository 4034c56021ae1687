//! Small sessions for tests.

use serde_json::{Value as Json, json};

use super::{Extraction, JitsiFold};
use crate::{Extractor, Limits, Strictness};

pub(super) const CHROME: &str = "Chrome/99.0";
pub(super) const FIREFOX: &str = "Mozilla/5.0 (X11; rv:109.0) Gecko/20100101 Firefox/114.0";

/// The time of extraction.
pub(super) const NOW: f64 = 9_000.0;

/// What a session of these events yields; all of them must be taken.
pub(super) fn extraction(user_agent: &str, events: &[Json]) -> Extraction {
    extraction_within(Limits::default(), user_agent, events)
}

pub(super) fn extraction_within(limits: Limits, user_agent: &str, events: &[Json]) -> Extraction {
    let mut extractor = browser(limits, user_agent).with_strictness(Strictness::Strict);
    for event in events {
        extractor.push_line(&event.to_string()).unwrap();
    }
    extractor.finish(NOW)
}

/// A lenient extractor that has seen the header of a browser.
pub(super) fn browser(limits: Limits, user_agent: &str) -> Extractor<JitsiFold> {
    let mut extractor = Extractor::with_limits(JitsiFold::new("id"), limits);
    let details = json!({"clientProtocol": "3.1_STANDARD", "userAgent": user_agent});
    let header = json!(["connectionInfo", null, details, 1]);
    extractor.push_line(&header.to_string()).unwrap();
    extractor
}

/// The features of a session in Chrome as JSON.
pub(super) fn features(events: &[Json]) -> Json {
    serde_json::to_value(extraction(CHROME, events).features).unwrap()
}

/// What a session says of its connection `PC_0`.
pub(super) fn aggregate(user_agent: &str, events: &[Json]) -> Json {
    let features = extraction(user_agent, events).features;
    serde_json::to_value(features).unwrap()["aggregates"]["PC_0"].take()
}

/// Reports of the connection `PC_0`, one a second from 1000 on.
pub(super) fn reports(reports: &[Json]) -> Vec<Json> {
    let times = (1..).map(|second| second * 1_000);
    let reports = reports.iter().zip(times);
    reports
        .map(|(report, time)| json!(["getstats", "PC_0", report, time]))
        .collect()
}
