//! A colleague's phone that rings at our own lot: its lamp says so, with the caller; his key takes the call here.

use super::*;

#[test]
fn a_colleagues_lamp_says_who_rings_and_his_key_takes_the_call() {
    let lot = Lot::start(3, 45);
    let card = SoundCard::start(OPERATOR_HZ as u32);
    let (bob, mut alice) = (lot.phone("bob", BOB_HZ), lot.phone("alice", ALICE_HZ));
    let more = "[team]\nwatch = [\"102\", \"103\"]\npickup_prefix = \"*8\"\n[people]\nBob = \"102\"\n";
    let console = Console::start(&ConsoleOptions { card: Some(&card), more: more.into(), ..lot.console() });
    console.wait_ready(lot.slots.clone());
    console.wait_text("F1 ○ Bob");
    alice.dial(&lot.uri("102"));
    bob.wait_ringing(SOON);
    console.terminal.wait_line(&["F1", "◌", "Bob", "RINGING", "Alice"], SOON);
    console.keys("<f1>");
    alice.wait_established(SOON);
    console.wait_call(&["▶", "talking", "Alice Adams", "picked up for Bob"], SOON);
    bob.wait_closed(SOON);
    lot.wait_said("CallPickedUp", 1);
    console.terminal.wait_line(&["F1", "○", "Bob", "free"], SOON);
    assert!(alice.hears(OPERATOR_HZ, SOON), "Alice hears the operator");
    assert!(card.hears(ALICE_HZ, SOON), "the operator hears Alice");
    // While the two talk, her lamp is a talking one for whoever watches it; here nobody does.
    console.keys("x");
    alice.wait_closed(SOON);
}
