//! Compression, detected.

use std::io::{BufRead, BufReader, Read, Result};

use flate2::bufread::MultiGzDecoder;

/// How much decompressed text is buffered.
const BUFFER_BYTES: usize = 64 << 10;

/// Reads `input` decompressed if it is gzip (several members included), as it is otherwise.
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
/// Those of the input, while its first bytes are looked at.
pub fn decompress<'a>(mut input: impl BufRead + Send + 'a) -> Result<Box<dyn BufRead + Send + 'a>> {
    const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
    let mut head = Vec::with_capacity(GZIP_MAGIC.len());
    // One `fill_buf` may yield a single byte, so two are taken and put back in front.
    input
        .by_ref()
        .take(GZIP_MAGIC.len() as u64)
        .read_to_end(&mut head)?;
    let is_gzip = head == GZIP_MAGIC;
    let whole = BufReader::with_capacity(BUFFER_BYTES, std::io::Cursor::new(head).chain(input));
    if is_gzip {
        Ok(Box::new(BufReader::with_capacity(
            BUFFER_BYTES,
            MultiGzDecoder::new(whole),
        )))
    } else {
        Ok(Box::new(whole))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> String {
        let mut text = String::new();
        decompress(BufReader::with_capacity(1, bytes))
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    #[test]
    fn gzip_is_detected_and_plain_text_passes() {
        let members = [gzip("one\n"), gzip("two\n")].concat();
        assert_eq!(read(&members), "one\ntwo\n");
        assert_eq!(read(b"plain"), "plain");
        assert_eq!(read(b""), "");
        assert_eq!(read(b"\x1f"), "\u{1f}");
    }
}
