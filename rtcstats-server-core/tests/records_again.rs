//! A record that is made again of an archived dump is the one that the server published.

#![cfg(feature = "tokio")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::BufReader;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use rtcstats_features::FeatureSet;
use rtcstats_server_core::{
    Archive, DirectoryArchive, DirectoryArchiveOptions, DumpName, FeatureSink, Journal,
    MemoryJournal, MemorySink, Obfuscation, RecordOptions, RecordPart, Runtime, RuntimeOptions,
    SessionRecord, Upgrade,
};
use serde_json::{Value, json};

/// Lines of a call of a client that has a connection with a track.
fn events() -> Vec<Value> {
    let report = |packets: u64| json!({"I": {"type": "inbound-rtp", "kind": "audio", "ssrc": 7, "packetsReceived": packets, "timestamp": packets}});
    let candidate = json!({"candidate": "candidate:1 1 udp 5 198.51.100.9 9 typ host"});
    vec![
        json!(["identity", null, {"user": "u", "conference": "c", "confName": "c", "displayName": "d"}, 1_700_000_000_000_u64, 1]),
        json!(["create", "PC_0", {"iceServers": []}, 1_700_000_000_100_u64, 2]),
        json!([
            "onicecandidate",
            "PC_0",
            candidate,
            1_700_000_000_200_u64,
            3
        ]),
        json!(["getstats", "PC_0", report(5), 1_700_000_001_000_u64, 4]),
        json!(["getstats", "PC_0", report(9), 1_700_000_002_000_u64, 5]),
    ]
}

/// A record without times of publishing.
fn without_now(parts: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, Value> {
    let parts = parts.into_iter().map(|(part, json)| {
        let mut value: Value = serde_json::from_str(&json).unwrap();
        if let Some(object) = value.as_object_mut() {
            object.remove("createDate");
        }
        (part, value)
    });
    parts.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_the_same_but_for_the_time_for_each_generation() {
    for subprotocol in ["3.1_STANDARD", "rtcstats#5.0", "2.0"] {
        let directory = tempfile::tempdir().unwrap();
        let archive =
            DirectoryArchive::open(directory.path(), DirectoryArchiveOptions::default()).unwrap();
        let (archive, sink) = (Arc::new(archive), Arc::new(MemorySink::default()));
        let journal = Arc::new(MemoryJournal::new(64 << 20));
        let mut options = RuntimeOptions::new(
            Arc::clone(&journal) as Arc<dyn Journal>,
            Arc::clone(&archive) as Arc<dyn Archive>,
        );
        options
            .sinks
            .push(Arc::clone(&sink) as Arc<dyn FeatureSink>);
        options.privacy.obfuscation = Obfuscation::BeforeArchive;
        let (runtime, _) = Runtime::start(options).await.unwrap();
        let request = Upgrade {
            target: "/room?statsSessionId=s".to_owned(),
            subprotocols: subprotocol.to_owned(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36".to_owned(),
            origin: "https://h".to_owned(),
            peer_address: "192.0.2.7".to_owned(),
            ..Upgrade::default()
        };
        let handshake = runtime.handshake(&request).unwrap();
        let mut socket = runtime.connect(&handshake).await.unwrap();
        for event in events() {
            let line = match subprotocol {
                "3.1_STANDARD" => {
                    json!({"statsSessionId": "s", "type": "stats-entry", "data": event.to_string()})
                }
                _ => event,
            };
            socket.receive(line.to_string().as_bytes()).await;
        }
        socket.disconnected(Some(if subprotocol == "3.1_STANDARD" {
            3001
        } else {
            1000
        }));

        let deadline = Instant::now() + Duration::from_secs(30);
        let name: DumpName = loop {
            let dumps = archive.list().await.unwrap();
            if let ([dump], true) = (&dumps[..], journal.list().await.unwrap().is_empty()) {
                break dump.name.clone();
            }
            assert!(Instant::now() < deadline, "no dump");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let published = sink.parts().into_iter();
        let published =
            without_now(published.map(|((_, part), json)| (part, json.get().to_owned())));
        assert_eq!(
            published["session"]["connectionIdentifiers"],
            json!(["PC_0"])
        );
        assert_eq!(published["session"]["origin"], "https://h");
        assert!(published.contains_key("pc/0") && published.contains_key("rtcstats"));

        let dump = archive.open(&name).await.unwrap().unwrap();
        let options = RecordOptions {
            environment: "dev",
            now: 5.0,
            bytes: 0,
        };
        let limits = rtcstats_proto::Limits::default();
        let dump = BufReader::new(MultiGzDecoder::new(dump));
        let again = SessionRecord::extract(name, dump, &FeatureSet::ALL, limits, &options).unwrap();
        let again = again.parts.into_iter();
        let mut again =
            without_now(again.map(|RecordPart { part, json }| (part, json.get().to_owned())));
        // The log had addresses that the archive has masked.
        again.get_mut("session").unwrap()["bytes"] = published["session"]["bytes"].clone();
        assert_eq!(again, published, "{subprotocol}");
    }
}
