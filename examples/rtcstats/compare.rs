//! `rtcstats compare`

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use rtcstats_proto::delta::Strictness;
use serde_json::{Value, json};

use crate::color::{self, Role};
use crate::features::{Selection, extract_sets};
use crate::leaves::{Leaf, leaves};
use crate::output::{self, Format, plain, printable};
use crate::table::Row;
use crate::{UsageError, input, report, table};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rtcstats compare good.dump.gz bad.dump.gz --differences
  rtcstats compare --set rtcstats --tolerance 0.05 before.gz after.gz
  rtcstats compare --exit-code --format csv a.gz b.gz > comparison.csv

Features that differ have a star in front. Those that only one dump has differ
too: absent is not 0. The name of the file, which the Jitsi set repeats, is left
out.

Exit codes: 0 if both dumps were read, 1 if one was not (or, with --exit-code,
if they differ), 2 if the command line is not understood.")]
pub(crate) struct Arguments {
    /// A dump or export; `-` is standard input.
    a: PathBuf,

    /// Another one.
    b: PathBuf,

    /// Which features.
    #[arg(long, value_enum, default_value_t = Selection::Jitsi)]
    set: Selection,

    /// Numbers are equal if they differ by this part of the larger one at most: 0.05 is five percent.
    #[arg(long, value_name = "PART", default_value_t = 0.0, value_parser = tolerance)]
    tolerance: f64,

    /// Leave out what is equal.
    #[arg(short, long)]
    differences: bool,

    /// Fail with 1 if they differ.
    #[arg(long)]
    exit_code: bool,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

fn tolerance(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&number) {
        Ok(number)
    } else {
        Err("not between 0 and 1".to_owned())
    }
}

/// What the Jitsi set says of the file, and not of the call.
const OF_FILES: [&str; 2] = ["dumpMetadata.clientId", "dumpMetadata.dumpPath"];

/// A feature of both dumps.
struct Compared<'a> {
    leaf: Leaf<'a, 2>,
    differs: bool,
}

/// Fails if a dump cannot be read.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    if arguments.a == arguments.b && arguments.a.as_os_str() == "-" {
        let what = "standard input is one dump only: name a file for the other";
        return Err(UsageError(what.to_owned()).into());
    }
    let features = [
        features_of(&arguments.a, arguments)?,
        features_of(&arguments.b, arguments)?,
    ];
    let [a, b] = &features;
    let mut compared: Vec<Compared<'_>> = leaves([a, b])
        .into_iter()
        .filter(|leaf| !OF_FILES.iter().any(|name| leaf.name.ends_with(name)))
        .map(|leaf| Compared {
            differs: differs(leaf.values, arguments.tolerance),
            leaf,
        })
        .collect();
    let all = compared.len();
    let different = compared.iter().filter(|compared| compared.differs).count();
    if arguments.differences {
        compared.retain(|compared| compared.differs);
    }
    print(arguments, &compared)?;
    if arguments.format == Format::Table {
        report_counts(different, all)?;
    }
    Ok(if arguments.exit_code && different > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn features_of(path: &Path, arguments: &Arguments) -> Result<Value, Box<dyn Error>> {
    let progress = input::progress([path]);
    let result = extract_sets(path, arguments.set, Strictness::Lenient, &progress);
    progress.finish_and_clear();
    let (sets, remark) = result.map_err(|error| format!("{}: {error}", path.display()))?;
    if let Some(remark) = remark {
        report(&remark);
    }
    Ok(arguments.set.value(&sets)?)
}

fn differs(values: [Option<&Value>; 2], tolerance: f64) -> bool {
    let [Some(a), Some(b)] = values else {
        return true;
    };
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() > tolerance * a.abs().max(b.abs()),
        _ => a != b,
    }
}

fn print(arguments: &Arguments, compared: &[Compared<'_>]) -> Result<(), Box<dyn Error>> {
    let mut output = BufWriter::new(io::stdout().lock());
    let text = |value: Option<&Value>| value.map(plain).unwrap_or_default();
    match arguments.format {
        Format::Json => {
            let rows: Vec<Value> = compared
                .iter()
                .map(|compared| {
                    let mut row = json!({
                        "feature": compared.leaf.name, "differs": compared.differs,
                    });
                    for (name, value) in ["a", "b"].into_iter().zip(compared.leaf.values) {
                        if let (Some(row), Some(value)) = (row.as_object_mut(), value) {
                            row.insert(name.to_owned(), value.clone());
                        }
                    }
                    row
                })
                .collect();
            serde_json::to_writer_pretty(&mut output, &rows).map_err(io::Error::from)?;
            writeln!(output)?;
        }
        Format::Csv => {
            let mut csv = output::csv(&mut output, &["feature", "a", "b", "differs"])?;
            for compared in compared {
                let [a, b] = compared.leaf.values.map(text);
                let differs = compared.differs.to_string();
                output::csv_record(&mut csv, &[&compared.leaf.name, &a, &b, &differs])?;
            }
            csv.flush()?;
        }
        Format::Table => {
            let names = [&arguments.a, &arguments.b].map(|path| {
                let name = path.file_name().unwrap_or(path.as_os_str());
                printable(&name.to_string_lossy())
            });
            let [a, b] = &names;
            let rows = compared.iter().map(|compared| {
                let mark = if compared.differs { "*" } else { "" };
                let shown = |value: Option<&Value>| value.map_or("–".to_owned(), plain);
                let [a, b] = compared.leaf.values.map(shown);
                Row {
                    cells: vec![mark.to_owned(), compared.leaf.name.clone(), a, b],
                    is_marked: compared.differs,
                }
            });
            output.write_all(table::render(&["", "feature", a, b], rows, &[]).as_bytes())?;
        }
    }
    Ok(output.flush()?)
}

fn report_counts(different: usize, all: usize) -> io::Result<()> {
    let text = format!("{different} of {all} features differ");
    writeln!(io::stdout().lock(), "\n{}", color::paint(Role::Title, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tolerance_is_a_part_of_the_larger_number() {
        let differ = |a: Value, b: Value, tolerance| differs([Some(&a), Some(&b)], tolerance);
        assert!(differ(json!(100), json!(90), 0.09));
        assert!(!differ(json!(100), json!(90), 0.1));
        assert!(!differ(json!(1), json!(1.0), 0.0));
        assert!(differ(json!("a"), json!("b"), 1.0));
        assert!(differ(json!(0), json!(null), 1.0));
        assert!(differs([Some(&json!(0)), None], 1.0));
        assert!(!differs([Some(&json!(-2)), Some(&json!(-1.95))], 0.05));
    }
}
