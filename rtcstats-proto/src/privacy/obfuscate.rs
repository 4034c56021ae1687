//! Masks the addresses in lines, one at a time.

use memchr::memmem;

use super::literal;
use super::rule::Rule;
use super::splice::Splice;
use crate::json::{JsonKind, Reader, unescape_into, write_text};
use crate::rtcstats::DUMP_HEADER;
use crate::{Generation, Limits, RawJson};

/// How much is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// As Jitsi's client does to its own events before it sends them (Jitsi spec, section 8): whole
    /// addresses, those of relays excepted.
    Client,
    /// As the server of a generation does before it writes: host parts only, those of relays excepted.
    /// For rtcstats 5.0 see sections 11.3 and 11.4 of its spec, for the legacy generation its
    /// section 1.1. Jitsi's server masks nothing; what its client masks is masked with 5.0's mask.
    ///
    /// Only the places where browsers put addresses are looked at. What a rule cannot be applied to
    /// passes as it is.
    Server(Generation),
    /// Nothing gets through: host parts everywhere, those of relays included. What
    /// no rule covers is searched for literal addresses; what a rule cannot be applied to is replaced
    /// by `null`. Works for lines of every generation.
    ///
    /// What stays: networks (24 bits of IPv4, 48 of IPv6), loopback and unspecified addresses, host
    /// names, ports.
    Strict,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum Outcome {
    /// It was passed as it is.
    Unchanged,
    /// Something in it was masked.
    Masked,
    /// A rule could not be applied: to malformed JSON, a malformed candidate, an address that is no
    /// text. [`Mode::Strict`] has put `null` in place of the value, or the line; the other modes have
    /// passed it as it is.
    Failed,
}

/// Masks the addresses in lines of dumps, or messages that are lines.
///
/// Keeps nothing of a line but two buffers, at most as long as the longest one. What nothing is masked
/// in stays the same byte by byte. Masking what is masked changes nothing.
///
/// ```
/// use rtcstats_proto::privacy::{Mode, Obfuscator, Outcome};
/// use rtcstats_proto::{Generation, Limits};
///
/// let mut obfuscator = Obfuscator::new(Mode::Server(Generation::Rtcstats), Limits::default());
/// let mut out = String::new();
/// let line = r#"["g","PC_0",{"3":{"134":"198.51.100.9","type":7}},1000]"#;
/// assert_eq!(obfuscator.line(line, &mut out), Outcome::Masked);
/// assert_eq!(out, r#"["g","PC_0",{"3":{"134":"198.51.100.x","type":7}},1000]"#);
/// ```
#[derive(Debug, Clone)]
pub struct Obfuscator {
    mode: Mode,
    masks_labels: bool,
    limits: Limits,
    failures: u64,
    masked: String,
    unescaped: String,
}

impl Obfuscator {
    /// Starts. A line over [`Limits::line_bytes`] or [`Limits::depth`] counts as malformed.
    pub fn new(mode: Mode, limits: Limits) -> Self {
        Self {
            mode,
            masks_labels: false,
            limits,
            failures: 0,
            masked: String::new(),
            unescaped: String::new(),
        }
    }

    /// Also empties the labels of devices and tracks, which can hold names. For [`Mode::Strict`]; the
    /// others leave labels alone, as what they imitate does.
    #[must_use]
    pub fn masking_labels(self) -> Self {
        Self {
            masks_labels: true,
            ..self
        }
    }

    /// How many lines [failed](Outcome::Failed) so far.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Appends a line, given without its terminator, to `out`.
    pub fn line(&mut self, line: &str, out: &mut String) -> Outcome {
        let outcome = if self.mode == Mode::Strict {
            self.mask_strictly(line, out)
        } else {
            self.mask_by_rule(line, out)
        };
        self.failures += u64::from(outcome == Outcome::Failed);
        outcome
    }

    fn mask_by_rule(&self, line: &str, out: &mut String) -> Outcome {
        let rule = self.rule_of(line);
        let Some(rule) = rule.filter(|rule| *rule != Rule::Stats || may_hold_address(line)) else {
            out.push_str(line);
            return Outcome::Unchanged;
        };
        let Some(event) = self.checked(line) else {
            out.push_str(line);
            return Outcome::Failed;
        };
        let mut splice = Splice::new(line, out);
        match rule.apply(self.mode, value_of(event), &mut splice) {
            Ok(()) => outcome(splice.finish()),
            Err(_) => {
                splice.abandon();
                out.push_str(line);
                Outcome::Failed
            }
        }
    }

    fn mask_strictly(&mut self, line: &str, out: &mut String) -> Outcome {
        if line.trim_ascii().is_empty() {
            out.push_str(line);
            return Outcome::Unchanged;
        }
        // The first line of a dump of rtcstats 5.0.
        if line.trim_end_matches('\r') == DUMP_HEADER {
            out.push_str(line);
            return Outcome::Unchanged;
        }
        let Some(event) = self.checked(line) else {
            out.push_str("null");
            return Outcome::Failed;
        };
        let mut masked = std::mem::take(&mut self.masked);
        masked.clear();
        let rule = self.rule_of(line);
        let value = value_of(event);
        let mut splice = Splice::new(line, &mut masked);
        let is_masked = match rule.map(|rule| rule.apply(self.mode, value, &mut splice)) {
            None | Some(Ok(())) => Some(splice.finish()),
            Some(Err(_)) => {
                splice.abandon();
                let mut splice = Splice::new(line, &mut masked);
                splice.replace_value(value, |out| out.push_str("null"));
                splice.finish();
                None
            }
        };
        let is_swept = self.sweep(&masked, out);
        self.masked = masked;
        match is_masked {
            Some(is_masked) => outcome(is_masked || is_swept),
            None => Outcome::Failed,
        }
    }

    /// Appends JSON text with the literal addresses in its strings masked, and its labels if that is
    /// wanted.
    pub(super) fn sweep(&mut self, text: &str, out: &mut String) -> bool {
        if !self.masks_labels {
            return self.sweep_strings(text, out);
        }
        let mut labelless = String::with_capacity(text.len());
        let mut splice = Splice::new(text, &mut labelless);
        empty_labels(RawJson::trusted(text.trim_ascii()), &mut splice);
        let is_emptied = splice.finish();
        self.sweep_strings(&labelless, out) || is_emptied
    }

    fn sweep_strings(&mut self, text: &str, out: &mut String) -> bool {
        let mut splice = Splice::new(text, out);
        let mut at = 0;
        let bytes = text.as_bytes();
        // Outside of strings, JSON has no quotes.
        while let Some(open) = memchr::memchr(b'"', bytes.get(at..).unwrap_or_default()) {
            let start = at + open + 1;
            let (end, is_escaped) = string_end(bytes, start);
            at = end + 1;
            let written = text.get(start..end).unwrap_or_default();
            if is_escaped {
                self.unescaped.clear();
                unescape_into(written, &mut self.unescaped);
                let masked = literal::masked(&self.unescaped);
                if masked != self.unescaped {
                    splice.replace(start - 1..at, |out| write_text(&masked, out));
                }
            } else {
                let masked = literal::masked(written);
                if masked != written {
                    splice.replace(start..end, |out| out.push_str(&masked));
                }
            }
        }
        splice.finish()
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    pub(super) fn empties_labels(&self) -> bool {
        self.masks_labels
    }

    /// The rule for a line, by a look at its first element.
    fn rule_of(&self, line: &str) -> Option<Rule> {
        let mut reader = Reader::new(line, self.limits.depth);
        if !reader.take(b'[') {
            return None;
        }
        let name = RawJson::trusted(reader.value().ok()?).to_key();
        Rule::of(self.mode, &name)
    }

    fn checked<'l>(&self, line: &'l str) -> Option<RawJson<'l>> {
        let is_within = line.len() <= self.limits.line_bytes;
        RawJson::parse_within(line, &self.limits)
            .ok()
            .filter(|_| is_within)
    }
}

/// The third element of an event.
pub(super) fn value_of(event: RawJson<'_>) -> RawJson<'_> {
    event.elements().nth(2).unwrap_or(RawJson::NULL)
}

fn outcome(is_masked: bool) -> Outcome {
    if is_masked {
        Outcome::Masked
    } else {
        Outcome::Unchanged
    }
}

/// Whether a report may have a member that holds an address. With escapes, it may.
fn may_hold_address(line: &str) -> bool {
    let line = line.as_bytes();
    memchr::memchr(b'\\', line).is_some()
        || ["ddress\"", "\"134\"", "\"141\"", "\"ip\""]
            .iter()
            .any(|name| memmem::find(line, name.as_bytes()).is_some())
}

/// Where the string that begins at `start` ends, and whether there is an escape in it.
fn string_end(bytes: &[u8], start: usize) -> (usize, bool) {
    let mut at = start;
    let mut is_escaped = false;
    while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        if bytes.get(at + found) == Some(&b'"') {
            return (at + found, is_escaped);
        }
        is_escaped = true;
        at += found + 2;
    }
    (bytes.len(), is_escaped)
}

/// Empties the labels of devices (objects that have a `kind` too) and tracks
/// (`[kind, id, label, …]`).
fn empty_labels<'l>(value: RawJson<'l>, splice: &mut Splice<'l, '_>) {
    let is_label = |label: RawJson<'_>| label.kind() == JsonKind::Text && label.is_truthy();
    match value.kind() {
        JsonKind::Object => {
            let has_kind = value.get("kind").is_some();
            for (name, member) in value.members() {
                if has_kind && name == "label" && is_label(member) {
                    splice.replace_value(member, |out| out.push_str("\"\""));
                } else {
                    empty_labels(member, splice);
                }
            }
        }
        JsonKind::Array => {
            let first = value.elements().next();
            let is_track = first.is_some_and(|kind| kind.is_text("audio") || kind.is_text("video"));
            for (place, element) in value.elements().enumerate() {
                if is_track && place == 2 && is_label(element) {
                    splice.replace_value(element, |out| out.push_str("\"\""));
                } else {
                    empty_labels(element, splice);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(mode: Mode, line: &str) -> (Outcome, String) {
        let mut out = "before ".to_owned();
        let outcome = Obfuscator::new(mode, Limits::default()).line(line, &mut out);
        (outcome, out.strip_prefix("before ").unwrap().to_owned())
    }

    fn assert_masked(mode: Mode, line: &str, expected: &str) {
        let (outcome, out) = masked(mode, line);
        assert_eq!(out, expected);
        let changed = if line == expected {
            Outcome::Unchanged
        } else {
            Outcome::Masked
        };
        assert_eq!(outcome, changed, "{line}");
    }

    const LEGACY: Mode = Mode::Server(Generation::Legacy);
    const JITSI: Mode = Mode::Server(Generation::Jitsi);
    const RTCSTATS: Mode = Mode::Server(Generation::Rtcstats);

    #[test]
    fn the_client_masks_whole_addresses() {
        assert_masked(
            Mode::Client,
            r#"["onicecandidate","PC_0",{"candidate":"candidate:1 1 udp 5 192.0.2.1 9 typ srflx raddr 10.0.0.7 rport 8 generation 0","url":"stun:192.0.2.9"},1,2]"#,
            r#"["onicecandidate","PC_0",{"candidate":"candidate:1 1 UDP 5 x.x.x.x 9 typ srflx raddr x.x.x.x rport 8","url":"stun:192.0.2.9"},1,2]"#,
        );
        assert_masked(
            Mode::Client,
            r#"["getstats","PC_0",{"a":{"address":"a.local","ip":"2001:db8::1","x":"192.0.2.1"},"b":{"ip":"192.0.2.1","candidateType":"relay"},"c":{"googLocalAddress":"[2001:db8::1]:80","googRemoteAddress":"192.0.2.1:90"},"timestamp":1},1,2]"#,
            r#"["getstats","PC_0",{"a":{"address":"x.x.x.x","ip":"x:x:x:x:x:x:x:x","x":"192.0.2.1"},"b":{"ip":"192.0.2.1","candidateType":"relay"},"c":{"googLocalAddress":"x:x:x:x:x:x:x:x:80","googRemoteAddress":"x.x.x.x:90"},"timestamp":1},1,2]"#,
        );
        assert_masked(
            Mode::Client,
            r#"["setRemoteDescription","PC_0",{"sdp":"v=0\nc=IN IP4 192.0.2.1\na=candidate:1 1 ssltcp 5 192.0.2.1 9 typ host"},1,2]"#,
            r#"["setRemoteDescription","PC_0",{"sdp":"v=0\r\nc=IN IP4 0.0.0.0\r\na=candidate:1 1 SSLTCP 5 192.0.2.1 9 typ host\r\n"},1,2]"#,
        );
        // A carriage return within a line must not end it the next time.
        assert_masked(
            Mode::Client,
            r#"["setRemoteDescription","PC_0",{"sdp":"v=0\na=candidate:1 1 udp 5 192.0.2.1 9 typ host\r x\na=x"},1,2]"#,
            r#"["setRemoteDescription","PC_0",{"sdp":"v=0\r\na=candidate:1 1 UDP 5 x.x.x.x 9 typ host\r\na=x\r\n"},1,2]"#,
        );
        assert_masked(
            Mode::Client,
            r#"["publicIP",null,"192.0.2.1",1]"#,
            r#"["publicIP",null,"192.0.2.1",1]"#,
        );
    }

    #[test]
    fn servers_of_older_generations_keep_networks() {
        let line = r#"["getstats","PC_0",{"a":{"ipAddress":"192.0.2.1","candidateType":"relay"},"b":{"ip":"2001:db8:1:2::1","candidateType":"relayed"},"c":{"googLocalAddress":"[2001:db8:1:2::1]:80"}},1]"#;
        assert_masked(
            LEGACY,
            line,
            r#"["getstats","PC_0",{"a":{"ipAddress":"192.0.2.x","candidateType":"relay"},"b":{"ip":"2001:db8:1:2::1","candidateType":"relayed"},"c":{"googLocalAddress":"2001:db8:1:x:x:x:x:x:80"}},1]"#,
        );
        assert_masked(
            JITSI,
            line,
            r#"["getstats","PC_0",{"a":{"ipAddress":"192.0.2.1","candidateType":"relay"},"b":{"ip":"2001:db8:1x:x:x:x:x:x","candidateType":"relayed"},"c":{"googLocalAddress":"2001:db8:1x:x:x:x:x:x:80"}},1]"#,
        );
        assert_masked(
            LEGACY,
            r#"["publicIP",null,["192.0.2.1","127.0.0.1"],1]"#,
            r#"["publicIP",null,["192.0.2.x","127.0.0.x"],1]"#,
        );
        // Numbers are names in rtcstats 5.0 only.
        assert_masked(
            LEGACY,
            r#"[20,"PC_0",{"candidate":"x"},1]"#,
            r#"[20,"PC_0",{"candidate":"x"},1]"#,
        );
    }

    #[test]
    fn what_is_not_masked_keeps_its_spelling() {
        assert_masked(
            RTCSTATS,
            r#" [ "g" , "PC_0", { "3" : { "\u0069p":"192.0.2.1" , "134":"192.0.2.1", "ip" : 1, "80":1.50 } ,"t":1e3} , 5.0 ] "#,
            r#" [ "g" , "PC_0", { "3" : { "134":"192.0.2.x", "80":1.50 } ,"t":1e3} , 5.0 ] "#,
        );
        assert_masked(
            RTCSTATS,
            r#"["g","PC_0",{"a":{"134":"192.0.2.1","ip":"a"},"b":{"ip":"a","ip":"b","134":"192.0.2.1"}},1]"#,
            r#"["g","PC_0",{"a":{"134":"192.0.2.x"},"b":{"134":"192.0.2.x"}},1]"#,
        );
    }

    #[test]
    fn a_member_that_comes_again_hides_the_earlier_ones() {
        assert_masked(
            RTCSTATS,
            r#"[20,"PC_0",{"candidate":"candidate:1 1 udp 5 192.0.2.1 9 typ host","\u0063andidate":"candidate:1 1 udp 5 192.0.2.2 9 typ host"},7]"#,
            r#"[20,"PC_0",{"candidate":null,"\u0063andidate":"candidate:1 1 UDP 5 192.0.2.x 9 typ host"},7]"#,
        );
        assert_masked(
            RTCSTATS,
            r#"[6,"PC_0",{"sdp":"c=IN IP4 192.0.2.1","sdp":null},7]"#,
            r#"[6,"PC_0",{"sdp":null,"sdp":null},7]"#,
        );
    }

    #[test]
    fn what_a_rule_does_not_fit_passes_or_becomes_null() {
        for line in [
            r#"[20,"PC_0",{"candidate":"candidate:1 192.0.2.1"},7]"#,
            r#"["g","PC_0",{"a":{"address":["192.0.2.1"]}},7]"#,
            r#"["publicIP",null,{"a":"192.0.2.1"},7]"#,
        ] {
            assert_eq!(masked(RTCSTATS, line), (Outcome::Failed, line.to_owned()));
            let (outcome, out) = masked(Mode::Strict, line);
            assert_eq!(outcome, Outcome::Failed);
            assert!(out.ends_with(",null,7]"), "{out}");
        }
        for line in [
            r#"[20,"PC_0",{"candidate":"candidate:1 1 udp 5 192.0.2.1 9 typ host"},7"#,
            "no JSON 192.0.2.1",
            "RTCStatsDump\r[\"a\",null,\"\\u003192.0.2.1\",1]",
        ] {
            assert_eq!(
                masked(Mode::Strict, line),
                (Outcome::Failed, "null".to_owned())
            );
            assert_eq!(masked(RTCSTATS, line).1, line);
        }
        let mut obfuscator = Obfuscator::new(
            Mode::Strict,
            Limits {
                line_bytes: 10,
                ..Limits::default()
            },
        );
        let mut out = String::new();
        assert_eq!(
            obfuscator.line("[\"long line\",null,1]", &mut out),
            Outcome::Failed
        );
        assert_eq!((out.as_str(), obfuscator.failures()), ("null", 1));
    }

    #[test]
    fn the_strict_form_masks_relays_headers_and_whatever_else_holds_an_address() {
        for (line, expected) in [
            (
                r#"[20,"PC_0",{"candidate":"candidate:1 1 udp 5 192.0.2.1 9 typ relay raddr ::2 rport 0","url":"turn:[2001:db8::9]:3478"},7]"#,
                r#"[20,"PC_0",{"candidate":"candidate:1 1 UDP 5 192.0.2.x 9 typ relay raddr 0:0:0:x:x:x:x:x rport 0","url":"turn:[2001:db8:0:x:x:x:x:x]:3478"},7]"#,
            ),
            (
                r#"["getStats","PC_0",{"a":{"ip":"192.0.2.1","url":"stun:192.0.2.1:1"}},7]"#,
                r#"["getStats","PC_0",{"a":{"ip":"192.0.2.x","url":"stun:192.0.2.x:1"}},7]"#,
            ),
            (
                r#"[6,"PC_0",{"sdp":"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\na=remote-candidates:1 192.0.2.1 9\r\n"},7]"#,
                r#"[6,"PC_0",{"sdp":"v=0\r\no=- 1 1 IN IP4 192.0.2.x\r\na=remote-candidates:1 192.0.2.x 9\r\n"},7]"#,
            ),
            (
                r#"{"userAgent":"Chrome/156.0.0.0","remoteAddresses":["192.0.2.1","\u003192.0.2.1","::1"]}"#,
                r#"{"userAgent":"Chrome/156.0.0.0","remoteAddresses":["192.0.2.x","192.0.2.x","::1"]}"#,
            ),
            (
                r#"{"statsSessionId":"a","data":"{\"192.0.2.1\":\"192.0.2.2\"}"}"#,
                r#"{"statsSessionId":"a","data":"{\"192.0.2.x\":\"192.0.2.x\"}"}"#,
            ),
            (
                r#"["getstats","PC_0",{"a":{"googLocalAddress":"fe80::abcd","googRemoteAddress":"[2001:db8::1]:80"}},7]"#,
                r#"["getstats","PC_0",{"a":{"googLocalAddress":"fe80:0:0:x:x:x:x:x","googRemoteAddress":"2001:db8:0:x:x:x:x:x:80"}},7]"#,
            ),
            ("RTCStatsDump", "RTCStatsDump"),
            ("RTCStatsDump\r", "RTCStatsDump\r"),
            ("", ""),
        ] {
            assert_masked(Mode::Strict, line, expected);
        }
    }

    #[test]
    fn labels_of_devices_are_emptied_if_wanted() {
        let line = r#"["navigator.mediaDevices.getUserMediaOnSuccess",null,[["audio","id","Ann's headset","stream"]],{"label":"a"},[{"kind":"videoinput","label":"b"}],5]"#;
        let mut obfuscator = Obfuscator::new(Mode::Strict, Limits::default()).masking_labels();
        let mut out = String::new();
        assert_eq!(obfuscator.line(line, &mut out), Outcome::Masked);
        assert_eq!(
            out,
            r#"["navigator.mediaDevices.getUserMediaOnSuccess",null,[["audio","id","","stream"]],{"label":"a"},[{"kind":"videoinput","label":""}],5]"#
        );
        assert_masked(Mode::Strict, line, line);
    }
}
