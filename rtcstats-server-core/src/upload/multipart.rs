//! The first part of a form.

use super::UploadError;

/// Finds the first part of `multipart/form-data`.
///
/// A part ends at a line that is its delimiter; the line end before it belongs to the delimiter, so
/// that a part may be binary.
#[derive(Debug)]
pub(super) struct Multipart {
    delimiter: Vec<u8>,
    state: State,
    /// The line that is not complete.
    line: Vec<u8>,
    max_line_bytes: usize,
    /// The end of the line before, which is handed out unless a delimiter follows.
    line_end: &'static [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    Headers,
    Body,
    Done,
}

type Result<T> = std::result::Result<T, UploadError>;

impl Multipart {
    pub(super) fn new(boundary: &str, max_line_bytes: usize) -> Self {
        Self {
            delimiter: format!("--{boundary}").into_bytes(),
            state: State::Preamble,
            line: Vec::new(),
            max_line_bytes,
            line_end: b"",
        }
    }

    /// Takes a chunk of the form, and hands the bytes of the first part to `each`.
    pub(super) fn push(
        &mut self,
        mut chunk: &[u8],
        each: &mut impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        while self.state != State::Done {
            let Some(end) = memchr::memchr(b'\n', chunk) else {
                return self.hold(chunk);
            };
            let (line, rest) = chunk.split_at(end + 1);
            chunk = rest;
            if self.line.is_empty() {
                self.take(line, each)?;
            } else {
                self.hold(line)?;
                let line = std::mem::take(&mut self.line);
                self.take(&line, each)?;
            }
        }
        Ok(())
    }

    /// The form has ended. Its last line needs no terminator.
    pub(super) fn finish(&mut self, each: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() && self.state != State::Done {
            self.take(&line, each)?;
        }
        if self.state == State::Done {
            Ok(())
        } else {
            Err(UploadError::Incomplete)
        }
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<()> {
        if self.line.len() + bytes.len() > self.max_line_bytes {
            let limit = self.max_line_bytes as u64;
            return Err(UploadError::TooLarge { limit });
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn take(&mut self, line: &[u8], each: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let (line, line_end) = split_end(line);
        match self.state {
            State::Preamble if line == self.delimiter => self.state = State::Headers,
            State::Headers if line.is_empty() => self.state = State::Body,
            State::Body if self.is_delimiter(line) => self.state = State::Done,
            State::Body => {
                each(std::mem::replace(&mut self.line_end, line_end))?;
                each(line)?;
            }
            State::Preamble | State::Headers | State::Done => {}
        }
        Ok(())
    }

    fn is_delimiter(&self, line: &[u8]) -> bool {
        line.strip_prefix(self.delimiter.as_slice())
            .is_some_and(|rest| rest.is_empty() || rest == b"--")
    }
}

/// A line and its terminator.
fn split_end(line: &[u8]) -> (&[u8], &'static [u8]) {
    match line {
        [line @ .., b'\r', b'\n'] => (line, b"\r\n"),
        [line @ .., b'\n'] => (line, b"\n"),
        line => (line, b""),
    }
}
