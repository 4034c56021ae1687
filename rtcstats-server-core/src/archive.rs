//! Where the dumps of finished sessions go.

use std::fmt;
use std::io::{BufRead, Read};

use crate::{BoxFuture, DumpName};

mod directory;

pub use directory::{DirectoryArchive, DirectoryArchiveOptions};

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

    /// The names of all dumps, in order.
    ///
    /// # Errors
    ///
    /// Those of the store.
    fn list(&self) -> BoxFuture<'_, Result<Vec<DumpName>, ArchiveError>>;
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
            ArchiveOperation::Prepare => "prepare",
        };
        match &self.dump {
            Some(dump) => write!(formatter, "failed to {operation} dump {dump}"),
            None => write!(formatter, "failed to {operation} the archive"),
        }
    }
}
