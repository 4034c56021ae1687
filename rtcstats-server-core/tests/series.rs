//! Time series of a live session, of its record, and of its dump.

#![cfg(feature = "tokio")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::io::BufReader;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use rtcstats_features::series::{SeriesFold, SeriesOptions, SessionSeries};
use rtcstats_features::{Extractor, extract};
use rtcstats_proto::dump::LineReader;
use rtcstats_server_core::{
    Archive, DirectoryArchive, DirectoryArchiveOptions, DumpName, FeatureSink, Journal,
    MemoryJournal, MemorySink, Runtime, RuntimeOptions, Upgrade,
};
use serde_json::{Value, json};

const OPTIONS: SeriesOptions = SeriesOptions {
    step: Duration::from_secs(10),
    points: 8,
};

/// A report of the given second of a call, as a message.
fn report(second: u64) -> String {
    let time = 1_700_000_000_000_u64 + second * 1_000;
    let objects = json!({
        "T": {"type": "transport", "timestamp": time, "bytesSent": second * second, "bytesReceived": 0},
        "O": {"type": "outbound-rtp", "kind": "audio", "timestamp": time, "bytesSent": second * 100},
    });
    let event = json!(["getstats", "PC_0", objects, time, second]).to_string();
    json!({"statsSessionId": "s", "type": "stats-entry", "data": event}).to_string()
}

async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1_000 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain: {what}");
}

/// Has a call of two minutes, and returns its series while it was live, in its record, and those of its
/// dump.
async fn call(
    options: Option<SeriesOptions>,
) -> (Option<SessionSeries>, Option<Value>, SessionSeries) {
    let directory = tempfile::tempdir().unwrap();
    let archive =
        DirectoryArchive::open(directory.path(), DirectoryArchiveOptions::default()).unwrap();
    let archive = Arc::new(archive);
    let sink = Arc::new(MemorySink::default());
    let mut runtime_options = RuntimeOptions::new(
        Arc::new(MemoryJournal::new(64 << 20)) as Arc<dyn Journal>,
        Arc::clone(&archive) as Arc<dyn Archive>,
    );
    runtime_options
        .sinks
        .push(Arc::clone(&sink) as Arc<dyn FeatureSink>);
    runtime_options.series = options;
    // No set is needed for it.
    runtime_options.feature_sets.clear();
    let (runtime, _) = Runtime::start(runtime_options).await.unwrap();
    let upgrade = Upgrade {
        target: "/room?statsSessionId=s&isReconnect=false".to_owned(),
        subprotocols: "3.1_STANDARD".to_owned(),
        user_agent: "Chrome/150.0.0.0".to_owned(),
        ..Upgrade::default()
    };
    let handshake = runtime.handshake(&upgrade).unwrap();
    let mut socket = runtime.connect(&handshake).await.unwrap();
    for second in 1..=120 {
        socket.receive(report(second).as_bytes()).await;
    }
    let name: DumpName = "s".parse().unwrap();
    let live = eventually("all reports to be folded", async || {
        let series = runtime.snapshot(&name).await?.series;
        let Some(found) = &series else {
            return options.is_none().then_some(None);
        };
        let json = serde_json::to_value(found).unwrap();
        let sent = &json["connections"]["PC_0"]["values"]["bitrateSent"];
        sent.as_array()
            .is_some_and(|sent| sent.len() == 6)
            .then_some(series)
    })
    .await;
    socket.disconnected(Some(3_001));
    let dump = eventually("the dump", async || archive.open(&name).await.unwrap()).await;
    let mut extractor = Extractor::new(SeriesFold::new(OPTIONS));
    extract(
        LineReader::new(BufReader::new(MultiGzDecoder::new(dump))),
        &mut extractor,
    )
    .unwrap();
    let part = sink.parts().remove(&(name.clone(), "series".to_owned()));
    let part = part.map(|part| serde_json::from_str(part.get()).unwrap());
    runtime.shutdown(Duration::from_secs(5)).await.unwrap();
    (live, part, extractor.finish(0.0))
}

#[tokio::test(flavor = "multi_thread")]
async fn live_series_are_those_of_the_dump() {
    let (live, published, later) = call(Some(OPTIONS)).await;
    // The last report may have been folded after the snapshot: only that of the record is final.
    assert_eq!(published.unwrap(), serde_json::to_value(&later).unwrap());
    let live = serde_json::to_value(live.unwrap()).unwrap();
    let later = serde_json::to_value(&later).unwrap();
    let plot = |series: &Value| series["connections"]["PC_0"].clone();
    assert_eq!(plot(&live)["step"], 20_000);
    let before_last =
        |series: &Value| plot(series)["values"]["bitrateSent"].as_array().unwrap()[..5].to_vec();
    assert_eq!(before_last(&live), before_last(&later));
    // Two steps became one: 8 bits × (10² − 1²) bytes in 9 s and 8 × (20² − 10²) in 10 s, then 8 × (30² − 20²) and
    // 8 × (40² − 30²) in 10 s each.
    assert_eq!(before_last(&later)[..2], [json!(164), json!(480)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_option_there_are_none() {
    let (live, published, _) = call(None).await;
    assert_eq!((live, published), (None, None));
}
