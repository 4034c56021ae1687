//! `rtcstats features`

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use rtcstats_features::{Extractor, FeatureSet, Sets, SetsFold, extract, extract_export};
use rtcstats_proto::Limits;
use rtcstats_proto::delta::Strictness;
use rtcstats_proto::dump::Internals;

use serde::Serialize;

use crate::input::{self, Input};
use crate::report;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The dumps or exports; `-` is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,

    /// Which features. Every set takes dumps of every generation, as far as their data goes.
    #[arg(long, value_enum, default_value_t = Selection::Jitsi)]
    set: Selection,

    /// Stop at the first line that cannot be read, instead of passing over it with a warning.
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Selection {
    /// Those of the Jitsi rtcstats server.
    Jitsi,
    /// Those of the rtcstats.com server: client, connections, tracks.
    Rtcstats,
    /// What only the server of protocol 2.0 had.
    Legacy,
    /// An object with a member for each set.
    All,
}

impl Selection {
    fn sets(self) -> &'static [FeatureSet] {
        match self {
            Self::Jitsi => &[FeatureSet::Jitsi],
            Self::Rtcstats => &[FeatureSet::Rtcstats],
            Self::Legacy => &[FeatureSet::Legacy],
            Self::All => &FeatureSet::ALL,
        }
    }

    /// One set is written as it is.
    fn write(self, sets: &Sets, pretty: bool, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Jitsi => write_json(&sets.jitsi, pretty, out),
            Self::Rtcstats => write_json(&sets.rtcstats, pretty, out),
            Self::Legacy => write_json(&sets.legacy, pretty, out),
            Self::All => write_json(sets, pretty, out),
        }
    }
}

fn write_json<T: Serialize>(value: &T, pretty: bool, out: &mut impl Write) -> io::Result<()> {
    if pretty {
        serde_json::to_writer_pretty(&mut *out, value)?;
    } else {
        serde_json::to_writer(&mut *out, value)?;
    }
    writeln!(out)
}

/// Fails if any of the files failed.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let pretty = arguments.files.len() == 1;
    let progress = input::progress(&arguments.files);
    let mut output = BufWriter::new(io::stdout().lock());
    let mut code = ExitCode::SUCCESS;
    for path in &arguments.files {
        match features_of(path, arguments, &progress) {
            Ok(sets) => arguments.set.write(&sets, pretty, &mut output)?,
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
    arguments: &Arguments,
    progress: &ProgressBar,
) -> Result<Sets, Box<dyn Error>> {
    let input = input::open(path, progress)?;
    let fold = SetsFold::new(input::session_name(path), arguments.set.sets())
        .with_dump_path(path.to_string_lossy());
    let strictness = if arguments.strict {
        Strictness::Strict
    } else {
        Strictness::Lenient
    };
    let mut extractor = Extractor::new(fold).with_strictness(strictness);
    match input {
        Input::Lines(lines) => extract(lines, &mut extractor)?,
        Input::Export(text) => {
            let mut export = Internals::parse(&text, &Limits::default())?;
            extract_export(&mut export, &mut extractor)?;
        }
    }
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
