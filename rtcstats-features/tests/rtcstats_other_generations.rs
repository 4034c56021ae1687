//! Recordings of Jitsi and legacy clients through the features of the rtcstats.com server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use std::fs::{File, read_dir};
use std::io::{BufReader, Read as _, Write as _};
use std::path::PathBuf;

use rtcstats_features::jitsi::{JitsiFold, PcAggregate};
use rtcstats_features::rtcstats::{
    ConnectionFeatures, Direction, Features, RtcstatsFold, TrackFeatures,
};
use rtcstats_features::{Extractor, extract};
use rtcstats_proto::dump::{LineReader, decompress};
use rtcstats_proto::legacy::repair;
use serde_json::{Value, json};

/// Recordings of `corpus/wire` whose names begin and end like this.
fn recordings(prefix: &str, suffix: &str) -> Vec<(String, PathBuf)> {
    let Some(folder) = golden::shared("corpus/wire") else {
        return Vec::new();
    };
    let paths = read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = paths
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(suffix)?.to_owned();
            name.starts_with(prefix).then_some((name, path))
        })
        .collect();
    found.sort();
    found
}

fn text_of(path: PathBuf) -> String {
    let mut text = String::new();
    let mut input = decompress(BufReader::new(File::open(path).unwrap())).unwrap();
    input.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn dumps_of_jitsi_clients_yield_what_the_features_of_jitsi_say() {
    let mut count = 0;
    for (name, path) in recordings("jitsi-", ".dump.gz") {
        let folds = (JitsiFold::new("id"), RtcstatsFold::default());
        let mut extractor = Extractor::new(folds);
        let dump = text_of(path);
        extract(LineReader::new(dump.as_bytes()), &mut extractor).unwrap();
        assert_eq!(extractor.counters().errors, 0, "{name}");
        let (jitsi, features) = extractor.finish(0.0);
        let session = jitsi.client().unwrap();
        // Jitsi's begins behind the identity.
        let connections = features.peer_connections.iter();
        let starts = connections.filter_map(|connection| connection.start_time);
        let start = starts.chain(features.client.start_time).reduce(f64::min);
        let earlier = session.session_start_time - start.unwrap();
        assert!((0.0..5000.0).contains(&earlier), "{name}: {earlier}");
        assert_is_jitsi(&name, &features, dump.contains(" x.x.x.x "));
        // Events of the page that Jitsi counts among those of a connection.
        let aggregates = session.aggregates.iter().filter(|(key, _)| *key != "null");
        for (key, aggregate) in aggregates {
            let connection = connection(&features, key);
            assert_agree(&format!("{name} {key}"), aggregate, connection);
        }
        count += 1;
    }
    note("Jitsi", count);
}

fn connection<'a>(features: &'a Features, key: &str) -> &'a ConnectionFeatures {
    let mut connections = features.peer_connections.iter();
    connections
        .find(|connection| connection.connection_identifier == key)
        .unwrap()
}

/// What these clients have no data for is absent.
fn assert_is_jitsi(name: &str, features: &Features, hides_addresses: bool) {
    let client = &features.client;
    assert!(client.page.is_empty(), "{name}");
    assert_eq!(client.operating_system, None, "{name}");
    assert_eq!(client.web_socket_connection_time, None, "{name}");
    assert_eq!(client.enumerate_devices_count, None, "{name}");
    assert!(!features.is_incomplete, "{name}");
    for connection in &features.peer_connections {
        assert_eq!(connection.gathering_time_turn_udp, None, "{name}");
        assert_eq!(connection.rtcstats_location_country, None, "{name}");
        if hides_addresses && connection.gathered_host_candidate {
            assert_ne!(connection.gathered_mdns_candidate, Some(false), "{name}");
        }
        for track in &connection.tracks {
            assert_eq!(track.time_to_first_frame, None, "{name}");
        }
        if name.contains("nosdp") {
            assert_eq!(connection.using_ice_lite, None, "{name}");
            assert_eq!(connection.added_host_candidate, None, "{name}");
            assert_eq!(connection.set_local_description_role, None, "{name}");
            assert!(connection.set_local_description_delay.is_some(), "{name}");
            assert_eq!(connection.signaling_delay, None, "{name}");
        }
    }
}

fn assert_agree(place: &str, jitsi: &PcAggregate, connection: &ConnectionFeatures) {
    // Of Jitsi's the first to the last event of another choice.
    let difference = jitsi.pc_session_duration_ms - connection.duration.unwrap();
    assert!(difference.abs() < 60_000.0, "{place}: {difference}");
    let local_type = connection.first_candidate_pair_local_type.as_ref();
    if let (Some(pair), Some(local_type)) = (&jitsi.candidate_pair_data, local_type)
        && connection.number_of_negotiations == 1
    {
        assert_eq!(pair.local_candidate_type, *local_type, "{place}");
    }
    if jitsi.uses_relay == Some(true) {
        assert_eq!(local_type, Some(&json!("relay")), "{place}");
    }
    let inbound = || {
        let tracks = connection.tracks.iter();
        tracks.filter(|it| it.direction == Direction::Inbound && it.stats_id.is_some())
    };
    let mut received = jitsi.tracks.receiver_tracks.iter();
    if received.any(|track| track.packets > 0.0) {
        assert!(inbound().count() > 0 && connection.connected, "{place}");
    }
    let audio = jitsi.tracks.receiver_tracks.iter();
    let audio = audio.filter(|track| track.media_type == "audio").count();
    let heard = inbound().filter(|track| track.total_samples_received > Some(0.0));
    assert!(heard.count() <= audio, "{place}");
    let experience = jitsi.inbound_video_experience.as_ref();
    let height = experience.and_then(|it| it.upper_bound_aggregates.mean_frame_height);
    if let Some(height) = height {
        let is_above = |track: &TrackFeatures| track.max_height >= Some(height.floor());
        assert!(inbound().any(is_above), "{place}: {height}");
    }
}

#[test]
fn messages_of_legacy_clients_yield_features() {
    let mut count = 0;
    for (name, path) in recordings("legacy-", ".wire.jsonl.gz") {
        let text = text_of(path);
        let mut extractor = Extractor::new(RtcstatsFold::default());
        extractor.push_line(r#"{"fileFormat":2}"#).unwrap();
        for line in text.lines().skip(1) {
            let message: Value = serde_json::from_str(line).unwrap();
            let data = message["data"].as_str().unwrap();
            let mut repaired = String::new();
            let is_repaired = repair(data, &mut repaired);
            extractor
                .push_line(if is_repaired { &repaired } else { data })
                .unwrap();
        }
        let features = extractor.finish(0.0);
        let connected: Vec<_> = features
            .peer_connections
            .iter()
            .filter(|connection| connection.ice_connected)
            .collect();
        assert!(!connected.is_empty(), "{name}");
        for connection in connected {
            assert_legacy(&name, connection);
        }
        count += 1;
    }
    note("legacy", count);
}

fn assert_legacy(name: &str, connection: &ConnectionFeatures) {
    let place = format!("{name} {}", connection.connection_identifier);
    assert!(connection.duration > Some(1000.0), "{place}");
    assert!(connection.added_host_candidate.is_some(), "{place}");
    assert!(connection.set_local_description_delay.is_some(), "{place}");
    assert!(connection.set_remote_description_role.is_some(), "{place}");
    if name.contains("nostats") {
        assert!(connection.clock_skew.is_none(), "{place}");
        assert!(
            connection.tracks.iter().all(|track| track.duration == 0.0),
            "{place}"
        );
        return;
    }
    assert!(
        connection.number_of_events > connection.number_of_events_not_get_stats,
        "{place}"
    );
    if name.contains("datachannel") {
        return;
    }
    let carried = connection
        .tracks
        .iter()
        .filter(|track| track.stats_id.is_some());
    for track in carried.clone() {
        assert!(track.codec_mime_type.is_some(), "{place}");
        assert!(track.kind.is_some(), "{place}");
    }
    assert!(carried.count() > 0, "{place}");
}

fn note(kind: &str, count: usize) {
    // Not a print macro: those are captured while the test passes.
    let _ = writeln!(std::io::stderr(), "{kind}: {count}");
    assert!(count == 0 || count > 20, "only {count}");
}

#[test]
fn streams_of_older_browsers_have_tracks() {
    for name in [
        "chrome-standard-pc-failed",
        "google-standard-stats-sfu",
        "google-standard-stats-p2p",
    ] {
        let Some(path) = golden::shared(&format!("golden/jitsi/{name}.dump")) else {
            return;
        };
        let mut extractor = Extractor::new(RtcstatsFold::default());
        let dump = text_of(path);
        extract(LineReader::new(dump.as_bytes()), &mut extractor).unwrap();
        let features = extractor.finish(0.0);
        let tracks = || {
            let connections = features.peer_connections.iter();
            connections.flat_map(|connection| &connection.tracks)
        };
        let is_carried = |track: &TrackFeatures, kind: &str, direction| {
            track.kind.as_deref() == Some(kind)
                && track.direction == direction
                && track.duration > 1000.0
        };
        for direction in [Direction::Inbound, Direction::Outbound] {
            assert!(
                tracks().any(|track| is_carried(track, "audio", direction)),
                "{name}: {direction:?}"
            );
        }
    }
}
