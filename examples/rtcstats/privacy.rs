//! `rtcstats anonymize` and `rtcstats obfuscate`

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use rtcstats_proto::dump::{Format, LineReader};
use rtcstats_proto::privacy::{Anonymizer, Mode, Obfuscator};
use rtcstats_proto::{Generation, Limits};

use crate::{UsageError, input, report};

#[derive(Debug, Args)]
#[command(after_help = "Example: rtcstats anonymize webrtc_internals_dump.txt > shareable.txt")]
pub(crate) struct AnonymizeArguments {
    /// A dump of any generation, or an export of webrtc-internals; `-` is standard input.
    file: PathBuf,

    /// How much is masked.
    #[arg(long, value_enum, default_value_t = AnonymizeMode::Strict)]
    mode: AnonymizeMode,

    /// Also empty the labels of devices and tracks, which may hold names. Strict mode only.
    #[arg(long)]
    labels: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AnonymizeMode {
    /// Every address, wherever it is.
    Strict,
    /// What servers mask; fails at the first value they could not.
    Server,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: rtcstats obfuscate --mode strict call.dump.gz | gzip > masked.gz")]
pub(crate) struct ObfuscateArguments {
    /// A dump of any generation; `-` is standard input.
    file: PathBuf,

    /// How much is masked.
    #[arg(long, value_enum, default_value_t = ObfuscateMode::Server)]
    mode: ObfuscateMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ObfuscateMode {
    /// What a server of the generation masks before it writes: host parts, but not those of relays.
    Server,
    /// Every address, wherever it is; what cannot be masked becomes null.
    Strict,
    /// What the Jitsi client masks before it sends: whole addresses, but not those of relays.
    Client,
}

/// Masks a whole file. Fails if a value could not be masked, which is `null` then.
pub(crate) fn anonymize(arguments: &AnonymizeArguments) -> Result<ExitCode, Box<dyn Error>> {
    let path = arguments.file.as_path();
    let progress = input::progress([&arguments.file]);
    let (_, bytes) =
        input::open_bytes(path, &progress).map_err(|error| input::named(path, &error))?;
    let limits = Limits::default();
    let mut anonymizer = match arguments.mode {
        AnonymizeMode::Strict => Anonymizer::strict(limits),
        AnonymizeMode::Server => Anonymizer::compatible(limits),
    };
    if arguments.labels {
        if arguments.mode != AnonymizeMode::Strict {
            return Err(UsageError("--labels needs --mode strict".to_owned()).into());
        }
        anonymizer = anonymizer.masking_labels();
    }
    let output = BufWriter::new(io::stdout().lock());
    let result = anonymizer.run(bytes, output);
    progress.finish_and_clear();
    let done = result.map_err(|error| unwrap_io(error, path))?;
    Ok(code(path, done.failures, "are null, as they"))
}

/// Masks the lines of a dump. Fails if one could not be masked.
pub(crate) fn obfuscate(arguments: &ObfuscateArguments) -> Result<ExitCode, Box<dyn Error>> {
    let path = arguments.file.as_path();
    let progress = input::progress([&arguments.file]);
    let (format, bytes) =
        input::open_bytes(path, &progress).map_err(|error| input::named(path, &error))?;
    let generation = match format {
        Some(Format::Rtcstats) => Generation::Rtcstats,
        Some(Format::Legacy) => Generation::Legacy,
        Some(Format::Internals) => {
            return Err(
                "an export of webrtc-internals has no lines: see `rtcstats anonymize`".into(),
            );
        }
        Some(_) => Generation::Jitsi,
        None => return Err(format!("{}: not a dump", path.display()).into()),
    };
    let mode = match arguments.mode {
        ObfuscateMode::Server => Mode::Server(generation),
        ObfuscateMode::Strict => Mode::Strict,
        ObfuscateMode::Client => Mode::Client,
    };
    let mut obfuscator = Obfuscator::new(mode, Limits::default());
    let mut output = BufWriter::new(io::stdout().lock());
    let mut lines = LineReader::new(bytes);
    let mut masked = String::new();
    let mut oversize = 0;
    while let Some(line) = lines.next_line()? {
        masked.clear();
        if line.check_length().is_err() {
            // It is not in memory to be passed.
            oversize += 1;
            masked.push_str("null");
        } else {
            // Failures are counted.
            let _ = obfuscator.line(line.as_str(), &mut masked);
        }
        masked.push('\n');
        output.write_all(masked.as_bytes())?;
    }
    output.flush()?;
    progress.finish_and_clear();
    let outcome = match arguments.mode {
        ObfuscateMode::Strict => "are null, as they",
        ObfuscateMode::Server | ObfuscateMode::Client => "are as they were, as they",
    };
    Ok(code(path, obfuscator.failures() + oversize, outcome))
}

fn code(path: &Path, failures: u64, outcome: &str) -> ExitCode {
    if failures == 0 {
        return ExitCode::SUCCESS;
    }
    report(&format!(
        "{}: {failures} values {outcome} could not be masked",
        path.display()
    ));
    ExitCode::FAILURE
}

/// So that a broken pipe is known as one.
fn unwrap_io(error: rtcstats_proto::privacy::AnonymizeError, path: &Path) -> Box<dyn Error> {
    match error {
        rtcstats_proto::privacy::AnonymizeError::Io(error) => error.into(),
        error => format!("{}: {error}", path.display()).into(),
    }
}
