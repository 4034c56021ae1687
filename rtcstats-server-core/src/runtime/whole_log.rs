//! A log that is read to its end, and not only as far as a server that is behind knows it.

use std::io::{self, BufRead, ErrorKind, Read};

/// A log of which so much is known to be there: what ends before fails.
///
/// Whoever completes a session removes its log afterwards. A part of it must not be taken for the whole.
pub(super) struct WholeLog<R> {
    log: R,
    missing: u64,
}

impl<R: BufRead> WholeLog<R> {
    pub(super) fn new(log: R, bytes: u64) -> Self {
        Self {
            log,
            missing: bytes,
        }
    }
}

impl<R: BufRead> BufRead for WholeLog<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let buffer = self.log.fill_buf()?;
        if buffer.is_empty() && self.missing > 0 {
            let error = "the log is shorter than it was when the session ended";
            return Err(io::Error::new(ErrorKind::UnexpectedEof, error));
        }
        Ok(buffer)
    }

    fn consume(&mut self, amount: usize) {
        self.missing = self.missing.saturating_sub(amount as u64);
        self.log.consume(amount);
    }
}

impl<R: BufRead> Read for WholeLog<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_shorter_than_it_was_is_an_error_and_a_longer_one_is_not() {
        let read = |bytes| {
            let mut text = String::new();
            let mut log = WholeLog::new(&b"one\ntwo\n"[..], bytes);
            log.read_to_string(&mut text).map(|_| text)
        };
        assert_eq!(read(8).unwrap(), "one\ntwo\n");
        assert_eq!(read(4).unwrap(), "one\ntwo\n");
        assert_eq!(read(9).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
