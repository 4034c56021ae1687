//! What `chrome://webrtc-internals` downloads (rtcstats spec, section 9).

mod capture;
mod columns;
mod members;

use std::borrow::Cow;
use std::io::{self, Read};

use super::Head;
use super::format::BYTE_ORDER_MARK;
use crate::delta::date::milliseconds;
use crate::json::{Value, write_text};
use crate::{Event, JsonError, Limits, RawJson};

pub(crate) use columns::{Columns, read_columns};

use members::{fields, ordered_members};

/// The events in an export of Chrome's `webrtc-internals` page, in the order of their times.
///
/// The file is one JSON object of some megabytes, so unlike a dump it has to be in memory. Of it
/// only the places of the values are kept, four bytes each.
///
/// Exports differ by the age of the browser. Whatever a piece of one has in an unexpected shape is
/// [skipped](Internals::skipped) and the rest is read. Statistics need the time of each sample, which
/// exports have since Chrome 117; of a connection that lacks any of these times there are no reports.
///
/// ```
/// use rtcstats_proto::dump::Internals;
/// use rtcstats_proto::{Limits, Method};
///
/// let export = r#"{"UserAgent":"x","timestamp":1700000009000,"PeerConnections":{"9-1":{
///   "rtcConfiguration":"{}",
///   "updateLog":[{"type":"onsignalingstatechange","value":"\"stable\"","timestamp":1700000000000.5}],
///   "stats":{"T01-bytesSent":{"statsType":"transport","values":"[5,7]"},
///            "T01-timestamp":{"statsType":"transport","values":"[1700000001000,1700000002000]"}}}}}"#;
/// let mut internals = Internals::parse(export, &Limits::default())?;
/// let mut events = Vec::new();
/// while let Some(event) = internals.next_event() {
///     events.extend(event.method());
/// }
/// use Method::{Create, GetStats, OnSignalingStateChange};
/// assert_eq!(events, [Create, OnSignalingStateChange, GetStats, GetStats, Create]);
/// assert_eq!(internals.skipped(), 0);
/// # Ok::<(), rtcstats_proto::dump::InternalsError>(())
/// ```
#[derive(Debug)]
pub struct Internals<'a> {
    limits: Limits,
    page: [Option<RawJson<'a>>; PAGE_MEMBERS.len()],
    connections: Vec<Connection<'a>>,
    entries: Vec<Entry<'a>>,
    next: usize,
    skipped: u64,
    payload: String,
}

/// An export that cannot be read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InternalsError {
    /// Malformed JSON.
    #[error("malformed webrtc-internals export: {0}")]
    Json(#[from] JsonError),
    /// JSON, but not an object.
    #[error("a webrtc-internals export is an object")]
    Shape,
    /// The file is larger than [`Limits::import_bytes`].
    #[error("export of {length} bytes is over the limit of {limit}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
}

/// What the value of the page's `create` is made of, and what it is called there.
const PAGE_MEMBERS: [(&str, &str); 5] = [
    ("cpuPerformance", "cpuPerformance"),
    ("deviceMemory", "deviceMemory"),
    ("hardwareConcurrency", "hardwareConcurrency"),
    ("UserAgent", "userAgent"),
    ("UserAgentData", "userAgentData"),
];

#[derive(Debug)]
struct Connection<'a> {
    key: Cow<'a, str>,
    configuration: RawJson<'a>,
    url: RawJson<'a>,
    columns: Vec<Columns<'a>>,
    rows: Vec<Row>,
}

/// One report of one stats object.
#[derive(Debug, Clone, Copy)]
struct Row {
    time: f64,
    /// Which of the connection's columns.
    stats: u32,
    row: u32,
}

/// An event to be.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    time: f64,
    /// `None` for the page.
    connection: Option<u32>,
    kind: EntryKind<'a>,
}

#[derive(Debug, Clone, Copy)]
enum EntryKind<'a> {
    PageCreate,
    Capture(RawJson<'a>),
    Create,
    Update(RawJson<'a>),
    /// These rows of the connection.
    Stats {
        start: u32,
        end: u32,
    },
}

impl<'a> Internals<'a> {
    /// Reads the text of an export into memory, up to [`Limits::import_bytes`] of it. Invalid UTF-8
    /// becomes U+FFFD.
    ///
    /// # Errors
    ///
    /// Those of the input, and one of kind [`InvalidData`](io::ErrorKind::InvalidData) that holds
    /// [`InternalsError::TooLong`].
    pub fn read_text(input: impl Read, limits: &Limits) -> io::Result<String> {
        let limit = limits.import_bytes;
        let mut bytes = Vec::new();
        let wanted = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let length = input.take(wanted).read_to_end(&mut bytes)?;
        if length > limit {
            let error = InternalsError::TooLong { length, limit };
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// Reads the text of an export.
    ///
    /// # Errors
    ///
    /// If it is not a JSON object, or over a limit.
    pub fn parse(text: &'a str, limits: &Limits) -> Result<Self, InternalsError> {
        // Places are kept in 32 bits.
        let limit = limits.import_bytes.min(u32::MAX as usize);
        if text.len() > limit {
            let length = text.len();
            return Err(InternalsError::TooLong { length, limit });
        }
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let export = RawJson::parse_within(text, limits)?;
        if !export.as_str().starts_with('{') {
            return Err(InternalsError::Shape);
        }
        let page = fields(export, PAGE_MEMBERS.map(|(member, _)| member));
        let names = ["timestamp", "getUserMedia", "PeerConnections"];
        let [timestamp, captures, connections] = fields(export, names);
        let mut internals = Self {
            limits: *limits,
            page,
            connections: Vec::new(),
            entries: Vec::new(),
            next: 0,
            skipped: 0,
            payload: String::new(),
        };
        let start = number(timestamp).unwrap_or(0.0);
        internals.add_page(start, captures.unwrap_or(RawJson::NULL));
        for (key, connection) in ordered_members(connections.unwrap_or(RawJson::NULL)) {
            internals.add_connection(start, key, connection);
        }
        // Stable: what happened at the same time stays as it was.
        internals
            .entries
            .sort_by(|left, right| left.time.total_cmp(&right.time));
        Ok(internals)
    }

    fn add_page(&mut self, start: f64, captures: RawJson<'a>) {
        self.add(start, None, EntryKind::PageCreate);
        for capture in captures.elements() {
            let [timestamp] = fields(capture, ["timestamp"]);
            let time = number(timestamp).unwrap_or(start);
            self.add(time, None, EntryKind::Capture(capture));
        }
    }

    fn add_connection(&mut self, start: f64, key: Cow<'a, str>, connection: RawJson<'a>) {
        if key.len() > self.limits.name_bytes {
            self.skipped += 1;
            return;
        }
        let names = ["rtcConfiguration", "url", "updateLog", "stats"];
        let [configuration, url, log, stats] = fields(connection, names);
        // Bounded by the length of the text.
        let number = u32::try_from(self.connections.len()).ok();
        let log = log.unwrap_or(RawJson::NULL);
        let first = log.elements().next().and_then(|entry| {
            let [timestamp] = fields(entry, ["timestamp"]);
            self::number(timestamp).filter(|time| *time != 0.0)
        });
        self.add(first.unwrap_or(start), number, EntryKind::Create);
        for entry in log.elements() {
            let [timestamp, time] = fields(entry, ["timestamp", "time"]);
            let time = self::number(timestamp)
                .filter(|time| *time != 0.0)
                .or_else(|| date(time?));
            self.add(time.unwrap_or(0.0), number, EntryKind::Update(entry));
        }
        let stats = stats.unwrap_or(RawJson::NULL);
        let columns = read_columns(stats, &self.limits, &mut self.skipped).unwrap_or_default();
        let rows = rows(&columns);
        let mut start = 0;
        for report in rows.chunk_by(|left, right| left.time == right.time) {
            let end = start + report.len();
            if let (Some(row), Ok(start), Ok(end)) =
                (report.first(), u32::try_from(start), u32::try_from(end))
            {
                self.add(row.time, number, EntryKind::Stats { start, end });
            }
            start = end;
        }
        self.connections.push(Connection {
            key,
            configuration: configuration.unwrap_or(RawJson::NULL),
            url: url.unwrap_or(RawJson::NULL),
            columns,
            rows,
        });
    }

    fn add(&mut self, time: f64, connection: Option<u32>, kind: EntryKind<'a>) {
        self.entries.push(Entry {
            time,
            connection,
            kind,
        });
    }

    /// The next event; `None` at the end. Its form is [`EventForm::Import`](crate::EventForm::Import),
    /// so its report, if it is one, is complete.
    pub fn next_event(&mut self) -> Option<Event<'_>> {
        loop {
            let entry = *self.entries.get(self.next)?;
            self.next += 1;
            self.payload.clear();
            if let Some(name) = self.write_payload(&entry) {
                let key = self.connection(&entry).map(|connection| &*connection.key);
                let payload = RawJson::trusted(&self.payload);
                return Some(Event::import_named(name, key, payload, entry.time));
            }
            self.skipped += 1;
        }
    }

    fn connection(&self, entry: &Entry<'a>) -> Option<&Connection<'a>> {
        self.connections.get(entry.connection? as usize)
    }

    /// Writes the payload of an event and returns its name; `None` if the entry is none.
    fn write_payload(&mut self, entry: &Entry<'a>) -> Option<Cow<'a, str>> {
        let mut out = std::mem::take(&mut self.payload);
        let name = match entry.kind {
            EntryKind::PageCreate => {
                self.write_page(&mut out);
                Some(Cow::Borrowed("create"))
            }
            EntryKind::Capture(capture) => capture::write(capture, &self.limits, &mut out),
            EntryKind::Create => {
                let connection = self.connection(entry);
                let configuration = connection.map_or(RawJson::NULL, |own| own.configuration);
                write_line(configuration, &mut out);
                Some(Cow::Borrowed("create"))
            }
            EntryKind::Update(update) => write_update(update, &self.limits, &mut out),
            EntryKind::Stats { start, end } => {
                let connection = self.connection(entry)?;
                let rows = connection.rows.get(start as usize..end as usize)?;
                write_report(&connection.columns, rows, &mut out);
                Some(Cow::Borrowed("getStats"))
            }
        };
        self.payload = out;
        name
    }

    fn write_page(&self, out: &mut String) {
        out.push('{');
        let members = PAGE_MEMBERS.iter().zip(self.page);
        let present = members.filter_map(|((_, name), value)| Some((name, value?)));
        for (index, (name, value)) in present.enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_text(name, out);
            out.push(':');
            write_line(value, out);
        }
        out.push('}');
    }

    /// How many pieces of the export were passed over so far: entries that are no events, values
    /// without a time, series that are none, connections and series with a name over
    /// [`Limits::name_bytes`].
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// What a dump of the export would say at its head: the browser, the page that opened the first
    /// peer connection, the time of the first event.
    pub fn head(&self) -> Head {
        let members = PAGE_MEMBERS.iter().zip(self.page);
        let mut agents = members.filter(|((name, _), _)| *name == "UserAgent");
        let agent = agents.next().and_then(|(_, agent)| agent?.as_text());
        let url = self.connections.first().and_then(|own| own.url.as_text());
        let url = url.unwrap_or_default();
        let authority = url.find("://").map_or(0, |scheme| scheme + 3);
        let path = url.get(authority..).and_then(|rest| rest.find('/'));
        let (origin, path) = url.split_at(path.map_or(url.len(), |path| authority + path));
        Head {
            path: path.to_owned(),
            origin: origin.to_owned(),
            user_agent: agent.unwrap_or_default().into_owned(),
            start_time: self.entries.first().map(|entry| entry.time),
        }
    }
}

/// The rows of all stats objects, those of one time side by side.
fn rows(columns: &[Columns<'_>]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (stats, columns) in columns.iter().enumerate() {
        for (row, time) in columns.times().enumerate() {
            let place = (u32::try_from(stats), u32::try_from(row));
            if let (true, (Ok(stats), Ok(row))) = (columns.has_report(row), place)
                && time.is_finite()
            {
                rows.push(Row { time, stats, row });
            }
        }
    }
    // The later of two rows of one time goes first, and the other one away: it says the same or less.
    rows.sort_by(|left, right| {
        let by_time = left.time.total_cmp(&right.time);
        by_time
            .then(left.stats.cmp(&right.stats))
            .then(right.row.cmp(&left.row))
    });
    rows.dedup_by(|later, first| later.time == first.time && later.stats == first.stats);
    rows
}

fn write_report(columns: &[Columns<'_>], rows: &[Row], out: &mut String) {
    out.push('{');
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if let Some(columns) = columns.get(row.stats as usize) {
            columns.write_report(row.row as usize, out);
        }
    }
    out.push('}');
}

/// The value of an entry of the log is the text of a value, as a rule JSON; empty where there is none.
fn write_update<'a>(
    update: RawJson<'a>,
    limits: &Limits,
    out: &mut String,
) -> Option<Cow<'a, str>> {
    let [name, value] = fields(update, ["type", "value"]);
    let name = name?.as_text()?;
    let value = value.unwrap_or(RawJson::NULL);
    match value.as_text() {
        Some(text) => match RawJson::parse_within(&text, limits) {
            Ok(inner) => write_line(inner, out),
            Err(_) => write_line(value, out),
        },
        None => write_line(value, out),
    }
    Some(name)
}

/// Appends a value that fits in a line: an indented export has line ends between its members.
fn write_line(value: RawJson<'_>, out: &mut String) {
    let text = value.as_str();
    if text.contains(['\n', '\r']) {
        // Inside of texts they would be escaped.
        out.extend(
            text.chars()
                .filter(|character| !matches!(character, '\n' | '\r')),
        );
    } else {
        out.push_str(text);
    }
}

fn number(value: Option<RawJson<'_>>) -> Option<f64> {
    value?.as_number().filter(|number| number.is_finite())
}

fn date(value: RawJson<'_>) -> Option<f64> {
    let date = milliseconds(Some(Value::Text(&value.as_text()?)));
    date.is_finite().then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> (Vec<String>, u64) {
        let mut internals = Internals::parse(text, &Limits::default()).unwrap();
        let mut events = Vec::new();
        while let Some(event) = internals.next_event() {
            RawJson::parse(event.payload().as_str()).unwrap();
            events.push(format!(
                "{} {} {} {}",
                event.connection_key(),
                event.name(),
                event.payload().as_str(),
                event.timestamp().unwrap()
            ));
        }
        (events, internals.skipped())
    }

    #[test]
    fn pieces_of_unexpected_shape_are_counted_and_the_rest_is_read() {
        let export = r#"{"timestamp":"no","getUserMedia":[5,{"request_type":7,"error":""},
            {"request_type":"getUserMedia","timestamp":3,"audio_track_info":"{bad","video_track_info":"{\"id\":\"v\"}"}],
            "PeerConnections":{"1-1":7,"2-2":{"updateLog":[null,{"value":"1"},{"type":"a","value":[1],"timestamp":2},{"type":5}],
            "stats":{"A-timestamp":{"values":"[5,null,7]"},"A-x":{"values":"[1,2,3,4]"},"A-y":{"values":"no"},"A-z":{"values":[8]},"A-w":5}}}}"#;
        let (events, skipped) = events(export);
        assert_eq!(
            events,
            [
                "null create {} 0",
                "1-1 create null 0",
                "2-2 create null 0",
                "2-2 a [1] 2",
                r#"null navigator.mediaDevices.getUserMediaOnSuccess [["video","v",null,null]] 3"#,
                r#"2-2 getStats {"A":{"id":"A","timestamp":5,"x":2}} 5"#,
                r#"2-2 getStats {"A":{"id":"A","timestamp":7,"x":4,"z":8}} 7"#,
            ]
        );
        assert!(skipped >= 7, "{skipped}");
    }

    #[test]
    fn an_indented_export_yields_events_of_one_line() {
        let export = "{\"UserAgentData\": {\n  \"mobile\": false\r\n }, \"PeerConnections\": {\"1\": {\"updateLog\": [\n{\"type\": \"a\", \"value\": \"{\\n}\"}]}}}";
        let (events, _) = events(export);
        assert_eq!(
            events,
            [
                r#"null create {"userAgentData":{  "mobile": false }} 0"#,
                "1 create null 0",
                "1 a {} 0"
            ]
        );
    }

    #[test]
    fn samples_of_one_time_are_one_report_and_the_last_counts() {
        let export = r#"{"PeerConnections":{"1":{"stats":{
            "R-timestamp":{"statsType":"r","values":"[5,5,9,5]"},"R-x":{"statsType":"r","values":"[1,2,3,4]"},
            "S-timestamp":{"statsType":"s","values":"[9]"},"S-only":{"statsType":"s","values":"[\"\\u00e9\"]"},
            "T-timestamp":{"statsType":"t","values":"[4]"}}}}}"#;
        let (events, skipped) = events(export);
        assert_eq!(
            events[2..],
            [
                r#"1 getStats {"R":{"id":"R","timestamp":5,"type":"r","x":4}} 5"#,
                r#"1 getStats {"R":{"id":"R","timestamp":9,"type":"r","x":3},"S":{"id":"S","timestamp":9,"type":"s","only":"\u00e9"}} 9"#,
            ]
        );
        assert_eq!(skipped, 0);
    }

    #[test]
    fn names_over_the_limit_are_passed_over() {
        let long = "x".repeat(2_000);
        let export = format!(
            r#"{{"PeerConnections":{{"{long}":{{}},"1-1":{{"stats":{{
            "{long}-a":{{"values":"[1,2]"}},"{long}-timestamp":{{"values":"[1,2]"}},
            "A-a":{{"statsType":"{long}","values":"[1,2]"}},"A-timestamp":{{"values":"[1,2]"}}}}}}}}}}"#
        );
        let mut internals = Internals::parse(&export, &Limits::default()).unwrap();
        let mut reports = 0;
        while let Some(event) = internals.next_event() {
            assert!(event.payload().as_str().len() < 100);
            assert!(event.connection_key().len() < 10);
            reports += usize::from(event.method() == Some(crate::Method::GetStats));
        }
        assert_eq!((reports, internals.skipped()), (2, 3));
    }

    #[test]
    fn what_is_no_export_is_refused() {
        let parse = |text| Internals::parse(text, &Limits::default()).unwrap_err();
        assert!(Internals::parse("\u{FEFF}{}", &Limits::default()).is_ok());
        assert_eq!(parse("[]"), InternalsError::Shape);
        assert!(matches!(
            parse("{\"PeerConnections\":{"),
            InternalsError::Json(_)
        ));
        let limits = Limits {
            import_bytes: 4,
            ..Limits::default()
        };
        let too_long = InternalsError::TooLong {
            length: 5,
            limit: 4,
        };
        assert_eq!(
            Internals::parse("{    }", &limits).unwrap_err(),
            InternalsError::TooLong {
                length: 6,
                limit: 4
            }
        );
        let error = Internals::read_text(&b"{     }"[..], &limits).unwrap_err();
        assert_eq!(error.to_string(), too_long.to_string());
    }
}
