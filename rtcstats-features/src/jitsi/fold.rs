//! The fold of this feature set.

use std::fmt;

use rtcstats_proto::jitsi::ConnectionInfo;
use rtcstats_proto::stats::Stats;
use rtcstats_proto::{Event, EventForm, Method};

use super::back_end::BackEndSession;
use super::session::Session;
use super::{Dropped, DumpMetadata, Extraction, Features};
use crate::{Context, Fold, FoldError};

/// Computes the features of one session.
///
/// The first line decides what for: its `connectionInfo` names the client, whose type is derived
/// anew. Browsers (subprotocol `3.1_STANDARD`) yield [`ClientFeatures`](super::ClientFeatures), all
/// others [`BackEndFeatures`](super::BackEndFeatures).
///
/// Dumps of other generations, and imports, are those of browsers; see the [module](super) for what
/// they yield. An event array without any head is taken for such too, a request without head for that
/// of a client of unsupported type, whose events say next to nothing; both make a strict extraction
/// fail.
pub struct JitsiFold {
    client_id: String,
    dump_path: Option<String>,
    role: Role,
}

/// Who the session is of.
enum Role {
    /// No line yet.
    Unknown,
    Client(Box<Session>),
    BackEnd(Box<BackEndSession>),
}

impl JitsiFold {
    /// The fold of the session that is, or will be, stored under `client_id`.
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            dump_path: None,
            role: Role::Unknown,
        }
    }

    /// Sets where the dump is; the client id unless set.
    #[must_use]
    pub fn with_dump_path(mut self, dump_path: impl Into<String>) -> Self {
        self.dump_path = Some(dump_path.into());
        self
    }

    /// Learns from the first event who sends.
    fn begin(&mut self, event: &Event<'_>, context: &Context<'_>) -> Result<(), FoldError> {
        let is_header =
            event.method() == Some(Method::ConnectionInfo) && event.form() == EventForm::Array;
        self.role = match event.form() {
            EventForm::Array if is_header => {
                let info = connection_info(event)?;
                if info.client_type().is_browser() {
                    Role::Client(Box::new(Session::new(&info)))
                } else {
                    Role::BackEnd(Box::new(BackEndSession::new(&info)))
                }
            }
            EventForm::Array | EventForm::Request if context.is_strict() => {
                return Err(FoldError::MissingHeader);
            }
            EventForm::Request => {
                let info = ConnectionInfo::default();
                Role::BackEnd(Box::new(BackEndSession::new(&info)))
            }
            EventForm::Array | EventForm::Delta | EventForm::Metadata | EventForm::Import => {
                Role::Client(Box::new(Session::of_other_generation()))
            }
        };
        Ok(())
    }
}

/// The details of a header line.
pub(super) fn connection_info(event: &Event<'_>) -> Result<ConnectionInfo, FoldError> {
    ConnectionInfo::from_payload(event.payload()).map_err(|_| FoldError::Malformed {
        event: "connectionInfo",
        problem: "unreadable details",
    })
}

impl Fold for JitsiFold {
    type Output = Extraction;

    fn event(&mut self, event: &Event<'_>, context: &Context<'_>) -> Result<(), FoldError> {
        if matches!(self.role, Role::Unknown) {
            self.begin(event, context)?;
        }
        match &mut self.role {
            Role::Client(session) => session.take(event, context)?,
            Role::BackEnd(session) => session.take(event, context),
            Role::Unknown => {}
        }
        Ok(())
    }

    fn stats(
        &mut self,
        event: &Event<'_>,
        stats: &Stats,
        context: &Context<'_>,
    ) -> Result<(), FoldError> {
        if matches!(self.role, Role::Unknown) {
            self.begin(event, context)?;
        }
        match &mut self.role {
            Role::Client(session) => session.take_report(event, stats, context),
            Role::BackEnd(session) => session.take(event, context),
            Role::Unknown => {}
        }
        Ok(())
    }

    fn wants_stats(&self) -> bool {
        !matches!(self.role, Role::BackEnd(_))
    }

    fn snapshot(&self, now: f64) -> Extraction {
        let names = DumpMetadata {
            client_id: self.client_id.clone(),
            dump_path: self.dump_path.as_ref().unwrap_or(&self.client_id).clone(),
            ..DumpMetadata::default()
        };
        match &self.role {
            Role::Unknown => Extraction {
                dump_metadata: names,
                features: Features::Empty {},
                dropped: Dropped::default(),
            },
            Role::Client(session) => session.extraction(names, now),
            Role::BackEnd(session) => session.extraction(names, now),
        }
    }
}

/// Shows the role only: the rest holds personal data.
impl fmt::Debug for JitsiFold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Unknown => "unknown",
            Role::Client(_) => "client",
            Role::BackEnd(_) => "back end",
        };
        formatter.debug_tuple("JitsiFold").field(&role).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Extractor, Strictness};

    const HEADER: &str =
        r#"["connectionInfo",null,{"clientProtocol":"3.1_STANDARD","userAgent":"Chrome/9"},1]"#;

    #[test]
    fn a_dump_without_a_line_has_a_name_only() {
        let extraction = Extractor::new(JitsiFold::new("id")).finish(5.0);
        assert_eq!(
            serde_json::to_value(extraction).unwrap(),
            json!({"dumpMetadata": {"clientId": "id", "dumpPath": "id"}, "features": {}})
        );
    }

    #[test]
    fn without_header_a_lenient_extraction_sees_an_unsupported_client() {
        let mut extractor = Extractor::new(JitsiFold::new("id"));
        let line = r#"{"type":"identity","data":{"confName":"c"},"timestamp":20}"#;
        extractor.push_line(line).unwrap();
        extractor.push_line(HEADER).unwrap();
        let extraction = extractor.finish(5.0);
        assert_eq!(
            extraction.dump_metadata.client_type,
            Some("UNSUPPORTED_CLIENT")
        );
        assert_eq!(extraction.dump_metadata.conference_id, Some(json!("c")));
    }

    #[test]
    fn without_header_a_strict_extraction_fails() {
        let mut extractor =
            Extractor::new(JitsiFold::new("id")).with_strictness(Strictness::Strict);
        for line in [
            r#"["getstats","PC_0",{},1]"#,
            r#"{"type":"identity","data":{}}"#,
        ] {
            let error = extractor.push_line(line).unwrap_err();
            assert!(
                error
                    .to_string()
                    .ends_with("no connectionInfo line at the start")
            );
        }
    }

    #[test]
    fn details_may_be_a_string() {
        let details = r#"{"clientProtocol":"3.1_STANDARD","userAgent":"Chrome/9"}"#;
        let mut extractor = Extractor::new(JitsiFold::new("id"));
        extractor
            .push_line(&json!(["connectionInfo", null, details, 1]).to_string())
            .unwrap();
        let extraction = extractor.finish(5.0);
        assert_eq!(
            extraction.dump_metadata.stats_format.unwrap().as_str(),
            "chrome_standard"
        );
    }

    #[test]
    fn what_the_header_says_of_type_and_format_is_not_believed() {
        let header = r#"["connectionInfo",null,{"clientProtocol":"1.0_JIBRI","clientType":"RTCSTATS_CLIENT","statsFormat":"firefox"},1]"#;
        let mut extractor = Extractor::new(JitsiFold::new("id"));
        extractor.push_line(header).unwrap();
        let extraction = extractor.finish(5.0);
        assert_eq!(extraction.dump_metadata.client_type, Some("JIBRI_CLIENT"));
        assert_eq!(
            extraction.dump_metadata.stats_format.unwrap().as_str(),
            "unsupported"
        );
    }

    #[test]
    fn debug_shows_no_names() {
        let mut extractor = Extractor::new(JitsiFold::new("secret"));
        extractor.push_line(HEADER).unwrap();
        assert_eq!(format!("{:?}", extractor.fold()), "JitsiFold(\"client\")");
    }
}
