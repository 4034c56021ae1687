//! Unix epoch milliseconds as people read them, in UTC.

use std::time::{Duration, UNIX_EPOCH};

/// The time of day: `22:13:20.123`; empty for what is no time.
pub(crate) fn of_day(ms: f64) -> String {
    let text = date_and_time(ms);
    let time = text.split_once('T').map(|(_, time)| time);
    time.unwrap_or_default().trim_end_matches('Z').to_owned()
}

/// Date and time: `2023-11-14T22:13:20.123Z`; empty for what is no time.
pub(crate) fn date_and_time(ms: f64) -> String {
    /// The year 9999.
    const LATEST: f64 = 253_402_300_799_000.0;
    if !(0.0..=LATEST).contains(&ms) {
        return String::new();
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked above"
    )]
    let time = UNIX_EPOCH + Duration::from_millis(ms.round() as u64);
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(of_day(1_700_000_000_123.0), "22:13:20.123");
        assert_eq!(
            date_and_time(1_700_000_000_123.4),
            "2023-11-14T22:13:20.123Z"
        );
        assert_eq!(date_and_time(f64::NAN), "");
        assert_eq!(of_day(1e300), "");
    }
}
