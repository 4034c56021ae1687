//! Sessions of browsers that speak another generation of the protocol, and imports: what their
//! events mean for the features of Jitsi's.

use rtcstats_proto::jitsi::ConnectionInfo;
use rtcstats_proto::{ClientType, Event, EventForm, Method, RawJson, Scope};

use super::budget::Budget;
use super::connections::Connections;
use super::metrics::RequestClass;
use super::session::Session;
use super::{BrowserInfo, StatsFormat};
use crate::javascript::number_or_text;
use crate::{Context, FoldError};

impl Session {
    /// A session that did not begin with a `connectionInfo` line. Until an event tells the user agent
    /// it is taken for Chrome's, of which imports are.
    pub(super) fn of_other_generation() -> Self {
        let mut session = Self::new(&ConnectionInfo::default());
        session.is_of_other_generation = true;
        session.client_type = ClientType::Rtcstats;
        session.stats_format = StatsFormat::ChromeStandard;
        session
    }

    /// Takes an event, which is never malformed: what has not the shape that a feature needs is
    /// counted only.
    pub(super) fn take_of_other_generation(
        &mut self,
        event: &Event<'_>,
        context: &Context<'_>,
    ) -> Result<(), FoldError> {
        match event.form() {
            EventForm::Request => return Err(FoldError::Shape),
            EventForm::Metadata => {
                self.note_user_agent(event.payload().get("userAgent"));
                return Ok(());
            }
            EventForm::Array | EventForm::Delta | EventForm::Import => {}
        }
        let mut budget = Budget {
            limits: context.limits(),
            dropped: &mut self.dropped,
        };
        let is_counted = match application_event(event) {
            Some(method) => self.take_application_event(method, event, context),
            None => match event.scope() {
                Scope::PeerConnection(key) if !is_capture(event) => {
                    if let Some(connection) = self.connections.get(key, &mut budget)
                        && let Some(timestamp) = event.timestamp()
                    {
                        connection.note_time(timestamp);
                    }
                    let method = event.method();
                    method.is_some_and(|method| self.take_connection_event(method, event, context))
                }
                _ => self.take_page_event(event),
            },
        };
        if !is_counted {
            self.metrics.count(RequestClass::Other, event);
        }
        self.note_time_of_other_generation(event);
        Ok(())
    }

    fn note_user_agent(&mut self, user_agent: Option<RawJson<'_>>) {
        let user_agent = user_agent.and_then(RawJson::as_text);
        if let Some(user_agent) = user_agent.filter(|text| !text.is_empty()) {
            self.stats_format = StatsFormat::from_user_agent(&user_agent);
            self.browser = BrowserInfo::from_user_agent(&user_agent);
        }
    }

    /// What an application traces; whether it was counted, or needs no count.
    fn take_application_event(
        &mut self,
        method: Method,
        event: &Event<'_>,
        context: &Context<'_>,
    ) -> bool {
        let value = event.payload();
        let mut budget = Budget {
            limits: context.limits(),
            dropped: &mut self.dropped,
        };
        match method {
            Method::Identity => self.identity.take_of_other_generation(value, &mut budget),
            Method::ConferenceStartTimestamp => self.take_conference_start(value),
            Method::DominantSpeaker => {
                let own = self.identity.own_endpoint.as_ref();
                let time = event.timestamp();
                // Without the own endpoint every turn would be someone else's.
                if own.is_none() || self.speakers.take(value, time, own, &mut budget).is_err() {
                    return false;
                }
                self.metrics.count(RequestClass::DominantSpeaker, event);
            }
            Method::FaceLandmarks => {
                if self.faces.take(value, &mut budget).is_err() {
                    return false;
                }
                self.metrics.count(RequestClass::Sentiment, event);
            }
            Method::E2eRtt => return self.take_ping(value, context).is_ok(),
            Method::SetVideoType => {
                let time = event.timestamp();
                let result = self.connections.set_video_type(value, time, &mut budget);
                return result.is_ok();
            }
            _ => return false,
        }
        true
    }

    fn take_connection_event(
        &mut self,
        method: Method,
        event: &Event<'_>,
        context: &Context<'_>,
    ) -> bool {
        let mut budget = Budget {
            limits: context.limits(),
            dropped: &mut self.dropped,
        };
        match method {
            Method::CreateOfferOnSuccess
            | Method::CreateAnswerOnSuccess
            | Method::SetLocalDescription
            | Method::SetRemoteDescription => {
                self.metrics.count(RequestClass::Sdp, event);
                true
            }
            // There is nothing in the configuration that these features are made of.
            Method::Create => true,
            Method::Constraints => {
                self.identity.take_identifiers(event, &mut budget);
                let format = self.stats_format;
                let result = self.connections.take(method, event, format, &mut budget);
                result.is_ok()
            }
            method if Connections::handles(method) => self
                .connections
                .take(method, event, self.stats_format, &mut budget)
                .is_ok(),
            _ => false,
        }
    }

    /// Events without a connection.
    fn take_page_event(&mut self, event: &Event<'_>) -> bool {
        match event.method() {
            Some(Method::ConnectionInfo) => {
                if let Ok(info) = ConnectionInfo::from_payload(event.payload()) {
                    self.stats_format = StatsFormat::from_user_agent(&info.user_agent);
                    self.browser = BrowserInfo::from_user_agent(&info.user_agent);
                }
                true
            }
            // Imports have it here.
            Some(Method::Create) => {
                self.note_user_agent(event.payload().get("userAgent"));
                false
            }
            _ => false,
        }
    }

    fn note_time_of_other_generation(&mut self, event: &Event<'_>) {
        let is_about_the_session = matches!(
            event.method(),
            Some(Method::ConnectionInfo | Method::Identity)
        );
        // The page of an import was created when it was exported.
        let is_export = event.form() == EventForm::Import
            && event.method() == Some(Method::Create)
            && event.scope() == Scope::Client;
        if let Some(time) = event.timestamp()
            && !is_about_the_session
            && !is_export
        {
            self.note_session_time(time);
        }
    }
}

/// What Jitsi's applications trace, if it has the shape that they give it: events with the same names
/// in legacy dumps, with a colon in front in rtcstats 5.0.
fn application_event(event: &Event<'_>) -> Option<Method> {
    let method = match event.name().strip_prefix(':') {
        Some(name) => Method::from_name(name)?,
        None => event.method()?,
    };
    let value = event.payload();
    let is_shaped = match method {
        Method::Identity => value.as_str().starts_with('{'),
        Method::ConferenceStartTimestamp => number_or_text(value).is_some(),
        Method::DominantSpeaker => value.get("dominantSpeakerEndpoint").is_some(),
        Method::FaceLandmarks => value.get("faceLandmarks").is_some(),
        Method::E2eRtt => value.get("remoteEndpointId").is_some(),
        Method::SetVideoType => value.get("ssrc").is_some(),
        _ => false,
    };
    is_shaped.then_some(method)
}

/// Chrome's event log files what the page captures under connections of its own.
fn is_capture(event: &Event<'_>) -> bool {
    let name = event.name();
    name.starts_with("navigator.mediaDevices.") || name.starts_with("getUserMedia")
}

#[cfg(test)]
mod tests {
    use rtcstats_proto::{Event, RawJson};
    use serde_json::{Value as Json, json};

    use super::super::{Extraction, JitsiFold};
    use crate::{Extractor, Strictness};

    const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";

    /// What these lines of rtcstats 5.0 yield; all of them must be taken.
    fn extraction(lines: &[Json]) -> Extraction {
        let fold = JitsiFold::new("id");
        let mut extractor = Extractor::new(fold).with_strictness(Strictness::Strict);
        extractor.push_line("RTCStatsDump").unwrap();
        let head = json!({"userAgent": CHROME, "fileFormat": 3});
        extractor.push_line(&head.to_string()).unwrap();
        for line in lines {
            extractor.push_line(&line.to_string()).unwrap();
        }
        extractor.finish(9_000.0)
    }

    fn features(lines: &[Json]) -> Json {
        serde_json::to_value(extraction(lines).features).unwrap()
    }

    #[test]
    fn the_head_names_the_browser() {
        let extraction = extraction(&[json!([39, null, {"hardwareConcurrency": 2}, 1_000])]);
        let metadata = serde_json::to_value(&extraction.dump_metadata).unwrap();
        assert_eq!(metadata["clientType"], "RTCSTATS_CLIENT");
        assert_eq!(metadata["statsFormat"], "chrome_standard");
        let features = extraction.client().unwrap();
        assert_eq!(features.browser_info.as_ref().unwrap().name, "Chrome");
        assert_eq!(features.session_start_time, 1_000.0);
        // What is not known is absent.
        assert!(features.aggregates.is_empty());
        assert_eq!(metadata.get("conferenceId"), None);
    }

    #[test]
    fn events_without_the_value_they_need_are_counted_only() {
        let found = features(&[
            json!([39, "PC_0", null, 1_000]),
            json!([40, "PC_0", null, 1]),
            json!([40, "PC_0", {"optional": null}, 1]),
            json!(["identity", null, null, 1]),
            json!(["identity", null, {"confID": 5}, 1]),
            json!(["e2eRtt", null, null, 1]),
            json!(["dominantSpeaker", null, null, 1]),
            json!(["g", "PC_0", null, 1]),
            json!([25, null, "connected", 1]),
        ]);
        let keys: Vec<_> = found["aggregates"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["PC_0"]);
        assert_eq!(found["sessionEndTime"], 1_008);
    }

    #[test]
    fn what_applications_trace_counts_if_it_looks_like_jitsis() {
        let speaker = |id: &str, time: u64| json!([":dominantSpeaker", null, {"dominantSpeakerEndpoint": id}, time]);
        let identity = json!([":identity", null, {"endpointId": "a", "confName": "room"}, 1]);
        let events = [
            speaker("a", 1_000),
            identity,
            speaker("a", 10),
            speaker("b", 5),
        ];
        let extraction = extraction(&events);
        assert_eq!(extraction.dump_metadata.conference_id, Some(json!("room")));
        let found = extraction.client().unwrap();
        assert_eq!(
            (found.dominant_speaker_changes, found.speaker_time),
            (1, 5.0)
        );
        assert_eq!(found.metrics.ds_request_count, 2);
        let other = json!([":dominantSpeaker", null, {"id": "a"}, 1_000]);
        let found = features(&[other, json!([":joined", null, {}, 1])]);
        assert_eq!(found["dominantSpeakerEvents"], json!([]));
        assert_eq!(found["metrics"]["otherRequestCount"], 2);
    }

    #[test]
    fn what_the_page_captures_is_no_connection() {
        let found = features(&[
            json!(["navigator.mediaDevices.getUserMedia", "9-0", {"audio": true}, 1_000]),
            json!(["onconnectionstatechange", "9-1", "failed", 1]),
        ]);
        let keys: Vec<_> = found["aggregates"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["9-1"]);
        assert_eq!(found["aggregates"]["9-1"]["connectionFailed"], true);
    }

    #[test]
    fn identifiers_in_constraints_stand_in_for_an_identity() {
        let optional = json!({"optional": [{"rtcStatsConferenceId": "c"}, {"rtcStatsClientId": "u"}, {"rtcStatsSFUP2P": true}]});
        let constraints = json!([40, "PC_0", optional, 1_000]);
        let identity = json!(["identity", null, {"user": "v"}, 1]);
        let found = extraction(&[constraints, identity]);
        assert_eq!(found.dump_metadata.conference_id, Some(json!("c")));
        assert_eq!(found.dump_metadata.user_id, Some(json!("v")));
        assert_eq!(
            found.client().unwrap().aggregates["PC_0"].is_p2p,
            json!(true)
        );
    }

    #[test]
    fn events_without_any_head_are_those_of_a_browser() {
        let mut extractor = Extractor::new(JitsiFold::new("id"));
        let report =
            json!({"a": {"type": "inbound-rtp", "ssrc": 7, "kind": "audio", "packetsReceived": 5}});
        let line = json!(["getstats", "PC_0", report, 1_700_000_000_000_u64]);
        extractor.push_line(&line.to_string()).unwrap();
        extractor.push_line(r#"{"type":"identity"}"#).unwrap_err();
        let extraction = extractor.finish(0.0);
        let tracks = &extraction.client().unwrap().aggregates["PC_0"].tracks;
        assert_eq!(tracks.receiver_tracks[0].packets, 5.0);
    }

    #[test]
    fn losses_of_an_import_come_in_another_report() {
        let mut extractor = Extractor::new(JitsiFold::new("id"));
        let outbound = json!({"O": {"type": "outbound-rtp", "ssrc": 7, "kind": "audio", "packetsSent": 50, "remoteId": "R"}});
        let remote = json!({"R": {"type": "remote-inbound-rtp", "ssrc": 7, "packetsLost": 3}});
        for (time, report) in [(1.0, &outbound), (2.0, &remote), (3.0, &outbound)] {
            let report = report.to_string();
            let value = RawJson::parse(&report).unwrap();
            let event = Event::import("getStats", Some("9-1"), value, time);
            extractor.push(&event).unwrap();
        }
        let page = RawJson::parse("{}").unwrap();
        extractor
            .push(&Event::import("create", None, page, 99.0))
            .unwrap();
        let extraction = extractor.finish(0.0);
        let found = extraction.client().unwrap();
        let aggregate = &found.aggregates["9-1"];
        assert_eq!(aggregate.track_aggregates.total_sent_packets_lost, 3.0);
        assert_eq!(found.session_end_time, 3.0);
    }
}
