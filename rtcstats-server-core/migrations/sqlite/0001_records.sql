-- Times are UTC: text `YYYY-MM-DD HH:MM:SS.SSS`, which strftime() reads and which sorts by time; durations are in milliseconds unless the features say otherwise.

-- The next id of a row that other rows refer to.
CREATE TABLE row_ids (next INTEGER NOT NULL);
INSERT INTO row_ids VALUES (1);

-- One row for each dump whose features were published.
CREATE TABLE sessions (
    id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    session_id TEXT NOT NULL,
    generation TEXT,
    client_type TEXT,
    user_id TEXT,
    display_name TEXT,
    conference TEXT,
    conference_name TEXT,
    conference_url TEXT,
    tenant TEXT,
    application TEXT,
    application_session TEXT,
    client_id TEXT,
    meeting_unique_id TEXT,
    browser TEXT,
    browser_version TEXT,
    operating_system TEXT,
    started_at TEXT,
    ended_at TEXT,
    duration_ms REAL,
    bytes INTEGER,
    events INTEGER,
    malformed INTEGER,
    duplicates INTEGER,
    gap_count INTEGER,
    continues_from INTEGER,
    resumes INTEGER,
    extractor_version TEXT,
    published_at TEXT NOT NULL
);
CREATE INDEX sessions_session_id_index ON sessions (session_id);
CREATE INDEX sessions_user_id_index ON sessions (user_id);
CREATE INDEX sessions_display_name_index ON sessions (display_name);
CREATE INDEX sessions_conference_index ON sessions (conference);
CREATE INDEX sessions_conference_name_index ON sessions (conference_name);
CREATE INDEX sessions_conference_url_index ON sessions (conference_url);
CREATE INDEX sessions_application_session_index ON sessions (application_session);
CREATE INDEX sessions_client_id_index ON sessions (client_id);
CREATE INDEX sessions_started_at_index ON sessions (started_at);
CREATE INDEX sessions_ended_at_index ON sessions (ended_at);
CREATE INDEX sessions_published_at_index ON sessions (published_at);

-- Peers that a session had by the application (`rtcStatsPeerId`).
CREATE TABLE session_peers (
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    peer_id TEXT NOT NULL
);
CREATE INDEX session_peers_session_index ON session_peers (session);
CREATE INDEX session_peers_peer_id_index ON session_peers (peer_id);

-- The published record, part by part, as JSON text: what the rows of the other tables were made of.
CREATE TABLE parts (
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    "position" INTEGER NOT NULL,
    part TEXT NOT NULL,
    "value" TEXT NOT NULL,
    PRIMARY KEY (session, position)
);

-- Part `meeting`: one row for each session of a browser.
CREATE TABLE rtcstats (
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    appenv TEXT,
    createdate TEXT,
    statssessionid TEXT,
    meetinguniqueid TEXT,
    meetingurl TEXT,
    conferencestarttime TEXT,
    tenant TEXT,
    jaasclientid TEXT,
    displayname TEXT,
    crossregion TEXT,
    environment TEXT,
    region TEXT,
    releasenumber TEXT,
    shard TEXT,
    userregion TEXT,
    meetingname TEXT,
    endpointid TEXT,
    sessionstarttime TEXT,
    sessionendtime TEXT,
    sessiondurationms REAL,
    conferencedurationms REAL,
    dominantspeakerchanges INTEGER,
    speakertime REAL,
    sentimentangry REAL,
    sentimentdisgusted REAL,
    sentimentfearful REAL,
    sentimenthappy REAL,
    sentimentneutral REAL,
    sentimentsad REAL,
    sentimentsurprised REAL,
    os TEXT,
    browsername TEXT,
    browserversion TEXT,
    isbreakoutroom INTEGER,
    breakoutroomid TEXT,
    parentstatssessionid TEXT
);
CREATE INDEX rtcstats_session_index ON rtcstats (session);

-- Parts `pc/0` …: its peer connections.
CREATE TABLE rtcstats_pc_metrics (
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    id TEXT,
    pcname TEXT,
    createdate TEXT,
    statssessionid TEXT,
    meetinguniqueid TEXT,
    meetingurl TEXT,
    conferencestarttime TEXT,
    tenant TEXT,
    jaasclientid TEXT,
    dtlserrors INTEGER,
    dtlsfailure INTEGER,
    sdpcreatefailure INTEGER,
    sdpsetfailure INTEGER,
    isp2p INTEGER,
    usesrelay INTEGER,
    icereconnects INTEGER,
    pcsessiondurationms REAL,
    connectionfailed INTEGER,
    lasticefailure REAL,
    lasticedisconnect REAL,
    receivedpacketslostpct REAL,
    sentpacketslostpct REAL,
    totalpacketsreceived INTEGER,
    totalpacketssent INTEGER,
    totalreceivedpacketslost INTEGER,
    totalsentpacketslost INTEGER,
    meanrtt REAL,
    meanupperboundframeheight REAL,
    meanupperboundframespersecond REAL,
    meanlowerboundframeheight REAL,
    meanlowerboundframespersecond REAL,
    localaddress TEXT,
    localcandidatetype TEXT,
    localprotocol TEXT,
    remoteaddress TEXT,
    remotecandidatetype TEXT,
    remoteprotocol TEXT
);
CREATE INDEX rtcstats_pc_metrics_session_index ON rtcstats_pc_metrics (session);

-- Parts `track/0` …: their tracks.
CREATE TABLE rtcstats_track_metrics (
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    id TEXT,
    pcid TEXT,
    createdate TEXT,
    statssessionid TEXT,
    meetinguniqueid TEXT,
    meetingurl TEXT,
    conferencestarttime TEXT,
    tenant TEXT,
    jaasclientid TEXT,
    isp2p INTEGER,
    direction TEXT,
    mediatype TEXT,
    ssrc TEXT,
    packets INTEGER,
    packetslost INTEGER,
    packetslostpct REAL,
    packetslostvariance REAL,
    concealedpercentage REAL,
    starttime TEXT,
    endtime TEXT
);
CREATE INDEX rtcstats_track_metrics_session_index ON rtcstats_track_metrics (session);

-- Of part `features`: last round-trip time to each other endpoint, ms.
CREATE TABLE rtcstats_e2e_ping (
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    id TEXT,
    statssessionid TEXT,
    remoteendpointid TEXT,
    remoteregion TEXT,
    rtt REAL
);
CREATE INDEX rtcstats_e2e_ping_session_index ON rtcstats_e2e_ping (session);

-- Of part `features`: face expressions as they came.
CREATE TABLE rtcstats_face_landmarks (
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    id TEXT,
    statssessionid TEXT,
    "timestamp" REAL,
    facelandmarks TEXT
);
CREATE INDEX rtcstats_face_landmarks_session_index ON rtcstats_face_landmarks (session);

-- Of part `features`: when the participant became dominant speaker, and ceased to be.
CREATE TABLE rtcstats_meeting_event (
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    id TEXT,
    statssessionid TEXT,
    "timestamp" REAL,
    "type" TEXT
);
CREATE INDEX rtcstats_meeting_event_session_index ON rtcstats_meeting_event (session);

-- Part `metadata`: what the dump is found by.
CREATE TABLE dump_metadata (
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    dumpid TEXT,
    conferenceid TEXT,
    conferenceurl TEXT,
    userid TEXT,
    sessionid TEXT,
    app TEXT,
    basedumpid TEXT,
    startdate TEXT,
    enddate TEXT
);
CREATE INDEX dump_metadata_session_index ON dump_metadata (session);

-- The head of the dump; its id is that of the session.
CREATE TABLE features_metadata (
    id INTEGER NOT NULL PRIMARY KEY,
    dump_id INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at TEXT,
    start_time TEXT,
    url TEXT,
    origin TEXT,
    useragent TEXT,
    client_protocol TEXT,
    file_format INTEGER,
    number_peerconnections INTEGER,
    location_country TEXT,
    location_continent TEXT,
    location_city TEXT
);
CREATE INDEX features_metadata_dump_id_index ON features_metadata (dump_id);

-- Of part `rtcstats`: the page as a whole.
CREATE TABLE features_client (
    id INTEGER PRIMARY KEY,
    dump_id INTEGER NOT NULL REFERENCES features_metadata (id) ON DELETE CASCADE,
    start_time TEXT,
    duration REAL,
    user_agent_data TEXT,
    hardware_concurrency INTEGER,
    device_memory REAL,
    screen TEXT,
    "window" TEXT,
    called_get_user_media INTEGER,
    called_get_user_media_audio INTEGER,
    called_get_user_media_combined INTEGER,
    called_get_user_media_video INTEGER,
    called_get_display_media INTEGER,
    called_get_display_media_audio INTEGER,
    called_get_display_media_video INTEGER,
    get_user_media_success_count INTEGER,
    get_user_media_error_count INTEGER,
    get_display_media_success_count INTEGER,
    get_display_media_error_count INTEGER,
    get_user_media_error TEXT,
    enumerate_devices_count INTEGER,
    web_socket_connection_time REAL,
    reload_count INTEGER,
    audio_ended INTEGER,
    audio_short_duration INTEGER,
    video_ended INTEGER,
    video_short_duration INTEGER,
    cpu_performance INTEGER,
    operating_system TEXT,
    audio_device_usb_id TEXT,
    video_device_usb_id TEXT
);
CREATE INDEX features_client_dump_id_index ON features_client (dump_id);

-- Of part `rtcstats`: a peer connection.
CREATE TABLE features_connection (
    id INTEGER NOT NULL PRIMARY KEY,
    dump_id INTEGER NOT NULL REFERENCES features_metadata (id) ON DELETE CASCADE,
    start_time TEXT,
    duration REAL,
    connection_identifier TEXT,
    number_of_events INTEGER,
    number_of_events_not_get_stats INTEGER,
    closed INTEGER,
    ice_connected INTEGER,
    using_ice_lite INTEGER,
    ice_connection_time REAL,
    ice_restart INTEGER,
    add_ice_candidate_failure TEXT,
    set_local_description_failure TEXT,
    set_remote_description_failure TEXT,
    connection_time REAL,
    dtls_version TEXT,
    connected INTEGER,
    dtls_role TEXT,
    first_candidate_pair_local_address TEXT,
    first_candidate_pair_local_network_type TEXT,
    first_candidate_pair_local_relay_protocol TEXT,
    first_candidate_pair_local_protocol TEXT,
    first_candidate_pair_local_relay_url TEXT,
    first_candidate_pair_local_type TEXT,
    first_candidate_pair_local_type_preference INTEGER,
    first_candidate_pair_remote_address TEXT,
    first_candidate_pair_remote_type TEXT,
    gathered_host_candidate INTEGER,
    gathered_mdns_candidate INTEGER,
    gathered_srflx_candidate INTEGER,
    gathered_turn_candidate INTEGER,
    added_host_candidate INTEGER,
    added_mdns_candidate INTEGER,
    added_srflx_candidate INTEGER,
    added_turn_candidate INTEGER,
    configured_ice_servers INTEGER,
    configured_ice_transport_policy INTEGER,
    configured_ice_servers_stun INTEGER,
    configured_ice_servers_turns INTEGER,
    configured_ice_servers_turn_udp INTEGER,
    configured_ice_servers_turn_tcp INTEGER,
    average_stun_round_trip_time REAL,
    srtp_cipher TEXT,
    ice_restart_followed_by_set_remote_description INTEGER,
    signaling_delay REAL,
    set_remote_description_delay REAL,
    set_remote_description_role TEXT,
    set_local_description_delay REAL,
    set_local_description_role TEXT,
    added_null_candidate INTEGER,
    rtcstats_relay_location_continent TEXT,
    rtcstats_relay_location_country TEXT,
    rtcstats_relay_location_city TEXT,
    rtcstats_location_continent TEXT,
    rtcstats_location_country TEXT,
    rtcstats_location_city TEXT,
    rtcstats_peer_location_continent TEXT,
    rtcstats_peer_location_country TEXT,
    rtcstats_peer_location_city TEXT,
    average_inbound_bitrate REAL,
    average_outbound_bitrate REAL,
    added_connectable_ice_tcp_candidate INTEGER,
    number_of_negotiations INTEGER,
    pending_negotiation_at_end INTEGER,
    clock_skew REAL,
    stats_truncated INTEGER,
    gathering_time_turn_udp REAL,
    gathering_time_turn_tcp REAL,
    gathering_time_turn_tls REAL,
    configured_bundle_policy TEXT,
    configured_always_negotiate_data_channels INTEGER
);
CREATE INDEX features_connection_dump_id_index ON features_connection (dump_id);

-- Of part `rtcstats`: a track of a connection.
CREATE TABLE features_track (
    id INTEGER PRIMARY KEY,
    connection_id INTEGER NOT NULL REFERENCES features_connection (id) ON DELETE CASCADE,
    start_time TEXT,
    duration REAL,
    track_identifier TEXT,
    kind TEXT,
    direction TEXT,
    codec_mime_type TEXT,
    codec_sdp_fmtp_line TEXT,
    frame_count INTEGER,
    min_width INTEGER,
    max_width INTEGER,
    min_height INTEGER,
    max_height INTEGER,
    common_width INTEGER,
    common_height INTEGER,
    bandwidth_quality_limitation_percentage REAL,
    cpu_quality_limitation_percentage REAL,
    other_quality_limitation_percentage REAL,
    quality_limitation_resolution_changes INTEGER,
    average_encode_time REAL,
    average_decode_time REAL,
    freeze_count INTEGER,
    total_freezes_duration REAL,
    rid TEXT,
    encoding_index INTEGER,
    key_frame_count INTEGER,
    nack_count INTEGER,
    pli_count INTEGER,
    fir_count INTEGER,
    frames_dropped INTEGER,
    qp_sum INTEGER,
    psnr_measurements INTEGER,
    psnr_sum_y REAL,
    psnr_sum_u REAL,
    psnr_sum_v REAL,
    encoder_implementation TEXT,
    power_efficient_encoder INTEGER,
    decoder_implementation TEXT,
    power_efficient_decoder INTEGER,
    jitter_buffer_delay REAL,
    jitter_buffer_minimum_delay REAL,
    jitter_buffer_target_delay REAL,
    jitter_buffer_emitted_count INTEGER,
    total_processing_delay REAL,
    frames_assembled_from_multiple_packets INTEGER,
    total_assembly_time REAL,
    average_jitter_buffer_delay REAL,
    average_processing_delay REAL,
    average_assembly_time REAL,
    packets_sent_with_ect1 INTEGER,
    packets_received_with_ect1 INTEGER,
    packets_received_with_ce INTEGER,
    packets_with_bleached_ect1_marking INTEGER,
    has_null_video_decoder INTEGER,
    concealed_samples INTEGER,
    total_samples_received INTEGER,
    concealment_percentage REAL,
    average_inter_frame_delay REAL,
    jitter_buffer_flushes INTEGER,
    has_periodic_jitter_buffer_flushes INTEGER,
    inserted_samples_for_deceleration INTEGER,
    removed_samples_for_acceleration INTEGER,
    deceleration_percentage REAL,
    acceleration_percentage REAL,
    time_to_first_frame REAL
);
CREATE INDEX features_track_connection_id_index ON features_track (connection_id);
