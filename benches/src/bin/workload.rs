//! Writes the dumps of a workload as files, compressed as servers keep them.
//!
//! ```text
//! cargo run --release -p rtcstats-benches --bin workload -- NAME DIRECTORY
//! ```

#![expect(
    clippy::print_stderr,
    reason = "this is how a command line reports errors"
)]

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use flate2::Compression;
use flate2::write::GzEncoder;
use rtcstats_benches::{Dump, Workload};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, directory] = arguments.as_slice() else {
        eprintln!("which workload, and into which directory?");
        return ExitCode::FAILURE;
    };
    match write(name, Path::new(directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write(name: &str, directory: &Path) -> Result<(), Box<dyn Error>> {
    let workload = Workload::named(name).ok_or("there is no such workload")?;
    fs::create_dir_all(directory)?;
    for (number, dump) in workload.dumps.iter().enumerate() {
        write_dump(dump, &directory.join(format!("{name}-{number:03}.gz")))?;
    }
    Ok(())
}

fn write_dump(dump: &Dump, path: &Path) -> Result<(), Box<dyn Error>> {
    let mut file = GzEncoder::new(BufWriter::new(File::create(path)?), Compression::default());
    for line in &dump.lines {
        writeln!(file, "{line}")?;
    }
    file.finish()?.flush()?;
    Ok(())
}
