//! Session ids: checked before they touch anything.

use std::fmt;

/// A `statsSessionId`: one or more of `A-Z a-z 0-9 _ -`, at most [`SessionId::MAX_BYTES`]. Safe as a
/// file name, a URL segment and a metric label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Box<str>);

/// Text that cannot be a session id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionIdError {
    /// No text at all.
    #[error("statsSessionId is missing or empty")]
    Missing,
    /// Longer than [`SessionId::MAX_BYTES`].
    #[error(
        "statsSessionId of {length} bytes is over the limit of {}",
        SessionId::MAX_BYTES
    )]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// Something else than letters, digits, `_` and `-`.
    #[error("statsSessionId has a character that is not allowed at byte {offset}")]
    Character {
        /// Where.
        offset: usize,
    },
}

impl SessionId {
    /// The longest id; clients send UUIDs of 36. With a suffix it must fit into a file name.
    pub const MAX_BYTES: usize = 128;

    /// Checks an id.
    ///
    /// # Errors
    ///
    /// If it is empty, too long, or has other characters than `A-Z a-z 0-9 _ -`.
    pub fn new(text: &str) -> Result<Self, SessionIdError> {
        check(text)?;
        Ok(Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(super) fn check(text: &str) -> Result<(), SessionIdError> {
    if text.is_empty() {
        return Err(SessionIdError::Missing);
    }
    if text.len() > SessionId::MAX_BYTES {
        return Err(SessionIdError::TooLong { length: text.len() });
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    match text.bytes().position(|byte| !is_allowed(byte)) {
        Some(offset) => Err(SessionIdError::Character { offset }),
        None => Ok(()),
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl AsRef<str> for SessionId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for SessionId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_could_leave_a_directory_are_refused() {
        for id in ["..", "a/b", "a\\b", "a.gz", "é", "a b", "a\0"] {
            assert!(
                matches!(SessionId::new(id), Err(SessionIdError::Character { .. })),
                "{id}"
            );
        }
        assert_eq!(SessionId::new(""), Err(SessionIdError::Missing));
        assert_eq!(
            SessionId::new(&"a".repeat(129)),
            Err(SessionIdError::TooLong { length: 129 })
        );
        assert!(SessionId::new("7c9e6679-7425-40de_944b").is_ok());
    }
}
