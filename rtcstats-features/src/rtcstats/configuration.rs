//! What the connection was configured with.

use std::borrow::Cow;

use rtcstats_proto::RawJson;
use rtcstats_proto::json::JsonKind;
use serde_json::Value as Json;

use super::ConnectionFeatures;
use super::quota::Quota;

/// Of the first `create` event.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    is_known: bool,
    bundle_policy: Option<Json>,
    always_negotiate_data_channels: Option<Json>,
    ice_servers: Option<IceServers>,
}

#[derive(Debug)]
struct IceServers {
    count: u64,
    is_relay_only: bool,
    stun: bool,
    turns: bool,
    turn_udp: bool,
    turn_tcp: bool,
}

impl Configuration {
    pub(super) fn create(&mut self, value: RawJson<'_>, quota: &mut Quota<'_>) {
        if std::mem::replace(&mut self.is_known, true) {
            return;
        }
        let mut keep = |name| value.get(name).and_then(|value| quota.keep(value));
        self.bundle_policy = keep("bundlePolicy");
        self.always_negotiate_data_channels = keep("alwaysNegotiateDataChannels");
        self.ice_servers = IceServers::of(value);
    }

    pub(super) fn write(&self, features: &mut ConnectionFeatures) {
        features.configured_bundle_policy = self.bundle_policy.clone();
        features.configured_always_negotiate_data_channels =
            self.always_negotiate_data_channels.clone();
        let Some(servers) = &self.ice_servers else {
            return;
        };
        features.configured_ice_servers = Some(servers.count);
        features.configured_ice_transport_policy = Some(servers.is_relay_only);
        features.configured_ice_servers_stun = servers.stun.then_some(true);
        features.configured_ice_servers_turns = servers.turns.then_some(true);
        features.configured_ice_servers_turn_udp = servers.turn_udp.then_some(true);
        features.configured_ice_servers_turn_tcp = servers.turn_tcp.then_some(true);
    }
}

impl IceServers {
    fn of(configuration: RawJson<'_>) -> Option<Self> {
        let list = configuration.get("iceServers")?;
        if list.kind() != JsonKind::Array {
            return None;
        }
        let policy = configuration.get("iceTransportPolicy");
        let mut servers = Self {
            count: list.elements().count() as u64,
            is_relay_only: policy.is_some_and(|policy| policy.is_text("relay")),
            stun: false,
            turns: false,
            turn_udp: false,
            turn_tcp: false,
        };
        for urls in list.elements().filter_map(|server| server.get("urls")) {
            match urls.as_text() {
                Some(url) => servers.add(&url),
                None => {
                    let urls = urls.elements().filter_map(RawJson::as_text);
                    urls.for_each(|url: Cow<'_, str>| servers.add(&url));
                }
            }
        }
        Some(servers)
    }

    fn add(&mut self, url: &str) {
        let is_turn = url.starts_with("turn:");
        self.stun |= url.starts_with("stun:");
        self.turns |= url.starts_with("turns:");
        self.turn_udp |= is_turn && url.ends_with("?transport=udp");
        self.turn_tcp |= is_turn && url.ends_with("?transport=tcp");
    }
}
