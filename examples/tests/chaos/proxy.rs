//! A load balancer that does to sockets what networks do.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::random::Random;
use crate::schedule::Disturbance;

/// Connects each client to the next server that accepts, and carries bytes between them.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    servers: Vec<SocketAddr>,
    state: Mutex<State>,
}

struct State {
    random: Random,
    next_server: usize,
    opened: u64,
    /// In the order in which they were opened.
    connections: BTreeMap<u64, watch::Sender<Mode>>,
}

/// What happens to a socket at the moment.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Open,
    Disturbed(Disturbance),
    /// The client's side is reset; the server's is not, yet.
    ClientGone,
}

/// Bytes that were taken from one side and not yet given to the other.
type Pending = VecDeque<u8>;

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Proxy {
    pub(crate) async fn start(servers: Vec<SocketAddr>, random: Random) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            random,
            next_server: 0,
            opened: 0,
            connections: BTreeMap::new(),
        };
        let shared = Arc::new(Shared {
            servers,
            state: Mutex::new(state),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            accepting,
        }
    }

    /// Sockets that were opened so far.
    pub(crate) fn opened(&self) -> u64 {
        self.shared.state.lock().unwrap().opened
    }

    /// Does this to a share of the open sockets, until it is over.
    pub(crate) async fn disturb(&self, disturbance: Disturbance, share: f64, lasting: Duration) {
        let disturbed: Vec<_> = {
            let mut state = self.shared.state.lock().unwrap();
            let State {
                random,
                connections,
                ..
            } = &mut *state;
            let chosen = connections.values().filter(|_| random.fraction() < share);
            chosen.cloned().collect()
        };
        let mode = Mode::Disturbed(disturbance);
        for connection in &disturbed {
            connection.send_replace(mode);
        }
        sleep(lasting).await;
        let after = match disturbance {
            Disturbance::HalfOpen => Mode::ClientGone,
            _ => Mode::Open,
        };
        for connection in &disturbed {
            connection.send_if_modified(|current| {
                let is_ours = *current == mode && disturbance != Disturbance::Cut;
                if is_ours {
                    *current = after;
                }
                is_ours
            });
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(serve(client, Arc::clone(&shared)));
    }
}

async fn serve(client: TcpStream, shared: Arc<Shared>) {
    let Some(server) = connect(&shared).await else {
        // As a balancer without a server behind it.
        reset(&client);
        return;
    };
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
    }
    let (sender, mode) = watch::channel(Mode::Open);
    let (id, random) = {
        let mut state = shared.state.lock().unwrap();
        state.opened += 1;
        let id = state.opened;
        state.connections.insert(id, sender);
        (id, state.random.fork())
    };
    carry(client, server, mode, random).await;
    shared.state.lock().unwrap().connections.remove(&id);
}

/// Connects to the next server that accepts.
async fn connect(shared: &Shared) -> Option<TcpStream> {
    const PATIENCE: Duration = Duration::from_secs(1);
    for _ in 0..shared.servers.len() {
        let server = {
            let mut state = shared.state.lock().unwrap();
            state.next_server += 1;
            shared.servers[state.next_server % shared.servers.len()]
        };
        if let Ok(Ok(stream)) = timeout(PATIENCE, TcpStream::connect(server)).await {
            return Some(stream);
        }
    }
    None
}

async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    mode: watch::Receiver<Mode>,
    mut random: Random,
) {
    let (mut upstream, mut downstream) = (Pending::new(), Pending::new());
    let mut decided = mode.clone();
    let is_decided =
        |mode: &Mode| matches!(mode, Mode::Disturbed(Disturbance::Cut) | Mode::ClientGone);
    let end = {
        let (client_read, client_write) = client.split();
        let (server_read, server_write) = server.split();
        let pumps = (
            pump(
                client_read,
                server_write,
                &mut upstream,
                mode.clone(),
                random.fork(),
            ),
            pump(
                server_read,
                client_write,
                &mut downstream,
                mode,
                random.fork(),
            ),
        );
        tokio::select! {
            _ = async { tokio::try_join!(pumps.0, pumps.1) } => None,
            mode = decided.wait_for(is_decided) => mode.ok().map(|mode| *mode),
        }
    };
    match end {
        Some(Mode::ClientGone) => {
            gather(&client, &mut upstream);
            reset(&client);
            drop(client);
            deliver_late(server, upstream, random.seconds(0.1, 4.0)).await;
        }
        Some(_) => {
            reset(&client);
            reset(&server);
        }
        None => {}
    }
}

/// Carries bytes one way, in pieces of any length, until the end, which is handed on.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    pending: &mut Pending,
    mut mode: watch::Receiver<Mode>,
    mut random: Random,
) -> io::Result<()> {
    let mut piece = vec![0; 16 << 10];
    loop {
        let length = 1 + random.below(piece.len());
        let read = from.read(&mut piece[..length]).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        pending.extend(&piece[..read]);
        let current = *mode.borrow_and_update();
        match current {
            Mode::Disturbed(Disturbance::Delay(delay)) => sleep(delay).await,
            Mode::Disturbed(Disturbance::Throttle(rate)) => {
                sleep(Duration::from_secs_f64(read as f64 / rate as f64)).await;
            }
            _ => {}
        }
        let is_stalled = |mode: &Mode| {
            let stalls = [Disturbance::Stall, Disturbance::HalfOpen];
            stalls
                .into_iter()
                .any(|stall| *mode == Mode::Disturbed(stall))
        };
        if mode.wait_for(|mode| !is_stalled(mode)).await.is_err() {
            return Ok(());
        }
        // What was written is no longer pending, also when this is given up in the middle.
        to.write_all_buf(pending).await?;
    }
}

/// Takes what a client has sent and nobody has read.
fn gather(client: &TcpStream, pending: &mut Pending) {
    const MAX_BYTES: usize = 1 << 20;
    let mut piece = vec![0; 64 << 10];
    while pending.len() < MAX_BYTES {
        match client.try_read(&mut piece) {
            Ok(read) if read > 0 => pending.extend(&piece[..read]),
            _ => return,
        }
    }
}

/// The server gets what its client sent before it went, and is not told that it has gone.
async fn deliver_late(mut server: TcpStream, mut pending: Pending, late: Duration) {
    const UNNOTICED: Duration = Duration::from_secs(60);
    sleep(late).await;
    if server.write_all_buf(&mut pending).await.is_err() {
        return;
    }
    let mut piece = vec![0; 4 << 10];
    let drained = async { while matches!(server.read(&mut piece).await, Ok(read) if read > 0) {} };
    let _ = timeout(UNNOTICED, drained).await;
}

/// When it is dropped, the other side sees a reset.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
