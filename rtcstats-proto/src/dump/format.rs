//! Which format a file has.

use std::fmt;

use crate::json::Reader;
use crate::rtcstats::DUMP_HEADER;
use crate::{EventReader, Generation, Limits};

/// What a decompressed file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// A dump of rtcstats 5.0, file format 3: it begins with the line `RTCStatsDump`.
    Rtcstats,
    /// A dump of a Jitsi server.
    Jitsi,
    /// A dump of the original server, file format 2.
    Legacy,
    /// What `chrome://webrtc-internals` downloads: one JSON object.
    Internals,
}

impl Format {
    /// How many bytes of a file are enough for [`Format::detect`]: most first lines fit, and one
    /// that does not is told by its beginning.
    pub const HEAD_BYTES: usize = 64 << 10;

    /// Tells the format from the first bytes of a file, up to [`Format::HEAD_BYTES`]; `None` if it
    /// is none of them.
    ///
    /// Lines without the head of a dump are told by the shape of the first event, as an
    /// [`EventReader`] does. An object that begins in the first line and is none of a dump is taken
    /// for an export, indented or not.
    ///
    /// ```
    /// use rtcstats_proto::dump::Format;
    ///
    /// assert_eq!(Format::detect(b"RTCStatsDump\n{\"fileFormat\":3}\n"), Some(Format::Rtcstats));
    /// assert_eq!(Format::detect(b"{\n  \"UserAgent\": \"x\","), Some(Format::Internals));
    /// assert_eq!(Format::detect(b"[\"create\",\"PC_0\",{},1700000000000,1]\n"), Some(Format::Jitsi));
    /// assert_eq!(Format::detect(b"GIF89a"), None);
    /// ```
    pub fn detect(head: &[u8]) -> Option<Self> {
        let head = head.get(..Self::HEAD_BYTES).unwrap_or(head);
        let text = match std::str::from_utf8(head) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(head.get(..error.valid_up_to())?).ok()?,
        };
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let mut lines = text.split(['\n', '\r']);
        if lines.next() == Some(DUMP_HEADER) {
            return Some(Self::Rtcstats);
        }
        let line = text.split(['\n', '\r']).find(|line| !line.is_empty())?;
        let is_whole = line.len() < text.len();
        let mut reader = EventReader::new(Limits::default());
        let generation = match reader.read(line) {
            Ok(_) => reader.generation(),
            Err(_) => None,
        };
        match line.trim_start().as_bytes().first()? {
            b'[' => match generation {
                Some(generation) => Some(generation.into()),
                // Too long to be seen whole: the details of a connection, or a first report.
                None => (!is_whole && is_event(line)).then_some(Self::Jitsi),
            },
            b'{' => match generation {
                Some(Generation::Legacy) => Some(Self::Legacy),
                Some(generation) if is_request(line) => Some(generation.into()),
                _ => Some(Self::Internals),
            },
            _ => None,
        }
    }

    /// A short name: that of the generation, or `internals`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rtcstats => Generation::Rtcstats.as_str(),
            Self::Jitsi => Generation::Jitsi.as_str(),
            Self::Legacy => Generation::Legacy.as_str(),
            Self::Internals => "internals",
        }
    }
}

impl From<Generation> for Format {
    fn from(generation: Generation) -> Self {
        match generation {
            Generation::Rtcstats => Self::Rtcstats,
            Generation::Jitsi => Self::Jitsi,
            Generation::Legacy => Self::Legacy,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What some editors put in front of a text.
pub(super) const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// Whether the array begins with a name.
fn is_event(line: &str) -> bool {
    let mut reader = Reader::new(line, 1);
    reader.expect(b'[').is_ok() && reader.peek() == Some(b'"') && reader.string().is_ok()
}

/// Whether the object is the line of a back-end client.
fn is_request(line: &str) -> bool {
    crate::RawJson::parse(line).is_ok_and(|line| line.get("type").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_format() {
        let long = format!("[\"connectionInfo\",null,\"{}", "x".repeat(100_000));
        for (head, format) in [
            ("RTCStatsDump\n", Some(Format::Rtcstats)),
            ("RTCStatsDump\r\n{}\r\n", Some(Format::Rtcstats)),
            ("RTCStatsDump", Some(Format::Rtcstats)),
            ("RTCStatsDumb\n{}\n", None),
            ("[39,null,{},1700000000000]\n", Some(Format::Rtcstats)),
            ("{\"path\":\"/\",\"fileFormat\":2}\n[", Some(Format::Legacy)),
            (
                "[\"create\",\"PC_0\",{},1700000000000]",
                Some(Format::Legacy),
            ),
            (
                "[\"connectionInfo\",null,{},1700000000000]\n",
                Some(Format::Jitsi),
            ),
            (
                "{\"statsSessionId\":\"s\",\"type\":\"identity\",\"data\":{}}\n",
                Some(Format::Jitsi),
            ),
            (&long, Some(Format::Jitsi)),
            ("{\"UserAgent\":\"x\"}", Some(Format::Internals)),
            ("{\"PeerConnections\":{\"1-1\":{", Some(Format::Internals)),
            ("{\n \"timestamp\": 5,\n", Some(Format::Internals)),
            ("{", Some(Format::Internals)),
            ("\u{FEFF}RTCStatsDump\n", Some(Format::Rtcstats)),
            ("[]\n", None),
            ("[1,2", None),
            ("no dump\n", None),
            ("", None),
        ] {
            assert_eq!(Format::detect(head.as_bytes()), format, "{head:.40}");
        }
    }

    #[test]
    fn a_character_that_is_cut_does_no_harm() {
        let head = "[\"create\",\"PC_0\",{},1700000000000]\n[\"é".as_bytes();
        assert_eq!(
            Format::detect(&head[..head.len() - 1]),
            Some(Format::Legacy)
        );
    }
}
