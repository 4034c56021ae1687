//! Sequences of operations on sessions: clients that connect, send, lose connections and come back,
//! a hostile neighbour, a journal that is slow, a server that dies. Each event is stored once, in order.

#![no_main]

#[path = "../../rtcstats-server-core/tests/world/mod.rs"]
mod world;

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use rtcstats_proto::jitsi::SessionId;
use rtcstats_proto::sequence_number_of;
use rtcstats_server_core::ConnectionId;
use world::client::Client;
use world::{World, upgrade};

/// Entries that a stock client remembers; beyond them it loses some itself.
const BUFFER: usize = 1_000;

fuzz_target!(|data: &[u8]| {
    let mut world = World::new();
    let mut clients = [Client::new("session-one"), Client::new("session-two")];
    let mut neighbour: Option<ConnectionId> = None;
    let mut operations = data;
    while let Some(([operation, amount], rest)) = operations.split_first_chunk::<2>() {
        operations = rest;
        let [a, b] = &mut clients;
        let client = if operation & 0x80 == 0 {
            &mut *a
        } else {
            &mut *b
        };
        let count = usize::from(*amount);
        match operation & 0x0F {
            0 => {
                let room = BUFFER - client.unacknowledged().min(BUFFER);
                (0..count.min(room)).for_each(|_| client.emit());
            }
            1 => client.connect(&mut world),
            2 => client.deliver_up(&mut world, count),
            3 => client.deliver_down(&mut world),
            4 => client.cut(&mut world, count % 2 == 0),
            5 => client.deliver_late(&mut world, count % 2 == 0),
            6 => world.flush(count),
            7 => world.advance(Duration::from_millis(count as u64 * 20)),
            8 => {
                world.crash(count);
                neighbour = None;
                clients.iter_mut().for_each(Client::server_crashed);
            }
            9 => {
                let protocol = ["", "3.1_STANDARD", "3.0_JVB"][count % 3];
                neighbour = neighbour.or_else(|| world.connect(&upgrade("/", protocol)).ok());
            }
            10 => {
                let frame;
                (frame, operations) = operations.split_at(count.min(operations.len()));
                if let Some(neighbour) = neighbour {
                    // The ids of others are secret: whoever knows one may write to it.
                    let knows = frame.windows(8).any(|part| part == b"session-");
                    if !knows {
                        world.receive(neighbour, frame);
                    }
                }
            }
            11 => {
                if let Some(neighbour) = neighbour.take() {
                    world.disconnect(neighbour, Some(3000 + u16::from(*amount)));
                }
            }
            _ => {}
        }
        check_promises(&clients, &world);
    }
    for client in &mut clients {
        client.leave(&mut world);
        let id = SessionId::new(&client.id).unwrap();
        assert_eq!(world.stored(&id), client.emitted);
    }
});

/// What was acknowledged is durable.
fn check_promises(clients: &[Client], world: &World) {
    for client in clients {
        let id = SessionId::new(&client.id).unwrap();
        let durable = world
            .stored(&id)
            .iter()
            .rev()
            .find_map(|line| sequence_number_of(line));
        assert!(client.acknowledged <= durable.unwrap_or_default());
    }
}
