//! Zstandard, frame after frame.

use std::io::{BufRead, Error, ErrorKind, Read, Result, copy, sink};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Reads the frames of `input`, of which there may be several, skippable ones included.
///
/// A frame whose window is above 100 MiB is an error, so memory is bounded.
pub(super) struct Frames<R> {
    input: R,
    decoder: FrameDecoder,
    /// There was an error: what the decoder holds is not to be relied on.
    is_broken: bool,
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            decoder: FrameDecoder::new(),
            is_broken: false,
        }
    }

    fn fill(&mut self, wanted: usize) -> Result<()> {
        while self.decoder.can_collect() < wanted {
            if self.decoder.is_finished() {
                if self.decoder.can_collect() > 0 || self.is_at_end()? {
                    return Ok(());
                }
                self.begin_frame()?;
            } else {
                let missing = wanted - self.decoder.can_collect();
                self.decoder
                    .decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBytes(missing))
                    .map_err(Error::other)?;
            }
        }
        Ok(())
    }

    fn is_at_end(&mut self) -> Result<bool> {
        loop {
            match self.input.fill_buf() {
                // Not an error: whoever reads would try again, and find the end.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result.map(<[u8]>::is_empty),
            }
        }
    }

    fn begin_frame(&mut self) -> Result<()> {
        match self.decoder.init(&mut self.input) {
            Ok(()) => Ok(()),
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let mut frame = self.input.by_ref().take(length.into());
                copy(&mut frame, &mut sink()).map(|_| ())
            }
            Err(error) => Err(Error::other(error)),
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.is_broken {
            return Ok(0);
        }
        self.is_broken = true;
        self.fill(buffer.len())?;
        let length = self.decoder.read(buffer)?;
        self.is_broken = false;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    /// Is interrupted before every read, and reads one frame at a time.
    struct Interrupted {
        frames: Vec<Vec<u8>>,
        is_due: bool,
    }

    impl Read for Interrupted {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            self.is_due = !self.is_due;
            if self.is_due {
                return Err(ErrorKind::Interrupted.into());
            }
            let Some(frame) = self.frames.pop() else {
                return Ok(0);
            };
            buffer[..frame.len()].copy_from_slice(&frame);
            Ok(frame.len())
        }
    }

    #[test]
    fn an_interruption_is_not_the_end() {
        let frame = |text: &[u8]| compress_to_vec(text, CompressionLevel::Fastest);
        let input = Interrupted {
            frames: vec![frame(b"two\n"), frame(b"one\n")],
            is_due: false,
        };
        let mut text = String::new();
        let mut frames = Frames::new(BufReader::new(input));
        frames.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }
}
