//! The description codec against the recorded behaviour of the reference.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use rtcstats_proto::RawJson;
use rtcstats_proto::sdp::Description;
use serde_json::Value;

#[test]
fn descriptions_are_encoded_and_decoded_as_by_the_reference() {
    let Some(path) = golden::shared("golden/rtcstats/sdp-codec.jsonl") else {
        return;
    };
    for row in std::fs::read_to_string(path).unwrap().lines() {
        let row = RawJson::parse(row).unwrap();
        let member = |name| Description::from_json(row.get(name).unwrap());
        let base = member("base");
        let base = base.is_truthy().then_some(&base);
        let name = row.get("name").unwrap();
        assert_same(member("new").encoded(base), "compressed", row, name);
        assert_same(member("compressed").decoded(base), "restored", row, name);
    }
}

fn assert_same(description: Description<'_>, expected: &str, row: RawJson<'_>, name: RawJson<'_>) {
    let mut written = String::new();
    description.write(&mut written);
    let written: Value = serde_json::from_str(&written).unwrap();
    let expected: Value = row.get(expected).unwrap().deserialize().unwrap();
    assert_eq!(written, expected, "{}", name.as_str());
}
