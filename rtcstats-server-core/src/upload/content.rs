//! What is in the part: compressed or not, which format, lines.

use std::io::Write;

use flate2::write::MultiGzDecoder;
use rtcstats_proto::dump::{Converter, Format, Internals, InternalsError, line_text};
use rtcstats_proto::rtcstats::DUMP_HEADER;
use rtcstats_proto::{Event, Generation, Method, RawJson};

use super::UploadError;
use crate::header::{is_head, start_of};
use crate::{Limits, SessionFacts};

/// From the bytes of a part to the lines of a dump.
#[derive(Debug)]
pub(super) struct Content {
    packing: Packing,
    dump: Dump,
}

#[derive(Debug)]
enum Packing {
    /// Fewer than two bytes have come.
    Unknown(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

/// The dump itself.
#[derive(Debug)]
struct Dump {
    limits: Limits,
    bytes: u64,
    line: Vec<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing but the line that is not complete.
    Start,
    /// Lines of a dump, so many so far.
    Lines { generation: Generation, count: u64 },
    /// The text of an export.
    Export(Vec<u8>),
}

/// Takes a line.
type Take<'a> = &'a mut dyn FnMut(&str) -> Result<()>;

type Result<T> = std::result::Result<T, UploadError>;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

impl Content {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            packing: Packing::Unknown(Vec::new()),
            dump: Dump {
                limits,
                bytes: 0,
                line: Vec::new(),
                state: State::Start,
            },
        }
    }

    pub(super) fn generation(&self) -> Option<Generation> {
        match self.dump.state {
            State::Start => None,
            State::Lines { generation, .. } => Some(generation),
            State::Export(_) => Some(Generation::Rtcstats),
        }
    }

    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        facts: &mut SessionFacts,
        take: Take<'_>,
    ) -> Result<()> {
        if let Packing::Unknown(first) = &mut self.packing {
            first.extend_from_slice(bytes);
            if first.len() < GZIP_MAGIC.len() {
                return Ok(());
            }
            let first = std::mem::take(first);
            self.packing = if first.starts_with(&GZIP_MAGIC) {
                Packing::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
            } else {
                Packing::Plain
            };
            return self.unpack(&first, facts, take);
        }
        self.unpack(bytes, facts, take)
    }

    fn unpack(&mut self, bytes: &[u8], facts: &mut SessionFacts, take: Take<'_>) -> Result<()> {
        /// What is compressed best grows by a factor of a thousand.
        const PIECE_BYTES: usize = 1_024;
        let Packing::Gzip(decoder) = &mut self.packing else {
            return self.dump.push(bytes, facts, take);
        };
        for piece in bytes.chunks(PIECE_BYTES) {
            decoder.write_all(piece).map_err(|_| UploadError::Format)?;
            self.dump.push(decoder.get_ref(), facts, take)?;
            decoder.get_mut().clear();
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, facts: &mut SessionFacts, take: Take<'_>) -> Result<()> {
        match &mut self.packing {
            Packing::Unknown(_) => return Err(UploadError::Format),
            Packing::Plain => {}
            Packing::Gzip(decoder) => {
                decoder.try_finish().map_err(|_| UploadError::Format)?;
                self.dump.push(decoder.get_ref(), facts, take)?;
            }
        }
        self.dump.finish(facts, take)
    }
}

impl Dump {
    fn push(&mut self, mut bytes: &[u8], facts: &mut SessionFacts, take: Take<'_>) -> Result<()> {
        self.bytes += bytes.len() as u64;
        let limit = self.limits.upload_bytes.min(self.limits.session_bytes);
        if self.bytes > limit {
            return Err(UploadError::TooLarge { limit });
        }
        loop {
            if let State::Export(text) = &mut self.state {
                let limit = self.limits.message.import_bytes;
                if text.len() + bytes.len() > limit {
                    let limit = limit as u64;
                    return Err(UploadError::TooLarge { limit });
                }
                text.extend_from_slice(bytes);
                return Ok(());
            }
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                return self.hold(bytes);
            };
            let (line, rest) = bytes.split_at(end + 1);
            bytes = rest;
            self.hold(line)?;
            self.end_line(facts, take)?;
        }
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<()> {
        let is_export = matches!(self.state, State::Start) && is_object(&self.line, bytes);
        let limit = if is_export {
            self.limits.message.import_bytes
        } else {
            self.limits.message.line_bytes
        };
        if self.line.len() + bytes.len() > limit {
            let limit = limit as u64;
            return Err(UploadError::TooLarge { limit });
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// The line that was held is complete.
    fn end_line(&mut self, facts: &mut SessionFacts, take: Take<'_>) -> Result<()> {
        let bytes = std::mem::take(&mut self.line);
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if matches!(self.state, State::Start) {
            self.state = begin(line, &bytes)?;
        }
        let State::Lines { generation, count } = &mut self.state else {
            return Ok(());
        };
        let generation = *generation;
        let line = line_text(line);
        if generation == Generation::Rtcstats && *count == 1 {
            check_metadata(&line)?;
        }
        if line.is_empty() {
            return Ok(());
        }
        match (generation, *count) {
            (Generation::Legacy, 0) | (Generation::Rtcstats, 1) => {
                facts.started_ms = start_of(&line).unwrap_or_default();
            }
            (Generation::Jitsi, 0) => {
                let time = Event::parse(&line).ok().and_then(|event| event.timestamp());
                facts.started_ms = time.unwrap_or_default() as u64;
            }
            _ if !is_head(generation, *count, &line) => {
                let is_json = RawJson::parse_within(&line, &self.limits.message).is_ok();
                facts.count_uploaded(generation, &line, is_json);
            }
            _ => {}
        }
        *count += 1;
        take(&line)
    }

    fn finish(&mut self, facts: &mut SessionFacts, take: Take<'_>) -> Result<()> {
        if !self.line.is_empty() || matches!(self.state, State::Start) {
            self.end_line(facts, take)?;
        }
        match &self.state {
            State::Start => Err(UploadError::Format),
            State::Lines {
                generation: Generation::Rtcstats,
                count: 1,
            } => Err(UploadError::Format),
            State::Lines { .. } => Ok(()),
            State::Export(text) => convert(text, &self.limits, facts, take),
        }
    }
}

/// Whether a first line begins like an object.
fn is_object(held: &[u8], bytes: &[u8]) -> bool {
    held.first().or(bytes.first()) == Some(&b'{')
}

/// Tells the format from the first line.
fn begin(line: &[u8], with_end: &[u8]) -> Result<State> {
    let lines = |generation| State::Lines {
        generation,
        count: 0,
    };
    match Format::detect(line) {
        _ if line == DUMP_HEADER.as_bytes() => Ok(lines(Generation::Rtcstats)),
        // Lines without a head could be anything.
        Some(Format::Jitsi) if is_connection_info(&line_text(line)) => Ok(lines(Generation::Jitsi)),
        Some(Format::Legacy) if line.starts_with(b"{") => Ok(lines(Generation::Legacy)),
        _ if line.starts_with(b"{") => Ok(State::Export(with_end.to_vec())),
        _ => Err(UploadError::Format),
    }
}

fn is_connection_info(line: &str) -> bool {
    Event::parse(line).is_ok_and(|event| event.method() == Some(Method::ConnectionInfo))
}

fn check_metadata(line: &str) -> Result<()> {
    if !line.starts_with('{') || !line.ends_with('}') {
        return Err(UploadError::Format);
    }
    RawJson::parse(line)?;
    Ok(())
}

/// Writes an export as a dump of 5.0.
fn convert(text: &[u8], limits: &Limits, facts: &mut SessionFacts, take: Take<'_>) -> Result<()> {
    let text = String::from_utf8_lossy(text);
    let mut export = Internals::parse(&text, &limits.message).map_err(|error| match error {
        InternalsError::Json(error) => UploadError::Head(error),
        InternalsError::TooLong { limit, .. } => UploadError::TooLarge {
            limit: limit as u64,
        },
        _ => UploadError::Format,
    })?;
    let is_export = RawJson::parse(&text)?.get("PeerConnections").is_some();
    if !is_export {
        return Err(UploadError::Format);
    }
    let head = export.head();
    facts.started_ms = head.start_time.unwrap_or_default() as u64;
    let mut converter = Converter::new(Generation::Rtcstats, limits.message).with_head(head);
    let mut lines = String::new();
    let mut bytes = 0;
    let mut count = 0;
    let mut give = |lines: &mut String| -> Result<()> {
        bytes += lines.len() as u64;
        if bytes > limits.session_bytes {
            let limit = limits.session_bytes;
            return Err(UploadError::TooLarge { limit });
        }
        for line in lines.lines() {
            if !is_head(Generation::Rtcstats, count, line) {
                facts.count_uploaded(Generation::Rtcstats, line, true);
            }
            count += 1;
            take(line)?;
        }
        lines.clear();
        Ok(())
    };
    while let Some(event) = export.next_event() {
        // One that cannot be converted is left out, as by the importer.
        if converter.push(event, &mut lines).is_ok() {
            give(&mut lines)?;
        }
    }
    Ok(())
}
