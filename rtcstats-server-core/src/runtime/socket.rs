//! One socket, as a transport sees it.

use std::sync::Arc;

use super::Shared;
use super::committer::Commit;
use super::outbox::{OutboxReader, Outgoing, outbox};
use crate::{Connection, ConnectionId, Handshake, Refusal};

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
}

impl Socket {
    pub(super) fn open(shared: &Arc<Shared>, handshake: &Handshake) -> Result<Self, Refusal> {
        let (outbox, reader) = outbox();
        let mut state = shared.state();
        let id = state.server.connect(shared.clock.now(), handshake)?;
        state.outboxes.insert(id, outbox);
        shared.dispatch(&mut state);
        drop(state);
        tracing::debug!(connection = %id, client = %handshake.client_type(), "connected");
        Ok(Self {
            shared: Arc::clone(shared),
            id,
            connection: Connection::new(handshake, &shared.limits),
            outbox: reader,
            is_disconnected: false,
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

        let mut state = shared.state();
        state
            .server
            .counters_mut()
            .request_bytes
            .observe(frame.len() as f64);
        for message in messages {
            match message {
                Ok(incoming) => state.server.receive(time, self.id, incoming),
                Err(error) => state.server.refuse(self.id, &error),
            }
        }
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

impl Drop for Socket {
    fn drop(&mut self) {
        self.disconnect(None);
    }
}
