//! Members that are not guessed: of new objects, and looked up by name.

use super::bounds::{check_name, intern};
use super::{NO_POSITION, Scan, ScannedMember, Spelling};
use crate::Limits;
use crate::delta::DeltaError;
use crate::json::Reader;
use crate::stats::{Field, Name, Stats};

impl Scan {
    /// The members of an object that is new.
    pub(super) fn read_members<S: Spelling>(
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
        if S::IS_NUMBERED
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
    pub(super) fn read_named<S: Spelling>(
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
        if S::IS_NUMBERED {
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
    pub(super) fn read_elements<S: Spelling>(
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
        if !S::IS_NUMBERED && name.is(Field::Timestamp) {
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
}
