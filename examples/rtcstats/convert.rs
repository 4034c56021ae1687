//! `rtcstats convert`

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use flate2::Compression;
use flate2::write::GzEncoder;
use indicatif::ProgressBar;
use rtcstats_proto::dump::{Coding, Converter, Internals};
use rtcstats_proto::{Generation, Limits};

use crate::input::{self, Input};
use crate::report;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rtcstats convert webrtc_internals_dump.txt --to rtcstats -o call.gz
  rtcstats convert old.gz --to jitsi | rtcstats features -")]
pub(crate) struct Arguments {
    /// A dump of any generation, or an export of webrtc-internals; `-` is standard input.
    input: PathBuf,

    /// The generation of the output.
    #[arg(long, value_enum)]
    to: Target,

    /// Where it goes, compressed if the name ends in .gz; standard output if absent.
    #[arg(short, long)]
    output: Option<PathBuf>,

    /// With `--to rtcstats`: names instead of numbers and complete reports instead of deltas, several
    /// times as large and with nothing lost.
    #[arg(long)]
    plain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// rtcstats 5.0, file format 3.
    Rtcstats,
    /// Jitsi 3.x.
    Jitsi,
    /// The original server, file format 2.
    Legacy,
}

impl From<Target> for Generation {
    fn from(target: Target) -> Self {
        match target {
            Target::Rtcstats => Self::Rtcstats,
            Target::Jitsi => Self::Jitsi,
            Target::Legacy => Self::Legacy,
        }
    }
}

/// Lines that were passed over.
#[derive(Default)]
struct Failures {
    events: u64,
    failed: u64,
    first: Option<String>,
}

/// Fails if any line could not be converted; the others are.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let progress = input::progress([&arguments.input]);
    let failures = match &arguments.output {
        None => convert(arguments, &progress, BufWriter::new(io::stdout().lock()))?,
        Some(path) => convert_to_file(arguments, &progress, path)?,
    };
    progress.finish_and_clear();
    let input = arguments.input.display();
    let Some(first) = failures.first else {
        return Ok(ExitCode::SUCCESS);
    };
    report(&format!(
        "{input}: {} of {} events were passed over, first {first}",
        failures.failed, failures.events
    ));
    Ok(ExitCode::FAILURE)
}

/// Writes beside the file and renames: what was there stays until all is done, the input for one.
fn convert_to_file(
    arguments: &Arguments,
    progress: &ProgressBar,
    path: &Path,
) -> Result<Failures, Box<dyn Error>> {
    let name = path.file_name().ok_or("the output is no file")?;
    let mut part_name = name.to_owned();
    part_name.push(".part");
    let part = path.with_file_name(part_name);
    let file = File::create(&part).map_err(|error| format!("{}: {error}", part.display()))?;
    let file = BufWriter::new(file);
    let result = if name.to_string_lossy().ends_with(".gz") {
        let mut file = GzEncoder::new(file, Compression::default());
        // Dropping it would end the file too, and pass over errors.
        convert(arguments, progress, &mut file)
            .and_then(|failures| Ok(file.try_finish().map(|()| failures)?))
            .and_then(|failures| Ok(file.get_mut().flush().map(|()| failures)?))
    } else {
        convert(arguments, progress, file)
    };
    let result = result.and_then(|failures| {
        fs::rename(&part, path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(failures)
    });
    if result.is_err() {
        // The first error says what is wrong.
        let _ = fs::remove_file(&part);
    }
    result
}

fn convert(
    arguments: &Arguments,
    progress: &ProgressBar,
    mut output: impl Write,
) -> Result<Failures, Box<dyn Error>> {
    let limits = Limits::default();
    let coding = if arguments.plain {
        Coding::Plain
    } else {
        Coding::Coded
    };
    let mut converter = Converter::new(arguments.to.into(), limits).with_coding(coding);
    let mut failures = Failures::default();
    let mut lines_out = String::new();
    let path = arguments.input.as_path();
    match input::open(path, progress).map_err(|error| input::named(path, &error))? {
        Input::Lines(mut lines) => {
            while let Some(line) = lines.next_line()? {
                let result = match line.check_length() {
                    Ok(()) => converter.push_line(line.as_str(), &mut lines_out),
                    Err(error) => Err(error.error.into()),
                };
                failures.count(result.map_err(|error| format!("line {}: {error}", line.number())));
                output.write_all(lines_out.as_bytes())?;
                lines_out.clear();
            }
            if failures.failed > 0 && failures.failed == failures.events {
                let name = path.display();
                return Err(format!("{name}: not a dump: none of its lines is an event").into());
            }
        }
        Input::Export(text) => {
            let mut internals = Internals::parse(&text, &limits)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            converter = converter.with_head(internals.head());
            while let Some(event) = internals.next_event() {
                let time = event.timestamp().unwrap_or_default();
                let result = converter.push(event, &mut lines_out);
                failures.count(result.map_err(|error| format!("at {time}: {error}")));
                output.write_all(lines_out.as_bytes())?;
                lines_out.clear();
            }
            if internals.skipped() > 0 {
                let skipped = internals.skipped();
                progress.suspend(|| {
                    report(&format!(
                        "{}: {skipped} pieces were passed over",
                        path.display()
                    ));
                });
            }
        }
    }
    converter.finish(&mut lines_out);
    output.write_all(lines_out.as_bytes())?;
    output.flush()?;
    Ok(failures)
}

impl Failures {
    fn count(&mut self, result: Result<(), String>) {
        self.events += 1;
        if let Err(error) = result {
            self.failed += 1;
            self.first.get_or_insert(error);
        }
    }
}
