//! The stock browser clients against the server: a real call, the server killed, the wire cut; and a
//! recorded call of rtcstats 5.0, whose client is in no registry, sent again by a browser.
//!
//! `e2e/run.mjs` does the work.

mod harness;

use harness::{has_recordings, run};

#[test]
fn each_event_of_a_call_is_stored_once_and_its_features_move_while_it_goes_on() {
    run("plain");
}

#[test]
fn nothing_is_lost_when_the_server_is_killed_twice_in_mid_call() {
    run("restarts");
}

#[test]
fn nothing_is_lost_when_the_connection_is_cut_three_times() {
    run("cuts");
}

#[test]
fn each_event_of_a_legacy_call_is_stored_once_with_the_repairs_of_its_time() {
    run("legacy-plain");
}

#[test]
fn what_is_stored_of_a_legacy_call_when_the_server_is_killed_is_kept_and_closed() {
    run("legacy-killed");
}

#[test]
fn addresses_of_a_legacy_call_are_masked_as_by_servers_of_its_time() {
    run("legacy-masked");
}

#[test]
fn nothing_of_an_address_but_its_network_is_kept_under_strict_rules() {
    run("legacy-strict");
}

#[test]
fn a_recorded_call_of_rtcstats_5_0_is_stored_and_extracted_as_by_the_reference() {
    if has_recordings() {
        run("rtcstats-replay");
    }
}
