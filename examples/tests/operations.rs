//! What whoever runs the server meets: stores by URL, health, deleting data, restarts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

use std::time::Duration;

use rtcstats_proto::sequence_number_of;
use serde_json::{Value, json};
use server::{Client, Server, refusal, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn numbers(dump: &[String]) -> Vec<u64> {
    dump.iter()
        .filter_map(|line| sequence_number_of(line))
        .collect()
}

#[tokio::test]
async fn records_go_to_sqlite_and_dumps_to_the_archive_of_the_url() {
    let data = tempfile::tempdir().unwrap();
    let dumps = tempfile::tempdir().unwrap();
    let archive = format!("file://{}/a", dumps.path().display());
    let jsonl = data.path().join("records.jsonl");
    let server = Server::start(
        data.path(),
        &[
            "--archive",
            &archive,
            "--archive-key",
            "{shard}/{name}.gz",
            "--jsonl",
            jsonl.to_str().unwrap(),
        ],
    );
    let mut client = Client::connect(&server, "s").await;
    client.send("ann", 1..=5).await;
    client.until_acknowledged(5).await;
    client.leave().await;
    let sessions = server.finished("", 1).await;
    assert_eq!(sessions[0]["id"], "s");
    let session = server.json("/api/sessions/s").await;
    assert_eq!(session["dumpMetadata"]["userId"], "ann");
    assert_eq!(numbers(&server.dump("s").await), [1, 2, 3, 4, 5]);
    // What the journal has is shown before the archive has it.
    let archived = || {
        let mut shards = std::fs::read_dir(dumps.path().join("a")).ok()?;
        shards.find(|shard| shard.as_ref().unwrap().path().join("s.gz").exists())
    };
    until("the archived dump", || archived().is_some()).await;
    assert!(data.path().join("features.db").exists());
    assert!(!data.path().join("dumps").exists());
    let lines = std::fs::read_to_string(jsonl).unwrap();
    assert!(lines.lines().count() > 2, "{lines}");

    // Another database, and the same dumps.
    drop(server);
    let database = format!("sqlite://{}/other.db?mode=rwc", data.path().display());
    let server = Server::start(
        data.path(),
        &[
            "--archive",
            &archive,
            "--archive-key",
            "{shard}/{name}.gz",
            "--database",
            &database,
        ],
    );
    assert!(server.finished("", 0).await.is_empty());
    assert_eq!(numbers(&server.dump("s").await).len(), 5);
}

#[test]
fn a_store_that_cannot_be_opened_is_named_at_the_start() {
    let data = tempfile::tempdir().unwrap();
    for (flags, expected) in [
        (["--database", "mysql://host/x"], "sql"),
        (["--database", "postgres://u:geheim@host:port/x"], "sql"),
        (["--archive", "ftp://host/x"], "archive"),
        (["--archive-setting", "endpoint"], "region=eu-central-1"),
        (["--journal", "http://host"], "nats://host:4222"),
        (["--role", "ingest"], "--journal"),
        (
            ["--journal=nats://127.0.0.1:1", "--scope-store=sqlite"],
            "--scope-store sqlite",
        ),
        (["--keep-dumps", "soon"], "--keep-dumps"),
        (["--influxdb", "no url"], "influxdb"),
    ] {
        let output = refusal(data.path(), &flags);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{flags:?}");
        assert!(said.contains(expected), "{flags:?}: {said}");
        assert!(
            !said.contains("panicked") && !said.contains("geheim"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn health_is_told_as_json_and_as_metrics() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let health = server.request("GET", "/healthz", &[]).await;
    let ok = json!({ "status": "ok", "degradations": [] });
    assert_eq!(health.0, 200);
    assert_eq!(serde_json::from_str::<Value>(&health.1).unwrap(), ok);
    for target in ["/livez", "/healthz?live"] {
        assert_eq!(server.json(target).await["status"], "alive");
    }
    let (_, metrics) = server.request("GET", "/metrics", &[]).await;
    assert!(metrics.contains("\nrtcstats_ready 1\n"));
    assert!(metrics.contains("\nrtcstats_degraded{state=\"journal_failing\"} 0\n"));
    // Without a token nobody deletes.
    let (status, _) = server.request("DELETE", "/api/data?user=ann", &[]).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn the_data_of_a_user_is_deleted_everywhere_by_who_has_the_token() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--admin-token", "t0ken"]);
    for (id, user) in [("a", "ann"), ("b", "bob")] {
        let mut client = Client::connect(&server, id).await;
        client.send(user, 1..=3).await;
        client.until_acknowledged(3).await;
        client.leave().await;
        server.dump(id).await;
    }
    server.finished("", 2).await;
    let mut open = Client::connect(&server, "a2").await;
    open.send("ann", 1..=3).await;
    open.until_acknowledged(3).await;

    let target = "/api/data?user=ann";
    for headers in [&[][..], &[("Authorization", "Bearer t0kem")]] {
        let (status, _) = server.request("DELETE", target, headers).await;
        assert_eq!(status, 401);
    }
    let allowed = [("Authorization", "Bearer t0ken")];
    for target in [
        "/api/data",
        "/api/data?user=",
        "/api/data?user=a&session=a",
        "/api/data?session=../a",
        "/api/data?usr=a",
    ] {
        let (status, _) = server.request("DELETE", target, &allowed).await;
        assert_eq!(status, 400, "{target}");
    }
    let (status, body) = server.request("DELETE", target, &allowed).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &answer["complete"]), (200, &json!(true)), "{body}");
    assert_eq!(answer["report"]["sessions"], json!(["a", "a2"]));
    assert_eq!(
        answer["report"]["sinks"],
        json!([
            { "sink": "sql", "outcome": { "erased": 1 } },
            // It had no reports, and so there are no points.
            { "sink": "rtcscope", "outcome": { "erased": 0 } },
        ])
    );
    assert_eq!(open.closed().await, 3001);
    let left = server.finished("", 1).await;
    assert_eq!(left[0]["id"], "b");
    until("one dump to be left", || {
        let dumps = std::fs::read_dir(data.path().join("dumps"));
        dumps.unwrap().count() == 1
    })
    .await;
    let (status, _) = server.request("GET", "/api/sessions/a/dump", &[]).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_restart_under_a_client_loses_nothing() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &[]);
    let mut client = Client::connect(&server, "s").await;
    client.send("ann", 1..=250).await;
    client.until_acknowledged(100).await;
    server.signal("TERM");
    // Some more, into a server that goes.
    client.send("ann", 251..=260).await;
    assert_eq!(client.closed().await, 1001);
    assert!(server.ended().await.success());

    let server = Server::start(data.path(), &[]);
    let acknowledged = client.acknowledged;
    let mut client = Client::connect(&server, "s").await;
    assert!(client.acknowledged >= acknowledged.max(250));
    // As the stock client does: everything that it was not told about.
    client.send("ann", client.acknowledged + 1..=300).await;
    client.until_acknowledged(300).await;
    client.leave().await;
    server.finished("", 1).await;
    assert_eq!(
        numbers(&server.dump("s").await),
        (1..=300).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn an_interrupt_ends_it_quickly_and_in_good_order() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &["--shutdown-patience", "1h"]);
    let mut client = Client::connect(&server, "s").await;
    client.send("ann", 1..=3).await;
    client.until_acknowledged(3).await;
    server.signal("INT");
    assert_eq!(client.closed().await, 1001);
    assert!(server.ended().await.success());
}

#[tokio::test]
async fn a_body_that_was_asked_for_may_take_longer_than_a_head() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--request-patience", "300ms"]);
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let head = "POST /api/import HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 8\r\n\
                Expect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(go_on, *b"HTTP/1.1 100 Continue\r\n\r\n");
    // Twice what a head may take.
    tokio::time::sleep(Duration::from_millis(600)).await;
    stream.write_all(b"no dump\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}
