//! How the dialects spell the names of members.

use crate::json::Reader;
use crate::stats::{Field, Name, Stats};

/// The keys of a dialect. A parameter at compile time, as every member is read by it.
pub(in crate::delta) trait Spelling {
    /// Whether known members have short keys, nested values are added to, and of a member that comes twice in
    /// an object only the one that counts is wanted (rtcstats 5.0).
    const IS_NUMBERED: bool;

    /// The key that a report's own timestamp has.
    const TIMESTAMP: &'static str;

    /// Consumes the key of a member if it stands at the cursor in its usual spelling.
    fn take_key(reader: &mut Reader<'_>, stats: &Stats, name: Name) -> bool;

    /// Which of these members' key is at the cursor, if that can be told without comparing; consumes
    /// it.
    fn take_one_of(reader: &mut Reader<'_>, names: &[Name]) -> Option<usize>;

    /// The member that has this key; `None` if it is new and there are `limit` unknown ones already.
    fn intern(stats: &mut Stats, key: &str, limit: usize) -> Option<Name>;

    /// Whether `key` is the short one of a member that has two.
    fn is_short(key: &str, name: Name) -> bool;
}

/// Names as in `getStats()`.
#[derive(Debug)]
pub(in crate::delta) struct Full;

impl Spelling for Full {
    const IS_NUMBERED: bool = false;
    const TIMESTAMP: &'static str = Field::Timestamp.as_str();

    #[inline(always)]
    fn take_key(reader: &mut Reader<'_>, stats: &Stats, name: Name) -> bool {
        reader.take_key(stats.quoted_name(name))
    }

    #[inline]
    fn take_one_of(_: &mut Reader<'_>, _: &[Name]) -> Option<usize> {
        None
    }

    fn intern(stats: &mut Stats, key: &str, limit: usize) -> Option<Name> {
        stats.intern(key, limit)
    }

    fn is_short(_: &str, _: Name) -> bool {
        false
    }
}

/// The numbers of rtcstats 5.0 for known members, `t` for timestamps; full names are understood too.
#[derive(Debug)]
pub(in crate::delta) struct Numbered;

impl Spelling for Numbered {
    const IS_NUMBERED: bool = true;
    const TIMESTAMP: &'static str = Field::Timestamp.key();

    #[inline(always)]
    fn take_key(reader: &mut Reader<'_>, stats: &Stats, name: Name) -> bool {
        match name.key_word() {
            Some(word) if !word.is_long() => reader.take_key_word(word),
            _ => match take_long_key(*reader, stats, name) {
                Some(behind) => {
                    *reader = behind;
                    true
                }
                None => false,
            },
        }
    }

    #[inline]
    fn take_one_of(reader: &mut Reader<'_>, names: &[Name]) -> Option<usize> {
        let (number, length) = reader.number_key()?;
        let name = Name::from(Field::from_number(number)?);
        let position = names.iter().position(|own| *own == name)?;
        reader.advance(length);
        Some(position)
    }

    fn intern(stats: &mut Stats, key: &str, limit: usize) -> Option<Name> {
        match Field::from_key(key) {
            Some(field) => Some(field.into()),
            None => stats.intern(key, limit),
        }
    }

    fn is_short(key: &str, name: Name) -> bool {
        name.field()
            .is_some_and(|field| field.key() == key && field.as_str() != key)
    }
}

/// The key of a member without a number, by value so that the reader can be kept in registers.
#[inline(never)]
fn take_long_key<'a>(mut reader: Reader<'a>, stats: &Stats, name: Name) -> Option<Reader<'a>> {
    reader.take_key(stats.quoted_name(name)).then_some(reader)
}
