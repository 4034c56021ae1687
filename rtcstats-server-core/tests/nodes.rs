//! Several nodes over one store: whatever becomes of a node, its sessions go on at another, and nothing is
//! lost or stored twice.

#![cfg(feature = "tokio")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "nodes/leases.rs"]
mod leases;
#[cfg(feature = "jetstream")]
#[path = "services/nats.rs"]
mod nats;
#[path = "nodes/stores.rs"]
mod stores;

use std::io::Read;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use leases::{Extensions, ImpatientQueue, SlowSink};
use rtcstats_proto::jitsi::{SequenceNumberMessage, SessionId};
use rtcstats_proto::sequence_number_of;
use rtcstats_server_core::{
    BoxFuture, ClusterError, ClusterOptions, Counters, DirectorySink, DumpName, FeatureSink,
    Journal, MemoryCluster, MemorySink, Outgoing, Ownership, RecordPart, RecordStore, Refusal,
    Role, Runtime, RuntimeOptions, SessionRecord, SinkError, Socket, Task, Upgrade, Work,
    WorkQueue,
};
use stores::{MemoryArchive, Stop, Stopping};

/// A deployment.
struct World {
    cluster: MemoryCluster,
    archive: Arc<MemoryArchive>,
    sink: Arc<MemorySink>,
}

impl World {
    fn new() -> Self {
        Self {
            cluster: MemoryCluster::new(64 << 20),
            archive: Arc::default(),
            sink: Arc::default(),
        }
    }

    fn cluster_options(&self, name: &str) -> ClusterOptions {
        let node = Arc::new(self.cluster.node(name));
        let mut options = ClusterOptions::new(
            Arc::clone(&node) as Arc<dyn Ownership>,
            node as Arc<dyn WorkQueue>,
        );
        options.orphan_interval = Duration::from_millis(50);
        options.drain_spread = Duration::from_millis(300);
        options
    }

    /// How many logs of the journal have this text.
    async fn logs_with(&self, text: &str) -> usize {
        let reader = self.cluster.node("reader");
        let mut count = 0;
        for entry in reader.list().await.unwrap() {
            let mut log = String::new();
            let mut lines = reader.read(&entry.name).await.unwrap();
            lines.read_to_string(&mut log).unwrap();
            count += usize::from(log.contains(text));
        }
        count
    }

    async fn start(&self, name: &str) -> Runtime {
        self.start_with(name, |_| {}).await
    }

    async fn start_with(&self, name: &str, adjust: impl FnOnce(&mut RuntimeOptions)) -> Runtime {
        let journal = Arc::new(self.cluster.node(name)) as Arc<dyn Journal>;
        let mut options = RuntimeOptions::new(journal, Arc::clone(&self.archive) as _);
        options.sinks = vec![Arc::clone(&self.sink) as Arc<dyn FeatureSink>];
        options.cluster = Some(self.cluster_options(name));
        adjust(&mut options);
        Runtime::start(options).await.unwrap().0
    }

    /// The process of a node is gone.
    fn kill(&self, name: &str, runtime: Runtime) {
        self.cluster.kill(name);
        drop(runtime);
    }

    async fn until_archived(&self, dumps: &[&str]) {
        until("the dumps", async || self.archive.names() == dumps).await;
        until("an empty journal", async || {
            let reader = self.cluster.node("reader");
            reader.list().await.unwrap().is_empty()
        })
        .await;
    }

    /// The numbers of the lines of a dump, which has one head.
    fn numbers(&self, dump: &str) -> Vec<u64> {
        let lines = self.archive.lines(dump);
        let is_head = |line: &&String| line.starts_with("[\"connectionInfo\"");
        assert_eq!(lines.iter().filter(is_head).count(), 1, "heads of {dump}");
        lines
            .iter()
            .filter_map(|line| sequence_number_of(line))
            .collect()
    }

    /// The dumps that records were published of.
    fn published(&self) -> Vec<String> {
        let parts = self.sink.parts();
        let mut names: Vec<_> = parts.keys().map(|(name, _)| name.to_string()).collect();
        names.dedup();
        names
    }
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..1_500 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain: {what}");
}

fn upgrade(target: &str, subprotocol: &str) -> Upgrade {
    Upgrade {
        target: target.to_owned(),
        subprotocols: subprotocol.to_owned(),
        user_agent: "react-native/1 (iOS 17)".to_owned(),
        ..Upgrade::default()
    }
}

async fn try_connect(runtime: &Runtime, upgrade: &Upgrade) -> Result<Socket, Refusal> {
    let handshake = runtime.handshake(upgrade).unwrap();
    let connecting = runtime.connect(&handshake);
    let connected = tokio::time::timeout(Duration::from_secs(20), connecting).await;
    connected.unwrap()
}

/// A browser's socket, and the number it is opened with.
async fn connect(runtime: &Runtime, id: &str) -> (Socket, u64) {
    let target = format!("/room?statsSessionId={id}&isReconnect=true");
    let mut socket = try_connect(runtime, &upgrade(&target, "3.1_STANDARD"))
        .await
        .unwrap();
    let Outgoing::Text(text) = next(&mut socket).await else {
        panic!("closed at once")
    };
    let message = SequenceNumberMessage::parse(&text).unwrap();
    assert!(message.initial);
    (socket, message.value)
}

async fn next(socket: &mut Socket) -> Outgoing {
    let next = tokio::time::timeout(Duration::from_secs(15), socket.outgoing());
    next.await.unwrap()
}

fn frame(id: &str, number: u64) -> String {
    let time = 1_700_000_000_000 + number;
    format!(
        "{{\"statsSessionId\":\"{id}\",\"type\":\"stats-entry\",\"data\":\"[\\\"e\\\",null,1,{time},{number}]\"}}"
    )
}

async fn send(socket: &mut Socket, id: &str, numbers: RangeInclusive<u64>) {
    for number in numbers {
        socket.receive(frame(id, number).as_bytes()).await;
    }
}

/// Waits until a number is acknowledged.
async fn acknowledged(socket: &mut Socket, number: u64) {
    loop {
        match next(socket).await {
            Outgoing::Text(text) => {
                let value = SequenceNumberMessage::parse(&text).unwrap().value;
                if value >= number {
                    return;
                }
            }
            Outgoing::Close(reason) => panic!("closed: {reason:?}"),
        }
    }
}

/// Waits for the close frame: its code.
async fn closed(socket: &mut Socket) -> u16 {
    loop {
        if let Outgoing::Close(reason) = next(socket).await {
            return reason.code();
        }
    }
}

async fn counters(runtime: &Runtime) -> Counters {
    runtime.metrics().await.0
}

fn name(text: &str) -> DumpName {
    text.parse().unwrap()
}

/// What a client does that comes to a node, until it leaves: sends what the node does not have.
async fn go_on(runtime: &Runtime, id: &str, last: u64) -> u64 {
    let (mut socket, has) = connect(runtime, id).await;
    send(&mut socket, id, has + 1..=last).await;
    socket.disconnected(Some(3001));
    has
}

/// The same of a client that comes again when its socket is closed, until all is acknowledged.
async fn persist(runtime: &Runtime, id: &str, last: u64) {
    for _ in 0..5 {
        let (mut socket, has) = connect(runtime, id).await;
        send(&mut socket, id, has + 1..=last).await;
        if has == last || acknowledged_or_closed(&mut socket, last).await {
            return socket.disconnected(Some(3001));
        }
    }
    panic!("{id} is refused again and again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_goes_on_at_another_node_while_the_first_still_gets_what_it_sent_before() {
    let world = World::new();
    let (a, b) = (world.start("a").await, world.start("b").await);
    let (mut old, _) = connect(&a, "s").await;
    send(&mut old, "s", 1..=150).await;
    acknowledged(&mut old, 100).await;
    send(&mut old, "s", 151..=170).await;
    let (mut new, has) = connect(&b, "s").await;
    assert!((100..=170).contains(&has), "{has}");
    // Late, on the socket that the client has given up.
    send(&mut old, "s", 171..=180).await;
    assert_eq!(closed(&mut old).await, 1001);
    send(&mut new, "s", has + 1..=200).await;
    new.disconnected(Some(3001));
    world.until_archived(&["s"]).await;
    assert_eq!(world.numbers("s"), (1..=200).collect::<Vec<_>>());
    assert_eq!(world.published(), ["s"]);
    let (of_a, of_b) = (counters(&a).await, counters(&b).await);
    assert_eq!((of_a.sessions_lost, of_b.sessions_claimed), (1, 1));
    assert!(a.sessions().is_empty() && a.is_healthy());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_a_node_that_is_gone_goes_on_at_another() {
    let world = World::new();
    let (a, b) = (world.start("a").await, world.start("b").await);
    let (mut socket, _) = connect(&a, "s").await;
    send(&mut socket, "s", 1..=120).await;
    acknowledged(&mut socket, 100).await;
    world.kill("a", a);
    drop(socket);
    assert!(go_on(&b, "s", 200).await >= 100);
    world.until_archived(&["s"]).await;
    assert_eq!(world.numbers("s"), (1..=200).collect::<Vec<_>>());
    assert_eq!(world.published(), ["s"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn live_features_are_those_of_a_session_that_never_moved() {
    let features = async |moves: bool| {
        let world = World::new();
        let (a, b) = (world.start("a").await, world.start("b").await);
        let (mut socket, _) = connect(&a, "s").await;
        send(&mut socket, "s", 1..=100).await;
        acknowledged(&mut socket, 100).await;
        let node = if moves { &b } else { &a };
        let (mut again, has) = connect(node, "s").await;
        assert_eq!(has, 100);
        send(&mut again, "s", 101..=200).await;
        acknowledged(&mut again, 200).await;
        let snapshot = node.snapshot(&name("s")).await.unwrap();
        let mut value = serde_json::to_value(&snapshot).unwrap();
        let count = &value["features"]["metrics"]["otherRequestCount"];
        assert_eq!(count, 200);
        without_times(&mut value);
        value
    };
    assert_eq!(features(true).await, features(false).await);
}

/// Drops what tells when the test ran: the time in the head of the dump.
fn without_times(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            members.retain(|name, _| {
                let name = name.to_lowercase();
                !name.contains("time") && !name.contains("duration")
            });
            members.values_mut().for_each(without_times);
        }
        serde_json::Value::Array(elements) => elements.iter_mut().for_each(without_times),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_back_elsewhere_after_its_session_ended_repeats_nothing() {
    let world = World::new();
    let (a, b) = (world.start("a").await, world.start("b").await);
    assert_eq!(go_on(&a, "s", 50).await, 0);
    // At once: the session may still be on its way into the queue.
    let (mut socket, has) = connect(&a, "s").await;
    assert_eq!(has, 50);
    drop(std::mem::replace(&mut socket, connect(&b, "s").await.0));
    send(&mut socket, "s", 41..=60).await;
    socket.disconnected(Some(3001));
    world.until_archived(&["s", "s_1"]).await;
    assert_eq!(world.numbers("s"), (1..=50).collect::<Vec<_>>());
    assert_eq!(world.numbers("s_1"), (51..=60).collect::<Vec<_>>());
    // And a third time, where it was first.
    assert_eq!(go_on(&a, "s", 70).await, 60);
    world.until_archived(&["s", "s_1", "s_2"]).await;
    assert_eq!(world.numbers("s_2"), (61..=70).collect::<Vec<_>>());
    assert_eq!(world.published(), ["s", "s_1", "s_2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_to_and_fro() {
    let world = World::new();
    let nodes = [world.start("a").await, world.start("b").await];
    let mut sockets = Vec::new();
    let mut sent = 0;
    for round in 0..8 {
        // A node that has had it before learns only by being fenced that it has it no more.
        let (mut socket, has) = loop {
            let (mut socket, has) = connect(&nodes[round % 2], "s").await;
            send(&mut socket, "s", has + 1..=sent + 1).await;
            let next = tokio::time::timeout(Duration::from_secs(15), async {
                acknowledged_or_closed(&mut socket, sent + 1).await
            });
            if next.await.unwrap() {
                break (socket, sent + 1);
            }
        };
        send(&mut socket, "s", has + 1..=has + 20).await;
        sent = has + 20;
        sockets.push(socket);
    }
    assert!(go_on(&nodes[1], "s", sent).await > 0);
    world.until_archived(&["s"]).await;
    assert_eq!(world.numbers("s"), (1..=sent).collect::<Vec<_>>());
}

/// Whether a number is acknowledged before the socket is closed.
async fn acknowledged_or_closed(socket: &mut Socket, number: u64) -> bool {
    loop {
        match next(socket).await {
            Outgoing::Text(text) => {
                if SequenceNumberMessage::parse(&text).unwrap().value >= number {
                    return true;
                }
            }
            Outgoing::Close(_) => return false,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_between_two_steps_is_followed_by_another() {
    for stop in [
        Stop::BeforePublishing,
        Stop::AfterPublishing,
        Stop::AfterArchiving,
        Stop::AfterRemoving,
    ] {
        let world = World::new();
        let stopped = Arc::new(AtomicUsize::new(0));
        let a = world
            .start_with("a", |options| {
                let stopped = || Arc::clone(&stopped);
                let inner = Arc::new(world.cluster.node("a"));
                options.journal = Arc::new(Stopping {
                    inner,
                    stop,
                    stopped: stopped(),
                });
                options.archive = Arc::new(Stopping {
                    inner: Arc::clone(&world.archive),
                    stop,
                    stopped: stopped(),
                });
                options.sinks = vec![Arc::new(Stopping {
                    inner: Arc::clone(&world.sink),
                    stop,
                    stopped: stopped(),
                })];
            })
            .await;
        go_on(&a, "s", 30).await;
        until("the worker to stop", async || {
            stopped.load(Ordering::SeqCst) > 0
        })
        .await;
        let (_, gauges) = a.metrics().await;
        assert_eq!(gauges.running_tasks, 1, "{stop:?}");
        world.kill("a", a);
        let b = world.start("b").await;
        until("the task to be done", async || {
            counters(&b).await.tasks_done == 1
        })
        .await;
        world.until_archived(&["s"]).await;
        assert_eq!(world.numbers("s"), (1..=30).collect::<Vec<_>>());
        assert_eq!(world.published(), ["s"], "{stop:?}");
        assert_eq!(world.cluster.dead_letters(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_takes_long_says_again_and_again_that_it_is_still_at_it() {
    let world = World::new();
    let extensions = Extensions::default();
    let a = world
        .start_with("a", |options| {
            options.cluster.as_mut().unwrap().queue = Arc::new(ImpatientQueue {
                inner: world.cluster.node("a"),
                extensions: Arc::clone(&extensions),
            });
            options.sinks.push(Arc::new(SlowSink {
                extensions: Arc::clone(&extensions),
                wanted: 3,
            }));
        })
        .await;
    go_on(&a, "s", 10).await;
    until("the task to be done", async || {
        counters(&a).await.tasks_done == 1
    })
    .await;
    world.until_archived(&["s"]).await;
    assert_eq!(counters(&a).await.tasks_failed, 0);
}

/// A sink that is out of order.
struct BrokenSink;

impl FeatureSink for BrokenSink {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        let error = SinkError::new("broken", Some(record.name.clone()), "out of order");
        Box::pin(async { Err(error) })
    }

    fn name(&self) -> &'static str {
        "broken"
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_completed_is_put_aside_with_the_reason() {
    let world = World::new();
    let a = world
        .start_with("a", |options| options.sinks.push(Arc::new(BrokenSink)))
        .await;
    go_on(&a, "s", 3).await;
    until("a dead letter", async || {
        !world.cluster.dead_letters().is_empty()
    })
    .await;
    let letters = world.cluster.dead_letters();
    assert!(letters[0].reason.contains("broken"), "{letters:?}");
    assert!(letters[0].reason.contains("out of order"), "{letters:?}");
    let counted = counters(&a).await;
    assert_eq!((counted.tasks_failed, counted.tasks_done), (3, 0));
    // Whoever repairs the sink has it done again.
    let b = world.start("b").await;
    a.shutdown(Duration::from_secs(5)).await.unwrap();
    let operator = world.cluster.node("operator");
    operator.push(&letters[0].work).await.unwrap();
    world.until_archived(&["s"]).await;
    until("the task", async || counters(&b).await.tasks_done == 1).await;
}

/// A client that sends all the time, and goes to the next node when its socket is closed.
async fn wander(nodes: [Runtime; 2], id: String, last: u64) {
    let mut acknowledged = 0;
    for node in nodes {
        let target = format!("/room?statsSessionId={id}&isReconnect=true");
        let upgrade = upgrade(&target, "3.1_STANDARD");
        let Ok(mut socket) = try_connect(&node, &upgrade).await else {
            continue;
        };
        let mut number = None;
        loop {
            tokio::select! {
                outgoing = next(&mut socket) => match outgoing {
                    Outgoing::Text(text) => {
                        let message = SequenceNumberMessage::parse(&text).unwrap();
                        assert!(message.value >= acknowledged, "{id} lost {acknowledged}");
                        acknowledged = message.value;
                        if message.initial {
                            number = Some(message.value);
                        }
                    }
                    Outgoing::Close(_) => break,
                },
                () = tokio::time::sleep(Duration::from_millis(2)), if number.is_some() => {
                    let sent = number.unwrap() + 1;
                    number = Some(sent);
                    send(&mut socket, &id, sent..=sent).await;
                    if sent == last {
                        return socket.disconnected(Some(3001));
                    }
                }
            }
        }
        socket.disconnected(Some(1001));
    }
    panic!("{id} did not come to its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_drained_under_load_and_nothing_is_lost() {
    const CLIENTS: usize = 20;
    const LAST: u64 = 600;
    let world = World::new();
    let (a, b) = (world.start("a").await, world.start("b").await);
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let nodes = [a.clone(), b.clone()];
        clients.spawn(wander(nodes, format!("c{client:02}"), LAST));
    }
    until("load", async || counters(&a).await.events > 500).await;
    assert!(a.is_ready());
    let sessions = a.sessions().len();
    assert_eq!(sessions, CLIENTS);
    a.drain(Duration::from_secs(10)).await.unwrap();
    assert!(!a.is_ready());
    assert!(a.sessions().is_empty());
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    let names: Vec<String> = (0..CLIENTS).map(|client| format!("c{client:02}")).collect();
    let expected: Vec<&str> = names.iter().map(String::as_str).collect();
    world.until_archived(&expected).await;
    for name in &names {
        assert_eq!(
            world.numbers(name),
            (1..=LAST).collect::<Vec<_>>(),
            "{name}"
        );
    }
    until("all tasks", async || {
        counters(&b).await.tasks_done == CLIENTS as u64
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_given_back_is_kept_for_its_client() {
    let world = World::new();
    let (a, b) = (world.start("a").await, world.start("b").await);
    let (mut socket, _) = connect(&a, "s").await;
    send(&mut socket, "s", 1..=10).await;
    a.drain(Duration::from_secs(10)).await.unwrap();
    until("adoption", async || b.sessions().len() == 1).await;
    assert_eq!(go_on(&b, "s", 20).await, 10);
    world.until_archived(&["s"]).await;
    assert_eq!(world.numbers("s"), (1..=20).collect::<Vec<_>>());
    let counted = counters(&b).await;
    assert_eq!((counted.sessions_adopted, counted.sessions_claimed), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_node_leaves_is_adopted() {
    let world = World::new();
    let a = world.start("a").await;
    let (mut socket, _) = connect(&a, "s").await;
    send(&mut socket, "s", 1..=100).await;
    acknowledged(&mut socket, 100).await;
    let plain = upgrade("/", "rtcstats#5.0");
    let mut plain = try_connect(&a, &plain).await.unwrap();
    plain.receive(b"[\"create\",null,{},1700000000000]").await;
    until("both", async || a.sessions().len() == 2).await;
    until("the other in the journal", async || {
        world.logs_with("[\"create\",null").await == 1
    })
    .await;
    world.kill("a", a);
    drop(plain);
    let b = world.start("b").await;
    until("adoption", async || {
        b.session(&SessionId::new("s").unwrap()).is_some()
    })
    .await;
    // Nobody comes back to the other one.
    until("the other dump", async || world.archive.names().len() == 1).await;
    let dump = world.archive.lines(&world.archive.names()[0]);
    assert!(dump.last().unwrap().contains("\"close\""), "{dump:?}");
    assert_eq!(counters(&b).await.sessions_adopted, 2);
    assert_eq!(go_on(&b, "s", 110).await, 100);
    until("both dumps", async || world.archive.names().len() == 2).await;
    assert_eq!(world.numbers("s"), (1..=110).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_only_taken_for_dead_writes_nothing_more() {
    let world = World::new();
    let (a, b) = (world.start("a").await, world.start("b").await);
    let (mut socket, _) = connect(&a, "s").await;
    send(&mut socket, "s", 1..=100).await;
    acknowledged(&mut socket, 100).await;
    let (mut other, _) = connect(&a, "t").await;
    send(&mut other, "t", 1..=100).await;
    acknowledged(&mut other, 100).await;
    world.cluster.presume_dead("a");
    until("adoption", async || b.sessions().len() == 2).await;
    // One goes on sending, the other leaves: both too late.
    send(&mut socket, "s", 101..=150).await;
    other.disconnected(Some(3001));
    assert_eq!(closed(&mut socket).await, 1001);
    drop(socket);
    until("both lost", async || counters(&a).await.sessions_lost == 2).await;
    assert_eq!(go_on(&b, "s", 150).await, 100);
    assert_eq!(go_on(&b, "t", 120).await, 100);
    world.until_archived(&["s", "t"]).await;
    assert_eq!(world.numbers("s"), (1..=150).collect::<Vec<_>>());
    assert_eq!(world.numbers("t"), (1..=120).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_sessions_of_one_socket_go_on() {
    let world = World::new();
    let (a, b) = (world.start("a").await, world.start("b").await);
    let upgrade = upgrade("/", "3.0_JVB");
    let line = |id: &str, text: &str| {
        format!("{{\"statsSessionId\":\"{id}\",\"type\":\"stats-entry\",\"data\":\"{text}\"}}")
    };
    let mut first = try_connect(&a, &upgrade).await.unwrap();
    for id in ["x", "y"] {
        first.receive(line(id, "of a").as_bytes()).await;
    }
    until("both in the journal", async || {
        world.logs_with("of a").await == 2
    })
    .await;
    world.kill("a", a);
    let mut second = try_connect(&b, &upgrade).await.unwrap();
    let both = line("x", "of b") + &line("y", "of b");
    second.receive(both.as_bytes()).await;
    for id in ["z", "x"] {
        second.receive(line(id, "more").as_bytes()).await;
    }
    for id in ["x", "y", "z"] {
        let close = format!("{{\"statsSessionId\":\"{id}\",\"type\":\"close\"}}");
        second.receive(close.as_bytes()).await;
    }
    world.until_archived(&["x", "y", "z"]).await;
    let count = |id| {
        let lines = world.archive.lines(id);
        let of = |text| lines.iter().filter(|line| line.contains(text)).count();
        [of("connectionInfo"), of("of a"), of("of b"), of("more")]
    };
    assert_eq!(count("x"), [1, 1, 1, 1]);
    assert_eq!(count("y"), [1, 1, 1, 0]);
    assert_eq!(count("z"), [1, 0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_that_claim_at_once_one_has_the_session() {
    for _ in 0..4 {
        let world = World::new();
        let a = world.start("a").await;
        let (mut socket, _) = connect(&a, "s").await;
        send(&mut socket, "s", 1..=100).await;
        acknowledged(&mut socket, 100).await;
        world.kill("a", a);
        drop(socket);
        let (b, c) = (world.start("b").await, world.start("c").await);
        let both = async |node: &Runtime| {
            let (mut socket, has) = connect(node, "s").await;
            send(&mut socket, "s", has + 1..=200).await;
            has == 200 || acknowledged_or_closed(&mut socket, 200).await
        };
        let (with_b, with_c) = tokio::join!(both(&b), both(&c));
        assert!(with_b || with_c);
        persist(&b, "s", 210).await;
        world.until_archived(&["s"]).await;
        assert_eq!(world.numbers("s"), (1..=210).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_of_one_session_share_a_claim() {
    let world = World::new();
    let (a, b) = (world.start("a").await, world.start("b").await);
    let (mut socket, _) = connect(&a, "s").await;
    send(&mut socket, "s", 1..=100).await;
    acknowledged(&mut socket, 100).await;
    let (one, two) = tokio::join!(connect(&b, "s"), connect(&b, "s"));
    assert_eq!((one.1, two.1), (100, 100));
    assert_eq!(counters(&b).await.sessions_claimed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_takes_sessions_and_another_completes_them() {
    let world = World::new();
    let role =
        |role| move |options: &mut RuntimeOptions| options.cluster.as_mut().unwrap().role = role;
    let ingest = world.start_with("ingest", role(Role::Ingest)).await;
    let extract = world.start_with("extract", role(Role::Extract)).await;
    let socket = upgrade("/?statsSessionId=s", "3.1_STANDARD");
    let refusal = try_connect(&extract, &socket).await.err().unwrap();
    assert_eq!(refusal.code, 1013);
    go_on(&ingest, "s", 10).await;
    world.until_archived(&["s"]).await;
    until("the task to be done", async || {
        counters(&extract).await.tasks_done == 1
    })
    .await;
    assert_eq!(counters(&ingest).await.tasks_done, 0);
    // Whoever uploads waits for the record, so that it is published where the upload came in.
    extract.shutdown(Duration::from_secs(5)).await.unwrap();
    let form = "multipart/form-data; boundary=x";
    let mut upload = ingest.upload(&upgrade("/", ""), Some(form)).unwrap();
    let body = "--x\r\n\r\nRTCStatsDump\n{\"fileFormat\":3}\n[1,null,2,3]\r\n--x--\r\n";
    upload.receive(body.as_bytes()).await.unwrap();
    let id = upload.finish().await.unwrap();
    assert!(world.published().contains(&id.as_str().to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_whose_session_cannot_be_claimed_is_told_to_try_again() {
    let world = World::new();
    let a = world.start("a").await;
    world.cluster.kill("a");
    let socket = upgrade("/?statsSessionId=s", "3.1_STANDARD");
    let refusal = try_connect(&a, &socket).await.err().unwrap();
    assert_eq!(refusal.code, 1013);
    let mut bridge = try_connect(&a, &upgrade("/", "3.0_JVB")).await.unwrap();
    bridge.receive(frame("s", 1).as_bytes()).await;
    assert_eq!(closed(&mut bridge).await, 1013);
    let counted = counters(&a).await;
    assert_eq!((counted.claim_errors, counted.events), (2, 0));
}

/// A queue that takes no work.
struct FullQueue(Arc<AtomicUsize>);

impl WorkQueue for FullQueue {
    fn push(&self, _: &Work) -> BoxFuture<'_, Result<(), ClusterError>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Err(ClusterError::new("push work", "no room")) })
    }

    fn take(&self) -> BoxFuture<'_, Result<Task, ClusterError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_end_nobody_was_told_of_is_completed_all_the_same() {
    let world = World::new();
    let pushes = Arc::new(AtomicUsize::new(0));
    let a = world
        .start_with("a", |options| {
            let queue = Arc::new(FullQueue(Arc::clone(&pushes)));
            options.cluster.as_mut().unwrap().queue = queue;
        })
        .await;
    go_on(&a, "s", 10).await;
    until("an attempt", async || pushes.load(Ordering::SeqCst) > 0).await;
    world.kill("a", a);
    let b = world.start("b").await;
    world.until_archived(&["s"]).await;
    assert_eq!(go_on(&b, "s", 15).await, 10);
    world.until_archived(&["s", "s_1"]).await;
    assert_eq!(world.numbers("s_1"), (11..=15).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_ever_for_a_session_that_cannot_be_handed_over() {
    let world = World::new();
    let pushes = Arc::new(AtomicUsize::new(0));
    let a = world
        .start_with("a", |options| {
            let cluster = options.cluster.as_mut().unwrap();
            cluster.queue = Arc::new(FullQueue(Arc::clone(&pushes)));
            cluster.claim_patience = Duration::from_millis(20);
        })
        .await;
    go_on(&a, "s", 10).await;
    until("an attempt", async || pushes.load(Ordering::SeqCst) > 0).await;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    let socket = upgrade("/?statsSessionId=s", "3.1_STANDARD");
    for _ in 0..20 {
        let refusal = try_connect(&a, &socket).await.err().unwrap();
        assert_eq!(refusal.code, 1013);
    }
    until("an end of waiting", async || tasks() <= before + 5).await;
}

// On one thread, so that the second session ends before the first one is handed over.
#[tokio::test]
async fn how_far_a_session_got_is_known_also_when_its_node_has_forgotten_it() {
    let world = World::new();
    let a = world
        .start_with("a", |options| options.limits.tombstones = 1)
        .await;
    let mut sockets = Vec::new();
    for id in ["s", "t"] {
        let (mut socket, _) = connect(&a, id).await;
        send(&mut socket, id, 1..=100).await;
        acknowledged(&mut socket, 100).await;
        sockets.push(socket);
    }
    for socket in sockets {
        socket.disconnected(Some(3001));
    }
    world.until_archived(&["s", "t"]).await;
    let b = world.start("b").await;
    assert_eq!(go_on(&b, "s", 110).await, 100);
    assert_eq!(go_on(&b, "t", 110).await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_dump_is_extracted_again() {
    let world = World::new();
    let a = world.start("a").await;
    go_on(&a, "s", 10).await;
    world.until_archived(&["s"]).await;
    let before = world.sink.parts();
    let again = Arc::new(MemorySink::default());
    a.shutdown(Duration::from_secs(5)).await.unwrap();
    let b = world
        .start_with("b", |options| {
            options.sinks = vec![Arc::clone(&again) as Arc<dyn FeatureSink>];
        })
        .await;
    let operator = world.cluster.node("operator");
    for dump in ["s", "gone"] {
        operator
            .push(&Work::Extract { name: name(dump) })
            .await
            .unwrap();
    }
    until("both tasks", async || counters(&b).await.tasks_done == 2).await;
    let parts = again.parts();
    assert_eq!(
        parts.keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>()
    );
    let features = (name("s"), "features".to_owned());
    assert_eq!(parts[&features].get(), before[&features].get());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_server_knew_is_kept_when_a_dump_is_extracted_again() {
    let world = World::new();
    let a = world.start("a").await;
    go_on(&a, "s", 10).await;
    world.until_archived(&["s"]).await;
    a.shutdown(Duration::from_secs(5)).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let records = Arc::new(DirectorySink::open(directory.path()).unwrap());
    let part = |part: &str, json: &str| RecordPart {
        part: part.to_owned(),
        json: serde_json::value::RawValue::from_string(json.to_owned()).unwrap(),
    };
    let earlier = SessionRecord {
        name: name("s"),
        parts: vec![
            part("series", r#"{"connections":[]}"#),
            part(
                "session",
                r#"{"user":"of the token","resumes":3,"bytes":1}"#,
            ),
        ],
    };
    records.publish(&earlier).await.unwrap();
    let b = world
        .start_with("b", |options| {
            options.sinks = vec![
                Arc::new(MemorySink::default()) as Arc<dyn FeatureSink>,
                Arc::clone(&records) as Arc<dyn FeatureSink>,
            ];
        })
        .await;
    let operator = world.cluster.node("operator");
    operator
        .push(&Work::Extract { name: name("s") })
        .await
        .unwrap();
    until("the task", async || counters(&b).await.tasks_done == 1).await;
    let record = records.record(&name("s")).await.unwrap().unwrap();
    assert_eq!(
        record.part("series").unwrap().get(),
        r#"{"connections":[]}"#
    );
    assert!(record.part("features").is_some());
    let session: serde_json::Value =
        serde_json::from_str(record.part("session").unwrap().get()).unwrap();
    assert_eq!(session["user"], "of the token");
    assert_eq!(session["resumes"], 3);
    assert!(session["bytes"].as_u64().unwrap() > 100, "{session}");
}

/// A node over NATS.
#[cfg(feature = "jetstream")]
async fn start_over_nats(world: &World, url: &str, deployment: &str, node: &str) -> Runtime {
    let mut options = rtcstats_server_core::JetStreamOptions::new(url, node);
    options.deployment = deployment.to_owned();
    let store = rtcstats_server_core::JetStream::connect(options).await;
    let store = Arc::new(store.unwrap());
    let start = world.start_with(node, |options| {
        let (ownership, queue) = (Arc::clone(&store) as _, Arc::clone(&store) as _);
        options.cluster = Some(ClusterOptions::new(ownership, queue));
        options.journal = store;
    });
    start.await
}

#[cfg(feature = "jetstream")]
#[tokio::test(flavor = "multi_thread")]
async fn over_jetstream_sessions_go_on_at_another_node() {
    let servers = tokio::task::spawn_blocking(|| nats::NatsServers::start(1));
    let Some(servers) = servers.await.unwrap() else {
        return;
    };
    let url = servers.url();
    for (deployment, is_gone) in [("alive", false), ("gone", true)] {
        let world = World::new();
        let a = start_over_nats(&world, &url, deployment, "a").await;
        let b = start_over_nats(&world, &url, deployment, "b").await;
        let (mut old, _) = connect(&a, "s").await;
        send(&mut old, "s", 1..=150).await;
        acknowledged(&mut old, 100).await;
        if is_gone {
            // Nothing of it is told to anybody.
            drop((a, old));
            let has = go_on(&b, "s", 200).await;
            assert!((100..=150).contains(&has), "{has}");
        } else {
            let (mut new, has) = connect(&b, "s").await;
            assert!((100..=150).contains(&has), "{has}");
            send(&mut old, "s", 151..=160).await;
            assert_eq!(closed(&mut old).await, 1001);
            send(&mut new, "s", has + 1..=200).await;
            acknowledged(&mut new, 200).await;
            let snapshot = b.snapshot(&name("s")).await.unwrap();
            let features = serde_json::to_value(&snapshot).unwrap();
            let count = &features["features"]["metrics"]["otherRequestCount"];
            assert_eq!(count, 200);
            new.disconnected(Some(3001));
            until("the loss", async || counters(&a).await.sessions_lost == 1).await;
        }
        until("the dump", async || world.archive.names() == ["s"]).await;
        assert_eq!(world.numbers("s"), (1..=200).collect::<Vec<_>>());
        assert_eq!(world.published(), ["s"]);
        // It is told at the end that its session ended.
        assert_eq!(go_on(&b, "s", 210).await, 200);
        until("the next dump", async || {
            world.archive.names() == ["s", "s_1"]
        })
        .await;
        assert_eq!(world.numbers("s_1"), (201..=210).collect::<Vec<_>>());
    }
}
