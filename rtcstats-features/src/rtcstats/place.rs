//! Members of stats objects, found again without a search.

use std::borrow::Cow;

use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, Stats, StatsObject};

use crate::javascript::key_of;

/// Where a member was in the object that had it last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    field: Field,
    /// Slot and shape of that object.
    of: Option<(u32, u32)>,
    position: Option<usize>,
}

impl Place {
    pub(super) fn of(field: Field) -> Self {
        Self {
            field,
            of: None,
            position: None,
        }
    }

    /// The member of `object`, if it has it.
    #[inline]
    pub(super) fn get<'a>(&mut self, object: StatsObject<'a>) -> Option<Value<'a>> {
        let of = Some((object.slot(), object.shape()));
        if self.of != of {
            self.of = of;
            self.position = object.position(self.field);
        }
        object.get_at(self.position?, self.field)
    }

    /// The id of another object that the member names, if JavaScript takes it for true.
    #[inline]
    pub(super) fn get_id<'a>(&mut self, object: StatsObject<'a>) -> Option<Cow<'a, str>> {
        let value = self.get(object)?;
        value.is_truthy().then(|| key_of(Some(value)))
    }
}

/// Where the object was that an id led to last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reference {
    slot: Option<u32>,
}

impl Reference {
    /// The object with this id, if there is one.
    #[inline]
    pub(super) fn follow<'a>(&mut self, id: &str, stats: &'a Stats) -> Option<StatsObject<'a>> {
        let known = self.slot.and_then(|slot| stats.at(slot));
        if let Some(known) = known.filter(|object| object.id() == id) {
            return Some(known);
        }
        let found = stats.get(id);
        self.slot = found.map(StatsObject::slot);
        found
    }
}
