//! Services that tests start themselves.

#[allow(dead_code, reason = "not every test needs every service")]
pub(crate) mod postgres;

use std::io::Write as _;

/// Says that a test is passed over, unless services are required.
#[allow(dead_code, reason = "not every test needs every service")]
pub(crate) fn skip(program: &str) {
    assert!(
        std::env::var_os("RTCSTATS_SERVICES_REQUIRED").is_none(),
        "{program} is not installed, and RTCSTATS_SERVICES_REQUIRED is set"
    );
    // Not a print macro: those are captured while the test passes.
    let _ = writeln!(std::io::stderr(), "skipped: {program} is not installed");
}
