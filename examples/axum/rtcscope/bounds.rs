//! Which times points may have.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Points that are older are not kept, and those of the far future are mistakes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) keep: Duration,
}

impl Bounds {
    /// How far a clock may be ahead.
    const AHEAD: Duration = Duration::from_secs(86_400);

    /// The times that are kept at `now`, in Unix epoch nanoseconds, as all times here.
    pub(crate) fn at(self, now: i64) -> RangeInclusive<i64> {
        let nanoseconds =
            |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        let oldest = now.saturating_sub(nanoseconds(self.keep)).max(0);
        oldest..=now.saturating_add(nanoseconds(Self::AHEAD))
    }
}
