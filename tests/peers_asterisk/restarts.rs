//! A server that goes, comes back, or never had a lot.

use super::*;

on_each_asterisk! {
    a_server_that_stops_makes_the_lamps_stale_and_one_that_returns_makes_them_fresh,
    a_server_without_park_is_told_as_such_and_the_call_stays,
    a_server_that_restarts_in_the_middle_of_everything_leaves_nothing_false_on_the_board,
    a_server_that_restarts_between_a_park_or_a_retrieve_and_its_proof_leaves_nothing_false_on_the_board,
}

fn a_server_that_stops_makes_the_lamps_stale_and_one_that_returns_makes_them_fresh(version: Version) {
    let mut asterisk = Asterisk::start(AsteriskOptions::of(version));
    let console = Console::start(&reception(&asterisk));
    console.wait_ready(asterisk.slots());
    let _caller = answered(&console, &jane(&asterisk));
    asterisk.stop();
    let stale = Duration::from_secs(25);
    console.terminal.wait_text("✕ no answer", stale);
    for slot in asterisk.slots() {
        console.wait_slot(slot, &["? stale", "was free"], SOON);
    }
    console.keys("p");
    console.wait_text("no lamp is fresh, so a park could not be proven");
    asterisk.start_again();
    asterisk.wait_for_registration("reception", Duration::from_secs(20));
    console.terminal.wait_line(&["registered, reachable", "lamps fresh"], Duration::from_secs(20));
    for slot in asterisk.slots() {
        console.wait_slot(slot, &["□ free"], SOON);
    }
    // The server has forgotten the call; the board shows it until somebody finds out.
    if !console.calls().is_empty() {
        console.keys("x");
    }
    console.wait_calls(0, SOON);
    // And all is as it was: a new caller comes through and is parked.
    let caller = answered(&console, &jane(&asterisk));
    park(&console, 701, "Jane Doe");
    assert_eq!(asterisk.parked(), [701]);
    assert!(caller.is_up());
}

fn a_server_without_park_is_told_as_such_and_the_call_stays(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions { parking: false, ..AsteriskOptions::of(version) });
    let console = Console::start(&reception(&asterisk));
    console.terminal.wait_line(&["registered, reachable", "9 refused"], SOON);
    for slot in asterisk.slots() {
        console.wait_slot(slot, &["✕ refused: no hint for this slot on the server (404)"], SOON);
    }
    let caller = answered(&console, &jane(&asterisk));
    asterisk.log_sip();
    console.keys("p");
    console.wait_text(
        "not parked: the server has no lamp for any of these slots: hold (h) or transfer (t) instead",
    );
    console.keys("1");
    console.wait_text("701: the server won't tell its state");
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    assert_eq!(sent_by_console(&asterisk, "REFER"), 0);
    assert!(caller.is_up());
    console.keys("x");
    caller.wait_ended_by_peer(SOON);
}

fn a_server_that_restarts_in_the_middle_of_everything_leaves_nothing_false_on_the_board(version: Version) {
    let mut asterisk = Asterisk::start(AsteriskOptions::of(version));
    let console = Console::start(&reception(&asterisk));
    console.wait_ready(asterisk.slots());
    let unknown = self_parked(&asterisk, "700", "Unknown", "0303");
    console.wait_slot(701, &["■", "~somebody"], SOON);
    let parked = answered(&console, &jane(&asterisk));
    park(&console, 702, "Jane Doe");
    console.wait_calls(0, SOON);
    let held = answered(&console, &stranger(&asterisk, "100", "Harry Held", "0304"));
    console.keys("h");
    console.wait_call(&["held", "Harry Held"], SOON);
    let talking = answered(&console, &stranger(&asterisk, "100", "Peter Pan", "0302"));
    let ringing = Caller::call(&stranger(&asterisk, "100", "Ringo", "0305"));
    console.wait_call(&["RINGING", "Ringo"], SOON);
    asterisk.restart_now();
    for caller in [&parked, &unknown, &held, &talking] {
        caller.wait_ended_by_peer(SOON);
    }
    assert!(!ringing.is_up());
    console.wait_calls(0, SOON);
    // However it finds out: by the server's own new word, or by asking after a silence.
    for slot in asterisk.slots() {
        console.wait_slot(slot, &["□ free"], Duration::from_secs(40));
    }
    console.terminal.wait_line(&["registered, reachable", "lamps fresh"], Duration::from_secs(20));
    console.wait_text("Jane Doe is no longer on 702: taken elsewhere, or hung up · 01614960100");
    // And all is as it was.
    let caller = answered(&console, &jane(&asterisk));
    park(&console, 701, "Jane Doe");
    console.wait_calls(0, SOON);
    assert_eq!(asterisk.parked(), [701]);
    assert!(caller.is_up());
}

/// A caller who is silent makes the server wait up to half a second before it parks or gives back: it ends in there.
fn a_server_that_restarts_between_a_park_or_a_retrieve_and_its_proof_leaves_nothing_false_on_the_board(
    version: Version,
) {
    let mut asterisk = Asterisk::start(AsteriskOptions { slots: 3, ..AsteriskOptions::of(version) });
    let silent = |name: &str, number: &str| CallerOptions::new(asterisk.sip(), "100", name, number);
    let console = Console::start(&reception(&asterisk));
    console.wait_ready(asterisk.slots());
    let taken = answered(&console, &silent("Tom Taken", "0306"));
    park(&console, 701, "Tom Taken");
    console.wait_calls(0, SOON);
    let parking = answered(&console, &silent("Pia Parking", "0307"));
    console.keys("p");
    console.keys("1");
    asterisk.restart_now();
    for caller in [&taken, &parking] {
        caller.wait_ended_by_peer(SOON);
    }
    for slot in asterisk.slots() {
        console.wait_slot(slot, &["□ free"], Duration::from_secs(40));
    }
    console.wait_calls(0, Duration::from_secs(40));
    let screen = console.terminal.screen_text();
    assert!(!screen.contains("talking"), "{screen}");
    // And all is as it was.
    let caller = answered(&console, &jane(&asterisk));
    park(&console, 701, "Jane Doe");
    console.wait_calls(0, SOON);
    assert_eq!(asterisk.parked(), [701]);
    assert!(caller.is_up());
}
