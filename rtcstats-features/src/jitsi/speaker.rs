//! The dominant speaker (§11.4.1).

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rtcstats_proto::RawJson;
use serde_json::Value as Json;

use super::budget::Budget;
use super::{DominantSpeakerEvent, DominantSpeakerEventKind};
use crate::FoldError;
use crate::javascript::{is_identical, is_truthy, key};

/// Who was dominant speaker, and for how long.
#[derive(Default)]
pub(super) struct Speakers {
    /// The endpoint that is; none before the first event and where the event names none.
    current: Option<Json>,
    since: f64,
    turns: HashMap<Box<str>, Turns, RandomState>,
    pub(super) events: Vec<DominantSpeakerEvent>,
}

/// One endpoint as dominant speaker.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Turns {
    pub(super) changes: u64,
    /// In ms.
    pub(super) time: f64,
}

impl Speakers {
    pub(super) fn take(
        &mut self,
        value: RawJson<'_>,
        timestamp: Option<f64>,
        own: Option<&Json>,
        budget: &mut Budget<'_>,
    ) -> Result<(), FoldError> {
        let malformed = |problem| FoldError::Malformed {
            event: "dominantSpeaker",
            problem,
        };
        if value.is_null() {
            return Err(malformed("no value"));
        }
        let timestamp = timestamp.filter(|time| *time != 0.0);
        let timestamp = timestamp.ok_or(malformed("no timestamp"))?;
        let endpoint = match value.get("dominantSpeakerEndpoint") {
            None => None,
            Some(endpoint) => match budget.keep(endpoint) {
                None => return Ok(()),
                endpoint => endpoint,
            },
        };
        self.list_event(endpoint.as_ref(), timestamp, own, budget);
        self.begin_turn(endpoint.as_ref(), own, budget);
        if is_truthy(self.current.as_ref())
            && let Some(turns) = self.turns.get_mut(key(self.current.as_ref()).as_ref())
        {
            turns.time += timestamp - self.since;
        }
        self.current = endpoint;
        self.since = timestamp;
        Ok(())
    }

    /// While the own endpoint is unknown it equals the speaker before the first event, so a dump
    /// that begins without identity begins with a stop.
    fn list_event(
        &mut self,
        endpoint: Option<&Json>,
        timestamp: f64,
        own: Option<&Json>,
        budget: &mut Budget<'_>,
    ) {
        let kind = if is_identical(endpoint, own) {
            DominantSpeakerEventKind::Started
        } else if is_identical(self.current.as_ref(), own) {
            DominantSpeakerEventKind::Stopped
        } else {
            return;
        };
        if self.events.len() < budget.limits.speaker_events {
            self.events.push(DominantSpeakerEvent { kind, timestamp });
        } else {
            budget.dropped.speaker_events += 1;
        }
    }

    fn begin_turn(&mut self, endpoint: Option<&Json>, own: Option<&Json>, budget: &mut Budget<'_>) {
        let name = key(endpoint);
        if let Some(turns) = self.turns.get_mut(name.as_ref()) {
            turns.changes += 1;
        } else if self.turns.len() < budget.limits.endpoints || name == key(own) {
            let turns = Turns {
                changes: 1,
                time: 0.0,
            };
            self.turns.insert(name.into(), turns);
        } else {
            budget.dropped.endpoints += 1;
        }
    }

    /// The turns of the participant by the end of the session; none at all if it ends in silence.
    pub(super) fn own_turns(&self, own: Option<&Json>, session_end: f64) -> Turns {
        if !is_truthy(self.current.as_ref()) {
            return Turns::default();
        }
        let own = key(own);
        let Some(mut turns) = self.turns.get(own.as_ref()).copied() else {
            return Turns::default();
        };
        if key(self.current.as_ref()) == own {
            turns.time += session_end - self.since;
        }
        turns
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::{CHROME, browser, extraction_within, features};
    use crate::Limits;

    fn speaker(endpoint: Json, time: u64) -> Json {
        json!(["dominantSpeaker", null, {"dominantSpeakerEndpoint": endpoint}, time])
    }

    fn identity(endpoint: &str) -> Json {
        json!(["identity", null, {"endpointId": endpoint}, 1])
    }

    fn kinds(features: &Json) -> Vec<&str> {
        let events = features["dominantSpeakerEvents"].as_array().unwrap();
        let kinds = events.iter().map(|event| event["type"].as_str().unwrap());
        kinds
            .map(|kind| kind.trim_start_matches("DOMINANT_SPEAKER_"))
            .collect()
    }

    #[test]
    fn own_turns_are_counted_and_timed_up_to_the_end_of_the_session() {
        let features = features(&[
            identity("me"),
            speaker(json!("me"), 100),
            speaker(json!("you"), 130),
            speaker(json!("me"), 200),
            json!(["x", null, null, 250]),
        ]);
        assert_eq!(features["dominantSpeakerChanges"], 2);
        assert_eq!(features["speakerTime"], 30 + 50);
        assert_eq!(kinds(&features), ["STARTED", "STOPPED", "STARTED"]);
    }

    #[test]
    fn silence_at_the_end_undoes_all_turns() {
        let features = features(&[
            identity("me"),
            speaker(json!("me"), 100),
            speaker(json!(null), 130),
        ]);
        assert_eq!(features["dominantSpeakerChanges"], 0);
        assert_eq!(features["speakerTime"], 0);
        assert_eq!(kinds(&features), ["STARTED", "STOPPED"]);
    }

    #[test]
    fn naming_the_same_speaker_again_starts_again() {
        let features = features(&[
            identity("me"),
            speaker(json!("me"), 100),
            speaker(json!("me"), 130),
        ]);
        assert_eq!(kinds(&features), ["STARTED", "STARTED"]);
        assert_eq!(features["dominantSpeakerChanges"], 2);
        assert_eq!(features["speakerTime"], 30);
    }

    #[test]
    fn a_session_without_identity_begins_with_a_stop() {
        let features = features(&[speaker(json!("you"), 100), speaker(json!("him"), 130)]);
        assert_eq!(kinds(&features), ["STOPPED"]);
    }

    #[test]
    fn turns_count_from_before_the_own_endpoint_was_known_and_the_first_endpoint_stays() {
        let features = features(&[
            speaker(json!("me"), 100),
            identity(""),
            identity("me"),
            identity("other"),
            speaker(json!("you"), 130),
        ]);
        assert_eq!(features["dominantSpeakerChanges"], 1);
        assert_eq!(features["speakerTime"], 30);
        assert_eq!(kinds(&features), ["STOPPED", "STOPPED"]);
    }

    #[test]
    fn events_without_value_or_time_are_errors() {
        let mut extractor = browser(Limits::default(), CHROME);
        for event in [
            json!(["dominantSpeaker", null, null, 5]),
            json!(["dominantSpeaker", null, {}]),
            json!(["dominantSpeaker", null, {}, 0]),
        ] {
            extractor.push_line(&event.to_string()).unwrap_err();
        }
        let features = extractor.finish(0.0);
        let features = features.client().unwrap();
        assert_eq!(
            (features.metrics.ds_request_count, features.session_end_time),
            (0, 0.0)
        );
    }

    #[test]
    fn limits_leave_out_others_but_never_oneself() {
        let limits = Limits {
            endpoints: 1,
            speaker_events: 1,
            ..Limits::default()
        };
        let events = [
            identity("me"),
            speaker(json!("a"), 1),
            speaker(json!("b"), 2),
            speaker(json!("me"), 3),
            speaker(json!("a"), 5),
        ];
        let extraction = extraction_within(limits, CHROME, &events);
        let features = extraction.client().unwrap();
        assert_eq!(
            (features.dominant_speaker_changes, features.speaker_time),
            (1, 2.0)
        );
        assert_eq!(features.dominant_speaker_events.len(), 1);
        assert_eq!(
            (
                extraction.dropped.endpoints,
                extraction.dropped.speaker_events
            ),
            (1, 1)
        );
    }
}
