//! What pages show of sessions: while they go on, afterwards, and of dumps that are sent along.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod golden;
mod server;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use server::Server;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const PATIENCE: Duration = Duration::from_secs(60);

fn start(flags: &[&str]) -> (Server, TempDir) {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), flags);
    (server, data)
}

/// What a dump that is to be stored is sent as.
const STORED: &str = "Content-Type: application/octet-stream\r\n";

/// Status, head and body of a request with a body.
async fn post(server: &Server, target: &str, headers: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let head = format!(
        "POST {target} HTTP/1.0\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // A server that refuses it early need not read all of it.
    let _ = stream.write_all(body).await;
    let mut response = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut response))
        .await
        .unwrap()
        .unwrap();
    let end = response.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = response.split_at(end.unwrap() + 4);
    let head = String::from_utf8(head.to_vec()).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, body.to_vec())
}

async fn import(server: &Server, body: &[u8]) -> (u16, Value) {
    let (status, _, body) = post(server, "/api/import", "", body).await;
    (status, serde_json::from_slice(&body).unwrap())
}

async fn view(server: &Server, id: &str) -> Value {
    server.json(&format!("/api/sessions/{id}/view")).await
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut text).unwrap();
    text
}

/// A Jitsi dump with a call of so many seconds.
fn call(seconds: u64) -> Vec<String> {
    let time = |second: u64| 1_700_000_000_000 + 1_000 * second;
    let mut lines = vec![
        format!(r#"["create","PC_0",{{"iceServers":[]}},{},1]"#, time(0)),
        format!(
            r#"["onconnectionstatechange","PC_0","connected",{},2]"#,
            time(0)
        ),
    ];
    for second in 0..seconds {
        let number = lines.len() + 1;
        let object = match second {
            0 => r#""type":"outbound-rtp","kind":"video","mid":"1","ssrc":7,"#,
            _ => "",
        };
        let bytes = 125 * second;
        lines.push(format!(
            r#"["getstats","PC_0",{{"O":{{{object}"bytesSent":{bytes}}}}},{},{number}]"#,
            time(second)
        ));
    }
    lines
}

/// The same with the head that a server writes.
fn dump(seconds: u64) -> String {
    let head = r#"["connectionInfo",null,{"clientProtocol":"3.1_STANDARD"},1699999999999]"#;
    format!("{head}\n{}\n", call(seconds).join("\n"))
}

/// The view without what only one of two ways to the same dump can know.
fn comparable(view: &Value) -> Value {
    let mut view = view.clone();
    let members = view.as_object_mut().unwrap();
    members.remove("session");
    members.remove("features");
    view
}

#[tokio::test]
async fn a_dump_that_is_sent_along_is_shown_and_not_stored() {
    let (server, _data) = start(&[]);
    let text = dump(3);
    let (status, view) = import(&server, text.as_bytes()).await;
    assert_eq!(status, 200, "{view}");
    assert_eq!(view["session"]["state"], "imported");
    assert_eq!(view["session"]["format"], "jitsi");
    assert_eq!(view["startMs"], 1_699_999_999_999_u64);
    assert_eq!(view["endMs"], 1_700_000_002_000_u64);
    let connection = &view["connections"][0];
    assert_eq!(connection["id"], "PC_0");
    assert!(connection["label"].is_null());
    assert_eq!(
        connection["times"],
        json!([
            1_700_000_000_000_u64,
            1_700_000_001_000_u64,
            1_700_000_002_000_u64
        ])
    );
    assert_eq!(
        connection["objects"],
        json!([{
            "id": "O", "type": "outbound-rtp", "kind": "video", "label": "outbound-rtp video, mid 1",
            "series": [
                { "name": "bytesSent", "unit": "B", "first": 0, "values": [0, 125, 250] },
                { "name": "[bytesSent_in_bits/s]", "unit": "bit/s", "of": "bytesSent", "first": 1, "values": [1000, 1000] },
            ],
        }])
    );
    assert_eq!(
        view["events"][2],
        json!({
            "ms": 1_700_000_000_000_u64, "connection": "PC_0", "category": "state",
            "name": "onconnectionstatechange", "text": "connected", "detail": "\"connected\"",
        })
    );
    assert_eq!(
        (&view["eventsOmitted"], &view["isIncomplete"]),
        (&json!(0), &json!(false))
    );
    for set in ["jitsi", "rtcstats", "legacy"] {
        assert!(view["features"][set].is_object(), "{set}");
    }
    let list = server.json("/api/sessions").await;
    assert_eq!(list["sessions"], json!([]));
    let (status, head, compressed) = post(
        &server,
        "/api/import",
        "Accept-Encoding: gzip\r\n",
        text.as_bytes(),
    )
    .await;
    assert!(
        status == 200 && head.contains("content-encoding: gzip"),
        "{head}"
    );
    let same: Value = serde_json::from_slice(&gunzip(&compressed)).unwrap();
    assert_eq!(same, view);
}

#[tokio::test]
async fn what_is_no_dump_or_too_large_is_answered_with_the_reason() {
    let (server, _data) = start(&["--max-upload-bytes", "100000"]);
    let large = dump(2_000);
    // Far smaller as it comes.
    let mut empty_lines = dump(1).into_bytes();
    empty_lines.resize(10 << 20, b'\n');
    for target in ["/api/import", "/api/import?store=true"] {
        for (body, expected) in [
            (b"no dump at all".to_vec(), 400),
            (b"{\"PeerConnections\":{".to_vec(), 400),
            (large.clone().into_bytes(), 413),
            (gzip(large.as_bytes()), 413),
            (gzip(&empty_lines), 413),
        ] {
            let (status, _, answer) = post(&server, target, STORED, &body).await;
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            assert_eq!(status, expected, "{target}: {answer}");
            assert!(!answer["error"].as_str().unwrap().is_empty());
        }
    }
    assert_eq!(import(&server, b"").await.0, 400);
    let (status, _) = server
        .request("GET", "/api/sessions/nobody/view", &[])
        .await;
    assert_eq!(status, 404);
    let (status, _) = server
        .request("GET", "/api/sessions/nobody/live", &[])
        .await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_dump_that_is_stored_is_shown_as_when_it_is_sent_along() {
    let (server, _data) = start(&[]);
    let text = dump(20);
    let (status, _, answer) = post(
        &server,
        "/api/import?store=true",
        STORED,
        &gzip(text.as_bytes()),
    )
    .await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(status, 200, "{answer}");
    let id = answer["id"].as_str().unwrap();
    let stored = view(&server, id).await;
    assert_eq!(stored["session"]["id"], id);
    assert_eq!(stored["session"]["state"], "finished");
    let (_, sent) = import(&server, text.as_bytes()).await;
    assert_eq!(comparable(&stored), comparable(&sent));
    assert_eq!(stored["features"]["rtcstats"], sent["features"]["rtcstats"]);
    // One that is over is said to be over at once.
    let mut events = Events::open(&server, id).await;
    assert_eq!(events.next().await.0, "end");
}

#[tokio::test]
async fn uploads_that_need_a_token_need_it_here_too() {
    let (server, _data) = start(&["--jwt-secret", "s3cret"]);
    let text = dump(3);
    let (status, _, _) = post(&server, "/api/import?store=true", STORED, text.as_bytes()).await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn pages_of_other_origins_cannot_have_their_readers_store_something() {
    let (server, _data) = start(&[]);
    // What a browser sends to another origin without asking it first.
    for headers in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: multipart/form-data; boundary=x\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
    ] {
        let target = "/api/import?store=true";
        let (status, _, _) = post(&server, target, headers, dump(3).as_bytes()).await;
        assert_eq!(status, 415, "{headers}");
    }
    let (status, _) = server
        .request("OPTIONS", "/api/import?store=true", &[])
        .await;
    assert_eq!(status, 405);
}

/// One recorded file of each format.
#[tokio::test]
async fn dumps_of_every_format_are_imported() {
    let (server, _data) = start(&[]);
    for (path, format) in [
        ("corpus/wire/jitsi-chromium-01-av-p2p.dump.gz", "jitsi"),
        ("corpus/wire/jitsi-firefox-01-av-p2p.dump.gz", "jitsi"),
        (
            "corpus/wire/rtcstatsjs-chromium-01-av-p2p.dump.gz",
            "rtcstats",
        ),
        (
            "corpus/internals/rtcstatsjs-chromium-01-av-p2p.webrtc-internals.json.gz",
            "internals",
        ),
        (
            "corpus/internals/rtcstatsjs-chromium-01-av-p2p.webrtc-internals.json",
            "internals",
        ),
        (
            "corpus/internals/rtcstatsjs-chromium-01-av-p2p.chrome-rtcstats.gz",
            "rtcstats",
        ),
    ] {
        let Some(file) = golden::shared(path) else {
            return;
        };
        let (status, view) = import(&server, &std::fs::read(file).unwrap()).await;
        assert_eq!(status, 200, "{path}: {view}");
        assert_eq!(view["session"]["format"], format, "{path}");
        check(&view, path);
        if format != "internals" {
            assert!(view["events"].as_array().unwrap().len() > 20, "{path}");
        }
        let names = series_names(&view);
        for name in ["bytesSent", "[bytesSent_in_bits/s]", "[framesDecoded/s]"] {
            assert!(names.contains(&name.to_owned()), "{path}: no {name}");
        }
    }
    // The legacy client's frames are its events.
    let Some(file) = golden::shared("corpus/wire/legacy-firefox-01-av-p2p.wire.jsonl.gz") else {
        return;
    };
    let text = String::from_utf8(gunzip(&std::fs::read(file).unwrap())).unwrap();
    let frames = text.lines().skip(1).map(|line| {
        let frame: Value = serde_json::from_str(line).unwrap();
        frame["data"].as_str().unwrap().to_owned()
    });
    let lines: Vec<_> = frames.collect();
    let dump = format!(
        "{{\"path\":\"/\",\"fileFormat\":2}}\n{}\n",
        lines.join("\n")
    );
    let (status, view) = import(&server, dump.as_bytes()).await;
    assert_eq!(
        (status, &view["session"]["format"]),
        (200, &json!("legacy"))
    );
    check(&view, "legacy");
    assert!(series_names(&view).contains(&"[bytesSent_in_bits/s]".to_owned()));
}

fn series_names(view: &Value) -> Vec<String> {
    let connections = view["connections"].as_array().unwrap().iter();
    let objects = connections.flat_map(|connection| connection["objects"].as_array().unwrap());
    let series = objects.flat_map(|object| object["series"].as_array().unwrap());
    series
        .map(|series| series["name"].as_str().unwrap().to_owned())
        .collect()
}

/// What holds for each view.
fn check(view: &Value, path: &str) {
    let connections = view["connections"].as_array().unwrap();
    assert!(!connections.is_empty(), "{path}");
    for connection in connections {
        let times: Vec<_> = connection["times"]
            .as_array()
            .unwrap()
            .iter()
            .map(|time| time.as_f64().unwrap())
            .collect();
        assert!(times.is_sorted(), "{path}");
        for object in connection["objects"].as_array().unwrap() {
            for series in object["series"].as_array().unwrap() {
                let first = series["first"].as_u64().unwrap() as usize;
                let values = series["values"].as_array().unwrap();
                assert!(
                    !values[0].is_null() && first + values.len() <= times.len(),
                    "{path}: {series}"
                );
            }
        }
    }
}

/// Server-sent events.
struct Events(BufReader<TcpStream>);

impl Events {
    async fn open(server: &Server, id: &str) -> Self {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        let head = format!("GET /api/sessions/{id}/live HTTP/1.0\r\nHost: x\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut events = Self(BufReader::new(stream));
        let mut head = Vec::new();
        loop {
            let line = events.line().await;
            if line.is_empty() {
                break;
            }
            head.push(line.to_lowercase());
        }
        assert!(head[0].contains(" 200 "), "{head:?}");
        assert!(
            head.iter()
                .any(|line| line.starts_with("content-type: text/event-stream"))
        );
        events
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.0.read_line(&mut line)).await;
        assert!(read.unwrap().unwrap() > 0, "the stream ended");
        line.trim_end().to_owned()
    }

    /// The name and the data of the next event.
    async fn next(&mut self) -> (String, Value) {
        let (mut name, mut data) = (String::new(), Value::Null);
        loop {
            let line = self.line().await;
            if let Some(told) = line.strip_prefix("event: ") {
                name = told.to_owned();
            } else if let Some(told) = line.strip_prefix("data: ") {
                data = serde_json::from_str(told).unwrap();
            } else if line.is_empty() && !name.is_empty() {
                return (name, data);
            }
        }
    }
}

/// A view that is kept up to date as a page does it.
#[derive(Debug, Default, PartialEq)]
struct Kept {
    connections: BTreeMap<String, KeptConnection>,
    events: Vec<Value>,
    start: Value,
    end: Value,
}

#[derive(Debug, Default, PartialEq)]
struct KeptConnection {
    times: Vec<Value>,
    /// By object and name: what it is, and values by the number of their time.
    series: BTreeMap<(String, String), (Value, BTreeMap<usize, Value>)>,
}

impl Kept {
    fn of(view: &Value) -> Self {
        let mut kept = Self::default();
        kept.add(view);
        kept
    }

    fn add(&mut self, news: &Value) {
        for connection in news["connections"].as_array().unwrap() {
            let id = connection["id"].as_str().unwrap();
            let kept = self.connections.entry(id.to_owned()).or_default();
            let from = connection["from"].as_u64().unwrap_or_default() as usize;
            assert_eq!(from, kept.times.len());
            kept.times
                .extend(connection["times"].as_array().unwrap().iter().cloned());
            for object in connection["objects"].as_array().unwrap() {
                for series in object["series"].as_array().unwrap() {
                    let text = |value: &Value| value.as_str().unwrap().to_owned();
                    let key = (text(&object["id"]), text(&series["name"]));
                    let (what, values) = kept.series.entry(key).or_default();
                    *what = json!([
                        object["type"],
                        object["kind"],
                        object["label"],
                        series["unit"],
                        series["of"]
                    ]);
                    let first = series["first"].as_u64().unwrap() as usize;
                    let told = series["values"].as_array().unwrap().iter().enumerate();
                    values.extend(
                        told.filter(|(_, value)| !value.is_null())
                            .map(|(index, value)| (first + index, value.clone())),
                    );
                }
            }
        }
        self.events
            .extend(news["events"].as_array().unwrap().iter().cloned());
        self.start = news["startMs"].clone();
        self.end = news["endMs"].clone();
    }
}

#[tokio::test]
async fn a_live_view_grows_with_the_call_and_ends_as_the_view_of_it() {
    let (server, _data) = start(&[]);
    let target = format!("ws://{}/room?statsSessionId=s", server.address);
    let mut request = target.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", "3.1_STANDARD".parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    // More than there are times, so that they are merged while somebody looks.
    let lines = call(1_500);
    let frame = |line: &String| {
        let frame = json!({ "statsSessionId": "s", "type": "stats-entry", "data": line });
        Message::text(frame.to_string())
    };
    let (first, rest) = lines.split_at(400);
    for line in first {
        socket.send(frame(line)).await.unwrap();
    }
    // It is listed as soon as its first line came.
    let listed = async {
        while server.json("/api/sessions/s").await["state"] != "live" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, listed).await.unwrap();

    let mut events = Events::open(&server, "s").await;
    let (name, begin) = events.next().await;
    assert_eq!(
        (name.as_str(), &begin["session"]["state"]),
        ("view", &json!("live"))
    );
    assert!(begin["features"].is_object());
    let mut kept = Kept::of(&begin);
    let (mut views, mut updates) = (1, 0);
    for lines in rest.chunks(250) {
        for line in lines {
            socket.send(frame(line)).await.unwrap();
        }
        // What comes is told while the call goes on.
        let (name, news) = events.next().await;
        match name.as_str() {
            "view" => {
                views += 1;
                kept = Kept::of(&news);
            }
            "update" => {
                updates += 1;
                assert!(news["session"].is_null());
                kept.add(&news);
            }
            other => panic!("{other}: {news}"),
        }
    }
    let close = tokio_tungstenite::tungstenite::protocol::CloseFrame {
        code: 3001.into(),
        reason: "".into(),
    };
    socket.close(Some(close)).await.unwrap();
    tokio::spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
    loop {
        let (name, news) = events.next().await;
        match name.as_str() {
            "view" => {
                views += 1;
                kept = Kept::of(&news);
            }
            "update" => {
                updates += 1;
                kept.add(&news);
            }
            _ => {
                assert_eq!((name.as_str(), news), ("end", json!({})));
                break;
            }
        }
    }
    assert!(updates > 0 && views > 1, "{updates} updates, {views} views");
    let whole = view(&server, "s").await;
    assert_eq!(whole["session"]["state"], "finished");
    assert_eq!(kept, Kept::of(&whole));
    assert_eq!(kept.connections["PC_0"].times.len(), 750);
}

#[tokio::test]
async fn a_live_view_outlasts_the_patience_for_requests() {
    let (server, _data) = start(&["--request-patience", "1s"]);
    let mut client = server::Client::connect(&server, "s").await;
    client.send("ann", 1..=3).await;
    client.until_acknowledged(3).await;
    let mut events = Events::open(&server, "s").await;
    assert_eq!(events.next().await.0, "view");
    // Comments, each within the patience.
    for _ in 0..8 {
        assert_eq!(events.line().await, ":");
        assert_eq!(events.line().await, "");
    }
    client.send("ann", 4..=4).await;
    assert_eq!(events.next().await.0, "update");
}

#[tokio::test]
async fn a_server_that_stops_ends_live_views_at_once() {
    let (mut server, _data) = start(&["--shutdown-patience", "2s"]);
    let mut client = server::Client::connect(&server, "s").await;
    client.send("ann", 1..=3).await;
    client.until_acknowledged(3).await;
    let mut events = Events::open(&server, "s").await;
    assert_eq!(events.next().await.0, "view");
    server.signal("TERM");
    let ended = async {
        let mut rest = Vec::new();
        events.0.read_to_end(&mut rest).await.unwrap();
        String::from_utf8(rest).unwrap()
    };
    // It is not over: whoever looks asks again.
    assert!(
        !timeout(PATIENCE, ended)
            .await
            .unwrap()
            .contains("event: end")
    );
    assert!(server.ended().await.success());
}
