//! What clients send: the envelope (section 2), in frames that need not match messages (1.4).

use std::borrow::Cow;

use super::session_id::{SessionIdError, check};
use crate::json::{JsonError, JsonErrorKind, JsonKind, Reader, unescape_into, write_number};
use crate::{ClientType, Limits, RawJson};

/// One message of a client: `{"statsSessionId", "type", "data"}`.
///
/// ```
/// use rtcstats_proto::jitsi::{Message, MessageKind};
///
/// let text = r#"{"statsSessionId":"7c9e","type":"stats-entry","data":"[\"close\",\"PC_0\",{},1700000000123,17]"}"#;
/// let message = Message::parse(text)?;
/// assert_eq!(message.session_id(), "7c9e");
/// assert!(matches!(message.kind(), MessageKind::StatsEntry(_)));
/// # Ok::<(), rtcstats_proto::jitsi::MessageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Message<'a> {
    text: &'a str,
    session_id: Cow<'a, str>,
    kind: MessageKind<'a>,
}

/// What a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageKind<'a> {
    /// Who the client is. Browsers send the event array, back-end clients an object.
    Identity(RawJson<'a>),
    /// One event. Browsers send a string that holds the event array as JSON.
    StatsEntry(RawJson<'a>),
    /// Nothing but a sign of life.
    Keepalive,
    /// The session is over.
    Close,
    /// A type that this generation does not define; not an error.
    Other(Cow<'a, str>),
}

/// A message that is refused. The session and the socket can go on, except where
/// [`MessageError::is_fatal`] says that what follows cannot be told apart any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Malformed JSON.
    #[error("malformed message: {0}")]
    Json(#[from] JsonError),
    /// A JSON value that is not an object.
    #[error("message is not an object")]
    Shape,
    /// The session id is missing or not allowed.
    #[error(transparent)]
    SessionId(#[from] SessionIdError),
    /// The session id is not a string.
    #[error("statsSessionId is not a string")]
    SessionIdShape,
    /// No `type`.
    #[error("message has no type")]
    Type,
    /// Longer than [`Limits::line_bytes`].
    #[error("message is over the limit of {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
}

impl MessageError {
    /// Whether the stream of messages cannot be read beyond it.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Json(_) | Self::TooLong { .. })
    }
}

impl<'a> Message<'a> {
    /// Reads one message that is the whole of `text`.
    ///
    /// # Errors
    ///
    /// In the order of section 2.3: malformed JSON, not an object, session id missing or not
    /// allowed, `type` missing.
    pub fn parse(text: &'a str) -> Result<Self, MessageError> {
        let mut reader = Reader::new(text, Limits::default().depth);
        let message = Self::read(text, &mut reader)?;
        reader.finish()?;
        message.ok_or(MessageError::Shape)
    }

    /// Reads the value at the reader; `None` for the values that are ignored (falsy ones).
    fn read(text: &'a str, reader: &mut Reader<'a>) -> Result<Option<Self>, MessageError> {
        if reader.peek() != Some(b'{') {
            let value = RawJson::trusted(reader.value()?);
            return if value.is_truthy() {
                Err(MessageError::Shape)
            } else {
                Ok(None)
            };
        }
        let start = reader.position();
        reader.expect(b'{')?;
        let (mut session_id, mut kind, mut data) = (RawJson::NULL, RawJson::NULL, RawJson::NULL);
        let mut open = !reader.take(b'}');
        while open {
            let key = reader.key()?;
            let value = RawJson::trusted(reader.value()?);
            match key.resolve().as_ref() {
                "statsSessionId" => session_id = value,
                "type" => kind = value,
                "data" => data = value,
                _ => {}
            }
            open = reader.more(b'}')?;
        }
        let text = text.get(start..reader.position()).unwrap_or_default();
        Self::from_members(text, session_id, kind, data).map(Some)
    }

    fn from_members(
        text: &'a str,
        session_id: RawJson<'a>,
        kind: RawJson<'a>,
        data: RawJson<'a>,
    ) -> Result<Self, MessageError> {
        if !session_id.is_truthy() {
            return Err(SessionIdError::Missing.into());
        }
        let session_id = session_id.as_text().ok_or(MessageError::SessionIdShape)?;
        check(&session_id)?;
        if !kind.is_truthy() {
            return Err(MessageError::Type);
        }
        let kind = kind.to_key();
        let kind = match kind.as_ref() {
            "identity" => MessageKind::Identity(data),
            "stats-entry" => MessageKind::StatsEntry(data),
            "keepalive" => MessageKind::Keepalive,
            "close" => MessageKind::Close,
            _ => MessageKind::Other(kind),
        };
        Ok(Self {
            text,
            session_id,
            kind,
        })
    }

    /// The session it belongs to; checked as [`SessionId`](super::SessionId) is.
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// What it is for.
    pub fn kind(&self) -> &MessageKind<'a> {
        &self.kind
    }

    /// The message as it was sent.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// Appends the line that a dump keeps of this message to `line`, without terminator, and tells
    /// whether there is one (section 9.2).
    ///
    /// Browser clients: the event array, whether it came as an array or as JSON in a string; line
    /// breaks in it, which can only be white space, become spaces. Other clients: the whole request
    /// with `timestamp` (Unix epoch milliseconds by the server's clock) added.
    pub fn append_line(&self, client_type: ClientType, timestamp: f64, line: &mut String) -> bool {
        let (MessageKind::Identity(data) | MessageKind::StatsEntry(data)) = &self.kind else {
            return false;
        };
        let start = line.len();
        if !client_type.is_browser() {
            line.push_str(self.text.strip_suffix('}').unwrap_or(self.text));
            line.push_str(",\"timestamp\":");
            write_number(timestamp, line);
            line.push('}');
        } else if !data.is_truthy() {
            return false;
        } else if data.kind() == JsonKind::Text {
            let quoted = data.as_str();
            unescape_into(quoted.get(1..quoted.len() - 1).unwrap_or_default(), line);
        } else {
            line.push_str(data.as_str());
        }
        replace_line_breaks(line, start);
        true
    }
}

fn replace_line_breaks(line: &mut String, start: usize) {
    let added = line.as_bytes().get(start..).unwrap_or_default();
    if memchr::memchr2(b'\n', b'\r', added).is_some() {
        let clean: String = line
            .drain(start..)
            .map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c })
            .collect();
        line.push_str(&clean);
    }
}

/// Reads messages from the frames of one connection, which are one stream of JSON values: a value
/// may be split over frames, and a frame may hold several (section 1.4).
///
/// Holds memory only while a message is incomplete.
#[derive(Debug)]
pub struct MessageReader {
    limits: Limits,
    /// The beginning of an incomplete value.
    pending: Vec<u8>,
    scan: Scan,
}

/// Where the end of an incomplete object or array is looked for, each byte once.
#[derive(Debug, Default)]
struct Scan {
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl MessageReader {
    /// A reader at the beginning of a connection. Of the limits, the length of a line and the
    /// depth apply.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            pending: Vec::new(),
            scan: Scan::default(),
        }
    }

    /// Bytes held of a message that is not complete yet.
    pub fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Takes one frame, text or binary, and hands each message that is complete to `each`.
    ///
    /// # Errors
    ///
    /// Where the stream cannot be read any further: malformed JSON, invalid UTF-8, a message over
    /// the limit. Messages that are merely refused go to `each`, and reading goes on.
    pub fn read(
        &mut self,
        frame: &[u8],
        mut each: impl FnMut(Result<Message<'_>, MessageError>),
    ) -> Result<(), MessageError> {
        let mut frame = frame;
        if !self.pending.is_empty() {
            let used = self.scan.end_of_value(frame);
            let (head, tail) = frame.split_at(used.unwrap_or(frame.len()));
            self.check_length(self.pending.len() + head.len())?;
            self.pending.extend_from_slice(head);
            if used.is_none() {
                return Ok(());
            }
            let value = std::mem::take(&mut self.pending);
            self.scan = Scan::default();
            let rest = self.read_values(&value, &mut each)?;
            if !rest.is_empty() {
                return Err(self.malformed(JsonErrorKind::UnexpectedEnd, value.len()));
            }
            frame = tail;
        }
        let rest = self.read_values(frame, &mut each)?;
        if !rest.is_empty() {
            self.check_length(rest.len())?;
            self.scan = Scan::default();
            // Cannot be complete: the parser just said so.
            let _ = self.scan.end_of_value(rest);
            self.pending.extend_from_slice(rest);
        }
        Ok(())
    }

    /// Hands out the complete values of `bytes` and returns the incomplete rest.
    fn read_values<'a>(
        &self,
        bytes: &'a [u8],
        each: &mut impl FnMut(Result<Message<'_>, MessageError>),
    ) -> Result<&'a [u8], MessageError> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() => {
                let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
                std::str::from_utf8(valid).unwrap_or_default()
            }
            Err(error) => return Err(self.malformed(JsonErrorKind::Utf8, error.valid_up_to())),
        };
        let mut reader = Reader::new(text, self.limits.depth);
        while reader.peek().is_some() {
            let start = reader.position();
            let message = Message::read(text, &mut reader);
            if let Err(MessageError::Json(error)) = message {
                return match error.kind {
                    JsonErrorKind::UnexpectedEnd => Ok(bytes.get(start..).unwrap_or_default()),
                    _ => Err(error.into()),
                };
            }
            self.check_length(reader.position() - start)?;
            if let Some(message) = message.transpose() {
                each(message);
            }
        }
        Ok(bytes.get(text.len()..).unwrap_or_default())
    }

    fn check_length(&self, length: usize) -> Result<(), MessageError> {
        let limit = self.limits.line_bytes;
        if length > limit {
            Err(MessageError::TooLong { limit })
        } else {
            Ok(())
        }
    }

    fn malformed(&self, kind: JsonErrorKind, offset: usize) -> MessageError {
        JsonError { kind, offset }.into()
    }
}

impl Scan {
    /// Looks for the end of the value that the scan is in; how many of `bytes` belong to it.
    /// `None` if it goes on.
    fn end_of_value(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => continue,
                }
                // A root that is a string ends with it.
                if self.in_string || self.depth > 0 {
                    continue;
                }
                return Some(at + 1);
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line_of(text: &str, client_type: ClientType) -> Option<String> {
        let mut line = String::new();
        let written = Message::parse(text)
            .unwrap()
            .append_line(client_type, 5.0, &mut line);
        written.then_some(line)
    }

    #[test]
    fn a_browsers_entry_becomes_the_array_it_holds() {
        let browser = ClientType::Rtcstats;
        for text in [
            r#"{"statsSessionId":"s","type":"stats-entry","data":"[\"a\",null,\"\\u00e9\",1,2]"}"#,
            r#"{"type":"stats-entry","data":["a",null,"\u00e9",1,2],"statsSessionId":"s"}"#,
            r#"{"type":"identity","data":"[\"a\",null,\"\\u00e9\",1,2]","statsSessionId":"s"}"#,
        ] {
            assert_eq!(
                line_of(text, browser).unwrap(),
                r#"["a",null,"\u00e9",1,2]"#
            );
        }
        let broken = r#"{"statsSessionId":"s","type":"stats-entry","data":"[1,\r\n2]"}"#;
        assert_eq!(line_of(broken, browser).unwrap(), "[1,  2]");
        let broken = "{\"statsSessionId\":\"s\",\"type\":\"identity\",\"data\":[1,\n2]}";
        assert_eq!(line_of(broken, browser).unwrap(), "[1, 2]");
    }

    #[test]
    fn nothing_is_kept_of_empty_data_and_other_types() {
        for text in [
            r#"{"statsSessionId":"s","type":"stats-entry","data":""}"#,
            r#"{"statsSessionId":"s","type":"identity"}"#,
            r#"{"statsSessionId":"s","type":"keepalive","data":[1]}"#,
            r#"{"statsSessionId":"s","type":"strange","data":[1]}"#,
        ] {
            assert_eq!(line_of(text, ClientType::Rtcstats), None, "{text}");
        }
    }

    #[test]
    fn the_request_of_a_back_end_client_is_kept_whole_with_a_timestamp() {
        let text = r#"{"statsSessionId":"s","type":"stats-entry","data":"{\"a\":1}","more":2}"#;
        let expected = r#"{"statsSessionId":"s","type":"stats-entry","data":"{\"a\":1}","more":2,"timestamp":5}"#;
        assert_eq!(line_of(text, ClientType::Jvb).unwrap(), expected);
    }

    #[test]
    fn refusals_come_in_the_order_of_the_specification() {
        let error = |text| Message::parse(text).unwrap_err();
        assert_eq!(error(r#"{"type":"close"}"#), SessionIdError::Missing.into());
        assert_eq!(
            error(r#"{"statsSessionId":5}"#),
            MessageError::SessionIdShape
        );
        assert_eq!(
            error(r#"{"statsSessionId":"a/b"}"#),
            SessionIdError::Character { offset: 1 }.into()
        );
        assert_eq!(
            error(r#"{"statsSessionId":"a","type":""}"#),
            MessageError::Type
        );
        assert_eq!(error(r#"["getstats"]"#), MessageError::Shape);
        assert!(error("{").is_fatal());
    }

    fn read_in_chunks(
        stream: &[u8],
        sizes: &[usize],
        limits: Limits,
    ) -> Result<Vec<String>, MessageError> {
        let mut reader = MessageReader::new(limits);
        let mut seen = Vec::new();
        let mut rest = stream;
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let size = sizes.next().copied().unwrap_or(1).clamp(1, rest.len());
            let (chunk, tail) = rest.split_at(size);
            reader.read(chunk, |message| {
                seen.push(match message {
                    Ok(message) => message.as_str().to_owned(),
                    Err(error) => error.to_string(),
                });
            })?;
            rest = tail;
        }
        Ok(seen)
    }

    const STREAM: &str = concat!(
        r#"{"statsSessionId":"a","type":"stats-entry","data":"[\"}é{\\\"]"}"#,
        " null \n",
        r#"{"statsSessionId":"ä","type":"close"}{"statsSessionId":"b","type":"close"}"#,
        r#"[[1]]"#,
        r#""text""#,
        r#"{"statsSessionId":"d","type":"identity","data":[-1.5e-7,true,null]}"#,
        r#"{"statsSessionId":"c","type":"keepalive"}"#,
    );

    #[test]
    fn several_values_in_one_frame_are_several_messages() {
        let seen = read_in_chunks(STREAM.as_bytes(), &[STREAM.len()], Limits::default()).unwrap();
        assert_eq!(seen.len(), 7);
        assert_eq!(seen[6], r#"{"statsSessionId":"c","type":"keepalive"}"#);
    }

    #[test]
    fn a_message_may_be_split_anywhere() {
        let whole = read_in_chunks(STREAM.as_bytes(), &[STREAM.len()], Limits::default()).unwrap();
        for first in 1..STREAM.len() {
            let seen = read_in_chunks(STREAM.as_bytes(), &[first, STREAM.len()], Limits::default());
            assert_eq!(seen.unwrap(), whole, "split at {first}");
        }
    }

    #[test]
    fn malformed_json_ends_the_stream() {
        for stream in [r#"{"a":1},{"b":2}"#, "{]", "[1,}"] {
            assert!(read_in_chunks(stream.as_bytes(), &[stream.len()], Limits::default()).is_err());
        }
        assert!(read_in_chunks(b"{\"a\":\"\xFF\"}", &[20], Limits::default()).is_err());
    }

    #[test]
    fn what_is_pending_is_bounded() {
        let limits = Limits {
            line_bytes: 32,
            ..Limits::default()
        };
        let stream = format!("{{\"a\":\"{}", "x".repeat(100));
        let error = read_in_chunks(stream.as_bytes(), &[7], limits).unwrap_err();
        assert_eq!(error, MessageError::TooLong { limit: 32 });
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_messages(sizes in prop::collection::vec(1_usize..60, 1..20)) {
            let whole = read_in_chunks(STREAM.as_bytes(), &[STREAM.len()], Limits::default()).unwrap();
            let seen = read_in_chunks(STREAM.as_bytes(), &sizes, Limits::default()).unwrap();
            prop_assert_eq!(seen, whole);
        }
    }
}
