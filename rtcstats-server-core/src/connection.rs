//! One WebSocket: from frames to messages (Jitsi spec, section 2; 5.0 spec, section 12.2; legacy
//! spec, section 1).

use bytes::Bytes;
use rtcstats_proto::jitsi::{Message, MessageError, MessageKind, MessageReader, SessionId};
use rtcstats_proto::{ClientType, Generation, sequence_number_of};

use crate::privacy::{LineFilter, Stage};
use crate::{Handshake, Identifiers, Limits};

mod plain;

use plain::PlainReader;

/// One socket: turns its frames into what the [`Server`](crate::Server) takes.
///
/// Does the expensive part of receiving, and shares nothing, so that sockets can be read in
/// parallel.
#[derive(Debug)]
pub struct Connection(Frames);

#[derive(Debug)]
enum Frames {
    /// Envelopes with the session's id, which need not match frames.
    Jitsi {
        client_type: ClientType,
        reader: MessageReader,
        /// In a box, as most servers have none.
        filter: Option<Box<LineFilter>>,
    },
    /// Each frame is a message of the one session.
    Plain(PlainReader),
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
    /// Lines for the dump of a client that is never acknowledged anything: those of one message, kept
    /// together, as a message of line ends and little else would otherwise cost a hundred times its size.
    PlainLines {
        /// The lines, their terminators included.
        lines: Bytes,
        /// How many.
        count: u64,
        /// How many of them are not JSON. They are stored as well: dumps hold what was sent.
        malformed: u64,
        /// What they call the client or the conference.
        identifiers: Option<Box<Identifiers>>,
    },
    /// A sign of life; also messages that keep nothing.
    Keepalive,
    /// The session is over.
    Close,
}

impl Connection {
    /// A socket that was just opened.
    pub fn new(handshake: &Handshake, limits: &Limits) -> Self {
        Self(match handshake.generation {
            Generation::Jitsi => Frames::Jitsi {
                client_type: handshake.client_type,
                reader: MessageReader::new(limits.message),
                filter: LineFilter::new(
                    &handshake.privacy,
                    Generation::Jitsi,
                    Stage::Journal,
                    limits.message,
                )
                .map(Box::new),
            },
            Generation::Rtcstats | Generation::Legacy => {
                Frames::Plain(PlainReader::new(handshake, limits.message))
            }
        })
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
        match &mut self.0 {
            Frames::Jitsi {
                client_type,
                reader,
                filter,
            } => reader.read(frame, |message| {
                each(message.and_then(|message| {
                    incoming(&message, *client_type, unix_ms, filter.as_deref_mut())
                }));
            }),
            Frames::Plain(reader) => reader.read(frame, each),
        }
    }
}

fn incoming(
    message: &Message<'_>,
    client_type: ClientType,
    unix_ms: f64,
    filter: Option<&mut LineFilter>,
) -> Result<Incoming, MessageError> {
    let session = SessionId::new(message.session_id())?;
    let content = match message.kind() {
        MessageKind::Close => Content::Close,
        _ => line_of(message, client_type, unix_ms, filter).unwrap_or(Content::Keepalive),
    };
    Ok(Incoming { session, content })
}

/// The line that is kept of a message, if any.
fn line_of(
    message: &Message<'_>,
    client_type: ClientType,
    unix_ms: f64,
    filter: Option<&mut LineFilter>,
) -> Option<Content> {
    // Of browsers the line is shorter than the message, so that it is not moved when it is complete.
    let mut line = match message.kind() {
        MessageKind::Keepalive => return None,
        _ => String::with_capacity(message.as_str().len()),
    };
    if !message.append_line(client_type, unix_ms, &mut line) {
        return None;
    }
    let sequence_number = client_type
        .is_browser()
        .then(|| sequence_number_of(&line))
        .flatten();
    if let Some(filter) = filter {
        let unfiltered = std::mem::take(&mut line);
        // Only lines of legacy clients are left out.
        let _ = filter.apply(&unfiltered, &mut line);
    }
    line.push('\n');
    Some(Content::Line {
        line: line.into(),
        sequence_number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Upgrade;

    #[test]
    fn a_frame_becomes_lines_with_their_numbers() {
        let handshake = {
            let upgrade = Upgrade {
                subprotocols: "3.1_STANDARD".to_owned(),
                ..Upgrade::default()
            };
            Handshake::new(&upgrade, &Limits::default()).unwrap()
        };
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
