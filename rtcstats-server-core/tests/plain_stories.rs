//! Sessions of rtcstats 5.0 and legacy clients: what the existing server stores of them, recorded
//! calls, crashes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and says how much it compared"
)]

mod golden;
mod world;

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use flate2::read::GzDecoder;
use proptest::prelude::*;
use rtcstats_proto::Generation;
use rtcstats_server_core::{
    CloseReason, ConnectionId, DumpName, EndReason, Limits, Obfuscation, Timing, Upgrade,
};
use serde_json::{Value, json};
use world::{World, lines};

/// One recorded connection.
struct Story {
    name: String,
    upgrade: Upgrade,
    opened_ms: f64,
    close_code: u16,
    closed_ms: f64,
    /// When each message came, in milliseconds after the upgrade, and its text.
    messages: Vec<(f64, String)>,
}

fn gunzip(path: &Path) -> String {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn stories(client: &str) -> Vec<Story> {
    let Some(folder) = golden::shared("corpus/wire") else {
        return Vec::new();
    };
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".wire.jsonl.gz").map(str::to_owned))
        .filter(|name| name.starts_with(client))
        .collect();
    names.sort();
    names.into_iter().map(read_story).collect()
}

fn read_story(name: String) -> Story {
    let path = golden::shared(&format!("corpus/wire/{name}.wire.jsonl.gz")).unwrap();
    let text = gunzip(&path);
    let mut lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let header = lines.next().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Story {
        name,
        upgrade: Upgrade {
            target: text(&header["url"]),
            origin: text(&header["headers"]["origin"]),
            user_agent: text(&header["headers"]["user-agent"]),
            subprotocols: text(&header["subprotocol"]),
            peer_address: "127.0.0.1".to_owned(),
            ..Upgrade::default()
        },
        opened_ms: header["openedAt"].as_f64().unwrap(),
        close_code: u16::try_from(header["closeCode"].as_u64().unwrap()).unwrap(),
        closed_ms: header["closedT"].as_f64().unwrap(),
        messages: lines
            .filter(|message| message["dir"] == "c2s")
            .map(|message| (message["t"].as_f64().unwrap(), text(&message["data"])))
            .collect(),
    }
}

impl Story {
    fn world(&self) -> World {
        let mut world = World::new();
        world.epoch_ms = self.opened_ms;
        world.privacy.obfuscation = Obfuscation::BeforeJournal;
        world
    }

    fn play(&self, world: &mut World) -> ConnectionId {
        let connection = world.connect(&self.upgrade).unwrap();
        for (milliseconds, message) in &self.messages {
            advance_to(world, *milliseconds);
            world.receive(connection, message.as_bytes());
        }
        connection
    }
}

fn advance_to(world: &mut World, milliseconds: f64) {
    // The clock of the recorded server has whole milliseconds.
    let at = Duration::from_millis(milliseconds.round() as u64);
    world.advance(at.saturating_sub(world.now));
}

/// The code as a transport tells it: a lost connection has none.
fn told(code: u16) -> Option<u16> {
    (code != 1006).then_some(code)
}

/// Lines as JSON where they are JSON.
fn values<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Value> {
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| json!({ "text": line })))
        .collect()
}

fn only_log(world: &World) -> Option<&[u8]> {
    assert!(world.logs.len() <= 1);
    world.logs.values().next().map(Vec::as_slice)
}

#[test]
fn each_5_0_story_gives_the_dump_that_was_recorded() {
    let stories = stories("rtcstatsjs-");
    for story in &stories {
        let mut world = story.world();
        let connection = story.play(&mut world);
        advance_to(&mut world, story.closed_ms);
        world.disconnect(connection, told(story.close_code));
        world.flush_all();
        let path = golden::shared(&format!("corpus/wire/{}.dump.gz", story.name)).unwrap();
        let recorded = gunzip(&path);
        let own = values(lines(only_log(&world).unwrap()));
        let recorded = values(recorded.lines());
        assert_eq!(own.len(), recorded.len(), "{}", story.name);
        for (index, (own, recorded)) in own.iter().zip(&recorded).enumerate() {
            assert_eq!(own, recorded, "{}: line {}", story.name, index + 1);
        }
        assert_eq!(
            world.finished.values().collect::<Vec<_>>(),
            [&EndReason::Disconnected]
        );
    }
    println!("{} stories agree", stories.len());
}

#[test]
fn each_legacy_story_is_stored_as_it_was_sent() {
    let stories = stories("legacy-");
    let mut events = 0;
    for story in stories.iter().filter(|story| !story.messages.is_empty()) {
        let mut world = story.world();
        world.privacy.obfuscation = Obfuscation::Off;
        let connection = story.play(&mut world);
        advance_to(&mut world, story.closed_ms);
        world.disconnect(connection, told(story.close_code));
        world.flush_all();
        let mut own = values(lines(only_log(&world).unwrap())).into_iter();
        let start = story.opened_ms as u64;
        assert_eq!(
            own.next().unwrap(),
            json!({
                "path": story.upgrade.target,
                "origin": story.upgrade.origin,
                "url": format!("{}{}", story.upgrade.origin, story.upgrade.target),
                "userAgent": story.upgrade.user_agent,
                "time": start,
                "fileFormat": 2,
            })
        );
        assert_eq!(
            own.next().unwrap(),
            json!(["publicIP", null, ["127.0.0.1"], start])
        );
        for (_, message) in &story.messages {
            let mut sent: Value = serde_json::from_str(message).unwrap();
            // The only repair that these clients need.
            if let Some(call) = sent[0].as_str().unwrap().strip_suffix("OnError") {
                sent[0] = format!("{call}OnFailure").into();
            }
            assert_eq!(own.next().unwrap(), sent, "{}", story.name);
            events += 1;
        }
        let closed = own.next().unwrap();
        assert_eq!((&closed[0], &closed[2]), (&json!("close"), &Value::Null));
        let end = (story.opened_ms + story.closed_ms).round() as u64;
        assert_eq!(closed[3].as_u64().unwrap(), end);
        assert_eq!(own.next(), None);
    }
    println!("{} stories, {events} events agree", stories.len());
}

#[test]
fn each_golden_session_is_stored_as_the_existing_server_stores_it() {
    let Some(path) = golden::shared("golden/rtcstats/server-websocket.jsonl") else {
        return;
    };
    let rows = std::fs::read_to_string(path).unwrap();
    let mut passed = 0;
    for row in rows.lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        // Tokens have a test of their own, and a failing store one of the runtime's.
        let is_refused = row["stored"].is_null() && row["result"]["closeCode"] != 1000;
        if is_refused {
            continue;
        }
        check_session(&row);
        passed += 1;
    }
    println!("{passed} sessions agree");
}

fn check_session(row: &Value) {
    let name = row["name"].as_str().unwrap();
    let header = |name: &str| row["headers"][name].as_str().unwrap_or_default().to_owned();
    let protocols: Vec<&str> = row["protocols"]
        .as_array()
        .unwrap()
        .iter()
        .map(|protocol| protocol.as_str().unwrap())
        .collect();
    let upgrade = Upgrade {
        target: row["url"].as_str().unwrap().to_owned(),
        origin: header("Origin"),
        user_agent: header("User-Agent"),
        forwarded_for: header("X-Forwarded-For"),
        subprotocols: protocols.join(","),
        peer_address: "::ffff:127.0.0.1".to_owned(),
        ..Upgrade::default()
    };
    let mut world = World::new();
    world.unnamed = Some(Generation::Rtcstats);
    if row["server"]["obfuscateIpAddresses"] != false {
        world.privacy.obfuscation = Obfuscation::BeforeJournal;
    }
    let connection = world.connect(&upgrade).unwrap();
    for message in row["send"].as_array().unwrap() {
        match message.as_str() {
            Some(text) => world.receive(connection, text.as_bytes()),
            // Base64 of the first text message of all rows.
            None => {
                assert_eq!(message["binary"], "WyI6ZSIsbnVsbCw1MzEsNTMxXQ==");
                world.receive(connection, b"[\":e\",null,531,531]");
            }
        }
    }
    let code = row["result"]["closeCode"].as_u64().unwrap();
    world.disconnect(connection, told(u16::try_from(code).unwrap()));
    world.flush_all();
    let Some(stored) = row["stored"].as_str() else {
        assert!(only_log(&world).is_none(), "{name}");
        return;
    };
    let own: Vec<Value> = values(lines(only_log(&world).unwrap()));
    let mut expected = values(stored.lines());
    for (own, expected) in own.iter().zip(&mut expected) {
        without_times(own, expected);
    }
    assert_eq!(own, expected, "{name}");
}

/// Puts our times where the recording has none.
fn without_times(own: &Value, expected: &mut Value) {
    match expected {
        Value::Object(members) if members.get("startTime") == Some(&json!("<ms>")) => {
            members.insert("startTime".to_owned(), own["startTime"].clone());
        }
        Value::Array(elements) => {
            if let Some(last) = elements.last_mut().filter(|last| **last == json!("<ms>")) {
                *last = own[3].clone();
                assert!(last.is_u64());
            }
        }
        _ => {}
    }
}

#[test]
fn each_golden_request_gives_the_recorded_meta_data() {
    let Some(path) = golden::shared("golden/rtcstats/server-metadata.jsonl") else {
        return;
    };
    let rows = std::fs::read_to_string(path).unwrap();
    for row in rows.lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let request = &row["request"];
        let header = |name: &str| {
            request["headers"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let upgrade = Upgrade {
            target: request["url"].as_str().unwrap().to_owned(),
            origin: header("origin"),
            user_agent: header("user-agent"),
            subprotocols: header("sec-websocket-protocol"),
            forwarded_for: header("x-forwarded-for"),
            peer_address: request["connection"]["remoteAddress"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            ..Upgrade::default()
        };
        let mut world = World::new();
        world.unnamed = Some(Generation::Rtcstats);
        if row["obfuscateIpAddresses"] == true {
            world.privacy.obfuscation = Obfuscation::BeforeJournal;
        }
        let connection = world.connect(&upgrade).unwrap();
        world.receive(connection, b"[1]");
        world.flush_all();
        let line = lines(only_log(&world).unwrap()).nth(1).unwrap();
        let mut own: Value = serde_json::from_str(line).unwrap();
        let mut expected = row["out"].clone();
        without_times(&own, &mut expected);
        // The collected members lack what the server adds to them.
        let members = own.as_object_mut().unwrap();
        assert_eq!(members.remove("fileFormat"), Some(json!(3)));
        assert_eq!(own, expected, "{}", row["name"]);
        let names = |value: &Value| {
            value
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&own), names(&expected), "{}", row["name"]);
    }
    println!("{} requests agree", rows.lines().count());
}

fn plain(subprotocol: &str) -> Upgrade {
    world::upgrade("/room", subprotocol)
}

#[test]
fn a_socket_without_messages_leaves_nothing() {
    for subprotocol in ["2.0", "rtcstats#5.0"] {
        let mut world = World::new();
        let connection = world.connect(&plain(subprotocol)).unwrap();
        world.receive(connection, b"");
        world.disconnect(connection, Some(1000));
        world.flush_all();
        assert!(world.logs.is_empty() && world.finished.is_empty());
        assert_eq!(world.outgoing(connection), None);
    }
}

#[test]
fn nothing_is_sent_to_a_client_of_these_generations() {
    for subprotocol in ["2.0", "rtcstats#5.0"] {
        let mut world = World::new();
        let connection = world.connect(&plain(subprotocol)).unwrap();
        for _ in 0..300 {
            world.receive(connection, br#"["x",null,1,1700000000000]"#);
        }
        world.flush_all();
        world.advance(Duration::from_secs(3_000));
        assert_eq!(world.outgoing(connection), None);
        assert_eq!(
            world.closed(connection),
            None,
            "silence is no reason to close"
        );
    }
}

#[test]
fn two_sockets_are_two_sessions() {
    let mut world = World::new();
    let sockets = [
        world.connect(&plain("2.0")).unwrap(),
        world.connect(&plain("2.0")).unwrap(),
    ];
    for socket in sockets {
        world.receive(socket, br#"["x",null,1,1700000000000]"#);
    }
    world.flush_all();
    assert_eq!((world.logs.len(), world.server.sessions().count()), (2, 2));
}

#[test]
fn a_session_that_the_server_closes_ends_with_the_servers_code() {
    let mut limits = Limits::default();
    limits.session_bytes = 600;
    let mut world = World::with(limits, Timing::default());
    let connection = world.connect(&plain("rtcstats#5.0")).unwrap();
    for _ in 0..100 {
        world.receive(connection, br#"[":x",null,"some text",1]"#);
    }
    assert_eq!(
        world.closed(connection),
        Some(CloseReason::SessionOverLimit)
    );
    world.disconnect(connection, None);
    world.flush_all();
    assert_eq!(world.logs.len(), 1);
    let last = lines(only_log(&world).unwrap()).last().unwrap();
    assert_eq!(last, "[\"close\",null,1009,0]");

    let mut world = World::new();
    let connection = world.connect(&plain("rtcstats#5.0")).unwrap();
    world.receive(connection, b"[1,null,2,3]");
    world.advance(Duration::from_millis(250));
    world.server.close_all(world.time());
    world.disconnect(connection, None);
    world.flush_all();
    let last = lines(only_log(&world).unwrap()).last().unwrap();
    assert_eq!(last, "[\"close\",null,1001,250]");
    assert_eq!(world.finished.len(), 1);
}

#[test]
fn a_jitsi_client_cannot_write_to_a_session_of_another_kind() {
    let mut world = World::new();
    let connection = world.connect(&plain("rtcstats#5.0")).unwrap();
    world.receive(connection, b"[1,null,2,3]");
    world.flush_all();
    let name = world.logs.keys().next().unwrap().clone();
    let id = name.session_id().to_string();
    assert!(world.connect(&world::browser(&id, false)).is_err());
    let other = world.connect(&world::browser("other", false)).unwrap();
    let frame = format!(
        r#"{{"statsSessionId":"{id}","type":"stats-entry","data":"[\"x\",null,1,1700000000000,1]"}}"#
    );
    world.receive(other, frame.as_bytes());
    world.receive(connection, b"[4,null,5,6]");
    world.flush_all();
    assert_eq!(lines(&world.logs[&name]).last(), Some("[4,null,5,6]"));
    assert_eq!(
        (world.logs.len(), world.server.counters().fenced_messages),
        (1, 1)
    );
}

#[test]
fn messages_that_are_no_events_are_counted() {
    let mut world = World::new();
    let connection = world.connect(&plain("rtcstats#5.0")).unwrap();
    world.receive(connection, b"not json\n[1]");
    assert_eq!(world.server.counters().malformed_lines, 1);
    let legacy = world.connect(&plain("2.0")).unwrap();
    for _ in 0..1_000 {
        world.receive(legacy, b"not json");
    }
    assert_eq!(world.closed(legacy), None);
    assert_eq!(world.server.counters().refused_messages, 1_000);
    world.flush_all();
    assert_eq!(world.logs.len(), 1, "of the other session");
}

#[test]
fn what_the_application_calls_its_clients_is_found_in_the_session() {
    let mut world = World::new();
    let connection = world.connect(&plain("2.0")).unwrap();
    world.receive(
        connection,
        br#"["identity",null,{"user":"u","conference":"c"},1]"#,
    );
    let constraints = br#"["constraints","PC_0",{"constraintsOptional":{"rtcStatsClientId":"me","rtcStatsPeerId":"you"}},1]"#;
    world.receive(connection, constraints);
    world.flush_all();
    let find = |world: &World| world.server.sessions().next().unwrap().facts.identifiers;
    let found = find(&world);
    assert_eq!(
        (found.user.as_deref(), found.client_id.as_deref()),
        (Some("u"), Some("me"))
    );
    assert_eq!(found.peer_ids, ["you"]);
}

proptest! {
    /// Whatever of the log a crash leaves, it is completed: whole lines as they were sent, and one
    /// event that ends it.
    #[test]
    fn a_crash_leaves_complete_dumps(
        clients in prop::collection::vec(any::<bool>(), 1..4),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        flushed in 0_usize..30,
        persisted in 0_usize..30,
    ) {
        let mut world = World::new();
        let sockets: Vec<ConnectionId> = clients
            .iter()
            .map(|is_legacy| world.connect(&plain(if *is_legacy { "2.0" } else { "rtcstats#5.0" })).unwrap())
            .collect();
        for (number, index) in order.iter().enumerate() {
            let socket = index.index(sockets.len());
            let message = format!(r#"["x",null,"{socket}",{number}]"#);
            world.receive(sockets[socket], message.as_bytes());
        }
        world.flush(flushed);
        world.crash(persisted);
        world.flush_all();
        prop_assert_eq!(world.server.sessions().count(), 0);
        for (name, log) in &world.logs {
            prop_assert_eq!(world.finished.get(name), Some(&EndReason::Disconnected));
            let text: Vec<&str> = lines(log).collect();
            let is_legacy = text[0].starts_with('{');
            let (events, close) = (&text[2..text.len() - 1], text[text.len() - 1]);
            prop_assert!(!events.is_empty());
            let end = if is_legacy { "[\"close\",null,null,1700000000000]" } else { "[\"close\",null,1006,0]" };
            prop_assert_eq!(close, end);
            let numbers: Vec<u64> = events.iter().map(|line| {
                let event: Value = serde_json::from_str(line).unwrap();
                event[3].as_u64().unwrap()
            }).collect();
            prop_assert!(numbers.is_sorted_by(|one, other| one < other));
        }
        // A second crash adds nothing.
        let logs = world.logs.clone();
        world.crash(0);
        world.flush_all();
        prop_assert_eq!(logs, world.logs);
    }
}

#[test]
fn a_crash_behind_the_closing_event_does_not_double_it() {
    let mut world = World::new();
    let connection = world.connect(&plain("rtcstats#5.0")).unwrap();
    world.receive(connection, b"[1,null,2,3]");
    world.disconnect(connection, Some(1000));
    // The lines, without what marks the log as complete.
    world.crash(3);
    world.flush_all();
    let name: DumpName = world.logs.keys().next().unwrap().clone();
    let text: Vec<&str> = lines(&world.logs[&name]).collect();
    assert_eq!(text[3..], ["[\"close\",null,1000,0]"]);
    assert!(world.finished.contains_key(&name));
}

#[test]
fn a_client_whose_session_cannot_be_begun_is_told() {
    let mut limits = Limits::default();
    limits.sessions = 1;
    let mut world = World::with(limits, Timing::default());
    let sockets = [
        world.connect(&plain("2.0")).unwrap(),
        world.connect(&plain("2.0")).unwrap(),
    ];
    for socket in sockets {
        world.receive(socket, br#"["x",null,1,1700000000000]"#);
    }
    assert_eq!(world.closed(sockets[0]), None);
    assert_eq!(world.closed(sockets[1]), Some(CloseReason::TooManySessions));
}

#[test]
fn a_message_of_many_lines_is_appended_at_once() {
    let mut world = World::new();
    let connection = world.connect(&plain("rtcstats#5.0")).unwrap();
    world.receive(connection, "1\n".repeat(100_000).as_bytes());
    // The head, and the message.
    assert_eq!(world.pending.len(), 2);
    let session = world.server.sessions().next().unwrap();
    assert_eq!(session.facts.events, 100_000);
    assert_eq!(world.server.counters().events, 100_000);
}
