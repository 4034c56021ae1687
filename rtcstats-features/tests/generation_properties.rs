//! What holds for the sessions of any generation.

use proptest::prelude::*;
use rtcstats_features::jitsi::JitsiFold;
use rtcstats_features::legacy::LegacyFold;
use rtcstats_features::{ExtractErrorKind, Extractor};
use rtcstats_proto::{Event, Method, RawJson};
use serde_json::{Value, json};

type Folds = (JitsiFold, LegacyFold);

fn folds() -> Folds {
    (JitsiFold::new("id"), LegacyFold::default())
}

/// Values that mean something to some event.
fn value() -> impl Strategy<Value = Value> {
    let sdp = "v=0\r\no=mozilla 1 2 IN IP4 0.0.0.0\r\nm=audio 9 x 0\r\na=sendonly\r\na=ssrc-group:SIM 1 2\r\n";
    let candidate = "candidate:1 1 udp 33554431 192.168.0.x 9 typ relay raddr 0.0.0.0 rport 0";
    let texts = [
        "",
        "checking",
        "connected",
        "completed",
        "failed",
        "connecting",
        "relay",
    ];
    let report = json!({
        "C": {"type": "googComponent", "selectedCandidatePairId": "P", "dtlsCipher": "x"},
        "P": {"type": "googCandidatePair", "googRtt": "5", "bytesSent": "7", "googActiveConnection": "true"},
        "S_recv": {"type": "ssrc", "ssrc": "7", "mediaType": "video", "packetsReceived": "5", "timestamp": 5},
    });
    let standard = json!({
        "T": {"type": "transport", "selectedCandidatePairId": "P"},
        "P": {"type": "candidate-pair", "localCandidateId": "L", "currentRoundTripTime": 0.5, "bytesSent": 9},
        "L": {"type": "local-candidate", "priority": -5, "networkType": "wifi"},
        "I": {"type": "inbound-rtp", "ssrc": 5, "kind": "video", "packetsReceived": 5, "timestamp": 7},
    });
    let objects = vec![
        report,
        standard,
        json!({"0": {"type": 1, "14": 5, "10": 7}, "t": 5}),
        json!({"type": "offer", "sdp": sdp}),
        json!({"type": "answer", "sdp": "v=\r\nm=\r\n"}),
        json!({"candidate": candidate, "relayProtocol": "tls"}),
        json!({"candidate": ""}),
        json!({"iceServers": [{"urls": ["turn:x", 5, null]}, null], "browserType": "moz"}),
        json!({"optional": [{"rtcStatsClientId": "a"}, null, 5]}),
        json!({"tracks": [{"kind": "audio", "label": "x"}, null]}),
        json!([["audio", "id", "label"], [], null]),
        json!({"iceRestart": true, "0": "reason"}),
        json!({"user": 5, "conference": null, "confID": [], "endpointId": "e"}),
        json!({"dominantSpeakerEndpoint": null, "remoteEndpointId": {}, "ssrc": [], "faceLandmarks": 1}),
        json!({"origin": 5, "userAgent": "Firefox/5", "remoteAddresses": [null], "fileFormat": 2}),
    ];
    prop_oneof![
        3 => prop::sample::select(objects),
        2 => prop::sample::select(texts.to_vec()).prop_map(Value::from),
        1 => prop::sample::select(vec![json!(null), json!(5), json!(-1.5), json!([]), json!(true)]),
    ]
}

fn line() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(Method::ALL.to_vec());
    let connection = prop::sample::select(vec![json!(null), json!("PC_0"), json!("9-0"), json!(0)]);
    let name = (names, 0..8_u8).prop_map(|(name, form)| match form {
        0 => json!(format!(":{}", name.as_str())),
        1 => name.number().map_or(json!("g"), Value::from),
        _ => json!(name.as_str()),
    });
    (name, connection, value(), -5..40_000_i64)
        .prop_map(|(name, connection, value, time)| json!([name, connection, value, time]))
}

/// The heads of dumps of all generations, and none.
const HEADS: [&[&str]; 4] = [
    &[],
    &[
        "RTCStatsDump",
        r#"{"fileFormat":3,"userAgent":"Chrome/156.0"}"#,
    ],
    &[r#"{"fileFormat":2,"userAgent":"Chrome/86.0"}"#],
    &[r#"["connectionInfo",null,{"clientProtocol":"3.1_STANDARD","userAgent":"Chrome/99.0"},1]"#],
];

proptest! {
    #[test]
    fn no_event_of_another_generation_is_refused(
        head in prop::sample::select(HEADS[1..3].to_vec()),
        lines in prop::collection::vec(line(), 0..40),
    ) {
        let mut extractor = Extractor::new(folds());
        for line in head {
            extractor.push_line(line).unwrap();
        }
        for line in lines {
            if let Err(error) = extractor.push_line(&line.to_string()) {
                let is_fold = matches!(error.kind, ExtractErrorKind::Fold(_));
                prop_assert!(!is_fold, "{line}: {error}");
            }
        }
        let (jitsi, legacy) = extractor.finish(9.0);
        let jitsi = serde_json::to_value(jitsi).unwrap();
        prop_assert!(jitsi["features"]["aggregates"].get("null").is_none());
        serde_json::to_string(&legacy).unwrap();
    }

    #[test]
    fn a_snapshot_disturbs_nothing(
        head in prop::sample::select(HEADS.to_vec()),
        lines in prop::collection::vec(line(), 0..30),
    ) {
        let run = |snapshots: bool| {
            let mut extractor = Extractor::new(folds());
            for line in head {
                extractor.push_line(line).unwrap();
            }
            for line in &lines {
                // Refused lines change nothing either.
                let _ = extractor.push_line(&line.to_string());
                if snapshots {
                    extractor.snapshot(5.0);
                }
            }
            let (jitsi, legacy) = extractor.finish(9.0);
            (serde_json::to_value(jitsi).unwrap(), serde_json::to_value(legacy).unwrap())
        };
        prop_assert_eq!(run(false), run(true));
    }

    #[test]
    fn no_event_of_an_import_is_refused(lines in prop::collection::vec(line(), 0..30)) {
        let mut extractor = Extractor::new(folds());
        for line in &lines {
            let value = line[2].to_string();
            let name = line[0].as_str().unwrap_or("create");
            let event = Event::import(name, line[1].as_str(), RawJson::parse(&value).unwrap(), 5.0);
            if let Err(error) = extractor.push(&event) {
                let is_fold = matches!(error.kind, ExtractErrorKind::Fold(_));
                prop_assert!(!is_fold, "{line}: {error}");
            }
        }
        extractor.finish(9.0);
    }
}
