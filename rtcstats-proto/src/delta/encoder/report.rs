//! One report as a list of places in its text.

use std::borrow::Cow;
use std::ops::Range;

use crate::RawJson;
use crate::json::{JsonKind, Reader, Text, write_text};
use crate::stats::{Field, array_index};

/// A report: its text, and where in it everything is.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) text: String,
    /// Ids and values that are not in the text as `JSON.stringify` writes them.
    pub(super) rewritten: String,
    /// Every id once, where it first came.
    pub(super) objects: Vec<Object>,
    /// The members of each object, every name once, where it first came.
    pub(super) members: Vec<Member>,
    /// For each object the places of members that are not as in the previous report, JavaScript's
    /// `!==`: nested values always, and all members of an object that is new.
    pub(super) changed: Vec<u32>,
}

/// One object.
#[derive(Debug, Clone)]
pub(super) struct Object {
    /// Where its key begins in the text, and where its members or its value do.
    pub(super) start: u32,
    pub(super) inside: u32,
    /// The id as JSON text, quotes included.
    pub(super) id: Part,
    pub(super) content: Content,
    pub(super) members: Range<u32>,
    pub(super) changed: Range<u32>,
    /// Its place in the previous report.
    pub(super) known: Option<u32>,
}

/// What there is in the place of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Object,
    /// Its elements are its members.
    Array,
    Scalar(Part),
}

/// One member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// None if the name is not known, and for elements of arrays.
    pub(super) field: Option<Field>,
    pub(super) kind: JsonKind,
    /// Where in the text the key begins, and the value begins and ends.
    pub(super) key: u32,
    pub(super) start: u32,
    pub(super) end: u32,
    /// The value as `JSON.stringify` writes it; nested ones as they came.
    pub(super) value: Part,
}

/// A part of [`Report::text`] or [`Report::rewritten`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// The highest bit tells that it is in [`Report::rewritten`].
    start: u32,
    length: u32,
}

impl Part {
    const REWRITTEN: u32 = 1 << 31;

    pub(super) fn in_text(start: u32, end: u32) -> Self {
        Self {
            start,
            length: end - start,
        }
    }

    fn in_rewritten(start: usize, end: usize) -> Self {
        Self {
            start: narrow(start) | Self::REWRITTEN,
            length: narrow(end - start),
        }
    }

    #[inline]
    fn is_rewritten(self) -> bool {
        self.start & Self::REWRITTEN != 0
    }
}

/// A place in a report. In bounds: a report is not longer than [`Report::MAX_BYTES`], and what is
/// rewritten of it at most five times as long.
#[inline]
pub(super) fn narrow(place: usize) -> u32 {
    u32::try_from(place).unwrap_or_default()
}

impl Member {
    pub(super) fn is(self, field: Field) -> bool {
        self.field == Some(field)
    }

    #[inline]
    pub(super) fn is_nested(self) -> bool {
        matches!(self.kind, JsonKind::Array | JsonKind::Object)
    }

    /// Bytes of the value that count as text.
    #[inline]
    pub(super) fn text_bytes(self) -> usize {
        match self.kind {
            JsonKind::Null | JsonKind::Bool | JsonKind::Number => 0,
            JsonKind::Text | JsonKind::Array | JsonKind::Object => (self.end - self.start) as usize,
        }
    }
}

impl Object {
    /// Whether it may have members.
    pub(super) fn has_members(&self) -> bool {
        !matches!(self.content, Content::Scalar(_))
    }
}

impl Report {
    /// Longer texts cannot be read. Numbers grow most when they are rewritten: `1e20` to 21 digits.
    pub(super) const MAX_BYTES: usize = (u32::MAX >> 4) as usize;

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.rewritten.clear();
        self.objects.clear();
        self.members.clear();
        self.changed.clear();
    }

    #[inline]
    pub(super) fn part(&self, part: Part) -> &str {
        let text = if part.is_rewritten() {
            &self.rewritten
        } else {
            &self.text
        };
        let start = (part.start & !Part::REWRITTEN) as usize;
        text.get(start..start + part.length as usize)
            .unwrap_or_default()
    }

    /// What `write` appends to the rewritten texts.
    pub(super) fn rewrite(&mut self, write: impl FnOnce(&mut String)) -> Part {
        let start = self.rewritten.len();
        write(&mut self.rewritten);
        Part::in_rewritten(start, self.rewritten.len())
    }

    /// A text between quotes at `start`, which ends before `end`, as `JSON.stringify` writes it.
    pub(super) fn text_part(&mut self, text: Text<'_>, start: u32, end: u32) -> Part {
        let written = Part::in_text(start, end);
        if !text.escaped {
            return written;
        }
        let rewritten = self.rewrite(|out| write_text(&text.resolve(), out));
        self.shorter(written, rewritten)
    }

    /// `written` if it is the same as `rewritten`, which is the last, and then given back.
    pub(super) fn shorter(&mut self, written: Part, rewritten: Part) -> Part {
        if self.part(written) != self.part(rewritten) {
            return rewritten;
        }
        let start = self.rewritten.len() - rewritten.length as usize;
        self.rewritten.truncate(start);
        written
    }

    /// A part of another report, `shift` bytes further in the text of this one.
    #[inline]
    pub(super) fn adopt(&mut self, part: Part, from: &Self, shift: u32) -> Part {
        if part.is_rewritten() {
            return self.rewrite(|out| out.push_str(from.part(part)));
        }
        Part {
            start: part.start.wrapping_add(shift),
            ..part
        }
    }

    /// The id of an object as JSON text.
    pub(super) fn id(&self, object: &Object) -> &str {
        self.part(object.id)
    }

    /// The id of an object.
    pub(super) fn resolved_id(&self, object: &Object) -> Cow<'_, str> {
        let id = RawJson::trusted(self.id(object));
        id.as_text().unwrap_or_default()
    }

    #[inline]
    pub(super) fn value(&self, member: Member) -> RawJson<'_> {
        RawJson::trusted(self.part(member.value))
    }

    /// The members of an object, or the elements of an array.
    pub(super) fn members(&self, object: &Object) -> &[Member] {
        let range = object.members.start as usize..object.members.end as usize;
        self.members.get(range).unwrap_or_default()
    }

    /// The places of those that changed.
    pub(super) fn changed_places(&self, object: &Object) -> &[u32] {
        let range = object.changed.start as usize..object.changed.end as usize;
        self.changed.get(range).unwrap_or_default()
    }

    /// The members of an object that changed.
    pub(super) fn changed(&self, object: &Object) -> impl DoubleEndedIterator<Item = Member> {
        let places = self.changed_places(object).iter();
        places.filter_map(|place| self.members.get(*place as usize).copied())
    }

    /// The name of a member of an object.
    pub(super) fn name(&self, member: Member) -> Cow<'_, str> {
        match member.field {
            Some(field) => Cow::Borrowed(field.as_str()),
            None => self.key(member).resolve(),
        }
    }

    /// The same of the member at a place; the index of an element of an array.
    pub(super) fn name_in(&self, object: &Object, place: u32, member: Member) -> Cow<'_, str> {
        match object.content {
            Content::Array => Cow::Owned((place - object.members.start).to_string()),
            _ => self.name(member),
        }
    }

    /// The key of a member of an object.
    fn key(&self, member: Member) -> Text<'_> {
        let key = self.text.get(member.key as usize..member.start as usize);
        let key = Reader::new(key.unwrap_or_default(), 0).key();
        key.unwrap_or(Text {
            written: "",
            escaped: false,
        })
    }

    /// Name and value of a member as JSON text, if they stand in the text as they are to be written.
    pub(super) fn pair(&self, member: Member) -> Option<&str> {
        let (name, is_plain) = match member.field {
            Some(field) => (field.as_str(), true),
            None => {
                let key = self.key(member);
                (key.written, !key.escaped)
            }
        };
        // Spaces and escapes would make it longer.
        let is_dense = (member.start - member.key) as usize == name.len() + "\"\":".len();
        if !is_plain || !is_dense || member.value.is_rewritten() {
            return None;
        }
        self.text.get(member.key as usize..member.end as usize)
    }

    /// The place of the member of an object that has this name.
    pub(super) fn find(&self, object: &Object, field: Option<Field>, name: &str) -> Option<u32> {
        match object.content {
            Content::Scalar(_) => None,
            Content::Array => {
                let place = object.members.start.checked_add(array_index(name)?)?;
                object.members.contains(&place).then_some(place)
            }
            Content::Object => {
                let is_it = |member: &Member| {
                    member.field == field && (field.is_some() || self.name(*member) == name)
                };
                let place = self.members(object).iter().position(is_it)?;
                Some(object.members.start + narrow(place))
            }
        }
    }

    /// Gives back what an unusually large report made the lists grow to.
    pub(super) fn shrink(&mut self) {
        const ALWAYS_KEPT: usize = 1_024;
        let most = |length: usize| 4 * length.max(ALWAYS_KEPT);
        let (texts, members) = (most(self.text.len()), most(self.members.len()));
        if self.text.capacity() > texts || self.members.capacity() > members {
            self.text.shrink_to_fit();
            self.rewritten.shrink_to_fit();
            self.objects.shrink_to_fit();
            self.members.shrink_to_fit();
            self.changed.shrink_to_fit();
        }
    }
}
