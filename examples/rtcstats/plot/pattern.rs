//! Patterns of the names of series.

use std::fmt;
use std::str::FromStr;

/// A pattern: of a name, or of connection, object and name. `*` stands for any text; small and capital
/// letters are the same.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: String,
    parts: Option<[String; 2]>,
    name: String,
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty pattern; `*` stands for all series".to_owned());
        }
        let small = text.to_lowercase();
        // Names such as `[framesEncoded/s]` have slashes of their own.
        let mut parts = small.splitn(3, '/');
        let parts = (parts.next(), parts.next(), parts.next());
        let (parts, name) = match parts {
            (Some(connection), Some(object), Some(name)) if !small.starts_with('[') => (
                Some([connection.to_owned(), object.to_owned()]),
                name.to_owned(),
            ),
            _ => (None, small),
        };
        Ok(Self {
            text: text.to_owned(),
            parts,
            name,
        })
    }
}

impl Pattern {
    /// Whether a series is meant.
    pub(crate) fn is_like(&self, connection: &str, object: &str, name: &str) -> bool {
        let is_of = match &self.parts {
            Some([own_connection, own_object]) => {
                is_like(own_connection, &connection.to_lowercase())
                    && is_like(own_object, &object.to_lowercase())
            }
            None => true,
        };
        is_of && is_like(&self.name, &name.to_lowercase())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Takes each piece between stars where it is first, which is enough.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*') {
        let Some((_, after)) = text.split_once(piece) else {
            return false;
        };
        text = after;
    }
    text.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "ac", true),
            ("ab*ba", "aba", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
            ("*loss*", "packetlossrate", true),
            ("**", "x", true),
        ] {
            assert_eq!(is_like(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn slashes_in_names_are_no_parts() {
        let is_like = |pattern: &str, name: &str| {
            let pattern: Pattern = pattern.parse().unwrap();
            pattern.is_like("PC_0", "OT01", name)
        };
        assert!(is_like("[framesEncoded/s]", "[framesEncoded/s]"));
        assert!(is_like("[a/b/c]", "[a/b/c]"));
        assert!(is_like("PC_0/ot*/[framesEncoded/s]", "[framesEncoded/s]"));
        assert!(is_like("PACKETSLOST", "packetsLost"));
        assert!(!is_like("PC_1/*/packetsLost", "packetsLost"));
        assert!("".parse::<Pattern>().is_err());
    }
}
