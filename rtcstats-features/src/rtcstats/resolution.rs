//! Sizes of video frames.

use super::TrackFeatures;
use super::quota::{Quota, take};
use crate::room::make_room;

/// How often a stream had which width and height.
#[derive(Debug, Default)]
pub(super) struct Resolutions {
    widths: Histogram,
    heights: Histogram,
}

/// Counts values.
#[derive(Debug, Default)]
struct Histogram {
    /// Ascending.
    counts: Vec<(f64, u64)>,
    /// Of the last one.
    last: usize,
}

impl Resolutions {
    /// Takes the size in a report; nothing if it is not whole.
    pub(super) fn take(&mut self, width: f64, height: f64, quota: &mut Quota<'_>) {
        let is_truthy = |length: f64| length != 0.0 && !length.is_nan();
        if is_truthy(width) && is_truthy(height) {
            self.widths.add(width, quota);
            self.heights.add(height, quota);
        }
    }

    pub(super) fn write(&self, features: &mut TrackFeatures) {
        features.min_width = self.widths.values().reduce(f64::min);
        features.max_width = self.widths.values().reduce(f64::max);
        features.common_width = self.widths.most_common();
        features.min_height = self.heights.values().reduce(f64::min);
        features.max_height = self.heights.values().reduce(f64::max);
        features.common_height = self.heights.most_common();
    }
}

impl Histogram {
    #[inline]
    fn add(&mut self, value: f64, quota: &mut Quota<'_>) {
        if let Some((last, count)) = self.counts.get_mut(self.last)
            && *last == value
        {
            *count += 1;
            return;
        }
        let place = |(known, _): &(f64, u64)| known.total_cmp(&value);
        match self.counts.binary_search_by(place) {
            Ok(position) => {
                self.last = position;
                if let Some((_, count)) = self.counts.get_mut(position) {
                    *count += 1;
                }
            }
            Err(position) if take!(quota, resolutions) => {
                self.last = position;
                make_room(&mut self.counts);
                self.counts.insert(position, (value, 1));
            }
            Err(_) => {}
        }
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.counts.iter().map(|(value, _)| *value)
    }

    /// Of several the smallest.
    fn most_common(&self) -> Option<f64> {
        let first = |one: (f64, u64), other: (f64, u64)| {
            let is_better = other.1 > one.1 || (other.1 == one.1 && other.0 < one.0);
            if is_better { other } else { one }
        };
        self.counts
            .iter()
            .copied()
            .reduce(first)
            .map(|(value, _)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::rtcstats::quota::Used;

    #[test]
    fn the_most_common_is_the_smallest_of_several() {
        let (limits, mut used) = (Limits::default(), Used::default());
        let mut quota = Quota {
            limits: &limits,
            used: &mut used,
        };
        let mut histogram = Histogram::default();
        assert_eq!(histogram.most_common(), None);
        for value in [640.0, 320.0, 640.0, 320.0, 160.0] {
            histogram.add(value, &mut quota);
        }
        assert_eq!(histogram.most_common(), Some(320.0));
        histogram.add(640.0, &mut quota);
        assert_eq!(histogram.most_common(), Some(640.0));
    }

    #[test]
    fn sizes_beyond_the_limit_are_left_out_and_told() {
        let limits = Limits {
            resolutions: 2,
            ..Limits::default()
        };
        let mut used = Used::default();
        let mut quota = Quota {
            limits: &limits,
            used: &mut used,
        };
        let mut resolutions = Resolutions::default();
        resolutions.take(1.0, 2.0, &mut quota);
        resolutions.take(0.0, 2.0, &mut quota);
        assert!(!quota.used.is_incomplete);
        resolutions.take(3.0, 2.0, &mut quota);
        assert!(quota.used.is_incomplete);
        assert_eq!(resolutions.widths.counts.len(), 1);
    }

    #[test]
    fn many_sizes_cost_no_more_than_few() {
        let start = std::time::Instant::now();
        let (limits, mut used) = (Limits::default(), Used::default());
        let mut quota = Quota {
            limits: &limits,
            used: &mut used,
        };
        let mut histogram = Histogram::default();
        for number in 0..1_000_000_u32 {
            histogram.add(f64::from(number % 70_000) + 0.5, &mut quota);
        }
        assert_eq!(histogram.counts.len(), limits.resolutions);
        assert_eq!(histogram.most_common(), Some(0.5));
        assert!(start.elapsed().as_secs() < 5);
    }
}
