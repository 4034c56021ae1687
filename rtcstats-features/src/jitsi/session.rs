//! The session of a browser client: dispatch by name (§11.4), and what every line does (§11.5).

use indexmap::IndexMap;
use rtcstats_proto::jitsi::ConnectionInfo;
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{ClientType, Event, EventForm, Method, RawJson, Scope};

use super::budget::Budget;
use super::connections::Connections;
use super::fold::connection_info;
use super::identity::Identity;
use super::metrics::RequestClass;
use super::sentiment::Faces;
use super::speaker::Speakers;
use super::{
    BrowserInfo, ClientFeatures, Dropped, DumpMetadata, E2ePing, Extraction, Features, Metrics,
    StatsFormat, Tenant,
};
use crate::javascript::number_or_text;
use crate::{Context, FoldError};

/// What is known of it.
pub(super) struct Session {
    pub(super) client_type: ClientType,
    pub(super) stats_format: StatsFormat,
    pub(super) browser: Option<BrowserInfo>,
    pub(super) identity: Identity,
    conference_start: ConferenceStart,
    /// 0 while unknown.
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) speakers: Speakers,
    pub(super) faces: Faces,
    pings: IndexMap<String, E2ePing, foldhash::fast::RandomState>,
    pub(super) metrics: Metrics,
    pub(super) connections: Connections,
    pub(super) dropped: Dropped,
    /// It did not begin with a `connectionInfo` line.
    pub(super) is_of_other_generation: bool,
}

/// When the conference started.
enum ConferenceStart {
    /// Nobody said.
    Unknown,
    At(f64),
    /// Something was said that is no time: the time of the extraction stands in.
    Now,
}

impl Session {
    pub(super) fn new(info: &ConnectionInfo) -> Self {
        Self {
            client_type: info.client_type(),
            stats_format: StatsFormat::from_user_agent(&info.user_agent),
            browser: None,
            identity: Identity::default(),
            conference_start: ConferenceStart::Unknown,
            start: 0.0,
            end: 0.0,
            speakers: Speakers::default(),
            faces: Faces::default(),
            pings: IndexMap::default(),
            metrics: Metrics::default(),
            connections: Connections::default(),
            dropped: Dropped::default(),
            is_of_other_generation: false,
        }
    }

    /// Takes an event, the header included.
    pub(super) fn take(
        &mut self,
        event: &Event<'_>,
        context: &Context<'_>,
    ) -> Result<(), FoldError> {
        if self.is_of_other_generation {
            return self.take_of_other_generation(event, context);
        }
        if event.form() != EventForm::Array {
            return Err(FoldError::Shape);
        }
        self.dispatch(event, context)?;
        self.note_time(event, context);
        Ok(())
    }

    /// Takes a report, merged into the stats of its connection.
    pub(super) fn take_report(&mut self, event: &Event<'_>, stats: &Stats, context: &Context<'_>) {
        self.metrics.count(RequestClass::Stats, event);
        let timestamp = event.timestamp();
        let time = timestamp.unwrap_or_default();
        self.note_session_time(time);
        let is_scoped = event.scope() != Scope::Client;
        let is_evaluated = self.stats_format != StatsFormat::Unsupported
            && (is_scoped || !self.is_of_other_generation);
        if !is_scoped && !is_evaluated {
            return;
        }
        let mut budget = Budget {
            limits: context.limits(),
            dropped: &mut self.dropped,
        };
        let Some(connection) = self.connections.get(event.connection_key(), &mut budget) else {
            return;
        };
        if is_evaluated {
            let is_partial = event.form() == EventForm::Import;
            let format = self.stats_format;
            connection.take_report(stats, format, is_partial, timestamp, &mut budget);
        }
        if is_scoped {
            connection.note_time(time);
        }
    }

    fn dispatch(&mut self, event: &Event<'_>, context: &Context<'_>) -> Result<(), FoldError> {
        let value = event.payload();
        let mut budget = Budget {
            limits: context.limits(),
            dropped: &mut self.dropped,
        };
        match event.method() {
            Some(Method::ConnectionInfo) => {
                let info = connection_info(event)?;
                self.browser = BrowserInfo::from_user_agent(&info.user_agent);
            }
            Some(Method::Identity) => self.identity.take_client(value, &mut budget)?,
            Some(Method::ConferenceStartTimestamp) => self.take_conference_start(value),
            Some(Method::DominantSpeaker) => {
                let own = self.identity.own_endpoint.as_ref();
                let timestamp = event.timestamp();
                self.speakers.take(value, timestamp, own, &mut budget)?;
                self.metrics.count(RequestClass::DominantSpeaker, event);
            }
            Some(Method::FaceLandmarks) => {
                self.faces.take(value, &mut budget)?;
                self.metrics.count(RequestClass::Sentiment, event);
            }
            Some(Method::E2eRtt) => self.take_ping(value, context)?,
            Some(Method::SetVideoType) => {
                let timestamp = event.timestamp();
                self.connections
                    .set_video_type(value, timestamp, &mut budget)?;
            }
            Some(
                Method::CreateOfferOnSuccess
                | Method::CreateAnswerOnSuccess
                | Method::SetLocalDescription
                | Method::SetRemoteDescription,
            ) => self.metrics.count(RequestClass::Sdp, event),
            Some(method) if Connections::handles(method) => {
                self.connections
                    .take(method, event, self.stats_format, &mut budget)?;
            }
            _ => self.metrics.count(RequestClass::Other, event),
        }
        Ok(())
    }

    pub(super) fn take_conference_start(&mut self, value: RawJson<'_>) {
        match number_or_text(value) {
            Some(0.0) => {}
            Some(start) if !start.is_nan() => self.conference_start = ConferenceStart::At(start),
            _ => self.conference_start = ConferenceStart::Now,
        }
    }

    pub(super) fn take_ping(
        &mut self,
        value: RawJson<'_>,
        context: &Context<'_>,
    ) -> Result<(), FoldError> {
        if value.is_null() {
            return Err(FoldError::Malformed {
                event: "e2eRtt",
                problem: "no value",
            });
        }
        let mut budget = Budget {
            limits: context.limits(),
            dropped: &mut self.dropped,
        };
        let endpoint = value
            .get("remoteEndpointId")
            .map_or("undefined".into(), RawJson::to_key);
        let ping = E2ePing {
            remote_region: value.get("remoteRegion").and_then(|v| budget.keep(v)),
            rtt: value.get("rtt").and_then(|rtt| budget.keep(rtt)),
        };
        if let Some(known) = self.pings.get_mut(endpoint.as_ref()) {
            *known = ping;
        } else if self.pings.len() >= budget.limits.pings {
            budget.dropped.pings += 1;
        } else if budget.admits(&endpoint) {
            self.pings.insert(endpoint.into_owned(), ping);
        }
        Ok(())
    }

    /// What every line does.
    fn note_time(&mut self, event: &Event<'_>, context: &Context<'_>) {
        let time = event.timestamp().unwrap_or_default();
        let is_about_the_session = matches!(
            event.method(),
            Some(Method::ConnectionInfo | Method::Identity)
        );
        if !is_about_the_session {
            self.note_session_time(time);
        }
        if let Scope::PeerConnection(key) = event.scope() {
            let mut budget = Budget {
                limits: context.limits(),
                dropped: &mut self.dropped,
            };
            if let Some(connection) = self.connections.get(key, &mut budget) {
                connection.note_time(time);
            }
        }
    }

    pub(super) fn note_session_time(&mut self, time: f64) {
        if self.start == 0.0 {
            self.start = time;
        }
        self.end = self.end.max(time);
    }

    pub(super) fn extraction(&self, names: DumpMetadata, now: f64) -> Extraction {
        let mut dropped = self.dropped;
        dropped.inexact_means = self.connections.inexact_means();
        Extraction {
            dump_metadata: self.metadata(names),
            features: Features::Client(Box::new(self.features(now))),
            dropped,
        }
    }

    fn features(&self, now: f64) -> ClientFeatures {
        let conference_start_time = match self.conference_start {
            ConferenceStart::Unknown => 0.0,
            ConferenceStart::At(start) => start,
            ConferenceStart::Now => now,
        };
        let own = self.identity.own_endpoint.as_ref();
        let turns = self.speakers.own_turns(own, self.end);
        let pings = self.pings.iter();
        ClientFeatures {
            conference_start_time,
            session_start_time: self.start,
            session_end_time: self.end,
            dominant_speaker_changes: turns.changes,
            speaker_time: turns.time,
            sentiment: self.faces.sentiment,
            face_landmarks_timestamps: self.faces.landmarks.clone(),
            dominant_speaker_events: self.speakers.events.clone(),
            metrics: self
                .metrics
                .summed(conference_start_time, (self.start, self.end)),
            browser_info: self.browser.clone(),
            deployment_info: self.identity.deployment_info.clone(),
            e2epings: pings.map(|(id, ping)| (id.clone(), ping.clone())).collect(),
            aggregates: self.connections.aggregates(),
        }
    }

    fn metadata(&self, names: DumpMetadata) -> DumpMetadata {
        let identity = &self.identity;
        let url = identity
            .conference_url
            .as_ref()
            .and_then(|url| url.as_str());
        DumpMetadata {
            app: Some(identity.app()),
            client_type: Some(self.client_type.as_str()),
            conference_id: identity.conference_name.clone(),
            conference_url: identity.conference_url.clone(),
            endpoint_id: identity.endpoint_id.clone(),
            session_id: identity.meeting_unique_id.clone(),
            user_id: identity.display_name.clone(),
            amp_session_id: identity.session_id.clone(),
            amp_user_id: identity.user_id.clone(),
            amp_device_id: identity.device_id.clone(),
            stats_format: Some(self.stats_format),
            is_breakout_room: identity.is_breakout_room.clone(),
            breakout_room_id: identity.room_id.clone(),
            parent_stats_session_id: identity.parent_stats_session_id.clone(),
            tenant: Some(Tenant::of(
                url.unwrap_or_default(),
                identity.customer_id.as_ref(),
            )),
            ..names
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::{CHROME, NOW, browser, extraction_within, features};
    use crate::Limits;

    #[test]
    fn the_session_starts_with_the_first_line_and_ends_with_the_latest() {
        let line = |time: u64| json!(["x", null, null, time]);
        let features = features(&[
            json!(["x"]),
            line(0),
            line(50),
            line(20),
            line(70),
            line(60),
        ]);
        assert_eq!(features["sessionStartTime"], 50);
        assert_eq!(features["sessionEndTime"], 70);
    }

    #[test]
    fn the_last_conference_start_counts_but_for_zeros() {
        let start = |values: &[Json]| {
            let events = values
                .iter()
                .map(|value| json!(["conferenceStartTimestamp", null, value, 5]));
            features(&events.collect::<Vec<_>>())["conferenceStartTime"].take()
        };
        assert_eq!(start(&[]), 0);
        assert_eq!(
            start(&[json!(10), json!("20"), json!(0), json!("0"), json!("")]),
            20
        );
        for odd in [json!(null), json!("x"), json!(false)] {
            assert_eq!(start(&[json!(10), odd]).as_f64(), Some(NOW));
        }
    }

    #[test]
    fn the_last_ping_of_an_endpoint_counts() {
        let ping = |endpoint: &str, rtt: u64| json!(["e2eRtt", null, {"remoteEndpointId": endpoint, "rtt": rtt, "remoteRegion": "r"}, 1]);
        let events = [ping("a", 1), ping("b", 2), ping("a", 3)];
        assert_eq!(
            features(&events)["e2epings"],
            json!({"a": {"rtt": 3, "remoteRegion": "r"}, "b": {"rtt": 2, "remoteRegion": "r"}})
        );
        assert_eq!(features(&[]).get("e2epings"), None);
        let limits = Limits {
            pings: 1,
            ..Limits::default()
        };
        let extraction = extraction_within(limits, CHROME, &events);
        assert_eq!(
            (
                extraction.client().unwrap().e2epings.len(),
                extraction.dropped.pings
            ),
            (1, 1)
        );
    }

    #[test]
    fn events_without_a_value_they_need_are_errors() {
        let mut extractor = browser(Limits::default(), CHROME);
        for name in [
            "e2eRtt",
            "setVideoType",
            "faceLandmarks",
            "create",
            "constraints",
            "getstats",
            "connectionInfo",
        ] {
            let line = json!([name, "PC_0", null, 5]).to_string();
            extractor.push_line(&line).expect_err(name);
        }
        let extraction = extractor.finish(0.0);
        let features = extraction.client().unwrap();
        assert_eq!(
            (features.aggregates.len(), features.session_end_time),
            (0, 0.0)
        );
    }

    #[test]
    fn a_request_among_the_events_is_an_error() {
        let mut extractor = browser(Limits::default(), CHROME);
        let error = extractor
            .push_line(r#"{"type":"identity","data":{}}"#)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2: a request object among the events of a browser"
        );
    }

    #[test]
    fn a_later_header_refreshes_the_browser_only() {
        let later = json!(["connectionInfo", null, {"clientProtocol": "1.0_JIBRI", "userAgent": "react-native/1 (X)"}, 99]);
        let extraction = super::super::testing::extraction(CHROME, &[later]);
        assert_eq!(
            extraction.dump_metadata.client_type,
            Some("RTCSTATS_CLIENT")
        );
        assert_eq!(
            extraction
                .client()
                .unwrap()
                .browser_info
                .as_ref()
                .unwrap()
                .name,
            "ReactNative"
        );
        assert_eq!(extraction.client().unwrap().session_end_time, 0.0);
    }

    #[test]
    fn reports_of_an_unsupported_browser_are_counted_only() {
        let report = json!(["getstats", "PC_0", {"a": {"type": "inbound-rtp", "ssrc": 1, "kind": "audio", "packetsReceived": 5}}, 5]);
        let extraction = super::super::testing::extraction("", &[report]);
        let features = extraction.client().unwrap();
        assert_eq!(features.browser_info, None);
        assert_eq!(features.metrics.stats_request_count, 1);
        assert!(
            features.aggregates["PC_0"]
                .tracks
                .receiver_tracks
                .is_empty()
        );
    }
}
