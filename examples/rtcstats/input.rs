//! Opens dumps, and shows how far reading them is.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use rtcstats_proto::dump::{LineReader, decompress};

/// Smaller inputs are done before a progress bar could be read.
const SHOW_PROGRESS_FROM_BYTES: u64 = 32 << 20;

/// The lines of a dump, decompressed.
pub(crate) type Lines = LineReader<Box<dyn BufRead + Send>>;

/// Opens a dump; `-` is standard input.
pub(crate) fn open(path: &Path, progress: &ProgressBar) -> io::Result<Lines> {
    let input: Box<dyn BufRead + Send> = if path.as_os_str() == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(progress.wrap_read(File::open(path)?)))
    };
    Ok(LineReader::new(decompress(input)?))
}

/// A progress bar over all files, on a terminal and for large ones; hidden otherwise.
pub(crate) fn progress(paths: &[PathBuf]) -> ProgressBar {
    let sizes = paths
        .iter()
        .filter_map(|path| path.metadata().ok())
        .map(|file| file.len());
    let total: u64 = sizes.sum();
    if total < SHOW_PROGRESS_FROM_BYTES || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(total);
    let template = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// What a dump is called: its file name without what tells its format.
pub(crate) fn session_name(path: &Path) -> String {
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    let endings = [".gz", ".jsonl", ".dump"];
    endings
        .iter()
        .fold(name.as_ref(), |name, ending| {
            name.strip_suffix(ending).unwrap_or(name)
        })
        .to_owned()
}
