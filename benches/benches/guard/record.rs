//! What the paths took when that was recorded.

use std::fmt::Write;
use std::fs;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guards.tsv");

const HEAD: &str = "\
# Instructions of each path, as a multiple of what IgnoredAny takes for the same bytes.
# cargo bench -p rtcstats-benches --bench guard -- --record
";

/// Paths and their ratios.
#[derive(Default)]
pub(crate) struct Record {
    rows: Vec<(String, f64)>,
}

impl Record {
    /// Nothing if nothing is recorded.
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(FILE).unwrap_or_default();
        let rows = text.lines().filter(|line| !line.starts_with('#'));
        let row = |line: &str| {
            let (path, ratio) = line.split_once('\t').unwrap();
            (path.to_owned(), ratio.parse().unwrap())
        };
        Self {
            rows: rows.map(row).collect(),
        }
    }

    pub(crate) fn ratio(&self, path: &str) -> Option<f64> {
        let row = self.rows.iter().find(|(own, _)| own == path);
        row.map(|(_, ratio)| *ratio)
    }

    pub(crate) fn push(&mut self, path: &str, ratio: f64) {
        self.rows.push((path.to_owned(), ratio));
    }

    pub(crate) fn write(&self) {
        let mut text = HEAD.to_owned();
        for (path, ratio) in &self.rows {
            writeln!(text, "{path}\t{ratio:.3}").unwrap();
        }
        fs::write(FILE, text).unwrap();
    }
}
