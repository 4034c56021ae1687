//! Conformance of the carried-over features with recorded results of the existing legacy extractor.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod golden;

use std::collections::HashMap;
use std::io::Write as _;

use rtcstats_features::Extractor;
use rtcstats_features::legacy::LegacyFold;
use serde_json::{Map, Value, json};

/// A feature by its original name, where it is here, and what was done to it there.
type Row = (&'static str, &'static str, fn(&Value) -> Value);

fn same(value: &Value) -> Value {
    value.clone()
}

/// The existing extractor drops fractions.
fn floor(value: &Value) -> Value {
    value
        .as_f64()
        .map_or(Value::Null, |number| json!(number.floor()))
}

/// A member that is absent where the original is false.
fn is_there(value: &Value) -> Value {
    json!(!value.is_null())
}

/// A flag that is absent there where it is false.
fn if_true(value: &Value) -> Value {
    if *value == json!(true) {
        json!(true)
    } else {
        Value::Null
    }
}

fn joined(value: &Value) -> Value {
    let items = value.as_array().cloned().unwrap_or_default();
    json!(
        items
            .iter()
            .map(|item| item.as_str().unwrap())
            .collect::<Vec<_>>()
            .join(";")
    )
}

const CLIENT: &[Row] = &[
    ("origin", "/origin", same),
    ("publicIPAddress", "/publicIpAddress", same),
    ("usesHTTPProxy", "/usesHttpProxy", same),
    (
        "calledLegacyGetUserMedia",
        "/calledLegacyGetUserMedia",
        same,
    ),
    (
        "timeBetweenGetUserMediaAndGetUserMediaSuccess",
        "/getUserMediaDelay",
        same,
    ),
    (
        "timeBetweenGetUserMediaAndGetUserMediaFailure",
        "/getUserMediaFailureDelay",
        same,
    ),
    ("getUserMediaError", "/getUserMediaError", same),
    ("firstAudioTrackLabel", "/firstAudioTrackLabel", same),
    ("firstVideoTrackLabel", "/firstVideoTrackLabel", same),
    ("websocketConnectionTime", "/webSocketConnectionTime", same),
    ("websocketError", "/webSocketError", same),
];

const CONNECTION: &[Row] = &[
    ("clientIdentifier", "/clientIdentifier", same),
    ("peerIdentifier", "/peerIdentifier", same),
    ("conferenceIdentifier", "/conferenceIdentifier", same),
    ("sendingDuration", "/negotiation/sendingDuration", same),
    ("remoteType", "/negotiation/remoteType", same),
    ("isInitiator", "/negotiation/isInitiator", same),
    ("configured", "/configuration/isConfigured", same),
    (
        "configuredWithICEServers",
        "/configuration/iceServers",
        is_there,
    ),
    (
        "configuredWithSTUN",
        "/configuration/iceServers/stun",
        if_true,
    ),
    (
        "configuredRtcpMuxPolicy",
        "/configuration/rtcpMuxPolicy",
        is_there,
    ),
    (
        "configuredCertificate",
        "/configuration/hasCertificates",
        same,
    ),
    ("sdpSemantics", "/configuration/sdpSemantics", same),
    ("ICEGatheringComplete", "/ice/isGatheringComplete", same),
    ("ICEFailure", "/ice/hasFailed", same),
    ("ICEFailureSubsequent", "/ice/hasFailedSubsequently", same),
    ("ICEConnectedOrCompleted", "/ice/isConnected", same),
    ("dtlsFailure", "/ice/dtlsFailure", same),
    (
        "iceconnectionstateCheckingBeforeSRD",
        "/ice/isCheckingBeforeRemote",
        same,
    ),
    (
        "timeBetweenSetRemoteDescriptionAndAddIceCandidate",
        "/ice/firstRemoteCandidateDelay",
        same,
    ),
    (
        "timeBetweenSetLocalDescriptionAndOnIceCandidate",
        "/ice/firstCandidateDelay",
        same,
    ),
    (
        "timeForFirstSetRemoteDescription",
        "/negotiation/firstSetRemoteDescriptionDelay",
        same,
    ),
    (
        "timeForSecondSetRemoteDescription",
        "/negotiation/secondSetRemoteDescriptionDelay",
        same,
    ),
    (
        "ontrackAfterFirstSetRemoteDescription",
        "/negotiation/hadTrackBeforeSuccess",
        same,
    ),
    ("usingRTCPMux", "/negotiation/usesRtcpMux", same),
    ("usingBundle", "/negotiation/usesBundle", same),
    ("ICERestart", "/ice/restart", is_there),
    (
        "ICERestartFollowedBySetRemoteDescription",
        "/ice/restart/isFollowedByRemote",
        same,
    ),
    (
        "ICERestartFollowedByRelayCandidate",
        "/ice/restart/isFollowedByRelay",
        same,
    ),
    ("usingSimulcast", "/negotiation/usesSimulcast", same),
    (
        "numberOfLocalSimulcastStreams",
        "/negotiation/localSimulcastStreams",
        same,
    ),
    ("gatheringTime", "/ice/gatheringTime", same),
    ("gatheredTURNUDP", "/ice/gatheringTimeTurnUdp", is_there),
    ("gatheredTURNTCP", "/ice/gatheringTimeTurnTcp", is_there),
    ("gatheredTURNTLS", "/ice/gatheringTimeTurnTls", is_there),
    ("gatheringTimeTURNUDP", "/ice/gatheringTimeTurnUdp", same),
    ("gatheringTimeTURNTCP", "/ice/gatheringTimeTurnTcp", same),
    ("gatheringTimeTURNTLS", "/ice/gatheringTimeTurnTls", same),
    ("relayAddress", "/ice/relayAddress", same),
    (
        "gatheredrfc1918addressPrefix16",
        "/ice/gatheredPrivate16",
        if_true,
    ),
    (
        "gatheredrfc1918addressPrefix12",
        "/ice/gatheredPrivate12",
        if_true,
    ),
    (
        "gatheredrfc1918addressPrefix10",
        "/ice/gatheredPrivate8",
        if_true,
    ),
    ("numberOfInterfaces", "/ice/numberOfInterfaces", same),
    ("connectionTime", "/ice/connectionTime", same),
    ("iceConnectionTime", "/ice/iceConnectionTime", same),
    ("localCreateDelay", "/negotiation/localCreateDelay", same),
    (
        "numberOfLocalIceCandidates",
        "/ice/numberOfLocalCandidates",
        same,
    ),
    (
        "numberOfRemoteIceCandidates",
        "/ice/numberOfRemoteCandidates",
        same,
    ),
    ("sessionDuration", "/ice/sessionDuration", same),
    ("mediaTypes", "/negotiation/mediaTypes", joined),
    ("dtlsCipherSuite", "/transport/dtlsCipherSuite", same),
    ("srtpCipherSuite", "/transport/srtpCipherSuite", same),
    (
        "statsMeanRoundTripTime",
        "/transport/meanRoundTripTime",
        floor,
    ),
    (
        "statsMeanReceivingBitrate",
        "/transport/meanReceivingBitrate",
        floor,
    ),
    (
        "statsMeanSendingBitrate",
        "/transport/meanSendingBitrate",
        floor,
    ),
    (
        "stunRTTInitial30sMean",
        "/transport/initialMeanRoundTripTime",
        floor,
    ),
    (
        "stunRTTInitial30sMax",
        "/transport/initialMaxRoundTripTime",
        same,
    ),
    ("bytesTotalSent", "/transport/bytesSent", same),
    ("bytesTotalReceived", "/transport/bytesReceived", same),
    (
        "firstCandidatePairLocalType",
        "/transport/firstCandidatePair/local/type",
        same,
    ),
    (
        "firstCandidatePairRemoteType",
        "/transport/firstCandidatePair/remote/type",
        same,
    ),
    (
        "firstCandidatePairLocalIPAddress",
        "/transport/firstCandidatePair/local/address",
        same,
    ),
    (
        "firstCandidatePairRemoteIPAddress",
        "/transport/firstCandidatePair/remote/address",
        same,
    ),
    (
        "firstCandidatePairLocalTypePreference",
        "/transport/firstCandidatePair/local/typePreference",
        same,
    ),
    (
        "firstCandidatePairRemoteTypePreference",
        "/transport/firstCandidatePair/remote/typePreference",
        same,
    ),
    (
        "firstCandidatePairLocalNetworkType",
        "/transport/firstCandidatePair/local/networkType",
        same,
    ),
    (
        "numberOfCandidatePairChanges",
        "/transport/candidatePairChanges",
        same,
    ),
    (
        "candidatePairChangeInterfaceTypes",
        "/transport/networkTypes",
        joined,
    ),
    (
        "bweAvailableOutgoingBitrateMean",
        "/transport/availableOutgoingBitrate/mean",
        same,
    ),
    (
        "bweAvailableOutgoingBitrateMax",
        "/transport/availableOutgoingBitrate/max",
        same,
    ),
    (
        "bweAvailableOutgoingBitrateMin",
        "/transport/availableOutgoingBitrate/min",
        same,
    ),
    (
        "bweAvailableOutgoingBitrateVariance",
        "/transport/availableOutgoingBitrate/variance",
        same,
    ),
    (
        "bweAvailableIncomingBitrateMean",
        "/transport/availableIncomingBitrate/mean",
        same,
    ),
    (
        "bweAvailableIncomingBitrateMax",
        "/transport/availableIncomingBitrate/max",
        same,
    ),
    (
        "bweAvailableIncomingBitrateMin",
        "/transport/availableIncomingBitrate/min",
        same,
    ),
    (
        "bweAvailableIncomingBitrateVariance",
        "/transport/availableIncomingBitrate/variance",
        same,
    ),
    ("closeReason", "/closeReason", same),
];

const STREAM: &[(&str, &str)] = &[
    ("direction", "/direction"),
    ("numberOfStats", "/numberOfReports"),
    ("duration", "/duration"),
    ("active", "/activeDuration"),
];

#[derive(Default)]
struct Tally {
    compared: usize,
    failures: Vec<String>,
}

impl Tally {
    fn compare(&mut self, name: &str, expected: Option<&Value>, found: &Value) {
        self.compared += 1;
        let expected = expected.unwrap_or(&Value::Null);
        let is_same = match (expected.as_f64(), found.as_f64()) {
            (Some(one), Some(other)) => (one - other).abs() <= 1e-9 * one.abs(),
            _ => expected == found,
        };
        if !is_same {
            self.failures
                .push(format!("{name}: expected {expected}, found {found}"));
        }
    }

    fn compare_rows(&mut self, rows: &[Row], expected: &Value, found: &Value) {
        for (name, pointer, convert) in rows {
            let found = convert(found.pointer(pointer).unwrap_or(&Value::Null));
            self.compare(name, expected.get(name), &found);
        }
    }
}

#[test]
fn carried_over_features_are_those_of_the_existing_extractor() {
    let Some(path) =
        golden::shared("golden/jitsi/google-legacy-stats-p2p.legacy-2.0.features.json")
    else {
        return;
    };
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let dump = path.with_file_name("google-legacy-stats-p2p.dump");
    let dump = std::fs::read_to_string(dump).unwrap();
    let added = |name: &str| golden[name].as_array().unwrap().clone();
    let (before, after) = (added("linesBefore"), added("linesAfter"));
    let lines: Vec<&str> = before
        .iter()
        .map(|line| line.as_str().unwrap())
        .chain(dump.lines())
        .chain(after.iter().map(|line| line.as_str().unwrap()))
        .collect();
    let mut extractor = Extractor::new(LegacyFold::default());
    for line in &lines {
        extractor.push_line(line).unwrap();
    }
    let features = extractor.finish(0.0);
    assert!(features.dropped.is_nothing());
    let found = serde_json::to_value(features).unwrap();

    let mut tally = Tally::default();
    tally.compare_rows(CLIENT, &golden["clientFeatures"], &found["client"]);
    for (key, expected) in golden["connections"].as_object().unwrap() {
        let found = &found["connections"][key];
        tally.compare_rows(CONNECTION, &expected["connectionFeatures"], found);
        let streams = streams_of_tracks(&lines, key);
        for stream in expected["streams"].as_array().unwrap() {
            compare_stream(&mut tally, stream, found, &streams);
        }
    }
    // Not a print macro: those are captured while the test passes.
    let _ = writeln!(
        std::io::stderr(),
        "legacy features: {}/{}",
        tally.compared - tally.failures.len(),
        tally.compared
    );
    assert!(tally.failures.is_empty(), "{}", tally.failures.join("\n"));
    assert!(tally.compared > 300, "only {} compared", tally.compared);
}

/// Media streams by the identifiers of their tracks, from the events that announce them.
fn streams_of_tracks(lines: &[&str], connection: &str) -> HashMap<String, String> {
    let mut streams = HashMap::new();
    for line in lines {
        let event: Value = serde_json::from_str(line).unwrap();
        let is_announcement = event[0] == "addStream" || event[0] == "onaddstream";
        if is_announcement && event[1] == connection {
            let (stream, tracks) = event[2].as_str().unwrap().split_once(' ').unwrap();
            for track in tracks.split(',') {
                let (_, track) = track.split_once(':').unwrap();
                streams.insert(track.to_owned(), stream.to_owned());
            }
        }
    }
    streams
}

/// The existing extractor has one record of a media stream, we have one of each RTP stream.
fn compare_stream(
    tally: &mut Tally,
    expected: &Value,
    connection: &Value,
    streams: &HashMap<String, String>,
) {
    let id = expected["streamId"].as_str().unwrap();
    let own: Vec<&Value> = connection["streams"]
        .as_object()
        .unwrap()
        .values()
        .filter(|stream| {
            let track = stream["trackIdentifier"].as_str().unwrap();
            streams.get(track).is_some_and(|stream| stream == id)
                && stream["direction"] == expected["direction"]
        })
        .collect();
    let mut record = Map::new();
    for stream in own {
        let kind = stream["kind"].as_str().unwrap();
        let way = if stream["direction"] == "send" {
            "Sent"
        } else {
            "Received"
        };
        for (name, member) in STREAM {
            record.insert((*name).to_owned(), stream.pointer(member).unwrap().clone());
        }
        for (name, member) in [
            (format!("Packets{way}"), "packetRate"),
            ("PacketsLost".to_owned(), "packetLossRate"),
            (format!("Bytes{way}"), "bitrate"),
        ] {
            for part in ["mean", "max", "min", "variance"] {
                let original = format!("{kind}{name}{}{}", part[..1].to_uppercase(), &part[1..]);
                record.insert(original, stream[member][part].clone());
            }
        }
    }
    for (name, found) in &record {
        tally.compare(&format!("{id} {name}"), expected.get(name), found);
    }
}
