//! Flushes of a jitter buffer.

/// Whether flushes come at regular times.
#[derive(Debug, Default)]
pub(super) struct Flushes {
    /// The counter's last value.
    value: Option<f64>,
    count: u64,
    last: f64,
    /// A distance was shorter or longer than [`PERIOD`].
    is_irregular: bool,
}

/// Milliseconds between two flushes, if they are periodic.
const PERIOD: std::ops::RangeInclusive<f64> = 3000.0..=5000.0;

impl Flushes {
    /// Takes the counter in a report. Its first value says nothing, and neither does a lower one.
    #[inline]
    pub(super) fn take(&mut self, value: f64, time: f64) {
        let previous = self.value.replace(value);
        if previous.is_some_and(|previous| value > previous) {
            self.flush(time);
        }
    }

    fn flush(&mut self, time: f64) {
        self.is_irregular |= self.count > 0 && !PERIOD.contains(&(time - self.last));
        self.count += 1;
        self.last = time;
    }

    /// Absent below three flushes.
    pub(super) fn are_periodic(&self) -> Option<bool> {
        (self.count >= 3).then_some(!self.is_irregular)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn periodic(reports: &[(f64, f64)]) -> Option<bool> {
        let mut flushes = Flushes::default();
        for (value, time) in reports {
            flushes.take(*value, *time);
        }
        flushes.are_periodic()
    }

    #[test]
    fn three_flushes_with_regular_distances_are_periodic() {
        let first = (7.0, 0.0);
        assert_eq!(periodic(&[first, (8.0, 1.0), (9.0, 3001.0)]), None);
        let regular = [first, (8.0, 1.0), (9.0, 3001.0), (10.0, 8001.0)];
        assert_eq!(periodic(&regular), Some(true));
        let late = [first, (8.0, 1.0), (9.0, 3001.0), (10.0, 8002.0)];
        assert_eq!(periodic(&late), Some(false));
        let reset = [
            first,
            (8.0, 1.0),
            (1.0, 2.0),
            (2.0, 3001.0),
            (2.0, 4000.0),
            (3.0, 6001.0),
        ];
        assert_eq!(periodic(&reset), Some(true));
    }
}
