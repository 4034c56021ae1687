//! Numbers as clients mostly write them, read at once and exactly.

/// A number at the start of `text` that is not negative and has no exponent, and its length.
///
/// The length is 0 for others, for malformed ones, for those with more digits than fit into 64 bits, and
/// near the end of the text. What follows is not looked at.
#[inline(always)]
pub(super) fn decimal(text: &[u8]) -> (f64, usize) {
    let Some(chunk) = text.first_chunk::<8>() else {
        return (0.0, 0);
    };
    let (count, integer) = leading_digits(*chunk);
    if count == 8 {
        return many_digits(text);
    }
    let is_canonical = count == 1 || (count > 1 && text.first() != Some(&b'0'));
    if !is_canonical {
        return (0.0, 0);
    }
    match text.get(count) {
        Some(b'.') => with_decimals(text, integer, count),
        _ => (integer as i64 as f64, count),
    }
}

/// A number with more than seven digits before its point, if it has one.
fn many_digits(text: &[u8]) -> (f64, usize) {
    match up_to_15_digits(text) {
        None => (0.0, 0),
        Some(_) if text.first() == Some(&b'0') => (0.0, 0),
        Some((count, integer)) => match text.get(count) {
            Some(b'.') => with_decimals(text, integer, count),
            _ => (integer as i64 as f64, count),
        },
    }
}

/// A number with a point behind `count` digits, which are `integer`.
#[inline(never)]
fn with_decimals(text: &[u8], integer: u64, count: usize) -> (f64, usize) {
    let decimals = text.get(count + 1..).and_then(up_to_19_digits);
    let Some((decimals @ 1.., fraction)) = decimals else {
        return (0.0, 0);
    };
    if integer > 0 && count + decimals > 19 {
        return (0.0, 0);
    }
    let Some((power, exact_power)) = POWERS_OF_TEN.get(decimals) else {
        return (0.0, 0);
    };
    let mantissa = integer * power + fraction;
    let number = if mantissa <= MAX_EXACT {
        // Both are exact, so that the quotient is rounded once, as the number itself would be.
        mantissa as i64 as f64 / exact_power
    } else {
        quotient(mantissa, *power)
    };
    (number, count + 1 + decimals)
}

/// The number nearest to `mantissa / power`, where the mantissa has more than 53 bits.
#[inline(never)]
fn quotient(mantissa: u64, power: u64) -> f64 {
    // 63 or 64 bits of the quotient, the last of which tells whether there are more.
    let shift = 63 + mantissa.leading_zeros() - power.leading_zeros();
    let (dividend, power) = (u128::from(mantissa) << shift, u128::from(power));
    let quotient = dividend / power;
    let has_more = quotient * power != dividend;
    let rounded = (quotient as u64 | u64::from(has_more)) as f64;
    // A power of two, so that this is exact.
    rounded * f64::from_bits(u64::from(1023 - shift) << 52)
}

/// How many digits `text` begins with, and the number that they are; `None` if there are more than
/// fifteen, or too few bytes to tell.
#[inline]
fn up_to_15_digits(text: &[u8]) -> Option<(usize, u64)> {
    let (chunk, rest) = text.split_first_chunk::<8>()?;
    let (count, number) = leading_digits(*chunk);
    if count < 8 {
        return Some((count, number));
    }
    let (more, lower) = leading_digits(*rest.first_chunk::<8>()?);
    let (power, _) = POWERS_OF_TEN.get(more)?;
    (more < 8).then(|| (8 + more, number * power + lower))
}

/// The same for more than nineteen.
#[inline]
fn up_to_19_digits(text: &[u8]) -> Option<(usize, u64)> {
    let (chunk, rest) = text.split_first_chunk::<8>()?;
    let (count, number) = leading_digits(*chunk);
    if count < 8 {
        return Some((count, number));
    }
    let (count, lower) = leading_digits(*rest.first_chunk::<8>()?);
    let (power, _) = POWERS_OF_TEN.get(count)?;
    let number = number * power + lower;
    if count < 8 {
        return Some((8 + count, number));
    }
    let (count, lower) = leading_digits(*rest.get(8..)?.first_chunk::<8>()?);
    let (power, _) = POWERS_OF_TEN.get(count)?;
    (count <= 3).then(|| (16 + count, number * power + lower))
}

/// How many of eight bytes, from the first, are digits, and the number that they are.
#[inline]
pub(super) fn leading_digits(bytes: [u8; 8]) -> (usize, u64) {
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // Digits become 0 to 9. Adding 0x76 sets the high bit of what is more; a carry out of a byte
    // disturbs only those behind it.
    let digits = u64::from_le_bytes(bytes) ^ 0x3030_3030_3030_3030;
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & HIGHS;
    let count = others.trailing_zeros() / 8;
    if count == 0 {
        return (0, 0);
    }
    // The digits move to the end, behind zeros; then neighbours join, two, four and eight.
    let digits = digits << (64 - 8 * count);
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    const PAIRS: u64 = 0x0000_00FF_0000_00FF;
    let first = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let second = (pairs >> 16 & PAIRS).wrapping_mul(1 + (10_000 << 32));
    (count as usize, first.wrapping_add(second) >> 32)
}

/// Integers up to this are exact in an `f64`.
const MAX_EXACT: u64 = 1 << 53;

/// The powers of ten that fit into 64 bits. All are exact in an `f64`.
const POWERS_OF_TEN: [(u64, f64); 20] = [
    (1, 1e0),
    (10, 1e1),
    (100, 1e2),
    (1_000, 1e3),
    (10_000, 1e4),
    (100_000, 1e5),
    (1_000_000, 1e6),
    (10_000_000, 1e7),
    (100_000_000, 1e8),
    (1_000_000_000, 1e9),
    (10_000_000_000, 1e10),
    (100_000_000_000, 1e11),
    (1_000_000_000_000, 1e12),
    (10_000_000_000_000, 1e13),
    (100_000_000_000_000, 1e14),
    (1_000_000_000_000_000, 1e15),
    (10_000_000_000_000_000, 1e16),
    (100_000_000_000_000_000, 1e17),
    (1_000_000_000_000_000_000, 1e18),
    (10_000_000_000_000_000_000, 1e19),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As in the middle of a report.
    fn read(text: &str) -> Option<(f64, usize)> {
        read_from(&format!("{text},\"another\":\"member, which is long\""))
    }

    fn read_from(text: &str) -> Option<(f64, usize)> {
        let (number, length) = decimal(text.as_bytes());
        (length > 0).then_some((number, length))
    }

    #[test]
    fn numbers_are_the_nearest() {
        for text in [
            "0",
            "0.0",
            "7",
            "123456789012345",
            "1761000001000.123",
            "1795179245617.8481",
            "0.09224299999999999",
            "900719925474099.25",
            "0.9223372036854775807",
            "1.844674407370955161",
            "999999999999999.9999",
        ] {
            let (number, length) = read(text).unwrap_or_default();
            assert_eq!(length, text.len(), "{text}");
            assert_eq!(
                number.to_bits(),
                text.parse::<f64>().unwrap().to_bits(),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_plain_decimal_number_is_left_to_others() {
        for text in [
            "",
            "-1",
            "01",
            "00",
            "1.",
            ".5",
            "1.x",
            "\"1\"",
            "1234567890123456",
            "0.12345678901234567890",
            "12345.123456789012345",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        // An exponent may follow, which is for the caller to see.
        assert_eq!(read("1e5"), Some((1.0, 1)));
        assert_eq!(read_from("1,"), None);
    }

    #[test]
    fn digits_are_counted_up_to_the_first_other_byte() {
        for (text, expected) in [
            (b"12345678", (8, 12_345_678)),
            (b"00000009", (8, 9)),
            (b"9999999,", (7, 9_999_999)),
            (b"42\xFF\xFF90/:", (2, 42)),
            (b"0}000000", (1, 0)),
            (b"/0000000", (0, 0)),
            (b":0000000", (0, 0)),
        ] {
            assert_eq!(leading_digits(*text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_the_standard_parser_reads(
            integer in prop_oneof![Just(0_u64), 0..10_u64, any::<u64>()],
            length in 1..16_usize,
            fraction in "[0-9]{0,20}",
        ) {
            let digits = integer.to_string();
            let digits = digits.get(..length.min(digits.len())).unwrap_or_default();
            let text = if fraction.is_empty() { digits.to_owned() } else { format!("{digits}.{fraction}") };
            let significant = digits.len() * usize::from(digits != "0") + fraction.len();
            match read(&text) {
                None => prop_assert!(significant > 19),
                Some((number, length)) => {
                    prop_assert_eq!(length, text.len());
                    prop_assert_eq!(number.to_bits(), text.parse::<f64>().unwrap().to_bits());
                }
            }
        }
    }
}
