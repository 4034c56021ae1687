//! The values of one member.

use std::borrow::Cow;

use rtcstats_proto::stats::Field;

use crate::room::make_room;

/// A member's values, by the number of their time.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: Cow<'static, str>,
    /// The member, if the table knows it; of a member of a member, the outer one.
    pub(super) field: Option<Field>,
    /// The time of the first value.
    first: usize,
    /// NaN where there is none; the first one is a number.
    values: Vec<f64>,
}

impl Column {
    pub(super) fn new(name: Cow<'static, str>, field: Option<Field>, first: usize) -> Self {
        Self {
            name,
            field,
            first,
            values: Vec::new(),
        }
    }

    /// The value of a time, if there is one.
    pub(super) fn get(&self, row: usize) -> Option<f64> {
        let value = *self.values.get(row.checked_sub(self.first)?)?;
        (!value.is_nan()).then_some(value)
    }

    /// One behind the last time.
    pub(super) fn end(&self) -> usize {
        self.first + self.values.len()
    }

    /// How many values there are, and places where one is missing.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// How many values a time more would take.
    pub(super) fn cost(&self, row: usize) -> usize {
        (row + 1).saturating_sub(self.end())
    }

    /// Sets the value of the last time.
    pub(super) fn set(&mut self, row: usize, value: f64) {
        let Some(index) = row.checked_sub(self.first) else {
            return;
        };
        if let Some(known) = self.values.get_mut(index) {
            *known = value;
            return;
        }
        while self.values.len() < index {
            make_room(&mut self.values);
            self.values.push(f64::NAN);
        }
        make_room(&mut self.values);
        self.values.push(value);
    }

    /// The values of the times `from..to`, and the first time that has one.
    pub(super) fn part(&self, from: usize, to: usize) -> Option<(usize, Vec<f64>)> {
        let to = to.min(self.end());
        let first = (from.max(self.first)..to).find(|row| self.get(*row).is_some())?;
        let values = self.values.get(first - self.first..to - self.first)?;
        Some((first, values.to_vec()))
    }

    /// Makes one time of two: that of the later value.
    pub(super) fn merge_pairs(&mut self) {
        let (first, end) = (self.first / 2, self.end().div_ceil(2));
        for row in first..end {
            let value = self.get(2 * row + 1).or_else(|| self.get(2 * row));
            if let Some(place) = self.values.get_mut(row - first) {
                *place = value.unwrap_or(f64::NAN);
            }
        }
        self.values.truncate(end - first);
        self.values.shrink_to(self.values.len() * 5 / 4);
        self.first = first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(first: usize, values: &[f64]) -> Column {
        let mut column = Column::new(Cow::Borrowed("x"), None, first);
        for (index, value) in values.iter().enumerate() {
            if !value.is_nan() {
                column.set(first + index, *value);
            }
        }
        column
    }

    fn rows(column: &Column) -> Vec<Option<f64>> {
        (0..column.end()).map(|row| column.get(row)).collect()
    }

    #[test]
    fn pairs_keep_the_later_value_that_is_known() {
        let mut even = column(2, &[1.0, 2.0, 3.0, f64::NAN, f64::NAN, 6.0]);
        even.merge_pairs();
        assert_eq!(rows(&even), [None, Some(2.0), Some(3.0), Some(6.0)]);
        let mut odd = column(3, &[1.0, 2.0, 3.0, 4.0]);
        odd.merge_pairs();
        assert_eq!(rows(&odd), [None, Some(1.0), Some(3.0), Some(4.0)]);
    }

    #[test]
    fn a_part_begins_with_a_value() {
        let column = column(1, &[1.0, f64::NAN, 3.0]);
        assert_eq!(column.part(2, 9), Some((3, vec![3.0])));
        assert_eq!(column.part(0, 2), Some((1, vec![1.0])));
        assert_eq!(column.part(2, 3), None);
        assert_eq!(column.part(4, 9), None);
    }
}
