//! Frames through the server core without sockets: parsed, accepted, appended; with and without the
//! extraction of features.

#![expect(missing_docs, reason = "criterion's macros write the functions")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark stops where its input is not as it was"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rtcstats_benches::{Workload, frames};
use rtcstats_features::Extractor;
use rtcstats_features::jitsi::JitsiFold;
use rtcstats_proto::dump::line_text;
use rtcstats_server_core::{Action, Connection, Handshake, Limits, Server, Time, Timing, Upgrade};

/// A session's whole life: connected, all frames, left. Returns the bytes appended.
fn ingest(frames: &[String], mut line: impl FnMut(&[u8])) -> usize {
    let limits = Limits::default();
    let mut server = Server::new(limits, Timing::default());
    let upgrade = Upgrade {
        target: "/room?statsSessionId=c19b8581-3c42-43a2-a8d2-0f94282ab569".to_owned(),
        subprotocols: "3.1_STANDARD".to_owned(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                     Chrome/156.0.0.0 Safari/537.36"
            .to_owned(),
        ..Upgrade::default()
    };
    let time = Time {
        monotonic: Duration::ZERO,
        unix_ms: 1_700_000_000_000.0,
    };
    let handshake = Handshake::new(&upgrade, &limits).unwrap();
    let id = server.connect(time, &handshake).unwrap();
    let mut connection = Connection::new(&handshake, &limits);
    let mut appended = 0;
    for frame in frames {
        connection
            .receive(frame.as_bytes(), time.unix_ms, |message| {
                server.receive(time, id, message.unwrap());
            })
            .unwrap();
        while let Some(action) = server.poll_action() {
            if let Action::Append {
                name,
                line: text,
                sequence_number,
                ..
            } = action
            {
                appended += text.len();
                line(&text);
                server.appended(time, &name, sequence_number);
            }
        }
    }
    server.disconnect(time, id, Some(3001));
    appended
}

fn sessions(criterion: &mut Criterion) {
    let workload = Workload::long_session(10);
    let frames: Vec<String> = workload.dumps.iter().flat_map(frames::of).collect();
    let bytes: usize = frames.iter().map(String::len).sum();
    let mut group = criterion.benchmark_group("ingest/L10");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("core", |bencher| {
        bencher.iter(|| ingest(black_box(&frames), |_| {}));
    });
    group.bench_function("core and features", |bencher| {
        bencher.iter(|| {
            let mut extractor = Extractor::new(JitsiFold::new("a-session"));
            ingest(black_box(&frames), |line| {
                let _ = extractor.push_line(line_text(line).trim_end());
            });
            extractor.finish(0.0)
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(5));
    targets = sessions
}
criterion_main!(benches);
