//! Connects axum's WebSockets to the runtime.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::middleware::Next;
use axum::response::Response;
use rtcstats_server_core::{Outgoing, Refusal, Socket, Upgrade};

use tokio::time::timeout;

use crate::state::AppState;

/// The default of 128 KiB a socket would be most of the memory of an idle one.
const SOCKET_BUFFER_BYTES: usize = 8 << 10;

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
    upgrade
        .protocols(subprotocol)
        .read_buffer_size(SOCKET_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(state.max_message_bytes + FRAME_SLACK_BYTES)
        .max_frame_size(state.max_message_bytes + FRAME_SLACK_BYTES)
        .on_upgrade(move |websocket| async move {
            match handshake.and_then(|handshake| runtime.connect(&handshake)) {
                Ok(socket) => serve(websocket, socket).await,
                Err(refusal) => refuse(websocket, refusal).await,
            }
        })
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

/// Carries frames both ways until either side closes.
async fn serve(mut websocket: WebSocket, mut socket: Socket) {
    let code = loop {
        tokio::select! {
            outgoing = socket.outgoing() => match outgoing {
                Outgoing::Text(text) => {
                    let sent = websocket.send(Message::Text(text.into()));
                    if !matches!(timeout(SEND_PATIENCE, sent).await, Ok(Ok(()))) {
                        break None;
                    }
                }
                Outgoing::Close(reason) => {
                    socket.disconnected(None);
                    return close(websocket, reason.code(), reason.as_str()).await;
                }
            },
            message = websocket.recv() => match message {
                Some(Ok(Message::Text(text))) => socket.receive(text.as_bytes()).await,
                Some(Ok(Message::Binary(bytes))) => socket.receive(&bytes).await,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => break Some(frame.map_or(1005, |frame| frame.code)),
                Some(Err(_)) | None => break None,
            },
        }
    };
    socket.disconnected(code);
    drain(websocket).await;
}

async fn refuse(websocket: WebSocket, refusal: Refusal) {
    close(websocket, refusal.code, refusal.reason).await;
}

async fn close(mut websocket: WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    let sent = websocket.send(Message::Close(Some(frame)));
    if matches!(timeout(SEND_PATIENCE, sent).await, Ok(Ok(()))) {
        drain(websocket).await;
    }
}

/// Completes the close handshake, which reading does.
async fn drain(mut websocket: WebSocket) {
    let rest = async { while let Some(Ok(_)) = websocket.recv().await {} };
    let _ = timeout(CLOSE_PATIENCE, rest).await;
}
