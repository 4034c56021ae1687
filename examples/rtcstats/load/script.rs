//! What a client sent, by its dump.

use std::borrow::Cow;
use std::error::Error;
use std::io::Cursor;
use std::path::Path;

use indicatif::ProgressBar;
use rtcstats_proto::dump::{Converter, Internals, LineReader};
use rtcstats_proto::jitsi::ConnectionInfo;
use rtcstats_proto::json::write_text;
use rtcstats_proto::{
    Event, EventForm, EventReader, Generation, Limits, RawJson, Scope, sequence_number_of,
};

use crate::input::{self, Bytes, Input};

/// How a client connects, and what it sends.
pub(super) struct Script {
    pub(super) protocol: Protocol,
    /// What it says in the upgrade; empty for nothing.
    pub(super) subprotocol: String,
    pub(super) origin: String,
    pub(super) user_agent: String,
    /// Of the URL, without the query; begins with a slash.
    pub(super) path: String,
    lines: LineReader<Bytes>,
    reader: EventReader,
    /// The first event of a dump without head.
    first: Option<Entry>,
    /// Entries with numbers so far.
    numbered: u64,
}

/// How messages are made of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Of Jitsi's client: envelopes, numbers, acknowledgements.
    Jitsi,
    /// Of Jitsi's back ends: envelopes.
    BackEnd,
    /// Lines as they are; a session is a socket.
    Plain,
}

/// A message.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) text: String,
    /// When it was traced, in Unix epoch milliseconds.
    pub(super) time_ms: Option<f64>,
    /// By which it is acknowledged.
    pub(super) number: Option<u64>,
}

/// What the next line of a dump is.
pub(super) enum Next {
    Entry(Entry),
    /// It is no event.
    PassedOver,
    End,
}

impl Script {
    /// Opens a dump and reads how its client connected.
    pub(super) fn open(path: &Path) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let lines = match input::open(path, &ProgressBar::hidden())? {
            Input::Lines(lines) => lines,
            Input::Export(text) => {
                LineReader::new(Box::new(Cursor::new(converted(&text)?)) as Bytes)
            }
        };
        let mut script = Self {
            protocol: Protocol::Plain,
            subprotocol: String::new(),
            origin: String::new(),
            user_agent: String::new(),
            path: "/load".to_owned(),
            lines,
            reader: EventReader::default(),
            first: None,
            numbered: 0,
        };
        script.read_head()?;
        Ok(script)
    }

    fn read_head(&mut self) -> Result<(), Box<dyn Error + Send + Sync>> {
        /// Lines among which there must be an event.
        const MOST_LINES: usize = 100;
        let mut head = Head::default();
        for _ in 0..MOST_LINES {
            let Some(line) = self.lines.next_line()? else {
                break;
            };
            let Ok(Some(event)) = line.read(&mut self.reader) else {
                continue;
            };
            if event.form() == EventForm::Metadata {
                head = Head::of_metadata(event.payload());
                continue;
            }
            if event.name() == "connectionInfo" {
                head = Head::of_connection(ConnectionInfo::from_payload(event.payload())?);
                continue;
            }
            let generation = self.reader.generation().unwrap_or(Generation::Jitsi);
            let protocol = match (generation, event.form()) {
                (Generation::Jitsi, EventForm::Request) => Protocol::BackEnd,
                (Generation::Jitsi, _) => Protocol::Jitsi,
                (Generation::Rtcstats | Generation::Legacy, _) => Protocol::Plain,
            };
            self.protocol = protocol;
            self.subprotocol = match (generation, protocol) {
                (_, Protocol::BackEnd) => head.subprotocol,
                (Generation::Jitsi, _) => "3.1_STANDARD".to_owned(),
                (Generation::Rtcstats, _) => "rtcstats#5.0".to_owned(),
                (Generation::Legacy, _) => "2.0".to_owned(),
            };
            self.origin = head.origin;
            self.user_agent = head.user_agent;
            if head.path.starts_with('/') {
                self.path = head.path;
            }
            self.first = entry(protocol, &event, &mut self.numbered);
            return Ok(());
        }
        Err("not a dump: none of its lines is an event".into())
    }

    /// What comes next.
    pub(super) fn next(&mut self) -> std::io::Result<Next> {
        if let Some(first) = self.first.take() {
            return Ok(Next::Entry(first));
        }
        while let Some(line) = self.lines.next_line()? {
            match line.read(&mut self.reader) {
                Ok(Some(event)) => {
                    if let Some(entry) = entry(self.protocol, &event, &mut self.numbered) {
                        return Ok(Next::Entry(entry));
                    }
                }
                Ok(None) => {}
                // What a crash of the server left is nothing that a client sent.
                Err(error) if error.is_torn() => {}
                Err(_) => return Ok(Next::PassedOver),
            }
        }
        Ok(Next::End)
    }
}

impl Entry {
    /// The message as the client of this session sends it.
    pub(super) fn message(&self, protocol: Protocol, session: &str) -> String {
        match protocol {
            Protocol::Plain => self.text.clone(),
            Protocol::BackEnd => {
                let rest = self.text.strip_prefix('{').unwrap_or_default();
                format!(r#"{{"statsSessionId":"{session}",{rest}"#)
            }
            Protocol::Jitsi => {
                let mut message = format!(r#"{{"statsSessionId":"{session}","type":"#);
                if self.text.starts_with(r#"["identity","#) {
                    message.push_str(r#""identity","data":"#);
                    message.push_str(&self.text);
                } else {
                    message.push_str(r#""stats-entry","data":"#);
                    write_text(&self.text, &mut message);
                }
                message.push('}');
                message
            }
        }
    }
}

/// What the client sent of an event; `None` if the server wrote it.
fn entry(protocol: Protocol, event: &Event<'_>, numbered: &mut u64) -> Option<Entry> {
    let is_of_server =
        event.scope() == Scope::Client && matches!(event.name(), "close" | "publicIP");
    let (text, number) = match protocol {
        Protocol::Plain if is_of_server || event.form() == EventForm::Metadata => return None,
        Protocol::Plain => (event.line().to_owned(), None),
        Protocol::BackEnd => (request(event)?, None),
        Protocol::Jitsi if event.form() != EventForm::Array => return None,
        Protocol::Jitsi => with_number(event, numbered),
    };
    Some(Entry {
        text,
        time_ms: event.timestamp(),
        number,
    })
}

/// The line with the next number, in the place of its own if it has one. Without a time there is none.
fn with_number(event: &Event<'_>, numbered: &mut u64) -> (String, Option<u64>) {
    let line = event.line().trim_end();
    let elements = line.strip_suffix(']').unwrap_or(line);
    let elements = match event.sequence_number() {
        Some(_) => elements.rsplit_once(',').map_or(elements, |(rest, _)| rest),
        None => elements,
    };
    let number = *numbered + 1;
    let line = format!("{elements},{number}]");
    if sequence_number_of(&line) != Some(number) {
        return (event.line().to_owned(), None);
    }
    *numbered = number;
    (line, Some(number))
}

/// The members of a request without the id of the session and the time of the server.
fn request(event: &Event<'_>) -> Option<String> {
    let members: std::collections::BTreeMap<String, &serde_json::value::RawValue> =
        serde_json::from_str(event.line()).ok()?;
    let members = members
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "statsSessionId" | "timestamp"))
        .map(|(name, value)| {
            let mut member = String::new();
            write_text(name, &mut member);
            format!("{member}:{value}")
        });
    let members: Vec<String> = members.collect();
    Some(format!("{{{}}}", members.join(",")))
}

/// How the client of a dump connected.
#[derive(Debug, Default)]
struct Head {
    subprotocol: String,
    origin: String,
    user_agent: String,
    path: String,
}

impl Head {
    fn of_connection(info: ConnectionInfo) -> Self {
        Self {
            subprotocol: info.client_protocol,
            origin: info.origin,
            user_agent: info.user_agent,
            path: without_query(&info.path),
        }
    }

    fn of_metadata(metadata: RawJson<'_>) -> Self {
        let text = |name: &str| {
            let value = metadata.get(name).and_then(RawJson::as_text);
            value.map(Cow::into_owned)
        };
        let path = text("path").or_else(|| text("url")).unwrap_or_default();
        Self {
            subprotocol: String::new(),
            origin: text("origin").unwrap_or_default(),
            user_agent: text("userAgent").unwrap_or_default(),
            path: without_query(&path),
        }
    }
}

fn without_query(target: &str) -> String {
    target
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// An export as a dump.
fn converted(text: &str) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let limits = Limits::default();
    let mut export = Internals::parse(text, &limits)?;
    let mut converter = Converter::new(Generation::Rtcstats, limits).with_head(export.head());
    let mut lines = String::new();
    while let Some(event) = export.next_event() {
        converter.push(event, &mut lines)?;
    }
    converter.finish(&mut lines);
    Ok(lines.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_from_one_on_whatever_their_numbers_were() {
        let mut numbered = 0;
        let mut line = |text: &str| {
            let event = Event::parse(text).unwrap();
            with_number(&event, &mut numbered)
        };
        assert_eq!(
            line(r#"["a",null,{},1700000000000,57]"#),
            (r#"["a",null,{},1700000000000,1]"#.to_owned(), Some(1))
        );
        assert_eq!(
            line(r#"["a",null,{},1700000000000]"#),
            (r#"["a",null,{},1700000000000,2]"#.to_owned(), Some(2))
        );
        assert_eq!(line(r#"["a",null]"#), (r#"["a",null]"#.to_owned(), None));
    }

    #[test]
    fn requests_of_back_ends_get_the_id_of_the_session() {
        let line =
            r#"{"statsSessionId":"old","type":"stats-entry","data":"{}","more":[1],"timestamp":5}"#;
        let event = Event::parse(line).unwrap();
        let entry = entry(Protocol::BackEnd, &event, &mut 0).unwrap();
        let message = entry.message(Protocol::BackEnd, "new");
        let message: serde_json::Value = serde_json::from_str(&message).unwrap();
        let expected = serde_json::json!({
            "statsSessionId": "new", "type": "stats-entry", "data": "{}", "more": [1],
        });
        assert_eq!(message, expected);
    }
}
