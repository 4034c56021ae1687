//! Which series are drawn together.

use super::curve::Curve;

/// Graphs above each other, with the same times.
pub(super) struct Chart {
    pub(super) title: String,
    /// In pixels.
    pub(super) width: u32,
    /// Of one graph, in pixels.
    pub(super) height: u32,
    pub(super) panels: Vec<Panel>,
}

/// Series with the same axis.
pub(super) struct Panel {
    /// What is measured, with its unit.
    pub(super) title: String,
    pub(super) curves: Vec<Curve>,
}

/// Colours that can be told apart by those who do not see all of them (Okabe and Ito).
pub(super) const COLORS: [(u8, u8, u8); 7] = [
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
    (110, 110, 110),
];

/// The colour of a series in its panel.
pub(super) fn color(index: usize) -> (u8, u8, u8) {
    COLORS
        .get(index % COLORS.len())
        .copied()
        .unwrap_or_default()
}

/// A panel for each name of series, in the order of appearance.
pub(super) fn panels(curves: Vec<Curve>) -> Vec<Panel> {
    let mut panels: Vec<Panel> = Vec::new();
    for curve in curves {
        let unit = if curve.unit.is_empty() {
            String::new()
        } else {
            format!(" ({})", curve.unit)
        };
        let title = format!("{}{unit}", curve.name);
        match panels.iter_mut().find(|panel| panel.title == title) {
            Some(panel) => panel.curves.push(curve),
            None => panels.push(Panel {
                title,
                curves: vec![curve],
            }),
        }
    }
    panels
}

impl Chart {
    /// First and last time in Unix epoch milliseconds, with something between them.
    pub(super) fn times(&self) -> (f64, f64) {
        let all = self.panels.iter().flat_map(|panel| &panel.curves);
        let times = all.flat_map(|curve| curve.points().map(|(time, _)| time));
        let (first, last) = range(times).unwrap_or((0.0, 1_000.0));
        (first, if last > first { last } else { first + 1_000.0 })
    }
}

impl Panel {
    /// From 0, or the least value if that is below it, to the greatest, with something between them.
    pub(super) fn values(&self) -> (f64, f64) {
        let values = self.curves.iter();
        let values = values.flat_map(|curve| curve.points().map(|(_, value)| value));
        let (least, greatest) = range(values).unwrap_or((0.0, 1.0));
        let least = least.min(0.0);
        (
            least,
            if greatest > least {
                greatest
            } else {
                least + 1.0
            },
        )
    }
}

fn range(numbers: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    numbers
        .filter(|number| number.is_finite())
        .fold(None, |range, number| {
            let (least, greatest) = range.unwrap_or((number, number));
            Some((number.min(least), number.max(greatest)))
        })
}
