//! Links to dumps.

use super::ArchiveError;
use crate::{BoxFuture, DumpName};

/// Tells others where a dump can be downloaded.
pub trait DumpLinks: Send + Sync + 'static {
    /// A URL to download a dump from; `None` while there is no dump of this name, as a session is
    /// published before it is archived.
    ///
    /// # Errors
    ///
    /// Those of the store.
    fn link(&self, name: &DumpName) -> BoxFuture<'_, Result<Option<String>, ArchiveError>>;
}
