//! One run: clients play, things go wrong, and in the end everything is compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::brokers::Brokers;
use crate::client::{Part, play, play_plain};
use crate::nodes::Node;
use crate::proxy::Proxy;
use crate::random::Random;
use crate::say;
use crate::schedule::{Fault, Planned, Schedule, Targets};
use crate::stores::Stores;
use crate::story::Story;
use crate::verdict::{Figures, Played, judge};

/// How long a browser may stay away. Longer than anything that goes wrong, as in earnest; short, so
/// that sessions end whose clients left without being heard.
const GRACE: Duration = Duration::from_secs(25);

/// What is needed after the last fault.
const SETTLING: Duration = Duration::from_secs(120);

pub(crate) struct Plan {
    pub(crate) random: Random,
    /// Of faults.
    pub(crate) duration: Duration,
    pub(crate) sessions: usize,
    pub(crate) nodes: usize,
    pub(crate) brokers: usize,
    pub(crate) kills_brokers: bool,
}

pub(crate) struct Run {
    plan: Plan,
    world: Arc<World>,
    schedule: Schedule,
    begin: Instant,
    folder: TempDir,
}

/// Everything that faults happen to.
struct World {
    /// Behind the journal that nodes share, if they do.
    brokers: Option<Brokers>,
    nodes: Vec<Node>,
    /// Between clients and nodes.
    clients: Proxy,
    stores: Stores,
}

impl Run {
    /// Starts the processes, and says what will go wrong; `None` if a program is missing.
    pub(crate) async fn start(mut plan: Plan) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let brokers = match plan.brokers {
            0 => None,
            count => Some(Brokers::start(count, &mut plan.random).await?),
        };
        let stores = match &brokers {
            Some(_) => Stores::shared(folder.path()),
            None => Stores::of_node(&folder.path().join("node-0")),
        };
        let disk_bytes = disk_bytes(&plan, brokers.as_ref());
        let nodes: Vec<_> = (0..plan.nodes)
            .map(|node| {
                let name = format!("node-{node}");
                let mut flags = flags();
                if let Some(brokers) = &brokers {
                    flags.extend(stores.flags());
                    flags.extend(flags_of_node(&name, brokers));
                }
                Node::start(folder.path(), &name, &flags, Some(disk_bytes))
            })
            .collect();
        for node in &nodes {
            node.ready().await;
        }
        let disks = nodes.iter().all(|node| node.disk.is_some());
        if !disks {
            say("SKIPPED: disks are not filled, as nothing may be mounted");
        }
        let addresses = nodes.iter().map(|node| node.address).collect();
        let clients = Proxy::start(addresses, plan.random.fork()).await;
        let targets = Targets {
            nodes: plan.nodes,
            brokers: plan.brokers,
            kills_brokers: plan.kills_brokers,
            disks,
        };
        let schedule = Schedule::new(plan.random.fork(), plan.duration, targets);
        say(&schedule.to_string());
        let world = World {
            brokers,
            nodes,
            clients,
            stores,
        };
        Some(Self {
            plan,
            world: Arc::new(world),
            schedule,
            begin: Instant::now(),
            folder,
        })
    }

    /// Plays everything, and fails if anything is not as it must be.
    pub(crate) async fn complete(mut self) {
        let (mut playing, mut playing_plain) = self.cast();
        let faults = self.inject();
        let mut injected = BTreeMap::<&str, u64>::new();
        for planned in faults.join_all().await {
            *injected.entry(planned.fault.kind()).or_default() += 1;
        }
        let end = self.begin.elapsed();
        say(&format!("faults are over after {:.1} s", end.as_secs_f64()));
        let mut played = Vec::new();
        while let Some(session) = playing.join_next().await {
            played.push(session.unwrap());
        }
        let mut plain = Vec::new();
        while let Some(session) = playing_plain.join_next().await {
            plain.push(session.unwrap());
        }
        say(&format!(
            "clients are done after {:.1} s",
            self.begin.elapsed().as_secs_f64()
        ));
        self.settled().await;
        let figures = judge(&self.world.stores, &played, &plain).await;
        say(&self.report(&injected, &figures));
        if !figures.faults.is_empty() {
            self.say_last_words();
            let kept = self.folder.keep();
            say(&format!("what is left is in {}", kept.display()));
        }
        assert_eq!(figures.faults, Vec::<String>::new());
        assert_eq!(
            (figures.lost, figures.doubled, figures.rows_doubled),
            (0, 0, 0)
        );
        assert!(figures.acknowledged > 0 && figures.records_compared > 0);
        let kills_brokers = self.plan.kills_brokers && self.plan.brokers > 0;
        assert!(
            !kills_brokers || injected.contains_key("brokers killed"),
            "nothing was drawn for the brokers: take another seed, or more time"
        );
        assert!(
            figures.connections > figures.sessions,
            "nobody was disturbed"
        );
    }

    /// Gives each client its part: some come and go in the middle, most last to the end.
    fn cast(&mut self) -> (JoinSet<Played>, JoinSet<Played>) {
        let jitsi: Vec<_> = Story::of_jitsi().into_iter().map(Arc::new).collect();
        let plain: Vec<_> = Story::of_plain_clients()
            .into_iter()
            .map(Arc::new)
            .collect();
        let mut playing = JoinSet::new();
        for index in 0..self.plan.sessions {
            let id = self.plan.random.uuid();
            let mut part = self.part(&jitsi[index % jitsi.len()], id);
            part.is_hasty = index % 8 == 7;
            playing.spawn(async move {
                let outcome = play(part.clone()).await;
                Played::new(&part, outcome)
            });
        }
        let mut playing_plain = JoinSet::new();
        for index in 0..self
            .plan
            .sessions
            .div_ceil(4)
            .min(self.plan.sessions * plain.len())
        {
            let part = self.part(&plain[index % plain.len()], format!("plain-{index}"));
            playing_plain.spawn(async move {
                let outcome = play_plain(part.clone()).await;
                Played::new(&part, outcome)
            });
        }
        (playing, playing_plain)
    }

    fn part(&mut self, story: &Arc<Story>, id: String) -> Part {
        let random = &mut self.plan.random;
        let whole = self.plan.duration.as_secs_f64();
        let begin = random.between(0.0, whole * 0.3);
        let end = match random.below(3) {
            0 => random.between(begin + whole * 0.2, whole),
            _ => whole,
        };
        Part {
            server: self.world.clients.address,
            story: Arc::clone(story),
            id,
            begin: self.begin + Duration::from_secs_f64(begin),
            end: self.begin + Duration::from_secs_f64(end),
            is_hasty: false,
            random: random.fork(),
            deadline: self.begin + self.plan.duration + SETTLING,
        }
    }

    /// Begins each fault at its time; the tasks end when all is as before.
    fn inject(&self) -> JoinSet<Planned> {
        let mut faults = JoinSet::new();
        for planned in self.schedule.0.iter().copied() {
            let (world, at) = (Arc::clone(&self.world), self.begin + planned.at);
            faults.spawn(async move {
                sleep_until(at).await;
                world.suffer(planned).await;
                planned
            });
        }
        faults
    }

    /// Waits until no node has anything to do.
    async fn settled(&self) {
        let deadline = Instant::now() + GRACE + SETTLING;
        loop {
            let mut is_idle = true;
            let mut state = String::new();
            for node in &self.world.nodes {
                let gauges = node.gauges().await;
                let _ = write!(state, "{gauges:?} ");
                is_idle &= gauges.is_some_and(|gauges| {
                    gauges.sessions + gauges.completing + gauges.journal_bytes == 0
                });
            }
            if is_idle {
                return;
            }
            if Instant::now() > deadline {
                say(&format!("not settled: {state}"));
                self.say_last_words();
                return;
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    fn report(&self, injected: &BTreeMap<&str, u64>, figures: &Figures) -> String {
        let mut text = String::new();
        let total: u64 = injected.values().sum();
        let failures: u64 = self.world.nodes.iter().map(Node::failures).sum();
        let _ = writeln!(
            text,
            "{total} faults in {:.0} s: {injected:?}; {failures} times a node ended by itself; \
             {} sockets through the balancer",
            self.plan.duration.as_secs_f64(),
            self.world.clients.opened(),
        );
        let Figures {
            sessions,
            connections,
            emitted,
            sent,
            acknowledged,
            stored,
            lost,
            doubled,
            overflowed,
            longest_wait_seconds,
            split,
            ..
        } = figures;
        let _ = writeln!(
            text,
            "{sessions} resumable sessions over {connections} sockets: {emitted} events emitted, {sent} messages \
             sent, {acknowledged} events acknowledged, {stored} stored, {lost} lost, {doubled} doubled, \
             {overflowed} beyond the clients' buffers, {split} sessions in several dumps, \
             {longest_wait_seconds:.1} s the longest wait for an acknowledgement"
        );
        let _ = writeln!(
            text,
            "{} plain sessions: {} events emitted, {} stored",
            figures.plain_sessions, figures.plain_emitted, figures.plain_stored
        );
        let _ = writeln!(
            text,
            "{} dumps, {} sets of features as undisturbed, {} rows, {} of them doubled",
            figures.dumps, figures.records_compared, figures.rows, figures.rows_doubled
        );
        text
    }

    fn say_last_words(&self) {
        for (index, node) in self.world.nodes.iter().enumerate() {
            say(&format!("node {index}:\n{}", node.last_words()));
        }
    }
}

impl World {
    async fn suffer(&self, planned: Planned) {
        let Planned { lasting, fault, .. } = planned;
        match fault {
            Fault::KillNode(node) => {
                self.nodes[node].kill();
                sleep(lasting).await;
                self.nodes[node].revive();
            }
            Fault::PauseNode(node) => {
                self.nodes[node].signal("STOP");
                sleep(lasting).await;
                self.nodes[node].signal("CONT");
            }
            Fault::FillDisk(node) => {
                let Some(disk) = &self.nodes[node].disk else {
                    return;
                };
                disk.fill();
                sleep(lasting).await;
                disk.free();
            }
            Fault::Clients(disturbance, share) => {
                self.clients.disturb(disturbance, share, lasting).await;
            }
            Fault::KillBroker(broker) => {
                let Some(brokers) = &self.brokers else { return };
                brokers.kill(broker);
                sleep(lasting).await;
                brokers.revive(broker);
            }
            Fault::PauseBroker(broker) => {
                let Some(brokers) = &self.brokers else { return };
                brokers.pause(broker);
                sleep(lasting).await;
                brokers.resume(broker);
            }
            Fault::Brokers(disturbance, share) => {
                let Some(brokers) = &self.brokers else { return };
                brokers.disturb(disturbance, share, lasting).await;
            }
        }
    }
}

/// Room for what a node keeps besides sessions, and for each of them if it keeps them.
fn disk_bytes(plan: &Plan, brokers: Option<&Brokers>) -> u64 {
    const NODE_BYTES: u64 = 64 << 20;
    const SESSION_BYTES: u64 = 2 << 20;
    match brokers {
        Some(_) => NODE_BYTES,
        None => NODE_BYTES + plan.sessions as u64 * SESSION_BYTES,
    }
}

fn flags() -> Vec<String> {
    let grace = format!("{}s", GRACE.as_secs());
    [
        "--grace",
        &grace,
        "--idle",
        "25s",
        "--acknowledge-events",
        "20",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// What makes a node one of several.
fn flags_of_node(name: &str, brokers: &Brokers) -> Vec<String> {
    [
        "--journal",
        &brokers.url(),
        "--node",
        name,
        "--replicas",
        "3",
    ]
    .map(str::to_owned)
    .to_vec()
}
