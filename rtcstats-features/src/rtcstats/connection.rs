//! The features of a peer connection.

use serde_json::Value as Json;

use super::TrackFeatures;
use super::feature::feature_set;

feature_set! {
    /// What happened in one peer connection.
    ///
    /// A *report* is what one `getStats()` returned. Times and differences of times are in
    /// milliseconds by the clock of the client. "Whether" means at any time; nothing is ever reset,
    /// unless written otherwise.
    pub struct ConnectionFeatures {
        // General
        /// Time of the first event, Unix epoch milliseconds.
        pub start_time: Option<f64>,
        /// From the first event to the last; negative if the clock was set back.
        pub duration: Option<f64>,
        /// Whether the last event is `close`. An event behind it makes it false again.
        pub closed: bool,
        /// Events, reports included.
        pub number_of_events: u64,
        /// Events that are no reports.
        pub number_of_events_not_get_stats: u64,
        /// How often the signaling state became `stable`, rollbacks included.
        pub number_of_negotiations: u64,
        /// Whether the last signaling state but `closed` is another than `stable`. Absent if none is
        /// known.
        pub pending_negotiation_at_end: Option<bool>,
        /// What the first failure of `addIceCandidate()` gave, as a rule a text. Absent if none failed.
        pub add_ice_candidate_failure: Option<Json>,
        /// What the first failure of `setLocalDescription()` gave. Absent if none failed.
        pub set_local_description_failure: Option<Json>,
        /// What the first failure of `setRemoteDescription()` gave. Absent if none failed.
        pub set_remote_description_failure: Option<Json>,
        /// Whether the reports are the last part of a longer series: one object is in exactly 1000 of
        /// them, as many as webrtc-internals keeps, and came more than a minute after the start.
        pub stats_truncated: bool,

        // Negotiation
        /// From the first `setLocalDescription()` to its success. Absent if it has none.
        pub set_local_description_delay: Option<f64>,
        /// The type of that description, such as `"offer"`. Absent for the implicit form, without the
        /// delay, or if the client withholds descriptions.
        pub set_local_description_role: Option<Json>,
        /// From the first `setRemoteDescription()` to its success. Absent if it has none.
        pub set_remote_description_delay: Option<f64>,
        /// The type of that description. Absent as for the local one.
        pub set_remote_description_role: Option<Json>,
        /// From the first local offer to the first remote answer behind it. Absent if there is none, or
        /// if the client withholds descriptions.
        pub signaling_delay: Option<f64>,
        /// Whether `createOffer()` was called with `iceRestart`.
        pub ice_restart: bool,
        /// Whether the first such offer was set and answered. Absent if the client withholds
        /// descriptions.
        pub ice_restart_followed_by_set_remote_description: Option<bool>,

        // Connectivity
        /// Whether the ICE connection state became `connected` (not `completed`).
        pub ice_connected: bool,
        /// From the first ICE connection state `checking` to the first `connected` behind it. Absent
        /// if one is missing.
        pub ice_connection_time: Option<f64>,
        /// Whether the connection state became `connected`.
        pub connected: bool,
        /// From the first connection state `connecting` to the first `connected` behind it. Absent if
        /// one is missing.
        pub connection_time: Option<f64>,
        /// Whether a remote description has the line `a=ice-lite`. Absent if the client withholds
        /// descriptions.
        pub using_ice_lite: Option<bool>,
        /// `dtlsRole` of the first transport with a `tlsVersion`. Absent if there is none.
        pub dtls_role: Option<Json>,
        /// `tlsVersion` of that transport, such as `"FEFD"` for DTLS 1.2. Absent if there is none.
        pub dtls_version: Option<Json>,
        /// `srtpCipher` of that transport. Absent if there is none.
        pub srtp_cipher: Option<Json>,
        /// How far the clock of events is ahead of that of reports, whole milliseconds, by the first
        /// report with a `peer-connection` object. Absent if there is none.
        pub clock_skew: Option<f64>,

        // Configuration, of the first `create` event
        /// `bundlePolicy` (`RTCConfiguration`). Absent if not configured.
        pub configured_bundle_policy: Option<Json>,
        /// `alwaysNegotiateDataChannels`. Absent if not configured.
        pub configured_always_negotiate_data_channels: Option<Json>,
        /// How many `iceServers` there are. Absent if that member is; the next five too.
        pub configured_ice_servers: Option<u64>,
        /// Whether `iceTransportPolicy` is `relay`.
        pub configured_ice_transport_policy: Option<bool>,
        /// True if a URL begins with `stun:`, else absent.
        pub configured_ice_servers_stun: Option<bool>,
        /// True if a URL begins with `turns:`, else absent.
        pub configured_ice_servers_turns: Option<bool>,
        /// True if a URL begins with `turn:` and ends with `?transport=udp`, else absent.
        pub configured_ice_servers_turn_udp: Option<bool>,
        /// True if a URL begins with `turn:` and ends with `?transport=tcp`, else absent.
        pub configured_ice_servers_turn_tcp: Option<bool>,

        // Candidates. Those of the peer are absent if the client withholds what it adds.
        /// Whether a `host` candidate was added.
        pub added_host_candidate: Option<bool>,
        /// Whether a `host` candidate with an mDNS name was added. Absent if the client hides addresses
        /// and may have hidden one.
        pub added_mdns_candidate: Option<bool>,
        /// Whether a `srflx` candidate was added.
        pub added_srflx_candidate: Option<bool>,
        /// Whether a `relay` candidate was added.
        pub added_turn_candidate: Option<bool>,
        /// Whether `null`, the end of candidates, was added.
        pub added_null_candidate: Option<bool>,
        /// Whether a candidate of TCP type `passive` was added, or is in a remote description.
        pub added_connectable_ice_tcp_candidate: Option<bool>,
        /// Whether a `host` candidate was gathered.
        pub gathered_host_candidate: bool,
        /// Whether a `host` candidate with an mDNS name was gathered. Absent if the client hides
        /// addresses and may have hidden one.
        pub gathered_mdns_candidate: Option<bool>,
        /// Whether a `srflx` candidate was gathered.
        pub gathered_srflx_candidate: bool,
        /// Whether a `relay` candidate was gathered.
        pub gathered_turn_candidate: bool,
        /// From the last start of the first gathering to the first candidate of a TURN server over UDP
        /// (`relayProtocol`). Absent if there is none.
        pub gathering_time_turn_udp: Option<f64>,
        /// The same over TCP.
        pub gathering_time_turn_tcp: Option<f64>,
        /// The same over TLS.
        pub gathering_time_turn_tls: Option<f64>,

        // First selected pair: of the first report with one after the connection state was `connected`
        /// `address` of the local candidate. This and the next eight are absent if there is no such
        /// pair or its candidate lacks the member.
        pub first_candidate_pair_local_address: Option<Json>,
        /// `networkType` of the local candidate.
        pub first_candidate_pair_local_network_type: Option<Json>,
        /// `protocol` of the local candidate: `"udp"` or `"tcp"`.
        pub first_candidate_pair_local_protocol: Option<Json>,
        /// `relayProtocol` of the local candidate: how the TURN server is reached.
        pub first_candidate_pair_local_relay_protocol: Option<Json>,
        /// `url` of the local candidate: which STUN or TURN server it is from.
        pub first_candidate_pair_local_relay_url: Option<Json>,
        /// `candidateType` of the local candidate.
        pub first_candidate_pair_local_type: Option<Json>,
        /// The upper eight bits of the local candidate's `priority`, signed: 126 for host candidates
        /// of browsers, 0 without priority.
        pub first_candidate_pair_local_type_preference: Option<i32>,
        /// `address` of the remote candidate.
        pub first_candidate_pair_remote_address: Option<Json>,
        /// `candidateType` of the remote candidate.
        pub first_candidate_pair_remote_type: Option<Json>,

        // Averages over all reports with a selected pair
        /// Mean round-trip time of STUN checks in seconds: the sums of `totalRoundTripTime` and
        /// `responsesReceived` over all pairs that were selected, as they were reported last. Absent
        /// without responses.
        pub average_stun_round_trip_time: Option<f64>,
        /// Mean bits per second sent, by `bytesSent` of the transport, from the first report with bytes
        /// in both directions to the last. Absent if these are not two.
        pub average_outbound_bitrate: Option<f64>,
        /// The same by `bytesReceived`.
        pub average_inbound_bitrate: Option<f64>,

        // Locations, where the server looked up addresses; all until the first report
        /// Continent of the last gathered candidate with a location, a relay in practice. Absent if
        /// there is none or the part is not known, as for the others.
        pub rtcstats_relay_location_continent: Option<Json>,
        /// Its country.
        pub rtcstats_relay_location_country: Option<Json>,
        /// Its city.
        pub rtcstats_relay_location_city: Option<Json>,
        /// Continent of the local candidate that the first report says is selected.
        pub rtcstats_location_continent: Option<Json>,
        /// Its country.
        pub rtcstats_location_country: Option<Json>,
        /// Its city.
        pub rtcstats_location_city: Option<Json>,
        /// Continent of the remote candidate that the first report says is selected.
        pub rtcstats_peer_location_continent: Option<Json>,
        /// Its country.
        pub rtcstats_peer_location_country: Option<Json>,
        /// Its city.
        pub rtcstats_peer_location_city: Option<Json>,

        /// Of each track, in the order in which they came.
        pub tracks: Vec<TrackFeatures>,
        ;
        /// What the client calls it, such as `PC_0`. Not in JSON.
        #[serde(skip)]
        pub connection_identifier: String,
    }
}
