//! The axum example under attack: what it answers, and how much memory it takes. After all of it an
//! honest client is served as ever.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod attack;
mod server;

use std::io::Write;
use std::time::Duration;

use attack::{RawSocket, Server, frame};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

/// Rows of the table.
struct Table<'a> {
    server: &'a Server,
}

impl Table<'_> {
    /// Notes what an attack was answered, which has to be one of these; and the memory it took.
    fn note(&self, attack: &str, answer: &str, expected: &[&str], most_mib: u64) {
        let peak = self.server.peak_mib();
        println!("| {attack} | {answer} | {peak} MiB |");
        assert!(
            expected.contains(&answer),
            "{attack}: {answer}, not one of {expected:?}"
        );
        assert!(peak <= most_mib, "{attack}: {peak} MiB, bound {most_mib}");
    }
}

fn entry(id: &str, line: &str) -> String {
    let data = serde_json::to_string(line).unwrap();
    format!("{{\"statsSessionId\":\"{id}\",\"type\":\"stats-entry\",\"data\":{data}}}")
}

fn event(number: u64) -> String {
    format!(
        "[\"e\",null,{{\"n\":{number}}},{},{number}]",
        1_700_000_000_000 + number
    )
}

/// A client that does nothing wrong; its whole session is stored.
async fn serve_an_honest_client(server: &Server, id: &str) {
    const EVENTS: u64 = 250;
    let mut socket = server.browser(id).await;
    for number in 1..=EVENTS {
        assert!(socket.text(&entry(id, &event(number))).await);
    }
    assert!(socket.is_open().await);
    socket.frame(0x88, &3001_u16.to_be_bytes()).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (_, dump) = server.get(&format!("/api/sessions/{id}/dump")).await;
        let stored = dump.lines().filter(|line| line.starts_with("[\"e\""));
        let expected: Vec<String> = (1..=EVENTS).map(event).collect();
        if stored.eq(expected.iter()) {
            return;
        }
        assert!(Instant::now() < deadline, "not stored: {dump}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// What comes after a close frame is read for a moment, and thrown away.
async fn send_until_the_end(socket: &mut RawSocket, frame: &[u8]) {
    let begun = Instant::now();
    while socket.raw(frame).await {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it goes on and on"
        );
    }
}

#[tokio::test]
async fn frames_and_messages_are_bounded() {
    let server = Server::start(&["--max-message-bytes", "4194304"]);
    let table = Table { server: &server };
    println!("| attack | answer | memory peak |\n|---|---|---|");
    serve_an_honest_client(&server, "before").await;
    server.peak_mib();

    let mut socket = server.browser("giant").await;
    let mut header = vec![0x81, 0x80 | 127];
    header.extend((1_u64 << 40).to_be_bytes());
    header.extend([0; 4]);
    socket.raw(&header).await;
    table.note(
        "frame of 1 TiB announced",
        &socket.end().await,
        &["closed", "1009"],
        60,
    );

    let mut socket = server.browser("long").await;
    let text = format!("{{\"a\":\"{}\"}}", "x".repeat(4 << 20));
    socket.text(&text).await;
    table.note("message over the limit", &socket.end().await, &["1009"], 90);

    let mut socket = server.browser("endless").await;
    socket.frame(0x01, b"{").await;
    send_until_the_end(&mut socket, &frame(0x00, &vec![b'x'; 60_000])).await;
    table.note(
        "fragments without end",
        &socket.end().await,
        &["closed", "1009"],
        90,
    );

    let mut socket = server.browser("unclosed").await;
    socket.text("{\"a\":\"").await;
    send_until_the_end(&mut socket, &frame(0x81, &vec![b'x'; 60_000])).await;
    table.note(
        "JSON value over frames without end",
        &socket.end().await,
        &["closed", "1007", "1009"],
        90,
    );

    for (attack, bytes) in [
        ("unmasked frame", vec![0x81, 2, b'{', b'}']),
        ("frame said to be compressed", frame(0xc1, b"{}")),
        ("control frame of 126 bytes", frame(0x89, &[0; 126])),
        ("fragmented control frame", frame(0x09, b"x")),
        ("invalid UTF-8", frame(0x81, b"{\"a\":\"\xff\"}")),
        ("reserved opcode", frame(0x83, b"x")),
        ("continuation of nothing", frame(0x80, b"x")),
    ] {
        let mut socket = server.browser("frames").await;
        socket.raw(&bytes).await;
        table.note(attack, &socket.end().await, &["closed", "1002", "1007"], 60);
    }
    serve_an_honest_client(&server, "after").await;
}

async fn ask(socket: &mut RawSocket, text: &str) -> String {
    socket.text(text).await;
    if socket.is_open().await {
        "taken".to_owned()
    } else {
        "closed".to_owned()
    }
}

#[tokio::test]
async fn sessions_ids_and_json_are_bounded() {
    let server = Server::start(&[]);
    let table = Table { server: &server };
    println!("| attack | answer | memory peak |\n|---|---|---|");

    let mut bridge = server.back_end().await;
    for number in 0..12_000 {
        let text = format!(
            "{{\"statsSessionId\":\"flood-{number}\",\"type\":\"identity\",\"data\":{{\"n\":1}}}}"
        );
        assert!(bridge.text(&text).await);
    }
    assert!(bridge.is_open().await);
    let (_, metrics) = server.get("/metrics").await;
    let sessions = metrics
        .lines()
        .find_map(|line| line.strip_prefix("rtcstats_live_sessions "))
        .unwrap();
    table.note(
        "12,000 sessions on one socket",
        &format!("{sessions} begun"),
        &["10000 begun"],
        400,
    );
    drop(bridge);

    let mut socket = server.browser("own").await;
    for number in 0..100 {
        socket
            .text(&entry(&format!("other-{number}"), &event(1)))
            .await;
    }
    let answer = ask(
        &mut socket,
        "{\"statsSessionId\":\"own\",\"type\":\"keepalive\"}",
    )
    .await;
    table.note(
        "100 sessions on the socket of a browser",
        &answer,
        &["taken", "closed"],
        400,
    );

    let mut socket = server.browser("ids").await;
    for number in 1..=20_000_u64 {
        let line = format!("[\"create\",\"PC_{number}\",{{}},1700000000000,{number}]");
        socket.text(&entry("ids", &line)).await;
    }
    let answer = ask(
        &mut socket,
        "{\"statsSessionId\":\"ids\",\"type\":\"keepalive\"}",
    )
    .await;
    table.note(
        "20,000 peer connections in a session",
        &answer,
        &["taken"],
        400,
    );

    let mut socket = server.browser("members").await;
    for number in 1..=40_u64 {
        let members: Vec<String> = (0..5_000)
            .map(|index| {
                format!(
                    "\"m{number}_{index}\":{{\"type\":\"t{index}\",\"k{number}_{index}\":{index}}}"
                )
            })
            .collect();
        let line = format!(
            "[\"getstats\",\"PC_0\",{{{}}},1700000000000,{number}]",
            members.join(",")
        );
        socket.text(&entry("members", &line)).await;
    }
    let answer = ask(
        &mut socket,
        "{\"statsSessionId\":\"members\",\"type\":\"keepalive\"}",
    )
    .await;
    table.note("200,000 ids and members of stats", &answer, &["taken"], 500);

    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut socket = server.browser("deep").await;
    let answer = ask(&mut socket, &deep).await;
    table.note("JSON 100,000 levels deep", &answer, &["closed"], 500);
    let mut socket = server.browser("deep-data").await;
    let answer = ask(
        &mut socket,
        &entry("deep-data", &format!("[\"getstats\",\"PC_0\",{deep},1,1]")),
    )
    .await;
    table.note("the same in the data of an entry", &answer, &["taken"], 500);
    let mut socket = server.browser("numbers").await;
    let digits = "9".repeat(1_000_000);
    let line =
        format!("[\"getstats\",\"PC_0\",{{\"a\":{{\"b\":{digits}e{digits}}}}},1700000000000,1]");
    let answer = ask(&mut socket, &entry("numbers", &line)).await;
    table.note("a number of two million digits", &answer, &["taken"], 500);
    let key = "k".repeat(4_000_000);
    let mut socket = server.browser("keys").await;
    let line = format!("[\"getstats\",\"PC_0\",{{\"a\":{{\"{key}\":1}}}},1700000000000,1]");
    let answer = ask(&mut socket, &entry("keys", &line)).await;
    table.note("a key of four million characters", &answer, &["taken"], 500);
    let mut socket = server.browser("garbage").await;
    for _ in 0..200 {
        socket.text("{\"statsSessionId\":\"/\"}").await;
    }
    table.note(
        "200 messages that are refused",
        &socket.end().await,
        &["1008"],
        500,
    );

    let mut victim = server.browser("victim-old").await;
    let mut thief = server.browser("thief").await;
    victim.text(&entry("victim-old", &event(1))).await;
    assert!(victim.is_open().await && thief.is_open().await);
    let mut newer = server.browser("victim-new").await;
    newer.text(&entry("victim-new", &event(1))).await;
    assert!(newer.is_open().await);
    thief.text(&entry("victim-new", &event(2))).await;
    assert!(thief.is_open().await && newer.is_open().await);
    let (_, dump) = server.get("/api/sessions/victim-new/dump").await;
    let answer = if dump.contains(&event(2)) {
        "stored"
    } else {
        "dropped"
    };
    table.note(
        "events for the session of a newer socket",
        answer,
        &["dropped"],
        500,
    );
    serve_an_honest_client(&server, "after").await;
}

#[tokio::test]
async fn requests_are_bounded() {
    let patience = Duration::from_secs(2);
    let server = Server::start(&[
        "--request-patience",
        "2s",
        "--upload-path",
        "/upload",
        "--max-upload-bytes",
        "16777216",
    ]);
    let table = Table { server: &server };
    println!("| attack | answer | memory peak |\n|---|---|---|");

    let begun = Instant::now();
    let mut slow = Vec::new();
    for _ in 0..400 {
        let mut stream = server.connect().await;
        stream
            .write_all(b"GET /room HTTP/1.1\r\nHost: ")
            .await
            .unwrap();
        slow.push(stream);
    }
    serve_an_honest_client(&server, "meanwhile").await;
    let (mut open, mut byte) = (slow.len(), [0]);
    while open > 0 && begun.elapsed() < patience * 10 {
        sleep(Duration::from_millis(100)).await;
        open = 0;
        for stream in &mut slow {
            let is_open = stream.write_all(b"x").await.is_ok()
                && timeout(Duration::from_millis(1), stream.read(&mut byte))
                    .await
                    .is_err();
            open += usize::from(is_open);
        }
    }
    let answer = format!("{open} still open");
    table.note(
        "400 handshakes of a byte at a time",
        &answer,
        &["0 still open"],
        80,
    );

    let long = "x".repeat(1_000_000);
    let (status, _) = server
        .request(
            &format!("GET / HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n"),
            b"",
        )
        .await;
    table.note("header of 1 MB", &status, &["431", "no answer"], 80);
    let (status, _) = server.get(&format!("/{long}")).await;
    table.note("target of 1 MB", &status, &["414", "431", "no answer"], 80);
    let headers: String = (0..10_000)
        .map(|number| format!("X-{number}: 1\r\n"))
        .collect();
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
    let (status, _) = server.request(&head, b"").await;
    table.note("10,000 headers", &status, &["431", "no answer"], 80);
    let target = format!("/room?statsSessionId=a&x={}", "y".repeat(6_000));
    let mut socket = server
        .open(&target, "Sec-WebSocket-Protocol: 3.1_STANDARD\r\n")
        .await
        .unwrap();
    table.note(
        "target of 6 KB in an upgrade",
        &socket.end().await,
        &["1009"],
        80,
    );

    for id in [
        "..%2F..%2Fetc%2Fpasswd",
        "%2e%2e",
        "a%00b",
        "a%2Fb",
        "",
        "..",
        &"a".repeat(3_000),
    ] {
        let target = format!("/room?statsSessionId={id}");
        let mut socket = server
            .open(&target, "Sec-WebSocket-Protocol: 3.1_STANDARD\r\n")
            .await
            .unwrap();
        let shown: String = id.chars().take(24).collect();
        table.note(
            &format!("session id `{shown}`"),
            &socket.end().await,
            &["1008"],
            80,
        );
    }
    for target in [
        "/api/sessions/..%2F..%2Fetc%2Fpasswd/dump",
        "/api/sessions/%2e%2e/dump",
        "/api/sessions/a%00b/dump",
        "/../../etc/passwd",
        "/sessions/..%5C..%5Cx",
    ] {
        let (status, _) = server.get(target).await;
        table.note(&format!("`GET {target}`"), &status, &["404", "400"], 80);
    }

    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(b"RTCStatsDump\n{\"fileFormat\":3}\n")
        .unwrap();
    for _ in 0..1_024 {
        bomb.write_all(&vec![b'\n'; 1 << 20]).unwrap();
    }
    let (status, _) = upload(&server, &bomb.finish().unwrap()).await;
    table.note("1 GiB in a gzip of 1 MB", &status, &["413"], 120);
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(b"RTCStatsDump\n{\"fileFormat\":3}\n[\"x\",null,\"")
        .unwrap();
    for _ in 0..1_024 {
        bomb.write_all(&vec![b'x'; 1 << 20]).unwrap();
    }
    let (status, _) = upload(&server, &bomb.finish().unwrap()).await;
    table.note("the same as one line", &status, &["413", "400"], 160);
    serve_an_honest_client(&server, "after").await;
}

async fn upload(server: &Server, dump: &[u8]) -> (String, String) {
    let mut body = b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.gz\"\r\nContent-Type: application/gzip\r\n\r\n".to_vec();
    body.extend(dump);
    body.extend(b"\r\n--b--\r\n");
    let head = format!(
        "POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    server.request(&head, &body).await
}

#[tokio::test]
async fn tokens_are_checked() {
    let server = Server::start(&["--jwt-secret", "right"]);
    let table = Table { server: &server };
    println!("| attack | answer | memory peak |\n|---|---|---|");
    let long = "a".repeat(3_000);
    for (attack, token) in [
        ("no token", ""),
        // {"alg":"none"} and {"exp":9999999999}
        (
            "token with `alg` none",
            "eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTl9.",
        ),
        (
            "token signed with another key",
            "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjk5OTk5OTk5OTl9.81Eh8gXgY3ibqLcBGXqk3kF7w45QM7ww7II606wjod4",
        ),
        (
            "token with `alg` RS256, signed with the secret",
            "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjk5OTk5OTk5OTl9.UUsj-Kck1wN5pJHsvSe057weJd4fnk4z3JqWVVkck1w",
        ),
        (
            "token of 2001",
            "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjEwMDAwMDAwMDB9.8S-BuJhV6MFyBc5sG2UsrvAgNDmv-rPltH3XfEEU_kM",
        ),
        ("token of 3 KB", &long),
        ("token of dots", "...."),
    ] {
        let target = format!("/room?statsSessionId=a&rtcstats-token={token}");
        let mut socket = server
            .open(&target, "Sec-WebSocket-Protocol: 3.1_STANDARD\r\n")
            .await
            .unwrap();
        table.note(attack, &socket.end().await, &["1008"], 60);
    }
    let valid =
        "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjk5OTk5OTk5OTl9.R-70D-PNXRw8bB0d0rB88EB_NgUKd48w3yWBWlg-0Ks";
    let target = format!("/room?statsSessionId=a&rtcstats-token={valid}");
    let mut socket = server
        .open(&target, "Sec-WebSocket-Protocol: 3.1_STANDARD\r\n")
        .await
        .unwrap();
    assert!(socket.is_open().await, "who has a token is let in");
}
