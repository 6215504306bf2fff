//! Retrieving: the call that was on the screen, or nobody.

use super::*;

on_each_asterisk! {
    who_was_taken_by_another_phone_first_is_not_retrieved_and_the_microphone_stays_closed,
    a_stranger_in_the_slot_is_not_spoken_to_and_goes_back,
    a_caller_who_withholds_his_number_is_known_again_and_never_shown,
}

/// An Asterisk whose lamp 701 the test lights by hand: what another phone does to the slot, the console learns late.
fn with_a_slow_lamp(version: Version) -> Asterisk {
    let lines = "exten => 701,hint,Custom:lamp\nexten => 701,1,ParkedCall(default,701)\n";
    let asterisk =
        Asterisk::start(AsteriskOptions { dialplan_lines: lines.into(), ..AsteriskOptions::of(version) });
    lamp(&asterisk, false);
    asterisk
}

fn lamp(asterisk: &Asterisk, lit: bool) {
    asterisk.rx(&format!("devstate change Custom:lamp {}", if lit { "INUSE" } else { "NOT_INUSE" }));
}

/// Jane is parked on 701 and the lamp is lit.
fn parked_under_a_slow_lamp(asterisk: &Asterisk, console: &Console) -> Caller {
    let caller = answered(console, &jane(asterisk));
    console.keys("p");
    peers::wait_until("the caller to be parked", SOON, || (asterisk.parked() == [701]).then_some(()));
    console.wait_call(&["parking…", "Jane Doe"], SOON);
    lamp(asterisk, true);
    console.wait_slot(701, &["■", "Jane Doe", "by you"], SOON);
    console.wait_calls(0, SOON);
    caller
}

fn who_was_taken_by_another_phone_first_is_not_retrieved_and_the_microphone_stays_closed(version: Version) {
    let asterisk = with_a_slow_lamp(version);
    let console = Console::start(&reception(&asterisk));
    console.wait_ready(asterisk.slots());
    let caller = parked_under_a_slow_lamp(&asterisk, &console);
    let mut bob = Baresip::start(&phone(&asterisk, "bob", 700.0));
    asterisk.wait_for_registration("bob", SOON);
    bob.dial(&asterisk.uri("701"));
    bob.wait_established(SOON);
    assert!(caller.voice().hears(700.0, SOON), "bob has taken the caller");
    console.keys("1");
    console.wait_call(&["checking…", "mic closed"], SOON);
    // The server answers, says that there is nobody, and hangs up.
    console.terminal.wait_line(&["701: Jane Doe was not retrieved"], Duration::from_secs(12));
    console.wait_calls(0, SOON);
    lamp(&asterisk, false);
    console.wait_slot(701, &["□ free"], SOON);
    assert!(caller.is_up() && bob.hears(JANE_HZ, SOON), "the caller talks to bob all the while");
}

fn a_stranger_in_the_slot_is_not_spoken_to_and_goes_back(version: Version) {
    let asterisk = with_a_slow_lamp(version);
    let card = SoundCard::start(OPERATOR_HZ as u32);
    let console = Console::start(&ConsoleOptions { card: Some(&card), ..reception(&asterisk) });
    console.wait_ready(asterisk.slots());
    let mut caller = parked_under_a_slow_lamp(&asterisk, &console);
    caller.hang_up();
    asterisk.wait_for_channels(0, SOON);
    let stranger =
        Caller::call(&CallerOptions::new(asterisk.sip(), "700", "Mallory", "0666").tone(STRANGER_HZ));
    stranger.wait_answered(SOON);
    peers::wait_until("the stranger to be parked", SOON, || (asterisk.parked() == [701]).then_some(()));
    asterisk.log_sip();
    console.keys("1");
    console.wait_text("701 holds Mallory now, not Jane Doe: not spoken to, going back");
    // The server's own lamp would have gone off and on again; the test's hand does the same.
    lamp(&asterisk, false);
    console.wait_slot(701, &["□"], SOON);
    peers::wait_until("the stranger to be parked again", SOON, || (asterisk.parked() == [701]).then_some(()));
    lamp(&asterisk, true);
    console.wait_text("Mallory is back in 701; nobody spoke to them");
    console.wait_calls(0, SOON);
    asterisk.wait_for_channels(1, SOON);
    assert!(stranger.is_up());
    assert_eq!(tone_ms(&stranger.voice().heard(), OPERATOR_HZ), 0, "the stranger never heard the operator");
}

fn a_caller_who_withholds_his_number_is_known_again_and_never_shown(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions { parking_s: 6, ..AsteriskOptions::of(version) });
    let console = Console::start(&ConsoleOptions { parking_time_s: Some(6), ..reception(&asterisk) });
    console.wait_ready(asterisk.slots());
    let caller = Caller::call(&jane(&asterisk).withheld());
    console.wait_call(&["RINGING", "withheld"], SOON);
    console.keys("<enter>");
    caller.wait_answered(SOON);
    console.wait_call(&["▶", "talking", "withheld"], SOON);
    park(&console, 701, "somebody");
    console.wait_calls(0, SOON);
    console.keys("1");
    console.wait_call(&["▶", "talking", "withheld", "verified"], SOON);
    park(&console, 701, "somebody");
    console.wait_call(&["BACK", "withheld", "701, waited"], Duration::from_secs(12));
    console.keys("<enter>");
    console.wait_call(&["▶", "talking", "withheld"], SOON);
    assert!(caller.is_up());
    let shown = String::from_utf8_lossy(&console.terminal.raw()).into_owned() + &console.log();
    assert!(!shown.contains("Jane") && !shown.contains("01614960100"), "withheld is withheld");
}
