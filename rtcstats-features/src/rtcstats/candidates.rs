//! ICE candidates, those that were gathered and those of the peer.

use rtcstats_proto::sdp::{Candidate, CandidateType};
use rtcstats_proto::{Method, RawJson};

use super::ConnectionFeatures;
use super::connectivity::has_line;
use super::peer_connection::Step;

/// What is known of the candidates of a connection.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    added: Seen,
    gathered: Seen,
    added_null: bool,
    added_passive_tcp: bool,
    /// The client does not send what it adds.
    withholds_added: bool,
    withholds_descriptions: bool,
    gathering: Gathering,
}

/// Which candidates there were.
#[derive(Debug, Default)]
struct Seen {
    host: bool,
    mdns: bool,
    srflx: bool,
    relay: bool,
    /// One of type `host` came without its address.
    masked: bool,
}

/// How long it took to reach TURN servers, in the first gathering.
#[derive(Debug, Default)]
struct Gathering {
    start: Option<f64>,
    is_complete: bool,
    udp: Option<f64>,
    tcp: Option<f64>,
    tls: Option<f64>,
}

/// What Jitsi clients write for an address.
const MASK: &str = "x.x.x.x";
const PASSIVE: &str = "passive";
/// In the line of such a candidate. Answers have the word elsewhere.
const PASSIVE_SIGN: &str = " passive";

impl Candidates {
    pub(super) fn take(&mut self, step: &Step<'_>) {
        let value = step.value;
        match step.method {
            Method::OnIceCandidate => {
                with_candidate(value, |candidate| self.gathered.add(candidate, step));
                self.gathering.gather(value, step.time);
            }
            Method::AddIceCandidate => {
                self.withholds_added |= step.is_withheld();
                self.added_null |= value.is_null();
                with_candidate(value, |candidate| {
                    self.added.add(candidate, step);
                    self.added_passive_tcp |= is_passive(candidate);
                });
            }
            Method::SetRemoteDescription => {
                self.withholds_descriptions |= step.is_withheld();
                self.added_passive_tcp =
                    self.added_passive_tcp || has_line(value, PASSIVE_SIGN, is_passive_line);
            }
            Method::OnIceGatheringStateChange => self.gathering.change_state(value, step.time),
            _ => {}
        }
    }

    pub(super) fn write(&self, features: &mut ConnectionFeatures) {
        let known = |seen: bool, is_withheld: bool| (seen || !is_withheld).then_some(seen);
        let (added, gathered) = (&self.added, &self.gathered);
        let withholds = self.withholds_added;
        features.added_host_candidate = known(added.host, withholds);
        features.added_mdns_candidate = known(added.mdns, withholds || added.masked);
        features.added_srflx_candidate = known(added.srflx, withholds);
        features.added_turn_candidate = known(added.relay, withholds);
        features.added_null_candidate = known(self.added_null, withholds);
        features.added_connectable_ice_tcp_candidate = known(
            self.added_passive_tcp,
            withholds || self.withholds_descriptions,
        );
        features.gathered_host_candidate = gathered.host;
        features.gathered_mdns_candidate = known(gathered.mdns, gathered.masked);
        features.gathered_srflx_candidate = gathered.srflx;
        features.gathered_turn_candidate = gathered.relay;
        features.gathering_time_turn_udp = self.gathering.udp;
        features.gathering_time_turn_tcp = self.gathering.tcp;
        features.gathering_time_turn_tls = self.gathering.tls;
    }
}

impl Seen {
    fn add(&mut self, candidate: &Candidate<'_>, step: &Step<'_>) {
        match candidate.candidate_type() {
            Some(CandidateType::Host) => {
                let address = candidate.address().unwrap_or_default();
                self.host = true;
                self.mdns |= address.ends_with(".local");
                self.masked |= address == MASK && step.is_of_older_client();
            }
            Some(CandidateType::ServerReflexive) => self.srflx = true,
            Some(CandidateType::Relay) => self.relay = true,
            _ => {}
        }
    }
}

impl Gathering {
    fn change_state(&mut self, state: RawJson<'_>, time: f64) {
        if state.is_text("gathering") {
            self.start = Some(time);
        } else if state.is_text("complete") {
            self.is_complete = true;
        }
    }

    fn gather(&mut self, value: RawJson<'_>, time: f64) {
        // JavaScript takes a start at 0 for none.
        let Some(start) = self.start.filter(|start| *start != 0.0) else {
            return;
        };
        let Some(protocol) = value.get("relayProtocol").filter(|_| !self.is_complete) else {
            return;
        };
        let duration = match protocol.as_text().as_deref() {
            Some("udp") => &mut self.udp,
            Some("tcp") => &mut self.tcp,
            Some("tls") => &mut self.tls,
            _ => return,
        };
        duration.get_or_insert(time - start);
    }
}

/// Reads the candidate in an event's value, if there is one.
pub(super) fn with_candidate<T>(
    value: RawJson<'_>,
    read: impl FnOnce(&Candidate<'_>) -> T,
) -> Option<T> {
    let line = value.get("candidate")?.as_text()?;
    if line.is_empty() {
        return None;
    }
    Candidate::parse(&line)
        .ok()
        .map(|candidate| read(&candidate))
}

fn is_passive(candidate: &Candidate<'_>) -> bool {
    candidate.tcp_type() == Some(PASSIVE)
}

fn is_passive_line(line: &str) -> bool {
    line.starts_with("a=candidate:")
        && Candidate::parse(line).is_ok_and(|candidate| is_passive(&candidate))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::rtcstats::testing::connection;

    #[test]
    fn passive_candidates_are_connectable() {
        let candidate = "candidate:1 1 tcp 1 198.51.100.9 9 typ host tcptype passive";
        let is_connectable = |method, value| {
            let found = connection(&[(method, value)]);
            found["addedConnectableIceTcpCandidate"] == json!(true)
        };
        let sdp = |line: &str| json!({"type": "answer", "sdp": format!("v=0\r\n{line}\r\n")});
        let describe = "setRemoteDescription";
        assert!(is_connectable(describe, sdp(&format!("a={candidate}"))));
        assert!(!is_connectable(describe, sdp("a=setup:passive")));
        assert!(!is_connectable(describe, sdp(&format!("a=x{candidate}"))));
        assert!(!is_connectable(
            "setLocalDescription",
            sdp(&format!("a={candidate}"))
        ));
        assert!(is_connectable(
            "addIceCandidate",
            json!({"candidate": candidate})
        ));
        let untrimmed = format!("{candidate}\r\n");
        assert!(!is_connectable(
            "addIceCandidate",
            json!({"candidate": untrimmed})
        ));
        assert!(!is_connectable(
            "addIceCandidate",
            json!({"candidate": "x y"})
        ));
    }

    #[test]
    fn gathering_times_are_those_of_the_first_gathering() {
        let state = |state: &str| ("onicegatheringstatechange", json!(state));
        let relay = |protocol: &str| {
            let candidate = "candidate:1 1 udp 1 198.51.100.9 9 typ relay";
            (
                "onicecandidate",
                json!({"candidate": candidate, "relayProtocol": protocol}),
            )
        };
        let found = connection(&[
            relay("udp"),
            state("gathering"),
            relay("tcp"),
            relay("tcp"),
            relay("other"),
            state("complete"),
            state("gathering"),
            relay("tls"),
        ]);
        assert_eq!(found["gatheringTimeTurnTcp"], json!(1000));
        assert_eq!(found.get("gatheringTimeTurnUdp"), None);
        assert_eq!(found.get("gatheringTimeTurnTls"), None);
    }
}
