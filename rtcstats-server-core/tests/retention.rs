//! What is kept for how long.

#![cfg(feature = "tokio")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod stores;

use std::time::Duration;

use rtcstats_server_core::{Append, Journal, Retention};
use stores::{Record, Setup, Stores, connect, name, now_ms, send, setup, until};

const HOUR_MS: f64 = 3_600_000.0;

async fn start(stores: Stores, retention: Retention) -> Setup {
    setup(stores, |options| options.retention = retention).await
}

fn often() -> Retention {
    Retention {
        interval: Duration::from_millis(20),
        ..Retention::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dumps_and_records_go_by_age() {
    let prepared = Stores::default();
    let now = now_ms();
    for (dump, hours) in [("old", 49.0), ("older", 90.0), ("young", 1.0)] {
        let ended_ms = now - hours * HOUR_MS;
        prepared.archive.put(dump, "x\n", ended_ms);
        let record = Record {
            ended_ms,
            ..Record::default()
        };
        prepared.sink.put(dump, record);
    }
    let two_days = Some(Duration::from_secs(48 * 3600));
    let retention = Retention {
        dump_age: two_days,
        record_age: two_days,
        at_once: 1,
        ..often()
    };
    let setup = start(prepared, retention).await;
    until("dumps", || setup.archive.names() == ["young"]).await;
    until("records", || setup.sink.names() == ["young"]).await;
    let (counters, _) = setup.runtime.metrics().await;
    assert_eq!((counters.expired_dumps, counters.expired_records), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn dumps_go_by_size_the_oldest_first() {
    let prepared = Stores::default();
    for (dump, time) in [("c", 3.0), ("a", 1.0), ("d", 4.0), ("b", 2.0)] {
        prepared.archive.put(dump, "0123456789\n", time);
    }
    let each = prepared.archive.dumps.lock().unwrap()[&name("a")].0.len() as u64;
    let retention = Retention {
        dump_bytes: Some(2 * each),
        ..often()
    };
    let setup = start(prepared, retention).await;
    until("room", || setup.archive.names().len() == 2).await;
    assert_eq!(setup.archive.names(), ["c", "d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_logs_that_can_never_be_completed_go() {
    let prepared = Stores::default();
    let journal = &prepared.journal;
    for log in ["unreadable", "resumable"] {
        let append = Append {
            name: name(log),
            lines: "[\"connectionInfo\",null,{\"clientProtocol\":\"3.1_STANDARD\"},5]\n".into(),
        };
        journal.inner.append(vec![append]).await.unwrap();
    }
    journal.unreadable.lock().unwrap().push(name("unreadable"));
    let retention = Retention {
        leftover_age: Some(Duration::from_millis(100)),
        ..often()
    };
    let setup = start(prepared, retention).await;
    let mut socket = connect(&setup.runtime, "live").await;
    send(&mut socket, "live", "ann", 2).await;
    let logs = || async {
        let logs = setup.journal.inner.list().await.unwrap();
        let mut logs: Vec<_> = logs.iter().map(|log| log.name.to_string()).collect();
        logs.sort();
        logs
    };
    for _ in 0..1_000 {
        if logs().await == ["live", "resumable"] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (counters, _) = setup.runtime.metrics().await;
    assert_eq!(counters.expired_logs, 1);
    // Nothing else goes, however long it waits.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(logs().await, ["live", "resumable"]);
    assert_eq!(setup.runtime.sessions().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_stays_until_its_session_is_completed() {
    let setup = start(
        Stores::default(),
        Retention {
            dump_bytes: Some(0),
            ..often()
        },
    )
    .await;
    setup.sink.gate.send_replace(false);
    setup.archive.put("s", "x\n", 5.0);
    until("the sweep", || setup.archive.names().is_empty()).await;
    let mut socket = connect(&setup.runtime, "s").await;
    send(&mut socket, "s", "ann", 2).await;
    socket.disconnected(Some(3001));
    let mut arrived = setup.sink.arrived.subscribe();
    arrived.wait_for(|arrived| *arrived == 1).await.unwrap();
    // Its name is taken now; what stands under it is not to be removed.
    setup.archive.put("s", "x\n", 5.0);
    setup.archive.put("t", "x\n", 5.0);
    until("the next sweep", || setup.archive.names() == ["s"]).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(setup.archive.names(), ["s"]);
    setup.sink.gate.send_replace(true);
    until("the end", || setup.archive.names().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_cannot_be_removed_keeps_no_other() {
    let prepared = Stores::default();
    for (dump, time) in [("a", 1.0), ("b", 2.0), ("young", now_ms())] {
        prepared.archive.put(dump, "x\n", time);
    }
    prepared.archive.stuck.lock().unwrap().push(name("a"));
    let retention = Retention {
        dump_age: Some(Duration::from_secs(48 * 3600)),
        ..often()
    };
    let setup = start(prepared, retention).await;
    until("the others", || setup.archive.names() == ["a", "young"]).await;
}
