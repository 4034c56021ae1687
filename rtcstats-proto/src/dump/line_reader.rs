//! Lines of a dump, in constant memory.

use std::borrow::Cow;
use std::io::{self, BufRead};

use memchr::memchr2;

use crate::{Event, EventError, EventReader, Limits};

/// Reads a dump line by line from anything buffered.
///
/// `\n`, `\r\n` and a lone `\r` end a line. A last line without terminator that is cut off in the
/// middle is torn: what a crash of the writer leaves. [`DumpLine::event`] says so, and it is no reason
/// to doubt the rest.
///
/// ```
/// use rtcstats_proto::dump::LineReader;
///
/// let dump = "[\"connectionInfo\",null,{},1]\n[\"create\",\"PC_0\",{},2,1]\n[\"close\",\"PC_";
/// let mut reader = LineReader::new(dump.as_bytes());
/// let mut names = Vec::new();
/// while let Some(line) = reader.next_line()? {
///     match line.event() {
///         Ok(event) => names.push(event.name().to_owned()),
///         Err(error) => assert!(error.is_torn(), "{error}"),
///     }
/// }
/// assert_eq!(names, ["connectionInfo", "create"]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct LineReader<R> {
    input: R,
    limits: Limits,
    line: Vec<u8>,
    number: u64,
    /// The last line ended in `\r`: a `\n` that comes next belongs to it.
    after_carriage_return: bool,
}

/// One line of a dump.
#[derive(Debug, Clone)]
pub struct DumpLine<'a> {
    text: Cow<'a, str>,
    number: u64,
    terminated: bool,
    /// How long the line was, if it was too long to be kept.
    oversize: Option<usize>,
    limits: Limits,
}

/// A line that is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {error}")]
pub struct LineError {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    #[source]
    pub error: EventError,
    torn: bool,
}

impl LineError {
    /// Whether this is the last line, cut off in the middle.
    pub fn is_torn(&self) -> bool {
        self.torn
    }
}

impl<R: BufRead> LineReader<R> {
    /// Reads plain text from `input`. For files that may be compressed see `decompress`.
    pub fn new(input: R) -> Self {
        Self::with_limits(input, Limits::default())
    }

    /// As [`LineReader::new`]. A line over [`Limits::line_bytes`] is passed over in constant memory
    /// and reported by [`DumpLine::event`].
    pub fn with_limits(input: R, limits: Limits) -> Self {
        Self {
            input,
            limits,
            line: Vec::new(),
            number: 0,
            after_carriage_return: false,
        }
    }

    /// The next line; `None` at the end.
    ///
    /// Invalid UTF-8 becomes U+FFFD, and a byte order mark in front of the first line is dropped, as in
    /// existing readers.
    ///
    /// # Errors
    ///
    /// Those of the input.
    pub fn next_line(&mut self) -> io::Result<Option<DumpLine<'_>>> {
        self.line.clear();
        let mut length = 0_usize;
        let mut terminated = false;
        while !terminated {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                break;
            }
            let skipped = usize::from(self.after_carriage_return && available.starts_with(b"\n"));
            self.after_carriage_return = false;
            let available = available.get(skipped..).unwrap_or_default();
            let end = memchr2(b'\n', b'\r', available);
            let chunk = available
                .get(..end.unwrap_or(available.len()))
                .unwrap_or_default();
            length += chunk.len();
            if length <= self.limits.line_bytes {
                self.line.extend_from_slice(chunk);
            }
            let mut used = skipped + chunk.len();
            if let Some(end) = end {
                self.after_carriage_return = available.get(end) == Some(&b'\r');
                used += 1;
                terminated = true;
            }
            self.input.consume(used);
        }
        if length == 0 && !terminated {
            return Ok(None);
        }
        self.number += 1;
        if self.number == 1 {
            self.drop_byte_order_mark();
        }
        let oversize = (length > self.limits.line_bytes).then_some(length);
        if oversize.is_some() {
            self.line = Vec::new();
        }
        Ok(Some(DumpLine {
            text: line_text(&self.line),
            number: self.number,
            terminated,
            oversize,
            limits: self.limits,
        }))
    }

    /// Drops what some editors put in front of a text.
    fn drop_byte_order_mark(&mut self) {
        const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
        if self.line.starts_with(BYTE_ORDER_MARK) {
            self.line.drain(..BYTE_ORDER_MARK.len());
        }
    }
}

/// The text of a line; invalid UTF-8 becomes U+FFFD, as in existing readers.
///
/// ```
/// assert_eq!(rtcstats_proto::dump::line_text(b"a\xFF"), "a\u{FFFD}");
/// ```
pub fn line_text(line: &[u8]) -> Cow<'_, str> {
    // Checking first is several times as fast as the lossy conversion of text that has no need of it.
    match std::str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(line),
    }
}

impl DumpLine<'_> {
    /// The line without its terminator; empty if it was over the limit.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Counted from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Reads the line as an event of a Jitsi or legacy dump. For dumps of any generation see
    /// [`DumpLine::read`].
    ///
    /// # Errors
    ///
    /// If it is none, with the number of the line.
    pub fn event(&self) -> Result<Event<'_>, LineError> {
        self.check_length()?;
        Event::parse_within(&self.text, &self.limits).map_err(|error| self.error(error))
    }

    /// Reads the line as the next one of `reader`, which knows the generation; `None` if it belongs
    /// to the format and is no event.
    ///
    /// # Errors
    ///
    /// If it is neither, with the number of the line.
    pub fn read<'a>(&'a self, reader: &mut EventReader) -> Result<Option<Event<'a>>, LineError> {
        self.check_length()?;
        reader.read(&self.text).map_err(|error| self.error(error))
    }

    /// Whether the line is here at all: one over [`Limits::line_bytes`] is not.
    ///
    /// # Errors
    ///
    /// If it was too long, with its number and length.
    pub fn check_length(&self) -> Result<(), LineError> {
        let Some(length) = self.oversize else {
            return Ok(());
        };
        let limit = self.limits.line_bytes;
        Err(self.error(EventError::TooLong { length, limit }))
    }

    fn error(&self, error: EventError) -> LineError {
        LineError {
            line: self.number,
            error,
            torn: !self.terminated && error.is_truncation(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(text: &[u8], capacity: usize) -> Vec<(u64, String)> {
        let mut reader = LineReader::new(BufReader::with_capacity(capacity, text));
        let mut lines = Vec::new();
        while let Some(line) = reader.next_line().unwrap() {
            lines.push((line.number(), line.as_str().to_owned()));
        }
        lines
    }

    #[test]
    fn every_kind_of_terminator_ends_a_line_at_any_buffer_size() {
        for capacity in 1..12 {
            let lines = lines(b"a\r\nb\rc\n\nd\r\n\r\ne", capacity);
            let texts: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(
                texts,
                ["a", "b", "c", "", "d", "", "e"],
                "capacity {capacity}"
            );
            assert_eq!(lines.last().unwrap().0, 7);
        }
    }

    #[test]
    fn invalid_utf8_becomes_the_replacement_character() {
        assert_eq!(lines(b"a\xFFb\n", 8), [(1, "a\u{FFFD}b".to_owned())]);
    }

    #[test]
    fn a_byte_order_mark_in_front_is_dropped() {
        assert_eq!(
            lines("\u{FEFF}a\n\u{FEFF}b".as_bytes(), 8),
            [(1, "a".to_owned()), (2, "\u{FEFF}b".to_owned())]
        );
    }

    #[test]
    fn a_line_over_the_limit_is_reported_and_the_next_one_read() {
        let limits = Limits {
            line_bytes: 8,
            ..Limits::default()
        };
        let text = format!("{}\n[\"x\"]\n", "y".repeat(100));
        let mut reader = LineReader::with_limits(text.as_bytes(), limits);
        let error = reader.next_line().unwrap().unwrap().event().unwrap_err();
        assert_eq!(
            error.error,
            EventError::TooLong {
                length: 100,
                limit: 8
            }
        );
        assert_eq!(
            reader.next_line().unwrap().unwrap().event().unwrap().name(),
            "x"
        );
    }

    #[test]
    fn only_a_cut_off_last_line_is_torn() {
        for (text, torn) in [("[\"x\"", true), ("[\"x\"\n", false), ("[\"x\"]]", false)] {
            let mut reader = LineReader::new(text.as_bytes());
            let error = reader.next_line().unwrap().unwrap().event().unwrap_err();
            assert_eq!(error.is_torn(), torn, "{text}");
        }
    }
}
