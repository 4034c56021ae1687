//! A line that is masked: what is masked stays as it is, and the strict form shows no address.
//!
//! The first byte of the input is the mode.

#![no_main]

use std::net::{Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use rtcstats_proto::privacy::{Anonymizer, Location, Locator, Mode, Obfuscator, Outcome};
use rtcstats_proto::{Generation, Limits, RawJson};

fuzz_target!(|input: &[u8]| {
    let Some((mode, line)) = input.split_first() else {
        return;
    };
    let Ok(line) = std::str::from_utf8(line) else {
        return;
    };
    let mode = match mode % 5 {
        0 => Mode::Client,
        1 => Mode::Server(Generation::Legacy),
        2 => Mode::Server(Generation::Jitsi),
        3 => Mode::Server(Generation::Rtcstats),
        _ => Mode::Strict,
    };
    let (outcome, out) = masked(mode, line);
    if outcome == Outcome::Unchanged || (outcome == Outcome::Failed && mode != Mode::Strict) {
        assert_eq!(out, line);
    }
    // Numbers of more than 21 digits are written in a form that is not read.
    if !out.contains("e+") && !out.contains("Infinity") {
        assert_eq!(masked(mode, &out).1, out, "{line:?} {mode:?}");
    }
    if mode == Mode::Strict {
        check_strict(&out);
    }
    let locator = Locator::new(|_| Some(Location::default()), Limits::default());
    let mut located = String::new();
    if locator.line(line, &mut located) {
        assert!(RawJson::parse(&located).is_ok(), "{located}");
    } else {
        assert_eq!(located, line);
    }
    let anonymizer = Anonymizer::strict(Limits::default()).masking_labels();
    let _ = anonymizer.run(line.as_bytes(), std::io::sink());
});

fn masked(mode: Mode, line: &str) -> (Outcome, String) {
    let mut out = String::new();
    let outcome = Obfuscator::new(mode, Limits::default()).line(line, &mut out);
    (outcome, out)
}

fn check_strict(out: &str) {
    match RawJson::parse(out) {
        Ok(value) => check_value(value),
        Err(_) => assert!(
            out.starts_with("RTCStatsDump") || out.trim().is_empty(),
            "{out}"
        ),
    }
}

fn check_value(value: RawJson<'_>) {
    if let Some(text) = value.as_text() {
        check_text(&text);
    }
    for (name, member) in value.members() {
        check_text(&name);
        check_value(member);
    }
    value.elements().for_each(check_value);
}

fn check_text(text: &str) {
    for token in text.split(|character: char| !character.is_ascii_digit() && character != '.') {
        if let Ok(address) = token.trim_matches('.').parse::<Ipv4Addr>() {
            let [_, b, c, d] = address.octets();
            assert!(address.is_loopback() || [b, c, d] == [0; 3], "{text}");
        }
    }
    let is_part = |character: char| character.is_ascii_hexdigit() || ":.".contains(character);
    for token in text.split(|character: char| !is_part(character)) {
        let end = token.as_ptr() as usize - text.as_ptr() as usize + token.len();
        let is_masked = text[end..].starts_with("x:x:x:x:x");
        let has_digit = token.bytes().any(|byte| byte.is_ascii_digit());
        if let (false, true, Ok(address)) = (is_masked, has_digit, token.parse::<Ipv6Addr>()) {
            let mapped = address
                .to_ipv4_mapped()
                .unwrap_or(Ipv4Addr::LOCALHOST)
                .octets();
            let is_harmless = address.is_loopback() || address.is_unspecified();
            let is_mapped_harmless = mapped[0] == 127 || mapped[1..] == [0; 3];
            let is_mapped = address.to_ipv4_mapped().is_some();
            assert!(is_harmless || (is_mapped && is_mapped_harmless), "{text}");
        }
    }
}
