//! The sink against a server that reads what it gets, as InfluxDB's documentation has it.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use flate2::read::GzDecoder;
use rtcstats_proto::jitsi::SessionId;
use serde_json::json;
use serde_json::value::to_raw_value;

use super::line::reader::{FieldValue, Point, read};
use super::*;
use crate::{DumpName, RecordPart};

/// A server that stores points, the last of several with the same measurement, tags and time.
struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// Measurement, tags and time.
type PointKey = (String, BTreeMap<String, String>, i64);

#[derive(Default)]
struct State {
    /// Request line, and headers by name in lower case.
    requests: Vec<(String, BTreeMap<String, String>)>,
    lines: Vec<usize>,
    points: BTreeMap<PointKey, BTreeMap<String, FieldValue>>,
    /// Taken before 204.
    answers: VecDeque<String>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        // Ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(&stream.unwrap(), &state));
            }
        });
        Self { address, state }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn answer(&self, answer: &str) {
        self.state
            .lock()
            .unwrap()
            .answers
            .push_back(answer.to_owned());
    }

    fn points(&self) -> Vec<Point> {
        let state = self.state.lock().unwrap();
        let points = state.points.iter();
        points
            .map(|((measurement, tags, time), fields)| Point {
                measurement: measurement.clone(),
                tags: tags.clone(),
                fields: fields.clone(),
                time: *time,
            })
            .collect()
    }

    fn points_of(&self, measurement: &str) -> Vec<Point> {
        let mut points = self.points();
        points.retain(|point| point.measurement == measurement);
        points
    }
}

/// Answers one request.
fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap() == 0 {
        return;
    }
    let request = line.trim().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let mut text = String::new();
    GzDecoder::new(body.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    let points = read(&text);
    let mut state = state.lock().unwrap();
    state.requests.push((request, headers));
    let answer = state.answers.pop_front();
    if answer.is_none() {
        state.lines.push(points.len());
        for point in points {
            let key = (point.measurement, point.tags, point.time);
            state.points.entry(key).or_default().extend(point.fields);
        }
    }
    let answer = answer.unwrap_or_else(|| "204 No Content\r\n\r\n".to_owned());
    (&*stream)
        .write_all(
            format!(
                "HTTP/1.1 {}",
                answer.replacen("\r\n", "\r\nConnection: close\r\n", 1)
            )
            .as_bytes(),
        )
        .unwrap();
}

fn v2(server: &Server) -> InfluxOptions {
    InfluxOptions::new(
        server.url(),
        InfluxTarget::V2 {
            organization: "an org".to_owned(),
            bucket: "calls".to_owned(),
            token: "secret".to_owned(),
        },
    )
}

fn publish(sink: &InfluxSink, record: &SessionRecord) -> Result<(), SinkError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(sink.publish(record))
}

const START: f64 = 1_700_000_000_123.0;

/// A session with a connection, whose stream has three steps.
fn record(id: &str) -> SessionRecord {
    let parts = [
        (
            "session",
            json!({"events": 7, "duplicates": 0, "gapCount": 1, "resumes": 2, "startedMs": START, "conference": "secret"}),
        ),
        (
            "features",
            json!({"features": {"browserInfo": {"name": "Firefox"}, "metrics": {"sessionDurationMs": 5_000}}}),
        ),
        (
            "rtcstats",
            json!({"peerConnections": [{
                "duration": 4_000, "connected": true, "connectionTime": null, "addIceCandidateFailure": 7,
                "tracks": [{"direction": "outbound", "kind": "audio", "trackIdentifier": "t\"1", "frameCount": 3}],
            }]}),
        ),
        (
            "series",
            json!({"connections": {"PC_0": {
                "start": START, "step": 10_000, "values": {"bitrateSent": [1.5, null, 3]},
                "streams": {"O 1": {
                    "direction": "outbound", "kind": "audio", "trackIdentifier": "t\"1",
                    "start": START, "step": 20_000, "values": {"bitrate": [null, 5], "jitter": [null, 0]},
                }},
            }}}),
        ),
        ("unknown", json!(["anything"])),
    ];
    SessionRecord {
        name: DumpName::first(SessionId::new(id).unwrap()),
        parts: parts
            .into_iter()
            .map(|(part, json)| RecordPart {
                part: part.to_owned(),
                json: to_raw_value(&json).unwrap(),
            })
            .collect(),
    }
}

fn fields(point: &Point) -> Vec<(&str, FieldValue)> {
    let fields = point.fields.iter();
    fields
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect()
}

fn text(text: &str) -> FieldValue {
    FieldValue::Text(text.to_owned())
}

#[test]
fn points_have_bounded_tags_and_their_ids_in_fields() {
    let server = Server::start();
    let sink = InfluxSink::new(v2(&server)).unwrap();
    publish(&sink, &record("a")).unwrap();
    assert_eq!(server.points().len(), 6);
    let number = FieldValue::Number;

    let session = &server.points_of("rtcstats_session")[0];
    let tags: Vec<_> = session
        .tags
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(tags, [("browser", "Firefox"), ("environment", "dev")]);
    assert_eq!(
        fields(session),
        [
            ("connections", number(1.0)),
            ("duplicates", number(0.0)),
            ("duration", number(5_000.0)),
            ("events", number(7.0)),
            ("gapCount", number(1.0)),
            ("resumes", number(2.0)),
            ("session", text("a")),
            ("tracks", number(1.0)),
        ]
    );
    let connection = &server.points_of("rtcstats_connection")[0];
    assert_eq!(
        fields(connection),
        [
            ("connected", FieldValue::Flag(true)),
            ("duration", number(4_000.0)),
            ("session", text("a")),
        ]
    );
    let track = &server.points_of("rtcstats_track")[0];
    assert_eq!(track.tags["direction"], "outbound");
    assert_eq!(track.tags["kind"], "audio");
    assert_eq!(
        fields(track),
        [
            ("frameCount", number(3.0)),
            ("session", text("a")),
            ("track", text("t\"1"))
        ]
    );

    let series = server.points_of("rtcstats_connection_series");
    let sent: Vec<_> = series
        .iter()
        .map(|point| point.fields["bitrateSent"].clone())
        .collect();
    assert_eq!(sent, [number(1.5), number(3.0)]);
    let milliseconds: Vec<_> = series.iter().map(|point| point.time / 1_000_000).collect();
    assert_eq!(milliseconds, [1_700_000_000_123, 1_700_000_020_123]);
    let stream = &server.points_of("rtcstats_track_series")[0];
    assert_eq!(
        fields(stream),
        [
            ("bitrate", number(5.0)),
            ("connection", text("PC_0")),
            ("jitter", number(0.0)),
            ("session", text("a")),
            ("stream", text("O 1")),
            ("track", text("t\"1")),
        ]
    );
    assert_eq!(stream.time / 1_000_000, 1_700_000_020_123);
}

#[test]
fn a_repetition_overwrites_itself_and_sessions_do_not_meet() {
    let server = Server::start();
    let sink = InfluxSink::new(v2(&server)).unwrap();
    for _ in 0..3 {
        for number in 0..20 {
            publish(&sink, &record(&format!("session-{number}"))).unwrap();
        }
    }
    // All of them at the same time, with the same tags.
    assert_eq!(server.points().len(), 20 * 6);
}

#[test]
fn the_session_can_be_a_tag() {
    let server = Server::start();
    let mut options = v2(&server);
    options.has_session_tag = true;
    options.prefix = "calls_".to_owned();
    let sink = InfluxSink::new(options).unwrap();
    publish(&sink, &record("a")).unwrap();
    let session = &server.points_of("calls_session")[0];
    assert_eq!(session.tags["session"], "a");
    assert!(!session.fields.contains_key("session"));
}

#[test]
fn both_write_endpoints_are_asked_as_documented() {
    let server = Server::start();
    let version_1 = |credentials| {
        let target = InfluxTarget::V1 {
            database: "my db".to_owned(),
            retention_policy: Some("week".to_owned()),
            credentials,
        };
        let options = InfluxOptions::new(format!("{}/proxy/", server.url()), target);
        publish(&InfluxSink::new(options).unwrap(), &record("a")).unwrap();
    };
    version_1(None);
    version_1(Some(("user".to_owned(), "pass".to_owned())));
    publish(&InfluxSink::new(v2(&server)).unwrap(), &record("a")).unwrap();
    let state = server.state.lock().unwrap();
    let lines: Vec<_> = state
        .requests
        .iter()
        .map(|(line, _)| line.as_str())
        .collect();
    let version_1 = "POST /proxy/write?db=my+db&rp=week&precision=ns HTTP/1.1";
    assert_eq!(
        lines,
        [
            version_1,
            version_1,
            "POST /api/v2/write?org=an+org&bucket=calls&precision=ns HTTP/1.1"
        ]
    );
    let authorizations = state
        .requests
        .iter()
        .map(|(_, headers)| headers.get("authorization"));
    let authorizations: Vec<_> = authorizations.map(|it| it.map(String::as_str)).collect();
    assert_eq!(
        authorizations,
        [None, Some("Basic dXNlcjpwYXNz"), Some("Token secret")]
    );
    for (_, headers) in &state.requests {
        assert_eq!(headers["content-encoding"], "gzip");
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    }
}

#[test]
fn many_points_go_in_batches() {
    let server = Server::start();
    let mut options = v2(&server);
    options.batch_lines = 2;
    let sink = InfluxSink::new(options).unwrap();
    publish(&sink, &record("a")).unwrap();
    assert_eq!(server.state.lock().unwrap().lines, [2, 2, 2]);
}

fn refusal(result: Result<(), SinkError>) -> String {
    let error = result.unwrap_err();
    std::error::Error::source(&error).unwrap().to_string()
}

#[test]
fn what_is_refused_is_an_error_with_the_reason() {
    let server = Server::start();
    let sink = InfluxSink::new(v2(&server)).unwrap();
    server.answer("400 Bad Request\r\nContent-Length: 43\r\n\r\n{\"error\":\"partial write: field type\nclash\"}");
    assert_eq!(
        refusal(publish(&sink, &record("a"))),
        r#"InfluxDB refuses points (400): {"error":"partial write: field type clash"}"#
    );
    server.answer("301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(
        refusal(publish(&sink, &record("a"))),
        "InfluxDB refuses points (301 Moved Permanently): ".replace(" Moved Permanently", "")
    );
    publish(&sink, &record("a")).unwrap();
}

#[test]
fn points_beyond_the_retention_are_no_error() {
    let server = Server::start();
    let sink = InfluxSink::new(v2(&server)).unwrap();
    server.answer("400 Bad Request\r\nContent-Length: 72\r\n\r\n{\"error\":\"partial write: points beyond retention policy dropped=6\"}      ");
    publish(&sink, &record("a")).unwrap();
}

#[test]
fn one_that_is_busy_is_left_alone_for_as_long_as_it_says() {
    for status in ["429 Too Many Requests", "503 Service Unavailable"] {
        let server = Server::start();
        let sink = InfluxSink::new(v2(&server)).unwrap();
        server.answer(&format!(
            "{status}\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n"
        ));
        let code = &status[..3];
        assert_eq!(
            refusal(publish(&sink, &record("a"))),
            format!("InfluxDB is busy ({code}), for 30 s")
        );
        assert!(refusal(publish(&sink, &record("a"))).contains("busy"));
        assert_eq!(server.state.lock().unwrap().requests.len(), 1);
    }
    let server = Server::start();
    let sink = InfluxSink::new(v2(&server)).unwrap();
    server.answer("503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n");
    publish(&sink, &record("a")).unwrap_err();
    publish(&sink, &record("a")).unwrap();
}

#[test]
fn points_far_from_the_session_and_numbers_of_no_time_are_left_out() {
    let server = Server::start();
    let sink = InfluxSink::new(v2(&server)).unwrap();
    let mut record = record("a");
    for start in [START - 8.0 * 86_400_000.0, 1.0, 1e300] {
        let series = json!({"connections": {"PC_0": {"start": start, "step": 1, "values": {"x": [1]}, "streams": {}}}});
        record.parts[3].json = to_raw_value(&series).unwrap();
        publish(&sink, &record).unwrap();
    }
    assert_eq!(server.points_of("rtcstats_connection_series"), []);
}

#[test]
fn a_record_without_parts_asks_for_nothing_and_a_broken_part_is_an_error() {
    let server = Server::start();
    let sink = InfluxSink::new(v2(&server)).unwrap();
    let mut record = record("a");
    record.parts[3].json = to_raw_value(&json!({"connections": 5})).unwrap();
    assert_eq!(
        refusal(publish(&sink, &record)),
        "part series of the record cannot be read"
    );
    record.parts.clear();
    publish(&sink, &record).unwrap();
    assert_eq!(server.state.lock().unwrap().requests.len(), 0);
}

#[test]
fn nobody_there_is_an_error() {
    let server = Server::start();
    let mut options = v2(&server);
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    options.url = format!("http://{free}");
    let sink = InfluxSink::new(options).unwrap();
    assert_eq!(
        refusal(publish(&sink, &record("a"))),
        "InfluxDB cannot be reached"
    );
}

#[test]
fn options_that_are_none_are_refused_and_secrets_are_not_shown() {
    let server = Server::start();
    for url in ["nothing", "file:///tmp"] {
        let mut options = v2(&server);
        options.url = url.to_owned();
        InfluxSink::new(options).unwrap_err();
    }
    let options = v2(&server);
    let shown = format!(
        "{options:?} {:?}",
        InfluxSink::new(options.clone()).unwrap()
    );
    assert!(
        shown.contains("calls") && !shown.contains("secret"),
        "{shown}"
    );
}
