//! JSON strings: escapes both ways.

use std::borrow::Cow;

/// The text between the quotes of a validated JSON string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    /// As written, without the quotes.
    pub(crate) written: &'a str,
    /// Whether it holds a backslash.
    pub(crate) escaped: bool,
}

impl<'a> Text<'a> {
    /// The text with its escapes resolved. A lone surrogate, which JavaScript allows and UTF-8
    /// does not, becomes U+FFFD.
    pub(crate) fn resolve(self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(self.written);
        }
        let mut out = String::with_capacity(self.written.len());
        unescape_into(self.written, &mut out);
        Cow::Owned(out)
    }
}

/// Appends `written` (the inside of a JSON string) to `out`, escapes resolved.
///
/// Malformed escapes, which a validated string does not have, become U+FFFD.
pub(crate) fn unescape_into(written: &str, out: &mut String) {
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written.as_bytes();
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        // Copied whole, and cut where an escape begins: that costs less than to copy piece by piece.
        bytes.extend_from_slice(chunk);
        let clean = bytes_before_backslash(*chunk);
        if clean == chunk.len() {
            rest = tail;
            continue;
        }
        bytes.truncate(bytes.len() - chunk.len() + clean);
        rest = unescape_one(rest.get(clean..).unwrap_or_default(), &mut bytes);
    }
    while let Some((byte, tail)) = rest.split_first() {
        if *byte == b'\\' {
            rest = unescape_one(rest, &mut bytes);
        } else {
            bytes.push(*byte);
            rest = tail;
        }
    }
    // Whole characters went in, so they come out.
    out.push_str(std::str::from_utf8(&bytes).unwrap_or_default());
}

#[inline]
fn bytes_before_backslash(bytes: [u8; 8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let others = u64::from_le_bytes(bytes) ^ (ONES * b'\\' as u64);
    // The lowest byte that is marked is a zero; those above it need not be.
    let hits = others.wrapping_sub(ONES) & !others & HIGHS;
    (hits.trailing_zeros() / 8) as usize
}

/// Resolves the escape that `text` begins with, and returns what follows it.
#[inline]
fn unescape_one<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let resolved = match text.get(1) {
        Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
        Some(b'b') => 0x08,
        Some(b'f') => 0x0C,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'u') => {
            let (character, length) = unicode_escape(text);
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return text.get(length..).unwrap_or_default();
        }
        _ => {
            let replacement = char::REPLACEMENT_CHARACTER;
            out.extend_from_slice(replacement.encode_utf8(&mut [0; 4]).as_bytes());
            return text.get(1..).unwrap_or_default();
        }
    };
    out.push(resolved);
    text.get(2..).unwrap_or_default()
}

/// Resolves `\uXXXX`, or two of them: the character, and how many bytes it took.
fn unicode_escape(text: &[u8]) -> (char, usize) {
    let Some(first) = hex4(text, 2) else {
        return (char::REPLACEMENT_CHARACTER, 2);
    };
    if let Some(character) = char::from_u32(first) {
        return (character, 6);
    }
    let is_high = (0xD800..0xDC00).contains(&first);
    let second = match text.get(6..8) {
        Some(b"\\u") if is_high => hex4(text, 8),
        _ => None,
    };
    match second {
        Some(second) if (0xDC00..0xE000).contains(&second) => {
            let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            (character, 12)
        }
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

fn hex4(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    digits
        .iter()
        .try_fold(0, |sum, byte| Some(sum << 4 | digit(byte)?))
}

/// Appends `text` to `out` as a JSON string, quotes included, escaped as `JSON.stringify` does:
/// only `"`, `\` and control characters.
///
/// ```
/// let mut out = String::new();
/// rtcstats_proto::json::write_text("a \"b\"\n", &mut out);
/// assert_eq!(out, r#""a \"b\"\n""#);
/// ```
pub fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut clean_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            0x0C => "\\f",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x00..0x20 => "",
            _ => continue,
        };
        out.push_str(text.get(clean_from..at).unwrap_or_default());
        clean_from = at + 1;
        if short.is_empty() {
            out.push_str("\\u00");
            out.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            out.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        } else {
            out.push_str(short);
        }
    }
    out.push_str(text.get(clean_from..).unwrap_or_default());
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(written: &str) -> String {
        let mut out = String::new();
        unescape_into(written, &mut out);
        out
    }

    #[test]
    fn surrogate_pairs_join_and_lone_ones_become_the_replacement_character() {
        assert_eq!(unescaped(r"\ud83d\ude00"), "😀");
        assert_eq!(unescaped(r"a\ud83dz"), "a\u{FFFD}z");
        assert_eq!(unescaped(r"\ude00\ud83d"), "\u{FFFD}\u{FFFD}");
        assert_eq!(unescaped(r"\ud83d\u0041"), "\u{FFFD}A");
        assert_eq!(unescaped(r"\ud83d\ud83d\ude00"), "\u{FFFD}😀");
    }

    #[test]
    fn short_escapes_resolve() {
        assert_eq!(unescaped(r#"\"\\\/\b\f\n\r\tx"#), "\"\\/\u{8}\u{c}\n\r\tx");
    }

    #[test]
    fn escapes_resolve_wherever_they_stand() {
        for before in 0..20 {
            for after in 0..20 {
                let (before, after) = ("ä".repeat(before), "ö".repeat(after));
                for (written, character) in
                    [("\\\"", '"'), ("\\u00e9", 'é'), (r"\ud83d\ude00", '😀')]
                {
                    assert_eq!(
                        unescaped(&format!("{before}{written}{after}{written}")),
                        format!("{before}{character}{after}{character}")
                    );
                }
            }
        }
    }

    #[test]
    fn control_characters_are_written_as_json_stringify_does() {
        let mut out = String::new();
        write_text("\u{1}\u{1f}\u{7f}é", &mut out);
        assert_eq!(out, "\"\\u0001\\u001f\u{7f}é\"");
    }
}
