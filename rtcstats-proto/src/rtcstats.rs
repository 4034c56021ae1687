//! The generation of rtcstats.com: subprotocol `rtcstats#5.0`, dumps of file format 3.

/// The first line of a dump (rtcstats spec 8.1).
pub const DUMP_HEADER: &str = "RTCStatsDump";
