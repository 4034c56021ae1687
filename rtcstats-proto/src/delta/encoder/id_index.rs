//! Where the objects of a report are.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::report::{Part, Report, narrow};

/// Finds objects by their id while a report is read.
#[derive(Debug, Default)]
pub(super) struct IdIndex {
    /// Which objects of the previous report came.
    is_there: Vec<bool>,
    hasher: RandomState,
    /// The places of the objects of the previous report, once one was looked for.
    known: HashTable<u32>,
    /// The ids that are new, and their places in the report.
    new: HashTable<(Part, u32)>,
}

impl IdIndex {
    pub(super) fn clear(&mut self, count: usize) {
        self.is_there.clear();
        self.is_there.resize(count, false);
        self.known.clear();
        self.new.clear();
    }

    /// Whether the object at this place of the previous report came.
    pub(super) fn is_there(&self, place: usize) -> bool {
        self.is_there.get(place) == Some(&true)
    }

    /// The object at this place came; whether it is the first time.
    pub(super) fn mark(&mut self, place: usize) -> bool {
        let is_there = self.is_there.get_mut(place);
        is_there.is_some_and(|is_there| !std::mem::replace(is_there, true))
    }

    /// The place of an object of the previous report. The id is JSON text.
    pub(super) fn find(&mut self, id: &str, previous: &Report) -> Option<usize> {
        let hash = |id: &str| self.hasher.hash_one(id);
        let id_at = |place: &u32| {
            let object = previous.objects.get(*place as usize);
            object.map_or("", |object| previous.id(object))
        };
        if self.known.is_empty() {
            for place in 0..narrow(previous.objects.len()) {
                let hash_at = |place: &u32| hash(id_at(place));
                self.known.insert_unique(hash_at(&place), place, hash_at);
            }
        }
        let place = self.known.find(hash(id), |place| id_at(place) == id)?;
        Some(*place as usize)
    }

    /// Adds an id that the previous report does not have; where the report has it already, if it does.
    pub(super) fn add(&mut self, id: Part, report: &Report) -> Option<usize> {
        let hash = |id: Part| self.hasher.hash_one(report.part(id));
        let is_it = |(own, _): &(Part, u32)| report.part(*own) == report.part(id);
        if let Some((_, place)) = self.new.find(hash(id), is_it) {
            return Some(*place as usize);
        }
        let entry = (id, narrow(report.objects.len()));
        self.new.insert_unique(hash(id), entry, |(id, _)| hash(*id));
        None
    }
}
