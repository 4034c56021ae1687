-- What lists of sessions show and are searched by.

ALTER TABLE sessions ADD COLUMN connections bigint;
ALTER TABLE sessions ADD COLUMN packet_loss double precision;
ALTER TABLE sessions ADD COLUMN round_trip_time_ms double precision;
ALTER TABLE sessions ADD COLUMN search_text text;

-- Rows that are there are filled from the other tables, as whoever writes a new one does.
UPDATE sessions SET
    connections = coalesce(
        (SELECT number_peerconnections FROM features_metadata m WHERE m.dump_id = sessions.id),
        (SELECT nullif(count(*), 0) FROM rtcstats_pc_metrics p WHERE p.session = sessions.id)
    ),
    packet_loss = (
        SELECT max(least(greatest(share.lost / share.packets, 0.0), 1.0)) FROM (
            SELECT p.totalreceivedpacketslost::double precision AS lost, greatest(p.totalreceivedpacketslost::double precision, 0) + p.totalpacketsreceived AS packets
                FROM rtcstats_pc_metrics p WHERE p.session = sessions.id
            UNION ALL
            SELECT p.totalsentpacketslost::double precision, p.totalpacketssent::double precision FROM rtcstats_pc_metrics p WHERE p.session = sessions.id
        ) AS share
        WHERE share.packets > 0 AND share.lost IS NOT NULL
    ),
    round_trip_time_ms = coalesce(
        (SELECT 1000.0 * max(c.average_stun_round_trip_time) FROM features_connection c WHERE c.dump_id = sessions.id),
        (SELECT max(CASE WHEN p.meanrtt < 10 THEN 1000.0 * p.meanrtt ELSE p.meanrtt END) FROM rtcstats_pc_metrics p WHERE p.session = sessions.id AND p.meanrtt > 0)
    ),
    search_text = lower(
        left(name, 256)
        || coalesce(chr(10) || nullif(left(user_id, 256), ''), '')
        || coalesce(chr(10) || nullif(left(display_name, 256), ''), '')
        || coalesce(chr(10) || nullif(left(conference, 256), ''), '')
        || coalesce(chr(10) || nullif(left(conference_name, 256), ''), '')
        || coalesce(chr(10) || nullif(left(conference_url, 256), ''), '')
        || coalesce(chr(10) || nullif(left(application_session, 256), ''), '')
        || coalesce(chr(10) || nullif(left(client_id, 256), ''), '')
        || coalesce(chr(10) || nullif(left(trim(coalesce(browser, '') || ' ' || coalesce(browser_version, '')), 256), ''), '')
    );

-- What lists are sorted by, as queries say it: names from the first, numbers and times from the largest. The other way round, all rows are sorted.
CREATE INDEX sessions_search_conference_index ON sessions (left(lower(coalesce(nullif(conference, ''), nullif(conference_name, ''), nullif(conference_url, '')) COLLATE "C"), 64), id);
CREATE INDEX sessions_search_user_index ON sessions (left(lower(coalesce(nullif(display_name, ''), nullif(user_id, '')) COLLATE "C"), 64), id);
CREATE INDEX sessions_search_browser_index ON sessions (left(lower(nullif(browser, '') COLLATE "C"), 64), id);
CREATE INDEX sessions_search_started_index ON sessions (started_at DESC NULLS LAST, id DESC);
CREATE INDEX sessions_search_ended_index ON sessions (ended_at DESC NULLS LAST, id DESC);
CREATE INDEX sessions_search_duration_index ON sessions (duration_ms DESC NULLS LAST, id DESC);
CREATE INDEX sessions_search_loss_index ON sessions (packet_loss DESC NULLS LAST, id DESC);
CREATE INDEX sessions_search_round_trip_time_index ON sessions (round_trip_time_ms DESC NULLS LAST, id DESC);
