//! The row under which a dump is found again (§13.2).

use serde::Serialize;
use serde_json::Value as Json;

use super::Extraction;
use crate::javascript::{key, number};

/// What a dump is found by. Unique by `conference_id` and `dump_id`; useful secondary indices are
/// `conference_url`, `conference_id` and `session_id`, each with `start_date`.
///
/// Texts that are missing are the text `undefined`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MetadataRow {
    /// Name of the stored dump: the client id with `.gz`.
    pub dump_id: String,
    /// Name of the conference in lower case.
    pub conference_id: String,
    /// URL of the conference in lower case.
    pub conference_url: String,
    /// The participant.
    pub user_id: String,
    /// The meeting.
    pub session_id: String,
    /// The application.
    pub app: String,
    /// The client id up to its first `_`.
    pub base_dump_id: String,
    /// Start of the session in Unix epoch milliseconds, the time of extraction if unknown.
    #[serde(serialize_with = "number")]
    pub start_date: f64,
    /// End of the session, likewise.
    #[serde(serialize_with = "number")]
    pub end_date: f64,
}

impl Extraction {
    /// The metadata row. `now` in Unix epoch milliseconds stands in for unknown times.
    ///
    /// ```
    /// use rtcstats_features::{Extractor, jitsi::JitsiFold};
    ///
    /// let row = Extractor::new(JitsiFold::new("s_1")).finish(5.0).metadata_row(5.0);
    /// assert_eq!((row.dump_id.as_str(), row.base_dump_id.as_str()), ("s_1.gz", "s"));
    /// assert_eq!((row.conference_id.as_str(), row.start_date), ("undefined", 5.0));
    /// ```
    pub fn metadata_row(&self, now: f64) -> MetadataRow {
        let metadata = &self.dump_metadata;
        let client_id = &metadata.client_id;
        let (start, end) = self.session_times();
        let known = |time: f64| if time == 0.0 { now } else { time };
        MetadataRow {
            dump_id: format!("{client_id}.gz"),
            conference_id: text(metadata.conference_id.as_ref()).to_lowercase(),
            conference_url: text(metadata.conference_url.as_ref()).to_lowercase(),
            user_id: text(metadata.user_id.as_ref()),
            session_id: text(metadata.session_id.as_ref()),
            app: text(metadata.app.as_ref()),
            base_dump_id: base_of(client_id).0.to_owned(),
            start_date: known(start),
            end_date: known(end),
        }
    }
}

impl MetadataRow {
    /// Dump ids to try, in order, where a row with the same conference and dump id exists: the
    /// number behind the first `_` counts up.
    ///
    /// ```
    /// # use rtcstats_features::{Extractor, jitsi::JitsiFold};
    /// let row = Extractor::new(JitsiFold::new("s_1")).finish(5.0).metadata_row(5.0);
    /// let ids: Vec<_> = row.alternative_dump_ids().take(2).collect();
    /// assert_eq!(ids, ["s_2.gz", "s_3.gz"]);
    /// ```
    pub fn alternative_dump_ids(&self) -> impl Iterator<Item = String> + use<> {
        let client_id = self.dump_id.strip_suffix(".gz").unwrap_or(&self.dump_id);
        let (base, number) = base_of(client_id);
        let base = base.to_owned();
        (1..).map(move |more| format!("{base}_{}.gz", number.saturating_add(more)))
    }
}

/// What is before the first `_`, and the number behind it, 0 if it is none.
fn base_of(client_id: &str) -> (&str, u64) {
    match client_id.split_once('_') {
        Some((base, rest)) => {
            let number = rest
                .split('_')
                .next()
                .and_then(|number| number.parse().ok());
            (base, number.unwrap_or(0))
        }
        None => (client_id, 0),
    }
}

fn text(value: Option<&Json>) -> String {
    match value {
        None | Some(Json::Null) => "undefined".to_owned(),
        value => key(value).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{CHROME, extraction};

    #[test]
    fn names_are_in_lower_case_and_missing_ones_undefined() {
        let identity = json!({"confName": "ÄRoom", "confID": "H/Room", "displayName": null, "applicationName": "App"});
        let events = [
            json!(["identity", null, identity, 1]),
            json!(["x", null, null, 5]),
            json!(["x", null, null, 8]),
        ];
        let row = serde_json::to_value(extraction(CHROME, &events).metadata_row(99.0)).unwrap();
        assert_eq!(
            row,
            json!({
                "dumpId": "id.gz", "baseDumpId": "id", "conferenceId": "äroom", "conferenceUrl": "h/room",
                "userId": "undefined", "sessionId": "undefined", "app": "App", "startDate": 5, "endDate": 8,
            })
        );
    }

    #[test]
    fn an_unknown_time_is_that_of_the_extraction() {
        let row = extraction(CHROME, &[]).metadata_row(99.0);
        assert_eq!((row.start_date, row.end_date), (99.0, 99.0));
    }

    #[test]
    fn the_number_behind_the_first_underscore_counts_up() {
        let ids = |id: &str| {
            let extraction = crate::Extractor::new(crate::jitsi::JitsiFold::new(id)).finish(0.0);
            let ids = extraction.metadata_row(0.0).alternative_dump_ids();
            ids.take(2).collect::<Vec<_>>()
        };
        assert_eq!(ids("a"), ["a_1.gz", "a_2.gz"]);
        assert_eq!(ids("a_9"), ["a_10.gz", "a_11.gz"]);
        assert_eq!(ids("a_b_9"), ["a_1.gz", "a_2.gz"]);
    }
}
