//! The form in which a command prints what it found.

use std::error::Error;
use std::io::Write;

use clap::ValueEnum;
use serde_json::Value;

/// The form of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// JSON, for programs.
    Json,
    /// Aligned columns, for people.
    Table,
    /// Comma-separated values with a line of names, for spreadsheets.
    Csv,
}

/// Writes CSV; the names of its columns first, if there are any.
pub(crate) fn csv<W: Write>(output: W, names: &[&str]) -> Result<csv::Writer<W>, Box<dyn Error>> {
    let mut writer = csv::Writer::from_writer(output);
    if !names.is_empty() {
        writer.write_record(names).map_err(csv_error)?;
    }
    Ok(writer)
}

/// Writes a record of CSV.
pub(crate) fn csv_record<W: Write>(
    writer: &mut csv::Writer<W>,
    record: &[&str],
) -> Result<(), Box<dyn Error>> {
    writer.write_record(record).map_err(csv_error)
}

/// So that a broken pipe is known as one.
fn csv_error(error: csv::Error) -> Box<dyn Error> {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        kind => format!("CSV cannot be written: {kind:?}").into(),
    }
}

/// A value of JSON as text: strings without quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// A value as a line, without what a terminal would take for a command.
pub(crate) fn printable(text: &str) -> String {
    let shown = |character: char| match character {
        '\n' | '\r' | '\t' => ' ',
        character if character.is_control() || is_direction(character) => '\u{fffd}',
        character => character,
    };
    text.chars().map(shown).collect()
}

/// Whether it changes the direction of what comes after it.
fn is_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_printed_commands_a_terminal() {
        assert_eq!(
            printable("a\u{1b}[2Jb\nc\u{202e}"),
            "a\u{fffd}[2Jb c\u{fffd}"
        );
    }
}
