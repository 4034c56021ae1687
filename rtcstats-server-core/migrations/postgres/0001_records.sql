-- Times are UTC; durations are in milliseconds unless the features say otherwise.

-- Indexes of texts that clients choose are hashes: those have no limit of length.

CREATE SEQUENCE rtcstats_ids;

-- One row for each dump whose features were published.
CREATE TABLE sessions (
    id bigint NOT NULL PRIMARY KEY,
    name text NOT NULL UNIQUE,
    session_id text NOT NULL,
    generation text,
    client_type text,
    user_id text,
    display_name text,
    conference text,
    conference_name text,
    conference_url text,
    tenant text,
    application text,
    application_session text,
    client_id text,
    meeting_unique_id text,
    browser text,
    browser_version text,
    operating_system text,
    started_at timestamptz,
    ended_at timestamptz,
    duration_ms double precision,
    bytes bigint,
    events bigint,
    malformed bigint,
    duplicates bigint,
    gap_count bigint,
    continues_from bigint,
    resumes bigint,
    extractor_version text,
    published_at timestamptz NOT NULL
);
CREATE INDEX sessions_session_id_index ON sessions USING hash (session_id);
CREATE INDEX sessions_user_id_index ON sessions USING hash (user_id);
CREATE INDEX sessions_display_name_index ON sessions USING hash (display_name);
CREATE INDEX sessions_conference_index ON sessions USING hash (conference);
CREATE INDEX sessions_conference_name_index ON sessions USING hash (conference_name);
CREATE INDEX sessions_conference_url_index ON sessions USING hash (conference_url);
CREATE INDEX sessions_application_session_index ON sessions USING hash (application_session);
CREATE INDEX sessions_client_id_index ON sessions USING hash (client_id);
CREATE INDEX sessions_started_at_index ON sessions (started_at);
CREATE INDEX sessions_ended_at_index ON sessions (ended_at);
CREATE INDEX sessions_published_at_index ON sessions (published_at);

-- Peers that a session had by the application (`rtcStatsPeerId`).
CREATE TABLE session_peers (
    session bigint NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    peer_id text NOT NULL
);
CREATE INDEX session_peers_session_index ON session_peers (session);
CREATE INDEX session_peers_peer_id_index ON session_peers USING hash (peer_id);

-- The published record, part by part, as JSON text: what the rows of the other tables were made of.
CREATE TABLE parts (
    session bigint NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    "position" bigint NOT NULL,
    part text NOT NULL,
    "value" json NOT NULL,
    PRIMARY KEY (session, position)
);

-- Part `meeting`: one row for each session of a browser.
CREATE TABLE rtcstats (
    session bigint NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    appenv text,
    createdate timestamptz,
    statssessionid text,
    meetinguniqueid text,
    meetingurl text,
    conferencestarttime timestamptz,
    tenant text,
    jaasclientid text,
    displayname text,
    crossregion text,
    environment text,
    region text,
    releasenumber text,
    shard text,
    userregion text,
    meetingname text,
    endpointid text,
    sessionstarttime timestamptz,
    sessionendtime timestamptz,
    sessiondurationms double precision,
    conferencedurationms double precision,
    dominantspeakerchanges bigint,
    speakertime double precision,
    sentimentangry double precision,
    sentimentdisgusted double precision,
    sentimentfearful double precision,
    sentimenthappy double precision,
    sentimentneutral double precision,
    sentimentsad double precision,
    sentimentsurprised double precision,
    os text,
    browsername text,
    browserversion text,
    isbreakoutroom boolean,
    breakoutroomid text,
    parentstatssessionid text
);
CREATE INDEX rtcstats_session_index ON rtcstats (session);

-- Parts `pc/0` …: its peer connections.
CREATE TABLE rtcstats_pc_metrics (
    session bigint NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    id text,
    pcname text,
    createdate timestamptz,
    statssessionid text,
    meetinguniqueid text,
    meetingurl text,
    conferencestarttime timestamptz,
    tenant text,
    jaasclientid text,
    dtlserrors bigint,
    dtlsfailure bigint,
    sdpcreatefailure bigint,
    sdpsetfailure bigint,
    isp2p boolean,
    usesrelay boolean,
    icereconnects bigint,
    pcsessiondurationms double precision,
    connectionfailed boolean,
    lasticefailure double precision,
    lasticedisconnect double precision,
    receivedpacketslostpct double precision,
    sentpacketslostpct double precision,
    totalpacketsreceived bigint,
    totalpacketssent bigint,
    totalreceivedpacketslost bigint,
    totalsentpacketslost bigint,
    meanrtt double precision,
    meanupperboundframeheight double precision,
    meanupperboundframespersecond double precision,
    meanlowerboundframeheight double precision,
    meanlowerboundframespersecond double precision,
    localaddress text,
    localcandidatetype text,
    localprotocol text,
    remoteaddress text,
    remotecandidatetype text,
    remoteprotocol text
);
CREATE INDEX rtcstats_pc_metrics_session_index ON rtcstats_pc_metrics (session);

-- Parts `track/0` …: their tracks.
CREATE TABLE rtcstats_track_metrics (
    session bigint NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    id text,
    pcid text,
    createdate timestamptz,
    statssessionid text,
    meetinguniqueid text,
    meetingurl text,
    conferencestarttime timestamptz,
    tenant text,
    jaasclientid text,
    isp2p boolean,
    direction text,
    mediatype text,
    ssrc text,
    packets bigint,
    packetslost bigint,
    packetslostpct double precision,
    packetslostvariance double precision,
    concealedpercentage double precision,
    starttime timestamptz,
    endtime timestamptz
);
CREATE INDEX rtcstats_track_metrics_session_index ON rtcstats_track_metrics (session);

-- Of part `features`: last round-trip time to each other endpoint, ms.
CREATE TABLE rtcstats_e2e_ping (
    session bigint NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    id text,
    statssessionid text,
    remoteendpointid text,
    remoteregion text,
    rtt double precision
);
CREATE INDEX rtcstats_e2e_ping_session_index ON rtcstats_e2e_ping (session);

-- Of part `features`: face expressions as they came.
CREATE TABLE rtcstats_face_landmarks (
    session bigint NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    id text,
    statssessionid text,
    "timestamp" double precision,
    facelandmarks text
);
CREATE INDEX rtcstats_face_landmarks_session_index ON rtcstats_face_landmarks (session);

-- Of part `features`: when the participant became dominant speaker, and ceased to be.
CREATE TABLE rtcstats_meeting_event (
    session bigint NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    id text,
    statssessionid text,
    "timestamp" double precision,
    "type" text
);
CREATE INDEX rtcstats_meeting_event_session_index ON rtcstats_meeting_event (session);

-- Part `metadata`: what the dump is found by.
CREATE TABLE dump_metadata (
    session bigint NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    dumpid text,
    conferenceid text,
    conferenceurl text,
    userid text,
    sessionid text,
    app text,
    basedumpid text,
    startdate timestamptz,
    enddate timestamptz
);
CREATE INDEX dump_metadata_session_index ON dump_metadata (session);

-- The head of the dump; its id is that of the session.
CREATE TABLE features_metadata (
    id bigint NOT NULL PRIMARY KEY,
    dump_id bigint NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at timestamptz,
    start_time timestamptz,
    url text,
    origin text,
    useragent text,
    client_protocol text,
    file_format bigint,
    number_peerconnections bigint,
    location_country text,
    location_continent text,
    location_city text
);
CREATE INDEX features_metadata_dump_id_index ON features_metadata (dump_id);

-- Of part `rtcstats`: the page as a whole.
CREATE TABLE features_client (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    dump_id bigint NOT NULL REFERENCES features_metadata (id) ON DELETE CASCADE,
    start_time timestamptz,
    duration double precision,
    user_agent_data jsonb,
    hardware_concurrency bigint,
    device_memory double precision,
    screen jsonb,
    "window" jsonb,
    called_get_user_media boolean,
    called_get_user_media_audio boolean,
    called_get_user_media_combined boolean,
    called_get_user_media_video boolean,
    called_get_display_media boolean,
    called_get_display_media_audio boolean,
    called_get_display_media_video boolean,
    get_user_media_success_count bigint,
    get_user_media_error_count bigint,
    get_display_media_success_count bigint,
    get_display_media_error_count bigint,
    get_user_media_error text,
    enumerate_devices_count bigint,
    web_socket_connection_time double precision,
    reload_count bigint,
    audio_ended boolean,
    audio_short_duration boolean,
    video_ended boolean,
    video_short_duration boolean,
    cpu_performance bigint,
    operating_system text,
    audio_device_usb_id text,
    video_device_usb_id text
);
CREATE INDEX features_client_dump_id_index ON features_client (dump_id);

-- Of part `rtcstats`: a peer connection.
CREATE TABLE features_connection (
    id bigint NOT NULL PRIMARY KEY,
    dump_id bigint NOT NULL REFERENCES features_metadata (id) ON DELETE CASCADE,
    start_time timestamptz,
    duration double precision,
    connection_identifier text,
    number_of_events bigint,
    number_of_events_not_get_stats bigint,
    closed boolean,
    ice_connected boolean,
    using_ice_lite boolean,
    ice_connection_time double precision,
    ice_restart boolean,
    add_ice_candidate_failure text,
    set_local_description_failure text,
    set_remote_description_failure text,
    connection_time double precision,
    dtls_version text,
    connected boolean,
    dtls_role text,
    first_candidate_pair_local_address text,
    first_candidate_pair_local_network_type text,
    first_candidate_pair_local_relay_protocol text,
    first_candidate_pair_local_protocol text,
    first_candidate_pair_local_relay_url text,
    first_candidate_pair_local_type text,
    first_candidate_pair_local_type_preference bigint,
    first_candidate_pair_remote_address text,
    first_candidate_pair_remote_type text,
    gathered_host_candidate boolean,
    gathered_mdns_candidate boolean,
    gathered_srflx_candidate boolean,
    gathered_turn_candidate boolean,
    added_host_candidate boolean,
    added_mdns_candidate boolean,
    added_srflx_candidate boolean,
    added_turn_candidate boolean,
    configured_ice_servers bigint,
    configured_ice_transport_policy boolean,
    configured_ice_servers_stun boolean,
    configured_ice_servers_turns boolean,
    configured_ice_servers_turn_udp boolean,
    configured_ice_servers_turn_tcp boolean,
    average_stun_round_trip_time double precision,
    srtp_cipher text,
    ice_restart_followed_by_set_remote_description boolean,
    signaling_delay double precision,
    set_remote_description_delay double precision,
    set_remote_description_role text,
    set_local_description_delay double precision,
    set_local_description_role text,
    added_null_candidate boolean,
    rtcstats_relay_location_continent text,
    rtcstats_relay_location_country text,
    rtcstats_relay_location_city text,
    rtcstats_location_continent text,
    rtcstats_location_country text,
    rtcstats_location_city text,
    rtcstats_peer_location_continent text,
    rtcstats_peer_location_country text,
    rtcstats_peer_location_city text,
    average_inbound_bitrate double precision,
    average_outbound_bitrate double precision,
    added_connectable_ice_tcp_candidate boolean,
    number_of_negotiations bigint,
    pending_negotiation_at_end boolean,
    clock_skew double precision,
    stats_truncated boolean,
    gathering_time_turn_udp double precision,
    gathering_time_turn_tcp double precision,
    gathering_time_turn_tls double precision,
    configured_bundle_policy text,
    configured_always_negotiate_data_channels boolean
);
CREATE INDEX features_connection_dump_id_index ON features_connection (dump_id);

-- Of part `rtcstats`: a track of a connection.
CREATE TABLE features_track (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    connection_id bigint NOT NULL REFERENCES features_connection (id) ON DELETE CASCADE,
    start_time timestamptz,
    duration double precision,
    track_identifier text,
    kind text,
    direction text,
    codec_mime_type text,
    codec_sdp_fmtp_line text,
    frame_count bigint,
    min_width bigint,
    max_width bigint,
    min_height bigint,
    max_height bigint,
    common_width bigint,
    common_height bigint,
    bandwidth_quality_limitation_percentage double precision,
    cpu_quality_limitation_percentage double precision,
    other_quality_limitation_percentage double precision,
    quality_limitation_resolution_changes bigint,
    average_encode_time double precision,
    average_decode_time double precision,
    freeze_count bigint,
    total_freezes_duration double precision,
    rid text,
    encoding_index bigint,
    key_frame_count bigint,
    nack_count bigint,
    pli_count bigint,
    fir_count bigint,
    frames_dropped bigint,
    qp_sum bigint,
    psnr_measurements bigint,
    psnr_sum_y double precision,
    psnr_sum_u double precision,
    psnr_sum_v double precision,
    encoder_implementation text,
    power_efficient_encoder boolean,
    decoder_implementation text,
    power_efficient_decoder boolean,
    jitter_buffer_delay double precision,
    jitter_buffer_minimum_delay double precision,
    jitter_buffer_target_delay double precision,
    jitter_buffer_emitted_count bigint,
    total_processing_delay double precision,
    frames_assembled_from_multiple_packets bigint,
    total_assembly_time double precision,
    average_jitter_buffer_delay double precision,
    average_processing_delay double precision,
    average_assembly_time double precision,
    packets_sent_with_ect1 bigint,
    packets_received_with_ect1 bigint,
    packets_received_with_ce bigint,
    packets_with_bleached_ect1_marking bigint,
    has_null_video_decoder boolean,
    concealed_samples bigint,
    total_samples_received bigint,
    concealment_percentage double precision,
    average_inter_frame_delay double precision,
    jitter_buffer_flushes bigint,
    has_periodic_jitter_buffer_flushes boolean,
    inserted_samples_for_deceleration bigint,
    removed_samples_for_acceleration bigint,
    deceleration_percentage double precision,
    acceleration_percentage double precision,
    time_to_first_frame double precision
);
CREATE INDEX features_track_connection_id_index ON features_track (connection_id);
