//! Member names as small integers.

use std::collections::HashMap;

use super::Field;
use crate::json::{KeyWord, quoted};

/// A member name: a [`Field`], or one that the table does not know, numbered behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name(u16);

/// The names outside the table that one peer connection uses.
#[derive(Debug, Default)]
pub(crate) struct Names {
    unknown: Vec<Unknown>,
    by_text: HashMap<Box<str>, Name, foldhash::fast::RandomState>,
}

#[derive(Debug)]
struct Unknown {
    text: Box<str>,
    /// See [`quoted`].
    quoted: Box<str>,
}

impl From<Field> for Name {
    fn from(field: Field) -> Self {
        Self(field as u16)
    }
}

impl Name {
    /// A bit that it shares with few other names.
    #[inline]
    pub(crate) fn mark(self) -> u128 {
        1 << (self.0 % 128)
    }

    /// Its key in rtcstats 5.0, if it is known.
    #[inline]
    pub(crate) fn key_word(self) -> Option<KeyWord> {
        Field::KEY_WORDS.get(usize::from(self.0)).copied()
    }

    /// The known member that it is, if it is one.
    pub(crate) fn field(self) -> Option<Field> {
        Field::ALL.get(usize::from(self.0)).copied()
    }

    /// See [`Field::is_descriptive`].
    pub(crate) fn is_descriptive(self) -> bool {
        self.field().is_some_and(Field::is_descriptive)
    }

    #[inline]
    pub(crate) fn is(self, field: Field) -> bool {
        self.0 == field as u16
    }
}

/// Tells names that certainly have not come yet from those that may have.
#[derive(Debug, Default)]
pub(crate) struct NameFilter([u64; 8]);

impl NameFilter {
    /// Adds a name; `true` if it is certainly new.
    #[inline]
    pub(crate) fn insert(&mut self, name: Name) -> bool {
        let number = usize::from(name.0);
        let bit = 1 << (number % 64);
        let Some(word) = self.0.get_mut(number / 64 % 8) else {
            return false;
        };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

impl Names {
    /// The name as text.
    #[inline]
    pub(crate) fn text(&self, name: Name) -> &str {
        match Field::NAMES.get(usize::from(name.0)) {
            Some(text) => text,
            None => self.unknown(name).map_or("", |unknown| &unknown.text),
        }
    }

    /// The name with quotes and colon, see [`quoted`].
    #[inline]
    pub(crate) fn quoted(&self, name: Name) -> &str {
        match Field::QUOTED.get(usize::from(name.0)) {
            Some(quoted) => quoted,
            None => self.unknown(name).map_or("", |unknown| &unknown.quoted),
        }
    }

    fn unknown(&self, name: Name) -> Option<&Unknown> {
        self.unknown
            .get(usize::from(name.0).checked_sub(Field::ALL.len())?)
    }

    /// The name with this text, if it was met before.
    pub(crate) fn find(&self, text: &str) -> Option<Name> {
        Field::from_name(text)
            .map(Name::from)
            .or_else(|| self.by_text.get(text).copied())
    }

    /// The name with this text; `None` if it is new and there are `limit` unknown ones already.
    pub(crate) fn intern(&mut self, text: &str, limit: usize) -> Option<Name> {
        if let Some(name) = self.find(text) {
            return Some(name);
        }
        if self.unknown.len() >= limit {
            return None;
        }
        let name = Name(u16::try_from(Field::ALL.len() + self.unknown.len()).ok()?);
        self.unknown.push(Unknown {
            text: text.into(),
            quoted: quoted(text),
        });
        self.by_text.insert(text.into(), name);
        Some(name)
    }
}
