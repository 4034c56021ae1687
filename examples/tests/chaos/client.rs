//! The stock Jitsi client over a real socket (Jitsi spec, section 4), and plain clients, which do not
//! come back.
//!
//! What the Jitsi client waits for is ten times shorter here than in browsers: pauses before it comes
//! back, the time after which it gives up, and between keepalives.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rtcstats_proto::jitsi::SequenceNumberMessage;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::random::Random;
use crate::story::Story;

/// Entries that the client remembers.
const BUFFER: usize = 1_000;

/// How many times shorter everything is.
const HASTE: f64 = 10.0;

/// Until a connection attempt is given up.
const CONNECT_PATIENCE: Duration = Duration::from_secs(4);

/// "Conference left": after it a client never comes back, whoever says it.
const LEFT: u16 = 3_001;

type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Who sends what, and when.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) server: SocketAddr,
    pub(crate) story: Arc<Story>,
    /// Session id, or (of a plain client) the path by which its dump is known.
    pub(crate) id: String,
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
    /// Whether it leaves without waiting for acknowledgements.
    pub(crate) is_hasty: bool,
    pub(crate) random: Random,
    /// When it gives up in any case.
    pub(crate) deadline: Instant,
}

/// What became of a client.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Entries emitted, which have the numbers from 1 on.
    pub(crate) emitted: u64,
    /// Messages sent, repetitions included.
    pub(crate) sent: u64,
    /// The highest number that it was told.
    pub(crate) acknowledged: u64,
    pub(crate) connections: u64,
    /// Entries that there was no room to remember.
    pub(crate) overflowed: u64,
    /// The longest time between two signs of the server while something waited for one.
    pub(crate) longest_wait: Duration,
    /// Whether it left as it wanted to.
    pub(crate) has_left: bool,
    /// What the server did that it never may.
    pub(crate) offences: Vec<String>,
}

/// A connection whose handshake is complete.
struct Connection {
    frames: futures_util::stream::SplitStream<WebSocket>,
    /// Sends without waiting, as browsers do.
    sender: UnboundedSender<Message>,
    writing: JoinHandle<()>,
    can_send: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.writing.abort();
    }
}

enum Link {
    Down { retry_at: Instant },
    Connecting(JoinHandle<Option<Box<WebSocket>>>),
    Up(Box<Connection>),
}

struct Client {
    part: Part,
    outcome: Outcome,
    /// Numbers of entries that are not acknowledged.
    buffer: VecDeque<u64>,
    link: Link,
    attempts: i32,
    spent: Duration,
    waiting_since: Option<Instant>,
    keepalive_at: Instant,
}

enum Event {
    Emit,
    Keepalive,
    Retry,
    Connected(Option<Box<WebSocket>>),
    Frame(Option<Message>),
    GiveUp,
}

/// Plays the part of a Jitsi client to its end.
pub(crate) async fn play(part: Part) -> Outcome {
    let begin = part.begin;
    let client = Client {
        outcome: Outcome::default(),
        buffer: VecDeque::new(),
        link: Link::Down { retry_at: begin },
        attempts: 0,
        spent: Duration::ZERO,
        waiting_since: None,
        keepalive_at: begin,
        part,
    };
    client.run().await
}

impl Client {
    async fn run(mut self) -> Outcome {
        loop {
            if self.is_done() {
                self.leave().await;
                return self.outcome;
            }
            match self.next_event().await {
                Event::Emit => self.emit(),
                Event::Keepalive => self.keep_alive(),
                Event::Retry => self.connect(),
                Event::Connected(Some(socket)) => self.connected(socket),
                Event::Connected(None) => self.lost(),
                Event::Frame(Some(Message::Text(text))) => self.told(&text),
                Event::Frame(Some(Message::Close(frame))) => {
                    let code = frame.map_or(1005, |frame| u16::from(frame.code));
                    if code == LEFT || code == LEFT + 1 {
                        self.offence(format!("closed for good with {code}"));
                        return self.outcome;
                    }
                    self.lost();
                }
                Event::Frame(Some(_)) => {}
                Event::Frame(None) => self.lost(),
                Event::GiveUp => return self.outcome,
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        let next = self.next_emission();
        tokio::select! {
            () = sleep_until(self.part.deadline) => Event::GiveUp,
            () = sleep_until(next.unwrap_or(self.part.deadline)), if next.is_some() => Event::Emit,
            () = sleep_until(self.keepalive_at) => Event::Keepalive,
            event = async {
                match &mut self.link {
                    Link::Down { retry_at } => {
                        sleep_until(*retry_at).await;
                        Event::Retry
                    }
                    Link::Connecting(attempt) => Event::Connected(attempt.await.ok().flatten()),
                    Link::Up(connection) => {
                        Event::Frame(connection.frames.next().await.and_then(Result::ok))
                    }
                }
            } => event,
        }
    }

    fn next_emission(&self) -> Option<Instant> {
        let message = self
            .part
            .story
            .messages
            .get(self.outcome.emitted as usize)?;
        let whole = self.part.end.duration_since(self.part.begin);
        Some(self.part.begin + whole.mul_f64(message.at))
    }

    fn frame(&self, number: u64) -> Message {
        let index = number as usize - 1;
        Message::text(self.part.story.frame(index, &self.part.id))
    }

    /// Section 4.2.
    fn emit(&mut self) {
        self.outcome.emitted += 1;
        let number = self.outcome.emitted;
        if let Link::Up(connection) = &self.link
            && connection.can_send
        {
            let _ = connection.sender.send(self.frame(number));
            self.outcome.sent += 1;
        }
        if self.buffer.len() < BUFFER {
            self.buffer.push_back(number);
            self.waiting_since.get_or_insert_with(Instant::now);
        } else {
            self.outcome.overflowed += 1;
        }
    }

    fn keep_alive(&mut self) {
        const PERIOD: Duration = Duration::from_secs(30);
        self.keepalive_at = Instant::now() + PERIOD.div_f64(HASTE);
        if let Link::Up(connection) = &self.link
            && connection.can_send
        {
            let id = &self.part.id;
            let text = format!(r#"{{"statsSessionId":"{id}","type":"keepalive"}}"#);
            let _ = connection.sender.send(Message::text(text));
        }
    }

    /// Section 4.3.
    fn connect(&mut self) {
        let is_reconnect = self.outcome.connections > 0;
        let target = format!(
            "/chaos-room?statsSessionId={}&isReconnect={is_reconnect}",
            self.part.id
        );
        let attempt = open(self.part.server, target, Arc::clone(&self.part.story));
        self.link = Link::Connecting(tokio::spawn(attempt));
    }

    fn connected(&mut self, socket: Box<WebSocket>) {
        let (mut sink, frames) = (*socket).split();
        let (sender, mut messages) = unbounded_channel();
        let writing = tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                if sink.send(message).await.is_err() {
                    return;
                }
            }
        });
        self.outcome.connections += 1;
        self.link = Link::Up(Box::new(Connection {
            frames,
            sender,
            writing,
            can_send: false,
        }));
    }

    /// Section 4.4.
    fn told(&mut self, text: &Utf8Bytes) {
        let Some(message) = SequenceNumberMessage::parse(text) else {
            return;
        };
        if message.value > self.outcome.emitted {
            let emitted = self.outcome.emitted;
            self.offence(format!("acknowledged {} of {emitted}", message.value));
        }
        // A server that has forgotten an ended session begins again.
        if message.value < self.outcome.acknowledged && !message.initial {
            let before = self.outcome.acknowledged;
            self.offence(format!("acknowledged {} after {before}", message.value));
        }
        self.outcome.acknowledged = self.outcome.acknowledged.max(message.value);
        if let Ok(at) = self.buffer.binary_search(&message.value) {
            self.buffer.drain(..=at);
        }
        if let Some(since) = self.waiting_since.take() {
            self.outcome.longest_wait = self.outcome.longest_wait.max(since.elapsed());
        }
        if !self.buffer.is_empty() {
            self.waiting_since = Some(Instant::now());
        }
        if message.initial {
            self.attempts = 0;
            self.spent = Duration::ZERO;
            let frames: Vec<_> = self
                .buffer
                .iter()
                .map(|number| self.frame(*number))
                .collect();
            if let Link::Up(connection) = &mut self.link {
                connection.can_send = true;
                self.outcome.sent += frames.len() as u64;
                for frame in frames {
                    let _ = connection.sender.send(frame);
                }
            }
        }
    }

    /// Section 4.5.
    fn lost(&mut self) {
        const BUDGET_SECONDS: f64 = 600.0;
        let random = self.part.random.fraction() * 10.0;
        let delay = (2_f64.powi(self.attempts) + random).min(BUDGET_SECONDS) / HASTE;
        self.attempts += 1;
        self.spent += Duration::from_secs_f64(delay);
        if self.spent.as_secs_f64() > BUDGET_SECONDS / HASTE {
            self.offence("not served for as long as the client tries".to_owned());
        }
        self.link = Link::Down {
            retry_at: Instant::now() + Duration::from_secs_f64(delay),
        };
    }

    fn offence(&mut self, what: String) {
        self.outcome
            .offences
            .push(format!("{}: {what}", self.part.id));
    }

    /// Whether everything was said, and (unless it is hasty) acknowledged.
    fn is_done(&self) -> bool {
        let is_ready = matches!(&self.link, Link::Up(connection) if connection.can_send);
        let has_waited = self.part.is_hasty || self.buffer.is_empty();
        self.next_emission().is_none() && is_ready && has_waited
    }

    /// Leaves the conference. The client is gone after it, whether the server has heard of it or not.
    async fn leave(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        self.outcome.has_left = true;
        let Link::Up(connection) = &mut self.link else {
            return;
        };
        let close = CloseFrame {
            code: LEFT.into(),
            reason: Utf8Bytes::default(),
        };
        let _ = connection.sender.send(Message::Close(Some(close)));
        let until = Instant::now() + PATIENCE;
        while let Ok(Some(Ok(message))) = timeout_at(until, connection.frames.next()).await {
            if let Message::Text(text) = message
                && let Some(message) = SequenceNumberMessage::parse(&text)
            {
                self.outcome.acknowledged = self.outcome.acknowledged.max(message.value);
            }
        }
    }
}

async fn open(server: SocketAddr, target: String, story: Arc<Story>) -> Option<Box<WebSocket>> {
    let mut request = format!("ws://{server}{target}")
        .into_client_request()
        .ok()?;
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", story.subprotocol.parse().ok()?);
    headers.insert("user-agent", story.user_agent.parse().ok()?);
    headers.insert("origin", story.origin.parse().ok()?);
    let connecting = tokio_tungstenite::connect_async(request);
    let (socket, _) = timeout(CONNECT_PATIENCE, connecting).await.ok()?.ok()?;
    Some(Box::new(socket))
}

/// Plays the part of a client whose session is its socket: it sends until it is cut, or closes.
pub(crate) async fn play_plain(mut part: Part) -> Outcome {
    let mut outcome = Outcome::default();
    sleep_until(part.begin).await;
    let target = format!("/{}", part.id);
    let mut socket = *loop {
        if let Some(socket) = open(part.server, target.clone(), Arc::clone(&part.story)).await {
            break socket;
        }
        if Instant::now() > part.deadline {
            return outcome;
        }
        sleep_until(Instant::now() + part.random.seconds(0.1, 1.0)).await;
    };
    outcome.connections = 1;
    let whole = part.end.duration_since(part.begin);
    for (index, message) in part.story.messages.iter().enumerate() {
        let at = part.begin + whole.mul_f64(message.at);
        let until_then = async { while let Some(Ok(_)) = socket.next().await {} };
        if timeout_at(at, until_then).await.is_ok() {
            return outcome;
        }
        let frame = Message::text(part.story.frame(index, ""));
        outcome.emitted += 1;
        match timeout_at(part.deadline, socket.send(frame)).await {
            Ok(Ok(())) => outcome.sent += 1,
            _ => return outcome,
        }
    }
    let close = CloseFrame {
        code: 1000.into(),
        reason: Utf8Bytes::default(),
    };
    outcome.has_left = timeout_at(part.deadline, socket.close(Some(close)))
        .await
        .is_ok_and(|closed| closed.is_ok());
    outcome
}
