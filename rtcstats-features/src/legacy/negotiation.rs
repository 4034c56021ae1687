//! Offers, answers, and what their descriptions say.

use std::collections::BTreeSet;

use rtcstats_proto::sdp::{Description, Direction, Section, SessionDescription};
use rtcstats_proto::{Method, RawJson};
use serde::Serialize;

use super::budget::Budget;
use super::interval::Interval;
use crate::javascript::optional_number;

/// How a connection was negotiated. Times are in milliseconds.
///
/// What descriptions say is absent where the client sends none, as Jitsi's does by default; so it is
/// for an implicit `setLocalDescription()`.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Negotiation {
    /// Whether this side offered first: `createOffer` before `setRemoteDescription`. Absent if
    /// neither came (`isInitiator`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_initiator: Option<bool>,
    /// From the first `createOffer` or `createAnswer` to its success (`localCreateDelay`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub local_create_delay: Option<f64>,
    /// From the first `setRemoteDescription` to its success (`timeForFirstSetRemoteDescription`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub first_set_remote_description_delay: Option<f64>,
    /// The same of the second (`timeForSecondSetRemoteDescription`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub second_set_remote_description_delay: Option<f64>,
    /// Whether a track came before the first `setRemoteDescription` succeeded, as browsers do it
    /// (`ontrackAfterFirstSetRemoteDescription`); absent if none succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub had_track_before_success: Option<bool>,
    /// Whose description the first remote one is (`remoteType`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_type: Option<RemoteType>,
    /// Kinds of the media sections (`audio`, `video`, `application`) in the first description, local
    /// or remote, sorted (`mediaTypes`); empty if unknown.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub media_types: BTreeSet<String>,
    /// Whether an answer of either side has `a=rtcp-mux` (`usingRTCPMux`); absent without an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses_rtcp_mux: Option<bool>,
    /// Whether an answer of either side has `a=group:BUNDLE` (`usingBundle`); absent without an
    /// answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses_bundle: Option<bool>,
    /// Whether a local description has simulcast (`usingSimulcast`); absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses_simulcast: Option<bool>,
    /// SSRCs of the first simulcast group (`a=ssrc-group:SIM`) in a local description
    /// (`numberOfLocalSimulcastStreams`); absent without such a group, as in newer browsers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_simulcast_streams: Option<u64>,
    /// How long the first media section of the local description said that this side sends: from
    /// `setLocalDescription` to the next one, or to the last event (`sendingDuration`). Absent
    /// without a local description.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub sending_duration: Option<f64>,
}

/// Who wrote a remote description, by the user name in its origin line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum RemoteType {
    /// Firefox.
    #[serde(rename = "moz")]
    Firefox,
    /// Anyone else: browsers on the code of webrtc.org, and servers.
    #[serde(rename = "webrtc.org")]
    Other,
}

/// The state of it.
#[derive(Debug, Default)]
pub(super) struct NegotiationState {
    is_initiator: Option<bool>,
    local_create: Interval,
    /// Of the first and the second call.
    set_remote: [Interval; 2],
    remote_calls: usize,
    remote_successes: usize,
    has_track: bool,
    had_track_before_success: Option<bool>,
    remote_type: Option<RemoteType>,
    media_types: Option<BTreeSet<String>>,
    uses_rtcp_mux: Option<bool>,
    uses_bundle: Option<bool>,
    uses_simulcast: Option<bool>,
    local_simulcast_streams: Option<u64>,
    sending: Option<Sending>,
    /// Candidates in the first remote description.
    pub(super) remote_candidates: Option<u64>,
}

#[derive(Debug, Default)]
struct Sending {
    before: f64,
    since: Option<f64>,
}

impl NegotiationState {
    /// Whether a remote description was set, or tried.
    pub(super) fn has_remote(&self) -> bool {
        self.remote_calls > 0
    }

    pub(super) fn take(&mut self, method: Method, time: Option<f64>) {
        match method {
            Method::CreateOffer | Method::CreateAnswer => {
                self.local_create.begin_once(time);
                if method == Method::CreateOffer && !self.has_remote() {
                    self.is_initiator = Some(true);
                }
            }
            Method::CreateOfferOnSuccess | Method::CreateAnswerOnSuccess => {
                self.local_create.end_begun(time);
            }
            Method::SetRemoteDescription => {
                self.is_initiator.get_or_insert(false);
                if let Some(interval) = self.set_remote.get_mut(self.remote_calls) {
                    interval.begin(time);
                }
                self.remote_calls += 1;
            }
            Method::SetRemoteDescriptionOnSuccess => {
                if let Some(interval) = self.set_remote.get_mut(self.remote_successes) {
                    interval.end_begun(time);
                }
                self.remote_successes += 1;
                self.had_track_before_success.get_or_insert(self.has_track);
            }
            Method::OnTrack => self.has_track = true,
            _ => {}
        }
    }

    pub(super) fn take_local(
        &mut self,
        description: &Description<'_>,
        time: Option<f64>,
        budget: &mut Budget<'_>,
    ) {
        let Some(sdp) = description.sdp().filter(|sdp| !sdp.is_empty()) else {
            return;
        };
        let sdp = SessionDescription::new(sdp);
        self.take_either(description, sdp, budget);
        *self.uses_simulcast.get_or_insert(false) |= sdp.has_simulcast();
        if self.local_simulcast_streams.is_none() {
            let streams = sdp.simulcast_ssrcs().count() as u64;
            self.local_simulcast_streams = Some(streams).filter(|streams| *streams > 0);
        }
        let direction = sdp.media().next().and_then(Section::direction);
        let is_sending = matches!(
            direction.unwrap_or(Direction::SendReceive),
            Direction::SendOnly | Direction::SendReceive
        );
        let sending = self.sending.get_or_insert_default();
        sending.before = sending.until(time);
        sending.since = time.filter(|_| is_sending && sdp.media().next().is_some());
    }

    pub(super) fn take_remote(&mut self, description: &Description<'_>, budget: &mut Budget<'_>) {
        let Some(sdp) = description.sdp().filter(|sdp| !sdp.is_empty()) else {
            return;
        };
        let sdp = SessionDescription::new(sdp);
        self.take_either(description, sdp, budget);
        if self.remote_type.is_none() {
            let is_firefox = sdp
                .origin_username()
                .is_some_and(|name| name.starts_with("mozilla"));
            self.remote_type = Some(if is_firefox {
                RemoteType::Firefox
            } else {
                RemoteType::Other
            });
        }
        self.remote_candidates
            .get_or_insert_with(|| sdp.candidates().count() as u64);
    }

    fn take_either(
        &mut self,
        description: &Description<'_>,
        sdp: SessionDescription<'_>,
        budget: &mut Budget<'_>,
    ) {
        if self.media_types.is_none() {
            let kinds = sdp.media().filter_map(Section::kind);
            let mut types = BTreeSet::new();
            for kind in kinds {
                // Four kinds are registered.
                if types.len() < MAX_MEDIA_TYPES && !types.contains(kind) {
                    types.extend(budget.keep(kind));
                }
            }
            self.media_types = Some(types);
        }
        if description.kind() == Some("answer") {
            *self.uses_rtcp_mux.get_or_insert(false) |= sdp.has_rtcp_mux();
            *self.uses_bundle.get_or_insert(false) |= sdp.has_bundle();
        }
    }

    pub(super) fn negotiation(&self, end: Option<f64>) -> Negotiation {
        let [first, second] = self.set_remote.map(Interval::length);
        Negotiation {
            is_initiator: self.is_initiator,
            local_create_delay: self.local_create.length(),
            first_set_remote_description_delay: first,
            second_set_remote_description_delay: second,
            had_track_before_success: self.had_track_before_success,
            remote_type: self.remote_type,
            media_types: self.media_types.clone().unwrap_or_default(),
            uses_rtcp_mux: self.uses_rtcp_mux,
            uses_bundle: self.uses_bundle,
            uses_simulcast: self.uses_simulcast,
            local_simulcast_streams: self.local_simulcast_streams,
            sending_duration: self.sending.as_ref().map(|sending| sending.until(end)),
        }
    }
}

const MAX_MEDIA_TYPES: usize = 8;

impl Sending {
    fn until(&self, time: Option<f64>) -> f64 {
        let current = self.since.zip(time).map(|(since, time)| time - since);
        self.before + current.unwrap_or(0.0)
    }
}

/// Whether the options of `createOffer` ask for an ICE restart.
pub(super) fn is_ice_restart(options: RawJson<'_>) -> bool {
    options.get("iceRestart").is_some_and(RawJson::is_truthy)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::connection;

    fn event(name: &str, value: Json, time: u64) -> Json {
        json!([name, "PC_0", value, time])
    }

    fn description(kind: &str, sdp: &str) -> Json {
        json!({"type": kind, "sdp": format!("v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\n{sdp}")})
    }

    fn negotiation(events: &[Json]) -> Json {
        connection(events)["negotiation"].take()
    }

    #[test]
    fn who_offers_first_is_the_initiator() {
        let (offer, remote) = ("createOffer", "setRemoteDescription");
        let found = |names: &[&str]| {
            let events = names.iter().map(|name| event(name, json!(null), 1));
            negotiation(&events.collect::<Vec<_>>())["isInitiator"].take()
        };
        assert_eq!(found(&[offer, remote]), true);
        assert_eq!(found(&[remote, offer]), false);
        assert_eq!(found(&["createAnswer"]), json!(null));
    }

    #[test]
    fn each_of_two_remote_descriptions_takes_its_time() {
        let (call, success) = ("setRemoteDescription", "setRemoteDescriptionOnSuccess");
        let found = negotiation(&[
            event(call, json!(null), 10),
            event("ontrack", json!("audio:a stream:s"), 11),
            event(success, json!(null), 15),
            event(call, json!(null), 20),
            event(success, json!(null), 27),
            event(call, json!(null), 30),
        ]);
        assert_eq!(found["firstSetRemoteDescriptionDelay"], 5);
        assert_eq!(found["secondSetRemoteDescriptionDelay"], 7);
        assert_eq!(found["hadTrackBeforeSuccess"], true);
    }

    #[test]
    fn sending_lasts_from_description_to_description() {
        let local = |direction: &str, time| {
            let sdp = format!("m=audio 9 x 0\r\na={direction}\r\nm=video 9 x 0\r\na=sendrecv\r\n");
            event("setLocalDescription", description("offer", &sdp), time)
        };
        let found = |events: &[Json]| negotiation(events)["sendingDuration"].take();
        let end = event("x", json!(null), 100);
        let events = [
            local("sendonly", 10),
            local("recvonly", 15),
            local("sendrecv", 40),
            end.clone(),
        ];
        assert_eq!(found(&events), 65);
        assert_eq!(found(&[local("inactive", 10), end.clone()]), 0);
        let without_sdp = event("setLocalDescription", json!(""), 10);
        assert_eq!(found(&[without_sdp, end]), json!(null));
    }

    #[test]
    fn descriptions_tell_media_simulcast_and_the_remote() {
        let local = "m=video 9 x 0\r\na=ssrc-group:SIM 1 2 3\r\nm=audio 9 x 0\r\n";
        let remote = json!({"type": "answer", "sdp": "v=0\r\no=mozilla...X 1 2 IN IP4 0.0.0.0\r\na=group:BUNDLE 0\r\n"});
        let found = negotiation(&[
            event("setLocalDescription", description("offer", local), 1),
            event("setRemoteDescription", remote, 2),
        ]);
        assert_eq!(found["mediaTypes"], json!(["audio", "video"]));
        assert_eq!(found["usesSimulcast"], true);
        assert_eq!(found["localSimulcastStreams"], 3);
        assert_eq!(found["remoteType"], "moz");
        assert_eq!(
            (&found["usesBundle"], &found["usesRtcpMux"]),
            (&json!(true), &json!(false))
        );
    }

    #[test]
    fn sections_that_a_client_leaves_out_are_known() {
        use crate::{Extractor, legacy::LegacyFold};

        let mut extractor = Extractor::new(LegacyFold::default());
        let created = description("offer", "m=audio 9 x 0\r\na=sendonly\r\n");
        for line in [
            json!([3, "PC_0", created, 1_000]),
            json!([6, "PC_0", {"type": "offer", "sdp": "v=\r\nm=\r\n"}, "6-0", 5]),
            json!([36, "PC_0", null, 7]),
        ] {
            extractor.push_line(&line.to_string()).unwrap();
        }
        let found = &extractor.finish(0.0).connections["PC_0"].negotiation;
        assert_eq!(found.media_types.iter().collect::<Vec<_>>(), ["audio"]);
        assert_eq!(found.sending_duration, Some(7.0));
    }
}
