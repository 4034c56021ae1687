//! The tables that rows are written to: which member of which object is in which column.
//!
//! The migrations (folder `migrations`) have the same columns, as a test checks.

use Kind::{Boolean, Integer, Json, RawJson, Real, Text, Time};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// 64 bits.
    Integer,
    /// 64 bits.
    Real,
    Boolean,
    /// UTC; in SQLite as text.
    Time,
    /// JSON that can be asked for its members.
    Json,
    /// JSON text as it came.
    RawJson,
}

/// A column, and the member that it is filled from; none for those that link rows.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) member: Option<&'static str>,
    pub(super) kind: Kind,
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
}

const fn link(name: &'static str) -> Column {
    Column {
        name,
        member: None,
        kind: Integer,
    }
}

const fn column(name: &'static str, member: &'static str, kind: Kind) -> Column {
    Column {
        name,
        member: Some(member),
        kind,
    }
}

/// All of them, those that others refer to first.
pub(super) const TABLES: [&Table; 14] = [
    &SESSIONS,
    &SESSION_PEERS,
    &PARTS,
    &RTCSTATS,
    &RTCSTATS_PC_METRICS,
    &RTCSTATS_TRACK_METRICS,
    &RTCSTATS_E2E_PING,
    &RTCSTATS_FACE_LANDMARKS,
    &RTCSTATS_MEETING_EVENT,
    &DUMP_METADATA,
    &FEATURES_METADATA,
    &FEATURES_CLIENT,
    &FEATURES_CONNECTION,
    &FEATURES_TRACK,
];

/// One row for each dump whose features were published.
pub(super) static SESSIONS: Table = Table {
    name: "sessions",
    columns: &[
        link("id"),
        column("name", "name", Text),
        column("session_id", "sessionId", Text),
        column("generation", "generation", Text),
        column("client_type", "clientType", Text),
        column("user_id", "user", Text),
        column("display_name", "displayName", Text),
        column("conference", "conference", Text),
        column("conference_name", "conferenceName", Text),
        column("conference_url", "conferenceUrl", Text),
        column("tenant", "tenant", Text),
        column("application", "app", Text),
        column("application_session", "session", Text),
        column("client_id", "clientId", Text),
        column("meeting_unique_id", "meetingUniqueId", Text),
        column("browser", "browserName", Text),
        column("browser_version", "browserVersion", Text),
        column("operating_system", "os", Text),
        column("started_at", "startedMs", Time),
        column("ended_at", "endedMs", Time),
        column("duration_ms", "durationMs", Real),
        column("bytes", "bytes", Integer),
        column("events", "events", Integer),
        column("malformed", "malformed", Integer),
        column("duplicates", "duplicates", Integer),
        column("gap_count", "gapCount", Integer),
        column("continues_from", "continuesFrom", Integer),
        column("resumes", "resumes", Integer),
        column("extractor_version", "extractorVersion", Text),
        column("published_at", "publishedMs", Time),
        column("connections", "connections", Integer),
        column("packet_loss", "packetLoss", Real),
        column("round_trip_time_ms", "roundTripTimeMs", Real),
        column("search_text", "searchText", Text),
    ],
};

/// Peers that a session had by the application (`rtcStatsPeerId`).
pub(super) static SESSION_PEERS: Table = Table {
    name: "session_peers",
    columns: &[link("session"), column("peer_id", "peerId", Text)],
};

/// The published record, part by part, as JSON text: what the rows of the other tables were made of.
pub(super) static PARTS: Table = Table {
    name: "parts",
    columns: &[
        link("session"),
        column("position", "position", Integer),
        column("part", "part", Text),
        column("value", "value", RawJson),
    ],
};

/// Part `meeting`: one row for each session of a browser.
pub(super) static RTCSTATS: Table = Table {
    name: "rtcstats",
    columns: &[
        link("session"),
        column("appenv", "appEnv", Text),
        column("createdate", "createDate", Time),
        column("statssessionid", "statsSessionId", Text),
        column("meetinguniqueid", "meetingUniqueId", Text),
        column("meetingurl", "meetingUrl", Text),
        column("conferencestarttime", "conferenceStartTime", Time),
        column("tenant", "tenant", Text),
        column("jaasclientid", "jaasClientId", Text),
        column("displayname", "displayName", Text),
        column("crossregion", "crossRegion", Text),
        column("environment", "environment", Text),
        column("region", "region", Text),
        column("releasenumber", "releaseNumber", Text),
        column("shard", "shard", Text),
        column("userregion", "userRegion", Text),
        column("meetingname", "meetingName", Text),
        column("endpointid", "endpointId", Text),
        column("sessionstarttime", "sessionStartTime", Time),
        column("sessionendtime", "sessionEndTime", Time),
        column("sessiondurationms", "sessionDurationMs", Real),
        column("conferencedurationms", "conferenceDurationMs", Real),
        column("dominantspeakerchanges", "dominantSpeakerChanges", Integer),
        column("speakertime", "speakerTime", Real),
        column("sentimentangry", "sentimentAngry", Real),
        column("sentimentdisgusted", "sentimentDisgusted", Real),
        column("sentimentfearful", "sentimentFearful", Real),
        column("sentimenthappy", "sentimentHappy", Real),
        column("sentimentneutral", "sentimentNeutral", Real),
        column("sentimentsad", "sentimentSad", Real),
        column("sentimentsurprised", "sentimentSurprised", Real),
        column("os", "os", Text),
        column("browsername", "browserName", Text),
        column("browserversion", "browserVersion", Text),
        column("isbreakoutroom", "isBreakoutRoom", Boolean),
        column("breakoutroomid", "breakoutRoomId", Text),
        column("parentstatssessionid", "parentStatsSessionId", Text),
    ],
};

/// Parts `pc/0` …: its peer connections.
pub(super) static RTCSTATS_PC_METRICS: Table = Table {
    name: "rtcstats_pc_metrics",
    columns: &[
        link("session"),
        column("id", "id", Text),
        column("pcname", "pcname", Text),
        column("createdate", "createDate", Time),
        column("statssessionid", "statsSessionId", Text),
        column("meetinguniqueid", "meetingUniqueId", Text),
        column("meetingurl", "meetingUrl", Text),
        column("conferencestarttime", "conferenceStartTime", Time),
        column("tenant", "tenant", Text),
        column("jaasclientid", "jaasClientId", Text),
        column("dtlserrors", "dtlsErrors", Integer),
        column("dtlsfailure", "dtlsFailure", Integer),
        column("sdpcreatefailure", "sdpCreateFailure", Integer),
        column("sdpsetfailure", "sdpSetFailure", Integer),
        column("isp2p", "isP2P", Boolean),
        column("usesrelay", "usesRelay", Boolean),
        column("icereconnects", "iceReconnects", Integer),
        column("pcsessiondurationms", "pcSessionDurationMs", Real),
        column("connectionfailed", "connectionFailed", Boolean),
        column("lasticefailure", "lastIceFailure", Real),
        column("lasticedisconnect", "lastIceDisconnect", Real),
        column("receivedpacketslostpct", "receivedPacketsLostPct", Real),
        column("sentpacketslostpct", "sentPacketsLostPct", Real),
        column("totalpacketsreceived", "totalPacketsReceived", Integer),
        column("totalpacketssent", "totalPacketsSent", Integer),
        column(
            "totalreceivedpacketslost",
            "totalReceivedPacketsLost",
            Integer,
        ),
        column("totalsentpacketslost", "totalSentPacketsLost", Integer),
        column("meanrtt", "meanRtt", Real),
        column(
            "meanupperboundframeheight",
            "meanUpperBoundFrameHeight",
            Real,
        ),
        column(
            "meanupperboundframespersecond",
            "meanUpperBoundFramesPerSecond",
            Real,
        ),
        column(
            "meanlowerboundframeheight",
            "meanLowerBoundFrameHeight",
            Real,
        ),
        column(
            "meanlowerboundframespersecond",
            "meanLowerBoundFramesPerSecond",
            Real,
        ),
        column("localaddress", "localAddress", Text),
        column("localcandidatetype", "localCandidateType", Text),
        column("localprotocol", "localProtocol", Text),
        column("remoteaddress", "remoteAddress", Text),
        column("remotecandidatetype", "remoteCandidateType", Text),
        column("remoteprotocol", "remoteProtocol", Text),
    ],
};

/// Parts `track/0` …: their tracks.
pub(super) static RTCSTATS_TRACK_METRICS: Table = Table {
    name: "rtcstats_track_metrics",
    columns: &[
        link("session"),
        column("id", "id", Text),
        column("pcid", "pcId", Text),
        column("createdate", "createDate", Time),
        column("statssessionid", "statsSessionId", Text),
        column("meetinguniqueid", "meetingUniqueId", Text),
        column("meetingurl", "meetingUrl", Text),
        column("conferencestarttime", "conferenceStartTime", Time),
        column("tenant", "tenant", Text),
        column("jaasclientid", "jaasClientId", Text),
        column("isp2p", "isP2P", Boolean),
        column("direction", "direction", Text),
        column("mediatype", "mediaType", Text),
        column("ssrc", "ssrc", Text),
        column("packets", "packets", Integer),
        column("packetslost", "packetsLost", Integer),
        column("packetslostpct", "packetsLostPct", Real),
        column("packetslostvariance", "packetsLostVariance", Real),
        column("concealedpercentage", "concealedPercentage", Real),
        column("starttime", "startTime", Time),
        column("endtime", "endTime", Time),
    ],
};

/// Of part `features`: last round-trip time to each other endpoint, ms.
pub(super) static RTCSTATS_E2E_PING: Table = Table {
    name: "rtcstats_e2e_ping",
    columns: &[
        link("session"),
        column("id", "id", Text),
        column("statssessionid", "statsSessionId", Text),
        column("remoteendpointid", "remoteEndpointId", Text),
        column("remoteregion", "remoteRegion", Text),
        column("rtt", "rtt", Real),
    ],
};

/// Of part `features`: face expressions as they came.
pub(super) static RTCSTATS_FACE_LANDMARKS: Table = Table {
    name: "rtcstats_face_landmarks",
    columns: &[
        link("session"),
        column("id", "id", Text),
        column("statssessionid", "statsSessionId", Text),
        column("timestamp", "timestamp", Real),
        column("facelandmarks", "faceLandmarks", Text),
    ],
};

/// Of part `features`: when the participant became dominant speaker, and ceased to be.
pub(super) static RTCSTATS_MEETING_EVENT: Table = Table {
    name: "rtcstats_meeting_event",
    columns: &[
        link("session"),
        column("id", "id", Text),
        column("statssessionid", "statsSessionId", Text),
        column("timestamp", "timestamp", Real),
        column("type", "type", Text),
    ],
};

/// Part `metadata`: what the dump is found by.
pub(super) static DUMP_METADATA: Table = Table {
    name: "dump_metadata",
    columns: &[
        link("session"),
        column("dumpid", "dumpId", Text),
        column("conferenceid", "conferenceId", Text),
        column("conferenceurl", "conferenceUrl", Text),
        column("userid", "userId", Text),
        column("sessionid", "sessionId", Text),
        column("app", "app", Text),
        column("basedumpid", "baseDumpId", Text),
        column("startdate", "startDate", Time),
        column("enddate", "endDate", Time),
    ],
};

/// The head of the dump; its id is that of the session.
pub(super) static FEATURES_METADATA: Table = Table {
    name: "features_metadata",
    columns: &[
        link("id"),
        link("dump_id"),
        column("created_at", "publishedMs", Time),
        column("start_time", "startedMs", Time),
        column("url", "url", Text),
        column("origin", "origin", Text),
        column("useragent", "userAgent", Text),
        column("client_protocol", "clientProtocol", Text),
        column("file_format", "fileFormat", Integer),
        column("number_peerconnections", "numberPeerconnections", Integer),
        column("location_country", "locationCountry", Text),
        column("location_continent", "locationContinent", Text),
        column("location_city", "locationCity", Text),
    ],
};

/// Of part `rtcstats`: the page as a whole.
pub(super) static FEATURES_CLIENT: Table = Table {
    name: "features_client",
    columns: &[
        link("dump_id"),
        column("start_time", "startTime", Time),
        column("duration", "duration", Real),
        column("user_agent_data", "userAgentData", Json),
        column("hardware_concurrency", "hardwareConcurrency", Integer),
        column("device_memory", "deviceMemory", Real),
        column("screen", "screen", Json),
        column("window", "window", Json),
        column("called_get_user_media", "calledGetUserMedia", Boolean),
        column(
            "called_get_user_media_audio",
            "calledGetUserMediaAudio",
            Boolean,
        ),
        column(
            "called_get_user_media_combined",
            "calledGetUserMediaCombined",
            Boolean,
        ),
        column(
            "called_get_user_media_video",
            "calledGetUserMediaVideo",
            Boolean,
        ),
        column("called_get_display_media", "calledGetDisplayMedia", Boolean),
        column(
            "called_get_display_media_audio",
            "calledGetDisplayMediaAudio",
            Boolean,
        ),
        column(
            "called_get_display_media_video",
            "calledGetDisplayMediaVideo",
            Boolean,
        ),
        column(
            "get_user_media_success_count",
            "getUserMediaSuccessCount",
            Integer,
        ),
        column(
            "get_user_media_error_count",
            "getUserMediaErrorCount",
            Integer,
        ),
        column(
            "get_display_media_success_count",
            "getDisplayMediaSuccessCount",
            Integer,
        ),
        column(
            "get_display_media_error_count",
            "getDisplayMediaErrorCount",
            Integer,
        ),
        column("get_user_media_error", "getUserMediaError", Text),
        column("enumerate_devices_count", "enumerateDevicesCount", Integer),
        column(
            "web_socket_connection_time",
            "webSocketConnectionTime",
            Real,
        ),
        column("reload_count", "reloadCount", Integer),
        column("audio_ended", "audioEnded", Boolean),
        column("audio_short_duration", "audioShortDuration", Boolean),
        column("video_ended", "videoEnded", Boolean),
        column("video_short_duration", "videoShortDuration", Boolean),
        column("cpu_performance", "cpuPerformance", Integer),
        column("operating_system", "operatingSystem", Text),
        column("audio_device_usb_id", "audioDeviceUsbId", Text),
        column("video_device_usb_id", "videoDeviceUsbId", Text),
    ],
};

/// Of part `rtcstats`: a peer connection.
pub(super) static FEATURES_CONNECTION: Table = Table {
    name: "features_connection",
    columns: &[
        link("id"),
        link("dump_id"),
        column("start_time", "startTime", Time),
        column("duration", "duration", Real),
        column("connection_identifier", "connectionIdentifier", Text),
        column("number_of_events", "numberOfEvents", Integer),
        column(
            "number_of_events_not_get_stats",
            "numberOfEventsNotGetStats",
            Integer,
        ),
        column("closed", "closed", Boolean),
        column("ice_connected", "iceConnected", Boolean),
        column("using_ice_lite", "usingIceLite", Boolean),
        column("ice_connection_time", "iceConnectionTime", Real),
        column("ice_restart", "iceRestart", Boolean),
        column("add_ice_candidate_failure", "addIceCandidateFailure", Text),
        column(
            "set_local_description_failure",
            "setLocalDescriptionFailure",
            Text,
        ),
        column(
            "set_remote_description_failure",
            "setRemoteDescriptionFailure",
            Text,
        ),
        column("connection_time", "connectionTime", Real),
        column("dtls_version", "dtlsVersion", Text),
        column("connected", "connected", Boolean),
        column("dtls_role", "dtlsRole", Text),
        column(
            "first_candidate_pair_local_address",
            "firstCandidatePairLocalAddress",
            Text,
        ),
        column(
            "first_candidate_pair_local_network_type",
            "firstCandidatePairLocalNetworkType",
            Text,
        ),
        column(
            "first_candidate_pair_local_relay_protocol",
            "firstCandidatePairLocalRelayProtocol",
            Text,
        ),
        column(
            "first_candidate_pair_local_protocol",
            "firstCandidatePairLocalProtocol",
            Text,
        ),
        column(
            "first_candidate_pair_local_relay_url",
            "firstCandidatePairLocalRelayUrl",
            Text,
        ),
        column(
            "first_candidate_pair_local_type",
            "firstCandidatePairLocalType",
            Text,
        ),
        column(
            "first_candidate_pair_local_type_preference",
            "firstCandidatePairLocalTypePreference",
            Integer,
        ),
        column(
            "first_candidate_pair_remote_address",
            "firstCandidatePairRemoteAddress",
            Text,
        ),
        column(
            "first_candidate_pair_remote_type",
            "firstCandidatePairRemoteType",
            Text,
        ),
        column("gathered_host_candidate", "gatheredHostCandidate", Boolean),
        column("gathered_mdns_candidate", "gatheredMdnsCandidate", Boolean),
        column(
            "gathered_srflx_candidate",
            "gatheredSrflxCandidate",
            Boolean,
        ),
        column("gathered_turn_candidate", "gatheredTurnCandidate", Boolean),
        column("added_host_candidate", "addedHostCandidate", Boolean),
        column("added_mdns_candidate", "addedMdnsCandidate", Boolean),
        column("added_srflx_candidate", "addedSrflxCandidate", Boolean),
        column("added_turn_candidate", "addedTurnCandidate", Boolean),
        column("configured_ice_servers", "configuredIceServers", Integer),
        column(
            "configured_ice_transport_policy",
            "configuredIceTransportPolicy",
            Boolean,
        ),
        column(
            "configured_ice_servers_stun",
            "configuredIceServersStun",
            Boolean,
        ),
        column(
            "configured_ice_servers_turns",
            "configuredIceServersTurns",
            Boolean,
        ),
        column(
            "configured_ice_servers_turn_udp",
            "configuredIceServersTurnUdp",
            Boolean,
        ),
        column(
            "configured_ice_servers_turn_tcp",
            "configuredIceServersTurnTcp",
            Boolean,
        ),
        column(
            "average_stun_round_trip_time",
            "averageStunRoundTripTime",
            Real,
        ),
        column("srtp_cipher", "srtpCipher", Text),
        column(
            "ice_restart_followed_by_set_remote_description",
            "iceRestartFollowedBySetRemoteDescription",
            Boolean,
        ),
        column("signaling_delay", "signalingDelay", Real),
        column(
            "set_remote_description_delay",
            "setRemoteDescriptionDelay",
            Real,
        ),
        column(
            "set_remote_description_role",
            "setRemoteDescriptionRole",
            Text,
        ),
        column(
            "set_local_description_delay",
            "setLocalDescriptionDelay",
            Real,
        ),
        column(
            "set_local_description_role",
            "setLocalDescriptionRole",
            Text,
        ),
        column("added_null_candidate", "addedNullCandidate", Boolean),
        column(
            "rtcstats_relay_location_continent",
            "rtcstatsRelayLocationContinent",
            Text,
        ),
        column(
            "rtcstats_relay_location_country",
            "rtcstatsRelayLocationCountry",
            Text,
        ),
        column(
            "rtcstats_relay_location_city",
            "rtcstatsRelayLocationCity",
            Text,
        ),
        column(
            "rtcstats_location_continent",
            "rtcstatsLocationContinent",
            Text,
        ),
        column("rtcstats_location_country", "rtcstatsLocationCountry", Text),
        column("rtcstats_location_city", "rtcstatsLocationCity", Text),
        column(
            "rtcstats_peer_location_continent",
            "rtcstatsPeerLocationContinent",
            Text,
        ),
        column(
            "rtcstats_peer_location_country",
            "rtcstatsPeerLocationCountry",
            Text,
        ),
        column(
            "rtcstats_peer_location_city",
            "rtcstatsPeerLocationCity",
            Text,
        ),
        column("average_inbound_bitrate", "averageInboundBitrate", Real),
        column("average_outbound_bitrate", "averageOutboundBitrate", Real),
        column(
            "added_connectable_ice_tcp_candidate",
            "addedConnectableIceTcpCandidate",
            Boolean,
        ),
        column("number_of_negotiations", "numberOfNegotiations", Integer),
        column(
            "pending_negotiation_at_end",
            "pendingNegotiationAtEnd",
            Boolean,
        ),
        column("clock_skew", "clockSkew", Real),
        column("stats_truncated", "statsTruncated", Boolean),
        column("gathering_time_turn_udp", "gatheringTimeTurnUdp", Real),
        column("gathering_time_turn_tcp", "gatheringTimeTurnTcp", Real),
        column("gathering_time_turn_tls", "gatheringTimeTurnTls", Real),
        column("configured_bundle_policy", "configuredBundlePolicy", Text),
        column(
            "configured_always_negotiate_data_channels",
            "configuredAlwaysNegotiateDataChannels",
            Boolean,
        ),
    ],
};

/// Of part `rtcstats`: a track of a connection.
pub(super) static FEATURES_TRACK: Table = Table {
    name: "features_track",
    columns: &[
        link("connection_id"),
        column("start_time", "startTime", Time),
        column("duration", "duration", Real),
        column("track_identifier", "trackIdentifier", Text),
        column("kind", "kind", Text),
        column("direction", "direction", Text),
        column("codec_mime_type", "codecMimeType", Text),
        column("codec_sdp_fmtp_line", "codecSdpFmtpLine", Text),
        column("frame_count", "frameCount", Integer),
        column("min_width", "minWidth", Integer),
        column("max_width", "maxWidth", Integer),
        column("min_height", "minHeight", Integer),
        column("max_height", "maxHeight", Integer),
        column("common_width", "commonWidth", Integer),
        column("common_height", "commonHeight", Integer),
        column(
            "bandwidth_quality_limitation_percentage",
            "bandwidthQualityLimitationPercentage",
            Real,
        ),
        column(
            "cpu_quality_limitation_percentage",
            "cpuQualityLimitationPercentage",
            Real,
        ),
        column(
            "other_quality_limitation_percentage",
            "otherQualityLimitationPercentage",
            Real,
        ),
        column(
            "quality_limitation_resolution_changes",
            "qualityLimitationResolutionChanges",
            Integer,
        ),
        column("average_encode_time", "averageEncodeTime", Real),
        column("average_decode_time", "averageDecodeTime", Real),
        column("freeze_count", "freezeCount", Integer),
        column("total_freezes_duration", "totalFreezesDuration", Real),
        column("rid", "rid", Text),
        column("encoding_index", "encodingIndex", Integer),
        column("key_frame_count", "keyFrameCount", Integer),
        column("nack_count", "nackCount", Integer),
        column("pli_count", "pliCount", Integer),
        column("fir_count", "firCount", Integer),
        column("frames_dropped", "framesDropped", Integer),
        column("qp_sum", "qpSum", Integer),
        column("psnr_measurements", "psnrMeasurements", Integer),
        column("psnr_sum_y", "psnrSumY", Real),
        column("psnr_sum_u", "psnrSumU", Real),
        column("psnr_sum_v", "psnrSumV", Real),
        column("encoder_implementation", "encoderImplementation", Text),
        column("power_efficient_encoder", "powerEfficientEncoder", Boolean),
        column("decoder_implementation", "decoderImplementation", Text),
        column("power_efficient_decoder", "powerEfficientDecoder", Boolean),
        column("jitter_buffer_delay", "jitterBufferDelay", Real),
        column(
            "jitter_buffer_minimum_delay",
            "jitterBufferMinimumDelay",
            Real,
        ),
        column(
            "jitter_buffer_target_delay",
            "jitterBufferTargetDelay",
            Real,
        ),
        column(
            "jitter_buffer_emitted_count",
            "jitterBufferEmittedCount",
            Integer,
        ),
        column("total_processing_delay", "totalProcessingDelay", Real),
        column(
            "frames_assembled_from_multiple_packets",
            "framesAssembledFromMultiplePackets",
            Integer,
        ),
        column("total_assembly_time", "totalAssemblyTime", Real),
        column(
            "average_jitter_buffer_delay",
            "averageJitterBufferDelay",
            Real,
        ),
        column("average_processing_delay", "averageProcessingDelay", Real),
        column("average_assembly_time", "averageAssemblyTime", Real),
        column("packets_sent_with_ect1", "packetsSentWithEct1", Integer),
        column(
            "packets_received_with_ect1",
            "packetsReceivedWithEct1",
            Integer,
        ),
        column("packets_received_with_ce", "packetsReceivedWithCe", Integer),
        column(
            "packets_with_bleached_ect1_marking",
            "packetsWithBleachedEct1Marking",
            Integer,
        ),
        column("has_null_video_decoder", "hasNullVideoDecoder", Boolean),
        column("concealed_samples", "concealedSamples", Integer),
        column("total_samples_received", "totalSamplesReceived", Integer),
        column("concealment_percentage", "concealmentPercentage", Real),
        column("average_inter_frame_delay", "averageInterFrameDelay", Real),
        column("jitter_buffer_flushes", "jitterBufferFlushes", Integer),
        column(
            "has_periodic_jitter_buffer_flushes",
            "hasPeriodicJitterBufferFlushes",
            Boolean,
        ),
        column(
            "inserted_samples_for_deceleration",
            "insertedSamplesForDeceleration",
            Integer,
        ),
        column(
            "removed_samples_for_acceleration",
            "removedSamplesForAcceleration",
            Integer,
        ),
        column("deceleration_percentage", "decelerationPercentage", Real),
        column("acceleration_percentage", "accelerationPercentage", Real),
        column("time_to_first_frame", "timeToFirstFrame", Real),
    ],
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The columns of the tables that a migration makes, with their types.
    fn migrated<'a>(sql: &'a str, added: &'a str) -> BTreeMap<&'a str, Vec<(&'a str, &'a str)>> {
        let tables = sql.split("CREATE TABLE ").skip(1);
        let tables = tables.map(|text| {
            let (name, rest) = text.split_once(" (").unwrap();
            let lines = rest.split_once(");").unwrap().0.lines();
            let columns = lines.filter_map(|line| {
                let mut words = line.trim().split([' ', ',']);
                let name = words.next()?.trim_matches('"');
                Some((name, words.next()?))
            });
            let columns = columns.filter(|(name, _)| *name != "PRIMARY");
            (name, columns.collect())
        });
        let mut tables: BTreeMap<_, Vec<_>> = tables.collect();
        for line in added.lines() {
            let words = line.strip_prefix("ALTER TABLE ");
            let Some((table, column)) = words.and_then(|words| words.split_once(" ADD COLUMN "))
            else {
                continue;
            };
            let mut words = column.split([' ', ';']);
            let column = (words.next().unwrap(), words.next().unwrap());
            tables.get_mut(table).unwrap().push(column);
        }
        tables
    }

    #[test]
    fn the_migrations_have_the_columns_that_are_written() {
        for (sql, added, types) in [
            (
                include_str!("../../../migrations/sqlite/0001_records.sql"),
                include_str!("../../../migrations/sqlite/0002_search.sql"),
                ["TEXT", "INTEGER", "REAL", "INTEGER", "TEXT", "TEXT", "TEXT"],
            ),
            (
                include_str!("../../../migrations/postgres/0001_records.sql"),
                include_str!("../../../migrations/postgres/0002_search.sql"),
                [
                    "text",
                    "bigint",
                    "double",
                    "boolean",
                    "timestamptz",
                    "jsonb",
                    "json",
                ],
            ),
        ] {
            let migrated = migrated(sql, added);
            for table in TABLES {
                let written: Vec<_> = table
                    .columns
                    .iter()
                    .map(|column| (column.name, types[column.kind as usize]))
                    .collect();
                let mut columns = migrated[table.name].clone();
                let has_own_id = written.iter().all(|(name, _)| *name != "id");
                columns.retain(|(name, _)| !(has_own_id && *name == "id"));
                assert_eq!(columns, written, "{}", table.name);
            }
        }
    }
}
