//! All stats objects of one peer connection.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::name::Names;
use super::packed::{Packed, Texts, make_room};
use super::{Field, Form, Name, NewValue, Slot, StatsKind, StatsObject};
use crate::json::{Value, is_plain, write_text};

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
    /// How many of them, all in front, have an array index for an id.
    indices: usize,
    /// Slots whose timestamp is not the shared one, some vacant ones included. Kept by the decoder of
    /// rtcstats 5.0 alone.
    pub(crate) unshared: Vec<u32>,
    index: HashTable<u32>,
    hasher: RandomState,
    pub(super) names: Names,
    pub(super) texts: Texts,
    values: usize,
    /// The slot that came first in the last report.
    first: Option<u32>,
    reports: u64,
    arrangement: u64,
    /// Counts the members that came or went, and those that describe an object and changed.
    reshaped: u64,
    /// Counts the lines tried, the failed ones too.
    pub(crate) attempts: u32,
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
        self.at(self.find(id)?)
    }

    /// The object that [lives there](StatsObject::slot), found without its id.
    #[inline]
    pub fn at(&self, slot: u32) -> Option<StatsObject<'_>> {
        let (number, slot) = (slot, self.slots.get(slot as usize)?);
        (slot.form != Form::Vacant).then_some(StatsObject {
            stats: self,
            slot,
            number,
        })
    }

    /// Another number each time objects come, go, change places or their type. As long as it stays,
    /// what was found out about them can be used again.
    ///
    /// ```
    /// use rtcstats_proto::{Limits, RawJson, delta::Decoder, stats::{Field, Stats}};
    ///
    /// let mut decoder = Decoder::jitsi(Limits::default());
    /// let mut stats = Stats::default();
    /// decoder.decode(RawJson::parse(r#"{"T":{"type":"transport","bytesSent":1}}"#)?, &mut stats)?;
    /// let transport = stats.get("T").ok_or("no transport")?;
    /// let (slot, arrangement) = (transport.slot(), stats.arrangement());
    /// let bytes = transport.position(Field::BytesSent).ok_or("no bytes")?;
    ///
    /// decoder.decode(RawJson::parse(r#"{"T":{"bytesSent":2}}"#)?, &mut stats)?;
    /// assert_eq!(stats.arrangement(), arrangement);
    /// let sent = stats.at(slot).and_then(|transport| transport.get_at(bytes, Field::BytesSent));
    /// assert_eq!(sent.and_then(|sent| sent.as_number()), Some(2.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn arrangement(&self) -> u64 {
        self.arrangement
    }

    /// Another number each time the [arrangement](Stats::arrangement) or the
    /// [shape](StatsObject::shape) of an object changes, or the value of a
    /// [descriptive](Field::is_descriptive) member from or to anything but a number.
    ///
    /// As long as it stays, every object and every member is where it was, and texts that describe
    /// objects say what they said.
    #[inline]
    pub fn layout(&self) -> u64 {
        // Neither ever falls.
        self.arrangement.wrapping_add(self.reshaped)
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
    pub(crate) fn quoted_name(&self, name: Name) -> &str {
        self.names.quoted(name)
    }

    pub(crate) fn intern(&mut self, text: &str, limit: usize) -> Option<Name> {
        self.names.intern(text, limit)
    }

    /// The value of the member at `position` of an object.
    pub(crate) fn value_at(&self, slot: u32, position: u16) -> Option<Value<'_>> {
        let packed = self.slot(slot)?.values.get(usize::from(position))?;
        Some(self.value(packed))
    }

    pub(crate) fn value<'a>(&'a self, packed: &'a Packed) -> Value<'a> {
        self.texts.value(packed)
    }

    /// Gives the next line a number of its own, which is never 0.
    pub(crate) fn begin_attempt(&mut self) {
        self.attempts = self.attempts.checked_add(1).unwrap_or(1);
    }

    /// Makes room for so many more objects, and for so many texts in them.
    pub(crate) fn reserve(&mut self, objects: usize, texts: usize) {
        self.slots.reserve_exact(objects);
        self.order.reserve_exact(objects);
        self.texts.reserve(texts);
    }

    pub(crate) fn finish_report(&mut self) {
        self.reports += 1;
    }

    /// Adds an empty object behind the others (or among the array indices) and returns its slot.
    pub(crate) fn insert(&mut self, id: &str, form: Form) -> u32 {
        // `finish_report` counts it once it is merged.
        let since = (self.reports + 1) as u32;
        self.arrangement += 1;
        let mut slot = Slot {
            id: id.into(),
            has_plain_id: is_plain(id),
            form,
            kind: None,
            shares_timestamp: false,
            names: Vec::new(),
            values: Vec::new(),
            present: 0,
            predicted: 0,
            follower: u32::MAX,
            since,
            seen: self.attempts,
            shape: 0,
        };
        let number = match self.vacant.pop() {
            Some(number) => {
                if let Some(vacant) = self.slots.get_mut(number as usize) {
                    slot.shape = vacant.shape.wrapping_add(1);
                    *vacant = slot;
                }
                number
            }
            None => {
                make_room(&mut self.slots);
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
            None => {
                make_room(&mut self.order);
                self.order.push(number);
            }
            Some(index) => {
                let place = self.order.partition_point(|number| {
                    array_index(id_of(*number)).is_some_and(|other| other < index)
                });
                self.order.insert(place, number);
                self.indices += 1;
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
        self.arrangement += 1;
        let Some(slot) = self.slots.get_mut(number as usize) else {
            return;
        };
        let hash = self.hasher.hash_one(slot.id.as_str());
        self.indices -= usize::from(array_index(&slot.id).is_some());
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
            self.texts.release(&packed);
            self.values -= 1;
        }
        slot.names.clear();
        slot.shape = slot.shape.wrapping_add(1);
        self.arrangement += 1;
        slot.present = 0;
        slot.kind = None;
        slot.predicted = 0;
        slot.shares_timestamp = false;
    }

    /// The members of an object, to be changed.
    #[inline]
    pub(crate) fn members_mut(&mut self, number: u32) -> Option<MembersMut<'_>> {
        Some(MembersMut {
            slot: self.slots.get_mut(number as usize)?,
            texts: &mut self.texts,
            values: &mut self.values,
            arrangement: &mut self.arrangement,
            reshaped: &mut self.reshaped,
        })
    }

    /// Overwrites a member or adds it behind the others.
    pub(crate) fn set(&mut self, number: u32, name: Name, value: NewValue<'_>) {
        if let Some(mut members) = self.members_mut(number) {
            members.put(name, usize::MAX, value);
        }
    }

    /// Gives an object the timestamp that all such objects share, see
    /// [`Stats::set_shared_timestamp`].
    pub(crate) fn share_timestamp(&mut self, number: u32) {
        let Some(mut members) = self.members_mut(number) else {
            return;
        };
        let timestamp = Name::from(Field::Timestamp);
        let position = members.position(timestamp);
        let position =
            position.unwrap_or_else(|| members.insert(timestamp, usize::MAX, NewValue::Null));
        members.share(position);
    }

    /// Changes the timestamp that objects share.
    pub(crate) fn set_shared_timestamp(&mut self, timestamp: f64) {
        self.texts.set_shared(timestamp);
    }

    /// Gives an object a timestamp of its own.
    pub(crate) fn set_own_timestamp(&mut self, number: u32, value: NewValue<'_>) {
        self.set(number, Field::Timestamp.into(), value);
        let members = self.members_mut(number);
        if members.is_some_and(|mut members| members.unshare()) {
            self.unshared.push(number);
        }
    }

    /// The slots of the objects.
    pub(crate) fn slots(&self) -> Vec<u32> {
        self.order.clone()
    }

    /// Whether the slot belongs to no object.
    pub(crate) fn is_vacant(&self, number: u32) -> bool {
        self.slot(number)
            .is_none_or(|slot| slot.form == Form::Vacant)
    }

    /// Whether the id of an object is an array index.
    pub(crate) fn has_array_index(&self, number: u32) -> bool {
        self.slot(number)
            .is_some_and(|slot| array_index(&slot.id).is_some())
    }

    /// Whether all ids are array indices, so that only they determine the order.
    pub(crate) fn is_ordered_by_index(&self) -> bool {
        self.indices == self.order.len()
    }

    /// Puts `first` in front of the others, but behind those whose id is an array index.
    pub(crate) fn reorder(&mut self, first: &[u32], is_first: impl Fn(&Slot) -> bool) {
        let mut order = std::mem::take(&mut self.order);
        let tail = order.get_mut(self.indices..).unwrap_or_default();
        let slots = &self.slots;
        // Stable: the others stay as they are.
        let is_other = |number: &u32| !slots.get(*number as usize).is_some_and(&is_first);
        if !tail.starts_with(first) {
            self.arrangement += 1;
            tail.sort_by_key(is_other);
            for (place, number) in tail.iter_mut().zip(first) {
                *place = *number;
            }
        }
        self.order = order;
    }

    /// Takes a member away, if the object has it.
    pub(crate) fn unset(&mut self, number: u32, name: Name) {
        let Some(slot) = self.slots.get_mut(number as usize) else {
            return;
        };
        if let Some(position) = slot.position(name) {
            slot.names.remove(position);
            slot.shape = slot.shape.wrapping_add(1);
            self.reshaped += 1;
            self.texts.release(&slot.values.remove(position));
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
    arrangement: &'a mut u64,
    reshaped: &'a mut u64,
}

impl MembersMut<'_> {
    /// Overwrites the member at `position`.
    #[inline]
    pub(crate) fn replace(&mut self, position: usize, value: NewValue<'_>) {
        match value {
            // What is found out about texts stays as it is.
            NewValue::Number(number) if self.replace_number(position, number) => {}
            _ => self.replace_other(position, value),
        }
    }

    fn replace_other(&mut self, position: usize, value: NewValue<'_>) {
        if let Some(packed) = self.slot.values.get_mut(position) {
            let name = self.slot.names.get(position);
            if name.is_some_and(|name| name.is_descriptive()) {
                let is_changed = !value.is(self.texts.value(packed));
                *self.reshaped += u64::from(is_changed);
            }
            self.texts.replace(packed, value);
            self.update_kind(position, value);
        }
    }

    /// Where the object has a member, if it has it.
    pub(crate) fn position(&self, name: Name) -> Option<usize> {
        self.slot.position(name)
    }

    /// The value of the member at `position`.
    pub(crate) fn value(&self, position: usize) -> Option<Value<'_>> {
        let packed = self.slot.values.get(position)?;
        Some(self.texts.value(packed))
    }

    /// Puts a number in the place of a number; `false` if there is none.
    #[inline]
    pub(crate) fn replace_number(&mut self, position: usize, number: f64) -> bool {
        let packed = self.slot.values.get_mut(position);
        packed.is_some_and(|packed| packed.replace_number(number))
    }

    /// Makes the member at `position` the shared timestamp.
    fn share(&mut self, position: usize) {
        if let Some(packed) = self.slot.values.get_mut(position) {
            self.texts.release(packed);
            *packed = Packed::SHARED;
            self.slot.shares_timestamp = true;
        }
    }

    /// The timestamp is the object's own from now on; whether it was the shared one.
    #[inline]
    pub(crate) fn unshare(&mut self) -> bool {
        std::mem::take(&mut self.slot.shares_timestamp)
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
        self.slot.shape = self.slot.shape.wrapping_add(1);
        *self.reshaped += 1;
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
            let kind = kind_of(value);
            *self.arrangement += u64::from(self.slot.kind != kind);
            self.slot.kind = kind;
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
        let number = *self.order.next()?;
        let slot = self.stats.slots.get(number as usize)?;
        Some(StatsObject {
            stats: self.stats,
            slot,
            number,
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

    #[test]
    fn what_describes_an_object_changes_the_layout_only_if_it_changes() {
        let mut stats = Stats::default();
        let slot = stats.insert("a", Form::Object);
        let mut changes = |field: Field, values: &[NewValue<'_>]| {
            let set = |value: &NewValue<'_>| {
                let layout = stats.layout();
                stats.set(slot, field.into(), *value);
                stats.layout() != layout
            };
            values.iter().map(set).collect::<Vec<_>>()
        };
        let values = [
            NewValue::Text("x"),
            NewValue::Text("x"),
            NewValue::Text("y"),
            NewValue::Number(1.0),
            NewValue::Number(2.0),
            NewValue::Null,
            NewValue::Null,
            NewValue::Bool(true),
            NewValue::Bool(false),
            NewValue::Nested("[1]"),
            NewValue::Nested("[1]"),
        ];
        assert_eq!(
            changes(Field::Kind, &values),
            [
                true, false, true, true, false, true, false, true, true, true, false
            ]
        );
        // It comes, and that is all.
        let mut once = [false; 11];
        once[0] = true;
        assert_eq!(changes(Field::GoogTimingFrameInfo, &values), once);
    }

    #[test]
    fn what_moves_changes_the_arrangement_or_the_shape() {
        let mut stats = Stats::default();
        let slot = stats.insert("a", Form::Object);
        stats.set(slot, Field::Type.into(), NewValue::Text("codec"));
        stats.set(slot, Field::Ssrc.into(), NewValue::Number(1.0));
        let object = stats.get("a").unwrap();
        let (position, shape) = (object.position(Field::Ssrc).unwrap(), object.shape());
        let (arrangement, layout) = (stats.arrangement(), stats.layout());
        stats.set(slot, Field::Ssrc.into(), NewValue::Number(2.0));
        let object = stats.at(slot).unwrap();
        assert_eq!((object.shape(), stats.arrangement()), (shape, arrangement));
        assert_eq!(stats.layout(), layout);
        let value = object.get_at(position, Field::Ssrc);
        assert_eq!(value, Some(Value::Number(2.0)));
        assert_eq!(object.number_at(position), Some(2.0));
        assert_eq!(object.get_at(position, Field::Type), None);
        assert_eq!(object.number_at(position - 1), None);
        assert_eq!(object.number_at(position + 1), None);
        stats.set(slot, Field::Kind.into(), NewValue::Text("audio"));
        assert_ne!(stats.at(slot).unwrap().shape(), shape);
        assert_ne!(stats.layout(), layout);
        let layout = stats.layout();
        stats.unset(slot, Field::Kind.into());
        assert_ne!(stats.layout(), layout);
        let layout = stats.layout();
        stats.set(slot, Field::Type.into(), NewValue::Text("codec"));
        assert_eq!((stats.arrangement(), stats.layout()), (arrangement, layout));
        stats.set(slot, Field::Type.into(), NewValue::Text("transport"));
        assert_ne!(stats.arrangement(), arrangement);
        assert_ne!(stats.layout(), layout);
        let layout = stats.layout();
        stats.set(slot, Field::PacketsLost.into(), NewValue::Number(2.0));
        assert_ne!(stats.layout(), layout);
        let arrangement = stats.arrangement();
        stats.retain(|_| false);
        assert_ne!(stats.arrangement(), arrangement);
        assert!(stats.at(slot).is_none());
    }
}
