//! The rules of section 6 of the Jitsi spec, one behaviour a test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod world;

use std::time::Duration;

use rtcstats_proto::jitsi::{SequenceNumberMessage, SessionId};
use rtcstats_server_core::{CloseReason, EndReason, Limits, Timing};
use world::client::Client;
use world::{World, browser, lines, name, upgrade};

fn entry(id: &str, number: u64) -> String {
    format!(
        "{{\"statsSessionId\":\"{id}\",\"type\":\"stats-entry\",\"data\":\"[\\\"e\\\",null,1,1700000000000,{number}]\"}}"
    )
}

fn request(id: &str, kind: &str) -> String {
    format!("{{\"statsSessionId\":\"{id}\",\"type\":\"{kind}\",\"data\":{{\"confName\":\"r\"}}}}")
}

fn initial(value: u64) -> String {
    SequenceNumberMessage::initial(value).to_json()
}

fn acknowledgement(value: u64) -> String {
    SequenceNumberMessage::acknowledgement(value).to_json()
}

#[test]
fn a_connection_is_opened_with_the_last_durable_number() {
    let mut world = World::new();
    let first = world.connect(&browser("s", false)).unwrap();
    assert_eq!(world.outgoing(first).unwrap(), initial(0));
    for number in 1..=3 {
        world.receive(first, entry("s", number).as_bytes());
    }
    // The header and two of the three lines.
    world.flush(3);
    let second = world.connect(&browser("s", true)).unwrap();
    assert_eq!(world.outgoing(second).unwrap(), initial(2));
}

#[test]
fn the_older_connection_is_fenced_and_closed_without_being_told_to_stay_away() {
    let mut world = World::new();
    let old = world.connect(&browser("s", false)).unwrap();
    world.receive(old, entry("s", 1).as_bytes());
    let new = world.connect(&browser("s", true)).unwrap();
    let reason = world.closed(old).unwrap();
    assert_eq!(reason, CloseReason::Superseded);
    assert!(![3001, 3002].contains(&reason.code()));
    world.receive(old, entry("s", 2).as_bytes());
    world.receive(new, entry("s", 3).as_bytes());
    world.disconnect(old, Some(3001));
    world.flush_all();
    let stored = world.stored(&SessionId::new("s").unwrap());
    assert_eq!(stored.len(), 2);
    assert!(stored[1].ends_with(",3]"));
    assert!(
        world.finished.is_empty(),
        "the old connection's end says nothing about the session"
    );
}

#[test]
fn numbers_are_acknowledged_by_count_and_by_time_and_never_before_they_are_durable() {
    let mut world = World::new();
    let connection = world.connect(&browser("s", false)).unwrap();
    world.outgoing(connection);
    for number in 1..=150 {
        world.receive(connection, entry("s", number).as_bytes());
    }
    world.advance(Duration::from_secs(10));
    assert_eq!(world.outgoing(connection), None);
    world.flush_all();
    assert_eq!(world.outgoing(connection).unwrap(), acknowledgement(100));
    world.advance(Duration::from_millis(1_999));
    assert_eq!(world.outgoing(connection), None);
    world.advance(Duration::from_millis(1));
    assert_eq!(world.outgoing(connection).unwrap(), acknowledgement(150));
}

#[test]
fn leaving_with_3001_ends_the_session_at_once_and_any_other_loss_keeps_it() {
    for code in [None, Some(1000), Some(1001), Some(1005), Some(4000)] {
        let mut world = World::new();
        let connection = world.connect(&browser("s", false)).unwrap();
        world.receive(connection, entry("s", 1).as_bytes());
        world.disconnect(connection, code);
        world.advance(Duration::from_secs(719));
        world.flush_all();
        assert!(world.finished.is_empty(), "{code:?}");
        world.advance(Duration::from_secs(1));
        world.flush_all();
        assert_eq!(world.finished.get(&name("s")), Some(&EndReason::Expired));
    }
    let mut world = World::new();
    let connection = world.connect(&browser("s", false)).unwrap();
    world.receive(connection, entry("s", 1).as_bytes());
    world.disconnect(connection, Some(3001));
    world.flush_all();
    assert_eq!(world.finished.get(&name("s")), Some(&EndReason::Left));
}

#[test]
fn a_client_that_comes_after_the_end_goes_on_in_a_new_dump_where_it_was() {
    let mut world = World::new();
    let connection = world.connect(&browser("s", false)).unwrap();
    for number in 1..=5 {
        world.receive(connection, entry("s", number).as_bytes());
    }
    world.disconnect(connection, None);
    world.flush_all();
    world.advance(Duration::from_secs(1_000));
    world.flush_all();
    let late = world.connect(&browser("s", true)).unwrap();
    assert_eq!(world.outgoing(late).unwrap(), initial(5));
    for number in 4..=6 {
        world.receive(late, entry("s", number).as_bytes());
    }
    world.flush_all();
    assert_eq!(lines(&world.logs[&name("s_1")]).count(), 2);
    // The memory of it fades.
    world.disconnect(late, Some(3001));
    world.flush_all();
    world.advance(Duration::from_secs(3_601));
    let late = world.connect(&browser("s", true)).unwrap();
    assert_eq!(world.outgoing(late).unwrap(), initial(0));
}

#[test]
fn a_client_that_comes_after_the_end_is_told_only_what_is_durable() {
    let mut world = World::new();
    let connection = world.connect(&browser("s", false)).unwrap();
    for number in 1..=5 {
        world.receive(connection, entry("s", number).as_bytes());
    }
    world.disconnect(connection, Some(3001));
    // The header and two of the lines.
    world.flush(3);
    let late = world.connect(&browser("s", true)).unwrap();
    assert_eq!(world.outgoing(late).unwrap(), initial(2));
    for number in 3..=6 {
        world.receive(late, entry("s", number).as_bytes());
    }
    world.flush_all();
    let stored = world.stored(&SessionId::new("s").unwrap());
    assert_eq!(stored.len(), 6, "each once, in two dumps");
}

#[test]
fn an_older_connection_cannot_take_a_session_from_a_newer_one() {
    let mut world = World::new();
    let older = world.connect(&browser("s", false)).unwrap();
    let newer = world.connect(&browser("s", true)).unwrap();
    world.receive(newer, entry("s", 1).as_bytes());
    world.receive(older, entry("s", 2).as_bytes());
    assert_eq!(world.closed(newer), None);
    world.flush_all();
    assert_eq!(world.stored(&SessionId::new("s").unwrap()).len(), 1);
}

#[test]
fn a_browser_has_few_sessions_and_short_headers() {
    let mut world = World::new();
    let connection = world.connect(&browser("s", false)).unwrap();
    for id in ["a", "b", "c", "d", "e"] {
        world.receive(connection, entry(id, 1).as_bytes());
    }
    assert_eq!(world.server.sessions().count(), 4);
    let mut long = browser("t", false);
    long.user_agent = "x".repeat(5_000);
    assert_eq!(world.connect(&long).unwrap_err().code, 1009);
}

#[test]
fn a_server_that_shuts_down_admits_nobody() {
    let mut world = World::new();
    let connection = world.connect(&browser("s", false)).unwrap();
    world.server.close_all(world.time());
    world.advance(Duration::ZERO);
    assert_eq!(world.closed(connection), Some(CloseReason::GoingAway));
    assert_eq!(world.connect(&browser("t", false)).unwrap_err().code, 1001);
}

#[test]
fn a_silent_connection_is_closed_and_its_session_kept() {
    let mut world = World::new();
    let connection = world.connect(&browser("s", false)).unwrap();
    world.receive(connection, entry("s", 1).as_bytes());
    world.advance(Duration::from_secs(100));
    world.receive(
        connection,
        b"{\"statsSessionId\":\"s\",\"type\":\"keepalive\"}",
    );
    world.advance(Duration::from_secs(100));
    assert_eq!(world.closed(connection), None);
    world.advance(Duration::from_secs(20));
    assert_eq!(world.closed(connection), Some(CloseReason::Idle));
    assert_eq!(CloseReason::Idle.code(), 1001);
    world.disconnect(connection, None);
    world.flush_all();
    assert!(world.finished.is_empty());
}

#[test]
fn a_restart_keeps_sessions_resumable_for_a_whole_grace_period() {
    let mut world = World::new();
    let connection = world.connect(&browser("s", false)).unwrap();
    for number in 1..=3 {
        world.receive(connection, entry("s", number).as_bytes());
    }
    world.advance(Duration::from_secs(60));
    world.crash(3);
    let connection = world.connect(&browser("s", true)).unwrap();
    assert_eq!(world.outgoing(connection).unwrap(), initial(2));
    world.disconnect(connection, None);
    world.advance(Duration::from_secs(719));
    assert_eq!(world.server.sessions().count(), 1);
    world.advance(Duration::from_secs(2));
    world.flush_all();
    assert_eq!(world.finished.get(&name("s")), Some(&EndReason::Expired));
}

#[test]
fn sessions_on_one_socket_end_and_fail_each_for_itself() {
    let mut world = World::new();
    let jvb = world.connect(&upgrade("/", "3.0_JVB")).unwrap();
    assert_eq!(world.outgoing(jvb).unwrap(), initial(0));
    for id in ["a", "b"] {
        world.receive(jvb, request(id, "identity").as_bytes());
    }
    world.receive(jvb, request("a/..", "identity").as_bytes());
    world.receive(jvb, request("a", "close").as_bytes());
    world.receive(jvb, request("b", "stats-entry").as_bytes());
    world.flush_all();
    assert_eq!(world.closed(jvb), None);
    assert_eq!(world.finished.get(&name("a")), Some(&EndReason::Closed));
    assert_eq!(lines(&world.logs[&name("b")]).count(), 3);
    assert_eq!(world.server.counters().refused_messages, 1);
    // Back-end clients are not acknowledged.
    world.advance(Duration::from_secs(10));
    assert_eq!(world.outgoing(jvb), None);
}

#[test]
fn a_back_end_client_that_reconnects_goes_on_in_its_dumps() {
    let mut world = World::new();
    let old = world.connect(&upgrade("/", "1.0_JICOFO")).unwrap();
    for id in ["a", "b"] {
        world.receive(old, request(id, "identity").as_bytes());
    }
    // The old socket is half open: the new one takes over session by session.
    let new = world.connect(&upgrade("/", "1.0_JICOFO")).unwrap();
    world.receive(new, request("a", "stats-entry").as_bytes());
    assert_eq!(world.closed(old), None, "b is still its own");
    world.receive(old, request("a", "stats-entry").as_bytes());
    world.receive(new, request("b", "stats-entry").as_bytes());
    assert_eq!(world.closed(old), Some(CloseReason::Superseded));
    world.disconnect(new, None);
    world.advance(Duration::from_secs(59));
    let again = world.connect(&upgrade("/", "1.0_JICOFO")).unwrap();
    world.receive(again, request("a", "stats-entry").as_bytes());
    world.advance(Duration::from_secs(2));
    world.flush_all();
    assert_eq!(lines(&world.logs[&name("a")]).count(), 4);
    assert_eq!(world.finished.get(&name("b")), Some(&EndReason::Expired));
    assert!(!world.finished.contains_key(&name("a")));
}

#[test]
fn what_is_not_json_closes_the_socket_with_a_reason_and_no_session() {
    let mut world = World::new();
    let jvb = world.connect(&upgrade("/", "3.0_JVB")).unwrap();
    world.receive(jvb, request("a", "identity").as_bytes());
    world.receive(jvb, b"{\"statsSessionId\":]");
    assert_eq!(world.closed(jvb), Some(CloseReason::Malformed));
    assert_eq!(CloseReason::Malformed.code(), 1007);
    world.receive(jvb, request("a", "stats-entry").as_bytes());
    world.disconnect(jvb, None);
    world.flush_all();
    assert_eq!(lines(&world.logs[&name("a")]).count(), 2);
    assert!(world.finished.is_empty());
}

#[test]
fn each_limit_is_answered_and_counted() {
    let mut limits = Limits::default();
    limits.connections = 3;
    limits.sessions = 2;
    limits.sessions_per_connection = 1;
    limits.refused_messages = 2;
    limits.session_bytes = 2_000;
    limits.message.line_bytes = 1_000;
    let mut world = World::with(limits, Timing::default());

    let first = world.connect(&upgrade("/", "3.0_JVB")).unwrap();
    for id in ["a", "b"] {
        world.receive(first, request(id, "identity").as_bytes());
    }
    assert_eq!(world.server.counters().limits.sessions_per_connection, 1);
    world.receive(first, request("é", "identity").as_bytes());
    assert_eq!(world.closed(first), None);
    world.receive(first, request("é", "identity").as_bytes());
    assert_eq!(world.closed(first), Some(CloseReason::TooManyRefused));

    let second = world.connect(&browser("s", false)).unwrap();
    for number in 1..=100 {
        world.receive(second, entry("s", number).as_bytes());
    }
    assert_eq!(world.closed(second), Some(CloseReason::SessionOverLimit));
    world.disconnect(second, None);
    world.flush_all();
    assert_eq!(world.finished.get(&name("s")), Some(&EndReason::OverLimit));
    assert_eq!(world.connect(&browser("s", true)).unwrap_err().code, 3001);

    let third = world.connect(&browser("t", false)).unwrap();
    world.receive(
        third,
        format!("{{\"a\":\"{}\"}}", "x".repeat(1_000)).as_bytes(),
    );
    assert_eq!(world.closed(third), Some(CloseReason::MessageTooLong));
    assert_eq!(CloseReason::MessageTooLong.code(), 1009);

    world.connect(&upgrade("/", "3.0_JVB")).unwrap();
    assert_eq!(world.connect(&browser("u", false)).unwrap_err().code, 1013);
    let limits = world.server.counters().limits;
    assert_eq!(
        (
            limits.connections,
            limits.session_bytes,
            limits.message_bytes
        ),
        (1, 1, 1)
    );
}

#[test]
fn what_is_sent_again_does_not_end_a_session_near_its_limit() {
    let mut limits = Limits::default();
    limits.session_bytes = 800;
    let mut world = World::with(limits, Timing::default());
    let connection = world.connect(&browser("s", false)).unwrap();
    let mut number = 0;
    let room = |world: &World| 800 - world.server.sessions().next().map_or(0, |s| s.bytes);
    while room(&world) >= 30 {
        number += 1;
        world.receive(connection, entry("s", number).as_bytes());
    }
    for number in 1..=number {
        world.receive(connection, entry("s", number).as_bytes());
    }
    assert_eq!(world.closed(connection), None);
}

#[test]
fn a_gap_is_noted_and_nothing_waits_for_it() {
    let mut world = World::new();
    let connection = world.connect(&browser("s", false)).unwrap();
    for number in [1, 2, 1_500, 1_501] {
        world.receive(connection, entry("s", number).as_bytes());
    }
    let summary = world.server.sessions().next().unwrap();
    assert_eq!(
        (summary.facts.gap_count, summary.facts.gaps[0].to),
        (1, 1_499)
    );
    world.flush_all();
    assert_eq!(world.stored(&SessionId::new("s").unwrap()).len(), 4);
}

#[test]
fn a_log_that_the_journal_refuses_ends_and_the_client_goes_on_in_another() {
    let mut world = World::new();
    let mut client = Client::new("s");
    client.connect(&mut world);
    client.deliver_down(&mut world);
    (0..3).for_each(|_| client.emit());
    client.deliver_up(&mut world, 3);
    world.flush(2);
    world.server.append_failed(&name("s"));
    world.pending.clear();
    world.advance(Duration::ZERO);
    client.deliver_down(&mut world);
    client.leave(&mut world);
    assert_eq!(world.stored(&SessionId::new("s").unwrap()), client.emitted);
}

#[test]
fn the_clients_buffer_never_fills_up_however_long_the_call() {
    let mut world = World::new();
    let mut client = Client::new("s");
    client.connect(&mut world);
    client.deliver_down(&mut world);
    for _ in 0..5_000 {
        client.emit();
        client.deliver_up(&mut world, 1);
        world.flush_all();
        world.advance(Duration::from_millis(10));
        client.deliver_down(&mut world);
        assert!(client.unacknowledged() <= 100);
    }
}

#[test]
fn a_stalled_journal_does_not_leave_the_clients_buffer_stuck() {
    let mut world = World::new();
    let mut client = Client::new("s");
    client.connect(&mut world);
    client.deliver_down(&mut world);
    (0..1_500).for_each(|_| client.emit());
    client.deliver_up(&mut world, usize::MAX);
    world.flush_all();
    client.deliver_down(&mut world);
    assert!(
        client.unacknowledged() <= 100,
        "{}",
        client.unacknowledged()
    );
    (0..200).for_each(|_| client.emit());
    client.leave(&mut world);
    assert_eq!(world.stored(&SessionId::new("s").unwrap()), client.emitted);
}
