//! The server in a simulated world: virtual time, clients of all generations, a driver that dies
//! between any two actions, a journal and sinks that are slow and fail. Rules are checked after every
//! step; a schedule that breaks one is shrunk, and printed as it is pasted into a test.
//!
//! `RTCSTATS_SIMULATION_STEPS` plays more steps than a million, `RTCSTATS_SIMULATION_SEED` others.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and says how much it played"
)]

mod client;
mod disk;
mod ledger;
mod machine;
mod schedule;
mod shrink;
mod universe;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use machine::Driver;
use schedule::{Journaling, Random, Step, draw, to_source};
use shrink::shrink;
use universe::{CLIENTS, Failure, Figures, Setting, play};

/// Steps of one schedule: enough for sessions to begin, end and come again.
const LENGTH: usize = 2_000;

fn number(variable: &str, default: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(default, |text| text.parse().unwrap())
}

fn setting_of(seed: u64) -> Setting {
    match seed % 4 {
        0 => Setting::ROOMY,
        1 => Setting::TIGHT,
        2 => Setting::HASTY,
        _ => Setting::TIGHT_AND_HASTY,
    }
}

fn draw_of(seed: u64) -> Vec<Step> {
    draw(&mut Random::new(seed), LENGTH, CLIENTS)
}

/// Says which small schedule breaks a rule.
fn explain(seed: u64, setting: Setting, steps: &[Step], failure: Failure) -> String {
    let after = failure.after;
    let (steps, failure) = shrink(setting, steps, failure);
    let (length, violation) = (steps.len(), failure.violation);
    let source = to_source(&steps);
    format!(
        "seed {seed}, step {after}: {violation}\nshrunk to {length} steps in {setting:?}:\n{source}"
    )
}

#[test]
fn a_million_steps_break_no_rule() {
    let steps = number("RTCSTATS_SIMULATION_STEPS", 1_000_000);
    let first = number("RTCSTATS_SIMULATION_SEED", 0);
    let seeds = first..first + steps.div_ceil(LENGTH as u64);
    let (next, total) = (AtomicU64::new(first), Mutex::new(Figures::default()));
    let broken = Mutex::new(None);
    let work = || {
        while broken.lock().unwrap().is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) {
                return;
            }
            let steps = draw_of(seed);
            match play(setting_of(seed), &steps) {
                Ok(figures) => total.lock().unwrap().add(&figures),
                Err(failure) => *broken.lock().unwrap() = Some((seed, steps, failure)),
            }
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    if let Some((seed, steps, failure)) = broken.into_inner().unwrap() {
        panic!("{}", explain(seed, setting_of(seed), &steps, failure));
    }
    let figures = total.into_inner().unwrap();
    println!("{figures:#?}");
    assert!(figures.steps >= steps && figures.crashes > 0 && figures.faults > 0);
}

/// The first schedule that finds a fault of the driver, shrunk.
fn find(driver: Driver) -> (Vec<Step>, Failure) {
    let setting = Setting {
        driver,
        ..Setting::ROOMY
    };
    for seed in 0..20 {
        let steps = draw_of(seed);
        if let Err(failure) = play(setting, &steps) {
            return shrink(setting, &steps, failure);
        }
    }
    panic!("{driver:?} is not found");
}

#[test]
fn a_driver_that_reports_too_early_is_found_and_the_schedule_shrunk() {
    let (steps, failure) = find(Driver::ReportsEarly);
    println!("{}: {}", failure.violation, to_source(&steps));
    assert_eq!(
        failure.violation.rule,
        "nothing is acknowledged that is not durable"
    );
    assert!(steps.len() <= 12, "{} steps", steps.len());
}

#[test]
fn a_driver_that_repeats_a_batch_is_found_and_the_schedule_shrunk() {
    let (steps, failure) = find(Driver::RepeatsBatch);
    println!("{}: {}", failure.violation, to_source(&steps));
    assert_eq!(failure.violation.rule, "events of a dump are in order");
    assert!(steps.len() <= 12, "{} steps", steps.len());
}

/// Plays a schedule that once broke a rule.
fn replay(setting: Setting, steps: &[Step]) {
    if let Err(failure) = play(setting, steps) {
        panic!("after {} steps: {}", failure.after, failure.violation);
    }
}

#[test]
fn a_client_comes_back_after_the_log_of_its_ended_session_was_refused() {
    replay(
        Setting::HASTY,
        &[
            Step::Connect(0),
            Step::Down(0),
            Step::Emit(0, 1),
            Step::Up(0, 1),
            Step::Cut(0, true),
            Step::Wait(6_000),
            Step::Journal(Journaling::Refuses(0)),
            Step::Journal(Journaling::Works),
            Step::Emit(0, 1),
        ],
    );
}

#[test]
fn dumps_that_go_on_from_a_log_that_is_refused_fail_with_it() {
    replay(
        Setting::HASTY,
        &[
            Step::Connect(0),
            Step::Down(0),
            Step::Emit(0, 1),
            Step::Up(0, 1),
            Step::Cut(0, true),
            Step::Wait(6_000),
            Step::Emit(0, 1),
            Step::Connect(0),
            Step::Down(0),
            Step::Up(0, 2),
            Step::Journal(Journaling::Refuses(0)),
            Step::Journal(Journaling::Works),
        ],
    );
}

#[test]
fn what_an_attempt_has_stored_of_a_log_that_is_refused_is_not_sent_again() {
    replay(
        Setting::ROOMY,
        &[
            Step::Connect(0),
            Step::Down(0),
            Step::Emit(0, 1),
            Step::Up(0, 1),
            Step::Journal(Journaling::Fails(2)),
            Step::Journal(Journaling::Refuses(0)),
        ],
    );
}

#[test]
fn a_late_frame_does_not_take_a_session_back_from_a_newer_connection_that_is_gone() {
    replay(
        Setting::ROOMY,
        &[
            Step::Connect(3),
            Step::Emit(3, 2),
            Step::Cut(3, false),
            Step::Connect(3),
            Step::Emit(3, 2),
            Step::Up(3, 2),
            Step::Cut(3, true),
        ],
    );
}
