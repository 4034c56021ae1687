//! Directories.

use std::io;
use std::path::Path;

/// Makes creations, renames and removals in a directory durable.
#[cfg(unix)]
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}

/// Elsewhere directories cannot be opened; their file systems log such changes on their own.
#[cfg(not(unix))]
pub(crate) fn sync(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes the entry of a file in its directory durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync(parent),
        _ => sync(Path::new(".")),
    }
}
