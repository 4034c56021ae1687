//! From lines to events with their whole values.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::EventSize;
use crate::delta::{Decoder, DeltaError, Strictness};
use crate::sdp::DescriptionReader;
use crate::stats::Stats;
use crate::{Event, EventError, EventForm, EventReader, Generation, Limits, Method, RawJson};

/// Reads the lines of a dump of any generation to events whose values are whole: the report that a
/// delta leads to, the description that a compressed one stands for (rtcstats spec 8.3 and 7.4).
///
/// Holds the last report and three descriptions of each peer connection, and nothing else of what
/// it read. A line that yields an error has changed nothing but, in rtcstats 5.0, the time.
///
/// ```
/// use rtcstats_proto::dump::{Replay, WholeValue};
///
/// let mut replay = Replay::default();
/// let lines = [
///     "RTCStatsDump",
///     r#"{"fileFormat":3}"#,
///     r#"["g","PC_0",{"0":{"80":1200,"type":5},"t":1700000000000},1700000000001]"#,
///     r#"["g","PC_0",{"t":1700000001000},1000]"#,
/// ];
/// let mut json = String::new();
/// for line in lines {
///     if let Some(replayed) = replay.push_line(line)? {
///         json.clear();
///         replayed.value.write_json(&mut json);
///     }
/// }
/// assert_eq!(json, r#"{"0":{"bytesSent":1200,"type":"transport","timestamp":1700000001000}}"#);
/// # Ok::<(), rtcstats_proto::dump::ReplayError>(())
/// ```
#[derive(Debug)]
pub struct Replay {
    limits: Limits,
    strictness: Strictness,
    reader: EventReader,
    /// The decoder of the generation, once it is known.
    decoder: Option<(Generation, Decoder)>,
    /// For the events of imports.
    full_decoder: Decoder,
    connections: HashMap<Box<str>, Connection, RandomState>,
    description: String,
}

#[derive(Debug)]
struct Connection {
    stats: Stats,
    descriptions: DescriptionReader,
}

/// An event and its whole value.
#[derive(Debug, Clone)]
pub struct Replayed<'a> {
    /// The event. Its payload is the value as it was sent.
    pub event: Event<'a>,
    /// The value.
    pub value: WholeValue<'a>,
}

/// The value of a [`Replayed`] event.
#[derive(Debug, Clone, Copy)]
pub enum WholeValue<'a> {
    /// The report that the peer connection has now.
    Stats(&'a Stats),
    /// Any other value.
    Json(RawJson<'a>),
}

/// A line that has no place in a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It is no event.
    #[error(transparent)]
    Event(#[from] EventError),
    /// Its report cannot be decoded, or not be written.
    #[error(transparent)]
    Delta(#[from] DeltaError),
    /// It is the first report or description of one peer connection too many, or of one whose key
    /// is longer than [`Limits::name_bytes`].
    #[error("peer connections over the limit of {allowed}")]
    Connections {
        /// [`Limits::connections`]
        allowed: usize,
    },
}

impl Default for Replay {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Replay {
    /// A replay whose first line tells the generation, see [`EventReader`].
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            strictness: Strictness::Lenient,
            reader: EventReader::new(limits),
            decoder: None,
            full_decoder: Decoder::full(limits),
            connections: HashMap::default(),
            description: String::new(),
        }
    }

    /// Sets what to do with reports on which existing decoders fail, see
    /// [`Decoder::with_strictness`].
    #[must_use]
    pub fn with_strictness(mut self, strictness: Strictness) -> Self {
        self.strictness = strictness;
        self
    }

    /// The generation, once a line told it.
    pub fn generation(&self) -> Option<Generation> {
        self.reader.generation()
    }

    /// Reads one line, without its terminator; `None` if it belongs to the format and is no event.
    /// The head of a dump is an event of the form [`EventForm::Metadata`].
    ///
    /// # Errors
    ///
    /// If the line is no event, or its report cannot be decoded.
    pub fn push_line<'a>(&'a mut self, line: &'a str) -> Result<Option<Replayed<'a>>, ReplayError> {
        match self.reader.read(line)? {
            Some(event) => self.push(event).map(Some),
            None => Ok(None),
        }
    }

    /// Takes an event, such as that of an import.
    ///
    /// # Errors
    ///
    /// If its report cannot be decoded.
    pub fn push<'a>(&'a mut self, event: Event<'a>) -> Result<Replayed<'a>, ReplayError> {
        match (event.form(), event.method()) {
            (EventForm::Array, Some(Method::CompressedGetStats))
            | (EventForm::Delta | EventForm::Import, Some(Method::GetStats))
                if event.payload().as_str().starts_with('{') =>
            {
                self.decode(event)
            }
            (
                EventForm::Delta,
                Some(
                    method @ (Method::CreateOfferOnSuccess
                    | Method::CreateAnswerOnSuccess
                    | Method::SetLocalDescription),
                ),
            ) => self.restore(event, method),
            _ => Ok(Replayed {
                value: WholeValue::Json(event.payload()),
                event,
            }),
        }
    }

    fn decode<'a>(&'a mut self, event: Event<'a>) -> Result<Replayed<'a>, ReplayError> {
        self.prepare(event.connection_key())?;
        let generation = self.reader.generation().unwrap_or(Generation::Jitsi);
        if event.form() != EventForm::Import
            && self.decoder.as_ref().is_none_or(|own| own.0 != generation)
        {
            self.decoder = Some((generation, self.decoder_of(generation)));
        }
        let decoder = match (event.form(), &mut self.decoder) {
            (EventForm::Import, _) | (_, None) => &mut self.full_decoder,
            (_, Some((_, decoder))) => decoder,
        };
        let Some(connection) = self.connections.get_mut(event.connection_key()) else {
            let allowed = self.limits.connections;
            return Err(ReplayError::Connections { allowed });
        };
        let stats = &mut connection.stats;
        let event = match decoder.decode(event.payload(), stats) {
            Ok(()) => event,
            Err(error) => {
                // The end of the report was a guess. If it was right, the error comes again.
                let reread = event.reread(&self.limits)?;
                if reread.payload().as_str() == event.payload().as_str() {
                    return Err(error.into());
                }
                decoder.decode(reread.payload(), stats)?;
                reread
            }
        };
        Ok(Replayed {
            event,
            value: WholeValue::Stats(&connection.stats),
        })
    }

    fn decoder_of(&self, generation: Generation) -> Decoder {
        let decoder = match generation {
            Generation::Rtcstats => Decoder::rtcstats(self.limits),
            Generation::Legacy => Decoder::legacy(self.limits),
            Generation::Jitsi => Decoder::jitsi(self.limits),
        };
        decoder.with_strictness(self.strictness)
    }

    fn restore<'a>(
        &'a mut self,
        event: Event<'a>,
        method: Method,
    ) -> Result<Replayed<'a>, ReplayError> {
        self.prepare(event.connection_key())?;
        self.description.clear();
        if let Some(connection) = self.connections.get_mut(event.connection_key()) {
            let restored = connection.descriptions.read(method, event.payload());
            restored.write(&mut self.description);
        }
        Ok(Replayed {
            event,
            value: WholeValue::Json(RawJson::trusted(&self.description)),
        })
    }

    /// Makes room for what is to be remembered of a connection.
    fn prepare(&mut self, key: &str) -> Result<(), ReplayError> {
        if self.connections.contains_key(key) {
            return Ok(());
        }
        let allowed = self.limits.connections;
        if self.connections.len() >= allowed || key.len() > self.limits.name_bytes {
            return Err(ReplayError::Connections { allowed });
        }
        let connection = Connection {
            stats: Stats::default(),
            descriptions: DescriptionReader::new(key, self.limits),
        };
        self.connections.insert(key.into(), connection);
        Ok(())
    }
}

impl Replayed<'_> {
    /// What the event cost on the wire, see [`EventSize`].
    pub fn size(&self) -> EventSize<'_> {
        EventSize::of(&self.event)
    }
}

impl WholeValue<'_> {
    /// Appends the value as JSON.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Self::Stats(stats) => stats.write_json(out),
            Self::Json(value) => out.push_str(value.as_str()),
        }
    }
}
