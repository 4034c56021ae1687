//! The heads of dumps.

use crate::jitsi::ConnectionInfo;
use crate::json::{write_number, write_text};
use crate::rtcstats::DUMP_HEADER;
use crate::{ClientType, Event, EventForm, Generation, Method, RawJson};

/// What the head of a dump says about its session: how a client connected.
///
/// ```
/// use rtcstats_proto::dump::{Converter, Head};
/// use rtcstats_proto::{Generation, Limits};
///
/// let head = Head { path: "/room".to_owned(), ..Head::default() };
/// let mut converter = Converter::new(Generation::Legacy, Limits::default()).with_head(head);
/// let mut dump = String::new();
/// converter.finish(&mut dump);
/// assert_eq!(dump, "{\"path\":\"/room\",\"url\":\"/room\",\"fileFormat\":2}\n");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Head {
    /// Path and query of the request; empty if unknown.
    pub path: String,
    /// `Origin` header, or empty.
    pub origin: String,
    /// `User-Agent` header, or empty.
    pub user_agent: String,
    /// Begin of the session by the clock of the server, in Unix epoch milliseconds.
    pub start_time: Option<f64>,
}

impl Head {
    /// That of the first event of a dump; empty if the event is no head.
    pub fn of(event: &Event<'_>) -> Self {
        match (event.form(), event.method()) {
            (EventForm::Metadata, _) => Self::of_metadata(event),
            (EventForm::Array, Some(Method::ConnectionInfo)) => Self::of_connection_info(event),
            _ => Self::default(),
        }
    }

    fn of_metadata(event: &Event<'_>) -> Self {
        let metadata = event.payload();
        let text = |name| {
            let text = metadata.get(name).and_then(RawJson::as_text);
            text.unwrap_or_default().into_owned()
        };
        let number = |name| metadata.get(name).and_then(RawJson::as_number);
        // The one has the path as `path`, the other one as `url`.
        let is_legacy = metadata.get("path").is_some() || metadata.get("time").is_some();
        let (path, start) = if is_legacy {
            ("path", "time")
        } else {
            ("url", "startTime")
        };
        Self {
            path: text(path),
            origin: text("origin"),
            user_agent: text("userAgent"),
            start_time: number(start),
        }
    }

    fn of_connection_info(event: &Event<'_>) -> Self {
        let info = ConnectionInfo::from_payload(event.payload()).unwrap_or_default();
        Self {
            path: info.path,
            origin: info.origin,
            user_agent: info.user_agent,
            start_time: event.timestamp(),
        }
    }

    /// Appends the head of a dump of `generation`: `same` as it is, if the input had it already.
    ///
    /// The subprotocol it names is that of the generation, since readers take it for what follows.
    pub(super) fn write(&self, generation: Generation, same: Option<&str>, out: &mut String) {
        if generation == Generation::Rtcstats {
            out.push_str(DUMP_HEADER);
            out.push('\n');
        }
        match (same, generation) {
            (Some(same), _) => out.push_str(same),
            (None, Generation::Rtcstats) => self.write_metadata(out),
            (None, Generation::Legacy) => self.write_legacy(out),
            (None, Generation::Jitsi) => self.write_connection_info(out),
        }
        out.push('\n');
    }

    fn write_metadata(&self, out: &mut String) {
        out.push('{');
        let members = [
            ("url", &self.path),
            ("origin", &self.origin),
            ("userAgent", &self.user_agent),
        ];
        write_texts(members, out);
        if let Some(time) = self.start_time {
            out.push_str("\"startTime\":");
            write_number(time, out);
            out.push(',');
        }
        out.push_str("\"clientProtocol\":\"rtcstats#5.0\",\"fileFormat\":3}");
    }

    fn write_legacy(&self, out: &mut String) {
        out.push('{');
        let members = [
            ("path", &self.path),
            ("origin", &self.origin),
            ("url", &self.url()),
            ("userAgent", &self.user_agent),
        ];
        write_texts(members, out);
        if let Some(time) = self.start_time {
            out.push_str("\"time\":");
            write_number(time, out);
            out.push(',');
        }
        out.push_str("\"fileFormat\":2}");
    }

    fn write_connection_info(&self, out: &mut String) {
        let info = ConnectionInfo {
            path: self.path.clone(),
            origin: self.origin.clone(),
            url: self.url(),
            user_agent: self.user_agent.clone(),
            client_protocol: "3.1_STANDARD".to_owned(),
            client_type_name: ClientType::Rtcstats.as_str().to_owned(),
            ..ConnectionInfo::default()
        };
        out.push_str(&info.to_line(self.start_time.unwrap_or(0.0)));
    }

    fn url(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }

    /// What the clients of the older generations called the browser; `None` if it is unknown.
    pub(super) fn browser_type(&self) -> Option<&'static str> {
        let is_firefox = self.user_agent.contains("Firefox/");
        (!self.user_agent.is_empty()).then_some(if is_firefox { "moz" } else { "webkit" })
    }
}

/// Appends the members that are not empty, each with a comma behind.
fn write_texts<const N: usize>(members: [(&str, &String); N], out: &mut String) {
    for (name, value) in members.into_iter().filter(|(_, value)| !value.is_empty()) {
        write_text(name, out);
        out.push(':');
        write_text(value, out);
        out.push(',');
    }
}
