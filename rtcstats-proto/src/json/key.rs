//! Member names as they are compared with the text at the cursor.

/// A short member name with its quotes and colon, to be compared at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyWord {
    pub(super) bytes: u64,
    /// At most 8; 0 for a name that is too long.
    pub(super) length: u8,
}

impl KeyWord {
    pub(crate) const fn new(name: &str) -> Self {
        let name = name.as_bytes();
        let length = name.len() + 3;
        if length > 8 {
            return Self {
                bytes: 0,
                length: 0,
            };
        }
        let mut bytes = b'"' as u64;
        let mut rest = name;
        let mut place = 1;
        while let Some((byte, tail)) = rest.split_first() {
            bytes |= (*byte as u64) << (8 * place);
            rest = tail;
            place += 1;
        }
        bytes |= (b'"' as u64) << (8 * place) | (b':' as u64) << (8 * (place + 1));
        Self {
            bytes,
            length: length as u8,
        }
    }

    /// Whether the name is too long for a word.
    #[inline]
    pub(crate) fn is_long(self) -> bool {
        self.length == 0
    }
}

/// A member name with its quotes and colon; empty if it is written with escapes, so that it is nowhere
/// found.
pub(crate) fn quoted(name: &str) -> Box<str> {
    if is_plain(name) {
        format!("\"{name}\":").into()
    } else {
        Box::default()
    }
}

/// Whether a name is written without escapes.
pub(crate) fn is_plain(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
}

/// Whether `text` begins with `key`, which is not empty. Without a call: keys are short, and mostly found.
#[inline]
pub(super) fn begins_with(text: &[u8], key: &[u8]) -> bool {
    let Some(start) = text.get(..key.len()) else {
        return false;
    };
    match key.len() {
        0 => false,
        1..8 => std::iter::zip(start, key).all(|(left, right)| left == right),
        8..16 => is_same_at_ends::<8>(start, key),
        16..32 => is_same_at_ends::<16>(start, key),
        32..=64 => is_same_at_ends::<32>(start, key),
        _ => start == key,
    }
}

/// Whether two texts of the same length, `N` to twice that, are the same.
#[inline]
fn is_same_at_ends<const N: usize>(left: &[u8], right: &[u8]) -> bool {
    left.first_chunk::<N>() == right.first_chunk() && left.last_chunk::<N>() == right.last_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_where_every_byte_is_the_same() {
        for length in 1..80 {
            let key: Vec<u8> = (0..length).map(|byte| byte + b'0').collect();
            let mut text = key.clone();
            assert!(begins_with(&text, &key));
            text.extend_from_slice(b"behind");
            assert!(begins_with(&text, &key));
            for place in 0..key.len() {
                let mut other = text.clone();
                other[place] ^= 1;
                assert!(!begins_with(&other, &key));
                assert!(!begins_with(&text[..place], &key));
            }
        }
        assert!(!begins_with(b"text", b""));
    }

    #[test]
    fn a_name_that_needs_escapes_has_no_key() {
        assert_eq!(&*quoted("bytesSent"), "\"bytesSent\":");
        for name in ["a\"b", "a\\b", "\u{1f}"] {
            assert_eq!(&*quoted(name), "");
        }
    }
}
