//! Offers that never come to anything.

use crate::Dump;

/// A Jitsi session that creates `count` offers, no two of them equal, and sets none.
pub fn jitsi(count: usize) -> Dump {
    let head = ["[\"connectionInfo\",null,{\"clientProtocol\":\"3.1_STANDARD\"},1700000000000]"];
    dump(&head, count, |number| {
        let time = 1_700_000_000_000 + number;
        let offer = offer(&format!("v=0\\r\\no=- {number} 2 IN IP4 127.0.0.1\\r\\n"));
        format!("[\"createOfferOnSuccess\",\"PC_0\",{offer},{time},{number}]")
    })
}

/// The same of rtcstats 5.0, where each offer says that its first sections are those of a description
/// that nobody has seen.
pub fn rtcstats(count: usize) -> Dump {
    let head = [
        "RTCStatsDump",
        "{\"fileFormat\":3,\"startTime\":1700000000000}",
    ];
    dump(&head, count, |number| {
        let offer = offer(&format!("v=\\r\\nm=\\r\\nm=application {number} x\\r\\n"));
        format!("[3,\"PC_0\",{offer},1]")
    })
}

fn offer(beginning: &str) -> String {
    const AUDIO: &str =
        r"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n";
    format!("{{\"type\":\"offer\",\"sdp\":\"{beginning}{AUDIO}\"}}")
}

fn dump(head: &[&str], count: usize, line: impl FnMut(usize) -> String) -> Dump {
    let head = head.iter().map(|line| (*line).to_owned());
    Dump {
        lines: head.chain((1..=count).map(line)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use rtcstats_proto::{EventReader, Method};

    use super::*;

    #[test]
    fn every_line_behind_the_head_is_an_offer() {
        for (dump, head) in [(jitsi(3), 1), (rtcstats(3), 2)] {
            let mut reader = EventReader::default();
            let methods = dump.lines.iter().map(|line| {
                let event = reader.read(line).unwrap();
                event.and_then(|event| event.method())
            });
            let methods: Vec<_> = methods.skip(head).collect();
            assert_eq!(methods, [Some(Method::CreateOfferOnSuccess); 3]);
        }
    }
}
