//! What holds for any session.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use proptest::prelude::*;
use rtcstats_features::jitsi::{JitsiFold, MissingTime, RecordContext};
use rtcstats_features::{Extractor, Strictness, extract};
use rtcstats_proto::dump::LineReader;
use serde_json::{Value, json};

const NOW: f64 = 1_700_001_000_000.0;

/// A value that may stand anywhere.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (0..5_u64).prop_map(Value::from),
        prop::sample::select(vec![4_294_967_294_u64, 4_294_967_295, 1_700_000_000_000])
            .prop_map(Value::from),
        (-1e3..1e3).prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "0",
            "04",
            "1",
            "audio",
            "video",
            "relay",
            "true",
            "connected",
            "failed",
            "me",
            "camera",
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
        "endpointId",
        "confID",
        "confName",
        "deploymentInfo",
        "customerId",
        "optional",
        "rtcStatsSFUP2P",
        "iceServers",
        "urls",
        "dominantSpeakerEndpoint",
        "remoteEndpointId",
        "rtt",
        "faceLandmarks",
        "duration",
        "ssrc",
        "videoType",
    ]);
    prop::collection::vec((names, inner), 0..4).prop_map(|members| {
        members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    })
}

/// A report of objects that matter.
fn report() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "ssrc",
        "kind",
        "mediaType",
        "packetsSent",
        "packetsReceived",
        "packetsLost",
        "remoteId",
        "selectedCandidatePairId",
        "localCandidateId",
        "remoteCandidateId",
        "candidateType",
        "address",
        "currentRoundTripTime",
        "roundTripTime",
        "googRtt",
        "googActiveConnection",
        "selected",
        "frameHeight",
        "framesPerSecond",
        "googFrameHeightReceived",
        "totalSamplesReceived",
        "concealedSamples",
        "timestamp",
    ]);
    let kinds = prop::sample::select(vec![
        "inbound-rtp",
        "outbound-rtp",
        "remote-inbound-rtp",
        "remote-outbound-rtp",
        "transport",
        "candidate-pair",
        "local-candidate",
        "ssrc",
        "googCandidatePair",
        "unknown",
    ]);
    let object =
        (kinds, prop::collection::vec((names, value()), 0..8)).prop_map(|(kind, members)| {
            let mut object = json!({"type": kind});
            for (name, value) in members {
                object[name] = value;
            }
            object
        });
    let ids = prop::sample::select(vec!["0", "1", "04", "a", "b", "true"]);
    prop::collection::vec((ids, prop_oneof![6 => object, 1 => value()]), 0..6).prop_map(|objects| {
        objects
            .into_iter()
            .map(|(id, object)| (id.to_owned(), object))
            .collect()
    })
}

fn line() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec![
        "connectionInfo",
        "identity",
        "conferenceStartTimestamp",
        "constraints",
        "create",
        "onconnectionstatechange",
        "oniceconnectionstatechange",
        "createOfferOnSuccess",
        "createOfferOnFailure",
        "setLocalDescriptionOnFailure",
        "ondtlserror",
        "ondtlsstatechange",
        "dominantSpeaker",
        "faceLandmarks",
        "e2eRtt",
        "setVideoType",
        "getstats",
        "x",
    ]);
    let connections = prop::sample::select(vec![
        json!(null),
        json!("PC_0"),
        json!("PC_1"),
        json!(0),
        json!(""),
    ]);
    let times = prop::sample::select(vec![
        json!(null),
        json!(0),
        json!(NOW - 500.5),
        json!(NOW - 400.0),
        json!("x"),
    ]);
    let event = (names, connections.clone(), value(), times.clone());
    let report = (connections, report(), times);
    prop_oneof![
        4 => event.prop_map(|(name, pc, value, time)| json!([name, pc, value, time]).to_string()),
        6 => report.prop_map(|(pc, report, time)| json!(["getstats", pc, report, time]).to_string()),
        1 => value().prop_map(|value| value.to_string()),
        1 => value().prop_map(|data| json!({"type": "identity", "data": data, "timestamp": 5}).to_string()),
        1 => any::<String>().prop_map(|text| text.replace(['\n', '\r'], " ")),
    ]
}

/// A header and lines behind it.
fn session() -> impl Strategy<Value = Vec<String>> {
    let agents = prop::sample::select(vec![
        "Chrome/99.0",
        "Firefox/114.0",
        "",
        "Version/17.0 Safari/605.1",
    ]);
    let protocols = prop::sample::select(vec![
        "3.1_STANDARD",
        "3.1_STANDARD",
        "3.1_STANDARD",
        "1.0_JICOFO",
    ]);
    (agents, protocols, prop::collection::vec(line(), 0..40)).prop_map(
        |(agent, protocol, mut lines)| {
            let details = json!({"userAgent": agent, "clientProtocol": protocol});
            lines.insert(0, json!(["connectionInfo", null, details, 1]).to_string());
            lines
        },
    )
}

fn json_of(extractor: &Extractor<JitsiFold>) -> Value {
    serde_json::to_value(extractor.snapshot(NOW)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn snapshots_disturb_nothing(lines in session()) {
        let mut quiet = Extractor::new(JitsiFold::new("id"));
        let mut watched = Extractor::new(JitsiFold::new("id"));
        for line in &lines {
            let results = (quiet.push_line(line).is_ok(), watched.push_line(line).is_ok());
            prop_assert_eq!(results.0, results.1);
            json_of(&watched);
        }
        let last = json_of(&watched);
        prop_assert_eq!(&last, &json_of(&quiet));
        prop_assert_eq!(last, serde_json::to_value(watched.finish(NOW)).unwrap());
    }

    #[test]
    fn a_line_that_is_an_error_leaves_no_trace(lines in session()) {
        let mut all = Extractor::new(JitsiFold::new("id"));
        let taken: Vec<_> = lines.iter().filter(|line| all.push_line(line).is_ok()).collect();
        let mut good = Extractor::new(JitsiFold::new("id"));
        for line in taken {
            good.push_line(line).unwrap();
        }
        prop_assert_eq!(json_of(&all), json_of(&good));
    }

    #[test]
    fn what_a_strict_extraction_takes_a_lenient_one_reads_alike(lines in session()) {
        let mut strict = Extractor::new(JitsiFold::new("id")).with_strictness(Strictness::Strict);
        let taken: Vec<_> = lines.iter().filter(|line| strict.push_line(line).is_ok()).collect();
        let mut lenient = Extractor::new(JitsiFold::new("id"));
        for line in taken {
            lenient.push_line(line).unwrap();
        }
        prop_assert_eq!(json_of(&strict), json_of(&lenient));
    }

    #[test]
    fn a_dump_is_read_as_its_lines_are(lines in session()) {
        let mut by_line = Extractor::new(JitsiFold::new("id"));
        for line in &lines {
            let _ = by_line.push_line(line);
        }
        let dump = lines.join("\n") + "\n";
        let mut by_dump = Extractor::new(JitsiFold::new("id"));
        extract(LineReader::new(dump.as_bytes()), &mut by_dump).unwrap();
        prop_assert_eq!(by_line.counters(), by_dump.counters());
        prop_assert_eq!(json_of(&by_line), json_of(&by_dump));
    }

    #[test]
    fn what_is_published_is_as_much_as_there_is(lines in session()) {
        let mut extractor = Extractor::new(JitsiFold::new("id"));
        for line in &lines {
            let _ = extractor.push_line(line);
        }
        let extraction = extractor.finish(NOW);
        extraction.metadata_row(NOW);
        let mut ids = 0_usize;
        let records = extraction.records(RecordContext {
            environment: "test",
            now: NOW,
            uuid: &mut || {
                ids += 1;
                ids.to_string()
            },
            missing_time: MissingTime::Null,
        });
        prop_assert_eq!(records.is_some(), extraction.client().is_some());
        if let (Some(records), Some(features)) = (records, extraction.client()) {
            let rows = |pc: &rtcstats_features::jitsi::PcAggregate| {
                pc.tracks.sender_tracks.len() + pc.tracks.receiver_tracks.len()
            };
            prop_assert_eq!(records.pc_records.len(), features.aggregates.len());
            prop_assert_eq!(records.track_records.len(), features.aggregates.values().map(rows).sum::<usize>());
            prop_assert_eq!(records.pc_records.len() + records.track_records.len(), ids);
        }
    }

    #[test]
    fn no_bytes_panic(lines in session(), cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
        let mut dump = lines.join("\n").into_bytes();
        for (place, byte) in cuts {
            let place = place.index(dump.len());
            dump[place] = byte;
        }
        for strictness in [Strictness::Lenient, Strictness::Strict] {
            let mut extractor = Extractor::new(JitsiFold::new("id")).with_strictness(strictness);
            let _ = extract(LineReader::new(dump.as_slice()), &mut extractor);
            json_of(&extractor);
        }
    }
}
