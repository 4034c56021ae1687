//! `rtcstats events`

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use rtcstats_proto::dump::{Internals, Replay, Replayed};
use rtcstats_proto::json::{write_number, write_text};
use rtcstats_proto::{Event, EventForm, Limits, RawJson, Scope};

use crate::color::{self, Role};
use crate::input::{self, Input};
use crate::output::{self, Format, printable};
use crate::{clock, report, table};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rtcstats events call.dump.gz | jq -c 'select(.method == \"getstats\")'
  rtcstats events call.dump.gz --format table | less -R
  zcat call.dump.gz | rtcstats events - --format csv > events.csv

Tables cut values at the end of the line, and have the times of day in UTC. CSV
has Unix epoch milliseconds.

Exit codes: 0 if all lines were read, 1 if one was not, 2 if the command line is
not understood.")]
pub(crate) struct Arguments {
    /// The dump or export; `-` is standard input.
    file: PathBuf,

    /// How they are printed.
    #[arg(short, long, value_enum, default_value_t = Format::Json)]
    format: Format,
}

/// Fails if any line could not be read.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let path = arguments.file.as_path();
    let progress = input::progress([&arguments.file]);
    let warn = |what: String| progress.suspend(|| report(&format!("{}{what}", path.display())));
    let mut printer = Printer::new(arguments.format, BufWriter::new(io::stdout().lock()))?;
    let mut replay = Replay::default();
    let mut code = ExitCode::SUCCESS;
    match input::open(path, &progress).map_err(|error| input::named(path, &error))? {
        Input::Lines(mut lines) => {
            while let Some(line) = lines.next_line()? {
                let result = match line.check_length() {
                    Ok(()) => replay.push_line(line.as_str()),
                    Err(error) => Err(error.error.into()),
                };
                match result {
                    Ok(Some(replayed)) => printer.print(&replayed)?,
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
                    Ok(replayed) => printer.print(&replayed)?,
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
    printer.output.flush()?;
    Ok(code)
}

/// Writes events, each as it comes.
struct Printer<W> {
    format: Format,
    output: W,
    /// How many characters a line of a table has.
    width: usize,
    text: String,
}

impl<W: Write> Printer<W> {
    fn new(format: Format, mut output: W) -> Result<Self, Box<dyn Error>> {
        match format {
            Format::Csv => {
                let names = ["time", "connection", "sequenceNumber", "method", "value"];
                output::csv(&mut output, &names)?.flush()?;
            }
            Format::Table => {
                let names = columns("time", "connection", "method");
                writeln!(output, "{} value", color::paint(Role::Title, names))?;
            }
            Format::Json => {}
        }
        let width = table::width().into();
        Ok(Self {
            format,
            output,
            width,
            text: String::new(),
        })
    }

    fn print(&mut self, replayed: &Replayed<'_>) -> Result<(), Box<dyn Error>> {
        match self.format {
            Format::Json => write_event(replayed, &mut self.text, &mut self.output)?,
            Format::Csv => self.print_record(replayed)?,
            Format::Table => self.print_row(replayed)?,
        }
        Ok(())
    }

    fn print_record(&mut self, replayed: &Replayed<'_>) -> Result<(), Box<dyn Error>> {
        let event = &replayed.event;
        self.text.clear();
        replayed.value.write_json(&mut self.text);
        let mut time = String::new();
        if let Some(timestamp) = event.timestamp() {
            write_number(timestamp, &mut time);
        }
        let number = event.sequence_number().map(|number| number.to_string());
        let mut csv = output::csv(&mut self.output, &[])?;
        let record = [
            &time,
            connection(event),
            &number.unwrap_or_default(),
            name(event),
            &self.text,
        ];
        output::csv_record(&mut csv, &record)?;
        Ok(csv.flush()?)
    }

    fn print_row(&mut self, replayed: &Replayed<'_>) -> io::Result<()> {
        let event = &replayed.event;
        self.text.clear();
        replayed.value.write_json(&mut self.text);
        let time = event.timestamp().map(clock::of_day).unwrap_or_default();
        let head = columns(
            &time,
            &printable(connection(event)),
            &printable(name(event)),
        );
        let room = self
            .width
            .saturating_sub(console::measure_text_width(&head) + 1);
        // Long reports are not looked at to their end.
        let start: String = self.text.chars().take(room + 1).collect();
        let value = console::truncate_str(&printable(&start), room, "…").into_owned();
        writeln!(self.output, "{} {value}", color::paint(Role::Name, head))
    }
}

/// The first columns of a table.
fn columns(time: &str, connection: &str, name: &str) -> String {
    format!("{time:<12} {connection:<10} {name:<28}")
}

fn connection<'a>(event: &'a Event<'_>) -> &'a str {
    match event.scope() {
        Scope::PeerConnection(key) => key,
        Scope::Client => "",
    }
}

fn name<'a>(event: &'a Event<'_>) -> &'a str {
    match event.form() {
        EventForm::Metadata => "metadata",
        _ => event.name(),
    }
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
