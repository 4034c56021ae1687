//! NATS JetStream as journal, ownership and queue of several nodes.

#![cfg(all(feature = "jetstream", feature = "testing"))]
#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and tells what it saw"
)]

use std::cell::Cell;
use std::io::{BufRead, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt;
use rtcstats_server_core::testing::block_on;
use rtcstats_server_core::{
    Append, BoxFuture, Claim, DumpName, EndedSession, JetStream, JetStreamOptions, Journal,
    JournalError, JournalErrorKind, Ownership, SessionFacts, Work, WorkQueue, testing,
};

#[path = "services/nats.rs"]
mod nats;

use nats::NatsServers;

const PATIENCE: Duration = Duration::from_secs(60);

/// Options of a node of a deployment, with times that suit tests.
fn options(servers: &NatsServers, deployment: &str, node: &str) -> JetStreamOptions {
    JetStreamOptions {
        deployment: deployment.to_owned(),
        replicas: servers.count(),
        node_timeout: Duration::from_secs(2),
        task_timeout: Duration::from_secs(1),
        attempts: 3,
        retry_pause: Duration::from_millis(50),
        ..JetStreamOptions::new(servers.url(), node)
    }
}

fn connect(options: JetStreamOptions) -> JetStream {
    block_on(JetStream::connect(options)).unwrap()
}

/// Opens nodes of one new deployment after the other.
struct Deployments<'a> {
    servers: &'a NatsServers,
    count: Cell<u32>,
}

impl<'a> Deployments<'a> {
    fn new(servers: &'a NatsServers) -> Self {
        Self {
            servers,
            count: Cell::new(0),
        }
    }

    fn pair(&self) -> (JetStream, JetStream) {
        self.count.set(self.count.get() + 1);
        let deployment = format!("d{}", self.count.get());
        let node = |name| connect(options(self.servers, &deployment, name));
        (node("a"), node("b"))
    }
}

fn name(id: &str) -> DumpName {
    id.parse().unwrap()
}

fn append<'a>(
    journal: &'a JetStream,
    name: &DumpName,
    lines: &str,
) -> BoxFuture<'a, Result<(), JournalError>> {
    journal.append(vec![Append {
        name: name.clone(),
        lines: lines.to_owned().into(),
    }])
}

fn text(journal: &JetStream, name: &DumpName) -> String {
    let mut text = String::new();
    let mut reader = block_on(journal.read(name)).unwrap();
    reader.read_to_string(&mut text).unwrap();
    text
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Appends a line as the server does: after an error it reads what is there, and sends what is missing.
/// Returns how many errors there were.
fn append_until_durable(journal: &JetStream, name: &DumpName, stored: &str, line: &str) -> usize {
    let deadline = Instant::now() + PATIENCE;
    let mut errors = 0;
    let mut missing = line.to_owned();
    while let Err(error) = block_on(append(journal, name, &missing)) {
        errors += 1;
        eprintln!("{error}: {:?}", error.kind());
        let has = loop {
            assert!(Instant::now() < deadline, "the servers stay away");
            match block_on(journal.read(name)) {
                Ok(reader) => match std::io::read_to_string(reader) {
                    Ok(has) => break has,
                    Err(error) => eprintln!("{error}"),
                },
                Err(error) if matches!(error.kind(), JournalErrorKind::UnknownLog) => {
                    break String::new();
                }
                Err(error) => eprintln!("{error}: {:?}", error.kind()),
            }
        };
        let wanted = format!("{stored}{line}");
        missing = wanted.strip_prefix(&has).unwrap().to_owned();
    }
    errors
}

#[test]
fn jetstream_keeps_the_contract_of_journals() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let deployments = Deployments::new(&servers);
    testing::journal_contract(|| deployments.pair().0);
}

#[test]
fn jetstream_keeps_the_contract_of_ownership() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let deployments = Deployments::new(&servers);
    testing::ownership_contract(|| deployments.pair());
}

#[test]
fn jetstream_keeps_the_contract_of_queues() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let deployments = Deployments::new(&servers);
    let put_aside = |_: &JetStream| {
        let stream = format!("d{}_dead", deployments.count.get());
        on_stream(&servers, &stream, put_aside)
    };
    testing::queue_contract(3, || deployments.pair(), put_aside);
}

/// Does something with a stream, past what is tested.
fn on_stream<T>(servers: &NatsServers, stream: &str, act: impl AsyncFnOnce(Stream) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = async_nats::connect(servers.url_of(0)).await.unwrap();
        let context = async_nats::jetstream::new(client);
        act(context.get_stream(stream).await.unwrap()).await
    })
}

async fn put_aside(stream: Stream) -> Vec<(DumpName, String)> {
    let mut subjects = stream.info_with_subjects(">").await.unwrap();
    let mut aside = Vec::new();
    while let Some(subject) = subjects.next().await {
        let (subject, _) = subject.unwrap();
        let message = stream
            .get_last_raw_message_by_subject(&subject)
            .await
            .unwrap();
        let reason = message.headers.get("Rtcstats-Reason").unwrap().to_string();
        aside.push((name(subject.rsplit('.').next().unwrap()), reason));
    }
    aside
}

#[test]
fn an_acknowledgement_that_comes_too_late_stores_nothing_twice() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let journal = connect(JetStreamOptions {
        timeout: Duration::from_millis(300),
        give_up_after: PATIENCE,
        ..options(&servers, "d", "a")
    });
    let name = name("a");
    block_on(append(&journal, &name, "0\n")).unwrap();
    let mut expected = "0\n".to_owned();
    for round in 1..4 {
        servers.pause(0);
        let line = format!("{round}\n");
        let late = append(&journal, &name, &line);
        // Some attempts go without an answer; the server finds all of them in its socket.
        std::thread::sleep(Duration::from_millis(1_000));
        servers.resume(0);
        block_on(late).unwrap();
        expected.push_str(&line);
    }
    assert_eq!(text(&journal, &name), expected);
    let lines = on_stream(&servers, "d_log", async |mut stream| {
        stream.info().await.unwrap().state.messages
    });
    assert_eq!(lines, 4);
}

#[test]
fn what_was_given_up_and_arrives_all_the_same_is_found() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let journal = connect(JetStreamOptions {
        timeout: Duration::from_millis(200),
        give_up_after: Duration::from_millis(300),
        ..options(&servers, "d", "a")
    });
    let name = name("a");
    let mut expected = String::new();
    let mut errors = 0;
    for round in 0..4 {
        let line = format!("{round}\n");
        if round > 0 {
            servers.pause(0);
            let given_up = block_on(append(&journal, &name, &line)).unwrap_err();
            assert!(matches!(given_up.kind(), JournalErrorKind::Store(_)));
            let behind = block_on(append(&journal, &name, &line)).unwrap_err();
            assert!(matches!(behind.kind(), JournalErrorKind::EarlierFailure));
            servers.resume(0);
        }
        errors += append_until_durable(&journal, &name, &expected, &line);
        expected.push_str(&line);
    }
    assert!(errors >= 3, "{errors} errors");
    assert_eq!(text(&journal, &name), expected);
}

#[test]
fn long_lines_go_in_several_messages() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let (a, b) = Deployments::new(&servers).pair();
    let name = name("a");
    let long = |letter: &str| format!("{}\n", letter.repeat(3 << 20));
    let lines = format!("short\n{}{}short\n", long("a"), long("b"));
    block_on(append(&a, &name, &lines)).unwrap();
    block_on(append(&a, &name, "more\n")).unwrap();
    let expected = format!("{lines}more\n");
    assert!(text(&a, &name) == expected);
    assert!(text(&b, &name) == expected);
    let entry = block_on(b.list()).unwrap().remove(0);
    assert_eq!(entry.bytes, expected.len() as u64);
}

#[test]
fn a_long_line_that_was_torn_is_cut_off() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let (a, b) = Deployments::new(&servers).pair();
    let name = name("a");
    block_on(append(&a, &name, "1\n")).unwrap();
    // The writer dies between two messages of a line.
    on_stream(&servers, "d1_log", async |stream| {
        let last = stream
            .get_last_raw_message_by_subject("d1.log.a")
            .await
            .unwrap();
        let mut headers = last.headers.clone();
        headers.insert("Rtcstats-Offset", "2");
        headers.insert("Rtcstats-End", "9");
        headers.insert("Rtcstats-Whole", "2");
        headers.insert("Rtcstats-Before", last.sequence.to_string());
        headers.insert("Nats-Msg-Id", "torn");
        headers.insert(
            "Nats-Expected-Last-Subject-Sequence",
            last.sequence.to_string(),
        );
        let client = async_nats::connect(servers.url_of(0)).await.unwrap();
        let context = async_nats::jetstream::new(client);
        let sent = context.publish_with_headers("d1.log.a", headers, "[\"torn ".into());
        sent.await.unwrap().await.unwrap();
    });
    assert_eq!(text(&b, &name), "1\n");
    assert_eq!(block_on(b.list()).unwrap().remove(0).bytes, 2);
    let claim = block_on(b.claim(name.session_id())).unwrap();
    assert_eq!(claim, Claim::Taken(name.clone()));
    assert_eq!(text(&b, &name), "1\n");
    block_on(append(&b, &name, "2\n")).unwrap();
    block_on(b.finish(&name)).unwrap();
    assert_eq!(text(&a, &name), "1\n2\n");
}

#[test]
fn a_server_that_was_killed_is_found_again() {
    let Some(mut servers) = NatsServers::start(1) else {
        return;
    };
    let journal = connect(JetStreamOptions {
        timeout: Duration::from_millis(500),
        give_up_after: Duration::from_secs(2),
        ..options(&servers, "d", "a")
    });
    let name = name("a");
    let mut expected = String::new();
    for round in 0..4 {
        let line = format!("{round}\n");
        if round % 2 == 1 {
            servers.kill(0);
            let error = block_on(append(&journal, &name, &line)).unwrap_err();
            assert!(matches!(error.kind(), JournalErrorKind::Store(_)));
            assert!(block_on(journal.list()).is_err());
            servers.restart(0);
        }
        append_until_durable(&journal, &name, &expected, &line);
        expected.push_str(&line);
    }
    assert_eq!(text(&journal, &name), expected);
}

#[test]
fn appends_go_on_when_a_leader_dies() {
    let Some(mut servers) = NatsServers::start(3) else {
        return;
    };
    let journal = connect(options(&servers, "d", "a"));
    let name = name("a");
    let mut expected = String::new();
    let mut slowest = Duration::ZERO;
    let mut errors = 0;
    for round in 0..60 {
        let line = format!("{round}\n");
        let killed = (round % 20 == 10).then(|| servers.leader_of("d_log"));
        if let Some(leader) = killed {
            servers.kill(leader);
        }
        let begin = Instant::now();
        errors += append_until_durable(&journal, &name, &expected, &line);
        slowest = slowest.max(begin.elapsed());
        expected.push_str(&line);
        assert_eq!(text(&journal, &name), expected);
        if let Some(leader) = killed {
            servers.restart(leader);
        }
    }
    eprintln!("3 leaders killed: slowest append {slowest:?}, {errors} errors");
}

/// Servers of a cluster (2.9) store both of two messages that are to follow the same one, if they come at
/// the same time.
#[test]
fn what_is_appended_while_another_node_takes_over_is_in_the_log_or_refused() {
    const ROUNDS: usize = 60;
    let Some(servers) = NatsServers::start(3) else {
        return;
    };
    let (a, b) = Deployments::new(&servers).pair();
    let mut refused = 0;
    for round in 0..ROUNDS {
        let name = name(&format!("log-{round}"));
        block_on(append(&a, &name, "0\n")).unwrap();
        let mut expected = "0\n".to_owned();
        let claiming = b.claim(name.session_id());
        let lines = (1..=12).map(|number| format!("{number}\n"));
        let appending: Vec<_> = lines.map(|line| (append(&a, &name, &line), line)).collect();
        for (appended, line) in appending {
            match block_on(appended) {
                Ok(()) => expected.push_str(&line),
                Err(_) => refused += 1,
            }
        }
        assert_eq!(block_on(claiming).unwrap(), Claim::Taken(name.clone()));
        assert_eq!(text(&b, &name), expected);
        block_on(append(&b, &name, "of b\n")).unwrap();
        expected.push_str("of b\n");
        assert_eq!(text(&a, &name), expected);
    }
    eprintln!("{refused} appends refused in {ROUNDS} rounds");
    assert!(refused > 0, "nobody was fenced");
}

#[test]
fn what_a_dead_node_had_is_adopted_and_what_a_living_one_has_is_not() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let (a, b) = Deployments::new(&servers).pair();
    let c = connect(options(&servers, "d1", "c"));
    let (open, finished, queued, kept) = (name("o"), name("f"), name("q"), name("k"));
    for name in [&open, &finished, &queued] {
        block_on(append(&a, name, "[1]\n")).unwrap();
    }
    block_on(append(&b, &kept, "[1]\n")).unwrap();
    for name in [&finished, &queued] {
        block_on(a.finish(name)).unwrap();
    }
    let work = Work::Complete {
        name: queued.clone(),
        facts: Box::new(SessionFacts::default()),
        bytes: 4,
    };
    block_on(a.push(&work)).unwrap();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        assert!(
            block_on(c.adopt(10, Arc::new(|_| false)))
                .unwrap()
                .is_empty(),
            "all are alive"
        );
    }
    // As a crash would leave it.
    drop(a);
    let mut adopted = Vec::new();
    wait_until("adopted", || {
        adopted.extend(block_on(c.adopt(10, Arc::new(|_| false))).unwrap());
        adopted.len() >= 2
    });
    adopted.sort();
    adopted.dedup();
    assert_eq!(adopted, [finished.clone(), open.clone()]);
    block_on(append(&c, &open, "[2]\n")).unwrap();
    assert_eq!(text(&c, &open), "[1]\n[2]\n");
    block_on(append(&b, &kept, "[2]\n")).unwrap();
    // How far they got was never said, and is told all the same.
    for name in [&finished, &queued] {
        let claim = block_on(b.claim(name.session_id())).unwrap();
        let ended = EndedSession {
            name: name.clone(),
            accepted: 0,
            durable: 0,
            over_limit: false,
        };
        assert_eq!(claim, Claim::Ended(ended));
    }
}

#[test]
fn a_node_that_was_closed_in_good_order_is_known_to_be_gone_at_once() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let deployments = Deployments::new(&servers);
    let (a, b) = deployments.pair();
    let name = name("a");
    block_on(append(&a, &name, "1\n")).unwrap();
    wait_until("b knows who lives", || {
        let nodes = on_stream(&servers, "KV_d1_nodes", async |mut stream| {
            stream.info().await.unwrap().state.messages
        });
        nodes == 2
    });
    block_on(a.close()).unwrap();
    let nodes = on_stream(&servers, "KV_d1_nodes", async |mut stream| {
        stream.info().await.unwrap().state.messages
    });
    assert_eq!(nodes, 1);
    let mut adopted = Vec::new();
    wait_until("adopted", || {
        adopted = block_on(b.adopt(10, Arc::new(|_| false))).unwrap();
        !adopted.is_empty()
    });
    assert_eq!(adopted, [name]);
}

#[test]
fn ended_sessions_are_forgotten_after_a_time() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let node = connect(JetStreamOptions {
        ended_retention: Duration::from_millis(500),
        ..options(&servers, "d", "a")
    });
    let name = name("a");
    let ended = EndedSession {
        name: name.clone(),
        accepted: 3,
        durable: 2,
        over_limit: true,
    };
    block_on(node.end(&ended)).unwrap();
    let claim = block_on(node.claim(name.session_id())).unwrap();
    assert_eq!(claim, Claim::Ended(ended));
    wait_until("forgotten", || {
        block_on(node.adopt(10, Arc::new(|_| false))).unwrap();
        block_on(node.claim(name.session_id())).unwrap() == Claim::New
    });
}

#[test]
fn a_full_store_says_so_and_leaves_no_hole() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let journal = connect(JetStreamOptions {
        max_bytes: Some(100_000),
        ..options(&servers, "d", "a")
    });
    let (log, other) = (name("a"), name("b"));
    block_on(append(&journal, &other, "1\n")).unwrap();
    let line = format!("{}\n", "x".repeat(30_000));
    let mut stored = String::new();
    let error = loop {
        match block_on(append(&journal, &log, &line)) {
            Ok(()) => stored.push_str(&line),
            Err(error) => break error,
        }
        assert!(stored.len() < 100_000, "never full");
    };
    assert!(
        matches!(error.kind(), JournalErrorKind::Full(_)),
        "{:?}",
        error.kind()
    );
    assert!(text(&journal, &log) == stored);
    block_on(journal.remove(&log)).unwrap();
    block_on(append(&journal, &log, &line)).unwrap();
    assert!(text(&journal, &log) == line);
}

#[test]
fn what_is_over_the_limit_is_refused_and_leaves_no_hole() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let journal = connect(JetStreamOptions {
        queue_bytes: 1_000,
        ..options(&servers, "d", "a")
    });
    let name = name("a");
    let large = append(&journal, &name, &"[1]\n".repeat(300));
    let behind = append(&journal, &name, "[2]\n");
    let kind = |result: Result<(), JournalError>| format!("{:?}", result.unwrap_err().kind());
    assert_eq!(kind(block_on(large)), "OverLimit { limit: 1000 }");
    assert_eq!(kind(block_on(behind)), "EarlierFailure");
    let Err(error) = block_on(journal.read(&name)) else {
        panic!("a log was made");
    };
    assert!(matches!(error.kind(), JournalErrorKind::UnknownLog));
    block_on(append(&journal, &name, "[3]\n")).unwrap();
    assert_eq!(text(&journal, &name), "[3]\n");
}

#[test]
fn a_log_can_be_read_wherever_it_is_read() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let journal = connect(options(&servers, "d", "a"));
    let name = name("a");
    let line = format!("{}\n", "x".repeat(9_999));
    for _ in 0..50 {
        block_on(append(&journal, &name, &line)).unwrap();
    }
    let count = |reader: Box<dyn BufRead + Send>| reader.lines().map(Result::unwrap).count();
    assert_eq!(count(block_on(journal.read(&name)).unwrap()), 50);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let reader = journal.read(&name).await.unwrap();
        let blocking = tokio::task::spawn_blocking(move || count(reader));
        assert_eq!(blocking.await.unwrap(), 50);
        // Even where one must not block.
        assert_eq!(count(journal.read(&name).await.unwrap()), 50);
    });
    let reader = block_on(journal.read(&name)).unwrap();
    drop(journal);
    assert!(reader.lines().any(|line| line.is_err()), "it cannot go on");
}

#[test]
fn a_log_of_many_messages_is_read_as_it_was_among_others_whoever_wrote_it() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let (a, b) = Deployments::new(&servers).pair();
    let (log, other) = (name("a"), name("b"));
    let mut expected = String::new();
    let mut readers = Vec::new();
    // Ends before, at and after the places where the lists of messages are full.
    for (round, count) in [1, 31, 1, 32, 33, 100, 64].into_iter().enumerate() {
        let journal = if round % 2 == 0 { &a } else { &b };
        if round > 0 {
            let claim = block_on(journal.claim(log.session_id())).unwrap();
            assert_eq!(claim, Claim::Taken(log.clone()));
        }
        for number in 0..count {
            let line = format!("{round}.{number}\n");
            block_on(append(journal, &log, &line)).unwrap();
            block_on(append(&a, &other, "between\n")).unwrap();
            expected.push_str(&line);
        }
        assert_eq!(text(&a, &log), expected);
        let reader = block_on(b.read(&log)).unwrap();
        readers.push((reader, expected.clone()));
    }
    block_on(a.finish(&log)).unwrap();
    assert_eq!(text(&b, &log), expected);
    // What came after them is not theirs.
    for (reader, expected) in readers {
        assert_eq!(std::io::read_to_string(reader).unwrap(), expected);
    }
}

#[test]
fn a_log_that_was_removed_is_not_taken_for_a_shorter_one() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let (a, b) = Deployments::new(&servers).pair();
    let name = name("a");
    let line = format!("{}\n", "x".repeat(9_999));
    for _ in 0..100 {
        block_on(append(&a, &name, &line)).unwrap();
    }
    let mut reader = block_on(b.read(&name)).unwrap();
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    assert_eq!(first, line);
    block_on(a.remove(&name)).unwrap();
    assert!(reader.lines().any(|line| line.is_err()));
    // Nothing leads to the messages of a log of the same name before it.
    block_on(append(&a, &name, "again\n")).unwrap();
    assert_eq!(text(&a, &name), "again\n");
}

#[test]
fn options_that_cannot_be_are_refused() {
    for options in [
        JetStreamOptions::new("nats://127.0.0.1:1", "a.b"),
        JetStreamOptions {
            replicas: 6,
            ..JetStreamOptions::new("nats://127.0.0.1:1", "a")
        },
        JetStreamOptions::new("nats://127.0.0.1:1", "a"),
        JetStreamOptions::new("", "a"),
    ] {
        assert!(block_on(JetStream::connect(options)).is_err());
    }
}
