//! Candidate lines against the recorded behaviour of the reference.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use rtcstats_proto::sdp::{Candidate, Component};
use serde_json::{Map, Value};

#[test]
fn candidates_are_read_and_written_as_by_the_reference() {
    let Some(path) = golden::shared("golden/rtcstats/candidates.jsonl") else {
        return;
    };
    for row in std::fs::read_to_string(path).unwrap().lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let line = row["in"].as_str().unwrap();
        let candidate = Candidate::parse(line).ok();
        let mut expected = row["parsed"].clone();
        if let Some(expected) = expected.as_object_mut()
            && let Some(fragment) = expected.remove("ufrag")
        {
            // A second name of the same.
            assert_eq!(expected.get("usernameFragment"), Some(&fragment), "{line}");
        }
        let parsed = candidate.map_or(Value::Null, |candidate| members(&candidate));
        assert_eq!(parsed, expected, "{line}");
        let written = candidate.map_or(Value::Null, |candidate| {
            let mut out = String::new();
            candidate.write(&mut out);
            out.into()
        });
        assert_eq!(written, row["written"], "{line}");
    }
}

/// The candidate as an object with the members that the reference gives it.
fn members(candidate: &Candidate<'_>) -> Value {
    let mut members = Map::new();
    for (name, value) in candidate.extensions() {
        members.entry(name).or_insert_with(|| value.into());
    }
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    set("foundation", candidate.foundation().into());
    set(
        "component",
        match candidate.component() {
            Component::Rtp => "rtp".into(),
            Component::Rtcp => "rtcp".into(),
            Component::Other(other) => other.into(),
        },
    );
    set("protocol", candidate.protocol().into());
    set("priority", number(candidate.priority()));
    set("port", number(candidate.port()));
    if let Some(address) = candidate.address() {
        set("ip", address.into());
        set("address", address.into());
    }
    if let Some(kind) = candidate.candidate_type() {
        set("type", kind.as_str().into());
    }
    if let Some(address) = candidate.related_address() {
        set("relatedAddress", address.into());
    }
    if let Some(port) = candidate.related_port() {
        set("relatedPort", number(Some(port)));
    }
    if let Some(kind) = candidate.tcp_type() {
        set("tcpType", kind.into());
    }
    if let Some(fragment) = candidate.username_fragment() {
        set("usernameFragment", fragment.into());
    }
    Value::Object(members)
}

/// Integral numbers as the golden data spells them.
fn number(number: Option<f64>) -> Value {
    let mut text = String::new();
    rtcstats_proto::json::write_number(number.unwrap_or(f64::NAN), &mut text);
    serde_json::from_str(&text).unwrap()
}
