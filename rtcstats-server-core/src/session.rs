//! One session: what is accepted, what is durable, what is acknowledged (Jitsi spec, section 6).

use std::time::Duration;

use bytes::Bytes;
use rtcstats_proto::{ClientType, Generation};

use crate::header::Header;
use crate::server::ConnectionId;
use crate::{Claims, DumpName, Identifiers, Recovered, Time, Timing};

/// The state of one session, without its connections and timers.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) name: DumpName,
    pub(crate) generation: Generation,
    pub(crate) client_type: ClientType,
    /// Written in front of the first line.
    header: Option<Header>,
    /// When its socket was opened, in Unix epoch milliseconds.
    opened: f64,
    pub(crate) phase: Phase,
    /// The newest connection that ever had it.
    pub(crate) newest: Option<ConnectionId>,
    /// Highest number that was accepted; may not be durable yet.
    accepted: u64,
    /// Highest number that the journal has made durable.
    durable: u64,
    /// Highest number that the client was told.
    acknowledged: u64,
    /// A received number that is still in the client's buffer however far acknowledging is behind.
    intermediate: u64,
    /// Since when something durable is not acknowledged.
    pub(crate) unacknowledged_since: Option<Duration>,
    /// When that is looked at.
    pub(crate) acknowledge_due: Option<Duration>,
    pub(crate) bytes: u64,
    pub(crate) facts: SessionFacts,
}

/// Who may write to a session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Phase {
    /// The connection that owns it.
    Live(ConnectionId),
    /// Nobody, until somebody comes back or this moment passes.
    Resumable(Duration),
}

/// Whose session it is, as the upgrade request says.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) generation: Generation,
    pub(crate) client_type: ClientType,
    pub(crate) header: Header,
    pub(crate) claims: Claims,
    /// When the socket was opened, in Unix epoch milliseconds.
    pub(crate) opened: f64,
}

/// How far an earlier dump of the same session got.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Numbers {
    pub(crate) accepted: u64,
    pub(crate) durable: u64,
}

/// What happened in a session besides its events.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct SessionFacts {
    /// Lines stored, the header not counted.
    pub events: u64,
    /// Entries that came more than once and were dropped.
    pub duplicates: u64,
    /// How often numbers were missing between two entries.
    pub gap_count: u64,
    /// The first of the gaps, at most [`SessionFacts::MAX_GAPS`].
    pub gaps: Vec<Gap>,
    /// The number of the first entry, where it is not 1: the beginning of the session is in
    /// another dump, or lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continues_from: Option<u64>,
    /// How often a client came back to it.
    pub resumes: u64,
    /// When it began, in Unix epoch milliseconds: the time in the head of its dump.
    pub started_ms: u64,
    /// Lines among them that are not JSON.
    #[serde(skip_serializing_if = "is_zero")]
    pub malformed: u64,
    /// What the application calls the client and the conference.
    #[serde(flatten)]
    pub identifiers: Identifiers,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl SessionFacts {
    /// Gaps that are remembered one by one. A client makes one by overflowing its buffer while it
    /// is offline, so that more than a few mean trouble of another kind.
    pub const MAX_GAPS: usize = 64;

    /// Counts one more stored line, which follows `last` (0 for none).
    pub(crate) fn count(&mut self, last: u64, sequence_number: Option<u64>) {
        self.events += 1;
        let Some(number) = sequence_number else {
            return;
        };
        if last == 0 {
            self.continues_from = (number > 1).then_some(number);
        } else if number > last + 1 {
            self.gap_count += 1;
            if self.gaps.len() < Self::MAX_GAPS {
                self.gaps.push(Gap {
                    from: last + 1,
                    to: number - 1,
                });
            }
        }
    }
}

/// Numbers that never came: the client overflowed its buffer while it was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Gap {
    /// The first missing number.
    pub from: u64,
    /// The last missing number.
    pub to: u64,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    /// It was accepted before.
    Duplicate,
}

impl Session {
    pub(crate) fn new(
        name: DumpName,
        client: Client,
        numbers: Numbers,
        owner: ConnectionId,
    ) -> Self {
        let facts = SessionFacts {
            identifiers: Identifiers::from_claims(client.claims),
            ..SessionFacts::default()
        };
        Self {
            name,
            generation: client.generation,
            client_type: client.client_type,
            header: Some(client.header),
            opened: client.opened,
            phase: Phase::Live(owner),
            newest: Some(owner),
            accepted: numbers.accepted,
            durable: numbers.durable,
            acknowledged: numbers.durable,
            intermediate: numbers.durable,
            unacknowledged_since: None,
            acknowledge_due: None,
            bytes: 0,
            facts,
        }
    }

    pub(crate) fn recovered(recovered: Recovered, deadline: Duration) -> Self {
        let number = recovered.sequence_number;
        Self {
            name: recovered.name,
            generation: recovered.generation,
            client_type: recovered.client_type,
            header: None,
            opened: 0.0,
            phase: Phase::Resumable(deadline),
            newest: None,
            accepted: number,
            durable: number,
            acknowledged: number,
            intermediate: number,
            unacknowledged_since: None,
            acknowledge_due: None,
            bytes: recovered.bytes,
            facts: recovered.facts,
        }
    }

    /// Takes one line. What the journal has to append is handed to `append`, with the offset in
    /// the log.
    pub(crate) fn accept(
        &mut self,
        line: Bytes,
        sequence_number: Option<u64>,
        time: Time,
        mut append: impl FnMut(u64, Bytes),
    ) -> Verdict {
        if self.is_repetition(sequence_number) {
            self.facts.duplicates += 1;
            return Verdict::Duplicate;
        }
        if let Some(header) = self.header.take() {
            self.facts.started_ms = header.started_ms(self.opened, time.unix_ms);
            self.append(header.into_lines(self.opened, time.unix_ms), &mut append);
        }
        // A tombstone's number is that of another dump.
        let last = if self.facts.events == 0 {
            0
        } else {
            self.accepted
        };
        self.facts.count(last, sequence_number);
        if let Some(number) = sequence_number {
            self.accepted = number;
            if number <= self.acknowledged + FARTHEST_INTERMEDIATE {
                self.intermediate = number;
            }
        }
        self.append(line, &mut append);
        Verdict::Accepted
    }

    /// Whether a line with this number was accepted before.
    pub(crate) fn is_repetition(&self, sequence_number: Option<u64>) -> bool {
        sequence_number.is_some_and(|number| number <= self.accepted)
    }

    /// Whether it lives and ends with its socket.
    pub(crate) fn is_plain(&self) -> bool {
        self.generation != Generation::Jitsi
    }

    fn append(&mut self, line: Bytes, append: &mut impl FnMut(u64, Bytes)) {
        let offset = self.bytes;
        self.bytes += line.len() as u64;
        append(offset, line);
    }

    /// The journal has made everything up to this number durable. Which numbers to acknowledge
    /// now, in this order.
    pub(crate) fn mark_durable(
        &mut self,
        number: u64,
        now: Duration,
        timing: &Timing,
    ) -> Acknowledgements {
        self.durable = self.durable.max(number);
        if self.durable == self.acknowledged {
            return Acknowledgements::default();
        }
        self.unacknowledged_since.get_or_insert(now);
        let behind = self.durable - self.acknowledged;
        if behind >= u64::from(timing.acknowledge_events) {
            self.acknowledge()
        } else {
            Acknowledgements::default()
        }
    }

    /// Acknowledges what is durable.
    pub(crate) fn acknowledge(&mut self) -> Acknowledgements {
        self.unacknowledged_since = None;
        if self.durable == self.acknowledged {
            return Acknowledgements::default();
        }
        let is_far_behind = self.durable > self.acknowledged + FARTHEST_INTERMEDIATE;
        let has_intermediate =
            self.intermediate > self.acknowledged && self.intermediate < self.durable;
        let first = (is_far_behind && has_intermediate).then_some(self.intermediate);
        self.acknowledged = self.durable;
        self.intermediate = self.durable;
        Acknowledgements {
            first,
            last: Some(self.durable),
        }
    }

    /// A connection takes the session over; the number to open it with.
    pub(crate) fn attach(&mut self, owner: ConnectionId) -> u64 {
        if matches!(self.phase, Phase::Resumable(_)) {
            self.facts.resumes += 1;
        }
        self.phase = Phase::Live(owner);
        self.newest = Some(owner);
        self.acknowledged = self.durable;
        self.intermediate = self.durable;
        self.unacknowledged_since = None;
        self.durable
    }

    pub(crate) fn last_number(&self) -> u64 {
        self.accepted
    }

    pub(crate) fn durable_number(&self) -> u64 {
        self.durable
    }

    pub(crate) fn owner(&self) -> Option<ConnectionId> {
        match self.phase {
            Phase::Live(owner) => Some(owner),
            Phase::Resumable(_) => None,
        }
    }
}

/// Numbers to acknowledge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Acknowledgements {
    first: Option<u64>,
    last: Option<u64>,
}

impl Iterator for Acknowledgements {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.first.take().or_else(|| self.last.take())
    }
}

/// The client keeps 1000 entries and trims only at a number that it still has. Numbers may be
/// missing but never repeat, so this far behind the last acknowledged one it has them all.
const FARTHEST_INTERMEDIATE: u64 = 900;

#[cfg(test)]
mod tests {
    use rtcstats_proto::jitsi::{ConnectionInfo, SessionId};

    use super::*;

    const NOW: Time = Time {
        monotonic: Duration::ZERO,
        unix_ms: 5.0,
    };

    fn session() -> Session {
        let name = DumpName::first(SessionId::new("s").unwrap());
        let client = Client {
            generation: Generation::Jitsi,
            client_type: ClientType::Rtcstats,
            header: Header::Jitsi(ConnectionInfo::default()),
            claims: Claims::default(),
            opened: 0.0,
        };
        Session::new(name, client, Numbers::default(), ConnectionId(1))
    }

    fn accept(session: &mut Session, number: u64) -> Verdict {
        session.accept(Bytes::from_static(b"x\n"), Some(number), NOW, |_, _| {})
    }

    #[test]
    fn the_header_comes_first_and_offsets_follow_each_other() {
        let mut session = session();
        let mut appended = Vec::new();
        for number in [1, 2] {
            session.accept(
                Bytes::from_static(b"x\n"),
                Some(number),
                NOW,
                |offset, line| {
                    appended.push((offset, line));
                },
            );
        }
        let header = appended[0].1.len() as u64;
        assert!(appended[0].1.starts_with(b"[\"connectionInfo\""));
        assert_eq!([appended[1].0, appended[2].0], [header, header + 2]);
    }

    #[test]
    fn numbers_that_came_before_are_dropped_and_gaps_noted() {
        let mut session = session();
        assert_eq!(accept(&mut session, 3), Verdict::Accepted);
        assert_eq!(accept(&mut session, 4), Verdict::Accepted);
        assert_eq!(accept(&mut session, 4), Verdict::Duplicate);
        assert_eq!(accept(&mut session, 1), Verdict::Duplicate);
        assert_eq!(accept(&mut session, 9), Verdict::Accepted);
        let facts = &session.facts;
        assert_eq!((facts.events, facts.duplicates, facts.gap_count), (3, 2, 1));
        assert_eq!(facts.gaps, [Gap { from: 5, to: 8 }]);
        assert_eq!(facts.continues_from, Some(3));
    }

    #[test]
    fn lines_without_a_number_are_always_stored() {
        let mut session = session();
        for _ in 0..2 {
            let verdict = session.accept(Bytes::from_static(b"x\n"), None, NOW, |_, _| {});
            assert_eq!(verdict, Verdict::Accepted);
        }
    }

    #[test]
    fn only_what_is_durable_is_acknowledged() {
        let timing = Timing::default();
        let mut session = session();
        (1..=150).for_each(|number| {
            accept(&mut session, number);
        });
        assert_eq!(session.acknowledge().count(), 0);
        assert_eq!(session.mark_durable(99, NOW.monotonic, &timing).count(), 0);
        assert!(session.unacknowledged_since.is_some());
        assert_eq!(
            session
                .mark_durable(100, NOW.monotonic, &timing)
                .collect::<Vec<_>>(),
            [100]
        );
        assert!(session.unacknowledged_since.is_none());
        session.mark_durable(101, NOW.monotonic, &timing);
        assert_eq!(session.acknowledge().collect::<Vec<_>>(), [101]);
    }

    #[test]
    fn after_a_stall_a_number_that_the_client_still_has_comes_first() {
        let timing = Timing::default();
        let mut session = session();
        (1..=2500).for_each(|number| {
            accept(&mut session, number);
        });
        let acknowledged: Vec<_> = session.mark_durable(2500, NOW.monotonic, &timing).collect();
        assert_eq!(acknowledged, [900, 2500]);
    }
}
