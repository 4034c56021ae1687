//! Reports turned by ninety degrees: of every member its values over time (rtcstats spec, 9.3 and 9.4).

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::dump::{Columns, read_columns};
use crate::json::{Value, write_number, write_text};
use crate::stats::{Field, Stats, StatsObject};
use crate::{Limits, RawJson};

/// The series of one peer connection: stats id → member → points.
///
/// ```
/// use rtcstats_proto::{Limits, RawJson, Timeseries};
///
/// let stats = RawJson::parse(r#"{"T01-bytesSent":{"statsType":"transport","values":"[5,7]"},
///     "T01-timestamp":{"statsType":"transport","values":"[1000,2000]"}}"#)?;
/// let series = Timeseries::from_internals(stats, &Limits::default())?.ok_or("no times")?;
/// let sent = series.get("T01").and_then(|transport| transport.get("bytesSent")).ok_or("none")?;
/// assert_eq!((sent[1].time, sent[1].value.as_number()), (Some(2000.0), Some(7.0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Timeseries {
    limits: Limits,
    stats: Vec<StatsSeries>,
    places: HashMap<Box<str>, usize, RandomState>,
    points: usize,
}

/// The series of one stats object.
#[derive(Debug, Clone)]
pub struct StatsSeries {
    id: Box<str>,
    kind: Option<PointValue>,
    members: Vec<(Box<str>, Vec<Point>)>,
    places: HashMap<Box<str>, usize, RandomState>,
}

/// One value of a member.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The timestamp of the report, in Unix epoch milliseconds; `None` if it has none.
    pub time: Option<f64>,
    /// The value; `null` for a [gap](mark_gaps).
    pub value: PointValue,
}

/// The value of a [`Point`].
#[derive(Debug, Clone, PartialEq)]
pub enum PointValue {
    /// `null`.
    Null,
    /// A number, as nearly all are.
    Number(f64),
    /// Any other value, as JSON text.
    Json(Box<str>),
}

/// Series that would not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeseriesError {
    /// Over [`Limits::points`].
    #[error("points of series over the limit of {allowed}")]
    Points {
        /// The limit.
        allowed: usize,
    },
}

impl Timeseries {
    /// No series yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// The series in the `stats` member of a peer connection in a webrtc-internals export; `None`
    /// if any stats object lacks the times of its values, as before Chrome 117. Values and times are
    /// aligned at their end. What is no series is passed over.
    ///
    /// # Errors
    ///
    /// If there are more points than [`Limits::points`].
    pub fn from_internals(
        stats: RawJson<'_>,
        limits: &Limits,
    ) -> Result<Option<Self>, TimeseriesError> {
        let Some(columns) = read_columns(stats, limits, &mut 0) else {
            return Ok(None);
        };
        let mut timeseries = Self::new(*limits);
        for columns in &columns {
            timeseries.push_columns(columns)?;
        }
        Ok(Some(timeseries))
    }

    fn push_columns(&mut self, columns: &Columns<'_>) -> Result<(), TimeseriesError> {
        let allowed = self.limits.points;
        let kind = columns.kind().map(PointValue::from);
        let mut points = self.points;
        let stats = self.stats_mut(columns.id(), || kind);
        for (name, series) in columns.series() {
            let own = stats.member_mut(name);
            for (time, value) in series {
                points += 1;
                if points > allowed {
                    return Err(TimeseriesError::Points { allowed });
                }
                let value = value.into();
                own.push(Point { time, value });
            }
        }
        self.points = points;
        Ok(())
    }

    /// Adds a decoded report.
    ///
    /// # Errors
    ///
    /// If there are more points than [`Limits::points`]. Part of the report may then be added.
    pub fn push(&mut self, report: &Stats) -> Result<(), TimeseriesError> {
        for object in report.iter().filter(|object| object.is_object()) {
            self.push_object(object)?;
        }
        Ok(())
    }

    fn push_object(&mut self, object: StatsObject<'_>) -> Result<(), TimeseriesError> {
        let allowed = self.limits.points;
        let time = object.get(Field::Timestamp).and_then(Value::as_number);
        let mut points = self.points;
        let kind = || object.get(Field::Type).map(PointValue::from);
        let stats = self.stats_mut(object.id(), kind);
        let members = object
            .members()
            .filter(|(name, _)| !matches!(*name, "timestamp" | "type" | "id"));
        for (name, value) in members {
            points += 1;
            if points > allowed {
                return Err(TimeseriesError::Points { allowed });
            }
            let value = value.into();
            stats.member_mut(name).push(Point { time, value });
        }
        self.points = points;
        Ok(())
    }

    fn stats_mut(
        &mut self,
        id: &str,
        kind: impl FnOnce() -> Option<PointValue>,
    ) -> &mut StatsSeries {
        let place = match self.places.get(id) {
            Some(place) => *place,
            None => {
                self.places.insert(id.into(), self.stats.len());
                self.stats.push(StatsSeries {
                    id: id.into(),
                    kind: kind(),
                    members: Vec::new(),
                    places: HashMap::default(),
                });
                self.stats.len() - 1
            }
        };
        #[expect(
            clippy::indexing_slicing,
            reason = "the map holds places of this vector"
        )]
        &mut self.stats[place]
    }

    /// The stats object with this id.
    pub fn get(&self, id: &str) -> Option<&StatsSeries> {
        self.stats.get(*self.places.get(id)?)
    }

    /// All stats objects, as they came.
    pub fn iter(&self) -> impl Iterator<Item = &StatsSeries> {
        self.stats.iter()
    }
}

impl StatsSeries {
    fn member_mut(&mut self, name: &str) -> &mut Vec<Point> {
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                self.places.insert(name.into(), self.members.len());
                self.members.push((name.into(), Vec::new()));
                self.members.len() - 1
            }
        };
        #[expect(
            clippy::indexing_slicing,
            reason = "the map holds places of this vector"
        )]
        &mut self.members[place].1
    }

    /// The stats id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The type at first sight, if it had one.
    pub fn kind(&self) -> Option<&PointValue> {
        self.kind.as_ref()
    }

    /// The series of a member.
    pub fn get(&self, name: &str) -> Option<&[Point]> {
        let (_, points) = self.members.get(*self.places.get(name)?)?;
        Some(points)
    }

    /// All members with their series, as they came.
    pub fn members(&self) -> impl Iterator<Item = (&str, &[Point])> {
        self.members
            .iter()
            .map(|(name, points)| (&**name, points.as_slice()))
    }
}

impl PointValue {
    /// The number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Appends the value as JSON.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Number(number) => write_number(*number, out),
            Self::Json(text) => out.push_str(text),
        }
    }
}

impl From<RawJson<'_>> for PointValue {
    fn from(value: RawJson<'_>) -> Self {
        match value.as_number() {
            Some(number) => Self::Number(number),
            None if value.is_null() => Self::Null,
            None => Self::Json(value.as_str().into()),
        }
    }
}

impl From<Value<'_>> for PointValue {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Number(number) => Self::Number(number),
            Value::Bool(value) => Self::Json(if value { "true" } else { "false" }.into()),
            Value::Text(text) => {
                let mut json = String::with_capacity(text.len() + 2);
                write_text(text, &mut json);
                Self::Json(json.into())
            }
            Value::Nested(raw) => Self::Json(raw.as_str().into()),
        }
    }
}

/// The points, with a `null` where two are further apart than `gap` milliseconds: at the time of the
/// later one, before it. The reference takes 5,000.
///
/// ```
/// use rtcstats_proto::{Point, PointValue, mark_gaps};
///
/// let point = |time| Point { time: Some(time), value: PointValue::Number(1.0) };
/// let marked: Vec<Point> = mark_gaps([point(0.0), point(5_000.0), point(10_001.0)], 5_000.0).collect();
/// assert_eq!(marked[2], Point { time: Some(10_001.0), value: PointValue::Null });
/// assert_eq!(marked.len(), 4);
/// ```
pub fn mark_gaps(points: impl IntoIterator<Item = Point>, gap: f64) -> impl Iterator<Item = Point> {
    let mut previous = None;
    points.into_iter().flat_map(move |point| {
        let distance = previous.zip(point.time).map(|(from, to)| to - from);
        previous = point.time;
        let mark = distance
            .is_some_and(|distance| distance > gap)
            .then_some(Point {
                time: point.time,
                value: PointValue::Null,
            });
        mark.into_iter().chain([point])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_over_the_limit_are_refused() {
        let limits = Limits {
            points: 3,
            ..Limits::default()
        };
        let stats = |values: &str| {
            format!(r#"{{"A-x":{{"values":"{values}"}},"A-timestamp":{{"values":"[1]"}}}}"#)
        };
        let read = |text: &str| {
            let stats = RawJson::parse(text).unwrap();
            Timeseries::from_internals(stats, &limits).map(|series| series.map(|own| own.points))
        };
        assert_eq!(read(&stats("[1,2]")), Ok(Some(3)));
        assert_eq!(
            read(&stats("[1,2,3]")),
            Err(TimeseriesError::Points { allowed: 3 })
        );
    }
}
