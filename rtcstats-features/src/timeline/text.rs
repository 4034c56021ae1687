//! The gist of an event's value, in a few words.

use std::borrow::Cow;
use std::fmt::Write;

use rtcstats_proto::json::{JsonKind, write_number};
use rtcstats_proto::sdp::{Candidate, CandidateType, SessionDescription};
use rtcstats_proto::{Event, Method, RawJson};

/// Bytes of a text.
const MOST_BYTES: usize = 200;

/// Members or elements that a text tells of.
const MOST_PARTS: usize = 4;

/// The gist of an event.
pub(super) fn gist(event: &Event<'_>) -> String {
    let value = event.payload();
    let mut text = match event.method() {
        Some(
            method @ (Method::CreateOfferOnSuccess
            | Method::CreateAnswerOnSuccess
            | Method::SetLocalDescription
            | Method::SetRemoteDescription),
        ) => description(method, value),
        Some(Method::OnIceCandidate | Method::AddIceCandidate) => candidate(value),
        Some(Method::OnIceCandidateError) => candidate_error(value),
        Some(Method::Create | Method::SetConfiguration) => configuration(value),
        Some(Method::GetUserMedia | Method::LegacyGetUserMedia | Method::GetDisplayMedia) => {
            constraints(value)
        }
        Some(
            Method::GetUserMediaOnSuccess
            | Method::LegacyGetUserMediaOnSuccess
            | Method::GetDisplayMediaOnSuccess,
        ) => tracks(value),
        Some(
            Method::AddTrack
            | Method::OnTrack
            | Method::RemoveTrack
            | Method::ReplaceTrack
            | Method::AddTransceiver,
        ) => track(value),
        Some(Method::EnumerateDevices) => counted(value.elements().count(), "device"),
        Some(Method::Logs) => counted(value.elements().count(), "entry"),
        Some(Method::ConnectionInfo) => connection_info(value),
        _ => any(value),
    };
    let length = cut(&text, MOST_BYTES).len();
    text.truncate(length);
    text
}

/// The beginning of a text, of at most so many bytes.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// `offer, 3 media sections`
fn description(method: Method, value: RawJson<'_>) -> String {
    // Older clients trace all arguments of a call.
    let value = first(value);
    let told = value.get("type").and_then(RawJson::as_text);
    let implied = match method {
        Method::CreateOfferOnSuccess => Some(Cow::Borrowed("offer")),
        Method::CreateAnswerOnSuccess => Some(Cow::Borrowed("answer")),
        _ => None,
    };
    let kind = told.or(implied);
    let sdp = value.get("sdp").and_then(RawJson::as_text);
    let media = sdp.filter(|sdp| !sdp.is_empty()).map(|sdp| {
        counted(
            SessionDescription::new(&sdp).media().count(),
            "media section",
        )
    });
    match (kind, media) {
        (Some(kind), Some(media)) => format!("{kind}, {media}"),
        (Some(kind), None) => kind.into_owned(),
        (None, Some(media)) => media,
        (None, None) => any(value),
    }
}

/// `host udp 192.0.2.1:5000`
fn candidate(value: RawJson<'_>) -> String {
    let value = first(value);
    let line = match value.kind() {
        JsonKind::Text => value.as_text(),
        _ => value.get("candidate").and_then(RawJson::as_text),
    };
    let line = line.unwrap_or_default();
    if line.is_empty() {
        return "end of candidates".to_owned();
    }
    let Ok(candidate) = Candidate::parse(&line) else {
        return line.into_owned();
    };
    let mut text = String::new();
    if let Some(kind) = candidate.candidate_type() {
        text.push_str(CandidateType::as_str(kind));
        text.push(' ');
    }
    text.push_str(&candidate.protocol());
    if let Some(kind) = candidate.tcp_type() {
        let _ = write!(text, " {kind}");
    }
    if let Some(address) = candidate.address() {
        let is_long = address.contains(':');
        let _ = match is_long {
            true => write!(text, " [{address}]"),
            false => write!(text, " {address}"),
        };
        if let Some(port) = candidate.port() {
            let _ = write!(text, ":{port}");
        }
    }
    text
}

/// `701 STUN host lookup received error. stun:example.org`
fn candidate_error(value: RawJson<'_>) -> String {
    let told = ["errorCode", "errorText", "url"];
    let parts = told.iter().filter_map(|name| scalar(value.get(name)?));
    let text = parts.collect::<Vec<_>>().join(" ");
    if text.is_empty() { any(value) } else { text }
}

/// `2 ICE servers, bundlePolicy max-bundle`
fn configuration(value: RawJson<'_>) -> String {
    let value = first(value);
    let mut parts = Vec::new();
    if let Some(servers) = value.get("iceServers") {
        parts.push(counted(servers.elements().count(), "ICE server"));
    }
    for name in ["iceTransportPolicy", "bundlePolicy"] {
        if let Some(told) = value.get(name).and_then(scalar) {
            parts.push(format!("{name} {told}"));
        }
    }
    match parts.is_empty() {
        true => any(value),
        false => parts.join(", "),
    }
}

/// `audio, video`
fn constraints(value: RawJson<'_>) -> String {
    let value = first(value);
    let wanted = ["audio", "video"];
    let wanted = wanted
        .iter()
        .filter(|kind| value.get(kind).is_some_and(RawJson::is_truthy));
    wanted.copied().collect::<Vec<_>>().join(", ")
}

/// `audio Built-in Microphone, video Front Camera`
fn tracks(value: RawJson<'_>) -> String {
    let list = value.get("tracks").unwrap_or(value);
    if list.kind() != JsonKind::Array {
        return any(value);
    }
    let tracks = list.elements().take(MOST_PARTS).map(track);
    tracks.collect::<Vec<_>>().join(", ")
}

/// `audio Built-in Microphone`, of `[kind, id, label, stream]` or `{ kind, id, label }`.
fn track(value: RawJson<'_>) -> String {
    let text = |value: Option<RawJson<'_>>| {
        let text = value
            .and_then(RawJson::as_text)
            .filter(|text| !text.is_empty());
        text.map(Cow::into_owned)
    };
    let (kind, label) = match value.kind() {
        JsonKind::Array => {
            let mut elements = value.elements();
            let kind = elements.next();
            let id = text(elements.next());
            (text(kind), text(elements.next()).or(id))
        }
        JsonKind::Object => {
            let label = text(value.get("label")).or_else(|| text(value.get("id")));
            (text(value.get("kind")), label)
        }
        _ => return any(value),
    };
    match (kind, label) {
        (Some(kind), Some(label)) => format!("{kind} {label}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => any(value),
    }
}

fn connection_info(value: RawJson<'_>) -> String {
    let told = ["clientProtocol", "userAgent"];
    let parts = told.iter().filter_map(|name| scalar(value.get(name)?));
    parts.collect::<Vec<_>>().join(", ")
}

/// What a value says in plain words: itself if it is plain, or else its first plain members.
fn any(value: RawJson<'_>) -> String {
    match value.kind() {
        JsonKind::Null => String::new(),
        JsonKind::Array => {
            let parts = value.elements().filter_map(scalar).take(MOST_PARTS);
            parts.collect::<Vec<_>>().join(", ")
        }
        JsonKind::Object => error(value).unwrap_or_else(|| {
            let members = value.members();
            let parts =
                members.filter_map(|(name, value)| Some(format!("{name} {}", scalar(value)?)));
            parts.take(MOST_PARTS).collect::<Vec<_>>().join(", ")
        }),
        _ => scalar(value).unwrap_or_default(),
    }
}

/// `NotAllowedError: Permission denied`
fn error(value: RawJson<'_>) -> Option<String> {
    let message = value.get("message")?.as_text()?;
    let name = value.get("name").and_then(RawJson::as_text);
    Some(match name {
        Some(name) => format!("{name}: {message}"),
        None => message.into_owned(),
    })
}

/// A text, number or boolean as text.
fn scalar(value: RawJson<'_>) -> Option<String> {
    match value.kind() {
        JsonKind::Text => {
            let text = value.as_text()?;
            (!text.is_empty()).then(|| cut(&text, MOST_BYTES).to_owned())
        }
        JsonKind::Number => {
            let mut text = String::new();
            write_number(value.as_number()?, &mut text);
            Some(text)
        }
        JsonKind::Bool => Some(value.as_str().to_owned()),
        _ => None,
    }
}

fn counted(count: usize, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {noun}s"),
    }
}

/// Older clients trace all arguments of a call.
fn first(value: RawJson<'_>) -> RawJson<'_> {
    match value.kind() {
        JsonKind::Array => value.elements().next().unwrap_or(RawJson::NULL),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> String {
        gist(&Event::parse(line).unwrap())
    }

    #[test]
    fn a_text_is_the_gist_of_the_value() {
        let sdp = r"v=0\r\nm=audio 9\r\na=mid:0\r\nm=video 9\r\n";
        let offer = format!(r#"["setLocalDescription","PC_0",{{"type":"offer","sdp":"{sdp}"}},1]"#);
        assert_eq!(text(&offer), "offer, 2 media sections");
        let legacy =
            format!(r#"["setLocalDescription","PC_0",[{{"type":"offer","sdp":"{sdp}"}}],1]"#);
        assert_eq!(text(&legacy), "offer, 2 media sections");
        let answer = format!(r#"["createAnswerOnSuccess","PC_0",{{"sdp":"{sdp}"}},1]"#);
        assert_eq!(text(&answer), "answer, 2 media sections");
        for (line, expected) in [
            (
                r#"["onicecandidate","PC_0",{"candidate":"candidate:1 1 UDP 5 192.0.2.1 5000 typ host"},1]"#,
                "host udp 192.0.2.1:5000",
            ),
            (
                r#"["addIceCandidate","PC_0",{"candidate":"candidate:1 1 tcp 5 ::1 9 typ host tcptype active"},1]"#,
                "host tcp active [::1]:9",
            ),
            (r#"["onicecandidate","PC_0",null,1]"#, "end of candidates"),
            (
                r#"["onicecandidateerror","PC_0",{"url":"stun:x","errorCode":701,"errorText":"e"},1]"#,
                "701 e stun:x",
            ),
            (r#"["onconnectionstatechange","PC_0","failed",1]"#, "failed"),
            (
                r#"["create","PC_0",{"iceServers":[{}],"bundlePolicy":"balanced"},1]"#,
                "1 ICE server, bundlePolicy balanced",
            ),
            (
                r#"["navigator.mediaDevices.getUserMedia",null,{"audio":true,"video":{"width":1}},1]"#,
                "audio, video",
            ),
            (
                r#"["navigator.mediaDevices.getUserMediaOnSuccess",null,[["audio","a","Mic","s"],["video","v","","s"]],1]"#,
                "audio Mic, video v",
            ),
            (
                r#"["navigator.mediaDevices.getUserMediaOnFailure",null,"NotAllowedError: denied",1]"#,
                "NotAllowedError: denied",
            ),
            (
                r#"["navigator.mediaDevices.getUserMediaOnFailure",null,{"name":"NotAllowedError","message":"denied"},1]"#,
                "NotAllowedError: denied",
            ),
            (r#"["logs",null,[{},{}],1]"#, "2 entries"),
            (
                r#"["e2eRtt",null,{"remoteEndpointId":"a","rtt":23,"more":{}},1]"#,
                "remoteEndpointId a, rtt 23",
            ),
            (r#"["setLocalDescriptionOnSuccess","PC_0",null,1]"#, ""),
        ] {
            assert_eq!(text(line), expected, "{line}");
        }
    }

    #[test]
    fn a_text_is_short_and_never_cut_within_a_character() {
        let long = format!(r#"["x",null,"{}",1]"#, "é".repeat(500));
        assert_eq!(text(&long).len(), 200);
        assert_eq!(cut("aé", 2), "a");
    }
}
