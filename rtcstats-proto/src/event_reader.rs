//! From lines of any generation to events.

use crate::json::Reader;
use crate::rtcstats::DUMP_HEADER;
use crate::{Event, EventError, EventForm, Generation, Limits, RawJson};

/// Reads the lines of one dump or session, whatever client wrote them.
///
/// The first lines tell the [`Generation`]: a dump of rtcstats 5.0 begins with `RTCStatsDump` and an
/// object with meta data, a legacy one with such an object, a Jitsi dump with a `connectionInfo`
/// line. Without any of them the shape of the first event decides; see [`EventReader::generation`].
///
/// It holds the time of the last event, since those of rtcstats 5.0 carry the difference only.
///
/// ```
/// use rtcstats_proto::{EventReader, Generation, Method};
///
/// let mut reader = EventReader::default();
/// let lines = ["RTCStatsDump", r#"{"fileFormat":3}"#, r#"[39,null,{},1700000000000]"#, r#"[39,"PC_0",{},5]"#];
/// let mut times = Vec::new();
/// for line in lines {
///     if let Some(event) = reader.read(line)? {
///         times.extend(event.timestamp());
///     }
/// }
/// assert_eq!(reader.generation(), Some(Generation::Rtcstats));
/// assert_eq!(times, [1_700_000_000_000.0, 1_700_000_000_005.0]);
/// # Ok::<(), rtcstats_proto::EventError>(())
/// ```
#[derive(Debug, Clone)]
pub struct EventReader {
    limits: Limits,
    generation: Option<Generation>,
    /// An object with meta data is expected.
    at_metadata: bool,
    time: f64,
}

impl Default for EventReader {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl EventReader {
    /// A reader of lines within the length and depth of `limits`.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            generation: None,
            at_metadata: false,
            time: 0.0,
        }
    }

    /// As [`EventReader::new`], for lines without a head, of a generation that is known.
    pub fn of_generation(generation: Generation, limits: Limits) -> Self {
        Self {
            generation: Some(generation),
            ..Self::new(limits)
        }
    }

    /// The generation, once a line told it. A line that is no event tells nothing.
    ///
    /// Of a dump without head, the first event tells it: a number or `g` in the place of the name
    /// stands for rtcstats 5.0, an epoch time as fourth and last element for legacy, all else for
    /// Jitsi.
    pub fn generation(&self) -> Option<Generation> {
        self.generation
    }

    /// Reads one line, without its terminator; `None` if it belongs to the format and is no event:
    /// the header of an rtcstats 5.0 dump, or an empty line in one.
    ///
    /// # Errors
    ///
    /// If the line is not JSON, is no event, or is over a limit. Of an rtcstats 5.0 event its time
    /// delta is then lost, if it has one: later times are too early by it.
    pub fn read<'a>(&mut self, line: &'a str) -> Result<Option<Event<'a>>, EventError> {
        if line.len() > self.limits.line_bytes {
            return Err(EventError::TooLong {
                length: line.len(),
                limit: self.limits.line_bytes,
            });
        }
        match self.generation {
            None => self.read_first(line),
            Some(Generation::Rtcstats) => self.read_delta(line),
            Some(_) => Event::parse_within(line, &self.limits).map(Some),
        }
    }

    fn read_first<'a>(&mut self, line: &'a str) -> Result<Option<Event<'a>>, EventError> {
        if line.trim_end_matches('\r') == DUMP_HEADER {
            self.generation = Some(Generation::Rtcstats);
            self.at_metadata = true;
            return Ok(None);
        }
        let raw = RawJson::parse_within(line, &self.limits)?;
        if raw.get("fileFormat").is_some() {
            // Without the header above only the predecessor of the 5.0 server wrote it.
            self.generation = Some(Generation::Legacy);
            return Ok(Some(Event::metadata(line, raw)));
        }
        let mut elements = raw.elements();
        let is_code = elements
            .next()
            .is_some_and(|name| name.as_number().is_some() || name.is_text("g"));
        if is_code {
            self.generation = Some(Generation::Rtcstats);
            return self.read_delta(line);
        }
        let event = Event::parse_within(line, &self.limits)?;
        let is_legacy = raw.elements().count() == 4
            && event.timestamp().is_some_and(|time| time > MIN_EPOCH_TIME)
            && event.name() != "connectionInfo"
            && event.form() == EventForm::Array;
        self.generation = Some(if is_legacy {
            Generation::Legacy
        } else {
            Generation::Jitsi
        });
        Ok(Some(event))
    }

    fn read_delta<'a>(&mut self, line: &'a str) -> Result<Option<Event<'a>>, EventError> {
        if std::mem::take(&mut self.at_metadata)
            && Reader::new(line, self.limits.depth).peek() == Some(b'{')
        {
            let metadata = RawJson::parse_within(line, &self.limits)?;
            return Ok(Some(Event::metadata(line, metadata)));
        }
        if line.is_empty() || line == DUMP_HEADER {
            return Ok(None);
        }
        let event = Event::parse_delta(line, self.time, &self.limits, true)?;
        self.time = event.timestamp().unwrap_or(self.time);
        Ok(Some(event))
    }
}

/// Unix epoch milliseconds are above, other numbers below.
const MIN_EPOCH_TIME: f64 = 1e11;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Method, Scope};

    fn generation_of(line: &str) -> Option<Generation> {
        let mut reader = EventReader::default();
        reader.read(line).unwrap();
        reader.generation()
    }

    #[test]
    fn the_first_line_tells_the_generation() {
        for (line, generation) in [
            ("RTCStatsDump", Generation::Rtcstats),
            ("RTCStatsDump\r", Generation::Rtcstats),
            (r#"["g","PC_0",{},1]"#, Generation::Rtcstats),
            (r#"[39,null,{},1700000000000]"#, Generation::Rtcstats),
            (r#"{"path":"/","fileFormat":2}"#, Generation::Legacy),
            (r#"["create","PC_0",{},1700000000000]"#, Generation::Legacy),
            (r#"["create","PC_0",{},1700000000000,1]"#, Generation::Jitsi),
            (
                r#"["connectionInfo",null,{},1700000000000]"#,
                Generation::Jitsi,
            ),
            (r#"{"type":"identity","data":{}}"#, Generation::Jitsi),
        ] {
            assert_eq!(generation_of(line), Some(generation), "{line}");
        }
    }

    #[test]
    fn a_line_that_is_no_event_tells_nothing() {
        let mut reader = EventReader::default();
        for line in ["", "no json", "5", "[]", "null"] {
            reader.read(line).unwrap_err();
            assert_eq!(reader.generation(), None, "{line}");
        }
    }

    #[test]
    fn deltas_add_up() {
        let mut reader = EventReader::of_generation(Generation::Rtcstats, Limits::default());
        let mut time = |line| reader.read(line).map(|event| event.unwrap().timestamp());
        assert_eq!(time(r#"[39,null,{},1000.5]"#), Ok(Some(1000.5)));
        assert_eq!(
            time(r#"["g","PC_0",{"t":1},"connected-0",-1]"#),
            Ok(Some(999.5))
        );
        assert_eq!(time(r#"[36,"PC_0",null,null]"#), Ok(Some(999.5)));
        for malformed in [
            r#"["x",null,1]"#,
            r#"["x",null,1,"5"]"#,
            r#"[]"#,
            "{}",
            r#"["x"]"#,
        ] {
            assert_eq!(time(malformed), Err(EventError::Shape), "{malformed}");
        }
        assert_eq!(time(r#"[36,"PC_0",null,1]"#), Ok(Some(1000.5)));
    }

    #[test]
    fn codes_and_names_are_the_same() {
        let mut reader = EventReader::of_generation(Generation::Rtcstats, Limits::default());
        for line in [
            r#"[39,0,{},1]"#,
            r#"["39","0",{},1]"#,
            r#"["create","0",{},1]"#,
        ] {
            let event = reader.read(line).unwrap().unwrap();
            assert_eq!(
                (event.method(), event.name()),
                (Some(Method::Create), "create")
            );
            assert_eq!(event.scope(), Scope::PeerConnection("0"));
            assert_eq!(event.form(), EventForm::Delta);
        }
        let event = reader.read(r#"[999,null,{},1]"#).unwrap().unwrap();
        assert_eq!((event.name(), event.scope()), ("999", Scope::Client));
    }

    #[test]
    fn a_report_is_split_off_and_reread_on_demand() {
        let mut reader = EventReader::of_generation(Generation::Rtcstats, Limits::default());
        let event = reader
            .read(r#"["g","PC_0",{"0":{"5":}},"failed-0",7]"#)
            .unwrap()
            .unwrap();
        assert_eq!(event.payload().as_str(), r#"{"0":{"5":}}"#);
        assert!(event.extra().next().unwrap().is_text("failed-0"));
        assert!(event.reread(&Limits::default()).is_err());
        let event = reader
            .read(r#"["g","PC_0",{"0":{}},{"a":{}},3]"#)
            .unwrap()
            .unwrap();
        let reread = event.reread(&Limits::default()).unwrap();
        assert_eq!(reread.payload().as_str(), r#"{"0":{}}"#);
        assert_eq!(
            reread.extra().map(RawJson::as_str).collect::<Vec<_>>(),
            [r#"{"a":{}}"#]
        );
        assert_eq!(reread.timestamp(), Some(10.0));
    }

    #[test]
    fn chromes_states_lose_their_second_quotes() {
        let mut reader = EventReader::of_generation(Generation::Rtcstats, Limits::default());
        let mut payload = |line| {
            let event = reader.read(line).unwrap().unwrap();
            event.payload().as_str().to_owned()
        };
        let line = r#"["onsignalingstatechange","9-1","\"stable\"",1]"#;
        assert_eq!(payload(line), r#""stable""#);
        let line = r#"["onsignalingstatechange","9-1","\"gathering\"",1]"#;
        assert_eq!(payload(line), r#""\"gathering\"""#);
        assert_eq!(
            payload(r#"["onmute","9-1","\"stable\"",1]"#),
            r#""\"stable\"""#
        );
    }

    #[test]
    fn a_dump_may_lack_its_metadata() {
        let mut reader = EventReader::default();
        assert!(reader.read(DUMP_HEADER).unwrap().is_none());
        let event = reader.read(r#"[39,null,{},5]"#).unwrap().unwrap();
        assert_eq!(event.form(), EventForm::Delta);
        assert!(reader.read("").unwrap().is_none());
    }

    #[test]
    fn a_time_beyond_all_numbers_harms_no_later_one() {
        let mut reader = EventReader::of_generation(Generation::Rtcstats, Limits::default());
        let mut times = Vec::new();
        for delta in ["5", "1e400", "-1e400", "1e308", "1e308", "7"] {
            let line = format!("[39,null,{{}},{delta}]");
            times.push(reader.read(&line).unwrap().unwrap().timestamp().unwrap());
        }
        assert_eq!(times, [5.0, 5.0, 5.0, 1e308, 1e308, 1e308]);
    }
}
