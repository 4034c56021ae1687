//! The series of a session as points of a call.
//!
//! A call has one value of a series in each step of time, whatever number of connections and streams it has: what
//! is made of theirs is in the table of [names](super::names). Steps are as long as the longest of the plots
//! that have values, at least 10 s, and begin at multiples of their length; a point stands at the beginning.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;

use super::names::{Across, Plots, SeriesNames, Source, Within};
use super::point::{CallId, Origin, Point};

/// The shortest step, in milliseconds: that of the series of short sessions.
const SHORTEST_STEP: f64 = 10_000.0;

/// The part `series` of a record, as far as it is looked at.
#[derive(Deserialize)]
struct SessionSeries {
    connections: BTreeMap<String, Connection>,
}

#[derive(Deserialize)]
struct Connection {
    #[serde(flatten)]
    plot: Plot,
    streams: BTreeMap<String, Stream>,
}

#[derive(Deserialize)]
struct Stream {
    direction: String,
    #[serde(flatten)]
    plot: Plot,
}

#[derive(Deserialize)]
struct Plot {
    /// In Unix epoch milliseconds.
    start: f64,
    /// In milliseconds.
    step: f64,
    values: BTreeMap<String, Vec<Option<f64>>>,
}

/// The values of one step, of one plot.
#[derive(Default)]
struct Accumulator {
    sum: f64,
    count: f64,
    last: f64,
}

/// The points of a session whose series are this JSON, as far as they are within these times (nanoseconds).
pub(crate) fn points(
    call: &CallId,
    json: &str,
    names: &SeriesNames,
    times: &RangeInclusive<i64>,
) -> Result<Vec<Point>, serde_json::Error> {
    let session: SessionSeries = serde_json::from_str(json)?;
    let mut points = Vec::new();
    for entry in names.iter() {
        let Some(source) = entry.source else {
            continue;
        };
        let values = values_of(&session, source);
        points.extend(values.into_iter().filter_map(|(milliseconds, value)| {
            let time = nanoseconds(milliseconds).filter(|time| times.contains(time))?;
            Some(Point {
                call: call.clone(),
                origin: Origin::Session,
                series: entry.name,
                time,
                value,
            })
        }));
    }
    // Those of a time together, as some stores write them together.
    points.sort_by_key(|point| point.time);
    Ok(points)
}

/// The values of a series, with the beginnings of their steps in milliseconds.
fn values_of(session: &SessionSeries, source: Source) -> Vec<(f64, f64)> {
    let plots = plots(session, source);
    let step = plots
        .iter()
        .fold(SHORTEST_STEP, |step, (plot, _)| step.max(plot.step));
    let mut steps: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for (plot, values) in plots {
        let mut own: BTreeMap<i64, Accumulator> = BTreeMap::new();
        for (index, value) in values.iter().enumerate() {
            let time = plot.start + plot.step * index as f64;
            let number = (time / step).floor();
            if let Some(value) = value.filter(|value| Point::is_sane(*value))
                && number.abs() < 1e12
            {
                #[expect(clippy::cast_possible_truncation, reason = "checked")]
                own.entry(number as i64).or_default().add(value);
            }
        }
        for (number, accumulator) in own {
            steps
                .entry(number)
                .or_default()
                .push(accumulator.value(source.within));
        }
    }
    let value = |values: &[f64]| across(values, source.across);
    let points = steps.iter();
    points
        .map(|(number, values)| (*number as f64 * step, value(values)))
        .collect()
}

/// The plots that a series is made of.
fn plots(session: &SessionSeries, source: Source) -> Vec<(&Plot, &[Option<f64>])> {
    let mut plots = Vec::new();
    for connection in session.connections.values() {
        if source.plots == Plots::Connections {
            plots.push(&connection.plot);
            continue;
        }
        let streams = connection
            .streams
            .values()
            .filter(|stream| match source.plots {
                Plots::Inbound => stream.direction == "inbound",
                Plots::Outbound => stream.direction == "outbound",
                Plots::Streams | Plots::Connections => true,
            });
        plots.extend(streams.map(|stream| &stream.plot));
    }
    let with_values = plots.into_iter().filter_map(|plot| {
        let values = plot.values.get(source.metric)?;
        (plot.step > 0.0).then_some((plot, values.as_slice()))
    });
    with_values.collect()
}

impl Accumulator {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
        self.last = value;
    }

    fn value(&self, within: Within) -> f64 {
        match within {
            Within::Mean => self.sum / self.count,
            Within::Sum => self.sum,
            Within::Last => self.last,
        }
    }
}

fn across(values: &[f64], across: Across) -> f64 {
    let sum: f64 = values.iter().sum();
    match across {
        Across::Mean => sum / values.len() as f64,
        Across::Sum => sum,
        Across::Largest => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    }
}

fn nanoseconds(milliseconds: f64) -> Option<i64> {
    /// Year 2262.
    const LATEST: f64 = 9.2e12;
    if !(0.0..=LATEST).contains(&milliseconds) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked")]
    Some(milliseconds as i64 * 1_000_000)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(json: &serde_json::Value, series: &str) -> Vec<(i64, f64)> {
        let call = CallId::parse("c").unwrap_or_else(|error| unreachable!("{error}"));
        let points = points(
            &call,
            &json.to_string(),
            &SeriesNames::with(&[]),
            &(0..=i64::MAX),
        )
        .unwrap_or_else(|error| unreachable!("{error}"));
        let own = points.iter().filter(|point| point.series == series);
        own.map(|point| (point.time / 1_000_000, point.value))
            .collect()
    }

    fn stream(
        direction: &str,
        start: u64,
        step: u64,
        values: serde_json::Value,
    ) -> serde_json::Value {
        json!({"direction": direction, "start": start, "step": step, "values": values})
    }

    #[test]
    fn a_call_has_one_value_a_step_of_all_its_streams() {
        let json = json!({"connections": {
            "PC_0": {"start": 101_000, "step": 10_000, "values": {"currentRoundTripTime": [0.25, null, 0.75]}, "streams": {
                "I": stream("inbound", 101_000, 10_000, json!({"packetsLost": [1, 4, 4], "freezes": [1, 0, 2], "audioLevel": [0.9]})),
                "O": stream("outbound", 111_000, 10_000, json!({"packetsLost": [10, null], "audioLevel": [0.5, 0.25]})),
            }},
            "PC_1": {"start": 100_000, "step": 20_000, "values": {"currentRoundTripTime": [0.75, 0.25]}, "streams": {
                "O": stream("outbound", 111_000, 10_000, json!({"audioLevel": [0.125, 0.75]})),
            }},
        }});
        // Steps of 20 s, as those of one connection are; then of the mean of both.
        assert_eq!(found(&json, "rtt"), [(100_000, 0.5), (120_000, 0.5)]);
        assert_eq!(
            found(&json, "packetsLost"),
            [(100_000, 1.0), (110_000, 14.0), (120_000, 4.0)]
        );
        assert_eq!(
            found(&json, "freezes"),
            [(100_000, 1.0), (110_000, 0.0), (120_000, 2.0)]
        );
        assert_eq!(
            found(&json, "inputLevel"),
            [(110_000, 0.5), (120_000, 0.75)]
        );
        assert_eq!(found(&json, "outputLevel"), [(100_000, 0.9)]);
        assert_eq!(found(&json, "bytesSent"), []);
    }

    #[test]
    fn counts_of_a_longer_step_are_added_and_sizes_are_the_last() {
        let json = json!({"connections": {"PC_0": {"start": 0, "step": 10_000, "values": {}, "streams": {
            "A": stream("inbound", 0, 10_000, json!({"freezes": [1, 2, 3], "frameHeight": [720, 360, 180]})),
            "B": stream("inbound", 0, 20_000, json!({"freezes": [5], "frameHeight": [100]})),
        }}}});
        assert_eq!(found(&json, "freezes"), [(0, 8.0), (20_000, 3.0)]);
        assert_eq!(found(&json, "frameHeight"), [(0, 360.0), (20_000, 180.0)]);
    }

    #[test]
    fn times_and_values_of_a_broken_client_yield_nothing() {
        let plot = |start: f64, step: f64, value: f64| json!({"connections": {"PC_0": {"start": start, "step": step, "values": {"currentRoundTripTime": [value]}, "streams": {}}}});
        for json in [
            plot(-5e12, 1e4, 1.0),
            plot(1e300, 1e4, 1.0),
            plot(1e12, 0.0, 1.0),
            plot(1e12, 1e4, 1e300),
        ] {
            assert_eq!(found(&json, "rtt"), [], "{json}");
        }
        let call = CallId::parse("c").unwrap_or_else(|error| unreachable!("{error}"));
        assert!(
            points(
                &call,
                "{\"connections\":5}",
                &SeriesNames::with(&[]),
                &(0..=1)
            )
            .is_err()
        );
    }
}
