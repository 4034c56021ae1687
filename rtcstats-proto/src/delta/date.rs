//! The date that JavaScript makes of a value, as milliseconds.

use crate::json::Value;

/// `new Date(value).getTime()`: numbers truncated, NaN beyond ±8.64e15, ISO 8601 texts with a zone
/// or a date alone. (JavaScript engines read more texts than the standard's; no client sends any.)
pub(crate) fn milliseconds(value: Option<Value<'_>>) -> f64 {
    const MAX: f64 = 8.64e15;
    let number = match value {
        None | Some(Value::Nested(_)) => f64::NAN,
        Some(Value::Text(text)) => iso_8601(text).unwrap_or(f64::NAN),
        Some(value) => value.to_number(),
    };
    if number.abs() <= MAX {
        number.trunc() + 0.0
    } else {
        f64::NAN
    }
}

fn iso_8601(text: &str) -> Option<f64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00"),
    };
    let mut parts = date.split('-');
    let year: i64 = digits(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = time.split(':');
    let hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let second = parts.next().map_or(Some(0), |part| digits(part, 2))?;
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range
        || hour > 24
        || minute > 59
        || second > 59
        || fraction.bytes().any(|b| !b.is_ascii_digit())
    {
        return None;
    }
    let millisecond = (format!("0.{fraction}").parse::<f64>().ok()? * 1000.0).trunc();
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(seconds as f64 * 1000.0 + millisecond)
}

fn digits(text: &str, length: usize) -> Option<i64> {
    let is_number = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    // March is the first month, so that the leap day is the last of a year.
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_javascript() {
        let number = |number| milliseconds(Some(Value::Number(number)));
        assert_eq!(number(1_700_000_000_000.9), 1_700_000_000_000.0);
        assert_eq!(number(-1.5), -1.0);
        assert!(number(8.64e15 + 2.0).is_nan());
        let text = |text| milliseconds(Some(Value::Text(text)));
        assert_eq!(text("2020-01-02T03:04:05.678Z"), 1_577_934_245_678.0);
        assert_eq!(text("1970-01-01"), 0.0);
        assert_eq!(text("2000-02-29T00:00Z"), 951_782_400_000.0);
        assert!(text("hello").is_nan());
        assert!(milliseconds(None).is_nan());
        assert_eq!(milliseconds(Some(Value::Null)), 0.0);
        assert_eq!(milliseconds(Some(Value::Bool(true))), 1.0);
    }
}
