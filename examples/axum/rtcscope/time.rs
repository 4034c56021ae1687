//! Times in requests and answers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000_000;

/// The time, in Unix epoch nanoseconds.
pub(crate) fn now() -> i64 {
    nanoseconds(SystemTime::now()).unwrap_or_default()
}

/// A date: RFC 3339, with `Z` or an offset such as `+01:00`; or `YYYY-MM-DD hh:mm:ss`, which is UTC.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    let (local, offset) = split_offset(text)?;
    let date = humantime::parse_rfc3339_weak(local).ok()?;
    nanoseconds(date)?.checked_sub(offset)
}

/// A [date](parse_date), or an integer of seconds, milliseconds, microseconds or nanoseconds since the
/// epoch: which of them is told by its size, as times of the years 1973 to 5138 do not overlap.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return parse_date(text);
    }
    let number: i64 = text.parse().ok()?;
    let unit = match number {
        0..100_000_000_000 => SECOND,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    number.checked_mul(unit)
}

/// As JavaScript has it: RFC 3339 in UTC with milliseconds.
pub(crate) fn format(time: i64) -> String {
    let since = Duration::from_nanos(u64::try_from(time).unwrap_or_default());
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

fn nanoseconds(time: SystemTime) -> Option<i64> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok()
}

/// The local time, and how far it is ahead of UTC in nanoseconds.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    const LENGTH: usize = "+01:00".len();
    let position = text.len().checked_sub(LENGTH);
    let Some((local, offset)) = position.and_then(|position| text.split_at_checked(position))
    else {
        return Some((text, 0));
    };
    // A date has a sign there as well: 2026-11-21.
    let (sign, offset) = match offset.as_bytes().first() {
        Some(b'+') => (1, offset.get(1..)?),
        Some(b'-') if local.contains(['T', 't', ' ']) => (-1, offset.get(1..)?),
        _ => return Some((text, 0)),
    };
    let (hours, minutes) = offset.split_once(':')?;
    let digits = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<i64>().ok()).flatten()
    };
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    let is_offset = hours < 24 && minutes < 60;
    is_offset.then_some((local, sign * (hours * 60 + minutes) * 60 * SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T12:30:00Z
    const NOON: i64 = 1_795_264_200 * SECOND;

    #[test]
    fn all_forms_of_a_time_are_the_same() {
        for text in [
            "2026-11-21T12:30:00Z",
            "2026-11-21T12:30:00.000Z",
            "2026-11-21 12:30:00",
            "2026-11-21T13:30:00+01:00",
            "2026-11-21T10:00:00-02:30",
            "1795264200",
            "1795264200000",
            "1795264200000000",
            "1795264200000000000",
        ] {
            assert_eq!(parse_time(text), Some(NOON), "{text}");
        }
        assert_eq!(format(NOON), "2026-11-21T12:30:00.000Z");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "now",
            "-1",
            "1.5",
            "2026-11-21",
            "2026-13-01 00:00:00",
            "2026-11-21T12:30:00+1:00",
            "2026-11-21T12:30:00+24:00",
            "99999999999999999999",
            "9999-12-31T00:00:00Z",
            "1969-12-31 23:59:59",
            "2026-11-21T12:30:00Z' OR 1=1",
            "é+01:00",
            "+01:00",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
