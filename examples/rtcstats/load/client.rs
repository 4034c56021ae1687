//! One session: opens a WebSocket, sends a script at its pace, and times what is acknowledged.

use std::collections::VecDeque;
use std::error::Error;
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use rtcstats_proto::jitsi::SequenceNumberMessage;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderName;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::script::{Next, Protocol, Script};
use super::session_id;
use super::summary::Summary;
use super::target::Target;

/// As many as the stock client remembers.
const MOST_UNACKNOWLEDGED: usize = 1_000;

/// "Conference left": the session is over.
const LEFT: u16 = 3_001;

/// How long the close handshake may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

type Failure = Box<dyn Error + Send + Sync>;

/// When messages are sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// As they were traced, so many times faster.
    Recorded {
        begin: Instant,
        first_ms: Option<f64>,
        factor: f64,
    },
    /// At fixed times.
    Rate { next: Instant, interval: Duration },
    /// As soon as possible.
    Max,
}

/// A session whose socket is open.
pub(super) struct Client<'a> {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    script: Script,
    id: String,
    unacknowledged: VecDeque<(u64, Instant)>,
    patience: Duration,
    summary: &'a Summary,
}

impl<'a> Client<'a> {
    /// Connects, and waits until the server says that it is ready where the protocol has that. The
    /// caller limits how long.
    pub(super) async fn connect(
        target: &Target,
        script: Script,
        patience: Duration,
        summary: &'a Summary,
    ) -> Result<Self, Failure> {
        let id = session_id::random();
        let query = match script.protocol {
            Protocol::Jitsi => format!("?statsSessionId={id}&isReconnect=false"),
            Protocol::BackEnd | Protocol::Plain => String::new(),
        };
        let url = target.url(&format!("{}{query}", script.path));
        let mut request = url.as_str().into_client_request()?;
        for (name, value) in [
            ("sec-websocket-protocol", &script.subprotocol),
            ("origin", &script.origin),
            ("user-agent", &script.user_agent),
        ] {
            // What no client can have sent is left out.
            if let Ok(value) = value.parse()
                && !script_is_silent(&value)
            {
                request
                    .headers_mut()
                    .insert(HeaderName::from_static(name), value);
            }
        }
        let connecting = tokio_tungstenite::connect_async(request).await;
        let (socket, _) = connecting.map_err(|error| format!("{url}: {error}"))?;
        let mut client = Self {
            socket,
            script,
            id,
            unacknowledged: VecDeque::new(),
            patience,
            summary,
        };
        while client.script.protocol == Protocol::Jitsi {
            if client.receive().await? {
                break;
            }
        }
        Ok(client)
    }

    /// Sends the script, waits until it is acknowledged, and leaves.
    ///
    /// # Errors
    ///
    /// If the server closes, does not read, or does not acknowledge in time; or if the dump cannot be
    /// read to its end.
    pub(super) async fn play(
        mut self,
        mut pace: Pace,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), Failure> {
        while !*stop.borrow() {
            let entry = match self.script.next()? {
                Next::Entry(entry) => entry,
                Next::PassedOver => {
                    self.summary.passed_over();
                    continue;
                }
                Next::End => break,
            };
            let due = pace.due(entry.time_ms);
            if let Some(due) = due
                && !self.wait_until(due, &mut stop).await?
            {
                break;
            }
            self.wait_for_room(MOST_UNACKNOWLEDGED - 1).await?;
            let message = entry.message(self.script.protocol, &self.id);
            let length = message.len();
            let now = Instant::now();
            let late = due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due));
            self.summary.sent(length, entry.number.is_some(), late);
            if let Some(number) = entry.number {
                self.unacknowledged.push_back((number, now));
            }
            self.send(Message::text(message)).await?;
            self.receive_what_has_come()?;
        }
        self.wait_for_room(0).await?;
        self.leave().await?;
        self.summary.finished();
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<(), Failure> {
        timeout(self.patience, self.socket.send(message))
            .await
            .map_err(|_| "the server does not read")?
            .map_err(|error| format!("the server is gone: {error}").into())
    }

    /// Whether the time has come, and it is not to stop before.
    async fn wait_until(
        &mut self,
        due: Instant,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<bool, Failure> {
        loop {
            tokio::select! {
                () = sleep_until(due) => return Ok(true),
                // An error means that nobody can stop it any more.
                _ = stop.wait_for(|stop| *stop) => return Ok(false),
                received = self.receive() => received?,
            };
        }
    }

    /// Waits until no more than so many messages are not acknowledged.
    async fn wait_for_room(&mut self, most: usize) -> Result<(), Failure> {
        let until = Instant::now() + self.patience;
        while self.unacknowledged.len() > most {
            timeout_at(until, self.receive()).await.map_err(|_| {
                let count = self.unacknowledged.len();
                format!("{count} messages were not acknowledged in time")
            })??;
        }
        Ok(())
    }

    /// Takes the next frame; whether it is the one that opens a session.
    async fn receive(&mut self) -> Result<bool, Failure> {
        let frame = self.socket.next().await;
        self.take(frame)
    }

    fn receive_what_has_come(&mut self) -> Result<(), Failure> {
        while let Some(frame) = self.socket.next().now_or_never() {
            self.take(frame)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        frame: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
    ) -> Result<bool, Failure> {
        let text = match frame {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(frame))) => {
                let reason = frame.map_or_else(String::new, |frame| {
                    format!(" with {}: {}", u16::from(frame.code), frame.reason)
                });
                return Err(format!("the server closed{reason}").into());
            }
            Some(Ok(_)) => return Ok(false),
            Some(Err(error)) => return Err(format!("the server is gone: {error}").into()),
            None => return Err("the server is gone".into()),
        };
        let Some(message) = SequenceNumberMessage::parse(&text) else {
            return Ok(false);
        };
        while let Some((_, sent)) = self
            .unacknowledged
            .pop_front_if(|(number, _)| *number <= message.value)
        {
            self.summary.acknowledged(sent.elapsed());
        }
        Ok(message.initial)
    }

    async fn leave(&mut self) -> Result<(), Failure> {
        let code = match self.script.protocol {
            Protocol::Jitsi => LEFT,
            Protocol::BackEnd => {
                let close = format!(r#"{{"statsSessionId":"{}","type":"close"}}"#, self.id);
                self.send(Message::text(close)).await?;
                1_000
            }
            Protocol::Plain => 1_000,
        };
        let frame = CloseFrame {
            code: code.into(),
            reason: "".into(),
        };
        self.send(Message::Close(Some(frame))).await?;
        let rest = async { while let Some(Ok(_)) = self.socket.next().await {} };
        // All was said before.
        let _ = timeout(CLOSE_PATIENCE, rest).await;
        Ok(())
    }
}

fn script_is_silent(value: &tokio_tungstenite::tungstenite::http::HeaderValue) -> bool {
    value.is_empty()
}

impl Pace {
    /// When the next message is to be sent, which was traced then; at once if there is no time.
    fn due(&mut self, time_ms: Option<f64>) -> Option<Instant> {
        match self {
            Self::Recorded {
                begin,
                first_ms,
                factor,
            } => {
                let time_ms = time_ms?;
                let first_ms = *first_ms.get_or_insert(time_ms);
                let seconds = (time_ms - first_ms) / 1_000.0 / *factor;
                let offset = Duration::try_from_secs_f64(seconds).ok()?;
                begin.checked_add(offset)
            }
            Self::Rate { next, interval } => {
                let due = *next;
                *next = due + *interval;
                Some(due)
            }
            Self::Max => None,
        }
    }
}
