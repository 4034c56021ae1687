//! A time, in buckets.

use std::collections::BTreeMap;

use serde::Serialize;

use super::time::{self, SECOND};

/// A time that is looked at, and how finely. All in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    /// Its beginning.
    pub(crate) start: i64,
    /// Its end, which is not in it.
    pub(crate) end: i64,
    /// The length of a bucket; buckets begin at its multiples.
    pub(crate) width: i64,
}

/// The values of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Sum {
    pub(crate) sum: f64,
    pub(crate) count: u64,
}

/// The values of buckets, by the time that they begin at.
pub(crate) type Sums = BTreeMap<i64, Sum>;

/// A bucket, as it is answered.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Bucket {
    time: String,
    mean: Option<f64>,
}

impl Interval {
    /// The most buckets of an answer: 17 days of 30 s, a month of minutes.
    pub(crate) const MOST_BUCKETS: i64 = 50_000;

    /// The last minutes: 5 of them in buckets of 10 s.
    pub(crate) fn last_minutes(now: i64) -> Self {
        Self::last(now, 300, 10)
    }

    /// By the name of a duration; another one counts as an hour.
    pub(crate) fn named(duration: &str, now: i64) -> Self {
        match duration {
            "10m" => Self::last(now, 600, 30),
            "30m" => Self::last(now, 1_800, 120),
            _ => Self::last(now, 3_600, 300),
        }
    }

    fn last(now: i64, seconds: i64, width: i64) -> Self {
        Self {
            start: now - seconds * SECOND,
            end: now + 1,
            width: width * SECOND,
        }
    }

    pub(crate) fn contains(&self, time: i64) -> bool {
        (self.start..self.end).contains(&time)
    }

    /// The beginning of the bucket of a time.
    pub(crate) fn bucket_of(&self, time: i64) -> i64 {
        time.div_euclid(self.width) * self.width
    }

    /// How many buckets there are.
    pub(crate) fn buckets(&self) -> i64 {
        if self.end <= self.start {
            return 0;
        }
        (self.bucket_of(self.end - 1) - self.bucket_of(self.start)) / self.width + 1
    }

    /// All buckets, with what is in them; of more than can be answered the last ones.
    pub(crate) fn answer(&self, sums: &Sums) -> Vec<Bucket> {
        let buckets = self.buckets();
        let first = self.bucket_of(self.start);
        let numbers = (buckets - Self::MOST_BUCKETS).max(0)..buckets;
        numbers
            .map(|number| {
                let begin = first + number * self.width;
                let sum = sums.get(&begin).filter(|sum| sum.count > 0);
                Bucket {
                    time: time::format(begin),
                    mean: sum.map(|sum| sum.sum / sum.count as f64),
                }
            })
            .collect()
    }
}

impl Sum {
    pub(crate) fn add(&mut self, other: Self) {
        self.sum += other.sum;
        self.count += other.count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_begin_at_multiples_of_their_length_and_empty_ones_are_null() {
        let now = 1_795_264_205 * SECOND;
        let interval = Interval::last_minutes(now);
        assert_eq!(interval.buckets(), 31);
        let sum = Sum { sum: 3.0, count: 2 };
        let answer = interval.answer(&Sums::from([(interval.bucket_of(now), sum)]));
        assert_eq!(answer.len(), 31);
        let ends = [answer.first(), answer.last()]
            .map(|bucket| bucket.map(|bucket| (bucket.time.as_str(), bucket.mean)));
        assert_eq!(
            ends,
            [
                Some(("2026-11-21T12:25:00.000Z", None)),
                Some(("2026-11-21T12:30:00.000Z", Some(1.5)))
            ]
        );
    }

    #[test]
    fn durations_have_their_buckets_and_another_one_is_an_hour() {
        let widths = ["10m", "30m", "1h", "", "5m", "2h"].map(|duration| {
            let interval = Interval::named(duration, 100_000 * SECOND);
            (
                (interval.end - interval.start) / SECOND,
                interval.width / SECOND,
            )
        });
        let hour = (3_600, 300);
        assert_eq!(widths, [(600, 30), (1_800, 120), hour, hour, hour, hour]);
    }

    #[test]
    fn an_empty_time_has_no_buckets_and_a_long_one_its_last() {
        let interval = |start, end| Interval {
            start,
            end,
            width: SECOND,
        };
        assert_eq!(interval(5, 5).answer(&Sums::new()), []);
        let long = interval(0, (Interval::MOST_BUCKETS + 10) * SECOND);
        let answer = long.answer(&Sums::new());
        assert_eq!(i64::try_from(answer.len()), Ok(Interval::MOST_BUCKETS));
        assert_eq!(
            answer.first().map(|bucket| bucket.time.as_str()),
            Some("1970-01-01T00:00:10.000Z")
        );
    }
}
