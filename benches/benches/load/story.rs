//! What every client of a run sends: one call, each with its own session id.

use std::hash::{DefaultHasher, Hash, Hasher};

use rtcstats_benches::{Workload, frames};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::Generation;

/// Reports in the beginning of a call, after which a session is called live.
pub(crate) const REPORTS: usize = 20;

/// Long enough for some seconds of sending flat out.
const JITSI_MEGABYTES: usize = 12;
const RTCSTATS_MEGABYTES: usize = 6;

/// The frames of a call of one peer connection, whose reports have 46 objects.
pub(crate) struct Story {
    pub(crate) frames: Vec<StoryFrame>,
    beginning: usize,
}

/// A frame as it goes over the wire.
pub(crate) struct StoryFrame {
    pub(crate) bytes: Vec<u8>,
    /// Where the session id stands, if it does.
    pub(crate) session_id: Option<usize>,
    /// The number by which it is acknowledged.
    pub(crate) sequence_number: Option<u64>,
    /// A hash of the line that its dump gets.
    pub(crate) line: Option<u64>,
}

impl Story {
    pub(crate) fn new(generation: Generation) -> Self {
        let messages = match generation {
            Generation::Jitsi => {
                let workload = Workload::connection(JITSI_MEGABYTES);
                workload.dumps.iter().flat_map(frames::of).collect()
            }
            Generation::Rtcstats => {
                let workload = Workload::rtcstats_connection(RTCSTATS_MEGABYTES);
                let lines = workload.dumps.into_iter().flat_map(|dump| dump.lines);
                // The two lines at the head of the dump are the server's.
                lines.skip(2).collect::<Vec<_>>()
            }
        };
        let mut reports = 0;
        let mut beginning = messages.len();
        for (index, message) in messages.iter().enumerate() {
            reports += usize::from(is_report(generation, message));
            if reports == REPORTS {
                beginning = index + 1;
                break;
            }
        }
        Self {
            frames: messages.iter().map(|text| StoryFrame::new(text)).collect(),
            beginning,
        }
    }

    /// How many frames the beginning has.
    pub(crate) fn beginning(&self) -> usize {
        self.beginning
    }
}

fn is_report(generation: Generation, message: &str) -> bool {
    match generation {
        Generation::Jitsi => message.contains(r#"[\"getstats\","#),
        // By its number: `getstats` of the 5.0 table of methods.
        Generation::Rtcstats => {
            let event = rtcstats_proto::EventReader::of_generation(
                rtcstats_proto::Generation::Rtcstats,
                rtcstats_proto::Limits::default(),
            )
            .read(message)
            .ok()
            .flatten()
            .and_then(|event| event.method());
            matches!(
                event,
                Some(rtcstats_proto::Method::GetStats | rtcstats_proto::Method::CompressedGetStats)
            )
        }
    }
}

impl StoryFrame {
    fn new(message: &str) -> Self {
        let mut frame = Frame::message(message.to_owned(), OpCode::Data(Data::Text), true);
        frame.header_mut().mask = Some([0; 4]);
        let mut bytes = Vec::with_capacity(frame.len());
        frame.format(&mut bytes).unwrap();
        let in_message = message.find(frames::SESSION_ID);
        let line = line_of(message);
        Self {
            session_id: in_message.map(|index| bytes.len() - message.len() + index),
            sequence_number: line.as_deref().and_then(rtcstats_proto::sequence_number_of),
            line: line.as_deref().map(hash),
            bytes,
        }
    }
}

/// The same for the same line of a dump.
pub(crate) fn hash(line: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.trim_end().hash(&mut hasher);
    hasher.finish()
}

/// The line in an envelope.
fn line_of(message: &str) -> Option<String> {
    let message = rtcstats_proto::jitsi::Message::parse(message).ok()?;
    let mut line = String::new();
    message
        .append_line(rtcstats_proto::ClientType::Rtcstats, 0.0, &mut line)
        .then_some(line)
}
