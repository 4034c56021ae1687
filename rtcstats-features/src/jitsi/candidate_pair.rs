//! The selected candidate pair and its round-trip time (§11.6, §11.6.1).

use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, Stats, StatsKind, StatsObject};
use serde_json::Value as Json;

use super::budget::Budget;
use super::{CandidatePairData, StatsFormat};
use crate::javascript::{is_same, json_of};
use crate::place::{Link, Place};
use crate::room::fill;
use crate::statistics::Mean;

/// What reports say of the selected pair of a connection.
#[derive(Default)]
pub(super) struct PairHistory {
    /// The objects that tell it, in the order of the report.
    sources: Vec<PairSource>,
    /// Of the pair that was selected last.
    pub(super) data: Option<Box<CandidatePairData>>,
    /// In whatever unit the objects have.
    pub(super) round_trip_times: Mean,
}

/// An object that tells round-trip times or which pair is selected.
struct PairSource {
    slot: u32,
    what: What,
}

enum What {
    Selection(Selection),
    /// `googCandidatePair` of Chrome's first statistics.
    GoogPair {
        is_active: Place,
        round_trip_time: Place,
    },
    /// `remote-inbound-rtp` in Firefox.
    FirefoxRemote {
        round_trip_time: Place,
    },
}

/// A transport that names its pair, or in Firefox a pair that is marked.
struct Selection {
    is_transport: bool,
    selected: Place,
    pair: Link<4>,
    local: Link<5>,
    remote: Link<5>,
    /// The ports that were described, if all else is as it was described.
    described: Option<[Option<f64>; 2]>,
}

impl PairHistory {
    /// Finds the objects to look at, where the layout of the stats is a new one.
    pub(super) fn arrange(&mut self, stats: &Stats, format: StatsFormat) {
        let objects = stats.iter().filter(|object| object.is_object());
        fill(
            &mut self.sources,
            objects.filter_map(|object| PairSource::of(object, format)),
        );
    }

    /// Takes a report.
    pub(super) fn take(&mut self, stats: &Stats, budget: &mut Budget<'_>) {
        let mut is_described_anew = false;
        for source in &mut self.sources {
            let Some(object) = stats.at(source.slot) else {
                continue;
            };
            let time = match &mut source.what {
                What::GoogPair {
                    is_active,
                    round_trip_time,
                } => {
                    let is_active = is_active.get(object) == Some(Value::Text("true"));
                    let time = round_trip_time.truthy_number(object);
                    time.filter(|_| is_active)
                }
                What::FirefoxRemote { round_trip_time } => round_trip_time.truthy_number(object),
                What::Selection(selection) => {
                    if !selection.is_made(object) {
                        continue;
                    }
                    let pair = selection
                        .pair
                        .follow(selection.selected, Some(object), stats);
                    if !selection.pair.is_fixed() {
                        selection.forget_candidates();
                    }
                    // The last one of a report stays.
                    if is_described_anew || selection.is_outdated(stats) {
                        is_described_anew = true;
                        let data = self.data.get_or_insert_default();
                        // A pair knows its id once it was looked at.
                        let knows_id = pair
                            .is_some_and(|pair| !pair.is_new() || is_before(pair, object, stats));
                        selection.describe(pair, knows_id, stats, data, budget);
                    }
                    selection.round_trip_time(pair)
                }
            };
            if let Some(time) = time.filter(|time| *time != 0.0 && !time.is_nan()) {
                self.round_trip_times.add(time, budget.limits.mean_runs);
            }
        }
    }
}

impl PairSource {
    fn of(object: StatsObject<'_>, format: StatsFormat) -> Option<Self> {
        let place = |field| Place::of(field, object);
        let what = match (object.kind()?, format) {
            (StatsKind::CandidatePair, StatsFormat::Firefox) => {
                let selection = Selection::of_firefox(object);
                let is_known = selection.selected.number(object).is_none();
                if is_known && !selection.is_made(object) {
                    return None;
                }
                What::Selection(selection)
            }
            (StatsKind::RemoteInboundRtp, StatsFormat::Firefox) => What::FirefoxRemote {
                round_trip_time: place(Field::RoundTripTime),
            },
            (_, StatsFormat::Firefox) => return None,
            (StatsKind::Transport, _) => What::Selection(Selection::of_transport(object)),
            (StatsKind::GoogCandidatePair, _) => What::GoogPair {
                is_active: place(Field::GoogActiveConnection),
                round_trip_time: place(Field::GoogRtt),
            },
            _ => return None,
        };
        let slot = object.slot();
        Some(Self { slot, what })
    }
}

impl Selection {
    const PAIR: [Field; 4] = [
        Field::Id,
        Field::LocalCandidateId,
        Field::RemoteCandidateId,
        Field::CurrentRoundTripTime,
    ];

    const CANDIDATE: [Field; 5] = [
        Field::CandidateType,
        Field::Address,
        Field::Port,
        Field::Protocol,
        Field::RelayProtocol,
    ];

    fn of_transport(transport: StatsObject<'_>) -> Self {
        Self {
            is_transport: true,
            selected: Place::of(Field::SelectedCandidatePairId, transport),
            pair: Link::to(Self::PAIR),
            local: Link::to(Self::CANDIDATE),
            remote: Link::to(Self::CANDIDATE),
            described: None,
        }
    }

    fn of_firefox(pair: StatsObject<'_>) -> Self {
        Self {
            is_transport: false,
            selected: Place::of(Field::Selected, pair),
            pair: Link::at(pair, Self::PAIR),
            ..Self::of_transport(pair)
        }
    }

    /// Whether the object selects a pair.
    #[inline]
    fn is_made(&self, object: StatsObject<'_>) -> bool {
        self.selected.get(object).is_some_and(Value::is_truthy)
    }

    /// The round-trip time of the pair. In Firefox it is elsewhere.
    #[inline]
    fn round_trip_time(&self, pair: Option<StatsObject<'_>>) -> Option<f64> {
        let [.., round_trip_time] = self.pair.places;
        let pair = pair.filter(|_| self.is_transport)?;
        round_trip_time.truthy_number(pair)
    }

    /// A pair that may be another one each time has other candidates.
    fn forget_candidates(&mut self) {
        self.local = Link::to(Self::CANDIDATE);
        self.remote = Link::to(Self::CANDIDATE);
        self.described = None;
    }

    /// Whether the pair is another one than was described, or has changed.
    #[inline]
    fn is_outdated(&self, stats: &Stats) -> bool {
        let ports = [&self.local, &self.remote].map(|candidate| {
            let [_, _, port, ..] = candidate.places;
            port.number(candidate.object(stats)?)
        });
        self.described != Some(ports)
    }

    /// Describes the pair; there is none where the id leads nowhere.
    fn describe(
        &mut self,
        pair: Option<StatsObject<'_>>,
        knows_id: bool,
        stats: &Stats,
        data: &mut CandidatePairData,
        budget: &mut Budget<'_>,
    ) {
        let [own_id, local_id, remote_id, _] = self.pair.places;
        let id = match pair {
            Some(pair) if knows_id => Some(Value::Text(pair.id())),
            Some(pair) => own_id.get(pair),
            None => None,
        };
        let local = Candidate::of(self.local.follow(local_id, pair, stats), &self.local);
        let remote = Candidate::of(self.remote.follow(remote_id, pair, stats), &self.remote);
        data.is_using_relay = local.is_relay() || remote.is_relay();
        let values = [
            (&mut data.id, id),
            (&mut data.local_candidate_type, local.candidate_type),
            (&mut data.local_address, local.address),
            (&mut data.local_protocol, local.protocol),
            (&mut data.remote_candidate_type, remote.candidate_type),
            (&mut data.remote_address, remote.address),
            (&mut data.remote_protocol, remote.protocol),
        ];
        // What is a number may change while the layout stays.
        let is_number = |value: &Option<Value<'_>>| matches!(value, Some(Value::Number(_)));
        let has_numbers = values.iter().any(|(_, value)| is_number(value));
        let links = [&self.local, &self.remote].map(Link::is_fixed);
        let is_fixed = self.pair.is_fixed() && links == [true; 2] && !has_numbers;
        let ports = [local.port, remote.port];
        for (own, value) in values {
            set(own, value, budget);
        }
        set(&mut data.local_port, local.port, budget);
        set(&mut data.remote_port, remote.port, budget);
        let ports = ports.map(|port| port.and_then(Value::as_number));
        self.described = (knows_id && is_fixed).then_some(ports);
    }
}

/// Overwrites a member of the description, unless it is the same, as it mostly is.
fn set(own: &mut Json, value: Option<Value<'_>>, budget: &mut Budget<'_>) {
    let value = value
        .and_then(|value| budget.admitted(value))
        .unwrap_or(Value::Text(""));
    if !is_same(own, value) {
        *own = json_of(value);
    }
}

fn is_before(one: StatsObject<'_>, other: StatsObject<'_>, stats: &Stats) -> bool {
    let mut objects = stats.iter();
    objects
        .find(|object| object.slot() == one.slot() || object.slot() == other.slot())
        .is_some_and(|first| first.slot() == one.slot())
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

/// One end of a pair.
struct Candidate<'a> {
    candidate_type: Option<Value<'a>>,
    address: Option<Value<'a>>,
    port: Option<Value<'a>>,
    /// The protocol to the peer; for a relay that to its server.
    protocol: Option<Value<'a>>,
}

impl<'a> Candidate<'a> {
    /// The candidate that a link led to.
    fn of(object: Option<StatsObject<'a>>, link: &Link<5>) -> Self {
        let [candidate_type, address, port, protocol, relay_protocol] = link.places;
        let get = |place: Place| place.get(object?);
        let mut candidate = Self {
            candidate_type: get(candidate_type),
            address: get(address),
            port: get(port),
            protocol: get(protocol),
        };
        if candidate.is_relay() {
            candidate.protocol = get(relay_protocol);
        }
        candidate.protocol = candidate.protocol.filter(|value| *value != Value::Null);
        candidate
    }

    fn is_relay(&self) -> bool {
        self.candidate_type == Some(Value::Text("relay"))
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

    #[test]
    fn a_pair_named_by_another_number_is_another_pair() {
        let selecting = |id: u32| {
            let mut report = report(&[("1", pair()), ("2", pair())]);
            report["2"]["localCandidateId"] = json!("R");
            report["T"] = json!({"type": "transport", "selectedCandidatePairId": id});
            report
        };
        for (ids, port) in [([1, 2], 6), ([7, 2], 6), ([2, 1], 5)] {
            let found = aggregate(CHROME, &reports(&ids.map(selecting)));
            assert_eq!(found["candidatePairData"]["localPort"], port, "{ids:?}");
        }
    }

    #[test]
    fn a_candidate_that_changes_is_described_anew() {
        let with = |members: Json| {
            let mut report = report(&[("CP", pair()), ("T", transport())]);
            for (name, value) in members.as_object().unwrap() {
                report["L"][name] = value.clone();
            }
            report
        };
        let found = |changed: Json| {
            let reports = reports(&[with(json!({})), with(changed)]);
            aggregate(CHROME, &reports)["candidatePairData"].take()
        };
        assert_eq!(found(json!({"port": 99}))["localPort"], 99);
        assert_eq!(found(json!({"port": "x"}))["localPort"], "x");
        assert_eq!(found(json!({"address": "::1"}))["localAddress"], "::1");
        let host = found(json!({"candidateType": "host"}));
        assert_eq!(
            (&host["isUsingRelay"], &host["localProtocol"]),
            (&json!(false), &json!("udp"))
        );
    }
}
