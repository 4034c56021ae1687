//! Records of archived dumps are made again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use command::{run, stderr, stdout};
use rtcstats_features::FeatureSet;
use rtcstats_proto::Limits;
use rtcstats_server_core::{
    Archive, DirectoryArchive, DirectoryArchiveOptions, FeatureSink, RecordOptions, RecordPart,
    RecordQuery, RecordStore, SessionRecord, SqlSink,
};
use serde_json::{Value, json};

fn dump(room: &str) -> String {
    format!(
        "[\"connectionInfo\",null,{{\"clientProtocol\":\"3.1_STANDARD\"}},1700000000000]\n\
         [\"identity\",null,{{\"confName\":\"{room}\"}},1700000000000,1]\n\
         [\"create\",\"PC_0\",{{}},1700000001000,2]\n"
    )
}

/// What an earlier extractor made of a dump: other connections, and facts that are not in the dump.
fn earlier(name: &str) -> SessionRecord {
    let part = |part: &str, json: Value| RecordPart {
        part: part.to_owned(),
        json: serde_json::value::to_raw_value(&json).unwrap(),
    };
    SessionRecord {
        name: name.parse().unwrap(),
        parts: vec![
            part(
                "session",
                json!({"user": "u", "resumes": 2, "extractorVersion": "0.0.0", "bytes": 1}),
            ),
            part("meeting", json!({"appEnv": "prod"})),
            part("pc/0", json!({})),
            part("pc/1", json!({})),
        ],
    }
}

fn member(record: &SessionRecord, part: &str, pointer: &str) -> Value {
    let json: Value = serde_json::from_str(record.part(part).unwrap().get()).unwrap();
    json.pointer(pointer).cloned().unwrap_or_default()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// An archive with the dumps `a`, `b`, `new` and `bad`, of which the last is none and `a` is old, and
/// a database with earlier records of all but `new`.
async fn archived(root: &Path) -> String {
    let directory = root.join("dumps");
    let archive = DirectoryArchive::open(&directory, DirectoryArchiveOptions::default()).unwrap();
    for name in ["a", "b", "new"] {
        let dump = Box::new(std::io::Cursor::new(dump(name)));
        archive.store(&name.parse().unwrap(), dump).await.unwrap();
    }
    fs::write(directory.join("bad.gz"), "no gzip").unwrap();
    let old = SystemTime::now() - Duration::from_secs(10 * 86_400);
    let a = fs::File::options()
        .write(true)
        .open(directory.join("a.gz"))
        .unwrap();
    a.set_modified(old).unwrap();
    let url = format!("sqlite://{}?mode=rwc", root.join("records.db").display());
    let sink = SqlSink::open(&url).await.unwrap();
    for name in ["a", "b", "bad"] {
        sink.publish(&earlier(name)).await.unwrap();
    }
    sink.close().await;
    url
}

async fn record(url: &str, name: &str) -> Option<SessionRecord> {
    let sink = SqlSink::open(url).await.unwrap();
    let record = sink.record(&name.parse().unwrap()).await.unwrap();
    sink.close().await;
    record
}

fn is_new(record: &SessionRecord) -> bool {
    member(record, "session", "/extractorVersion") == SessionRecord::EXTRACTOR_VERSION
}

#[tokio::test]
async fn records_are_replaced_and_those_of_broken_dumps_stay() {
    let root = tempfile::tempdir().unwrap();
    let url = archived(root.path()).await;
    let archive = root.path().join("dumps");
    let arguments = ["reextract", "--archive", text(&archive), "--database", &url];
    let output = run(&arguments, b"");
    let errors = stderr(&output);
    assert!(!output.status.success(), "one dump failed");
    assert!(
        errors.contains("3 of 4 dumps extracted again, 1 failed"),
        "{errors}"
    );
    assert!(errors.contains("bad: "), "{errors}");

    let a = record(&url, "a").await.unwrap();
    assert!(is_new(&a));
    assert_eq!(member(&a, "session", "/user"), "u");
    assert_eq!(member(&a, "session", "/resumes"), 2);
    assert_eq!(member(&a, "session", "/bytes"), dump("a").len());
    assert_eq!(member(&a, "meeting", "/appEnv"), "prod");
    assert_eq!(member(&a, "meeting", "/meetingName"), "a");
    assert!(a.part("pc/0").is_some() && a.part("pc/1").is_none());
    let new = record(&url, "new").await.unwrap();
    assert_eq!(member(&new, "meeting", "/appEnv"), "dev");
    assert!(!is_new(&record(&url, "bad").await.unwrap()));

    // The same again, but for the times of publishing.
    let options = RecordOptions {
        environment: "dev",
        now: 5.0,
        bytes: 0,
    };
    let own = SessionRecord::extract(
        "new".parse().unwrap(),
        dump("new").as_bytes(),
        &FeatureSet::ALL,
        Limits::default(),
        &options,
    )
    .unwrap();
    for RecordPart { part, json } in &own.parts {
        let mut own: Value = serde_json::from_str(json.get()).unwrap();
        let mut found = member(&new, part, "");
        for value in [&mut own, &mut found] {
            value.as_object_mut().unwrap().remove("createDate");
        }
        assert_eq!(found, own, "{part}");
    }
}

#[tokio::test]
async fn only_dumps_of_the_time_that_is_asked_for_are_extracted_again() {
    let root = tempfile::tempdir().unwrap();
    let url = archived(root.path()).await;
    let archive = root.path().join("dumps");
    fs::remove_file(archive.join("bad.gz")).unwrap();
    let arguments = ["reextract", "--archive", text(&archive), "--database", &url];
    let with = |more: &[&str]| run(&[&arguments[..], more].concat(), b"");
    let output = with(&["--from", "11d", "--to", "9d", "--jobs", "1"]);
    assert!(
        stderr(&output).contains("1 of 1 dumps"),
        "{}",
        stderr(&output)
    );
    assert!(is_new(&record(&url, "a").await.unwrap()));
    assert!(!is_new(&record(&url, "b").await.unwrap()));
    let sink = SqlSink::open(&url).await.unwrap();
    assert_eq!(sink.latest(&RecordQuery::last(9)).await.unwrap().len(), 3);
    sink.close().await;
    let output = with(&["--from", "2020-01-01", "--to", "2020-01-02T00:00:00Z"]);
    assert!(output.status.success());
    assert!(
        stderr(&output).contains("0 of 0 dumps"),
        "{}",
        stderr(&output)
    );
    assert!(!with(&["--from", "yesterday"]).status.success());
}

#[test]
fn what_cannot_be_opened_is_said() {
    for (archive, target, url) in [
        ("/no/such/directory", "--database", "sqlite::memory:"),
        ("ftp://host/dumps", "--database", "sqlite::memory:"),
        (".", "--database", "mysql://user:secret@host/d"),
        (".", "--queue", "nats://127.0.0.1:1"),
    ] {
        let output = run(&["reextract", "--archive", archive, target, url], b"");
        assert!(!output.status.success(), "{archive} {url}");
        assert!(!stderr(&output).is_empty() && !stderr(&output).contains("secret"));
    }
    let help = run(&["reextract", "--help"], b"");
    assert!(stdout(&help).contains("--database"));
    let output = run(&["reextract", "--archive", "."], b"");
    assert!(
        stderr(&output).contains("--database"),
        "{}",
        stderr(&output)
    );
}
