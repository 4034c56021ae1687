//! What clients have said, what of it is durable, and the rules between them.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use rtcstats_server_core::ConnectionId;

/// A rule that does not hold.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    pub(crate) detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.rule, self.detail)
    }
}

/// Holds a rule against what is.
pub(crate) fn hold(
    is_held: bool,
    rule: &'static str,
    detail: impl FnOnce() -> String,
) -> Result<(), Violation> {
    if is_held {
        return Ok(());
    }
    let detail = detail();
    Err(Violation { rule, detail })
}

/// How the client of a session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Jitsi's, with numbers, acknowledged and resumed.
    Browser,
    /// Jitsi's bridges and the like: several sessions on a socket, without numbers.
    BackEnd,
    Rtcstats,
    Legacy,
}

impl Kind {
    pub(crate) fn is_plain(self) -> bool {
        matches!(self, Self::Rtcstats | Self::Legacy)
    }

    /// The line of an event, as the dump of its session has it (of back ends: how it begins).
    pub(crate) fn line(self, tag: usize, number: u64) -> String {
        let payload = format!("{{\"s\":{tag},\"n\":{number}}}");
        let time = 1_700_000_000_000 + number;
        match self {
            Self::Browser => format!("[\"e\",null,{payload},{time},{number}]"),
            Self::Rtcstats | Self::Legacy => format!("[\"e\",null,{payload},{time}]"),
            Self::BackEnd => {
                format!(
                    "{{\"statsSessionId\":\"s{tag}\",\"type\":\"stats-entry\",\"data\":{payload}"
                )
            }
        }
    }
}

/// Whose event a line of a dump is, and which; `None` of heads and ends.
pub(crate) fn event_of(line: &str) -> Option<(usize, u64)> {
    let rest = &line[line.find("{\"s\":")? + 5..];
    let (tag, rest) = rest.split_once(",\"n\":")?;
    let (number, _) = rest.split_once('}')?;
    Some((tag.parse().ok()?, number.parse().ok()?))
}

/// One session, from both ends.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) kind: Kind,
    /// The number of the last event; they are counted from 1.
    pub(crate) emitted: u64,
    /// Events that the client itself may lose: it did not remember them, or mixed them up.
    excused: BTreeSet<u64>,
    /// How often each event is durable.
    stored: Vec<u8>,
    /// Up to here each event is durable or excused.
    solid: u64,
    /// The last event that was stored since the server had forgotten the session.
    last: u64,
    /// Events that the server took, of clients without numbers.
    accepted: u64,
    stored_events: u64,
    /// When it ended last, and as the how manieth of all.
    ended: Option<(Duration, usize)>,
    pub(crate) has_ended: bool,
    /// The server may have forgotten how far it was.
    is_forgotten: bool,
    /// Lines of it were refused by the journal.
    pub(crate) is_refused: bool,
    /// The client is gone, with what it had not sent.
    is_given_up: bool,
    /// The newest connection that wrote to it.
    writer: Option<ConnectionId>,
}

/// All sessions; a session is known by its index, its tag.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) stories: Vec<Story>,
    ends: usize,
    pub(crate) durable_events: u64,
    pub(crate) acknowledgements: u64,
    pub(crate) repeated: u64,
}

impl Ledger {
    /// The tag of a new session.
    pub(crate) fn begin(&mut self, kind: Kind) -> usize {
        self.stories.push(Story {
            kind,
            emitted: 0,
            excused: BTreeSet::new(),
            stored: Vec::new(),
            solid: 0,
            last: 0,
            accepted: 0,
            stored_events: 0,
            ended: None,
            has_ended: false,
            is_forgotten: false,
            is_refused: false,
            is_given_up: false,
            writer: None,
        });
        self.stories.len() - 1
    }

    /// The server took an event from a connection.
    pub(crate) fn accepted(
        &mut self,
        tag: usize,
        connection: ConnectionId,
    ) -> Result<(), Violation> {
        let story = &mut self.stories[tag];
        story.accepted += 1;
        hold(
            story.writer.is_none_or(|writer| writer <= connection),
            "only the newest connection writes to a session",
            || format!("session {tag}: {connection} after {:?}", story.writer),
        )?;
        story.writer = Some(connection);
        Ok(())
    }

    /// A connection was opened for a session that the server has.
    pub(crate) fn taken_over(&mut self, tag: usize, connection: ConnectionId) {
        let story = &mut self.stories[tag];
        story.writer = story.writer.max(Some(connection));
    }

    /// A line became durable, which is not a head or an end. `last` is the event before it in the log.
    pub(crate) fn stored(
        &mut self,
        tag: usize,
        number: u64,
        line: &str,
        last: u64,
    ) -> Result<(), Violation> {
        let Some(story) = self.stories.get_mut(tag) else {
            return hold(false, "nothing is stored that nobody sent", || {
                line.to_owned()
            });
        };
        let sent = story.kind.line(tag, number);
        let is_same = match story.kind {
            Kind::BackEnd => line.starts_with(&sent),
            _ => line == sent,
        };
        hold(
            is_same && number <= story.emitted,
            "nothing is stored that nobody sent",
            || format!("{line} is not {sent}"),
        )?;
        hold(number > last, "events of a dump are in order", || {
            format!("session {tag}: {number} after {last}")
        })?;
        let index = usize::try_from(number - 1).unwrap();
        let is_again = match story.kind {
            // What is late of an ended session begins another dump.
            Kind::BackEnd => story.stored.get(index).is_some_and(|times| *times > 0),
            _ => number <= story.last,
        };
        if is_again {
            let may_be_again = story.is_forgotten && story.kind == Kind::Browser;
            hold(may_be_again, "nothing is stored twice", || {
                format!("session {tag}: {number} after {}", story.last)
            })?;
            self.repeated += 1;
        }
        story.last = number;
        story.stored_events += 1;
        self.durable_events += 1;
        if story.stored.len() <= index {
            story.stored.resize(index + 1, 0);
        }
        story.stored[index] += 1;
        story.settle();
        let has_hole = match story.kind {
            Kind::BackEnd => false,
            _ => story.solid < number,
        };
        hold(
            !has_hole,
            "a session has no holes that its client has not",
            || {
                format!(
                    "session {tag}: {number} stored, {} missing",
                    story.solid + 1
                )
            },
        )
    }

    /// A client is told a number.
    pub(crate) fn acknowledged(&mut self, tag: usize, number: u64) -> Result<(), Violation> {
        self.acknowledgements += 1;
        let story = &self.stories[tag];
        hold(
            number <= story.solid,
            "nothing is acknowledged that is not durable",
            || format!("session {tag}: {number}, durable are {}", story.solid),
        )
    }

    /// A session ended.
    pub(crate) fn ended(&mut self, tag: usize, now: Duration) {
        let story = &mut self.stories[tag];
        story.has_ended = true;
        story.writer = None;
        if !story.kind.is_plain() {
            story.ended = Some((now, self.ends));
            self.ends += 1;
        }
    }

    /// The server is about to hear of a session. What is not in memory any more may have been
    /// forgotten by now.
    pub(crate) fn heard(&mut self, tag: usize, now: Duration, retention: Duration, limit: usize) {
        let story = &mut self.stories[tag];
        if let Some((ended, index)) = story.ended
            && (now >= ended + retention || self.ends - index > limit)
        {
            story.is_forgotten = true;
        }
    }

    /// A process died, or ended. `is_known` tells whether the journal has an open log of the session
    /// with an event in it.
    pub(crate) fn restarted(&mut self, is_known: impl Fn(usize) -> bool) {
        for (tag, story) in self.stories.iter_mut().enumerate() {
            story.writer = None;
            story.accepted = story.stored_events;
            story.ended = None;
            if story.has_ended && !is_known(tag) {
                story.is_forgotten = true;
            }
        }
    }

    /// Everything was repaired and everybody has left.
    pub(crate) fn check_end(&self) -> Result<(), Violation> {
        for (tag, story) in self.stories.iter().enumerate() {
            if story.kind == Kind::Browser {
                hold(
                    story.is_given_up || story.solid == story.emitted,
                    "everything that a client has is stored in the end",
                    || format!("session {tag}: {} of {}", story.solid, story.emitted),
                )?;
            } else {
                hold(
                    story.is_refused || story.stored_events == story.accepted,
                    "everything that was taken is stored in the end",
                    || {
                        let (stored, accepted) = (story.stored_events, story.accepted);
                        format!("session {tag}: {stored} of {accepted}")
                    },
                )?;
            }
        }
        Ok(())
    }

    /// Whether everything of a session is durable that its client has not lost itself.
    pub(crate) fn is_whole(&self, tag: usize) -> bool {
        self.stories[tag].solid == self.stories[tag].emitted
    }

    /// How often an event is durable.
    pub(crate) fn times_stored(&self, tag: usize, number: u64) -> u8 {
        let index = usize::try_from(number - 1).unwrap();
        self.stories[tag].stored.get(index).copied().unwrap_or(0)
    }

    /// How many different events.
    pub(crate) fn emitted(&self) -> u64 {
        self.stories.iter().map(|story| story.emitted).sum()
    }
}

impl Story {
    pub(crate) fn excuse(&mut self, number: u64) {
        self.excused.insert(number);
        self.settle();
    }

    /// Its client is gone.
    pub(crate) fn give_up(&mut self) {
        self.is_given_up = true;
    }

    fn settle(&mut self) {
        while self.solid < self.emitted {
            let index = usize::try_from(self.solid).unwrap();
            let is_stored = self.stored.get(index).is_some_and(|times| *times > 0);
            if !is_stored && !self.excused.contains(&(self.solid + 1)) {
                return;
            }
            self.solid += 1;
        }
    }
}
