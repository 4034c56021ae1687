//! The sections and lines of a session description (RFC 8866), as far as telemetry needs them.

use memchr::memmem;

use super::{Candidate, CandidateError};
use crate::json::is_javascript_space;

/// The text of a session description.
///
/// ```
/// use rtcstats_proto::sdp::{Direction, SessionDescription};
///
/// let description = SessionDescription::new(
///     "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\na=ice-lite\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=sendonly\r\n",
/// );
/// assert!(description.is_ice_lite());
/// let audio = description.media().next().ok_or("no media")?;
/// assert_eq!(audio.kind(), Some("audio"));
/// assert_eq!(audio.direction(), Some(Direction::SendOnly));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionDescription<'a> {
    text: &'a str,
}

/// One section of a description: what concerns the session, or one media section.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    text: &'a str,
}

/// Who sends in a media section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// `a=sendrecv`: both.
    SendReceive,
    /// `a=sendonly`: the side that the description describes.
    SendOnly,
    /// `a=recvonly`: the other side.
    ReceiveOnly,
    /// `a=inactive`: no one.
    Inactive,
}

impl<'a> SessionDescription<'a> {
    /// Takes any text.
    pub fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// The text as it was written.
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// The lines, without white space around them.
    pub fn lines(self) -> impl Iterator<Item = &'a str> {
        lines(self.text)
    }

    /// The sections, without white space around them: the one of the session first, then one for each
    /// line that begins with `m=`. There is always a first one.
    pub fn sections(self) -> impl Iterator<Item = Section<'a>> {
        const BORDER: &str = "\nm=";
        let text = self.text;
        let borders = memmem::find_iter(text.as_bytes(), BORDER).map(Some);
        let mut start = 0;
        borders.chain([None]).map(move |border| {
            let end = border.unwrap_or(text.len());
            let section = text.get(start..end).unwrap_or_default();
            start = end + 1;
            Section {
                text: section.trim_matches(is_javascript_space),
            }
        })
    }

    /// The media sections.
    pub fn media(self) -> impl Iterator<Item = Section<'a>> {
        self.sections()
            .filter(|section| section.text.starts_with("m="))
    }

    /// Whether a line is exactly this.
    pub fn has_line(self, line: &str) -> bool {
        self.lines().any(|own| own == line)
    }

    /// Whether the side that is described does ICE lite, as servers do.
    pub fn is_ice_lite(self) -> bool {
        self.has_line("a=ice-lite")
    }

    /// Whether RTCP shares the port of RTP in some media section.
    pub fn has_rtcp_mux(self) -> bool {
        self.has_line("a=rtcp-mux")
    }

    /// Whether media sections share one transport.
    pub fn has_bundle(self) -> bool {
        self.lines().any(|line| line.starts_with("a=group:BUNDLE"))
    }

    /// Whether some video is sent or received in several encodings: by the standard attribute, or by
    /// the older group of SSRCs.
    pub fn has_simulcast(self) -> bool {
        self.lines()
            .any(|line| line.starts_with("a=simulcast:") || line.starts_with(SIMULCAST_GROUP))
    }

    /// The SSRCs of the first simulcast group; nothing where there is none.
    pub fn simulcast_ssrcs(self) -> impl Iterator<Item = &'a str> {
        self.lines()
            .find_map(|line| line.strip_prefix(SIMULCAST_GROUP))
            .unwrap_or_default()
            .split_ascii_whitespace()
    }

    /// What follows `o=` in the first line that has it: user name, session id, version, address.
    pub fn origin(self) -> Option<&'a str> {
        self.lines().find_map(|line| line.strip_prefix("o="))
    }

    /// The user name in the origin line, by which browsers used to give themselves away.
    pub fn origin_username(self) -> Option<&'a str> {
        self.origin()?.split(' ').next()
    }

    /// The candidates among the lines.
    pub fn candidates(self) -> impl Iterator<Item = Result<Candidate<'a>, CandidateError>> {
        self.lines()
            .filter(|line| line.starts_with("a=candidate:"))
            .map(Candidate::parse)
    }
}

const SIMULCAST_GROUP: &str = "a=ssrc-group:SIM ";

impl<'a> Section<'a> {
    /// The text without white space around it; line ends in it are as they were.
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// The lines, without white space around them.
    pub fn lines(self) -> impl Iterator<Item = &'a str> {
        lines(self.text)
    }

    /// The kind of media: `audio`, `video`, `application`; `None` for the section of the session.
    pub fn kind(self) -> Option<&'a str> {
        let kind = self.text.strip_prefix("m=")?.split_ascii_whitespace();
        kind.into_iter().next()
    }

    /// Who sends, if the section says. (If neither it nor the session does, both.)
    pub fn direction(self) -> Option<Direction> {
        self.lines().find_map(|line| match line {
            "a=sendrecv" => Some(Direction::SendReceive),
            "a=sendonly" => Some(Direction::SendOnly),
            "a=recvonly" => Some(Direction::ReceiveOnly),
            "a=inactive" => Some(Direction::Inactive),
            _ => None,
        })
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.trim_matches(is_javascript_space)
        .split('\n')
        .map(|line| line.trim_matches(is_javascript_space))
}

/// Shows the size only: the text holds addresses.
impl std::fmt::Debug for SessionDescription<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SessionDescription({} bytes)", self.text.len())
    }
}

/// Shows kind and size only: the text holds addresses.
impl std::fmt::Debug for Section<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "Section({:?}, {} bytes)",
            self.kind(),
            self.text.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=mozilla...THIS_IS_SDPARTA-99.0 1 0 IN IP4 0.0.0.0\r\n\
        a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=recvonly\r\na=rtcp-mux\r\n\
        a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=candidate:bad\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ssrc-group:SIM 1 2  3\r\na=ssrc-group:SIM 7\r\n";

    #[test]
    fn sections_and_their_attributes_are_found() {
        let offer = SessionDescription::new(OFFER);
        let kinds: Vec<_> = offer.sections().map(Section::kind).collect();
        assert_eq!(kinds, [None, Some("audio"), Some("video")]);
        let directions: Vec<_> = offer.media().map(Section::direction).collect();
        assert_eq!(directions, [Some(Direction::ReceiveOnly), None]);
        assert!(offer.has_bundle() && offer.has_rtcp_mux() && offer.has_simulcast());
        assert!(!offer.is_ice_lite());
        assert_eq!(
            offer.origin_username(),
            Some("mozilla...THIS_IS_SDPARTA-99.0")
        );
        assert_eq!(offer.simulcast_ssrcs().collect::<Vec<_>>(), ["1", "2", "3"]);
        let candidates: Vec<_> = offer.candidates().map(|result| result.is_ok()).collect();
        assert_eq!(candidates, [true, false]);
    }

    #[test]
    fn text_that_is_no_description_has_one_section() {
        for text in ["", "\r\n", "m", "a=b"] {
            let description = SessionDescription::new(text);
            assert_eq!(description.sections().count(), 1, "{text:?}");
            assert_eq!(description.media().count(), 0, "{text:?}");
        }
        assert_eq!(SessionDescription::new("m=audio 9").media().count(), 1);
    }
}
