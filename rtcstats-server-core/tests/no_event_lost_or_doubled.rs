//! Stock clients against the server in a hostile world: whatever happens, each event is stored
//! exactly once and in order, and what was acknowledged survives every crash.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod world;

use std::time::Duration;

use proptest::prelude::*;
use rtcstats_proto::jitsi::SessionId;
use rtcstats_proto::sequence_number_of;
use world::World;
use world::client::Client;

#[derive(Debug, Clone)]
enum Step {
    Emit(u8),
    Connect,
    DeliverUp(u8),
    DeliverDown,
    /// The connection is lost; whether the server notices.
    Cut(bool),
    /// Frames on connections that were lost arrive; whether their ends do too.
    DeliverLate(bool),
    Flush(u8),
    /// The process dies; how much of what was under way to the disk is found.
    Crash(u8),
    Wait(u16),
    /// Longer than any grace.
    Sleep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<u8>().prop_map(|count| Step::Emit(count % 60)),
        4 => Just(Step::Connect),
        6 => any::<u8>().prop_map(|count| Step::DeliverUp(count % 80)),
        5 => Just(Step::DeliverDown),
        2 => any::<bool>().prop_map(Step::Cut),
        2 => any::<bool>().prop_map(Step::DeliverLate),
        6 => any::<u8>().prop_map(|count| Step::Flush(count % 100)),
        1 => any::<u8>().prop_map(|count| Step::Crash(count % 40)),
        2 => any::<u16>().prop_map(|milliseconds| Step::Wait(milliseconds % 5_000)),
        1 => Just(Step::Sleep),
    ]
}

fn apply(step: &Step, client: &mut Client, world: &mut World) {
    match step {
        // Within what the client can remember: beyond it the client itself loses entries.
        Step::Emit(count) => {
            let room = 1_000 - client.unacknowledged().min(1_000);
            (0..usize::from(*count).min(room)).for_each(|_| client.emit());
        }
        Step::Connect => client.connect(world),
        Step::DeliverUp(count) => client.deliver_up(world, usize::from(*count)),
        Step::DeliverDown => client.deliver_down(world),
        Step::Cut(server_notices) => client.cut(world, *server_notices),
        Step::DeliverLate(notice) => client.deliver_late(world, *notice),
        Step::Flush(count) => world.flush(usize::from(*count)),
        Step::Crash(persisted) => {
            world.crash(usize::from(*persisted));
            client.server_crashed();
        }
        Step::Sleep => world.advance(Duration::from_secs(800)),
        Step::Wait(milliseconds) => world.advance(Duration::from_millis(u64::from(*milliseconds))),
    }
}

/// Everything is there; and once, unless the server has forgotten the session meanwhile. Then its client
/// sends again what was not acknowledged, into a dump of its own, in which it is once.
fn check_stored(client: &Client, world: &World, id: &SessionId, forgotten: bool) {
    if !forgotten {
        assert_eq!(world.stored(id), client.emitted);
        return;
    }
    for dump in world.dumps(id) {
        let numbers: Vec<_> = dump.iter().map(|line| sequence_number_of(line)).collect();
        assert!(numbers.is_sorted_by(|one, other| one < other));
    }
    let mut stored = world.stored(id);
    stored.sort_by_key(|line| sequence_number_of(line));
    stored.dedup();
    assert_eq!(stored, client.emitted);
}

fn check_promise(client: &Client, world: &World, id: &SessionId) {
    let durable = world
        .stored(id)
        .iter()
        .filter_map(|line| sequence_number_of(line))
        .max();
    assert!(
        client.acknowledged <= durable.unwrap_or_default(),
        "acknowledged before it was durable"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn each_event_is_stored_exactly_once_and_in_order(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        let mut client = Client::new("s");
        let id = SessionId::new("s").unwrap();
        for step in &steps {
            apply(step, &mut client, &mut world);
            check_promise(&client, &world, &id);
        }
        client.leave(&mut world);
        let forgotten = steps.iter().any(|step| matches!(step, Step::Sleep));
        check_stored(&client, &world, &id, forgotten);
    }

    #[test]
    fn clients_do_not_disturb_each_other(steps in prop::collection::vec((any::<bool>(), step()), 1..120)) {
        let mut world = World::new();
        let mut clients = [Client::new("a"), Client::new("b")];
        for (which, step) in &steps {
            let [one, other] = &mut clients;
            let (client, bystander) = if *which { (one, other) } else { (other, one) };
            apply(step, client, &mut world);
            if matches!(step, Step::Crash(_)) {
                bystander.server_crashed();
            }
        }
        for client in &mut clients {
            client.leave(&mut world);
            let id = SessionId::new(&client.id).unwrap();
            let forgotten = steps.iter().any(|(_, step)| matches!(step, Step::Sleep));
            check_stored(client, &world, &id, forgotten);
        }
    }
}
