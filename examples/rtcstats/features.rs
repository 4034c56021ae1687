//! `rtcstats features`

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
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

use crate::dumps::{self, FindError};
use crate::input::{self, Input};
use crate::{report, workers};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rtcstats features call.dump.gz
  rtcstats features --set all --jobs 4 dumps/ more.gz > features.jsonl

Of one dump the features are a document; of several, or of directories, one line each, in the order of
the arguments and within directories by path. What failed is said at the end.")]
pub(crate) struct Arguments {
    /// Dumps or exports, and directories of them at any depth, hidden files left out; `-` is standard
    /// input.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,

    /// Which features. Every set takes dumps of every generation, as far as their data goes.
    #[arg(long, value_enum, default_value_t = Selection::Jitsi)]
    set: Selection,

    /// Stop at the first line that cannot be read, instead of passing over it with a warning.
    #[arg(long)]
    strict: bool,

    /// Print the path of each dump beside its features: `{"path": …, "features": …}`.
    #[arg(long)]
    paths: bool,

    /// How many dumps are worked on at a time; by default one for each processor.
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
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

impl Arguments {
    fn jobs(&self) -> usize {
        let processors = std::thread::available_parallelism();
        self.jobs.or(processors.ok()).map_or(1, NonZeroUsize::get)
    }

    /// How the features of a dump are printed.
    fn layout<'a>(&self, path: &'a str) -> Layout<'a> {
        Layout {
            path: self.paths.then_some(path),
            is_document: matches!(self.inputs.as_slice(), [input] if !input.is_dir()),
        }
    }
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
    fn json(self, sets: &Sets, layout: &Layout<'_>) -> serde_json::Result<Vec<u8>> {
        match self {
            Self::Jitsi => layout.json(&sets.jitsi),
            Self::Rtcstats => layout.json(&sets.rtcstats),
            Self::Legacy => layout.json(&sets.legacy),
            Self::All => layout.json(sets),
        }
    }
}

struct Layout<'a> {
    /// What comes beside the features.
    path: Option<&'a str>,
    /// Indented, instead of a line.
    is_document: bool,
}

#[derive(Serialize)]
struct WithPath<'a, T> {
    path: &'a str,
    features: T,
}

impl Layout<'_> {
    fn json<T: Serialize>(&self, features: T) -> serde_json::Result<Vec<u8>> {
        match self.path {
            Some(path) => self.terminated(&WithPath { path, features }),
            None => self.terminated(&features),
        }
    }

    fn terminated<T: Serialize>(&self, value: &T) -> serde_json::Result<Vec<u8>> {
        let mut json = if self.is_document {
            serde_json::to_vec_pretty(value)
        } else {
            serde_json::to_vec(value)
        }?;
        json.push(b'\n');
        Ok(json)
    }
}

/// Fails if any of the dumps failed.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let progress = input::progress(dumps::find(&arguments.inputs).flatten());
    let mut output = BufWriter::new(io::stdout().lock());
    let mut code = ExitCode::SUCCESS;
    let mut count = 0_u64;
    let mut remarks = Vec::new();
    let mut left_out = 0_u64;
    let result = workers::in_order(
        arguments.jobs(),
        dumps::find(&arguments.inputs),
        |path| extracted(path, arguments, &progress),
        |dump| {
            count += 1;
            match dump.remark {
                Some(remark) if remarks.len() < MOST_REMARKS => remarks.push(remark),
                Some(_) => left_out += 1,
                None => {}
            }
            match dump.json {
                Some(json) => output.write_all(&json)?,
                None => code = ExitCode::FAILURE,
            }
            Ok(())
        },
    );
    let result = result.and_then(|()| Ok(output.flush()?));
    progress.finish_and_clear();
    if count == 0 && result.is_ok() {
        report("no dumps found");
    }
    for remark in remarks {
        report(&remark);
    }
    if left_out > 0 {
        report(&format!("{left_out} more are not shown"));
    }
    result.map(|()| code)
}

/// So many remarks are kept until all dumps are done.
const MOST_REMARKS: usize = 10_000;

/// What came of one dump.
struct Extracted {
    /// Its features as they are printed; `None` if it failed.
    json: Option<Vec<u8>>,
    /// Why it failed, or what is to be said all the same.
    remark: Option<String>,
}

fn extracted(
    path: Result<PathBuf, FindError>,
    arguments: &Arguments,
    progress: &ProgressBar,
) -> Extracted {
    let result = match &path {
        Ok(path) => features_of(path, arguments, progress)
            .map_err(|error| format!("{}: {error}", path.display())),
        Err(error) => Err(error.to_string()),
    };
    result.unwrap_or_else(|error| Extracted {
        json: None,
        remark: Some(error),
    })
}

fn features_of(
    path: &Path,
    arguments: &Arguments,
    progress: &ProgressBar,
) -> Result<Extracted, Box<dyn Error>> {
    let input = input::open(path, progress)?;
    let name = path.to_string_lossy();
    let fold =
        SetsFold::new(input::session_name(path), arguments.set.sets()).with_dump_path(&*name);
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
    let remark = (counters.errors > 0).then(|| {
        format!(
            "{}: {} of {} lines were passed over; --strict names the first",
            path.display(),
            counters.errors,
            counters.lines
        )
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as f64;
    let sets = extractor.finish(now);
    let json = arguments.set.json(&sets, &arguments.layout(&name))?;
    Ok(Extracted {
        json: Some(json),
        remark,
    })
}
