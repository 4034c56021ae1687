//! Numbers that grow from report to report.

use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, StatsObject};

/// Several numbers of one report, to be compared with those of the next one that has them all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counters<const N: usize>(Option<[f64; N]>);

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self(None)
    }
}

impl<const N: usize> Counters<N> {
    /// How much each has changed. `None` the first time; and if a number is absent, which changes
    /// nothing.
    pub(super) fn advance(&mut self, numbers: [Option<f64>; N]) -> Option<[f64; N]> {
        let mut known = [0.0; N];
        for (known, number) in known.iter_mut().zip(numbers) {
            *known = number?;
        }
        let last = self.0.replace(known)?;
        let mut changes = known;
        for (change, last) in changes.iter_mut().zip(last) {
            *change -= last;
        }
        Some(changes)
    }

    /// As [`Counters::advance`], for numbers that only fall when they begin anew: `None` then.
    pub(super) fn grow(&mut self, numbers: [Option<f64>; N]) -> Option<[f64; N]> {
        let growth = self.advance(numbers)?;
        growth.iter().all(|growth| *growth >= 0.0).then_some(growth)
    }
}

/// A member that is a number, or the text of one as in Chrome's first statistics.
pub(super) fn number(object: StatsObject<'_>, field: Field) -> Option<f64> {
    let number = match object.get(field)? {
        Value::Number(number) => number,
        value @ Value::Text(text) if !text.is_empty() => value.to_number(),
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// The time of an object in Unix epoch milliseconds, if it is one that JavaScript's dates can have.
pub(super) fn time_of(object: StatsObject<'_>) -> Option<f64> {
    valid_time(object.get(Field::Timestamp)?.as_number())
}

/// The time, if there is one and it is a date.
pub(crate) fn valid_time(time: Option<f64>) -> Option<f64> {
    const LATEST: f64 = 8.64e15;
    time.filter(|time| *time > 0.0 && *time <= LATEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_numbers_change_nothing_and_a_reset_is_no_growth() {
        let mut counters = Counters::default();
        assert_eq!(counters.grow([Some(1.0), Some(10.0)]), None);
        assert_eq!(counters.grow([Some(2.0), None]), None);
        assert_eq!(counters.grow([Some(3.0), Some(14.0)]), Some([2.0, 4.0]));
        assert_eq!(counters.grow([Some(4.0), Some(1.0)]), None);
        assert_eq!(counters.grow([Some(5.0), Some(2.0)]), Some([1.0, 1.0]));
    }
}
