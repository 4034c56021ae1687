//! Reads the text of a report against what is known of it already, without changing that.
//!
//! Clients send the same ids and the same members in the same order again and again. So the next id
//! and the next member are guessed from the previous report and compared in place; a right guess
//! costs neither a search for the closing quote nor a lookup. What was read is a flat list, which is
//! applied only when the whole line has proved to be good.

mod bounds;
mod guess;
mod scanned;
mod spelling;

use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use self::bounds::{check, check_characters, check_name, intern, merged_bytes, spread_bytes};
use self::guess::{Seen, bit, bits_from, guess_object, is_next, look_ahead};
pub(super) use self::scanned::{
    Content, NO_POSITION, ScannedMember, ScannedObject, ScannedValue, Span, Target,
};
pub(super) use self::spelling::{Full, Joined, Numbered, Spelling};
use super::{DeltaError, DeltaLimit};
use crate::Limits;
use crate::json::{Reader, Text, Token, Value, unescape_into};
use crate::stats::{Field, Name, NewValue, Stats};

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
        stats.attempts += 1;

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
            if take_timestamp && reader.take_key(S::TIMESTAMP) {
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

    /// The members of an object that is known, guessing the next from the last report.
    fn read_known_members<S: Spelling>(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &mut Stats,
        slot: u32,
        limits: &Limits,
    ) -> Result<(), DeltaError> {
        if !S::JOINS_REPEATED && self.read_unchanged(reader, stats, slot) {
            return Ok(());
        }
        let start = self.members.len();
        let mut seen = Seen::default();
        reader.expect(b'{')?;
        let mut open = !reader.take(b'}');
        while open {
            open = self.read_guessed::<S>(reader, stats, slot, &mut seen, limits)?;
            if open {
                let position = self.read_named::<S>(reader, stats, Some(slot), limits, start)?;
                seen.add(position);
                open = reader.more(b'}')?;
            }
        }
        // A prediction is harmless if the line turns out bad, so it needs no second pass.
        if let Some(known) = stats.slot_mut(slot) {
            known.predicted = seen.members;
        }
        Ok(())
    }

    /// The content of most objects: unchanged since the last report.
    #[inline]
    fn read_unchanged(&mut self, reader: &mut Reader<'_>, stats: &Stats, slot: u32) -> bool {
        let names = stats.slot(slot).map(|known| known.names.as_slice());
        let is_unchanged = names
            .and_then(<[Name]>::first)
            .is_some_and(|name| name.is(Field::Timestamp))
            && reader.take_exact(b"{\"timestamp\":0}");
        if is_unchanged {
            self.members.push(ScannedMember {
                name: Field::Timestamp.into(),
                position: 0,
                value: ScannedValue::Number(0.0),
            });
        }
        is_unchanged
    }

    /// Members as long as they are guessed; whether one follows that was not.
    #[inline]
    fn read_guessed<S: Spelling>(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &Stats,
        slot: u32,
        seen: &mut Seen,
        limits: &Limits,
    ) -> Result<bool, DeltaError> {
        let Some(known) = stats.slot(slot) else {
            return Ok(true);
        };
        let names = known.names.as_slice();
        let values = known.values.as_slice();
        let is_number =
            |position: usize| values.get(position).is_some_and(|value| value.is_number());
        let mut predicted = known.predicted & bits_from(seen.next);
        loop {
            let first = predicted.trailing_zeros() as usize;
            let position = if is_next::<S>(reader, stats, names, first) {
                let lowest = predicted & predicted.wrapping_neg();
                seen.members |= lowest;
                predicted ^= lowest;
                first
            } else {
                let Some(position) = look_ahead::<S>(reader, stats, names, predicted, seen.next)
                else {
                    return Ok(true);
                };
                seen.members |= bit(position);
                predicted = known.predicted & bits_from(position + 1);
                position
            };
            seen.next = position + 1;
            let name = names.get(position).copied().unwrap_or(Field::Id.into());
            let position = u16::try_from(position).unwrap_or(NO_POSITION);
            let member = |value| ScannedMember {
                name,
                position,
                value,
            };
            // Not one `push` of a common value: numbers would be put together in memory twice.
            if let Some(number) = reader.short_number() {
                self.members.push(member(ScannedValue::Number(number)));
            } else {
                let value = self.read_other(reader)?;
                self.members.push(member(value));
            }
            if S::IS_NUMBERED && !is_number(usize::from(position)) {
                self.check_addition(reader, stats, slot, limits)?;
            }
            if !reader.more(b'}')? {
                return Ok(false);
            }
        }
    }

    /// The members of an object that is new.
    fn read_members<S: Spelling>(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &mut Stats,
        limits: &Limits,
    ) -> Result<(), DeltaError> {
        let start = self.members.len();
        let mut next = self.last_new.start;
        let mut has_named = false;
        reader.expect(b'{')?;
        let mut open = !reader.take(b'}');
        while open {
            match self.take_neighbours_key::<S>(reader, stats, next) {
                Some(neighbour) => {
                    self.read_like::<S>(reader, stats, limits, start, neighbour, has_named)?;
                    next = neighbour + 1;
                }
                None => {
                    self.read_named::<S>(reader, stats, None, limits, start)?;
                    has_named = true;
                }
            }
            open = reader.more(b'}')?;
        }
        self.last_new = start..self.members.len();
        Ok(())
    }

    /// The member at the cursor, if the new object before this one has it too, from `next` on; consumes
    /// its key. Neighbours in a report are often of one type.
    #[inline]
    fn take_neighbours_key<S: Spelling>(
        &self,
        reader: &mut Reader<'_>,
        stats: &Stats,
        next: usize,
    ) -> Option<usize> {
        const TRIES: usize = 4;
        let neighbours = self
            .members
            .get(next..self.last_new.end)?
            .iter()
            .take(TRIES);
        let found = neighbours
            .map(|member| member.name)
            .position(|name| S::take_key(reader, stats, name))?;
        Some(next + found)
    }

    /// The value of a member that is named as its neighbour.
    fn read_like<S: Spelling>(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &Stats,
        limits: &Limits,
        start: usize,
        neighbour: usize,
        has_named: bool,
    ) -> Result<(), DeltaError> {
        let Some(name) = self.members.get(neighbour).map(|member| member.name) else {
            return Ok(());
        };
        if S::JOINS_REPEATED
            && has_named
            && let Some(earlier) = self.earlier(start, name)
        {
            // A neighbour's key is the short one.
            return self
                .read_again::<S>(reader, stats, None, limits, earlier, true)
                .map(drop);
        }
        self.read_member::<S>(reader, stats, None, name, start)?;
        self.check_members(start, limits, reader.position())
    }

    /// One member, looked up by name; its position in the object, if that has it.
    fn read_named<S: Spelling>(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &mut Stats,
        slot: Option<u32>,
        limits: &Limits,
        start: usize,
    ) -> Result<usize, DeltaError> {
        let offset = reader.position();
        let key = reader.key()?;
        check_name(key, limits, offset)?;
        let key = key.resolve();
        let name = intern::<S>(stats, &key, limits, offset)?;
        if S::JOINS_REPEATED {
            let is_short = S::is_short(&key, name);
            if let Some(earlier) = self.earlier(start, name) {
                return self.read_again::<S>(reader, stats, slot, limits, earlier, is_short);
            }
            if !is_short && name.field().is_some_and(Field::has_short_key) {
                self.spelled_out.push(self.members.len());
            }
        }
        let position = self.read_member::<S>(reader, stats, slot, name, start)?;
        self.check_members(start, limits, offset)?;
        if S::IS_NUMBERED
            && let Some(slot) = slot
        {
            self.check_addition(reader, stats, slot, limits)?;
        }
        Ok(usize::from(position))
    }

    /// The place of a member that the object at the cursor had before.
    #[cold]
    fn earlier(&self, start: usize, name: Name) -> Option<usize> {
        let members = self.members.get(start..).unwrap_or_default();
        let earlier = members.iter().position(|member| member.name == name)?;
        Some(start + earlier)
    }

    /// A member that comes again: the later value counts, but one with a short key more than one with
    /// the full name.
    #[cold]
    fn read_again<S: Spelling>(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &Stats,
        slot: Option<u32>,
        limits: &Limits,
        earlier: usize,
        is_short: bool,
    ) -> Result<usize, DeltaError> {
        let value = self.read_value(reader)?;
        let Some(member) = self.members.get_mut(earlier) else {
            return Ok(usize::from(NO_POSITION));
        };
        let position = member.position;
        let spelled_out = self.spelled_out.binary_search(&earlier);
        let has_short_key = member.name.field().is_some_and(Field::has_short_key);
        if is_short || !has_short_key || spelled_out.is_ok() {
            member.value = value;
            if let (true, Ok(place)) = (is_short, spelled_out) {
                self.spelled_out.remove(place);
            }
            if S::IS_NUMBERED
                && let Some(slot) = slot
            {
                self.check_value_addition(reader, stats, slot, position, value, limits)?;
            }
        }
        Ok(usize::from(position))
    }

    /// What the last member that was read makes of a nested value that it is added to.
    #[inline]
    fn check_addition(
        &mut self,
        reader: &Reader<'_>,
        stats: &Stats,
        slot: u32,
        limits: &Limits,
    ) -> Result<(), DeltaError> {
        let Some(member) = self.members.last() else {
            return Ok(());
        };
        let (position, value) = (member.position, member.value);
        self.check_value_addition(reader, stats, slot, position, value, limits)
    }

    fn check_value_addition(
        &mut self,
        reader: &Reader<'_>,
        stats: &Stats,
        slot: u32,
        position: u16,
        value: ScannedValue,
        limits: &Limits,
    ) -> Result<(), DeltaError> {
        let Some(Value::Nested(known)) = stats.value_at(slot, position) else {
            let is_null = matches!(stats.value_at(slot, position), Some(Value::Null));
            if let (true, ScannedValue::Text(span)) = (is_null, value) {
                let text = span.text(reader.source(), &self.resolved);
                let length = spread_bytes(text);
                check(
                    length,
                    DeltaLimit::NestedBytes,
                    limits.nested_bytes,
                    reader.position(),
                )?;
                self.added_text += length;
            }
            return Ok(());
        };
        let added = match value {
            ScannedValue::Text(span) => spread_bytes(span.text(reader.source(), &self.resolved)),
            ScannedValue::Nested(span) => {
                let text = span.text(reader.source(), &self.resolved);
                if text.starts_with('[') {
                    return Ok(());
                }
                text.len()
            }
            _ => 0,
        };
        let length = merged_bytes(known.as_str()) + added;
        check(
            length,
            DeltaLimit::NestedBytes,
            limits.nested_bytes,
            reader.position(),
        )?;
        self.added_text += length - known.as_str().len();
        Ok(())
    }

    fn forget_timestamp(&mut self, start: usize) {
        let members = self.members.get(start..).unwrap_or_default();
        let earlier = members
            .iter()
            .position(|member| member.name.is(Field::Timestamp));
        if let Some(earlier) = earlier {
            self.members.remove(start + earlier);
        }
    }

    /// The elements of an array, which are members with indices as names.
    #[cold]
    fn read_elements<S: Spelling>(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &mut Stats,
        slot: Option<u32>,
        limits: &Limits,
    ) -> Result<(), DeltaError> {
        let start = self.members.len();
        reader.expect(b'[')?;
        let mut open = !reader.take(b']');
        let mut index = 0_usize;
        while open {
            let offset = reader.position();
            let name = intern::<S>(stats, &index.to_string(), limits, offset)?;
            self.read_member::<S>(reader, stats, slot, name, start)?;
            self.check_members(start, limits, offset)?;
            index += 1;
            open = reader.more(b']')?;
        }
        Ok(())
    }

    /// The value of a member, and its position in the object.
    fn read_member<S: Spelling>(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &Stats,
        slot: Option<u32>,
        name: Name,
        start: usize,
    ) -> Result<u16, DeltaError> {
        if !S::JOINS_REPEATED && name.is(Field::Timestamp) {
            // Only the last one counts, and what it does depends on no earlier one.
            self.forget_timestamp(start);
        }
        let known = slot.and_then(|slot| stats.slot(slot)?.position(name));
        self.added_values += usize::from(known.is_none());
        let position = known
            .and_then(|position| u16::try_from(position).ok())
            .unwrap_or(NO_POSITION);
        let value = self.read_value(reader)?;
        self.members.push(ScannedMember {
            name,
            position,
            value,
        });
        Ok(position)
    }

    #[inline]
    fn read_value(&mut self, reader: &mut Reader<'_>) -> Result<ScannedValue, DeltaError> {
        match reader.short_number() {
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
