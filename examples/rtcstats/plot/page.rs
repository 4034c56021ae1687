//! Graphs as a page that needs nothing else: zoom, pan, hover; series come and go in the legend.

use plotly::Plot;
use serde_json::{Value, json};

use super::Curve;
use super::chart::{COLORS, Chart, color};

/// Between graphs, as a part of the height of one.
const GAP: f64 = 0.25;

/// Of one series in the legend, in pixels.
const LEGEND_LINE: usize = 20;

/// A longer legend is scrolled.
const MOST_LEGEND_LINES: usize = 30;

/// How lines of the same colour are told apart.
const DASHES: [&str; 3] = ["solid", "dash", "dot"];

/// The chart as an HTML document.
pub(super) fn draw(chart: &Chart) -> String {
    let sources = Plot::offline_js_sources();
    // The first of the script elements; what follows typesets mathematics, of which there is none.
    let script = sources
        .split_once('>')
        .and_then(|(_, rest)| rest.split_once("</script>"))
        .map_or("", |(script, _)| script);
    let title = escaped(&chart.title);
    let curves = chart.panels.iter().map(|panel| panel.curves.len());
    let legend = LEGEND_LINE * curves.sum::<usize>().min(MOST_LEGEND_LINES);
    let height = chart.height as usize * chart.panels.len() + legend + 100;
    let (data, layout) = (in_script(&data(chart)), in_script(&layout(chart)));
    format!(
        "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>{title}</title>
<style>
body {{ margin: 0 auto; padding: 1rem; max-width: {width}px; font: 1rem system-ui, sans-serif; color: #1a1a1a; background: #fff }}
h1 {{ font-size: 1.25rem; overflow-wrap: anywhere }}
</style>
</head>
<body>
<h1>{title}</h1>
<main id=\"chart\" style=\"height: {height}px\" aria-label=\"Graphs\"></main>
<script>{script}</script>
<script>
Plotly.newPlot(\"chart\", {data}, {layout}, {{ responsive: true, displaylogo: false }});
</script>
</body>
</html>
",
        width = chart.width,
    )
}

fn data(chart: &Chart) -> Value {
    let panels = chart.panels.iter().enumerate();
    let curves = panels.flat_map(|(index, panel)| {
        let curves = panel.curves.iter().enumerate();
        curves.map(move |(place, curve)| {
            let (red, green, blue) = color(place);
            let dash = DASHES.get(place / COLORS.len() % DASHES.len());
            json!({
                "type": "scatter",
                "mode": "lines",
                "connectgaps": false,
                "name": escaped(&name(curve)),
                "x": curve.times,
                "y": curve.values,
                "xaxis": "x",
                "yaxis": axis(index),
                "line": { "width": 2, "color": format!("rgb({red},{green},{blue})"), "dash": dash },
                "hovertemplate": format!("%{{y}} {}<br>%{{x|%H:%M:%S.%L}}", escaped(&curve.unit)),
            })
        })
    });
    curves.collect()
}

fn layout(chart: &Chart) -> Value {
    let count = chart.panels.len() as f64;
    let mut layout = json!({
        "margin": { "t": 30, "r": 20, "b": 40, "l": 70 },
        "hovermode": "x unified",
        "legend": { "orientation": "h" },
        "xaxis": {
            "type": "date",
            "title": { "text": "Time (UTC)" },
            "anchor": axis(chart.panels.len().saturating_sub(1)),
        },
    });
    for (index, panel) in chart.panels.iter().enumerate() {
        let top = 1.0 - index as f64 / count;
        let bottom = top - (1.0 - GAP) / count;
        let name = axis(index).replace('y', "yaxis");
        let value = json!({
            "domain": [bottom.max(0.0), top],
            "title": { "text": escaped(&panel.title) },
            "rangemode": "tozero",
        });
        if let Some(layout) = layout.as_object_mut() {
            layout.insert(name, value);
        }
    }
    layout
}

fn name(curve: &Curve) -> String {
    let separator = if curve.label.is_empty() { "" } else { ": " };
    format!("{}{separator}{}", curve.path(), curve.label)
}

/// The first axis has no number, the second the number 2.
fn axis(index: usize) -> String {
    match index {
        0 => "y".to_owned(),
        index => format!("y{}", index + 1),
    }
}

/// Text as HTML, and as the library takes text: it knows some elements.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            character => escaped.push(character),
        }
    }
    escaped
}

/// JSON within a script, which it cannot end.
fn in_script(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_becomes_markup() {
        let curve = Curve {
            connection: "</script><script>alert(1)</script>".to_owned(),
            object: "<b>".to_owned(),
            name: "bitrate".to_owned(),
            unit: String::new(),
            label: String::new(),
            times: vec![1.0],
            values: vec![Some(1.0)],
        };
        let chart = Chart {
            title: "<img src=x>".to_owned(),
            width: 500,
            height: 200,
            panels: super::super::chart::panels(vec![curve]),
        };
        let page = draw(&chart);
        assert!(!page.contains("alert(1)</script>"));
        assert!(!page.contains("<img src=x>"));
    }
}
