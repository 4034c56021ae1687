//! Means, variances and percentages in constant memory, equal to what JavaScript computes.

use rtcstats_proto::json::write_number;

/// Rounds to two decimals as the existing extractor does: the decimal point is shifted in the
/// shortest text of the number, so 1.005 becomes 1.01. NaN where that text has an exponent.
pub(crate) fn round2(number: f64) -> f64 {
    shifted(number, "e2").map_or(f64::NAN, |hundredfold| {
        let floor = hundredfold.floor();
        let rounded = if hundredfold - floor >= 0.5 {
            floor + 1.0
        } else {
            floor
        };
        // Adding zero makes the negative zero positive.
        shifted(rounded, "e-2").map_or(f64::NAN, |rounded| rounded + 0.0)
    })
}

/// `number.floor()`, which is a call where the processor need not have it.
#[inline]
pub(crate) fn floor(number: f64) -> f64 {
    const EXACT: f64 = (1_u64 << 52) as f64;
    if number.is_nan() || number.abs() >= EXACT {
        return number;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked")]
    let truncated = number as i64 as f64;
    if truncated > number {
        truncated - 1.0
    } else {
        truncated
    }
}

fn shifted(number: f64, exponent: &str) -> Option<f64> {
    let mut text = String::new();
    write_number(number, &mut text);
    if !number.is_finite() || text.contains('e') {
        return None;
    }
    text.push_str(exponent);
    text.parse().ok()
}

/// `part` of `whole` in percent, rounded; none if there is no whole.
pub(crate) fn percent(part: f64, whole: f64) -> Option<f64> {
    (whole != 0.0 && !whole.is_nan()).then(|| round2(part / whole * 100.0))
}

/// The mean of samples, equal to adding up each divided by their final number.
///
/// That number is not known before the end, so the samples are kept, equal ones in a row as one.
/// Beyond a number of such runs only the sum is.
#[derive(Debug, Default)]
pub(crate) struct Mean {
    runs: Runs,
    count: u64,
    sum: f64,
}

/// Samples in their order, equal ones in a row as one.
#[derive(Debug)]
enum Runs {
    /// Few different values, as frame rates are: in two bytes each the number of the value and the
    /// length.
    Numbered {
        values: Vec<f64>,
        runs: Vec<[u8; 2]>,
    },
    Plain {
        values: Vec<f64>,
        lengths: Vec<u32>,
    },
    /// There were too many.
    Dropped,
}

impl Default for Runs {
    fn default() -> Self {
        Self::Numbered {
            values: Vec::new(),
            runs: Vec::new(),
        }
    }
}

impl Mean {
    pub(crate) fn add(&mut self, sample: f64, max_runs: usize) {
        self.count += 1;
        self.sum += sample;
        if !self.runs.lengthen(sample) {
            self.runs.add(sample, max_runs);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Whether there were too many samples to be exact.
    pub(crate) fn is_capped(&self) -> bool {
        matches!(self.runs, Runs::Dropped)
    }

    /// 0 without samples.
    pub(crate) fn value(&self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        let count = self.count as f64;
        let mut mean = 0.0;
        let mut add = |value: f64, length: u32| {
            let share = value / count;
            (0..length).for_each(|_| mean += share);
        };
        match &self.runs {
            Runs::Numbered { values, runs } => {
                for [number, length] in runs {
                    let value = values.get(usize::from(*number)).copied();
                    add(value.unwrap_or_default(), u32::from(*length));
                }
            }
            Runs::Plain { values, lengths } => {
                let runs = values.iter().zip(lengths);
                runs.for_each(|(value, length)| add(*value, *length));
            }
            Runs::Dropped => return self.sum / count,
        }
        mean
    }
}

impl Runs {
    /// Adds a sample to the last run, if it is one of it.
    #[inline]
    fn lengthen(&mut self, sample: f64) -> bool {
        match self {
            Self::Numbered { values, runs } => {
                let Some([number, length]) = runs.last_mut() else {
                    return false;
                };
                let last = values.get(usize::from(*number));
                let is_same = last.is_some_and(|last| last.to_bits() == sample.to_bits());
                let fits = is_same && *length < u8::MAX;
                *length += u8::from(fits);
                fits
            }
            Self::Plain { values, lengths } => {
                let (Some(last), Some(length)) = (values.last(), lengths.last_mut()) else {
                    return false;
                };
                let fits = last.to_bits() == sample.to_bits() && *length < u32::MAX;
                *length += u32::from(fits);
                fits
            }
            Self::Dropped => true,
        }
    }

    /// Adds a run.
    fn add(&mut self, sample: f64, max_runs: usize) {
        if self.len() >= max_runs {
            *self = Self::Dropped;
            return;
        }
        if let Self::Numbered { values, runs } = self {
            let known = values
                .iter()
                .position(|value| value.to_bits() == sample.to_bits());
            if let Ok(number) = u8::try_from(known.unwrap_or(values.len())) {
                if known.is_none() {
                    values.push(sample);
                }
                runs.push([number, 1]);
                return;
            }
            *self = Self::plain(values, runs);
        }
        if let Self::Plain { values, lengths } = self {
            values.push(sample);
            lengths.push(1);
        }
    }

    fn plain(values: &[f64], runs: &[[u8; 2]]) -> Self {
        let value = |number: u8| values.get(usize::from(number)).copied();
        Self::Plain {
            values: runs
                .iter()
                .filter_map(|[number, _]| value(*number))
                .collect(),
            lengths: runs.iter().map(|[_, length]| u32::from(*length)).collect(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Numbered { runs, .. } => runs.len(),
            Self::Plain { values, .. } => values.len(),
            Self::Dropped => 0,
        }
    }
}

/// The population variance of samples: exact while they are integers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Variance {
    Exact {
        count: u32,
        sum: i64,
        squares: Wide,
    },
    /// Welford's recurrence: `squares` are those of the distances from the mean.
    Running {
        count: f64,
        mean: f64,
        squares: f64,
    },
}

/// A large integer in two halves: there are as many as tracks, and halves align better.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wide {
    upper: i64,
    lower: u64,
}

impl Default for Variance {
    fn default() -> Self {
        Self::Exact {
            count: 0,
            sum: 0,
            squares: Wide::default(),
        }
    }
}

impl Variance {
    #[inline]
    pub(crate) fn add(&mut self, sample: f64) {
        if let Self::Exact {
            count,
            sum,
            squares,
        } = self
        {
            if sample == 0.0 && *count < u32::MAX {
                *count += 1;
                return;
            }
            if let Some(exact) = Self::exact(*count, *sum, *squares, sample) {
                *self = exact;
                return;
            }
            *self = Self::running(*count, *sum, squares.get());
        }
        self.add_to_running(sample);
    }

    fn add_to_running(&mut self, sample: f64) {
        if let Self::Running {
            count,
            mean,
            squares,
        } = self
        {
            *count += 1.0;
            let distance = sample - *mean;
            *mean += distance / *count;
            *squares += distance * (sample - *mean);
        }
    }

    #[inline]
    fn exact(count: u32, sum: i64, squares: Wide, sample: f64) -> Option<Self> {
        const LIMIT: i64 = 1 << 53;
        #[expect(clippy::cast_possible_truncation, reason = "checked")]
        let integer = sample as i64;
        if integer as f64 != sample || !(-LIMIT..=LIMIT).contains(&integer) {
            return None;
        }
        let square = i128::from(integer) * i128::from(integer);
        Some(Self::Exact {
            count: count.checked_add(1)?,
            sum: sum.checked_add(integer)?,
            squares: Wide::of(squares.get().checked_add(square)?),
        })
    }

    fn running(count: u32, sum: i64, squares: i128) -> Self {
        let count = f64::from(count);
        let sum = sum as f64;
        let mean = if count > 0.0 { sum / count } else { 0.0 };
        Self::Running {
            count,
            mean,
            squares: (squares as f64 - mean * sum).max(0.0),
        }
    }

    /// 0 without samples; NaN if one of them was no number.
    pub(crate) fn value(&self) -> f64 {
        match *self {
            Self::Exact { count: 0, .. } => 0.0,
            Self::Exact {
                count,
                sum,
                squares,
            } => {
                let squares = squares.get();
                let (count_f64, wide_sum) = (f64::from(count), i128::from(sum));
                let dividend = i128::from(count)
                    .checked_mul(squares)
                    .zip(wide_sum.checked_mul(wide_sum))
                    .map(|(one, other)| (one - other) as f64);
                dividend.map_or_else(
                    || Self::running(count, sum, squares).value(),
                    |dividend| dividend / (count_f64 * count_f64),
                )
            }
            Self::Running { count, squares, .. } => squares / count,
        }
    }
}

impl Wide {
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the halves"
    )]
    fn of(number: i128) -> Self {
        Self {
            upper: (number >> 64) as i64,
            lower: number as u64,
        }
    }

    #[inline]
    fn get(self) -> i128 {
        i128::from(self.upper) << 64 | i128::from(self.lower)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rounding_shifts_the_point_in_the_text() {
        for (number, rounded) in [
            (1.005, 1.01),
            (-1.005, -1.0),
            (1.004_999, 1.0),
            (-0.005, 0.0),
            (0.000_001, 0.0),
            (2.675, 2.68),
            (720.0, 720.0),
            (1e18, 1e18),
        ] {
            assert_eq!(round2(number), rounded, "{number}");
        }
        assert!(round2(-0.001).is_sign_positive());
        for number in [1e-7, -9e-7, 1e21, 1e20, f64::NAN, f64::INFINITY] {
            assert!(round2(number).is_nan(), "{number}");
        }
    }

    #[test]
    fn floor_is_that_of_the_standard_library() {
        for number in [
            0.0, 0.5, 1.0, -0.5, -1.0, -1.5, 1e15, -1e15, 4.5e15, 1e300, -1e300,
        ] {
            assert_eq!(floor(number), number.floor(), "{number}");
        }
        assert!(floor(f64::NAN).is_nan());
        assert_eq!(floor(f64::INFINITY), f64::INFINITY);
    }

    #[test]
    fn nothing_is_no_percentage() {
        assert_eq!(percent(1.0, 3.0), Some(33.33));
        assert_eq!((percent(1.0, 0.0), percent(1.0, f64::NAN)), (None, None));
        assert!(percent(f64::NAN, 1.0).is_some_and(f64::is_nan));
    }

    fn mean_of(samples: &[f64], max_runs: usize) -> Mean {
        let mut mean = Mean::default();
        samples
            .iter()
            .for_each(|sample| mean.add(*sample, max_runs));
        mean
    }

    fn naive_mean(samples: &[f64]) -> f64 {
        samples
            .iter()
            .fold(0.0, |mean, sample| mean + sample / samples.len() as f64)
    }

    #[test]
    fn a_mean_that_is_a_tie_rounds_like_the_sum_of_shares() {
        let samples: Vec<_> = (0..200)
            .map(|index| f64::from(u8::from(index == 0)))
            .collect();
        let (exact, running) = (mean_of(&samples, 200), mean_of(&samples, 1));
        assert_eq!(exact.value().to_bits(), naive_mean(&samples).to_bits());
        assert!(running.is_capped() && !exact.is_capped());
        // Shares of 1000 samples, which a running sum does not reproduce.
        let samples: Vec<_> = (0..1000).map(|index| f64::from(index % 7)).collect();
        assert_ne!(
            mean_of(&samples, 1).value(),
            mean_of(&samples, 1000).value()
        );
    }

    #[test]
    fn no_samples_have_mean_and_variance_zero() {
        assert_eq!(
            (Mean::default().value(), Variance::default().value()),
            (0.0, 0.0)
        );
    }

    fn variance_of(samples: &[f64]) -> Variance {
        let mut variance = Variance::default();
        samples.iter().for_each(|sample| variance.add(*sample));
        variance
    }

    fn naive_variance(samples: &[f64]) -> f64 {
        let count = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / count;
        samples
            .iter()
            .map(|sample| (sample - mean).powi(2))
            .sum::<f64>()
            / count
    }

    #[test]
    fn integers_have_an_exact_variance_however_large() {
        let base = 9_007_199_254_740_000.0;
        assert_eq!(
            variance_of(&[base, base + 1.0, base + 2.0]).value(),
            2.0 / 3.0
        );
        assert_eq!(variance_of(&[5.0]).value(), 0.0);
    }

    #[test]
    fn what_is_no_number_spoils_the_variance() {
        for place in 0..3 {
            let mut samples = [1.0, 2.0, 3.0];
            samples[place] = f64::NAN;
            assert!(variance_of(&samples).value().is_nan());
        }
    }

    proptest! {
        #[test]
        fn means_equal_the_sum_of_shares(samples in prop::collection::vec(prop_oneof![(0..4_u8).prop_map(f64::from), 0.0..1e3], 1..300)) {
            prop_assert_eq!(mean_of(&samples, 1_000).value().to_bits(), naive_mean(&samples).to_bits());
            let running = mean_of(&samples, 3).value();
            prop_assert!((running - naive_mean(&samples)).abs() <= 1e-9 * running);
        }

        #[test]
        fn means_of_many_different_values_and_long_runs_are_exact(
            lengths in prop::collection::vec(prop_oneof![Just(1_usize), 250..600_usize], 1..600),
        ) {
            let runs = lengths.iter().enumerate();
            let samples: Vec<f64> = runs
                .flat_map(|(number, length)| vec![number as f64 / 7.0; *length])
                .collect();
            let mean = mean_of(&samples, 10_000);
            prop_assert!(!mean.is_capped());
            prop_assert_eq!(mean.value().to_bits(), naive_mean(&samples).to_bits());
        }

        #[test]
        fn variances_equal_those_of_two_passes(
            integers in prop::collection::vec((-1000..1000_i32).prop_map(f64::from), 0..100),
            fractions in prop::collection::vec(-1e3..1e3, 0..100),
        ) {
            let samples = [integers, fractions].concat();
            prop_assume!(!samples.is_empty());
            let (online, naive) = (variance_of(&samples).value(), naive_variance(&samples));
            prop_assert!((online - naive).abs() <= 1e-9 * naive.max(1e-3), "{} {}", online, naive);
        }
    }
}
