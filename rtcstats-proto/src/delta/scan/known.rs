//! The members of an object that is known, guessed from the last report.

use super::bounds::{check, merged_bytes, spread_bytes};
use super::guess::{Predicted, Seen, is_next, look_ahead};
use super::{NO_POSITION, Scan, ScannedMember, ScannedValue, Spelling};
use crate::Limits;
use crate::delta::{DeltaError, DeltaLimit};
use crate::json::{Reader, Value};
use crate::stats::{Field, Name, Stats};

impl Scan {
    /// The members of an object that is known, guessing the next from the last report.
    pub(super) fn read_known_members<S: Spelling>(
        &mut self,
        reader: &mut Reader<'_>,
        stats: &mut Stats,
        slot: u32,
        limits: &Limits,
    ) -> Result<(), DeltaError> {
        if !S::IS_NUMBERED && self.read_unchanged(reader, stats, slot) {
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
    // By itself, the loop has the registers for itself.
    #[inline(never)]
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
        // A copy where nobody else needs it, so that its position is kept in a register.
        let mut cursor = *reader;
        let mut next = seen.next;
        let mut predicted = Predicted::new(known.predicted, next);
        loop {
            let mut position = predicted.first();
            if is_next::<S>(&mut cursor, stats, names, position) {
                predicted.advance();
            } else {
                seen.add_predicted(known.predicted, next);
                *reader = cursor;
                match look_ahead::<S>(reader, stats, names, predicted, next) {
                    Some(found) => position = found,
                    None => return Ok(true),
                }
                cursor = *reader;
                seen.add(position);
                predicted = Predicted::new(known.predicted, position + 1);
            }
            next = position + 1;
            let name = names.get(position).copied().unwrap_or(Field::Id.into());
            let member = |value| ScannedMember {
                name,
                position: u16::try_from(position).unwrap_or(NO_POSITION),
                value,
            };
            // Not one `push` of a common value: numbers would be put together in memory twice.
            let is_open = if let Some((number, is_open)) = cursor.decimal_member() {
                self.members.push(member(ScannedValue::Number(number)));
                is_open
            } else {
                *reader = cursor;
                let value = self.read_other(reader)?;
                self.members.push(member(value));
                let is_open = reader.more(b'}')?;
                cursor = *reader;
                is_open
            };
            if S::IS_NUMBERED && !is_number(position) {
                *reader = cursor;
                self.check_addition(reader, stats, slot, limits)?;
            }
            if !is_open {
                break;
            }
        }
        seen.add_predicted(known.predicted, next);
        *reader = cursor;
        Ok(false)
    }

    /// What the last member that was read makes of a nested value that it is added to.
    #[inline]
    pub(super) fn check_addition(
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

    pub(super) fn check_value_addition(
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
}
