//! Connects axum's WebSockets to the runtime.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::StreamExt;
use rtcstats_server_core::{Outgoing, Refusal, Socket, Upgrade};
use tokio::time::timeout;

use crate::server::state::AppState;

/// How long a peer may take to read what it is sent.
const SEND_PATIENCE: Duration = Duration::from_secs(30);

/// What a frame may be longer than a message, so that a message over the limit is refused by name.
const FRAME_SLACK_BYTES: usize = 64 << 10;

/// How long a peer may take to answer a close frame.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Takes WebSocket upgrades on every path; other requests go on to their routes.
pub(crate) async fn upgrade(
    State(state): State<AppState>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return next.run(request).await;
    };
    let details = details(&request);
    let handshake = state.runtime.handshake(&details);
    let subprotocol = match &handshake {
        Ok(handshake) => handshake.subprotocol().map(str::to_owned),
        Err(_) => rtcstats_proto::select_subprotocol(&details.subprotocols).map(str::to_owned),
    };
    let runtime = state.runtime.clone();
    // In a box, as the task would otherwise have room for the handshake for as long as it lives.
    let handshake = Box::new(handshake);
    upgrade
        .protocols(subprotocol)
        .read_buffer_size(state.read_buffer_bytes)
        .write_buffer_size(0)
        .max_message_size(state.max_message_bytes + FRAME_SLACK_BYTES)
        .max_frame_size(state.max_message_bytes + FRAME_SLACK_BYTES)
        .on_upgrade(move |websocket| {
            run(websocket, async move {
                match *handshake {
                    Ok(handshake) => runtime.connect(&handshake).await,
                    Err(refusal) => Err(refusal),
                }
            })
        })
}

/// Serves a WebSocket to its end.
///
/// What this future holds while a socket is silent is a good part of what the socket costs. So
/// it has everything once, and what is rare has a box.
fn run(
    mut websocket: WebSocket,
    connecting: impl Future<Output = Result<Socket, Refusal>> + Send,
) -> impl Future<Output = ()> + Send {
    // Not an `async fn`, which has room for its arguments twice.
    let connecting = Box::pin(connecting);
    async move {
        let mut connected = connecting.await;
        let end = match &mut connected {
            Ok(socket) => serve(&mut websocket, socket).await,
            Err(refusal) => End::Ours(refusal.code, refusal.reason),
        };
        if let Ok(socket) = connected {
            socket.disconnected(end.code());
        }
        Box::pin(finish(websocket, end)).await;
    }
}

/// What the server has to know of a request.
pub(crate) fn details(request: &Request) -> Upgrade {
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    Upgrade {
        target: target.to_owned(),
        origin: text(request.headers(), header::ORIGIN),
        user_agent: text(request.headers(), header::USER_AGENT),
        subprotocols: text(request.headers(), header::SEC_WEBSOCKET_PROTOCOL),
        forwarded_for: list(request.headers(), "x-forwarded-for"),
        peer_address: peer.map(|peer| peer.0.ip().to_string()).unwrap_or_default(),
        authorization: text(request.headers(), header::AUTHORIZATION),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> String {
    let value = headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    value.map(std::borrow::Cow::into_owned).unwrap_or_default()
}

/// A header that may stand in several lines: each proxy may add its own.
fn list(headers: &HeaderMap, name: &str) -> String {
    let lines = headers.get_all(name).iter();
    let lines: Vec<_> = lines
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    lines.join(", ")
}

/// Why no more frames are carried.
enum End {
    /// The peer closed, with this code if there was a close frame.
    Theirs(Option<u16>),
    /// We close, with this code and reason.
    Ours(u16, &'static str),
}

impl End {
    /// The code that the peer closed with.
    fn code(&self) -> Option<u16> {
        match self {
            Self::Theirs(code) => *code,
            Self::Ours(..) => None,
        }
    }
}

/// Carries frames both ways until either side closes.
async fn serve(websocket: &mut WebSocket, socket: &mut Socket) -> End {
    let mut last = None;
    loop {
        tokio::select! {
            // A socket that is to be closed is not read any further.
            biased;
            outgoing = socket.outgoing() => match outgoing {
                Outgoing::Text(text) => {
                    if !send(websocket, Message::Text(text.into())).await {
                        return End::Theirs(None);
                    }
                }
                Outgoing::Close(reason) => return End::Ours(reason.code(), reason.as_str()),
            },
            message = receive(websocket, &mut last) => {
                match &message {
                    Some(Ok(Message::Text(text))) => socket.receive(text.as_bytes()).await,
                    Some(Ok(Message::Binary(bytes))) => socket.receive(bytes).await,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(frame))) => {
                        let code = frame.as_ref().map_or(1005, |frame| frame.code);
                        return End::Theirs(Some(code));
                    }
                    Some(Err(_)) | None => return End::Theirs(None),
                }
                last = message;
            }
        }
    }
}

/// What [`receive`] yields.
type Received = Option<Result<Message, axum::Error>>;

/// The next message. The one before it is dropped only when the WebSocket has looked for the next:
/// it cannot use the memory of a message that is still there, and so begins a buffer of the usual size
/// again, instead of keeping one that a large message made it grow.
async fn receive(websocket: &mut WebSocket, last: &mut Received) -> Received {
    poll_fn(|context| {
        let message = websocket.poll_next_unpin(context);
        *last = None;
        message
    })
    .await
}

/// Whether a frame could be sent. The future is large, and rarely there.
async fn send(websocket: &mut WebSocket, message: Message) -> bool {
    let sent = Box::pin(timeout(SEND_PATIENCE, websocket.send(message)));
    matches!(sent.await, Ok(Ok(())))
}

/// Completes the close handshake, which reading does, after beginning it if it is ours.
async fn finish(mut websocket: WebSocket, end: End) {
    if let End::Ours(code, reason) = end {
        let reason = reason.into();
        let frame = CloseFrame { code, reason };
        if !send(&mut websocket, Message::Close(Some(frame))).await {
            return;
        }
    }
    let rest = async { while let Some(Ok(_)) = websocket.recv().await {} };
    let _ = timeout(CLOSE_PATIENCE, rest).await;
}
