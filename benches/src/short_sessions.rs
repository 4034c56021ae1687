//! Many sessions from a few: other times, other amounts.

use crate::{Dump, Mulberry32};

/// `count` copies of the seeds in turn. In each, the times are moved by one random offset, and the
/// integers of five to nine digits in its reports are multiplied by one random factor from a half to
/// two, so that counters still count.
pub fn perturbed(seeds: &[String], count: u32) -> Vec<Dump> {
    (1..=count)
        .zip(seeds.iter().cycle())
        .map(|(seed, text)| {
            let mut random = Mulberry32::new(seed);
            let offset = random.next_in(0.0, 1e9).trunc();
            let factor = random.next_in(0.5, 2.0);
            let lines = text
                .lines()
                .map(|line| perturbed_line(line, offset, factor));
            Dump {
                lines: lines.collect(),
            }
        })
        .collect()
}

fn perturbed_line(line: &str, offset: f64, factor: f64) -> String {
    let is_report = line.starts_with("[\"getstats\"");
    let mut out = String::with_capacity(line.len() + 16);
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from_digits) = rest.split_at(start);
        out.push_str(before);
        let length = from_digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(from_digits.len());
        let (digits, after) = from_digits.split_at(length);
        rest = after;
        let is_value = before.ends_with([':', ',', '[']);
        let is_integer = is_value && after.starts_with([',', '}', ']']);
        let is_time =
            is_value && length == 13 && ["15", "16", "17"].iter().any(|s| digits.starts_with(s));
        if is_time {
            out.push_str(&(digits.parse::<f64>().unwrap() + offset).to_string());
        } else if is_report && is_integer && (5..=9).contains(&length) {
            out.push_str(
                &(digits.parse::<f64>().unwrap() * factor)
                    .trunc()
                    .to_string(),
            );
        } else {
            out.push_str(digits);
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_and_amounts_in_reports_change() {
        assert_eq!(
            perturbed_line(
                r#"["getstats","PC_0",{"T12345":{"a":10000,"b":0.12345,"timestamp":1600000000000.5,"c":"12345"}},1600000000000,7]"#,
                5.0,
                2.0
            ),
            r#"["getstats","PC_0",{"T12345":{"a":20000,"b":0.12345,"timestamp":1600000000005.5,"c":"12345"}},1600000000005,7]"#
        );
        assert_eq!(
            perturbed_line(r#"["create","PC_0",{"a":10000},1600000000000]"#, 5.0, 2.0),
            r#"["create","PC_0",{"a":10000},1600000000005]"#
        );
    }
}
