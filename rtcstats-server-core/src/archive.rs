//! Where the dumps of finished sessions go.

use std::fmt;
use std::io::{BufRead, Read};

use crate::{BoxFuture, DumpName};

mod directory;
mod links;
#[cfg(feature = "archive")]
mod object;

pub use directory::{DirectoryArchive, DirectoryArchiveOptions};
pub use links::DumpLinks;
#[cfg(feature = "archive")]
pub use object::{ObjectArchive, ObjectArchiveOptions};

/// Keeps the dumps of finished sessions, compressed.
///
/// - **Durable:** when [`store`](Self::store) resolves to `Ok`, the dump is there to stay; the caller
///   forgets its own copy then.
/// - **Atomic:** a dump is there whole or not at all, at any time, also after a crash. Storing a name
///   again replaces it as a whole.
/// - **Streaming:** memory does not grow with the dump.
///
/// Names are safe as far as [`DumpName`] goes; content is opaque.
pub trait Archive: Send + Sync + 'static {
    /// Stores a dump, read from `dump` as plain text, as gzip.
    ///
    /// # Errors
    ///
    /// Those of the store, and of `dump`. What was stored under this name before is still there.
    fn store(
        &self,
        name: &DumpName,
        dump: Box<dyn BufRead + Send>,
    ) -> BoxFuture<'_, Result<(), ArchiveError>>;

    /// Opens a dump: its gzip bytes, or `None` if there is none of this name. The reader may block.
    ///
    /// # Errors
    ///
    /// Those of the store.
    fn open(
        &self,
        name: &DumpName,
    ) -> BoxFuture<'_, Result<Option<Box<dyn Read + Send>>, ArchiveError>>;

    /// All dumps, in the order of their names.
    ///
    /// # Errors
    ///
    /// Those of the store.
    fn list(&self) -> BoxFuture<'_, Result<Vec<ArchivedDump>, ArchiveError>>;

    /// Removes a dump. Removing what is not there is no error.
    ///
    /// # Errors
    ///
    /// Those of the store; then it may be removed or not.
    fn remove(&self, name: &DumpName) -> BoxFuture<'_, Result<(), ArchiveError>>;
}

/// A dump that an archive has.
#[derive(Debug, Clone, PartialEq)]
pub struct ArchivedDump {
    /// Its name.
    pub name: DumpName,
    /// Bytes it takes, compressed.
    pub bytes: u64,
    /// When it was stored, in Unix epoch milliseconds.
    pub modified_ms: f64,
}

/// An archive failed.
#[derive(Debug, thiserror::Error)]
pub struct ArchiveError {
    operation: ArchiveOperation,
    dump: Option<DumpName>,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Which operation of an [`Archive`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArchiveOperation {
    /// [`Archive::store`].
    Store,
    /// [`Archive::open`].
    Open,
    /// [`Archive::list`].
    List,
    /// [`Archive::remove`].
    Remove,
    /// [`DumpLinks::link`].
    Link,
    /// Preparing the archive itself.
    Prepare,
}

impl ArchiveError {
    /// An error of an operation. `dump` is absent where it concerns the archive as a whole.
    pub fn new(
        operation: ArchiveOperation,
        dump: Option<DumpName>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            operation,
            dump,
            source: source.into(),
        }
    }

    /// What was tried.
    pub fn operation(&self) -> ArchiveOperation {
        self.operation
    }

    /// The dump it was about, if it was about one.
    pub fn dump(&self) -> Option<&DumpName> {
        self.dump.as_ref()
    }
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = match self.operation {
            ArchiveOperation::Store => "store",
            ArchiveOperation::Open => "open",
            ArchiveOperation::List => "list",
            ArchiveOperation::Remove => "remove",
            ArchiveOperation::Link => "link",
            ArchiveOperation::Prepare => "prepare",
        };
        match &self.dump {
            Some(dump) => write!(formatter, "failed to {operation} dump {dump}"),
            None => write!(formatter, "failed to {operation} the archive"),
        }
    }
}
