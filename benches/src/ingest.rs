//! Frames through the server core, without sockets.

use std::time::Duration;

use rtcstats_server_core::{
    Action, Append, Connection, Handshake, Limits, Server, Time, Timing, Upgrade,
};

use crate::frames;

const TIME: Time = Time {
    monotonic: Duration::ZERO,
    unix_ms: 1_700_000_000_000.0,
};

/// A session's whole life: connected, all frames, left. Lines are handed out when so many frames were
/// taken.
pub fn session(
    subprotocol: &str,
    frames: &[String],
    batch: usize,
    mut append: impl FnMut(Vec<Append>),
) {
    let limits = Limits::default();
    let mut server = Server::new(limits, Timing::default());
    let upgrade = Upgrade {
        target: format!("/room?statsSessionId={}", frames::SESSION_ID),
        subprotocols: subprotocol.to_owned(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                     Chrome/156.0.0.0 Safari/537.36"
            .to_owned(),
        ..Upgrade::default()
    };
    let handshake = Handshake::new(&upgrade, &limits).unwrap().identified(1);
    let id = server.connect(TIME, &handshake).unwrap();
    let mut connection = Connection::new(&handshake, &limits);
    for frames in frames.chunks(batch) {
        for frame in frames {
            connection
                .receive(frame.as_bytes(), TIME.unix_ms, |message| {
                    server.receive(TIME, id, message.unwrap());
                })
                .unwrap();
        }
        let (mut appends, mut durable) = (Vec::new(), Vec::new());
        while let Some(action) = server.poll_action() {
            if let Action::Append {
                name,
                line: lines,
                sequence_number,
                ..
            } = action
            {
                durable.push((name.clone(), sequence_number));
                appends.push(Append { name, lines });
            }
        }
        append(appends);
        for (name, sequence_number) in durable {
            server.appended(TIME, &name, sequence_number);
        }
    }
    server.disconnect(TIME, id, Some(3001));
}
