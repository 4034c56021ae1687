//! The stock browser clients against the server: a real call, the server killed, the wire cut; and a
//! recorded call of rtcstats 5.0, whose client is in no registry, sent again by a browser.
//!
//! `e2e/run.mjs` does the work; here it is started, and skipped where Chromium or Node.js is absent.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// What `run.mjs` exits with where something it needs is absent.
const SKIPPED: i32 = 77;

/// One browser at a time: two calls would starve each other on a small machine.
static BROWSER: Mutex<()> = Mutex::new(());

#[test]
fn each_event_of_a_call_is_stored_once_and_its_features_move_while_it_goes_on() {
    run("plain");
}

#[test]
fn nothing_is_lost_when_the_server_is_killed_twice_in_mid_call() {
    run("restarts");
}

#[test]
fn nothing_is_lost_when_the_connection_is_cut_three_times() {
    run("cuts");
}

#[test]
fn each_event_of_a_legacy_call_is_stored_once_with_the_repairs_of_its_time() {
    run("legacy-plain");
}

#[test]
fn what_is_stored_of_a_legacy_call_when_the_server_is_killed_is_kept_and_closed() {
    run("legacy-killed");
}

#[test]
fn addresses_of_a_legacy_call_are_masked_as_by_servers_of_its_time() {
    run("legacy-masked");
}

#[test]
fn nothing_of_an_address_but_its_network_is_kept_under_strict_rules() {
    run("legacy-strict");
}

#[test]
fn a_recorded_call_of_rtcstats_5_0_is_stored_and_extracted_as_by_the_reference() {
    let shared = std::env::var_os("RTCSTATS_SHARED").map_or_else(
        || Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).to_owned(),
        PathBuf::from,
    );
    if shared.is_dir() {
        run("rtcstats-replay");
    } else {
        assert!(
            std::env::var_os("RTCSTATS_REQUIRE_ALL").is_none(),
            "recordings not found, and RTCSTATS_REQUIRE_ALL is set"
        );
        say("SKIPPED: recordings not found");
    }
}

fn run(scenario: &str) {
    let _one_at_a_time = BROWSER.lock();
    let harness = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e");
    let output = Command::new("node")
        .arg("run.mjs")
        .args(["--scenario", scenario])
        .arg("--server-binary")
        .arg(example("axum"))
        .arg("--rtcstats-binary")
        .arg(example("rtcstats"))
        .current_dir(harness)
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return skip(&format!("node cannot be run: {error}")),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => say(&text),
        Some(SKIPPED) => skip(&text),
        code => panic!(
            "{scenario} ended with {code:?}\n{text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

/// Examples are built along with the tests, beside the folder that this test is in.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let target = test.ancestors().nth(2).unwrap_or(Path::new(""));
    let path = target.join("examples").join(name);
    assert!(
        path.exists(),
        "{} is not built: run `cargo test --workspace`",
        path.display()
    );
    path
}

fn skip(reason: &str) {
    assert!(
        std::env::var_os("RTCSTATS_BROWSER_REQUIRED").is_none(),
        "required, but: {reason}"
    );
    say(&format!("SKIPPED: {reason}"));
}

/// Not a print macro: those are captured while the test passes.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}
