//! All stats objects of one peer connection.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::name::Names;
use super::packed::{Packed, Texts};
use super::{Field, Form, Name, NewValue, Slot, StatsKind, StatsObject};
use crate::json::{Value, write_text};

/// What `getStats()` of one peer connection returned last: stats id → object.
///
/// A [`Decoder`](crate::delta::Decoder) merges each delta into it. Iteration follows JavaScript's
/// property order, which existing feature definitions depend on: ids that are array indices first,
/// ascending, then the others as they came.
#[derive(Debug, Default)]
pub struct Stats {
    slots: Vec<Slot>,
    vacant: Vec<u32>,
    /// The slots of the objects, in JavaScript's order.
    order: Vec<u32>,
    index: HashTable<u32>,
    hasher: RandomState,
    pub(super) names: Names,
    pub(super) texts: Texts,
    values: usize,
    /// The slot that came first in the last report.
    first: Option<u32>,
    reports: u64,
    /// Counts the lines tried, the failed ones too.
    pub(crate) attempts: u64,
}

impl Stats {
    /// How many reports were merged.
    pub fn reports(&self) -> u64 {
        self.reports
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// How many values the objects hold together.
    pub fn values(&self) -> usize {
        self.values
    }

    /// Bytes of the texts among the values.
    pub fn text_bytes(&self) -> usize {
        self.texts.bytes()
    }

    /// The object with this id.
    pub fn get(&self, id: &str) -> Option<StatsObject<'_>> {
        let slot = self.slots.get(self.find(id)? as usize)?;
        Some(StatsObject { stats: self, slot })
    }

    /// The objects in JavaScript's property order.
    pub fn iter(&self) -> Objects<'_> {
        Objects {
            stats: self,
            order: self.order.iter(),
        }
    }

    /// Appends the report map as JSON.
    pub fn write_json(&self, out: &mut String) {
        out.push('{');
        for (index, object) in self.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_text(object.id(), out);
            out.push(':');
            object.write_json(out);
        }
        out.push('}');
    }

    pub(crate) fn find(&self, id: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(id);
        let is_it = |slot: &u32| {
            self.slots
                .get(*slot as usize)
                .is_some_and(|slot| slot.id == id)
        };
        self.index.find(hash, is_it).copied()
    }

    #[inline]
    pub(crate) fn slot(&self, slot: u32) -> Option<&Slot> {
        self.slots.get(slot as usize)
    }

    #[inline]
    pub(crate) fn slot_mut(&mut self, slot: u32) -> Option<&mut Slot> {
        self.slots.get_mut(slot as usize)
    }

    /// The slot that came behind `slot` in the last report, or first. Not more than a guess: it may
    /// be vacant or another's by now.
    #[inline]
    pub(crate) fn follower(&self, slot: Option<u32>) -> Option<u32> {
        match slot {
            Some(slot) => self.slot(slot).map(|slot| slot.follower),
            None => self.first,
        }
    }

    #[inline]
    pub(crate) fn set_follower(&mut self, slot: Option<u32>, follower: u32) {
        match slot {
            Some(slot) => {
                if let Some(slot) = self.slot_mut(slot) {
                    slot.follower = follower;
                }
            }
            None => self.first = Some(follower),
        }
    }

    #[inline]
    pub(crate) fn name_text(&self, name: Name) -> &str {
        self.names.text(name)
    }

    pub(crate) fn intern(&mut self, text: &str, limit: usize) -> Option<Name> {
        self.names.intern(text, limit)
    }

    pub(crate) fn value(&self, packed: Packed) -> Value<'_> {
        self.texts.value(packed)
    }

    pub(crate) fn finish_report(&mut self) {
        self.reports += 1;
    }

    /// Adds an empty object behind the others (or among the array indices) and returns its slot.
    pub(crate) fn insert(&mut self, id: &str, form: Form) -> u32 {
        // `finish_report` counts it once it is merged.
        let since = self.reports + 1;
        let slot = Slot {
            id: id.into(),
            form,
            kind: None,
            names: Vec::new(),
            values: Vec::new(),
            present: 0,
            predicted: 0,
            follower: u32::MAX,
            since,
            seen: self.attempts,
        };
        let number = match self.vacant.pop() {
            Some(number) => {
                if let Some(vacant) = self.slots.get_mut(number as usize) {
                    *vacant = slot;
                }
                number
            }
            None => {
                self.slots.push(slot);
                // Bounded by `Limits::objects`, far below.
                u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
            }
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        let id_of = |number: u32| {
            slots
                .get(number as usize)
                .map(|slot| slot.id.as_str())
                .unwrap_or_default()
        };
        self.index
            .insert_unique(hasher.hash_one(id), number, |number| {
                hasher.hash_one(id_of(*number))
            });
        match array_index(id) {
            None => self.order.push(number),
            Some(index) => {
                let place = self.order.partition_point(|number| {
                    array_index(id_of(*number)).is_some_and(|other| other < index)
                });
                self.order.insert(place, number);
            }
        }
        number
    }

    /// Removes every object that `keep` does not want.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Slot) -> bool) {
        let mut order = std::mem::take(&mut self.order);
        order.retain(|&number| {
            let kept = self.slots.get(number as usize).is_some_and(&mut keep);
            if !kept {
                self.vacate(number);
            }
            kept
        });
        self.order = order;
    }

    fn vacate(&mut self, number: u32) {
        self.clear(number);
        let Some(slot) = self.slots.get_mut(number as usize) else {
            return;
        };
        let hash = self.hasher.hash_one(slot.id.as_str());
        slot.id = Default::default();
        slot.form = Form::Vacant;
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == number) {
            entry.remove();
        }
        self.vacant.push(number);
    }

    /// Takes all members of an object away.
    pub(crate) fn clear(&mut self, number: u32) {
        let Some(slot) = self.slots.get_mut(number as usize) else {
            return;
        };
        for packed in slot.values.drain(..) {
            self.texts.release(packed);
            self.values -= 1;
        }
        slot.names.clear();
        slot.present = 0;
        slot.kind = None;
        slot.predicted = 0;
    }

    /// The members of an object, to be changed.
    #[inline]
    pub(crate) fn members_mut(&mut self, number: u32) -> Option<MembersMut<'_>> {
        Some(MembersMut {
            slot: self.slots.get_mut(number as usize)?,
            texts: &mut self.texts,
            values: &mut self.values,
        })
    }

    /// Overwrites a member or adds it behind the others.
    pub(crate) fn set(&mut self, number: u32, name: Name, value: NewValue<'_>) {
        if let Some(mut members) = self.members_mut(number) {
            members.put(name, usize::MAX, value);
        }
    }

    /// Takes a member away, if the object has it.
    pub(crate) fn unset(&mut self, number: u32, name: Name) {
        let Some(slot) = self.slots.get_mut(number as usize) else {
            return;
        };
        if let Some(position) = slot.position(name) {
            slot.names.remove(position);
            self.texts.release(slot.values.remove(position));
            self.values -= 1;
            slot.predicted = 0;
        }
    }

    /// Makes the object a scalar.
    pub(crate) fn set_scalar(&mut self, number: u32, value: NewValue<'_>) {
        self.clear(number);
        let Some(slot) = self.slots.get_mut(number as usize) else {
            return;
        };
        slot.form = Form::Scalar;
        slot.values.push(self.texts.pack(value));
        self.values += 1;
    }

    /// Gives back memory that growing left unused in a new object.
    pub(crate) fn shrink(&mut self, number: u32) {
        if let Some(slot) = self.slots.get_mut(number as usize) {
            slot.names.shrink_to_fit();
            slot.values.shrink_to_fit();
        }
    }
}

/// The members of one object, see [`Stats::members_mut`].
pub(crate) struct MembersMut<'a> {
    slot: &'a mut Slot,
    texts: &'a mut Texts,
    values: &'a mut usize,
}

impl MembersMut<'_> {
    /// Overwrites the member at `position`.
    #[inline]
    pub(crate) fn replace(&mut self, position: usize, value: NewValue<'_>) {
        if let Some(packed) = self.slot.values.get_mut(position)
            // A type is a text, or of no kind already.
            && !packed.replace_number(value)
        {
            self.texts.replace(packed, value);
            self.update_kind(position, value);
        }
    }

    /// Overwrites a member or adds it at `place`, at most behind the others; its position.
    pub(crate) fn put(&mut self, name: Name, place: usize, value: NewValue<'_>) -> usize {
        if let Some(position) = self.slot.position(name) {
            self.replace(position, value);
            return position;
        }
        self.insert(name, place, value)
    }

    /// Makes room for exactly so many more members.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.slot.names.reserve_exact(count);
        self.slot.values.reserve_exact(count);
    }

    /// Adds a member that the object does not have.
    pub(crate) fn insert(&mut self, name: Name, place: usize, value: NewValue<'_>) -> usize {
        let place = place.min(self.slot.names.len());
        self.slot.names.insert(place, name);
        self.slot.present |= name.mark();
        self.slot.values.insert(place, self.texts.pack(value));
        *self.values += 1;
        self.slot.predicted = 0;
        self.update_kind(place, value);
        place
    }

    fn update_kind(&mut self, position: usize, value: NewValue<'_>) {
        let name = self.slot.names.get(position);
        if name.is_some_and(|name| name.is(Field::Type)) {
            self.slot.kind = kind_of(value);
        }
    }
}

fn kind_of(value: NewValue<'_>) -> Option<StatsKind> {
    match value {
        NewValue::Text(text) => StatsKind::from_name(text),
        _ => None,
    }
}

/// The number of an id that JavaScript takes for an array index: canonical decimal, at most
/// 4294967294. Such keys come first, ascending.
pub(crate) fn array_index(id: &str) -> Option<u32> {
    let is_canonical =
        id == "0" || (!id.starts_with('0') && id.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_canonical || id.is_empty() || id.len() > 10 {
        return None;
    }
    id.parse().ok().filter(|index| *index != u32::MAX)
}

/// The objects of [`Stats`], see [`Stats::iter`].
#[derive(Debug, Clone)]
pub struct Objects<'a> {
    stats: &'a Stats,
    order: std::slice::Iter<'a, u32>,
}

impl<'a> Iterator for Objects<'a> {
    type Item = StatsObject<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let slot = self.stats.slots.get(*self.order.next()? as usize)?;
        Some(StatsObject {
            stats: self.stats,
            slot,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.order.size_hint()
    }
}

impl ExactSizeIterator for Objects<'_> {}

impl<'a> IntoIterator for &'a Stats {
    type Item = StatsObject<'a>;
    type IntoIter = Objects<'a>;

    fn into_iter(self) -> Objects<'a> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(stats: &Stats) -> Vec<&str> {
        stats.iter().map(StatsObject::id).collect()
    }

    #[test]
    fn array_indices_come_first_ascending() {
        let mut stats = Stats::default();
        for id in ["b", "10", "007", "9", "4294967295", "4294967294", "0", "-1"] {
            stats.insert(id, Form::Object);
        }
        assert_eq!(
            ids(&stats),
            ["0", "9", "10", "4294967294", "b", "007", "4294967295", "-1"]
        );
    }

    #[test]
    fn an_object_that_comes_back_is_last() {
        let mut stats = Stats::default();
        for id in ["a", "b", "c"] {
            stats.insert(id, Form::Object);
        }
        stats.retain(|slot| slot.id != "a");
        assert!(stats.get("a").is_none());
        stats.insert("a", Form::Object);
        assert_eq!(ids(&stats), ["b", "c", "a"]);
        assert_eq!(stats.slots.len(), 3);
    }
}
