-- What lists of sessions show and are searched by.

ALTER TABLE sessions ADD COLUMN connections INTEGER;
ALTER TABLE sessions ADD COLUMN packet_loss REAL;
ALTER TABLE sessions ADD COLUMN round_trip_time_ms REAL;
ALTER TABLE sessions ADD COLUMN search_text TEXT;

-- Rows that are there are filled from the other tables, as whoever writes a new one does. Only lower() knows no letters but ASCII's.
UPDATE sessions SET
    connections = coalesce(
        (SELECT number_peerconnections FROM features_metadata m WHERE m.dump_id = sessions.id),
        (SELECT nullif(count(*), 0) FROM rtcstats_pc_metrics p WHERE p.session = sessions.id)
    ),
    packet_loss = (
        SELECT max(min(max(1.0 * share.lost / share.packets, 0.0), 1.0)) FROM (
            SELECT p.totalreceivedpacketslost AS lost, max(p.totalreceivedpacketslost, 0) + p.totalpacketsreceived AS packets
                FROM rtcstats_pc_metrics p WHERE p.session = sessions.id
            UNION ALL
            SELECT p.totalsentpacketslost, p.totalpacketssent FROM rtcstats_pc_metrics p WHERE p.session = sessions.id
        ) AS share
        WHERE share.packets > 0
    ),
    round_trip_time_ms = coalesce(
        (SELECT 1000.0 * max(c.average_stun_round_trip_time) FROM features_connection c WHERE c.dump_id = sessions.id),
        (SELECT max(CASE WHEN p.meanrtt < 10 THEN 1000.0 * p.meanrtt ELSE p.meanrtt END) FROM rtcstats_pc_metrics p WHERE p.session = sessions.id AND p.meanrtt > 0)
    ),
    search_text = lower(
        substr(name, 1, 256)
        || coalesce(char(10) || nullif(substr(user_id, 1, 256), ''), '')
        || coalesce(char(10) || nullif(substr(display_name, 1, 256), ''), '')
        || coalesce(char(10) || nullif(substr(conference, 1, 256), ''), '')
        || coalesce(char(10) || nullif(substr(conference_name, 1, 256), ''), '')
        || coalesce(char(10) || nullif(substr(conference_url, 1, 256), ''), '')
        || coalesce(char(10) || nullif(substr(application_session, 1, 256), ''), '')
        || coalesce(char(10) || nullif(substr(client_id, 1, 256), ''), '')
        || coalesce(char(10) || nullif(substr(trim(coalesce(browser, '') || ' ' || coalesce(browser_version, '')), 1, 256), ''), '')
    );

-- What lists are sorted by, as queries say it; the times have theirs.
CREATE INDEX sessions_search_conference_index ON sessions (substr(lower(coalesce(nullif(conference, ''), nullif(conference_name, ''), nullif(conference_url, ''))), 1, 64));
CREATE INDEX sessions_search_user_index ON sessions (substr(lower(coalesce(nullif(display_name, ''), nullif(user_id, ''))), 1, 64));
CREATE INDEX sessions_search_browser_index ON sessions (substr(lower(nullif(browser, '')), 1, 64));
CREATE INDEX sessions_search_duration_index ON sessions (duration_ms);
CREATE INDEX sessions_search_loss_index ON sessions (packet_loss);
CREATE INDEX sessions_search_round_trip_time_index ON sessions (round_trip_time_ms);
