//! Compression, detected.

use std::io::{BufRead, BufReader, Cursor, Read, Result};

/// How much decompressed text is buffered.
#[cfg(any(feature = "gzip", feature = "zstd"))]
const BUFFER_BYTES: usize = 64 << 10;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// Not, as far as its first bytes tell.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// How many bytes [`Compression::detect`] looks at.
    const HEAD_BYTES: usize = 4;

    /// Tells the compression from the first four bytes of a file.
    ///
    /// ```
    /// use rtcstats_proto::dump::Compression;
    /// assert_eq!(Compression::detect(b"\x1F\x8B\x08\x00"), Compression::Gzip);
    /// assert_eq!(Compression::detect(b"RTCStatsDump"), Compression::None);
    /// ```
    pub fn detect(head: &[u8]) -> Self {
        match head {
            [0x1F, 0x8B, ..] => Self::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// Reads `input` decompressed if it is gzip (feature `gzip`) or Zstandard (feature `zstd`), several
/// members or frames included, and as it is otherwise.
///
/// ```no_run
/// use std::{fs::File, io::BufReader};
/// use rtcstats_proto::dump::{LineReader, decompress};
///
/// let file = BufReader::new(File::open("call.gz")?);
/// let mut reader = LineReader::new(decompress(file)?);
/// # let _ = reader.next_line()?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// Those of the input, while its first bytes are looked at, and one of kind
/// [`Unsupported`](std::io::ErrorKind::Unsupported) where the feature for its compression is off.
pub fn decompress<'a>(mut input: impl BufRead + Send + 'a) -> Result<Box<dyn BufRead + Send + 'a>> {
    let mut head = Vec::with_capacity(Compression::HEAD_BYTES);
    // One `fill_buf` may yield a single byte, so some are taken and put back in front.
    input
        .by_ref()
        .take(Compression::HEAD_BYTES as u64)
        .read_to_end(&mut head)?;
    let compression = Compression::detect(&head);
    let whole = BufReader::new(Cursor::new(head).chain(input));
    match compression {
        Compression::None => Ok(Box::new(whole)),
        #[cfg(feature = "gzip")]
        Compression::Gzip => Ok(Box::new(BufReader::with_capacity(
            BUFFER_BYTES,
            flate2::bufread::MultiGzDecoder::new(whole),
        ))),
        #[cfg(feature = "zstd")]
        Compression::Zstd => Ok(Box::new(BufReader::with_capacity(
            BUFFER_BYTES,
            super::zstd::Frames::new(whole),
        ))),
        #[cfg(not(feature = "gzip"))]
        Compression::Gzip => Err(unsupported("gzip")),
        #[cfg(not(feature = "zstd"))]
        Compression::Zstd => Err(unsupported("zstd")),
    }
}

#[cfg(not(all(feature = "gzip", feature = "zstd")))]
fn unsupported(name: &str) -> std::io::Error {
    let message = format!("the file is compressed with {name}, whose feature is off");
    std::io::Error::new(std::io::ErrorKind::Unsupported, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "gzip")]
    fn gzip(text: &str) -> Vec<u8> {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[cfg(feature = "zstd")]
    fn zstd(text: &str) -> Vec<u8> {
        use ruzstd::encoding::{CompressionLevel, compress_to_vec};
        compress_to_vec(text.as_bytes(), CompressionLevel::Fastest)
    }

    fn read(bytes: &[u8]) -> Result<String> {
        let mut text = String::new();
        decompress(BufReader::with_capacity(1, bytes))?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn plain_text_passes() {
        for text in ["plain", "", "\u{1f}", "(", "RTCStatsDump\n"] {
            assert_eq!(read(text.as_bytes()).unwrap(), text);
        }
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn gzip_is_detected() {
        let members = [gzip("one\n"), gzip("two\n")].concat();
        assert_eq!(read(&members).unwrap(), "one\ntwo\n");
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn zstd_is_detected() {
        let long = "a line of a dump\n".repeat(50_000);
        let skipped = [0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3].to_vec();
        let frames = [
            skipped.clone(),
            zstd("one\n"),
            zstd(&long),
            skipped,
            zstd(""),
        ]
        .concat();
        assert_eq!(read(&frames).unwrap(), format!("one\n{long}"));
        let frame = zstd(&long);
        for length in 4..frame.len() {
            read(&frame[..length]).unwrap_err();
        }
    }

    #[cfg(not(feature = "zstd"))]
    #[test]
    fn a_compression_that_is_off_is_an_error() {
        let error = read(b"\x28\xB5\x2F\xFD\0\0").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    }
}
