//! Whole recordings: no address of theirs gets through, and what is masked stays as it is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;

use rtcstats_proto::dump::decompress;
use rtcstats_proto::privacy::{Anonymizer, Mode, Obfuscator, Outcome};
use rtcstats_proto::{Generation, Limits, RawJson};

/// The recordings whose name begins with `prefix` and ends with `suffix`.
fn recordings(directory: &str, prefix: &str, suffix: &str) -> Vec<PathBuf> {
    let Some(directory) = golden::shared(directory) else {
        return Vec::new();
    };
    let files = std::fs::read_dir(directory).unwrap();
    let mut files: Vec<PathBuf> = files
        .map(|file| file.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(prefix) && name.ends_with(suffix)
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no recordings {prefix}*{suffix}");
    files
}

fn text(path: &PathBuf) -> String {
    let mut text = String::new();
    let file = BufReader::new(File::open(path).unwrap());
    decompress(file).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// The lines that a client sent, without what wraps them on Jitsi's wire.
fn sent_lines(path: &PathBuf) -> Vec<String> {
    let file = BufReader::new(File::open(path).unwrap());
    let lines = decompress(file).unwrap().lines().skip(1);
    lines
        .map(|line| line.unwrap())
        .filter_map(|line| {
            let message = RawJson::parse(&line).unwrap();
            let is_sent = message.get("dir").unwrap().is_text("c2s");
            let data = message.get("data").unwrap().as_text().unwrap().into_owned();
            let inner = RawJson::parse(&data).ok()?;
            let entry = inner.get("data").and_then(RawJson::as_text);
            is_sent.then(|| entry.map_or_else(|| data.clone(), std::borrow::Cow::into_owned))
        })
        .collect()
}

/// Whether the client was told not to mask anything.
fn is_clear(path: &PathBuf) -> bool {
    let file = BufReader::new(File::open(path).unwrap());
    let header = decompress(file).unwrap().lines().next().unwrap().unwrap();
    let options = RawJson::parse(&header).unwrap().get("options").unwrap();
    options.get("obfuscate").and_then(RawJson::as_bool) == Some(false)
}

/// Recordings are made on loopback, whose addresses may stay.
fn with_public_addresses(text: &str) -> String {
    text.replace("127.0.0.1", PUBLIC[0])
        .replace(" ::1 ", &format!(" {} ", PUBLIC[1]))
        .replace("\"::1\"", &format!("\"{}\"", PUBLIC[1]))
}

const PUBLIC: [&str; 3] = ["203.0.113.57", "2001:db8:5:6::77", "198.51.100.77"];

fn assert_no_address(name: &str, text: &str) {
    for address in PUBLIC {
        assert!(!text.contains(address), "{name} shows an address");
    }
}

#[test]
fn no_address_of_a_recording_gets_through_the_strict_form() {
    let mut seen = 0;
    for prefix in ["jitsi", "legacy", "rtcstatsjs"] {
        for path in recordings("corpus/wire", prefix, ".wire.jsonl.gz") {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let mut obfuscator = Obfuscator::new(Mode::Strict, Limits::default());
            for line in sent_lines(&path) {
                let line = with_public_addresses(&line);
                seen += usize::from(PUBLIC.iter().any(|address| line.contains(address)));
                let mut out = String::new();
                let outcome = obfuscator.line(&line, &mut out);
                assert_no_address(&name, &out);
                assert_ne!(outcome, Outcome::Failed, "{name}");
                assert_eq!(outcome == Outcome::Masked, out != line, "{name}");
                assert!(RawJson::parse(&out).is_ok(), "{name}");
                let mut again = String::new();
                assert_eq!(obfuscator.line(&out, &mut again), Outcome::Unchanged);
                assert_eq!(again, out, "{name}");
            }
        }
    }
    assert!(seen > 100 || golden::shared("corpus/wire").is_none());
}

#[test]
fn what_jitsi_s_client_has_masked_stays_as_it_is() {
    for path in recordings("corpus/wire", "jitsi", ".wire.jsonl.gz") {
        if is_clear(&path) {
            continue;
        }
        for mode in [Mode::Client, Mode::Server(Generation::Jitsi)] {
            let mut obfuscator = Obfuscator::new(mode, Limits::default());
            for line in sent_lines(&path) {
                let mut out = String::new();
                let outcome = obfuscator.line(&line, &mut out);
                assert_eq!(outcome, Outcome::Unchanged, "{}", path.display());
                assert_eq!(out, line, "{}", path.display());
            }
        }
    }
}

#[test]
fn what_a_server_masks_it_masks_once() {
    for (prefix, generation) in [
        ("legacy", Generation::Legacy),
        ("rtcstatsjs", Generation::Rtcstats),
    ] {
        let mut masked = 0;
        for path in recordings("corpus/wire", prefix, ".wire.jsonl.gz") {
            let mut obfuscator = Obfuscator::new(Mode::Server(generation), Limits::default());
            for line in sent_lines(&path) {
                let line = with_public_addresses(&line);
                let mut out = String::new();
                masked += usize::from(obfuscator.line(&line, &mut out) == Outcome::Masked);
                let mut again = String::new();
                assert_eq!(obfuscator.line(&out, &mut again), Outcome::Unchanged);
                assert_eq!(again, out, "{}", path.display());
            }
        }
        assert!(masked > 100 || golden::shared("corpus/wire").is_none());
    }
}

/// The reference's server has obfuscated these dumps.
#[test]
fn dumps_of_the_reference_are_made_of_the_recordings_by_the_server_form() {
    for path in recordings("corpus/wire", "rtcstatsjs", ".dump.gz") {
        let dump = text(&path);
        let expected: Vec<&str> = dump.lines().skip(2).collect();
        let wire = path.to_str().unwrap().replace(".dump.gz", ".wire.jsonl.gz");
        let sent = sent_lines(&PathBuf::from(wire));
        let mode = Mode::Server(Generation::Rtcstats);
        let mut obfuscator = Obfuscator::new(mode, Limits::default());
        for (line, expected) in sent.iter().zip(expected) {
            let mut out = String::new();
            let _ = obfuscator.line(line, &mut out);
            let parsed = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(parsed(&out), parsed(expected), "{}", path.display());
        }
    }
}

#[test]
fn no_address_of_a_file_gets_through_the_strict_form() {
    let wire = ["jitsi", "rtcstatsjs"].map(|prefix| recordings("corpus/wire", prefix, ".dump.gz"));
    let exports = ["webrtc-internals.json", "chrome-rtcstats.gz"]
        .map(|suffix| recordings("corpus/internals", "", suffix));
    for path in wire.into_iter().chain(exports).flatten() {
        let name = path.display().to_string();
        let file =
            with_public_addresses(&text(&path)).replace("\\\"::1\\\"", "\\\"2001:db8:5:6::77\\\"");
        let mut out = Vec::new();
        let anonymizer = Anonymizer::strict(Limits::default()).masking_labels();
        let result = anonymizer.run(file.as_bytes(), &mut out).unwrap();
        assert_eq!(result.failures, 0, "{name}");
        let out = String::from_utf8(out).unwrap();
        assert_no_address(&name, &out);
        assert!(!out.contains("Fake Default Audio"), "{name}");
        assert_eq!(out.lines().count(), file.lines().count(), "{name}");
        let mut again = Vec::new();
        anonymizer.run(out.as_bytes(), &mut again).unwrap();
        assert!(out.as_bytes() == again, "{name}");
    }
}
