//! Graphs as SVG.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::{
    ChartBuilder, Circle, Color, DrawingArea, IntoDrawingArea, IntoFont, LineSeries, RGBColor,
    Rectangle, SVGBackend, Text, WHITE,
};

use super::chart::{Chart, Panel, color};
use crate::clock;

const TITLE_HEIGHT: u32 = 40;

/// Of the labels on the left.
const LEFT: u32 = 72;

/// Of one series in a legend.
const LEGEND_LINE: u32 = 18;

/// Series of one graph that its legend tells.
const MOST_LEGEND_LINES: usize = 30;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The chart as an SVG document. Text stays text: the viewer has the fonts.
pub(super) fn draw(chart: &Chart) -> Result<String, Box<dyn Error>> {
    let panels = chart.panels.iter();
    let heights: Vec<u32> = panels
        .map(|panel| chart.height.saturating_add(legend_height(panel)))
        .collect();
    let height = heights
        .iter()
        .fold(TITLE_HEIGHT, |all, height| all.saturating_add(*height));
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (chart.width, height)).into_drawing_area();
        root.fill(&WHITE).map_err(drawing)?;
        let date = clock::date_and_time(chart.times().0);
        let title = format!("{} · {date}", chart.title);
        let (head, mut rest) = root.split_vertically(TITLE_HEIGHT);
        head.titled(&title, ("sans-serif", 20).into_font())
            .map_err(drawing)?;
        for (panel, height) in chart.panels.iter().zip(heights) {
            let (area, below) = rest.split_vertically(height);
            let (graph, legend) = area.split_vertically(chart.height);
            draw_panel(panel, chart, &graph)?;
            draw_legend(panel, &legend)?;
            rest = below;
        }
        root.present().map_err(drawing)?;
    }
    Ok(svg)
}

/// Which lines are told in the legend.
fn told(panel: &Panel) -> usize {
    panel.curves.len().min(MOST_LEGEND_LINES)
}

fn legend_height(panel: &Panel) -> u32 {
    let lines = told(panel) + usize::from(panel.curves.len() > told(panel));
    u32::try_from(lines)
        .unwrap_or_default()
        .saturating_mul(LEGEND_LINE)
        .saturating_add(LEGEND_LINE)
}

fn draw_panel(panel: &Panel, chart: &Chart, area: &Area<'_>) -> Result<(), Box<dyn Error>> {
    let ((first, last), (least, greatest)) = (chart.times(), panel.values());
    let mut context = ChartBuilder::on(area)
        .caption(&panel.title, ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(first..last, least..greatest)
        .map_err(drawing)?;
    context
        .configure_mesh()
        .max_light_lines(1)
        .x_label_formatter(&|time| time_label(*time, last - first))
        .y_label_formatter(&|value| number_label(*value))
        .light_line_style(RGBColor(240, 240, 240))
        .bold_line_style(RGBColor(220, 220, 220))
        .draw()
        .map_err(drawing)?;
    for (index, curve) in panel.curves.iter().enumerate() {
        let color = rgb(index);
        for run in curve.runs() {
            // A line of one point is not seen.
            if let [point] = run.as_slice() {
                let dot = Circle::new(*point, 2, color.filled());
                context.draw_series([dot]).map_err(drawing)?;
            } else {
                let line = LineSeries::new(run, color.stroke_width(2));
                context.draw_series(line).map_err(drawing)?;
            }
        }
    }
    Ok(())
}

/// Below the graph, where it hides nothing.
fn draw_legend(panel: &Panel, area: &Area<'_>) -> Result<(), Box<dyn Error>> {
    let line = i32::try_from(LEGEND_LINE)?;
    let left = i32::try_from(LEFT)? + line;
    let mut top = 0;
    for (index, curve) in panel.curves.iter().take(told(panel)).enumerate() {
        let corners = [(left - line, top + 3), (left - 6, top + 12)];
        area.draw(&Rectangle::new(corners, rgb(index).filled()))
            .map_err(drawing)?;
        area.draw(&Text::new(label(curve), (left, top), ("sans-serif", 12)))
            .map_err(drawing)?;
        top += line;
    }
    let more = panel.curves.len() - told(panel);
    if more > 0 {
        let text = format!("and {more} more");
        area.draw(&Text::new(text, (left, top), ("sans-serif", 12)))
            .map_err(drawing)?;
    }
    Ok(())
}

fn rgb(index: usize) -> RGBColor {
    let (red, green, blue) = color(index);
    RGBColor(red, green, blue)
}

fn label(curve: &super::Curve) -> String {
    let separator = if curve.label.is_empty() { "" } else { ": " };
    format!(
        "{}/{}{separator}{}",
        curve.connection, curve.object, curve.label
    )
}

/// As exact as an axis of so many milliseconds needs it.
fn time_label(time: f64, length: f64) -> String {
    const EXACT_MS: f64 = 10_000.0;
    let text = clock::of_day(time);
    if length < EXACT_MS {
        return text;
    }
    text.split('.').next().unwrap_or_default().to_owned()
}

/// Short: `1.5M`.
fn number_label(value: f64) -> String {
    let scales = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    let scale = scales.into_iter().find(|(scale, _)| value.abs() >= *scale);
    let (scale, suffix) = scale.unwrap_or((1.0, ""));
    let text = format!("{:.3}", value / scale);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{suffix}")
}

fn drawing(error: impl Error) -> Box<dyn Error> {
    format!("the graph cannot be drawn: {error}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        let labels = [0.0, 0.25, 1_500.0, 2_000_000.0, -3.5e9].map(number_label);
        assert_eq!(labels, ["0", "0.25", "1.5k", "2M", "-3.5G"]);
    }
}
