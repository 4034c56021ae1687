//! Who sends: the merged `identity` events (§7.4, §11.9).

use rtcstats_proto::json::JsonKind;
use rtcstats_proto::legacy::Identifiers;
use rtcstats_proto::{Event, RawJson};
use serde_json::Value as Json;

use super::budget::Budget;
use crate::FoldError;
use crate::javascript::{JsonObject, is_truthy};

/// Declares [`Identity`]: a member and its name in the events.
macro_rules! members {
    ($($member:ident $name:literal,)*) => {
        /// The members of the identity that features are made of, as sent last.
        #[derive(Default)]
        pub(super) struct Identity {
            $(pub(super) $member: Option<Json>,)*
            /// `deploymentInfo`, merged; none before the first identity.
            pub(super) deployment_info: Option<JsonObject>,
            /// The first `endpointId` that says something: the endpoint of this participant.
            pub(super) own_endpoint: Option<Json>,
        }

        /// What one event says of them, found in one pass.
        #[derive(Default)]
        struct Said<'a> {
            $($member: Option<RawJson<'a>>,)*
            deployment_info: Option<RawJson<'a>>,
        }

        impl<'a> Said<'a> {
            fn read(value: RawJson<'a>) -> Self {
                let mut said = Self::default();
                for (name, value) in value.members() {
                    let member = match name.as_ref() {
                        $($name => &mut said.$member,)*
                        "deploymentInfo" => &mut said.deployment_info,
                        _ => continue,
                    };
                    *member = Some(value);
                }
                said
            }
        }

        impl Identity {
            fn merge(&mut self, said: &Said<'_>, budget: &mut Budget<'_>) {
                $(if let Some(value) = said.$member.and_then(|value| budget.keep(value)) {
                    self.$member = Some(value);
                })*
            }
        }
    };
}

members! {
    application_name "applicationName",
    conference_url "confID",
    conference_name "confName",
    display_name "displayName",
    endpoint_id "endpointId",
    meeting_unique_id "meetingUniqueId",
    is_breakout_room "isBreakoutRoom",
    room_id "roomId",
    parent_stats_session_id "parentStatsSessionId",
    customer_id "customerId",
    session_id "sessionId",
    user_id "userId",
    device_id "deviceId",
}

impl Identity {
    /// Merges the identity of a browser client.
    pub(super) fn take_client(
        &mut self,
        value: RawJson<'_>,
        budget: &mut Budget<'_>,
    ) -> Result<(), FoldError> {
        let malformed = |problem| {
            Err(FoldError::Malformed {
                event: "identity",
                problem,
            })
        };
        if value.is_null() {
            return malformed("no value");
        }
        let said = Said::read(value);
        let url = said.conference_url;
        if url.is_some_and(|url| url.kind() != JsonKind::Text) {
            return malformed("confID is no text");
        }
        self.merge(&said, budget);
        if self.own_endpoint.is_none() && is_truthy(self.endpoint_id.as_ref()) {
            self.own_endpoint.clone_from(&self.endpoint_id);
        }
        let info = self.deployment_info.get_or_insert_default();
        let members = said.deployment_info.into_iter().flat_map(RawJson::members);
        for (name, value) in members {
            let is_new = !info.contains_key(name.as_ref());
            if is_new && info.len() >= budget.limits.deployment_members {
                budget.dropped.texts += 1;
            } else if budget.admits(&name)
                && let Some(value) = budget.keep(value)
            {
                info.insert(name.into_owned(), value);
            }
        }
        Ok(())
    }

    /// Merges the identity of a client of another generation, which may have it in the words of
    /// legacy applications.
    pub(super) fn take_of_other_generation(&mut self, value: RawJson<'_>, budget: &mut Budget<'_>) {
        for (legacy, member) in [
            ("user", &mut self.display_name),
            ("conference", &mut self.conference_name),
        ] {
            if let Some(value) = value.get(legacy).and_then(|value| budget.keep(value)) {
                *member = Some(value);
            }
        }
        // If it fails nothing else is taken: it is not the identity of a Jitsi client.
        self.take_client(value, budget).ok();
    }

    /// Takes the identifiers in constraints, where no identity said who it is.
    pub(super) fn take_identifiers(&mut self, event: &Event<'_>, budget: &mut Budget<'_>) {
        let mut identifiers = Identifiers::default();
        identifiers.collect(event);
        for (member, identifier) in [
            (&mut self.display_name, identifiers.client()),
            (&mut self.conference_name, identifiers.conference()),
        ] {
            if let Some(identifier) = identifier
                && member.is_none()
                && budget.admits(identifier)
            {
                *member = Some(Json::String(identifier.to_owned()));
            }
        }
    }

    /// Merges an identity.
    pub(super) fn take(&mut self, value: RawJson<'_>, budget: &mut Budget<'_>) {
        self.merge(&Said::read(value), budget);
    }

    /// The name of the application.
    pub(super) fn app(&self) -> Json {
        let name = self.application_name.clone();
        name.unwrap_or_else(|| Json::String("Undefined".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{CHROME, browser, extraction, extraction_within};
    use crate::Limits;

    #[test]
    fn identities_are_merged_member_by_member() {
        let extraction = extraction(
            CHROME,
            &[
                json!(["identity", null, {"confName": "a", "userId": null, "deploymentInfo": {"shard": "s", "region": "r"}}, 1]),
                json!(["identity", null, {"confName": "b", "sessionId": 5, "more": [1]}, 2]),
                json!(["identity", null, {"deploymentInfo": {"region": "q"}}, 3]),
            ],
        );
        let metadata = serde_json::to_value(&extraction.dump_metadata).unwrap();
        assert_eq!(metadata["conferenceId"], "b");
        assert_eq!(metadata["ampUserId"], json!(null));
        assert_eq!(metadata["ampSessionId"], 5);
        assert_eq!(metadata["app"], "Undefined");
        assert_eq!(metadata.get("ampDeviceId"), None);
        let info = &extraction.client().unwrap().deployment_info;
        assert_eq!(json!(info), json!({"shard": "s", "region": "q"}));
    }

    #[test]
    fn without_identity_there_is_no_deployment_and_with_one_there_is() {
        let features = |events: &[_]| super::super::testing::features(events);
        assert_eq!(features(&[]).get("deploymentInfo"), None);
        let features = features(&[json!(["identity", null, {}, 1])]);
        assert_eq!(features["deploymentInfo"], json!({}));
    }

    #[test]
    fn an_identity_gives_no_session_time() {
        let features = super::super::testing::features(&[
            json!(["identity", null, {}, 1]),
            json!(["x", null, null, 5]),
            json!(["identity", null, {}, 9]),
        ]);
        assert_eq!(
            (&features["sessionStartTime"], &features["sessionEndTime"]),
            (&json!(5), &json!(5))
        );
    }

    #[test]
    fn a_malformed_identity_changes_nothing() {
        let mut extractor = browser(Limits::default(), CHROME);
        for value in [json!(null), json!({"confName": "x", "confID": 5})] {
            let error = extractor.push_line(&json!(["identity", null, value, 1]).to_string());
            assert!(
                error
                    .unwrap_err()
                    .to_string()
                    .contains("malformed identity event")
            );
        }
        let extraction = extractor.finish(0.0);
        assert_eq!(extraction.dump_metadata.conference_id, None);
        assert_eq!(extraction.client().unwrap().deployment_info, None);
    }

    #[test]
    fn what_is_too_much_is_left_out_and_counted() {
        let limits = Limits {
            text_bytes: 8,
            deployment_members: 1,
            ..Limits::default()
        };
        let identity =
            json!({"confName": "much too long", "roomId": "r", "deploymentInfo": {"a": 1, "b": 2}});
        let extraction =
            extraction_within(limits, CHROME, &[json!(["identity", null, identity, 1])]);
        assert_eq!(extraction.dump_metadata.conference_id, None);
        assert_eq!(extraction.dump_metadata.breakout_room_id, Some(json!("r")));
        assert_eq!(
            json!(extraction.client().unwrap().deployment_info),
            json!({"a": 1})
        );
        assert_eq!(extraction.dropped.texts, 2);
    }
}
