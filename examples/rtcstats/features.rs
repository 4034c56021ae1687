//! `rtcstats features`

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use rtcstats_features::jitsi::{Extraction, JitsiFold};
use rtcstats_features::{Extractor, extract};
use rtcstats_proto::delta::Strictness;

use crate::{input, report};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The dumps; `-` is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,

    /// Which features.
    #[arg(long, value_enum, default_value_t = FeatureSet::Jitsi)]
    set: FeatureSet,

    /// Stop at the first line that cannot be read, instead of passing over it with a warning.
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FeatureSet {
    /// Those of the Jitsi rtcstats server.
    Jitsi,
}

/// Fails if any of the files failed.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let FeatureSet::Jitsi = arguments.set;
    let progress = input::progress(&arguments.files);
    let mut output = BufWriter::new(io::stdout().lock());
    let mut code = ExitCode::SUCCESS;
    for path in &arguments.files {
        match features_of(path, arguments.strict, &progress) {
            Ok(extraction) if arguments.files.len() == 1 => {
                serde_json::to_writer_pretty(&mut output, &extraction).map_err(io::Error::from)?;
                writeln!(output)?;
            }
            Ok(extraction) => {
                serde_json::to_writer(&mut output, &extraction).map_err(io::Error::from)?;
                writeln!(output)?;
            }
            Err(error) => {
                progress.suspend(|| report(&format!("{}: {error}", path.display())));
                code = ExitCode::FAILURE;
            }
        }
    }
    progress.finish_and_clear();
    output.flush()?;
    Ok(code)
}

fn features_of(
    path: &Path,
    strict: bool,
    progress: &ProgressBar,
) -> Result<Extraction, Box<dyn Error>> {
    let lines = input::open(path, progress)?;
    let fold = JitsiFold::new(input::session_name(path)).with_dump_path(path.to_string_lossy());
    let strictness = if strict {
        Strictness::Strict
    } else {
        Strictness::Lenient
    };
    let mut extractor = Extractor::new(fold).with_strictness(strictness);
    extract(lines, &mut extractor)?;
    let counters = extractor.counters();
    if counters.lines > 0 && counters.errors + counters.torn == counters.lines {
        return Err("not a dump: none of its lines is an event".into());
    }
    if counters.errors > 0 {
        let message = format!(
            "{}: {} of {} lines were passed over; --strict names the first",
            path.display(),
            counters.errors,
            counters.lines
        );
        progress.suspend(|| report(&message));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as f64;
    Ok(extractor.finish(now))
}
