//! What a server says of itself while its stores fail.

#![cfg(feature = "tokio")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod stores;

use std::sync::atomic::Ordering;
use std::time::Duration;

use rtcstats_server_core::{Degradation, HealthOptions, HealthStatus, Journal, RuntimeOptions};
use stores::{Setup, Stores, connect, plain_call, send, setup, until};

fn impatient(options: &mut RuntimeOptions) {
    options.health = HealthOptions {
        probe_after: Duration::from_millis(100),
        stalled_after: Duration::from_millis(300),
        backlog: 1,
    };
}

async fn start() -> Setup {
    setup(Stores::default(), impatient).await
}

fn has(setup: &Setup, wanted: fn(&Degradation) -> bool) -> bool {
    setup.runtime.health().degradations.iter().any(wanted)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_journal_makes_it_unready_until_it_works_again() {
    let setup = start().await;
    assert_eq!(setup.runtime.health().status, HealthStatus::Ok);
    let mut socket = connect(&setup.runtime, "s").await;
    setup.journal.is_failing.store(true, Ordering::SeqCst);
    send(&mut socket, "s", "ann", 3).await;
    until("unready", || !setup.runtime.health().is_ready()).await;
    assert!(has(&setup, |one| matches!(
        one,
        Degradation::JournalFailing { .. }
    )));
    setup.journal.is_failing.store(false, Ordering::SeqCst);
    until("health", || {
        setup.runtime.health().status == HealthStatus::Ok
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_notices_that_its_journal_fails() {
    let setup = start().await;
    setup.journal.is_failing.store(true, Ordering::SeqCst);
    until("unready", || !setup.runtime.health().is_ready()).await;
    setup.journal.is_failing.store(false, Ordering::SeqCst);
    until("ready", || setup.runtime.health().is_ready()).await;
    let logs = setup.journal.inner.list().await.unwrap();
    assert!(logs.is_empty(), "{logs:?}");
    assert!(setup.runtime.sessions().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_does_not_answer_makes_it_unready() {
    let setup = start().await;
    setup.journal.is_stalled.send_replace(true);
    let mut socket = connect(&setup.runtime, "s").await;
    send(&mut socket, "s", "ann", 3).await;
    until("stalled", || {
        has(&setup, |one| {
            matches!(one, Degradation::JournalStalled { .. })
        })
    })
    .await;
    assert!(!setup.runtime.health().is_ready());
    setup.journal.is_stalled.send_replace(false);
    until("ready", || setup.runtime.health().is_ready()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_sink_or_archive_and_a_backlog_degrade_it_and_clients_are_served() {
    let setup = start().await;
    setup.sink.is_failing.store(true, Ordering::SeqCst);
    for user in ["ann", "bob"] {
        let socket = plain_call(&setup.runtime, user, "c").await;
        socket.disconnected(Some(1000));
    }
    until("a failing sink", || {
        has(
            &setup,
            |one| matches!(one, Degradation::SinkFailing { sink, .. } if sink == "records"),
        )
    })
    .await;
    until("a backlog", || {
        has(&setup, |one| {
            matches!(
                one,
                Degradation::CompletionBacklog {
                    waiting: 2,
                    limit: 1
                }
            )
        })
    })
    .await;
    let health = setup.runtime.health();
    assert_eq!(health.status, HealthStatus::Degraded);
    assert!(health.is_ready());
    setup.archive.is_failing.store(true, Ordering::SeqCst);
    setup.sink.is_failing.store(false, Ordering::SeqCst);
    // Dumps go before records, so it takes another session to see it.
    let socket = plain_call(&setup.runtime, "eve", "c").await;
    socket.disconnected(Some(1000));
    until("a failing archive", || {
        has(&setup, |one| {
            matches!(one, Degradation::ArchiveFailing { .. })
        })
    })
    .await;
    setup.archive.is_failing.store(false, Ordering::SeqCst);
    until("health", || {
        setup.runtime.health().status == HealthStatus::Ok
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_is_not_ready() {
    let setup = start().await;
    setup
        .runtime
        .shutdown(Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(setup.runtime.health().degradations, [Degradation::Draining]);
}
