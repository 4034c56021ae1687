//! One WebSocket: from the upgrade request and frames to messages (Jitsi spec, section 1 and 2).

use std::borrow::Cow;

use bytes::Bytes;
use rtcstats_features::jitsi::StatsFormat;
use rtcstats_proto::jitsi::{
    ConnectionInfo, Message, MessageError, MessageKind, MessageReader, SessionId, SessionIdError,
};
use rtcstats_proto::{ClientType, select_subprotocol, sequence_number_of};

use crate::{Limits, Refusal};

/// What the upgrade request of a WebSocket says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// Request target: path and query.
    pub target: String,
    /// `Origin` header, or empty.
    pub origin: String,
    /// `User-Agent` header, or empty.
    pub user_agent: String,
    /// `Sec-WebSocket-Protocol` header, or empty.
    pub subprotocols: String,
}

/// A parsed upgrade: who connects, and for which session.
#[derive(Debug, Clone)]
pub struct Handshake {
    pub(crate) info: ConnectionInfo,
    pub(crate) client_type: ClientType,
    pub(crate) session: Option<SessionId>,
    pub(crate) is_reconnect: bool,
}

/// An upgrade request that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The session id of the query is not allowed.
    #[error(transparent)]
    SessionId(#[from] SessionIdError),
    /// The request target, the origin or the user agent is too long.
    #[error("request target or header over the limit of {limit} bytes")]
    TooLong {
        /// [`Limits::request_bytes`]
        limit: usize,
    },
}

impl From<HandshakeError> for Refusal {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::SessionId(_) => Self::INVALID_SESSION_ID,
            HandshakeError::TooLong { .. } => Self::REQUEST_TOO_LONG,
        }
    }
}

impl Handshake {
    /// Reads an upgrade request.
    ///
    /// # Errors
    ///
    /// If the query has a `statsSessionId` that is not allowed (none at all is no error: back-end
    /// clients have none), or a part is longer than [`Limits::request_bytes`].
    pub fn new(upgrade: &Upgrade, limits: &Limits) -> Result<Self, HandshakeError> {
        let limit = limits.request_bytes;
        let parts = [&upgrade.target, &upgrade.origin, &upgrade.user_agent];
        if parts.iter().any(|part| part.len() > limit) {
            return Err(HandshakeError::TooLong { limit });
        }
        let query = upgrade
            .target
            .split_once('?')
            .map_or("", |(_, query)| query);
        let session = query_parameter(query, "statsSessionId");
        let session = session.map(|id| SessionId::new(&id)).transpose()?;
        let protocol = select_subprotocol(&upgrade.subprotocols).unwrap_or_default();
        let client_type = ClientType::from_subprotocol(protocol);
        let stats_format = StatsFormat::from_user_agent(&upgrade.user_agent);
        let info = ConnectionInfo {
            path: upgrade.target.clone(),
            origin: upgrade.origin.clone(),
            url: format!("{}{}", upgrade.origin, upgrade.target),
            user_agent: upgrade.user_agent.clone(),
            client_protocol: protocol.to_owned(),
            stats_format: stats_format.as_str().to_owned(),
            client_type_name: client_type.as_str().to_owned(),
        };
        let is_reconnect =
            query_parameter(query, "isReconnect").is_some_and(|value| value == "true");
        Ok(Self {
            info,
            client_type,
            session,
            is_reconnect,
        })
    }

    /// The subprotocol that the server must echo, if the client offered one.
    pub fn subprotocol(&self) -> Option<&str> {
        Some(self.info.client_protocol.as_str()).filter(|protocol| !protocol.is_empty())
    }

    /// Who connects.
    pub fn client_type(&self) -> ClientType {
        self.client_type
    }

    /// The session that the query names.
    pub fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }

    /// Whether the client says that it was here before.
    pub fn is_reconnect(&self) -> bool {
        self.is_reconnect
    }
}

/// The first value of a parameter, percent- and plus-decoded.
fn query_parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

/// One socket: turns its frames into what the [`Server`](crate::Server) takes.
///
/// Does the expensive part of receiving, and shares nothing, so that sockets can be read in
/// parallel.
#[derive(Debug)]
pub struct Connection {
    client_type: ClientType,
    reader: MessageReader,
    line: String,
}

/// A message for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Whose message it is.
    pub session: SessionId,
    /// What it says.
    pub content: Content,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// A line for the dump.
    Line {
        /// The line, its terminator included.
        line: Bytes,
        /// The number by which it is acknowledged.
        sequence_number: Option<u64>,
    },
    /// A sign of life; also messages that keep nothing.
    Keepalive,
    /// The session is over.
    Close,
}

impl Connection {
    /// A socket that was just opened.
    pub fn new(handshake: &Handshake, limits: &Limits) -> Self {
        Self {
            client_type: handshake.client_type,
            reader: MessageReader::new(limits.message),
            line: String::new(),
        }
    }

    /// Takes one frame, text or binary, and hands each complete message to `each`; refused ones as
    /// errors. `unix_ms` is the time of arrival, which lines of back-end clients carry.
    ///
    /// # Errors
    ///
    /// Where nothing more can be read from the socket.
    pub fn receive(
        &mut self,
        frame: &[u8],
        unix_ms: f64,
        mut each: impl FnMut(Result<Incoming, MessageError>),
    ) -> Result<(), MessageError> {
        let (client_type, line) = (self.client_type, &mut self.line);
        self.reader.read(frame, |message| {
            each(message.and_then(|message| incoming(&message, client_type, unix_ms, line)));
        })
    }
}

fn incoming(
    message: &Message<'_>,
    client_type: ClientType,
    unix_ms: f64,
    line: &mut String,
) -> Result<Incoming, MessageError> {
    let session = SessionId::new(message.session_id())?;
    let content = if matches!(message.kind(), MessageKind::Close) {
        Content::Close
    } else if message.append_line(client_type, unix_ms, line) {
        let sequence_number = client_type
            .is_browser()
            .then(|| sequence_number_of(line))
            .flatten();
        line.push('\n');
        let line = Bytes::from(std::mem::take(line).into_boxed_str().into_boxed_bytes());
        Content::Line {
            line,
            sequence_number,
        }
    } else {
        Content::Keepalive
    };
    Ok(Incoming { session, content })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upgrade(target: &str) -> Upgrade {
        Upgrade {
            target: target.to_owned(),
            origin: "https://meet.example.org".to_owned(),
            subprotocols: "3.1_STANDARD, other".to_owned(),
            ..Upgrade::default()
        }
    }

    #[test]
    fn the_query_names_the_session() {
        let handshake = Handshake::new(
            &upgrade("//a/b?x=1&statsSessionId=7c%39e&isReconnect=true&statsSessionId=z"),
            &Limits::default(),
        )
        .unwrap();
        assert_eq!(handshake.session().unwrap().as_str(), "7c9e");
        assert!(handshake.is_reconnect());
        assert_eq!(handshake.subprotocol(), Some("3.1_STANDARD"));
        assert_eq!(handshake.info.client_type_name, "RTCSTATS_CLIENT");
        assert_eq!(
            handshake.info.url,
            format!("https://meet.example.org{}", handshake.info.path)
        );
    }

    #[test]
    fn an_id_that_is_not_allowed_is_refused() {
        assert!(Handshake::new(&upgrade("/?statsSessionId=..%2Fetc"), &Limits::default()).is_err());
        assert!(Handshake::new(&upgrade("/?statsSessionId="), &Limits::default()).is_err());
        assert!(
            Handshake::new(&upgrade("/"), &Limits::default())
                .unwrap()
                .session()
                .is_none()
        );
    }

    #[test]
    fn a_frame_becomes_lines_with_their_numbers() {
        let handshake = Handshake::new(&upgrade("/"), &Limits::default()).unwrap();
        let mut connection = Connection::new(&handshake, &Limits::default());
        let frame = concat!(
            r#"{"statsSessionId":"s","type":"stats-entry","data":"[\"a\",null,1,1700000000000,7]"}"#,
            r#"{"statsSessionId":"s","type":"keepalive"}"#,
            r#"{"statsSessionId":"/","type":"keepalive"}"#,
        );
        let mut seen = Vec::new();
        connection
            .receive(frame.as_bytes(), 0.0, |incoming| seen.push(incoming))
            .unwrap();
        let line = Bytes::from_static(b"[\"a\",null,1,1700000000000,7]\n");
        let expected = Content::Line {
            line,
            sequence_number: Some(7),
        };
        assert_eq!(seen[0].as_ref().unwrap().content, expected);
        assert_eq!(seen[1].as_ref().unwrap().content, Content::Keepalive);
        assert!(seen[2].is_err());
    }
}
