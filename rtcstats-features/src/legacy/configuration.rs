//! How a connection was configured.

use rtcstats_proto::RawJson;
use serde::Serialize;

use super::budget::Budget;

/// What the value of the first `create` event says: the configuration (W3C `RTCConfiguration`) of a
/// peer connection.
///
/// An import has it as text, which is not evaluated: all is absent then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Configuration {
    /// Whether there was a configuration; absent if it is not known (`configured`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_configured: Option<bool>,
    /// Which ICE servers are in it; absent if it has no list of them (`configuredWithICEServers`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice_servers: Option<IceServers>,
    /// `rtcpMuxPolicy` (`configuredRtcpMuxPolicy`: whether it is there).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtcp_mux_policy: Option<String>,
    /// Whether certificates were given (`configuredCertificate`); absent if the configuration is not
    /// known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_certificates: Option<bool>,
    /// `sdpSemantics` of Chrome before 93, `plan-b` or `unified-plan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdp_semantics: Option<String>,
}

/// What kinds of ICE servers are in a configuration, by the scheme of their URLs (RFC 7064, 7065).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct IceServers {
    /// `stun:` (`configuredWithSTUN`).
    pub stun: bool,
    /// `turn:` or `turns:` (`configuredWithTURN`).
    pub turn: bool,
    /// `turn:` without `?transport=tcp` (`configuredWithTURNUDP`).
    pub turn_udp: bool,
    /// `turn:` with `?transport=tcp` (`configuredWithTURNTCP`).
    pub turn_tcp: bool,
    /// `turns:` with `?transport=tcp` (`configuredWithTURNTLS`).
    pub turn_tls: bool,
}

impl Configuration {
    pub(super) fn of(value: RawJson<'_>, budget: &mut Budget<'_>) -> Self {
        if !value.as_str().starts_with('{') {
            return Self::default();
        }
        let is_given = |name| value.get(name).is_some_and(|member| !member.is_null());
        Self {
            is_configured: Some(!value.get("nullConfig").is_some_and(RawJson::is_truthy)),
            ice_servers: value.get("iceServers").map(IceServers::of),
            rtcp_mux_policy: value.get("rtcpMuxPolicy").and_then(|v| budget.text(v)),
            has_certificates: Some(is_given("certificates")),
            sdp_semantics: value.get("sdpSemantics").and_then(|v| budget.text(v)),
        }
    }
}

impl IceServers {
    fn of(servers: RawJson<'_>) -> Self {
        let mut kinds = Self::default();
        for server in servers.elements() {
            for urls in ["urls", "url"].iter().filter_map(|name| server.get(name)) {
                urls.elements().for_each(|url| kinds.add(url));
                kinds.add(urls);
            }
        }
        kinds
    }

    fn add(&mut self, url: RawJson<'_>) {
        let Some(url) = url.as_text() else {
            return;
        };
        let is_tcp = url.contains("?transport=tcp");
        let (is_turn, is_turns) = (url.starts_with("turn:"), url.starts_with("turns:"));
        self.stun |= url.starts_with("stun:");
        self.turn |= is_turn || is_turns;
        self.turn_udp |= is_turn && !is_tcp;
        self.turn_tcp |= is_turn && is_tcp;
        self.turn_tls |= is_turns && is_tcp;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::connection;
    use serde_json::json;

    fn configuration(value: serde_json::Value) -> serde_json::Value {
        connection(&[json!(["create", "PC_0", value, 1])])["configuration"].take()
    }

    #[test]
    fn servers_are_told_apart_by_their_urls() {
        let found = configuration(json!({"iceServers": [
            {"urls": "stun:s"},
            {"urls": ["turn:t", "turns:t?transport=tcp"]},
            {"urls": null}, null,
        ]}));
        assert_eq!(
            found["iceServers"],
            json!({"stun": true, "turn": true, "turnUdp": true, "turnTcp": false, "turnTls": true})
        );
    }

    #[test]
    fn what_is_not_known_is_absent() {
        assert_eq!(configuration(json!("{...}")), json!({}));
        assert_eq!(
            configuration(json!({"nullConfig": true})),
            json!({"isConfigured": false, "hasCertificates": false})
        );
        assert_eq!(
            configuration(
                json!({"rtcpMuxPolicy": "require", "certificates": [{}], "sdpSemantics": "plan-b"})
            ),
            json!({"isConfigured": true, "rtcpMuxPolicy": "require", "hasCertificates": true, "sdpSemantics": "plan-b"})
        );
    }
}
