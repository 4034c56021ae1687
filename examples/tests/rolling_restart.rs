//! An upgrade: all nodes are restarted, one after the other, while clients send.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod server;

#[path = "../../rtcstats-server-core/tests/services/nats.rs"]
mod nats;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use nats::NatsServers;
use rtcstats_proto::sequence_number_of;
use serde_json::{Value, json};
use server::Server;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const NODES: usize = 3;
const CLIENTS: usize = 20;

/// How long a node goes on before it lets go of its clients.
const DRAIN: &str = "300ms";

/// Between two events of a client.
const PACE: Duration = Duration::from_millis(5);

/// What a client remembers while it waits for acknowledgements.
const MEMORY: u64 = 1_000;

/// How long a client needs at most to find a node.
const PATIENCE: Duration = Duration::from_secs(30);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Where the nodes are, as a balancer knows it that does not ask whether they are well.
type Addresses = Arc<Mutex<Vec<String>>>;

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_are_restarted_in_turn_under_load_and_nothing_is_lost() {
    let Some(nats) = NatsServers::start(1) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let start = |number: usize| {
        let shared = folder.path().display();
        let flags = [
            ("--journal", nats.url()),
            ("--archive", format!("file://{shared}/dumps")),
            (
                "--database",
                format!("sqlite://{shared}/records.db?mode=rwc"),
            ),
            ("--node", format!("node-{number}")),
            ("--drain-for", DRAIN.to_owned()),
        ];
        let flags: Vec<_> = flags
            .iter()
            .flat_map(|(name, value)| [*name, value.as_str()])
            .collect();
        Server::start(&folder.path().join(format!("{number}")), &flags)
    };
    let mut nodes: Vec<_> = (0..NODES).map(start).collect();
    let addresses = nodes.iter().map(|node| node.address.clone()).collect();
    let addresses = Arc::new(Mutex::new(addresses));
    let (done, is_done) = watch::channel(false);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(call(number, Arc::clone(&addresses), is_done.clone())))
        .collect();

    for (number, node) in nodes.iter_mut().enumerate() {
        // The clients are at it.
        sleep(Duration::from_secs(1)).await;
        node.signal("TERM");
        assert!(node.ended().await.success());
        *node = start(number);
        addresses.lock().unwrap()[number].clone_from(&node.address);
    }
    sleep(Duration::from_secs(1)).await;
    done.send_replace(true);
    let mut sent = Vec::new();
    let mut sockets = 0;
    for client in clients {
        let (events, connects) = client.await.unwrap();
        sent.push(events);
        sockets += connects;
    }

    nodes[0].finished("", CLIENTS).await;
    for (number, events) in sent.iter().enumerate() {
        let dump = nodes[0].dump(&id(number)).await;
        let numbers: Vec<_> = dump
            .iter()
            .filter_map(|line| sequence_number_of(line))
            .collect();
        assert_eq!(numbers, Vec::from_iter(1..=*events), "client {number}");
    }
    assert!(
        sockets >= CLIENTS + CLIENTS / NODES,
        "{sockets} sockets: the clients were not moved"
    );
}

fn id(number: usize) -> String {
    format!("call-{number}")
}

/// Sends until it is told to stop and all is acknowledged, over as many sockets as that takes; how many events, and
/// sockets.
async fn call(number: usize, addresses: Addresses, is_done: watch::Receiver<bool>) -> (u64, usize) {
    let (mut events, mut sockets) = (0, 0);
    loop {
        let (mut socket, mut acknowledged) = timeout(PATIENCE, open(number, sockets, &addresses))
            .await
            .unwrap();
        sockets += 1;
        let mut sent = acknowledged;
        let is_over = loop {
            let is_done = *is_done.borrow();
            if is_done && acknowledged == events {
                break true;
            }
            let mut next = None;
            if sent < events || (!is_done && events - acknowledged < MEMORY) {
                sent += 1;
                events = events.max(sent);
                next = Some(entry(number, sent));
            }
            if let Some(next) = next
                && socket.send(next).await.is_err()
            {
                break false;
            }
            match timeout(PACE, socket.next()).await {
                Err(_) => {}
                Ok(Some(Ok(Message::Text(text)))) => {
                    acknowledged = number_of(&text).unwrap_or(acknowledged);
                }
                Ok(_) => break false,
            }
        };
        if is_over {
            let frame = CloseFrame {
                code: 3001.into(),
                reason: "".into(),
            };
            socket.close(Some(frame)).await.unwrap();
            while let Some(Ok(_)) = socket.next().await {}
            return (events, sockets);
        }
    }
}

/// A socket at some node that takes it, and how far the session got.
async fn open(number: usize, attempt: usize, addresses: &Addresses) -> (Socket, u64) {
    let mut turn = number + attempt;
    loop {
        let address = addresses.lock().unwrap()[turn % NODES].clone();
        turn += 1;
        let id = id(number);
        let target = format!(
            "ws://{address}/room?statsSessionId={id}&isReconnect={}",
            attempt > 0
        );
        let mut request = target.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "3.1_STANDARD".parse().unwrap());
        if let Ok((mut socket, _)) = connect_async(request).await
            && let Some(Ok(Message::Text(first))) = socket.next().await
        {
            return (socket, number_of(&first).unwrap_or(0));
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn entry(client: usize, number: u64) -> Message {
    let time = 1_700_000_000_000 + number;
    let event = match number {
        1 => format!("[\"identity\",null,{{\"confName\":\"room\"}},{time},1]"),
        _ => format!("[\"e\",null,{client},{time},{number}]"),
    };
    let frame = json!({ "statsSessionId": id(client), "type": "stats-entry", "data": event });
    Message::text(frame.to_string())
}

/// How far the server says that it is.
fn number_of(frame: &str) -> Option<u64> {
    let frame: Value = serde_json::from_str(frame).unwrap();
    frame["body"]["value"].as_u64()
}
