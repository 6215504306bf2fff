//! A lot with no room left: said before anything is sent, or found out although the server reports success.

use super::*;

on_each_asterisk! {
    with_every_lamp_lit_park_is_refused_before_a_packet_is_sent,
    a_lot_that_is_full_although_a_lamp_is_free_leaves_the_caller_with_the_operator,
    of_two_parks_that_want_the_last_slot_none_loses_its_caller,
}

fn with_every_lamp_lit_park_is_refused_before_a_packet_is_sent(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions { slots: 2, ..AsteriskOptions::of(version) });
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

fn a_lot_that_is_full_although_a_lamp_is_free_leaves_the_caller_with_the_operator(version: Version) {
    // 702 looks free for ever, but the lot has only 701: the server says 202 and 200 to a park that fails.
    let asterisk = Asterisk::start(AsteriskOptions {
        slots: 1,
        dialplan_lines: "exten => 702,hint,Custom:mirage\n".into(),
        ..AsteriskOptions::of(version)
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

fn of_two_parks_that_want_the_last_slot_none_loses_its_caller(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions { slots: 1, ..AsteriskOptions::of(version) });
    let console = Console::start(&reception(&asterisk));
    console.wait_ready(asterisk.slots());
    asterisk.log_sip();
    let mut outcomes = Vec::new();
    for round in 0..6 {
        // A phone of its own each time: baresip keeps a call that it could not transfer.
        let mut bob = Baresip::start(&phone(&asterisk, "bob", 700.0).answering());
        bob.wait_registered();
        let theirs =
            Caller::call(&CallerOptions::new(asterisk.sip(), "102", "Other", "0301").tone(STRANGER_HZ));
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
            tone_ms(&caller.voice().heard(), STRANGER_HZ) == 0
                && tone_ms(&theirs.voice().heard(), JANE_HZ) == 0
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
