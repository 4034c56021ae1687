//! Opens dumps and exports, and shows how far reading them is.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, IsTerminal, Read};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use rtcstats_proto::Limits;
use rtcstats_proto::dump::{Format, Internals, LineReader, decompress};

/// Smaller inputs are done before a progress bar could be read.
const SHOW_PROGRESS_FROM_BYTES: u64 = 32 << 20;

/// A file, decompressed.
pub(crate) type Bytes = Box<dyn BufRead + Send>;

/// What is in a file.
pub(crate) enum Input {
    /// The lines of a dump, or of who knows what.
    Lines(LineReader<Bytes>),
    /// The text of an export of webrtc-internals.
    Export(String),
}

/// Opens a dump or an export; `-` is standard input.
pub(crate) fn open(path: &Path, progress: &ProgressBar) -> io::Result<Input> {
    let (format, bytes) = open_bytes(path, progress)?;
    Ok(match format {
        Some(Format::Internals) => Input::Export(Internals::read_text(bytes, &Limits::default())?),
        _ => Input::Lines(LineReader::new(bytes)),
    })
}

/// Opens a file of any format and tells which; `-` is standard input.
pub(crate) fn open_bytes(
    path: &Path,
    progress: &ProgressBar,
) -> io::Result<(Option<Format>, Bytes)> {
    let input: Bytes = if path.as_os_str() == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(progress.wrap_read(File::open(path)?)))
    };
    let mut bytes = decompress(input)?;
    let mut head = Vec::new();
    let head_bytes = Format::HEAD_BYTES as u64;
    bytes.by_ref().take(head_bytes).read_to_end(&mut head)?;
    let format = Format::detect(&head);
    Ok((format, Box::new(Cursor::new(head).chain(bytes))))
}

/// The error with the name of the file.
pub(crate) fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// A progress bar over all files, on a terminal and for large ones; hidden otherwise.
pub(crate) fn progress(paths: impl IntoIterator<Item = impl AsRef<Path>>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let sizes = paths
        .into_iter()
        .filter_map(|path| path.as_ref().metadata().ok())
        .map(|file| file.len());
    let total: u64 = sizes.sum();
    if total < SHOW_PROGRESS_FROM_BYTES {
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
    let endings = [".gz", ".zst", ".jsonl", ".json", ".dump"];
    endings
        .iter()
        .fold(name.as_ref(), |name, ending| {
            name.strip_suffix(ending).unwrap_or(name)
        })
        .to_owned()
}
