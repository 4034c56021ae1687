//! ICE candidate lines, as browsers write them (rtcstats 5.0 spec, section 11.2).

use std::borrow::Cow;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_till};
use nom::character::complete::{anychar, char};
use nom::combinator::{opt, rest};
use nom::sequence::preceded;

use crate::json::{is_javascript_space, write_number};

/// An ICE candidate, borrowed from its line.
///
/// The grammar is that of RFC 8839, section 5.1, read tolerantly: fields are separated by single
/// blanks, those that are missing at the end are absent, and none is checked.
///
/// ```
/// use rtcstats_proto::sdp::{Candidate, CandidateType};
///
/// let candidate = Candidate::parse(
///     "candidate:842163049 1 udp 1677729535 198.51.100.9 46154 typ srflx raddr 10.0.0.7 rport 46154 generation 0",
/// )?;
/// assert_eq!(candidate.candidate_type(), Some(CandidateType::ServerReflexive));
/// assert_eq!(candidate.address(), Some("198.51.100.9"));
/// assert_eq!(candidate.related_address(), Some("10.0.0.7"));
/// assert_eq!(candidate.type_preference(), 100);
/// assert_eq!(candidate.extensions().collect::<Vec<_>>(), [("generation", "0")]);
/// # Ok::<(), rtcstats_proto::sdp::CandidateError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    foundation: &'a str,
    component: &'a str,
    protocol: &'a str,
    priority: Option<&'a str>,
    address: Option<&'a str>,
    port: Option<&'a str>,
    candidate_type: Option<&'a str>,
    related_address: Option<&'a str>,
    related_port: Option<&'a str>,
    tcp_type: Option<&'a str>,
    username_fragment: Option<&'a str>,
    /// What follows the type.
    attributes: &'a str,
}

/// Text that is no candidate: it has fewer than three fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a candidate needs a foundation, a component and a protocol")]
pub struct CandidateError;

/// Which part of the flow a candidate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Component<'a> {
    /// `1`: RTP, and all there is where RTCP shares the port.
    Rtp,
    /// `2`: RTCP.
    Rtcp,
    /// Any other text.
    Other(&'a str),
}

/// How a candidate came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CandidateType<'a> {
    /// `host`: an address of an interface.
    Host,
    /// `srflx`: what a STUN server saw.
    ServerReflexive,
    /// `prflx`: what the peer saw.
    PeerReflexive,
    /// `relay`: an address of a TURN server.
    Relay,
    /// Any other text.
    Other(&'a str),
}

impl<'a> Candidate<'a> {
    /// Reads a candidate line, with or without `a=` in front.
    ///
    /// Existing readers strip the first ten characters, twelve behind `a=`, whatever they are, and so
    /// does this one. White space at the end stays in the last field.
    ///
    /// # Errors
    ///
    /// If there are fewer than three fields.
    pub fn parse(line: &'a str) -> Result<Self, CandidateError> {
        let (attributes, mut candidate) = candidate(line).map_err(|_| CandidateError)?;
        candidate.attributes = attributes;
        for (name, value) in candidate.attribute_pairs() {
            candidate.read_attribute(name, value);
        }
        Ok(candidate)
    }

    fn read_attribute(&mut self, name: &'a str, value: Option<&'a str>) {
        match name {
            "raddr" => self.related_address = value,
            // Without a value it is not a number, and yet there.
            "rport" => self.related_port = Some(value.unwrap_or_default()),
            "tcptype" => self.tcp_type = value,
            "ufrag" => self.username_fragment = value,
            // Names that readers in JavaScript take for the members they have.
            "relatedAddress" => self.related_address = self.related_address.or(value),
            "relatedPort" => self.related_port = self.related_port.or(value),
            "tcpType" => self.tcp_type = self.tcp_type.or(value),
            "usernameFragment" => self.username_fragment = self.username_fragment.or(value),
            _ => {}
        }
    }

    /// What tells whether two candidates have the same base.
    pub fn foundation(&self) -> &'a str {
        self.foundation
    }

    /// Which part of the flow it is for.
    pub fn component(&self) -> Component<'a> {
        match self.component {
            "1" => Component::Rtp,
            "2" => Component::Rtcp,
            other => Component::Other(other),
        }
    }

    /// The transport protocol in lower case: `udp`, `tcp`, `ssltcp`.
    pub fn protocol(&self) -> Cow<'a, str> {
        let is_lower = |character: char| character.to_lowercase().eq([character]);
        if self.protocol.chars().all(is_lower) {
            Cow::Borrowed(self.protocol)
        } else {
            Cow::Owned(self.protocol.to_lowercase())
        }
    }

    /// The priority, if it is a number. Not checked: it may be negative or beyond 32 bits.
    pub fn priority(&self) -> Option<f64> {
        leading_integer(self.priority?)
    }

    /// The type preference, the upper eight bits of the priority, as JavaScript's `priority >> 24`: 0
    /// without a priority, negative from 2³¹ on.
    pub fn type_preference(&self) -> i32 {
        self.priority().map_or(0, type_preference)
    }

    /// The address: IPv4, IPv6, or a host name such as that of mDNS.
    pub fn address(&self) -> Option<&'a str> {
        self.address
    }

    /// The port, if it is a number.
    pub fn port(&self) -> Option<f64> {
        leading_integer(self.port?)
    }

    /// How it came about.
    pub fn candidate_type(&self) -> Option<CandidateType<'a>> {
        self.candidate_type.map(CandidateType::from_text)
    }

    /// Where a candidate that is not of type `host` was obtained from (`raddr`).
    pub fn related_address(&self) -> Option<&'a str> {
        self.related_address
    }

    /// The port that goes with the related address (`rport`), if it is a number.
    pub fn related_port(&self) -> Option<f64> {
        leading_integer(self.related_port?)
    }

    /// Who opens the connection of a TCP candidate: `active`, `passive`, `so` (`tcptype`).
    pub fn tcp_type(&self) -> Option<&'a str> {
        self.tcp_type
    }

    /// The ICE user name that the candidate belongs to (`ufrag`).
    pub fn username_fragment(&self) -> Option<&'a str> {
        self.username_fragment
    }

    /// The other attributes, such as `generation`, `network-id` and `network-cost`, in written order.
    /// Of those with the same name existing readers take the first. One that has no value, or the name
    /// of a part of the candidate, is none.
    pub fn extensions(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        const PARTS: [&str; 17] = [
            "raddr",
            "rport",
            "tcptype",
            "ufrag",
            "foundation",
            "component",
            "protocol",
            "priority",
            "ip",
            "address",
            "port",
            "type",
            "relatedAddress",
            "relatedPort",
            "tcpType",
            "usernameFragment",
            // Not a name at all: two blanks in a row.
            "",
        ];
        self.attribute_pairs()
            .filter(|(name, _)| !PARTS.contains(name))
            .filter_map(|(name, value)| Some((name, value?)))
    }

    fn attribute_pairs(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        let attributes = (!self.attributes.is_empty()).then_some(self.attributes);
        // The attributes begin with the blank in front of the first one.
        let mut fields = attributes
            .into_iter()
            .flat_map(|text| text.split(' ').skip(1));
        std::iter::from_fn(move || Some((fields.next()?, fields.next())))
    }

    /// The same candidate with other addresses, and without the second one if it had none.
    #[must_use]
    pub fn with_addresses(self, address: &'a str, related_address: &'a str) -> Self {
        Self {
            address: Some(address),
            related_address: self.related_address.map(|_| related_address),
            ..self
        }
    }

    /// Appends the candidate to `out` in the normal form of the existing writer: no `a=`, the
    /// protocol in upper case, the related address unless the type is `host`, the TCP type only for
    /// TCP, and of the attributes only the user name fragment.
    ///
    /// ```
    /// use rtcstats_proto::sdp::Candidate;
    /// let candidate = Candidate::parse("a=candidate:1 1 udp 2122260223 10.0.0.7 9 typ host generation 0")?;
    /// let mut line = String::new();
    /// candidate.write(&mut line);
    /// assert_eq!(line, "candidate:1 1 UDP 2122260223 10.0.0.7 9 typ host");
    /// # Ok::<(), rtcstats_proto::sdp::CandidateError>(())
    /// ```
    pub fn write(&self, out: &mut String) {
        out.push_str("candidate:");
        out.push_str(self.foundation);
        out.push(' ');
        out.push_str(self.component);
        out.push(' ');
        // By way of the lower case, as the existing writer does.
        out.push_str(&self.protocol().to_uppercase());
        out.push(' ');
        write_integer(self.priority, out);
        out.push(' ');
        out.push_str(self.address.unwrap_or_default());
        out.push(' ');
        write_integer(self.port, out);
        out.push_str(" typ ");
        out.push_str(self.candidate_type.unwrap_or_default());
        self.write_attributes(out);
    }

    fn write_attributes(&self, out: &mut String) {
        let not_empty = |text: &&str| !text.is_empty();
        let is_host = self.candidate_type() == Some(CandidateType::Host);
        if let Some(address) = self.related_address.filter(not_empty)
            && self.related_port.is_some()
            && !is_host
        {
            out.push_str(" raddr ");
            out.push_str(address);
            out.push_str(" rport ");
            write_integer(self.related_port, out);
        }
        if let Some(tcp_type) = self.tcp_type.filter(not_empty)
            && self.protocol() == "tcp"
        {
            out.push_str(" tcptype ");
            out.push_str(tcp_type);
        }
        if let Some(fragment) = self.username_fragment.filter(not_empty) {
            out.push_str(" ufrag ");
            out.push_str(fragment);
        }
    }
}

/// Shows the type only: the rest is personal data.
impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Candidate({:?})", self.candidate_type())
    }
}

impl<'a> CandidateType<'a> {
    /// The type with this name, in a candidate line or in a stats object.
    pub fn from_text(text: &'a str) -> Self {
        match text {
            "host" => Self::Host,
            "srflx" => Self::ServerReflexive,
            "prflx" => Self::PeerReflexive,
            "relay" => Self::Relay,
            other => Self::Other(other),
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'a str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relay => "relay",
            Self::Other(other) => other,
        }
    }
}

/// The upper eight bits of a candidate's priority, as JavaScript's `priority >> 24`: what kind of
/// candidate it is in the eyes of the browser.
///
/// ```
/// assert_eq!(rtcstats_proto::sdp::type_preference(2_122_260_223.0), 126);
/// ```
pub fn type_preference(priority: f64) -> i32 {
    const TWO_TO_THE_32: f64 = 4_294_967_296.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within 32 bits after the remainder; the sign bit is meant to become one"
    )]
    let bits = priority.trunc().rem_euclid(TWO_TO_THE_32) as u32;
    bits.cast_signed() >> 24
}

/// JavaScript's `parseInt(text, 10)`.
fn leading_integer(text: &str) -> Option<f64> {
    let text = text.trim_start_matches(is_javascript_space);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(digits.len());
    let magnitude: f64 = digits.get(..end)?.parse().ok()?;
    Some(sign * magnitude)
}

fn write_integer(text: Option<&str>, out: &mut String) {
    match text.and_then(leading_integer) {
        Some(number) if number.is_finite() => write_number(number, out),
        Some(number) if number > 0.0 => out.push_str("Infinity"),
        Some(_) => out.push_str("-Infinity"),
        None => out.push_str("NaN"),
    }
}

type Parsed<'a, T> = nom::IResult<&'a str, T>;

/// The candidate without its attributes, which are left over.
fn candidate(line: &str) -> Parsed<'_, Candidate<'_>> {
    let (line, _) = prefix(line)?;
    let (line, (foundation, component, protocol)) = (field, next_field, next_field).parse(line)?;
    let (line, (priority, address, port)) =
        (opt(next_field), opt(next_field), opt(next_field)).parse(line)?;
    let (attributes, candidate_type) = opt(preceded(next_field, opt(next_field))).parse(line)?;
    let candidate = Candidate {
        foundation,
        component,
        protocol,
        priority,
        address,
        port,
        candidate_type: candidate_type.flatten(),
        related_address: None,
        related_port: None,
        tcp_type: None,
        username_fragment: None,
        attributes: "",
    };
    Ok((attributes, candidate))
}

/// `a=candidate:`, or else ten characters of any kind.
fn prefix(line: &str) -> Parsed<'_, ()> {
    const LENGTH: usize = "candidate:".len();
    let attribute = tag("a=candidate:").map(|_| ());
    // JavaScript counts what lies beyond 16 bits twice.
    let others = |line| {
        let (mut line, mut length) = (line, 0);
        while length < LENGTH {
            let (tail, character) = anychar(line)?;
            length += char::len_utf16(character);
            line = tail;
        }
        Ok((line, ()))
    };
    // A text that is shorter is used up.
    alt((attribute, others, rest.map(|_| ()))).parse(line)
}

fn field(text: &str) -> Parsed<'_, &str> {
    take_till(|character| character == ' ').parse(text)
}

fn next_field(text: &str) -> Parsed<'_, &str> {
    preceded(char(' '), field).parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(line: &str) -> String {
        let mut out = String::new();
        Candidate::parse(line).unwrap().write(&mut out);
        out
    }

    #[test]
    fn what_was_written_is_read_the_same() {
        for line in [
            "candidate:1 1 UDP 2122260223 10.0.0.7 9 typ host",
            "candidate:1 2 TCP 1518280447 2001:db8::7 9 typ host tcptype passive ufrag abcd",
            "candidate:1 7 UDP 7 198.51.100.9 9 typ srflx raddr 0.0.0.0 rport 0 ufrag abcd",
        ] {
            assert_eq!(written(line), line);
        }
    }

    #[test]
    fn a_later_attribute_overwrites_unless_it_is_an_extension() {
        let candidate =
            Candidate::parse("candidate:1 1 udp 1 a 1 typ host ufrag x ufrag y usernameFragment z")
                .unwrap();
        assert_eq!(candidate.username_fragment(), Some("y"));
        let candidate =
            Candidate::parse("candidate:1 1 udp 1 a 1 typ host usernameFragment z foundation q")
                .unwrap();
        assert_eq!(candidate.username_fragment(), Some("z"));
        assert_eq!(candidate.foundation(), "1");
        assert_eq!(candidate.extensions().count(), 0);
    }

    #[test]
    fn fields_that_are_missing_are_absent() {
        let candidate = Candidate::parse("candidate:1 1 udp").unwrap();
        assert_eq!(candidate.priority(), None);
        assert_eq!(candidate.address(), None);
        assert_eq!(candidate.candidate_type(), None);
        assert_eq!(candidate.type_preference(), 0);
        for text in ["", "candidate:", "candidate:1 1", "x"] {
            assert_eq!(Candidate::parse(text), Err(CandidateError), "{text}");
        }
    }

    #[test]
    fn the_type_preference_has_a_sign() {
        let preference = |priority: &str| {
            let line = format!("candidate:1 1 udp {priority} 192.0.2.1 9 typ host");
            Candidate::parse(&line).unwrap().type_preference()
        };
        assert_eq!(preference("2122260223"), 126);
        assert_eq!(preference("2147483648"), -128);
        assert_eq!(preference("4294967296"), 0);
        assert_eq!(preference("-1"), -1);
        assert_eq!(preference("1e400"), 0);
    }

    #[test]
    fn characters_beyond_16_bits_count_twice_in_the_prefix() {
        let candidate = Candidate::parse("😀😀😀😀😀1 1 udp").unwrap();
        assert_eq!(candidate.foundation(), "1");
    }
}
