//! The description codec of rtcstats 5.0 (spec, sections 7.1 and 7.2): sections that equal those of a
//! base are left out.

use std::borrow::Cow;

use super::{Section, SessionDescription};
use crate::RawJson;
use crate::json::{is_javascript_space, write_text};

/// What stands for the section of the session where it equals that of the base.
const SAME_SESSION: &str = "v=";
/// What stands for a media section that equals that of the base.
const SAME_MEDIA: &str = "m=";

/// A `{type, sdp}`, as offers and answers are traced.
///
/// ```
/// use rtcstats_proto::sdp::Description;
///
/// let base = Description::new("offer", "v=0\r\nm=audio 9\r\nm=video 9\r\n");
/// let new = Description::new("offer", "v=0\r\nm=audio 9\r\nm=video 0\r\n");
/// let encoded = new.clone().encoded(Some(&base));
/// assert_eq!(encoded.sdp(), Some("v=\r\nm=\r\nm=video 0\r\n"));
/// assert_eq!(encoded.decoded(Some(&base)).sdp(), new.sdp());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Description<'a> {
    kind: Kind<'a>,
    sdp: Option<Cow<'a, str>>,
    /// As it was read, with all of its members; `None` for what was made here.
    source: Option<RawJson<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind<'a> {
    Absent,
    Text(Cow<'a, str>),
    /// A number or the like, which equals nothing.
    Other,
}

impl<'a> Description<'a> {
    /// A description of this type (`offer`, `answer`, `pranswer`, `rollback`).
    pub fn new(kind: impl Into<Cow<'a, str>>, sdp: impl Into<Cow<'a, str>>) -> Self {
        Self {
            kind: Kind::Text(kind.into()),
            sdp: Some(sdp.into()),
            source: None,
        }
    }

    /// Reads a traced value. Whatever it is, it is kept; what is no description has neither type nor
    /// SDP, and is not changed by the codec.
    pub fn from_json(value: RawJson<'a>) -> Self {
        let kind = match value.get("type") {
            None => Kind::Absent,
            Some(kind) => kind.as_text().map_or(Kind::Other, Kind::Text),
        };
        Self {
            kind,
            sdp: value.get("sdp").and_then(RawJson::as_text),
            source: Some(value),
        }
    }

    /// Appends it to `out` as JSON: as it was read if nothing was changed, or else with the members
    /// `type` and `sdp` only.
    pub fn write(&self, out: &mut String) {
        if let Some(source) = self.source {
            out.push_str(source.as_str());
            return;
        }
        out.push('{');
        if let Kind::Text(kind) = &self.kind {
            out.push_str("\"type\":");
            write_text(kind, out);
            out.push(',');
        }
        out.push_str("\"sdp\":");
        write_text(self.sdp().unwrap_or_default(), out);
        out.push('}');
    }

    /// Its type.
    pub fn kind(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(kind) => Some(kind),
            Kind::Absent | Kind::Other => None,
        }
    }

    /// Its SDP; may be empty, as that of a rollback.
    pub fn sdp(&self) -> Option<&str> {
        self.sdp.as_deref()
    }

    /// Whether this is a value that JavaScript takes for true; what was made here is.
    pub fn is_truthy(&self) -> bool {
        self.source.is_none_or(RawJson::is_truthy)
    }

    /// What is sent where the receiver knows `base`: sections that equal the one at the same place
    /// in `base` are replaced by a mark. Unchanged without a base, with one of another type, or if
    /// one of them has no SDP.
    #[must_use]
    pub fn encoded(self, base: Option<&Description<'_>>) -> Self {
        let Some((base, sdp)) = self.comparable(base) else {
            return self;
        };
        let encoded = encode(base, sdp);
        self.with_sdp(encoded)
    }

    /// The inverse of [`Description::encoded`], except for white space at the borders of sections. A
    /// mark whose section the base does not have becomes an empty section.
    #[must_use]
    pub fn decoded(self, base: Option<&Description<'_>>) -> Self {
        let Some((base, sdp)) = self.comparable(base) else {
            return self;
        };
        let decoded = decode(base, sdp);
        self.with_sdp(decoded)
    }

    /// The SDP of both, if the codec applies.
    fn comparable<'b>(
        &'b self,
        base: Option<&'b Description<'_>>,
    ) -> Option<(SessionDescription<'b>, SessionDescription<'b>)> {
        let base = base?;
        let is_same_kind = match (&base.kind, &self.kind) {
            (Kind::Absent, Kind::Absent) => true,
            (Kind::Text(base), Kind::Text(new)) => base == new,
            _ => false,
        };
        let not_empty = |sdp: &&str| !sdp.is_empty();
        let base = base.sdp().filter(not_empty).filter(|_| is_same_kind)?;
        let new = self.sdp().filter(not_empty)?;
        Some((SessionDescription::new(base), SessionDescription::new(new)))
    }

    fn with_sdp(self, sdp: String) -> Self {
        Self {
            sdp: Some(Cow::Owned(sdp)),
            source: None,
            ..self
        }
    }

    /// The same, independent of the text it was read from; members but `type` and `sdp` are lost.
    pub fn into_owned(self) -> Description<'static> {
        Description {
            kind: match self.kind {
                Kind::Absent => Kind::Absent,
                Kind::Text(kind) => Kind::Text(Cow::Owned(kind.into_owned())),
                Kind::Other => Kind::Other,
            },
            sdp: self.sdp.map(|sdp| Cow::Owned(sdp.into_owned())),
            source: None,
        }
    }
}

fn encode(base: SessionDescription<'_>, new: SessionDescription<'_>) -> String {
    let mut encoded = String::with_capacity(new.as_str().len());
    let mut base = base.sections();
    for (index, section) in new.sections().enumerate() {
        let is_same = base.next() == Some(section);
        encoded.push_str(if is_same {
            mark(index)
        } else {
            section.as_str()
        });
        encoded.push_str("\r\n");
    }
    encoded
}

fn decode(base: SessionDescription<'_>, new: SessionDescription<'_>) -> String {
    let mut decoded = String::with_capacity(base.as_str().len());
    let mut base = base.sections();
    for (index, section) in new.sections().enumerate() {
        let same = base.next().map_or("", Section::as_str);
        let is_same = section.as_str() == mark(index);
        decoded.push_str(if is_same { same } else { section.as_str() });
        decoded.push_str("\r\n");
    }
    let mut decoded = decoded.trim_matches(is_javascript_space).to_owned();
    decoded.push_str("\r\n");
    decoded
}

fn mark(index: usize) -> &'static str {
    if index == 0 { SAME_SESSION } else { SAME_MEDIA }
}

/// Shows type and size only: the text holds addresses.
impl std::fmt::Debug for Description<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "Description({:?}, {:?} bytes)",
            self.kind,
            self.sdp().map(str::len)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_description_passes() {
        let base = Description::new("offer", "v=0");
        for text in [
            "null",
            "\"\"",
            "[1]",
            "{\"type\":\"offer\",\"sdp\":7}",
            "{\"type\":1,\"sdp\":\"v=0\"}",
        ] {
            let value = RawJson::parse(text).unwrap();
            for description in [
                Description::from_json(value).encoded(Some(&base)),
                Description::from_json(value).decoded(Some(&base)),
            ] {
                let mut out = String::new();
                description.write(&mut out);
                assert_eq!(out, text);
            }
        }
    }

    #[test]
    fn the_text_does_not_show_in_debug_output() {
        let shown = format!("{:?}", Description::new("offer", "c=IN IP4 192.0.2.1"));
        assert!(!shown.contains("192"), "{shown}");
    }
}
