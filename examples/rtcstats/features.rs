//! `rtcstats features`

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use rtcstats_features::{Extractor, FeatureSet, Fold, Sets, SetsFold, extract, extract_export};
use rtcstats_proto::Limits;
use rtcstats_proto::delta::Strictness;
use rtcstats_proto::dump::Internals;
use serde::Serialize;
use serde_json::Value;

use crate::color::{self, Role};
use crate::dumps::{self, FindError};
use crate::input::{self, Input};
use crate::leaves::leaves;
use crate::output::{self, Format, plain, printable};
use crate::{UsageError, report, table, workers};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rtcstats features call.dump.gz
  rtcstats features call.dump.gz --format table
  rtcstats features --set all --jobs 4 dumps/ more.gz > features.jsonl
  rtcstats features --format csv dumps/ > features.csv

Of one dump the features are a document; of several, or of directories, one line
each, in the order of the arguments and within directories by path. What failed
is said at the end. Tables and CSV have a line for each feature: its dump, its
name, its value.

Exit codes: 0 if all dumps were read, 1 if one was not, 2 if the command line is
not understood.")]
pub(crate) struct Arguments {
    /// Dumps or exports, and directories of them at any depth, hidden files left out; `-` is standard
    /// input.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,

    /// Which features. Every set takes dumps of every generation, as far as their data goes.
    #[arg(long, value_enum, default_value_t = Selection::Jitsi)]
    set: Selection,

    /// How they are printed.
    #[arg(short, long, value_enum, default_value_t = Format::Json)]
    format: Format,

    /// Stop at the first line that cannot be read, instead of passing over it with a warning.
    #[arg(long)]
    strict: bool,

    /// Print the path of each dump beside its features: `{"path": …, "features": …}`. Tables and CSV have
    /// it in any case.
    #[arg(long)]
    paths: bool,

    /// How many dumps are worked on at a time; by default one for each processor.
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Selection {
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

    /// How the features of a dump are written as JSON.
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

    /// One set as it is, or an object with all of them.
    pub(crate) fn value(self, sets: &Sets) -> serde_json::Result<Value> {
        match self {
            Self::Jitsi => serde_json::to_value(&sets.jitsi),
            Self::Rtcstats => serde_json::to_value(&sets.rtcstats),
            Self::Legacy => serde_json::to_value(&sets.legacy),
            Self::All => serde_json::to_value(sets),
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
    if arguments.paths && arguments.format != Format::Json {
        let what = "--paths is for --format json: the others have paths in any case";
        return Err(UsageError(what.to_owned()).into());
    }
    let progress = input::progress(dumps::find(&arguments.inputs).flatten());
    let mut output = BufWriter::new(io::stdout().lock());
    if arguments.format == Format::Csv {
        output::csv(&mut output, &["dump", "feature", "value"])?.flush()?;
    }
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
            match dump.printed {
                Some(printed) => output.write_all(&printed)?,
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
    printed: Option<Vec<u8>>,
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
        printed: None,
        remark: Some(error),
    })
}

fn features_of(
    path: &Path,
    arguments: &Arguments,
    progress: &ProgressBar,
) -> Result<Extracted, Box<dyn Error>> {
    let strictness = if arguments.strict {
        Strictness::Strict
    } else {
        Strictness::Lenient
    };
    let (sets, remark) = extract_sets(path, arguments.set, strictness, progress)?;
    Ok(Extracted {
        printed: Some(printed(path, &sets, arguments)?),
        remark: remark.map(|remark| format!("{remark}; --strict names the first")),
    })
}

/// The features of a dump, and what is to be said about lines that were passed over.
pub(crate) fn extract_sets(
    path: &Path,
    selection: Selection,
    strictness: Strictness,
    progress: &ProgressBar,
) -> Result<(Sets, Option<String>), Box<dyn Error>> {
    let name = path.to_string_lossy();
    let fold = SetsFold::new(input::session_name(path), selection.sets()).with_dump_path(&*name);
    let mut extractor = Extractor::new(fold).with_strictness(strictness);
    let remark = feed(path, &mut extractor, progress)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as f64;
    Ok((extractor.finish(now), remark))
}

/// Feeds an extractor with a file of any format; yields what is to be said about lines that were passed
/// over.
///
/// # Errors
///
/// If it cannot be read, if none of its lines is an event, or at the first bad line if the extractor is
/// strict.
pub(crate) fn feed<F: Fold>(
    path: &Path,
    extractor: &mut Extractor<F>,
    progress: &ProgressBar,
) -> Result<Option<String>, Box<dyn Error>> {
    match input::open(path, progress)? {
        Input::Lines(lines) => extract(lines, extractor)?,
        Input::Export(text) => {
            let mut export = Internals::parse(&text, &Limits::default())?;
            extract_export(&mut export, extractor)?;
        }
    }
    let counters = extractor.counters();
    if counters.lines > 0 && counters.errors + counters.torn == counters.lines {
        return Err("not a dump: none of its lines is an event".into());
    }
    Ok((counters.errors > 0).then(|| {
        format!(
            "{}: {} of {} lines were passed over",
            path.display(),
            counters.errors,
            counters.lines
        )
    }))
}

fn printed(path: &Path, sets: &Sets, arguments: &Arguments) -> Result<Vec<u8>, Box<dyn Error>> {
    let path = path.to_string_lossy();
    if arguments.format == Format::Json {
        return Ok(arguments.set.json(sets, &arguments.layout(&path))?);
    }
    let features = arguments.set.value(sets)?;
    let rows = leaves([&features]).into_iter().map(|leaf| {
        let value = leaf.values.into_iter().flatten().next();
        (leaf.name, value.map(plain).unwrap_or_default())
    });
    if arguments.format == Format::Csv {
        let mut csv = output::csv(Vec::new(), &[])?;
        for (name, value) in rows {
            output::csv_record(&mut csv, &[&path, &name, &value])?;
        }
        return csv.into_inner().map_err(|error| error.into_error().into());
    }
    let mut text = String::new();
    if !arguments.layout(&path).is_document {
        text = format!("{}\n", color::paint(Role::Title, printable(&path)));
    }
    let rows = rows.map(|(name, value)| vec![name, value]);
    text += &table::render(&["feature", "value"], rows, &[]);
    if !arguments.layout(&path).is_document {
        text.push('\n');
    }
    Ok(text.into_bytes())
}
