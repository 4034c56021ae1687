//! `rtcstats events`

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use rtcstats_proto::dump::{Internals, Replay, Replayed};
use rtcstats_proto::json::{write_number, write_text};
use rtcstats_proto::{EventForm, Limits, RawJson, Scope};

use crate::input::{self, Input};
use crate::report;

#[derive(Debug, Args)]
#[command(
    after_help = "Example: rtcstats events call.dump.gz | jq -c 'select(.method == \"getstats\")'"
)]
pub(crate) struct Arguments {
    /// The dump or export; `-` is standard input.
    file: PathBuf,
}

/// Fails if any line could not be read.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let path = arguments.file.as_path();
    let progress = input::progress([&arguments.file]);
    let warn = |what: String| progress.suspend(|| report(&format!("{}{what}", path.display())));
    let mut output = BufWriter::new(io::stdout().lock());
    let mut replay = Replay::default();
    let mut code = ExitCode::SUCCESS;
    let mut json = String::new();
    match input::open(path, &progress).map_err(|error| input::named(path, &error))? {
        Input::Lines(mut lines) => {
            while let Some(line) = lines.next_line()? {
                let result = match line.check_length() {
                    Ok(()) => replay.push_line(line.as_str()),
                    Err(error) => Err(error.error.into()),
                };
                match result {
                    Ok(Some(replayed)) => write_event(&replayed, &mut json, &mut output)?,
                    Ok(None) => {}
                    Err(error) => {
                        warn(format!(", line {}: {error}", line.number()));
                        code = ExitCode::FAILURE;
                    }
                }
            }
        }
        Input::Export(text) => {
            let mut internals = Internals::parse(&text, &Limits::default())
                .map_err(|error| format!("{}: {error}", path.display()))?;
            while let Some(event) = internals.next_event() {
                match replay.push(event) {
                    Ok(replayed) => write_event(&replayed, &mut json, &mut output)?,
                    Err(error) => {
                        warn(format!(": {error}"));
                        code = ExitCode::FAILURE;
                    }
                }
            }
            if internals.skipped() > 0 {
                warn(format!(": {} pieces were passed over", internals.skipped()));
            }
        }
    }
    progress.finish_and_clear();
    output.flush()?;
    Ok(code)
}

fn write_event(
    replayed: &Replayed<'_>,
    out: &mut String,
    output: &mut impl Write,
) -> io::Result<()> {
    let event = &replayed.event;
    out.clear();
    if event.form() == EventForm::Metadata {
        return writeln!(output, "{{\"metadata\":{}}}", event.payload().as_str());
    }
    out.push_str("{\"method\":");
    write_text(event.name(), out);
    if let Scope::PeerConnection(key) = event.scope() {
        out.push_str(",\"peerConnection\":");
        write_text(key, out);
    }
    if let Some(timestamp) = event.timestamp() {
        out.push_str(",\"timestamp\":");
        write_number(timestamp, out);
    }
    if let Some(number) = event.sequence_number() {
        out.push_str(&format!(",\"sequenceNumber\":{number}"));
    }
    let extra: Vec<&str> = event.extra().map(RawJson::as_str).collect();
    if !extra.is_empty() {
        out.push_str(&format!(",\"extra\":[{}]", extra.join(",")));
    }
    out.push_str(",\"value\":");
    replayed.value.write_json(out);
    writeln!(output, "{out}}}")
}
