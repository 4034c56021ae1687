//! Deleting one user's data: open sessions, sessions being completed, dumps and records.

#![cfg(feature = "tokio")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod stores;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rtcstats_proto::jitsi::SessionId;
use rtcstats_server_core::{
    ClusterOptions, DumpName, Journal, MemoryCluster, Selection, SinkErasureOutcome, Upgrade, Work,
    WorkQueue,
};
use stores::{
    Record, Setup, Stores, close_code, connect, name, plain_call, send, setup, until, upgrade,
};

fn user(user: &str) -> Selection {
    Selection::User(user.to_owned())
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<DumpName> {
    names.into_iter().map(name).collect()
}

async fn logs(setup: &Setup) -> Vec<String> {
    let logs = setup.journal.inner.list().await.unwrap();
    logs.iter().map(|log| log.name.to_string()).collect()
}

async fn simple() -> Setup {
    setup(Stores::default(), |_| {}).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_session_ends_and_its_client_is_kept_away() {
    let setup = simple().await;
    let mut socket = connect(&setup.runtime, "a").await;
    send(&mut socket, "a", "ann", 3).await;
    let mut other = connect(&setup.runtime, "b").await;
    send(&mut other, "b", "bob", 3).await;
    // One that waits for its client.
    let mut resumable = connect(&setup.runtime, "c").await;
    send(&mut resumable, "c", "ann", 3).await;
    resumable.disconnected(Some(1006));
    until_logs(&setup, 3).await;

    let report = setup.runtime.erase(&user("ann")).await;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.sessions, names(["a", "c"]));
    assert_eq!(report.journal.erased, 2);
    assert_eq!(close_code(&mut socket).await, 3001);
    socket.disconnected(Some(3001));
    let refusal = setup
        .runtime
        .connect(&setup.runtime.handshake(&upgrade("c")).unwrap())
        .await;
    assert_eq!(refusal.err().unwrap().code, 3001);

    assert_eq!(logs(&setup).await, ["b"]);
    send(&mut other, "b", "bob", 4).await;
    other.disconnected(Some(3001));
    until("the other's dump", || setup.archive.names() == ["b"]).await;
    assert_eq!(setup.sink.names(), ["b"]);
    let (counters, _) = setup.runtime.metrics().await;
    assert_eq!((counters.erased_sessions, counters.finished), (2, 1));
}

async fn until_logs(setup: &Setup, count: usize) {
    for _ in 0..1_000 {
        if logs(setup).await.len() == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", logs(setup).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_a_back_end_goes_and_its_socket_stays() {
    let setup = simple().await;
    let upgrade = Upgrade {
        target: "/".to_owned(),
        subprotocols: "1.0_JVB".to_owned(),
        ..Upgrade::default()
    };
    let mut socket = setup
        .runtime
        .connect(&setup.runtime.handshake(&upgrade).unwrap())
        .await
        .unwrap();
    for (id, user) in [("a", "ann"), ("b", "bob")] {
        send(&mut socket, id, user, 2).await;
    }
    let id = SessionId::new("a").unwrap();
    let report = setup.runtime.erase(&Selection::Session(id)).await;
    assert_eq!(report.sessions, names(["a"]));
    for (id, user) in [("a", "ann"), ("b", "bob")] {
        send(&mut socket, id, user, 2).await;
    }
    let open = setup.runtime.sessions();
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0].name, name("b"));
    let (counters, _) = setup.runtime.metrics().await;
    assert_eq!(counters.fenced_messages, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_being_completed_does_not_reappear() {
    let setup = simple().await;
    setup.sink.gate.send_replace(false);
    let socket = plain_call(&setup.runtime, "ann", "c").await;
    let other = plain_call(&setup.runtime, "bob", "c").await;
    until_logs(&setup, 2).await;
    socket.disconnected(Some(1000));
    other.disconnected(Some(1000));
    let mut arrived = setup.sink.arrived.subscribe();
    arrived.wait_for(|arrived| *arrived == 2).await.unwrap();

    // The record is on its way into the sink: it is waited for.
    let runtime = setup.runtime.clone();
    let erasing = tokio::spawn(async move { runtime.erase(&user("ann")).await });
    until_logs(&setup, 1).await;
    assert!(!erasing.is_finished(), "it does not wait");
    setup.sink.gate.send_replace(true);
    let report = erasing.await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.sinks[0].outcome, SinkErasureOutcome::Erased(1));

    until("the other's dump", || setup.archive.names().len() == 1).await;
    until("the end", || {
        setup.runtime.health().degradations.is_empty() && setup.sink.names().len() == 1
    })
    .await;
    assert_eq!(setup.sink.names(), setup.archive.names());
    let left = setup.sink.names();
    assert!(!report.sessions.contains(&name(&left[0])));
    until_logs(&setup, 0).await;
    let (_, gauges) = setup.runtime.metrics().await;
    assert_eq!(gauges.queue_size, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_waits_for_a_failing_archive_goes() {
    let setup = simple().await;
    setup.archive.is_failing.store(true, Ordering::SeqCst);
    let socket = plain_call(&setup.runtime, "ann", "c").await;
    until_logs(&setup, 1).await;
    socket.disconnected(Some(1000));
    until("a failure", || {
        !setup.runtime.health().degradations.is_empty()
    })
    .await;
    let report = setup
        .runtime
        .erase(&Selection::Conference("C".to_owned()))
        .await;
    assert_eq!(report.journal.erased, 1);
    setup.archive.is_failing.store(false, Ordering::SeqCst);
    let other = plain_call(&setup.runtime, "bob", "d").await;
    until_logs(&setup, 1).await;
    other.disconnected(Some(1000));
    until("the other's dump", || setup.archive.names().len() == 1).await;
    let (_, gauges) = setup.runtime.metrics().await;
    assert_eq!(gauges.queue_size, 0);
    assert_eq!(setup.sink.names(), setup.archive.names());
}

const ANN: &str = "RTCStatsDump\n{}\n[\"identity\",null,{\"user\":\"ann\"},1]\n";
const BOB: &str = "RTCStatsDump\n{}\n[\"identity\",null,{\"user\":\"bob\"},1]\n";

fn record(user: &str) -> Record {
    Record {
        user: Some(user.to_owned()),
        ..Record::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dumps_and_records_go_and_what_no_sink_knows_is_read() {
    let setup = simple().await;
    for (dump, user, text) in [("a", "ann", BOB), ("a_1", "ann", ANN), ("b", "bob", BOB)] {
        setup.archive.put(dump, text, 5.0);
        setup.sink.put(dump, record(user));
    }
    setup.sink.put("row-only", record("ann"));
    setup.archive.put("dump-only", ANN, 5.0);
    setup.archive.put("other", BOB, 5.0);

    let report = setup.runtime.erase(&user("ann")).await;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(
        report.sessions,
        names(["a", "a_1", "dump-only", "row-only"])
    );
    assert_eq!((report.archive.erased, report.scanned), (3, 2));
    assert_eq!(report.sinks[0].outcome, SinkErasureOutcome::Erased(3));
    assert_eq!(setup.archive.names(), ["b", "other"]);
    assert_eq!(setup.sink.names(), ["b"]);

    let again = setup.runtime.erase(&user("ann")).await;
    assert!(
        again.is_complete() && again.sessions.is_empty(),
        "{again:?}"
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["sinks"][0]["outcome"]["erased"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sink_that_can_be_asked_every_dump_is_read() {
    let mut stores = Stores::default();
    stores.sink.can_be_asked = false;
    let setup = setup(stores, |_| {}).await;
    setup.archive.put("a", ANN, 5.0);
    setup.archive.put("b", BOB, 5.0);
    setup.sink.put("a", record("ann"));
    let report = setup.runtime.erase(&user("ann")).await;
    assert_eq!((report.scanned, report.sessions), (2, names(["a"])));
    assert_eq!(setup.archive.names(), ["b"]);
    assert!(setup.sink.names().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_told_and_done_by_the_next_call() {
    let setup = simple().await;
    setup.archive.put("a", ANN, 5.0);
    setup.sink.put("a", record("ann"));
    setup.sink.is_failing.store(true, Ordering::SeqCst);
    let report = setup.runtime.erase(&user("ann")).await;
    assert!(!report.is_complete());
    assert_eq!(report.unsearched, ["records"]);
    let failed = SinkErasureOutcome::Failed("sink records failed: out of order".to_owned());
    assert_eq!(report.sinks[0].outcome, failed);
    assert_eq!(report.archive.erased, 1);
    setup.sink.is_failing.store(false, Ordering::SeqCst);
    let report = setup.runtime.erase(&user("ann")).await;
    assert!(report.is_complete());
    assert!(setup.sink.names().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_is_being_extracted_again_does_not_reappear() {
    let cluster = MemoryCluster::new(32 << 20);
    let node = Arc::new(cluster.node("a"));
    let setup = setup(Stores::default(), |options| {
        options.cluster = Some(ClusterOptions::new(node.clone(), node.clone()));
        options.journal = node;
    })
    .await;
    setup.archive.put("a", ANN, 5.0);
    setup.sink.put("a", record("ann"));
    setup.sink.gate.send_replace(false);
    let work = Work::Extract { name: name("a") };
    cluster.node("operator").push(&work).await.unwrap();
    let mut arrived = setup.sink.arrived.subscribe();
    arrived.wait_for(|arrived| *arrived == 1).await.unwrap();

    let runtime = setup.runtime.clone();
    let mut erasing = tokio::spawn(async move { runtime.erase(&user("ann")).await });
    let early = tokio::time::timeout(Duration::from_millis(500), &mut erasing).await;
    assert!(early.is_err(), "it does not wait for the record");
    setup.sink.gate.send_replace(true);
    let report = erasing.await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert!(setup.archive.names().is_empty());
    for _ in 0..1_000 {
        if setup.runtime.metrics().await.0.tasks_done == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(setup.runtime.metrics().await.0.tasks_done, 1);
    assert!(setup.sink.names().is_empty(), "the record is back");
}
