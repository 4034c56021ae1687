//! The mask of the 5.0 server against the recorded behaviour of the reference.

mod golden;

use rtcstats_proto::privacy::mask_host;
use serde_json::Value;

#[test]
fn addresses_are_masked_as_by_the_reference() {
    let Some(path) = golden::shared("golden/rtcstats/addresses.jsonl") else {
        return;
    };
    for row in std::fs::read_to_string(path).unwrap().lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let address = row["in"].as_str().unwrap();
        assert_eq!(
            mask_host(address),
            row["out"].as_str().unwrap(),
            "{address}"
        );
    }
}
