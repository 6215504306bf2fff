//! Parking and holding: the caller is never lost, and nobody hears whom he shouldn't.

use super::*;

on_each_asterisk! {
    a_caller_is_answered_parked_retrieved_and_everybody_hears_whom_he_should,
    a_call_is_held_and_resumed_parked_from_hold_and_the_park_undone,
    with_two_callers_one_is_held_while_the_other_is_talked_to_and_they_never_hear_each_other,
    a_phones_call_is_parked_and_when_its_caller_hangs_up_the_lamp_goes_free_and_nothing_comes_back,
    a_slots_number_is_no_place_to_transfer_to_whether_it_is_free_or_taken,
    a_call_that_has_nobody_to_be_parked_stays_and_the_board_says_why,
    a_slot_that_was_named_is_used_and_where_somebody_hides_in_it_the_board_says_where_the_caller_is,
    whom_another_phone_parks_by_asking_first_is_somebody_and_comes_with_his_name,
    a_caller_who_parks_the_operator_by_digits_is_found_out_by_who_comes_instead,
    a_call_that_is_parked_by_digits_is_in_the_slot_whose_lamp_lights,
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

fn a_caller_is_answered_parked_retrieved_and_everybody_hears_whom_he_should(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions::of(version));
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
    let refers = asterisk.sip_messages().into_iter().filter(|m| m.received && m.kind() == "REFER");
    assert!(refers.map(|m| m.header("Refer-Sub").map(str::to_string)).all(|value| value.is_none()));
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

fn a_call_is_held_and_resumed_parked_from_hold_and_the_park_undone(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions::of(version));
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

fn with_two_callers_one_is_held_while_the_other_is_talked_to_and_they_never_hear_each_other(
    version: Version,
) {
    let asterisk = Asterisk::start(AsteriskOptions::of(version));
    let console = Console::start(&reception(&asterisk));
    console.wait_ready(asterisk.slots());
    let peter_hz = STRANGER_HZ;
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

fn a_phones_call_is_parked_and_when_its_caller_hangs_up_the_lamp_goes_free_and_nothing_comes_back(
    version: Version,
) {
    let asterisk = Asterisk::start(AsteriskOptions { parking_s: 5, ..AsteriskOptions::of(version) });
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

fn a_slots_number_is_no_place_to_transfer_to_whether_it_is_free_or_taken(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions::of(version));
    let console = Console::start(&reception(&asterisk));
    console.wait_ready(asterisk.slots());
    asterisk.log_sip();
    let transfer = |to: &str| {
        console.keys("t");
        console.wait_text("enter hands the caller over, tab asks there first");
        console.keys(to);
        console.keys("<enter>");
    };
    // Free: sent there, the server would say 200 and hang the caller up. It is parked with care instead.
    let caller = answered(&console, &jane(&asterisk));
    transfer("701");
    console.wait_slot(701, &["■", "Jane Doe", "by you"], SOON);
    console.wait_calls(0, SOON);
    // Taken: sent there, the two would be joined.
    let other = answered(&console, &stranger(&asterisk, "100", "Peter Pan", "0302"));
    for way in ["701".to_string(), "7-01".to_string(), asterisk.uri("701")] {
        transfer(&way);
        console.wait_text("701 is taken: transferring there would join two callers; nothing was sent");
    }
    console.wait_call(&["▶", "talking", "Peter Pan"], SOON);
    assert_eq!(asterisk.parked(), [701]);
    assert!(refer_targets(&asterisk).iter().all(|target| target == "700"), "{:?}", refer_targets(&asterisk));
    assert!(caller.is_up() && other.is_up());
    assert_eq!(tone_ms(&caller.voice().heard(), STRANGER_HZ), 0, "nobody was joined");
}

fn a_call_that_has_nobody_to_be_parked_stays_and_the_board_says_why(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions::of(version));
    let console = Console::start(&reception(&asterisk));
    console.wait_ready(asterisk.slots());
    // The server itself is at the other end: an echo.
    console.keys("d");
    console.wait_text("a number or address");
    console.keys("600<enter>");
    console.wait_call(&["▶", "talking", "600"], SOON);
    asterisk.log_sip();
    console.keys("p");
    console.terminal.wait_line(&["park failed:", "nobody on this call to park", "600 is with you"], SOON);
    console.wait_call(&["▶", "listening", "600"], SOON);
    assert!(dialog_of_the_refer(&asterisk).contains(&">NOTIFY (400)".to_string()));
    assert!(asterisk.parked().is_empty());
    console.keys("x");
    asterisk.wait_for_channels(0, SOON);
}

fn a_slot_that_was_named_is_used_and_where_somebody_hides_in_it_the_board_says_where_the_caller_is(
    version: Version,
) {
    // Another phone's park into 704 is hidden from the console by a lamp that stays dark.
    let lines = "exten => 704,hint,Custom:lamp\nexten => 704,1,ParkedCall(default,704)\n";
    let asterisk =
        Asterisk::start(AsteriskOptions { dialplan_lines: lines.into(), ..AsteriskOptions::of(version) });
    let dark = "devstate change Custom:lamp NOT_INUSE";
    asterisk.rx(dark);
    let console = Console::start(&ConsoleOptions { directed_prefix: Some("9"), ..reception(&asterisk) });
    console.wait_ready(asterisk.slots());
    asterisk.log_sip();
    let park_on = |slot: &str| {
        console.keys("P");
        console.wait_text("on which slot?");
        console.keys(slot);
        console.keys("<enter>");
    };
    let caller = answered(&console, &jane(&asterisk));
    park_on("706");
    console.wait_slot(706, &["■", "Jane Doe", "by you"], SOON);
    console.wait_calls(0, SOON);
    assert_eq!((asterisk.parked(), refer_targets(&asterisk)[0].as_str()), (vec![706], "9706"));
    console.keys("6");
    console.wait_call(&["▶", "talking", "Jane Doe", "verified"], SOON);
    // A taken one is refused before anything is sent.
    let hidden = self_parked(&asterisk, "9704", "Hidden", "0304");
    let plain = self_parked(&asterisk, "9702", "Plain", "0302");
    console.wait_slot(702, &["■", "~somebody"], SOON);
    let before = refer_targets(&asterisk).len();
    park_on("702");
    console.wait_text("702 is taken: nothing was sent, the call stays with you");
    assert_eq!(refer_targets(&asterisk).len(), before);
    // One that only looks free: the server takes the next one without a word.
    console.wait_slot(704, &["□ free"], SOON);
    park_on("704");
    let landed = peers::wait_until("Jane to be parked", SOON, || {
        asterisk.parked().into_iter().find(|slot| ![702, 704].contains(slot))
    });
    console.wait_slot(landed, &["■", "Jane Doe", "by you"], SOON);
    console.wait_calls(0, SOON);
    assert!(!console.slot(704).contains("Jane"), "{}", console.slot(704));
    asterisk.rx("devstate change Custom:lamp INUSE");
    console.wait_slot(704, &["■", "~somebody"], SOON);
    console.wait_slot(landed, &["■", "Jane Doe", "by you"], SOON);
    assert!(caller.is_up() && hidden.is_up() && plain.is_up());
    assert_eq!(tone_ms(&hidden.voice().heard(), JANE_HZ) + tone_ms(&plain.voice().heard(), JANE_HZ), 0);
}

fn whom_another_phone_parks_by_asking_first_is_somebody_and_comes_with_his_name(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions::of(version));
    let card = SoundCard::start(OPERATOR_HZ as u32);
    let console = Console::start(&ConsoleOptions { card: Some(&card), ..reception(&asterisk) });
    console.wait_ready(asterisk.slots());
    let alice = Baresip::start(&phone(&asterisk, "alice", JANE_HZ).answering());
    asterisk.wait_for_registration("alice", SOON);
    // Sam talks to Alice, calls the lot beside, hears his slot, and joins the two: she is parked in his place.
    let mut sam = Caller::call(&stranger(&asterisk, "101", "Sam Stone", "0305"));
    sam.wait_answered(SOON);
    alice.wait_established(SOON);
    let consulting = Caller::call(&stranger(&asterisk, "700", "Sam Stone", "0305"));
    consulting.wait_answered(SOON);
    console.wait_slot(701, &["■", "~somebody"], SOON);
    sam.transfer_to(&asterisk.uri("700"), Some(&consulting));
    sam.wait("transfer accepted", SOON);
    consulting.wait_ended_by_peer(SOON);
    asterisk.wait_for_channels(1, SOON);
    console.wait_slot(701, &["■", "~somebody"], SOON);
    assert_eq!(asterisk.parked(), [701]);
    console.keys("1");
    console.wait_call(&["▶", "talking", "Alice Adams", "unverified"], SOON);
    console.wait_slot(701, &["□ free"], SOON);
    assert!(alice.hears(OPERATOR_HZ, SOON) && card.hears(JANE_HZ, SOON));
}

fn a_caller_who_parks_the_operator_by_digits_is_found_out_by_who_comes_instead(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions::of(version));
    let card = SoundCard::start(OPERATOR_HZ as u32);
    let console = Console::start(&ConsoleOptions { card: Some(&card), ..reception(&asterisk) });
    console.wait_ready(asterisk.slots());
    let mut alice = Baresip::start(&phone(&asterisk, "alice", JANE_HZ));
    asterisk.wait_for_registration("alice", SOON);
    alice.dial(&asterisk.uri("100"));
    console.wait_call(&["RINGING", "Alice Adams"], SOON);
    console.keys("<enter>");
    alice.wait_established(SOON);
    console.wait_call(&["talking", "Alice Adams"], SOON);
    alice.digits("#72");
    peers::wait_until("the operator to be parked", SOON, || (asterisk.parked() == [701]).then_some(()));
    console.wait_slot(701, &["■", "~somebody"], SOON);
    alice.wait_closed(SOON);
    console.wait_calls(1, SOON);
    let mut bob = Baresip::start(&phone(&asterisk, "bob", 700.0));
    asterisk.wait_for_registration("bob", SOON);
    bob.dial(&asterisk.uri("701"));
    bob.wait_established(SOON);
    console.wait_slot(701, &["□ free"], SOON);
    console.wait_call(&["▶", "talking", "Bob Brown", "102"], SOON);
    assert!(bob.hears(OPERATOR_HZ, SOON) && card.hears(700.0, SOON));
    console.keys("x");
    bob.wait_closed(SOON);
    asterisk.wait_for_channels(0, SOON);
}

fn a_call_that_is_parked_by_digits_is_in_the_slot_whose_lamp_lights(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions::of(version));
    let card = SoundCard::start(OPERATOR_HZ as u32);
    let console = Console::start(&ConsoleOptions { card: Some(&card), ..reception(&asterisk) });
    console.wait_ready(asterisk.slots());
    let caller = answered(&console, &jane(&asterisk));
    console.keys("#");
    console.wait_text("each key is sent as it is pressed");
    for digit in ["#", "7", "2"] {
        console.keys(digit);
        std::thread::sleep(Duration::from_millis(250));
    }
    console.keys("<esc>");
    console.wait_slot(701, &["■"], SOON);
    console.wait_calls(0, SOON);
    assert!(caller.is_up());
    console.keys("1");
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    assert!(caller.voice().hears(OPERATOR_HZ, SOON) && card.hears(JANE_HZ, SOON));
}
