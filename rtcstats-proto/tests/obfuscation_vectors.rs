//! Obfuscated lines against the recorded behaviour of the reference.

mod golden;

use rtcstats_proto::privacy::{Mode, Obfuscator, Outcome};
use rtcstats_proto::{Generation, Limits, RawJson};
use serde_json::Value;

#[test]
fn lines_are_obfuscated_as_by_the_reference() {
    let Some(path) = golden::shared("golden/rtcstats/obfuscation.jsonl") else {
        return;
    };
    let mode = Mode::Server(Generation::Rtcstats);
    let mut obfuscator = Obfuscator::new(mode, Limits::default());
    for row in std::fs::read_to_string(path).unwrap().lines() {
        let row = RawJson::parse(row).unwrap();
        let name = row.get("name").unwrap().as_str();
        let line = row.get("in").unwrap().as_str();
        let mut out = String::new();
        let outcome = obfuscator.line(line, &mut out);
        let expected: Value = row.get("out").unwrap().deserialize().unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&out).unwrap(),
            expected,
            "{name}"
        );
        let has_failed = row.get("error").is_some_and(RawJson::is_truthy);
        assert_eq!(outcome == Outcome::Failed, has_failed, "{name}");
        assert_eq!(outcome == Outcome::Masked, out != line, "{name}");
    }
}
