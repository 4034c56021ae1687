//! What is masked in the value of an event.

use std::borrow::Cow;

use super::address::{self, mask_all, mask_host, mask_host_legacy, mask_strictly};
use super::literal;
use super::obfuscate::Mode;
use super::splice::Splice;
use crate::json::{JsonKind, Reader, is_javascript_space};
use crate::sdp::{Candidate, CandidateType, SessionDescription};
use crate::{Generation, Limits, Method, RawJson};

/// Which part of a value holds addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// The member `candidate`.
    Candidate,
    /// The member `sdp`.
    Description,
    /// The members of every report.
    Stats,
    /// The value itself, or its elements.
    PublicAddress,
}

/// The value has not the shape that the rule wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure;

impl Rule {
    /// The rule for events of this name, or code in rtcstats 5.0.
    pub(super) fn of(mode: Mode, name: &str) -> Option<Self> {
        use Generation::{Jitsi, Legacy, Rtcstats};
        let has_codes = matches!(mode, Mode::Server(Rtcstats) | Mode::Strict);
        let from_code = || Method::from_code(name).filter(|_| has_codes);
        let method = Method::from_name(name).or_else(from_code)?;
        match method {
            Method::AddIceCandidate | Method::OnIceCandidate => Some(Self::Candidate),
            Method::SetLocalDescription
            | Method::SetRemoteDescription
            | Method::CreateOfferOnSuccess
            | Method::CreateAnswerOnSuccess => Some(Self::Description),
            Method::SetLocalDescriptionOnSuccess => has_codes.then_some(Self::Description),
            Method::GetStats => Some(Self::Stats),
            Method::CompressedGetStats => (mode != Mode::Server(Rtcstats)).then_some(Self::Stats),
            // Written by servers; Jitsi's does not.
            Method::PublicIp => match mode {
                Mode::Client | Mode::Server(Jitsi) => None,
                Mode::Server(Legacy | Rtcstats) | Mode::Strict => Some(Self::PublicAddress),
            },
            _ => None,
        }
    }

    /// Masks the value, which is a part of what `splice` copies.
    pub(super) fn apply<'l>(
        self,
        mode: Mode,
        value: RawJson<'l>,
        splice: &mut Splice<'l, '_>,
    ) -> Result<(), Failure> {
        match self {
            Self::Candidate => mode.replace_member(value, "candidate", splice, write_candidate),
            Self::Description => mode.replace_member(value, "sdp", splice, write_description),
            Self::Stats => {
                let members = value.members().map(|(_, report)| report);
                members
                    .chain(value.elements())
                    .filter(|report| report.kind() == JsonKind::Object)
                    .try_for_each(|report| mode.replace_in_report(report, splice))
            }
            Self::PublicAddress => match value.kind() {
                JsonKind::Array => value
                    .elements()
                    .try_for_each(|address| mode.replace_address(address, splice)),
                JsonKind::Null if mode == Mode::Strict => Ok(()),
                _ => mode.replace_address(value, splice),
            },
        }
    }
}

type WriteMasked = fn(Mode, &str, &mut String) -> Result<(), Failure>;

impl Mode {
    /// Masks one address.
    pub(super) fn mask(self, address: &str) -> Cow<'_, str> {
        match self {
            Self::Client => Cow::Borrowed(mask_all(address)),
            Self::Server(Generation::Legacy) => mask_host_legacy(address),
            Self::Server(Generation::Jitsi | Generation::Rtcstats) => mask_host(address),
            Self::Strict => mask_strictly(address),
        }
    }

    /// Whether the rules are those of Jitsi's client, which the legacy server has too.
    fn has_rules_of_jitsi(self) -> bool {
        matches!(
            self,
            Self::Client | Self::Server(Generation::Jitsi | Generation::Legacy)
        )
    }

    fn replace_member<'l>(
        self,
        value: RawJson<'l>,
        name: &str,
        splice: &mut Splice<'l, '_>,
        write: WriteMasked,
    ) -> Result<(), Failure> {
        let mut members = value.members().filter(|(own, _)| own == name).peekable();
        while let Some((_, member)) = members.next() {
            if members.peek().is_some() && !member.is_null() {
                // Readers take the last of several. The others must not show what it hides.
                splice.replace_value(member, |out| out.push_str("null"));
            } else if member.is_truthy() {
                let text = member.as_text().ok_or(Failure)?;
                let mut masked = String::with_capacity(text.len());
                write(self, &text, &mut masked)?;
                splice.replace_text(member, &text, &masked);
            }
        }
        Ok(())
    }

    fn replace_address<'l>(
        self,
        address: RawJson<'l>,
        splice: &mut Splice<'l, '_>,
    ) -> Result<(), Failure> {
        let text = address.as_text().ok_or(Failure)?;
        splice.replace_text(address, &text, &self.mask(&text));
        Ok(())
    }

    fn replace_in_report<'l>(
        self,
        report: RawJson<'l>,
        splice: &mut Splice<'l, '_>,
    ) -> Result<(), Failure> {
        let has = |name| report.get(name).is_some_and(RawJson::is_truthy);
        let is = |name, text| report.get(name).is_some_and(|value| value.is_text(text));
        let parts = match self {
            Self::Strict => ReportParts {
                address: true,
                coded_address: true,
                related_address: true,
                ip: IpMember::Mask,
                other_names: true,
            },
            _ if self.has_rules_of_jitsi() => {
                let relay = if self == Self::Server(Generation::Legacy) {
                    "relayed"
                } else {
                    "relay"
                };
                let is_relay = is("candidateType", relay);
                ReportParts {
                    address: !is_relay,
                    coded_address: false,
                    related_address: false,
                    ip: if is_relay {
                        IpMember::Keep
                    } else {
                        IpMember::Mask
                    },
                    other_names: true,
                }
            }
            _ => {
                let address = has("address") && !is("candidateType", "relay");
                let coded_address = has("134") && !is("136", "relay");
                let has_address = address || coded_address;
                ReportParts {
                    address,
                    coded_address,
                    related_address: true,
                    ip: if has_address {
                        IpMember::Remove
                    } else {
                        IpMember::Keep
                    },
                    other_names: false,
                }
            }
        };
        self.replace_parts(report, parts, splice)
    }

    fn replace_parts<'l>(
        self,
        report: RawJson<'l>,
        parts: ReportParts,
        splice: &mut Splice<'l, '_>,
    ) -> Result<(), Failure> {
        let offset = splice.offset_of(report);
        // Behind the last member that stays or goes, and whether one stays.
        let mut previous_end = None;
        let mut has_kept = false;
        let mut members = ReportMembers::new(report).peekable();
        while let Some(member) = members.next() {
            let start = member.start;
            let end = member.end;
            let is_text = member.value.is_truthy();
            match &*member.name {
                "ip" if parts.ip == IpMember::Remove => {
                    // With the comma before it, or the one behind it if nothing stays before it.
                    let from = previous_end.filter(|_| has_kept).unwrap_or(start);
                    let next = members.peek().map(|next| next.start);
                    let to = next.filter(|_| !has_kept).unwrap_or(end);
                    splice.replace(offset + from..offset + to, |_| {});
                }
                name => {
                    if is_text && parts.masks(name) {
                        self.replace_address(member.value, splice)?;
                    } else if is_text
                        && parts.other_names
                        && matches!(name, "googLocalAddress" | "googRemoteAddress")
                    {
                        self.replace_address_and_port(member.value, splice)?;
                    }
                    has_kept = true;
                }
            }
            previous_end = Some(end);
        }
        Ok(())
    }

    fn replace_address_and_port<'l>(
        self,
        value: RawJson<'l>,
        splice: &mut Splice<'l, '_>,
    ) -> Result<(), Failure> {
        let text = value.as_text().ok_or(Failure)?;
        // One that is masked may lack a port, and ends in what looks like one.
        if self.mask(&text) == text {
            return Ok(());
        }
        // Without a port, what stands behind the last colon is a part of the address.
        if self == Self::Strict && address::parse(&text).is_some() {
            return self.replace_address(value, splice);
        }
        let masked = match text.rsplit_once(':') {
            Some((address, port)) => {
                // Those of IPv6 have brackets, which are not kept.
                let address = address.trim_matches(['[', ']']);
                format!("{}:{port}", self.mask(address))
            }
            None => self.mask(&text).into_owned(),
        };
        splice.replace_text(value, &text, &masked);
        Ok(())
    }
}

/// What is done to the members of a report.
#[derive(Debug, Clone, Copy)]
struct ReportParts {
    address: bool,
    coded_address: bool,
    related_address: bool,
    ip: IpMember,
    /// The names of the older generations.
    other_names: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IpMember {
    Keep,
    Mask,
    Remove,
}

impl ReportParts {
    fn masks(&self, name: &str) -> bool {
        match name {
            "address" => self.address,
            "134" => self.coded_address,
            "relatedAddress" | "141" => self.related_address,
            "ip" => self.ip == IpMember::Mask,
            "ipAddress" => self.other_names && self.ip == IpMember::Mask,
            _ => false,
        }
    }
}

/// The members of an object with their places in its text.
#[derive(Debug)]
struct ReportMembers<'a> {
    reader: Option<Reader<'a>>,
}

#[derive(Debug)]
struct ReportMember<'a> {
    name: Cow<'a, str>,
    value: RawJson<'a>,
    /// Where its name begins.
    start: usize,
    /// Where its value ends.
    end: usize,
}

impl<'a> ReportMembers<'a> {
    fn new(report: RawJson<'a>) -> Self {
        let mut reader = Reader::new(report.as_str(), Limits::MAX_DEPTH);
        let is_open = reader.take(b'{') && reader.peek() == Some(b'"');
        Self {
            reader: is_open.then_some(reader),
        }
    }
}

impl<'a> Iterator for ReportMembers<'a> {
    type Item = ReportMember<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = self.reader.take()?;
        reader.skip_space();
        let start = reader.position();
        let name = reader.key().ok()?.resolve();
        let value = RawJson::trusted(reader.value().ok()?);
        let end = reader.position();
        if reader.more(b'}').ok()? {
            self.reader = Some(reader);
        }
        Some(ReportMember {
            name,
            value,
            start,
            end,
        })
    }
}

fn write_candidate(mode: Mode, line: &str, out: &mut String) -> Result<(), Failure> {
    // The first characters are taken for that whatever they are, which could tear an address apart.
    if mode == Mode::Strict && !line.starts_with("candidate:") && !line.starts_with("a=candidate:")
    {
        return Err(Failure);
    }
    // Any of the fields may hold an address, and some are written in another case.
    let line = match mode {
        Mode::Strict => literal::masked(line),
        _ => Cow::Borrowed(line),
    };
    let candidate = Candidate::parse(&line).map_err(|_| Failure)?;
    let address = candidate.address().ok_or(Failure)?;
    let is_kept = match mode {
        Mode::Strict => false,
        _ if mode.has_rules_of_jitsi() && candidate.protocol() == "ssltcp" => true,
        _ => candidate.candidate_type() == Some(CandidateType::Relay),
    };
    let masked = if is_kept {
        Cow::Borrowed(address)
    } else {
        mode.mask(address)
    };
    // An empty one is not masked, nor written.
    let related = candidate.related_address().filter(|text| !text.is_empty());
    let related = related.map_or(Cow::Borrowed(""), |related| mode.mask(related));
    candidate.with_addresses(&masked, &related).write(out);
    Ok(())
}

fn write_description(mode: Mode, sdp: &str, out: &mut String) -> Result<(), Failure> {
    let mut lines = String::with_capacity(sdp.len());
    for line in SessionDescription::new(sdp).lines() {
        if line.starts_with("a=candidate:") {
            lines.push_str("a=");
            write_candidate(mode, line, &mut lines)?;
            // The next time the line would be trimmed.
            lines.truncate(lines.trim_end_matches(is_javascript_space).len());
        } else if line.starts_with("c=") {
            lines.push_str("c=IN IP4 0.0.0.0");
        } else if line.starts_with("a=rtcp:") {
            lines.push_str("a=rtcp:9 IN IP4 0.0.0.0");
        } else {
            lines.push_str(line);
        }
        lines.push_str("\r\n");
    }
    out.push_str(lines.trim_matches(is_javascript_space));
    out.push_str("\r\n");
    Ok(())
}
