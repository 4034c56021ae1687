//! Guesses at what comes next, from what came in the last report.

use super::{NO_POSITION, Spelling};
use crate::json::Reader;
use crate::stats::{Form, Name, Stats};

/// Which members of an object were read.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Those of the first 128.
    pub(super) members: u128,
    /// The position behind the last.
    pub(super) next: usize,
}

impl Seen {
    pub(super) fn add(&mut self, position: usize) {
        self.members |= bit(position);
        if position < usize::from(NO_POSITION) {
            // Never back, or a member could be guessed twice.
            self.next = self.next.max(position + 1);
        }
    }

    /// Adds members that came as predicted, in one go.
    pub(super) fn add_predicted(&mut self, predicted: u128, next: usize) {
        self.members |= predicted & bits_from(self.next) & !bits_from(next);
        self.next = next;
    }
}

/// Members that may come next, in their order: those of the last delta.
#[derive(Debug, Clone, Copy)]
pub(super) struct Predicted {
    /// Those of 64, the first of which is `start`.
    word: u64,
    start: usize,
    /// Those of the 64 behind them.
    rest: u64,
}

impl Predicted {
    /// Those from a position on.
    #[inline]
    pub(super) fn new(members: u128, from: usize) -> Self {
        let members = members & bits_from(from);
        Self {
            word: members as u64,
            start: 0,
            rest: (members >> 64) as u64,
        }
    }

    /// The position of the next one; behind the last, one where none is.
    #[inline]
    pub(super) fn first(&mut self) -> usize {
        if self.word == 0 {
            (self.word, self.rest) = (self.rest, 0);
            self.start += 64;
        }
        self.start + self.word.trailing_zeros() as usize
    }

    /// Goes on behind the next one.
    #[inline]
    pub(super) fn advance(&mut self) {
        self.word &= self.word.wrapping_sub(1);
    }
}

/// The member at the cursor, if it is one of the next ones; consumes its key.
#[inline(never)]
pub(super) fn look_ahead<S: Spelling>(
    reader: &mut Reader<'_>,
    stats: &Stats,
    names: &[Name],
    mut predicted: Predicted,
    next: usize,
) -> Option<usize> {
    /// Members that change now and then are missing among the next few.
    const TRIES: usize = 4;
    /// Behind so many others a member is looked up.
    const NEAR: usize = 16;
    let rest = names.get(next..).unwrap_or_default();
    if let Some(position) = S::take_one_of(reader, rest) {
        return Some(next + position);
    }
    for _ in 0..TRIES {
        let position = predicted.first();
        if is_next::<S>(reader, stats, names, position) {
            return Some(position);
        }
        predicted.advance();
    }
    (next..next + NEAR).find(|position| is_next::<S>(reader, stats, names, *position))
}

#[inline(always)]
pub(super) fn is_next<S: Spelling>(
    reader: &mut Reader<'_>,
    stats: &Stats,
    names: &[Name],
    position: usize,
) -> bool {
    names
        .get(position)
        .is_some_and(|name| S::take_key(reader, stats, *name))
}

/// The object at the cursor, if it is one of those that came next in the last report; consumes its
/// key.
#[inline]
pub(super) fn guess_object(
    reader: &mut Reader<'_>,
    stats: &Stats,
    previous: Option<u32>,
) -> Option<u32> {
    /// Objects that are gone are missing among the next few.
    const TRIES: usize = 3;
    let mut candidate = previous;
    for _ in 0..TRIES {
        let number = stats.follower(candidate)?;
        let slot = stats.slot(number)?;
        if slot.has_plain_id && slot.form != Form::Vacant && reader.take_plain_key(&slot.id) {
            return Some(number);
        }
        candidate = Some(number);
    }
    None
}

#[inline]
pub(super) fn bit(position: usize) -> u128 {
    if position < 128 { 1 << position } else { 0 }
}

#[inline]
pub(super) fn bits_from(position: usize) -> u128 {
    if position < 128 {
        u128::MAX << position
    } else {
        0
    }
}
