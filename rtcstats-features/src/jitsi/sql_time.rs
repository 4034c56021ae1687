//! Times as SQL text (§13.1).

/// A time in Unix epoch milliseconds as UTC text `YYYY-MM-DD HH:MM:SS`; none outside the range of
/// JavaScript's dates.
pub(super) fn sql_time(milliseconds: f64) -> Option<String> {
    /// ±100,000,000 days.
    const LIMIT: f64 = 8.64e15;
    const DAY: i64 = 86_400;
    if milliseconds.is_nan() || milliseconds.abs() > LIMIT {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked above")]
    let seconds = (milliseconds / 1000.0).floor() as i64;
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    let second = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
    ))
}

/// Year, month and day of a day of the Unix epoch in the Gregorian calendar.
fn civil(day: i64) -> (i64, i64, i64) {
    /// Days in 400 years.
    const ERA: i64 = 146_097;
    // Counted from 1 March of the year 0, so that the leap day ends a year.
    let day = day + 719_468;
    let era = day.div_euclid(ERA);
    let day = day.rem_euclid(ERA);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        for (time, text) in [
            (0.0, "1970-01-01 00:00:00"),
            (-1.0, "1969-12-31 23:59:59"),
            (951_782_399_999.9, "2000-02-28 23:59:59"),
            (951_782_400_000.0, "2000-02-29 00:00:00"),
            (1_709_251_199_000.0, "2024-02-29 23:59:59"),
            (1_709_251_200_000.0, "2024-03-01 00:00:00"),
            (4_107_542_400_000.0, "2100-03-01 00:00:00"),
            (-62_167_219_200_000.0, "0000-01-01 00:00:00"),
        ] {
            assert_eq!(sql_time(time).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_date_has_no_text() {
        assert_eq!(sql_time(f64::NAN), None);
        assert_eq!(sql_time(8.64e15 + 1.0), None);
        assert!(sql_time(8.64e15).is_some());
    }
}
