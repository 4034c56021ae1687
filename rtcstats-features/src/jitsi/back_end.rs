//! Dumps of back-end clients, and of clients of unsupported type (§12.3).

use rtcstats_proto::jitsi::ConnectionInfo;
use rtcstats_proto::{ClientType, Event, EventForm, Method};

use super::budget::Budget;
use super::identity::Identity;
use super::{BackEndFeatures, Dropped, DumpMetadata, Extraction, Features, StatsFormat};
use crate::Context;

/// What is known of such a session.
pub(super) struct BackEndSession {
    client_type: ClientType,
    stats_format: StatsFormat,
    identity: Identity,
    /// 0 while unknown.
    start: f64,
    end: f64,
    dropped: Dropped,
}

impl BackEndSession {
    pub(super) fn new(info: &ConnectionInfo) -> Self {
        Self {
            client_type: info.client_type(),
            stats_format: StatsFormat::from_user_agent(&info.user_agent),
            identity: Identity::default(),
            start: 0.0,
            end: 0.0,
            dropped: Dropped::default(),
        }
    }

    /// Takes a line behind the header. Arrays, which are events of an unsupported browser protocol,
    /// say nothing here.
    pub(super) fn take(&mut self, event: &Event<'_>, context: &Context<'_>) {
        if event.form() != EventForm::Request {
            return;
        }
        let time = event.timestamp().unwrap_or_default();
        if self.start == 0.0 {
            self.start = time;
        }
        self.end = self.end.max(time);
        if event.method() == Some(Method::Identity) {
            let mut budget = Budget {
                limits: context.limits(),
                dropped: &mut self.dropped,
            };
            self.identity.take(event.payload(), &mut budget);
        }
    }

    pub(super) fn extraction(&self, names: DumpMetadata, now: f64) -> Extraction {
        let known = |time: f64| if time == 0.0 { now } else { time };
        Extraction {
            dump_metadata: DumpMetadata {
                app: Some(self.identity.app()),
                client_type: Some(self.client_type.as_str()),
                conference_id: self.identity.conference_name.clone(),
                conference_url: self.identity.conference_url.clone(),
                session_id: self.identity.meeting_unique_id.clone(),
                user_id: self.identity.display_name.clone(),
                stats_format: Some(self.stats_format),
                ..names
            },
            features: Features::BackEnd(BackEndFeatures {
                session_start_time: known(self.start),
                session_end_time: known(self.end),
            }),
            dropped: self.dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Extractor;
    use crate::jitsi::JitsiFold;

    fn extraction(subprotocol: &str, lines: &[&str]) -> serde_json::Value {
        let mut extractor = Extractor::new(JitsiFold::new("id").with_dump_path("/d"));
        let header = json!(["connectionInfo", null, {"clientProtocol": subprotocol, "userAgent": "Node v20"}, 77]);
        extractor.push_line(&header.to_string()).unwrap();
        for line in lines {
            extractor.push_line(line).unwrap();
        }
        serde_json::to_value(extractor.finish(99.0)).unwrap()
    }

    #[test]
    fn identities_and_times_are_read() {
        let found = extraction(
            "1.0_JICOFO",
            &[
                r#"{"statsSessionId":"s","type":"identity","data":{"confName":"c","applicationName":"Jicofo"},"timestamp":20}"#,
                r#"{"statsSessionId":"s","type":"stats-entry","data":"no json","timestamp":30}"#,
                r#"{"statsSessionId":"s","type":"identity","data":{"confName":"d"},"timestamp":25}"#,
            ],
        );
        assert_eq!(
            found,
            json!({
                "dumpMetadata": {"app": "Jicofo", "clientId": "id", "clientType": "JICOFO_CLIENT", "conferenceId": "d", "dumpPath": "/d", "statsFormat": "unsupported"},
                "features": {"sessionStartTime": 20, "sessionEndTime": 30},
            })
        );
    }

    #[test]
    fn an_unsupported_browser_says_nothing() {
        let lines = [
            r#"["identity",null,{"confName":"c"},20]"#,
            r#"["getstats","PC_0",{"a":null},30]"#,
        ];
        let found = extraction("3.1_LEGACY", &lines);
        assert_eq!(found["dumpMetadata"]["clientType"], "UNSUPPORTED_CLIENT");
        assert_eq!(found["dumpMetadata"]["app"], "Undefined");
        assert_eq!(
            found["features"],
            json!({"sessionStartTime": 99, "sessionEndTime": 99})
        );
    }
}
