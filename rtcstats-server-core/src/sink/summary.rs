//! What a record is found by.

use serde_json::{Map, Value};

use crate::{DumpName, RecordQuery, RecordRow, SearchText, Selection, SessionRecord};

/// What a record is found by, from its parts `session`, `features` and `rtcstats`. Whatever has
/// another shape than the extractor writes is absent.
#[derive(Debug, Default)]
pub(super) struct RecordSummary {
    pub(super) session: Map<String, Value>,
    /// `dumpMetadata` of part `features`.
    pub(super) metadata: Map<String, Value>,
    /// `features` of part `features`.
    pub(super) features: Map<String, Value>,
    pub(super) rtcstats: Map<String, Value>,
}

/// When a session was. Unix epoch milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SessionTimes {
    /// When the server saw it begin; without, when the client did.
    pub(super) started: Option<f64>,
    /// By the clock of the client, which may be wrong, but wrong for all of the session.
    pub(super) duration: Option<f64>,
    /// The one and the other, or when it was published; never later than that.
    pub(super) ended: f64,
}

impl RecordSummary {
    pub(super) fn of(record: &SessionRecord) -> Self {
        let part = |name| record.part(name).and_then(|json| object(json.get()));
        let mut features = part("features").unwrap_or_default();
        let mut member = |name| match features.remove(name) {
            Some(Value::Object(member)) => member,
            _ => Map::new(),
        };
        Self {
            metadata: member("dumpMetadata"),
            features: member("features"),
            session: part("session").unwrap_or_default(),
            rtcstats: part("rtcstats").unwrap_or_default(),
        }
    }

    pub(super) fn times(&self, published: f64) -> SessionTimes {
        let time = |object: &Map<String, Value>, member| {
            let time = object.get(member).and_then(Value::as_f64);
            time.filter(|time| *time > 0.0)
        };
        let start = time(&self.features, "sessionStartTime").or(time(&self.rtcstats, "startTime"));
        let by_jitsi = time(&self.features, "sessionEndTime")
            .zip(time(&self.features, "sessionStartTime"))
            .map(|(end, start)| end - start);
        let duration = by_jitsi
            .or_else(|| self.rtcstats.get("duration")?.as_f64())
            .filter(|duration| *duration >= 0.0);
        let started = time(&self.session, "startedMs").or(start);
        let ended = started.map(|started| started + duration.unwrap_or_default());
        SessionTimes {
            started,
            duration,
            ended: ended.unwrap_or(published).min(published),
        }
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = &str> {
        let peers = self.session.get("peerIds").and_then(Value::as_array);
        peers.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Peer connections, as far as a set of features tells.
    pub(super) fn connections(&self) -> Option<u64> {
        let of_rtcstats = self
            .rtcstats
            .get("peerConnections")
            .and_then(Value::as_array);
        let of_jitsi = self.features.get("aggregates").and_then(Value::as_object);
        let count = of_rtcstats.map(Vec::len).or(of_jitsi.map(Map::len));
        count.map(|count| count as u64)
    }

    /// See [`RecordRow::loss`].
    pub(super) fn loss(&self) -> Option<f64> {
        let shares = self.aggregates("trackAggregates").flat_map(|totals| {
            let total = |member| totals.get(member).and_then(Value::as_f64);
            let share = |lost: f64, all: f64| (all > 0.0).then(|| (lost / all).clamp(0.0, 1.0));
            let received = total("totalReceivedPacketsLost")
                .zip(total("totalPacketsReceived"))
                .and_then(|(lost, received)| share(lost, lost.max(0.0) + received));
            let sent = total("totalSentPacketsLost")
                .zip(total("totalPacketsSent"))
                .and_then(|(lost, sent)| share(lost, sent));
            received.into_iter().chain(sent)
        });
        shares.max_by(f64::total_cmp)
    }

    /// See [`RecordRow::rtt_ms`].
    pub(super) fn round_trip_time_ms(&self) -> Option<f64> {
        /// From here on milliseconds, below seconds.
        const MILLISECONDS: f64 = 10.0;
        let connections = self
            .rtcstats
            .get("peerConnections")
            .and_then(Value::as_array);
        let of_checks = connections.into_iter().flatten().filter_map(|connection| {
            let seconds = connection.get("averageStunRoundTripTime")?.as_f64()?;
            Some(seconds * 1_000.0)
        });
        let of_reports = self
            .aggregates("transportAggregates")
            .filter_map(|transport| {
                let mean = transport.get("meanRtt")?.as_f64()?;
                let is_in_seconds = mean < MILLISECONDS;
                // 0 is none.
                (mean > 0.0).then_some(if is_in_seconds { mean * 1_000.0 } else { mean })
            });
        let worst = of_checks.max_by(f64::total_cmp);
        worst.or_else(|| of_reports.max_by(f64::total_cmp))
    }

    /// A member of the aggregates of each peer connection.
    fn aggregates(&self, member: &str) -> impl Iterator<Item = &Value> {
        let connections = self.features.get("aggregates").and_then(Value::as_object);
        let connections = connections.into_iter().flat_map(Map::values);
        connections.filter_map(move |connection| connection.get(member))
    }

    fn browser(&self, member: &str) -> Option<&str> {
        filled(self.features.get("browserInfo")?.get(member))
    }

    /// Who it was: without a name from elsewhere that of the identity.
    fn user(&self) -> Option<&str> {
        filled(self.session.get("user")).or_else(|| filled(self.metadata.get("ampUserId")))
    }

    /// What the record is found by.
    pub(super) fn search_text(&self, name: &DumpName) -> SearchText {
        let name = name.to_string();
        let browser = [self.browser("name"), self.browser("version")];
        let browser = browser.map(Option::unwrap_or_default).join(" ");
        let parts = [
            Some(name.as_str()),
            self.user(),
            filled(self.metadata.get("userId")),
            filled(self.session.get("conference")),
            filled(self.metadata.get("conferenceId")),
            filled(self.metadata.get("conferenceUrl")),
            filled(self.session.get("session")),
            filled(self.session.get("clientId")),
            Some(browser.trim()),
        ];
        SearchText::from_parts(parts.into_iter().flatten())
    }

    /// The record in a list.
    pub(super) fn row(&self, name: DumpName, published: f64) -> RecordRow {
        let times = self.times(published);
        let text = |text: Option<&str>| text.map(str::to_owned);
        let conference = filled(self.session.get("conference"))
            .or_else(|| filled(self.metadata.get("conferenceId")))
            .or_else(|| filled(self.metadata.get("conferenceUrl")));
        let count = |member| self.session.get(member).and_then(Value::as_u64);
        RecordRow {
            name,
            conference: text(conference),
            user: text(self.user()),
            display_name: text(filled(self.metadata.get("userId"))),
            browser: text(self.browser("name")),
            browser_version: text(self.browser("version")),
            client: text(filled(self.session.get("clientId"))),
            start_ms: times.started,
            end_ms: Some(times.ended).filter(|time| time.is_finite()),
            duration_ms: times.duration,
            connections: self.connections(),
            loss: self.loss(),
            rtt_ms: self.round_trip_time_ms(),
            bytes: count("bytes"),
            events: count("events"),
            published_ms: published,
        }
    }

    pub(super) fn is_selected(
        &self,
        name: &DumpName,
        published: f64,
        selection: &Selection,
    ) -> bool {
        let is = |object: &Map<String, Value>, member, wanted: &String| {
            object.get(member).and_then(Value::as_str) == Some(wanted)
        };
        // Rooms are the same whatever the case.
        let is_room = |object: &Map<String, Value>, member, wanted: &String| {
            let own = object.get(member).and_then(Value::as_str);
            own.is_some_and(|own| own.eq_ignore_ascii_case(wanted))
        };
        match selection {
            Selection::Session(id) => name.session_id() == id,
            Selection::User(user) => {
                is(&self.session, "user", user)
                    || is(&self.metadata, "userId", user)
                    || is(&self.metadata, "ampUserId", user)
            }
            Selection::Conference(conference) => {
                is_room(&self.session, "conference", conference)
                    || is_room(&self.metadata, "conferenceId", conference)
                    || is_room(&self.metadata, "conferenceUrl", conference)
                    || is_room(&self.metadata, "sessionId", conference)
            }
            Selection::EndedBefore(time) => self.times(published).ended < *time,
        }
    }

    pub(super) fn matches(&self, query: &RecordQuery) -> bool {
        let is = |member, wanted: &Option<String>| {
            let found = self.session.get(member).and_then(Value::as_str);
            wanted.is_none() || found == wanted.as_deref()
        };
        let peer = query.peer_id.as_deref();
        is("user", &query.user)
            && is("conference", &query.conference)
            && is("session", &query.session)
            && is("clientId", &query.client_id)
            && peer.is_none_or(|peer| self.peers().any(|other| other == peer))
    }
}

/// A text that is not empty.
fn filled(value: Option<&Value>) -> Option<&str> {
    value
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// The members of an object.
pub(super) fn object(json: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(json).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_json::value::to_raw_value;

    use super::*;
    use crate::RecordPart;

    fn summary(parts: &Value) -> RecordSummary {
        let parts = parts
            .as_object()
            .unwrap()
            .iter()
            .map(|(part, value)| RecordPart {
                part: part.clone(),
                json: to_raw_value(value).unwrap(),
            });
        RecordSummary::of(&SessionRecord {
            name: "s".parse().unwrap(),
            parts: parts.collect(),
        })
    }

    #[test]
    fn a_session_ends_its_duration_after_the_server_saw_it_begin() {
        let features = json!({"features": {"sessionStartTime": 100, "sessionEndTime": 160}});
        let rtcstats = json!({"startTime": 7_000, "duration": 50.5});
        for (parts, started, duration, ended) in [
            (
                json!({"session": {"startedMs": 1_000}, "features": features}),
                Some(1_000.0),
                Some(60.0),
                1_060.0,
            ),
            (
                json!({"session": {"startedMs": 0}, "rtcstats": rtcstats}),
                Some(7_000.0),
                Some(50.5),
                7_050.5,
            ),
            (
                json!({"session": {"startedMs": 9_990}, "features": features}),
                Some(9_990.0),
                Some(60.0),
                10_000.0,
            ),
            (
                json!({"session": {"startedMs": 1_000}, "rtcstats": {"duration": -5}}),
                Some(1_000.0),
                None,
                1_000.0,
            ),
            (json!({}), None, None, 10_000.0),
            (
                json!({"session": 7, "features": [], "rtcstats": "x"}),
                None,
                None,
                10_000.0,
            ),
        ] {
            let times = SessionTimes {
                started,
                duration,
                ended,
            };
            assert_eq!(summary(&parts).times(10_000.0), times, "{parts}");
        }
    }

    #[test]
    fn users_and_conferences_are_known_by_several_names() {
        let parts = json!({
            "session": {"user": "u", "conference": "c"},
            "features": {"dumpMetadata": {"userId": "name", "conferenceId": "room", "conferenceUrl": "https://h/room", "sessionId": "unique", "ampUserId": "amp"}},
        });
        let (summary, name) = (summary(&parts), "s_1".parse().unwrap());
        let selects = |selection| summary.is_selected(&name, 5.0, &selection);
        let text = str::to_owned;
        assert!(selects(Selection::User(text("u"))) && selects(Selection::User(text("name"))));
        assert!(selects(Selection::User(text("amp"))));
        assert!(!selects(Selection::User(text("room"))));
        for conference in ["c", "room", "Room", "unique", "https://h/room"] {
            assert!(selects(Selection::Conference(text(conference))));
        }
        assert!(!selects(Selection::Conference(text("u"))));
        assert!(selects(Selection::Session(name.session_id().clone())));
        assert!(selects(Selection::EndedBefore(5.1)) && !selects(Selection::EndedBefore(5.0)));
    }

    #[test]
    fn loss_and_round_trip_time_are_those_of_the_worst_connection() {
        let totals = |received: [f64; 2], sent: [f64; 2]| {
            json!({
                "totalReceivedPacketsLost": received[0], "totalPacketsReceived": received[1],
                "totalSentPacketsLost": sent[0], "totalPacketsSent": sent[1],
            })
        };
        for (aggregates, loss) in [
            (json!({}), None),
            (
                json!({"a": {"trackAggregates": totals([0.0, 0.0], [0.0, 0.0])}}),
                None,
            ),
            (
                json!({"a": {"trackAggregates": totals([0.0, 9.0], [0.0, 0.0])}}),
                Some(0.0),
            ),
            (
                json!({"a": {"trackAggregates": totals([-3.0, 9.0], [0.0, 0.0])}}),
                Some(0.0),
            ),
            (
                json!({"a": {"trackAggregates": totals([5.0, 0.0], [0.0, 0.0])}}),
                Some(1.0),
            ),
            (
                json!({"a": {"trackAggregates": totals([1.0, 9.0], [9.0, 3.0])}}),
                Some(1.0),
            ),
            (
                json!({
                    "a": {"trackAggregates": totals([1.0, 9.0], [1.0, 4.0])},
                    "b": {"trackAggregates": totals([0.0, 9.0], [1.0, 2.0])},
                    "c": {"trackAggregates": {"totalPacketsSent": 5, "totalSentPacketsLost": null}},
                    "d": 7,
                }),
                Some(0.5),
            ),
        ] {
            let parts = json!({"features": {"features": {"aggregates": aggregates}}});
            assert_eq!(summary(&parts).loss(), loss, "{parts}");
        }

        let mean = |rtt: f64| json!({"transportAggregates": {"meanRtt": rtt}});
        for (of_reports, of_checks, expected) in [
            (json!({}), json!([]), None),
            (json!({"a": mean(0.0)}), json!([{}]), None),
            (
                json!({"a": mean(0.25), "b": mean(0.5)}),
                json!([{}]),
                Some(500.0),
            ),
            (json!({"a": mean(250.0)}), json!([]), Some(250.0)),
            (
                json!({"a": mean(0.5)}),
                json!([{"averageStunRoundTripTime": 0.125}, {"averageStunRoundTripTime": 0.0625}]),
                Some(125.0),
            ),
        ] {
            let parts = json!({
                "features": {"features": {"aggregates": of_reports}},
                "rtcstats": {"peerConnections": of_checks},
            });
            assert_eq!(summary(&parts).round_trip_time_ms(), expected, "{parts}");
        }
    }
}
