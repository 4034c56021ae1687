//! A world without I/O around a [`Server`]: a journal, sockets that lose what is under way, and
//! stock clients (Jitsi spec, section 4), all in virtual time.

#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod client;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use rtcstats_proto::Generation;
use rtcstats_proto::jitsi::SessionId;
use rtcstats_server_core::{
    Action, CloseReason, Connection, ConnectionId, DumpName, EndReason, Handshake,
    HandshakeOptions, Limits, Privacy, Recovered, Refusal, Server, Time, Timing, Upgrade,
};

pub(crate) const EPOCH_MS: f64 = 1_700_000_000_000.0;

/// A server, its journal and its sockets.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) limits: Limits,
    pub(crate) timing: Timing,
    pub(crate) now: Duration,
    /// Logs as they would be found after a crash.
    pub(crate) logs: BTreeMap<DumpName, Vec<u8>>,
    pub(crate) finished: BTreeMap<DumpName, EndReason>,
    /// Dumps whose names were free again, because the server had forgotten them; oldest first.
    archive: Vec<(DumpName, Vec<u8>)>,
    /// Given to the journal, and not durable yet.
    pub(crate) pending: VecDeque<Pending>,
    sockets: HashMap<ConnectionId, ServerSocket>,
    pub(crate) privacy: Privacy,
    pub(crate) unnamed: Option<Generation>,
    /// The time of the beginning, in Unix epoch milliseconds.
    pub(crate) epoch_ms: f64,
    connected: u128,
}

pub(crate) enum Pending {
    Append {
        name: DumpName,
        line: Vec<u8>,
        offset: u64,
        sequence_number: Option<u64>,
    },
    Finish {
        name: DumpName,
        reason: EndReason,
    },
}

/// The server's end of a socket.
struct ServerSocket {
    connection: Connection,
    outgoing: VecDeque<String>,
    closed: Option<CloseReason>,
}

pub(crate) fn upgrade(target: &str, subprotocol: &str) -> Upgrade {
    Upgrade {
        target: target.to_owned(),
        origin: "https://meet.example.org".to_owned(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                     Chrome/156.0.0.0 Safari/537.36"
            .to_owned(),
        subprotocols: subprotocol.to_owned(),
        ..Upgrade::default()
    }
}

/// What a browser that names its session sends.
pub(crate) fn browser(id: &str, is_reconnect: bool) -> Upgrade {
    upgrade(
        &format!("/room?statsSessionId={id}&isReconnect={is_reconnect}"),
        "3.1_STANDARD",
    )
}

pub(crate) fn name(text: &str) -> DumpName {
    text.parse().unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default(), Timing::default())
    }

    pub(crate) fn with(limits: Limits, timing: Timing) -> Self {
        Self {
            server: Server::new(limits, timing),
            limits,
            timing,
            now: Duration::ZERO,
            logs: BTreeMap::new(),
            finished: BTreeMap::new(),
            archive: Vec::new(),
            pending: VecDeque::new(),
            sockets: HashMap::new(),
            privacy: Privacy::default(),
            unnamed: None,
            epoch_ms: EPOCH_MS,
            connected: 0,
        }
    }

    pub(crate) fn time(&self) -> Time {
        Time {
            monotonic: self.now,
            unix_ms: self.epoch_ms + self.now.as_secs_f64() * 1000.0,
        }
    }

    pub(crate) fn connect(&mut self, upgrade: &Upgrade) -> Result<ConnectionId, Refusal> {
        self.connected += 1;
        let mut options = HandshakeOptions::new(self.limits);
        options.privacy = self.privacy.clone();
        options.unnamed = self.unnamed;
        let handshake = Handshake::with_options(upgrade, &options)?.identified(self.connected);
        let id = self.server.connect(self.time(), &handshake)?;
        let connection = Connection::new(&handshake, &self.limits);
        self.sockets.insert(
            id,
            ServerSocket {
                connection,
                outgoing: VecDeque::new(),
                closed: None,
            },
        );
        self.settle();
        Ok(id)
    }

    /// A frame arrives at the server.
    pub(crate) fn receive(&mut self, id: ConnectionId, frame: &[u8]) {
        let time = self.time();
        let Some(socket) = self.sockets.get_mut(&id) else {
            return;
        };
        let mut messages = Vec::new();
        let end = socket
            .connection
            .receive(frame, time.unix_ms, |message| messages.push(message));
        for message in messages {
            match message {
                Ok(incoming) => self.server.receive(time, id, incoming),
                Err(error) => self.server.refuse(id, &error),
            }
        }
        if let Err(error) = end {
            self.server.refuse(id, &error);
        }
        self.settle();
    }

    /// The server learns that a socket is gone.
    pub(crate) fn disconnect(&mut self, id: ConnectionId, code: Option<u16>) {
        self.sockets.remove(&id);
        self.server.disconnect(self.time(), id, code);
        self.settle();
    }

    /// The next frame for a client.
    pub(crate) fn outgoing(&mut self, id: ConnectionId) -> Option<String> {
        self.sockets.get_mut(&id)?.outgoing.pop_front()
    }

    pub(crate) fn closed(&self, id: ConnectionId) -> Option<CloseReason> {
        self.sockets.get(&id)?.closed
    }

    fn settle(&mut self) {
        while let Some(action) = self.server.poll_action() {
            match action {
                Action::Send { connection, text } => {
                    if let Some(socket) = self.sockets.get_mut(&connection) {
                        socket.outgoing.push_back(text);
                    }
                }
                Action::Close { connection, reason } => {
                    if let Some(socket) = self.sockets.get_mut(&connection) {
                        socket.closed = Some(reason);
                    }
                }
                Action::Append {
                    name,
                    offset,
                    line,
                    sequence_number,
                } => {
                    let line = line.to_vec();
                    self.pending.push_back(Pending::Append {
                        name,
                        line,
                        offset,
                        sequence_number,
                    });
                }
                Action::Finish { name, reason, .. } => {
                    self.pending.push_back(Pending::Finish { name, reason });
                }
                other => panic!("unknown action {other:?}"),
            }
        }
    }

    /// The journal makes the next `count` things durable, and says so.
    pub(crate) fn flush(&mut self, count: usize) {
        for _ in 0..count {
            let Some(pending) = self.pending.pop_front() else {
                return;
            };
            let report = self.persist(pending);
            if let Some((name, sequence_number)) = report {
                self.server.appended(self.time(), &name, sequence_number);
            }
            self.settle();
        }
    }

    pub(crate) fn flush_all(&mut self) {
        while !self.pending.is_empty() {
            self.flush(usize::MAX);
        }
    }

    fn persist(&mut self, pending: Pending) -> Option<(DumpName, Option<u64>)> {
        match pending {
            Pending::Append {
                name,
                line,
                offset,
                sequence_number,
            } => {
                if offset == 0 && self.finished.contains_key(&name) {
                    self.archive_finished(name.session_id());
                }
                assert!(
                    !self.finished.contains_key(&name),
                    "an append after the end of {name}"
                );
                let log = self.logs.entry(name.clone()).or_default();
                assert_eq!(log.len() as u64, offset, "offset in {name}");
                log.extend(line);
                Some((name, sequence_number))
            }
            Pending::Finish { name, reason } => {
                assert!(
                    self.finished.insert(name.clone(), reason).is_none(),
                    "{name} finished twice"
                );
                self.server.finished(&name);
                None
            }
        }
    }

    fn archive_finished(&mut self, id: &SessionId) {
        let names: Vec<DumpName> = self.finished.keys().cloned().collect();
        for name in names.into_iter().filter(|name| name.session_id() == id) {
            if let Some(log) = self.logs.remove(&name) {
                self.archive.push((name.clone(), log));
            }
            self.finished.remove(&name);
        }
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(next) = self.server.next_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.server.timeout(self.time());
            self.settle();
        }
        self.now = end;
        self.server.timeout(self.time());
        self.settle();
    }

    /// The process dies. Of what was given to the journal the first `persisted` things are found
    /// afterwards, although nobody was told.
    pub(crate) fn crash(&mut self, persisted: usize) {
        for _ in 0..persisted.min(self.pending.len()) {
            if let Some(pending) = self.pending.pop_front() {
                match pending {
                    Pending::Append { .. } => drop(self.persist(pending)),
                    Pending::Finish { name, reason } => {
                        self.finished.insert(name, reason);
                    }
                }
            }
        }
        self.pending.clear();
        self.sockets.clear();
        self.server = Server::new(self.limits, self.timing);
        let unfinished: Vec<Recovered> = self
            .logs
            .iter()
            .filter(|(name, _)| !self.finished.contains_key(name))
            .map(|(name, log)| {
                let modified = self.time().unix_ms;
                Recovered::read(name.clone(), log.as_slice(), modified).unwrap()
            })
            .collect();
        for recovered in unfinished {
            if recovered.generation != Generation::Jitsi && recovered.facts.events == 0 {
                self.logs.remove(&recovered.name);
                continue;
            }
            self.server.recover(self.time(), recovered);
        }
        self.settle();
    }

    /// The lines of each dump of a session, headers left out, the oldest dump first.
    pub(crate) fn dumps(&self, id: &SessionId) -> Vec<Vec<String>> {
        let archived = self.archive.iter().map(|(name, log)| (name, log));
        let all = archived.chain(&self.logs);
        all.filter(|(name, _)| name.session_id() == id)
            .map(|(_, log)| lines(log).skip(1).map(str::to_owned).collect())
            .collect()
    }

    /// All of them.
    pub(crate) fn stored(&self, id: &SessionId) -> Vec<String> {
        self.dumps(id).concat()
    }
}

pub(crate) fn lines(log: &[u8]) -> impl Iterator<Item = &str> {
    std::str::from_utf8(log).unwrap().lines()
}
