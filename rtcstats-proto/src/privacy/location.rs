//! Where the addresses of candidates are, noted before they are masked.

use std::net::IpAddr;

use super::address;
use super::obfuscate::value_of;
use super::splice::Splice;
use crate::json::{JsonKind, Reader, write_text};
use crate::sdp::Candidate;
use crate::{Limits, Method, RawJson};

/// Where an address is, as far as a database knows. Names are in English.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// The continent, such as `Europe`.
    pub continent: Option<String>,
    /// The country.
    pub country: Option<String>,
    /// The city.
    pub city: Option<String>,
}

/// Adds the locations of candidates to lines of rtcstats 5.0 (spec, section 11.6).
///
/// To be used before the addresses are masked. Candidates of every type are looked up, but only where the
/// address is a literal one: never a host name.
///
/// ```
/// use rtcstats_proto::Limits;
/// use rtcstats_proto::privacy::{Location, Locator};
///
/// let locator = Locator::new(
///     |_address| Some(Location { country: Some("Norway".to_owned()), ..Location::default() }),
///     Limits::default(),
/// );
/// let line = r#"[20,"PC_0",{"candidate":"candidate:7 1 udp 5 198.51.100.9 4000 typ srflx"},12]"#;
/// let mut out = String::new();
/// assert!(locator.line(line, &mut out));
/// assert!(out.ends_with(r#"},{"rtcstatsLocation":{"country":"Norway"}},12]"#));
/// ```
#[derive(Debug, Clone)]
pub struct Locator<F> {
    look_up: F,
    limits: Limits,
}

impl<F: Fn(IpAddr) -> Option<Location>> Locator<F> {
    /// Looks addresses up with `look_up`: `None` where nothing is known of one.
    pub fn new(look_up: F, limits: Limits) -> Self {
        Self { look_up, limits }
    }

    /// Appends a line, given without its terminator, to `out`: with the location behind the value, or
    /// as it is. Tells whether there is one.
    pub fn line(&self, line: &str, out: &mut String) -> bool {
        let mut splice = Splice::new(line, out);
        if let Some((end, location)) = self.locate(line, &splice) {
            splice.replace(end..end, |out| location.write(out));
        }
        splice.finish()
    }

    /// The location to add, and where.
    fn locate<'l>(&self, line: &'l str, splice: &Splice<'l, '_>) -> Option<(usize, Location)> {
        let mut reader = Reader::new(line, self.limits.depth);
        if line.len() > self.limits.line_bytes || !reader.take(b'[') {
            return None;
        }
        let name = RawJson::trusted(reader.value().ok()?).to_key();
        let method = Method::from_name(&name).or_else(|| Method::from_code(&name))?;
        if !matches!(method, Method::OnIceCandidate | Method::AddIceCandidate) {
            return None;
        }
        let event = RawJson::parse_within(line, &self.limits).ok()?;
        let value = value_of(event);
        if value.kind() != JsonKind::Object {
            return None;
        }
        let candidate = value.get("candidate")?.as_text()?;
        let address = Candidate::parse(&candidate).ok()?.address()?;
        let location = (self.look_up)(address::parse(address)?)?;
        let end = splice.offset_of(value) + value.as_str().len();
        Some((end, location))
    }
}

impl Location {
    /// Appends the element that notes it, and the comma before it.
    fn write(&self, out: &mut String) {
        let parts = [
            ("continent", &self.continent),
            ("country", &self.country),
            ("city", &self.city),
        ];
        let mut separator = ",{\"rtcstatsLocation\":{";
        for (name, part) in parts {
            let Some(part) = part else {
                continue;
            };
            out.push_str(separator);
            write_text(name, out);
            out.push(':');
            write_text(part, out);
            separator = ",";
        }
        if separator != "," {
            out.push_str(separator);
        }
        out.push_str("}}");
    }
}
