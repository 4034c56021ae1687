//! The harness for tests in a browser, which is in `e2e/`: its scripts do the work; here they are started, and skipped
//! where Chromium or Node.js is absent.

#![allow(dead_code, reason = "not every test needs all of it")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

/// What scripts exit with where something they need is absent.
const SKIPPED: i32 = 77;

/// One browser at a time: they would starve each other on a small machine.
static BROWSER: Mutex<()> = Mutex::new(());

/// A scenario of `run.mjs`: clients in a browser, and the server against them.
pub(crate) fn run(scenario: &str) {
    let (server, rtcstats) = (example("axum"), example("rtcstats"));
    let mut command = Command::new("node");
    command
        .args(["run.mjs", "--scenario", scenario])
        .arg("--server-binary")
        .arg(server)
        .arg("--rtcstats-binary")
        .arg(rtcstats);
    finish(scenario, command);
}

/// A scenario of `pages.mjs`: a page as its readers see it. Pictures go to `RTCSTATS_SCREENSHOTS`, else to
/// `target/screenshots`.
pub(crate) fn look_at(page: &str) {
    let mut command = Command::new("node");
    command
        .args(["pages.mjs", "--page", page, "--timeout", "400"])
        .arg("--server-binary")
        .arg(example("axum"));
    finish(page, command);
}

/// What a script prints that needs no browser; `None` without Node.js.
pub(crate) fn output(script: &str) -> Option<String> {
    let mut command = Command::new("node");
    command.arg(script);
    let output = outcome(command)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether the recordings are here, which most machines do not have.
pub(crate) fn has_recordings() -> bool {
    let shared = std::env::var_os("RTCSTATS_SHARED").map_or_else(
        || Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).to_owned(),
        PathBuf::from,
    );
    if shared.is_dir() {
        return true;
    }
    assert!(
        std::env::var_os("RTCSTATS_REQUIRE_ALL").is_none(),
        "recordings not found, and RTCSTATS_REQUIRE_ALL is set"
    );
    say("SKIPPED: recordings not found");
    false
}

fn finish(scenario: &str, command: Command) {
    let _one_at_a_time = BROWSER.lock();
    let Some(output) = outcome(command) else {
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => say(&format!("{text}{errors}")),
        Some(SKIPPED) => skip(&text),
        code => panic!("{scenario} ended with {code:?}\n{text}\n{errors}"),
    }
}

fn outcome(mut command: Command) -> Option<Output> {
    let harness = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e");
    match command.current_dir(harness).output() {
        Ok(output) => Some(output),
        Err(error) => {
            skip(&format!("node cannot be run: {error}"));
            None
        }
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
