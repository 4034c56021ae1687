//! The name under which a session is stored (Jitsi spec, sections 5.3 and 9.3).

use std::fmt;
use std::str::FromStr;

use rtcstats_proto::jitsi::{SessionId, SessionIdError};
use serde::{Serialize, Serializer};

/// The name under which a session is stored: `<SessionId>`, and `<SessionId>_<n>` for what an id
/// brings after its first dump was completed. Safe as a file name and as an object key.
///
/// The parts are kept apart, and its text is read back to exactly the same parts. A session id that
/// itself ends in `_<number>` would be ambiguous, so its first name carries an explicit `_0`:
///
/// | id | [first](DumpName::first) | [next](DumpName::next) |
/// |---|---|---|
/// | `7c9e6679-7425` | `7c9e6679-7425` | `7c9e6679-7425_1` |
/// | `call_7` | `call_7_0` | `call_7_1` |
///
/// No two names share a text, whatever ids a remote chooses.
///
/// ```
/// use rtcstats_proto::jitsi::SessionId;
/// use rtcstats_server_core::DumpName;
///
/// let name = DumpName::first(SessionId::new("7c9e6679")?).next();
/// assert_eq!(name.to_string(), "7c9e6679_1");
/// assert_eq!("7c9e6679_1".parse::<DumpName>()?, name);
/// assert_eq!(name.session_id().as_str(), "7c9e6679");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DumpName {
    session: SessionId,
    number: u64,
}

/// Text that is the name of no dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DumpNameError {
    /// The part before the number is no session id.
    #[error(transparent)]
    Session(#[from] SessionIdError),
    /// It ends in `_0` without need, so that no [`DumpName`] is written like this.
    #[error("a dump name ends in _0 only after an id that ends in a number")]
    NeedlessZero,
}

impl DumpName {
    /// The longest text of a name, in bytes.
    pub const MAX_BYTES: usize = SessionId::MAX_BYTES + 1 + 20;

    /// The name of the first dump of a session.
    pub fn first(session: SessionId) -> Self {
        Self { session, number: 0 }
    }

    /// The name to try when this one is taken.
    #[must_use]
    pub fn next(&self) -> Self {
        Self {
            session: self.session.clone(),
            number: self.number.saturating_add(1),
        }
    }

    /// The name of an upload on its way: no session comes to this number. Under it nothing is archived.
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "drivers upload"))]
    pub(crate) fn upload(session: SessionId) -> Self {
        Self {
            session,
            number: u64::MAX,
        }
    }

    /// Whether it is the name of a session's first dump.
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "drivers ask"))]
    pub(crate) fn is_first(&self) -> bool {
        self.number == 0
    }

    /// Whether it is the name of an [upload](Self::upload).
    pub(crate) fn is_upload(&self) -> bool {
        self.number == u64::MAX
    }

    /// The name to archive it under.
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "drivers archive"))]
    pub(crate) fn archived(&self) -> Self {
        if self.is_upload() {
            Self::first(self.session.clone())
        } else {
            self.clone()
        }
    }

    /// The session, without what was appended to tell its dumps apart.
    pub fn session_id(&self) -> &SessionId {
        &self.session
    }
}

impl FromStr for DumpName {
    type Err = DumpNameError;

    /// Reads what [`DumpName`] displays.
    fn from_str(text: &str) -> Result<Self, DumpNameError> {
        match split_number(text) {
            Some((session, 0)) if split_number(session).is_none() => {
                SessionId::new(session)?;
                Err(DumpNameError::NeedlessZero)
            }
            Some((session, number)) => Ok(Self {
                session: SessionId::new(session)?,
                number,
            }),
            None => Ok(Self::first(SessionId::new(text)?)),
        }
    }
}

/// Splits a trailing `_<number>` off, if there is one as we would have written it: decimal, without
/// leading zeros, and with something before it.
fn split_number(text: &str) -> Option<(&str, u64)> {
    let (rest, digits) = text.rsplit_once('_')?;
    let is_canonical = digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    if rest.is_empty() || !is_canonical {
        return None;
    }
    Some((rest, digits.parse().ok()?))
}

impl fmt::Display for DumpName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.session.as_str())?;
        if self.number > 0 || split_number(self.session.as_str()).is_some() {
            write!(formatter, "_{}", self.number)?;
        }
        Ok(())
    }
}

impl From<SessionId> for DumpName {
    fn from(session: SessionId) -> Self {
        Self::first(session)
    }
}

impl Serialize for DumpName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first(id: &str) -> DumpName {
        DumpName::first(SessionId::new(id).unwrap())
    }

    #[test]
    fn an_id_that_ends_in_a_number_is_not_taken_for_a_later_dump_of_another() {
        let own = first("call_7");
        let mut other = first("call");
        for _ in 0..7 {
            other = other.next();
        }
        assert_eq!(other.to_string(), "call_7");
        assert_eq!(own.to_string(), "call_7_0");
        for name in [own, other] {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
    }

    #[test]
    fn only_what_was_appended_is_split_off() {
        for (text, session) in [
            ("a_b", "a_b"),
            ("a_01", "a_01"),
            ("_1", "_1"),
            ("a_1", "a"),
            ("a_1_2", "a_1"),
            ("a_99999999999999999999", "a_99999999999999999999"),
        ] {
            let name: DumpName = text.parse().unwrap();
            assert_eq!(name.session_id().as_str(), session);
            assert_eq!(name.to_string(), text);
        }
        assert_eq!("a_0".parse::<DumpName>(), Err(DumpNameError::NeedlessZero));
        for text in ["", "../a", "a.gz", "/_1", "a\0"] {
            assert!(text.parse::<DumpName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_longest_name_is_within_the_limit() {
        let name = DumpName {
            session: SessionId::new(&"a".repeat(SessionId::MAX_BYTES)).unwrap(),
            number: u64::MAX,
        };
        assert_eq!(name.to_string().len(), DumpName::MAX_BYTES);
        assert_eq!(name.to_string().parse(), Ok(name));
    }

    proptest! {
        #[test]
        fn a_name_is_read_back_to_its_parts(id in "[a_0-2]{1,12}", number in 0_u64..12) {
            let name = DumpName { session: SessionId::new(&id).unwrap(), number };
            prop_assert_eq!(name.to_string().parse(), Ok(name));
        }

        #[test]
        fn a_text_that_is_a_name_is_displayed_as_it_was(text in "[a_0-2]{1,14}") {
            if let Ok(name) = text.parse::<DumpName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
