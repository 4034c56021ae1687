//! Numbers that were measured again and again.

use serde::Serialize;

use crate::javascript::number;
use crate::statistics::Variance;

/// What is known of a series of samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Series {
    /// How many samples.
    pub count: u64,
    /// Their mean.
    #[serde(serialize_with = "number")]
    pub mean: f64,
    /// The largest.
    #[serde(serialize_with = "number")]
    pub max: f64,
    /// The smallest.
    #[serde(serialize_with = "number")]
    pub min: f64,
    /// Their population variance.
    #[serde(serialize_with = "number")]
    pub variance: f64,
}

/// A series while it is measured, in constant memory.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Samples {
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
    variance: Variance,
}

impl Samples {
    /// Takes a sample, unless it is no number.
    #[inline]
    pub(super) fn add(&mut self, sample: f64) {
        if !sample.is_finite() {
            return;
        }
        let is_first = self.count == 0;
        self.count += 1;
        self.sum += sample;
        if is_first || sample < self.min {
            self.min = sample;
        }
        if is_first || sample > self.max {
            self.max = sample;
        }
        self.variance.add(sample);
    }

    /// None without a sample.
    pub(super) fn series(&self) -> Option<Series> {
        (self.count > 0).then(|| Series {
            count: self.count,
            mean: self.sum / self.count as f64,
            max: self.max,
            min: self.min,
            variance: self.variance.value(),
        })
    }

    pub(super) fn mean(&self) -> Option<f64> {
        self.series().map(|series| series.mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_no_sample() {
        let mut samples = Samples::default();
        assert_eq!(samples.series(), None);
        for sample in [2.0, f64::NAN, 4.0, f64::INFINITY] {
            samples.add(sample);
        }
        let series = samples.series().unwrap();
        assert_eq!((series.count, series.mean, series.variance), (2, 3.0, 1.0));
        assert_eq!((series.min, series.max), (2.0, 4.0));
    }
}
