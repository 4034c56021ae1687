//! Finds the dumps that arguments name.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

/// Something within a directory that cannot be read.
#[derive(Debug)]
pub(crate) struct FindError(walkdir::Error);

/// The dumps that arguments name, in the order of the arguments.
///
/// A directory stands for all regular files in it and in the directories within, sorted by path.
/// Symbolic links are followed; one that leads back to where it is in is an error. What has a name
/// with a dot in front is hidden and left out, unless it is an argument itself.
///
/// Holds the names of one directory for each level that it is in, so that there may be any number of
/// dumps.
pub(crate) fn find(arguments: &[PathBuf]) -> impl Iterator<Item = Result<PathBuf, FindError>> {
    arguments.iter().flat_map(|path| {
        let (file, directory) = if path.is_dir() {
            (None, Some(files_in(path)))
        } else {
            (Some(Ok(path.clone())), None)
        };
        file.into_iter().chain(directory.into_iter().flatten())
    })
}

fn files_in(directory: &Path) -> impl Iterator<Item = Result<PathBuf, FindError>> + use<> {
    WalkDir::new(directory)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry))
        .filter_map(|entry| match entry {
            Ok(entry) => entry.file_type().is_file().then(|| Ok(entry.into_path())),
            Err(error) => Some(Err(FindError(error))),
        })
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

impl std::fmt::Display for FindError {
    /// The path comes first, as for dumps.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(path) = self.0.path() {
            write!(formatter, "{}: ", path.display())?;
        }
        match (self.0.loop_ancestor(), self.0.io_error()) {
            (Some(ancestor), _) => write!(formatter, "leads back to {}", ancestor.display()),
            (None, Some(error)) => error.fmt(formatter),
            (None, None) => self.0.fmt(formatter),
        }
    }
}
