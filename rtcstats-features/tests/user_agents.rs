//! Conformance of the user-agent rules with recorded results of the reference implementation.

mod golden;

use std::error::Error;

use rtcstats_features::jitsi::{BrowserInfo, StatsFormat};
use serde::Deserialize;
use serde_json::{Value, json};

#[test]
fn core_user_agents_are_described_as_by_the_reference() -> Result<(), Box<dyn Error>> {
    assert_class_agrees("core")
}

#[test]
fn exotic_user_agents_are_described_as_by_the_reference() -> Result<(), Box<dyn Error>> {
    assert_class_agrees("exotic")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    ua: String,
    class: String,
    stats_format: Value,
    /// Null where there is none.
    browser_info: Value,
}

fn assert_class_agrees(class: &str) -> Result<(), Box<dyn Error>> {
    let Some(path) = golden::shared("golden/jitsi/ua-vectors.jsonl") else {
        return Ok(());
    };
    let mut compared = 0;
    let mut differences = Vec::new();
    for line in std::fs::read_to_string(path)?.lines() {
        let vector: Vector = serde_json::from_str(line)?;
        if vector.class == class {
            compared += 1;
            differences.extend(difference(&vector));
        }
    }
    assert!(compared > 0, "no vector of class {class}");
    assert!(
        differences.is_empty(),
        "{} of {compared} {class} vectors differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
    Ok(())
}

fn difference(vector: &Vector) -> Option<String> {
    let expected = json!([vector.stats_format, vector.browser_info]);
    let found = json!([
        StatsFormat::from_user_agent(&vector.ua),
        BrowserInfo::from_user_agent(&vector.ua),
    ]);
    (found != expected).then(|| format!("{}\n  expected {expected}\n  found    {found}", vector.ua))
}
