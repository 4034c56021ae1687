//! One traced event: an API call, its outcome, a state change, a report.

use std::borrow::Cow;

use crate::json::{JsonError, JsonErrorKind, Reader, Token};
use crate::{Limits, Method, RawJson};

/// One line of a dump, or one entry on the wire.
///
/// Everything borrows from the line. Browser clients write
/// `[name, peer connection | null, value, timestamp, sequence number]`; the lines of back-end
/// clients are objects, whose `type`, `data` and `timestamp` take the places of name, value and
/// timestamp here.
///
/// ```
/// use rtcstats_proto::{Event, Method, Scope};
///
/// let event = Event::parse(r#"["onconnectionstatechange","PC_0","connected",1700000000123,17]"#)?;
/// assert_eq!(event.method(), Some(Method::OnConnectionStateChange));
/// assert_eq!(event.scope(), Scope::PeerConnection("PC_0"));
/// assert!(event.payload().is_text("connected"));
/// assert_eq!(event.timestamp(), Some(1_700_000_000_123.0));
/// assert_eq!(event.sequence_number(), Some(17));
/// # Ok::<(), rtcstats_proto::EventError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Event<'a> {
    line: &'a str,
    form: EventForm,
    name: Cow<'a, str>,
    method: Option<Method>,
    connection_key: Cow<'a, str>,
    has_connection: bool,
    payload: RawJson<'a>,
    /// What stands between the payload and the time, as it was written.
    extra: &'a str,
    timestamp: Option<f64>,
    sequence_number: Option<u64>,
}

/// What `undefined` is as a property key.
const UNDEFINED_KEY: &str = "undefined";

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope<'a> {
    /// The client as a whole.
    Client,
    /// The peer connection with this key, such as `PC_0`.
    PeerConnection(&'a str),
}

/// How a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventForm {
    /// `[name, peer connection, value, timestamp, …]`: what browser clients write.
    Array,
    /// `{"statsSessionId", "type", "data", "timestamp"}`: the request of a back-end client.
    Request,
    /// `[method, peer connection, value, …, time delta]`: what clients of rtcstats 5.0 write.
    Delta,
    /// The object with meta data at the head of a dump, which is the payload. It has no name.
    Metadata,
    /// Not from a line: an event of an import, whose report is complete.
    Import,
}

/// A line that is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The line is malformed or over a limit.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The line is JSON, but neither an array with a name nor an object with a type.
    #[error("neither an event array nor a request object")]
    Shape,
    /// The line is longer than [`Limits::line_bytes`].
    #[error("line of {length} bytes is over the limit of {limit}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
}

impl<'a> Event<'a> {
    /// Reads one line, without its terminator.
    ///
    /// All of it is checked, except the report of a `getstats` event: that is the bulk of every
    /// dump, and the [delta decoder](crate::delta::Decoder) checks it while it reads it.
    ///
    /// # Errors
    ///
    /// If the line is not JSON, is no event, or is over the default [`Limits`].
    pub fn parse(line: &'a str) -> Result<Self, EventError> {
        Self::parse_within(line, &Limits::default())
    }

    /// As [`Event::parse`], within the line length and depth of `limits`.
    ///
    /// # Errors
    ///
    /// If the line is not JSON, is no event, or is over a limit.
    pub fn parse_within(line: &'a str, limits: &Limits) -> Result<Self, EventError> {
        if line.len() > limits.line_bytes {
            return Err(EventError::TooLong {
                length: line.len(),
                limit: limits.line_bytes,
            });
        }
        let mut reader = Reader::new(line, limits.depth);
        match reader.peek() {
            Some(b'[') => Self::parse_array(line, reader),
            Some(b'{') => Self::parse_request(line, reader),
            _ => {
                reader.value()?;
                reader.finish()?;
                Err(EventError::Shape)
            }
        }
    }

    fn parse_array(line: &'a str, mut reader: Reader<'a>) -> Result<Self, EventError> {
        reader.expect(b'[')?;
        if reader.take(b']') {
            reader.finish()?;
            return Err(EventError::Shape);
        }
        let name = RawJson::trusted(reader.value()?).to_key();
        let mut event = Self {
            line,
            form: EventForm::Array,
            method: Method::from_name(&name),
            name,
            connection_key: Cow::Borrowed(UNDEFINED_KEY),
            has_connection: false,
            payload: RawJson::NULL,
            extra: "",
            timestamp: None,
            sequence_number: None,
        };
        if !reader.more(b']')? {
            reader.finish()?;
            return Ok(event);
        }
        let connection = RawJson::trusted(reader.value()?);
        event.has_connection = connection.is_truthy();
        event.connection_key = connection.to_key();
        if !reader.more(b']')? {
            reader.finish()?;
            return Ok(event);
        }
        if event.method == Some(Method::CompressedGetStats) && event.split_report(&mut reader) {
            return Ok(event);
        }
        event.payload = RawJson::trusted(reader.value()?);
        event.read_tail(&mut reader)?;
        Ok(event)
    }

    /// Finds the report of a getstats line from behind, without reading it. Leaves an unusual
    /// line to the full parse.
    fn split_report(&mut self, reader: &mut Reader<'a>) -> bool {
        if reader.peek() != Some(b'{') {
            return false;
        }
        let start = reader.position();
        let Some(length) = memchr::memrchr(b'}', self.line.as_bytes()) else {
            return false;
        };
        let end = length + 1;
        let (Some(report), Some(tail)) = (self.line.get(start..end), self.line.get(end..)) else {
            return false;
        };
        let mut tail = Reader::new(tail, 0);
        self.payload = RawJson::trusted(report);
        // Without a timestamp the brace may belong to a later element.
        self.read_tail(&mut tail).is_ok() && self.timestamp.is_some()
    }

    /// What follows the payload: timestamp, sequence number, the end.
    fn read_tail(&mut self, reader: &mut Reader<'a>) -> Result<(), EventError> {
        let mut previous = None;
        let mut last = None;
        let mut is_first = true;
        while reader.more(b']')? {
            previous = last;
            last = match reader.token()? {
                Token::Number(number) => Some(number),
                Token::Array | Token::Object => {
                    reader.value()?;
                    None
                }
                _ => None,
            };
            if is_first {
                self.timestamp = last;
                is_first = false;
            }
        }
        reader.finish()?;
        self.sequence_number = sequence_number(previous, last);
        Ok(())
    }

    fn parse_request(line: &'a str, mut reader: Reader<'a>) -> Result<Self, EventError> {
        let mut name = None;
        let mut payload = RawJson::NULL;
        let mut timestamp = None;
        reader.expect(b'{')?;
        let mut open = !reader.take(b'}');
        while open {
            let key = reader.key()?;
            let value = RawJson::trusted(reader.value()?);
            match key.resolve().as_ref() {
                "type" => name = Some(value.to_key()),
                "data" => payload = value,
                "timestamp" => timestamp = value.as_number(),
                _ => {}
            }
            open = reader.more(b'}')?;
        }
        reader.finish()?;
        let name = name.unwrap_or_default();
        Ok(Self {
            line,
            form: EventForm::Request,
            method: Method::from_name(&name),
            name,
            connection_key: Cow::Borrowed(UNDEFINED_KEY),
            has_connection: false,
            payload,
            extra: "",
            timestamp,
            sequence_number: None,
        })
    }

    /// An event that no line was written for, as an import makes them. Its report, if it is one, is
    /// complete: see [`Decoder::full`](crate::delta::Decoder::full).
    ///
    /// ```
    /// use rtcstats_proto::{Event, Method, RawJson};
    ///
    /// let value = RawJson::parse("\"stable\"")?;
    /// let event = Event::import("onsignalingstatechange", Some("9-1"), value, 1_700_000_000_000.5);
    /// assert_eq!(event.method(), Some(Method::OnSignalingStateChange));
    /// # Ok::<(), rtcstats_proto::JsonError>(())
    /// ```
    pub fn import(
        name: &'a str,
        connection: Option<&'a str>,
        payload: RawJson<'a>,
        timestamp: f64,
    ) -> Self {
        Self::import_named(Cow::Borrowed(name), connection, payload, timestamp)
    }

    /// As [`Event::import`], with a name that nobody else may hold.
    pub(crate) fn import_named(
        name: Cow<'a, str>,
        connection: Option<&'a str>,
        payload: RawJson<'a>,
        timestamp: f64,
    ) -> Self {
        Self {
            form: EventForm::Import,
            method: Method::from_name(&name),
            name,
            connection_key: Cow::Borrowed(connection.unwrap_or("null")),
            has_connection: connection.is_some(),
            payload,
            timestamp: Some(timestamp),
            ..Self::metadata("", RawJson::NULL)
        }
    }

    /// The head of a dump.
    pub(crate) fn metadata(line: &'a str, payload: RawJson<'a>) -> Self {
        Self {
            line,
            form: EventForm::Metadata,
            name: Cow::Borrowed(""),
            method: None,
            connection_key: Cow::Borrowed(UNDEFINED_KEY),
            has_connection: false,
            payload,
            extra: "",
            timestamp: None,
            sequence_number: None,
        }
    }

    /// Reads one line of rtcstats 5.0 (spec 2 and 8.3); `time` is that of the line before, in Unix
    /// epoch milliseconds.
    pub(crate) fn parse_delta(
        line: &'a str,
        time: f64,
        limits: &Limits,
        split: bool,
    ) -> Result<Self, EventError> {
        let mut reader = Reader::new(line, limits.depth);
        if reader.peek() != Some(b'[') {
            reader.value()?;
            reader.finish()?;
            return Err(EventError::Shape);
        }
        reader.expect(b'[')?;
        if reader.take(b']') {
            reader.finish()?;
            return Err(EventError::Shape);
        }
        let name = RawJson::trusted(reader.value()?).to_key();
        let method = Method::from_code(&name).or_else(|| Method::from_name(&name));
        let mut event = Self {
            form: EventForm::Delta,
            name: method.map_or(name, |method| Cow::Borrowed(method.as_str())),
            method,
            ..Self::metadata(line, RawJson::NULL)
        };
        if !reader.more(b']')? {
            reader.finish()?;
            return Err(EventError::Shape);
        }
        let connection = RawJson::trusted(reader.value()?);
        event.has_connection = !connection.is_null();
        event.connection_key = connection.to_key();
        if !reader.more(b']')? {
            reader.finish()?;
            return Err(EventError::Shape);
        }
        let is_report = method == Some(Method::GetStats);
        if is_report && split && event.split_delta_report(&mut reader, time) {
            return Ok(event);
        }
        event.payload = RawJson::trusted(reader.value()?);
        event.read_delta_tail(&mut reader, time)?;
        event.payload = unquoted_state(method, event.payload);
        Ok(event)
    }

    /// As [`Event::split_report`], for rtcstats 5.0.
    fn split_delta_report(&mut self, reader: &mut Reader<'a>, time: f64) -> bool {
        if reader.peek() != Some(b'{') {
            return false;
        }
        let start = reader.position();
        let Some(length) = memchr::memrchr(b'}', self.line.as_bytes()) else {
            return false;
        };
        let end = length + 1;
        let (Some(report), Some(tail)) = (self.line.get(start..end), self.line.get(end..)) else {
            return false;
        };
        self.payload = RawJson::trusted(report);
        self.read_delta_tail(&mut Reader::new(tail, 0), time)
            .is_ok()
    }

    /// What follows the payload: extra elements, the time delta, the end.
    fn read_delta_tail(&mut self, reader: &mut Reader<'a>, time: f64) -> Result<(), EventError> {
        let start = reader.position();
        let mut end = start;
        let mut last = None;
        while reader.more(b']')? {
            // Behind the comma, if one came before.
            end = if last.is_some() {
                reader.position()
            } else {
                end
            };
            last = Some(RawJson::trusted(reader.value()?));
        }
        reader.finish()?;
        let delta = last.ok_or(EventError::Shape)?;
        let delta = match delta.as_number() {
            // Beyond all numbers, no later event would have a time.
            Some(delta) if (time + delta).is_finite() => delta,
            Some(_) => 0.0,
            None if delta.is_null() => 0.0,
            None => return Err(EventError::Shape),
        };
        self.extra = reader.source().get(start..end).unwrap_or_default();
        self.timestamp = Some(time + delta);
        Ok(())
    }

    /// Reads the line again, its report included, whose end was guessed before: extra elements
    /// behind it may hold braces too.
    ///
    /// Needed only where the report turns out malformed.
    ///
    /// # Errors
    ///
    /// If the line is malformed.
    pub fn reread(&self, limits: &Limits) -> Result<Self, EventError> {
        match self.form {
            EventForm::Delta => {
                let mut event = Self::parse_delta(self.line, 0.0, limits, false)?;
                event.timestamp = self.timestamp;
                Ok(event)
            }
            _ => Ok(self.clone()),
        }
    }

    /// The whole line.
    pub fn line(&self) -> &'a str {
        self.line
    }

    /// How the line was written.
    pub fn form(&self) -> EventForm {
        self.form
    }

    /// The name as it was sent; the `type` of a request.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name as an entry of the table, if it is known.
    pub fn method(&self) -> Option<Method> {
        self.method
    }

    /// What the event is about.
    pub fn scope(&self) -> Scope<'_> {
        if self.has_connection {
            Scope::PeerConnection(&self.connection_key)
        } else {
            Scope::Client
        }
    }

    /// The second element as JavaScript turns it into a property key: `PC_0`, but also `null` where
    /// the event is about the client, and `undefined` where there is no second element.
    ///
    /// Existing readers file some events that should have a connection, and have none, under that
    /// key. Everyone else wants [`Event::scope`].
    pub fn connection_key(&self) -> &str {
        &self.connection_key
    }

    /// The value; `null` where there is none. The `data` of a request.
    pub fn payload(&self) -> RawJson<'a> {
        self.payload
    }

    /// The elements between the value and the time delta of an rtcstats 5.0 event: correlation
    /// ids, track ids, the reason of a report. None in other generations.
    ///
    /// ```
    /// use rtcstats_proto::EventReader;
    ///
    /// let mut reader = EventReader::default();
    /// let event = reader.read(r#"[6,"PC_0",null,"6-0",1700000000000]"#)?.ok_or("no event")?;
    /// assert!(event.extra().next().is_some_and(|id| id.is_text("6-0")));
    /// assert_eq!(event.extra().count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn extra(&self) -> impl Iterator<Item = RawJson<'a>> + use<'a> {
        let mut reader = Reader::new(self.extra, Limits::MAX_DEPTH);
        std::iter::from_fn(move || {
            // `more` takes the comma in front; the text was checked with the line.
            reader.peek()?;
            reader.take(b',');
            reader.value().ok().map(RawJson::trusted)
        })
    }

    /// When it happened: Unix epoch milliseconds by the clock of the client (of the server for a
    /// request), if the line says.
    pub fn timestamp(&self) -> Option<f64> {
        self.timestamp
    }

    /// The number by which the line is acknowledged, if it has one (see [`sequence_number_of`]).
    pub fn sequence_number(&self) -> Option<u64> {
        self.sequence_number
    }
}

/// The sequence number of an event line, read from its end: the last element, if it is an integer
/// of at most nine digits behind a number that is an epoch time in milliseconds. Lines of clients
/// that number nothing end in that time.
///
/// Costs a few bytes however long the line is, and does not check the rest of it.
///
/// ```
/// use rtcstats_proto::sequence_number_of;
/// assert_eq!(sequence_number_of(r#"["close","PC_0",{},1700000000123,17]"#), Some(17));
/// assert_eq!(sequence_number_of(r#"["close","PC_0",{},1700000000123]"#), None);
/// ```
pub fn sequence_number_of(line: &str) -> Option<u64> {
    let elements = line.trim_end().strip_suffix(']')?;
    let (rest, last) = elements.rsplit_once(',')?;
    let (_, previous) = rest.rsplit_once(',')?;
    let number = |text: &str| {
        let mut reader = Reader::new(text, 0);
        let Ok(Token::Number(number)) = reader.token() else {
            return None;
        };
        reader.finish().ok().map(|()| number)
    };
    sequence_number(number(previous), number(last))
}

/// Chrome's own event log writes the states of these events as JSON text in a JSON text
/// (rtcstats spec 8.3).
fn unquoted_state(method: Option<Method>, payload: RawJson<'_>) -> RawJson<'_> {
    const SIGNALING: &[&str] = &[
        "\"stable\"",
        "\"have-local-offer\"",
        "\"have-remote-offer\"",
        "\"have-local-pranswer\"",
        "\"have-remote-pranswer\"",
        "\"closed\"",
    ];
    const ICE_CONNECTION: &[&str] = &[
        "\"new\"",
        "\"checking\"",
        "\"connected\"",
        "\"completed\"",
        "\"failed\"",
        "\"disconnected\"",
        "\"closed\"",
    ];
    const CONNECTION: &[&str] = &[
        "\"new\"",
        "\"connecting\"",
        "\"connected\"",
        "\"disconnected\"",
        "\"failed\"",
        "\"closed\"",
    ];
    const ICE_GATHERING: &[&str] = &["\"new\"", "\"gathering\"", "\"complete\""];
    let states = match method {
        Some(Method::OnSignalingStateChange) => SIGNALING,
        Some(Method::OnIceConnectionStateChange) => ICE_CONNECTION,
        Some(Method::OnConnectionStateChange) => CONNECTION,
        Some(Method::OnIceGatheringStateChange) => ICE_GATHERING,
        _ => return payload,
    };
    let state = states.iter().find(|state| payload.is_text(state));
    state.map_or(payload, |state| RawJson::trusted(state))
}

fn sequence_number(previous: Option<f64>, last: Option<f64>) -> Option<u64> {
    const MAX: f64 = 1e9;
    const MIN_TIME: f64 = 1e11;
    let (previous, last) = (previous?, last?);
    let is_number = (0.0..MAX).contains(&last) && last.fract() == 0.0 && previous > MIN_TIME;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked above"
    )]
    is_number.then_some(last as u64)
}

impl EventError {
    /// Byte offset in the line, where there is one.
    pub fn offset(&self) -> Option<usize> {
        match self {
            Self::Json(error) => Some(error.offset),
            _ => None,
        }
    }

    /// Whether the line ended too early: cut off rather than wrong.
    pub fn is_truncation(&self) -> bool {
        matches!(
            self,
            Self::Json(JsonError {
                kind: JsonErrorKind::UnexpectedEnd,
                ..
            })
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_any_length_are_events() {
        let event = Event::parse(r#"["x"]"#).unwrap();
        assert_eq!((event.name(), event.timestamp()), ("x", None));
        let event = Event::parse(r#"["getUserMedia",null,{"audio":true}]"#).unwrap();
        assert_eq!(event.scope(), Scope::Client);
        assert!(event.payload().get("audio").is_some());
        let event = Event::parse(r#"["x","PC_0",1,2,1700000000000,9]"#).unwrap();
        assert_eq!(
            (event.timestamp(), event.sequence_number()),
            (Some(2.0), Some(9))
        );
    }

    #[test]
    fn an_event_without_connection_has_a_key_all_the_same() {
        for (line, key) in [
            (r#"["x","PC_0"]"#, "PC_0"),
            (r#"["x",null]"#, "null"),
            (r#"["x",""]"#, ""),
            (r#"["x",0]"#, "0"),
            (r#"["x"]"#, "undefined"),
        ] {
            let event = Event::parse(line).unwrap();
            assert_eq!(event.connection_key(), key);
            assert_eq!(event.scope() == Scope::Client, key != "PC_0");
        }
    }

    #[test]
    fn a_report_is_split_off_without_being_read() {
        let event = Event::parse(r#"["getstats","PC_0",{"a":{"b":}},1700000000000.5,4]"#).unwrap();
        assert_eq!(event.payload().as_str(), r#"{"a":{"b":}}"#);
        assert_eq!(event.timestamp(), Some(1_700_000_000_000.5));
        assert_eq!(event.sequence_number(), Some(4));
    }

    #[test]
    fn an_unusual_getstats_line_is_read_in_full() {
        let event = Event::parse(r#"["getstats","PC_0",{"a":{}},{"b":1}]"#).unwrap();
        assert_eq!(event.payload().as_str(), r#"{"a":{}}"#);
        assert!(
            Event::parse(r#"["getstats","PC_0",{"a":{}"#)
                .unwrap_err()
                .is_truncation()
        );
        let event = Event::parse(r#"["getstats","PC_0",null,1]"#).unwrap();
        assert!(event.payload().is_null());
    }

    #[test]
    fn requests_give_type_data_and_timestamp() {
        let line = r#"{"statsSessionId":"s","type":"identity","data":{"a":1},"timestamp":5}"#;
        let event = Event::parse(line).unwrap();
        assert_eq!(
            (event.form(), event.method()),
            (EventForm::Request, Some(Method::Identity))
        );
        assert_eq!(
            (event.payload().as_str(), event.timestamp()),
            (r#"{"a":1}"#, Some(5.0))
        );
    }

    #[test]
    fn other_shapes_are_errors() {
        for line in ["1", "null", "\"x\"", "[]"] {
            assert_eq!(Event::parse(line).unwrap_err(), EventError::Shape, "{line}");
        }
        let limits = Limits {
            line_bytes: 4,
            ..Limits::default()
        };
        let error = Event::parse_within(r#"["x"]"#, &limits).unwrap_err();
        assert_eq!(
            error,
            EventError::TooLong {
                length: 5,
                limit: 4
            }
        );
    }

    #[test]
    fn the_number_at_the_end_is_told_from_a_timestamp() {
        for (line, number) in [
            (
                r#"["a",null,{"b":[1700000000000,5]},1700000000000,12]"#,
                Some(12),
            ),
            (r#"["a",null,1700000000000,5]"#, Some(5)),
            (r#"["a",null,null,1700000000000]"#, None),
            (r#"["a",null,null,1700000000000,1700000000001]"#, None),
            (r#"["a",null,null,1700000000000,1.5]"#, None),
            (r#"["a",null,null,1700000000000,"5"]"#, None),
            (r#"["a",null,"x,1700000000000,5]"#, Some(5)),
            ("", None),
        ] {
            assert_eq!(sequence_number_of(line), number, "{line}");
        }
    }
}
