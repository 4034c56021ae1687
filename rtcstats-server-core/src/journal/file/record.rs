//! One record of the write-ahead log.
//!
//! ```text
//! crc32 u32 | payload length u32 | offset u64 | kind u8 | name length u8 | 0 u16 | name | payload
//! ```
//!
//! Little endian. The checksum covers everything after it, and begins with the salt of the segment, so
//! that blocks of a deleted segment, should they show up in a new one, are no records of it.

use crate::DumpName;

/// The bytes of a record before its name.
pub(super) const HEADER_BYTES: usize = 20;

/// A record without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: RecordKind,
    pub(super) name: DumpName,
    /// Where the payload belongs in the log; for the other kinds, the length of the log.
    pub(super) offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordKind {
    Append,
    Finish,
    Remove,
}

/// The fixed part of a record, checked for what can be checked before the rest is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordHeader {
    crc: u32,
    kind: RecordKind,
    offset: u64,
    pub(super) name_bytes: usize,
    pub(super) payload_bytes: usize,
}

impl RecordKind {
    fn code(self) -> u8 {
        match self {
            Self::Append => 1,
            Self::Finish => 2,
            Self::Remove => 3,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Append, Self::Finish, Self::Remove]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

impl Record {
    /// Appends the record with its payload to `output`. `None`, with `output` unchanged, if it is too
    /// large for the format.
    pub(super) fn encode(&self, salt: u64, payload: &[u8], output: &mut Vec<u8>) -> Option<()> {
        let name = self.name.to_string();
        let payload_len = u32::try_from(payload.len()).ok()?;
        let name_len = u8::try_from(name.len()).ok()?;
        let mut header = [0_u8; HEADER_BYTES - 4];
        let (lengths, rest) = header.split_at_mut(4);
        lengths.copy_from_slice(&payload_len.to_le_bytes());
        let (offset, rest) = rest.split_at_mut(8);
        offset.copy_from_slice(&self.offset.to_le_bytes());
        let (codes, _reserved) = rest.split_at_mut(2);
        codes.copy_from_slice(&[self.kind.code(), name_len]);
        let crc = checksum(salt, &header, name.as_bytes(), payload);
        output.reserve(HEADER_BYTES + name.len() + payload.len());
        output.extend_from_slice(&crc.to_le_bytes());
        output.extend_from_slice(&header);
        output.extend_from_slice(name.as_bytes());
        output.extend_from_slice(payload);
        Some(())
    }
}

impl RecordHeader {
    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let (crc, rest) = bytes.split_first_chunk()?;
        let (payload_len, rest) = rest.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let [kind, name_len, 0, 0] = *rest else {
            return None;
        };
        Some(Self {
            crc: u32::from_le_bytes(*crc),
            kind: RecordKind::from_code(kind)?,
            offset: u64::from_le_bytes(*offset),
            name_bytes: usize::from(name_len),
            payload_bytes: usize::try_from(u32::from_le_bytes(*payload_len)).ok()?,
        })
    }

    /// The record, if the checksum is right.
    pub(super) fn check(
        &self,
        salt: u64,
        header: &[u8; HEADER_BYTES],
        name: &[u8],
        payload: &[u8],
    ) -> Option<Record> {
        if checksum(salt, header.get(4..)?, name, payload) != self.crc {
            return None;
        }
        Some(Record {
            kind: self.kind,
            name: std::str::from_utf8(name).ok()?.parse().ok()?,
            offset: self.offset,
        })
    }
}

fn checksum(salt: u64, header: &[u8], name: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(header);
    hasher.update(name);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_is_noticed_wherever_it_is() {
        let record = Record {
            kind: RecordKind::Append,
            name: "a-b_1".parse().unwrap(),
            offset: 7,
        };
        let mut bytes = Vec::new();
        record.encode(42, b"lines\n", &mut bytes).unwrap();
        let decode = |salt: u64, bytes: &[u8]| {
            let (head, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
            let header = RecordHeader::decode(head)?;
            if header.name_bytes + header.payload_bytes != rest.len() {
                return None;
            }
            let (name, payload) = rest.split_at(header.name_bytes);
            header.check(salt, head, name, payload)
        };
        assert_eq!(decode(42, &bytes), Some(record));
        assert_eq!(decode(43, &bytes), None, "of another segment");
        for position in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[position / 8] ^= 1 << (position % 8);
            assert_eq!(decode(42, &bytes), None, "bit {position}");
        }
    }
}
