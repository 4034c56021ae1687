//! A dump file: its lines do not depend on how it is buffered or compressed, and are bounded.
//!
//! The first byte of the input is the capacity of the buffer, the rest is the file.

#![no_main]

use std::io::{BufReader, Write};

use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use rtcstats_proto::dump::{Compression, LineReader, decompress};
use rtcstats_proto::{EventError, Limits};

const LINE_BYTES: usize = 256;

fuzz_target!(|input: &[u8]| {
    let Some((&capacity, file)) = input.split_first() else {
        return;
    };
    let capacity = 1 + usize::from(capacity);
    let (whole, is_complete) = lines(file, file.len().max(1));
    let (buffered, is_buffered_complete) = lines(file, capacity);
    if is_complete && is_buffered_complete {
        assert_eq!(whole, buffered);
    } else {
        // How much comes out of damaged compression before the error is up to the buffers.
        assert!(
            whole
                .iter()
                .zip(&buffered)
                .all(|(left, right)| left == right)
        );
    }
    if Compression::detect(file) == Compression::None {
        assert!(is_complete);
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(file).expect("memory takes everything");
        let gzip = gzip.finish().expect("memory takes everything");
        assert_eq!((whole, true), lines(&gzip, capacity));
    }
});

/// The lines, those over the limit as `None`, and whether the file ended without an error.
fn lines(file: &[u8], capacity: usize) -> (Vec<Option<String>>, bool) {
    let limits = Limits {
        line_bytes: LINE_BYTES,
        ..Limits::default()
    };
    let mut lines = Vec::new();
    let Ok(input) = decompress(BufReader::with_capacity(capacity, file)) else {
        return (lines, false);
    };
    let mut reader = LineReader::with_limits(BufReader::with_capacity(capacity, input), limits);
    loop {
        let line = match reader.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return (lines, true),
            Err(_) => return (lines, false),
        };
        assert_eq!(line.number(), lines.len() as u64 + 1);
        // A byte that is no UTF-8 becomes three.
        assert!(line.as_str().len() <= LINE_BYTES * 3);
        assert!(!line.as_str().contains(['\n', '\r']));
        let is_oversize = match line.event() {
            Err(error) => {
                matches!(error.error, EventError::TooLong { length, .. } if length > LINE_BYTES)
                    && line.as_str().is_empty()
            }
            Ok(_) => false,
        };
        lines.push((!is_oversize).then(|| line.as_str().to_owned()));
    }
}
