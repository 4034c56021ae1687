//! From Chrome's first statistics to reports like those of webrtc-stats (section 4).

mod stream;

use std::fmt::Write as _;

use crate::json::{Value, write_text};
use crate::stats::{Field, Form, Name, NewValue, Stats, StatsKind, StatsObject};
use stream::{Stream, integer, integer_of};

/// Translates Chrome's first ("goog") statistics, which the callback form of `getStats()` returned.
///
/// All values of those are texts. The translation has every report of the original under its id;
/// numbers become numbers where the names are those of webrtc-stats, `googCandidatePair` and
/// `googCertificate` become `candidate-pair` and `certificate`, and reports are added in the form of
/// an early webrtc-stats draft: `transport_…` for each `googComponent`, and `rtpstream_…`,
/// `rtcpstream_…` and `mediatrack_…` for each `ssrc`. Round-trip times and jitter stay in
/// **milliseconds**. The text `codecId` beside the reports is the name of the last codec: it is
/// [no object](StatsObject::is_object), and there because existing translations have it.
///
/// Where the original has nothing, the translation has nothing: no zeros, but for the frames that
/// Chrome did not count (`framesSent`, `framesReceived`, `framesDropped`), the bitrates of candidate
/// pairs, and the bytes of a transport without pair, which existing translations set.
///
/// One translator serves one peer connection, and keeps its memory.
///
/// ```
/// use rtcstats_proto::delta::Decoder;
/// use rtcstats_proto::legacy::Translator;
/// use rtcstats_proto::stats::{Field, Stats, StatsKind};
/// use rtcstats_proto::{Limits, RawJson};
///
/// let report = RawJson::parse(r#"{
///     "Channel-audio-1": {"type": "googComponent", "selectedCandidatePairId": "Conn-audio-1-0"},
///     "Conn-audio-1-0": {"type": "googCandidatePair", "bytesSent": "1200", "googRtt": "54"}
/// }"#)?;
/// let mut stats = Stats::default();
/// Decoder::jitsi(Limits::default()).decode(report, &mut stats)?;
///
/// let mut translator = Translator::default();
/// let translated = translator.translate(&stats);
/// let transport = translated.get("transport_Channel-audio-1").ok_or("no transport")?;
/// assert_eq!(transport.kind(), Some(StatsKind::Transport));
/// assert_eq!(transport.get(Field::BytesSent).and_then(|value| value.as_number()), Some(1200.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Translator {
    translated: Stats,
    /// An id under construction.
    id: String,
    /// A list of ids under construction.
    list: String,
}

impl Translator {
    /// Whether there is something to translate. As long as [`Stats::arrangement`] stays, so does this.
    pub fn is_needed(stats: &Stats) -> bool {
        let mut objects = stats.iter();
        objects.any(|object| object.kind() == Some(StatsKind::GoogComponent))
    }

    /// The reports of a peer connection in standard form: translated if one of them is a
    /// `googComponent`; else the very same, since they are standard.
    ///
    /// [`StatsObject::is_new`] tells of the translation what the original would: whether the last
    /// report brought the object.
    pub fn translate<'s>(&'s mut self, stats: &'s Stats) -> &'s Stats {
        if !Self::is_needed(stats) {
            return stats;
        }
        self.translated.begin_attempt();
        for object in stats.iter().filter(|object| object.id() != "timestamp") {
            self.copy(object);
        }
        for object in stats.iter() {
            match object.kind() {
                Some(StatsKind::GoogCandidatePair) => self.translate_pair(object, stats),
                Some(StatsKind::GoogCertificate) => self.translate_certificate(object),
                Some(StatsKind::LegacySsrc) => self.translate_stream(object),
                Some(StatsKind::LegacyLocalCandidate | StatsKind::LegacyRemoteCandidate) => {
                    self.set_integers(object, &[Field::PortNumber, Field::Priority]);
                }
                Some(StatsKind::VideoBwe) => self.translate_bandwidth(object),
                Some(_) => {}
                None => self.translate_device(object),
            }
        }
        for object in stats.iter() {
            match object.kind() {
                Some(StatsKind::GoogComponent) => self.add_transport(object, stats),
                Some(StatsKind::LegacySsrc) => self.add_streams(object, stats),
                _ => {}
            }
        }
        self.add_codec(stats);
        let attempt = self.translated.attempts;
        self.translated.retain(|slot| slot.seen == attempt);
        self.translated.finish_report();
        &self.translated
    }

    /// The object with this id, without members.
    fn slot(&mut self, id: &str, form: Form) -> u32 {
        let attempt = self.translated.attempts;
        let Some(slot) = self.translated.find(id) else {
            return self.translated.insert(id, form);
        };
        self.translated.clear(slot);
        if let Some(known) = self.translated.slot_mut(slot) {
            known.form = form;
            known.seen = attempt;
        }
        slot
    }

    fn copy(&mut self, object: StatsObject<'_>) {
        let slot = self.slot(object.id(), object.form());
        if let Some(value) = object.scalar() {
            self.translated.set_scalar(slot, new(value));
            return;
        }
        for (name, value) in object.members() {
            self.set_by_name(slot, name, new(value));
        }
    }

    fn set_by_name(&mut self, slot: u32, name: &str, value: NewValue<'_>) {
        // The original has them within its limit.
        if let Some(name) = self.translated.intern(name, usize::MAX) {
            self.translated.set(slot, name, value);
        }
    }

    fn set(&mut self, slot: u32, field: Field, value: NewValue<'_>) {
        self.translated.set(slot, Name::from(field), value);
    }

    fn set_number(&mut self, slot: u32, field: Field, value: Option<f64>) {
        if let Some(number) = value {
            self.set(slot, field, NewValue::Number(number));
        }
    }

    /// Members that are texts become the integers they begin with.
    fn set_integers(&mut self, object: StatsObject<'_>, fields: &[Field]) {
        if let Some(slot) = self.translated.find(object.id()) {
            for field in fields {
                self.set_number(slot, *field, integer_of(object, &[*field]));
            }
        }
    }

    fn translate_pair(&mut self, pair: StatsObject<'_>, stats: &Stats) {
        let Some(slot) = self.translated.find(pair.id()) else {
            return;
        };
        self.set_integers(
            pair,
            &[
                Field::BytesSent,
                Field::BytesReceived,
                Field::PacketsSent,
                Field::PacketsDiscardedOnSend,
            ],
        );
        let is_true = |field| pair.get(field) == Some(Value::Text("true"));
        let (writable, readable) = (is_true(Field::GoogWritable), is_true(Field::GoogReadable));
        for (field, value) in [
            (Field::Writable, writable),
            (Field::Readable, readable),
            (Field::Nominated, writable && readable),
            (Field::Selected, is_true(Field::GoogActiveConnection)),
        ] {
            self.set(slot, field, NewValue::Bool(value));
        }
        self.set_number(
            slot,
            Field::RoundTripTime,
            integer_of(pair, &[Field::GoogRtt]),
        );
        let bandwidth = stats.get("bweforvideo");
        for (field, source) in BANDWIDTHS {
            let bitrate = bandwidth.and_then(|object| integer_of(object, &[source]));
            self.set_number(slot, field, Some(bitrate.unwrap_or(0.0)));
        }
        self.set(slot, Field::Type, NewValue::Text("candidate-pair"));
        if let Some(channel) = pair.get(Field::GoogChannelId) {
            self.set(slot, Field::TransportId, new(channel));
        }
    }

    /// Sets a member to an id made of two parts.
    fn set_id(&mut self, slot: u32, name: Name, prefix: &str, id: &str) {
        self.id.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.id, "{prefix}{id}");
        self.translated.set(slot, name, NewValue::Text(&self.id));
    }

    fn translate_certificate(&mut self, certificate: StatsObject<'_>) {
        let Some(slot) = self.translated.find(certificate.id()) else {
            return;
        };
        self.set(slot, Field::Type, NewValue::Text("certificate"));
        for (field, source) in [
            (Field::Fingerprint, Field::GoogFingerprint),
            (Field::FingerprintAlgorithm, Field::GoogFingerprintAlgorithm),
            (Field::Base64Certificate, Field::GoogDerBase64),
        ] {
            if let Some(value) = certificate.get(source) {
                self.set(slot, field, new(value));
            }
        }
        self.set(slot, Field::IssuerCertificateId, NewValue::Null);
    }

    fn translate_bandwidth(&mut self, object: StatsObject<'_>) {
        if let Some(slot) = self.translated.find(object.id()) {
            for (field, source) in BANDWIDTHS {
                self.set_number(slot, field, integer_of(object, &[source]));
            }
        }
    }

    /// What the SDKs for phones add.
    fn translate_device(&mut self, object: StatsObject<'_>) {
        if object.get(Field::Type) != Some(Value::Text("rtcstats-device-report")) {
            return;
        }
        let level = object.get_by_name("batteryLevel").and_then(integer);
        if let (Some(slot), Some(level)) = (self.translated.find(object.id()), level) {
            self.set_by_name(slot, "batteryLevel", NewValue::Number(level));
        }
    }

    fn translate_stream(&mut self, object: StatsObject<'_>) {
        let Some(slot) = self.translated.find(object.id()) else {
            return;
        };
        let stream = Stream::of(object);
        if let Some(track) = object.get(Field::GoogTrackId).filter(|id| id.is_truthy()) {
            self.set(slot, Field::TrackIdentifier, new(track));
        }
        self.set(slot, Field::RemoteSource, NewValue::Bool(stream.is_remote));
        for (field, number) in stream.numbers {
            self.set_number(slot, field, number);
        }
    }

    fn add_transport(&mut self, component: StatsObject<'_>, stats: &Stats) {
        let pair_id = component.get(Field::SelectedCandidatePairId);
        let pair = pair_id
            .and_then(Value::as_text)
            .and_then(|id| stats.get(id))
            .filter(|pair| pair.kind() == Some(StatsKind::GoogCandidatePair));
        let slot = self.derived("transport_", component);
        self.set(slot, Field::Type, NewValue::Text("transport"));
        for field in [Field::BytesSent, Field::BytesReceived] {
            let bytes = pair.and_then(|pair| integer_of(pair, &[field]));
            self.set_number(slot, field, Some(bytes.unwrap_or(0.0)));
        }
        if let Some(pair) = pair {
            let is_active = pair.get(Field::GoogActiveConnection) == Some(Value::Text("true"));
            self.set_by_name(slot, "activeConnection", NewValue::Bool(is_active));
            if let Some(slot) = self.translated.find(pair.id()) {
                let name = Name::from(Field::TransportId);
                self.set_id(slot, name, "transport_", component.id());
            }
        }
        for field in [
            Field::SelectedCandidatePairId,
            Field::LocalCertificateId,
            Field::RemoteCertificateId,
        ] {
            if let Some(value) = component.get(field) {
                self.set(slot, field, new(value));
            }
        }
    }

    /// An added object, with the timestamp of the one that it is derived from.
    fn derived(&mut self, prefix: &str, object: StatsObject<'_>) -> u32 {
        let mut id = std::mem::take(&mut self.id);
        id.clear();
        let _ = write!(id, "{prefix}{}", object.id());
        let slot = self.slot(&id, Form::Object);
        self.id = id;
        if let Some(timestamp) = object.get(Field::Timestamp) {
            self.set(slot, Field::Timestamp, new(timestamp));
        }
        slot
    }

    fn add_streams(&mut self, object: StatsObject<'_>, stats: &Stats) {
        let stream = Stream::of(object);
        let (own, remote) = if stream.is_remote {
            ("inbound-rtp", "outbound-rtp")
        } else {
            ("outbound-rtp", "inbound-rtp")
        };
        let slot = self.derived("rtpstream_", object);
        self.set(slot, Field::Type, NewValue::Text(own));
        self.describe_rtp(slot, "rtcpstream_", false, object, stats);
        if let Some(kind) = stream.kind {
            self.set(slot, Field::MediaType, new(kind));
            self.set(slot, Field::Kind, new(kind));
        }
        if stream.is_video {
            self.set_numbers(
                slot,
                &stream,
                &[Field::FirCount, Field::PliCount, Field::NackCount],
            );
        }
        let counters: &[Field] = if stream.is_remote {
            &[
                Field::PacketsReceived,
                Field::BytesReceived,
                Field::PacketsLost,
            ]
        } else {
            &[Field::PacketsSent, Field::BytesSent, Field::RoundTripTime]
        };
        self.set_numbers(slot, &stream, counters);

        let slot = self.derived("rtcpstream_", object);
        self.set(slot, Field::Type, NewValue::Text(remote));
        self.describe_rtp(slot, "rtpstream_", true, object, stats);
        if let Some(codec) = object.get(Field::GoogCodecName).and_then(Value::as_text) {
            self.set_id(slot, Name::from(Field::CodecId), "codec_", codec);
        }
        let counters: &[Field] = if stream.is_remote {
            &[
                Field::PacketsLost,
                Field::PacketsSent,
                Field::BytesSent,
                Field::RoundTripTime,
            ]
        } else {
            &[
                Field::PacketsLost,
                Field::PacketsReceived,
                Field::BytesReceived,
            ]
        };
        self.set_numbers(slot, &stream, counters);
        let jitter = stream.get(Field::Jitter).filter(|jitter| *jitter != 0.0);
        self.set_number(slot, Field::Jitter, jitter);
        self.add_track(object, &stream);
    }

    fn describe_rtp(
        &mut self,
        slot: u32,
        other: &str,
        is_remote: bool,
        object: StatsObject<'_>,
        stats: &Stats,
    ) {
        self.set_number(slot, Field::Ssrc, integer_of(object, &[Field::Ssrc]));
        self.set(slot, Field::IsRemote, NewValue::Bool(is_remote));
        for (name, prefix) in [("associateStatsId", other), ("mediaTrackId", "mediatrack_")] {
            if let Some(name) = self.translated.intern(name, usize::MAX) {
                self.set_id(slot, name, prefix, object.id());
            }
        }
        let component = object
            .get(Field::TransportId)
            .and_then(Value::as_text)
            .and_then(|id| stats.get(id))
            .filter(|component| component.kind() == Some(StatsKind::GoogComponent));
        if let Some(component) = component {
            self.set_id(
                slot,
                Name::from(Field::TransportId),
                "transport_",
                component.id(),
            );
        }
    }

    fn set_numbers(&mut self, slot: u32, stream: &Stream<'_>, fields: &[Field]) {
        for field in fields {
            self.set_number(slot, *field, stream.get(*field));
        }
    }

    fn add_track(&mut self, object: StatsObject<'_>, stream: &Stream<'_>) {
        let slot = self.derived("mediatrack_", object);
        self.set(slot, Field::Type, NewValue::Text("track"));
        if let Some(track) = object.get(Field::GoogTrackId).filter(|id| id.is_truthy()) {
            self.set(slot, Field::TrackIdentifier, new(track));
        }
        self.set(slot, Field::RemoteSource, NewValue::Bool(stream.is_remote));
        self.set_stream_ids(slot, object.id());
        if !stream.is_video {
            self.set_numbers(slot, stream, &[Field::AudioLevel]);
            if !stream.is_remote {
                let fields = [Field::EchoReturnLoss, Field::EchoReturnLossEnhancement];
                self.set_numbers(slot, stream, &fields);
            }
            return;
        }
        self.set_numbers(
            slot,
            stream,
            &[
                Field::FrameWidth,
                Field::FrameHeight,
                Field::FramesPerSecond,
            ],
        );
        if !stream.is_remote {
            self.set_numbers(slot, stream, &[Field::FramesSent]);
            return;
        }
        self.set_numbers(slot, stream, &[Field::FramesReceived, Field::FramesDropped]);
        for name in ["framesDecoded", "framesCorrupted"] {
            if let Some(value) = object.get_by_name(name) {
                self.set_by_name(slot, name, new(value));
            }
        }
    }

    fn set_stream_ids(&mut self, slot: u32, id: &str) {
        let mut list = std::mem::take(&mut self.list);
        list.clear();
        let mut separator = '[';
        for prefix in ["rtpstream_", "rtcpstream_"] {
            list.push(separator);
            self.id.clear();
            let _ = write!(self.id, "{prefix}{id}");
            write_text(&self.id, &mut list);
            separator = ',';
        }
        list.push(']');
        self.set_by_name(slot, "ssrcIds", NewValue::Nested(&list));
        self.list = list;
    }

    /// The stray text that existing translations have beside the reports.
    fn add_codec(&mut self, stats: &Stats) {
        let codec = stats
            .iter()
            .filter(|object| object.kind() == Some(StatsKind::LegacySsrc))
            .filter_map(|object| object.get(Field::GoogCodecName)?.as_text())
            .filter(|codec| !codec.is_empty())
            .last();
        let Some(codec) = codec else {
            return;
        };
        let slot = self.slot("codecId", Form::Scalar);
        self.id.clear();
        let _ = write!(self.id, "codec_{codec}");
        self.translated.set_scalar(slot, NewValue::Text(&self.id));
    }
}

const BANDWIDTHS: [(Field, Field); 2] = [
    (
        Field::AvailableOutgoingBitrate,
        Field::GoogAvailableSendBandwidth,
    ),
    (
        Field::AvailableIncomingBitrate,
        Field::GoogAvailableReceiveBandwidth,
    ),
];

fn new(value: Value<'_>) -> NewValue<'_> {
    match value {
        Value::Null => NewValue::Null,
        Value::Bool(value) => NewValue::Bool(value),
        Value::Number(number) => NewValue::Number(number),
        Value::Text(text) => NewValue::Text(text),
        Value::Nested(raw) => NewValue::Nested(raw.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::delta::Decoder;
    use crate::{Limits, RawJson};

    fn stats(report: &str) -> Stats {
        let mut stats = Stats::default();
        Decoder::jitsi(Limits::default())
            .decode(RawJson::parse(report).unwrap(), &mut stats)
            .unwrap();
        stats
    }

    const COMPONENT: &str = r#""C":{"type":"googComponent","selectedCandidatePairId":"P"}"#;

    #[test]
    fn standard_statistics_are_returned_as_they_are() {
        let stats = stats(r#"{"a":{"type":"transport","bytesSent":"5"},"timestamp":1}"#);
        let mut translator = Translator::default();
        assert!(std::ptr::eq(translator.translate(&stats), &stats));
    }

    #[test]
    fn what_the_next_report_lacks_is_gone_and_the_rest_is_not_new() {
        let ssrc = r#""S_send":{"type":"ssrc","mediaType":"audio","googCodecName":"opus","x":"1"}"#;
        let first = stats(&format!(r#"{{{COMPONENT},{ssrc},"timestamp":5}}"#));
        let second = stats(&format!("{{{COMPONENT}}}"));
        let mut translator = Translator::default();
        let ids = |stats: &Stats| stats.iter().map(|o| o.id().to_owned()).collect::<Vec<_>>();
        let translated = translator.translate(&first);
        assert_eq!(
            ids(translated),
            [
                "C",
                "S_send",
                "transport_C",
                "rtpstream_S_send",
                "rtcpstream_S_send",
                "mediatrack_S_send",
                "codecId"
            ]
        );
        assert!(translated.get("C").is_some_and(StatsObject::is_new));
        let translated = translator.translate(&second);
        assert_eq!(ids(translated), ["C", "transport_C"]);
        assert!(!translated.get("C").is_some_and(StatsObject::is_new));
    }

    #[test]
    fn what_is_unknown_stays_unknown() {
        let stats = stats(&format!(
            r#"{{{COMPONENT},"S_recv":{{"type":"ssrc","mediaType":"video","packetsLost":"","packetsReceived":"x","bytesReceived":" -7px"}}}}"#
        ));
        let mut translator = Translator::default();
        let translated = translator.translate(&stats);
        let rtp = translated.get("rtpstream_S_recv").unwrap();
        assert_eq!(rtp.get(Field::PacketsLost), None);
        assert_eq!(rtp.get(Field::PacketsReceived), None);
        assert_eq!(rtp.get(Field::BytesReceived), Some(Value::Number(-7.0)));
        let own = translated.get("S_recv").unwrap();
        assert_eq!(own.get(Field::PacketsReceived), Some(Value::Text("x")));
        assert_eq!(own.get(Field::FrameHeight), None);
    }

    #[test]
    fn the_battery_of_a_phone_has_a_number() {
        let stats = stats(&format!(
            r#"{{{COMPONENT},"D":{{"type":"rtcstats-device-report","batteryLevel":"87","networkType":"wifi"}}}}"#
        ));
        let mut translator = Translator::default();
        let device = translator.translate(&stats).get("D").unwrap();
        assert_eq!(
            device.get_by_name("batteryLevel"),
            Some(Value::Number(87.0))
        );
    }

    /// A report of objects that matter, under ids that collide with those of added ones.
    fn report() -> impl Strategy<Value = String> {
        let text = |texts: &[&'static str]| prop::sample::select(texts.to_vec());
        let ids = text(&[
            "C",
            "P",
            "S_recv",
            "transport_C",
            "rtpstream_S_recv",
            "codecId",
            "timestamp",
            "bweforvideo",
        ]);
        let kinds = text(&[
            "googComponent",
            "googCandidatePair",
            "googCertificate",
            "ssrc",
            "localcandidate",
            "VideoBwe",
            "rtcstats-device-report",
            "unknown",
        ]);
        let names = text(&[
            "selectedCandidatePairId",
            "transportId",
            "googChannelId",
            "googCodecName",
            "mediaType",
            "packetsLost",
            "googRtt",
            "googTrackId",
            "batteryLevel",
            "timestamp",
            "id",
        ]);
        let values = text(&[
            "\"C\"",
            "\"P\"",
            "\"-12x\"",
            "\"video\"",
            "\"\"",
            "5.5",
            "null",
            "[1]",
            "true",
        ]);
        let members = prop::collection::vec((names, values.clone()), 0..6);
        let object = (kinds, members).prop_map(|(kind, members)| {
            let members = members
                .iter()
                .map(|(name, value)| format!(",\"{name}\":{value}"));
            format!("{{\"type\":\"{kind}\"{}}}", members.collect::<String>())
        });
        let entry = (
            ids,
            prop_oneof![5 => object, 1 => values.prop_map(str::to_owned)],
        );
        prop::collection::vec(entry, 0..8).prop_map(|entries| {
            let entries = entries
                .iter()
                .map(|(id, object)| format!("\"{id}\":{object}"));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        })
    }

    fn translated(translator: &mut Translator, stats: &Stats) -> serde_json::Value {
        let mut json = String::new();
        translator.translate(stats).write_json(&mut json);
        serde_json::from_str(&json).unwrap()
    }

    proptest! {
        #[test]
        fn nothing_is_left_of_the_report_before(reports in prop::collection::vec(report(), 1..6)) {
            let mut reused = Translator::default();
            for report in reports {
                let stats = stats(&report);
                let fresh = translated(&mut Translator::default(), &stats);
                prop_assert_eq!(translated(&mut reused, &stats), fresh, "{}", report);
            }
        }
    }
}
