//! The selected candidate pair: what reports say of it.

use rtcstats_proto::json::Value;
use rtcstats_proto::sdp::type_preference;
use rtcstats_proto::stats::{Field, Stats, StatsKind, StatsObject};
use serde::Serialize;

use super::budget::Budget;
use super::series::{Samples, Series};
use crate::javascript::optional_number;
use crate::place::Place;

/// What reports say of the transport: of its selected candidate pair.
///
/// The pair is that of the first `transport` object, in browsers without one (Firefox) the one with
/// `selected`, else one that is nominated and succeeded.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Transport {
    /// Mean round-trip time in milliseconds, of each report (`statsMeanRoundTripTime`, rounded down
    /// there). Source: `currentRoundTripTime`, or `googRtt`.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub mean_round_trip_time: Option<f64>,
    /// The same of the first 30 seconds with a selected pair; absent with less than three reports
    /// (`stunRTTInitial30sMean`, rounded down there).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub initial_mean_round_trip_time: Option<f64>,
    /// The largest of the first 30 seconds, in milliseconds (`stunRTTInitial30sMax`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub initial_max_round_trip_time: Option<f64>,
    /// Mean bitrate in kbit/s of the times from report to report in which something was received
    /// (`statsMeanReceivingBitrate`, rounded down there). Source: `bytesReceived`.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub mean_receiving_bitrate: Option<f64>,
    /// The same of what was sent (`statsMeanSendingBitrate`). Source: `bytesSent`.
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub mean_sending_bitrate: Option<f64>,
    /// `bytesSent` of the last selected pair (`bytesTotalSent`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub bytes_sent: Option<f64>,
    /// `bytesReceived` of the last selected pair (`bytesTotalReceived`).
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub bytes_received: Option<f64>,
    /// The pair of the first report after ICE was connected (`firstCandidatePair…`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_candidate_pair: Option<CandidatePair>,
    /// How often another pair was selected, the first time included
    /// (`numberOfCandidatePairChanges`).
    pub candidate_pair_changes: u64,
    /// `networkType` of the selected local candidates in order, without repetitions
    /// (`candidatePairChangeInterfaceTypes`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network_types: Vec<String>,
    /// `dtlsCipher` of the first transport that has one (`dtlsCipherSuite`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtls_cipher_suite: Option<String>,
    /// `srtpCipher` of the first transport that has one (`srtpCipherSuite`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srtp_cipher_suite: Option<String>,
    /// What the bandwidth estimation found for sending, in bit/s (`bweAvailableOutgoingBitrate…`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_outgoing_bitrate: Option<Series>,
    /// What it found for receiving, in bit/s (`bweAvailableIncomingBitrate…`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_incoming_bitrate: Option<Series>,
}

/// A candidate pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CandidatePair {
    /// The local end.
    pub local: CandidateEnd,
    /// The remote end.
    pub remote: CandidateEnd,
}

/// One end of a candidate pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CandidateEnd {
    /// `candidateType` (`…Type`): `host`, `srflx`, `prflx` or `relay`; in Chrome's first statistics
    /// `host`, `serverreflexive`, `peerreflexive` or `relayed`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub candidate_type: Option<String>,
    /// `address`, `ip` or `ipAddress` (`…IPAddress`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Upper eight bits of `priority` (`…TypePreference`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_preference: Option<i32>,
    /// `networkType`, which only local ones have (`…NetworkType`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_type: Option<String>,
}

/// The state of it.
#[derive(Debug, Default)]
pub(super) struct TransportState {
    pair: Option<PairPlaces>,
    bandwidth: Option<BandwidthPlaces>,
    round_trip_times: Samples,
    initial_round_trip_times: Samples,
    /// When a pair was selected first.
    since: Option<f64>,
    receiving: Samples,
    sending: Samples,
    bytes_sent: Option<f64>,
    bytes_received: Option<f64>,
    /// Of the last report with a pair.
    last_time: Option<f64>,
    pair_id: String,
    ends: Ends,
    first_pair: Option<Box<CandidatePair>>,
    changes: u64,
    network_types: Vec<String>,
    dtls_cipher: Option<String>,
    srtp_cipher: Option<String>,
    outgoing: Samples,
    incoming: Samples,
}

/// Where the selected pair is, and in it what is wanted of it.
#[derive(Debug, Clone, Copy)]
struct PairPlaces {
    slot: u32,
    round_trip_time: Place,
    /// What a round-trip time is multiplied with to get milliseconds.
    milliseconds: f64,
    bytes_sent: Place,
    bytes_received: Place,
}

/// Where the bandwidth estimation is told.
#[derive(Debug, Clone, Copy)]
struct BandwidthPlaces {
    slot: u32,
    outgoing: Place,
    incoming: Place,
}

/// The ids of the candidates of the last pair.
#[derive(Debug, Default)]
struct Ends {
    local: String,
    remote: String,
}

/// How long is initial, in ms.
const INITIAL: f64 = 30_000.0;

impl TransportState {
    /// Finds the objects to look at, where the layout of the stats is a new one, and takes what stays
    /// as long as that does; `is_goog` tells whether they are a translation.
    pub(super) fn arrange(&mut self, stats: &Stats, is_goog: bool, budget: &mut Budget<'_>) {
        self.take_ciphers(stats, budget);
        let pair = selected_pair(stats);
        let estimation = if is_goog {
            let mut objects = stats.iter();
            objects.find(|object| object.kind() == Some(StatsKind::VideoBwe))
        } else {
            pair
        };
        self.bandwidth = estimation.map(BandwidthPlaces::of);
        self.pair = pair.map(|pair| PairPlaces::of(pair, is_goog));
    }

    /// Takes a report; `is_new` tells whether its layout is.
    pub(super) fn take(
        &mut self,
        stats: &Stats,
        is_new: bool,
        is_connected: bool,
        time: Option<f64>,
        budget: &mut Budget<'_>,
    ) {
        self.take_bandwidth(stats);
        let Some(places) = self.pair else {
            return;
        };
        let Some(pair) = stats.at(places.slot) else {
            return;
        };
        self.take_round_trip_time(places.round_trip_time(pair), time);
        self.take_bytes(pair, places, time);
        if is_connected && self.first_pair.is_none() {
            let end = |field, budget: &mut Budget<'_>| {
                CandidateEnd::of(candidate(stats, pair, field), budget)
            };
            self.first_pair = Some(Box::new(CandidatePair {
                local: end(Field::LocalCandidateId, budget),
                remote: end(Field::RemoteCandidateId, budget),
            }));
        }
        if is_new {
            let local = candidate(stats, pair, Field::LocalCandidateId);
            self.take_ends(pair, local, budget);
        }
    }

    fn take_ciphers(&mut self, stats: &Stats, budget: &mut Budget<'_>) {
        if self.dtls_cipher.is_some() && self.srtp_cipher.is_some() {
            return;
        }
        let transports = stats.iter().filter(|object| {
            let kind = object.kind();
            kind == Some(StatsKind::Transport) || kind == Some(StatsKind::GoogComponent)
        });
        for transport in transports {
            for (cipher, field) in [
                (&mut self.dtls_cipher, Field::DtlsCipher),
                (&mut self.srtp_cipher, Field::SrtpCipher),
            ] {
                let name = transport.get(field).and_then(Value::as_text);
                if let Some(name) = name.filter(|name| cipher.is_none() && !name.is_empty()) {
                    *cipher = budget.keep(name);
                }
            }
        }
    }

    fn take_bandwidth(&mut self, stats: &Stats) {
        let Some(places) = self.bandwidth else {
            return;
        };
        let Some(object) = stats.at(places.slot) else {
            return;
        };
        for (samples, place) in [
            (&mut self.outgoing, places.outgoing),
            (&mut self.incoming, places.incoming),
        ] {
            let bitrate = place.number(object);
            bitrate.into_iter().for_each(|bitrate| samples.add(bitrate));
        }
    }

    fn take_round_trip_time(&mut self, round_trip_time: Option<f64>, time: Option<f64>) {
        let Some(round_trip_time) = round_trip_time else {
            return;
        };
        self.round_trip_times.add(round_trip_time);
        if let Some(time) = time {
            let since = *self.since.get_or_insert(time);
            if time - since <= INITIAL {
                self.initial_round_trip_times.add(round_trip_time);
            }
        }
    }

    fn take_bytes(&mut self, pair: StatsObject<'_>, places: PairPlaces, time: Option<f64>) {
        let is_same = self.pair_id == pair.id();
        let elapsed = self
            .last_time
            .zip(time)
            .map(|(last, time)| time - last)
            .filter(|elapsed| is_same && *elapsed > 0.0);
        for (last, samples, place) in [
            (&mut self.bytes_sent, &mut self.sending, places.bytes_sent),
            (
                &mut self.bytes_received,
                &mut self.receiving,
                places.bytes_received,
            ),
        ] {
            let bytes = place.number(pair);
            if let (Some(last), Some(bytes), Some(elapsed)) = (*last, bytes, elapsed)
                && bytes > last
            {
                samples.add(8.0 * (bytes - last) / elapsed);
            }
            *last = bytes;
        }
        self.last_time = time;
    }

    fn take_ends(
        &mut self,
        pair: StatsObject<'_>,
        local: Option<StatsObject<'_>>,
        budget: &mut Budget<'_>,
    ) {
        set(&mut self.pair_id, pair.id());
        let id = |field| pair.get(field).and_then(Value::as_text).unwrap_or_default();
        let is_changed = [
            set(&mut self.ends.local, id(Field::LocalCandidateId)),
            set(&mut self.ends.remote, id(Field::RemoteCandidateId)),
        ]
        .contains(&true);
        self.changes += u64::from(is_changed);
        let network = local.and_then(|local| local.get(Field::NetworkType)?.as_text());
        let Some(network) = network else {
            return;
        };
        if self
            .network_types
            .last()
            .is_some_and(|last| last == network)
        {
            return;
        }
        if self.network_types.len() >= budget.limits.network_changes {
            budget.dropped.network_changes += 1;
        } else {
            self.network_types.extend(budget.keep(network));
        }
    }

    pub(super) fn transport(&self) -> Transport {
        let initial = self.initial_round_trip_times.series();
        let initial = initial.filter(|series| series.count > 2);
        Transport {
            mean_round_trip_time: self.round_trip_times.mean(),
            initial_mean_round_trip_time: initial.map(|series| series.mean),
            initial_max_round_trip_time: initial.map(|series| series.max),
            mean_receiving_bitrate: self.receiving.mean(),
            mean_sending_bitrate: self.sending.mean(),
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            first_candidate_pair: self.first_pair.as_deref().cloned(),
            candidate_pair_changes: self.changes,
            network_types: self.network_types.clone(),
            dtls_cipher_suite: self.dtls_cipher.clone(),
            srtp_cipher_suite: self.srtp_cipher.clone(),
            available_outgoing_bitrate: self.outgoing.series(),
            available_incoming_bitrate: self.incoming.series(),
        }
    }
}

/// Overwrites a text that differs, and says whether it did.
fn set(own: &mut String, text: &str) -> bool {
    if own == text {
        return false;
    }
    own.clear();
    own.push_str(text);
    true
}

impl PairPlaces {
    fn of(pair: StatsObject<'_>, is_goog: bool) -> Self {
        let (round_trip_time, milliseconds) = if is_goog {
            (Field::RoundTripTime, 1.0)
        } else {
            (Field::CurrentRoundTripTime, 1_000.0)
        };
        Self {
            slot: pair.slot(),
            round_trip_time: Place::of(round_trip_time, pair),
            milliseconds,
            bytes_sent: Place::of(Field::BytesSent, pair),
            bytes_received: Place::of(Field::BytesReceived, pair),
        }
    }

    /// In milliseconds.
    fn round_trip_time(&self, pair: StatsObject<'_>) -> Option<f64> {
        Some(self.round_trip_time.number(pair)? * self.milliseconds)
    }
}

impl BandwidthPlaces {
    fn of(object: StatsObject<'_>) -> Self {
        Self {
            slot: object.slot(),
            outgoing: Place::of(Field::AvailableOutgoingBitrate, object),
            incoming: Place::of(Field::AvailableIncomingBitrate, object),
        }
    }
}

fn selected_pair(stats: &Stats) -> Option<StatsObject<'_>> {
    let mut marked = None;
    let mut nominated = None;
    for object in stats {
        let is_true = |field| object.get(field) == Some(Value::Bool(true));
        match object.kind() {
            Some(StatsKind::Transport) => {
                let id = object.get(Field::SelectedCandidatePairId);
                let pair = id.and_then(Value::as_text).and_then(|id| stats.get(id));
                // The translation of old statistics marks those that are not.
                let is_selected = |pair: &StatsObject<'_>| {
                    pair.is_object() && pair.get(Field::Selected) != Some(Value::Bool(false))
                };
                if let Some(pair) = pair.filter(is_selected) {
                    return Some(pair);
                }
            }
            Some(StatsKind::CandidatePair) if is_true(Field::Selected) => {
                marked = marked.or(Some(object));
            }
            Some(StatsKind::CandidatePair)
                if is_true(Field::Nominated)
                    && object.get(Field::State) == Some(Value::Text("succeeded")) =>
            {
                nominated = nominated.or(Some(object));
            }
            _ => {}
        }
    }
    marked.or(nominated)
}

fn candidate<'a>(stats: &'a Stats, pair: StatsObject<'_>, field: Field) -> Option<StatsObject<'a>> {
    stats.get(pair.get(field)?.as_text()?)
}

impl CandidateEnd {
    fn of(candidate: Option<StatsObject<'_>>, budget: &mut Budget<'_>) -> Self {
        let Some(candidate) = candidate else {
            return Self::default();
        };
        let mut text = |fields: &[Field]| {
            let text = fields
                .iter()
                .find_map(|field| candidate.get(*field)?.as_text());
            text.and_then(|text| budget.keep(text))
        };
        Self {
            candidate_type: text(&[Field::CandidateType]),
            address: text(&[Field::Address, Field::Ip, Field::IpAddress]),
            network_type: text(&[Field::NetworkType]),
            type_preference: candidate
                .get(Field::Priority)
                .and_then(Value::as_number)
                .map(type_preference),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::connection;

    fn report(objects: Json, time: u64) -> Json {
        json!(["getstats", "PC_0", objects, time])
    }

    fn pair(local: &str, sent: u64, round_trip_time: f64) -> Json {
        json!({"type": "candidate-pair", "localCandidateId": local, "remoteCandidateId": "R", "bytesSent": sent, "currentRoundTripTime": round_trip_time, "availableOutgoingBitrate": 1000.0 * sent as f64})
    }

    fn objects(pairs: Json, selected: &str) -> Json {
        let mut objects = json!({
            "T": {"type": "transport", "selectedCandidatePairId": selected, "dtlsCipher": "D", "srtpCipher": "S"},
            "L": {"type": "local-candidate", "candidateType": "srflx", "address": "192.0.2.1", "networkType": "wifi", "priority": 1_677_724_415},
            "M": {"type": "local-candidate", "candidateType": "relay", "networkType": "cellular"},
            "R": {"type": "remote-candidate", "candidateType": "host", "ip": "192.0.2.2"},
        });
        for (id, pair) in pairs.as_object().unwrap() {
            objects[id] = pair.clone();
        }
        objects
    }

    fn transport(events: &[Json]) -> Json {
        connection(events)["transport"].take()
    }

    #[test]
    fn the_selected_pair_is_measured_from_report_to_report() {
        let found = transport(&[
            report(objects(json!({"P": pair("L", 1_000, 0.05)}), "P"), 1_000),
            report(objects(json!({"P": pair("L", 2_000, 0.15)}), "P"), 3_000),
            report(objects(json!({"P": pair("L", 2_000, 0.1)}), "P"), 4_000),
        ]);
        assert_eq!(found["meanRoundTripTime"], 100);
        assert_eq!(found["initialMaxRoundTripTime"], 150);
        // 8 kbit in two seconds; nothing in the third.
        assert_eq!(found["meanSendingBitrate"], 4);
        assert_eq!(found.get("meanReceivingBitrate"), None);
        assert_eq!(found["bytesSent"], 2_000);
        assert_eq!(found.get("bytesReceived"), None);
        assert_eq!(found["availableOutgoingBitrate"]["max"], 2_000_000);
        assert_eq!(
            (&found["dtlsCipherSuite"], &found["srtpCipherSuite"]),
            (&json!("D"), &json!("S"))
        );
        assert_eq!(found.get("firstCandidatePair"), None);
    }

    #[test]
    fn the_first_pair_is_that_of_the_first_report_behind_the_connection() {
        let pairs = json!({"P": pair("L", 1, 0.1), "Q": pair("M", 50, 0.1)});
        let connected = json!(["oniceconnectionstatechange", "PC_0", "completed", 2_000]);
        let found = transport(&[
            report(objects(pairs.clone(), "P"), 1_000),
            connected,
            report(objects(pairs.clone(), "Q"), 3_000),
            report(objects(pairs.clone(), "P"), 4_000),
        ]);
        assert_eq!(
            found["firstCandidatePair"],
            json!({
                "local": {"type": "relay", "networkType": "cellular"},
                "remote": {"type": "host", "address": "192.0.2.2"},
            })
        );
        assert_eq!(found["candidatePairChanges"], 3);
        assert_eq!(found["networkTypes"], json!(["wifi", "cellular", "wifi"]));
        // Bytes of different pairs have nothing to do with each other.
        assert_eq!(found.get("meanSendingBitrate"), None);
    }

    #[test]
    fn without_transport_the_pair_marks_itself() {
        let mut marked = pair("L", 1, 0.1);
        marked["selected"] = json!(true);
        let mut nominated = pair("L", 2, 0.1);
        nominated["nominated"] = json!(true);
        nominated["state"] = json!("succeeded");
        let bytes = |pairs: Json| transport(&[report(pairs, 1)])["bytesSent"].take();
        assert_eq!(bytes(json!({"P": pair("L", 3, 0.1)})), json!(null));
        assert_eq!(bytes(json!({"P": pair("L", 3, 0.1), "Q": nominated})), 2);
        assert_eq!(bytes(json!({"P": nominated, "Q": marked})), 1);
    }

    #[test]
    fn the_initial_round_trip_time_is_of_thirty_seconds_and_three_reports() {
        let at = |time: u64, seconds: f64| {
            report(objects(json!({"P": pair("L", time, seconds)}), "P"), time)
        };
        let events = [
            at(1_000, 0.1),
            at(2_000, 0.2),
            at(31_000, 0.3),
            at(31_001, 0.9),
        ];
        let found = transport(&events);
        assert_eq!(
            found["initialMeanRoundTripTime"].as_f64().unwrap().round(),
            200.0
        );
        assert_eq!(found["initialMaxRoundTripTime"], 300);
        assert_eq!(
            transport(&events[..2]).get("initialMeanRoundTripTime"),
            None
        );
    }
}
