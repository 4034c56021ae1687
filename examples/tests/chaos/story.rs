//! What clients send: recorded calls, or small made-up ones where no recordings are at hand.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::golden;

/// One recorded connection.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) name: String,
    pub(crate) subprotocol: String,
    pub(crate) user_agent: String,
    pub(crate) origin: String,
    /// The session id in the recording; empty for clients that have none.
    session: String,
    /// What the client sent, keepalives left out.
    pub(crate) messages: Vec<Message>,
}

#[derive(Debug)]
pub(crate) struct Message {
    /// When it was sent, as a share of the whole recording.
    pub(crate) at: f64,
    text: String,
}

/// An envelope of Jitsi's client.
#[derive(Deserialize)]
struct Envelope<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// Bytes of a whole story that is replayed: the largest would take most of the time of a short run.
const MAX_BYTES: usize = 3 << 20;

impl Story {
    /// Calls of Jitsi's client from their beginning.
    pub(crate) fn of_jitsi() -> Vec<Self> {
        let recorded = recorded("jitsi-");
        if recorded.is_empty() {
            return (0..4).map(made_up).collect();
        }
        let mut stories = recorded;
        stories.retain(|story| {
            let numbers: Vec<_> = (0..story.messages.len())
                .map(|index| number_of(&story.line(index, "")))
                .collect();
            let whole: Vec<_> = (1..=numbers.len() as u64).map(Some).collect();
            !numbers.is_empty() && numbers == whole
        });
        assert!(!stories.is_empty(), "no recording begins at its beginning");
        stories
    }

    /// Calls of clients whose session is their socket.
    pub(crate) fn of_plain_clients() -> Vec<Self> {
        let mut stories = recorded("rtcstatsjs-");
        let legacy = recorded("legacy-");
        // One of each by turns.
        let mut mixed = Vec::new();
        for (one, other) in stories.drain(..).zip(legacy) {
            mixed.extend([one, other]);
        }
        mixed
    }

    /// A message as the client of this session sends it.
    pub(crate) fn frame(&self, index: usize, session: &str) -> String {
        let text = &self.messages[index].text;
        if self.session.is_empty() {
            return text.clone();
        }
        text.replace(&self.session, session)
    }

    /// The line that a dump has of it.
    pub(crate) fn line(&self, index: usize, session: &str) -> String {
        let frame = self.frame(index, session);
        let envelope: Envelope<'_> = serde_json::from_str(&frame).unwrap();
        let data = envelope.data.unwrap().get();
        match envelope.r#type {
            "identity" => data.to_owned(),
            _ => serde_json::from_str(data).unwrap(),
        }
    }
}

/// The number of an entry.
pub(crate) fn number_of(line: &str) -> Option<u64> {
    let entry: Value = serde_json::from_str(line).ok()?;
    entry.get(4)?.as_u64()
}

fn recorded(client: &str) -> Vec<Story> {
    let Some(folder) = golden::shared("corpus/wire") else {
        return Vec::new();
    };
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(client) && name.ends_with(".wire.jsonl.gz")
        })
        .collect();
    paths.sort();
    let stories = paths.iter().filter_map(|path| read(path));
    stories.collect()
}

fn read(path: &Path) -> Option<Story> {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    if text.len() > MAX_BYTES {
        return None;
    }
    let mut lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let header = lines.next()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let url = text(&header["url"]);
    let session = url
        .split_once("statsSessionId=")
        .and_then(|(_, rest)| rest.split('&').next());
    let end = header["closedT"].as_f64()?.max(1.0);
    let messages = lines
        .filter(|message| message["dir"] == "c2s")
        .map(|message| Message {
            at: (message["t"].as_f64().unwrap() / end).min(1.0),
            text: text(&message["data"]),
        })
        .filter(|message| !message.text.contains("\"type\":\"keepalive\""))
        .collect();
    Some(Story {
        name: path.file_name()?.to_string_lossy().into_owned(),
        subprotocol: text(&header["subprotocol"]),
        user_agent: text(&header["headers"]["user-agent"]),
        origin: text(&header["headers"]["origin"]),
        session: session.unwrap_or_default().to_owned(),
        messages,
    })
}

/// A call with a report every second.
fn made_up(variant: usize) -> Story {
    const SESSION: &str = "00000000-0000-4000-a000-000000000000";
    const START: u64 = 1_700_000_000_000;
    let count = 200 + 100 * variant;
    let messages = (0..count).map(|index| {
        let (number, at) = (index + 1, START + 1_000 * index as u64);
        let (kind, data) = match index {
            0 => {
                let identity = r#"{"confName":"room","displayName":"somebody"}"#;
                ("identity", format!(r#"["identity",null,{identity},{at},{number}]"#))
            }
            1 => ("stats-entry", format!(r#"["create","PC_0",{{}},{at},{number}]"#)),
            _ => {
                let report = format!(
                    r#"{{"A":{{"type":"inbound-rtp","kind":"audio","ssrc":1,"packetsReceived":{},"packetsLost":{index},"timestamp":0}},"timestamp":{at}}}"#,
                    index * 50
                );
                ("stats-entry", format!(r#"["getstats","PC_0",{report},{at},{number}]"#))
            }
        };
        let data = match kind {
            "identity" => data,
            _ => serde_json::to_string(&data).unwrap(),
        };
        Message {
            at: index as f64 / count as f64,
            text: format!(r#"{{"statsSessionId":"{SESSION}","type":"{kind}","data":{data}}}"#),
        }
    });
    Story {
        name: format!("made up {variant}"),
        subprotocol: "3.1_STANDARD".to_owned(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                     Chrome/156.0.0.0 Safari/537.36"
            .to_owned(),
        origin: "https://meet.example.org".to_owned(),
        session: SESSION.to_owned(),
        messages: messages.collect(),
    }
}
