//! What clients and conferences are called by the application: what sessions are searched by.

use rtcstats_proto::{EventReader, Generation, Limits, Method, legacy};
use serde::{Deserialize, Serialize};

use crate::Claims;

/// Names that an application gives: from a token, from `constraints` (`rtcStatsClientId`,
/// `rtcStatsPeerId`, `rtcStatsConferenceId`) and from `identity` events.
///
/// A token wins over `constraints`, and these over an `identity`; of several `constraints` the first
/// one counts, of several identities the last one. See [`legacy::Identifiers`], which finds them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Identifiers {
    /// Who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The conference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conference: Option<String>,
    /// The application's name for the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// `rtcStatsClientId`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The different `rtcStatsPeerId`s, at most [`Identifiers::MAX_PEERS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peer_ids: Vec<String>,
    /// Who says so.
    #[serde(skip)]
    user_source: Source,
    #[serde(skip)]
    conference_source: Source,
}

/// Later ones win over earlier ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    #[default]
    Identity,
    Constraints,
    Token,
}

impl Identifiers {
    /// Peers that are remembered: a mesh of more does not work.
    pub const MAX_PEERS: usize = 64;

    pub(crate) fn from_claims(claims: Claims) -> Self {
        let Claims {
            user,
            conference,
            session,
        } = claims;
        Self {
            user,
            conference,
            session,
            user_source: Source::Token,
            conference_source: Source::Token,
            ..Self::default()
        }
    }

    /// What one line says; nothing for almost all lines.
    pub(crate) fn of_line(generation: Generation, line: &str) -> Option<Box<Self>> {
        if !may_name_somebody(generation, line) {
            return None;
        }
        let mut reader = EventReader::of_generation(generation, Limits::default());
        let event = reader.read(line.trim()).ok()??;
        let mut found = legacy::Identifiers::default();
        found.collect(&event);
        if found.is_empty() {
            return None;
        }
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let (client, conference) = (owned(found.client()), owned(found.conference()));
        Some(Box::new(if event.method() == Some(Method::Identity) {
            Self {
                user: client,
                conference,
                ..Self::default()
            }
        } else {
            Self {
                client_id: client,
                conference,
                peer_ids: owned(found.peer()).into_iter().collect(),
                conference_source: Source::Constraints,
                ..Self::default()
            }
        }))
    }

    /// Takes over what another line says.
    pub(crate) fn merge(&mut self, other: Self) {
        let user = (other.user, other.user_source);
        take_over((&mut self.user, &mut self.user_source), user);
        let conference = (other.conference, other.conference_source);
        take_over(
            (&mut self.conference, &mut self.conference_source),
            conference,
        );
        self.session = self.session.take().or(other.session);
        self.client_id = self.client_id.take().or(other.client_id);
        for peer in other.peer_ids {
            self.add_peer(peer);
        }
    }

    fn add_peer(&mut self, peer: String) {
        if self.peer_ids.len() < Self::MAX_PEERS && !self.peer_ids.contains(&peer) {
            self.peer_ids.push(peer);
        }
    }
}

fn take_over(own: (&mut Option<String>, &mut Source), other: (Option<String>, Source)) {
    let wins = own.0.is_none()
        || other.1 > *own.1
        || (other.1, *own.1) == (Source::Identity, Source::Identity);
    if other.0.is_some() && wins {
        (*own.0, *own.1) = other;
    }
}

/// Looks at the name only, without reading the line.
fn may_name_somebody(generation: Generation, line: &str) -> bool {
    const NAMES: [&str; 3] = ["\"constraints\"", "40", "\"identity\""];
    let name = line.trim_start().strip_prefix('[').map(str::trim_start);
    generation != Generation::Jitsi
        && name.is_some_and(|name| NAMES.iter().any(|prefix| name.starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<Box<Identifiers>> {
        Identifiers::of_line(Generation::Legacy, line)
    }

    #[test]
    fn constraints_and_identity_name_the_client() {
        let constraints = r#"["constraints","PC_0",{"optional":[{"rtcStatsClientId":"c"},{"rtcStatsPeerId":7},{"rtcStatsConferenceId":"r"},{"x":1}]},5]"#;
        let mut all = *of(constraints).unwrap();
        assert_eq!(
            serde_json::to_string(&all).unwrap(),
            r#"{"conference":"r","clientId":"c","peerIds":["7"]}"#
        );
        all.merge(*of(&constraints.replace('7', "8")).unwrap());
        assert_eq!(all.peer_ids, ["7", "8"]);
        let identity = r#"["identity",null,{"user":"u","conference":"s"},5]"#;
        all.merge(*of(identity).unwrap());
        assert_eq!(all.user.as_deref(), Some("u"));
        assert_eq!(all.conference.as_deref(), Some("r"), "constraints win");
        let coded = constraints.replace("\"constraints\"", "40");
        assert!(Identifiers::of_line(Generation::Rtcstats, &coded).is_some());
        assert!(Identifiers::of_line(Generation::Jitsi, identity).is_none());
    }

    #[test]
    fn other_shapes_name_nobody() {
        let long = format!(r#"["identity",null,{{"user":"{}"}},5]"#, "x".repeat(2_000));
        for line in [
            "",
            "[\"constraints\"",
            r#"["constraints","PC_0",null,5]"#,
            r#"["identity",null,{"user":{}},5]"#,
            r#"["identity",null,{"user":""},5]"#,
            &long,
        ] {
            assert_eq!(of(line), None, "{line:.40}");
        }
    }

    #[test]
    fn what_a_token_says_is_not_overridden() {
        let claims = Claims {
            user: Some("true".to_owned()),
            ..Claims::default()
        };
        let mut all = Identifiers::from_claims(claims);
        all.merge(*of(r#"["identity",null,{"user":"false","conference":"c"},5]"#).unwrap());
        assert_eq!(all.user.as_deref(), Some("true"));
        assert_eq!(all.conference.as_deref(), Some("c"));
    }
}
