//! What a remote may make an extraction remember, in numbers.

/// Upper bounds on what the extraction of one session keeps.
///
/// Nothing is dropped silently: an [`Extractor`](crate::Extractor) answers with an error where a
/// limit of its own is hit, a fold counts what it had to leave out
/// (such as [`Dropped`](crate::jitsi::Dropped)) or says that something is missing
/// ([`Features::is_incomplete`](crate::rtcstats::Features::is_incomplete)).
///
/// ```
/// use rtcstats_features::Limits;
///
/// let limits = Limits { connections: 8, ..Limits::default() };
/// assert_eq!(limits.proto.depth, 64);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The bounds on one line and on the stats of one peer connection.
    pub proto: rtcstats_proto::Limits,
    /// Peer connections of a session. Default 256: a call has one or two at a time, and a day of
    /// hourly reconnections makes some tens.
    pub connections: usize,
    /// Tracks of one peer connection, split ones included. Default 4,096: a call of 500
    /// participants has about 1,500.
    pub tracks: usize,
    /// Addresses of local host candidates that are told apart. Default 256: a host has below ten, one
    /// with containers some tens.
    pub interfaces: usize,
    /// Network types of selected candidates that are listed. Default 256: phones change between
    /// networks some times an hour.
    pub network_changes: usize,
    /// Endpoints whose turns as dominant speaker are counted. Default 1,024: twice the participants
    /// of the largest conferences.
    pub endpoints: usize,
    /// Dominant-speaker events that are listed. Default 16,384: one every five seconds, all day.
    pub speaker_events: usize,
    /// Face expressions that are listed. Default 16,384: one every five seconds, all day.
    pub face_landmarks: usize,
    /// Endpoints whose round-trip time is kept. Default 1,024, as for [`Limits::endpoints`].
    pub pings: usize,
    /// Members of the identity's `deploymentInfo`. Default 64: deployments have eight.
    pub deployment_members: usize,
    /// Runs of at most 255 equal samples kept for a rounded mean; beyond them the mean is of the running sum,
    /// which may round the other way (0.01). Default 16,384: up to 200 KiB, 45 hours of reports ten
    /// seconds apart.
    pub mean_runs: usize,
    /// Ids of stats objects whose reports are counted, over all connections. Default 65,536: a call of
    /// 500 participants has some thousands at a time. About 5 MiB.
    pub stats_ids: usize,
    /// RTP streams whose last report is kept, over all connections. Default 4,096, as for
    /// [`Limits::tracks`]. About 8 MiB.
    pub rtp_streams: usize,
    /// Candidate pairs that were selected once, over all connections. Default 4,096: a connection
    /// that changes its network every ten seconds has as many in eleven hours.
    pub selected_pairs: usize,
    /// Candidates with a location, before the first report of their connection and over all of them.
    /// Default 4,096: a connection has some tens.
    pub located_candidates: usize,
    /// Different widths and heights of the video of a session, counted per stream. Default 65,536:
    /// screen shares follow the size of a window. About 1 MiB.
    pub resolutions: usize,
    /// Tracks that a page obtained from its devices. Default 4,096: one every 20 seconds, all day.
    pub captured_tracks: usize,
    /// Members of the description of a page that is kept as it was sent. Default 64: clients send
    /// seven.
    pub page_members: usize,
    /// RTP streams whose [series](crate::series) are kept, over all connections. Default 1,024: a call
    /// of 500 participants receives some tens at a time. About 12 MiB with the default number of
    /// [points](crate::series::SeriesOptions::points), if all of them have all metrics all the time.
    pub series_streams: usize,
    /// Bytes of any one text or value that is kept of an event as it was sent. Default 1,024: real
    /// ones, names and addresses, stay below 200.
    pub text_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            proto: rtcstats_proto::Limits::default(),
            connections: 256,
            tracks: 4_096,
            interfaces: 256,
            network_changes: 256,
            endpoints: 1_024,
            speaker_events: 16_384,
            face_landmarks: 16_384,
            pings: 1_024,
            deployment_members: 64,
            mean_runs: 16_384,
            stats_ids: 65_536,
            rtp_streams: 4_096,
            selected_pairs: 4_096,
            located_candidates: 4_096,
            resolutions: 65_536,
            captured_tracks: 4_096,
            page_members: 64,
            series_streams: 1_024,
            text_bytes: 1_024,
        }
    }
}
