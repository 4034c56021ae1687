//! The messages of a Jitsi 3.x WebSocket (Jitsi spec, sections 2 and 3).

mod ack;
mod connection_info;
mod message;
mod session_id;

pub use ack::SequenceNumberMessage;
pub use connection_info::{ConnectionInfo, ConnectionInfoError};
pub use message::{Message, MessageError, MessageKind, MessageReader};
pub use session_id::{SessionId, SessionIdError};
