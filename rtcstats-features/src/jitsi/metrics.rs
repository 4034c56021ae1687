//! Sizes of lines by what they are about (§11.4).

use rtcstats_proto::Event;

use super::Metrics;
use crate::javascript::utf16_length;

/// What a line is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestClass {
    /// `getstats`.
    Stats,
    /// Descriptions.
    Sdp,
    /// `dominantSpeaker`.
    DominantSpeaker,
    /// `faceLandmarks`.
    Sentiment,
    /// What is not evaluated.
    Other,
}

impl Metrics {
    pub(super) fn count(&mut self, class: RequestClass, event: &Event<'_>) {
        let (bytes, count) = match class {
            RequestClass::Stats => (&mut self.stats_request_bytes, &mut self.stats_request_count),
            RequestClass::Sdp => (&mut self.sdp_request_bytes, &mut self.sdp_request_count),
            RequestClass::DominantSpeaker => {
                (&mut self.ds_request_bytes, &mut self.ds_request_count)
            }
            RequestClass::Sentiment => (
                &mut self.sentiment_request_bytes,
                &mut self.sentiment_request_count,
            ),
            RequestClass::Other => (&mut self.other_request_bytes, &mut self.other_request_count),
        };
        *bytes += 2 * utf16_length(event.line()) as u64;
        *count += 1;
    }

    /// The metrics with sums and durations.
    pub(super) fn summed(mut self, conference_start: f64, session: (f64, f64)) -> Self {
        // Without the sentiment: the existing extractor leaves it out.
        self.total_processed_bytes = self.sdp_request_bytes
            + self.ds_request_bytes
            + self.stats_request_bytes
            + self.other_request_bytes;
        self.total_processed_count = self.sdp_request_count
            + self.ds_request_count
            + self.stats_request_count
            + self.other_request_count;
        let (start, end) = session;
        let is_known = conference_start != 0.0;
        self.conference_duration_ms = if is_known {
            duration(conference_start, end)
        } else {
            0.0
        };
        self.session_duration_ms = duration(start, end);
        self
    }
}

/// The time between, 0 if it is not positive.
pub(super) fn duration(start: f64, end: f64) -> f64 {
    if end > start { end - start } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{CHROME, browser, features};
    use crate::Limits;

    #[test]
    fn bytes_are_two_for_each_utf16_unit() {
        let mut extractor = browser(Limits::default(), CHROME);
        let ascii = r#"["x",null,"é€😀",1]"#;
        extractor.push_line(ascii).unwrap();
        let extraction = extractor.finish(0.0);
        let metrics = extraction.client().unwrap().metrics;
        assert_eq!(metrics.other_request_bytes, 2 * 19);
        assert_eq!(
            metrics.other_request_bytes,
            2 * ascii.encode_utf16().count() as u64
        );
    }

    #[test]
    fn classes_are_told_apart_and_sentiment_is_not_in_the_sum() {
        let features = features(&[
            json!(["setLocalDescription", "PC_0", "", 1]),
            json!(["createOfferOnSuccess", "PC_0", "", 1]),
            json!(["setLocalDescriptionOnSuccess", "PC_0", null, 1]),
            json!(["getstats", "PC_0", {}, 1]),
            json!(["getStats", "PC_0", {}, 1]),
            json!(["dominantSpeaker", null, {}, 1]),
            json!(["faceLandmarks", null, {}, 1]),
            json!(["e2eRtt", null, {}, 1]),
            json!(["ondtlserror", "PC_0", {}, 1]),
            json!(["identity", null, {}, 1]),
        ]);
        let metrics = &features["metrics"];
        let count = |name: &str| metrics[format!("{name}RequestCount")].as_u64().unwrap();
        assert_eq!((count("sdp"), count("stats"), count("ds")), (2, 1, 1));
        assert_eq!((count("sentiment"), count("other")), (1, 2));
        assert_eq!(metrics["totalProcessedCount"], 6);
        let bytes = |name: &str| metrics[format!("{name}RequestBytes")].as_u64().unwrap();
        let sum = bytes("sdp") + bytes("stats") + bytes("ds") + bytes("other");
        assert_eq!(metrics["totalProcessedBytes"], sum);
    }

    #[test]
    fn durations_are_never_negative() {
        let durations = |events: &[_]| {
            let metrics = features(events)["metrics"].take();
            let duration = |name: &str| metrics[name].as_f64().unwrap();
            (
                duration("conferenceDurationMs"),
                duration("sessionDurationMs"),
            )
        };
        let line = |time: u64| json!(["x", null, null, time]);
        let conference =
            |start: serde_json::Value| json!(["conferenceStartTimestamp", null, start, 0]);
        assert_eq!(durations(&[line(100), line(150)]), (0.0, 50.0));
        assert_eq!(durations(&[conference(json!(20)), line(100)]), (80.0, 0.0));
        assert_eq!(
            durations(&[conference(json!(200)), line(100), line(50)]),
            (0.0, 0.0)
        );
    }
}
