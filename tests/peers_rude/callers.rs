//! Callers who break the rules of a call.

use crate::peers::console::{Console, SOON};
use crate::peers::rude::*;
use crate::peers::{wait_for, wait_until};
use crate::{console, stands_as_before};
use std::time::Duration;

/// The caller rings and is answered; his To is remembered.
fn answered() -> String {
    invite(1, "", SDP) + &maybe_status(&[100, 180]) + &recv_status(200, &(join() + &tell("answered")))
}

/// The caller hangs up.
fn hangs_up(number: u32) -> String {
    inside("BYE", number, "", "") + &recv_status(200, &tell("hung up"))
}

/// Waits until the board has Jane's call ringing, and answers.
fn answer(console: &Console) {
    console.wait_call(&["RINGING", "Jane Doe"], SOON);
    console.keys("<enter>");
}

fn talking(console: &Console) {
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
}

/// How often a final answer to the INVITE with this number came.
fn answers(caller: &Rude, status: &str, number: u32) -> usize {
    let cseq = format!("{number} INVITE");
    caller.heard(&format!("SIP/2.0 {status}")).iter().filter(|m| m.header("CSeq") == Some(&cseq)).count()
}

#[test]
fn an_ack_that_comes_late_or_is_lost_twice_leaves_one_call() {
    let (console, server) = console();
    let steps = [answered(), order(), say("acknowledging"), ack(1, ""), order(), hangs_up(2)].concat();
    let mut caller = Rude::caller(&server, &steps);
    answer(&console);
    // The answer is repeated until the ACK comes (RFC 3261 13.3.1.4), and heard once.
    wait_until("the answer to be repeated", SOON, || (answers(&caller, "200", 1) >= 4).then_some(()));
    console.wait_calls(1, SOON);
    caller.order(1);
    caller.wait("acknowledging", SOON);
    talking(&console);
    let heard = answers(&caller, "200", 1);
    let more =
        wait_for(Duration::from_millis(4500), || (answers(&caller, "200", 1) > heard + 1).then_some(()));
    assert!(more.is_none(), "it is repeated no more");
    caller.order(1);
    caller.wait_done(SOON);
    stands_as_before(console);
}

#[test]
fn a_call_without_an_offer_is_offered_to_and_the_answer_in_its_ack_counts() {
    let (console, server) = console();
    let offered = join()
        + "<ereg regexp=\"m=audio\" search_in=\"body\" check_it=\"true\" assign_to=\"tag\"/>"
        + &tell("offered");
    let steps = [
        invite(1, "", ""),
        maybe_status(&[100, 180]),
        recv_status(200, &offered),
        ack(1, SDP),
        order(),
        hangs_up(2),
    ];
    let mut caller = Rude::caller(&server, &steps.concat());
    answer(&console);
    caller.wait("offered", SOON);
    talking(&console);
    caller.order(1);
    caller.wait_done(SOON);
    stands_as_before(console);
}

#[test]
fn a_cancel_that_crosses_the_answer_changes_nothing_and_the_bye_ends_the_call() {
    let (console, server) = console();
    let steps = [
        invite(1, "", SDP),
        maybe_status(&[100, 180]),
        recv_status(200, &join()),
        cancel(1),
        if_status(200, "cancelled", &tell("CANCEL 200")),
        recv_status(481, &tell("CANCEL 481")),
        label("cancelled"),
        ack(1, ""),
        order(),
        hangs_up(2),
    ];
    let mut caller = Rude::caller(&server, &steps.concat());
    answer(&console);
    talking(&console);
    // 200 by RFC 6026's lasting transaction, 481 by a server that has forgotten: never silence.
    wait_until("an answer to the CANCEL", SOON, || {
        caller.story().iter().any(|l| l.starts_with("CANCEL")).then_some(())
    });
    console
        .terminal
        .never("the call to vanish", Duration::from_millis(700), |screen| screen.contains("no calls"));
    caller.order(1);
    caller.wait_done(SOON);
    stands_as_before(console);
}

#[test]
fn an_update_before_the_answer_is_answered_and_the_call_rings_on() {
    let (console, server) = console();
    let steps = [
        invite(1, "", SDP),
        maybe_status(&[100]),
        recv_status(180, &join()),
        inside("UPDATE", 2, "", ""),
        recv_status(200, &tell("updated")),
        recv_status(200, &tell("answered")),
        ack(1, ""),
        order(),
        hangs_up(3),
    ];
    let mut caller = Rude::caller(&server, &steps.concat());
    caller.wait("updated", SOON);
    answer(&console);
    caller.wait("answered", SOON);
    talking(&console);
    caller.order(1);
    caller.wait_done(SOON);
    stands_as_before(console);
}

#[test]
fn who_hangs_up_while_being_held_is_gone_and_the_hold_with_him() {
    let (console, server) = console();
    let steps = [
        answered(),
        ack(1, ""),
        recv("INVITE", &(tell("being held") + &remember_dialog())),
        inside("BYE", 2, "", ""),
        recv_status(200, &tell("hung up")),
        answer_invite("487 Request Terminated", "", "", ""),
        recv("ACK", ""),
    ];
    let mut caller = Rude::caller(&server, &steps.concat());
    answer(&console);
    talking(&console);
    console.keys("h");
    caller.wait("being held", SOON);
    caller.wait_done(SOON);
    stands_as_before(console);
}

#[test]
fn two_who_offer_at_once_both_get_491_and_the_hold_is_tried_again() {
    let (console, server) = console();
    let steps = [
        answered(),
        ack(1, ""),
        recv("INVITE", &(tell("being held") + &remember_dialog())),
        invite(2, "", SDP),
        maybe_status(&[100]),
        recv_status(491, &tell("glare")),
        ack_refusal(2),
        answer_invite("491 Request Pending", "", "", ""),
        recv("ACK", ""),
        recv("INVITE", &(tell("held again") + &remember_dialog())),
        answer_invite("200 OK", "", "", &SDP.replace("t=0 0", "t=0 0\na=recvonly")),
        recv("ACK", ""),
        order(),
        hangs_up(3),
    ];
    let mut caller = Rude::caller(&server, &steps.concat());
    answer(&console);
    talking(&console);
    console.keys("h");
    caller.wait("glare", SOON);
    // Who did not make the call waits at most 2 s (RFC 3261 14.1).
    caller.wait("held again", SOON);
    console.wait_call(&["held", "Jane Doe"], SOON);
    let held = caller.heard("INVITE");
    let (first, last) = (held.first().expect("a hold"), held.last().expect("another"));
    assert!(last.at_s - first.at_s < 6.0, "{} s", last.at_s - first.at_s);
    caller.order(1);
    caller.wait_done(SOON);
    stands_as_before(console);
}

#[test]
fn a_caller_who_asks_us_to_call_somebody_else_is_not_obeyed() {
    let (console, server) = console();
    let steps = [
        answered(),
        ack(1, ""),
        inside("REFER", 2, "Refer-To: <sip:00900123456@127.0.0.1>\n", ""),
        maybe_status(&[100]),
        recv_status(603, &tell("declined")),
        order(),
        hangs_up(3),
    ];
    let mut caller = Rude::caller(&server, &steps.concat());
    answer(&console);
    caller.wait("declined", SOON);
    console.terminal.never("a call that nobody asked for", Duration::from_secs(1), |s| s.contains("calling"));
    console.wait_calls(1, SOON);
    assert_eq!(server.told("invited"), 0);
    talking(&console);
    caller.order(1);
    caller.wait_done(SOON);
    stands_as_before(console);
}

#[test]
fn of_two_hundred_callers_at_once_as_many_ring_as_there_is_room_for_and_the_rest_is_busy() {
    const CALLERS: usize = 200;
    let (console, server) = console();
    let first = Rude::caller(&server, &[answered(), ack(1, ""), order(), hangs_up(2)].concat());
    answer(&console);
    talking(&console);
    let steps = [
        invite(1, "", SDP),
        maybe_status(&[100]),
        if_status(486, "busy", &tell("busy")),
        recv_status(180, &tell("ringing")),
        if_status(486, "busy", &tell("busy after all")),
        order(),
        cancel(1),
        // The answer to the CANCEL itself may come later.
        maybe_status(&[200]),
        recv_status(487, ""),
        ack_refusal(1),
        go("over"),
        label("busy"),
        ack_refusal(1),
        label("over"),
    ];
    let mut crowd = Rude::callers(&server, &steps.concat(), CALLERS);
    wait_until("everybody to be answered", Duration::from_secs(20), || {
        (crowd.told("ringing") + crowd.told("busy") >= CALLERS).then_some(())
    });
    let ringing = crowd.told("ringing");
    assert!((1..CALLERS).contains(&ringing), "{ringing} ring, {} are told busy", crowd.told("busy"));
    // The call in hand goes on, and a key is obeyed.
    talking(&console);
    console.keys("m");
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    for call in 1..=CALLERS {
        crowd.order(call);
    }
    crowd.wait_done(Duration::from_secs(20));
    console.wait_calls(1, SOON);
    let mut first = first;
    first.order(1);
    first.wait_done(SOON);
    stands_as_before(console);
}
