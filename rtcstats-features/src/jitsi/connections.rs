//! The peer connections of a session (§11.4, §11.7).

use indexmap::IndexMap;
use rtcstats_proto::json::JsonKind;
use rtcstats_proto::{Event, Method, RawJson};

use super::budget::Budget;
use super::connection::Connection;
use super::{PcAggregate, StatsFormat};
use crate::FoldError;
use crate::javascript::array_index;

/// The peer connections of a session by key.
#[derive(Default)]
pub(super) struct Connections {
    by_key: IndexMap<Box<str>, Box<Connection>, foldhash::fast::RandomState>,
}

impl Connections {
    /// Whether [`Connections::take`] takes an event.
    pub(super) fn handles(method: Method) -> bool {
        matches!(
            method,
            Method::Create
                | Method::Constraints
                | Method::OnConnectionStateChange
                | Method::OnIceConnectionStateChange
                | Method::CreateOfferOnFailure
                | Method::CreateAnswerOnFailure
                | Method::SetLocalDescriptionOnFailure
                | Method::SetRemoteDescriptionOnFailure
                | Method::OnDtlsError
                | Method::OnDtlsStateChange
        )
    }

    /// Takes an event of a connection. One that should have a connection and has none belongs to
    /// the connection `null`, as in the existing extractor.
    pub(super) fn take(
        &mut self,
        method: Method,
        event: &Event<'_>,
        format: StatsFormat,
        budget: &mut Budget<'_>,
    ) -> Result<(), FoldError> {
        let value = event.payload();
        let key = event.connection_key();
        match method {
            Method::Create => check_configuration(value)?,
            Method::Constraints => return self.take_constraints(key, value, budget),
            _ => {}
        }
        if let Some(connection) = self.get(key, budget) {
            connection.take(method, value, event.timestamp(), format);
        }
        Ok(())
    }

    fn take_constraints(
        &mut self,
        key: &str,
        value: RawJson<'_>,
        budget: &mut Budget<'_>,
    ) -> Result<(), FoldError> {
        let malformed = |problem| FoldError::Malformed {
            event: "constraints",
            problem,
        };
        if value.is_null() {
            return Err(malformed("no value"));
        }
        let optional = value.get("optional");
        if optional.is_some_and(RawJson::is_null) {
            return Err(malformed("optional is null"));
        }
        let Some(connection) = self.get(key, budget) else {
            return Ok(());
        };
        for element in optional.into_iter().flat_map(RawJson::elements) {
            if let Some(is_p2p) = element.get("rtcStatsSFUP2P")
                && let Some(is_p2p) = budget.keep(is_p2p)
            {
                connection.is_p2p = is_p2p;
            }
        }
        Ok(())
    }

    /// From now on a track is of another video type: it begins anew on every connection (§11.7).
    pub(super) fn set_video_type(
        &mut self,
        value: RawJson<'_>,
        timestamp: Option<f64>,
        budget: &mut Budget<'_>,
    ) -> Result<(), FoldError> {
        if value.is_null() {
            return Err(FoldError::Malformed {
                event: "setVideoType",
                problem: "no value",
            });
        }
        let member = |name, budget: &mut Budget<'_>| match value.get(name) {
            None => Some(None),
            Some(member) => budget.keep(member).map(Some),
        };
        let (Some(ssrc), Some(video_type)) = (member("ssrc", budget), member("videoType", budget))
        else {
            return Ok(());
        };
        for (key, connection) in &mut self.by_key {
            if key.starts_with("PC_") {
                connection.tracks.set_video_type(
                    ssrc.as_ref(),
                    video_type.as_ref(),
                    timestamp,
                    budget,
                );
            }
        }
        Ok(())
    }

    /// The connection with this key, which may be new; none if there are too many.
    pub(super) fn get(&mut self, key: &str, budget: &mut Budget<'_>) -> Option<&mut Connection> {
        let index = match self.by_key.get_index_of(key) {
            Some(index) => index,
            None if self.by_key.len() >= budget.limits.connections || !budget.admits(key) => {
                budget.dropped.connections += 1;
                return None;
            }
            None => self.by_key.insert_full(key.into(), Box::default()).0,
        };
        let (_, connection) = self.by_key.get_index_mut(index)?;
        Some(connection)
    }

    pub(super) fn inexact_means(&self) -> u64 {
        let connections = self.by_key.values();
        connections
            .map(|connection| connection.inexact_means())
            .sum()
    }

    /// What is known of each, keys that are array indices first.
    pub(super) fn aggregates(&self) -> IndexMap<String, PcAggregate> {
        let mut entries: Vec<_> = self.by_key.iter().collect();
        entries.sort_by_key(|(key, _)| array_index(key).map_or(u64::MAX, u64::from));
        entries
            .into_iter()
            .map(|(key, connection)| (key.to_string(), connection.aggregate()))
            .collect()
    }
}

/// Fails where the existing extractor does.
fn check_configuration(value: RawJson<'_>) -> Result<(), FoldError> {
    let malformed = |problem| {
        Err(FoldError::Malformed {
            event: "create",
            problem,
        })
    };
    if value.is_null() {
        return malformed("no value");
    }
    let Some(servers) = value.get("iceServers") else {
        return Ok(());
    };
    if servers.kind() != JsonKind::Array {
        return malformed("iceServers is no list");
    }
    let is_null =
        |server: RawJson<'_>| server.is_null() || server.get("urls").is_some_and(RawJson::is_null);
    if servers.elements().any(is_null) {
        return malformed("an ICE server has no URLs");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::{CHROME, aggregate, browser, extraction_within, features};
    use crate::Limits;

    fn event(name: &str, value: Json, time: u64) -> Json {
        json!([name, "PC_0", value, time])
    }

    #[test]
    fn the_last_constraint_tells_p2p_as_it_was_sent() {
        let constraints = |optional: Json| event("constraints", json!({"optional": optional}), 5);
        let found = aggregate(
            CHROME,
            &[
                constraints(json!([{"a": 1}, {"rtcStatsSFUP2P": true}])),
                constraints(json!([])),
            ],
        );
        assert_eq!(found["isP2P"], true);
        let found = aggregate(
            CHROME,
            &[constraints(
                json!([{"rtcStatsSFUP2P": true}, {"rtcStatsSFUP2P": "no"}]),
            )],
        );
        assert_eq!(found["isP2P"], "no");
    }

    #[test]
    fn events_without_connection_belong_to_one_named_null_if_they_need_one() {
        let features = features(&[
            json!(["ondtlserror", null, {}, 1]),
            json!(["x", null, {}, 1]),
            json!(["x", "", {}, 1]),
            json!(["create", 0, {}, 1]),
        ]);
        let aggregates = features["aggregates"].as_object().unwrap();
        assert_eq!(aggregates.keys().collect::<Vec<_>>(), ["0", "null"]);
        assert_eq!(aggregates["null"]["dtlsErrors"], 1);
    }

    #[test]
    fn connections_come_in_the_order_of_javascript() {
        let events = ["b", "10", "a", "9"].map(|key| json!(["x", key, 0, 1]));
        let extraction = extraction_within(Limits::default(), CHROME, &events);
        let aggregates = &extraction.client().unwrap().aggregates;
        assert_eq!(aggregates.keys().collect::<Vec<_>>(), ["9", "10", "b", "a"]);
    }

    #[test]
    fn malformed_configurations_are_errors() {
        let mut extractor = browser(Limits::default(), CHROME);
        for value in [
            json!(null),
            json!({"iceServers": {}}),
            json!({"iceServers": [null]}),
            json!({"iceServers": [{"urls": null}]}),
        ] {
            extractor
                .push_line(&event("create", value, 5).to_string())
                .unwrap_err();
        }
        let optional = event("constraints", json!({"optional": null}), 5);
        extractor.push_line(&optional.to_string()).unwrap_err();
        let good = event("create", json!({"iceServers": [{"urls": "stun:x"}]}), 5);
        extractor.push_line(&good.to_string()).unwrap();
        assert_eq!(extractor.counters().errors, 5);
    }

    #[test]
    fn connections_beyond_the_limit_are_left_out() {
        let limits = Limits {
            connections: 1,
            ..Limits::default()
        };
        let events = ["PC_0", "PC_1", "PC_0"].map(|key| json!(["x", key, 0, 1]));
        let extraction = extraction_within(limits, CHROME, &events);
        assert_eq!(extraction.client().unwrap().aggregates.len(), 1);
        assert_eq!(extraction.dropped.connections, 1);
    }
}
