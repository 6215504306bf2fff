//! The dialects beside `asterisk` and `parkdeck` that a server here can prove: Asterisk's one-touch parking, and a
//! dialect of the administrator's own.

// Outside `#[test]` functions a failed step may panic here too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod peers;

use peers::asterisk::{Asterisk, AsteriskOptions, Version, password};
use peers::console::{Console, ConsoleOptions, SOON};
use peers::sipp::{Caller, CallerOptions};
use std::time::Duration;

/// What Jane says, Hz.
const JANE_HZ: f64 = 1730.0;

fn reception(asterisk: &Asterisk) -> ConsoleOptions<'static> {
    let options = ConsoleOptions::new(asterisk.sip(), "reception", &password("reception"), asterisk.slots());
    ConsoleOptions { dialect: "asterisk-dtmf", ..options }
}

/// Jane calls and is answered.
fn jane(console: &Console, asterisk: &Asterisk) -> Caller {
    let options = CallerOptions::new(asterisk.sip(), "100", "Jane Doe", "01614960100").tone(JANE_HZ);
    let caller = Caller::call(&options);
    console.wait_call(&["RINGING", "Jane Doe"], SOON);
    console.keys("<enter>");
    caller.wait_answered(SOON);
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    caller
}

fn referred(asterisk: &Asterisk) -> usize {
    asterisk.sip_messages().iter().filter(|m| m.received && m.kind() == "REFER").count()
}

#[test]
fn by_feature_code_a_call_and_a_held_call_are_parked_and_taken_back_on_22() {
    a_call_and_a_held_call_are_parked_and_taken_back(Version::V22);
}

#[test]
fn by_feature_code_a_call_and_a_held_call_are_parked_and_taken_back_on_16() {
    a_call_and_a_held_call_are_parked_and_taken_back(Version::V16);
}

fn a_call_and_a_held_call_are_parked_and_taken_back(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions::of(version));
    let console = Console::start(&reception(&asterisk));
    console.wait_ready(asterisk.slots());
    asterisk.log_sip();
    let caller = jane(&console, &asterisk);
    for held in [false, true] {
        if held {
            console.keys("h");
            console.wait_call(&["held", "Jane Doe"], SOON);
        }
        console.keys("p");
        // Asterisk says the slot first, and then ends our leg.
        console.wait_slot(701, &["■", "Jane Doe", "by you"], Duration::from_secs(12));
        console.wait_calls(0, Duration::from_secs(12));
        assert_eq!(asterisk.parked(), [701]);
        assert!(caller.is_up());
        console.keys("1");
        console.wait_call(&["▶", "talking", "Jane Doe", "verified"], SOON);
        console.wait_slot(701, &["□ free"], SOON);
    }
    assert_eq!(referred(&asterisk), 0);
    console.keys("x");
    caller.wait_ended_by_peer(SOON);
    console.wait_calls(0, SOON);
    console.leave();
}

#[test]
fn who_may_not_park_by_feature_code_keeps_the_caller_and_is_told_what_may_be_missing() {
    // Later extensions win: this one dials without K and k.
    let dialplan = "exten => 200,1,Dial(PJSIP/reception,60)\n".to_owned();
    let asterisk = Asterisk::start(AsteriskOptions { dialplan_lines: dialplan, ..Default::default() });
    let console = Console::start(&reception(&asterisk));
    console.wait_ready(asterisk.slots());
    let options = CallerOptions::new(asterisk.sip(), "200", "Jane Doe", "01614960100").tone(JANE_HZ);
    let mut caller = Caller::call(&options);
    console.wait_call(&["RINGING", "Jane Doe"], SOON);
    console.keys("<enter>");
    caller.wait_answered(SOON);
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    console.keys("p");
    console.terminal.wait_line(&["park failed:", "#72", "(K, k)", "Jane Doe"], Duration::from_secs(16));
    console.wait_call(&["▶", "listening", "Jane Doe"], SOON);
    assert!(caller.is_up() && asterisk.parked().is_empty());
    caller.hang_up();
    console.wait_calls(0, SOON);
}

#[test]
fn an_administrators_own_copy_of_a_dialect_is_used_and_a_wrong_one_is_refused_in_words() {
    let asterisk = Asterisk::start(AsteriskOptions {
        // One-touch parking has other keys here.
        features: "parkcall => *5\n".to_owned(),
        ..Default::default()
    });
    let preset = include_str!("../assets/dialects/asterisk-dtmf.toml");
    let ours = preset.replace("#72", "*5");
    let options = ConsoleOptions { dialect: "ours", ..reception(&asterisk) };
    let console = Console::start_with(&options, &[("dialects/ours.toml", &ours)]);
    console.wait_ready(asterisk.slots());
    let _caller = jane(&console, &asterisk);
    console.keys("p");
    console.wait_slot(701, &["■", "Jane Doe", "by you"], Duration::from_secs(12));
    assert_eq!(asterisk.parked(), [701]);

    let wrong = preset.replace("patience = 10", "patience = 99");
    let console = Console::start_with(&options, &[("dialects/ours.toml", &wrong)]);
    console.terminal.wait_text("between 1 and 30 seconds", SOON);
}
