//! What the server tells others of sessions that ended: web servers, NATS.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

#[path = "../../rtcstats-server-core/tests/services/nats.rs"]
mod nats;

use std::time::Duration;

use nats::NatsServers;
use rtcstats_server_core::WebhookSecret;
use serde_json::Value;
use server::{Client, Server};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZg==";

/// A session of five events.
async fn call(server: &Server) {
    let mut client = Client::connect(server, "s").await;
    client.send("ann", 1..=5).await;
    client.until_acknowledged(5).await;
    client.leave().await;
}

/// The next request: its headers, with names in lower case, and its body. It is answered with this status.
async fn request(listener: &TcpListener, status: &str) -> (Vec<(String, String)>, Vec<u8>) {
    let (socket, _) = listener.accept().await.unwrap();
    let mut socket = BufReader::new(socket);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        socket.read_line(&mut line).await.unwrap();
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.trim_end().split_once(": ") {
            headers.push((name.to_lowercase(), value.to_owned()));
        }
    }
    let mut body = vec![0; header(&headers, "content-length").parse().unwrap()];
    socket.read_exact(&mut body).await.unwrap();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    socket.write_all(answer.as_bytes()).await.unwrap();
    (headers, body)
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    let found = headers.iter().find(|(own, _)| own == name);
    found.map(|(_, value)| value.as_str()).unwrap()
}

#[tokio::test]
async fn a_web_server_gets_a_signed_event_until_it_takes_it() {
    let data = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let flags = ["--webhook", &url, "--webhook-secret", SECRET];
    let server = Server::start(data.path(), &flags);
    call(&server).await;
    let mut ids = Vec::new();
    for status in ["500 x", "204 x"] {
        let (headers, body) = timeout(PATIENCE, request(&listener, status)).await.unwrap();
        let (id, time) = (
            header(&headers, "webhook-id"),
            header(&headers, "webhook-timestamp"),
        );
        let signature = header(&headers, "webhook-signature");
        let secret = WebhookSecret::parse(SECRET).unwrap();
        assert!(secret.verify(id, time, &body, signature));
        let event: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(event["type"], "session.finished");
        assert_eq!(event["session"], "s");
        let parts = event["parts"].as_object().unwrap();
        assert_eq!(parts.keys().collect::<Vec<_>>(), ["metadata", "session"]);
        ids.push(id.to_owned());
    }
    assert_eq!(ids.first(), ids.last());
}

/// Reads lines of NATS' protocol as far as one that begins like this.
async fn until(socket: &mut BufReader<TcpStream>, begin: &str) -> String {
    let reading = async {
        loop {
            let mut line = String::new();
            assert!(socket.read_line(&mut line).await.unwrap() > 0, "{begin}");
            if line.starts_with(begin) {
                return line;
            }
        }
    };
    timeout(PATIENCE, reading).await.unwrap()
}

#[tokio::test]
async fn whoever_listens_at_nats_gets_each_part_as_a_message() {
    let Some(nats) = NatsServers::start(1) else {
        return;
    };
    let url = nats.url();
    let address = url.trim_start_matches("nats://");
    let mut socket = BufReader::new(TcpStream::connect(address).await.unwrap());
    let hello = "CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB calls.> 1\r\nPING\r\n";
    socket.write_all(hello.as_bytes()).await.unwrap();
    until(&mut socket, "PONG").await;
    let data = tempfile::tempdir().unwrap();
    let flags = ["--nats-sink", &url, "--nats-sink-prefix", "calls"];
    let server = Server::start(data.path(), &flags);
    call(&server).await;
    for subject in ["calls.features", "calls.metadata", "calls.meeting"] {
        until(&mut socket, &format!("HMSG {subject} ")).await;
        until(&mut socket, "Rtcstats-Session: s\r\n").await;
    }
}
