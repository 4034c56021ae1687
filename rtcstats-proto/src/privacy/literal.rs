//! Literal addresses anywhere in a text.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::{masked_ipv6, network};

/// The text with every literal address masked as by [`mask_strictly`](super::mask_strictly).
///
/// Errs on the side of masking: four small numbers with dots between them are taken for an address
/// whatever they stand for, and so is what only may be IPv6 with something attached to it. Host names
/// and fingerprints of certificates are left alone.
pub(super) fn masked(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut copied = 0;
    let mut at = 0;
    let bytes = text.as_bytes();
    while let Some(start) = position(bytes, at, is_address_byte) {
        let end = position(bytes, start, |byte| !is_address_byte(byte)).unwrap_or(bytes.len());
        at = end;
        let run = text.get(start..end).unwrap_or_default();
        let rest = text.get(end..).unwrap_or_default();
        let is_masked = is_network(run)
            && rest
                .get(..MASKED_GROUPS.len())
                .is_some_and(|groups| groups.eq_ignore_ascii_case(MASKED_GROUPS));
        if !may_be_address(run) {
            continue;
        }
        let before = text.get(..start).and_then(|text| text.chars().next_back());
        let after = rest.chars().next();
        let is_word = |character: Option<char>| {
            character.is_some_and(|character| character.is_alphanumeric() || character == '_')
        };
        let result = if is_masked {
            mask_ipv4(run)
        } else {
            mask_run(run, is_word(before), is_word(after))
        };
        if let Cow::Owned(changed) = result {
            masked.push_str(text.get(copied..start).unwrap_or_default());
            masked.push_str(&changed);
            copied = end;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(masked)
}

/// What follows the network of an IPv6 address that is masked.
const MASKED_GROUPS: &str = "x:x:x:x:x";

fn position(bytes: &[u8], from: usize, found: impl Fn(u8) -> bool) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.iter()
        .position(|byte| found(*byte))
        .map(|at| from + at)
}

fn is_address_byte(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b':' || byte == b'.'
}

/// Whether the run has no more groups than a mask leaves, so that it may be what one left.
fn is_network(run: &str) -> bool {
    run.split(':').filter(|group| !group.is_empty()).count() <= 3
}

fn may_be_address(run: &str) -> bool {
    let (mut dots, mut colons) = (0, 0);
    for byte in run.bytes() {
        dots += usize::from(byte == b'.');
        colons += usize::from(byte == b':');
    }
    dots >= 3 || colons >= 2
}

/// Masks the addresses in a run of hexadecimal digits, colons and dots. Where there are letters next to
/// it, its first or last digits may belong to them.
fn mask_run(run: &str, is_word_before: bool, is_word_after: bool) -> Cow<'_, str> {
    let has_digit = |text: Option<&str>| {
        text.is_some_and(|text| text.bytes().any(|byte| byte.is_ascii_digit()))
    };
    let inner_start = run.find(':').filter(|_| is_word_before).unwrap_or(0);
    let inner_end = run.rfind(':').filter(|_| is_word_after);
    let inner_end = inner_end.unwrap_or(run.len());
    // Digits are more likely to belong to an address, letters to the word.
    let mut starts = [inner_start, 0];
    let mut ends = [inner_end, run.len()];
    if has_digit(run.get(..inner_start)) {
        starts.reverse();
    }
    if has_digit(run.get(inner_end..)) {
        ends.reverse();
    }
    for (start, end) in ends
        .iter()
        .flat_map(|end| starts.map(|start| (start, *end)))
    {
        let part = trimmed(run.get(start..end).unwrap_or_default());
        let is_cut = start == inner_start && end == inner_end;
        if !is_cut && !has_digit(Some(part)) {
            continue;
        }
        match ipv6_network(part) {
            // With the digits of the word it may be another.
            Ipv6Part::Harmless | Ipv6Part::None => {}
            Ipv6Part::Masked(masked) => {
                let start = (part.as_ptr() as usize).wrapping_sub(run.as_ptr() as usize);
                let before = run.get(..start).unwrap_or_default();
                let after = run.get(start + part.len()..).unwrap_or_default();
                return Cow::Owned([&mask_ipv4(before), &*masked, &mask_ipv4(after)].concat());
            }
        }
    }
    mask_ipv4(run)
}

/// Without the end of a sentence, and colons that only separate.
fn trimmed(run: &str) -> &str {
    let run = run.trim_matches('.');
    let run = match run.strip_prefix(':') {
        Some(rest) if !rest.starts_with(':') => rest,
        _ => run,
    };
    match run.strip_suffix(':') {
        Some(rest) if !rest.ends_with(':') => rest,
        _ => run,
    }
}

enum Ipv6Part {
    /// There is none.
    None,
    /// One that may stay.
    Harmless,
    /// One that may not, and what is left of it.
    Masked(Cow<'static, str>),
}

fn ipv6_network(text: &str) -> Ipv6Part {
    /// An address, and a port and a word in hexadecimal digits.
    const MAX_GROUPS: usize = 10;
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return match network(IpAddr::V6(address)) {
            Some(network) => Ipv6Part::Masked(Cow::Owned(network)),
            None => Ipv6Part::Harmless,
        };
    }
    let groups = text.split(':').count();
    let is_compressed = text.contains("::") && text.bytes().any(|byte| byte.is_ascii_hexdigit());
    // More groups are those of a fingerprint.
    if is_compressed || (9..=MAX_GROUPS).contains(&groups) {
        Ipv6Part::Masked(Cow::Borrowed(masked_ipv6()))
    } else {
        Ipv6Part::None
    }
}

/// Masks every four numbers in a row.
fn mask_ipv4(run: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut copied = 0;
    let bytes = run.as_bytes();
    let mut at = 0;
    while let Some(start) = position(bytes, at, |byte| byte.is_ascii_digit()) {
        let end = start + numbers_length(bytes.get(start..).unwrap_or_default());
        let numbers = run
            .get(start..end)
            .unwrap_or_default()
            .trim_end_matches('.');
        at = end.max(start + 1);
        if let Some(network) = ipv4_network(numbers) {
            masked.push_str(run.get(copied..start).unwrap_or_default());
            masked.push_str(network);
            masked.push_str(".x");
            copied = start + numbers.len();
        }
    }
    if copied == 0 {
        return Cow::Borrowed(run);
    }
    masked.push_str(run.get(copied..).unwrap_or_default());
    Cow::Owned(masked)
}

/// How long the numbers are that the bytes begin with, and the dots between them. Two dots in a row end
/// a row of numbers.
fn numbers_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    while let Some([byte, rest @ ..]) = bytes.get(length..) {
        let is_dot = *byte == b'.' && rest.first() != Some(&b'.');
        if !byte.is_ascii_digit() && !is_dot {
            break;
        }
        length += 1;
    }
    length
}

/// The first three of exactly four numbers of at most 255, unless all four may stay. Zeros in front,
/// which the standard library refuses, are nothing to rely on.
fn ipv4_network(numbers: &str) -> Option<&str> {
    let mut octets = [0; 4];
    let mut fields = numbers.split('.');
    for octet in &mut octets {
        let field = fields.next().filter(|field| field.len() <= 3)?;
        *octet = field.parse().ok()?;
    }
    if fields.next().is_some() {
        return None;
    }
    network(IpAddr::V4(Ipv4Addr::from(octets)))?;
    numbers.rsplit_once('.').map(|(network, _)| network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_masked_wherever_they_stand() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.x"),
            ("stun:192.0.2.1:3478", "stun:192.0.2.x:3478"),
            (
                "turn:[2001:db8::1]:3478",
                "turn:[2001:db8:0:x:x:x:x:x]:3478",
            ),
            ("stun:2001:db8::1", "stun:2001:db8:0:x:x:x:x:x"),
            ("candidate:2001:db8::1 ", "candidate:2001:db8:0:x:x:x:x:x "),
            ("10.0.0.1,10.0.0.2", "10.0.0.x,10.0.0.x"),
            ("at 10.0.0.1.", "at 10.0.0.x."),
            ("ip10.0.0.1..10.0.0.2", "ip10.0.0.x..10.0.0.x"),
            ("::ffff:10.0.0.1", "10.0.0.x"),
            ("2001:db8:1:2:3:4:5:6:3478", "x:x:x:x:x:x:x:x"),
            ("::ffff:10.0.0.1:80", "x:x:x:x:x:x:x:x"),
            ("fe80::1%en0 ü10.0.0.1", "fe80:0:0:x:x:x:x:x%en0 ü10.0.0.x"),
            ("010.00.00.01", "010.00.00.x"),
            ("é2001:db8::1", "é2001:db8:0:x:x:x:x:x"),
            ("host2001:db8::1xyz", "host2001:db8:0:x:x:x:x:xxyz"),
            ("1.2.3.4:80x:x:x:x:x:x", "1.2.3.x:80x:x:x:x:x:x"),
            ("1.2.3.4:5 6:7:1.2.3.4", "1.2.3.x:5 6:7:1.2.3.x"),
            (
                "2001:db8:1:2:3:4:5:6x:x:x:x:x",
                "2001:db8:1:x:x:x:x:xx:x:x:x:x",
            ),
        ] {
            assert_eq!(masked(text), expected, "{text}");
            assert_eq!(masked(expected), expected, "{text}");
        }
    }

    #[test]
    fn long_rows_of_numbers_take_no_more_time_than_others() {
        let start = std::time::Instant::now();
        let text = "1..".repeat(300_000) + "10.0.0.1";
        assert!(masked(&text).ends_with("1..10.0.0.x"));
        assert!(start.elapsed().as_secs() < 5);
    }

    #[test]
    fn what_is_no_address_or_nobody_s_stays() {
        for text in [
            "127.0.0.1 ::1 0.0.0.0 ::",
            "Mozilla/5.0 Chrome/156.0.0.0 Safari/537.36 Chrome/156.0.8078.79",
            "1.2.3.4.5 1.2.3 256.1.1.1 1.2.3.4444",
            "sha-256 8A:41:12:D2:B0:42:51:B4:22:EC:78:12:B1:97:BB:DD:C3:A9:B0:78:74:A4:C4:1C:6E:FD:8D:4D:68:92:DF:AB",
            "aa:bb:cc:dd:ee:ff 12:34:56 std::string css::before",
            "x.x.x.x x:x:x:x:x:x:x:x 192.0.2.x 2001:db8:1:x:x:x:x:x",
            "host.local 1.5 -0.25e-7",
            "2001:db8::x:x:x:x:x 2001:db8:1x:x:x:x:x:x",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
