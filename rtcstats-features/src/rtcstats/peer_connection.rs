//! The events of one peer connection (§15.2).

use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Event, EventForm, Method, RawJson};
use serde_json::Value as Json;

use super::candidates::Candidates;
use super::configuration::Configuration;
use super::connectivity::Connectivity;
use super::location::Locations;
use super::negotiation::Negotiation;
use super::quota::Quota;
use super::reports::{Readers, Reports};
use super::tracks::Tracks;
use super::{ConnectionFeatures, TrackFeatures};

/// What is known of a peer connection.
#[derive(Debug)]
pub(super) struct PeerConnection {
    start: f64,
    end: f64,
    events: u64,
    reports: u64,
    /// The last event is `close`.
    is_closed: bool,
    failures: Failures,
    configuration: Configuration,
    negotiation: Negotiation,
    connectivity: Connectivity,
    candidates: Candidates,
    locations: Locations,
    tracks: Tracks,
    samples: Reports,
}

/// What the first failure of a method gave, unless that was too long.
#[derive(Debug, Default)]
struct Failures {
    add_ice_candidate: Option<Option<Json>>,
    set_local_description: Option<Option<Json>>,
    set_remote_description: Option<Option<Json>>,
}

/// An event that a part of the connection looks at.
pub(super) struct Step<'a> {
    pub(super) event: &'a Event<'a>,
    pub(super) method: Method,
    pub(super) value: RawJson<'a>,
    pub(super) time: f64,
}

impl Step<'_> {
    /// Whether the client does not send the argument of the call, as Jitsi's unless told to.
    pub(super) fn is_withheld(&self) -> bool {
        self.is_of_older_client() && self.value.is_text("")
    }

    /// Whether it is of a Jitsi or legacy client.
    pub(super) fn is_of_older_client(&self) -> bool {
        self.event.form() == EventForm::Array
    }
}

impl PeerConnection {
    /// One whose first event is at `time`.
    pub(super) fn new(time: f64) -> Self {
        Self {
            start: time,
            end: time,
            events: 0,
            reports: 0,
            is_closed: false,
            failures: Failures::default(),
            configuration: Configuration::default(),
            negotiation: Negotiation::default(),
            connectivity: Connectivity::default(),
            candidates: Candidates::default(),
            locations: Locations::default(),
            tracks: Tracks::default(),
            samples: Reports::default(),
        }
    }

    pub(super) fn take(&mut self, event: &Event<'_>, time: f64, quota: &mut Quota<'_>) {
        self.count(event, time);
        let Some(method) = event.method() else {
            return;
        };
        let step = Step {
            event,
            method,
            value: event.payload(),
            time,
        };
        match method {
            Method::Create => self.configuration.create(step.value, quota),
            // One without a report.
            Method::GetStats | Method::CompressedGetStats => {
                if self.locations.is_waiting() {
                    self.locations.finish(None, None);
                }
            }
            _ => {
                self.failures.take(&step, quota);
                self.negotiation.take(&step, quota);
                self.connectivity.take(&step);
                self.candidates.take(&step);
                self.locations.take(&step, quota);
                self.tracks.take(&step, quota);
            }
        }
    }

    pub(super) fn take_report(
        &mut self,
        event: &Event<'_>,
        stats: &Stats,
        time: f64,
        quota: &mut Quota<'_>,
    ) {
        self.count(event, time);
        let readers = Readers {
            connectivity: &mut self.connectivity,
            locations: &mut self.locations,
            tracks: &mut self.tracks,
        };
        self.samples.take(stats, time, readers, quota);
    }

    fn count(&mut self, event: &Event<'_>, time: f64) {
        let method = event.method();
        let is_report = matches!(method, Some(Method::GetStats | Method::CompressedGetStats));
        self.end = time;
        self.events += 1;
        self.reports += u64::from(is_report);
        self.is_closed = method == Some(Method::Close);
    }

    pub(super) fn features(&self, identifier: &str) -> ConnectionFeatures {
        let mut features = ConnectionFeatures {
            connection_identifier: identifier.to_owned(),
            start_time: Some(self.start),
            duration: Some(self.end - self.start),
            closed: self.is_closed,
            number_of_events: self.events,
            number_of_events_not_get_stats: self.events - self.reports,
            stats_truncated: self.samples.are_truncated(self.start),
            ..ConnectionFeatures::default()
        };
        self.failures.write(&mut features);
        self.configuration.write(&mut features);
        self.negotiation.write(&mut features);
        self.connectivity.write(&mut features);
        self.candidates.write(&mut features);
        self.locations.write(&mut features);
        self.samples.selected.write(&mut features);
        let tracks = self.tracks.iter().map(|track| {
            let stream = track.stream.and_then(|stream| self.samples.stream(stream));
            TrackFeatures::of(track, self.tracks.unmuted(track), stream)
        });
        features.tracks = tracks.collect();
        features
    }
}

impl Failures {
    fn take(&mut self, step: &Step<'_>, quota: &mut Quota<'_>) {
        let failure = match step.method {
            Method::AddIceCandidateOnFailure => &mut self.add_ice_candidate,
            Method::SetLocalDescriptionOnFailure => &mut self.set_local_description,
            Method::SetRemoteDescriptionOnFailure => &mut self.set_remote_description,
            _ => return,
        };
        failure.get_or_insert_with(|| quota.keep(step.value));
    }

    fn write(&self, features: &mut ConnectionFeatures) {
        features.add_ice_candidate_failure = self.add_ice_candidate.clone().flatten();
        features.set_local_description_failure = self.set_local_description.clone().flatten();
        features.set_remote_description_failure = self.set_remote_description.clone().flatten();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::rtcstats::testing::connection;

    #[test]
    fn a_later_failure_is_not_taken_for_the_first() {
        let failure = |text: &str| ("setLocalDescriptionOnFailure", json!(text));
        let found = connection(&[failure("first"), failure("second")]);
        assert_eq!(found["setLocalDescriptionFailure"], "first");
        let found = connection(&[failure(&"x".repeat(2_000)), failure("second")]);
        assert_eq!(found.get("setLocalDescriptionFailure"), None);
    }
}
