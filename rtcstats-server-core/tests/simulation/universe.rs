//! One machine, its disk, its clients: a schedule is played to them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rtcstats_server_core::{Limits, Timing};

use crate::client::Client;
use crate::disk::Disk;
use crate::ledger::{Kind, Ledger, Violation, hold};
use crate::machine::{Driver, Machine, Outside, Stop};
use crate::schedule::{Journaling, Step};

const SEATS: [Kind; 8] = [
    Kind::Browser,
    Kind::Browser,
    Kind::Browser,
    Kind::BackEnd,
    Kind::Rtcstats,
    Kind::Browser,
    Kind::Legacy,
    Kind::BackEnd,
];

/// How many clients there are.
pub(crate) const CLIENTS: u8 = SEATS.len() as u8;

/// What a schedule is played in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Limits that clients hit all the time.
    pub(crate) is_tight: bool,
    /// A server that waits for nobody: sessions expire, and are forgotten, within seconds.
    pub(crate) is_hasty: bool,
    pub(crate) driver: Driver,
}

impl Setting {
    pub(crate) const ROOMY: Self = Self {
        is_tight: false,
        is_hasty: false,
        driver: Driver::Sound,
    };
    pub(crate) const TIGHT: Self = Self {
        is_tight: true,
        ..Self::ROOMY
    };
    pub(crate) const HASTY: Self = Self {
        is_hasty: true,
        ..Self::ROOMY
    };
    pub(crate) const TIGHT_AND_HASTY: Self = Self {
        is_tight: true,
        ..Self::HASTY
    };

    fn limits(self) -> Limits {
        let mut limits = Limits::default();
        if self.is_tight {
            limits.connections = 6;
            limits.sessions = 8;
            limits.sessions_per_connection = 3;
            limits.session_bytes = 20_000;
            limits.queue_bytes = 4_000;
            limits.outgoing_frames = 4;
            limits.tombstones = 4;
        }
        limits
    }

    fn timing(self) -> Timing {
        let mut timing = Timing::default();
        if self.is_hasty {
            timing.idle = Duration::from_secs(20);
            timing.grace = Duration::from_secs(6);
            timing.back_end_grace = Duration::from_secs(3);
            timing.tombstone = Duration::from_secs(120);
        }
        timing
    }
}

/// What happened while a schedule was played.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) steps: u64,
    pub(crate) sessions: u64,
    pub(crate) events: u64,
    pub(crate) durable: u64,
    pub(crate) acknowledgements: u64,
    pub(crate) dumps: u64,
    pub(crate) crashes: u64,
    pub(crate) faults: u64,
    pub(crate) cuts: u64,
    /// Events stored again after their session was forgotten.
    pub(crate) repeated: u64,
}

impl Figures {
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.sessions += other.sessions;
        self.events += other.events;
        self.durable += other.durable;
        self.acknowledgements += other.acknowledgements;
        self.dumps += other.dumps;
        self.crashes += other.crashes;
        self.faults += other.faults;
        self.cuts += other.cuts;
        self.repeated += other.repeated;
    }
}

/// A rule that a schedule broke.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// After how many steps; all of them if it was in the end.
    pub(crate) after: usize,
    pub(crate) violation: Violation,
}

/// Plays a schedule, then repairs everything and lets everybody go.
pub(crate) fn play(setting: Setting, steps: &[Step]) -> Result<Figures, Failure> {
    let mut universe = Universe::new(setting);
    let mut after = 0;
    let played = catch_unwind(AssertUnwindSafe(|| {
        for step in steps {
            after += 1;
            universe.apply(*step)?;
            universe.machine.check()?;
        }
        universe.settle()
    }));
    let violation = match played {
        Ok(Ok(())) => return Ok(universe.figures()),
        Ok(Err(violation)) => violation,
        Err(panic) => Violation {
            rule: "nothing panics",
            detail: panic
                .downcast_ref::<String>()
                .cloned()
                .unwrap_or_else(|| "a panic".to_owned()),
        },
    };
    Err(Failure { after, violation })
}

struct Universe {
    outside: Outside,
    machine: Machine,
    clients: Vec<Client>,
    figures: Figures,
    /// Of a crash that is to come: lines that get through, and when to die again.
    crash: (u8, u8),
}

impl Universe {
    fn new(setting: Setting) -> Self {
        let mut outside = Outside {
            disk: Disk::default(),
            ledger: Ledger::default(),
            now: Duration::ZERO,
            epoch_ms: 1_700_000_000_000.0,
        };
        let clients = (0_u8..)
            .zip(SEATS)
            .map(|(seat, kind)| Client::new(kind, seat, &mut outside))
            .collect();
        Self {
            outside,
            machine: Machine::new(setting.limits(), setting.timing(), setting.driver),
            clients,
            figures: Figures::default(),
            crash: (0, 0),
        }
    }

    fn figures(&self) -> Figures {
        let ledger = &self.outside.ledger;
        Figures {
            sessions: ledger.stories.len() as u64,
            events: ledger.emitted(),
            durable: ledger.durable_events,
            acknowledgements: ledger.acknowledgements,
            dumps: self.outside.disk.archive.len() as u64,
            repeated: ledger.repeated,
            ..self.figures
        }
    }

    fn apply(&mut self, step: Step) -> Result<(), Violation> {
        self.figures.steps += 1;
        match self.attempt(step) {
            Err(Stop::Died) => self.die(),
            Err(Stop::Violated(violation)) => Err(violation),
            Ok(()) => Ok(()),
        }
    }

    fn attempt(&mut self, step: Step) -> Result<(), Stop> {
        let Self {
            outside,
            machine,
            clients,
            figures,
            ..
        } = self;
        match step {
            Step::Emit(seat, count) => at(clients, seat).emit(outside, count),
            Step::Connect(seat) => at(clients, seat).connect(machine, outside)?,
            Step::Up(seat, count) => at(clients, seat).deliver_up(machine, outside, count)?,
            Step::Down(seat) => at(clients, seat).deliver_down(machine, outside)?,
            Step::Duplicate(seat) => at(clients, seat).duplicate(machine, outside)?,
            Step::Reorder(seat) => at(clients, seat).reorder(outside),
            Step::Keepalive(seat) => at(clients, seat).keep_alive(outside),
            Step::Cut(seat, is_noticed) => {
                figures.cuts += 1;
                at(clients, seat).cut(machine, outside, is_noticed)?;
            }
            Step::Late(seat, is_noticed) => {
                at(clients, seat).deliver_late(machine, outside, is_noticed)?;
            }
            Step::Leave(seat) => at(clients, seat).leave(machine, outside)?,
            Step::Journal(journaling) => {
                figures.faults += u64::from(journaling != Journaling::Works);
                machine.commit(outside, journaling)?;
            }
            Step::Complete(which, works) => {
                figures.faults += u64::from(!works);
                machine.complete(outside, which, works)?;
            }
            Step::Crash(after, persisted, again) => {
                self.crash = (persisted, again);
                machine.fuse = Some(u32::from(after));
            }
            Step::Restart => {
                machine.fuse = None;
                machine.shut_down(outside)?;
                machine.restart(outside, None)?;
                clients.iter_mut().for_each(Client::server_died);
            }
            Step::Wait(milliseconds) => {
                let time = Duration::from_millis(u64::from(milliseconds));
                machine.advance(outside, time)?;
            }
            Step::Sleep(minutes) => {
                let time = Duration::from_secs(60 * u64::from(minutes));
                machine.advance(outside, time)?;
            }
            Step::SetClock(seconds) => outside.epoch_ms += f64::from(seconds) * 1_000.0,
        }
        Ok(())
    }

    /// The process dies, and another one comes.
    fn die(&mut self) -> Result<(), Violation> {
        let (persisted, again) = std::mem::take(&mut self.crash);
        let mut fuse = (again > 0).then_some(u32::from(again));
        let mut persisted = usize::from(persisted);
        loop {
            self.figures.crashes += 1;
            self.machine.persist(&mut self.outside, persisted)?;
            self.clients.iter_mut().for_each(Client::server_died);
            match self.machine.restart(&mut self.outside, fuse) {
                // A fuse that was not needed burns on.
                Ok(()) => return Ok(()),
                Err(Stop::Violated(violation)) => return Err(violation),
                Err(Stop::Died) => (fuse, persisted) = (None, 1),
            }
        }
    }

    /// After the last fault everything drains: clients get rid of what they have and go, sessions end
    /// and are completed, the server forgets them.
    fn settle(&mut self) -> Result<(), Violation> {
        /// Longer than anything is remembered but the socket of a client without keepalives.
        const LONGEST: Duration = Duration::from_secs(3_700);
        self.machine.fuse = None;
        match self.drain(LONGEST) {
            Ok(()) => {}
            Err(Stop::Violated(violation)) => return Err(violation),
            Err(Stop::Died) => unreachable!("nothing dies any more"),
        }
        let footprint = self.machine.server.footprint();
        hold(
            footprint == <_>::default() && !self.machine.has_commits(),
            "nothing is left in the end",
            || format!("{footprint:?}"),
        )?;
        self.outside.ledger.check_end()?;
        self.outside.disk.check_end(&self.outside.ledger)
    }

    fn drain(&mut self, longest: Duration) -> Result<(), Stop> {
        /// Who was refused because of a limit comes in when others have expired.
        const TURNS: u32 = 60;
        for turn in 0..TURNS {
            let Self {
                outside,
                machine,
                clients,
                ..
            } = self;
            for client in clients.iter_mut() {
                client.deliver_late(machine, outside, true)?;
                client.deliver_down(machine, outside)?;
                client.connect(machine, outside)?;
                client.deliver_down(machine, outside)?;
                client.deliver_up(machine, outside, u16::MAX)?;
                while machine.has_commits() {
                    machine.commit(outside, Journaling::Works)?;
                }
                if client.is_at_rest(outside) {
                    client.retire(machine, outside)?;
                }
            }
            let pause = if turn % 20 == 19 { 800 } else { 3 };
            machine.advance(outside, Duration::from_secs(pause))?;
            self.work_off()?;
        }
        let outside = &self.outside;
        let mut clients = self.clients.iter();
        let left = clients.position(|client| !client.is_at_rest(outside));
        hold(
            left.is_none(),
            "every client gets rid of what it remembers",
            || format!("client {left:?}"),
        )?;
        for client in &mut self.clients {
            client.retire(&mut self.machine, &mut self.outside)?;
        }
        self.machine.advance(&mut self.outside, longest)?;
        self.work_off()?;
        // Those that ended just now.
        self.machine.advance(&mut self.outside, longest)?;
        self.work_off()
    }

    fn work_off(&mut self) -> Result<(), Stop> {
        /// Far more than there ever is.
        const MOST: u32 = 100_000;
        let mut calls = 0;
        while self.machine.has_commits() || self.machine.has_completions() {
            calls += 1;
            hold(calls < MOST, "what ended is completed", String::new)?;
            self.machine.commit(&mut self.outside, Journaling::Works)?;
            self.machine.complete(&mut self.outside, 0, true)?;
        }
        self.machine.check()?;
        Ok(())
    }
}

fn at(clients: &mut [Client], seat: u8) -> &mut Client {
    let count = clients.len();
    &mut clients[usize::from(seat) % count]
}
