//! The `rtcstats` command line and servers: `serve`, `tail`, `load`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod command;
mod server;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use command::{stderr, stdout};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use server::{Client, Server};

/// A call recorded from Chromium.
const RECORDING: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../benches/data/chromium-av-p2p.dump.gz"
);

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running command, whose lines are read as they come; killed when it is dropped.
struct Running {
    process: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(command::binary())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            process,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a line that has this in it.
    fn until(&mut self, part: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("waited in vain for {part}; there was {:#?}", self.seen);
            };
            self.seen.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Waits for the end, and returns the exit code and all lines.
    fn ended(mut self) -> (Option<i32>, Vec<String>) {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(error) => panic!("{error}: {:#?}", self.seen),
            }
        }
        let code = self.process.wait().unwrap().code();
        (code, std::mem::take(&mut self.seen))
    }
}

async fn run(arguments: &[&str]) -> Output {
    let arguments: Vec<String> = arguments
        .iter()
        .map(|argument| (*argument).to_owned())
        .collect();
    let running = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        command::run(&arguments, b"")
    });
    running.await.unwrap()
}

/// Lines of a recording as its client sent them: without the head.
fn recorded() -> Vec<String> {
    let mut text = String::new();
    let file = std::fs::File::open(RECORDING).unwrap();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_is_loaded_is_acknowledged_and_stored_as_it_was() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let output = run(&[
        "load",
        &server.address,
        RECORDING,
        "--sessions",
        "3",
        "--speed",
        "max",
        "--format",
        "json",
    ])
    .await;
    let summary: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let lines = recorded();
    let all = 3 * lines.len();
    assert_eq!(summary["messages"], all);
    assert_eq!(summary["toAcknowledge"], all);
    assert_eq!(summary["acknowledged"], all);
    assert_eq!(
        (&summary["sessions"], &summary["failed"]),
        (&json!(3), &json!(0))
    );
    let latency = |name: &str| summary[name].as_f64().unwrap();
    assert!(latency("latencyP50Ms") <= latency("latencyP99Ms"));
    assert!(latency("latencyP99Ms") <= latency("latencyMaxMs"));
    for session in server.finished("limit=10", 3).await {
        let dump = server.dump(session["id"].as_str().unwrap()).await;
        assert_eq!(dump[1..], lines, "{}", session["id"]);
    }
}

#[tokio::test]
async fn dumps_of_other_clients_are_sent_as_these_do() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for (generation, head, target) in [("rtcstats", 2, 1), ("legacy", 1, 2)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(generation);
        let path = path.to_str().unwrap();
        stdout(&run(&["convert", RECORDING, "--to", generation, "-o", path]).await);
        let output = run(&[
            "load",
            &server.address,
            path,
            "--speed",
            "max",
            "--format",
            "csv",
        ])
        .await;
        let csv = stdout(&output);
        let mut csv = csv::Reader::from_reader(csv.as_bytes());
        let names = csv.headers().unwrap().clone();
        let record = csv.records().next().unwrap().unwrap();
        let figure = |name: &str| {
            let place = names.iter().position(|own| own == name).unwrap();
            record[place].parse::<f64>().unwrap()
        };
        let sent = std::fs::read_to_string(path).unwrap();
        let is_of_server =
            |line: &str| line.starts_with("[\"close\",null") || line.starts_with("[\"publicIP\"");
        let sent: Vec<&str> = sent
            .lines()
            .skip(head)
            .filter(|line| !is_of_server(line))
            .collect();
        assert_eq!(figure("messages"), sent.len() as f64);
        assert_eq!((figure("failed"), figure("toAcknowledge")), (0.0, 0.0));
        let sessions = server.finished("limit=10", target).await;
        let mut dumps = Vec::new();
        for session in sessions {
            let dump = server.dump(session["id"].as_str().unwrap()).await;
            let stored: Vec<String> = dump
                .into_iter()
                .skip(head)
                .filter(|line| !is_of_server(line))
                .collect();
            dumps.push(stored);
        }
        assert!(dumps.iter().any(|stored| *stored == sent), "{generation}");
    }
}

#[tokio::test]
async fn a_rate_is_kept_for_as_long_as_is_asked() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let output = run(&[
        "load",
        &server.address,
        RECORDING,
        "--sessions",
        "2",
        "--rate",
        "40",
        "--duration",
        "2s",
        "--format",
        "json",
    ])
    .await;
    let summary: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let messages = summary["messages"].as_u64().unwrap();
    // At most those of two seconds, and the first of each session.
    assert!((10..=84).contains(&messages), "{summary}");
    assert_eq!(summary["acknowledged"], summary["messages"]);
    assert!(summary["seconds"].as_f64().unwrap() >= 1.9, "{summary}");
}

#[tokio::test]
async fn lines_that_are_no_events_are_counted_and_fail() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let path = data.path().join("bad");
    std::fs::write(&path, "[\"create\",\"PC_0\",{},1700000000000,1]\nno event\n[\"close\",\"PC_0\",{},1700000000001,2]\n").unwrap();
    let output = run(&[
        "load",
        &server.address,
        path.to_str().unwrap(),
        "--format",
        "json",
    ])
    .await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["linesPassedOver"], 1);
    assert_eq!(summary["acknowledged"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_session_is_followed_to_its_end() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut client = Client::connect(&server, "followed").await;
    client.send("alice", 1..=3).await;
    client.until_acknowledged(3).await;
    let host = format!("http://{}", server.address);
    let mut latest = Running::start(&["tail", "--latest", &host]);
    let page = format!("{host}/sessions/followed");
    let mut csv = Running::start(&["tail", &page, "--format", "csv"]);
    let mut json = Running::start(&["tail", &page, "--format", "json"]);
    latest.until("followed");
    latest.until("identity");
    json.until("{\"event\":\"view\"");
    csv.until("identity");
    client.send("alice", 4..=6).await;
    client.until_acknowledged(6).await;
    for running in [&mut latest, &mut csv] {
        // Each event once, also those that came before.
        while running
            .seen
            .iter()
            .filter(|line| line.contains(" e") || line.contains(",e,"))
            .count()
            < 5
        {
            running.until("e");
        }
    }
    client.leave().await;
    let (code, lines) = latest.ended();
    assert_eq!(code, Some(0), "{lines:#?}");
    let (code, lines) = csv.ended();
    assert_eq!(code, Some(0), "{lines:#?}");
    let csv = lines.join("\n");
    let mut csv = csv::Reader::from_reader(csv.as_bytes());
    let names: Vec<String> = csv
        .records()
        .map(|record| record.unwrap()[3].to_owned())
        .collect();
    assert_eq!(
        names.iter().filter(|name| *name == "e").count(),
        5,
        "{names:?}"
    );
    let (code, lines) = json.ended();
    assert_eq!(code, Some(0), "{lines:#?}");
    let messages = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let messages: Vec<Value> = messages.collect();
    assert_eq!(messages.last().unwrap()["event"], "end");
    assert!(messages[0]["data"]["session"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_not_there_is_an_error() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let host = format!("http://{}", server.address);
    let output = run(&["tail", &format!("{host}/sessions/nobody")]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("no such session"),
        "{}",
        stderr(&output)
    );
    let output = run(&["tail", "--latest", &host]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("no session is live"),
        "{}",
        stderr(&output)
    );
}

/// Answers requests one after the other with server-sent events, and closes each connection.
fn answer(listener: TcpListener, answers: Vec<Vec<(&'static str, Value)>>) {
    std::thread::spawn(move || {
        for messages in answers {
            let (mut stream, _) = listener.accept().unwrap();
            read_request(&mut stream);
            let mut text =
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
                    .to_owned();
            for (name, data) in messages {
                text.push_str(&format!(": comment\n\nevent: {name}\ndata: {data}\n\n"));
            }
            stream.write_all(text.as_bytes()).unwrap();
        }
    });
}

fn read_request(stream: &mut TcpStream) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        request.extend(byte);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_made_again_and_nothing_shown_twice() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "http://{}/api/sessions/a-session",
        listener.local_addr().unwrap()
    );
    let event = |name: &str, ms: u64| json!({ "ms": ms, "connection": "PC_0", "category": "api", "name": name, "text": "a, \"b\"" });
    let connection = |from: Option<usize>, times: &[u64], values: &[u64]| {
        let mut connection = json!({
            "id": "PC_0", "times": times, "objects": [{ "id": "O", "type": "outbound-rtp", "series": [
                { "name": "[bytesSent_in_bits/s]", "unit": "bit/s", "first": from.unwrap_or_default(), "values": values },
            ] }],
        });
        if let Some(from) = from {
            connection["from"] = json!(from);
        }
        connection
    };
    let all = [
        event("one", 1_000),
        event("two", 2_000),
        event("three", 3_000),
        event("four", 4_000),
    ];
    let view = |events: &[Value], times: &[u64]| {
        (
            "view",
            json!({
                "session": { "id": "a-session", "state": "live", "conference": "a\u{1b}room" }, "events": events,
                "connections": [connection(None, times, &[1_000_000, 2_000_000])],
            }),
        )
    };
    answer(
        listener,
        vec![
            vec![
                view(&all[..2], &[1_000, 2_000]),
                (
                    "update",
                    json!({ "events": &all[2..3], "connections": [connection(Some(2), &[3_000], &[3_500_000])] }),
                ),
            ],
            vec![view(&all, &[3_000, 4_000]), ("end", json!({}))],
        ],
    );
    let (code, lines) = Running::start(&["tail", &url, "--interval", "0s", "-n", "1"]).ended();
    assert_eq!(code, Some(0), "{lines:#?}");
    assert_eq!(
        lines,
        [
            "a-session · a\u{fffd}room · live",
            "00:00:02.000 PC_0     two a, \"b\"",
            "00:00:02.000 PC_0     sent 2 Mbit/s",
            "00:00:03.000 PC_0     three a, \"b\"",
            "00:00:03.000 PC_0     sent 3.5 Mbit/s",
            "00:00:04.000 PC_0     four a, \"b\"",
            "00:00:04.000 PC_0     sent 2 Mbit/s",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_started_with_all_its_flags() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let mut serving = Running::start(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data",
        path,
        "--log",
        "error",
        "--shutdown-patience",
        "5s",
    ]);
    let line = serving.until("http://");
    let (_, rest) = line.split_once("http://").unwrap();
    let address = rest.split('/').next().unwrap();
    let output = run(&[
        "load", address, RECORDING, "--speed", "max", "--format", "json",
    ])
    .await;
    let summary: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(summary["acknowledged"], recorded().len());
}
