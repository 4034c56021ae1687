//! Masks the addresses in whole files (rtcstats 5.0 spec, section 11.5).

use std::io::{self, BufRead, Read, Write};

use super::export::{self, ExportFailure};
use super::obfuscate::{Mode, Obfuscator, Outcome};
use crate::dump::{Format, line_text};
use crate::rtcstats::DUMP_HEADER;
use crate::{Generation, JsonError, Limits, RawJson};

/// Masks the addresses in a file: a dump of any generation, line by line in constant memory, or an
/// export of `chrome://webrtc-internals`, as a whole.
///
/// Files must not be compressed, see [`decompress`](crate::dump::decompress). What was written before an
/// error is not the whole file: write to a temporary one.
///
/// ```
/// use rtcstats_proto::Limits;
/// use rtcstats_proto::privacy::Anonymizer;
///
/// let dump = "RTCStatsDump\n{\"fileFormat\":3,\"remoteAddresses\":[\"198.51.100.9\"]}\n";
/// let mut out = Vec::new();
/// let result = Anonymizer::strict(Limits::default()).run(dump.as_bytes(), &mut out)?;
/// assert_eq!(result.lines, 2);
/// assert!(String::from_utf8(out)?.contains("[\"198.51.100.x\"]"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Anonymizer {
    is_strict: bool,
    masks_labels: bool,
    limits: Limits,
}

/// What was done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anonymized {
    /// What the file is.
    pub format: Format,
    /// How many lines there were; 1 for an export.
    pub lines: u64,
    /// How many lines, or values of an export, were replaced by `null` as no rule could be applied.
    pub failures: u64,
}

/// A file that cannot be anonymised.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnonymizeError {
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is neither a dump nor an export.
    #[error("neither an rtcstats dump nor an export of webrtc-internals")]
    UnknownFormat,
    /// The file is an export over [`Limits::import_bytes`], or a line is over
    /// [`Limits::line_bytes`].
    #[error("line {line}: over the limit of {limit} bytes")]
    TooLong {
        /// The line, counted from 1.
        line: u64,
        /// The limit.
        limit: usize,
    },
    /// A line is not JSON, or the export is not.
    #[error("line {line}: {error}")]
    Json {
        /// The line, counted from 1; where the export begins.
        line: u64,
        /// What is wrong with it.
        #[source]
        error: JsonError,
    },
    /// A rule cannot be applied to a line: its candidate is malformed, or its address no text.
    #[error("line {line}: no address where one should be")]
    Rule {
        /// The line, counted from 1.
        line: u64,
    },
    /// The export lacks a member that all have, or has a value that a rule cannot be applied to.
    #[error("unusual shape of an export of webrtc-internals")]
    ExportShape,
}

impl Anonymizer {
    /// Does what the reference does, with [`Mode::Server`], and fails where that fails: at the first
    /// line that is not JSON or that a rule cannot be applied to. Nothing that should be masked
    /// passes unnoticed, but only the places where browsers put addresses are looked at.
    pub fn compatible(limits: Limits) -> Self {
        Self {
            is_strict: false,
            masks_labels: false,
            limits,
        }
    }

    /// Masks every address, with [`Mode::Strict`]. Lines that are not JSON become `null`.
    pub fn strict(limits: Limits) -> Self {
        Self {
            is_strict: true,
            ..Self::compatible(limits)
        }
    }

    /// Also empties the labels of devices and tracks. For the strict form only.
    #[must_use]
    pub fn masking_labels(self) -> Self {
        Self {
            masks_labels: true,
            ..self
        }
    }

    /// Masks a file.
    ///
    /// # Errors
    ///
    /// If reading or writing fails, or the file is of no known format. In the compatible form, if
    /// a line is not JSON, over a limit, or cannot be masked. In the strict form, if an export is not
    /// JSON or over [`Limits::import_bytes`].
    pub fn run(
        &self,
        mut input: impl BufRead,
        output: impl Write,
    ) -> Result<Anonymized, AnonymizeError> {
        let mut head = Vec::new();
        let head_bytes = Format::HEAD_BYTES as u64;
        input.by_ref().take(head_bytes).read_to_end(&mut head)?;
        let format = Format::detect(&head).ok_or(AnonymizeError::UnknownFormat)?;
        let is_header = |ending: &[u8]| {
            head.strip_prefix(DUMP_HEADER.as_bytes())
                .is_some_and(|rest| rest.starts_with(ending))
        };
        if !self.is_strict && is_header(b"") && !is_header(b"\n") {
            return Err(AnonymizeError::UnknownFormat);
        }
        let input = io::Cursor::new(head).chain(input);
        match format {
            Format::Rtcstats => self.run_lines(Generation::Rtcstats, input, output),
            Format::Jitsi => self.run_lines(Generation::Jitsi, input, output),
            Format::Legacy => self.run_lines(Generation::Legacy, input, output),
            Format::Internals => self.run_export(input, output),
        }
    }

    fn obfuscator(&self, generation: Generation) -> Obfuscator {
        let mode = if self.is_strict {
            Mode::Strict
        } else {
            Mode::Server(generation)
        };
        let obfuscator = Obfuscator::new(mode, self.limits);
        if self.masks_labels && self.is_strict {
            obfuscator.masking_labels()
        } else {
            obfuscator
        }
    }

    fn run_lines(
        &self,
        generation: Generation,
        input: impl BufRead,
        mut output: impl Write,
    ) -> Result<Anonymized, AnonymizeError> {
        let mut lines = Lines::new(input);
        let mut obfuscator = self.obfuscator(generation);
        let mut oversize = 0;
        let mut masked = String::new();
        while lines.advance(self.limits.line_bytes)? {
            masked.clear();
            let line = line_text(&lines.line);
            if !self.is_strict {
                self.check(&line, &lines)?;
                if obfuscator.line(&line, &mut masked) == Outcome::Failed {
                    return Err(AnonymizeError::Rule { line: lines.number });
                }
            } else if lines.is_oversize {
                oversize += 1;
                masked.push_str("null");
            } else {
                // Those that failed are counted.
                let _ = obfuscator.line(&line, &mut masked);
            }
            if lines.is_terminated {
                masked.push('\n');
            }
            output.write_all(masked.as_bytes())?;
        }
        output.flush()?;
        Ok(Anonymized {
            format: generation.into(),
            lines: lines.number,
            failures: obfuscator.failures() + oversize,
        })
    }

    /// Every line is JSON, except the header, repetitions of it, and empty ones.
    fn check(&self, line: &str, lines: &Lines<impl BufRead>) -> Result<(), AnonymizeError> {
        if lines.is_oversize {
            return Err(AnonymizeError::TooLong {
                line: lines.number,
                limit: self.limits.line_bytes,
            });
        }
        if line.is_empty() || line.starts_with(DUMP_HEADER) {
            return Ok(());
        }
        match RawJson::parse_within(line, &self.limits) {
            Ok(_) => Ok(()),
            Err(error) => Err(AnonymizeError::Json {
                line: lines.number,
                error,
            }),
        }
    }

    fn run_export(
        &self,
        input: impl BufRead,
        mut output: impl Write,
    ) -> Result<Anonymized, AnonymizeError> {
        let limit = self.limits.import_bytes;
        let mut document = Vec::new();
        let mut input = input.take((limit as u64).saturating_add(1));
        input.read_to_end(&mut document)?;
        if document.len() > limit {
            return Err(AnonymizeError::TooLong { line: 1, limit });
        }
        let mut obfuscator = self.obfuscator(Generation::Rtcstats);
        let mut masked = String::new();
        let text = line_text(&document);
        let failures = export::mask(&text, &mut obfuscator, &self.limits, &mut masked)?;
        output.write_all(masked.as_bytes())?;
        output.flush()?;
        Ok(Anonymized {
            format: Format::Internals,
            lines: 1,
            failures,
        })
    }
}

impl From<ExportFailure> for AnonymizeError {
    fn from(failure: ExportFailure) -> Self {
        match failure {
            ExportFailure::Json(error) => Self::Json { line: 1, error },
            ExportFailure::Shape => Self::ExportShape,
        }
    }
}

/// The lines of a dump, byte by byte: only a line feed ends one.
struct Lines<R> {
    input: R,
    number: u64,
    /// Without its terminator; the beginning of one that is too long.
    line: Vec<u8>,
    is_terminated: bool,
    is_oversize: bool,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            number: 0,
            line: Vec::new(),
            is_terminated: false,
            is_oversize: false,
        }
    }

    /// Reads the next line; `false` at the end.
    fn advance(&mut self, limit: usize) -> io::Result<bool> {
        self.line.clear();
        let mut input = self.input.by_ref().take(limit as u64 + 1);
        let mut length = input.read_until(b'\n', &mut self.line)? as u64;
        self.is_terminated = self.line.last() == Some(&b'\n');
        if self.is_terminated {
            self.line.pop();
        }
        self.is_oversize = self.line.len() > limit;
        if self.is_oversize {
            length += self.input.skip_until(b'\n')? as u64;
            self.is_terminated = true;
        }
        self.number += u64::from(length > 0);
        Ok(length > 0)
    }
}
