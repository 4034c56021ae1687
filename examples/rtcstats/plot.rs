//! `rtcstats plot`

mod chart;
mod curve;
mod page;
mod pattern;
mod svg;

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::output::{self, Format, printable};
use crate::{UsageError, input, report, table};

use self::chart::Chart;
use self::curve::Curve;
pub(crate) use self::pattern::Pattern;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rtcstats plot call.dump.gz --list
  rtcstats plot call.dump.gz --series bitrate -o bitrates.html
  rtcstats plot call.dump.gz --series bitrate --series 'PC_0/*/packetsLost' -o call.svg
  rtcstats plot call.dump.gz --series '[bytesSent_in_bits/s]' --format csv > sent.csv

A series is called <connection>/<object>/<name>. A pattern without slashes is
that of a name; one with two is that of all three parts. `*` stands for any
text, and small letters for capital ones.

Exit codes: 0 if graphs were drawn, 1 if the dump could not be read or has no
such series, 2 if the command line is not understood.")]
pub(crate) struct Arguments {
    /// The dump or export; `-` is standard input.
    dump: PathBuf,

    /// Which series: a pattern of their names. Can be given several times.
    #[arg(short, long, value_name = "PATTERN")]
    series: Vec<Pattern>,

    /// Where the graphs go: .svg for a picture, .html for a page; SVG on standard output if absent.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["list", "format"])]
    output: Option<PathBuf>,

    /// List the series instead.
    #[arg(short, long)]
    list: bool,

    /// Print the list, or the numbers themselves, in this form.
    #[arg(short, long, value_enum)]
    format: Option<Format>,

    /// What is written above the graphs; the name of the dump if absent.
    #[arg(long)]
    title: Option<String>,

    /// How wide graphs are, in pixels.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(200..=10_000))]
    width: u32,

    /// How high one graph is, in pixels.
    #[arg(long, default_value_t = 280, value_parser = clap::value_parser!(u32).range(120..=5_000))]
    height: u32,
}

/// What graphs are drawn as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Picture {
    Svg,
    Html,
}

/// Fails if there is nothing to draw.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let picture = picture(arguments)?;
    if arguments.series.is_empty() && !arguments.list {
        let what = "which series? Name them with --series, or see which there are with --list";
        return Err(UsageError(what.to_owned()).into());
    }
    let curves = curves(arguments)?;
    if arguments.list {
        list(&curves, arguments.format.unwrap_or(Format::Table))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(format) = arguments.format {
        print(&curves, format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let title = arguments.title.clone();
    let chart = Chart {
        title: title.unwrap_or_else(|| input::session_name(&arguments.dump)),
        width: arguments.width,
        height: arguments.height,
        panels: chart::panels(curves),
    };
    let text = match picture {
        Picture::Svg => svg::draw(&chart)?,
        Picture::Html => page::draw(&chart),
    };
    match &arguments.output {
        Some(path) => std::fs::write(path, text).map_err(|error| input::named(path, &error))?,
        None => io::stdout().lock().write_all(text.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn picture(arguments: &Arguments) -> Result<Picture, UsageError> {
    let Some(path) = &arguments.output else {
        return Ok(Picture::Svg);
    };
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => Ok(Picture::Svg),
        Some("html" | "htm") => Ok(Picture::Html),
        _ => Err(UsageError(format!(
            "{}: graphs are written to files that end in .svg or .html",
            path.display()
        ))),
    }
}

/// The series of the dump that are wanted; all of them for a list without patterns.
fn curves(arguments: &Arguments) -> Result<Vec<Curve>, Box<dyn Error>> {
    let path: &Path = &arguments.dump;
    let progress = input::progress([path]);
    let result = curve::read(path, &progress);
    progress.finish_and_clear();
    let (mut curves, remarks) = result.map_err(|error| format!("{}: {error}", path.display()))?;
    for remark in remarks {
        report(&remark);
    }
    if curves.is_empty() {
        return Err(format!(
            "{}: no numbers in it: no reports of getStats",
            path.display()
        )
        .into());
    }
    if arguments.series.is_empty() {
        return Ok(curves);
    }
    for pattern in &arguments.series {
        if !curves.iter().any(|curve| curve.is_like(pattern)) {
            return Err(format!(
                "{}: no series is like '{pattern}'; `rtcstats plot {0} --list` shows them",
                path.display()
            )
            .into());
        }
    }
    curves.retain(|curve| {
        arguments
            .series
            .iter()
            .any(|pattern| curve.is_like(pattern))
    });
    Ok(curves)
}

fn list(curves: &[Curve], format: Format) -> Result<(), Box<dyn Error>> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    match format {
        Format::Table => {
            let rows = curves.iter().map(|curve| {
                let known = curve.known().to_string();
                vec![curve.path(), curve.unit.clone(), known, curve.label.clone()]
            });
            let names = ["series", "unit", "values", "of"];
            output.write_all(table::render(&names, rows, &[2]).as_bytes())?;
        }
        Format::Csv => {
            let names = ["connection", "object", "name", "unit", "values", "label"];
            let mut csv = output::csv(&mut output, &names)?;
            for curve in curves {
                let known = curve.known().to_string();
                let record = [
                    &curve.connection,
                    &curve.object,
                    &curve.name,
                    &curve.unit,
                    &known,
                    &curve.label,
                ];
                output::csv_record(&mut csv, &record.map(String::as_str))?;
            }
            csv.flush()?;
        }
        Format::Json => {
            let list: Vec<Value> = curves
                .iter()
                .map(|curve| {
                    json!({
                        "connection": curve.connection, "object": curve.object, "name": curve.name,
                        "unit": curve.unit, "values": curve.known(), "label": curve.label,
                    })
                })
                .collect();
            serde_json::to_writer_pretty(&mut output, &list).map_err(io::Error::from)?;
            writeln!(output)?;
        }
    }
    Ok(output.flush()?)
}

/// Prints the numbers, a line for each value.
fn print(curves: &[Curve], format: Format) -> Result<(), Box<dyn Error>> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    match format {
        Format::Json => {
            let all: Vec<Value> = curves
                .iter()
                .map(|curve| {
                    json!({
                        "connection": curve.connection, "object": curve.object, "name": curve.name,
                        "unit": curve.unit, "label": curve.label, "times": curve.times,
                        "values": curve.values,
                    })
                })
                .collect();
            serde_json::to_writer(&mut output, &all).map_err(io::Error::from)?;
            writeln!(output)?;
        }
        Format::Csv => {
            let mut csv = output::csv(&mut output, &["time", "series", "value", "unit"])?;
            for curve in curves {
                let path = curve.path();
                for (time, value) in curve.points() {
                    let (time, value) = (time.to_string(), value.to_string());
                    output::csv_record(&mut csv, &[&time, &path, &value, &curve.unit])?;
                }
            }
            csv.flush()?;
        }
        Format::Table => {
            for curve in curves {
                let (path, unit) = (printable(&curve.path()), printable(&curve.unit));
                for (time, value) in curve.points() {
                    let time = crate::clock::of_day(time);
                    writeln!(output, "{time}  {path}  {value:.6} {unit}")?;
                }
            }
        }
    }
    Ok(output.flush()?)
}
