//! Dumps that are uploaded: from the body of an HTTP request to lines (5.0 spec, section 12.5).

mod content;
mod multipart;

use std::borrow::Cow;

use rtcstats_proto::{Generation, JsonError};

use crate::{Identifiers, Limits, SessionFacts};
use content::Content;
use multipart::Multipart;

/// Reads the body of an upload, a chunk at a time, and yields the lines of the dump in it.
///
/// The body is `multipart/form-data`; its first part is the dump, and what follows that is ignored.
/// Accepted are dumps of rtcstats 5.0, as the existing server does; beyond it those of Jitsi's and of
/// legacy servers, and exports of `chrome://webrtc-internals`, which become dumps of 5.0; all of them
/// also compressed with gzip. An export is held in memory, of the rest one line.
///
/// Lines of events need not be JSON, and empty ones are left out. Chunks may end anywhere.
///
/// ```
/// use rtcstats_server_core::{Limits, Upload};
///
/// let mut upload = Upload::new(Some("multipart/form-data; boundary=x"), &Limits::default())?;
/// let mut lines = Vec::new();
/// let body = "--x\r\n\r\nRTCStatsDump\n{\"fileFormat\":3}\n[1,null,2,3]\r\n--x--\r\n";
/// for chunk in body.as_bytes().chunks(7) {
///     upload.push(chunk, &mut |line| lines.push(line.to_owned()))?;
/// }
/// let facts = upload.finish(&mut |line| lines.push(line.to_owned()))?;
/// assert_eq!(facts.events, 1);
/// assert_eq!(lines, ["RTCStatsDump", "{\"fileFormat\":3}", "[1,null,2,3]"]);
/// # Ok::<(), rtcstats_server_core::UploadError>(())
/// ```
#[derive(Debug)]
pub struct Upload {
    multipart: Multipart,
    content: Content,
    facts: SessionFacts,
    /// Bytes of the body that may still come.
    rest: usize,
    limit: u64,
}

/// What a body may have besides the dump: the rest of the form.
const FORM_BYTES: usize = 1 << 20;

/// Why an upload is refused, as [status](UploadError::status) and [text](UploadError::body).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// The token is missing or not valid.
    #[error("not authorized")]
    Forbidden,
    /// The body is no form.
    #[error("content type is not multipart/form-data")]
    ContentType,
    /// The content type names no boundary.
    #[error("content type has no boundary")]
    Boundary,
    /// The first part is no dump.
    #[error("unsupported file format")]
    Format,
    /// The object at the head of the dump, or the export, is malformed.
    #[error("head of the dump is malformed: {0}")]
    Head(#[from] JsonError),
    /// The body ends within the first part, or before it.
    #[error("body is incomplete")]
    Incomplete,
    /// The dump has no events.
    #[error("dump has no events")]
    Empty,
    /// The dump is too large.
    #[error("dump over the limit of {limit} bytes")]
    TooLarge {
        /// [`Limits::upload_bytes`], [`Limits::session_bytes`], or that of a line or of an export
        /// ([`Limits::message`]).
        limit: u64,
    },
    /// Too many others are on their way.
    #[error("too many uploads at a time")]
    TooMany,
    /// The dump could not be stored.
    #[error("dump could not be stored")]
    Storage,
}

impl UploadError {
    /// The status code of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Forbidden => 403,
            Self::ContentType
            | Self::Boundary
            | Self::Format
            | Self::Head(_)
            | Self::Incomplete => 400,
            Self::TooLarge { .. } => 413,
            Self::Empty => 422,
            Self::Storage => 500,
            Self::TooMany => 503,
        }
    }

    /// The text of the answer, `text/plain`.
    pub fn body(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Forbidden => "Forbidden",
            Self::ContentType => "Bad Request: Content-Type must be multipart/form-data",
            Self::Boundary => "Bad Request: boundary not found in Content-Type",
            Self::Format => "Bad Request: Unsupported file format",
            Self::Head(error) => return Cow::Owned(format!("Bad Request: {error}")),
            Self::Incomplete => "Bad Request: Incomplete multipart data",
            Self::TooLarge { .. } => "Content Too Large",
            Self::Empty => "Unprocessable Entity: the uploaded dump contained no messages",
            Self::Storage => "Internal Server Error",
            Self::TooMany => "Service Unavailable",
        })
    }
}

impl Upload {
    /// Begins with the `Content-Type` header of the request.
    ///
    /// # Errors
    ///
    /// [`UploadError::ContentType`] and [`UploadError::Boundary`].
    pub fn new(content_type: Option<&str>, limits: &Limits) -> Result<Self, UploadError> {
        Ok(Self {
            multipart: Multipart::new(boundary(content_type)?, limits.message.line_bytes),
            content: Content::new(*limits),
            facts: SessionFacts::default(),
            rest: usize::try_from(limits.upload_bytes)
                .unwrap_or(usize::MAX)
                .saturating_add(FORM_BYTES),
            limit: limits.upload_bytes,
        })
    }

    /// Takes a chunk of the body, and hands each line of the dump to `each`, without terminator and
    /// in order, those of the head included.
    ///
    /// # Errors
    ///
    /// If the upload is refused. What was handed out before must be dropped.
    pub fn push(&mut self, chunk: &[u8], each: &mut impl FnMut(&str)) -> Result<(), UploadError> {
        let Self {
            multipart,
            content,
            facts,
            rest,
            limit,
        } = self;
        // Also of what is ignored, which could come for ever.
        *rest = rest
            .checked_sub(chunk.len())
            .ok_or(UploadError::TooLarge { limit: *limit })?;
        let mut take = |line: &str| {
            each(line);
            Ok(())
        };
        multipart.push(chunk, &mut |bytes| content.push(bytes, facts, &mut take))
    }

    /// The body has ended: hands out the last lines, and tells what the lines tell of the session.
    ///
    /// # Errors
    ///
    /// If the upload is refused.
    pub fn finish(mut self, each: &mut impl FnMut(&str)) -> Result<SessionFacts, UploadError> {
        let Self {
            multipart,
            content,
            facts,
            ..
        } = &mut self;
        let mut take = |line: &str| {
            each(line);
            Ok(())
        };
        multipart.finish(&mut |bytes| content.push(bytes, facts, &mut take))?;
        content.finish(facts, &mut take)?;
        if self.facts.events == 0 {
            return Err(UploadError::Empty);
        }
        Ok(self.facts)
    }

    /// The generation of the dump, once its head told it.
    pub fn generation(&self) -> Option<Generation> {
        self.content.generation()
    }
}

impl SessionFacts {
    /// Counts an event of an upload.
    fn count_uploaded(&mut self, generation: Generation, line: &str, is_json: bool) {
        self.count(0, None);
        self.malformed += u64::from(!is_json);
        if let Some(identifiers) = Identifiers::of_line(generation, line) {
            self.identifiers.merge(*identifiers);
        }
    }
}

/// The boundary exactly as the existing server finds it: quotes and following parameters belong to it.
fn boundary(content_type: Option<&str>) -> Result<&str, UploadError> {
    let content_type = content_type.unwrap_or_default();
    if !content_type.contains("multipart/form-data") {
        return Err(UploadError::ContentType);
    }
    let boundary = content_type.split("boundary=").nth(1).unwrap_or_default();
    if boundary.is_empty() {
        return Err(UploadError::Boundary);
    }
    Ok(boundary)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn form(content: &[u8]) -> Vec<u8> {
        let mut body = b"preamble\r\n--x\r\nContent-Type: text/plain\r\n\r\n".to_vec();
        body.extend(content);
        body.extend(b"\r\n--x--\r\nmore");
        body
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    type Read = Result<(SessionFacts, Vec<String>), UploadError>;

    fn read_chunks<'a>(chunks: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> Read {
        let mut upload = Upload::new(Some("multipart/form-data; boundary=x"), limits)?;
        let mut lines = Vec::new();
        for chunk in chunks {
            upload.push(chunk, &mut |line| lines.push(line.to_owned()))?;
        }
        let facts = upload.finish(&mut |line| lines.push(line.to_owned()))?;
        Ok((facts, lines))
    }

    fn read(content: &[u8]) -> Read {
        read_chunks([form(content).as_slice()].into_iter(), &Limits::default())
    }

    const DUMP: &str =
        "RTCStatsDump\n{\"startTime\":5}\n[1,null,\"\u{e9}\u{4e2d}\",3]\r\n\n--x-\n no json\n";

    #[test]
    fn dumps_of_every_generation_are_read() {
        let jitsi = "[\"connectionInfo\",null,{\"clientProtocol\":\"3.1_STANDARD\"},7]\n[\"a\",null,1,1700000000000,1]\n";
        let legacy = "{\"time\":5,\"fileFormat\":2}\n[\"publicIP\",null,[],5]\n[\"identity\",null,{\"user\":\"u\"},6]\n";
        for (dump, count, start) in [(DUMP, 3, 5), (jitsi, 1, 7), (legacy, 1, 5)] {
            for content in [dump.as_bytes().to_vec(), gzip(dump.as_bytes())] {
                let (facts, lines) = read(&content).unwrap();
                let expected: Vec<&str> = dump.lines().filter(|line| !line.is_empty()).collect();
                assert_eq!(lines, expected);
                assert_eq!((facts.events, facts.started_ms), (count, start), "{dump}");
            }
        }
        assert_eq!(read(DUMP.as_bytes()).unwrap().0.malformed, 2);
        let (facts, _) = read(legacy.as_bytes()).unwrap();
        assert_eq!(facts.identifiers.user.as_deref(), Some("u"));
    }

    #[test]
    fn an_export_of_webrtc_internals_becomes_a_dump() {
        let export = r#"{"UserAgent":"x","timestamp":1700000009000,
"PeerConnections":{"9-1":{"rtcConfiguration":"{}",
"updateLog":[{"type":"onsignalingstatechange","value":"\"stable\"","timestamp":1700000000000.5}],
"stats":{}}}}"#;
        let (facts, lines) = read(export.as_bytes()).unwrap();
        assert_eq!(lines[0], "RTCStatsDump");
        assert_eq!(facts.events, lines.len() as u64 - 2);
        assert!(lines.iter().any(|line| line.contains("9-1")), "{lines:?}");
        assert_eq!(read(&gzip(export.as_bytes())).unwrap().1, lines);
        assert!(matches!(read(b"{\"a\":"), Err(UploadError::Head(_))));
        assert!(matches!(read(b"{}"), Err(UploadError::Format)));
    }

    #[test]
    fn what_is_no_dump_is_refused() {
        for content in [
            "",
            "hello",
            "[]",
            "RTCStatsDump ",
            "RTCStatsDump\n[]\n",
            "RTCStatsDump\n{} \n[1]",
        ] {
            assert!(
                matches!(read(content.as_bytes()), Err(UploadError::Format)),
                "{content}"
            );
        }
        let cut = &gzip(DUMP.as_bytes())[..30];
        assert!(matches!(read(cut), Err(UploadError::Format)));
        assert!(matches!(
            read(&[0x1f, 0x8b, 5, 5, 5]),
            Err(UploadError::Format)
        ));
        assert!(matches!(read(&gzip(b"")), Err(UploadError::Format)));
        assert!(matches!(
            read(b"RTCStatsDump\n{}\n\n"),
            Err(UploadError::Empty)
        ));
        assert!(matches!(
            read(b"RTCStatsDump\n{a}\n[1]"),
            Err(UploadError::Head(_))
        ));
        let head = &b"--x\n\nRTCStatsDump\n{}\n[1]\n"[..];
        let result = read_chunks([head].into_iter(), &Limits::default());
        assert!(matches!(result, Err(UploadError::Incomplete)));
    }

    #[test]
    fn what_is_too_large_is_refused_however_it_is_packed() {
        let mut limits = Limits {
            upload_bytes: 1 << 20,
            ..Limits::default()
        };
        let large = format!("RTCStatsDump\n{{}}\n{}", "[1]\n".repeat(1 << 19));
        let bomb = gzip(large.as_bytes());
        assert!(bomb.len() < 1 << 16);
        for content in [large.as_bytes(), &bomb] {
            let result = read_chunks(form(content).chunks(1_000), &limits);
            assert!(matches!(
                result,
                Err(UploadError::TooLarge { limit: 1_048_576 })
            ));
        }
        limits.message.line_bytes = 1_000;
        let long = format!("RTCStatsDump\n{{}}\n[\"{}\"]\n", "x".repeat(2_000));
        for content in [long.as_bytes(), &gzip(long.as_bytes())] {
            let result = read_chunks(form(content).chunks(100), &limits);
            assert!(matches!(
                result,
                Err(UploadError::TooLarge { limit: 1_000 })
            ));
        }
    }

    #[test]
    fn what_is_ignored_of_a_body_is_limited_too() {
        let limits = Limits {
            upload_bytes: 1_000,
            ..Limits::default()
        };
        let member = gzip(b"");
        for (begin, more) in [
            (&b""[..], &b"preamble\n"[..]),
            (b"--x\n", b"Some: header\n"),
            (b"--x\n\nRTCStatsDump\n{}\n[1]\n--x--\n", b"more\n"),
            (b"--x\n\n\x1f\x8b", &member),
        ] {
            let endless = std::iter::once(begin).chain(std::iter::repeat(more));
            let chunks = endless.take((3 << 20) / more.len());
            let error = read_chunks(chunks, &limits).unwrap_err();
            assert_eq!(error.status() / 100, 4);
            assert!(
                matches!(
                    error,
                    UploadError::TooLarge { limit: 1_000 } | UploadError::Format
                ),
                "{error}"
            );
        }
    }

    #[test]
    fn answers_do_not_repeat_what_was_sent() {
        let Err(error) = read(b"RTCStatsDump\n{\"secret\":198.51.100.7}\n[1]") else {
            panic!("accepted")
        };
        assert!(!error.body().contains("198") && !error.body().contains("secret"));
    }

    proptest! {
        #[test]
        fn chunks_may_end_anywhere(sizes in prop::collection::vec(1_usize..40, 1..20), is_packed: bool) {
            let content = if is_packed { gzip(DUMP.as_bytes()) } else { DUMP.as_bytes().to_vec() };
            let whole = read(&content).unwrap();
            let body = form(&content);
            let mut rest = body.as_slice();
            let mut sizes = sizes.iter().cycle();
            let chunks = std::iter::from_fn(|| {
                let size = (*sizes.next()?).min(rest.len());
                let (chunk, tail) = rest.split_at(size);
                rest = tail;
                (!chunk.is_empty()).then_some(chunk)
            });
            prop_assert_eq!(read_chunks(chunks, &Limits::default()).unwrap(), whole);
        }

        #[test]
        fn no_body_panics(body: Vec<u8>, content: Vec<u8>) {
            let _ = read_chunks([body.as_slice()].into_iter(), &Limits::default());
            let _ = read(&content);
        }
    }
}
