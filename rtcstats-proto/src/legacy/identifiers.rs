//! Who took part, as far as applications say so.

use crate::{Event, Method, RawJson};

/// The identifiers that applications smuggle into events: `rtcStatsClientId`, `rtcStatsPeerId` and
/// `rtcStatsConferenceId` in the list `optional` of a `constraints` event, and the members `user`
/// and `conference` of an `identity` event, whose names in Jitsi clients are `displayName` and
/// `confName`.
///
/// Collected from all events of a session it says whom the session is of; from those of one peer
/// connection, with whom that one connects. Constraints win over an identity; of several
/// constraints the first one with that identifier counts, of several identities the last one.
///
/// ```
/// use rtcstats_proto::{Event, legacy::Identifiers};
///
/// let mut identifiers = Identifiers::default();
/// for line in [
///     r#"["identity",null,{"user":"someone","conference":"room"},1700000000000]"#,
///     r#"["constraints","PC_0",{"optional":[{"rtcStatsClientId":"a"},{"rtcStatsPeerId":"b"}]},1700000000001]"#,
/// ] {
///     identifiers.collect(&Event::parse(line)?);
/// }
/// assert_eq!(identifiers.client(), Some("a"));
/// assert_eq!(identifiers.peer(), Some("b"));
/// assert_eq!(identifiers.conference(), Some("room"));
/// # Ok::<(), rtcstats_proto::EventError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Identifiers {
    constraints: Triple,
    identity: Triple,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Triple {
    client: Option<Box<str>>,
    peer: Option<Box<str>>,
    conference: Option<Box<str>>,
}

impl Identifiers {
    /// Bytes of the longest identifier that is kept. Longer ones count as absent: they are no
    /// identifiers, and would fill the memory of a server.
    pub const MAX_BYTES: usize = 1_024;

    /// Takes what an event says; nothing, for most.
    pub fn collect(&mut self, event: &Event<'_>) {
        match event.method() {
            Some(Method::Constraints) => self.collect_constraints(event.payload()),
            Some(Method::Identity) => self.collect_identity(event.payload()),
            _ => {}
        }
    }

    fn collect_constraints(&mut self, value: RawJson<'_>) {
        let own = &mut self.constraints;
        let optional = value.get("optional");
        for (name, member) in optional
            .into_iter()
            .flat_map(RawJson::elements)
            .flat_map(RawJson::members)
        {
            let place = match name.as_ref() {
                "rtcStatsClientId" => &mut own.client,
                "rtcStatsPeerId" => &mut own.peer,
                "rtcStatsConferenceId" => &mut own.conference,
                _ => continue,
            };
            if place.is_none() {
                *place = identifier(member);
            }
        }
    }

    fn collect_identity(&mut self, value: RawJson<'_>) {
        let own = &mut self.identity;
        for (name, member) in value.members() {
            let place = match name.as_ref() {
                "user" | "displayName" => &mut own.client,
                "conference" | "confName" => &mut own.conference,
                _ => continue,
            };
            if let Some(identifier) = identifier(member) {
                *place = Some(identifier);
            }
        }
    }

    /// Who sends: the id of the client or user.
    pub fn client(&self) -> Option<&str> {
        let own = self.constraints.client.as_deref();
        own.or(self.identity.client.as_deref())
    }

    /// The other end of a peer connection, if constraints name it.
    pub fn peer(&self) -> Option<&str> {
        self.constraints.peer.as_deref()
    }

    /// The conference, room or call.
    pub fn conference(&self) -> Option<&str> {
        let own = self.constraints.conference.as_deref();
        own.or(self.identity.conference.as_deref())
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Texts and numbers; an empty text says nothing.
fn identifier(value: RawJson<'_>) -> Option<Box<str>> {
    let text = match value.as_text() {
        Some(text) => text,
        None if value.as_number().is_some() => value.to_key(),
        None => return None,
    };
    (!text.is_empty() && text.len() <= Identifiers::MAX_BYTES).then(|| text.into())
}

/// Shows what was found, not whom.
impl std::fmt::Debug for Identifiers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Identifiers")
            .field("client", &self.client().is_some())
            .field("peer", &self.peer().is_some())
            .field("conference", &self.conference().is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(lines: &[&str]) -> Identifiers {
        let mut identifiers = Identifiers::default();
        for line in lines {
            identifiers.collect(&Event::parse(line).unwrap());
        }
        identifiers
    }

    #[test]
    fn the_first_constraint_and_the_last_identity_count() {
        let found = collected(&[
            r#"["identity",null,{"user":"u1","conference":"c1"},1]"#,
            r#"["identity",null,{"conference":"c2"},1]"#,
            r#"["constraints","PC_0",{"optional":[{"rtcStatsPeerId":"p1"},{"x":1}]},1]"#,
            r#"["constraints","PC_1",{"optional":[{"rtcStatsPeerId":"p2"}]},1]"#,
            r#"["create","PC_1",{"optional":[{"rtcStatsClientId":"no"}]},1]"#,
        ]);
        assert_eq!(
            (found.client(), found.peer(), found.conference()),
            (Some("u1"), Some("p1"), Some("c2"))
        );
    }

    #[test]
    fn jitsi_identities_have_other_names() {
        let found = collected(&[r#"["identity",null,{"displayName":"u","confName":"c"},1,2]"#]);
        assert_eq!((found.client(), found.conference()), (Some("u"), Some("c")));
    }

    #[test]
    fn what_is_no_identifier_is_none() {
        let long = "x".repeat(Identifiers::MAX_BYTES + 1);
        for value in ["null", "\"\"", "{}", "[1]", "true", &format!("\"{long}\"")] {
            let line = format!(
                r#"["constraints","PC_0",{{"optional":[{{"rtcStatsClientId":{value}}}]}},1]"#
            );
            assert!(collected(&[&line]).is_empty(), "{value:.20}");
        }
        let found = collected(&[
            r#"["constraints","PC_0",{"optional":[{"rtcStatsClientId":17}]},1]"#,
            r#"["constraints","PC_0",null,1]"#,
            r#"["identity",null,null,1]"#,
        ]);
        assert_eq!(found.client(), Some("17"));
    }

    #[test]
    fn debug_shows_nobody() {
        let found = collected(&[r#"["identity",null,{"user":"secret"},1]"#]);
        assert!(!format!("{found:?}").contains("secret"));
    }
}
