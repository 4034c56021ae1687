//! Times as text, and back.

const DAY_MS: f64 = 86_400_000.0;

/// The beginning of the year 1, in Unix epoch milliseconds.
pub(super) const EARLIEST: f64 = -62_135_596_800_000.0;
/// The last millisecond of the year 9999.
pub(super) const LATEST: f64 = 253_402_300_799_999.0;

/// A time that both databases can keep.
pub(super) fn known(milliseconds: f64) -> Option<f64> {
    (EARLIEST..=LATEST)
        .contains(&milliseconds)
        .then_some(milliseconds)
}

/// `YYYY-MM-DD HH:MM:SS.SSS` of a [known] time in Unix epoch milliseconds, rounded down.
#[expect(clippy::cast_possible_truncation, reason = "the time is known")]
pub(super) fn text(milliseconds: f64) -> String {
    let (year, month, day) = civil((milliseconds / DAY_MS).floor() as i64);
    let of_day = milliseconds.rem_euclid(DAY_MS).floor() as i64;
    let (seconds, fraction) = (of_day / 1_000, of_day % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{fraction:03}")
}

/// Unix epoch milliseconds of `YYYY-MM-DD HH:MM:SS`, with or without a fraction.
pub(super) fn parse(text: &str) -> Option<f64> {
    let (date, time) = text.split_once(' ')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.splitn(3, ':');
    let (hour, minute): (i64, i64) = (time.next()?.parse().ok()?, time.next()?.parse().ok()?);
    let second: f64 = time.next()?.parse().ok()?;
    let is_valid = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..=9_999).contains(&year)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0.0..61.0).contains(&second);
    if !is_valid {
        return None;
    }
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute;
    known(minutes as f64 * 60_000.0 + (second * 1_000.0).round())
}

/// Days in 400 years.
const ERA: i64 = 146_097;
/// From 1 March of the year 0, so that the leap day ends a year, to the Unix epoch.
const EPOCH: i64 = 719_468;

/// Year, month and day of a day of the Unix epoch.
fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + EPOCH;
    let (era, day) = (day.div_euclid(ERA), day.rem_euclid(ERA));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + next_year, month, day_of_month)
}

/// The day of the Unix epoch.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * ERA + year * 365 + year / 4 - year / 100 + of_year - EPOCH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_spelled_as_databases_do() {
        assert_eq!(text(1_700_000_000_123.9), "2023-11-14 22:13:20.123");
        assert_eq!(text(-1.0), "1969-12-31 23:59:59.999");
        assert_eq!(parse("2024-02-29 00:00:01"), Some(1_709_164_801_000.0));
        for other in [
            "",
            "2023",
            "2023-13-01 00:00:00",
            "2023-01-01 24:00:00",
            "2023-01-01T00:00:00",
            "a-b-c d:e:f",
            "2023-01-01 00:00:nan",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
        assert_eq!(
            (known(f64::NAN), known(8.64e15), known(-8.64e15)),
            (None, None, None)
        );
    }

    proptest! {
        #[test]
        fn a_time_is_read_back(time in -62_135_596_800_000_i64..253_402_300_800_000) {
            let time = time as f64;
            prop_assert_eq!(known(time), Some(time));
            prop_assert_eq!(parse(&text(time)), Some(time));
        }
    }
}
