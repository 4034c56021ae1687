//! What a stats object is, in words.

use std::fmt::Write;

use rtcstats_proto::json::Value;
use rtcstats_proto::stats::{Field, Stats, StatsKind, StatsObject};

/// Bytes of a label; longer ones are cut.
const MOST_BYTES: usize = 200;

/// `audio` or `video`, where the object says so.
pub(super) fn media(object: StatsObject<'_>) -> Option<&'static str> {
    let told = text(object, Field::Kind).or_else(|| text(object, Field::MediaType));
    match told? {
        "audio" => Some("audio"),
        "video" => Some("video"),
        _ => None,
    }
}

/// The slots of the candidate pairs that transports have selected.
pub(super) fn selected_pairs(stats: &Stats) -> impl Iterator<Item = u32> {
    let objects = stats.iter();
    let transports = objects.filter(|object| object.kind() == Some(StatsKind::Transport));
    let ids = transports.filter_map(|transport| text(transport, Field::SelectedCandidatePairId));
    ids.filter_map(|id| Some(stats.get(id)?.slot()))
}

/// Writes the label of an object: its type, and what tells it from others of this type. `selected` are
/// the slots of the candidate pairs in use, sorted.
pub(super) fn write_label(
    object: StatsObject<'_>,
    stats: &Stats,
    selected: &[u32],
    label: &mut String,
) {
    let kind =
        text(object, Field::Type).unwrap_or_else(|| object.kind().map_or("", StatsKind::as_str));
    label.push_str(kind);
    match object.kind() {
        Some(StatsKind::CandidatePair) => write_pair(object, stats, selected, label),
        Some(StatsKind::LocalCandidate | StatsKind::RemoteCandidate) => {
            write_candidate(object, label);
        }
        Some(StatsKind::LegacySsrc) => {
            let direction = match object.id().ends_with("_recv") {
                true => " inbound",
                false => " outbound",
            };
            label.push_str(direction);
            write_stream(object, stats, label);
        }
        _ => write_stream(object, stats, label),
    }
    if label.len() > MOST_BYTES {
        let end = (0..=MOST_BYTES)
            .rev()
            .find(|end| label.is_char_boundary(*end));
        label.truncate(end.unwrap_or_default());
    }
}

fn write_stream(object: StatsObject<'_>, stats: &Stats, label: &mut String) {
    if let Some(media) = media(object) {
        let _ = write!(label, " {media}");
    }
    let codec = text(object, Field::CodecId)
        .and_then(|id| stats.get(id))
        .unwrap_or(object);
    let codec = text(codec, Field::MimeType)
        .map(|mime| mime.rsplit('/').next().unwrap_or(mime))
        .or_else(|| text(object, Field::GoogCodecName));
    if let Some(codec) = codec.filter(|codec| !codec.is_empty()) {
        let _ = write!(label, ", {codec}");
    }
    for (name, field) in [
        ("mid", Field::Mid),
        ("rid", Field::Rid),
        ("label", Field::Label),
    ] {
        if let Some(value) = text(object, field).filter(|value| !value.is_empty()) {
            let _ = write!(label, ", {name} {value}");
        }
    }
    let identifier =
        text(object, Field::TrackIdentifier).or_else(|| text(object, Field::GoogTrackId));
    if let Some(track) = identifier.filter(|track| !track.is_empty()) {
        let _ = write!(label, ", track {track}");
    }
}

/// Of a pair, which candidates they are, and whether it is in use.
fn write_pair(pair: StatsObject<'_>, stats: &Stats, selected: &[u32], label: &mut String) {
    let candidate = |field| stats.get(text(pair, field)?);
    let kind = |field| text(candidate(field)?, Field::CandidateType);
    let protocol =
        candidate(Field::LocalCandidateId).and_then(|local| text(local, Field::Protocol));
    if let Some(protocol) = protocol {
        let _ = write!(label, " {protocol}");
    }
    let ends = (
        kind(Field::LocalCandidateId),
        kind(Field::RemoteCandidateId),
    );
    if let (Some(local), Some(remote)) = ends {
        let _ = write!(label, ", {local} to {remote}");
    }
    if selected.binary_search(&pair.slot()).is_ok()
        || pair.get(Field::Selected) == Some(Value::Bool(true))
    {
        label.push_str(", selected");
    }
}

fn write_candidate(candidate: StatsObject<'_>, label: &mut String) {
    for field in [Field::CandidateType, Field::Protocol, Field::RelayProtocol] {
        if let Some(value) = text(candidate, field) {
            let _ = write!(label, " {value}");
        }
    }
}

fn text(object: StatsObject<'_>, field: Field) -> Option<&str> {
    object.get(field)?.as_text()
}

#[cfg(test)]
mod tests {
    use rtcstats_proto::delta::Decoder;
    use rtcstats_proto::{Limits, RawJson};

    use super::*;

    #[test]
    fn a_label_says_what_an_object_is() {
        let report = r#"{
            "O":{"type":"outbound-rtp","kind":"video","codecId":"C","mid":"1","rid":"hi"},
            "C":{"type":"codec","mimeType":"video/VP8"},
            "P":{"type":"candidate-pair","localCandidateId":"L","remoteCandidateId":"R"},
            "L":{"type":"local-candidate","candidateType":"host","protocol":"udp"},
            "R":{"type":"remote-candidate","candidateType":"relay","protocol":"udp"},
            "T":{"type":"transport","selectedCandidatePairId":"P"},
            "5_recv":{"type":"ssrc","mediaType":"audio","googCodecName":"opus","googTrackId":"t"},
            "X":{"type":"brand-new"},
            "N":{}
        }"#;
        let mut stats = Stats::default();
        let report = RawJson::parse(report).unwrap();
        Decoder::jitsi(Limits::default())
            .decode(report, &mut stats)
            .unwrap();
        let selected: Vec<_> = selected_pairs(&stats).collect();
        let label = |id: &str| {
            let mut label = String::new();
            write_label(stats.get(id).unwrap(), &stats, &selected, &mut label);
            label
        };
        assert_eq!(label("O"), "outbound-rtp video, VP8, mid 1, rid hi");
        assert_eq!(label("P"), "candidate-pair udp, host to relay, selected");
        assert_eq!(label("L"), "local-candidate host udp");
        assert_eq!(label("5_recv"), "ssrc inbound audio, opus, track t");
        assert_eq!(
            (label("X"), label("N")),
            ("brand-new".to_owned(), String::new())
        );
    }
}
