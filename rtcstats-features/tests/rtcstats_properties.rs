//! What holds for any session.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use rtcstats_features::rtcstats::{Features, RtcstatsFold};
use rtcstats_features::{Extractor, Limits, extract};
use rtcstats_proto::Generation;
use rtcstats_proto::dump::LineReader;
use serde_json::{Value, json};

/// A value that may stand anywhere.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (0..5_u64).prop_map(Value::from),
        (-1e3..1e9).prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "0",
            "1",
            "a",
            "audio",
            "video",
            "relay",
            "offer",
            "answer",
            "stable",
            "closed",
            "connecting",
            "checking",
            "connected",
            "gathering",
            "complete",
            "audio:a stream:s",
            "candidate:1 1 udp 5 198.51.100.9 4000 typ srflx",
            "candidate:",
            "recvonly",
            "setRemoteDescription",
            "addTrack",
            "v=0\r\na=ice-lite\r\n",
            "NullVideoDecoder",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            members(inner),
        ]
    })
}

/// An object with members that mean something somewhere.
fn members(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "type",
        "sdp",
        "candidate",
        "kind",
        "id",
        "label",
        "streams",
        "track",
        "tracks",
        "sender",
        "receiver",
        "reason",
        "currentDirection",
        "audio",
        "video",
        "iceServers",
        "urls",
        "iceRestart",
        "userAgentData",
        "platform",
        "connectionTime",
        "rtcstatsLocation",
        "continent",
        "relayProtocol",
        "duration",
        "audioEnded",
        "peerConnections",
    ]);
    prop::collection::vec((names, inner), 0..4).prop_map(object)
}

fn object<S: Into<String>>(members: Vec<(S, Value)>) -> Value {
    let members = members.into_iter();
    members.map(|(name, value)| (name.into(), value)).collect()
}

/// A report of objects that matter.
fn report() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "trackIdentifier",
        "mediaSourceId",
        "remoteId",
        "codecId",
        "frameWidth",
        "frameHeight",
        "jitterBufferFlushes",
        "decoderImplementation",
        "framesDecoded",
        "totalDecodeTime",
        "qualityLimitationDurations",
        "psnrMeasurements",
        "psnrSum",
        "selectedCandidatePairId",
        "localCandidateId",
        "remoteCandidateId",
        "address",
        "priority",
        "bytesSent",
        "bytesReceived",
        "totalRoundTripTime",
        "responsesReceived",
        "tlsVersion",
        "timestamp",
        "mimeType",
        "packetsReceivedWithCe",
    ]);
    let kinds = prop::sample::select(vec![
        "inbound-rtp",
        "outbound-rtp",
        "remote-inbound-rtp",
        "transport",
        "candidate-pair",
        "local-candidate",
        "remote-candidate",
        "codec",
        "media-source",
        "peer-connection",
        "x",
    ]);
    let stats =
        (kinds, prop::collection::vec((names, value()), 0..8)).prop_map(|(kind, members)| {
            let mut stats = object(members);
            stats["type"] = json!(kind);
            stats
        });
    let ids = prop::sample::select(vec!["0", "1", "2", "a", "b", "t"]);
    let entry = prop_oneof![6 => stats, 1 => value()];
    prop::collection::vec((ids, entry), 0..6).prop_map(object)
}

/// The events of one connection, or of the page: name, value, and extra elements.
fn events() -> impl Strategy<Value = Vec<(Value, Value, Vec<Value>)>> {
    let codes: Vec<Value> = (2..81_u64).map(Value::from).collect();
    let names = [
        "websocket",
        "transceiverAdded",
        "transceiverModified",
        ":own",
    ];
    let names = codes
        .into_iter()
        .chain(names.map(Value::from))
        .collect::<Vec<_>>();
    let extra = || prop::collection::vec(value(), 0..3);
    let event = (prop::sample::select(names), value(), extra());
    let report = (Just(json!("g")), report(), extra());
    prop::collection::vec(prop_oneof![3 => event, 2 => report], 0..20)
}

const KEYS: [&str; 3] = ["PC_0", "PC_1", "7"];

/// The lines of a session without a head: the page, then the connections in turn as `order` says.
/// Times are such that each event has the same in any order.
fn lines(sessions: &[Vec<(Value, Value, Vec<Value>)>], order: &[usize]) -> Vec<String> {
    let mut times = 0.0;
    let mut next = vec![0; sessions.len()];
    let mut lines = Vec::new();
    for session in order {
        let Some((name, value, extra)) = sessions[*session].get(next[*session]) else {
            continue;
        };
        next[*session] += 1;
        let time = 1e12 + (next[*session] * 1500) as f64;
        let key = session.checked_sub(1).map(|session| KEYS[session]);
        let mut line = vec![name.clone(), json!(key), value.clone()];
        line.extend(extra.iter().cloned());
        line.push(json!(time - times));
        times = time;
        lines.push(Value::from(line).to_string());
    }
    lines
}

fn extractor(limits: Limits) -> Extractor<RtcstatsFold> {
    Extractor::with_limits(RtcstatsFold::default(), limits).with_generation(Generation::Rtcstats)
}

fn features_of(lines: &[String]) -> Features {
    let mut extractor = extractor(Limits::default());
    for line in lines {
        let _ = extractor.push_line(line);
    }
    extractor.finish(0.0)
}

fn by_key(features: &Features) -> BTreeMap<String, String> {
    let connections = features.peer_connections.iter();
    connections
        .map(|connection| {
            let json = serde_json::to_string(connection).unwrap();
            (connection.connection_identifier.clone(), json)
        })
        .collect()
}

proptest! {
    #[test]
    fn a_snapshot_is_what_the_dump_up_to_there_yields(
        sessions in prop::collection::vec(events(), 4),
        order in prop::collection::vec(0..4_usize, 0..80),
    ) {
        let lines = lines(&sessions, &order);
        let mut live = extractor(Limits::default());
        for (index, line) in lines.iter().enumerate() {
            let _ = live.push_line(line);
            if index % 7 == 0 {
                let later = features_of(&lines[..=index]);
                prop_assert_eq!(
                    serde_json::to_string(&live.snapshot(0.0)).unwrap(),
                    serde_json::to_string(&later).unwrap()
                );
            }
        }
    }

    #[test]
    fn the_order_among_connections_does_not_matter(
        sessions in prop::collection::vec(events(), 4),
        orders in (prop::collection::vec(0..4_usize, 80), prop::collection::vec(0..4_usize, 80)),
    ) {
        // All that one order leaves comes at the end.
        let whole = |mut order: Vec<usize>| {
            order.extend((0..4).flat_map(|session| std::iter::repeat_n(session, 20)));
            features_of(&lines(&sessions, &order))
        };
        let (one, other) = (whole(orders.0), whole(orders.1));
        prop_assert_eq!(by_key(&one), by_key(&other));
        prop_assert_eq!(
            serde_json::to_string(&one.client).unwrap(),
            serde_json::to_string(&other.client).unwrap()
        );
    }

    #[test]
    fn small_limits_leave_out_and_say_so(
        sessions in prop::collection::vec(events(), 4),
        order in prop::collection::vec(0..4_usize, 0..80),
    ) {
        let limits = Limits {
            connections: 2,
            tracks: 1,
            stats_ids: 2,
            rtp_streams: 1,
            selected_pairs: 1,
            located_candidates: 1,
            resolutions: 2,
            captured_tracks: 1,
            page_members: 1,
            text_bytes: 12,
            ..Limits::default()
        };
        let lines = lines(&sessions, &order);
        let mut small = extractor(limits);
        for line in &lines {
            let _ = small.push_line(line);
        }
        let errors = small.counters().errors;
        let found = small.finish(0.0);
        prop_assert!(found.peer_connections.len() <= 2);
        prop_assert!(found.peer_connections.iter().all(|it| it.tracks.len() <= 1));
        let whole = features_of(&lines);
        // Reports of one connection too many are an error before.
        if !found.is_incomplete && errors == 0 && whole != found {
            prop_assert_eq!(
                serde_json::to_string(&found).unwrap(),
                serde_json::to_string(&whole).unwrap()
            );
        }
    }

    #[test]
    fn no_bytes_panic(
        sessions in prop::collection::vec(events(), 4),
        order in prop::collection::vec(0..4_usize, 1..80),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut dump = lines(&sessions, &order).join("\n").into_bytes();
        prop_assume!(!dump.is_empty());
        for (place, byte) in cuts {
            let place = place.index(dump.len());
            dump[place] = byte;
        }
        for generation in [Generation::Rtcstats, Generation::Legacy, Generation::Jitsi] {
            let mut extractor =
                Extractor::new(RtcstatsFold::default()).with_generation(generation);
            extract(LineReader::new(dump.as_slice()), &mut extractor).unwrap();
            serde_json::to_string(&extractor.finish(0.0)).unwrap();
        }
    }
}
