//! Chaos on one machine: clients replay recorded calls while processes are killed and paused,
//! sockets cut, stalled and slowed, and disks filled. In the end every dump has each acknowledged event
//! exactly once and in order, features are those of an undisturbed run, and no row is there twice.
//!
//! What goes wrong when is drawn from a seed, which is printed; the same seed gives the same schedule
//! (though not the same interleaving). By default a run is short. A long one:
//!
//! ```sh
//! RTCSTATS_CHAOS_SECONDS=300 RTCSTATS_CHAOS_SESSIONS=200 RTCSTATS_CHAOS_SEED=7 \
//!     cargo test -p rtcstats-examples --test chaos -- --nocapture
//! ```
//!
//! One test has one node with its journal in files; the other three nodes over a cluster of three NATS
//! servers with PostgreSQL for the records. `RTCSTATS_CHAOS_LOG` is what nodes log; what they wrote is kept
//! where a run fails.
//!
//! One NATS server after the other is killed or paused, too; two are always up. `RTCSTATS_CHAOS_BROKERS=false`
//! leaves it at their sockets, for NATS 2.9.10 (that of Debian 12), **which does not bear it:** after some
//! changes of the leader the replicas of a stream differ for good, and what was acknowledged is missing in
//! some. `RTCSTATS_NATS_SERVER` names another program than the first `nats-server` of `PATH`.
//!
//! Disks are filled where a file system may be mounted (as root); elsewhere a line says that they are
//! not.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and says how much it compared"
)]

mod brokers;
mod client;
mod disk;
#[path = "../golden/mod.rs"]
mod golden;
#[path = "../../../rtcstats-server-core/tests/services/nats.rs"]
mod nats;
mod nodes;
#[allow(dead_code, reason = "other tests need the rest of it")]
#[path = "../../../rtcstats-server-core/tests/services/postgres.rs"]
mod postgres;
mod proxy;
mod random;
mod rows;
mod run;
mod schedule;
mod stores;
mod story;
mod verdict;

use std::io::Write as _;
use std::str::FromStr;
use std::time::Duration;

use random::Random;
use run::{Plan, Run};

/// From the environment, or the default.
fn setting<T: FromStr>(name: &str, default: T) -> T {
    let Some(text) = std::env::var_os(name) else {
        return default;
    };
    let text = text.to_string_lossy();
    let value = text.parse().ok();
    assert!(value.is_some(), "{name} is {text}");
    value.unwrap_or(default)
}

/// Not a print macro: those are captured while the test passes.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}

/// Says that a program is missing, unless it must not be.
fn skip(program: &str) {
    assert!(
        std::env::var_os("RTCSTATS_SERVICES_REQUIRED").is_none(),
        "{program} is not installed, and RTCSTATS_SERVICES_REQUIRED is set"
    );
    say(&format!("skipped: {program} is not installed"));
}

fn plan(nodes: usize, brokers: usize) -> Plan {
    let seed = setting("RTCSTATS_CHAOS_SEED", 1_u64);
    say(&format!("RTCSTATS_CHAOS_SEED={seed}"));
    Plan {
        random: Random::new(seed),
        duration: Duration::from_secs(setting("RTCSTATS_CHAOS_SECONDS", 40)),
        sessions: setting("RTCSTATS_CHAOS_SESSIONS", 40),
        nodes,
        brokers,
        kills_brokers: setting("RTCSTATS_CHAOS_BROKERS", true),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_acknowledged_survives_chaos() {
    if let Some(run) = Run::start(plan(1, 0)).await {
        run.complete().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_any_of_several_nodes_acknowledged_survives_chaos() {
    if let Some(run) = Run::start(plan(3, 3)).await {
        run.complete().await;
    }
}
