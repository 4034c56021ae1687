//! Damaged and hostile files of every format: cut anywhere, with bytes changed, made to cost more than
//! they should. And recordings, of which nothing is refused.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod golden;

use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use rtcstats_proto::dump::{
    Coding, Converter, Format, Internals, LineReader, Replay, ReplayError, Writer, decompress,
};
use rtcstats_proto::jitsi::{ConnectionInfo, Message};
use rtcstats_proto::json::JsonErrorKind;
use rtcstats_proto::{EventError, Generation, Limits, RawJson, Timeseries, TimeseriesError};
use serde_json::Value;

/// The signalling of an audio and video call, and four reports, recorded from Chromium.
const DUMP: &str = include_str!("data/chromium-av-p2p.dump");

const EXPORT: &str = r#"{"UserAgent":"Chrome/156","timestamp":1700000009000,
 "getUserMedia":[{"request_type":"getUserMedia","timestamp":1,"audio":"","video":"{\"width\":640}"},
  {"request_type":"getUserMedia","timestamp":2,"audio_track_info":"{\"id\":\"a\",\"label\":\"Mic\"}","stream_id":"s"},
  {"request_type":"getDisplayMedia","timestamp":3,"error":"NotAllowedError"}],
 "PeerConnections":{"9-1":{"rtcConfiguration":"{\"bundlePolicy\":\"balanced\"}","url":"https://app.example/room",
  "updateLog":[{"type":"addTrack","value":"{\"kind\":\"audio\",\"id\":\"a\",\"streams\":[\"s\"]}","timestamp":4},
   {"type":"createOfferOnSuccess","value":"{\"type\":\"offer\",\"sdp\":\"v=0\\r\\nm=audio 9\\r\\n\"}","timestamp":5},
   {"type":"onsignalingstatechange","value":"\"stable\"","time":"2026-01-01T00:00:00.000Z"}],
  "stats":{"O-bytesSent":{"statsType":"outbound-rtp","values":"[10,20,30]"},
   "O-[bytesSent_in_bits/s]":{"statsType":"outbound-rtp","values":"[80,80]"},
   "O-timestamp":{"statsType":"outbound-rtp","values":"[1000,2000,2000]"},
   "R-jitter":{"statsType":"remote-inbound-rtp","values":"[0.5,\"x\"]"},"R-timestamp":{"statsType":"remote-inbound-rtp","values":"[1500,1500]"}}}}}"#;

const TARGETS: [(Generation, Coding); 4] = [
    (Generation::Rtcstats, Coding::Coded),
    (Generation::Rtcstats, Coding::Plain),
    (Generation::Jitsi, Coding::Coded),
    (Generation::Legacy, Coding::Coded),
];

fn converted(text: &str, (generation, coding): (Generation, Coding)) -> String {
    let mut converter = Converter::new(generation, Limits::default()).with_coding(coding);
    let mut out = String::new();
    for line in text.lines() {
        converter.push_line(line, &mut out).unwrap();
    }
    converter.finish(&mut out);
    out
}

/// What a file is read to, whatever is wrong with it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reading {
    events: usize,
    errors: usize,
    torn: usize,
}

fn read(bytes: &[u8]) -> Reading {
    let mut reading = Reading::default();
    let Ok(input) = decompress(bytes) else {
        return reading;
    };
    let mut input = BufReader::with_capacity(100, input);
    if Format::detect(bytes) == Some(Format::Internals) {
        read_export(
            &Internals::read_text(&mut input, &Limits::default()).unwrap(),
            &mut reading,
        );
        return reading;
    }
    let mut lines = LineReader::new(input);
    let mut replay = Replay::default();
    let mut converters = TARGETS.map(|(generation, coding)| {
        Converter::new(generation, Limits::default()).with_coding(coding)
    });
    let mut out = String::new();
    while let Ok(Some(line)) = lines.next_line() {
        for converter in &mut converters {
            out.clear();
            let _ = converter.push_line(line.as_str(), &mut out);
            check_lines(&out);
        }
        match replay.push_line(line.as_str()) {
            Ok(replayed) => reading.events += usize::from(replayed.is_some()),
            Err(ReplayError::Event(error)) if error.is_truncation() => reading.torn += 1,
            Err(_) => reading.errors += 1,
        }
    }
    reading
}

fn read_export(text: &str, reading: &mut Reading) {
    match Internals::parse(text, &Limits::default()) {
        Ok(mut internals) => {
            let mut converter = Converter::new(Generation::Rtcstats, Limits::default());
            let mut out = String::new();
            while let Some(event) = internals.next_event() {
                reading.events += 1;
                out.clear();
                reading.errors += usize::from(converter.push(event, &mut out).is_err());
                check_lines(&out);
            }
        }
        Err(_) => reading.errors += 1,
    }
    let stats = RawJson::parse(text).ok().and_then(|export| {
        let connections = export.get("PeerConnections")?;
        connections.members().next()?.1.get("stats")
    });
    let series = Timeseries::from_internals(stats.unwrap_or(RawJson::NULL), &Limits::default());
    assert!(series.is_ok());
}

/// Each line is JSON, or the header.
fn check_lines(text: &str) {
    assert!(text.is_empty() || text.ends_with('\n'));
    for line in text.lines() {
        assert!(
            line == "RTCStatsDump" || RawJson::parse(line).is_ok(),
            "{line}"
        );
    }
}

/// The file in every format.
fn files() -> Vec<String> {
    let dumps = TARGETS.map(|target| converted(DUMP, target));
    dumps.into_iter().chain([EXPORT.to_owned()]).collect()
}

#[test]
fn a_file_cut_anywhere_is_read_up_to_there() {
    for file in files() {
        let whole = read(file.as_bytes());
        assert_eq!((whole.errors, whole.torn), (0, 0));
        let is_export = file.starts_with("{\"UserAgent");
        let step = if is_export { 1 } else { 101 };
        for length in (0..file.len()).step_by(step) {
            let cut = read(file.as_bytes().get(..length).unwrap());
            if is_export {
                assert!(cut.errors <= 1);
            } else {
                // At the end of a line nothing is torn, and a torn report may look like a malformed one.
                assert!(cut.errors + cut.torn <= 1, "{length}: {cut:?}");
                assert!(cut.events <= whole.events);
            }
        }
    }
}

#[test]
fn a_changed_byte_costs_an_event_and_what_builds_on_it() {
    for file in files() {
        let bytes = file.as_bytes();
        let step = if file.starts_with("{\"UserAgent") {
            3
        } else {
            307
        };
        for place in (0..bytes.len()).step_by(step) {
            for change in [|byte| byte ^ 1, |_| b'"', |_| b'}', |_| b'\n', |_| 0xFF] {
                let change: fn(u8) -> u8 = change;
                let mut damaged = bytes.to_vec();
                let byte = damaged.get_mut(place).unwrap();
                *byte = change(*byte);
                read(&damaged);
            }
        }
    }
}

#[test]
fn limits_hold_for_connections_points_and_exports() {
    let limits = Limits {
        connections: 2,
        points: 3,
        ..Limits::default()
    };
    let mut replay = Replay::new(limits);
    let push = |replay: &mut Replay, connection: &str| {
        let line = format!("[\"g\",\"{connection}\",{{\"t\":1}},5]");
        replay.push_line(&line).map(|_| ()).err()
    };
    assert_eq!(push(&mut replay, "a"), None);
    assert_eq!(push(&mut replay, "b"), None);
    let refused = Some(ReplayError::Connections { allowed: 2 });
    assert_eq!(push(&mut replay, "c"), refused);
    assert_eq!(push(&mut replay, "a"), None);

    let stats =
        RawJson::parse(r#"{"A-x":{"values":"[1,2,3,4]"},"A-timestamp":{"values":"[1,2,3,4]"}}"#);
    assert_eq!(
        Timeseries::from_internals(stats.unwrap(), &limits).err(),
        Some(TimeseriesError::Points { allowed: 3 })
    );
}

#[test]
fn depth_in_a_text_in_an_export_is_refused_without_recursion() {
    let deep = "[".repeat(100_000);
    let export = format!(
        r#"{{"PeerConnections":{{"1":{{"updateLog":[{{"type":"a","value":"{deep}","timestamp":1}}],"stats":{{"A-timestamp":{{"values":"{deep}"}}}}}}}}}}"#
    );
    let mut internals = Internals::parse(&export, &Limits::default()).unwrap();
    let mut names = Vec::new();
    while let Some(event) = internals.next_event() {
        names.push(event.name().to_owned());
    }
    assert_eq!(names, ["create", "create", "a"]);
    assert_eq!(internals.skipped(), 1);
    let error = Replay::default().push_line(&deep).unwrap_err();
    assert!(matches!(
        error,
        ReplayError::Event(EventError::Json(error)) if error.kind == JsonErrorKind::Depth
    ));
}

/// An object whose samples never come in order, and as many ids as fit.
#[test]
fn an_export_made_to_be_slow_is_read_in_time() {
    let count = 200_000;
    let times: Vec<String> = (0..count).rev().map(|time| time.to_string()).collect();
    let values = vec!["0"; count].join(",");
    let series = |name: &str, values: &str| format!("\"A-{name}\":{{\"values\":\"[{values}]\"}}");
    let ids = (0..50_000).map(|id| {
        format!("\"i{id}-x\":{{\"values\":\"[1]\"}},\"i{id}-timestamp\":{{\"values\":\"[5]\"}}")
    });
    let stats = [
        series("x", &values),
        series("y", &values),
        series("timestamp", &times.join(",")),
        ids.collect::<Vec<_>>().join(","),
    ];
    let export = format!(
        r#"{{"PeerConnections":{{"1":{{"stats":{{{}}}}}}}}}"#,
        stats.join(",")
    );
    let mut internals = Internals::parse(&export, &Limits::default()).unwrap();
    let mut events = 0;
    while internals.next_event().is_some() {
        events += 1;
    }
    assert_eq!(events, count + 2);
}

fn recordings() -> Vec<PathBuf> {
    let folders = ["corpus/wire", "corpus/internals"];
    let entries = folders.into_iter().filter_map(golden::shared);
    let entries = entries.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn text(path: &Path) -> String {
    let file = BufReader::new(std::fs::File::open(path).unwrap());
    let mut text = String::new();
    decompress(file).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// The dump that a server makes of a recording.
fn dump_of(recording: &str) -> String {
    let mut lines = recording.lines();
    let head: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    let subprotocol = head["subprotocol"].as_str().unwrap();
    let messages = lines.filter_map(|line| {
        let message: Value = serde_json::from_str(line).unwrap();
        (message["dir"] == "c2s").then(|| message["data"].as_str().unwrap().to_owned())
    });
    match Generation::from_subprotocol(subprotocol) {
        Generation::Rtcstats => {
            let messages: Vec<String> = messages.collect();
            format!(
                "RTCStatsDump\n{{\"fileFormat\":3}}\n{}",
                messages.join("\n")
            )
        }
        Generation::Legacy => {
            let messages: Vec<String> = messages.collect();
            format!("{{\"fileFormat\":2}}\n{}", messages.join("\n"))
        }
        Generation::Jitsi => {
            let info = ConnectionInfo {
                client_protocol: subprotocol.to_owned(),
                ..ConnectionInfo::default()
            };
            let mut writer = Writer::new(Vec::new(), &info, 1.0).unwrap();
            for message in messages {
                let message = Message::parse(&message).unwrap();
                writer.write_message(&message, 2.0).unwrap();
            }
            String::from_utf8(writer.into_inner()).unwrap()
        }
    }
}

#[test]
fn nothing_of_a_recording_is_refused() {
    let mut count = 0;
    for path in recordings() {
        let name = path.to_string_lossy().into_owned();
        let text = if name.ends_with(".wire.jsonl.gz") {
            dump_of(&text(&path))
        } else if [
            ".dump.gz",
            ".chrome-rtcstats.gz",
            ".json.gz",
            "internals.json",
        ]
        .iter()
        .any(|end| name.ends_with(end))
        {
            text(&path)
        } else {
            continue;
        };
        let mut reading = Reading::default();
        if Format::detect(text.as_bytes()) == Some(Format::Internals) {
            read_export(&text, &mut reading);
        } else {
            let mut replay = Replay::default();
            for line in text.lines() {
                match replay.push_line(line) {
                    Ok(_) => reading.events += 1,
                    Err(error) => panic!("{name}: {error}"),
                }
            }
        }
        assert!(
            reading.errors == 0 && reading.events > 0,
            "{name}: {reading:?}"
        );
        count += 1;
    }
    println!("{count} files are read to their end");
}
