//! The `rtcstats` command line, as people run it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;

use std::io::{Read as _, Write as _};
use std::path::Path;

use command::{run, stderr, stdout};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// A call recorded from Chromium.
const RECORDING: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../benches/data/chromium-av-p2p.dump.gz"
);

const EXPORT: &str = r#"{"UserAgent":"Chrome/156","timestamp":1700000000009,"PeerConnections":{"9-1":{
 "rtcConfiguration":"{}","url":"https://app.example/room",
 "updateLog":[{"type":"onicecandidate","value":"{\"candidate\":\"candidate:1 1 udp 5 198.51.100.77 9 typ host\",\"sdpMid\":\"0\"}","timestamp":1700000000001}],
 "stats":{"L-address":{"statsType":"local-candidate","values":"[\"198.51.100.77\"]"},
 "L-timestamp":{"statsType":"local-candidate","values":"[1700000000002]"}}}}}"#;

fn gunzip(path: impl AsRef<Path>) -> String {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_dump_converted_there_and_back_has_the_same_features() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (plain, back) = (path("plain.gz"), path("back"));
    stdout(&run(
        &[
            "convert", RECORDING, "--to", "rtcstats", "--plain", "-o", &plain,
        ],
        b"",
    ));
    assert!(gunzip(&plain).starts_with("RTCStatsDump\n{"));
    stdout(&run(
        &["convert", &plain, "--to", "jitsi", "-o", &back],
        b"",
    ));
    let features = |file: &str| json(&stdout(&run(&["features", file], b"")));
    let (before, after) = (features(RECORDING), features(&back));
    assert_eq!(
        before["features"]["aggregates"],
        after["features"]["aggregates"]
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn every_format_and_compression_is_read_from_standard_input() {
    let dump = gunzip(RECORDING);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(dump.as_bytes()).unwrap();
    let events = stdout(&run(&["events", "-"], dump.as_bytes()));
    assert_eq!(
        stdout(&run(&["events", "-"], &gzip.finish().unwrap())),
        events
    );
    for target in ["rtcstats", "legacy", "jitsi"] {
        let converted = stdout(&run(&["convert", "-", "--to", target], dump.as_bytes()));
        let lines = stdout(&run(&["events", "-"], converted.as_bytes()));
        assert_eq!(lines.lines().count(), events.lines().count(), "{target}");
        stdout(&run(&["features", "-"], converted.as_bytes()));
    }
    let names: Vec<String> = stdout(&run(&["events", "-"], EXPORT.as_bytes()))
        .lines()
        .map(|line| json(line)["method"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["create", "onicecandidate", "getStats", "create"]);
    stdout(&run(&["features", "-"], EXPORT.as_bytes()));
    let converted = stdout(&run(&["convert", "-", "--to", "legacy"], EXPORT.as_bytes()));
    assert!(converted.starts_with("{\"path\":\"/room\",\"origin\":\"https://app.example\""));
}

#[test]
fn an_export_is_anonymised_and_stays_one() {
    for mode in ["strict", "server"] {
        let masked = stdout(&run(&["anonymize", "--mode", mode, "-"], EXPORT.as_bytes()));
        assert!(!masked.contains("198.51.100.77"), "{masked}");
        assert!(masked.contains("198.51.100.x"));
        assert_eq!(json(&masked)["UserAgent"], "Chrome/156");
    }
}

#[test]
fn lines_are_obfuscated_as_the_mode_says() {
    let line = r#"["onicecandidate","PC_0",{"candidate":"candidate:1 1 udp 5 198.51.100.77 9 typ host"},1700000000000,1]"#;
    for (mode, masked) in [
        ("server", "198.51.100.x"),
        ("strict", "198.51.100.x"),
        ("client", "x.x.x.x"),
    ] {
        let output = stdout(&run(&["obfuscate", "--mode", mode, "-"], line.as_bytes()));
        assert!(output.contains(masked), "{mode}: {output}");
        assert!(!output.contains("198.51.100.77"), "{mode}: {output}");
    }
    let output = run(&["obfuscate", "-"], EXPORT.as_bytes());
    assert!(!output.status.success());
    assert!(stderr(&output).contains("rtcstats anonymize"));
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_converted() {
    let dump = "[\"create\",\"PC_0\",{},1700000000000,1]\nno event\n[\"close\",\"PC_0\",{},1700000000001,2]\n";
    let output = run(&["convert", "-", "--to", "rtcstats"], dump.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 4);
    assert_eq!(
        stderr(&output).trim_end(),
        "rtcstats: -: 1 of 3 events were passed over, first line 2: unexpected byte in JSON text at byte 0"
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.gz");
    let path = path.to_str().unwrap();
    let output = run(&["convert", "-", "--to", "jitsi", "-o", path], b"GIF89a");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("not a dump"),
        "{}",
        stderr(&output)
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    let output = run(&["convert", "/no/such/file", "--to", "jitsi"], b"");
    assert!(
        stderr(&output).contains("/no/such/file"),
        "{}",
        stderr(&output)
    );
    let output = run(&["features", "-"], b"{\"PeerConnections\":");
    assert!(
        stderr(&output).contains("malformed webrtc-internals export"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_file_may_be_converted_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call");
    std::fs::write(&path, gunzip(RECORDING)).unwrap();
    let path = path.to_str().unwrap();
    stdout(&run(
        &["convert", path, "--to", "rtcstats", "-o", path],
        b"",
    ));
    let converted = std::fs::read_to_string(path).unwrap();
    assert!(converted.starts_with("RTCStatsDump\n"));
    assert!(converted.lines().count() > 100);
}

#[test]
fn help_has_examples() {
    for command in ["features", "convert", "anonymize", "obfuscate", "events"] {
        let help = stdout(&run(&[command, "--help"], b""));
        assert!(help.contains(&format!("rtcstats {command}")), "{help}");
        assert!(help.contains("Example"), "{help}");
    }
}
