//! The output.

use serde::Serialize;

use super::{ClientFeatures, ConnectionFeatures};

/// The features of one session.
///
/// In JSON those of the client stand beside the list of the connections:
/// `{…client features, "peerConnections": [{…connection features, "tracks": […]}]}`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Features {
    /// Of the page, or the client as a whole.
    #[serde(flatten)]
    pub client: ClientFeatures,
    /// Of each peer connection: first those whose identifier is an array index, ascending, then the
    /// others in the order of their first event.
    pub peer_connections: Vec<ConnectionFeatures>,
    /// Whether something was left out because of [`Limits`](crate::Limits). In JSON it is the member
    /// `incomplete`, there only if true: the existing extractor has no limits.
    #[serde(rename = "incomplete", skip_serializing_if = "is_false")]
    pub is_incomplete: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !value
}
