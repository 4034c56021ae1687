//! One socket, as a transport sees it.

use std::sync::Arc;

use rtcstats_proto::Generation;
use rtcstats_proto::jitsi::MessageError;

use super::committer::Commit;
use super::node::{Named, Node};
use super::outbox::{OutboxReader, Outgoing, outbox};
use super::takeover::take;
use super::turns::Turn;
use super::{Shared, State};
use crate::{Connection, ConnectionId, Handshake, Incoming, Refusal, Time};

/// The server's side of one open WebSocket.
///
/// A transport does, until [`Outgoing::Close`] or the end of the socket: send what
/// [`Socket::outgoing`] yields, and hand every frame to [`Socket::receive`]. It may select between the
/// former and the next frame; the latter must be awaited to its end. Then it calls [`Socket::disconnected`]; merely dropping the socket counts as a lost
/// connection.
pub struct Socket {
    shared: Arc<Shared>,
    id: ConnectionId,
    connection: Connection,
    outbox: OutboxReader,
    is_disconnected: bool,
    /// The session that its handshake names; of several nodes only.
    named: Option<Named>,
    /// Whether nothing has come of that one since it was claimed.
    is_claimed: bool,
}

/// What was read of a frame.
type Messages = Vec<Result<Incoming, MessageError>>;

impl Socket {
    pub(super) async fn open(shared: &Arc<Shared>, handshake: &Handshake) -> Result<Self, Refusal> {
        let named = match &shared.node {
            // In a box, as most transports hold this future for as long as the socket is open.
            Some(node) => Box::pin(claim(shared, node, handshake)).await?,
            None => None,
        };
        let (named, turn) = named.unzip();
        let (outbox, reader) = outbox();
        let mut state = shared.state();
        let id = state.server.connect(shared.clock.now(), handshake)?;
        state.outboxes.insert(id, outbox);
        shared.dispatch(&mut state);
        drop(state);
        drop(turn);
        tracing::debug!(connection = %id, client = %handshake.client_type(), "connected");
        Ok(Self {
            shared: Arc::clone(shared),
            id,
            connection: Connection::new(handshake, &shared.limits),
            outbox: reader,
            is_disconnected: false,
            is_claimed: named.is_some(),
            named,
        })
    }

    /// The next thing to send. Nothing is lost if the future is dropped.
    pub async fn outgoing(&mut self) -> Outgoing {
        self.outbox.next().await
    }

    /// Takes one frame, text or binary. Waits while too much is on its way to the journal; so
    /// does the peer, if the transport reads no further meanwhile.
    pub async fn receive(&mut self, frame: &[u8]) {
        let shared = &self.shared;
        let wanted = u32::try_from(frame.len().min(shared.limits.queue_bytes)).unwrap_or(u32::MAX);
        let queue = Arc::clone(&shared.queue);
        let permit = match queue.clone().try_acquire_many_owned(wanted) {
            Ok(permit) => Some(permit),
            Err(_) => {
                shared.state().server.counters_mut().limits.queue_bytes += 1;
                queue.acquire_many_owned(wanted).await.ok()
            }
        };
        let time = shared.clock.now();
        let mut messages = Vec::new();
        let end = self
            .connection
            .receive(frame, time.unix_ms, |message| messages.push(message));

        if shared.node.is_some() {
            // In a box, as there is room for this future for as long as the socket is open.
            messages = Box::pin(self.receive_new(messages, time)).await;
        }
        let shared = &self.shared;
        let mut state = shared.state();
        state
            .server
            .counters_mut()
            .request_bytes
            .observe(frame.len() as f64);
        self.give(&mut state, messages, time);
        if let Err(error) = end {
            tracing::debug!(connection = %self.id, %error, "connection refused");
            state.server.refuse(self.id, &error);
        }
        shared.dispatch(&mut state);
        // Behind the lines of this frame: given back when they are durable.
        if let Some(permit) = permit {
            shared.commit(Commit::Release { permit });
        }
    }

    /// Takes messages up to the last one that begins a session, which another node may have: it is claimed
    /// before the server sees the message. Gives back those that follow.
    async fn receive_new(&mut self, messages: Messages, time: Time) -> Messages {
        let shared = Arc::clone(&self.shared);
        let Some(node) = &shared.node else {
            return messages;
        };
        let mut rest = messages.into_iter();
        loop {
            let Some(at) = self.next_new(rest.as_slice()) else {
                return rest.collect();
            };
            let known: Messages = rest.by_ref().take(at).collect();
            let Some(Ok(new)) = rest.next() else {
                return Messages::new();
            };
            {
                let mut state = shared.state();
                self.give(&mut state, known, time);
                shared.dispatch(&mut state);
                // What comes before it may have begun, or ended, its session.
                if !state.server.is_new_to(self.id, &new) {
                    state.server.receive(time, self.id, new);
                    shared.dispatch(&mut state);
                    continue;
                }
            }
            let is_claimed = self.named.as_ref().map(Named::id) == Some(&new.session)
                && std::mem::take(&mut self.is_claimed);
            let turn = if is_claimed {
                None
            } else {
                match take(&shared, node, &new.session).await {
                    Ok(turn) => Some(turn),
                    Err(_) => {
                        let mut state = shared.state();
                        state.server.turn_away(self.id);
                        shared.dispatch(&mut state);
                        return Messages::new();
                    }
                }
            };
            let mut state = shared.state();
            state.server.receive(time, self.id, new);
            shared.dispatch(&mut state);
            drop(state);
            drop(turn);
        }
    }

    /// The first message that begins a session.
    fn next_new(&self, messages: &[Result<Incoming, MessageError>]) -> Option<usize> {
        let state = self.shared.state();
        messages.iter().position(|message| {
            let incoming = message.as_ref().ok();
            incoming.is_some_and(|incoming| state.server.is_new_to(self.id, incoming))
        })
    }

    fn give(&self, state: &mut State, messages: Messages, time: Time) {
        for message in messages {
            match message {
                Ok(incoming) => state.server.receive(time, self.id, incoming),
                Err(error) => state.server.refuse(self.id, &error),
            }
        }
    }

    /// The socket is closed; with which code, if the peer gave one.
    pub fn disconnected(mut self, code: Option<u16>) {
        self.disconnect(code);
    }

    fn disconnect(&mut self, code: Option<u16>) {
        if std::mem::replace(&mut self.is_disconnected, true) {
            return;
        }
        let mut state = self.shared.state();
        state.outboxes.remove(&self.id);
        state
            .server
            .disconnect(self.shared.clock.now(), self.id, code);
        self.shared.dispatch(&mut state);
        drop(state);
        tracing::debug!(connection = %self.id, ?code, "disconnected");
    }
}

/// Makes the session that a handshake names this node's, before the server decides what the client is told
/// of it.
async fn claim(
    shared: &Arc<Shared>,
    node: &Node,
    handshake: &Handshake,
) -> Result<Option<(Named, Turn)>, Refusal> {
    let admitted = if node.options.role.takes_sockets() {
        shared.state().server.admit(handshake)
    } else {
        Err(Refusal::NO_SOCKETS)
    };
    if let Err(refusal) = admitted {
        shared.state().server.counters_mut().connection_errors += 1;
        return Err(refusal);
    }
    // Sessions of the others are their sockets.
    let session = handshake
        .session()
        .filter(|_| handshake.generation() == Generation::Jitsi);
    let Some(id) = session else {
        return Ok(None);
    };
    let named = node.name(id);
    match take(shared, node, id).await {
        Ok(turn) => Ok(Some((named, turn))),
        Err(refusal) => {
            shared.state().server.counters_mut().connection_errors += 1;
            Err(refusal)
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.disconnect(None);
    }
}
