//! The demo, played by keys in the real binary: from the first ring to parked and back.

use crate::peers::pty::Terminal;
use crate::rig::{SOON, demo, leave};
use parkdeck::demo::Cast;
use std::time::Duration;

/// A seed with which Sam fetches the first caller who is parked, and soon, whether that is before the second caller
/// rings or after.
fn seed_with_a_caring_colleague() -> u64 {
    let cares = |seed: u64, rung: usize| {
        let start = Duration::from_secs(100);
        let mut cast = Cast::new(seed, 7, start);
        for nth in 0..rung {
            cast.wake(start + Duration::from_secs([2, 9][nth])).unwrap();
        }
        cast.colleague_cares().is_some_and(|after| after <= Duration::from_secs(30))
    };
    (0..).find(|seed| cares(*seed, 1) && cares(*seed, 2)).unwrap()
}

/// The demo with the first caller, who is always the same, answered.
fn talking_to_jane(seed: u64) -> Terminal {
    let terminal = demo(seed).start();
    terminal.wait_line(&["RINGING", "Jane Doe"], SOON);
    terminal.keys("<enter>");
    terminal.wait_line(&["talking", "Jane Doe"], SOON);
    terminal
}

#[test]
fn answer_note_park_retrieve_and_hang_up_by_single_keys() {
    let terminal = talking_to_jane(21);
    terminal.keys("n");
    terminal.wait_text("enter keep", SOON);
    terminal.keys("about the invoice<enter>");
    terminal.wait_line(&["about the invoice"], SOON);
    terminal.keys("p");
    terminal.wait_line(&["701", "■", "Jane Doe"], SOON);
    terminal.wait_text("PARKED ON 701", SOON);
    terminal.wait_for("no row of hers among the calls", SOON, |screen| !screen.contains("talking"));
    terminal.keys("r");
    terminal.wait_line(&["talking", "Jane Doe"], SOON);
    terminal.wait_text("about the invoice", SOON);
    terminal.wait_line(&["701", "□ free"], SOON);
    // The slot's own key, both ways: a full second, or it counts as a slip.
    terminal.keys("2");
    terminal.wait_line(&["702", "■", "Jane Doe"], SOON);
    std::thread::sleep(Duration::from_secs(1));
    terminal.keys("2");
    terminal.wait_line(&["talking", "Jane Doe"], SOON);
    terminal.wait_line(&["702", "□ free"], SOON);
    terminal.keys("x");
    terminal.wait_for("the end of her call", SOON, |screen| !screen.contains("talking"));
    leave(terminal);
}

#[test]
fn undo_takes_back_exactly_the_park_just_made() {
    let terminal = talking_to_jane(22);
    terminal.keys("p");
    terminal.wait_text("PARKED ON 701", SOON);
    terminal.keys("u");
    terminal.wait_line(&["talking", "Jane Doe"], SOON);
    terminal.wait_line(&["701", "□ free"], SOON);
    leave(terminal);
}

#[test]
fn hold_mute_and_digits_show_at_once() {
    let terminal = talking_to_jane(23);
    terminal.keys("h");
    terminal.wait_line(&["held", "Jane Doe"], SOON);
    std::thread::sleep(Duration::from_secs(1));
    terminal.keys("h");
    terminal.wait_line(&["talking", "Jane Doe"], SOON);
    terminal.keys("m");
    terminal.wait_text("MUTED", SOON);
    // Pressed at once again, it would count as a key held down.
    std::thread::sleep(Duration::from_millis(300));
    terminal.keys("m");
    terminal.wait_gone("MUTED", SOON);
    terminal.keys("#");
    terminal.wait_text("0-9 * # A-D send", SOON);
    terminal.keys("12#<esc>");
    terminal.wait_gone("0-9 * # A-D send", SOON);
    // Answer, hold and resume each caused a packet; how long that took was measured.
    terminal.keys("Q");
    terminal.wait_line(&["key to wire", "ms", "(3 keys)"], SOON);
    leave(terminal);
}

#[test]
fn sam_takes_a_parked_call_and_a_caller_who_is_not_answered_gives_up() {
    let terminal = talking_to_jane(seed_with_a_caring_colleague());
    terminal.keys("p");
    terminal.wait_line(&["701", "■", "Jane Doe"], SOON);
    // Sam may take up to half a minute, the second caller up to 52 seconds.
    terminal.wait_line(&["701", "□ free"], Duration::from_secs(45));
    terminal.wait_for("no comeback: Sam has her", Duration::from_secs(2), |screen| !screen.contains("BACK"));
    terminal.wait_text("gave up ringing", Duration::from_secs(60));
    leave(terminal);
}

#[test]
fn the_colleague_can_be_called_and_answers() {
    let terminal = demo(25).start();
    // By the time of the first call Sam is at his desk.
    terminal.wait_line(&["RINGING", "Jane Doe"], SOON);
    terminal.keys("d");
    terminal.wait_text("enter call", SOON);
    terminal.keys("101<enter>");
    terminal.wait_line(&["talking", "Sam"], SOON);
    terminal.keys("x");
    terminal.wait_gone("talking", SOON);
    leave(terminal);
}
