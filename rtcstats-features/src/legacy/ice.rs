//! Candidates, and how the transport came up.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use foldhash::fast::RandomState;
use rtcstats_proto::sdp::{Candidate, CandidateType};
use rtcstats_proto::{Method, RawJson};
use serde::Serialize;

use super::budget::Budget;
use super::interval::Interval;
use super::negotiation::{NegotiationState, is_ice_restart};
use crate::javascript::optional_number;

/// How candidates were gathered and the transport came up. Times are in milliseconds.
///
/// "Connected" is an ICE connection state of `connected` or `completed`.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Ice {
    /// Whether gathering ended: an `onicecandidate` without candidate (`ICEGatheringComplete`).
    pub is_gathering_complete: bool,
    /// From the first `setLocalDescription` to that (`gatheringTime`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub gathering_time: Option<f64>,
    /// From the last `setLocalDescription` to the first candidate behind it
    /// (`timeBetweenSetLocalDescriptionAndOnIceCandidate`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub first_candidate_delay: Option<f64>,
    /// From the last `setRemoteDescription` to the first `addIceCandidate`
    /// (`timeBetweenSetRemoteDescriptionAndAddIceCandidate`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub first_remote_candidate_delay: Option<f64>,
    /// From the first `setLocalDescription` to the first relay candidate over UDP; absent if there is
    /// none (`gatheringTimeTURNUDP`; `gatheredTURNUDP`: whether there is one).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub gathering_time_turn_udp: Option<f64>,
    /// The same over TCP (`gatheringTimeTURNTCP`, `gatheredTURNTCP`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub gathering_time_turn_tcp: Option<f64>,
    /// The same over TLS (`gatheringTimeTURNTLS`, `gatheredTURNTLS`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub gathering_time_turn_tls: Option<f64>,
    /// Address of the first local relay candidate, as the client sent it (`relayAddress`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay_address: Option<String>,
    /// A local candidate is in 192.168/16 (`gatheredrfc1918addressPrefix16`).
    pub gathered_private_16: bool,
    /// A local candidate is in 172.16/12 (`gatheredrfc1918addressPrefix12`).
    pub gathered_private_12: bool,
    /// A local candidate is in 10/8 (`gatheredrfc1918addressPrefix10`).
    pub gathered_private_8: bool,
    /// Different addresses of local host candidates (`numberOfInterfaces`). Addresses that are masked
    /// to the same text count once.
    pub number_of_interfaces: u64,
    /// Local candidates (`numberOfLocalIceCandidates`).
    pub number_of_local_candidates: u64,
    /// Candidates in the first remote description, and those that were added
    /// (`numberOfRemoteIceCandidates`).
    pub number_of_remote_candidates: u64,
    /// Whether ICE got connected (`ICEConnectedOrCompleted`).
    pub is_connected: bool,
    /// Whether ICE failed (`ICEFailure`).
    pub has_failed: bool,
    /// Whether ICE failed after it was connected (`ICEFailureSubsequent`).
    pub has_failed_subsequently: bool,
    /// Whether ICE got connected, but never the connection: DTLS did not. Absent if ICE did not
    /// (`dtlsFailure`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtls_failure: Option<bool>,
    /// Whether checks began before a remote description was set; absent without checks
    /// (`iceconnectionstateCheckingBeforeSRD`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_checking_before_remote: Option<bool>,
    /// From ICE `checking` to connected (`iceConnectionTime`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub ice_connection_time: Option<f64>,
    /// From the connection's state `connecting` to `connected` (`connectionTime`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub connection_time: Option<f64>,
    /// From when ICE was connected first to the last event (`sessionDuration`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub session_duration: Option<f64>,
    /// What came of an ICE restart, by `createOffer` with `iceRestart` or by `restartIce`; absent if
    /// there was none (`ICERestart`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<IceRestart>,
}

/// What followed the first ICE restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct IceRestart {
    /// ICE got connected (`ICERestartSuccess`).
    pub is_success: bool,
    /// A remote description was set (`ICERestartFollowedBySetRemoteDescription`).
    pub is_followed_by_remote: bool,
    /// A local relay candidate was gathered, before gathering ended
    /// (`ICERestartFollowedByRelayCandidate`).
    pub is_followed_by_relay: bool,
}

/// The state of it.
#[derive(Debug, Default)]
pub(super) struct IceState {
    is_gathering_complete: bool,
    gathering: Interval,
    first_candidate: Interval,
    first_remote_candidate: Interval,
    turn: [Interval; 3],
    relay_address: Option<String>,
    private: [bool; 3],
    interfaces: HashSet<Box<str>, RandomState>,
    local_candidates: u64,
    remote_candidates: u64,
    connected_at: Option<f64>,
    is_connected: bool,
    has_failed: bool,
    has_failed_subsequently: bool,
    was_connection_connected: bool,
    is_checking_before_remote: Option<bool>,
    ice_connection: Interval,
    connection: Interval,
    restart: Option<IceRestart>,
    /// Gathering ended after the restart.
    restart_gathered: bool,
    /// Priorities of relay candidates are those of Firefox.
    pub(super) is_firefox: bool,
}

impl IceState {
    pub(super) fn is_connected(&self) -> bool {
        self.is_connected
    }

    pub(super) fn take(
        &mut self,
        method: Method,
        value: RawJson<'_>,
        time: Option<f64>,
        negotiation: &NegotiationState,
        budget: &mut Budget<'_>,
    ) {
        match method {
            Method::SetLocalDescription => {
                self.gathering.begin_once(time);
                self.turn.iter_mut().for_each(|turn| turn.begin_once(time));
                self.first_candidate.begin(time);
            }
            Method::SetRemoteDescription => {
                self.first_remote_candidate.begin(time);
                if let Some(restart) = &mut self.restart {
                    restart.is_followed_by_remote = true;
                }
            }
            Method::CreateOffer if is_ice_restart(value) => self.restart(),
            Method::RestartIce => self.restart(),
            Method::OnIceCandidate => self.take_local(value, time, budget),
            Method::AddIceCandidate => {
                self.first_remote_candidate.end(time);
                self.remote_candidates += u64::from(candidate_text(value).is_some());
            }
            Method::OnIceConnectionStateChange => self.take_ice_state(value, time, negotiation),
            Method::OnConnectionStateChange if value.is_text("connecting") => {
                self.connection.begin(time);
            }
            Method::OnConnectionStateChange if value.is_text("connected") => {
                self.connection.end(time);
                self.was_connection_connected = true;
            }
            _ => {}
        }
    }

    fn restart(&mut self) {
        self.restart.get_or_insert_default();
    }

    fn take_ice_state(
        &mut self,
        value: RawJson<'_>,
        time: Option<f64>,
        negotiation: &NegotiationState,
    ) {
        let Some(state) = value.as_text() else {
            return;
        };
        match state.as_ref() {
            "checking" => {
                self.ice_connection.begin(time);
                self.is_checking_before_remote
                    .get_or_insert(!negotiation.has_remote());
            }
            "connected" | "completed" => {
                self.ice_connection.end(time);
                if !self.is_connected {
                    self.connected_at = time;
                }
                self.is_connected = true;
                if let Some(restart) = &mut self.restart {
                    restart.is_success = true;
                }
            }
            "failed" => {
                self.has_failed = true;
                self.has_failed_subsequently |= self.is_connected;
            }
            _ => {}
        }
    }

    fn take_local(&mut self, value: RawJson<'_>, time: Option<f64>, budget: &mut Budget<'_>) {
        self.first_candidate.end(time);
        if value.is_null() {
            self.is_gathering_complete = true;
            self.gathering.end(time);
            self.restart_gathered |= self.restart.is_some();
            return;
        }
        let Some(text) = candidate_text(value) else {
            return;
        };
        self.local_candidates += 1;
        let Ok(candidate) = Candidate::parse(&text) else {
            return;
        };
        if let Some(address) = candidate.address() {
            self.take_local_address(address, &candidate, budget);
        }
        if candidate.candidate_type() == Some(CandidateType::Relay) {
            self.take_relay(&candidate, value, time);
        }
    }

    fn take_local_address(
        &mut self,
        address: &str,
        candidate: &Candidate<'_>,
        budget: &mut Budget<'_>,
    ) {
        let [first, second] = leading_octets(address);
        let [is_16, is_12, is_8] = &mut self.private;
        *is_16 |= (first, second) == (Some(192), Some(168));
        *is_12 |= first == Some(172) && second.is_some_and(|octet| (16..32).contains(&octet));
        *is_8 |= first == Some(10);
        match candidate.candidate_type() {
            Some(CandidateType::Host) if !self.interfaces.contains(address) => {
                if self.interfaces.len() >= budget.limits.interfaces {
                    budget.dropped.interfaces += 1;
                } else if let Some(address) = budget.keep(address) {
                    self.interfaces.insert(address.into());
                }
            }
            Some(CandidateType::Relay) if self.relay_address.is_none() => {
                self.relay_address = budget.keep(address);
            }
            _ => {}
        }
    }

    fn take_relay(&mut self, candidate: &Candidate<'_>, value: RawJson<'_>, time: Option<f64>) {
        if let Some(restart) = &mut self.restart
            && !self.restart_gathered
        {
            restart.is_followed_by_relay = true;
        }
        let protocol = value.get("relayProtocol").and_then(RawJson::as_text);
        let kind = match (protocol.as_deref(), candidate.type_preference()) {
            (Some("udp"), _) => 0,
            (Some("tcp"), _) => 1,
            (Some("tls"), _) => 2,
            (_, 5) if self.is_firefox => 0,
            (_, 0) if self.is_firefox => 1,
            _ if self.is_firefox => return,
            // 3 as of Chrome 156, at the latest.
            (_, 2 | 3) => 0,
            (_, 1) => 1,
            (_, 0) => 2,
            _ => return,
        };
        if let Some(turn) = self.turn.get_mut(kind) {
            turn.end_begun(time);
        }
    }

    pub(super) fn ice(&self, negotiation: &NegotiationState, end: Option<f64>) -> Ice {
        let [turn_udp, turn_tcp, turn_tls] = self.turn.map(Interval::length);
        let [is_16, is_12, is_8] = self.private;
        let session = self.connected_at.zip(end);
        Ice {
            is_gathering_complete: self.is_gathering_complete,
            gathering_time: self.gathering.length(),
            first_candidate_delay: self.first_candidate.length(),
            first_remote_candidate_delay: self.first_remote_candidate.length(),
            gathering_time_turn_udp: turn_udp,
            gathering_time_turn_tcp: turn_tcp,
            gathering_time_turn_tls: turn_tls,
            relay_address: self.relay_address.clone(),
            gathered_private_16: is_16,
            gathered_private_12: is_12,
            gathered_private_8: is_8,
            number_of_interfaces: self.interfaces.len() as u64,
            number_of_local_candidates: self.local_candidates,
            number_of_remote_candidates: self.remote_candidates
                + negotiation.remote_candidates.unwrap_or_default(),
            is_connected: self.is_connected,
            has_failed: self.has_failed,
            has_failed_subsequently: self.has_failed_subsequently,
            dtls_failure: self.is_connected.then_some(!self.was_connection_connected),
            is_checking_before_remote: self.is_checking_before_remote,
            ice_connection_time: self.ice_connection.length(),
            connection_time: self.connection.length(),
            session_duration: session.map(|(start, end)| end - start),
            restart: self.restart,
        }
    }
}

/// The candidate line in an event's value, unless it is empty, which says that there are no more.
fn candidate_text(value: RawJson<'_>) -> Option<std::borrow::Cow<'_, str>> {
    let text = match value.get("candidate") {
        Some(candidate) => candidate.as_text(),
        None => value.as_text(),
    };
    text.filter(|text| !text.is_empty())
}

/// The first two numbers of an IPv4 address, the rest of which may be masked.
fn leading_octets(address: &str) -> [Option<u8>; 2] {
    if let Ok(address) = address.parse::<Ipv4Addr>() {
        let [first, second, ..] = address.octets();
        return [Some(first), Some(second)];
    }
    let mut parts = address.split('.');
    let octets = [parts.next(), parts.next()].map(|part| part?.parse().ok());
    if parts.count() == 2 {
        octets
    } else {
        [None, None]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::{connection, features_within};
    use crate::Limits;

    fn event(name: &str, value: Json, time: u64) -> Json {
        json!([name, "PC_0", value, time])
    }

    fn candidate(text: &str, time: u64) -> Json {
        event("onicecandidate", json!({"candidate": text}), time)
    }

    fn state(state: &str, time: u64) -> Json {
        event("oniceconnectionstatechange", json!(state), time)
    }

    fn ice(events: &[Json]) -> Json {
        connection(events)["ice"].take()
    }

    #[test]
    fn gathering_is_timed_from_the_first_local_description() {
        let relay = |preference: u64| {
            let priority = preference << 24;
            format!("candidate:1 1 udp {priority} 192.0.2.9 9 typ relay raddr 0.0.0.0 rport 0")
        };
        let events = [
            event("setLocalDescription", json!(""), 10),
            candidate("candidate:1 1 udp 2122260223 10.1.x.x 9 typ host", 12),
            candidate(&relay(2), 15),
            candidate(&relay(0), 18),
            event("setLocalDescription", json!(""), 20),
            candidate(&relay(2), 22),
            candidate("", 23),
            event("onicecandidate", json!(null), 25),
        ];
        let found = ice(&events);
        assert_eq!(found["gatheringTime"], 15);
        assert_eq!(found["firstCandidateDelay"], 2);
        assert_eq!(found["gatheringTimeTurnUdp"], 5);
        assert_eq!(found.get("gatheringTimeTurnTcp"), None);
        assert_eq!(found["gatheringTimeTurnTls"], 8);
        assert_eq!(found["relayAddress"], "192.0.2.9");
        assert_eq!(found["numberOfLocalCandidates"], 4);
        assert_eq!(found["gatheredPrivate8"], true);
        assert_eq!(found["gatheredPrivate16"], false);
    }

    #[test]
    fn firefox_has_other_priorities_and_new_browsers_name_the_protocol() {
        let relay = |priority: u64, more: Json| {
            let text = format!("candidate:1 1 udp {priority} 192.0.2.9 9 typ relay");
            let mut value = json!({"candidate": text});
            for (name, member) in more.as_object().unwrap() {
                value[name] = member.clone();
            }
            event("onicecandidate", value, 30)
        };
        let start = [
            event("create", json!({"browserType": "moz"}), 1),
            event("setLocalDescription", json!(""), 10),
        ];
        let found = |relay: Json| ice(&[start.as_slice(), &[relay]].concat());
        assert_eq!(found(relay(5 << 24, json!({})))["gatheringTimeTurnUdp"], 20);
        assert_eq!(found(relay(0, json!({})))["gatheringTimeTurnTcp"], 20);
        let tls = relay(5 << 24, json!({"relayProtocol": "tls"}));
        assert_eq!(found(tls)["gatheringTimeTurnTls"], 20);
    }

    #[test]
    fn a_failure_after_success_is_subsequent() {
        let found = ice(&[state("failed", 1)]);
        assert_eq!(
            (&found["hasFailed"], &found["hasFailedSubsequently"]),
            (&json!(true), &json!(false))
        );
        assert_eq!(found.get("dtlsFailure"), None);
        let found = ice(&[
            state("checking", 1),
            state("completed", 4),
            state("failed", 9),
        ]);
        assert_eq!(found["hasFailedSubsequently"], true);
        assert_eq!(found["iceConnectionTime"], 3);
        assert_eq!(found["sessionDuration"], 5);
        assert_eq!(found["isCheckingBeforeRemote"], true);
        assert_eq!(found["dtlsFailure"], true);
    }

    #[test]
    fn a_restart_is_followed_up() {
        let restart = event("createOffer", json!({"iceRestart": true}), 5);
        assert_eq!(
            ice(&[event("createOffer", json!({}), 5)]).get("restart"),
            None
        );
        let relay = candidate("candidate:1 1 udp 1 192.0.2.9 9 typ relay", 8);
        let end = event("onicecandidate", json!(null), 7);
        let remote = event("setRemoteDescription", json!(""), 6);
        let found = ice(&[
            restart.clone(),
            remote,
            end,
            relay.clone(),
            state("connected", 9),
        ]);
        assert_eq!(
            found["restart"],
            json!({"isSuccess": true, "isFollowedByRemote": true, "isFollowedByRelay": false})
        );
        let found = ice(&[restart, relay]);
        assert_eq!(found["restart"]["isFollowedByRelay"], true);
    }

    #[test]
    fn interfaces_are_told_apart_up_to_a_limit() {
        let host =
            |address: &str| candidate(&format!("candidate:1 1 udp 1 {address} 9 typ host"), 1);
        let events = ["192.0.2.1", "192.0.2.2", "192.0.2.1"].map(host);
        let limits = |interfaces| Limits {
            interfaces,
            ..Limits::default()
        };
        let found = features_within(limits(2), &events);
        assert_eq!(found.connections["PC_0"].ice.number_of_interfaces, 2);
        assert!(found.dropped.is_nothing());
        let found = features_within(limits(1), &events);
        assert_eq!(found.connections["PC_0"].ice.number_of_interfaces, 1);
        assert_eq!(found.dropped.interfaces, 1);
    }

    #[test]
    fn remote_candidates_are_those_in_the_description_and_those_added() {
        let sdp = "v=0\r\nm=audio 9 x 0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
        let add = |value: Json| event("addIceCandidate", value, 20);
        let found = ice(&[
            event(
                "setRemoteDescription",
                json!({"type": "offer", "sdp": sdp}),
                5,
            ),
            add(json!({"candidate": "candidate:2 1 udp 1 192.0.2.2 9 typ host"})),
            add(json!({"candidate": ""})),
            add(json!(null)),
        ]);
        assert_eq!(found["numberOfRemoteCandidates"], 2);
        assert_eq!(found["firstRemoteCandidateDelay"], 15);
    }
}
