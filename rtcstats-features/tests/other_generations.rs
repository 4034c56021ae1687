//! Recordings of every generation through the feature sets of Jitsi and of the legacy server: what
//! comes out is what the reports say when they are read directly.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod golden;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rtcstats_features::Extractor;
use rtcstats_features::jitsi::{Extraction, JitsiFold, PacketsLost, Track};
use rtcstats_features::legacy::{Features, LegacyFold};
use rtcstats_proto::dump::{Internals, Replay, WholeValue, decompress};
use rtcstats_proto::legacy::repair;
use rtcstats_proto::{Event, Limits, Method};
use serde_json::{Value, json};

/// Objects by id, in their order.
type Report = IndexMap<String, Value>;

fn member(stats: &Report, id: &str, name: &str) -> Value {
    stats
        .get(id)
        .map(|object| object[name].clone())
        .unwrap_or_default()
}

/// What the reports of one connection say, read without any fold.
#[derive(Default)]
struct Reading {
    reports: u64,
    /// Packets, and those of them that were lost, by SSRC.
    received: BTreeMap<u64, (f64, f64)>,
    sent: BTreeMap<u64, (f64, f64)>,
    /// By id, for reports that come in parts.
    remote_losses: BTreeMap<String, f64>,
    round_trip_times: Vec<f64>,
    /// Types of the local and the remote candidate of the pair that was selected last.
    selected: Option<(String, String)>,
    heights: Vec<f64>,
}

impl Reading {
    fn take(&mut self, stats: &Report, is_firefox: bool) {
        self.reports += 1;
        for object in stats.values() {
            let number = |name: &str| object[name].as_f64();
            match object["type"].as_str().unwrap_or_default() {
                "inbound-rtp" => {
                    let ssrc = object["ssrc"].as_u64().unwrap();
                    if let Some(packets) = number("packetsReceived").filter(|n| *n > 0.0) {
                        let lost = number("packetsLost").unwrap_or(0.0);
                        self.received.insert(ssrc, (packets, lost));
                    }
                    self.heights
                        .extend(number("frameHeight").filter(|n| *n > 0.0));
                }
                "outbound-rtp" => {
                    if let Some(packets) = number("packetsSent").filter(|n| *n > 0.0) {
                        let remote = object["remoteId"].as_str().unwrap_or_default();
                        let own = self.remote_losses.get(remote).copied();
                        let lost = member(stats, remote, "packetsLost").as_f64().or(own);
                        let ssrc = object["ssrc"].as_u64().unwrap();
                        self.sent.insert(ssrc, (packets, lost.unwrap_or(0.0)));
                    }
                }
                "transport" if !is_firefox => {
                    if let Some(id) = object["selectedCandidatePairId"].as_str() {
                        let time = member(stats, id, "currentRoundTripTime").as_f64();
                        self.round_trip_times.extend(time.filter(|n| *n > 0.0));
                        self.select(stats, stats.get(id).unwrap_or(&Value::Null));
                    }
                }
                "candidate-pair" if is_firefox && object["selected"] == true => {
                    self.select(stats, object);
                }
                "remote-inbound-rtp" if is_firefox => {
                    let time = number("roundTripTime").filter(|n| *n > 0.0);
                    self.round_trip_times.extend(time);
                }
                _ => {}
            }
        }
        for (id, object) in stats {
            if object["type"] == "remote-inbound-rtp"
                && let Some(lost) = object["packetsLost"].as_f64()
            {
                self.remote_losses.insert(id.clone(), lost);
            }
        }
    }

    fn select(&mut self, stats: &Report, pair: &Value) {
        let kind = |end: &str| {
            let id = pair[end].as_str().unwrap_or_default();
            let kind = member(stats, id, "candidateType");
            kind.as_str().unwrap_or_default().to_owned()
        };
        self.selected = Some((kind("localCandidateId"), kind("remoteCandidateId")));
    }
}

struct Session {
    extractor: Extractor<(JitsiFold, LegacyFold)>,
    replay: Replay,
    readings: BTreeMap<String, Reading>,
    is_firefox: bool,
}

impl Session {
    fn new(is_firefox: bool) -> Self {
        Self {
            extractor: Extractor::new((JitsiFold::new("id"), LegacyFold::default())),
            replay: Replay::default(),
            readings: BTreeMap::new(),
            is_firefox,
        }
    }

    fn push_line(&mut self, line: &str) {
        self.extractor.push_line(line).unwrap();
        let replayed = self.replay.push_line(line).unwrap();
        if let Some(replayed) = replayed {
            let key = replayed.event.connection_key().to_owned();
            read(&mut self.readings, key, replayed.value, self.is_firefox);
        }
    }

    fn push(&mut self, event: &Event<'_>) {
        self.extractor.push(event).unwrap();
        let key = event.connection_key().to_owned();
        let is_report = event.method() == Some(Method::GetStats);
        let replayed = self.replay.push(event.clone()).unwrap();
        if is_report {
            read(&mut self.readings, key, replayed.value, self.is_firefox);
        }
    }

    fn finish(self, name: &str) -> (Extraction, Features) {
        let (jitsi, legacy) = self.extractor.finish(0.0);
        assert!(legacy.dropped.is_nothing(), "{name}");
        assert_eq!(jitsi.dropped, Default::default(), "{name}");
        let features = jitsi.client().unwrap();
        assert!(!features.aggregates.contains_key("null"), "{name}");
        let reports: u64 = self.readings.values().map(|reading| reading.reports).sum();
        assert_eq!(features.metrics.stats_request_count, reports, "{name}");
        assert!(features.session_start_time > 1.7e12, "{name}");
        assert!(features.session_end_time >= features.session_start_time);
        for (key, reading) in &self.readings {
            let place = format!("{name} {key}");
            compare(&place, reading, &jitsi, key, self.is_firefox);
            compare_legacy(&place, reading, &legacy, key, self.is_firefox);
        }
        (jitsi, legacy)
    }
}

fn read(
    readings: &mut BTreeMap<String, Reading>,
    key: String,
    value: WholeValue<'_>,
    is_firefox: bool,
) {
    if let WholeValue::Stats(stats) = value {
        let mut json = String::new();
        stats.write_json(&mut json);
        // Objects in their order: the last of several selected pairs counts.
        let stats = serde_json::from_str(&json).unwrap();
        readings.entry(key).or_default().take(&stats, is_firefox);
    }
}

fn packets(tracks: &[Track]) -> BTreeMap<u64, (f64, f64)> {
    let entries = tracks.iter().map(|track| {
        let lost = match track.packets_lost {
            PacketsLost::Number(lost) => lost,
            _ => 0.0,
        };
        let ssrc = track.ssrc.as_ref().unwrap().as_u64().unwrap();
        (ssrc, (track.packets, lost))
    });
    entries.collect()
}

fn compare(name: &str, reading: &Reading, jitsi: &Extraction, key: &str, is_firefox: bool) {
    let aggregate = &jitsi.client().unwrap().aggregates[key];
    let received = packets(&aggregate.tracks.receiver_tracks);
    for (ssrc, expected) in &reading.received {
        assert_eq!(received.get(ssrc), Some(expected), "{name} {ssrc}");
    }
    if !is_firefox {
        let sent = packets(&aggregate.tracks.sender_tracks);
        for (ssrc, expected) in &reading.sent {
            assert_eq!(sent.get(ssrc), Some(expected), "{name} {ssrc}");
        }
    }
    let mean = mean(&reading.round_trip_times).unwrap_or(0.0);
    let found = aggregate.transport_aggregates.mean_rtt;
    assert!(
        (found - mean).abs() <= 0.005 + 1e-9,
        "{name}: {found} {mean}"
    );
    if let Some((local, remote)) = &reading.selected {
        let pair = aggregate.candidate_pair_data.as_ref().unwrap();
        assert_eq!(pair.local_candidate_type, json!(local), "{name}");
        assert_eq!(pair.remote_candidate_type, json!(remote), "{name}");
        assert_eq!(
            aggregate.uses_relay,
            Some(local == "relay" || remote == "relay")
        );
    }
    if !is_firefox && !reading.heights.is_empty() {
        let experience = aggregate.inbound_video_experience.as_ref().unwrap();
        let upper = experience.upper_bound_aggregates.mean_frame_height.unwrap();
        let max = reading.heights.iter().copied().fold(0.0, f64::max);
        let min = reading.heights.iter().copied().fold(f64::MAX, f64::min);
        assert!((min..=max).contains(&upper), "{name}: {upper}");
    }
}

fn compare_legacy(name: &str, reading: &Reading, legacy: &Features, key: &str, is_firefox: bool) {
    let connection = &legacy.connections[key];
    let transport = &connection.transport;
    if !is_firefox {
        let expected = mean(&reading.round_trip_times).map(|seconds| seconds * 1_000.0);
        if let Some(expected) = expected {
            // Ours has the reports that say zero, too.
            let found = transport.mean_round_trip_time.unwrap();
            assert!(
                found > 0.0 && found <= expected + 1e-6,
                "{name}: {found} {expected}"
            );
        }
    }
    if reading.selected.is_some() {
        assert!(transport.candidate_pair_changes > 0, "{name}");
    }
    let streams = connection.streams.len();
    assert!(streams >= reading.received.len(), "{name}");
    if let Some(pair) = &transport.first_candidate_pair {
        assert!(pair.local.candidate_type.is_some(), "{name}");
    }
}

/// Where the existing server for rtcstats 5.0 computes the same, its results are the same.
fn check_with_rtcstats_features(path: &Path, legacy: &Features, compared: &mut usize) {
    let path = path.to_str().unwrap().replace(".dump.gz", ".features.json");
    let Ok(expected) = std::fs::read_to_string(&path) else {
        return;
    };
    let Ok(expected) = serde_json::from_str::<Value>(&expected) else {
        return;
    };
    let number = |value: Option<f64>| value.map_or(Value::Null, Value::from);
    let connections = expected["peerConnections"].as_array().unwrap();
    for (expected, own) in connections.iter().zip(legacy.connections.values()) {
        let (ice, pair) = (&own.ice, &own.transport.first_candidate_pair);
        let delay = own.negotiation.first_set_remote_description_delay;
        for (name, found) in [
            ("connectionTime", number(ice.connection_time)),
            ("iceConnectionTime", number(ice.ice_connection_time)),
            ("iceConnected", json!(ice.is_connected)),
            ("setRemoteDescriptionDelay", number(delay)),
            ("srtpCipher", json!(own.transport.srtp_cipher_suite)),
            (
                "firstCandidatePairLocalType",
                json!(pair.as_ref().and_then(|p| p.local.candidate_type.clone())),
            ),
            (
                "firstCandidatePairRemoteType",
                json!(pair.as_ref().and_then(|p| p.remote.candidate_type.clone())),
            ),
            (
                "firstCandidatePairLocalTypePreference",
                json!(pair.as_ref().and_then(|p| p.local.type_preference)),
            ),
        ] {
            assert!(
                agree(&found, &expected[name]),
                "{path} {name}: {found} {}",
                expected[name]
            );
            *compared += 1;
        }
    }
}

/// Each side of these recordings uses a relay, over UDP or TCP.
fn check_relays(name: &str, legacy: &Features) {
    let is_udp = name.contains("09a-turn-udp");
    if !is_udp && !name.contains("09b-turn-tcp") {
        return;
    }
    assert_eq!(legacy.connections.len(), 2, "{name}");
    for connection in legacy.connections.values() {
        let ice = &connection.ice;
        let times = [&ice.gathering_time_turn_udp, &ice.gathering_time_turn_tcp];
        let expected = [is_udp, !is_udp];
        assert_eq!(times.map(Option::is_some), expected, "{name}: {ice:?}");
        assert!(ice.relay_address.is_some() && ice.is_connected, "{name}");
        assert_eq!(ice.dtls_failure, Some(false), "{name}");
        if let Some(pair) = &connection.transport.first_candidate_pair {
            assert_eq!(
                pair.local.candidate_type.as_deref(),
                Some("relay"),
                "{name}"
            );
        }
    }
}

fn mean(samples: &[f64]) -> Option<f64> {
    let sum: f64 = samples.iter().sum();
    (!samples.is_empty()).then(|| sum / samples.len() as f64)
}

fn text_of(path: &Path) -> String {
    let mut text = String::new();
    let file = BufReader::new(File::open(path).unwrap());
    decompress(file).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn files(folder: &str, prefix: &str, suffix: &str) -> Vec<PathBuf> {
    let Some(folder) = golden::shared(folder) else {
        return Vec::new();
    };
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(prefix) && name.ends_with(suffix)
        })
        .collect();
    files.sort();
    files
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn note(kind: &str, count: usize) {
    // Not a print macro: those are captured while the test passes.
    let _ = writeln!(std::io::stderr(), "{kind}: {count} agree");
}

#[test]
fn dumps_of_rtcstats_5_yield_what_their_reports_say() {
    let (mut count, mut compared) = (0, 0);
    let captures = files("corpus/wire", "rtcstatsjs-", ".dump.gz");
    for path in captures
        .iter()
        .chain(&files("corpus/internals", "", ".chrome-rtcstats.gz"))
    {
        let name = name_of(path);
        let mut session = Session::new(name.contains("firefox"));
        text_of(path)
            .lines()
            .for_each(|line| session.push_line(line));
        let (jitsi, legacy) = session.finish(&name);
        check_relays(&name, &legacy);
        check_with_rtcstats_features(path, &legacy, &mut compared);
        let has_agent = path.to_str().unwrap().contains("/wire/");
        let features = jitsi.client().unwrap();
        assert_eq!(features.browser_info.is_some(), has_agent, "{name}");
        count += 1;
    }
    note("sessions of rtcstats 5.0", count);
    note("values of the existing server", compared);
    assert!(count == 0 || compared > 300, "only {compared} compared");
}

#[test]
fn messages_of_legacy_clients_yield_what_their_reports_say() {
    let mut count = 0;
    for path in files("corpus/wire", "legacy-", ".wire.jsonl.gz") {
        let name = name_of(&path);
        let text = text_of(&path);
        let mut lines = text.lines();
        let head: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        let user_agent = &head["headers"]["user-agent"];
        let mut session = Session::new(name.contains("firefox"));
        session.push_line(&json!({"userAgent": user_agent, "fileFormat": 2}).to_string());
        for line in lines {
            let message: Value = serde_json::from_str(line).unwrap();
            let mut repaired = String::new();
            let data = message["data"].as_str().unwrap();
            let is_repaired = repair(data, &mut repaired);
            session.push_line(if is_repaired { &repaired } else { data });
        }
        let (jitsi, legacy) = session.finish(&name);
        check_relays(&name, &legacy);
        let is_identified = legacy.client.conference_identifier.is_some();
        assert_eq!(jitsi.dump_metadata.conference_id.is_some(), is_identified);
        assert!(is_identified, "{name}");
        count += 1;
    }
    note("legacy sessions", count);
}

#[test]
fn exports_of_webrtc_internals_yield_what_their_reports_say() {
    let mut count = 0;
    for path in files("corpus/internals", "", ".webrtc-internals.json.gz") {
        let name = name_of(&path);
        let text = text_of(&path);
        let mut internals = Internals::parse(&text, &Limits::default()).unwrap();
        let mut session = Session::new(false);
        while let Some(event) = internals.next_event() {
            session.push(&event);
        }
        assert!(!session.readings.is_empty(), "{name}");
        let (jitsi, _) = session.finish(&name);
        let features = jitsi.client().unwrap();
        assert_eq!(features.browser_info.as_ref().unwrap().name, "Chrome");
        let metrics = features.metrics;
        assert!(
            metrics.session_duration_ms < 600_000.0,
            "{name}: {metrics:?}"
        );
        count += 1;
    }
    note("webrtc-internals exports", count);
}

#[test]
fn old_statistics_of_chrome_yield_the_same_behind_either_head() {
    let Some(path) = golden::shared("golden/jitsi/google-legacy-stats-p2p.dump") else {
        return;
    };
    let suffix = "google-legacy-stats-p2p.with-standard-header.features.json";
    let expected = std::fs::read_to_string(path.with_file_name(suffix)).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let user_agent = &expected["features"]["browserInfo"]["userAgent"];
    let head = json!({"userAgent": user_agent, "fileFormat": 2}).to_string();
    let mut extractor = Extractor::new(JitsiFold::new("id"));
    extractor.push_line(&head).unwrap();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        extractor.push_line(line).unwrap();
    }
    let found = serde_json::to_value(extractor.finish(0.0)).unwrap();
    for key in ["PC_0", "PC_1"] {
        let (found, expected) = (
            &found["features"]["aggregates"][key],
            &expected["features"]["aggregates"][key],
        );
        for member in expected.as_object().unwrap().keys() {
            assert!(agree(&found[member], &expected[member]), "{key} {member}");
        }
    }
    assert_eq!(
        found["features"]["browserInfo"],
        expected["features"]["browserInfo"]
    );
}

/// Whether two values are the same but for the last digits of fractions, in which variances differ.
fn agree(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, value)| other.get(name).is_some_and(|other| agree(value, other)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| agree(one, other))
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            (one - other).abs() <= 1e-9 * one.abs()
        }
        _ => one == other,
    }
}
