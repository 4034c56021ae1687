//! Latencies in constant memory.

use std::time::Duration;

/// How finely: the width of a class is this part of its value.
const CLASSES_PER_DOUBLING: usize = 32;

/// From microseconds to more than a day.
const DOUBLINGS: usize = 37;

/// Counts latencies, each in a class that is three percent wide.
#[derive(Debug)]
pub(super) struct Latencies {
    classes: Vec<u64>,
    count: u64,
    greatest: Duration,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            classes: vec![0; CLASSES_PER_DOUBLING * DOUBLINGS],
            count: 0,
            greatest: Duration::ZERO,
        }
    }
}

impl Latencies {
    pub(super) fn add(&mut self, latency: Duration) {
        let microseconds = latency.as_secs_f64() * 1e6;
        let class = microseconds.max(1.0).log2() * CLASSES_PER_DOUBLING as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and saturates"
        )]
        let class = (class as usize).min(self.classes.len() - 1);
        if let Some(class) = self.classes.get_mut(class) {
            *class += 1;
        }
        self.count += 1;
        self.greatest = self.greatest.max(latency);
    }

    /// The latency that this part of all does not exceed, up to three percent; `None` if there is none.
    pub(super) fn quantile(&self, part: f64) -> Option<Duration> {
        let rank = (self.count as f64 * part).ceil().max(1.0);
        let mut seen = 0;
        for (class, count) in self.classes.iter().enumerate() {
            seen += count;
            if seen as f64 >= rank {
                let microseconds = ((class + 1) as f64 / CLASSES_PER_DOUBLING as f64).exp2();
                let end = Duration::from_secs_f64(microseconds / 1e6);
                return Some(end.min(self.greatest));
            }
        }
        None
    }

    /// The greatest one; `None` if there is none.
    pub(super) fn greatest(&self) -> Option<Duration> {
        (self.count > 0).then_some(self.greatest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_three_percent_exact() {
        let mut latencies = Latencies::default();
        assert_eq!(
            (latencies.quantile(0.5), latencies.greatest()),
            (None, None)
        );
        for milliseconds in 1..=1_000 {
            latencies.add(Duration::from_millis(milliseconds));
        }
        for part in [0.01, 0.5, 0.95, 0.99] {
            let quantile = latencies.quantile(part).unwrap().as_secs_f64();
            assert!((quantile / part - 1.0).abs() < 0.03, "{part}: {quantile}");
        }
        assert_eq!(latencies.quantile(1.0), Some(Duration::from_secs(1)));
        latencies.add(Duration::from_secs(1_000_000));
        assert_eq!(latencies.greatest(), Some(Duration::from_secs(1_000_000)));
    }
}
