//! Recordings converted to every generation and back: the events are the same.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod golden;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use rtcstats_proto::dump::{
    Coding, Converter, Format, Head, Internals, LineReader, Replay, WholeValue, decompress,
};
use rtcstats_proto::{EventForm, Generation, Limits, Method, RawJson};
use serde_json::Value;

/// The signalling of an audio and video call, and four reports, recorded from Chromium.
const DUMP: &str = include_str!("data/chromium-av-p2p.dump");

/// What conversion keeps of an event.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    name: String,
    connection: String,
    time: Option<f64>,
    /// The lines of a description.
    description: Vec<String>,
    /// The members of reports by id, but for timestamps and ids.
    reports: BTreeMap<String, BTreeMap<String, Value>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Coded,
    Plain,
    Jitsi,
    Legacy,
}

const TARGETS: [Target; 4] = [Target::Coded, Target::Plain, Target::Jitsi, Target::Legacy];

impl Target {
    fn converter(self) -> Converter {
        let (generation, coding) = match self {
            Self::Coded => (Generation::Rtcstats, Coding::Coded),
            Self::Plain => (Generation::Rtcstats, Coding::Plain),
            Self::Jitsi => (Generation::Jitsi, Coding::Coded),
            Self::Legacy => (Generation::Legacy, Coding::Coded),
        };
        Converter::new(generation, Limits::default()).with_coding(coding)
    }

    fn format(self) -> Format {
        match self {
            Self::Coded | Self::Plain => Format::Rtcstats,
            Self::Jitsi => Format::Jitsi,
            Self::Legacy => Format::Legacy,
        }
    }
}

fn converted(text: &str, target: Target) -> String {
    let mut converter = target.converter();
    let mut out = String::new();
    if Format::detect(text.as_bytes()) == Some(Format::Internals) {
        let mut internals = Internals::parse(text, &Limits::default()).unwrap();
        converter = converter.with_head(internals.head());
        while let Some(event) = internals.next_event() {
            converter.push(event, &mut out).unwrap();
        }
    } else {
        let mut reader = LineReader::new(text.as_bytes());
        while let Some(line) = reader.next_line().unwrap() {
            converter.push_line(line.as_str(), &mut out).unwrap();
        }
    }
    converter.finish(&mut out);
    out
}

fn events(text: &str) -> Vec<Kept> {
    let mut replay = Replay::default();
    let mut events = Vec::new();
    if Format::detect(text.as_bytes()) == Some(Format::Internals) {
        let mut internals = Internals::parse(text, &Limits::default()).unwrap();
        while let Some(event) = internals.next_event() {
            let replayed = replay.push(event).unwrap();
            events.push(kept(&replayed.event, replayed.value));
        }
        return events;
    }
    let mut reader = LineReader::new(text.as_bytes());
    while let Some(line) = reader.next_line().unwrap() {
        let Some(replayed) = replay.push_line(line.as_str()).unwrap() else {
            continue;
        };
        let event = &replayed.event;
        let is_head =
            event.form() == EventForm::Metadata || event.method() == Some(Method::ConnectionInfo);
        if !is_head {
            events.push(kept(event, replayed.value));
        }
    }
    events
}

fn kept(event: &rtcstats_proto::Event<'_>, value: WholeValue<'_>) -> Kept {
    let reports = match value {
        WholeValue::Stats(stats) => {
            let mut json = String::new();
            stats.write_json(&mut json);
            reports(&json)
        }
        WholeValue::Json(_) => BTreeMap::new(),
    };
    let description = match value {
        WholeValue::Json(value) => value.get("sdp").and_then(RawJson::as_text),
        WholeValue::Stats(_) => None,
    };
    let name = event.name().replace("getstats", "getStats");
    let lines = description.as_deref().unwrap_or_default().split('\n');
    let lines = lines.map(str::trim).filter(|line| !line.is_empty());
    Kept {
        name: name.strip_prefix("page:").unwrap_or(&name).to_owned(),
        // A falsy key is no connection.
        connection: event.connection_key().to_owned(),
        time: event.timestamp(),
        description: lines.map(str::to_owned).collect(),
        reports,
    }
}

fn reports(json: &str) -> BTreeMap<String, BTreeMap<String, Value>> {
    let Value::Object(reports) = serde_json::from_str(json).unwrap() else {
        return BTreeMap::new();
    };
    let objects = reports.into_iter().filter_map(|(id, report)| match report {
        Value::Object(members) => Some((id, members)),
        _ => None,
    });
    objects
        .map(|(id, members)| {
            // Chrome's own dumps repeat the id.
            let members = members
                .into_iter()
                .filter(|(name, _)| name != "timestamp" && name != "id");
            (
                id,
                members.map(|(name, value)| (name, number(value))).collect(),
            )
        })
        .collect()
}

fn number(value: Value) -> Value {
    value.as_f64().map_or(value, Value::from)
}

/// What the codec of rtcstats 5.0 leaves of a set of reports, whatever their ids.
fn coded(reports: &BTreeMap<String, BTreeMap<String, Value>>) -> Vec<BTreeMap<String, String>> {
    let is_dropped = |name: &str| {
        name.ends_with("Id") || ["isRemote", "ip", "mediaType", "writable", "id"].contains(&name)
    };
    let is_certificate = |report: &BTreeMap<String, Value>| {
        report.get("type").is_none_or(|kind| kind == "certificate")
    };
    let mut reports: Vec<_> = reports
        .values()
        .filter(|report| !is_certificate(report))
        .map(|report| {
            let members = report.iter().filter(|(name, _)| !is_dropped(name));
            // An empty object is not sent.
            let members = members.filter(|(_, value)| **value != Value::Object(Default::default()));
            members
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect()
        })
        .collect();
    reports.sort_unstable();
    reports
}

/// Whether `after` has the events of `before`, as far as a format on the way keeps them.
fn assert_same(before: &[Kept], after: &[Kept], targets: &[Target], name: &str) {
    assert_eq!(before.len(), after.len(), "{name}");
    for (before, after) in before.iter().zip(after) {
        let what = format!("{name}: {} at {:?}", before.name, before.time);
        assert_eq!(before.name, after.name, "{what}");
        assert_eq!(before.connection, after.connection, "{what}");
        assert_eq!(before.time, after.time, "{what}");
        assert_eq!(before.description, after.description, "{what}");
        if targets.contains(&Target::Coded) {
            let (before, after) = (coded(&before.reports), coded(&after.reports));
            if targets.contains(&Target::Legacy) {
                let is_there = |report| after.iter().any(|after| is_part(report, after));
                assert!(before.iter().all(is_there), "{what}");
            } else {
                assert_eq!(before, after, "{what}");
            }
        } else if targets.contains(&Target::Legacy) {
            // Nothing ever goes, so what comes back has the members it once had.
            for (id, report) in &before.reports {
                assert!(is_part(report, &after.reports[id]), "{what}");
            }
        } else {
            assert_eq!(before.reports, after.reports, "{what}");
        }
    }
}

fn is_part<T: PartialEq>(part: &BTreeMap<String, T>, whole: &BTreeMap<String, T>) -> bool {
    part.iter()
        .all(|(name, value)| whole.get(name) == Some(value))
}

fn assert_converts(text: &str, name: &str) {
    let before = events(text);
    let source = Format::detect(text.as_bytes()).unwrap();
    for target in TARGETS {
        let there = converted(text, target);
        let name = format!("{name} to {target:?}");
        assert_eq!(
            Format::detect(there.as_bytes()),
            Some(target.format()),
            "{name}"
        );
        assert_same(&before, &events(&there), &[target], &name);
        let back = match source {
            Format::Jitsi => Target::Jitsi,
            Format::Legacy => Target::Legacy,
            _ => Target::Coded,
        };
        let name = format!("{name} and back");
        assert_same(
            &before,
            &events(&converted(&there, back)),
            &[target, back],
            &name,
        );
    }
}

/// A legacy dump of a recording of messages.
fn legacy_dump(recording: &str) -> String {
    let mut lines = recording.lines();
    let head: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    let head = serde_json::json!({"path": head["url"], "time": head["openedAt"], "fileFormat": 2});
    let mut dump = head.to_string();
    for line in lines {
        let message: Value = serde_json::from_str(line).unwrap();
        if message["dir"] == "c2s" {
            dump.push('\n');
            dump.push_str(message["data"].as_str().unwrap());
        }
    }
    dump
}

fn read(path: &Path) -> String {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut text = String::new();
    decompress(file).unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_recording_converts_to_every_generation_and_back() {
    assert_converts(DUMP, "own recording");
    let rtcstats = converted(DUMP, Target::Coded);
    assert_converts(&rtcstats, "own recording of rtcstats 5.0");
    assert_converts(&converted(DUMP, Target::Plain), "own plain recording");
    assert_converts(&converted(DUMP, Target::Legacy), "own legacy recording");
}

/// Converts what is in a folder of recordings, and returns how many there are.
fn convert_all(folder: &str) -> Option<usize> {
    let folder = golden::shared(folder)?;
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_dump = name.ends_with(".dump.gz")
            || name.ends_with(".chrome-rtcstats.gz")
            || name.ends_with(".webrtc-internals.json");
        let text = if is_dump {
            read(&path)
        } else if name.starts_with("legacy-") && name.ends_with(".wire.jsonl.gz") {
            legacy_dump(&read(&path))
        } else {
            continue;
        };
        assert_converts(&text, &name);
        count += 1;
    }
    Some(count)
}

#[test]
fn every_recording_of_a_client_converts_to_every_generation_and_back() {
    assert!(convert_all("corpus/wire").is_none_or(|count| count > 90));
}

#[test]
fn every_download_of_chrome_converts_to_every_generation_and_back() {
    assert!(convert_all("corpus/internals").is_none_or(|count| count == 12));
}

#[test]
fn plain_dumps_keep_ids_and_the_times_of_reports() {
    let plain = converted(DUMP, Target::Plain);
    let mut reports = [DUMP, &plain].map(|text| {
        let mut replay = Replay::default();
        let mut last = String::new();
        for line in text.lines() {
            if let Some(replayed) = replay.push_line(line).unwrap()
                && let WholeValue::Stats(stats) = replayed.value
            {
                last.clear();
                stats.write_json(&mut last);
            }
        }
        serde_json::from_str::<Value>(&last).unwrap()
    });
    let [before, after] = &mut reports;
    assert_eq!(before, after);
}

#[test]
fn values_are_written_in_the_form_of_the_generation() {
    let jitsi = [
        r#"["addTrack","PC_0","audio:a stream:s;stream:t",1700000000001,1]"#,
        r#"["addTrack","PC_0","audio:a -",1700000000002,2]"#,
        r#"["ontrack","PC_0","video:v stream:s,stream:t",1700000000003,3]"#,
        r#"["addTransceiver","PC_0","audio",1700000000004,4]"#,
        r#"["addTransceiver","PC_0","video:v {\"direction\":\"sendonly\"}",1700000000005,5]"#,
        r#"["createDataChannel","PC_0",{"0":"label","1":{"ordered":false}},1700000000006,6]"#,
        r#"["close","PC_0",{},1700000000007,7]"#,
    ];
    let rtcstats = [
        "RTCStatsDump",
        r#"{"startTime":1700000000001,"clientProtocol":"rtcstats#5.0","fileFormat":3}"#,
        r#"[30,"PC_0",["audio","a","","s","t"],1700000000001]"#,
        r#"[30,"PC_0",["audio","a",""],1]"#,
        r#"[22,"PC_0",["video","v","","s","t"],1]"#,
        r#"[32,"PC_0",["audio"],1]"#,
        r#"[32,"PC_0",[["video","v",""],{"direction":"sendonly"}],1]"#,
        r#"[35,"PC_0",["label",{"ordered":false}],1]"#,
        r#"[36,"PC_0",null,1]"#,
    ];
    let there = converted(&jitsi.join("\n"), Target::Coded);
    assert_eq!(there.lines().collect::<Vec<_>>(), rtcstats);
    let back = converted(&there, Target::Jitsi);
    assert_eq!(back.lines().skip(1).collect::<Vec<_>>(), jitsi);

    let capture = r#"["navigator.mediaDevices.getUserMediaOnSuccess",null,{"id":"s","tracks":[{"id":"a","kind":"audio","label":"Mic"}]},1700000000001,1]"#;
    let there = converted(capture, Target::Coded);
    assert!(there.ends_with("[61,null,[[\"audio\",\"a\",\"Mic\",\"s\"]],1700000000001]\n"));
    let back = converted(&there, Target::Jitsi);
    assert_eq!(back.lines().nth(1), Some(capture));
}

#[test]
fn heads_are_mapped_as_far_as_they_go() {
    let rtcstats = "RTCStatsDump\n{\"url\":\"/room?a=1\",\"origin\":\"https://app.example\",\"userAgent\":\"Firefox/1\",\"startTime\":5,\"remoteAddresses\":[\"x\"],\"clientProtocol\":\"rtcstats#5.0\",\"fileFormat\":3}\n[39,\"PC_0\",null,1700000000000]\n[\"close\",null,1006,7]";
    assert_eq!(
        converted(rtcstats, Target::Legacy),
        "{\"path\":\"/room?a=1\",\"origin\":\"https://app.example\",\"url\":\"https://app.example/room?a=1\",\"userAgent\":\"Firefox/1\",\"time\":5,\"fileFormat\":2}\n\
         [\"create\",\"PC_0\",{\"browserType\":\"moz\",\"nullConfig\":true},1700000000000]\n\
         [\"close\",null,1006,1700000000007]\n"
    );
    let jitsi = converted(rtcstats, Target::Jitsi);
    let head = jitsi.lines().next().unwrap();
    assert!(
        head.starts_with("[\"connectionInfo\",null,{\"path\":\"/room?a=1\""),
        "{head}"
    );
    assert!(
        head.contains("\"clientProtocol\":\"3.1_STANDARD\"") && head.ends_with(",5]"),
        "{head}"
    );
    assert!(
        jitsi.ends_with("[\"page:close\",null,1006,1700000000007,2]\n"),
        "{jitsi}"
    );
    assert!(converted(&jitsi, Target::Coded).ends_with("[\"close\",null,1006,7]\n"));
    // One that is of the generation already keeps all it says.
    let same = converted(rtcstats, Target::Plain);
    assert_eq!(same.lines().nth(1), rtcstats.lines().nth(1));
    assert_eq!(converted("", Target::Legacy), "{\"fileFormat\":2}\n");
}

#[test]
fn an_import_has_the_head_and_configuration_that_the_export_tells() {
    let export = r#"{"UserAgent":"Chrome/156","timestamp":1700000000005,"PeerConnections":{"9-1":{"url":"https://app.example/room?a=1",
        "rtcConfiguration":"{\"bundlePolicy\":\n\"balanced\"}","updateLog":[{"type":"addTrack","value":"{\"kind\":\"audio\",\"id\":\"a\",\"streams\":[\"s\"]}","timestamp":1700000000000.5}]}}}"#;
    let dump = converted(export, Target::Coded);
    assert_eq!(
        dump.lines().collect::<Vec<_>>(),
        [
            "RTCStatsDump",
            r#"{"url":"/room?a=1","origin":"https://app.example","userAgent":"Chrome/156","startTime":1700000000000.5,"clientProtocol":"rtcstats#5.0","fileFormat":3}"#,
            r#"[39,"9-1",{"bundlePolicy":"balanced"},1700000000000.5]"#,
            r#"[30,"9-1",["audio","a","","s"],0]"#,
            r#"[39,null,{"userAgent":"Chrome/156"},4.5]"#,
        ]
    );
    assert_ne!(
        Head::default(),
        Internals::parse(export, &Limits::default()).unwrap().head()
    );
}
