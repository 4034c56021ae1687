//! Models of the clients, and the wires between them and the server.

use std::collections::VecDeque;

use rtcstats_proto::jitsi::SequenceNumberMessage;
use rtcstats_server_core::{CloseCode, ConnectionId, Upgrade};

use crate::ledger::Kind;
use crate::machine::{Machine, Outside, Stop};

/// Entries that a browser remembers.
const BUFFER: usize = 1_000;

/// Sessions of a back end at a time.
const CONFERENCES: usize = 3;

pub(crate) struct Client {
    kind: Kind,
    /// Its sessions: one, but for back ends.
    tags: Vec<usize>,
    /// What a browser remembers.
    buffer: VecDeque<u64>,
    can_send: bool,
    connection: Option<ConnectionId>,
    has_connected: bool,
    /// Under way to the server.
    upstream: VecDeque<Frame>,
    /// The frame that arrived last.
    last: Option<Frame>,
    /// Connections whose end the server has not noticed.
    half_open: Vec<(ConnectionId, VecDeque<Frame>)>,
    connected: u128,
    turn: usize,
    is_retired: bool,
    has_overflowed: bool,
}

#[derive(Debug, Clone, Copy)]
enum Frame {
    Event(usize, u64),
    Keepalive(usize),
    Close(usize),
}

impl Client {
    pub(crate) fn new(kind: Kind, seat: u8, outside: &mut Outside) -> Self {
        let mut client = Self {
            kind,
            tags: Vec::new(),
            buffer: VecDeque::new(),
            can_send: false,
            connection: None,
            has_connected: false,
            upstream: VecDeque::new(),
            last: None,
            half_open: Vec::new(),
            connected: u128::from(seat) << 64,
            turn: 0,
            is_retired: false,
            has_overflowed: false,
        };
        client.begin(outside);
        client
    }

    /// Somebody else comes, with sessions of his own.
    fn begin(&mut self, outside: &mut Outside) {
        let count = match self.kind {
            Kind::BackEnd => CONFERENCES,
            _ => 1,
        };
        for tag in &self.tags {
            outside.ledger.stories[*tag].give_up();
        }
        self.tags = (0..count)
            .map(|_| outside.ledger.begin(self.kind))
            .collect();
        self.buffer.clear();
        self.has_overflowed = false;
        self.can_send = false;
        self.has_connected = false;
        self.upstream.clear();
        self.last = None;
    }

    pub(crate) fn is_at_rest(&self, outside: &Outside) -> bool {
        // It trims only at a number that it still has; past an overflow there may be none.
        (self.buffer.is_empty() || self.has_overflowed && outside.ledger.is_whole(self.tags[0]))
            && self.upstream.is_empty()
            && self.half_open.is_empty()
    }

    pub(crate) fn emit(&mut self, outside: &mut Outside, count: u16) {
        for _ in 0..count {
            self.turn += 1;
            let tag = self.tags[self.turn % self.tags.len()];
            let is_sent = self.connection.is_some() && self.can_send;
            if !is_sent && self.kind != Kind::Browser {
                return;
            }
            let story = &mut outside.ledger.stories[tag];
            story.emitted += 1;
            let number = story.emitted;
            if is_sent {
                self.upstream.push_back(Frame::Event(tag, number));
            }
            if self.kind != Kind::Browser {
                continue;
            }
            if self.buffer.len() < BUFFER {
                self.buffer.push_back(number);
            } else {
                story.excuse(number);
                self.has_overflowed = true;
            }
        }
    }

    pub(crate) fn connect(
        &mut self,
        machine: &mut Machine,
        outside: &mut Outside,
    ) -> Result<(), Stop> {
        if self.connection.is_some() || self.is_retired {
            return Ok(());
        }
        if self.kind.is_plain() {
            self.begin(outside);
        }
        self.connected += 1;
        match machine.connect(outside, &self.upgrade(), self.connected)? {
            Ok(connection) => {
                self.connection = Some(connection);
                self.has_connected = true;
                self.can_send = self.kind != Kind::Browser;
            }
            // It never comes back.
            Err(refusal) if refusal.code == CloseCode::LEFT => self.begin(outside),
            Err(_) => {}
        }
        Ok(())
    }

    fn upgrade(&self) -> Upgrade {
        let (target, subprotocol) = match self.kind {
            Kind::Browser => {
                let (tag, again) = (self.tags[0], self.has_connected);
                let target = format!("/room?statsSessionId=s{tag}&isReconnect={again}");
                (target, "3.1_STANDARD")
            }
            Kind::BackEnd => ("/".to_owned(), "3.0_JVB"),
            Kind::Rtcstats => ("/room".to_owned(), "rtcstats#5.0"),
            Kind::Legacy => ("/room".to_owned(), "2.0"),
        };
        Upgrade {
            target,
            origin: "https://meet.example.org".to_owned(),
            user_agent: "Mozilla/5.0 Chrome/156.0.0.0".to_owned(),
            subprotocols: subprotocol.to_owned(),
            ..Upgrade::default()
        }
    }

    /// Up to `count` frames arrive at the server.
    pub(crate) fn deliver_up(
        &mut self,
        machine: &mut Machine,
        outside: &mut Outside,
        count: u16,
    ) -> Result<(), Stop> {
        for _ in 0..count {
            let Some(connection) = self.connection.filter(|_| !machine.is_full()) else {
                return Ok(());
            };
            let Some(frame) = self.upstream.pop_front() else {
                return Ok(());
            };
            self.last = Some(frame);
            self.deliver(machine, outside, connection, frame)?;
        }
        Ok(())
    }

    fn deliver(
        &self,
        machine: &mut Machine,
        outside: &mut Outside,
        connection: ConnectionId,
        frame: Frame,
    ) -> Result<(), Stop> {
        let (tag, text) = match frame {
            Frame::Event(tag, number) => {
                let line = self.kind.line(tag, number);
                let text = match self.kind {
                    Kind::Browser => {
                        let data = serde_json::to_string(&line).unwrap();
                        format!(
                            "{{\"statsSessionId\":\"s{tag}\",\"type\":\"stats-entry\",\"data\":{data}}}"
                        )
                    }
                    Kind::BackEnd => line + "}",
                    Kind::Rtcstats | Kind::Legacy => line,
                };
                (tag, text)
            }
            Frame::Keepalive(tag) => (
                tag,
                format!("{{\"statsSessionId\":\"s{tag}\",\"type\":\"keepalive\"}}"),
            ),
            Frame::Close(tag) => (
                tag,
                format!("{{\"statsSessionId\":\"s{tag}\",\"type\":\"close\"}}"),
            ),
        };
        machine.receive(outside, connection, tag, &text)
    }

    /// The last frame arrives again, of clients that number what they send.
    pub(crate) fn duplicate(
        &mut self,
        machine: &mut Machine,
        outside: &mut Outside,
    ) -> Result<(), Stop> {
        match (self.connection, self.last) {
            (Some(connection), Some(frame)) if self.kind == Kind::Browser => {
                self.deliver(machine, outside, connection, frame)
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn reorder(&mut self, outside: &mut Outside) {
        if self.kind != Kind::Browser {
            return;
        }
        let [Some(Frame::Event(tag, number)), Some(Frame::Event(_, next))] =
            [self.upstream.front(), self.upstream.get(1)]
        else {
            return;
        };
        // The server takes the first for one that came before.
        if number < next {
            outside.ledger.stories[*tag].excuse(*number);
        }
        self.upstream.swap(0, 1);
    }

    /// A sign of life; of a back end sometimes the end of a conference.
    pub(crate) fn keep_alive(&mut self, outside: &mut Outside) {
        if self.connection.is_none() || self.kind.is_plain() {
            return;
        }
        let frame = match self.kind {
            Kind::BackEnd if self.upstream.len() % 4 == 1 => {
                let ended = self.tags.remove(0);
                self.tags.push(outside.ledger.begin(Kind::BackEnd));
                Frame::Close(ended)
            }
            _ => Frame::Keepalive(self.tags[0]),
        };
        self.upstream.push_back(frame);
    }

    /// What the server has sent arrives.
    pub(crate) fn deliver_down(
        &mut self,
        machine: &mut Machine,
        outside: &mut Outside,
    ) -> Result<(), Stop> {
        let Some(connection) = self.connection else {
            return Ok(());
        };
        while let Some(frame) = machine.outgoing(connection) {
            if self.kind != Kind::Browser {
                continue;
            }
            let message = SequenceNumberMessage::parse(&frame).unwrap();
            let mut numbers = self.buffer.iter();
            if let Some(at) = numbers.position(|number| *number == message.value) {
                self.buffer.drain(..=at);
            }
            if message.initial {
                self.can_send = true;
                let tag = self.tags[0];
                let events = self.buffer.iter().map(|number| Frame::Event(tag, *number));
                self.upstream.extend(events);
            }
        }
        if machine.is_closed(connection) {
            self.cut(machine, outside, true)?;
        }
        Ok(())
    }

    /// The connection is lost. Frames under way are lost too, unless the server has not noticed:
    /// then they may still arrive, on the old connection.
    pub(crate) fn cut(
        &mut self,
        machine: &mut Machine,
        outside: &mut Outside,
        is_noticed: bool,
    ) -> Result<(), Stop> {
        let Some(connection) = self.connection.take() else {
            return Ok(());
        };
        self.can_send = false;
        self.last = None;
        let under_way = std::mem::take(&mut self.upstream);
        if is_noticed {
            machine.disconnect(outside, connection, None)
        } else {
            self.half_open.push((connection, under_way));
            Ok(())
        }
    }

    /// Frames of connections that were cut arrive late, and then their ends.
    pub(crate) fn deliver_late(
        &mut self,
        machine: &mut Machine,
        outside: &mut Outside,
        is_noticed: bool,
    ) -> Result<(), Stop> {
        for (connection, mut under_way) in std::mem::take(&mut self.half_open) {
            while let Some(frame) = under_way.pop_front() {
                self.deliver(machine, outside, connection, frame)?;
            }
            if is_noticed || machine.is_closed(connection) {
                machine.disconnect(outside, connection, None)?;
            } else {
                self.half_open.push((connection, under_way));
            }
        }
        Ok(())
    }

    /// The conference is left, and the next one is for somebody else.
    pub(crate) fn leave(
        &mut self,
        machine: &mut Machine,
        outside: &mut Outside,
    ) -> Result<(), Stop> {
        let Some(connection) = self.connection else {
            return Ok(());
        };
        self.deliver_up(machine, outside, u16::MAX)?;
        self.connection = None;
        machine.disconnect(outside, connection, Some(CloseCode::LEFT))?;
        self.begin(outside);
        Ok(())
    }

    /// Whoever is done goes; everything is stored that there is.
    pub(crate) fn retire(
        &mut self,
        machine: &mut Machine,
        outside: &mut Outside,
    ) -> Result<(), Stop> {
        self.is_retired = true;
        let Some(connection) = self.connection.take() else {
            return Ok(());
        };
        machine.disconnect(outside, connection, Some(CloseCode::LEFT))
    }

    /// After the server has lost its memory: connections are gone.
    pub(crate) fn server_died(&mut self) {
        self.connection = None;
        self.can_send = false;
        self.last = None;
        self.upstream.clear();
        self.half_open.clear();
    }
}
