//! The numbers of stats ids.

use compact_str::CompactString;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::Limits;
use crate::delta::{DeltaError, DeltaLimit};

/// The ids of one peer connection, numbered as they are first sent. None is ever forgotten.
#[derive(Debug, Default)]
pub(super) struct Ids {
    ids: Vec<CompactString>,
    numbers: HashMap<CompactString, u32, RandomState>,
}

impl Ids {
    pub(super) fn as_slice(&self) -> &[CompactString] {
        &self.ids
    }

    pub(super) fn number(&self, id: &str) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    /// The number of an id, the next one if it has none.
    pub(super) fn assign(&mut self, id: &str) -> u32 {
        if let Some(number) = self.number(id) {
            return number;
        }
        // Bounded by `check_room`.
        let number = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        self.ids.push(id.into());
        self.numbers.insert(id.into(), number);
        number
    }

    /// Whether `count` more are within the limit: as many as one connection may have values.
    pub(super) fn check_room(&self, count: usize, limits: &Limits) -> Result<(), DeltaError> {
        let allowed = limits.values;
        if self.ids.len() + count > allowed {
            return Err(DeltaError::Limit {
                limit: DeltaLimit::Values,
                allowed,
                offset: 0,
            });
        }
        Ok(())
    }
}
