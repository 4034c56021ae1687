//! Series of the same steps while they grow, in bounded memory.

use indexmap::IndexMap;

use super::metric::{Aggregation, Metric, Values};
use super::{Plot, SeriesOptions};
use crate::room::make_room;

/// Series while they grow.
#[derive(Debug)]
pub(super) struct PlotState<const N: usize> {
    start: f64,
    step: f64,
    /// Steps that are over.
    finished: usize,
    points: usize,
    series: [SeriesState; N],
}

/// One series while it grows.
#[derive(Debug)]
struct SeriesState {
    metric: Metric,
    /// Of the steps that are over, up to the last one with a value; NaN without.
    values: Vec<f32>,
    current: Accumulator,
}

/// The step that is not over.
#[derive(Debug, Clone, Copy, Default)]
struct Accumulator {
    sum: f64,
    weight: f64,
}

/// Where the steps of several plots begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    start: f64,
    step: f64,
    points: usize,
}

impl Grid {
    /// With a first step that begins at `start`.
    pub(super) fn new(start: f64, options: SeriesOptions) -> Self {
        Self {
            start,
            step: (options.step.as_secs_f64() * 1_000.0).max(1.0),
            // Even, so that all steps that are over are merged with another one.
            points: options.points.max(2) / 2 * 2,
        }
    }

    /// A plot that begins with the step of that time.
    pub(super) fn plot<const N: usize>(self, time: f64, metrics: [Metric; N]) -> PlotState<N> {
        let steps = ((time - self.start) / self.step).floor().max(0.0);
        PlotState {
            start: self.start + steps * self.step,
            step: self.step,
            finished: 0,
            points: self.points,
            series: metrics.map(|metric| SeriesState {
                metric,
                values: Vec::new(),
                current: Accumulator::default(),
            }),
        }
    }
}

impl<const N: usize> PlotState<N> {
    /// Finishes the steps before that time.
    pub(super) fn advance(&mut self, time: f64) {
        let mut step = self.step_of(time);
        if step <= self.finished as f64 {
            return;
        }
        self.finish_step();
        while step >= self.points as f64 {
            self.halve();
            step = self.step_of(time);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between what is finished and the limit"
        )]
        let step = step as usize;
        self.finished = step.max(self.finished);
    }

    fn step_of(&self, time: f64) -> f64 {
        ((time - self.start) / self.step).floor()
    }

    /// Adds to the current step.
    pub(super) fn add(&mut self, metric: Metric, amount: f64, weight: f64) {
        let mut series = self.series.iter_mut();
        if let Some(series) = series.find(|series| series.metric == metric) {
            series.add(amount, weight);
        }
    }

    /// Adds a value that was reported.
    pub(super) fn add_value(&mut self, metric: Metric, value: Option<f64>) {
        if let Some(value) = value {
            self.add(metric, value, 1.0);
        }
    }

    /// The current step is over.
    fn finish_step(&mut self) {
        for series in &mut self.series {
            series.finish_step(self.finished);
        }
        self.finished += 1;
    }

    /// Makes one step of two. The current step has no values yet.
    fn halve(&mut self) {
        for series in &mut self.series {
            series.halve();
        }
        self.step *= 2.0;
        self.finished = self.finished.div_ceil(2);
    }

    pub(super) fn plot(&self) -> Plot {
        let mut values = IndexMap::default();
        let length = self.finished + 1;
        for series in self.series.iter().filter(|series| series.has_values()) {
            let mut own = Vec::with_capacity(length);
            own.extend_from_slice(&series.values);
            own.resize(self.finished, f32::NAN);
            own.push(series.value());
            values.insert(series.metric, Values(own));
        }
        Plot {
            start: self.start,
            step: self.step,
            values,
        }
    }
}

impl SeriesState {
    fn add(&mut self, amount: f64, weight: f64) {
        let Accumulator { sum, weight: total } = self.current;
        self.current = match self.metric.aggregation() {
            Aggregation::Last => Accumulator {
                sum: amount,
                weight: 1.0,
            },
            _ => Accumulator {
                sum: sum + amount,
                weight: total + weight,
            },
        };
    }

    /// Of the current step; NaN if there is none.
    fn value(&self) -> f32 {
        let Accumulator { sum, weight } = self.current;
        if weight <= 0.0 {
            return f32::NAN;
        }
        let value = match self.metric.aggregation() {
            Aggregation::Mean => sum / weight,
            Aggregation::Root => (sum / weight).sqrt(),
            Aggregation::Sum | Aggregation::Last => sum,
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is plotted needs no more digits"
        )]
        let value = value as f32;
        if value.is_finite() { value } else { f32::NAN }
    }

    fn has_values(&self) -> bool {
        !self.values.is_empty() || !self.value().is_nan()
    }

    fn finish_step(&mut self, number: usize) {
        let value = self.value();
        self.current = Accumulator::default();
        if value.is_nan() {
            return;
        }
        while self.values.len() < number {
            make_room(&mut self.values);
            self.values.push(f32::NAN);
        }
        make_room(&mut self.values);
        self.values.push(value);
    }

    fn halve(&mut self) {
        let merged = self.values.chunks(2).map(|two| match *two {
            [one, other] => self.merge(one, other),
            [one] => one,
            _ => f32::NAN,
        });
        self.values = merged.collect();
    }

    fn merge(&self, one: f32, other: f32) -> f32 {
        match self.metric.aggregation() {
            _ if other.is_nan() => one,
            _ if one.is_nan() => other,
            Aggregation::Mean | Aggregation::Root => one / 2.0 + other / 2.0,
            Aggregation::Sum => one + other,
            Aggregation::Last => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn plot(points: usize) -> PlotState<3> {
        let options = SeriesOptions {
            step: Duration::from_millis(10),
            points,
        };
        Grid::new(1_000.0, options).plot(
            1_000.0,
            [Metric::Bitrate, Metric::Freezes, Metric::FrameHeight],
        )
    }

    fn take(plot: &mut PlotState<3>, time: f64, value: f64) {
        plot.advance(time);
        plot.add(Metric::Bitrate, value, 1.0);
        plot.add(Metric::Freezes, value, 1.0);
        plot.add(Metric::FrameHeight, value, 1.0);
    }

    fn values(plot: &PlotState<3>, metric: Metric) -> Vec<Option<f32>> {
        let plot = plot.plot();
        plot.values
            .get(&metric)
            .map(|values| values.iter().collect())
            .unwrap_or_default()
    }

    #[test]
    fn each_step_has_its_value_and_one_without_has_none() {
        let mut plot = plot(8);
        assert_eq!(values(&plot, Metric::Bitrate), []);
        for (time, value) in [
            (1_000.0, 1.0),
            (1_009.0, 4.0),
            (1_025.0, 7.0),
            (1_003.0, 9.0),
        ] {
            take(&mut plot, time, value);
        }
        // What comes with a clock that was set back is in the last step.
        assert_eq!(values(&plot, Metric::Bitrate), [Some(2.5), None, Some(8.0)]);
        assert_eq!(
            values(&plot, Metric::Freezes),
            [Some(5.0), None, Some(16.0)]
        );
        assert_eq!(
            values(&plot, Metric::FrameHeight),
            [Some(4.0), None, Some(9.0)]
        );
    }

    #[test]
    fn a_full_plot_has_steps_of_twice_the_length() {
        let mut plot = plot(4);
        for (time, value) in [(1_000.0, 1.0), (1_010.0, 3.0), (1_030.0, 5.0)] {
            take(&mut plot, time, value);
        }
        assert_eq!(plot.step, 10.0);
        take(&mut plot, 1_040.0, 7.0);
        assert_eq!((plot.start, plot.step), (1_000.0, 20.0));
        assert_eq!(
            values(&plot, Metric::Bitrate),
            [Some(2.0), Some(5.0), Some(7.0)]
        );
        assert_eq!(
            values(&plot, Metric::Freezes),
            [Some(4.0), Some(5.0), Some(7.0)]
        );
        assert_eq!(
            values(&plot, Metric::FrameHeight),
            [Some(3.0), Some(5.0), Some(7.0)]
        );
        take(&mut plot, 1_059.0, 9.0);
        assert_eq!(
            values(&plot, Metric::Bitrate),
            [Some(2.0), Some(5.0), Some(8.0)]
        );
    }

    #[test]
    fn a_jump_of_the_clock_costs_no_memory() {
        let mut plot = plot(5);
        take(&mut plot, 1_000.0, 1.0);
        take(&mut plot, 8.64e15, 2.0);
        let found = values(&plot, Metric::Bitrate);
        assert_eq!(
            (found.first(), found.last()),
            (Some(&Some(1.0)), Some(&Some(2.0)))
        );
        assert!(found.len() <= 4, "{found:?}");
    }
}
