//! A model of the stock browser client, faults included.

use std::collections::VecDeque;

use rtcstats_proto::jitsi::SequenceNumberMessage;
use rtcstats_server_core::ConnectionId;

use super::{World, browser};

/// Entries that the client remembers.
const BUFFER: usize = 1_000;

/// A client, and the wires between it and the server.
pub(crate) struct Client {
    pub(crate) id: String,
    next_number: u64,
    /// Every entry that the client remembered or sent, as the dump should have it.
    pub(crate) emitted: Vec<String>,
    buffer: VecDeque<(u64, String)>,
    can_send: bool,
    connection: Option<ConnectionId>,
    /// Under way to the server.
    upstream: VecDeque<String>,
    /// Connections whose end the server has not noticed.
    pub(crate) half_open: Vec<(ConnectionId, VecDeque<String>)>,
    /// The highest number that the client was told, for checking promises.
    pub(crate) acknowledged: u64,
    has_connected: bool,
}

impl Client {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            next_number: 1,
            emitted: Vec::new(),
            buffer: VecDeque::new(),
            can_send: false,
            connection: None,
            upstream: VecDeque::new(),
            half_open: Vec::new(),
            acknowledged: 0,
            has_connected: false,
        }
    }

    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        self.connection
    }

    pub(crate) fn unacknowledged(&self) -> usize {
        self.buffer.len()
    }

    /// Section 4.2.
    pub(crate) fn emit(&mut self) {
        let number = self.next_number;
        self.next_number += 1;
        let line = format!(
            "[\"event\",null,{{\"n\":{number}}},{},{number}]",
            1_700_000_000_000_u64 + number
        );
        if self.connection.is_some() && self.can_send {
            self.upstream.push_back(line.clone());
        }
        if self.buffer.len() < BUFFER {
            self.buffer.push_back((number, line.clone()));
        }
        self.emitted.push(line);
    }

    fn envelope(&self, line: &str) -> String {
        let data = serde_json::to_string(line).unwrap();
        format!(
            "{{\"statsSessionId\":\"{}\",\"type\":\"stats-entry\",\"data\":{data}}}",
            self.id
        )
    }

    /// Section 4.3.
    pub(crate) fn connect(&mut self, world: &mut World) {
        if self.connection.is_none()
            && let Ok(connection) = world.connect(&browser(&self.id, self.has_connected))
        {
            self.connection = Some(connection);
            self.has_connected = true;
        }
    }

    /// Up to `count` frames arrive at the server.
    pub(crate) fn deliver_up(&mut self, world: &mut World, count: usize) {
        for _ in 0..count {
            let (Some(connection), Some(line)) = (self.connection, self.upstream.pop_front())
            else {
                return;
            };
            world.receive(connection, self.envelope(&line).as_bytes());
        }
    }

    /// What the server has sent arrives (section 4.4).
    pub(crate) fn deliver_down(&mut self, world: &mut World) {
        let Some(connection) = self.connection else {
            return;
        };
        while let Some(frame) = world.outgoing(connection) {
            let message = SequenceNumberMessage::parse(&frame).unwrap();
            self.acknowledged = self.acknowledged.max(message.value);
            if let Some(at) = self
                .buffer
                .iter()
                .position(|(number, _)| *number == message.value)
            {
                self.buffer.drain(..=at);
            }
            if message.initial {
                self.can_send = true;
                self.upstream
                    .extend(self.buffer.iter().map(|(_, line)| line.clone()));
            }
        }
        if world.closed(connection).is_some() {
            self.cut(world, true);
        }
    }

    /// The connection is lost. Frames under way are lost too, unless the server has not noticed:
    /// then they may still arrive, on the old connection.
    pub(crate) fn cut(&mut self, world: &mut World, server_notices: bool) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        self.can_send = false;
        let under_way = std::mem::take(&mut self.upstream);
        if server_notices {
            world.disconnect(connection, None);
        } else {
            self.half_open.push((connection, under_way));
        }
    }

    /// Frames of connections that were cut arrive late, and then their ends.
    pub(crate) fn deliver_late(&mut self, world: &mut World, notice: bool) {
        for (connection, mut under_way) in std::mem::take(&mut self.half_open) {
            while let Some(line) = under_way.pop_front() {
                let frame = self.envelope(&line);
                world.receive(connection, frame.as_bytes());
            }
            if notice {
                world.disconnect(connection, None);
            } else {
                self.half_open.push((connection, under_way));
            }
        }
    }

    /// Everything that was lost is repaired, and the conference is left.
    pub(crate) fn leave(&mut self, world: &mut World) {
        self.connect(world);
        for _ in 0..4 {
            self.deliver_down(world);
            self.connect(world);
            self.deliver_up(world, usize::MAX);
            world.flush_all();
        }
        if let Some(connection) = self.connection.take() {
            world.disconnect(connection, Some(3001));
        }
        world.flush_all();
    }

    /// After the server has lost its memory: connections are gone.
    pub(crate) fn server_crashed(&mut self) {
        self.connection = None;
        self.can_send = false;
        self.upstream.clear();
        self.half_open.clear();
    }
}
