//! Where candidates are, by the addresses that the server looked up.

use rtcstats_proto::{Method, RawJson};
use serde_json::Value as Json;

use super::ConnectionFeatures;
use super::candidates::with_candidate;
use super::peer_connection::Step;
use super::quota::{Quota, take};

/// What is known until the first report.
#[derive(Debug, Default)]
pub(super) struct Locations {
    is_done: bool,
    gathered: Vec<Located>,
    added: Vec<Located>,
    /// Of the last candidate that was gathered.
    relay: Option<Location>,
    own: Option<Location>,
    peer: Option<Location>,
}

/// A candidate with a location.
#[derive(Debug)]
struct Located {
    address: Box<str>,
    location: Location,
}

#[derive(Debug, Clone, Default)]
struct Location {
    continent: Option<Json>,
    country: Option<Json>,
    city: Option<Json>,
}

impl Locations {
    pub(super) fn take(&mut self, step: &Step<'_>, quota: &mut Quota<'_>) {
        if self.is_done {
            return;
        }
        let is_gathered = match step.method {
            Method::OnIceCandidate => true,
            Method::AddIceCandidate => false,
            _ => return,
        };
        let extra = step.event.extra().next();
        let Some(location) = extra
            .and_then(|extra| extra.get("rtcstatsLocation"))
            .filter(|location| location.is_truthy())
        else {
            return;
        };
        let location = Location::read(location, quota);
        if is_gathered {
            self.relay = Some(location.clone());
        }
        let list = if is_gathered {
            &mut self.gathered
        } else {
            &mut self.added
        };
        with_candidate(step.value, |candidate| {
            let address = candidate.address().unwrap_or_default();
            let is_known = || list.iter().any(|known| &*known.address == address);
            if !address.is_empty()
                && !is_known()
                && quota.admits_text(address.len())
                && take!(quota, located_candidates)
            {
                list.push(Located {
                    address: address.into(),
                    location,
                });
            }
        });
    }

    /// Whether the first report is still to come.
    pub(super) fn is_waiting(&self) -> bool {
        !self.is_done
    }

    /// Takes the addresses of the pair that the first report says is selected.
    pub(super) fn finish(&mut self, local: Option<&str>, remote: Option<&str>) {
        self.is_done = true;
        let find = |list: Vec<Located>, address: Option<&str>| {
            let mut list = list.into_iter();
            list.find(|known| Some(&*known.address) == address)
                .map(|known| known.location)
        };
        self.own = find(std::mem::take(&mut self.gathered), local);
        self.peer = find(std::mem::take(&mut self.added), remote);
    }

    pub(super) fn write(&self, features: &mut ConnectionFeatures) {
        let relay = self.relay.clone().unwrap_or_default();
        features.rtcstats_relay_location_continent = relay.continent;
        features.rtcstats_relay_location_country = relay.country;
        features.rtcstats_relay_location_city = relay.city;
        let own = self.own.clone().unwrap_or_default();
        features.rtcstats_location_continent = own.continent;
        features.rtcstats_location_country = own.country;
        features.rtcstats_location_city = own.city;
        let peer = self.peer.clone().unwrap_or_default();
        features.rtcstats_peer_location_continent = peer.continent;
        features.rtcstats_peer_location_country = peer.country;
        features.rtcstats_peer_location_city = peer.city;
    }
}

impl Location {
    fn read(value: RawJson<'_>, quota: &mut Quota<'_>) -> Self {
        let mut part = |name| value.get(name).and_then(|part| quota.keep(part));
        Self {
            continent: part("continent"),
            country: part("country"),
            city: part("city"),
        }
    }
}
