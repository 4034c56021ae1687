//! What goes wrong, and when.

use std::fmt;
use std::time::Duration;

use crate::random::Random;

/// Something that goes wrong for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// `kill -9`; started again after the time.
    KillNode(usize),
    /// `SIGSTOP`, and `SIGCONT` after the time.
    PauseNode(usize),
    /// No byte of the node's disk is free.
    FillDisk(usize),
    /// As nodes, for a server of the journal's cluster.
    KillBroker(usize),
    PauseBroker(usize),
    /// Something happens to this share of the clients' sockets.
    Clients(Disturbance, f64),
    /// Something happens to this share of the sockets between nodes and the journal's cluster.
    Brokers(Disturbance, f64),
}

/// What a proxy can do to a socket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Disturbance {
    /// Reset, both ways.
    Cut,
    /// Nothing arrives for a while. Then the client's side is reset, while the server's stays open, and
    /// gets late what the client had sent.
    HalfOpen,
    /// Nothing arrives until it is over; then all of it does.
    Stall,
    /// Each piece is late by so much.
    Delay(Duration),
    /// No more than so many bytes a second, each way.
    Throttle(usize),
}

/// A fault with its time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned {
    /// After the start.
    pub(crate) at: Duration,
    pub(crate) lasting: Duration,
    pub(crate) fault: Fault,
}

/// Who is there to be disturbed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Targets {
    pub(crate) nodes: usize,
    /// Servers of the journal's cluster. All but one of them are always up.
    pub(crate) brokers: usize,
    /// Whether they are killed and paused themselves, and not only their sockets disturbed.
    pub(crate) kills_brokers: bool,
    /// Whether the disks of nodes can be filled.
    pub(crate) disks: bool,
}

/// All that goes wrong in one run; the same for the same seed.
#[derive(Debug)]
pub(crate) struct Schedule(pub(crate) Vec<Planned>);

/// When a target may be disturbed again.
struct Busy {
    nodes: Vec<Duration>,
    disks: Vec<Duration>,
    /// One time for all, so that a quorum stays.
    brokers: Duration,
}

impl Schedule {
    pub(crate) fn new(mut random: Random, duration: Duration, targets: Targets) -> Self {
        let mut busy = Busy {
            nodes: vec![Duration::ZERO; targets.nodes],
            disks: vec![Duration::ZERO; targets.nodes],
            brokers: Duration::ZERO,
        };
        let mut planned = Vec::new();
        let mut at = random.seconds(1.5, 3.0);
        while at < duration {
            planned.extend(plan(&mut random, at, targets, &mut busy));
            at += random.seconds(0.2, 2.0);
        }
        let mut schedule = Self(planned);
        schedule.kill_a_broker();
        schedule
    }

    /// Where servers of the cluster are only paused, as happens in short runs, the first of them is killed
    /// instead.
    fn kill_a_broker(&mut self) {
        let planned = || self.0.iter().map(|planned| planned.fault);
        if planned().any(|fault| matches!(fault, Fault::KillBroker(_))) {
            return;
        }
        let mut faults = self.0.iter_mut().map(|planned| &mut planned.fault);
        let paused = faults.find_map(|fault| match *fault {
            Fault::PauseBroker(broker) => Some((fault, broker)),
            _ => None,
        });
        if let Some((fault, broker)) = paused {
            *fault = Fault::KillBroker(broker);
        }
    }
}

/// A fault at this time, unless what was drawn is still disturbed.
fn plan(random: &mut Random, at: Duration, targets: Targets, busy: &mut Busy) -> Option<Planned> {
    /// What a node needs to come back, at least sometimes.
    const RECOVERY: Duration = Duration::from_secs(3);
    /// What a server needs to have what the others have.
    const CATCHING_UP: Duration = Duration::from_secs(6);
    let node = random.below(targets.nodes);
    let broker = random.below(targets.brokers);
    let kinds = match targets {
        Targets { brokers: 0, .. } => 9,
        Targets {
            kills_brokers: false,
            ..
        } => 10,
        _ => 12,
    };
    let (fault, lasting, until) = match random.below(kinds) {
        0 | 1 => {
            let lasting = random.seconds(0.1, 5.0);
            (Fault::KillNode(node), lasting, busy.nodes.get_mut(node)?)
        }
        2 => {
            let lasting = pause(random, targets);
            (Fault::PauseNode(node), lasting, busy.nodes.get_mut(node)?)
        }
        3 if targets.disks => {
            let lasting = random.seconds(1.0, 6.0);
            (Fault::FillDisk(node), lasting, busy.disks.get_mut(node)?)
        }
        3..=8 => return Some(on_clients(random, at)),
        9 => return Some(on_brokers(random, at)),
        10 => {
            let lasting = random.seconds(0.5, 8.0);
            (Fault::KillBroker(broker), lasting, &mut busy.brokers)
        }
        _ => {
            let lasting = random.seconds(0.5, 8.0);
            (Fault::PauseBroker(broker), lasting, &mut busy.brokers)
        }
    };
    if *until > at {
        return None;
    }
    let rest = match fault {
        Fault::KillBroker(_) | Fault::PauseBroker(_) => CATCHING_UP,
        _ => RECOVERY,
    };
    *until = at + lasting + rest;
    Some(Planned { at, lasting, fault })
}

/// Of several nodes one may be paused for so long that others take it for dead: then it wakes up with
/// sessions that are not its own any more.
fn pause(random: &mut Random, targets: Targets) -> Duration {
    if targets.nodes > 1 && random.below(3) == 0 {
        random.seconds(17.0, 22.0)
    } else {
        random.seconds(0.3, 5.0)
    }
}

fn on_clients(random: &mut Random, at: Duration) -> Planned {
    let (disturbance, lasting) = match random.below(8) {
        0..=2 => (Disturbance::Cut, Duration::ZERO),
        3 | 4 => (Disturbance::HalfOpen, random.seconds(0.2, 3.0)),
        5 => (Disturbance::Stall, random.seconds(0.2, 6.0)),
        6 => {
            let delay = random.seconds(0.02, 0.8);
            (Disturbance::Delay(delay), random.seconds(1.0, 6.0))
        }
        _ => {
            let rate = 1_000 + random.below(50_000);
            (Disturbance::Throttle(rate), random.seconds(1.0, 6.0))
        }
    };
    // Now and then all of them: the network of the load balancer itself.
    let share = if random.below(4) == 0 {
        1.0
    } else {
        random.between(0.1, 0.7)
    };
    let fault = Fault::Clients(disturbance, share);
    Planned { at, lasting, fault }
}

fn on_brokers(random: &mut Random, at: Duration) -> Planned {
    let (disturbance, lasting) = match random.below(4) {
        0 | 1 => (Disturbance::Cut, Duration::ZERO),
        2 => (Disturbance::Stall, random.seconds(0.2, 4.0)),
        _ => {
            let delay = random.seconds(0.005, 0.2);
            (Disturbance::Delay(delay), random.seconds(1.0, 4.0))
        }
    };
    let fault = Fault::Brokers(disturbance, random.between(0.3, 1.0));
    Planned { at, lasting, fault }
}

impl Fault {
    /// What it is counted as.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::KillNode(_) => "nodes killed",
            Self::PauseNode(_) => "nodes paused",
            Self::FillDisk(_) => "disks filled",
            Self::KillBroker(_) => "brokers killed",
            Self::PauseBroker(_) => "brokers paused",
            Self::Clients(disturbance, _) => match disturbance {
                Disturbance::Cut => "clients cut",
                Disturbance::HalfOpen => "clients half open",
                Disturbance::Stall => "clients stalled",
                Disturbance::Delay(_) => "clients delayed",
                Disturbance::Throttle(_) => "clients throttled",
            },
            Self::Brokers(..) => "broker sockets disturbed",
        }
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:7.2} s ", self.at.as_secs_f64())?;
        match self.fault {
            Fault::KillNode(node) => write!(formatter, "kill -9 node {node}")?,
            Fault::PauseNode(node) => write!(formatter, "pause node {node}")?,
            Fault::FillDisk(node) => write!(formatter, "fill the disk of node {node}")?,
            Fault::KillBroker(broker) => write!(formatter, "kill -9 broker {broker}")?,
            Fault::PauseBroker(broker) => write!(formatter, "pause broker {broker}")?,
            Fault::Clients(disturbance, share) => {
                write!(
                    formatter,
                    "{disturbance:?} {:.0} % of clients",
                    share * 100.0
                )?;
            }
            Fault::Brokers(disturbance, share) => {
                let percent = share * 100.0;
                write!(
                    formatter,
                    "{disturbance:?} {percent:.0} % of broker sockets"
                )?;
            }
        }
        write!(formatter, " for {:.2} s", self.lasting.as_secs_f64())
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|planned| writeln!(formatter, "{planned}"))
    }
}
