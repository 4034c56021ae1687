//! Conformance of the rtcstats features with recorded results of the existing extractor.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod golden;
mod tally;

use std::fs::{File, read_dir, read_to_string};
use std::io::{BufRead, BufReader};
use std::path::Path;

use rtcstats_features::rtcstats::{
    ConnectionFeatures, Direction, Features, RtcstatsFold, TrackFeatures,
};
use rtcstats_features::{Extractor, extract};
use rtcstats_proto::Limits;
use rtcstats_proto::dump::{Internals, LineReader, decompress};
use serde_json::{Value, json};
use tally::Tally;

#[test]
fn features_of_the_written_dumps_are_those_of_the_existing_extractor() {
    let Some(folder) = golden::shared("golden/rtcstats/features") else {
        return;
    };
    let mut tally = Tally::new("features");
    for (name, expected) in expectations(&folder) {
        let dump = folder.join(format!("{name}.dump"));
        let found = match name.starts_with("internals-") {
            true => features_of_export(&read_to_string(dump).unwrap()),
            false => features_of(&dump),
        };
        tally.compare(&name, &expected, &serde_json::to_value(found).unwrap());
    }
    tally.finish(97);
}

#[test]
fn features_of_the_captures_are_those_of_the_existing_extractor() {
    let Some(folder) = golden::shared("corpus/wire") else {
        return;
    };
    let mut tally = Tally::new("captures");
    for (name, expected) in expectations(&folder) {
        if name.starts_with("rtcstatsjs-") {
            let found = features_of(&folder.join(format!("{name}.dump.gz")));
            tally.compare(&name, &expected, &serde_json::to_value(found).unwrap());
        }
    }
    tally.finish(27);
}

#[test]
fn features_of_dumps_that_chrome_wrote_are_those_of_the_existing_extractor() {
    let Some(folder) = golden::shared("corpus/internals") else {
        return;
    };
    let mut tally = Tally::new("dumps of Chrome");
    for (name, expected) in expectations(&folder) {
        if name.ends_with(".chrome-rtcstats") {
            let found = features_of(&folder.join(format!("{name}.gz")));
            tally.compare(&name, &expected, &serde_json::to_value(found).unwrap());
        }
    }
    tally.finish(5);
}

#[test]
fn sessions_on_which_the_existing_extractor_fails_have_features() {
    let mut count = 0;
    for folder in ["corpus/wire", "corpus/internals"] {
        let Some(folder) = golden::shared(folder) else {
            return;
        };
        for name in names(&folder, ".features-error.txt") {
            let features = if name.ends_with(".chrome-rtcstats") {
                features_of(&folder.join(format!("{name}.gz")))
            } else if name.ends_with(".webrtc-internals") {
                features_of_export(&read_to_string(folder.join(format!("{name}.json"))).unwrap())
            } else {
                features_of(&folder.join(format!("{name}.dump.gz")))
            };
            for connection in &features.peer_connections {
                assert_is_plausible(&name, connection);
            }
            count += 1;
        }
    }
    assert!(count >= 8, "only {count}");
}

/// What all these recordings have in common.
fn assert_is_plausible(name: &str, connection: &ConnectionFeatures) {
    let place = format!("{name} {}", connection.connection_identifier);
    // Chrome files what devices do under a connection of its own.
    if connection.connection_identifier.ends_with("-0") {
        assert!(connection.tracks.is_empty(), "{place}");
        return;
    }
    // That session begins in the middle: its reports do not even say what they are of.
    if name.contains("dropped") {
        return;
    }
    assert!(
        connection.average_outbound_bitrate > Some(1000.0),
        "{place}"
    );
    assert!(
        connection.connected && connection.connection_time.is_some(),
        "{place}"
    );
    assert_eq!(
        connection.first_candidate_pair_local_address,
        Some(json!("127.0.0.1")),
        "{place}"
    );
    let is_of = |track: &&TrackFeatures, direction| {
        track.direction == direction && track.stats_id.is_some() && track.duration > 5000.0
    };
    for direction in [Direction::Inbound, Direction::Outbound] {
        let tracks: Vec<_> = connection
            .tracks
            .iter()
            .filter(|it| is_of(it, direction))
            .collect();
        let kinds = |kind: &str| {
            tracks
                .iter()
                .any(|track| track.kind.as_deref() == Some(kind))
        };
        assert!(kinds("audio") && kinds("video"), "{place}: {direction:?}");
        assert!(
            tracks.iter().all(|track| track.codec_mime_type.is_some()),
            "{place}"
        );
    }
}

#[test]
fn tracks_are_those_of_the_existing_reader() {
    let Some(path) = golden::shared("golden/rtcstats/dump-reader.jsonl") else {
        return;
    };
    let mut tally = Tally::new("tracks");
    for line in read_to_string(path).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let (name, dump) = (row["name"].as_str().unwrap(), row["in"].as_str().unwrap());
        // Of arrays that are too short to be events nothing is taken here.
        let is_short = row["tracks"].get("undefined").is_some() || name == "s-two-elements";
        if row["tracks"].is_object() && !is_short && !dump.starts_with('{') {
            compare_tracks(&row, &features_from(dump.as_bytes()), &mut tally);
        }
    }
    tally.finish(27);
}

#[test]
fn tracks_of_exports_are_those_of_the_existing_reader() {
    let mut tally = Tally::new("tracks of exports");
    for (path, input) in [
        ("golden/rtcstats/dump-reader.jsonl", "in"),
        ("golden/rtcstats/internals-convert.jsonl", "in"),
    ] {
        let Some(path) = golden::shared(path) else {
            return;
        };
        for line in read_to_string(path).unwrap().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let export = match &row[input] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if row["tracks"].is_object() && export.starts_with('{') {
                compare_tracks(&row, &features_of_export(&export), &mut tally);
            }
        }
    }
    tally.finish(4);
}

/// Compares order and tracks of the connections.
fn compare_tracks(row: &Value, found: &Features, tally: &mut Tally) {
    let name = row["name"].as_str().unwrap();
    let order = row["connectionOrder"].as_array().unwrap().iter();
    let expected: Vec<_> = order
        .filter(|key| *key != "null")
        .map(|key| json!([key, row["tracks"][key.as_str().unwrap()]]))
        .collect();
    let shown: Vec<_> = found.peer_connections.iter().map(connection).collect();
    tally.compare(name, &json!(expected), &json!(shown));
}

fn connection(connection: &ConnectionFeatures) -> Value {
    let tracks: Vec<_> = connection.tracks.iter().map(track).collect();
    json!([connection.connection_identifier, tracks])
}
/// A track as the existing reader shows it.
fn track(track: &TrackFeatures) -> Value {
    let mut shown = json!({
        "kind": track.kind,
        "id": track.track_identifier,
        "label": track.label,
        "streams": track.streams,
        "direction": track.direction,
        "startTime": track.start_time,
    });
    if let Some(id) = &track.stats_id {
        shown["statsId"] = json!(id);
    }
    shown
}

fn features_of(path: &Path) -> Features {
    features_from(decompress(BufReader::new(File::open(path).unwrap())).unwrap())
}

fn features_of_export(text: &str) -> Features {
    let mut export = Internals::parse(text, &Limits::default()).unwrap();
    let mut extractor = Extractor::new(RtcstatsFold::default());
    while let Some(event) = export.next_event() {
        extractor.push(&event).unwrap();
    }
    let features = extractor.finish(0.0);
    assert!(!features.is_incomplete);
    features
}

fn features_from(dump: impl BufRead) -> Features {
    let mut extractor = Extractor::new(RtcstatsFold::default());
    extract(LineReader::new(dump), &mut extractor).unwrap();
    let features = extractor.finish(0.0);
    assert!(!features.is_incomplete);
    features
}

/// Names and contents of the expected features in a folder.
fn expectations(folder: &Path) -> Vec<(String, Value)> {
    let suffix = ".features.json";
    let read = |name: String| {
        let text = read_to_string(folder.join(format!("{name}{suffix}"))).unwrap();
        (name, serde_json::from_str(&text).unwrap())
    };
    names(folder, suffix).into_iter().map(read).collect()
}

/// Files of a folder with the suffix, which is cut off their names.
fn names(folder: &Path, suffix: &str) -> Vec<String> {
    let mut names: Vec<_> = read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| Some(name.strip_suffix(suffix)?.to_owned()))
        .collect();
    names.sort();
    names
}
