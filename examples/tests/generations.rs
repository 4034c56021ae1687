//! The server over real sockets: clients of rtcstats 5.0 and of the legacy generation, uploads, tokens.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and says how much it compared"
)]

mod golden;
mod server;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

struct Server {
    process: server::Server,
    _data: TempDir,
}

impl Server {
    fn start(flags: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        Self {
            process: server::Server::start(data.path(), flags),
            _data: data,
        }
    }

    /// Sends a request as it is, and reads the response.
    async fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.process.address,
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut stream = TcpStream::connect(&self.process.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await.unwrap();
        Response::parse(&String::from_utf8(response).unwrap())
    }

    async fn json(&self, target: &str) -> Value {
        let response = self.request("GET", target, &[], b"").await;
        serde_json::from_str(&response.body).unwrap_or_default()
    }

    /// The finished session that a query finds, once there is one.
    async fn finished(&self, query: &str) -> Value {
        for _ in 0..500 {
            let list = self.json(&format!("/api/sessions?{query}")).await;
            let sessions = list["sessions"].as_array().unwrap();
            if let Some(session) = sessions
                .iter()
                .find(|session| session["state"] == "finished")
            {
                let id = session["id"].as_str().unwrap();
                return self.json(&format!("/api/sessions/{id}")).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no finished session")
    }

    /// The dump of a session, once it is archived.
    async fn dump(&self, session: &Value) -> Vec<String> {
        let id = session["id"].as_str().unwrap();
        let target = format!("/api/sessions/{id}/dump");
        for _ in 0..500 {
            let response = self.request("GET", &target, &[], b"").await;
            if response.status == 200 {
                return response.body.lines().map(str::to_owned).collect();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no dump")
    }
}

struct Response {
    status: u16,
    content_type: Option<String>,
    body: String,
}

impl Response {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let header = |wanted: &str| {
            head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case(wanted).then(|| value.to_owned())
            })
        };
        let is_chunked = header("transfer-encoding").is_some();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            content_type: header("content-type"),
            body: if is_chunked {
                unchunk(body)
            } else {
                body.to_owned()
            },
        }
    }
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        whole.push_str(&rest[..size]);
        body = &rest[size + 2..];
    }
    whole
}

type WebSocket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<TcpStream>>;

async fn connect(server: &Server, target: &str, subprotocol: &str) -> WebSocket {
    let mut request = format!("ws://{}{target}", server.process.address)
        .into_client_request()
        .unwrap();
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", subprotocol.parse().unwrap());
    headers.insert("origin", "https://app.example.org".parse().unwrap());
    headers.insert("x-forwarded-for", "198.51.100.7".parse().unwrap());
    let (socket, response) = tokio_tungstenite::connect_async(request).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], subprotocol);
    socket
}

async fn closed(mut socket: WebSocket) -> CloseFrame {
    while let Some(message) = socket.next().await {
        if let Message::Close(Some(frame)) = message.unwrap() {
            return frame;
        }
    }
    panic!("no close frame")
}

async fn send(socket: &mut WebSocket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
}

#[tokio::test]
async fn a_5_0_session_is_stored_masked_and_found_by_its_names() {
    let server = Server::start(&["--obfuscate", "before-journal"]);
    let mut socket = connect(&server, "/any/path?x=1", "rtcstats#5.0").await;
    send(&mut socket, r#"[39,null,{},1700000000000]"#).await;
    send(
        &mut socket,
        r#"[40,"PC_0",{"optional":[{"rtcStatsClientId":"me"},{"rtcStatsPeerId":"you"}]},5]"#,
    )
    .await;
    send(
        &mut socket,
        r#"[20,"PC_0",{"candidate":"candidate:1 1 udp 5 203.0.113.9 9 typ host"},5]"#,
    )
    .await;
    socket.close(None).await.unwrap();
    let session = server.finished("clientId=me&peerId=you").await;
    let dump = server.dump(&session).await;
    assert_eq!(dump[0], "RTCStatsDump");
    let metadata: Value = serde_json::from_str(&dump[1]).unwrap();
    assert_eq!(metadata["url"], "/any/path?x=1");
    assert_eq!(metadata["origin"], "https://app.example.org");
    assert_eq!(metadata["remoteAddresses"], json!(["198.51.100.x"]));
    assert!(dump[4].contains("203.0.113.x"), "{}", dump[4]);
    assert!(dump[5].starts_with("[\"close\",null,1005,"), "{}", dump[5]);
    let others = server.json("/api/sessions?clientId=you").await;
    assert_eq!(others, json!({ "total": 0, "sessions": [] }));
}

#[tokio::test]
async fn a_legacy_session_is_stored_with_its_repairs() {
    let server = Server::start(&[]);
    let mut socket = connect(&server, "/page", "2.0").await;
    send(
        &mut socket,
        r#"["identity",null,{"user":"u","conference":"c"},1700000000000]"#,
    )
    .await;
    send(&mut socket, "no json").await;
    send(
        &mut socket,
        r#"["createOfferOnError","PC_0","x",1700000000001]"#,
    )
    .await;
    let frame = CloseFrame {
        code: 1000.into(),
        reason: "".into(),
    };
    socket.close(Some(frame)).await.unwrap();
    let session = server.finished("user=u&conference=c").await;
    assert_eq!(session["events"], 3);
    let dump = server.dump(&session).await;
    let head: Value = serde_json::from_str(&dump[0]).unwrap();
    assert_eq!(
        (&head["path"], &head["fileFormat"]),
        (&json!("/page"), &json!(2))
    );
    assert!(
        dump[1].starts_with("[\"publicIP\",null,[\"198.51.100.7\"],"),
        "{}",
        dump[1]
    );
    assert_eq!(
        dump[3],
        r#"["createOfferOnFailure","PC_0","x",1700000000001]"#
    );
    assert!(dump[4].starts_with("[\"close\",null,null,"));
}

const SECRET: &str = "s3cret";

#[tokio::test]
async fn a_refused_token_closes_the_socket_and_forbids_the_upload() {
    let server = Server::start(&["--jwt-secret", SECRET, "--upload-path", "/upload"]);
    for (target, reason) in [
        ("/", "token is missing"),
        ("/?rtcstats-token=x", "token is not valid"),
    ] {
        for subprotocol in ["rtcstats#5.0", "2.0", "3.1_STANDARD"] {
            let frame = closed(connect(&server, target, subprotocol).await).await;
            assert_eq!(
                (u16::from(frame.code), frame.reason.as_str()),
                (1008, reason)
            );
        }
    }
    let response = server.request("POST", "/upload", &[], b"").await;
    assert_eq!(
        (response.status, response.body.as_str()),
        (403, "Forbidden")
    );
    assert_eq!(
        server.json("/api/sessions").await,
        json!({ "total": 0, "sessions": [] })
    );
}

#[tokio::test]
async fn an_upload_is_stored_and_one_that_is_too_large_is_not() {
    let server = Server::start(&["--upload-path", "/upload", "--max-upload-bytes", "100000"]);
    let form = |events: &str| format!("--x\r\n\r\nRTCStatsDump\n{{}}\n{events}\r\n--x--\r\n");
    let headers = [("Content-Type", "multipart/form-data; boundary=x")];
    let body = form("[\"identity\",null,{\"user\":\"u\"},1]");
    let response = server
        .request("POST", "/upload", &headers, body.as_bytes())
        .await;
    assert_eq!(response.status, 200, "{}", response.body);
    let answer: Value = serde_json::from_str(&response.body).unwrap();
    let session = server.finished("user=u").await;
    assert_eq!(session["id"], answer["clientId"]);
    assert_eq!(server.dump(&session).await.len(), 3);
    let body = form(&"[1]\n".repeat(50_000));
    let response = server
        .request("POST", "/upload", &headers, body.as_bytes())
        .await;
    assert_eq!(response.status, 413);
}

#[tokio::test]
async fn each_golden_request_is_answered_as_by_the_existing_server() {
    let Some(path) = golden::shared("golden/rtcstats/server-http.jsonl") else {
        return;
    };
    let plain = Server::start(&["--upload-path", "/upload", "--obfuscate", "before-journal"]);
    let guarded = Server::start(&[
        "--upload-path",
        "/upload",
        "--obfuscate",
        "before-journal",
        "--jwt-secret",
        SECRET,
    ]);
    let without = Server::start(&[]);
    let mut passed = 0;
    for row in std::fs::read_to_string(path).unwrap().lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let name = row["name"].as_str().unwrap();
        // That server answers before it stores.
        if name == "s-insert-fails" {
            continue;
        }
        let server = match row["jwtSecret"].as_str() {
            Some(secret) => {
                assert_eq!(secret, SECRET);
                &guarded
            }
            None if name == "s-upload-disabled" => &without,
            None => &plain,
        };
        let headers: Vec<(&str, &str)> = row["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let body = row["body"].as_str().unwrap_or_default();
        let (method, path) = (
            row["method"].as_str().unwrap(),
            row["path"].as_str().unwrap(),
        );
        let response = server
            .request(method, path, &headers, body.as_bytes())
            .await;
        let expected = &row["response"];
        assert_eq!(
            expected["status"], response.status,
            "{name}: {}",
            response.body
        );
        if let Some(content_type) = expected["contentType"].as_str() {
            assert_eq!(
                response.content_type.as_deref(),
                Some(content_type),
                "{name}"
            );
        }
        check_body(&row, server, &response).await;
        passed += 1;
    }
    println!("{passed} requests agree");
}

async fn check_body(row: &Value, server: &Server, response: &Response) {
    let name = row["name"].as_str().unwrap();
    let Some(stored) = row["stored"].as_str() else {
        // What a parser says differs from one to another.
        if name != "s-metadata-bad-json" {
            assert_eq!(row["response"]["body"], response.body, "{name}");
        }
        return;
    };
    let answer: Value = serde_json::from_str(&response.body).unwrap();
    let id = answer["clientId"].as_str().unwrap();
    let expected = row["response"]["body"].as_str().unwrap();
    assert_eq!(expected.replace("<id>", id), response.body, "{name}");
    let values = |lines: &mut dyn Iterator<Item = &str>| -> Vec<Value> {
        let value = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| json!(line));
        lines.map(value).collect()
    };
    let dump = server.dump(&json!({ "id": id })).await;
    assert_eq!(
        values(&mut dump.iter().map(String::as_str)),
        values(&mut stored.lines()),
        "{name}"
    );
}
