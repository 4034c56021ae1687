//! From any format to the dump of any generation.

mod head;
mod line;
mod report;
mod value;

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{Replay, ReplayError, Replayed, WholeValue};
use crate::{Event, EventForm, Generation, Limits, Method, RawJson, Scope};

pub use head::Head;
pub use line::Coding;

use report::ReportWriter;

/// Writes the dump of one generation from the events of another, line by line.
///
/// Converted are the names, the times (absolute, or differences that add up to the very same
/// times), the reports (merged by the rules of their generation and compressed by those of the
/// other), descriptions (in full), tracks (`["audio", id, label, stream]`, `"audio:id stream:stream"`,
/// Chrome's objects), and what the head says. Events have their order and number. Lost is what a
/// format has no place for: the extra elements of rtcstats 5.0 (correlation ids) and labels of
/// tracks in the others; in [`Coding::Coded`] what its codec leaves out, stats ids for one; and in
/// legacy dumps that a stats object is gone.
///
/// In Jitsi dumps `create` and `close` of the page, which are not about a peer connection, are called
/// `page:create` and `page:close`, since readers of these dumps would take them for those of one.
///
/// ```
/// use rtcstats_proto::dump::Converter;
/// use rtcstats_proto::{Generation, Limits};
///
/// let mut converter = Converter::new(Generation::Rtcstats, Limits::default());
/// let mut dump = String::new();
/// for line in [
///     r#"["connectionInfo",null,{"path":"/room","clientProtocol":"3.1_STANDARD"},1700000000000]"#,
///     r#"["addTrack","PC_0","audio:t1 stream:s1",1700000000005,1]"#,
/// ] {
///     converter.push_line(line, &mut dump)?;
/// }
/// converter.finish(&mut dump);
/// assert_eq!(
///     dump.lines().collect::<Vec<_>>(),
///     [
///         "RTCStatsDump",
///         r#"{"url":"/room","startTime":1700000000000,"clientProtocol":"rtcstats#5.0","fileFormat":3}"#,
///         r#"[30,"PC_0",["audio","t1","","s1"],1700000000005]"#,
///     ]
/// );
/// # Ok::<(), rtcstats_proto::dump::ReplayError>(())
/// ```
#[derive(Debug)]
pub struct Converter {
    replay: Replay,
    writer: Writer,
}

/// What is known of the output.
#[derive(Debug)]
struct Writer {
    limits: Limits,
    generation: Generation,
    coding: Coding,
    head: Head,
    has_head: bool,
    /// The time that a reader of the output is at.
    time: f64,
    sequence_number: u64,
    reports: HashMap<Box<str>, ReportWriter, RandomState>,
    value: String,
}

impl Converter {
    /// A converter to dumps of `generation`.
    pub fn new(generation: Generation, limits: Limits) -> Self {
        Self {
            replay: Replay::new(limits),
            writer: Writer {
                limits,
                generation,
                coding: Coding::default(),
                head: Head::default(),
                has_head: false,
                time: 0.0,
                sequence_number: 0,
                reports: HashMap::default(),
                value: String::new(),
            },
        }
    }

    /// Sets how dumps of rtcstats 5.0 are written.
    #[must_use]
    pub fn with_coding(mut self, coding: Coding) -> Self {
        self.writer.coding = coding;
        self
    }

    /// Sets the head for input that has none, such as an import.
    #[must_use]
    pub fn with_head(mut self, head: Head) -> Self {
        self.writer.head = head;
        self
    }

    /// The generation of the input, once a line told it.
    pub fn source(&self) -> Option<Generation> {
        self.replay.generation()
    }

    /// Converts one line, without its terminator, and appends what becomes of it to `out`: as a rule
    /// one line, with its terminator.
    ///
    /// # Errors
    ///
    /// If the line is no event, or its report cannot be decoded or written. Then nothing is
    /// appended, and conversion may go on with the next line.
    pub fn push_line(&mut self, line: &str, out: &mut String) -> Result<(), ReplayError> {
        let Some(replayed) = self.replay.push_line(line)? else {
            return Ok(());
        };
        self.writer.write(&replayed, out)
    }

    /// Converts an event, such as that of an import, and appends what becomes of it to `out`.
    ///
    /// # Errors
    ///
    /// If its report cannot be decoded or written. Then nothing is appended, and conversion may go
    /// on with the next event.
    pub fn push(&mut self, event: Event<'_>, out: &mut String) -> Result<(), ReplayError> {
        let replayed = self.replay.push(event)?;
        self.writer.write(&replayed, out)
    }

    /// Appends what is still missing at the end: the head, if there was no event.
    pub fn finish(&mut self, out: &mut String) {
        self.writer.begin(out);
    }
}

impl Writer {
    fn write(&mut self, replayed: &Replayed<'_>, out: &mut String) -> Result<(), ReplayError> {
        let event = &replayed.event;
        let is_head =
            event.form() == EventForm::Metadata || event.method() == Some(Method::ConnectionInfo);
        if is_head && !self.has_head {
            self.write_head(event, out);
            return Ok(());
        }
        let time = event.timestamp().filter(|time| time.is_finite());
        self.head.start_time = self.head.start_time.or(time);
        let time = time.unwrap_or(self.time);
        if event.form() == EventForm::Request && self.generation == Generation::Jitsi {
            self.begin(out);
            out.push_str(event.line());
            out.push('\n');
            return Ok(());
        }
        let mut value = std::mem::take(&mut self.value);
        value.clear();
        let result = self.write_value(replayed, &mut value);
        if result.is_ok() {
            // Between the members of an import, or in JSON inside of a text.
            value.retain(|character| !matches!(character, '\n' | '\r'));
            self.begin(out);
            self.write_line(event, time, RawJson::trusted(&value), out);
        }
        self.value = value;
        result
    }

    fn write_value(
        &mut self,
        replayed: &Replayed<'_>,
        out: &mut String,
    ) -> Result<(), ReplayError> {
        let event = &replayed.event;
        match replayed.value {
            WholeValue::Json(value) => {
                let is_of_page = event.scope() == Scope::Client
                    && matches!(event.method(), Some(Method::Create | Method::Close));
                value::write(
                    event.method().filter(|_| !is_of_page),
                    value,
                    self.generation,
                    &self.head,
                    out,
                );
                Ok(())
            }
            WholeValue::Stats(stats) => {
                let (generation, coding, limits) = (self.generation, self.coding, self.limits);
                let writer = match self.reports.get_mut(event.connection_key()) {
                    Some(writer) => writer,
                    // As many as the replay has at most.
                    None => self
                        .reports
                        .entry(event.connection_key().into())
                        .or_insert_with(|| ReportWriter::new(generation, coding, limits)),
                };
                Ok(writer.write(stats, out)?)
            }
        }
    }

    fn write_head(&mut self, event: &Event<'_>, out: &mut String) {
        self.head = Head::of(event);
        self.has_head = true;
        let is_same = match (event.form(), self.generation) {
            (EventForm::Metadata, Generation::Legacy) => event.payload().get("path").is_some(),
            (EventForm::Metadata, Generation::Rtcstats) => event.payload().get("path").is_none(),
            (EventForm::Metadata, Generation::Jitsi) => false,
            (_, generation) => generation == Generation::Jitsi,
        };
        let same = is_same.then(|| event.line().trim());
        self.head.write(self.generation, same, out);
    }

    /// Writes the head, unless it is written.
    fn begin(&mut self, out: &mut String) {
        if !std::mem::replace(&mut self.has_head, true) {
            self.head.write(self.generation, None, out);
        }
    }
}
