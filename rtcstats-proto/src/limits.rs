//! What a remote may make us remember, in numbers.

/// Upper bounds on what one peer connection's stats, and one line, may cost.
///
/// A limit that is hit yields an error which names it; nothing is dropped silently.
/// The defaults leave an order of magnitude above what real calls reach.
///
/// ```
/// use rtcstats_proto::Limits;
///
/// let limits = Limits { objects: 10_000, ..Limits::default() };
/// assert_eq!(limits.depth, 64);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one line or message. Default 16 MiB: a first report of a call with hundreds of
    /// tracks is below 1 MiB.
    pub line_bytes: usize,
    /// Nesting of arrays and objects, at most [`Limits::MAX_DEPTH`]. Default 64: the deepest real
    /// value, the configuration in a Jitsi identity, has less than ten levels.
    pub depth: u32,
    /// Stats objects of one peer connection. Default 4,096: a connection with 200 tracks has
    /// about 1,500.
    pub objects: usize,
    /// Members of one stats object. Default 512: the richest type has about 70.
    pub members: usize,
    /// Values of one peer connection. Default 262,144: a connection with 200 tracks has about
    /// 40,000.
    pub values: usize,
    /// Bytes of the texts among the values of one peer connection. Default 8 MiB: real
    /// connections hold some tens of KiB.
    pub text_bytes: usize,
    /// Bytes of one nested value that deltas of rtcstats 5.0 add to, which are written anew with each
    /// addition. Default 16 KiB: real ones, such as `qualityLimitationDurations`, are below 200.
    pub nested_bytes: usize,
    /// Different member names outside the table of known ones, for one peer connection.
    /// Default 1,024.
    pub unknown_names: usize,
    /// Bytes of a session description that later ones may build on, see
    /// [`DescriptionReader`](crate::sdp::DescriptionReader). Default 1 MiB: a connection with 200
    /// media sections has about 400 KiB.
    pub description_bytes: usize,
    /// Bytes of one stats id or member name. Default 1,024: real ids are below 100.
    pub name_bytes: usize,
    /// Bytes of a webrtc-internals export, decompressed. Default 256 MiB: such a file has to be in
    /// memory as a whole. Ten minutes of a call with two connections make 3 MB, and days of a large
    /// meeting some 100 MB.
    pub import_bytes: usize,
    /// Peer connections of one dump, while it is read to whole values. Default 4,096: a conference
    /// that reconnects every minute for a day has 1,440.
    pub connections: usize,
    /// Points of all series of a [`Timeseries`](crate::Timeseries). Default 4,194,304, 24 bytes each:
    /// an hour of a call with 20 tracks and a report a second has about 2 million.
    pub points: usize,
}

impl Limits {
    /// The deepest nesting that any configuration allows.
    pub const MAX_DEPTH: u32 = 128;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes: 16 << 20,
            depth: 64,
            objects: 4_096,
            members: 512,
            values: 262_144,
            text_bytes: 8 << 20,
            nested_bytes: 16 << 10,
            unknown_names: 1_024,
            description_bytes: 1 << 20,
            name_bytes: 1_024,
            import_bytes: 256 << 20,
            connections: 4_096,
            points: 4 << 20,
        }
    }
}
