//! JavaScript's numbers: from text and to text.

use std::fmt::Write as _;

/// The number a text converts to by JavaScript's `Number(text)`: white space trimmed, decimal with
/// exponent, `0x`/`0o`/`0b`, `Infinity`; empty is 0; anything else NaN.
///
/// ```
/// use rtcstats_proto::json::number_from_text;
/// assert_eq!(number_from_text(" 12.5e1 "), 125.0);
/// assert_eq!(number_from_text(""), 0.0);
/// assert!(number_from_text("12px").is_nan());
/// ```
pub fn number_from_text(text: &str) -> f64 {
    let text = text.trim_matches(is_javascript_space);
    if text.is_empty() {
        return 0.0;
    }
    if let Some(number) = radix_number(text) {
        return number;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == "Infinity" {
        return if text.starts_with('-') {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        };
    }
    // Rust's parser knows words ("inf", "nan") that JavaScript does not.
    let is_decimal = unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if is_decimal {
        text.parse().unwrap_or(f64::NAN)
    } else {
        f64::NAN
    }
}

fn radix_number(text: &str) -> Option<f64> {
    let (radix, digits) = match text.get(..2)? {
        "0x" | "0X" => (16, text.get(2..)?),
        "0o" | "0O" => (8, text.get(2..)?),
        "0b" | "0B" => (2, text.get(2..)?),
        _ => return None,
    };
    if digits.is_empty() {
        return Some(f64::NAN);
    }
    let number = digits.chars().try_fold(0.0_f64, |sum, digit| {
        digit
            .to_digit(radix)
            .map(|digit| sum * f64::from(radix) + f64::from(digit))
    });
    Some(number.unwrap_or(f64::NAN))
}

/// ECMAScript's WhiteSpace and LineTerminator.
pub(crate) fn is_javascript_space(character: char) -> bool {
    matches!(character, '\u{FEFF}') || (character.is_whitespace() && character != '\u{85}')
}

/// Appends a number as `JSON.stringify` writes it: integral values without fraction, the shortest
/// text that reads back to the same number, exponents from 1e21 on and below 1e-6, `null` for NaN
/// and infinities.
///
/// ```
/// let mut out = String::new();
/// rtcstats_proto::json::write_number(1e21, &mut out);
/// out.push(' ');
/// rtcstats_proto::json::write_number(720.0, &mut out);
/// assert_eq!(out, "1e+21 720");
/// ```
pub fn write_number(number: f64, out: &mut String) {
    if !number.is_finite() {
        out.push_str("null");
        return;
    }
    if number == 0.0 {
        out.push('0');
        return;
    }
    let magnitude = number.abs();
    // Writing to a String cannot fail.
    if (1e-6..1e21).contains(&magnitude) {
        let _ = write!(out, "{number}");
    } else {
        let mut text = format!("{number:e}");
        if let Some(at) = text.find('e')
            && !text
                .get(at + 1..)
                .is_some_and(|exponent| exponent.starts_with('-'))
        {
            text.insert(at + 1, '+');
        }
        out.push_str(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(number: f64) -> String {
        let mut out = String::new();
        write_number(number, &mut out);
        out
    }

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        assert_eq!(written(-0.0), "0");
        assert_eq!(written(1e-6), "0.000001");
        assert_eq!(written(1e-7), "1e-7");
        assert_eq!(written(1.5e-7), "1.5e-7");
        assert_eq!(written(1.7e300), "1.7e+300");
        assert_eq!(
            written(123_456_789_012_345_680_000.0),
            "123456789012345680000"
        );
        assert_eq!(written(f64::NAN), "null");
        assert_eq!(written(0.1 + 0.2), "0.30000000000000004");
    }

    #[test]
    fn texts_convert_as_in_javascript() {
        assert_eq!(number_from_text("\u{FEFF}\n7\u{A0}"), 7.0);
        assert_eq!(number_from_text("0x1F"), 31.0);
        assert_eq!(number_from_text(".5"), 0.5);
        assert_eq!(number_from_text("5."), 5.0);
        assert_eq!(number_from_text("-Infinity"), f64::NEG_INFINITY);
        for text in ["inf", "nan", "NaN", "1_000", "-0x1", "0x", "e5", "+", "1e"] {
            assert!(number_from_text(text).is_nan(), "{text}");
        }
    }
}
