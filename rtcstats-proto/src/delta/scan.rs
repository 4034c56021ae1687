//! Reads the text of a report against what is known of it already, without changing that.
//!
//! Clients send the same ids and the same members in the same order again and again. So the next id
//! and the next member are guessed from the previous report and compared in place; a right guess
//! costs neither a search for the closing quote nor a lookup. What was read is a flat list, which is
//! applied only when the whole line has proved to be good.

mod bounds;
mod guess;
mod known;
mod member;
mod scanned;
mod spelling;

use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use self::bounds::{check, check_characters, check_name};
use self::guess::guess_object;
pub(super) use self::scanned::{
    Content, NO_POSITION, ScannedMember, ScannedObject, ScannedValue, Span, Target,
};
pub(super) use self::spelling::{Full, Numbered, Spelling};
use super::{DeltaError, DeltaLimit};
use crate::Limits;
use crate::json::{Reader, Text, Token, unescape_into};
use crate::stats::{Field, NewValue, SHORT_BYTES, Stats};

/// What a report says, line by line reused.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) objects: Vec<ScannedObject>,
    pub(super) members: Vec<ScannedMember>,
    /// Texts that had escapes, resolved.
    resolved: String,
    /// The report's own `timestamp`, where it is not an object's.
    pub(super) timestamp: Option<ScannedValue>,
    /// Objects that were known before.
    pub(super) known: usize,
    /// Whether one of them came twice.
    has_repeated: bool,
    /// The members of the last object that was not.
    last_new: Range<usize>,
    /// Members that have a short key and came with their full name.
    spelled_out: Vec<usize>,
    /// At most so many values and bytes of text come on top.
    added_values: usize,
    added_text: usize,
}

impl Scan {
    /// Reads a report. On an error the scan must not be applied.
    pub(super) fn read<S: Spelling>(
        &mut self,
        text: &str,
        stats: &mut Stats,
        limits: &Limits,
        take_timestamp: bool,
    ) -> Result<(), DeltaError> {
        check(text.len(), DeltaLimit::TextBytes, Span::MAX, Span::MAX)?;
        self.objects.clear();
        self.members.clear();
        self.resolved.clear();
        self.spelled_out.clear();
        self.timestamp = None;
        (self.known, self.added_values, self.added_text) = (0, 0, 0);
        (self.has_repeated, self.last_new) = (false, 0..0);
        stats.begin_attempt();

        let mut reader = Reader::new(text, limits.depth);
        if reader.peek() != Some(b'{') {
            reader.value()?;
            reader.finish()?;
            return Err(DeltaError::Shape);
        }
        reader.expect(b'{')?;
        let mut previous = None;
        let mut open = !reader.take(b'}');
        while open {
            if take_timestamp && reader.take_plain_key(S::TIMESTAMP) {
                self.timestamp = Some(self.read_value(&mut reader)?);
            } else {
                self.read_entry::<S>(&mut reader, stats, limits, &mut previous, take_timestamp)?;
            }
            open = reader.more(b'}')?;
        }
        reader.finish()?;
        self.check_total(stats, limits, reader.position())?;
        self.join_repeated(text);
        Ok(())
    }

    /// One id and its object.
    fn read_entry<S: Spelling>(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &mut Stats,
        limits: &Limits,
        previous: &mut Option<u32>,
        take_timestamp: bool,
    ) -> Result<(), DeltaError> {
        let offset = reader.position();
        let target = match guess_object(reader, stats, *previous) {
            Some(slot) => Target::Known(slot),
            None => {
                let id = reader.key()?;
                check_name(id, limits, offset)?;
                if take_timestamp && id.resolve() == S::TIMESTAMP {
                    self.timestamp = Some(self.read_value(reader)?);
                    return Ok(());
                }
                self.find_object(id, reader, stats)
            }
        };
        if let Target::Known(slot) = target {
            stats.set_follower(*previous, slot);
            *previous = Some(slot);
            self.mark_seen(slot, stats);
        }
        let content = self.read_content::<S>(reader, stats, target, limits)?;
        self.objects.push(ScannedObject {
            target,
            content,
            offset,
        });
        // Not only at the end, or a line could make the lists grow far beyond the limits.
        self.check_lists(limits, offset)
    }

    #[cold]
    fn find_object<'a>(&mut self, id: Text<'a>, reader: &Reader<'a>, stats: &Stats) -> Target {
        match stats.find(&id.resolve()) {
            Some(slot) => Target::Known(slot),
            None => Target::New(self.span(id, reader)),
        }
    }

    #[inline]
    fn mark_seen(&mut self, slot: u32, stats: &mut Stats) {
        let attempt = stats.attempts;
        let Some(known) = stats.slot_mut(slot) else {
            return;
        };
        if known.seen == attempt {
            self.has_repeated = true;
        } else {
            known.seen = attempt;
            self.known += 1;
        }
    }

    /// Of an id that comes again in the same report JavaScript knows the later value, in the
    /// earlier place.
    fn join_repeated(&mut self, source: &str) {
        let new = self.objects.len() - self.known;
        if new < 2 && !self.has_repeated {
            return;
        }
        let mut places =
            HashMap::with_capacity_and_hasher(self.objects.len(), RandomState::default());
        let mut repeated = Vec::new();
        for (place, object) in self.objects.iter().enumerate() {
            let key = match object.target {
                Target::Known(slot) => Ok(slot),
                Target::New(span) => Err(span.text(source, &self.resolved)),
            };
            match places.entry(key) {
                Entry::Occupied(first) => repeated.push((*first.get(), place)),
                Entry::Vacant(entry) => {
                    entry.insert(place);
                }
            }
        }
        for (first, later) in &repeated {
            let (head, tail) = self.objects.split_at_mut(*later);
            if let (Some(first), Some(later)) = (head.get_mut(*first), tail.first_mut()) {
                std::mem::swap(&mut first.content, &mut later.content);
            }
        }
        let mut superseded = repeated.iter().map(|(_, later)| *later).peekable();
        let mut place = 0;
        self.objects.retain(|_| {
            let is_kept = superseded.next_if_eq(&place).is_none();
            place += 1;
            is_kept
        });
    }

    fn read_content<S: Spelling>(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &mut Stats,
        target: Target,
        limits: &Limits,
    ) -> Result<Content, DeltaError> {
        let start = self.members.len();
        match reader.peek() {
            Some(b'{') => {
                match target {
                    Target::Known(slot) => {
                        self.read_known_members::<S>(reader, stats, slot, limits)?;
                    }
                    Target::New(_) => self.read_members::<S>(reader, stats, limits)?,
                }
                Ok(Content::Object(start..self.members.len()))
            }
            Some(b'[') => {
                let slot = match target {
                    Target::Known(slot) => Some(slot),
                    Target::New(_) => None,
                };
                self.read_elements::<S>(reader, stats, slot, limits)?;
                Ok(Content::Array(start..self.members.len()))
            }
            _ => {
                let offset = reader.position();
                let value = self.read_value(reader)?;
                self.added_values += 1;
                if let (Target::Known(slot), ScannedValue::Text(span)) = (target, value) {
                    let text = span.text(reader.source(), &self.resolved);
                    self.added_values += check_characters(text, stats, slot, limits, offset)?;
                }
                Ok(Content::Scalar(value))
            }
        }
    }

    #[inline]
    fn read_value(&mut self, reader: &mut Reader<'_>) -> Result<ScannedValue, DeltaError> {
        match reader.decimal() {
            Some(number) => Ok(ScannedValue::Number(number)),
            None => self.read_other(reader),
        }
    }

    /// A value that is not simply a number.
    fn read_other(&mut self, reader: &mut Reader<'_>) -> Result<ScannedValue, DeltaError> {
        Ok(match reader.other_token()? {
            Token::Number(number) => ScannedValue::Number(number),
            Token::Text(text) => {
                self.added_text += text.written.len();
                ScannedValue::Text(self.span(text, reader))
            }
            Token::Bool(value) => ScannedValue::Bool(value),
            Token::Null => ScannedValue::Null,
            Token::Array | Token::Object => {
                let start = reader.position();
                let length = reader.value()?.len();
                self.added_text += length;
                ScannedValue::Nested(Span::new(start, length, false))
            }
        })
    }

    /// Where `text`, which the reader has just passed, can be found again.
    #[inline]
    fn span<'a>(&mut self, text: Text<'a>, reader: &Reader<'a>) -> Span {
        if text.escaped {
            let start = self.resolved.len();
            unescape_into(text.written, &mut self.resolved);
            return Span::new(start, self.resolved.len() - start, true);
        }
        Span::new(reader.offset_of(text.written), text.written.len(), false)
    }

    fn check_members(
        &self,
        start: usize,
        limits: &Limits,
        offset: usize,
    ) -> Result<(), DeltaError> {
        let count = self.members.len() - start;
        check(count, DeltaLimit::Members, limits.members, offset)
    }

    fn check_lists(&self, limits: &Limits, offset: usize) -> Result<(), DeltaError> {
        let (objects, members) = (self.objects.len(), self.members.len());
        check(objects, DeltaLimit::Objects, limits.objects, offset)?;
        check(members, DeltaLimit::Values, limits.values, offset)
    }

    fn check_total(&self, stats: &Stats, limits: &Limits, offset: usize) -> Result<(), DeltaError> {
        check(
            stats.values() + self.added_values,
            DeltaLimit::Values,
            limits.values,
            offset,
        )?;
        // The timestamp of the report may go into every object.
        let copies = self.timestamp.map_or(0, ScannedValue::text_bytes) * self.objects.len();
        let text_bytes = stats.text_bytes() + self.added_text + copies;
        check(text_bytes, DeltaLimit::TextBytes, limits.text_bytes, offset)
    }

    /// Whether the objects fit within the limits where those stay that a report does not have.
    pub(super) fn check_accumulated(
        &self,
        stats: &Stats,
        limits: &Limits,
    ) -> Result<(), DeltaError> {
        if self.known == self.objects.len() {
            return Ok(());
        }
        let is_new = |object: &&ScannedObject| matches!(object.target, Target::New(_));
        let new = self.objects.iter().filter(is_new).count();
        let last = self.objects.last().map_or(0, |object| object.offset);
        check(stats.len() + new, DeltaLimit::Objects, limits.objects, last)
    }

    /// The value, its text taken from the report's.
    #[inline]
    pub(super) fn value<'a>(&'a self, value: ScannedValue, source: &'a str) -> NewValue<'a> {
        match value {
            ScannedValue::Null => NewValue::Null,
            ScannedValue::Bool(value) => NewValue::Bool(value),
            ScannedValue::Number(number) => NewValue::Number(number),
            ScannedValue::Text(span) => NewValue::Text(span.text(source, &self.resolved)),
            ScannedValue::Nested(span) => NewValue::Nested(span.text(source, &self.resolved)),
        }
    }

    pub(super) fn text<'a>(&'a self, span: Span, source: &'a str) -> &'a str {
        span.text(source, &self.resolved)
    }

    pub(super) fn members(&self, range: &Range<usize>) -> &[ScannedMember] {
        self.members.get(range.clone()).unwrap_or_default()
    }

    /// How many values are texts that take memory beside the value.
    pub(super) fn long_texts(&self) -> usize {
        let is_long = |member: &&ScannedMember| {
            member.value.text_bytes() > SHORT_BYTES && !member.name.is(Field::Type)
        };
        self.members.iter().filter(is_long).count()
    }

    /// Gives back what an unusually large report made the buffers grow to.
    pub(super) fn shrink(&mut self) {
        const KEPT: usize = 4_096;
        if self.members.capacity() > KEPT {
            self.members = Vec::new();
        }
        if self.spelled_out.capacity() > KEPT {
            self.spelled_out = Vec::new();
        }
        if self.resolved.capacity() > KEPT {
            self.resolved = String::new();
        }
    }
}
