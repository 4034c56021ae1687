//! The fold.

use std::fmt;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use rtcstats_proto::Event;
use rtcstats_proto::stats::Stats;

use super::connection::{ConnectionState, Quota};
use super::counter::{time_of, valid_time};
use super::{SeriesOptions, SessionSeries};
use crate::{Context, Fold, FoldError};

/// Computes the [series](super) of one session, of a client of any generation.
pub struct SeriesFold {
    options: SeriesOptions,
    connections: IndexMap<Box<str>, Box<ConnectionState>, RandomState>,
    streams: usize,
    is_incomplete: bool,
}

impl SeriesFold {
    /// A fold without reports.
    pub fn new(options: SeriesOptions) -> Self {
        Self {
            options,
            connections: IndexMap::default(),
            streams: 0,
            is_incomplete: false,
        }
    }
}

impl Fold for SeriesFold {
    type Output = SessionSeries;

    fn event(&mut self, _: &Event<'_>, _: &Context<'_>) -> Result<(), FoldError> {
        Ok(())
    }

    fn stats(
        &mut self,
        event: &Event<'_>,
        stats: &Stats,
        context: &Context<'_>,
    ) -> Result<(), FoldError> {
        let key = event.connection_key();
        let time = time_of_report(stats).or(valid_time(event.timestamp()));
        let limits = context.limits();
        let number = match self.connections.get_index_of(key) {
            Some(number) => number,
            None => {
                let start = || stats.iter().filter_map(time_of).reduce(f64::max);
                let Some(start) = start().or(time) else {
                    return Ok(());
                };
                if self.connections.len() >= limits.connections || key.len() > limits.text_bytes {
                    self.is_incomplete = true;
                    return Ok(());
                }
                let connection = Box::new(ConnectionState::new(start, self.options));
                self.connections.insert_full(key.into(), connection).0
            }
        };
        let mut quota = Quota {
            limits,
            streams: &mut self.streams,
            is_incomplete: &mut self.is_incomplete,
        };
        if let Some((_, connection)) = self.connections.get_index_mut(number) {
            connection.take(stats, time, &mut quota);
        }
        Ok(())
    }

    fn snapshot(&self, _: f64) -> SessionSeries {
        let connections = self.connections.iter();
        SessionSeries {
            connections: connections
                .map(|(key, connection)| (key.to_string(), connection.series()))
                .collect(),
            is_incomplete: self.is_incomplete,
        }
    }
}

/// The time that the objects of a report of Jitsi or legacy clients share, which new objects lack.
fn time_of_report(stats: &Stats) -> Option<f64> {
    valid_time(stats.get("timestamp")?.scalar()?.as_number())
}

/// Shows how much there is only: the rest holds personal data.
impl fmt::Debug for SeriesFold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SeriesFold")
            .field("connections", &self.connections.len())
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}
