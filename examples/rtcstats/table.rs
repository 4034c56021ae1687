//! Aligned columns.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width,
};

use crate::color;
use crate::output::printable;

/// Where nothing tells how wide the terminal is.
const DEFAULT_WIDTH: u16 = 80;

/// Columns get so many characters at least, if they need them. The first that needs more has the names.
const MIN_COLUMN: u16 = 8;

/// How many characters a line may have: as many as the terminal, or `COLUMNS`, or 80.
pub(crate) fn width() -> u16 {
    let terminal = console::Term::stdout().size_checked();
    let set = || std::env::var("COLUMNS").ok()?.parse().ok();
    let width = terminal.map(|(_, columns)| columns).or_else(set);
    width.filter(|width| *width > 0).unwrap_or(DEFAULT_WIDTH)
}

/// A row of a table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) cells: Vec<String>,
    /// Whether it is to be seen at a glance.
    pub(crate) is_marked: bool,
}

impl From<Vec<String>> for Row {
    fn from(cells: Vec<String>) -> Self {
        Self {
            cells,
            is_marked: false,
        }
    }
}

/// The rows below the names of their columns, as wide as the terminal at most: what is longer goes on in
/// the next line. Columns with these numbers are aligned to the right.
pub(crate) fn render(
    names: &[&str],
    rows: impl IntoIterator<Item = impl Into<Row>>,
    right: &[usize],
) -> String {
    let mut table = Table::new();
    table
        .load_style(style())
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width());
    if color::is_on() {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(
        names
            .iter()
            .map(|name| Cell::new(name).add_attribute(Attribute::Bold)),
    );
    for row in rows {
        let row = row.into();
        table.add_row(row.cells.iter().map(|cell| {
            let cell = Cell::new(printable(cell));
            if row.is_marked {
                cell.fg(Color::Red)
            } else {
                cell
            }
        }));
    }
    let widths = table.column_max_content_widths();
    let names_column = widths.iter().position(|width| *width > MIN_COLUMN);
    for ((index, column), own) in table.column_iter_mut().enumerate().zip(widths) {
        column.set_padding((0, 2));
        // Names stay whole where they can.
        let most = if names_column == Some(index) {
            width() / 2
        } else {
            MIN_COLUMN
        };
        let least = own.min(most) + 2;
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = table.trim_fmt();
    text.push('\n');
    text
}

fn style() -> comfy_table::TableStyle {
    comfy_table::presets::NOTHING
}
