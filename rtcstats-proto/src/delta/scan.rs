//! Reads the text of a report against what is known of it already, without changing that.
//!
//! Clients send the same ids and the same members in the same order again and again. So the next id
//! and the next member are guessed from the previous report and compared in place; a right guess
//! costs neither a search for the closing quote nor a lookup. What was read is a flat list, which is
//! applied only when the whole line has proved to be good.

use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::{DeltaError, DeltaLimit};
use crate::Limits;
use crate::json::{Reader, Text, Token, unescape_into};
use crate::stats::{Field, Form, Name, NewValue, Stats};

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
    /// At most so many values and bytes of text come on top.
    added_values: usize,
    added_text: usize,
}

/// One object in a report.
#[derive(Debug)]
pub(super) struct ScannedObject {
    pub(super) target: Target,
    pub(super) content: Content,
    /// Byte offset in the report.
    pub(super) offset: usize,
}

/// Which object of the stats is meant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// One that is there.
    Known(u32),
    /// One with this id, which is not.
    New(Span),
}

/// What a report says of one object.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Object(Range<usize>),
    Array(Range<usize>),
    Scalar(ScannedValue),
}

/// One member in a report.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScannedMember {
    pub(super) name: Name,
    /// Where the object has it, if it has.
    pub(super) position: u16,
    pub(super) value: ScannedValue,
}

/// [`ScannedMember::position`] of a member that the object does not have.
pub(super) const NO_POSITION: u16 = u16::MAX;

/// A value, texts as places.
#[derive(Debug, Clone, Copy)]
pub(super) enum ScannedValue {
    Null,
    Bool(bool),
    Number(f64),
    Text(Span),
    Nested(Span),
}

/// A place in the report's text, or in [`Scan::resolved`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: u32,
    /// The highest bit tells that it is in [`Scan::resolved`].
    length: u32,
}

/// Which members of an object were read.
#[derive(Debug, Default)]
struct Seen {
    /// Those of the first 128.
    members: u128,
    /// The position behind the last.
    next: usize,
}

impl Scan {
    /// Reads a report. On an error the scan must not be applied.
    pub(super) fn read(
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
            if take_timestamp && reader.take_key(Field::Timestamp.as_str()) {
                self.timestamp = Some(self.read_value(&mut reader)?);
            } else {
                self.read_entry(&mut reader, stats, limits, &mut previous, take_timestamp)?;
            }
            open = reader.more(b'}')?;
        }
        reader.finish()?;
        self.check_total(stats, limits, reader.position())?;
        self.join_repeated(text);
        Ok(())
    }

    /// One id and its object.
    fn read_entry(
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
                if take_timestamp && id.resolve() == Field::Timestamp.as_str() {
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
        let content = self.read_content(reader, stats, target, limits)?;
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

    fn read_content(
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
                    Target::Known(slot) => self.read_known_members(reader, stats, slot, limits)?,
                    Target::New(_) => self.read_members(reader, stats, limits)?,
                }
                Ok(Content::Object(start..self.members.len()))
            }
            Some(b'[') => {
                let slot = match target {
                    Target::Known(slot) => Some(slot),
                    Target::New(_) => None,
                };
                self.read_elements(reader, stats, slot, limits)?;
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
    fn read_known_members(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &mut Stats,
        slot: u32,
        limits: &Limits,
    ) -> Result<(), DeltaError> {
        if self.read_unchanged(reader, stats, slot) {
            return Ok(());
        }
        let start = self.members.len();
        let mut seen = Seen::default();
        reader.expect(b'{')?;
        let mut open = !reader.take(b'}');
        while open {
            open = self.read_guessed(reader, stats, slot, &mut seen)?;
            if open {
                let position = self.read_named(reader, stats, Some(slot), limits, start)?;
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
    fn read_guessed(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &Stats,
        slot: u32,
        seen: &mut Seen,
    ) -> Result<bool, DeltaError> {
        let Some(known) = stats.slot(slot) else {
            return Ok(true);
        };
        let names = known.names.as_slice();
        let mut predicted = known.predicted & bits_from(seen.next);
        loop {
            let first = predicted.trailing_zeros() as usize;
            let position = if is_next(reader, stats, names, first) {
                let lowest = predicted & predicted.wrapping_neg();
                seen.members |= lowest;
                predicted ^= lowest;
                first
            } else {
                let Some(position) = look_ahead(reader, stats, names, predicted, seen.next) else {
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
            if !reader.more(b'}')? {
                return Ok(false);
            }
        }
    }

    /// The members of an object that is new.
    fn read_members(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &mut Stats,
        limits: &Limits,
    ) -> Result<(), DeltaError> {
        let start = self.members.len();
        let mut next = self.last_new.start;
        reader.expect(b'{')?;
        let mut open = !reader.take(b'}');
        while open {
            match self.take_neighbours_key(reader, stats, next) {
                Some(neighbour) => {
                    self.read_like(reader, stats, limits, start, neighbour)?;
                    next = neighbour + 1;
                }
                None => {
                    self.read_named(reader, stats, None, limits, start)?;
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
    fn take_neighbours_key(
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
            .map(|member| stats.name_text(member.name))
            .position(|name| reader.take_key(name))?;
        Some(next + found)
    }

    /// The value of a member that is named as its neighbour.
    fn read_like(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &Stats,
        limits: &Limits,
        start: usize,
        neighbour: usize,
    ) -> Result<(), DeltaError> {
        let Some(name) = self.members.get(neighbour).map(|member| member.name) else {
            return Ok(());
        };
        self.read_member(reader, stats, None, name, start)?;
        self.check_members(start, limits, reader.position())
    }

    /// One member, looked up by name; its position in the object, if that has it.
    fn read_named(
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
        let name = intern(stats, &key.resolve(), limits, offset)?;
        let position = self.read_member(reader, stats, slot, name, start)?;
        self.check_members(start, limits, offset)?;
        Ok(usize::from(position))
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
    fn read_elements(
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
            let name = intern(stats, &index.to_string(), limits, offset)?;
            self.read_member(reader, stats, slot, name, start)?;
            self.check_members(start, limits, offset)?;
            index += 1;
            open = reader.more(b']')?;
        }
        Ok(())
    }

    /// The value of a member, and its position in the object.
    fn read_member(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &Stats,
        slot: Option<u32>,
        name: Name,
        start: usize,
    ) -> Result<u16, DeltaError> {
        if name.is(Field::Timestamp) {
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
        Ok(match reader.token()? {
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
        if self.resolved.capacity() > KEPT {
            self.resolved = String::new();
        }
    }
}

impl Seen {
    #[inline]
    fn add(&mut self, position: usize) {
        self.members |= bit(position);
        if position < usize::from(NO_POSITION) {
            // Never back, or a member could be guessed twice.
            self.next = self.next.max(position + 1);
        }
    }
}

/// The member at the cursor, if it is one of the next ones; consumes its key.
fn look_ahead(
    reader: &mut Reader<'_>,
    stats: &Stats,
    names: &[Name],
    mut predicted: u128,
    next: usize,
) -> Option<usize> {
    /// Members that change now and then are missing among the next few.
    const TRIES: usize = 4;
    /// Behind so many others a member is looked up.
    const NEAR: usize = 16;
    for _ in 0..TRIES {
        if predicted == 0 {
            break;
        }
        let position = predicted.trailing_zeros() as usize;
        if is_next(reader, stats, names, position) {
            return Some(position);
        }
        predicted &= predicted - 1;
    }
    (next..next + NEAR).find(|position| is_next(reader, stats, names, *position))
}

#[inline]
fn is_next(reader: &mut Reader<'_>, stats: &Stats, names: &[Name], position: usize) -> bool {
    names
        .get(position)
        .is_some_and(|name| reader.take_key(stats.name_text(*name)))
}

/// The object at the cursor, if it is one of those that came next in the last report; consumes its
/// key.
#[inline]
fn guess_object(reader: &mut Reader<'_>, stats: &Stats, previous: Option<u32>) -> Option<u32> {
    /// Objects that are gone are missing among the next few.
    const TRIES: usize = 3;
    let mut candidate = previous;
    for _ in 0..TRIES {
        let number = stats.follower(candidate)?;
        let slot = stats.slot(number)?;
        if slot.form != Form::Vacant && reader.take_key(&slot.id) {
            return Some(number);
        }
        candidate = Some(number);
    }
    None
}

/// A text in the place of an object is copied into it character by character: how many, if the limits
/// allow that.
#[cold]
fn check_characters(
    text: &str,
    stats: &mut Stats,
    slot: u32,
    limits: &Limits,
    offset: usize,
) -> Result<usize, DeltaError> {
    let known = stats.slot(slot);
    if known.is_none_or(|known| known.form == Form::Scalar) {
        return Ok(0);
    }
    let count = text.chars().count();
    check(count, DeltaLimit::Members, limits.members, offset)?;
    for index in 0..count {
        intern(stats, &index.to_string(), limits, offset)?;
    }
    Ok(count)
}

fn intern(
    stats: &mut Stats,
    text: &str,
    limits: &Limits,
    offset: usize,
) -> Result<Name, DeltaError> {
    stats
        .intern(text, limits.unknown_names)
        .ok_or(DeltaError::Limit {
            limit: DeltaLimit::UnknownNames,
            allowed: limits.unknown_names,
            offset,
        })
}

fn check_name(name: Text<'_>, limits: &Limits, offset: usize) -> Result<(), DeltaError> {
    check(
        name.written.len(),
        DeltaLimit::NameBytes,
        limits.name_bytes,
        offset,
    )
}

fn check(count: usize, limit: DeltaLimit, allowed: usize, offset: usize) -> Result<(), DeltaError> {
    if count > allowed {
        Err(DeltaError::Limit {
            limit,
            allowed,
            offset,
        })
    } else {
        Ok(())
    }
}

#[inline]
fn bit(position: usize) -> u128 {
    if position < 128 { 1 << position } else { 0 }
}

#[inline]
fn bits_from(position: usize) -> u128 {
    if position < 128 {
        u128::MAX << position
    } else {
        0
    }
}

impl Span {
    /// Longer reports than this cannot be read.
    pub(super) const MAX: usize = u32::MAX as usize >> 1;
    const RESOLVED: u32 = 1 << 31;

    #[inline]
    fn new(start: usize, length: usize, resolved: bool) -> Self {
        // In bounds: `Scan::read` checks, and escapes only get shorter.
        let narrow = |number: usize| u32::try_from(number).unwrap_or_default();
        let flag = if resolved { Self::RESOLVED } else { 0 };
        Self {
            start: narrow(start),
            length: narrow(length) | flag,
        }
    }

    fn len(self) -> usize {
        (self.length & !Self::RESOLVED) as usize
    }

    #[inline]
    fn text<'a>(self, source: &'a str, resolved: &'a str) -> &'a str {
        let is_resolved = self.length & Self::RESOLVED != 0;
        let text = if is_resolved { resolved } else { source };
        let start = self.start as usize;
        text.get(start..start + self.len()).unwrap_or_default()
    }
}

impl ScannedValue {
    /// Whether JavaScript takes it for true.
    pub(super) fn is_truthy(self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => value,
            Self::Number(number) => number != 0.0,
            Self::Text(span) => span.len() > 0,
            Self::Nested(_) => true,
        }
    }

    pub(super) fn is_zero(self) -> bool {
        matches!(self, Self::Number(0.0))
    }

    fn text_bytes(self) -> usize {
        match self {
            Self::Text(span) | Self::Nested(span) => span.len(),
            Self::Null | Self::Bool(_) | Self::Number(_) => 0,
        }
    }
}

impl ScannedObject {
    pub(super) fn is_null(&self) -> bool {
        matches!(self.content, Content::Scalar(ScannedValue::Null))
    }

    /// Whether JavaScript takes it for false, as only scalars can be.
    pub(super) fn is_falsy(&self) -> bool {
        matches!(self.content, Content::Scalar(value) if !value.is_truthy())
    }
}

impl Content {
    pub(super) fn form(&self) -> Form {
        match self {
            Self::Object(_) => Form::Object,
            Self::Array(_) => Form::Array,
            Self::Scalar(_) => Form::Scalar,
        }
    }
}
