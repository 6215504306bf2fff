//! Parked callers whose time is up.

use super::*;

on_each_asterisk! {
    a_comeback_says_from_where_how_long_and_why_and_can_be_answered,
    a_comeback_that_nobody_takes_is_told_and_who_it_was,
    whose_time_is_up_and_who_goes_elsewhere_is_no_comeback_unless_the_dialplan_says_so,
}

fn a_comeback_says_from_where_how_long_and_why_and_can_be_answered(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions { parking_s: 3, ..AsteriskOptions::of(version) });
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

fn a_comeback_that_nobody_takes_is_told_and_who_it_was(version: Version) {
    let asterisk =
        Asterisk::start(AsteriskOptions { parking_s: 3, comeback_ring_s: 3, ..AsteriskOptions::of(version) });
    let console = Console::start(&ConsoleOptions { parking_time_s: Some(3), ..reception(&asterisk) });
    console.wait_ready(asterisk.slots());
    let caller = answered(&console, &jane(&asterisk));
    park(&console, 701, "Jane Doe");
    console.wait_call(&["BACK", "Jane Doe", "701, waited 0:0"], Duration::from_secs(10));
    caller.wait_ended_by_peer(SOON);
    console.wait_calls(0, SOON);
    console.wait_text("Jane Doe came back from 701 and nobody answered");
    console.wait_slot(701, &["□ free"], SOON);
    asterisk.wait_for_channels(0, SOON);
}

fn whose_time_is_up_and_who_goes_elsewhere_is_no_comeback_unless_the_dialplan_says_so(version: Version) {
    // Peter's comeback is the dialplan's own, with its own header; everybody else hears music for ever.
    let lines = "\
 same => n,Set(__FROM=${PARKING_SPACE})
 same => n,GotoIf($[\"${CALLERID(num)}\" = \"0302\"]?back)
 same => n,MusicOnHold()
 same => n(back),Set(CALLERID(name)=PARK ${FROM}: ${CALLERID(name)})
 same => n,Dial(PJSIP/reception,30,b(told^s^1))
[told]
exten => s,1,Set(PJSIP_HEADER(add,X-Park-Slot)=${FROM})
 same => n,Return()
";
    let asterisk = Asterisk::start(AsteriskOptions {
        parking_s: 4,
        comeback_to_origin: false,
        timeout_lines: lines.into(),
        ..AsteriskOptions::of(version)
    });
    let console = Console::start(&ConsoleOptions { parking_time_s: Some(4), ..reception(&asterisk) });
    console.wait_ready(asterisk.slots());
    let caller = answered(&console, &jane(&asterisk));
    park(&console, 701, "Jane Doe");
    let other = answered(&console, &stranger(&asterisk, "100", "Peter Pan", "0302"));
    park(&console, 702, "Peter Pan");
    console.wait_slot(701, &["□ free"], Duration::from_secs(10));
    console.wait_call(&["BACK", "PARK 702: Peter Pan", "702, waited"], Duration::from_secs(10));
    console.wait_slot(702, &["□ free"], SOON);
    console.wait_calls(1, SOON);
    assert!(!console.calls()[0].contains("Jane"));
    console.keys("<enter>");
    console.wait_call(&["▶", "talking", "Peter Pan"], SOON);
    assert!(caller.is_up() && other.is_up() && asterisk.parked().is_empty());
}
