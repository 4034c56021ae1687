//! Located candidates against the recorded behaviour of the reference.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use std::net::IpAddr;

use rtcstats_proto::privacy::{Location, Locator};
use rtcstats_proto::{Limits, RawJson};
use serde_json::Value;

/// Rows in which the reference looks a host name up as if it were an address, which section 11.6 of the
/// spec says not to do.
const HOST_NAMES: [&str; 3] = [
    "s-onicecandidate-host-mdns",
    "s-addIceCandidate-host-dotted-hostname",
    "s-random-1",
];

#[test]
fn candidates_are_located_as_by_the_reference() {
    let Some(path) = golden::shared("golden/rtcstats/geolookup.jsonl") else {
        return;
    };
    for row in std::fs::read_to_string(path).unwrap().lines() {
        let row = RawJson::parse(row).unwrap();
        let name = row.get("name").unwrap().as_str();
        let records = row.get("lookup").unwrap();
        let locator = Locator::new(|address| look_up(records, address), Limits::default());
        let mut out = String::new();
        locator.line(row.get("in").unwrap().as_str(), &mut out);
        let is_host_name = HOST_NAMES.contains(&name.trim_matches('"'));
        let expected = row.get(if is_host_name { "in" } else { "out" }).unwrap();
        let parsed = |text| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(parsed(&out), parsed(expected.as_str()), "{name}");
    }
}

fn literal(address: &str) -> Option<IpAddr> {
    address.split('%').next().unwrap().parse().ok()
}

/// The record of a database of cities.
fn look_up(records: RawJson<'_>, address: IpAddr) -> Option<Location> {
    let (_, record) = records
        .members()
        .find(|(text, _)| literal(text) == Some(address))?;
    let part = |name| {
        let names = record.get(name)?.get("names")?;
        Some(names.get("en")?.as_text()?.into_owned())
    };
    Some(Location {
        continent: part("continent"),
        country: part("country"),
        city: part("city"),
    })
}
