//! A server that is attacked, and the sockets that it is attacked with, below any library.

use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    process: server::Server,
    _data: TempDir,
}

impl Server {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        Self {
            process: server::Server::start(data.path(), flags),
            _data: data,
        }
    }

    /// The most memory that the server had since the last call, in MiB.
    pub(crate) fn peak_mib(&self) -> u64 {
        let folder = format!("/proc/{}", self.process.id());
        let status = std::fs::read_to_string(format!("{folder}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.unwrap().split_whitespace().nth(1).unwrap();
        // From here on it is counted anew.
        std::fs::write(format!("{folder}/clear_refs"), "5").unwrap();
        kib.parse::<u64>().unwrap() / 1_024
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.process.address).await.unwrap()
    }

    /// Sends a request as it is; the status of the answer, and what follows.
    pub(crate) async fn request(&self, head: &str, body: &[u8]) -> (String, String) {
        let mut stream = self.connect().await;
        // It may be answered before it is complete.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(body).await;
        let mut response = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut response)).await;
        let text = String::from_utf8_lossy(&response).into_owned();
        let status = text.split(' ').nth(1).unwrap_or("no answer").to_owned();
        (status, text)
    }

    pub(crate) async fn get(&self, target: &str) -> (String, String) {
        let head = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        self.request(&head, b"").await
    }

    /// A WebSocket, and what came behind the upgrade; or the status of the refusal.
    pub(crate) async fn open(&self, target: &str, headers: &str) -> Result<RawSocket, String> {
        let mut stream = self.connect().await;
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        let _ = stream.write_all(head.as_bytes()).await;
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\n") {
            match timeout(PATIENCE, stream.read_u8()).await {
                Ok(Ok(byte)) => response.push(byte),
                _ => return Err("no answer".to_owned()),
            }
        }
        let text = String::from_utf8_lossy(&response);
        match text.split(' ').nth(1) {
            Some("101") => Ok(RawSocket { stream }),
            status => Err(status.unwrap_or("no answer").to_owned()),
        }
    }

    pub(crate) async fn browser(&self, id: &str) -> RawSocket {
        let target = format!("/room?statsSessionId={id}");
        self.open(&target, "Sec-WebSocket-Protocol: 3.1_STANDARD\r\n")
            .await
            .unwrap()
    }

    pub(crate) async fn back_end(&self) -> RawSocket {
        self.open("/", "Sec-WebSocket-Protocol: 3.0_JVB\r\n")
            .await
            .unwrap()
    }
}

pub(crate) struct RawSocket {
    stream: TcpStream,
}

impl RawSocket {
    /// Sends bytes as they are, as far as they are taken.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) -> bool {
        matches!(
            timeout(PATIENCE, self.stream.write_all(bytes)).await,
            Ok(Ok(()))
        )
    }

    /// Sends a frame; `first` is its first byte.
    pub(crate) async fn frame(&mut self, first: u8, payload: &[u8]) -> bool {
        self.raw(&frame(first, payload)).await
    }

    pub(crate) async fn text(&mut self, text: &str) -> bool {
        self.frame(0x81, text.as_bytes()).await
    }

    /// How the server closes, within this time.
    pub(crate) async fn end_within(&mut self, patience: Duration) -> String {
        let answer = async {
            loop {
                let Ok(first) = self.stream.read_u8().await else {
                    return "closed".to_owned();
                };
                let Ok(length) = self.stream.read_u8().await else {
                    return "closed".to_owned();
                };
                let mut payload = vec![0; usize::from(length)];
                if self.stream.read_exact(&mut payload).await.is_err() {
                    return "closed".to_owned();
                }
                if first & 0x0f == 8 {
                    return match payload.as_slice() {
                        [high, low, ..] => format!("{}", u16::from_be_bytes([*high, *low])),
                        _ => "closed".to_owned(),
                    };
                }
            }
        };
        let answer = timeout(patience, answer).await;
        answer.unwrap_or_else(|_| "open".to_owned())
    }

    pub(crate) async fn end(&mut self) -> String {
        self.end_within(PATIENCE).await
    }

    /// Whether it goes on: what was sent before is behind the answer to a ping.
    pub(crate) async fn is_open(&mut self) -> bool {
        if !self.frame(0x89, b"are you there").await {
            return false;
        }
        let pong = async {
            loop {
                let first = self.stream.read_u8().await.unwrap_or(0x88);
                let length = self.stream.read_u8().await.unwrap_or_default();
                let mut payload = vec![0; usize::from(length)];
                let read = self.stream.read_exact(&mut payload).await;
                match first & 0x0f {
                    10 => return true,
                    8 => return false,
                    _ if read.is_err() => return false,
                    _ => {}
                }
            }
        };
        timeout(PATIENCE, pong).await.unwrap_or(false)
    }
}

/// A masked frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..=65_535 => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    // Masked with zeros it is what it was.
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}
