//! What is published of a session: records for analytics databases (§13.1).

use serde::Serialize;
use serde_json::Value as Json;

use super::sql_time::sql_time;
use super::{ClientFeatures, DumpMetadata, Extraction};

mod meeting;
mod pc;
mod track;

pub use meeting::MeetingRecord;
pub use pc::PcRecord;
pub use track::{Direction, TrackRecord};

/// What records need beside the features.
pub struct RecordContext<'a> {
    /// The configured name of the environment, such as `prod`.
    pub environment: &'a str,
    /// The time of publishing, Unix epoch milliseconds.
    pub now: f64,
    /// Yields ids for the records, one a call; they should be random (version 4) UUIDs.
    pub uuid: &'a mut dyn FnMut() -> String,
    /// What stands for a time that is not known.
    pub missing_time: MissingTime,
}

/// What stands in a record for a time that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingTime {
    /// Null.
    #[default]
    Null,
    /// The time of publishing, as the existing server has it.
    Now,
}

impl RecordContext<'_> {
    /// A time as `YYYY-MM-DD HH:MM:SS`, UTC.
    fn sql(&self, time: f64) -> Option<String> {
        if time != 0.0 && !time.is_nan() {
            return sql_time(time);
        }
        match self.missing_time {
            MissingTime::Null => None,
            MissingTime::Now => sql_time(self.now),
        }
    }
}

/// The records of one session. Their members are the columns of the tables in camel case.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PublishedRecords {
    /// The session.
    pub meeting_record: MeetingRecord,
    /// Its peer connections.
    pub pc_records: Vec<PcRecord>,
    /// Their tracks: those of a connection received first, then sent.
    pub track_records: Vec<TrackRecord>,
}

/// What all records of a session have in common. Texts are as in [`DumpMetadata`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CommonRecord {
    /// The time of publishing, SQL text in UTC as all times.
    pub create_date: Option<String>,
    /// The client id.
    pub stats_session_id: String,
    /// The session id, which is the meeting's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meeting_unique_id: Option<Json>,
    /// The conference URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meeting_url: Option<Json>,
    /// Start of the conference.
    pub conference_start_time: Option<String>,
    /// See [`Tenant`](super::Tenant).
    pub tenant: String,
    /// See [`Tenant`](super::Tenant).
    pub jaas_client_id: Json,
}

impl Extraction {
    /// The records to publish; none unless of a browser client.
    ///
    /// ```
    /// use rtcstats_features::Extractor;
    /// use rtcstats_features::jitsi::{JitsiFold, MissingTime, RecordContext};
    ///
    /// let mut extractor = Extractor::new(JitsiFold::new("a-session"));
    /// extractor.push_line(r#"["connectionInfo",null,{"clientProtocol":"3.1_STANDARD"},1]"#)?;
    /// extractor.push_line(r#"["create","PC_0",{},1700000000000,1]"#)?;
    /// let mut ids = 0..;
    /// let records = extractor.finish(1_700_000_001_000.0).records(RecordContext {
    ///     environment: "prod",
    ///     now: 1_700_000_001_000.0,
    ///     uuid: &mut || format!("{:?}", ids.next()), // a random UUID in real life
    ///     missing_time: MissingTime::Null,
    /// });
    /// let records = records.ok_or("not a browser")?;
    /// assert_eq!(records.pc_records[0].pcname, "PC_0");
    /// assert_eq!(records.meeting_record.session_start_time.as_deref(), Some("2023-11-14 22:13:20"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn records(&self, context: RecordContext<'_>) -> Option<PublishedRecords> {
        let features = self.client()?;
        let metadata = &self.dump_metadata;
        let common = CommonRecord::new(metadata, features, &context);
        let mut records = PublishedRecords {
            meeting_record: MeetingRecord::new(metadata, features, common.clone(), &context),
            pc_records: Vec::new(),
            track_records: Vec::new(),
        };
        for (name, aggregate) in &features.aggregates {
            let record = PcRecord::new((context.uuid)(), name, aggregate, common.clone());
            let tracks = &aggregate.tracks;
            for (direction, tracks) in [
                (Direction::Received, &tracks.receiver_tracks),
                (Direction::Send, &tracks.sender_tracks),
            ] {
                for track in tracks {
                    let id = (context.uuid)();
                    let track = TrackRecord::new(id, direction, track, &record);
                    records.track_records.push(track);
                }
            }
            records.pc_records.push(record);
        }
        Some(records)
    }
}

impl CommonRecord {
    fn new(
        metadata: &DumpMetadata,
        features: &ClientFeatures,
        context: &RecordContext<'_>,
    ) -> Self {
        let tenant = metadata.tenant.clone().unwrap_or_default();
        Self {
            create_date: sql_time(context.now),
            stats_session_id: metadata.client_id.clone(),
            meeting_unique_id: metadata.session_id.clone(),
            meeting_url: metadata.conference_url.clone(),
            conference_start_time: context.sql(features.conference_start_time),
            tenant: tenant.tenant,
            jaas_client_id: tenant.jaas_client_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::{CHROME, extraction};
    use super::*;

    /// One connection with a track each way.
    fn session() -> Extraction {
        let report = json!({
            "I": {"type": "inbound-rtp", "ssrc": 7, "kind": "audio", "packetsReceived": 5},
            "O": {"type": "outbound-rtp", "ssrc": 8, "kind": "video", "packetsSent": 5},
        });
        let identity =
            json!({"displayName": "d", "confName": "C", "deploymentInfo": {"region": "r"}});
        extraction(
            CHROME,
            &[
                json!(["identity", null, identity, 0]),
                json!(["getstats", "PC_0", report]),
                json!(["getstats", "PC_0", report, 1_700_000_000_000_u64]),
            ],
        )
    }

    fn records(extraction: &Extraction, missing_time: MissingTime) -> Json {
        let mut ids = 0;
        let records = extraction.records(RecordContext {
            environment: "test",
            now: 1_600_000_000_000.0,
            uuid: &mut || {
                ids += 1;
                format!("#{ids}")
            },
            missing_time,
        });
        serde_json::to_value(records).unwrap()
    }

    #[test]
    fn a_time_that_is_not_known_is_null_or_now() {
        let extraction = session();
        let found = records(&extraction, MissingTime::Null);
        assert_eq!(found["meetingRecord"]["conferenceStartTime"], json!(null));
        assert_eq!(found["trackRecords"][0]["conferenceStartTime"], json!(null));
        assert_eq!(
            found["meetingRecord"]["sessionStartTime"],
            "2023-11-14 22:13:20"
        );
        let found = records(&extraction, MissingTime::Now);
        assert_eq!(
            found["pcRecords"][0]["conferenceStartTime"],
            "2020-09-13 12:26:40"
        );
        assert_eq!(found["pcRecords"][0]["createDate"], "2020-09-13 12:26:40");
    }

    #[test]
    fn tracks_follow_their_connection_received_ones_first() {
        let found = records(&session(), MissingTime::Null);
        assert_eq!(found["pcRecords"][0]["id"], "#1");
        let tracks = found["trackRecords"].as_array().unwrap();
        let rows: Vec<_> = tracks
            .iter()
            .map(|t| json!([t["id"], t["pcId"], t["direction"], t["ssrc"]]))
            .collect();
        assert_eq!(
            rows,
            [
                json!(["#2", "#1", "received", 7]),
                json!(["#3", "#1", "send", 8])
            ]
        );
    }

    #[test]
    fn track_times_that_are_not_known_are_left_out() {
        let mut extraction = session();
        let tracks =
            |extraction: &Extraction| records(extraction, MissingTime::Now)["trackRecords"].take();
        assert_eq!(tracks(&extraction)[0].get("startTime"), None);
        assert_eq!(tracks(&extraction)[0].get("endTime"), None);
        let crate::jitsi::Features::Client(features) = &mut extraction.features else {
            panic!("not a client");
        };
        let track = &mut features.aggregates["PC_0"].tracks.receiver_tracks[0];
        (track.start_time, track.end_time) = (Some(0.0), Some(1_000.0));
        assert_eq!(tracks(&extraction)[0].get("startTime"), None);
        assert_eq!(tracks(&extraction)[0]["endTime"], "1970-01-01 00:00:01");
    }

    #[test]
    fn the_meeting_takes_from_identity_and_browser_what_is_there() {
        let meeting = records(&session(), MissingTime::Null)["meetingRecord"].take();
        assert_eq!(
            (&meeting["displayName"], &meeting["meetingName"]),
            (&json!("d"), &json!("C"))
        );
        assert_eq!(
            (&meeting["region"], meeting.get("shard")),
            (&json!("r"), None)
        );
        assert_eq!(
            (&meeting["appEnv"], &meeting["browserName"]),
            (&json!("test"), &json!("Chrome"))
        );
        assert_eq!(meeting.get("meetingUrl"), None);
    }

    #[test]
    fn back_end_clients_have_no_records() {
        let extraction = crate::Extractor::new(crate::jitsi::JitsiFold::new("id")).finish(0.0);
        assert_eq!(records(&extraction, MissingTime::Null), json!(null));
    }
}
