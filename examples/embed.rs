//! Feature extraction inside a service of one's own: events in as they come, features out at any
//! time. No server, no files, no runtime.

use rtcstats_features::Extractor;
use rtcstats_features::jitsi::JitsiFold;

/// One call, as a service might hold it.
struct Call {
    extractor: Extractor<JitsiFold>,
}

impl Call {
    fn new(session: &str) -> Self {
        Self {
            extractor: Extractor::new(JitsiFold::new(session)),
        }
    }

    /// Takes one line of the client; a bad one is reported, and the call goes on.
    fn on_line(&mut self, line: &str) {
        if let Err(error) = self.extractor.push_line(line) {
            say(&format!("passed over: {error}"));
        }
    }

    /// Round-trip time so far, in milliseconds, of each peer connection.
    fn round_trip_times(&self, now: f64) -> Vec<(String, f64)> {
        let extraction = self.extractor.snapshot(now);
        let Some(features) = extraction.client() else {
            return Vec::new();
        };
        let connections = features.aggregates.iter();
        connections
            .map(|(key, pc)| (key.clone(), pc.transport_aggregates.mean_rtt * 1000.0))
            .collect()
    }
}

fn main() {
    let mut call = Call::new("a-session");
    call.on_line(r#"["connectionInfo",null,{"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36","clientProtocol":"3.1_STANDARD"},1700000000000]"#);
    call.on_line(r#"["create","PC_0",{},1700000000001,1]"#);
    call.on_line(r#"["getstats","PC_0",{"T":{"type":"transport","selectedCandidatePairId":"CP"},"CP":{"type":"candidate-pair","currentRoundTripTime":0.05}},1700000001000,2]"#);
    for (connection, milliseconds) in call.round_trip_times(1_700_000_001_000.0) {
        say(&format!("{connection}: {milliseconds} ms"));
    }
}

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn say(text: &str) {
    println!("{text}");
}
