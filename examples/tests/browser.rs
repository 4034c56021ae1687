//! The stock browser client against the server: a real call, the server killed, the wire cut.
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
