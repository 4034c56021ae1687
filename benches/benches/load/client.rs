//! One client: opens a WebSocket, sends its story, and takes the time until it is acknowledged.

use std::collections::VecDeque;
use std::io::{self, Cursor, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use rtcstats_benches::frames;
use rtcstats_proto::jitsi::SequenceNumberMessage;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep_until, timeout, timeout_at};
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;

use super::Generation;
use super::story::{Story, StoryFrame};

/// Connections from one address: there are about 28,000 ports for them.
const PORTS: usize = 20_000;

/// Of the system, for each client: a message or two.
const SEND_BUFFER_BYTES: u32 = 16 << 10;

/// How long a server that is overloaded may take to refuse a connection.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(20);

/// How long after its end a phase waits for acknowledgements: the server may take 2 s.
const ACKNOWLEDGEMENT_PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Client {
    stream: TcpStream,
    story: Arc<Story>,
    session_id: String,
    /// How much of the story was sent.
    sent: usize,
    acknowledges: bool,
    /// The last number that was acknowledged.
    acknowledged: u64,
    /// What was read and is no whole frame yet.
    received: Vec<u8>,
}

/// What clients do for a while.
#[derive(Clone, Copy)]
pub(crate) struct Phase {
    /// How many messages each sends, if its story has them.
    pub(crate) messages: usize,
    /// Between two messages of a client; as fast as possible without.
    pub(crate) interval: Option<Duration>,
    /// Within this time the clients begin, one after the other.
    pub(crate) spread: Duration,
    /// When it ends at the latest, counted from its beginning.
    pub(crate) limit: Duration,
}

/// What a client sent.
pub(crate) struct Sent {
    pub(crate) messages: usize,
    /// From before a message was sent to its acknowledgement.
    pub(crate) latencies: Vec<Duration>,
    /// Messages whose acknowledgement did not come in time: the server is overloaded.
    pub(crate) unacknowledged: usize,
}

/// What a client that insisted has come to.
pub(crate) struct Insisted {
    pub(crate) session_id: String,
    /// The last number that was acknowledged.
    pub(crate) acknowledged: u64,
    /// By how much it was behind when the server was gone.
    pub(crate) late: Duration,
    pub(crate) sent: Sent,
}

impl Client {
    pub(crate) async fn connect(
        server: SocketAddr,
        generation: Generation,
        story: Arc<Story>,
        number: usize,
    ) -> Self {
        let session_id = session_id(number);
        let request = request(server, generation, &session_id);
        let socket = TcpSocket::new_v4().unwrap();
        // What waits here would be taken for time in the server.
        socket.set_send_buffer_size(SEND_BUFFER_BYTES).unwrap();
        if number >= PORTS {
            let host = u8::try_from(1 + number / PORTS).unwrap();
            let address = Ipv4Addr::new(127, 0, 0, host);
            socket.bind((address, 0).into()).unwrap();
        }
        let stream = socket.connect(server).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let config = WebSocketConfig::default().read_buffer_size(256);
        let (mut websocket, _) = client_async_with_config(request, stream, Some(config))
            .await
            .unwrap();
        let acknowledges = generation == Generation::Jitsi;
        if acknowledges {
            let first = websocket.next().await.unwrap().unwrap();
            let number = SequenceNumberMessage::parse(first.to_text().unwrap()).unwrap();
            assert!(number.initial);
        }
        Self {
            // Nothing more comes before something is sent.
            stream: websocket.into_inner(),
            story,
            session_id,
            sent: 0,
            acknowledges,
            acknowledged: 0,
            received: Vec::new(),
        }
    }

    pub(crate) async fn run(mut self, phase: Phase, start: Instant) -> (Self, Sent) {
        let end = start + phase.limit;
        let story = Arc::clone(&self.story);
        let frames = story.frames.get(self.sent..).unwrap_or_default();
        let mut unacknowledged = VecDeque::new();
        let mut sent = Sent {
            messages: 0,
            latencies: Vec::new(),
            unacknowledged: 0,
        };
        for (index, frame) in frames.iter().take(phase.messages).enumerate() {
            if let Some(interval) = phase.interval {
                let due = start + interval * index as u32;
                self.wait_until(due, &mut unacknowledged, &mut sent).await;
            }
            let now = Instant::now();
            if now >= end {
                break;
            }
            if let Some(number) = frame.sequence_number.filter(|_| self.acknowledges) {
                unacknowledged.push_back((number, now));
            }
            self.send(frame, &mut unacknowledged, &mut sent)
                .await
                .expect("the server takes messages");
            sent.messages += 1;
            self.sent += 1;
        }
        let patience = Instant::now() + ACKNOWLEDGEMENT_PATIENCE;
        while !unacknowledged.is_empty() && Instant::now() < patience {
            let _ = timeout_at(patience.into(), self.stream.readable()).await;
            self.receive(&mut unacknowledged, &mut sent)
                .expect("the server is there");
        }
        sent.unacknowledged = unacknowledged.len();
        (self, sent)
    }

    /// Sends at fixed times, however late the last message was, until `end`; and reads
    /// acknowledgements for as long as the server lives.
    pub(crate) async fn insist(
        mut self,
        start: Instant,
        interval: Duration,
        end: Instant,
    ) -> Insisted {
        let story = Arc::clone(&self.story);
        let frames = story.frames.get(self.sent..).unwrap_or_default();
        let mut unacknowledged = VecDeque::new();
        let mut sent = Sent {
            messages: 0,
            latencies: Vec::new(),
            unacknowledged: 0,
        };
        let mut is_there = true;
        for (index, frame) in frames.iter().enumerate() {
            let due = start + interval * index as u32;
            if due >= end || !is_there {
                break;
            }
            while is_there && timeout_at(due.into(), self.stream.readable()).await.is_ok() {
                is_there = self.receive(&mut unacknowledged, &mut sent).is_ok();
            }
            // From when it should have been sent: waiting for the socket counts.
            unacknowledged.extend(frame.sequence_number.map(|number| (number, due)));
            let result = self.send(frame, &mut unacknowledged, &mut sent).await;
            is_there &= result.is_ok();
            sent.messages += usize::from(is_there);
        }
        while is_there {
            let _ = self.stream.readable().await;
            is_there = self.receive(&mut unacknowledged, &mut sent).is_ok();
        }
        assert!(sent.messages < frames.len(), "the story is too short");
        let next = start + interval * sent.messages as u32;
        let late = end.saturating_duration_since(next);
        Insisted {
            session_id: self.session_id,
            acknowledged: self.acknowledged,
            late,
            sent,
        }
    }

    async fn wait_until(
        &mut self,
        due: Instant,
        unacknowledged: &mut VecDeque<(u64, Instant)>,
        sent: &mut Sent,
    ) {
        if !self.acknowledges {
            return sleep_until(due.into()).await;
        }
        while timeout_at(due.into(), self.stream.readable()).await.is_ok() {
            self.receive(unacknowledged, sent)
                .expect("the server is there");
        }
    }

    async fn send(
        &mut self,
        frame: &StoryFrame,
        unacknowledged: &mut VecDeque<(u64, Instant)>,
        sent: &mut Sent,
    ) -> io::Result<()> {
        let mut bytes = frame.bytes.clone();
        if let Some(at) = frame.session_id {
            let place = bytes.get_mut(at..at + frames::SESSION_ID.len()).unwrap();
            place.copy_from_slice(self.session_id.as_bytes());
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match self.stream.try_write(rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    tokio::select! {
                        _ = self.stream.writable() => {}
                        _ = self.stream.readable(), if self.acknowledges => {
                            self.receive(unacknowledged, sent)?;
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        // Lets the others have their turn.
        tokio::task::consume_budget().await;
        Ok(())
    }

    /// Reads what has come.
    fn receive(
        &mut self,
        unacknowledged: &mut VecDeque<(u64, Instant)>,
        sent: &mut Sent,
    ) -> io::Result<()> {
        let mut buffer = [0; 512];
        match self.stream.try_read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => self
                .received
                .extend_from_slice(buffer.get(..count).unwrap()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        let mut cursor = Cursor::new(&self.received);
        let mut used = 0;
        let now = Instant::now();
        while let Ok(Some((_, length))) = FrameHeader::parse(&mut cursor) {
            let start = cursor.position() as usize;
            let end = start + length as usize;
            let Some(payload) = self.received.get(start..end) else {
                break;
            };
            let text = std::str::from_utf8(payload).unwrap();
            let number = SequenceNumberMessage::parse(text).expect("an acknowledgement");
            self.acknowledged = self.acknowledged.max(number.value);
            while let Some((_, at)) = unacknowledged
                .front()
                .filter(|(sent, _)| *sent <= number.value)
            {
                sent.latencies.push(now - *at);
                unacknowledged.pop_front();
            }
            used = end;
            cursor.set_position(end as u64);
        }
        self.received.drain(..used);
        Ok(())
    }
}

fn session_id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn request(server: SocketAddr, generation: Generation, session_id: &str) -> Request {
    let mut request = format!("ws://{server}/room?statsSessionId={session_id}&isReconnect=false")
        .into_client_request()
        .unwrap();
    let headers = request.headers_mut();
    let subprotocol = generation.subprotocol().parse().unwrap();
    headers.insert("sec-websocket-protocol", subprotocol);
    headers.insert("origin", "https://meet.example.org".parse().unwrap());
    let browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
    headers.insert("user-agent", browser.parse().unwrap());
    request
}

/// Connects where there should be no room: the code of the close frame that comes.
pub(crate) async fn refused(
    server: SocketAddr,
    generation: Generation,
    number: usize,
) -> Option<u16> {
    let stream = TcpStream::connect(server).await.unwrap();
    let request = request(server, generation, &session_id(number));
    let (mut websocket, _) = client_async_with_config(request, stream, None)
        .await
        .unwrap();
    while let Ok(Some(Ok(message))) = timeout(REFUSAL_PATIENCE, websocket.next()).await {
        if let Message::Close(frame) = message {
            return frame.map(|frame| frame.code.into());
        }
    }
    None
}
