//! Reads a report against the one before.

use std::ops::Range;

use super::id_index::IdIndex;
use super::number_spelling::is_shortest;
use super::parallel::Parallel;
use super::report::{Content, Member, Object, Part, Report, narrow};
use crate::Limits;
use crate::delta::{DeltaError, DeltaLimit};
use crate::json::{JsonKind, Reader, Text, Token, write_number};
use crate::stats::Field;

/// Reads one report. What is as in the previous report, byte by byte, was checked then, and is taken
/// over.
#[derive(Debug)]
pub(super) struct ReportReader<'a> {
    reader: Reader<'a>,
    parallel: Parallel<'a>,
    report: &'a mut Report,
    previous: &'a Report,
    ids: &'a mut IdIndex,
    limits: &'a Limits,
    text_bytes: usize,
}

impl<'a> ReportReader<'a> {
    pub(super) fn new(
        text: &'a str,
        report: &'a mut Report,
        previous: &'a Report,
        ids: &'a mut IdIndex,
        limits: &'a Limits,
    ) -> Self {
        Self {
            reader: Reader::new(text, limits.depth),
            parallel: Parallel::new(text, &previous.text),
            report,
            previous,
            ids,
            limits,
            text_bytes: 0,
        }
    }

    /// Replaces the report by what the text says. On an error it must not be used.
    pub(super) fn read(mut self) -> Result<(), DeltaError> {
        let text = self.reader.source();
        check(text.len(), DeltaLimit::TextBytes, Report::MAX_BYTES, 0)?;
        self.report.clear();
        // With room for counters that grow.
        self.report.text.reserve(text.len() + text.len() / 8);
        self.report.text.push_str(text);
        self.ids.clear(self.previous.objects.len());
        if self.reader.peek() != Some(b'{') {
            self.reader.value()?;
            self.reader.finish()?;
            return Err(DeltaError::Shape);
        }
        self.reader.expect(b'{')?;
        let mut next = 0;
        let mut open = !self.reader.take(b'}');
        while open {
            self.read_entry(&mut next)?;
            open = self.reader.more(b'}')?;
        }
        self.reader.finish()?;
        self.check_objects()
    }

    fn check_objects(&self) -> Result<(), DeltaError> {
        let end = self.reader.position();
        let allowed = self.limits.text_bytes;
        check(self.text_bytes, DeltaLimit::TextBytes, allowed, end)?;
        for object in &self.report.objects {
            if let Content::Scalar(value) = object.content
                && self.report.part(value) == "null"
            {
                let offset = object.start as usize;
                return Err(DeltaError::NullObject { offset });
            }
        }
        Ok(())
    }

    /// One id and its object. `next` is the place in the previous report where it is looked for first.
    fn read_entry(&mut self, next: &mut usize) -> Result<(), DeltaError> {
        self.reader.peek();
        let start = self.reader.position();
        let Some((place, known)) = self.take_expected(start, *next) else {
            return self.read_named_entry(start, next);
        };
        *next = place + 1;
        self.ids.mark(place);
        let shift = narrow(start).wrapping_sub(known.start);
        let id = self.report.adopt(known.id, self.previous, shift);
        let (members, changed) = self.read_members(Some(known))?;
        self.report.objects.push(Object {
            start: narrow(start),
            inside: known.inside.wrapping_add(shift),
            id,
            content: Content::Object,
            members,
            changed,
            known: Some(narrow(place)),
        });
        self.check_lists(start)
    }

    /// The object at the cursor, if it is one of the next of the previous report; consumes its id and
    /// opening brace.
    fn take_expected(&mut self, start: usize, next: usize) -> Option<(usize, &'a Object)> {
        /// Objects that are gone are missing among the next few.
        const TRIES: usize = 4;
        let previous = self.previous;
        for place in next..next + TRIES {
            let known = previous.objects.get(place)?;
            let end = self.parallel.end(start, known.start as usize);
            if known.content == Content::Object && end >= known.inside as usize {
                self.reader.advance((known.inside - known.start) as usize);
                return Some((place, known));
            }
        }
        None
    }

    /// An object that is not where it was expected.
    #[cold]
    fn read_named_entry(&mut self, start: usize, next: &mut usize) -> Result<(), DeltaError> {
        let (key, end) = self.read_key(start)?;
        let id = self.report.text_part(key, narrow(start), end);
        let place = self.ids.find(self.report.part(id), self.previous);
        let known = place.and_then(|place| self.previous.objects.get(place));
        let earlier = match place {
            Some(place) => {
                *next = (*next).max(place + 1);
                let is_repeated = !self.ids.mark(place);
                let place = Some(narrow(place));
                let mut objects = self.report.objects.iter();
                is_repeated
                    .then(|| objects.position(|object| object.known == place))
                    .flatten()
            }
            None => self.ids.add(id, self.report),
        };
        let mut object = Object {
            start: narrow(start),
            inside: 0,
            id,
            content: Content::Object,
            members: 0..0,
            changed: 0..0,
            known: place.map(narrow),
        };
        let known = known.filter(|known| known.has_members());
        self.read_content(&mut object, known)?;
        // Of an id that comes again JavaScript knows the later value, in the earlier place.
        match earlier.and_then(|earlier| self.report.objects.get_mut(earlier)) {
            Some(earlier) => *earlier = object,
            None => self.report.objects.push(object),
        }
        self.check_lists(start)
    }

    /// A key, and where its closing quote ends.
    fn read_key(&mut self, start: usize) -> Result<(Text<'a>, u32), DeltaError> {
        let key = self.reader.key()?;
        let length = key.written.len();
        check(length, DeltaLimit::NameBytes, self.limits.name_bytes, start)?;
        Ok((key, narrow(start + length + 2)))
    }

    fn read_content(
        &mut self,
        object: &mut Object,
        known: Option<&'a Object>,
    ) -> Result<(), DeltaError> {
        match self.reader.peek() {
            Some(b'{') => {
                self.reader.expect(b'{')?;
                object.inside = narrow(self.reader.position());
                (object.members, object.changed) = self.read_members(known)?;
            }
            Some(b'[') => {
                self.reader.expect(b'[')?;
                object.content = Content::Array;
                (object.members, object.changed) = self.read_elements(known)?;
            }
            _ => object.content = Content::Scalar(self.read_value()?.value),
        }
        Ok(())
    }

    /// The members of an object, behind its opening brace: their places, and those of the changed ones.
    fn read_members(
        &mut self,
        known: Option<&'a Object>,
    ) -> Result<(Range<u32>, Range<u32>), DeltaError> {
        let (start, changed_start) = self.lengths();
        let mut next = known
            .filter(|known| known.content == Content::Object)
            .map_or(0..0, |known| known.members.clone());
        let mut open = !self.reader.take(b'}');
        while open {
            self.reader.peek();
            let at = self.reader.position();
            let expected = next.start as usize..next.end as usize;
            let expected = self.previous.members.get(expected).unwrap_or_default();
            let Some(first) = expected.first() else {
                open = self.read_named(known, start, &mut next)?;
                continue;
            };
            let end = self.parallel.end(at, first.key as usize);
            let same = self.take_over(expected, at, end);
            next.start += narrow(same);
            if same > 0 {
                open = self.more()?;
            } else if end >= first.start as usize {
                self.reader.advance((first.start - first.key) as usize);
                let member = Member {
                    field: first.field,
                    key: narrow(at),
                    ..self.read_value()?
                };
                self.push(member, Some(first));
                next.start += 1;
                open = self.reader.more(b'}')?;
            } else {
                open = self.read_named(known, start, &mut next)?;
            }
        }
        let (end, changed_end) = self.lengths();
        self.check_members(start)?;
        Ok((start..end, changed_start..changed_end))
    }

    fn lengths(&self) -> (u32, u32) {
        let report = &self.report;
        (narrow(report.members.len()), narrow(report.changed.len()))
    }

    /// Takes over the first of the `expected` members as far as the text from `at` on is that of the
    /// previous report up to its `end`; how many. They are consumed, the byte behind the last is not.
    #[inline]
    fn take_over(&mut self, expected: &[Member], at: usize, end: usize) -> usize {
        let Some(first) = expected.first() else {
            return 0;
        };
        let shift = narrow(at).wrapping_sub(first.key);
        let mut behind = first.key;
        let mut count = 0;
        for known in expected {
            // The byte behind is compared too, or a number might go on. What does not follow directly is
            // behind spaces, or behind a member that came twice.
            let is_next = count == 0 || known.key == behind + 1;
            if known.end as usize >= end || !is_next {
                break;
            }
            if known.is_nested() {
                let place = narrow(self.report.members.len());
                self.report.changed.push(place);
            }
            self.text_bytes += known.text_bytes();
            let value = self.report.adopt(known.value, self.previous, shift);
            self.report.members.push(Member {
                key: known.key.wrapping_add(shift),
                start: known.start.wrapping_add(shift),
                end: known.end.wrapping_add(shift),
                value,
                ..*known
            });
            behind = known.end;
            count += 1;
        }
        self.reader.advance((behind - first.key) as usize);
        count
    }

    fn more(&mut self) -> Result<bool, DeltaError> {
        Ok(self.reader.more(b'}')?)
    }

    /// A member that is not where it was expected; whether another one follows.
    #[cold]
    fn read_named(
        &mut self,
        known: Option<&'a Object>,
        start: u32,
        next: &mut Range<u32>,
    ) -> Result<bool, DeltaError> {
        let at = self.reader.position();
        let (key, _) = self.read_key(at)?;
        let name = key.resolve();
        let field = Field::from_name(&name);
        let place = known.and_then(|known| self.previous.find(known, field, &name));
        if let Some(place) = place {
            next.start = next.start.max(place + 1).min(next.end);
        }
        let member = Member {
            field,
            key: narrow(at),
            ..self.read_value()?
        };
        let known = place.and_then(|place| self.previous.members.get(place as usize));
        match self.earlier(start, field, &name) {
            Some(earlier) => self.replace(earlier, member, known),
            None => self.push(member, known),
        }
        self.check_members(start)?;
        self.more()
    }

    /// The place of a member that the object at the cursor had before.
    fn earlier(&self, start: u32, field: Option<Field>, name: &str) -> Option<usize> {
        let start = start as usize;
        let mut members = self.report.members.get(start..)?.iter();
        let is_it = |member: &Member| {
            member.field == field && (field.is_some() || self.report.name(*member) == name)
        };
        Some(start + members.position(is_it)?)
    }

    #[inline]
    fn push(&mut self, member: Member, known: Option<&Member>) {
        if self.is_changed(member, known) {
            let place = narrow(self.report.members.len());
            self.report.changed.push(place);
        }
        self.report.members.push(member);
    }

    /// Of a member that comes again the later value counts.
    #[cold]
    fn replace(&mut self, earlier: usize, member: Member, known: Option<&Member>) {
        let is_changed = self.is_changed(member, known);
        let place = narrow(earlier);
        let changed = &mut self.report.changed;
        match changed.binary_search(&place) {
            Ok(at) if !is_changed => {
                changed.remove(at);
            }
            Err(at) if is_changed => changed.insert(at, place),
            _ => {}
        }
        if let Some(earlier) = self.report.members.get_mut(earlier) {
            *earlier = member;
        }
    }

    #[inline]
    fn is_changed(&self, member: Member, known: Option<&Member>) -> bool {
        let value = self.report.part(member.value);
        member.is_nested() || known.is_none_or(|known| self.previous.part(known.value) != value)
    }

    /// The elements of an array, behind its opening bracket.
    #[cold]
    fn read_elements(
        &mut self,
        known: Option<&'a Object>,
    ) -> Result<(Range<u32>, Range<u32>), DeltaError> {
        let (start, changed_start) = self.lengths();
        let mut open = !self.reader.take(b']');
        let mut index = 0_usize;
        while open {
            let element = self.read_value()?;
            let name = index.to_string();
            let place = known.and_then(|known| self.previous.find(known, None, &name));
            let known = place.and_then(|place| self.previous.members.get(place as usize));
            self.push(element, known);
            self.check_members(start)?;
            index += 1;
            open = self.reader.more(b']')?;
        }
        let (end, changed_end) = self.lengths();
        Ok((start..end, changed_start..changed_end))
    }

    /// A value, as a member without a name.
    fn read_value(&mut self) -> Result<Member, DeltaError> {
        self.reader.peek();
        let start = self.reader.position();
        let member = |kind, end, value| Member {
            field: None,
            kind,
            key: narrow(start),
            start: narrow(start),
            end,
            value,
        };
        if let Some(number) = self.reader.decimal() {
            let end = narrow(self.reader.position());
            let mut value = Part::in_text(narrow(start), end);
            if !is_shortest(self.reader.since(start), number) {
                value = self.rewrite_number(number, value);
            }
            return Ok(member(JsonKind::Number, end, value));
        }
        let token = self.reader.other_token()?;
        let is_nested = matches!(token, Token::Array | Token::Object);
        if is_nested {
            self.reader.value()?;
        }
        let end = narrow(self.reader.position());
        let written = Part::in_text(narrow(start), end);
        let member = match token {
            Token::Null => member(JsonKind::Null, end, written),
            Token::Bool(_) => member(JsonKind::Bool, end, written),
            Token::Number(number) => {
                let is_finite = number.is_finite();
                let kind = if is_finite {
                    JsonKind::Number
                } else {
                    JsonKind::Null
                };
                member(kind, end, self.rewrite_number(number, written))
            }
            Token::Text(text) => {
                let value = self.report.text_part(text, narrow(start), end);
                member(JsonKind::Text, end, value)
            }
            Token::Array => member(JsonKind::Array, end, written),
            Token::Object => member(JsonKind::Object, end, written),
        };
        self.text_bytes += member.text_bytes();
        Ok(member)
    }

    /// The number as JavaScript writes it.
    fn rewrite_number(&mut self, number: f64, written: Part) -> Part {
        let rewritten = self.report.rewrite(|out| write_number(number, out));
        self.report.shorter(written, rewritten)
    }

    fn check_members(&self, start: u32) -> Result<(), DeltaError> {
        let count = self.report.members.len() - start as usize;
        let offset = self.reader.position();
        check(count, DeltaLimit::Members, self.limits.members, offset)
    }

    /// Not only at the end, or a report could make the lists grow far beyond the limits.
    fn check_lists(&self, offset: usize) -> Result<(), DeltaError> {
        let (objects, members) = (self.report.objects.len(), self.report.members.len());
        check(objects, DeltaLimit::Objects, self.limits.objects, offset)?;
        check(members, DeltaLimit::Values, self.limits.values, offset)
    }
}

fn check(count: usize, limit: DeltaLimit, allowed: usize, offset: usize) -> Result<(), DeltaError> {
    if count > allowed {
        return Err(DeltaError::Limit {
            limit,
            allowed,
            offset,
        });
    }
    Ok(())
}
