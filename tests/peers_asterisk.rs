//! The console against a real Asterisk: the real program in a terminal, real phones and callers around it. What
//! the board says, what the server knows and what everybody hears have to agree.

// Outside `#[test]` functions a failed step may panic here too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod peers;

use peers::asterisk::{Asterisk, AsteriskOptions, SipMessage, password};
use peers::baresip::{Baresip, BaresipOptions};
use peers::console::{Console, ConsoleOptions, SOON};
use peers::sipp::{Caller, CallerOptions};
use peers::sound_card::SoundCard;
use peers::tone::tone_ms;
use std::time::Duration;

/// What the receptionist says, Hz. All of them are too high and too pure for the server's music to be taken for one.
const OPERATOR_HZ: f64 = 2600.0;
/// What Jane says.
const JANE_HZ: f64 = 1730.0;

fn reception(asterisk: &Asterisk) -> ConsoleOptions<'static> {
    ConsoleOptions::new(asterisk.sip(), "reception", &password("reception"), asterisk.slots())
}

fn jane(asterisk: &Asterisk) -> CallerOptions {
    CallerOptions::new(asterisk.sip(), "100", "Jane Doe", "01614960100").tone(JANE_HZ)
}

fn phone(asterisk: &Asterisk, user: &str, hz: f64) -> BaresipOptions {
    BaresipOptions::new(user, &password(user), asterisk.sip()).tone(hz)
}

/// The dialog with the console in which a REFER came: its messages in order, `<` from the console, `>` to it.
fn dialog_of_the_refer(asterisk: &Asterisk) -> Vec<String> {
    let messages = asterisk.sip_messages();
    let refer = messages.iter().find(|m| m.received && m.kind() == "REFER").expect("a REFER was sent");
    let call_id = refer.header("Call-ID").expect("a Call-ID").to_string();
    let told = |m: &SipMessage| {
        let fragment = m.fragment().map(|status| format!(" ({status})")).unwrap_or_default();
        format!("{}{}{fragment}", if m.received { "<" } else { ">" }, m.kind())
    };
    messages.iter().filter(|m| m.header("Call-ID") == Some(&call_id)).map(told).collect()
}

#[test]
fn a_caller_is_answered_parked_retrieved_and_everybody_hears_whom_he_should() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let card = SoundCard::start(OPERATOR_HZ as u32);
    let console = Console::start(&ConsoleOptions {
        card: Some(&card),
        codecs: r#"["opus", "pcmu"]"#,
        parking_time_s: Some(45),
        ..reception(&asterisk)
    });
    console.wait_ready(asterisk.slots());
    asterisk.log_sip();
    let caller = Caller::call(&jane(&asterisk));
    console.wait_call(&["RINGING", "Jane Doe", "01614960100"], SOON);
    console.keys("<enter>");
    caller.wait_answered(SOON);
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    assert!(caller.voice().hears(OPERATOR_HZ, SOON), "the caller must hear the operator");
    assert!(card.hears(JANE_HZ, SOON), "the operator must hear the caller");

    console.keys("p");
    console.wait_slot(701, &["■", "Jane Doe", "by you", "verified", "≈"], SOON);
    console.wait_text("PARKED ON 701");
    console.wait_calls(0, SOON);
    assert_eq!(asterisk.parked(), [701]);
    asterisk.wait_for_channels(1, SOON);
    assert!(caller.voice().hears_something_but(OPERATOR_HZ, SOON), "a parked caller hears music");
    let silent = || caller.voice().hears_nothing_of(OPERATOR_HZ, Duration::from_millis(400)).then_some(());
    peers::wait_until("the operator to be heard no more", SOON, silent);
    // Not before the probe, a second REFER, has been refused for want of anybody to transfer.
    let steps = dialog_of_the_refer(&asterisk);
    let place = |wanted: &str| steps.iter().position(|step| step == wanted);
    assert!(place(">NOTIFY (400)").is_some() && place(">NOTIFY (400)") < place("<BYE"), "{steps:#?}");

    console.keys("1");
    console.wait_call(&["▶", "talking", "Jane Doe", "verified"], SOON);
    console.wait_slot(701, &["□ free"], SOON);
    console.wait_text("Jane Doe is back from 701 (verified)");
    assert!(asterisk.parked().is_empty());
    assert!(caller.voice().hears(OPERATOR_HZ, SOON), "the retrieved caller must hear the operator again");
    assert!(card.hears(JANE_HZ, SOON), "and be heard");

    console.keys("x");
    caller.wait_ended_by_peer(SOON);
    console.wait_calls(0, SOON);
    asterisk.wait_for_channels(0, SOON);
    console.leave();
    assert!(!asterisk.is_registered("reception"), "who leaves is registered no more");
}

/// Somebody calls and is answered.
fn answered(console: &Console, options: &CallerOptions) -> Caller {
    let caller = Caller::call(options);
    console.wait_call(&["RINGING", &options.name], SOON);
    console.keys("<enter>");
    caller.wait_answered(SOON);
    console.wait_call(&["▶", "talking", &options.name], SOON);
    caller
}

/// Parks the call in hand and waits until the board says where.
fn park(console: &Console, slot: u16, name: &str) {
    console.keys("p");
    console.wait_slot(slot, &["■", name, "by you"], SOON);
}

/// How often the console has sent this, as the server logged it.
fn sent_by_console(asterisk: &Asterisk, kind: &str) -> usize {
    asterisk.sip_messages().iter().filter(|m| m.received && m.kind() == kind).count()
}

#[test]
fn a_phones_call_is_parked_and_when_its_caller_hangs_up_the_lamp_goes_free_and_nothing_comes_back() {
    let asterisk = Asterisk::start(AsteriskOptions { parking_s: 5, ..Default::default() });
    let console = Console::start(&reception(&asterisk));
    console.wait_ready(asterisk.slots());
    let mut alice = Baresip::start(&phone(&asterisk, "alice", 440.0));
    asterisk.wait_for_registration("alice", SOON);
    alice.dial(&asterisk.uri("100"));
    console.wait_call(&["RINGING", "Alice Adams", "101"], SOON);
    console.keys("<enter>");
    alice.wait_established(SOON);
    console.wait_call(&["talking", "Alice Adams"], SOON);
    park(&console, 701, "Alice Adams");
    console.wait_calls(0, SOON);
    assert_eq!(asterisk.parked(), [701]);
    alice.hang_up();
    console.wait_slot(701, &["□ free"], SOON);
    asterisk.wait_for_channels(0, SOON);
    console.terminal.never("a comeback", Duration::from_secs(6), |screen| screen.contains("BACK"));
    assert!(console.calls().is_empty(), "{:?}", console.calls());
}

#[test]
fn with_every_lamp_lit_park_is_refused_before_a_packet_is_sent() {
    let asterisk = Asterisk::start(AsteriskOptions { slots: 2, ..Default::default() });
    let console = Console::start(&reception(&asterisk));
    console.wait_ready(asterisk.slots());
    // Who dials the park extension parks himself.
    let self_parked = |name: &str| {
        let caller = Caller::call(&CallerOptions::new(asterisk.sip(), "700", name, "0300"));
        caller.wait_answered(SOON);
        caller
    };
    let mut first = self_parked("First");
    console.wait_slot(701, &["■", "~somebody"], SOON);
    let _second = self_parked("Second");
    console.wait_slot(702, &["■", "~somebody"], SOON);
    asterisk.log_sip();
    let caller = answered(&console, &jane(&asterisk));
    console.keys("p");
    console.wait_text("not parked: every slot is taken: the call stays with you; hold (h) or transfer (t)");
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    assert_eq!(sent_by_console(&asterisk, "REFER"), 0);
    assert!(caller.is_up());
    first.hang_up();
    console.wait_slot(701, &["□ free"], SOON);
    park(&console, 701, "Jane Doe");
    assert!(caller.is_up());
    assert_eq!(asterisk.parked(), [701, 702]);
}

#[test]
fn a_lot_that_is_full_although_a_lamp_is_free_leaves_the_caller_with_the_operator() {
    // 702 looks free for ever, but the lot has only 701: the server says 202 and 200 to a park that fails.
    let asterisk = Asterisk::start(AsteriskOptions {
        slots: 1,
        dialplan_lines: "exten => 702,hint,Custom:mirage\n".into(),
        ..Default::default()
    });
    let card = SoundCard::start(OPERATOR_HZ as u32);
    let console = Console::start(&ConsoleOptions {
        slots: "701-702".into(),
        card: Some(&card),
        ..reception(&asterisk)
    });
    console.wait_ready(701..703);
    let filler = Caller::call(&CallerOptions::new(asterisk.sip(), "700", "Filler", "0300"));
    filler.wait_answered(SOON);
    console.wait_slot(701, &["■"], SOON);
    let caller = answered(&console, &jane(&asterisk));
    asterisk.log_sip();
    console.keys("p");
    console.wait_call(&["parking…", "Jane Doe"], SOON);
    console.terminal.wait_line(&["park failed:", "full", "Jane Doe is with you"], Duration::from_secs(12));
    console.wait_call(&["▶", "listening", "Jane Doe"], SOON);
    assert!(sent_by_console(&asterisk, "BYE") == 0 && caller.is_up());
    assert!(!caller.voice().hears(OPERATOR_HZ, Duration::from_secs(1)), "not before the operator's key");
    console.keys("<enter>");
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    assert!(caller.voice().hears(OPERATOR_HZ, SOON), "the operator is heard again");
    assert!(card.hears(JANE_HZ, SOON));
    assert_eq!(asterisk.parked(), [701]);
    console.keys("x");
    caller.wait_ended_by_peer(SOON);
    assert!(filler.is_up());
}

#[test]
fn of_two_parks_that_want_the_last_slot_none_loses_its_caller() {
    let asterisk = Asterisk::start(AsteriskOptions { slots: 1, ..Default::default() });
    let console = Console::start(&reception(&asterisk));
    console.wait_ready(asterisk.slots());
    asterisk.log_sip();
    let mut outcomes = Vec::new();
    for round in 0..6 {
        // A phone of its own each time: baresip keeps a call that it could not transfer.
        let mut bob = Baresip::start(&phone(&asterisk, "bob", 700.0).answering());
        bob.wait_registered();
        let theirs = Caller::call(&CallerOptions::new(asterisk.sip(), "102", "Other", "0301").tone(2210.0));
        theirs.wait_answered(SOON);
        // Somebody else each time: who calls again a moment after he left a slot would count as its comeback.
        let name = format!("Caller {round}");
        let options = CallerOptions::new(asterisk.sip(), "100", &name, &format!("040{round}")).tone(JANE_HZ);
        let mut caller = answered(&console, &options);
        let bob_parks = |bob: &mut Baresip| bob.transfer(&asterisk.uri("700"));
        if round % 2 == 0 {
            bob_parks(&mut bob);
            console.keys("p");
        } else {
            console.keys("p");
            bob_parks(&mut bob);
        }
        // Notices of earlier rounds may still be on the board: rows and names decide.
        let kept = format!("{name} is with you");
        let outcome = peers::wait_until("the park to be decided", Duration::from_secs(12), || {
            let (slot, screen) = (console.slot(701), console.terminal.screen_text());
            let talking = |call: &String| call.contains("talking") || call.contains("listening");
            let talking = console.calls().iter().any(talking);
            let refused = "not parked: every slot is taken";
            match () {
                () if slot.contains('■') && slot.contains(&name) => Some("parked"),
                () if talking && screen.contains(&kept) => Some("failed, and the caller is here"),
                () if talking && slot.contains("~somebody") && screen.contains(refused) => Some("refused"),
                () => None,
            }
        });
        outcomes.push(outcome);
        if outcome == "parked" {
            console.wait_slot(701, &["by you"], SOON);
            console.wait_calls(0, SOON);
        }
        assert!(caller.is_up(), "round {round}, {outcome}: {:?}", caller.story());
        // Whoever is parked, it is one caller: nobody was joined.
        assert!(
            tone_ms(&caller.voice().heard(), 2210.0) == 0 && tone_ms(&theirs.voice().heard(), JANE_HZ) == 0
        );
        caller.hang_up();
        let mut theirs = theirs;
        if theirs.is_up() {
            theirs.hang_up();
        }
        bob.hang_up();
        asterisk.wait_for_channels(0, SOON);
        // After a park that failed Asterisk sends no BYE for up to a minute, only a hint that the caller has gone.
        if peers::wait_for(Duration::from_millis(500), || console.calls().is_empty().then_some(())).is_none()
        {
            console.wait_text("the server says that this caller has gone: x ends the call");
            console.keys("x");
        }
        console.wait_calls(0, SOON);
        console.wait_slot(701, &["□ free"], SOON);
    }
    eprintln!("{outcomes:#?}");
}

/// An Asterisk whose lamp 701 the test lights by hand: what another phone does to the slot, the console learns late.
fn with_a_slow_lamp() -> Asterisk {
    let lines = "exten => 701,hint,Custom:lamp\nexten => 701,1,ParkedCall(default,701)\n";
    let asterisk = Asterisk::start(AsteriskOptions { dialplan_lines: lines.into(), ..Default::default() });
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

#[test]
fn who_was_taken_by_another_phone_first_is_not_retrieved_and_the_microphone_stays_closed() {
    let asterisk = with_a_slow_lamp();
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

#[test]
fn a_stranger_in_the_slot_is_not_spoken_to_and_goes_back() {
    let asterisk = with_a_slow_lamp();
    let card = SoundCard::start(OPERATOR_HZ as u32);
    let console = Console::start(&ConsoleOptions { card: Some(&card), ..reception(&asterisk) });
    console.wait_ready(asterisk.slots());
    let mut caller = parked_under_a_slow_lamp(&asterisk, &console);
    caller.hang_up();
    asterisk.wait_for_channels(0, SOON);
    let stranger = Caller::call(&CallerOptions::new(asterisk.sip(), "700", "Mallory", "0666").tone(2210.0));
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

#[test]
fn a_comeback_says_from_where_how_long_and_why_and_can_be_answered() {
    let asterisk = Asterisk::start(AsteriskOptions { parking_s: 3, ..Default::default() });
    let console = Console::start(&ConsoleOptions { parking_time_s: Some(3), ..reception(&asterisk) });
    console.wait_ready(asterisk.slots());
    let caller = answered(&console, &jane(&asterisk));
    console.keys("n");
    console.wait_text("note for Jane Doe");
    console.keys("for Sam, bay 3<enter>");
    console.wait_call(&["talking", "→ for Sam, bay 3"], SOON);
    park(&console, 701, "for Sam, bay 3");
    console.wait_calls(0, SOON);
    console.wait_call(&["BACK", "Jane Doe", "701, waited 0:0", "→ for Sam, bay 3"], Duration::from_secs(10));
    console.terminal.wait_line(&["Jane Doe comes back from 701, waited 0:0", "for Sam, bay 3"], SOON);
    console.wait_slot(701, &["□ free"], SOON);
    console.keys("<enter>");
    console.wait_call(&["▶", "talking", "Jane Doe", "→ for Sam, bay 3"], SOON);
    asterisk.wait_for_channels(2, SOON);
    assert!(asterisk.parked().is_empty() && caller.is_up());
    console.keys("x");
    caller.wait_ended_by_peer(SOON);
    asterisk.wait_for_channels(0, SOON);
}

#[test]
fn a_call_is_held_and_resumed_parked_from_hold_and_the_park_undone() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let card = SoundCard::start(OPERATOR_HZ as u32);
    let console = Console::start(&ConsoleOptions { card: Some(&card), ..reception(&asterisk) });
    console.wait_ready(asterisk.slots());
    let caller = answered(&console, &jane(&asterisk));
    assert!(caller.voice().hears(OPERATOR_HZ, SOON));
    console.keys("h");
    console.wait_call(&["held", "Jane Doe"], SOON);
    assert!(caller.voice().hears_something_but(OPERATOR_HZ, SOON), "a held caller hears music");
    assert!(caller.voice().hears_nothing_of(OPERATOR_HZ, Duration::from_millis(500)));
    console.keys("h");
    console.wait_call(&["talking", "Jane Doe"], SOON);
    assert!(caller.voice().hears(OPERATOR_HZ, SOON), "and the operator again when resumed");
    assert!(card.hears(JANE_HZ, SOON));
    console.keys("h");
    console.wait_call(&["held", "Jane Doe"], SOON);
    park(&console, 701, "Jane Doe");
    console.wait_text("PARKED ON 701");
    assert_eq!(asterisk.parked(), [701]);
    asterisk.wait_for_channels(1, SOON);
    console.keys("u");
    console.wait_text("Jane Doe is back from 701 (verified)");
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    assert!(caller.voice().hears(OPERATOR_HZ, SOON));
    assert!(asterisk.parked().is_empty());
    console.keys("m");
    console.wait_call(&["MUTED"], SOON);
    assert!(caller.voice().hears_nothing_of(OPERATOR_HZ, Duration::from_millis(700)), "muted is not heard");
    console.keys("x");
    caller.wait_ended_by_peer(SOON);
    asterisk.wait_for_channels(0, SOON);
}

#[test]
fn with_two_callers_one_is_held_while_the_other_is_talked_to_and_they_never_hear_each_other() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let console = Console::start(&reception(&asterisk));
    console.wait_ready(asterisk.slots());
    let peter_hz = 2210.0;
    let jane_calls = answered(&console, &jane(&asterisk));
    let peter_calls =
        Caller::call(&CallerOptions::new(asterisk.sip(), "100", "Peter Pan", "0302").tone(peter_hz));
    console.wait_call(&["RINGING", "Peter Pan"], SOON);
    console.keys("<enter>");
    peter_calls.wait_answered(SOON);
    console.wait_call(&["▶", "talking", "Peter Pan"], SOON);
    console.wait_call(&["held", "Jane Doe"], SOON);
    park(&console, 701, "Peter Pan");
    console.wait_calls(1, SOON);
    // Jane is on hold: enter takes her; then 1 holds her and fetches Peter.
    console.keys("<enter>");
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    asterisk.log_sip();
    console.keys("1");
    console.wait_call(&["▶", "talking", "Peter Pan", "verified"], SOON);
    console.wait_call(&["held", "Jane Doe"], SOON);
    console.wait_slot(701, &["□ free"], SOON);
    assert_eq!(sent_by_console(&asterisk, "REFER"), 0, "a call in hand is never sent into an occupied slot");
    asterisk.wait_for_channels(4, SOON);
    // Time for a wrong join to be heard.
    assert!(jane_calls.voice().hears_nothing_of(peter_hz, Duration::from_millis(500)));
    assert_eq!(tone_ms(&jane_calls.voice().heard(), peter_hz), 0, "Jane never heard Peter");
    assert_eq!(tone_ms(&peter_calls.voice().heard(), JANE_HZ), 0, "Peter never heard Jane");
    assert!(jane_calls.is_up() && peter_calls.is_up());
    console.keys("x");
    peter_calls.wait_ended_by_peer(SOON);
    console.keys("<enter>");
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    console.keys("x");
    jane_calls.wait_ended_by_peer(SOON);
    asterisk.wait_for_channels(0, SOON);
}

#[test]
fn a_server_that_stops_makes_the_lamps_stale_and_one_that_returns_makes_them_fresh() {
    let mut asterisk = Asterisk::start(AsteriskOptions::default());
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

#[test]
fn a_server_without_park_is_told_as_such_and_the_call_stays() {
    let asterisk = Asterisk::start(AsteriskOptions { parking: false, ..Default::default() });
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
