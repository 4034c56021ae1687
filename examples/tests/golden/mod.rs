//! The shared golden data, which lies beside the checkout and is not part of it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The file `path` of the golden data's root, which is the folder `shared` beside the checkout, or
/// the one that `RTCSTATS_SHARED` names.
///
/// Without that folder there is nothing to compare with: the test passes after a visible note, unless
/// `RTCSTATS_REQUIRE_ALL` is set. A folder without the file always fails.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("RTCSTATS_SHARED").map_or_else(
        || Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).to_owned(),
        PathBuf::from,
    );
    if !root.is_dir() {
        assert!(
            std::env::var_os("RTCSTATS_REQUIRE_ALL").is_none(),
            "shared golden data not found, and RTCSTATS_REQUIRE_ALL is set"
        );
        // Not a print macro: those are captured while the test passes.
        let _ = writeln!(std::io::stderr(), "SKIPPED: shared golden data not found");
        return None;
    }
    let file = root.join(path);
    assert!(file.exists(), "no {path} in the shared golden data");
    Some(file)
}
