//! Features of the legacy (2.0) server that the other sets do not have.
//!
//! [`LegacyFold`] computes them from the events of a client of any generation, from standard statistics
//! and from Chrome's first ones, which it [translates](rtcstats_proto::legacy::Translator). They are
//! about how long a call took to come up and what hindered it: capture, negotiation, gathering,
//! connecting, and the first and later candidate pairs. The output is typed and nested, one
//! [`ConnectionFeatures`] of each peer connection; where the existing server has −1 for what cannot be
//! computed, it is absent here. Events without a connection belong to none.
//!
//! The tables list every feature of the existing server (its section 5.2 to 5.4), and where it is now:
//! in this set; under which name in [`jitsi`](crate::jitsi) (J) or in [`rtcstats`](crate::rtcstats) (R);
//! or nowhere, and why.
//!
//! # Client
//!
//! | Original | Here |
//! |---|---|
//! | origin | [`ClientFeatures::origin`] |
//! | browserName, …Version, …Os, …UserAgent, …NameVersion, …NameOs, …NameVersionOs, …MajorVersion | J: `browserInfo` |
//! | calledGetUserMedia, calledMediadevicesGetUserMedia | R: `calledGetUserMedia`, `calledGetDisplayMedia` |
//! | calledLegacyGetUserMedia | [`ClientFeatures::called_legacy_get_user_media`] |
//! | getUserMediaSuccess | R: `getUserMediaSuccessCount`, `getDisplayMediaSuccessCount` |
//! | getUserMediaError | [`ClientFeatures::get_user_media_error`] |
//! | calledGetUserMediaRequestingAudio, …Video | R: `calledGetUserMediaAudio`, `calledGetUserMediaVideo` |
//! | calledGetUserMediaRequestingScreen | R: `calledGetDisplayMedia`; the constraints it read went out of browsers with that call |
//! | calledGetUserMediaRequestingAEC3 | left out: an experiment of Chrome in 2018 |
//! | timeBetweenGetUserMediaAndGetUserMediaSuccess, …Failure | [`ClientFeatures::get_user_media_delay`], [`get_user_media_failure_delay`](ClientFeatures::get_user_media_failure_delay) |
//! | firstAudioTrackLabel, firstVideoTrackLabel | [`ClientFeatures::first_audio_track_label`], [`first_video_track_label`](ClientFeatures::first_video_track_label) |
//! | numberOfPeerConnections | the length of [`Features::connections`], in which events without connection (`null` there) do not count |
//! | userfeedback…, tags… | [`ClientFeatures::feedback`], [`tags`](ClientFeatures::tags) |
//! | websocketConnectionTime, websocketError | [`ClientFeatures::web_socket_connection_time`], [`web_socket_error`](ClientFeatures::web_socket_error) |
//! | publicIPAddress, usesHTTPProxy | [`ClientFeatures::public_ip_address`], [`uses_http_proxy`](ClientFeatures::uses_http_proxy) |
//!
//! # Connection
//!
//! | Original | Here |
//! |---|---|
//! | clientIdentifier, peerIdentifier, conferenceIdentifier | the members of [`ConnectionFeatures`] by these names, from constraints; what an identity says is in [`ClientFeatures`] |
//! | sfuP2P | J: `isP2P` |
//! | startTime, stopTime, lifeTime | R: `startTime`, `duration` |
//! | sendingDuration | [`Negotiation::sending_duration`] |
//! | browserType | J: `browserInfo` |
//! | remoteType | [`Negotiation::remote_type`]; `edge` and `appear.in mobile`, which are no more, are `webrtc.org` |
//! | isInitiator | [`Negotiation::is_initiator`] |
//! | configured | [`Configuration::is_configured`] |
//! | configuredWithICEServers, …STUN, …TURN, …TURNUDP, …TURNTCP, …TURNTLS | [`Configuration::ice_servers`]; a plain text in `urls` is understood for all of them |
//! | configuredBundlePolicy, configuredIceTransportPolicy | R: the same names |
//! | configuredRtcpMuxPolicy, configuredCertificate | [`Configuration::rtcp_mux_policy`], [`has_certificates`](Configuration::has_certificates) |
//! | configuredSDES | left out: no browser has SDES any more |
//! | sdpSemantics | [`Configuration::sdp_semantics`] |
//! | ICEGatheringComplete | [`Ice::is_gathering_complete`] |
//! | ICEFailure, ICEFailureSubsequent, ICEConnectedOrCompleted | [`Ice::has_failed`], [`has_failed_subsequently`](Ice::has_failed_subsequently), [`is_connected`](Ice::is_connected) |
//! | dtlsFailure | [`Ice::dtls_failure`] |
//! | iceconnectionstateCheckingBeforeSRD | [`Ice::is_checking_before_remote`] |
//! | timeBetweenSetRemoteDescriptionAndAddIceCandidate | [`Ice::first_remote_candidate_delay`] |
//! | timeBetweenSetLocalDescriptionAndOnIceCandidate | [`Ice::first_candidate_delay`] |
//! | timeForFirstSetRemoteDescription, timeForSecond… | [`Negotiation::first_set_remote_description_delay`], [`second_set_remote_description_delay`](Negotiation::second_set_remote_description_delay) |
//! | ontrackAfterFirstSetRemoteDescription | [`Negotiation::had_track_before_success`] |
//! | usingICELite | R: `usingIceLite` |
//! | usingRTCPMux, usingBundle | [`Negotiation::uses_rtcp_mux`], [`uses_bundle`](Negotiation::uses_bundle) |
//! | ICERestart, ICERestartSuccess, ICERestartFollowedBySetRemoteDescription, …RelayCandidate | [`Ice::restart`]; `restartIce` counts too |
//! | signalingStableAtLeastOnce | R: `numberOfNegotiations` |
//! | usingMultistream, maxStreams | left out: they count `onaddstream`, which is deprecated |
//! | numberOfRemoteStreams | left out: R and J list the tracks |
//! | usingSimulcast, numberOfLocalSimulcastStreams | [`Negotiation::uses_simulcast`], [`local_simulcast_streams`](Negotiation::local_simulcast_streams) |
//! | setLocalDescriptionFailure, setRemoteDescriptionFailure, addIceCandidateFailure | R: the same names |
//! | gatheringTime | [`Ice::gathering_time`] |
//! | gatheredHost, gatheredSTUN | R: `gatheredHostCandidate`, `gatheredSrflxCandidate` |
//! | gatheringTimeTURNUDP, …TCP, …TLS, gatheredTURNUDP, …TCP, …TLS | [`Ice::gathering_time_turn_udp`], [`gathering_time_turn_tcp`](Ice::gathering_time_turn_tcp), [`gathering_time_turn_tls`](Ice::gathering_time_turn_tls), and whether they are there; by `relayProtocol` where the browser tells it, else by the priority |
//! | relayAddress | [`Ice::relay_address`] |
//! | hadRemoteTURNCandidate | R: `addedTurnCandidate` |
//! | gatheredrfc1918addressPrefix16, …12, …10 | [`Ice::gathered_private_16`], [`gathered_private_12`](Ice::gathered_private_12), [`gathered_private_8`](Ice::gathered_private_8); false there is absent |
//! | numberOfInterfaces | [`Ice::number_of_interfaces`] |
//! | connectionTime, iceConnectionTime | [`Ice::connection_time`], [`ice_connection_time`](Ice::ice_connection_time); R has both too, the latter without `completed` |
//! | localCreateDelay | [`Negotiation::local_create_delay`] |
//! | numberOfLocalIceCandidates, numberOfRemoteIceCandidates | [`Ice::number_of_local_candidates`], [`number_of_remote_candidates`](Ice::number_of_remote_candidates); an empty candidate, which marks the end, does not count |
//! | sessionDuration | [`Ice::session_duration`] |
//! | mediaTypes | [`Negotiation::media_types`] |
//! | dtlsCipherSuite, srtpCipherSuite | [`Transport::dtls_cipher_suite`], [`srtp_cipher_suite`](Transport::srtp_cipher_suite) |
//! | statsMeanRoundTripTime, …ReceivingBitrate, …SendingBitrate | [`Transport::mean_round_trip_time`], [`mean_receiving_bitrate`](Transport::mean_receiving_bitrate), [`mean_sending_bitrate`](Transport::mean_sending_bitrate), not rounded down; of one selected pair in each report, bitrates between two reports with the same one |
//! | stunRTTInitial30sMean, …Max | [`Transport::initial_mean_round_trip_time`], [`initial_max_round_trip_time`](Transport::initial_max_round_trip_time) |
//! | bytesTotalSent, bytesTotalReceived | [`Transport::bytes_sent`], [`bytes_received`](Transport::bytes_received) |
//! | firstCandidatePair… | [`Transport::first_candidate_pair`] |
//! | networkType | [`Transport::network_types`]; that of the report which phone SDKs add is left out |
//! | numberOfCandidatePairChanges, candidatePairChangeInterfaceTypes | [`Transport::candidate_pair_changes`], [`network_types`](Transport::network_types) |
//! | bweAvailableOutgoingBitrate…, bweAvailableIncomingBitrate… | [`Transport::available_outgoing_bitrate`], [`available_incoming_bitrate`](Transport::available_incoming_bitrate); of the selected pair in standard statistics |
//! | bweGoog… | left out: no browser has them any more, and archives have the reports |
//! | calledAddStream, calledAddTrack | left out: `addStream` is deprecated; R lists the tracks |
//! | closeReason | [`ConnectionFeatures::close_reason`] |
//! | batteryLevelBegin, …End, …BeginTime, …EndTime | left out: of the report which phone SDKs add only |
//!
//! # Stream
//!
//! One record of each RTP [`Stream`], where the existing server has one of each media stream, into which
//! the last of its tracks wins. Which tracks there were is known from the reports, not from events.
//!
//! | Original | Here |
//! |---|---|
//! | streamId | left out: [`Stream::track_identifier`] tells the track |
//! | direction, numberOfStats, duration, active | [`Stream::direction`], [`number_of_reports`](Stream::number_of_reports), [`duration`](Stream::duration), [`active_duration`](Stream::active_duration) |
//! | qpSum, frameCount | R: the same names |
//! | audioCodec, videoCodec | R: `codecMimeType` |
//! | …PacketsReceived…, …PacketsSent… | [`Stream::packet_rate`] |
//! | …PacketsLost… | [`Stream::packet_loss_rate`] |
//! | …BytesReceived…, …BytesSent… | [`Stream::bitrate`] |
//! | videoGoogFrameHeight…, videoGoogFrameWidth… | R: `minWidth`, `maxWidth`, `commonWidth`, and heights |
//! | audioLevel… | left out: the existing server truncates the level to 0 or 1 |
//! | audioGoog…, audio and video goog… of any other name | left out: no browser has them any more, and archives have the reports |

mod budget;
mod client;
mod configuration;
mod connection;
mod extraction;
mod fold;
mod ice;
mod interval;
mod negotiation;
mod series;
mod stream;
#[cfg(test)]
mod testing;
mod transport;

pub use client::{ClientFeatures, Feedback};
pub use configuration::{Configuration, IceServers};
pub use connection::ConnectionFeatures;
pub use extraction::{Dropped, Features};
pub use fold::LegacyFold;
pub use ice::{Ice, IceRestart};
pub use negotiation::{Negotiation, RemoteType};
pub use series::Series;
pub use stream::{Stream, StreamDirection};
pub use transport::{CandidateEnd, CandidatePair, Transport};
