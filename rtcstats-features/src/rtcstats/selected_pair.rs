//! The candidate pair in use.

use rtcstats_proto::json::Value;
use rtcstats_proto::sdp::type_preference;
use rtcstats_proto::stats::{Field, Stats, StatsObject};
use serde_json::Value as Json;

use super::ConnectionFeatures;
use super::quota::{Quota, take};
use crate::javascript::key_of;
use crate::place::{Link, Place};

/// What is known of the pairs that were selected.
#[derive(Debug, Default)]
pub(super) struct SelectedPairs {
    /// In the order of the report.
    transports: Vec<Transport>,
    /// In the order in which they were selected first.
    pairs: Vec<PairTotals>,
    /// The last one of them.
    current: usize,
    first: Option<Sample>,
    last: Option<Sample>,
    candidates: Option<Box<FirstPair>>,
}

/// A transport, and where it has what is wanted of it.
#[derive(Debug)]
struct Transport {
    slot: u32,
    selected: Place,
    bytes_sent: Place,
    bytes_received: Place,
    /// Its pair, with `totalRoundTripTime` and `responsesReceived`.
    pair: Link<2>,
}

/// A transport and its selected pair in one report.
#[derive(Debug, Clone, Copy)]
pub(super) struct Selected<'a> {
    counters: Counters,
    pair: StatsObject<'a>,
    round_trip_time: Option<Value<'a>>,
    responses: Option<Value<'a>>,
}

/// What was last reported of a pair while it was selected.
#[derive(Debug)]
struct PairTotals {
    id: Box<str>,
    round_trip_time: f64,
    responses: f64,
}

/// The counters of the transport; NaN if it has none.
#[derive(Debug, Clone, Copy)]
struct Counters {
    bytes_sent: f64,
    bytes_received: f64,
}

/// The counters in one report.
#[derive(Debug, Clone, Copy)]
struct Sample {
    time: f64,
    counters: Counters,
}

/// The candidates of the first pair of a connection that is connected.
#[derive(Debug)]
struct FirstPair {
    local_address: Option<Json>,
    local_network_type: Option<Json>,
    local_protocol: Option<Json>,
    local_relay_protocol: Option<Json>,
    local_relay_url: Option<Json>,
    local_type: Option<Json>,
    local_type_preference: Option<i32>,
    remote_address: Option<Json>,
    remote_type: Option<Json>,
}

impl SelectedPairs {
    /// Forgets the transports, since the layout of the stats is another one.
    pub(super) fn clear_transports(&mut self) {
        self.transports.clear();
    }

    /// One more of the transports.
    pub(super) fn add_transport(&mut self, transport: StatsObject<'_>) {
        self.transports.push(Transport {
            slot: transport.slot(),
            selected: Place::of(Field::SelectedCandidatePairId, transport),
            bytes_sent: Place::of(Field::BytesSent, transport),
            bytes_received: Place::of(Field::BytesReceived, transport),
            pair: Link::to([Field::TotalRoundTripTime, Field::ResponsesReceived]),
        });
    }

    /// The slots of the transports.
    pub(super) fn transports(&self) -> impl Iterator<Item = u32> {
        self.transports.iter().map(|transport| transport.slot)
    }

    /// The first transport of a report that has selected a pair, and that pair if it is there.
    pub(super) fn find<'a>(&mut self, stats: &'a Stats) -> Option<Selected<'a>> {
        let mut transports = self.transports.iter_mut();
        let (transport, object) = transports.find_map(|transport| {
            let object = stats.at(transport.slot)?;
            let id = transport.selected.get(object)?;
            id.is_truthy().then_some((transport, object))
        })?;
        let pair = transport
            .pair
            .follow(transport.selected, Some(object), stats)?;
        let [round_trip_time, responses] = transport.pair.places;
        let number = |place: Place| place.get(object).map_or(f64::NAN, Value::to_number);
        Some(Selected {
            counters: Counters {
                bytes_sent: number(transport.bytes_sent),
                bytes_received: number(transport.bytes_received),
            },
            pair,
            round_trip_time: round_trip_time.get(pair),
            responses: responses.get(pair),
        })
    }

    /// Takes the pair of a report.
    pub(super) fn take(&mut self, selected: Selected<'_>, time: f64, quota: &mut Quota<'_>) {
        let counters = selected.counters;
        let sample = Sample { time, counters };
        if self.first.is_none() && counters.bytes_sent > 0.0 && counters.bytes_received > 0.0 {
            self.first = Some(sample);
        }
        self.last = Some(sample);
        if let Some(totals) = self.totals(selected.pair.id(), quota) {
            totals.round_trip_time = selected.round_trip_time.map_or(0.0, Value::to_number);
            totals.responses = selected.responses.map_or(0.0, Value::to_number);
        }
    }

    fn totals(&mut self, id: &str, quota: &mut Quota<'_>) -> Option<&mut PairTotals> {
        let is_current = |pair: &PairTotals| &*pair.id == id;
        if !self.pairs.get(self.current).is_some_and(is_current) {
            self.current = match self.pairs.iter().position(is_current) {
                Some(known) => known,
                None => {
                    if !quota.admits_text(id.len()) || !take!(quota, selected_pairs) {
                        return None;
                    }
                    self.pairs.push(PairTotals {
                        id: id.into(),
                        round_trip_time: 0.0,
                        responses: 0.0,
                    });
                    self.pairs.len() - 1
                }
            };
        }
        self.pairs.get_mut(self.current)
    }

    /// Whether the first pair of the connected connection is still to come.
    pub(super) fn is_waiting_for_candidates(&self) -> bool {
        self.candidates.is_none()
    }

    /// Takes the candidates of that pair.
    pub(super) fn take_candidates(
        &mut self,
        selected: Selected<'_>,
        stats: &Stats,
        quota: &mut Quota<'_>,
    ) {
        let (local, remote) = (selected.local(stats), selected.remote(stats));
        let mut keep = |candidate: Option<StatsObject<'_>>, field| {
            quota.keep_member(candidate.and_then(|candidate| candidate.get(field)))
        };
        self.candidates = Some(Box::new(FirstPair {
            local_address: keep(local, Field::Address),
            local_network_type: keep(local, Field::NetworkType),
            local_protocol: keep(local, Field::Protocol),
            local_relay_protocol: keep(local, Field::RelayProtocol),
            local_relay_url: keep(local, Field::Url),
            local_type: keep(local, Field::CandidateType),
            local_type_preference: local.map(|local| {
                let priority = local.get(Field::Priority);
                type_preference(priority.map_or(f64::NAN, Value::to_number))
            }),
            remote_address: keep(remote, Field::Address),
            remote_type: keep(remote, Field::CandidateType),
        }));
    }

    pub(super) fn write(&self, features: &mut ConnectionFeatures) {
        if let Some(pair) = &self.candidates {
            features.first_candidate_pair_local_address = pair.local_address.clone();
            features.first_candidate_pair_local_network_type = pair.local_network_type.clone();
            features.first_candidate_pair_local_protocol = pair.local_protocol.clone();
            features.first_candidate_pair_local_relay_protocol = pair.local_relay_protocol.clone();
            features.first_candidate_pair_local_relay_url = pair.local_relay_url.clone();
            features.first_candidate_pair_local_type = pair.local_type.clone();
            features.first_candidate_pair_local_type_preference = pair.local_type_preference;
            features.first_candidate_pair_remote_address = pair.remote_address.clone();
            features.first_candidate_pair_remote_type = pair.remote_type.clone();
        }
        features.average_stun_round_trip_time = self.mean_round_trip_time();
        if let (Some(first), Some(last)) = (&self.first, &self.last)
            && first.time < last.time
        {
            let seconds = (last.time - first.time) / 1000.0;
            let rate = |first: f64, last: f64| Some((last - first) * 8.0 / seconds);
            let (first, last) = (first.counters, last.counters);
            features.average_outbound_bitrate = rate(first.bytes_sent, last.bytes_sent);
            features.average_inbound_bitrate = rate(first.bytes_received, last.bytes_received);
        }
    }

    fn mean_round_trip_time(&self) -> Option<f64> {
        let (mut round_trip_time, mut responses) = (0.0, 0.0);
        for pair in &self.pairs {
            round_trip_time += pair.round_trip_time;
            responses += pair.responses;
        }
        (responses != 0.0).then(|| round_trip_time / responses)
    }
}

impl<'a> Selected<'a> {
    fn local(self, stats: &'a Stats) -> Option<StatsObject<'a>> {
        self.candidate(Field::LocalCandidateId, stats)
    }

    fn remote(self, stats: &'a Stats) -> Option<StatsObject<'a>> {
        self.candidate(Field::RemoteCandidateId, stats)
    }

    fn candidate(self, field: Field, stats: &'a Stats) -> Option<StatsObject<'a>> {
        let id = self.pair.get(field).filter(|id| id.is_truthy())?;
        stats.get(&key_of(Some(id)))
    }

    /// The addresses of the local and of the remote candidate.
    pub(super) fn addresses(self, stats: &'a Stats) -> [Option<&'a str>; 2] {
        [self.local(stats), self.remote(stats)].map(|candidate| {
            let address = candidate?.get(Field::Address)?.as_text();
            address.filter(|address| !address.is_empty())
        })
    }
}
