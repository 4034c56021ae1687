//! What leaves the journal, filtered.

use std::io::{self, BufRead, Read};

use rtcstats_proto::dump::line_text;
use rtcstats_proto::{Generation, Limits};

use crate::Privacy;
use crate::header::generation_of;
use crate::privacy::{LineFilter, Stage};

/// Makes lines of the journal what they are in the archive, in their order.
pub(super) struct DumpFilter {
    privacy: Privacy,
    limits: Limits,
    filter: Option<LineFilter>,
    is_begun: bool,
}

impl DumpFilter {
    /// A filter that begins with the first line of a dump.
    pub(super) fn new(privacy: &Privacy, limits: Limits) -> Self {
        Self {
            privacy: privacy.clone(),
            limits,
            filter: None,
            is_begun: false,
        }
    }

    /// Appends a line as it is archived, with the terminator that it has; nothing if it is not.
    pub(super) fn apply(&mut self, line: &[u8], out: &mut String) {
        let (line, is_complete) = match line.strip_suffix(b"\n") {
            Some(line) => (line, true),
            None => (line, false),
        };
        let line = line_text(line);
        if !std::mem::replace(&mut self.is_begun, true) {
            self.filter = LineFilter::new(
                &self.privacy,
                generation_of(&line),
                Stage::Archive,
                self.limits,
            );
        }
        let is_kept = match &mut self.filter {
            Some(filter) if !line.is_empty() => filter.apply(&line, out),
            _ => {
                out.push_str(&line);
                true
            }
        };
        if is_complete && is_kept {
            out.push('\n');
        }
    }
}

/// A dump of the journal as it is archived, filtered while it is read.
pub(super) struct FilteredDump<R> {
    log: R,
    filter: DumpFilter,
    is_ended: bool,
    line: Vec<u8>,
    /// Filtered, and read up to here.
    text: String,
    read: usize,
}

impl FilteredDump<Box<dyn BufRead + Send>> {
    /// Filters what is read, if it must be.
    pub(super) fn wrap(
        log: Box<dyn BufRead + Send>,
        privacy: &Privacy,
        limits: Limits,
    ) -> Box<dyn BufRead + Send> {
        if LineFilter::new(privacy, Generation::Rtcstats, Stage::Archive, limits).is_none() {
            return log;
        }
        Box::new(Self {
            log,
            filter: DumpFilter::new(privacy, limits),
            is_ended: false,
            line: Vec::new(),
            text: String::new(),
            read: 0,
        })
    }
}

impl<R: BufRead> FilteredDump<R> {
    fn next_line(&mut self) -> io::Result<()> {
        self.line.clear();
        self.text.clear();
        self.read = 0;
        self.is_ended = self.log.read_until(b'\n', &mut self.line)? == 0;
        self.filter.apply(&self.line, &mut self.text);
        Ok(())
    }
}

impl<R: BufRead> Read for FilteredDump<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let length = available.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for FilteredDump<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.read >= self.text.len() && !self.is_ended {
            self.next_line()?;
        }
        Ok(self.text.as_bytes().get(self.read..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.read += amount;
    }
}
