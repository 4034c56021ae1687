//! Recorded calls of the stock Jitsi client, replayed frame by frame.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and says how much it compared"
)]

mod golden;
mod world;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use flate2::read::GzDecoder;
use proptest::prelude::*;
use rtcstats_features::Extractor;
use rtcstats_features::jitsi::JitsiFold;
use rtcstats_proto::jitsi::SessionId;
use rtcstats_proto::{Event, sequence_number_of};
use rtcstats_server_core::{ConnectionId, DumpName, Upgrade};
use serde_json::Value;
use world::{World, lines};

/// One recorded connection.
struct Story {
    name: String,
    upgrade: Upgrade,
    close_code: u16,
    closed_by_client: bool,
    /// When each frame of the client came, in milliseconds, and its text.
    frames: Vec<(f64, String)>,
}

fn gunzip(path: &Path) -> String {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn stories() -> Vec<Story> {
    let Some(folder) = golden::shared("corpus/wire") else {
        return Vec::new();
    };
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".wire.jsonl.gz").map(str::to_owned))
        .filter(|name| name.starts_with("jitsi-"))
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
            ..Upgrade::default()
        },
        close_code: u16::try_from(header["closeCode"].as_u64().unwrap()).unwrap(),
        closed_by_client: header["closedBy"] == "client",
        frames: lines
            .filter(|message| message["dir"] == "c2s")
            .map(|message| (message["t"].as_f64().unwrap(), text(&message["data"])))
            .collect(),
    }
}

impl Story {
    fn session(&self) -> SessionId {
        let (_, rest) = self.upgrade.target.split_once("statsSessionId=").unwrap();
        SessionId::new(rest.split('&').next().unwrap()).unwrap()
    }

    /// The lines that the existing server stored, its header first.
    fn recorded_dump(&self) -> Option<String> {
        self.recorded("dump.gz").map(|path| gunzip(&path))
    }

    fn recorded(&self, suffix: &str) -> Option<std::path::PathBuf> {
        let folder = golden::shared("corpus/wire")?;
        Some(folder.join(format!("{}.{suffix}", self.name))).filter(|path| path.exists())
    }

    fn play(&self, world: &mut World) -> ConnectionId {
        let connection = world.connect(&self.upgrade).unwrap();
        let start = world.now;
        for (milliseconds, frame) in &self.frames {
            let at = start + Duration::from_secs_f64(milliseconds / 1000.0);
            world.advance(at.saturating_sub(world.now));
            world.receive(connection, frame.as_bytes());
            world.flush_all();
        }
        connection
    }

    fn end(&self, world: &mut World, connection: ConnectionId) {
        world.disconnect(connection, self.closed_by_client.then_some(self.close_code));
        world.flush_all();
    }
}

fn features(log: &[u8]) -> Value {
    let mut extractor = Extractor::new(JitsiFold::new("story"));
    for line in lines(log) {
        extractor.push_line(line).unwrap();
    }
    serde_json::to_value(extractor.finish(0.0)).unwrap()["features"].clone()
}

/// Equal, numbers within 1e-9 of each other.
fn assert_same(own: &Value, other: &Value, path: &str) {
    match (own, other) {
        (Value::Number(own), Value::Number(other)) => {
            let (own, other) = (own.as_f64().unwrap(), other.as_f64().unwrap());
            let tolerance = 1e-9 * own.abs().max(other.abs());
            assert!(
                (own - other).abs() <= tolerance,
                "{path}: {own} and {other}"
            );
        }
        (Value::Object(own), Value::Object(other)) => {
            let names: BTreeSet<_> = own.keys().chain(other.keys()).collect();
            for name in names {
                let member = |map: &serde_json::Map<String, Value>| {
                    map.get(name)
                        .cloned()
                        .unwrap_or_else(|| panic!("{path}.{name} is on one side only"))
                };
                assert_same(&member(own), &member(other), &format!("{path}.{name}"));
            }
        }
        (Value::Array(own), Value::Array(other)) => {
            assert_eq!(own.len(), other.len(), "{path}");
            for (index, (own, other)) in own.iter().zip(other).enumerate() {
                assert_same(own, other, &format!("{path}[{index}]"));
            }
        }
        _ => assert_eq!(own, other, "{path}"),
    }
}

fn assert_recorded(story: &Story, log: &[u8]) {
    let Some(recorded) = story.recorded_dump() else {
        return;
    };
    let mut own = lines(log);
    let mut recorded = recorded.lines();
    let header = |line: &str| {
        let event = Event::parse(line).unwrap();
        assert_eq!(event.name(), "connectionInfo");
        serde_json::from_str::<Value>(event.payload().as_str()).unwrap()
    };
    assert_eq!(
        header(own.next().unwrap()),
        header(recorded.next().unwrap()),
        "{}",
        story.name
    );
    assert!(
        own.eq(recorded),
        "{}: lines differ from those recorded",
        story.name
    );
    if let Some(path) = story.recorded("features.json") {
        let recorded: Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_same(&features(log), &recorded["features"], &story.name);
    }
}

#[test]
fn each_story_gives_the_dump_and_the_features_that_were_recorded() {
    let stories = stories();
    for story in stories.iter().filter(|story| !story.frames.is_empty()) {
        let mut world = World::new();
        let connection = story.play(&mut world);
        story.end(&mut world, connection);
        let name = DumpName::first(story.session());
        assert_recorded(story, &world.logs[&name]);
        assert_eq!(
            world.finished.contains_key(&name),
            story.closed_by_client && story.close_code == 3001
        );
    }
    println!("{} stories agree", stories.len());
}

#[test]
fn connections_of_one_session_give_one_dump_with_each_entry_once() {
    let stories = stories();
    let mut done = BTreeSet::new();
    for story in &stories {
        let id = story.session();
        let parts: Vec<&Story> = stories
            .iter()
            .filter(|other| other.session() == id)
            .collect();
        if parts.len() < 2 || !done.insert(id.to_string()) {
            continue;
        }
        let mut world = World::new();
        for part in &parts {
            let connection = part.play(&mut world);
            part.end(&mut world, connection);
        }
        let numbers: Vec<u64> = world
            .stored(&id)
            .iter()
            .map(|line| sequence_number_of(line).unwrap())
            .collect();
        assert!(
            numbers.is_sorted_by(|one, other| one < other),
            "{}",
            story.name
        );
        let sent: BTreeSet<u64> = parts.iter().flat_map(|part| part.numbers()).collect();
        assert_eq!(numbers.len(), sent.len(), "{}", story.name);
        assert_eq!(world.logs.len(), 1);
    }
    println!("{} sessions of several connections agree", done.len());
}

impl Story {
    /// The sequence numbers of all entries that were sent.
    fn numbers(&self) -> Vec<u64> {
        let numbers = self.frames.iter().filter_map(|(_, frame)| {
            let message: Value = serde_json::from_str(frame).unwrap();
            let data = &message["data"];
            data.as_str()
                .map(str::to_owned)
                .or_else(|| data.is_array().then(|| data.to_string()))
        });
        numbers
            .filter_map(|line| sequence_number_of(&line))
            .collect()
    }
}

/// A story in any chunks, interleaved with another on the same server, the connection lost and
/// resumed anywhere: the same dump and the same features.
fn disturbed(story: &Story, other: &Story, sizes: &[usize], cut: usize) {
    let mut world = World::new();
    let bystander = world.connect(&other.upgrade).unwrap();
    let mut connection = world.connect(&story.upgrade).unwrap();
    let mut sizes = sizes.iter().cycle();
    let mut others = other.frames.iter();
    for (index, (_, frame)) in story.frames.iter().enumerate() {
        if index == cut {
            world.disconnect(connection, None);
            connection = world.connect(&story.upgrade).unwrap();
            // A client that knows no better sends everything again.
            for (_, frame) in &story.frames[..cut] {
                world.receive(connection, frame.as_bytes());
            }
        }
        if let Some((_, frame)) = others.next() {
            world.receive(bystander, frame.as_bytes());
        }
        let mut rest = frame.as_bytes();
        while !rest.is_empty() {
            let size = sizes.next().copied().unwrap_or(1).min(rest.len());
            let (chunk, tail) = rest.split_at(size);
            world.receive(connection, chunk);
            rest = tail;
        }
        world.flush(index % 5);
    }
    world.disconnect(connection, Some(3001));
    world.flush_all();
    assert_recorded(story, &world.logs[&DumpName::first(story.session())]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn chunks_interleaving_and_reconnects_change_nothing(
        sizes in prop::collection::vec(1_usize..4_000, 1..8),
        cut in any::<prop::sample::Index>(),
        which in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        // Small enough to be replayed often.
        let names = ["jitsi-chromium-03-datachannel", "jitsi-chromium-01-av-p2p-nosdp-10s", "jitsi-firefox-03-datachannel"];
        if golden::shared("corpus/wire").is_some() {
            let story = read_story(which.0.get(&names).to_string());
            let other = read_story(which.1.get(&names).to_string());
            if story.session() != other.session() {
                disturbed(&story, &other, &sizes, cut.index(story.frames.len()));
            }
        }
    }
}
