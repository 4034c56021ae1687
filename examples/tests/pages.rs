//! The pages as readers see them, in a real browser: what they show, save and link to, in both themes and on a phone's
//! width, by whom nothing is fetched from another host.
//!
//! `e2e/pages.mjs` does the work, one scenario of `e2e/pages/` at a time.

mod harness;

use harness::{has_recordings, look_at};

#[test]
fn a_finished_session_is_shown_saved_and_linked_to_with_the_numbers_that_were_sent() {
    look_at_recording("session-finished");
}

#[test]
fn graphs_move_while_a_session_goes_on_and_stay_where_the_reader_put_them() {
    look_at_recording("session-live");
}

#[test]
fn a_page_goes_on_where_it_was_when_the_server_is_back() {
    look_at_recording("session-reconnect");
}

#[test]
fn markup_of_clients_is_text_and_large_sessions_are_drawn_as_they_come_into_sight() {
    look_at("session-made-up");
}

#[test]
fn thousands_of_sessions_are_searched_sorted_and_paged_and_live_ones_move_on() {
    look_at("sessions");
}

#[test]
fn dumps_of_every_format_are_shown_and_stored_only_when_asked_for() {
    look_at("import");
}

#[test]
fn graphs_of_all_calls_move_and_are_saved() {
    look_at("graphs");
}

#[test]
fn a_call_of_the_demo_is_seen_from_the_click_to_its_features() {
    look_at("demo");
}

#[test]
fn a_page_of_another_origin_traces_to_the_server_and_loses_nothing_when_it_is_killed() {
    look_at("tracing");
}

fn look_at_recording(page: &str) {
    if has_recordings() {
        look_at(page);
    }
}
