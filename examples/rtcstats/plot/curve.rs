//! The series of a dump.

use std::collections::HashSet;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use indicatif::ProgressBar;
use rtcstats_features::Extractor;
use rtcstats_features::report_series::{
    ConnectionReportSeries, ReportSeriesFold, ReportSeriesOptions,
};
use rtcstats_features::rtcstats::Direction;
use rtcstats_features::series::{
    ConnectionSeries, Metric, Plot, SeriesFold, SeriesOptions, StreamSeries,
};

use super::pattern::Pattern;
use crate::features::feed;

/// How fine metrics are, unless the session is too long for it.
const STEP: Duration = Duration::from_secs(1);

/// Values of one series at most: more than there are pixels.
const POINTS: usize = 3_600;

/// A series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    /// The peer connection: `PC_0`.
    pub(super) connection: String,
    /// The stats object; `connection` for what is of the connection as a whole.
    pub(super) object: String,
    /// What is measured: `bitrate`.
    pub(super) name: String,
    /// Of the values: `bit/s`; empty for counts.
    pub(super) unit: String,
    /// What the object is, for people.
    pub(super) label: String,
    /// In Unix epoch milliseconds.
    pub(super) times: Vec<f64>,
    /// As many as there are times; `None` where nothing is known.
    pub(super) values: Vec<Option<f64>>,
}

impl Curve {
    pub(super) fn path(&self) -> String {
        format!("{}/{}/{}", self.connection, self.object, self.name)
    }

    pub(super) fn is_like(&self, pattern: &Pattern) -> bool {
        pattern.is_like(&self.connection, &self.object, &self.name)
    }

    /// The values that are known.
    pub(super) fn points(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let points = self.times.iter().zip(&self.values);
        points.filter_map(|(time, value)| Some((*time, (*value)?)))
    }

    /// The values between which there is none that is not known.
    pub(super) fn runs(&self) -> Vec<Vec<(f64, f64)>> {
        let mut runs = vec![Vec::new()];
        for (time, value) in self.times.iter().zip(&self.values) {
            match (value, runs.last_mut()) {
                (Some(value), Some(run)) => run.push((*time, *value)),
                (None, Some(run)) if !run.is_empty() => runs.push(Vec::new()),
                _ => {}
            }
        }
        runs.retain(|run| !run.is_empty());
        runs
    }

    /// How many values are known.
    pub(super) fn known(&self) -> usize {
        self.values.iter().flatten().count()
    }
}

/// The series of a dump that have a value, and what is to be said about it: metrics, which are the same for
/// all clients, and every number of every report.
pub(super) fn read(
    path: &Path,
    progress: &ProgressBar,
) -> Result<(Vec<Curve>, Vec<String>), Box<dyn Error>> {
    let metrics = SeriesFold::new(SeriesOptions {
        step: STEP,
        points: POINTS,
    });
    let reports = ReportSeriesFold::new(ReportSeriesOptions {
        points: POINTS,
        ..ReportSeriesOptions::default()
    });
    let mut extractor = Extractor::new((metrics, reports));
    let mut remarks = Vec::new();
    remarks.extend(feed(path, &mut extractor, progress)?);
    let (metrics, reports) = extractor.finish(0.0);
    if metrics.is_incomplete || reports.is_incomplete {
        let path = path.display();
        remarks.push(format!(
            "{path}: some series are left out: there are too many"
        ));
    }
    let mut measured = Vec::new();
    for connection in reports.connections {
        add_reports(connection, &mut measured);
    }
    measured.retain(|curve| curve.known() > 0);
    let paths: HashSet<String> = measured.iter().map(Curve::path).collect();
    let mut curves = Vec::new();
    for (key, connection) in &metrics.connections {
        add_metrics(key, connection, &mut curves);
    }
    // Where a member has the name of a metric, it is more exact.
    curves.retain(|curve| curve.known() > 0 && !paths.contains(&curve.path()));
    curves.extend(measured);
    Ok((curves, remarks))
}

fn add_reports(connection: ConnectionReportSeries, curves: &mut Vec<Curve>) {
    let times = connection.times;
    for object in connection.objects {
        for series in object.series {
            let times = times.iter().skip(series.first);
            let known = |value: f64| (!value.is_nan()).then_some(value);
            curves.push(Curve {
                connection: connection.id.clone(),
                object: object.id.clone(),
                name: series.name.into_owned(),
                unit: series.unit.to_owned(),
                label: object.label.clone(),
                times: times.take(series.values.len()).copied().collect(),
                values: series.values.iter().copied().map(known).collect(),
            });
        }
    }
}

fn add_metrics(key: &str, connection: &ConnectionSeries, curves: &mut Vec<Curve>) {
    add_plot([key, "connection"], "", &connection.plot, curves);
    for (id, stream) in &connection.streams {
        add_plot([key, id], &label(stream), &stream.plot, curves);
    }
}

fn label(stream: &StreamSeries) -> String {
    let direction = match stream.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    };
    let kind = stream.kind.map(|kind| text_of(&kind));
    let parts = [Some(direction.to_owned()), kind, stream.rid.clone()];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(" ")
}

fn add_plot([connection, object]: [&str; 2], label: &str, plot: &Plot, curves: &mut Vec<Curve>) {
    for (metric, values) in &plot.values {
        let times = (0..values.len()).map(|step| plot.start + plot.step * step as f64);
        curves.push(Curve {
            connection: connection.to_owned(),
            object: object.to_owned(),
            name: text_of(metric),
            unit: unit(*metric).to_owned(),
            label: label.to_owned(),
            times: times.collect(),
            values: values.iter().map(|value| value.map(f64::from)).collect(),
        });
    }
}

/// The name that it has in JSON.
fn text_of(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().map(str::to_owned).unwrap_or_default()
}

fn unit(metric: Metric) -> &'static str {
    match metric {
        Metric::Bitrate
        | Metric::BitrateSent
        | Metric::BitrateReceived
        | Metric::AvailableOutgoingBitrate => "bit/s",
        Metric::CurrentRoundTripTime | Metric::RoundTripTime | Metric::Jitter => "s",
        Metric::FramesPerSecond => "1/s",
        Metric::FrameHeight => "px",
        _ => "",
    }
}
