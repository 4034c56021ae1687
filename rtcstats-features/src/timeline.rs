//! What happened in a session, in words: everything but the reports.
//!
//! Feed an [`Extractor`](crate::Extractor) with a [`TimelineFold`]; it yields a [`Timeline`].
//!
//! ```
//! use rtcstats_features::Extractor;
//! use rtcstats_features::timeline::{Category, TimelineFold, TimelineOptions};
//!
//! let mut extractor = Extractor::new(TimelineFold::new(TimelineOptions::default()));
//! extractor.push_line(r#"["onconnectionstatechange","PC_0","connected",1700000000000,1]"#)?;
//! let timeline = extractor.finish(0.0);
//! let event = &timeline.events[0];
//! assert_eq!((event.connection.as_deref(), event.category), (Some("PC_0"), Category::State));
//! assert_eq!((&*event.name, &*event.text), ("onconnectionstatechange", "connected"));
//! assert_eq!((timeline.start, timeline.end), (Some(1_700_000_000_000.0), Some(1_700_000_000_000.0)));
//! # Ok::<(), rtcstats_features::ExtractError>(())
//! ```
//!
//! # Memory
//!
//! The first [`TimelineOptions::events`] are kept, each with a text of at most 200 bytes; what follows
//! is [counted](Timeline::omitted). Details are cut at [`TimelineOptions::detail_bytes`], and left out when all of
//! them together have [`TimelineOptions::total_detail_bytes`].

mod category;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Event, EventForm, Method, Scope};
use serde::{Serialize, Serializer};

use crate::javascript::number;
use crate::series::valid_time;
use crate::{Context, Fold, FoldError};

pub use category::Category;

/// Bytes of a name; clients name events of their own.
const NAME_BYTES: usize = 100;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelineOptions {
    /// Events. Default 20,000: a negotiation with its candidates has about a hundred.
    pub events: usize,
    /// Bytes of the details of one event. Default 4,096: most descriptions of a call of two.
    pub detail_bytes: usize,
    /// Bytes of all details. Default 8 MiB.
    pub total_detail_bytes: usize,
}

impl Default for TimelineOptions {
    fn default() -> Self {
        Self {
            events: 20_000,
            detail_bytes: 4_096,
            total_detail_bytes: 8 << 20,
        }
    }
}

/// The events of a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Timeline {
    /// In the order in which they came.
    pub events: Vec<TimelineEvent>,
    /// How many came when there was no more room.
    #[serde(rename = "eventsOmitted")]
    pub omitted: u64,
    /// The first time that an event or a report told, in Unix epoch milliseconds by the client's clock.
    #[serde(rename = "startMs", serialize_with = "time")]
    pub start: Option<f64>,
    /// The last one.
    #[serde(rename = "endMs", serialize_with = "time")]
    pub end: Option<f64>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TimelineEvent {
    /// When, in Unix epoch milliseconds by the client's clock.
    #[serde(rename = "ms", serialize_with = "time")]
    pub time: Option<f64>,
    /// The key of the peer connection that it is about.
    #[serde(serialize_with = "shared")]
    pub connection: Option<Arc<str>>,
    /// What it is about.
    pub category: Category,
    /// The name of the call or the event.
    pub name: Cow<'static, str>,
    /// The gist of the value, such as `offer, 3 media sections` or `host udp 192.0.2.1:5000`; empty where there is
    /// none.
    pub text: Box<str>,
    /// The value, as JSON; cut where it is long, and then none.
    pub detail: Box<str>,
}

/// Keeps the [events](self) of one session, of a client of any generation.
pub struct TimelineFold {
    options: TimelineOptions,
    timeline: Timeline,
    detail_bytes: usize,
    connections: HashSet<Arc<str>, RandomState>,
}

impl TimelineFold {
    /// A fold without events.
    pub fn new(options: TimelineOptions) -> Self {
        Self {
            options,
            timeline: Timeline::default(),
            detail_bytes: 0,
            connections: HashSet::default(),
        }
    }

    /// The events from that one on, counted from 0. An event never changes.
    pub fn since(&self, event: usize) -> Timeline {
        let events = self.timeline.events.get(event..).unwrap_or_default();
        Timeline {
            events: events.to_vec(),
            ..self.times()
        }
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.timeline.events.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.timeline.events.is_empty()
    }

    /// The timeline without its events.
    pub fn times(&self) -> Timeline {
        Timeline {
            events: Vec::new(),
            omitted: self.timeline.omitted,
            start: self.timeline.start,
            end: self.timeline.end,
        }
    }

    fn see(&mut self, time: Option<f64>) {
        /// Unix epoch milliseconds are above, other numbers below.
        const EARLIEST: f64 = 1e11;
        if let Some(time) = time.filter(|time| *time > EARLIEST) {
            let Timeline { start, end, .. } = &mut self.timeline;
            *start = Some(start.map_or(time, |start| start.min(time)));
            *end = Some(end.map_or(time, |end| end.max(time)));
        }
    }

    /// The key, which events of one connection share.
    fn connection(&mut self, key: &str, context: &Context<'_>) -> Option<Arc<str>> {
        if let Some(known) = self.connections.get(key) {
            return Some(Arc::clone(known));
        }
        let limits = context.limits();
        if self.connections.len() >= limits.connections || key.len() > limits.text_bytes {
            return None;
        }
        let key: Arc<str> = key.into();
        self.connections.insert(Arc::clone(&key));
        Some(key)
    }

    fn detail(&mut self, event: &Event<'_>) -> Box<str> {
        let value = event.payload();
        if value.is_null() {
            return "".into();
        }
        let detail = text::cut(value.as_str(), self.options.detail_bytes);
        let room = self.options.total_detail_bytes - self.detail_bytes;
        if detail.len() > room {
            return "".into();
        }
        self.detail_bytes += detail.len();
        detail.into()
    }
}

impl Fold for TimelineFold {
    type Output = Timeline;

    fn event(&mut self, event: &Event<'_>, context: &Context<'_>) -> Result<(), FoldError> {
        let is_report = matches!(
            event.method(),
            Some(Method::GetStats | Method::CompressedGetStats)
        );
        let time = valid_time(event.timestamp());
        self.see(time);
        if is_report || event.form() == EventForm::Metadata {
            return Ok(());
        }
        let connection = match event.scope() {
            Scope::PeerConnection(key) => {
                let Some(connection) = self.connection(key, context) else {
                    self.timeline.omitted += 1;
                    return Ok(());
                };
                Some(connection)
            }
            Scope::Client => None,
        };
        if self.timeline.events.len() >= self.options.events {
            self.timeline.omitted += 1;
            return Ok(());
        }
        let name = match event.method() {
            Some(method) => Cow::Borrowed(method.as_str()),
            None => Cow::Owned(text::cut(event.name(), NAME_BYTES).to_owned()),
        };
        let taken = TimelineEvent {
            time,
            category: Category::of(event),
            name,
            text: text::gist(event).into(),
            detail: self.detail(event),
            connection,
        };
        self.timeline.events.push(taken);
        Ok(())
    }

    fn stats(&mut self, event: &Event<'_>, _: &Stats, _: &Context<'_>) -> Result<(), FoldError> {
        self.see(valid_time(event.timestamp()));
        Ok(())
    }

    fn wants_stats(&self) -> bool {
        false
    }

    fn snapshot(&self, _: f64) -> Timeline {
        self.timeline.clone()
    }
}

/// Shows how much there is only: the rest holds personal data.
impl fmt::Debug for TimelineFold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TimelineFold")
            .field("events", &self.timeline.events.len())
            .field("omitted", &self.timeline.omitted)
            .finish_non_exhaustive()
    }
}

fn time<S: Serializer>(time: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => number(time, serializer),
        None => serializer.serialize_none(),
    }
}

fn shared<S: Serializer>(text: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(serializer)
}
