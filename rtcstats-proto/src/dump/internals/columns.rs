//! The series of an export (rtcstats spec 9.3).

use std::borrow::Cow;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::members::{fields, ordered_members};
use super::write_line;
use crate::json::{Reader, write_number, write_text};
use crate::stats::array_index;
use crate::{Limits, RawJson};

/// The series of one stats object: one value of each member for every time.
#[derive(Debug)]
pub(crate) struct Columns<'a> {
    id: String,
    /// `statsType`, as it was written.
    kind: Option<RawJson<'a>>,
    /// NaN where it is no number.
    times: Vec<f64>,
    columns: Vec<Column<'a>>,
    /// The first row with a member besides time and id.
    first_report: usize,
}

/// The values of one member.
#[derive(Debug)]
struct Column<'a> {
    name: String,
    series: Series<'a>,
}

/// The text of an array, and where its elements begin.
#[derive(Debug)]
struct Series<'a> {
    text: Cow<'a, str>,
    starts: Vec<u32>,
}

/// The series of a connection by stats object, in JavaScript's order. `None` if any object lacks
/// the series of its times: then existing readers take none of them.
///
/// What is no series, or has a name over [`Limits::name_bytes`], is counted in `skipped`.
pub(crate) fn read_columns<'a>(
    stats: RawJson<'a>,
    limits: &Limits,
    skipped: &mut u64,
) -> Option<Vec<Columns<'a>>> {
    let members = ordered_members(stats);
    let mut times = HashMap::with_hasher(RandomState::default());
    for (key, value) in &members {
        if let Some(id) = key.strip_suffix("-timestamp") {
            times.insert(id, *value);
        }
    }
    let mut all: Vec<Columns<'a>> = Vec::new();
    let mut places: HashMap<String, usize, RandomState> = HashMap::default();
    for (key, member) in &members {
        let (id, name) = split(key);
        if name == "type" {
            continue;
        }
        // They are written again and again: in every report.
        if key.len() > limits.name_bytes {
            *skipped += 1;
            continue;
        }
        let [kind, values] = fields(*member, ["statsType", "values"]);
        let kind = kind.filter(|kind| kind.as_str().len() <= limits.name_bytes);
        let place = match places.get(&*id) {
            Some(place) => *place,
            None => {
                let [values] = fields(*times.get(&*id)?, ["values"]);
                let series = Series::read(values, limits);
                let times = series.map(|series| series.numbers()).unwrap_or_default();
                places.insert(id.clone().into_owned(), all.len());
                all.push(Columns {
                    id: id.into_owned(),
                    kind,
                    first_report: times.len(),
                    times,
                    columns: Vec::new(),
                });
                all.len() - 1
            }
        };
        match (Series::read(values, limits), all.get_mut(place)) {
            (Some(series), Some(columns)) => {
                *skipped += u64::from(series.starts.len() > columns.times.len());
                columns.push(name.into_owned(), series);
            }
            _ => *skipped += 1,
        }
    }
    all.sort_by_key(|columns| array_index(&columns.id).unwrap_or(u32::MAX));
    Some(all)
}

/// Stats id and member of a key: `T01-bytesSent`, `T01-[bytesSent_in_bits/s]`.
fn split(key: &str) -> (Cow<'_, str>, Cow<'_, str>) {
    if let Some((id, name)) = key.rsplit_once('[') {
        let mut id = id.replace('[', "");
        id.pop();
        return (Cow::Owned(id), Cow::Owned(format!("[{name}")));
    }
    let (id, name) = key.rsplit_once('-').unwrap_or(("", key));
    (Cow::Borrowed(id), Cow::Borrowed(name))
}

impl<'a> Series<'a> {
    /// Reads the text of an array, or the array itself.
    fn read(values: Option<RawJson<'a>>, limits: &Limits) -> Option<Self> {
        let values = values?;
        let text = match values.as_text() {
            Some(text) => text,
            None => Cow::Borrowed(values.as_str()),
        };
        let array = RawJson::parse_within(&text, limits).ok()?;
        if !array.as_str().starts_with('[') {
            return None;
        }
        let begin = text.as_ptr() as usize;
        let start = |element: RawJson<'_>| {
            let offset = (element.as_str().as_ptr() as usize).checked_sub(begin)?;
            u32::try_from(offset).ok()
        };
        let starts: Option<Vec<u32>> = array.elements().map(start).collect();
        Some(Self {
            starts: starts?,
            text,
        })
    }

    fn get(&self, index: usize) -> Option<RawJson<'_>> {
        let start = *self.starts.get(index)? as usize;
        let mut reader = Reader::new(self.text.get(start..)?, Limits::MAX_DEPTH);
        reader.value().ok().map(RawJson::trusted)
    }

    fn numbers(&self) -> Vec<f64> {
        let number = |index| self.get(index).and_then(RawJson::as_number);
        (0..self.starts.len())
            .map(|index| number(index).unwrap_or(f64::NAN))
            .collect()
    }
}

impl Columns<'_> {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn kind(&self) -> Option<RawJson<'_>> {
        self.kind
    }

    /// The time of every row; NaN where it has none.
    pub(super) fn times(&self) -> impl Iterator<Item = f64> {
        self.times.iter().copied()
    }

    /// Whether the row has a member besides time and id.
    pub(super) fn has_report(&self, row: usize) -> bool {
        row >= self.first_report
    }

    /// The points of each member: time, if there is one, and value.
    pub(crate) fn series(
        &self,
    ) -> impl Iterator<
        Item = (
            &str,
            impl Iterator<Item = (Option<f64>, RawJson<'_>)> + use<'_>,
        ),
    > {
        self.columns.iter().map(move |column| {
            let count = column.series.starts.len();
            let points = (0..count).filter_map(move |index| {
                let row = (index + self.times.len()).checked_sub(count);
                let time = row.and_then(|row| self.times.get(row)).copied();
                let value = column.series.get(index)?;
                Some((time.filter(|time| time.is_finite()), value))
            });
            (column.name.as_str(), points)
        })
    }

    /// Appends the report of a row, with its id in front.
    pub(super) fn write_report(&self, row: usize, out: &mut String) {
        write_text(&self.id, out);
        out.push_str(":{\"id\":");
        write_text(&self.id, out);
        if let Some(time) = self.times.get(row) {
            out.push_str(",\"timestamp\":");
            write_number(*time, out);
        }
        if let Some(kind) = self.kind {
            out.push_str(",\"type\":");
            write_line(kind, out);
        }
        for column in self.columns.iter().filter(|column| !column.is_implied()) {
            let count = column.series.starts.len();
            let index = (row + count).checked_sub(self.times.len());
            if let Some(value) = index.and_then(|index| column.series.get(index)) {
                out.push(',');
                write_text(&column.name, out);
                out.push(':');
                write_line(value, out);
            }
        }
        out.push('}');
    }
}

impl<'a> Columns<'a> {
    fn push(&mut self, name: String, series: Series<'a>) {
        let column = Column { name, series };
        if !column.is_implied() {
            // Series end with the last row.
            let count = column.series.starts.len();
            let first = self.times.len().saturating_sub(count);
            self.first_report = self.first_report.min(first);
        }
        self.columns.push(column);
    }
}

impl Column<'_> {
    /// Whether reports have it in any case.
    fn is_implied(&self) -> bool {
        matches!(self.name.as_str(), "timestamp" | "id")
    }
}
