//! One session of any length from a short sequence of reports.
//!
//! The sequence is repeated. So that it goes on as a call does, each member is classified over the whole
//! sequence: *times* (name ends in `imestamp`, value above 10¹¹) and *counters* (never decrease, and
//! grow) go on from where the last round ended, *gauges* that are no integers vary by 5 %. Numbers
//! keep the decimals they were recorded with.

use std::collections::HashMap;
use std::fmt::Write;

use rtcstats_proto::delta::Encoder;
use rtcstats_proto::{Event, Limits, Method, RawJson, Scope};

use crate::{Dump, Mulberry32, recording};

/// A new speaker every so many seconds.
const SPEAKER_SECONDS: usize = 10;
/// An offer and its answer every so many seconds.
const NEGOTIATION_SECONDS: usize = 60;
const START: u64 = 1_700_000_000_000;

/// A session of `bytes`: so many connections that send what `reports` say, with other SSRCs and at other
/// points of the sequence, between the signalling of a recorded call.
pub fn spun(reports: &[String], connections: usize, bytes: usize) -> Dump {
    let sequence = Sequence::new(reports);
    let template = Template::new(&recording::own());
    let mut session = Session::default();
    let mut connections: Vec<_> = (0..connections)
        .map(|number| {
            let offset = number * sequence.reports.len() / connections;
            Connection::new(number, offset, &sequence)
        })
        .collect();
    for line in &template.opening {
        session.push(&line.name, None, &line.payload);
    }
    for connection in &connections {
        for line in &template.signalling {
            session.push(&line.name, Some(&connection.key), &line.payload);
        }
    }
    for second in 0.. {
        if session.bytes >= bytes {
            break;
        }
        session.second = second;
        if second % SPEAKER_SECONDS == 0 {
            let endpoint = second / SPEAKER_SECONDS % 7;
            let speaker = format!(
                "{{\"dominantSpeakerEndpoint\":\"a1b2c3d{endpoint}\",\"previousSpeakers\":[]}}"
            );
            session.push("dominantSpeaker", None, &speaker);
        }
        for connection in &mut connections {
            if second % NEGOTIATION_SECONDS == NEGOTIATION_SECONDS / 2 {
                for line in template
                    .signalling
                    .iter()
                    .filter(|line| line.is_negotiation)
                {
                    session.push(&line.name, Some(&connection.key), &line.payload);
                }
            }
            let delta = connection.poll(&sequence, second);
            session.push("getstats", Some(&connection.key), &delta);
        }
    }
    Dump {
        lines: session.lines,
    }
}

#[derive(Default)]
struct Session {
    lines: Vec<String>,
    bytes: usize,
    second: usize,
}

impl Session {
    fn push(&mut self, name: &str, connection: Option<&str>, payload: &str) {
        let time = START + self.second as u64 * 1_000;
        let line = match connection {
            // Connection header: the one line without a number.
            None if self.lines.is_empty() => format!("[\"{name}\",null,{payload},{time}]"),
            None => format!("[\"{name}\",null,{payload},{time},{}]", self.lines.len()),
            Some(key) => format!(
                "[\"{name}\",\"{key}\",{payload},{time},{}]",
                self.lines.len()
            ),
        };
        self.bytes += line.len() + 1;
        self.lines.push(line);
    }
}

/// What surrounds the reports.
struct Template {
    /// Header, identity and the like.
    opening: Vec<TemplateLine>,
    /// One connection up to its first report.
    signalling: Vec<TemplateLine>,
}

struct TemplateLine {
    name: String,
    payload: String,
    /// Whether it is part of an offer and its answer.
    is_negotiation: bool,
}

impl Template {
    fn new(dump: &str) -> Self {
        let (mut opening, mut signalling) = (Vec::new(), Vec::new());
        for line in dump.lines() {
            let event = Event::parse(line).unwrap();
            if event.method() == Some(Method::CompressedGetStats) {
                break;
            }
            let name = event.name().to_owned();
            let line = TemplateLine {
                is_negotiation: ["Offer", "Answer", "Description"]
                    .iter()
                    .any(|part| name.contains(part)),
                name,
                payload: event.payload().as_str().to_owned(),
            };
            match event.scope() {
                Scope::Client => opening.push(line),
                Scope::PeerConnection("PC_0") => signalling.push(line),
                Scope::PeerConnection(_) => {}
            }
        }
        Self {
            opening,
            signalling,
        }
    }
}

/// The reports, parsed and classified.
struct Sequence {
    reports: Vec<Report>,
    /// By object id and member name.
    growth: HashMap<(String, String), Growth>,
    ssrcs: Vec<String>,
}

type Report = Vec<(String, Vec<(String, Member)>)>;

enum Member {
    Number {
        value: f64,
        decimals: usize,
    },
    /// As it was written.
    Other(String),
}

/// How a member goes on in the next round.
#[derive(Debug, Clone, Copy)]
enum Growth {
    /// By so much a round.
    Counter(f64),
    Gauge,
}

impl Sequence {
    fn new(reports: &[String]) -> Self {
        let reports: Vec<Report> = reports.iter().map(|report| parsed(report)).collect();
        let growth = classified(&reports);
        let mut ssrcs: Vec<String> = Vec::new();
        for (name, member) in reports.iter().flatten().flat_map(|(_, members)| members) {
            if let Member::Number { value, .. } = member
                && matches!(name.as_str(), "ssrc" | "rtxSsrc" | "fecSsrc")
            {
                ssrcs.push(value.to_string());
            }
        }
        ssrcs.sort();
        ssrcs.dedup();
        Self {
            reports,
            growth,
            ssrcs,
        }
    }
}

fn parsed(report: &str) -> Report {
    let objects = RawJson::parse(report).unwrap();
    let members = |object: RawJson<'_>| {
        let members = object.members();
        members
            .map(|(name, value)| (name.into_owned(), Member::from(value)))
            .collect()
    };
    objects
        .members()
        .map(|(id, object)| (id.into_owned(), members(object)))
        .collect()
}

impl From<RawJson<'_>> for Member {
    fn from(value: RawJson<'_>) -> Self {
        let text = value.as_str();
        match value.as_number() {
            Some(number) if !text.contains(['e', 'E']) => Self::Number {
                value: number,
                decimals: text
                    .split_once('.')
                    .map_or(0, |(_, decimals)| decimals.len()),
            },
            _ => Self::Other(text.to_owned()),
        }
    }
}

fn classified(reports: &[Report]) -> HashMap<(String, String), Growth> {
    struct Path {
        first: f64,
        last: f64,
        is_monotone: bool,
    }
    let mut paths: HashMap<(String, String), Path> = HashMap::new();
    for (id, members) in reports.iter().flatten() {
        for (name, member) in members {
            let Member::Number { value, .. } = *member else {
                continue;
            };
            let new = Path {
                first: value,
                last: value,
                is_monotone: true,
            };
            let path = paths.entry((id.clone(), name.clone())).or_insert(new);
            path.is_monotone &= value >= path.last;
            path.last = value;
        }
    }
    let rounds = 1.0 + 1.0 / (reports.len() as f64 - 1.0);
    let round_milliseconds = reports.len() as f64 * 1_000.0;
    let growth = |((id, name), path): ((String, String), Path)| {
        let growth = if name.ends_with("imestamp") && path.last > 1e11 {
            Growth::Counter(round_milliseconds)
        } else if path.is_monotone && path.last > path.first {
            Growth::Counter((path.last - path.first) * rounds)
        } else {
            Growth::Gauge
        };
        ((id, name), growth)
    };
    paths.into_iter().map(growth).collect()
}

/// One peer connection of the session.
struct Connection {
    key: String,
    /// How far into the sequence it begins.
    offset: usize,
    encoder: Encoder,
    random: Mulberry32,
    /// SSRCs of the recording, and this connection's own.
    ssrcs: Vec<(String, String)>,
}

impl Connection {
    fn new(number: usize, offset: usize, sequence: &Sequence) -> Self {
        let mut random = Mulberry32::new(number as u32 + 1);
        let ssrcs = sequence
            .ssrcs
            .iter()
            .map(|ssrc| (ssrc.clone(), random.next_in(1e9, 4.2e9).trunc().to_string()))
            .collect();
        Self {
            key: format!("PC_{number}"),
            offset,
            encoder: Encoder::jitsi(Limits::default()),
            random,
            ssrcs,
        }
    }

    /// The delta that is sent at this second.
    fn poll(&mut self, sequence: &Sequence, second: usize) -> String {
        let place = self.offset + second;
        let (round, index) = (
            place / sequence.reports.len(),
            place % sequence.reports.len(),
        );
        let report = sequence.reports.get(index).unwrap();
        let full = self.full_report(report, &sequence.growth, round);
        let mut delta = String::new();
        self.encoder
            .encode(RawJson::parse(&full).unwrap(), &mut delta)
            .unwrap();
        delta
    }

    fn full_report(
        &mut self,
        report: &Report,
        growth: &HashMap<(String, String), Growth>,
        round: usize,
    ) -> String {
        let mut out = String::from("{");
        for (index, (id, members)) in report.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(out, "{comma}\"{}\":{{", self.with_ssrcs(id)).unwrap();
            for (index, (name, member)) in members.iter().enumerate() {
                let comma = if index > 0 { "," } else { "" };
                write!(out, "{comma}\"{name}\":").unwrap();
                match member {
                    Member::Other(text) => out.push_str(&self.with_ssrcs(text)),
                    Member::Number { value, .. } if name.ends_with("src") => {
                        out.push_str(&self.with_ssrcs(&value.to_string()));
                    }
                    Member::Number { value, decimals } => {
                        let growth = growth.get(&(id.clone(), name.clone())).copied();
                        let value = match growth.unwrap_or(Growth::Gauge) {
                            Growth::Counter(growth) => value + growth * round as f64,
                            Growth::Gauge if round > 0 && *decimals > 0 => {
                                value * self.random.next_in(0.95, 1.05)
                            }
                            Growth::Gauge => *value,
                        };
                        let rounded: f64 = format!("{value:.decimals$}").parse().unwrap();
                        rtcstats_proto::json::write_number(rounded, &mut out);
                    }
                }
            }
            out.push('}');
        }
        out.push('}');
        out
    }

    fn with_ssrcs(&self, text: &str) -> String {
        let found = self
            .ssrcs
            .iter()
            .find(|(recorded, _)| text.contains(recorded.as_str()));
        found.map_or_else(
            || text.to_owned(),
            |(recorded, own)| text.replace(recorded, own),
        )
    }
}

#[cfg(test)]
mod tests {
    use rtcstats_proto::delta::Decoder;
    use rtcstats_proto::stats::Stats;

    use super::*;

    #[test]
    fn counters_go_on_in_the_next_round() {
        let report = |time: u64, bytes: u64| {
            format!(
                "{{\"T\":{{\"timestamp\":{time},\"type\":\"transport\",\"bytesSent\":{bytes},\"ssrc\":12345678}}}}"
            )
        };
        let reports = [report(1_600_000_000_000, 10), report(1_600_000_001_000, 20)];
        let dump = spun(&reports, 3, 400_000);
        let (mut decoder, mut stats) = (Decoder::jitsi(Limits::default()), Stats::default());
        let mut last = 0.0;
        for line in &dump.lines {
            let event = Event::parse(line).unwrap();
            if event.name() == "getstats" && event.scope() == Scope::PeerConnection("PC_0") {
                decoder.decode(event.payload(), &mut stats).unwrap();
                let transport = stats.get("T").unwrap();
                let bytes = transport.get_by_name("bytesSent").unwrap().to_number();
                assert_eq!(bytes, last + 10.0);
                last = bytes;
            }
        }
        assert!(last > 50.0);
    }
}
