//! What a dump begins with: who connected, how, and when (Jitsi spec 9.1; 5.0 spec 12.3; legacy
//! spec 2).

use std::sync::Arc;

use bytes::Bytes;
use rtcstats_proto::jitsi::ConnectionInfo;
use rtcstats_proto::rtcstats::DUMP_HEADER;
use rtcstats_proto::{Generation, RawJson};
use serde::Serialize;
use serde_json::Value;

use crate::target::{hide_token, normalized};
use crate::{Privacy, Upgrade};

/// Addresses that are looked up; the first is the client's. A request has room for thousands, and a
/// record of each would make a megabyte of a kilobyte.
const MAX_LOCATIONS: usize = 16;

/// The beginning of a dump, without its time. What is large in it is shared: a socket keeps it for as
/// long as it lives.
#[derive(Debug, Clone)]
pub(crate) enum Header {
    Jitsi(ConnectionInfo),
    Rtcstats(Arc<Metadata>),
    Legacy(Arc<LegacyHeader>),
}

impl Header {
    /// The lines, with terminators. `opened` is when the socket was opened, `now` when the first
    /// event came, both in Unix epoch milliseconds.
    pub(crate) fn into_lines(self, opened: f64, now: f64) -> Bytes {
        let text = match self {
            Self::Jitsi(info) => {
                let mut line = info.to_line(now);
                line.push('\n');
                line
            }
            Self::Rtcstats(metadata) => Arc::unwrap_or_clone(metadata).into_lines(opened as u64),
            Self::Legacy(header) => Arc::unwrap_or_clone(header).into_lines(opened as u64),
        };
        text.into()
    }

    /// The time that the lines tell.
    pub(crate) fn started_ms(&self, opened: f64, now: f64) -> u64 {
        match self {
            Self::Jitsi(_) => now as u64,
            Self::Rtcstats(_) | Self::Legacy(_) => opened as u64,
        }
    }
}

/// Whether a line belongs to the head of a dump; `index` counts lines from 0.
pub(crate) fn is_head(generation: Generation, index: u64, line: &str) -> bool {
    match (generation, index) {
        (_, 0) | (Generation::Rtcstats, 1) => true,
        (Generation::Legacy, 1) => line.starts_with("[\"publicIP\",null,"),
        _ => false,
    }
}

/// The object with meta data of a 5.0 dump, in the order in which servers write it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    start_time: u64,
    remote_addresses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locations: Option<Vec<Option<Value>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_protocol: Option<String>,
    file_format: u32,
}

impl Metadata {
    pub(crate) fn new(upgrade: &Upgrade, addresses: Vec<&str>, privacy: &Privacy) -> Self {
        let locations = privacy.locations.as_ref().map(|database| {
            addresses
                .iter()
                .enumerate()
                .map(|(index, address)| {
                    let is_looked_up = index < MAX_LOCATIONS;
                    is_looked_up.then(|| database.record_of(address)).flatten()
                })
                .collect()
        });
        let shown = |address: &str| match privacy.masks_addresses() {
            true => privacy.mask(Generation::Rtcstats, address),
            false => address.to_owned(),
        };
        Self {
            url: normalized(&upgrade.target),
            origin: present(&upgrade.origin),
            user_agent: present(&upgrade.user_agent),
            start_time: 0,
            remote_addresses: addresses.into_iter().map(shown).collect(),
            locations,
            client_protocol: present(&upgrade.subprotocols),
            file_format: 3,
        }
    }

    fn into_lines(mut self, opened: u64) -> String {
        self.start_time = opened;
        let mut lines = String::from(DUMP_HEADER);
        lines.push('\n');
        push_json(&self, &mut lines);
        lines.push('\n');
        lines
    }
}

/// The object at the head of a legacy dump, and the addresses in the line that follows.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LegacyHeader {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    time: u64,
    file_format: u32,
    #[serde(skip)]
    addresses: Vec<String>,
}

impl LegacyHeader {
    pub(crate) fn new(upgrade: &Upgrade, addresses: Vec<&str>, privacy: &Privacy) -> Self {
        let path = hide_token(&upgrade.target).into_owned();
        let shown = |address: &str| match privacy.masks_addresses() {
            true => privacy.mask(Generation::Legacy, address.trim()),
            false => address.trim().to_owned(),
        };
        Self {
            url: format!("{}{path}", upgrade.origin),
            path,
            origin: present(&upgrade.origin),
            user_agent: present(&upgrade.user_agent),
            time: 0,
            file_format: 2,
            addresses: addresses.into_iter().map(shown).collect(),
        }
    }

    fn into_lines(mut self, opened: u64) -> String {
        self.time = opened;
        let mut lines = String::new();
        push_json(&self, &mut lines);
        lines.push_str("\n[\"publicIP\",null,");
        push_json(&self.addresses, &mut lines);
        lines.push_str(&format!(",{opened}]\n"));
        lines
    }
}

/// The line that ends a dump of a client whose session is its socket; none for Jitsi's. `code` is
/// the close code, `delta` the time since the last message, `now` the time, both in milliseconds.
pub(crate) fn close_line(
    generation: Generation,
    code: u16,
    delta: u64,
    now: u64,
) -> Option<String> {
    match generation {
        Generation::Jitsi => None,
        Generation::Rtcstats => Some(format!("[\"close\",null,{code},{delta}]\n")),
        Generation::Legacy => Some(format!("[\"close\",null,null,{now}]\n")),
    }
}

/// Whether a line is one that [`close_line`] made.
pub(crate) fn is_close_line(line: &str) -> bool {
    line.starts_with("[\"close\",null,")
}

/// The generation of a dump, from its first line.
pub(crate) fn generation_of(first_line: &str) -> Generation {
    if first_line.trim_end() == DUMP_HEADER {
        return Generation::Rtcstats;
    }
    let is_legacy = first_line.starts_with('{')
        && RawJson::parse(first_line.trim_end())
            .is_ok_and(|object| object.get("fileFormat").is_some());
    if is_legacy {
        Generation::Legacy
    } else {
        Generation::Jitsi
    }
}

/// When a dump was begun, from the object at its head, in Unix epoch milliseconds.
pub(crate) fn start_of(object: &str) -> Option<u64> {
    let object = RawJson::parse(object.trim_end()).ok()?;
    let start = object.get("startTime").or_else(|| object.get("time"))?;
    start.as_number().map(|start| start as u64)
}

fn present(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn push_json<T: Serialize>(value: &T, out: &mut String) {
    // Strings, numbers and JSON values can all be written.
    out.push_str(&serde_json::to_string(value).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upgrade() -> Upgrade {
        Upgrade {
            target: "/room?x=1".to_owned(),
            origin: "https://h".to_owned(),
            user_agent: "A".to_owned(),
            forwarded_for: "192.0.2.7, 2001:db8:1:2::5".to_owned(),
            ..Upgrade::default()
        }
    }

    fn lines_of(upgrade: &Upgrade, privacy: &Privacy, generation: Generation) -> String {
        let header = match generation {
            Generation::Legacy => Header::Legacy(Arc::new(LegacyHeader::new(
                upgrade,
                upgrade.forwarded_for.split(',').collect(),
                privacy,
            ))),
            _ => Header::Rtcstats(Arc::new(Metadata::new(
                upgrade,
                upgrade.forwarded_for.split(',').collect(),
                privacy,
            ))),
        };
        String::from_utf8(header.into_lines(5.5, 9.0).to_vec()).unwrap()
    }

    #[test]
    fn a_legacy_dump_begins_with_an_object_and_the_addresses() {
        let lines = lines_of(&upgrade(), &Privacy::default(), Generation::Legacy);
        assert_eq!(
            lines,
            concat!(
                r#"{"path":"/room?x=1","origin":"https://h","url":"https://h/room?x=1","userAgent":"A","time":5,"fileFormat":2}"#,
                "\n",
                r#"["publicIP",null,["192.0.2.7","2001:db8:1:2::5"],5]"#,
                "\n"
            )
        );
        let mut lines = lines.lines();
        let first = lines.next().unwrap();
        assert_eq!(generation_of(first), Generation::Legacy);
        assert_eq!(start_of(first), Some(5));
    }

    #[test]
    fn a_dump_of_5_0_begins_with_its_name_and_an_object() {
        let lines = lines_of(&upgrade(), &Privacy::default(), Generation::Rtcstats);
        let mut lines = lines.lines();
        assert_eq!(generation_of(lines.next().unwrap()), Generation::Rtcstats);
        let object = lines.next().unwrap();
        assert_eq!(
            object,
            r#"{"url":"/room?x=1","origin":"https://h","userAgent":"A","startTime":5,"remoteAddresses":["192.0.2.7"," 2001:db8:1:2::5"],"fileFormat":3}"#
        );
        assert_eq!(start_of(object), Some(5));
    }

    #[test]
    fn locations_stand_beside_the_addresses_they_are_of() {
        #[derive(Debug)]
        struct OnlyIpv6;

        impl crate::LocationDatabase for OnlyIpv6 {
            fn record(&self, address: std::net::IpAddr) -> Option<Value> {
                address.is_ipv6().then(|| serde_json::json!({ "a": 1 }))
            }
        }

        let privacy = Privacy {
            locations: Some(Arc::new(OnlyIpv6)),
            obfuscation: crate::Obfuscation::BeforeJournal,
            ..Privacy::default()
        };
        let lines = lines_of(&upgrade(), &privacy, Generation::Rtcstats);
        let expected = r#""remoteAddresses":["192.0.2.x"," 2001:db8:1x:x:x:x:x:x"],"locations":[null,{"a":1}],"#;
        assert!(lines.contains(expected), "{lines}");

        let many = Upgrade {
            forwarded_for: ["2001:db8::1"; 2_000].join(","),
            ..upgrade()
        };
        let lines = lines_of(&many, &privacy, Generation::Rtcstats);
        assert_eq!(lines.matches("{\"a\":1}").count(), MAX_LOCATIONS);
        assert_eq!(lines.matches("null").count(), 2_000 - MAX_LOCATIONS);
    }

    #[test]
    fn close_lines_are_told_from_others() {
        let line = close_line(Generation::Rtcstats, 1006, 12, 0).unwrap();
        assert_eq!(line, "[\"close\",null,1006,12]\n");
        assert!(is_close_line(&line));
        let legacy = close_line(Generation::Legacy, 1006, 12, 7).unwrap();
        assert_eq!(legacy, "[\"close\",null,null,7]\n");
        assert!(is_close_line(&legacy));
        assert_eq!(close_line(Generation::Jitsi, 1006, 12, 7), None);
        assert!(!is_close_line("[\"close\",\"PC_0\",null,5]"));
    }
}
