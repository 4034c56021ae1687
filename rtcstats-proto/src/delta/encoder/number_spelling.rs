//! How JavaScript writes numbers.

/// Whether JavaScript writes the number as it is `written`, which
/// [`Reader::decimal`](crate::json::Reader::decimal) has read; `false` if that is not clear.
///
/// Decimals with the same number of places that are further apart than neighbouring numbers are all
/// different numbers. So there is no shorter one, unless the last place is a zero. Neighbours differ by
/// at most 2⁻⁵² of the number, and so less than the decimals whose digits make an integer below 2⁵².
pub(super) fn is_shortest(written: &str, number: f64) -> bool {
    const MAX_INTEGER: f64 = 4e15;
    /// Below, and far above, there is an exponent.
    const MIN: f64 = 1e-6;
    const POWERS: [f64; 16] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ];
    let Some(point) = written.bytes().position(|byte| byte == b'.') else {
        return true;
    };
    let power = POWERS.get(written.len() - point - 1);
    let is_small = power.is_some_and(|power| number * power < MAX_INTEGER);
    is_small && number >= MIN && !written.ends_with('0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::{Reader, write_number};

    #[test]
    fn numbers_that_javascript_writes_in_another_way_are_known() {
        for (written, expected) in [
            ("0", true),
            ("1795179017621.908", true),
            ("0.000001", true),
            ("0.0000001", false),
            ("1.50", false),
            ("0.0", false),
            ("9007199254740.991", false),
        ] {
            assert_eq!(is_shortest(written, written.parse().unwrap()), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_shortest_is_what_javascript_writes(integer in 0_u64..1 << 53, decimals in 0_usize..16) {
            let digits = format!("{integer:0>width$}", width = decimals + 1);
            let (whole, fraction) = digits.split_at(digits.len() - decimals);
            let written = if decimals > 0 { format!("{whole}.{fraction},") } else { format!("{whole},") };
            let mut reader = Reader::new(&written, 1);
            if let Some(number) = reader.decimal() && is_shortest(reader.since(0), number) {
                let mut expected = String::new();
                write_number(number, &mut expected);
                prop_assert_eq!(reader.since(0), expected);
            }
        }
    }
}
