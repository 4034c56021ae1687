//! What an extraction yields.

use indexmap::IndexMap;
use serde::Serialize;

use super::{ClientFeatures, ConnectionFeatures};

/// Features of one session.
///
/// Serialized it is an object with the members `client` and `connections`, names in camel case, in
/// which absent members are left out and numbers are spelled as JavaScript does. Times are in
/// milliseconds by the clock of the client.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Features {
    /// The client as a whole.
    pub client: ClientFeatures,
    /// The peer connections by key, in order of appearance. Events without connection belong to
    /// none, other than in the legacy server.
    pub connections: IndexMap<String, ConnectionFeatures>,
    /// What was left out because a limit was hit. Not serialized.
    #[serde(skip)]
    pub dropped: Dropped,
}

/// What an extraction left out because a limit was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Dropped {
    /// Events of connections over [`Limits::connections`](crate::Limits::connections).
    pub connections: u64,
    /// Reports of streams over [`Limits::tracks`](crate::Limits::tracks).
    pub streams: u64,
    /// Host candidates over [`Limits::interfaces`](crate::Limits::interfaces).
    pub interfaces: u64,
    /// Changes over [`Limits::network_changes`](crate::Limits::network_changes).
    pub network_changes: u64,
    /// Texts over [`Limits::text_bytes`](crate::Limits::text_bytes).
    pub texts: u64,
}

impl Dropped {
    /// Whether nothing was left out.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
