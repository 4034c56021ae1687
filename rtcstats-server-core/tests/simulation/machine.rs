//! A process around a [`Server`]: the driver, which performs its actions as the runtime does. It dies
//! between any two of them.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rtcstats_proto::Generation;
use rtcstats_proto::jitsi::{SequenceNumberMessage, SessionId};
use rtcstats_server_core::{
    Action, CloseReason, Connection, ConnectionId, DumpName, EndReason, Handshake,
    HandshakeOptions, Limits, Recovered, Refusal, Server, SessionFacts, Time, Timing, Upgrade,
};

use crate::disk::Disk;
use crate::ledger::{Ledger, Violation, event_of, hold};
use crate::schedule::Journaling;

/// Why something was not done to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The process died.
    Died,
    Violated(Violation),
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Violated(violation)
    }
}

/// What a process has to do with that outlives it.
pub(crate) struct Outside {
    pub(crate) disk: Disk,
    pub(crate) ledger: Ledger,
    pub(crate) now: Duration,
    pub(crate) epoch_ms: f64,
}

impl Outside {
    pub(crate) fn time(&self) -> Time {
        Time {
            monotonic: self.now,
            unix_ms: self.epoch_ms + self.now.as_secs_f64() * 1_000.0,
        }
    }
}

/// A driver with a fault, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driver {
    Sound,
    /// It reports lines before the journal has them.
    ReportsEarly,
    /// After an error it gives the journal everything again.
    RepeatsBatch,
}

pub(crate) struct Machine {
    pub(crate) server: Server,
    limits: Limits,
    timing: Timing,
    driver: Driver,
    sockets: HashMap<ConnectionId, Socket>,
    commits: VecDeque<Commit>,
    round: Option<Round>,
    /// Logs that are refused for ever, until they are finished.
    refused: HashSet<DumpName>,
    completions: Vec<Completion>,
    /// Names under which dumps are being stored.
    storing: HashSet<DumpName>,
    /// Bytes that are accepted and not durable.
    queued: usize,
    /// Sessions that were recovered, which no limit holds back.
    recovered: usize,
    /// It dies after so many more things.
    pub(crate) fuse: Option<u32>,
}

/// The server's end of a socket.
struct Socket {
    connection: Connection,
    /// The session of its query.
    session: Option<SessionId>,
    outgoing: VecDeque<String>,
    closed: Option<CloseReason>,
}

enum Commit {
    Append {
        name: DumpName,
        line: Line,
    },
    Finish {
        name: DumpName,
        reason: EndReason,
        facts: SessionFacts,
        bytes: u64,
    },
}

struct Line {
    offset: u64,
    text: Bytes,
    number: Option<u64>,
}

/// What is given to the journal at once.
#[derive(Default)]
struct Round {
    batch: BTreeMap<DumpName, Vec<Line>>,
    failed: HashSet<DumpName>,
    finished: VecDeque<Completion>,
    is_appended: bool,
}

/// A session that ended.
struct Completion {
    name: DumpName,
    /// Facts and bytes, of a log that is whole.
    told: Option<(SessionFacts, u64)>,
    stored: Option<DumpName>,
    step: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Name,
    Archive,
    Publish,
    Remove,
    Report,
}

impl Machine {
    pub(crate) fn new(limits: Limits, timing: Timing, driver: Driver) -> Self {
        Self {
            server: Server::new(limits, timing),
            limits,
            timing,
            driver,
            sockets: HashMap::new(),
            commits: VecDeque::new(),
            round: None,
            refused: HashSet::new(),
            completions: Vec::new(),
            storing: HashSet::new(),
            queued: 0,
            recovered: 0,
            fuse: None,
        }
    }

    /// One thing is done, if the process still lives.
    fn act(&mut self) -> Result<(), Stop> {
        match &mut self.fuse {
            Some(0) => Err(Stop::Died),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(crate) fn connect(
        &mut self,
        outside: &mut Outside,
        upgrade: &Upgrade,
        random: u128,
    ) -> Result<Result<ConnectionId, Refusal>, Stop> {
        let options = HandshakeOptions::new(self.limits);
        let handshake = match Handshake::with_options(upgrade, &options) {
            Ok(handshake) => handshake.identified(random),
            Err(error) => return Ok(Err(error.into())),
        };
        let is_known = |id: &SessionId| self.server.session(id).is_some();
        let taken = handshake.session().filter(|id| is_known(id)).cloned();
        let id = match self.server.connect(outside.time(), &handshake) {
            Ok(id) => id,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some(tag) = taken.as_ref().and_then(tag_of_id) {
            outside.ledger.taken_over(tag, id);
        }
        let socket = Socket {
            connection: Connection::new(&handshake, &self.limits),
            session: handshake.session().cloned(),
            outgoing: VecDeque::new(),
            closed: None,
        };
        self.sockets.insert(id, socket);
        self.settle(outside)?;
        Ok(Ok(id))
    }

    /// Whether so much is on its way to the journal that sockets are not read.
    pub(crate) fn is_full(&self) -> bool {
        self.queued >= self.limits.queue_bytes
    }

    /// A frame of a session arrives.
    pub(crate) fn receive(
        &mut self,
        outside: &mut Outside,
        id: ConnectionId,
        tag: usize,
        frame: &str,
    ) -> Result<(), Stop> {
        let time = outside.time();
        let Some(socket) = self.sockets.get_mut(&id) else {
            return Ok(());
        };
        let (retention, limit) = (self.timing.tombstone, self.limits.tombstones);
        outside.ledger.heard(tag, outside.now, retention, limit);
        let mut messages = Vec::new();
        let end = socket
            .connection
            .receive(frame.as_bytes(), time.unix_ms, |message| {
                messages.push(message);
            });
        let before = self.server.counters().events;
        for message in messages {
            match message {
                Ok(incoming) => self.server.receive(time, id, incoming),
                Err(error) => self.server.refuse(id, &error),
            }
        }
        if let Err(error) = end {
            self.server.refuse(id, &error);
        }
        if self.server.counters().events > before {
            outside.ledger.accepted(tag, id)?;
        }
        self.settle(outside)
    }

    pub(crate) fn disconnect(
        &mut self,
        outside: &mut Outside,
        id: ConnectionId,
        code: Option<u16>,
    ) -> Result<(), Stop> {
        self.sockets.remove(&id);
        self.server.disconnect(outside.time(), id, code);
        self.settle(outside)
    }

    /// The next frame for a client.
    pub(crate) fn outgoing(&mut self, id: ConnectionId) -> Option<String> {
        self.sockets.get_mut(&id)?.outgoing.pop_front()
    }

    pub(crate) fn is_closed(&self, id: ConnectionId) -> bool {
        let socket = self.sockets.get(&id);
        socket.is_none_or(|socket| socket.closed.is_some())
    }

    pub(crate) fn advance(&mut self, outside: &mut Outside, by: Duration) -> Result<(), Stop> {
        let end = outside.now + by;
        while let Some(next) = self.server.next_timeout().filter(|next| *next <= end) {
            outside.now = outside.now.max(next);
            self.server.timeout(outside.time());
            self.settle(outside)?;
        }
        outside.now = end;
        self.server.timeout(outside.time());
        self.settle(outside)
    }

    fn settle(&mut self, outside: &mut Outside) -> Result<(), Stop> {
        while let Some(action) = self.server.poll_action() {
            self.act()?;
            self.perform(outside, action)?;
        }
        Ok(())
    }

    fn perform(&mut self, outside: &mut Outside, action: Action) -> Result<(), Stop> {
        match action {
            Action::Send { connection, text } => {
                let Some(socket) = self.sockets.get_mut(&connection) else {
                    return Ok(());
                };
                let message = SequenceNumberMessage::parse(&text).unwrap();
                if let Some(tag) = socket.session.as_ref().and_then(tag_of_id) {
                    outside.ledger.acknowledged(tag, message.value)?;
                }
                if socket.outgoing.len() < self.limits.outgoing_frames {
                    socket.outgoing.push_back(text);
                } else {
                    self.server.too_slow(connection);
                }
            }
            Action::Close { connection, reason } => {
                if let Some(socket) = self.sockets.get_mut(&connection) {
                    socket.closed = Some(reason);
                }
            }
            Action::Append {
                name,
                offset,
                line,
                sequence_number,
            } => {
                self.queued += line.len();
                let line = Line {
                    offset,
                    text: line,
                    number: sequence_number,
                };
                self.commits.push_back(Commit::Append { name, line });
            }
            Action::Finish {
                name,
                reason,
                facts,
                bytes,
            } => {
                if let Some(tag) = tag_of_id(name.session_id()) {
                    outside.ledger.ended(tag, outside.now);
                }
                self.commits.push_back(Commit::Finish {
                    name,
                    reason,
                    facts,
                    bytes,
                });
            }
            other => panic!("unknown action {other:?}"),
        }
        Ok(())
    }

    /// The committer gets on by one call of the journal.
    pub(crate) fn commit(
        &mut self,
        outside: &mut Outside,
        journaling: Journaling,
    ) -> Result<(), Stop> {
        let mut round = match self.round.take() {
            Some(round) => round,
            None => self.collect(),
        };
        let result = self.commit_round(outside, &mut round, journaling);
        if !round.is_appended || !round.finished.is_empty() {
            self.round = Some(round);
        }
        result
    }

    fn collect(&mut self) -> Round {
        const AT_ONCE: usize = 400;
        let mut round = Round::default();
        for _ in 0..AT_ONCE {
            // What goes on in another log is not to be there before what it goes on from.
            let continues = |name: &DumpName| {
                let mut others = round.batch.keys().filter(|other| *other != name);
                others.any(|other| other.session_id() == name.session_id())
            };
            let is_next = |commit: &Commit| match commit {
                Commit::Append { name, .. } => !continues(name),
                Commit::Finish { .. } => true,
            };
            if !self.commits.front().is_some_and(is_next) {
                break;
            }
            let Some(commit) = self.commits.pop_front() else {
                break;
            };
            match commit {
                Commit::Append { name, line } => {
                    round.batch.entry(name).or_default().push(line);
                }
                Commit::Finish {
                    name,
                    reason,
                    facts,
                    bytes,
                } => {
                    let is_whole = reason != EndReason::JournalFailed;
                    round.finished.push_back(Completion {
                        name,
                        told: is_whole.then_some((facts, bytes)),
                        stored: None,
                        step: Stage::Name,
                    });
                }
            }
        }
        for (name, lines) in &mut round.batch {
            if self.refused.contains(name) {
                self.queued -= length(lines);
                lines.clear();
            }
        }
        round.batch.retain(|_, lines| !lines.is_empty());
        round
    }

    fn commit_round(
        &mut self,
        outside: &mut Outside,
        round: &mut Round,
        journaling: Journaling,
    ) -> Result<(), Stop> {
        self.act()?;
        if !round.is_appended {
            return self.append(outside, round, journaling);
        }
        // The next log that is complete.
        let Some(completion) = round.finished.front_mut() else {
            return Ok(());
        };
        let name = completion.name.clone();
        if self.refused.remove(&name) {
            // It ends before what is told of it.
            completion.told = None;
        }
        let Some(log) = outside.disk.logs.get_mut(&name) else {
            // Nothing of it was ever stored.
            round.finished.pop_front();
            self.server.finished(&name);
            return Ok(());
        };
        log.has_failed = false;
        if !matches!(journaling, Journaling::Works) {
            return Ok(());
        }
        log.finished = true;
        self.act()?;
        self.completions.extend(round.finished.pop_front());
        Ok(())
    }

    /// Gives the journal what it does not have yet of a round.
    fn append(
        &mut self,
        outside: &mut Outside,
        round: &mut Round,
        journaling: Journaling,
    ) -> Result<(), Stop> {
        if self.driver == Driver::ReportsEarly {
            self.report(outside, round)?;
        }
        match journaling {
            Journaling::Works => {
                self.store(outside, round, usize::MAX)?;
                round.is_appended = true;
                self.report(outside, round)
            }
            Journaling::Fails(stored) => {
                self.store(outside, round, usize::from(stored))?;
                for name in round.batch.keys() {
                    if let Some(log) = outside.disk.logs.get_mut(name) {
                        log.has_failed = true;
                    }
                }
                Ok(())
            }
            Journaling::Refuses(which) => {
                let count = round.batch.len().max(1);
                let name = round.batch.keys().nth(usize::from(which) % count).cloned();
                if let Some(name) = name {
                    if let Some(tag) = tag_of_log(outside, round, &name) {
                        outside.ledger.stories[tag].is_refused = true;
                    }
                    round.failed.insert(name);
                }
                Ok(())
            }
        }
    }

    /// So many of the lines of a round get into the journal, those of the last log first: nothing is
    /// promised of the order of logs.
    fn store(
        &mut self,
        outside: &mut Outside,
        round: &Round,
        mut count: usize,
    ) -> Result<(), Violation> {
        for (name, lines) in round.batch.iter().rev() {
            if round.failed.contains(name) {
                continue;
            }
            // Whoever goes on after an error has read the log.
            let log = outside.disk.logs.entry(name.clone()).or_default();
            log.has_failed = false;
            let length = log.bytes.len() as u64;
            for line in lines {
                let is_stored = line.offset < length && self.driver != Driver::RepeatsBatch;
                if is_stored {
                    continue;
                }
                if count == 0 {
                    return Ok(());
                }
                count -= 1;
                let offset = match self.driver {
                    Driver::RepeatsBatch => outside.disk.logs[name].bytes.len() as u64,
                    _ => line.offset,
                };
                let Outside { disk, ledger, .. } = outside;
                disk.append(name, offset, &line.text, ledger)?;
            }
        }
        Ok(())
    }

    /// Tells the server what became of a round.
    fn report(&mut self, outside: &mut Outside, round: &Round) -> Result<(), Stop> {
        self.refused.extend(round.failed.iter().cloned());
        for (name, lines) in round.batch.iter().rev() {
            self.queued = self.queued.saturating_sub(length(lines));
            self.act()?;
            let is_failed = round.failed.contains(name);
            // What an attempt before the last one has stored is not to be sent again.
            let logs = &outside.disk.logs;
            let length = logs.get(name).map_or(0, |log| log.bytes.len() as u64);
            let stored = |line: &&Line| !is_failed || line.offset < length;
            let mut stored = lines.iter().rev().filter(stored);
            let number = stored.find_map(|line| line.number);
            self.server.appended(outside.time(), name, number);
            if is_failed {
                self.refused.extend(self.server.append_failed(name));
            }
            self.settle(outside)?;
        }
        Ok(())
    }

    /// One of the sessions that ended gets on.
    pub(crate) fn complete(
        &mut self,
        outside: &mut Outside,
        which: u8,
        works: bool,
    ) -> Result<(), Stop> {
        self.act()?;
        let count = self.completions.len();
        if count == 0 || !works {
            return Ok(());
        }
        let index = usize::from(which) % count;
        let mut completion = self.completions.remove(index);
        let is_over = self.advance_completion(outside, &mut completion)?;
        if !is_over {
            self.completions.push(completion);
        }
        Ok(())
    }

    fn advance_completion(
        &mut self,
        outside: &mut Outside,
        completion: &mut Completion,
    ) -> Result<bool, Stop> {
        let name = &completion.name;
        let stored = completion.stored.clone().unwrap_or_else(|| name.clone());
        completion.step = match completion.step {
            Stage::Name => {
                check_facts(outside, completion)?;
                let mut candidate = name.clone();
                let log = &outside.disk.logs[name].bytes;
                let is_free = |candidate: &DumpName| {
                    let archived = outside.disk.archive.get(candidate);
                    archived.is_none_or(|archived| archived == log)
                };
                while !is_free(&candidate) {
                    candidate = candidate.next();
                }
                if !self.storing.insert(candidate.clone()) {
                    // Whether it is free is known when that dump is in the archive.
                    return Ok(false);
                }
                completion.stored = Some(candidate);
                Stage::Archive
            }
            Stage::Archive => {
                let log = outside.disk.logs[name].bytes.clone();
                outside.disk.archive.insert(stored, log);
                Stage::Publish
            }
            Stage::Publish => {
                outside.disk.publish(name, &stored)?;
                Stage::Remove
            }
            Stage::Remove => {
                outside.disk.logs.remove(name);
                self.storing.remove(&stored);
                Stage::Report
            }
            Stage::Report => {
                self.server.finished(name);
                return Ok(true);
            }
        };
        Ok(false)
    }

    /// What the journal does on its own while the process dies: so many lines that it was given get
    /// through.
    pub(crate) fn persist(&mut self, outside: &mut Outside, lines: usize) -> Result<(), Violation> {
        let round = match self.round.take() {
            Some(round) => round,
            None => self.collect(),
        };
        if round.is_appended {
            return Ok(());
        }
        self.store(outside, &round, lines)
    }

    /// Another process begins where this one ended.
    pub(crate) fn restart(&mut self, outside: &mut Outside, fuse: Option<u32>) -> Result<(), Stop> {
        *self = Self::new(self.limits, self.timing, self.driver);
        self.fuse = fuse;
        let disk = &outside.disk;
        outside.ledger.restarted(|tag| disk.has_open_log(tag));
        let names: Vec<DumpName> = outside.disk.logs.keys().cloned().collect();
        for name in names {
            self.act()?;
            let time = outside.time();
            let Some(log) = outside.disk.logs.get_mut(&name) else {
                continue;
            };
            log.has_failed = false;
            let recovered =
                Recovered::read(name.clone(), log.bytes.as_slice(), time.unix_ms).unwrap();
            let is_plain = recovered.generation != Generation::Jitsi;
            let is_nothing = log.bytes.is_empty() || (is_plain && recovered.facts.events == 0);
            if log.finished {
                self.server.recover_finished(name.clone());
                self.completions.push(Completion {
                    name,
                    told: Some((recovered.facts, recovered.bytes)),
                    stored: None,
                    step: Stage::Name,
                });
            } else if is_nothing {
                outside.disk.logs.remove(&name);
            } else {
                self.recovered += 1;
                self.server.recover(time, recovered);
                self.settle(outside)?;
            }
        }
        Ok(())
    }

    /// Stops in good order: what was accepted becomes durable.
    pub(crate) fn shut_down(&mut self, outside: &mut Outside) -> Result<(), Stop> {
        self.server.close_all(outside.time());
        self.settle(outside)?;
        while self.has_commits() {
            self.commit(outside, Journaling::Works)?;
        }
        Ok(())
    }

    pub(crate) fn has_commits(&self) -> bool {
        self.round.is_some() || !self.commits.is_empty()
    }

    pub(crate) fn has_completions(&self) -> bool {
        !self.completions.is_empty()
    }

    /// What holds between any two steps.
    pub(crate) fn check(&self) -> Result<(), Violation> {
        let footprint = self.server.footprint();
        let detail = || format!("{footprint:?}");
        hold(footprint.actions == 0, "all actions are given out", detail)?;
        hold(
            footprint.connections <= self.limits.connections
                && footprint.sessions <= self.limits.sessions.max(self.recovered)
                && footprint.tombstones <= self.limits.tombstones
                && footprint.timers <= footprint.connections + 2 * footprint.sessions,
            "memory is bounded by the limits",
            detail,
        )?;
        let is_finish = |commit: &&Commit| matches!(commit, Commit::Finish { .. });
        let finishing = self.commits.iter().filter(is_finish).count()
            + self.round.as_ref().map_or(0, |round| round.finished.len())
            + self.completions.len();
        hold(
            footprint.ending == finishing,
            "an ended dump is remembered until it is completed",
            || format!("{footprint:?}, {finishing} to complete"),
        )?;
        for socket in self.sockets.values() {
            hold(
                socket.outgoing.len() <= self.limits.outgoing_frames,
                "queues are bounded",
                || format!("{} frames", socket.outgoing.len()),
            )?;
        }
        Ok(())
    }
}

/// What is told of a session is what its dump says.
fn check_facts(outside: &Outside, completion: &Completion) -> Result<(), Violation> {
    let Some((facts, bytes)) = &completion.told else {
        return Ok(());
    };
    let log = &outside.disk.logs[&completion.name];
    let text = std::str::from_utf8(&log.bytes).unwrap();
    let numbers: Vec<u64> = text
        .lines()
        .filter_map(event_of)
        .map(|(_, number)| number)
        .collect();
    let is_numbered = text.starts_with("[\"connectionInfo\"") && text.contains("_STANDARD");
    let is_gap = |pair: &&[u64]| pair[1] > pair[0] + 1;
    let gaps = if is_numbered {
        numbers.windows(2).filter(is_gap).count() as u64
    } else {
        0
    };
    let closes = text
        .lines()
        .filter(|line| line.starts_with("[\"close\""))
        .count();
    let events = numbers.len() + closes;
    hold(
        facts.events == events as u64
            && facts.gap_count == gaps
            && *bytes == log.bytes.len() as u64,
        "what is told of a session is what its dump says",
        || {
            let name = &completion.name;
            let length = log.bytes.len();
            format!("{name}: {events} events, {gaps} gaps, {length} bytes; told {facts:?}, {bytes}")
        },
    )
}

fn length(lines: &[Line]) -> usize {
    lines.iter().map(|line| line.text.len()).sum()
}

/// The session that a client named.
fn tag_of_id(id: &SessionId) -> Option<usize> {
    id.as_str().strip_prefix('s')?.parse().ok()
}

fn tag_of_log(outside: &Outside, round: &Round, name: &DumpName) -> Option<usize> {
    outside.disk.tag_of(name).or_else(|| {
        let lines = round.batch.get(name)?.iter();
        let mut texts = lines.filter_map(|line| std::str::from_utf8(&line.text).ok());
        texts
            .find_map(|text| text.lines().find_map(event_of))
            .map(|(tag, _)| tag)
    })
}
