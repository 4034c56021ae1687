//! The features of a track.

use rtcstats_proto::RawJson;
use rtcstats_proto::json::Value;
use rtcstats_proto::stats::Field;
use serde::Serialize;
use serde_json::Value as Json;

use super::feature::feature_set;
use super::last_report::LastReport;
use super::stream::Stream;
use super::tracks::Track;

/// Which way a track goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the peer.
    #[default]
    Inbound,
    /// To the peer.
    Outbound,
}

feature_set! {
    /// One track, sent or received, and the RTP stream that carried it.
    ///
    /// Most are from the stream's object in the reports (`RTCInboundRtpStreamStats`,
    /// `RTCOutboundRtpStreamStats`): the first one whose source or receiver has the track's id. It stays
    /// the same one; of a simulcast it is the first layer. Absent without such an object, or if it lacks
    /// the member. Nothing is reset, but browsers begin anew with the counters of a stream that they
    /// restart. "Last" is the last report with that object.
    pub struct TrackFeatures {
        /// `"audio"` or `"video"`.
        pub kind: Option<String>,
        /// Which way it goes.
        pub direction: Direction,
        /// Time of the event that announced it, Unix epoch milliseconds.
        pub start_time: Option<f64>,
        /// The id of the `MediaStreamTrack`; null where a transceiver was added without one.
        pub track_identifier: Option<Json>,
        /// Whether `decoderImplementation` was ever `NullVideoDecoder`: frames came that nobody could
        /// decode. Of received video only.
        pub has_null_video_decoder: Option<bool>,
        /// From the announcement to the first `unmute` event in milliseconds, rounded down. Of received
        /// tracks only; absent if that event is missing or came before.
        pub time_to_first_frame: Option<f64>,
        /// From the announcement to the last report with the stream in milliseconds, rounded down; 0 if
        /// there is none.
        pub duration: f64,
        /// `mimeType` of the first codec, such as `"video/VP8"`.
        pub codec_mime_type: Option<Json>,
        /// `sdpFmtpLine` of that codec; empty if it has none.
        pub codec_sdp_fmtp_line: Option<Json>,

        // Resolution, of video only
        /// Smallest `frameWidth` in pixels. Absent if no report has a width and a height, as the next
        /// five.
        pub min_width: Option<f64>,
        /// Largest `frameWidth`.
        pub max_width: Option<f64>,
        /// Smallest `frameHeight`.
        pub min_height: Option<f64>,
        /// Largest `frameHeight`.
        pub max_height: Option<f64>,
        /// The `frameWidth` of most reports; the smallest of several.
        pub common_width: Option<f64>,
        /// The `frameHeight` of most reports.
        pub common_height: Option<f64>,

        /// Whether the jitter buffer was flushed three times or more, always 3 to 5 seconds apart. Of
        /// received audio only; absent below three (`jitterBufferFlushes`).
        pub has_periodic_jitter_buffer_flushes: Option<bool>,

        // Of the last report
        /// `framesEncoded` or `framesDecoded`.
        pub frame_count: Option<f64>,
        /// `keyFramesEncoded` or `keyFramesDecoded`.
        pub key_frame_count: Option<f64>,
        /// `qpSum`: sum of the quantizers of all frames.
        pub qp_sum: Option<f64>,
        /// `nackCount`: NACK packets.
        pub nack_count: Option<f64>,
        /// `pliCount`: requests for a key frame, PLI.
        pub pli_count: Option<f64>,
        /// `firCount`: requests for a key frame, FIR.
        pub fir_count: Option<f64>,

        // Of the last report, of sent tracks
        /// Part of the time in which bandwidth limited the quality, 0 to 1, by
        /// `qualityLimitationDurations`. NaN before any time has passed.
        pub bandwidth_quality_limitation_percentage: Option<f64>,
        /// The same for the CPU.
        pub cpu_quality_limitation_percentage: Option<f64>,
        /// The same for other reasons.
        pub other_quality_limitation_percentage: Option<f64>,
        /// `qualityLimitationResolutionChanges`: how often the resolution changed for that.
        pub quality_limitation_resolution_changes: Option<f64>,
        /// `rid`: which simulcast layer.
        pub rid: Option<Json>,
        /// `encodingIndex`: its number among the sender's encodings.
        pub encoding_index: Option<f64>,
        /// `encoderImplementation`, such as `"libvpx"`.
        pub encoder_implementation: Option<Json>,
        /// `powerEfficientEncoder`: in hardware as a rule.
        pub power_efficient_encoder: Option<Json>,
        /// `packetsSentWithEct1` (L4S).
        pub packets_sent_with_ect1: Option<f64>,
        /// Seconds per frame: `totalEncodeTime` by `framesEncoded`. Absent without frames.
        pub average_encode_time: Option<f64>,
        /// `psnrMeasurements`. Absent if none, as the next three.
        pub psnr_measurements: Option<f64>,
        /// Member `y` of `psnrSum`, in dB.
        pub psnr_sum_y: Option<f64>,
        /// Member `u` of `psnrSum`.
        pub psnr_sum_u: Option<f64>,
        /// Member `v` of `psnrSum`.
        pub psnr_sum_v: Option<f64>,
        /// `packetsReceivedWithEct1` of what the receiver reported (`RTCRemoteInboundRtpStreamStats`).
        pub packets_received_with_ect1: Option<f64>,
        /// `packetsReceivedWithCe` of what the receiver reported.
        pub packets_received_with_ce: Option<f64>,
        /// `packetsWithBleachedEct1Marking` of what the receiver reported.
        pub packets_with_bleached_ect1_marking: Option<f64>,

        // Of the last report, of received tracks
        /// `freezeCount`.
        pub freeze_count: Option<f64>,
        /// `totalFreezesDuration` in seconds.
        pub total_freezes_duration: Option<f64>,
        /// `framesDropped`.
        pub frames_dropped: Option<f64>,
        /// `decoderImplementation`, such as `"libvpx"`.
        pub decoder_implementation: Option<Json>,
        /// `powerEfficientDecoder`: in hardware as a rule.
        pub power_efficient_decoder: Option<Json>,
        /// `jitterBufferDelay` in seconds, summed over samples or frames.
        pub jitter_buffer_delay: Option<f64>,
        /// `jitterBufferMinimumDelay` in seconds, summed.
        pub jitter_buffer_minimum_delay: Option<f64>,
        /// `jitterBufferTargetDelay` in seconds, summed.
        pub jitter_buffer_target_delay: Option<f64>,
        /// `jitterBufferEmittedCount`: samples or frames.
        pub jitter_buffer_emitted_count: Option<f64>,
        /// `jitterBufferFlushes`.
        pub jitter_buffer_flushes: Option<f64>,
        /// `totalProcessingDelay` in seconds, summed.
        pub total_processing_delay: Option<f64>,
        /// `framesAssembledFromMultiplePackets`.
        pub frames_assembled_from_multiple_packets: Option<f64>,
        /// `totalAssemblyTime` in seconds.
        pub total_assembly_time: Option<f64>,
        /// `concealedSamples`.
        pub concealed_samples: Option<f64>,
        /// `totalSamplesReceived`.
        pub total_samples_received: Option<f64>,
        /// `insertedSamplesForDeceleration`.
        pub inserted_samples_for_deceleration: Option<f64>,
        /// `removedSamplesForAcceleration`.
        pub removed_samples_for_acceleration: Option<f64>,
        /// Part of the samples that was concealed, 0 to 1. Absent without samples, as the next two.
        pub concealment_percentage: Option<f64>,
        /// Part of the samples that was inserted to play more slowly.
        pub deceleration_percentage: Option<f64>,
        /// Part of the samples that was removed to play faster.
        pub acceleration_percentage: Option<f64>,
        /// Seconds per frame: `totalDecodeTime` by `framesDecoded`. Absent without frames, as the next.
        pub average_decode_time: Option<f64>,
        /// Seconds between frames: `totalInterFrameDelay` by `framesDecoded`.
        pub average_inter_frame_delay: Option<f64>,
        /// Seconds in the jitter buffer: `jitterBufferDelay` by `jitterBufferEmittedCount`. Absent if
        /// none was emitted, as the next.
        pub average_jitter_buffer_delay: Option<f64>,
        /// Seconds from reception to the end of decoding: `totalProcessingDelay` by
        /// `jitterBufferEmittedCount`.
        pub average_processing_delay: Option<f64>,
        /// Seconds from the first packet of a frame to its last: `totalAssemblyTime` by
        /// `framesAssembledFromMultiplePackets`. Absent without such frames.
        pub average_assembly_time: Option<f64>,
        ;
        /// The label of the track where the announcement has one: the name of a device, as a rule. Not
        /// in JSON.
        #[serde(skip)]
        pub label: Option<String>,
        /// The ids of the media streams that it was announced with. Not in JSON.
        #[serde(skip)]
        pub streams: Vec<String>,
        /// The id of the stats object of the stream. Not in JSON.
        #[serde(skip)]
        pub stats_id: Option<String>,
    }
}

impl TrackFeatures {
    /// Of a track, first unmuted at `unmuted`, that `stream` carried.
    pub(super) fn of(track: &Track, unmuted: Option<f64>, stream: Option<&Stream>) -> Self {
        let mut features = Self {
            kind: track.kind.clone(),
            direction: track.direction,
            start_time: Some(track.start),
            track_identifier: track.id.clone(),
            label: track.label.clone(),
            streams: track.streams.clone(),
            ..Self::default()
        };
        let is_inbound = track.direction == Direction::Inbound;
        if is_inbound {
            let time = unmuted.map(|unmuted| (unmuted - track.start).floor());
            features.time_to_first_frame = time.filter(|time| *time >= 0.0);
        }
        let is_video = features.kind.as_deref() == Some("video");
        if is_inbound && is_video {
            features.has_null_video_decoder =
                Some(stream.is_some_and(|stream| stream.has_null_decoder));
        }
        if let Some(stream) = stream {
            features.write_stream(stream, is_inbound);
            features.write_both(&stream.last);
            match track.direction {
                Direction::Inbound => features.write_inbound(&stream.last),
                Direction::Outbound => features.write_outbound(stream),
            }
        }
        features
    }

    fn write_stream(&mut self, stream: &Stream, is_inbound: bool) {
        let is_audio = self.kind.as_deref() == Some("audio");
        let start = self.start_time.unwrap_or(f64::NAN);
        self.stats_id = Some(stream.id().to_owned());
        self.duration = (stream.last_time - start).floor();
        if let Some(codec) = &stream.codec {
            self.codec_mime_type = codec.mime_type.clone();
            self.codec_sdp_fmtp_line = Some(codec.sdp_fmtp_line.clone());
        }
        if let Some(resolutions) = stream.resolutions.as_ref().filter(|_| !is_audio) {
            resolutions.write(self);
        }
        if is_inbound && is_audio {
            self.has_periodic_jitter_buffer_flushes = stream.flushes.are_periodic();
        }
    }

    fn write_both(&mut self, last: &LastReport) {
        let first_of = |one, other| last.number(one).or_else(|| last.number(other));
        self.frame_count = first_of(Field::FramesEncoded, Field::FramesDecoded);
        self.key_frame_count = first_of(Field::KeyFramesEncoded, Field::KeyFramesDecoded);
        self.qp_sum = last.number(Field::QpSum);
        self.nack_count = last.number(Field::NackCount);
        self.pli_count = last.number(Field::PliCount);
        self.fir_count = last.number(Field::FirCount);
    }

    fn write_outbound(&mut self, stream: &Stream) {
        let last = &stream.last;
        let durations = last.get(Field::QualityLimitationDurations);
        if durations.is_some_and(Value::is_truthy) {
            let durations = last.nested(Field::QualityLimitationDurations);
            let durations = QualityLimitation::of(durations.unwrap_or(RawJson::NULL));
            self.bandwidth_quality_limitation_percentage = Some(durations.part("bandwidth"));
            self.cpu_quality_limitation_percentage = Some(durations.part("cpu"));
            self.other_quality_limitation_percentage = Some(durations.part("other"));
        }
        self.quality_limitation_resolution_changes =
            last.number(Field::QualityLimitationResolutionChanges);
        self.rid = last.json(Field::Rid);
        self.encoding_index = last.number(Field::EncodingIndex);
        self.encoder_implementation = last.json(Field::EncoderImplementation);
        self.power_efficient_encoder = last.json(Field::PowerEfficientEncoder);
        self.packets_sent_with_ect1 = last.number(Field::PacketsSentWithEct1);
        self.average_encode_time = last.ratio(Field::TotalEncodeTime, Field::FramesEncoded);
        let measurements = last.get(Field::PsnrMeasurements);
        if measurements.is_some_and(Value::is_truthy) {
            let sum = last.nested(Field::PsnrSum);
            let part = |name| {
                let part = sum.and_then(|sum| sum.get(name));
                part.map(|part| part.as_number().unwrap_or(f64::NAN))
            };
            self.psnr_measurements = last.number(Field::PsnrMeasurements);
            self.psnr_sum_y = part("y");
            self.psnr_sum_u = part("u");
            self.psnr_sum_v = part("v");
        }
        let packets = stream.remote.as_ref().map(|remote| remote.packets);
        [
            self.packets_received_with_ect1,
            self.packets_received_with_ce,
            self.packets_with_bleached_ect1_marking,
        ] = packets.unwrap_or_default();
    }

    fn write_inbound(&mut self, last: &LastReport) {
        self.freeze_count = last.number(Field::FreezeCount);
        self.total_freezes_duration = last.number(Field::TotalFreezesDuration);
        self.frames_dropped = last.number(Field::FramesDropped);
        self.decoder_implementation = last.json(Field::DecoderImplementation);
        self.power_efficient_decoder = last.json(Field::PowerEfficientDecoder);
        self.jitter_buffer_delay = last.number(Field::JitterBufferDelay);
        self.jitter_buffer_minimum_delay = last.number(Field::JitterBufferMinimumDelay);
        self.jitter_buffer_target_delay = last.number(Field::JitterBufferTargetDelay);
        self.jitter_buffer_emitted_count = last.number(Field::JitterBufferEmittedCount);
        self.jitter_buffer_flushes = last.number(Field::JitterBufferFlushes);
        self.total_processing_delay = last.number(Field::TotalProcessingDelay);
        self.frames_assembled_from_multiple_packets =
            last.number(Field::FramesAssembledFromMultiplePackets);
        self.total_assembly_time = last.number(Field::TotalAssemblyTime);
        self.concealed_samples = last.number(Field::ConcealedSamples);
        self.total_samples_received = last.number(Field::TotalSamplesReceived);
        self.inserted_samples_for_deceleration = last.number(Field::InsertedSamplesForDeceleration);
        self.removed_samples_for_acceleration = last.number(Field::RemovedSamplesForAcceleration);
        let of_samples = |part| last.ratio(part, Field::TotalSamplesReceived);
        self.concealment_percentage = of_samples(Field::ConcealedSamples);
        self.deceleration_percentage = of_samples(Field::InsertedSamplesForDeceleration);
        self.acceleration_percentage = of_samples(Field::RemovedSamplesForAcceleration);
        self.average_decode_time = last.ratio(Field::TotalDecodeTime, Field::FramesDecoded);
        self.average_inter_frame_delay =
            last.ratio(Field::TotalInterFrameDelay, Field::FramesDecoded);
        let by_emitted = |sum| last.ratio(sum, Field::JitterBufferEmittedCount);
        self.average_jitter_buffer_delay = by_emitted(Field::JitterBufferDelay);
        self.average_processing_delay = by_emitted(Field::TotalProcessingDelay);
        self.average_assembly_time = last.ratio(
            Field::TotalAssemblyTime,
            Field::FramesAssembledFromMultiplePackets,
        );
    }
}

/// `qualityLimitationDurations`: seconds by reason.
struct QualityLimitation<'a> {
    durations: RawJson<'a>,
    /// Of all, in their order.
    sum: f64,
}

impl<'a> QualityLimitation<'a> {
    fn of(durations: RawJson<'a>) -> Self {
        let all = durations.members().map(|(_, value)| value.to_number());
        Self {
            durations,
            sum: all.fold(0.0, |sum, duration| sum + duration),
        }
    }

    /// Which part of the time it was for this reason; NaN if that is not known.
    fn part(&self, reason: &str) -> f64 {
        let duration = self.durations.get(reason).map(RawJson::to_number);
        duration.unwrap_or(f64::NAN) / self.sum
    }
}
