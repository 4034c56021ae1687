//! Records as NATS messages, against a real server.

#![cfg(all(feature = "nats", feature = "testing"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "services/nats.rs"]
mod nats;

use std::cell::Cell;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::stream::{Config, StorageType};
use futures_util::StreamExt;
use nats::NatsServers;
use rtcstats_server_core::testing;
use rtcstats_server_core::{
    BoxFuture, DumpName, FeatureSink, NatsDelivery, NatsSink, NatsSinkOptions, RecordPart,
    SessionRecord, SinkError,
};
use serde_json::value::RawValue;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

fn options(prefix: &str, delivery: NatsDelivery) -> NatsSinkOptions {
    NatsSinkOptions {
        prefix: prefix.to_owned(),
        delivery,
        ..NatsSinkOptions::default()
    }
}

async fn create_stream(url: &str, prefix: &str) {
    let client = async_nats::connect(url).await.unwrap();
    let config = Config {
        name: prefix.to_owned(),
        subjects: vec![format!("{prefix}.>")],
        storage: StorageType::Memory,
        ..Config::default()
    };
    let context = async_nats::jetstream::new(client);
    context.create_stream(config).await.unwrap();
}

/// Subject, headers and content of all messages of a stream.
async fn messages(url: &str, stream: &str) -> Vec<(String, HeaderMap, String)> {
    let client = async_nats::connect(url).await.unwrap();
    let context = async_nats::jetstream::new(client);
    let mut stream = context.get_stream(stream).await.unwrap();
    let count = stream.info().await.unwrap().state.messages;
    let mut messages = Vec::new();
    for sequence in 1..=count {
        let message = stream.get_raw_message(sequence).await.unwrap();
        let content = String::from_utf8(message.payload.to_vec()).unwrap();
        messages.push((message.subject.to_string(), message.headers, content));
    }
    messages
}

/// What a header says, without its escapes.
fn header(headers: &HeaderMap, name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = headers.get(name).unwrap().as_str();
    while let Some((before, behind)) = rest.split_once('%') {
        let (digits, after) = behind.split_at(2);
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(digits, 16).unwrap());
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap()
}

fn record(session: &str, parts: &[(&str, &str)]) -> SessionRecord {
    let parts = parts.iter().map(|(part, json)| RecordPart {
        part: (*part).to_owned(),
        json: RawValue::from_string((*json).to_owned()).unwrap(),
    });
    SessionRecord {
        name: session.parse().unwrap(),
        parts: parts.collect(),
    }
}

/// A sink that knows its stream.
struct InStream(NatsSink, String);

impl FeatureSink for InStream {
    fn publish(&self, record: &SessionRecord) -> BoxFuture<'_, Result<(), SinkError>> {
        self.0.publish(record)
    }

    fn name(&self) -> &str {
        self.0.name()
    }
}

#[test]
fn nats_sink_keeps_the_contract_with_a_stream() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let (runtime, url, count) = (runtime(), servers.url(), Cell::new(0));
    let make = || {
        count.set(count.get() + 1);
        let prefix = format!("records-{}", count.get());
        runtime.block_on(async {
            create_stream(&url, &prefix).await;
            let options = options(&prefix, NatsDelivery::Detect);
            InStream(NatsSink::connect(&url, options).await.unwrap(), prefix)
        })
    };
    testing::sink_contract(make, |sink| {
        let messages = runtime.block_on(messages(&url, &sink.1)).into_iter();
        let part = |(_, headers, content): (String, HeaderMap, String)| {
            let session: DumpName = header(&headers, "Rtcstats-Session").parse().unwrap();
            (session, header(&headers, "Rtcstats-Part"), content)
        };
        messages.map(part).collect()
    });
}

#[test]
fn parts_come_in_their_order_under_the_subjects_of_their_kinds() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let url = servers.url();
    runtime().block_on(async {
        create_stream(&url, "a").await;
        let sink = NatsSink::connect(&url, options("a", NatsDelivery::Stream));
        let sink = sink.await.unwrap();
        let large = format!("\"{}\"", "x".repeat(2 << 20));
        let parts = [
            ("features", "1"),
            ("pc/0", "2"),
            ("large", &large),
            ("we.ird >/x", "3"),
        ];
        sink.publish(&record("s_1", &parts)).await.unwrap();
        let messages = messages(&url, "a").await;
        let seen: Vec<(&str, String, &str)> = messages
            .iter()
            .map(|(subject, headers, content)| {
                let id = headers.get("Nats-Msg-Id").unwrap().to_string();
                (subject.as_str(), id, content.as_str())
            })
            .collect();
        let expected = [
            ("a.features", "s_1/features", "1"),
            ("a.pc", "s_1/pc/0", "2"),
            ("a.large", "s_1/large", "null"),
            ("a.we_ird__", "s_1/we.ird%20>/x", "3"),
        ];
        assert_eq!(
            seen,
            expected.map(|(subject, id, json)| (subject, id.to_owned(), json))
        );
        let omitted = header(&messages[2].1, "Rtcstats-Omitted");
        assert_eq!(omitted, large.len().to_string());
    });
}

#[test]
fn without_a_stream_messages_go_to_those_who_listen() {
    let Some(servers) = NatsServers::start(1) else {
        return;
    };
    let url = servers.url();
    runtime().block_on(async {
        let listener = async_nats::connect(&url).await.unwrap();
        let mut messages = listener.subscribe("b.>").await.unwrap();
        listener.flush().await.unwrap();
        let sink = NatsSink::connect(&url, options("b", NatsDelivery::Detect)).await;
        let sink = sink.unwrap();
        sink.publish(&record("s", &[("features", "1")]))
            .await
            .unwrap();
        let message = tokio::time::timeout(Duration::from_secs(20), messages.next());
        let message = message.await.unwrap().unwrap();
        assert_eq!(message.subject.as_str(), "b.features");

        let strict = NatsSink::connect(&url, options("b", NatsDelivery::Stream)).await;
        let strict = strict.unwrap();
        let failed = strict.publish(&record("s", &[("features", "1")]));
        let error = failed.await.unwrap_err();
        assert_eq!(error.session(), Some(&"s".parse().unwrap()));
    });
}

#[test]
fn what_fails_while_the_server_is_gone_succeeds_when_it_is_back() {
    let Some(mut servers) = NatsServers::start(1) else {
        return;
    };
    let url = servers.url();
    let runtime = runtime();
    let sink = runtime.block_on(async {
        create_stream(&url, "c").await;
        let options = NatsSinkOptions {
            timeout: Duration::from_secs(2),
            ..options("c", NatsDelivery::Stream)
        };
        NatsSink::connect(&url, options).await.unwrap()
    });
    let publish = |session: &str| {
        let record = record(session, &[("features", "1"), ("pc/0", "2")]);
        testing::block_on(sink.publish(&record))
    };
    publish("before").unwrap();
    servers.kill(0);
    publish("after").unwrap_err();
    servers.restart(0);
    // A stream in memory goes with its server.
    runtime.block_on(create_stream(&url, "c"));
    let deadline = Instant::now() + Duration::from_secs(60);
    while publish("after").is_err() {
        assert!(Instant::now() < deadline);
    }
    let messages = runtime.block_on(messages(&url, "c"));
    assert_eq!(messages.len(), 2, "what was sent before is not sent twice");
}

#[test]
fn what_cannot_work_is_said_at_once() {
    runtime().block_on(async {
        let quick = |prefix: &str| NatsSinkOptions {
            timeout: Duration::from_millis(500),
            ..options(prefix, NatsDelivery::Core)
        };
        for (url, prefix) in [
            ("nats://127.0.0.1:1", "a"),
            ("no url", "a"),
            ("nats://127.0.0.1:1", "a..b"),
            ("nats://127.0.0.1:1", "a.>"),
            ("nats://127.0.0.1:1", ""),
        ] {
            let error = NatsSink::connect(url, quick(prefix)).await.unwrap_err();
            assert_eq!(error.session(), None);
        }
    });
    let connect = NatsSink::connect("nats://127.0.0.1:1", NatsSinkOptions::default());
    assert!(testing::block_on(connect).is_err(), "no runtime");
}
