//! `rtcstats events`

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use rtcstats_proto::delta::Decoder;
use rtcstats_proto::json::{write_number, write_text};
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Event, EventForm, Limits, Method, RawJson, Scope};

use crate::{input, report};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The dump; `-` is standard input.
    file: PathBuf,
}

/// The reports of a dump so far.
struct Reports {
    decoder: Decoder,
    connections: HashMap<String, Stats>,
}

/// Fails if any line could not be read.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let path = arguments.file.as_path();
    let progress = input::progress(std::slice::from_ref(&arguments.file));
    let mut lines = input::open(path, &progress)?;
    let mut output = BufWriter::new(io::stdout().lock());
    let mut reports = Reports {
        decoder: Decoder::jitsi(Limits::default()),
        connections: HashMap::new(),
    };
    let mut code = ExitCode::SUCCESS;
    let mut json = String::new();
    while let Some(line) = lines.next_line()? {
        json.clear();
        let result = match line.event() {
            Ok(event) => write_event(&event, &mut reports, &mut json),
            Err(error) => Err(error.into()),
        };
        match result {
            Ok(()) => writeln!(output, "{json}")?,
            Err(error) => {
                progress.suspend(|| warn(path, line.number(), error.as_ref()));
                code = ExitCode::FAILURE;
            }
        }
    }
    progress.finish_and_clear();
    output.flush()?;
    Ok(code)
}

fn warn(path: &Path, line: u64, error: &dyn Error) {
    report(&format!("{}, line {line}: {error}", path.display()));
}

fn write_event(
    event: &Event<'_>,
    reports: &mut Reports,
    out: &mut String,
) -> Result<(), Box<dyn Error>> {
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
    out.push_str(",\"value\":");
    if event.method() == Some(Method::CompressedGetStats) && event.form() == EventForm::Array {
        reports.write(event.connection_key(), event.payload(), out)?;
    } else {
        out.push_str(event.payload().as_str());
    }
    out.push('}');
    Ok(())
}

impl Reports {
    /// The whole report that a delta leads to.
    fn write(
        &mut self,
        key: &str,
        delta: RawJson<'_>,
        out: &mut String,
    ) -> Result<(), Box<dyn Error>> {
        let stats = self.connections.entry(key.to_owned()).or_default();
        self.decoder.decode(delta, stats)?;
        stats.write_json(out);
        Ok(())
    }
}
