//! What can be asked about sessions.

use rtcstats_proto::{ClientType, Generation};
use serde::{Serialize, Serializer};

use super::Server;
use crate::session::{Phase, Session};
use crate::{DumpName, SessionFacts};

/// How many things a server remembers. All are bounded by its [`Limits`](crate::Limits), but for
/// `ending` and `actions`, which are the driver's to work off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Footprint {
    /// Open sockets.
    pub connections: usize,
    /// Sessions that are not ended.
    pub sessions: usize,
    /// Dumps that were ended and are not reported as finished.
    pub ending: usize,
    /// Ended sessions that would be known again.
    pub tombstones: usize,
    /// Deadlines: at most one of each connection and two of each session.
    pub timers: usize,
    /// Actions that wait to be performed.
    pub actions: usize,
}

impl Server {
    /// How much is remembered.
    pub fn footprint(&self) -> Footprint {
        Footprint {
            connections: self.connections.len(),
            sessions: self.sessions.len(),
            ending: self.ending.len(),
            tombstones: self.tombstones.len(),
            timers: self.timers.len(),
            actions: self.actions.len(),
        }
    }
}

/// A session that is not ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SessionSummary {
    /// The name of its dump.
    #[serde(rename = "id")]
    pub name: DumpName,
    /// Whether its client is here.
    pub state: SessionState,
    /// How its client speaks.
    #[serde(serialize_with = "serialize_generation")]
    pub generation: Generation,
    /// Who sends it, of Jitsi's clients.
    #[serde(serialize_with = "serialize_client_type")]
    pub client_type: ClientType,
    /// Highest sequence number that was accepted.
    pub sequence_number: u64,
    /// Bytes of its dump.
    pub bytes: u64,
    /// What happened in it.
    #[serde(flatten)]
    pub facts: SessionFacts,
}

/// Whether the client of a session is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SessionState {
    /// A connection writes to it.
    Live,
    /// It waits for its client to come back.
    Resumable,
}

impl SessionSummary {
    pub(super) fn new(session: &Session) -> Self {
        Self {
            name: session.name.clone(),
            state: match session.phase {
                Phase::Live(_) => SessionState::Live,
                Phase::Resumable(_) => SessionState::Resumable,
            },
            generation: session.generation,
            client_type: session.client_type,
            sequence_number: session.last_number(),
            bytes: session.bytes,
            facts: session.facts.clone(),
        }
    }
}

fn serialize_client_type<S: Serializer>(
    client_type: &ClientType,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(client_type.as_str())
}

fn serialize_generation<S: Serializer>(
    generation: &Generation,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(generation.as_str())
}
