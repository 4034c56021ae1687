//! The selected candidate pair and its round-trip time (§11.6, §11.6.1).

use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, Stats, StatsKind, StatsObject};
use serde_json::Value as Json;

use super::budget::Budget;
use super::{CandidatePairData, StatsFormat};
use crate::javascript::{is_same, json_of, key_of};

/// The round-trip time that an object tells, in whatever unit it has.
pub(super) fn round_trip_time(
    object: StatsObject<'_>,
    stats: &Stats,
    format: StatsFormat,
) -> Option<f64> {
    let time = match (object.kind()?, format) {
        (StatsKind::RemoteInboundRtp, StatsFormat::Firefox) => object.get(Field::RoundTripTime),
        (_, StatsFormat::Firefox) => None,
        (StatsKind::Transport, _) => selection(object)
            .and_then(|id| referred(stats, Some(id)))
            .filter(|pair| pair.is_truthy())?
            .get(Field::CurrentRoundTripTime),
        (StatsKind::GoogCandidatePair, _)
            if object.get(Field::GoogActiveConnection) == Some(Value::Text("true")) =>
        {
            object.get(Field::GoogRtt)
        }
        _ => None,
    }?;
    let time = if time.is_truthy() {
        time.to_number()
    } else {
        0.0
    };
    (time != 0.0 && !time.is_nan()).then_some(time)
}

/// A pair that is selected.
pub(super) struct SelectedPair<'a> {
    /// None where the id leads nowhere.
    pair: Option<StatsObject<'a>>,
    /// Whether the object was looked at already: then it knows its id.
    is_visited: bool,
}

/// The pair that an object selects.
pub(super) fn selected_pair<'a>(
    object: StatsObject<'a>,
    stats: &'a Stats,
    format: StatsFormat,
) -> Option<SelectedPair<'a>> {
    match (object.kind()?, format) {
        (StatsKind::CandidatePair, StatsFormat::Firefox) => {
            let is_selected = object.get(Field::Selected).is_some_and(Value::is_truthy);
            is_selected.then_some(SelectedPair {
                pair: Some(object),
                is_visited: true,
            })
        }
        (_, StatsFormat::Firefox) => None,
        (StatsKind::Transport, _) => {
            let pair = referred(stats, Some(selection(object)?));
            let is_visited =
                pair.is_some_and(|pair| !pair.is_new() || is_before(pair, object, stats));
            Some(SelectedPair { pair, is_visited })
        }
        _ => None,
    }
}

fn selection(transport: StatsObject<'_>) -> Option<Value<'_>> {
    transport
        .get(Field::SelectedCandidatePairId)
        .filter(|id| id.is_truthy())
}

/// The object with the id that a member names.
pub(super) fn referred<'a>(stats: &'a Stats, id: Option<Value<'_>>) -> Option<StatsObject<'a>> {
    match id {
        Some(Value::Text(id)) => stats.get(id),
        // Objects are told apart by text: others convert, `undefined` included.
        other => stats.get(&key_of(other)),
    }
}

fn is_before(one: StatsObject<'_>, other: StatsObject<'_>, stats: &Stats) -> bool {
    let mut objects = stats.iter();
    objects
        .find(|object| object.id() == one.id() || object.id() == other.id())
        .is_some_and(|first| first.id() == one.id())
}

impl Default for CandidatePairData {
    fn default() -> Self {
        let empty = || Json::String(String::new());
        Self {
            id: empty(),
            is_using_relay: false,
            local_candidate_type: empty(),
            local_address: empty(),
            local_port: empty(),
            local_protocol: empty(),
            remote_candidate_type: empty(),
            remote_address: empty(),
            remote_port: empty(),
            remote_protocol: empty(),
        }
    }
}

impl CandidatePairData {
    /// Describes a pair. What is as before is not written again: it mostly is.
    pub(super) fn update(
        &mut self,
        selected: &SelectedPair<'_>,
        stats: &Stats,
        budget: &mut Budget<'_>,
    ) {
        let pair = selected.pair;
        let id = match pair {
            Some(pair) if selected.is_visited => Some(Value::Text(pair.id())),
            Some(pair) => pair.get(Field::Id),
            None => None,
        };
        let candidate = |field| {
            let id = pair.and_then(|pair| pair.get(field));
            Candidate(referred(stats, id))
        };
        let local = candidate(Field::LocalCandidateId);
        let remote = candidate(Field::RemoteCandidateId);
        self.is_using_relay = local.is_relay() || remote.is_relay();
        for (own, value) in [
            (&mut self.id, id),
            (
                &mut self.local_candidate_type,
                local.get(Field::CandidateType),
            ),
            (&mut self.local_address, local.get(Field::Address)),
            (&mut self.local_port, local.get(Field::Port)),
            (&mut self.local_protocol, local.protocol()),
            (
                &mut self.remote_candidate_type,
                remote.get(Field::CandidateType),
            ),
            (&mut self.remote_address, remote.get(Field::Address)),
            (&mut self.remote_port, remote.get(Field::Port)),
            (&mut self.remote_protocol, remote.protocol()),
        ] {
            let value = value
                .and_then(|value| budget.admitted(value))
                .unwrap_or(Value::Text(""));
            if !is_same(own, value) {
                *own = json_of(value);
            }
        }
    }
}

/// One end of a pair.
struct Candidate<'a>(Option<StatsObject<'a>>);

impl<'a> Candidate<'a> {
    fn get(&self, field: Field) -> Option<Value<'a>> {
        self.0?.get(field)
    }

    fn is_relay(&self) -> bool {
        self.get(Field::CandidateType) == Some(Value::Text("relay"))
    }

    /// The protocol to the peer; for a relay that to its server.
    fn protocol(&self) -> Option<Value<'a>> {
        let field = if self.is_relay() {
            Field::RelayProtocol
        } else {
            Field::Protocol
        };
        self.get(field).filter(|protocol| *protocol != Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{CHROME, FIREFOX, aggregate, reports};
    use super::*;

    fn candidates() -> Json {
        json!({
            "L": {"type": "local-candidate", "candidateType": "relay", "protocol": "udp", "relayProtocol": "tls", "address": null, "port": 5},
            "R": {"type": "remote-candidate", "candidateType": "srflx", "protocol": null, "ip": "1.2.3.4", "port": 6},
        })
    }

    /// A report of the candidates and these objects behind them.
    fn report(objects: &[(&str, Json)]) -> Json {
        let mut report = candidates();
        for (id, object) in objects {
            report[id] = object.clone();
        }
        report
    }

    fn transport() -> Json {
        json!({"type": "transport", "selectedCandidatePairId": "CP"})
    }

    fn pair() -> Json {
        json!({"type": "candidate-pair", "localCandidateId": "L", "remoteCandidateId": "R", "currentRoundTripTime": 0.125})
    }

    /// `serde_json` sorts ids; these are such that the pair comes behind the transport.
    fn pair_behind() -> Json {
        report(&[("CP", json!({})), ("A", transport())])
    }

    #[test]
    fn the_pair_of_the_transport_is_described() {
        let found = aggregate(
            CHROME,
            &reports(&[report(&[("CP", pair()), ("T", transport())])]),
        );
        assert_eq!(
            found["candidatePairData"],
            json!({
                "id": "CP", "isUsingRelay": true,
                "localCandidateType": "relay", "localAddress": null, "localPort": 5, "localProtocol": "tls",
                "remoteCandidateType": "srflx", "remoteAddress": "", "remotePort": 6, "remoteProtocol": "",
            })
        );
        assert_eq!(found["usesRelay"], true);
        assert_eq!(found["transportAggregates"]["meanRtt"], 0.13);
    }

    #[test]
    fn a_pair_does_not_know_its_id_before_it_was_looked_at() {
        let mut first = pair_behind();
        first["CP"] = pair();
        let id = |reports: &[Json]| {
            aggregate(CHROME, &super::super::testing::reports(reports))["candidatePairData"]["id"]
                .take()
        };
        assert_eq!(id(&[first.clone()]), "");
        assert_eq!(
            id(&[first, json!({"A": {}, "CP": {}, "L": {}, "R": {}})]),
            "CP"
        );
    }

    #[test]
    fn a_pair_that_is_not_there_has_no_candidates() {
        let found = aggregate(CHROME, &reports(&[report(&[("T", transport())])]));
        assert_eq!(found["candidatePairData"]["localCandidateType"], "");
        assert_eq!(
            (
                &found["usesRelay"],
                &found["transportAggregates"]["meanRtt"]
            ),
            (&json!(false), &json!(0))
        );
    }

    #[test]
    fn the_last_selection_stays() {
        let found = aggregate(
            CHROME,
            &reports(&[
                report(&[("CP", pair()), ("T", transport())]),
                json!({"L": {}, "R": {}, "CP": {}}),
            ]),
        );
        assert_eq!(found["candidatePairData"]["id"], "CP");
    }

    #[test]
    fn firefox_marks_the_pair_itself_and_measures_elsewhere() {
        let mut selected = pair();
        selected["selected"] = json!(true);
        let remote = json!({"type": "remote-inbound-rtp", "roundTripTime": 0.5});
        let report = report(&[
            ("CP", selected),
            ("CQ", pair()),
            ("I", remote),
            ("T", transport()),
        ]);
        let found = aggregate(FIREFOX, &reports(&[report]));
        assert_eq!(
            (
                &found["candidatePairData"]["id"],
                &found["candidatePairData"]["localPort"]
            ),
            (&json!("CP"), &json!(5))
        );
        assert_eq!(found["transportAggregates"]["meanRtt"], 0.5);
    }

    #[test]
    fn old_statistics_of_chrome_measure_in_milliseconds() {
        let goog = |active: &str, rtt: &str| json!({"type": "googCandidatePair", "googActiveConnection": active, "googRtt": rtt});
        let report = json!({"a": goog("true", "30"), "b": goog("false", "90"), "c": goog("true", ""), "d": goog("true", "x"), "e": goog("true", "40")});
        let found = aggregate(CHROME, &reports(&[report]));
        assert_eq!(found["transportAggregates"]["meanRtt"], 35);
        assert_eq!(found["candidatePairData"], json!({}));
    }

    #[test]
    fn a_mean_below_a_millionth_is_no_number() {
        let mut pair = pair();
        pair["currentRoundTripTime"] = json!(1e-7);
        let found = aggregate(
            CHROME,
            &reports(&[report(&[("CP", pair), ("T", transport())])]),
        );
        assert_eq!(found["transportAggregates"]["meanRtt"], json!(null));
    }
}
