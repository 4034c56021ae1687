//! Clients whose session is their socket: each frame is one message, and what it holds is stored.

use std::borrow::Cow;

use bytes::Bytes;
use rtcstats_proto::jitsi::{MessageError, SessionId};
use rtcstats_proto::json::JsonKind;
use rtcstats_proto::legacy::repair;
use rtcstats_proto::{Generation, Limits, RawJson};

use super::{Content, Incoming};
use crate::privacy::{LineFilter, Stage};
use crate::{Handshake, Identifiers};

#[derive(Debug)]
pub(super) struct PlainReader {
    generation: Generation,
    /// None where the handshake was not given one: the server refuses such a socket.
    session: Option<SessionId>,
    limits: Limits,
    /// In a box, as most servers have none.
    filter: Option<Box<LineFilter>>,
}

impl PlainReader {
    pub(super) fn new(handshake: &Handshake, limits: Limits) -> Self {
        Self {
            generation: handshake.generation,
            session: handshake.session.clone(),
            limits,
            filter: LineFilter::new(
                &handshake.privacy,
                handshake.generation,
                Stage::Journal,
                limits,
            )
            .map(Box::new),
        }
    }

    pub(super) fn read(
        &mut self,
        frame: &[u8],
        mut each: impl FnMut(Result<Incoming, MessageError>),
    ) -> Result<(), MessageError> {
        let limit = self.limits.line_bytes;
        if frame.len() > limit {
            return Err(MessageError::TooLong { limit });
        }
        let Some(session) = self.session.clone() else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(frame);
        let mut give = |content: Result<Content, MessageError>| {
            each(content.map(|content| Incoming {
                session: session.clone(),
                content,
            }));
        };
        match self.generation {
            Generation::Legacy => give(self.legacy_line(&text)),
            _ => give(self.lines(&text)),
        }
        Ok(())
    }

    /// The lines of a message as they came, JSON or not, but for their addresses. Empty ones are left
    /// out.
    fn lines(&mut self, text: &str) -> Result<Content, MessageError> {
        let mut stored = String::with_capacity(text.len() + 1);
        let (mut count, mut malformed) = (0, 0);
        let mut identifiers: Option<Box<Identifiers>> = None;
        for line in text.split('\n').filter(|line| !line.is_empty()) {
            count += 1;
            malformed += u64::from(RawJson::parse_within(line, &self.limits).is_err());
            match (
                &mut identifiers,
                Identifiers::of_line(self.generation, line),
            ) {
                (Some(all), Some(found)) => all.merge(*found),
                (all, found) => *all = all.take().or(found),
            }
            let is_kept = match &mut self.filter {
                Some(filter) => filter.apply(line, &mut stored),
                None => {
                    stored.push_str(line);
                    true
                }
            };
            if !is_kept {
                return Err(MessageError::Shape);
            }
            stored.push('\n');
        }
        if count == 0 {
            return Ok(Content::Keepalive);
        }
        Ok(Content::PlainLines {
            lines: Bytes::from(stored.into_bytes()),
            count,
            malformed,
            identifiers,
        })
    }

    /// A line of the legacy client, whose server repairs some events and drops what is none.
    fn legacy_line(&mut self, text: &str) -> Result<Content, MessageError> {
        // In JSON these stand between values only.
        let text = if text.contains(['\n', '\r']) {
            Cow::Owned(text.replace(['\n', '\r'], " "))
        } else {
            Cow::Borrowed(text)
        };
        let text = text.trim();
        let event = RawJson::parse_within(text, &self.limits)?;
        let name = event.elements().next().map(RawJson::kind);
        if name != Some(JsonKind::Text) {
            return Err(MessageError::Shape);
        }
        let mut repaired = String::new();
        if repair(text, &mut repaired) {
            self.lines(&repaired)
        } else {
            self.lines(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Connection, Limits, Upgrade};

    fn read(subprotocol: &str, frame: &[u8]) -> Vec<Result<Content, MessageError>> {
        let upgrade = Upgrade {
            subprotocols: subprotocol.to_owned(),
            ..Upgrade::default()
        };
        let limits = Limits::default();
        let handshake = Handshake::new(&upgrade, &limits).unwrap().identified(1);
        let mut seen = Vec::new();
        let mut connection = Connection::new(&handshake, &limits);
        let each =
            |message: Result<Incoming, _>| seen.push(message.map(|incoming| incoming.content));
        connection.receive(frame, 0.0, each).unwrap();
        seen
    }

    /// The lines, how many, how many of them malformed.
    fn text_of(content: &Result<Content, MessageError>) -> (&str, u64, u64) {
        let Ok(Content::PlainLines {
            lines,
            count,
            malformed,
            ..
        }) = content
        else {
            panic!("{content:?}")
        };
        (std::str::from_utf8(lines).unwrap(), *count, *malformed)
    }

    #[test]
    fn a_message_of_5_0_is_stored_as_it_came() {
        let seen = read("rtcstats#5.0", b"[1]\n\n not json\xFF");
        assert_eq!(seen.len(), 1);
        assert_eq!(text_of(&seen[0]), ("[1]\n not json\u{FFFD}\n", 2, 1));
        for empty in [&b""[..], b"\n\n"] {
            assert_eq!(read("rtcstats#5.0", empty), [Ok(Content::Keepalive)]);
        }
    }

    #[test]
    fn all_lines_of_a_message_name_the_client() {
        let frame = concat!(
            r#"["constraints","PC_0",{"optional":[{"rtcStatsPeerId":"p"}]},5]"#,
            "\n[1]\n",
            r#"["identity",null,{"user":"u"},5]"#,
        );
        let seen = read("rtcstats#5.0", frame.as_bytes());
        let [Ok(Content::PlainLines { identifiers, .. })] = seen.as_slice() else {
            panic!("{seen:?}")
        };
        let found = identifiers.as_ref().unwrap();
        assert_eq!(
            (found.user.as_deref(), found.peer_ids.len()),
            (Some("u"), 1)
        );
    }

    #[test]
    fn a_legacy_message_that_is_no_event_is_refused() {
        for frame in [
            &b"not json"[..],
            b"",
            b"{}",
            b"[1]",
            b"[]",
            b"[\"a\",null]x",
        ] {
            assert!(read("2.0", frame)[0].is_err());
        }
        let seen = read("2.0", b"[\"a\",\r\nnull]\n");
        assert_eq!(text_of(&seen[0]), ("[\"a\",  null]\n", 1, 0));
    }

    #[test]
    fn what_cannot_be_masked_is_refused_of_legacy_clients_only() {
        let frame = br#"["addIceCandidate","PC_0",{"candidate":"198.51.100.9 x"},5]"#;
        for (subprotocol, is_stored) in [("2.0", false), ("rtcstats#5.0", true)] {
            let upgrade = Upgrade {
                subprotocols: subprotocol.to_owned(),
                ..Upgrade::default()
            };
            let mut options = crate::HandshakeOptions::default();
            options.privacy.obfuscation = crate::Obfuscation::BeforeJournal;
            let handshake = Handshake::with_options(&upgrade, &options).unwrap();
            let mut connection = Connection::new(&handshake.identified(1), &options.limits);
            let mut seen = Vec::new();
            connection
                .receive(frame, 0.0, |message| seen.push(message.is_ok()))
                .unwrap();
            assert_eq!(seen, [is_stored], "{subprotocol}");
        }
    }

    #[test]
    fn a_message_over_the_limit_ends_the_socket() {
        let upgrade = Upgrade {
            subprotocols: "2.0".to_owned(),
            ..Upgrade::default()
        };
        let mut limits = Limits::default();
        limits.message.line_bytes = 4;
        let handshake = Handshake::new(&upgrade, &limits).unwrap().identified(1);
        let end = Connection::new(&handshake, &limits).receive(b"[    ", 0.0, |_| panic!());
        assert_eq!(end, Err(MessageError::TooLong { limit: 4 }));
    }
}
