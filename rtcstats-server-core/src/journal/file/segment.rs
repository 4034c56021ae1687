//! One file of the write-ahead log: a header, then records.
//!
//! ```text
//! "rtcswal1" | number u64 | salt u64 | previous number u64 | previous end u64 | crc32 u32
//! ```
//!
//! The header tells up to where the previous segment counts: what lies behind that was never
//! acknowledged, and what is missing before it was lost.

use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::disk::{Disk, DiskFile, OpenMode};
use super::record::{HEADER_BYTES, Record, RecordHeader};

const MAGIC: &[u8; 8] = b"rtcswal1";

/// The bytes of a segment before its first record.
pub(super) const SEGMENT_HEADER_BYTES: usize = 44;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) number: u64,
    pub(super) salt: u64,
    /// The segment before, and up to where it counts.
    pub(super) previous: Option<SegmentEnd>,
}

/// A segment, and where its last good record ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentEnd {
    pub(super) number: u64,
    pub(super) end: u64,
}

/// The path of a segment.
pub(super) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.log"))
}

/// The number in the file name of a segment.
pub(super) fn segment_number(file_name: &str) -> Option<u64> {
    let digits = file_name.strip_suffix(".log")?;
    let is_number = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        // Number 0 is never used, so it stands for none.
        let previous = self.previous.unwrap_or(SegmentEnd { number: 0, end: 0 });
        let mut bytes = MAGIC.to_vec();
        for field in [self.number, self.salt, previous.number, previous.end] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Option<Self> {
        let (fields, crc) = bytes.split_last_chunk()?;
        if crc32fast::hash(fields) != u32::from_le_bytes(*crc) {
            return None;
        }
        let rest = fields.strip_prefix(MAGIC)?;
        let (number, rest) = rest.split_first_chunk()?;
        let (salt, rest) = rest.split_first_chunk()?;
        let (previous_number, rest) = rest.split_first_chunk()?;
        let previous = SegmentEnd {
            number: u64::from_le_bytes(*previous_number),
            end: u64::from_le_bytes(*rest.first_chunk()?),
        };
        Some(Self {
            number: u64::from_le_bytes(*number),
            salt: u64::from_le_bytes(*salt),
            previous: (previous.number > 0).then_some(previous),
        })
    }
}

/// Reads the records of a segment up to the first that is torn.
pub(super) struct SegmentReader {
    input: BufReader<Box<dyn DiskFile>>,
    header: SegmentHeader,
    /// Where the last good record ended.
    position: u64,
    /// Where to stop.
    end: u64,
    name: Vec<u8>,
}

impl SegmentReader {
    /// Opens a segment. `None` if its header is torn, so that nothing in it was ever acknowledged.
    pub(super) fn open(disk: &dyn Disk, dir: &Path, number: u64) -> io::Result<Option<Self>> {
        let mut file = disk.open(&segment_path(dir, number), OpenMode::Read)?;
        let end = file.len()?;
        let mut input = BufReader::with_capacity(256 << 10, file);
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        if !read_whole(&mut input, &mut bytes)? {
            return Ok(None);
        }
        let header = SegmentHeader::decode(&bytes).filter(|header| header.number == number);
        Ok(header.map(|header| Self {
            input,
            header,
            position: SEGMENT_HEADER_BYTES as u64,
            end,
            name: Vec::new(),
        }))
    }

    pub(super) fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// Where the last record that was read ends.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// How long the file is.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Reads only up to `end`.
    pub(super) fn stop_at(&mut self, end: u64) {
        self.end = self.end.min(end);
    }

    /// The next record, its payload in `payload`. `None` at the end, and before a torn one.
    pub(super) fn next(&mut self, payload: &mut Vec<u8>) -> io::Result<Option<Record>> {
        let mut head = [0; HEADER_BYTES];
        let available = self.end.saturating_sub(self.position);
        if available < HEADER_BYTES as u64 || !read_whole(&mut self.input, &mut head)? {
            return Ok(None);
        }
        let Some(header) = RecordHeader::decode(&head) else {
            return Ok(None);
        };
        let length = HEADER_BYTES as u64 + header.name_bytes as u64 + header.payload_bytes as u64;
        // Before memory is spent on a length that may be garbage.
        if length > available {
            return Ok(None);
        }
        self.name.resize(header.name_bytes, 0);
        payload.resize(header.payload_bytes, 0);
        if !read_whole(&mut self.input, &mut self.name)? || !read_whole(&mut self.input, payload)? {
            return Ok(None);
        }
        let record = header.check(self.header.salt, &head, &self.name, payload);
        if record.is_some() {
            self.position += length;
        }
        Ok(record)
    }
}

/// Fills `buffer`, or tells that the file ended before.
fn read_whole(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
