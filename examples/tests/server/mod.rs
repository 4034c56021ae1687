//! The axum example as a process, and clients of it.

#![allow(
    dead_code,
    clippy::indexing_slicing,
    reason = "not every test needs all of it, and a test fails by panicking"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server; killed when it is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: String,
    /// Kept open: the server has more to say.
    _stdout: BufReader<ChildStdout>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A command that starts the server on a free port.
fn command(data: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(example("axum"));
    command
        .args(["--listen", "127.0.0.1:0", "--log", "error", "--data"])
        .arg(data)
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What a server says that does not start.
pub(crate) fn refusal(data: &Path, flags: &[&str]) -> Output {
    command(data, flags).output().unwrap()
}

impl Server {
    pub(crate) fn start(data: &Path, flags: &[&str]) -> Self {
        let mut process = command(data, flags)
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        stdout.read_line(&mut first).unwrap();
        let (_, rest) = first.split_once("http://").unwrap();
        let address = rest.split('/').next().unwrap().to_owned();
        Self {
            process,
            address,
            _stdout: stdout,
        }
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(self.id().to_string())
            .status();
        assert!(status.unwrap().success());
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = async {
            loop {
                if let Some(status) = self.process.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.unwrap()
    }

    /// Status and body of a response.
    pub(crate) async fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> (u16, String) {
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.address
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let is_chunked = head.to_lowercase().contains("transfer-encoding: chunked");
        let body = if is_chunked {
            unchunk(body)
        } else {
            body.to_owned()
        };
        (status, body)
    }

    pub(crate) async fn json(&self, target: &str) -> Value {
        let (_, body) = self.request("GET", target, &[]).await;
        serde_json::from_str(&body).unwrap_or_default()
    }

    /// The finished sessions that a query finds, once there are so many.
    pub(crate) async fn finished(&self, query: &str, count: usize) -> Vec<Value> {
        let finished = async {
            loop {
                let list = self.json(&format!("/api/sessions?{query}")).await;
                let mut sessions = list["sessions"].as_array().unwrap().clone();
                sessions.retain(|session| session["state"] == "finished");
                if sessions.len() == count {
                    return sessions;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, finished).await.unwrap()
    }

    /// The lines of a dump, once it is there.
    pub(crate) async fn dump(&self, id: &str) -> Vec<String> {
        let dump = async {
            loop {
                let target = format!("/api/sessions/{id}/dump");
                let (status, body) = self.request("GET", &target, &[]).await;
                if status == 200 {
                    return body.lines().map(str::to_owned).collect();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, dump).await.unwrap()
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

/// A client of Jitsi's protocol with one session.
pub(crate) struct Client {
    socket: tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<TcpStream>>,
    id: String,
    /// The highest number that was acknowledged.
    pub(crate) acknowledged: u64,
}

impl Client {
    /// Connects, and reads how far the server has got.
    pub(crate) async fn connect(server: &Server, id: &str) -> Self {
        let mut client = Self::open(server, id).await;
        assert_eq!(client.next().await, None);
        client
    }

    /// The code with which a connection is refused.
    pub(crate) async fn refused(server: &Server, id: &str) -> u16 {
        Self::open(server, id).await.closed().await
    }

    async fn open(server: &Server, id: &str) -> Self {
        let target = format!("ws://{}/room?statsSessionId={id}", server.address);
        let mut request = target.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "3.1_STANDARD".parse().unwrap());
        let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        Self {
            socket,
            id: id.to_owned(),
            acknowledged: 0,
        }
    }

    /// Sends events with these numbers; the first one says who it is.
    pub(crate) async fn send(&mut self, user: &str, numbers: std::ops::RangeInclusive<u64>) {
        for number in numbers {
            let time = 1_700_000_000_000 + number;
            let event = if number == 1 {
                format!(
                    "[\"identity\",null,{{\"displayName\":\"{user}\",\"confName\":\"room\"}},{time},1]"
                )
            } else {
                format!("[\"e\",null,1,{time},{number}]")
            };
            let frame = serde_json::json!({
                "statsSessionId": self.id, "type": "stats-entry", "data": event,
            });
            self.socket
                .send(Message::text(frame.to_string()))
                .await
                .unwrap();
        }
    }

    /// Sends one event, as JSON text.
    pub(crate) async fn send_event(&mut self, event: &str) {
        let frame = serde_json::json!({
            "statsSessionId": self.id, "type": "stats-entry", "data": event,
        });
        let message = Message::text(frame.to_string());
        self.socket.send(message).await.unwrap();
    }

    /// Reads until this number is acknowledged.
    pub(crate) async fn until_acknowledged(&mut self, number: u64) {
        while self.acknowledged < number {
            assert_eq!(self.next().await, None);
        }
    }

    /// The next frame: the code of a close frame, or an acknowledgement, which is noted.
    pub(crate) async fn next(&mut self) -> Option<u16> {
        let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
        match message.unwrap().unwrap().unwrap() {
            Message::Close(frame) => Some(frame.map_or(1005, |frame| frame.code.into())),
            message => {
                let frame: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
                let value = &frame["body"]["value"];
                self.acknowledged = value.as_u64().unwrap_or(self.acknowledged);
                None
            }
        }
    }

    /// The code that the server closes with.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            if let Some(code) = self.next().await {
                return code;
            }
        }
    }

    /// Leaves the conference.
    pub(crate) async fn leave(mut self) {
        use tokio_tungstenite::tungstenite::protocol::CloseFrame;
        let frame = CloseFrame {
            code: 3001.into(),
            reason: "".into(),
        };
        self.socket.close(Some(frame)).await.unwrap();
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}

pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "waited in vain: {what}");
}

/// Examples are built along with the tests, beside the folder that this test is in.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let target = test.ancestors().nth(2).unwrap_or(Path::new(""));
    let path = target.join("examples").join(name);
    assert!(
        path.exists(),
        "{} is not built: run `cargo test --workspace`",
        path.display()
    );
    path
}
