//! Recorded dumps and reports.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use rtcstats_proto::delta::Decoder;
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Event, Limits, Method, Scope};

/// The dumps that short sessions are made of: Chrome peer to peer and through a bridge, Chrome with a
/// failed connection, Firefox, Safari.
const SEEDS: [&str; 5] = [
    "google-standard-stats-p2p",
    "safari-relay",
    "chrome-standard-pc-failed",
    "firefox-standard-stats-sfu",
    "google-standard-stats-sfu",
];

/// The recording that needs nothing beside the checkout: a minute of Chromium with two connections.
const OWN: &[u8] = include_bytes!("../data/chromium-av-p2p.dump.gz");

/// The folder of shared recordings: `shared` beside the checkout, or what `RTCSTATS_SHARED` names.
fn shared() -> Option<PathBuf> {
    let root = std::env::var_os("RTCSTATS_SHARED").map_or_else(
        || Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).to_owned(),
        PathBuf::from,
    );
    root.is_dir().then_some(root)
}

/// Whether the workloads are made from the recordings beside the checkout.
pub fn has_shared() -> bool {
    shared().is_some()
}

/// The recording of the project's own, as text.
pub fn own() -> String {
    let mut text = String::new();
    GzDecoder::new(OWN).read_to_string(&mut text).unwrap();
    text
}

/// The dumps that short sessions are made of, as text.
pub fn seeds() -> Vec<String> {
    let Some(root) = shared() else {
        return vec![own()];
    };
    let read = |name| fs::read_to_string(root.join(format!("golden/jitsi/{name}.dump"))).unwrap();
    SEEDS.into_iter().map(read).collect()
}

/// Consecutive full reports of one peer connection, one second apart, as JSON: 600 of a connection
/// with simulcast and twelve remote tracks, or [`own_reports`].
pub fn reports() -> Vec<String> {
    let Some(root) = shared() else {
        return own_reports();
    };
    let file = fs::read(root.join("corpus/reports/chrome156.jsonl.zst")).unwrap();
    let mut text = String::new();
    ruzstd::decoding::StreamingDecoder::new(file.as_slice())
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    // [epoch ms, {…}]
    let report = |line: &str| line[line.find('{').unwrap()..line.len() - 1].to_owned();
    text.lines().map(report).collect()
}

/// The full reports of one connection of [`own`].
pub fn own_reports() -> Vec<String> {
    decoded_reports(&own(), "PC_0")
}

fn decoded_reports(dump: &str, connection: &str) -> Vec<String> {
    let mut decoder = Decoder::jitsi(Limits::default());
    let mut stats = Stats::default();
    let mut reports = Vec::new();
    for line in dump.lines() {
        let event = Event::parse(line).unwrap();
        let is_report = event.method() == Some(Method::CompressedGetStats);
        if is_report && event.scope() == Scope::PeerConnection(connection) {
            decoder.decode(event.payload(), &mut stats).unwrap();
            let mut report = String::new();
            stats.write_json(&mut report);
            reports.push(report);
        }
    }
    // The first still has its zero timestamps.
    reports.split_off(1)
}
