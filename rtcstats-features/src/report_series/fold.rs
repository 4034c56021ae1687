//! The fold.

use std::fmt;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, Stats, StatsKind, StatsObject};
use rtcstats_proto::{Event, EventForm, Method, Scope};

use super::connection::{ConnectionState, Quota};
use super::cursor::{Extent, Place, ReportCursor};
use super::{ReportSeriesOptions, SessionReportSeries};
use crate::series::valid_time;
use crate::{Context, Fold, FoldError};

/// Keeps the [numbers of all reports](super) of one session, of a client of any generation.
///
/// Whoever follows a live session asks for what is [new](Self::news) every now and then.
pub struct ReportSeriesFold {
    options: ReportSeriesOptions,
    connections: IndexMap<Box<str>, ConnectionState, RandomState>,
    /// How many objects, columns and values there may still be.
    objects: usize,
    columns: usize,
    values: usize,
    is_incomplete: bool,
}

impl ReportSeriesFold {
    /// A fold without reports.
    pub fn new(options: ReportSeriesOptions) -> Self {
        Self {
            options,
            connections: IndexMap::default(),
            objects: options.objects,
            columns: options.columns,
            values: options.values,
            is_incomplete: false,
        }
    }

    /// Whether times were merged, of which somebody has some: then their numbers are others, and so are all
    /// that were told. Whoever has them has to begin again, with a new cursor.
    pub fn has_merged_since(&self, cursor: &ReportCursor) -> bool {
        let places = cursor.connections.iter();
        let connections = self.connections.values();
        places
            .zip(connections)
            .any(|(place, connection)| place.epoch != connection.place(Extent::All).epoch)
    }

    /// What is new for somebody who has what the cursor says, up to an extent; the cursor then has it
    /// too. Connections of which nothing is new are left out. Those whose times were
    /// [merged](Self::has_merged_since) are there as a whole.
    ///
    /// ```
    /// use rtcstats_features::Extractor;
    /// use rtcstats_features::report_series::{Extent, ReportCursor, ReportSeriesFold, ReportSeriesOptions};
    ///
    /// let mut extractor = Extractor::new(ReportSeriesFold::new(ReportSeriesOptions::default()));
    /// let mut cursor = ReportCursor::default();
    /// for (line, from) in [
    ///     (r#"["getstats","PC_0",{"T":{"type":"transport","bytesSent":0}},1700000000000,1]"#, 0),
    ///     (r#"["getstats","PC_0",{"T":{"bytesSent":125}},1700000001000,2]"#, 1),
    /// ] {
    ///     extractor.push_line(line)?;
    ///     let news = extractor.fold().news(&mut cursor, Extent::Full);
    ///     assert_eq!((news.connections[0].from, news.connections[0].times.len()), (Some(from), 1));
    /// }
    /// assert!(extractor.fold().news(&mut cursor, Extent::Full).connections.is_empty());
    /// # Ok::<(), rtcstats_features::ExtractError>(())
    /// ```
    pub fn news(&self, cursor: &mut ReportCursor, extent: Extent) -> SessionReportSeries {
        let mut news = SessionReportSeries {
            connections: Vec::new(),
            is_incomplete: self.is_incomplete,
        };
        for (number, (id, connection)) in self.connections.iter().enumerate() {
            let place = connection.place(extent);
            let had = cursor.connections.get(number).copied();
            let from = had.filter(|had| had.epoch == place.epoch);
            let from = from.map_or(0, |had: Place| had.rows.min(place.rows));
            if had == Some(place) {
                continue;
            }
            news.connections
                .push(connection.series(id, Some(from), place.rows));
            match cursor.connections.get_mut(number) {
                Some(had) => *had = place,
                None => cursor.connections.push(place),
            }
        }
        news
    }

    /// All up to an extent, for somebody who has nothing.
    pub fn whole(&self, extent: Extent) -> (SessionReportSeries, ReportCursor) {
        let connections = self.connections.iter();
        let series = connections
            .map(|(id, connection)| connection.series(id, None, connection.place(extent).rows));
        let whole = SessionReportSeries {
            connections: series.collect(),
            is_incomplete: self.is_incomplete,
        };
        let places = self.connections.values();
        let connections = places.map(|connection| connection.place(extent)).collect();
        (whole, ReportCursor { connections })
    }

    /// The number of a connection, which is known from now on; `None` if there are too many.
    fn connection(&mut self, key: &str, context: &Context<'_>) -> Option<usize> {
        if let Some(number) = self.connections.get_index_of(key) {
            return Some(number);
        }
        let limits = context.limits();
        if self.connections.len() >= limits.connections || key.len() > limits.text_bytes {
            self.is_incomplete = true;
            return None;
        }
        let connection = ConnectionState::new(self.options.points);
        Some(self.connections.insert_full(key.into(), connection).0)
    }

    /// Makes room for the next report of a connection, at the cost of those that have most.
    fn make_room(&mut self, number: usize) {
        let next = |fold: &Self| {
            let connection = fold.connections.get_index(number);
            connection.map_or(0, |(_, connection)| connection.next_values())
        };
        while self.values < next(self) {
            let mergeable = self.connections.values_mut();
            let largest = mergeable
                .filter(|connection| connection.is_mergeable())
                .max_by_key(|connection| connection.values());
            let Some(largest) = largest else {
                return;
            };
            self.values += largest.merge_pairs();
        }
    }
}

impl Fold for ReportSeriesFold {
    type Output = SessionReportSeries;

    fn event(&mut self, event: &Event<'_>, context: &Context<'_>) -> Result<(), FoldError> {
        let Scope::PeerConnection(key) = event.scope() else {
            return Ok(());
        };
        let number = self.connection(key, context);
        if event.method() == Some(Method::Constraints)
            && let Some(label) = purpose(event)
            && let Some((_, connection)) = number.and_then(|it| self.connections.get_index_mut(it))
        {
            connection.label = Some(label);
        }
        Ok(())
    }

    fn stats(
        &mut self,
        event: &Event<'_>,
        stats: &Stats,
        context: &Context<'_>,
    ) -> Result<(), FoldError> {
        if says_what_is_gone(event) {
            return Ok(());
        }
        let Some(time) = time_of(event, stats) else {
            self.is_incomplete = true;
            return Ok(());
        };
        let Some(number) = self.connection(event.connection_key(), context) else {
            return Ok(());
        };
        self.make_room(number);
        let mut quota = Quota {
            objects: &mut self.objects,
            columns: &mut self.columns,
            values: &mut self.values,
            text_bytes: context.limits().text_bytes,
            is_incomplete: &mut self.is_incomplete,
        };
        if let Some((_, connection)) = self.connections.get_index_mut(number) {
            match is_aside(event, stats) {
                true => connection.add(stats, &mut quota),
                false => connection.take(stats, time, &mut quota),
            }
        }
        Ok(())
    }

    fn snapshot(&self, _: f64) -> SessionReportSeries {
        self.whole(Extent::All).0
    }
}

/// What a Jitsi client says that a connection is for.
fn purpose(event: &Event<'_>) -> Option<&'static str> {
    let mut told = event.payload().get("optional")?.elements();
    let is_direct = told
        .find_map(|entry| entry.get("rtcStatsSFUP2P"))?
        .as_bool()?;
    Some(if is_direct { "P2P" } else { "SFU" })
}

/// Whether it has no numbers: some clients say that objects are gone before they send them as new ones.
fn says_what_is_gone(event: &Event<'_>) -> bool {
    let mut members = event.payload().members().peekable();
    members.peek().is_some() && members.all(|(_, value)| value.is_null())
}

/// Whether it is only a part of a report. Exports of webrtc-internals have the time of each object alone, and
/// what the peer tells is as old as its last message.
fn is_aside(event: &Event<'_>, stats: &Stats) -> bool {
    const OF_PEERS: [Option<StatsKind>; 2] = [
        Some(StatsKind::RemoteInboundRtp),
        Some(StatsKind::RemoteOutboundRtp),
    ];
    event.form() == EventForm::Import
        && stats.iter().all(|object| OF_PEERS.contains(&object.kind()))
}

/// When a report was made. Clients that trace it late, or all at once after a pause, tell it along with the stats.
fn time_of(event: &Event<'_>, stats: &Stats) -> Option<f64> {
    /// A clock that is further off is another one.
    const NEAR: f64 = 60_000.0;
    let traced = valid_time(event.timestamp());
    let shared = stats.get("timestamp").and_then(StatsObject::scalar);
    let shared = valid_time(shared.and_then(Value::as_number));
    let own = || {
        let times = stats.iter();
        let times =
            times.filter_map(|object| valid_time(object.get(Field::Timestamp)?.as_number()));
        times.reduce(f64::max)
    };
    let told = shared.or_else(own);
    match (told, traced) {
        (Some(told), Some(traced)) if (told - traced).abs() > NEAR => Some(traced),
        (told, traced) => told.or(traced),
    }
}

/// Shows how much there is only: the rest holds personal data.
impl fmt::Debug for ReportSeriesFold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ReportSeriesFold")
            .field("connections", &self.connections.len())
            .field("values", &(self.options.values - self.values))
            .finish_non_exhaustive()
    }
}
