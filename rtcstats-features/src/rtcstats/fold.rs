//! The fold of this feature set.

use std::fmt;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Event, EventForm, Method, Scope};

use super::Features;
use super::page::Page;
use super::peer_connection::PeerConnection;
use super::quota::{Quota, Used};
use crate::javascript::array_index;
use crate::{Context, Fold, FoldError};

/// Computes the features of one session, of a client of any generation.
///
/// An event without a time is taken for simultaneous with the one before. The requests of back-end
/// clients, and the line with which a server begins a dump, say nothing here.
#[derive(Default)]
pub struct RtcstatsFold {
    time: Option<f64>,
    page: Page,
    connections: Connections,
    used: Used,
}

/// In the order of their first event.
#[derive(Default)]
struct Connections(IndexMap<Box<str>, Box<PeerConnection>, RandomState>);

/// What JavaScript makes of `null` as a key, under which existing readers file the page.
const PAGE: &str = "null";

impl RtcstatsFold {
    /// When the event happened; NaN as long as that is unknown.
    fn advance(&mut self, event: &Event<'_>) -> f64 {
        self.time = event.timestamp().or(self.time);
        self.time.unwrap_or(f64::NAN)
    }
}

impl Connections {
    /// The connection with this key, if there is room for it.
    fn get(&mut self, key: &str, time: f64, quota: &mut Quota<'_>) -> Option<&mut PeerConnection> {
        let number = match self.0.get_index_of(key) {
            Some(number) => number,
            None => {
                let limits = quota.limits;
                if !quota.admits_one(self.0.len(), limits.connections)
                    || !quota.admits_text(key.len())
                {
                    return None;
                }
                let connection = Box::new(PeerConnection::new(time));
                self.0.insert_full(key.into(), connection).0
            }
        };
        let (_, connection) = self.0.get_index_mut(number)?;
        Some(connection)
    }
}

impl Fold for RtcstatsFold {
    type Output = Features;

    fn event(&mut self, event: &Event<'_>, context: &Context<'_>) -> Result<(), FoldError> {
        let is_event = !matches!(event.form(), EventForm::Request | EventForm::Metadata);
        if !is_event || event.method() == Some(Method::ConnectionInfo) {
            return Ok(());
        }
        let time = self.advance(event);
        let quota = &mut Quota {
            limits: context.limits(),
            used: &mut self.used,
        };
        match connection_key(event) {
            Some(key) => {
                if let Some(connection) = self.connections.get(key, time, quota) {
                    connection.take(event, time, quota);
                }
            }
            None => self.page.take(event, time, quota),
        }
        Ok(())
    }

    fn stats(
        &mut self,
        event: &Event<'_>,
        stats: &Stats,
        context: &Context<'_>,
    ) -> Result<(), FoldError> {
        let Some(key) = connection_key(event) else {
            return self.event(event, context);
        };
        let time = self.advance(event);
        let quota = &mut Quota {
            limits: context.limits(),
            used: &mut self.used,
        };
        if let Some(connection) = self.connections.get(key, time, quota) {
            connection.take_report(event, stats, time, quota);
        }
        Ok(())
    }

    fn snapshot(&self, _: f64) -> Features {
        let mut connections: Vec<_> = self.connections.0.iter().collect();
        // Stable: those that are no array index stay in the order of their first event.
        connections.sort_by_key(|(key, _)| array_index(key).unwrap_or(u32::MAX));
        let connections = connections.into_iter();
        Features {
            client: self.page.features(),
            peer_connections: connections
                .map(|(key, connection)| connection.features(key))
                .collect(),
            is_incomplete: self.used.is_incomplete,
        }
    }
}

/// The connection that an event is about; none if it is about the page.
fn connection_key<'a>(event: &'a Event<'_>) -> Option<&'a str> {
    match event.scope() {
        Scope::PeerConnection(key) => Some(key).filter(|key| *key != PAGE),
        Scope::Client => None,
    }
}

/// Shows how much there is only: the rest holds personal data.
impl fmt::Debug for RtcstatsFold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RtcstatsFold")
            .field("connections", &self.connections.0.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Extractor;
    use crate::rtcstats::testing::features;

    fn shown(lines: &[Value]) -> Value {
        serde_json::to_value(features(lines)).unwrap()
    }

    #[test]
    fn nothing_yields_counts_alone() {
        let found = shown(&[]);
        assert_eq!(found["peerConnections"], json!([]));
        assert_eq!(found["calledGetUserMedia"], json!(false));
        assert_eq!(found["getUserMediaErrorCount"], json!(0));
        for absent in ["startTime", "duration", "incomplete", "audioEnded"] {
            assert_eq!(found.get(absent), None, "{absent}");
        }
    }

    #[test]
    fn what_is_computed_hides_what_the_page_says() {
        let create = json!({"startTime": 1, "operatingSystem": "x", "audioEnded": "y", "other": 2});
        let found = shown(&[json!([39, null, create, 1e12])]);
        assert_eq!(found["startTime"], json!(1_000_000_000_000_i64));
        assert_eq!(found.get("operatingSystem"), None);
        assert_eq!(
            (&found["audioEnded"], &found["other"]),
            (&json!("y"), &json!(2))
        );
    }

    #[test]
    fn a_report_without_connection_is_an_event_of_the_page() {
        let found = shown(&[
            json!([39, null, {}, 1e12]),
            json!(["g", null, {"1": {"type": 5}}, 7]),
            json!([36, "null", null, 2]),
        ]);
        assert_eq!(found["duration"], json!(9));
        assert_eq!(found["peerConnections"], json!([]));
    }

    #[test]
    fn an_event_without_time_is_simultaneous_with_the_one_before() {
        let found = features(&[
            json!(["create", "PC_0", {}, 1_700_000_000_000_u64, 1]),
            json!(["x", "PC_0", null, null]),
        ]);
        assert_eq!(found.peer_connections[0].duration, Some(0.0));
        assert_eq!(found.peer_connections[0].number_of_events, 2);
    }

    #[test]
    fn connections_come_in_the_order_of_javascript() {
        let lines = ["b", "10", "a", "9"].map(|key| json!([39, key, {}, 1e12]));
        let found = features(&lines);
        let keys = found.peer_connections.iter();
        let keys: Vec<_> = keys.map(|it| it.connection_identifier.as_str()).collect();
        assert_eq!(keys, ["9", "10", "b", "a"]);
    }

    #[test]
    fn debug_shows_no_names() {
        let mut extractor = Extractor::new(RtcstatsFold::default());
        extractor.push_line(r#"[39,"secret",{},1]"#).unwrap();
        assert_eq!(
            format!("{:?}", extractor.fold()),
            "RtcstatsFold { connections: 1, .. }"
        );
    }
}
