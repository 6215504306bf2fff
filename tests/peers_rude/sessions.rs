//! Callers who want to know that our ringing arrives (RFC 3262), and that the call still lives (RFC 4028).

use crate::peers::console::SOON;
use crate::peers::rude::*;
use crate::{console, stands_as_before};
use std::time::Duration;

/// An action: keeps RSeq.
fn remember_rseq() -> String {
    "<ereg regexp=\"[0-9]+\" search_in=\"hdr\" header=\"RSeq:\" check_it=\"true\" assign_to=\"rseq\"/>".into()
}

/// An action: the message has that, or the scenario fails.
fn must_have(regexp: &str) -> String {
    format!("<ereg regexp=\"{regexp}\" search_in=\"msg\" check_it=\"true\" assign_to=\"tag\"/>")
}

#[test]
fn ringing_that_is_required_to_arrive_is_repeated_until_its_prack_and_the_call_goes_on() {
    let (console, server) = console();
    let steps = [
        invite(1, "Require: 100rel\nSupported: 100rel\n", SDP),
        maybe_status(&[100]),
        recv_status(180, &(join() + &remember_rseq() + &must_have("Require: *100rel") + &tell("ringing"))),
        order(),
        inside("PRACK", 2, "RAck: [$rseq] 1 INVITE\n", ""),
        maybe_status(&[180]),
        recv_status(200, &tell("acknowledged")),
        recv_status(200, &(must_have("CSeq: 1 INVITE") + &tell("answered"))),
        ack(1, ""),
        order(),
        inside("BYE", 3, "", ""),
        recv_status(200, ""),
    ];
    let mut caller = Rude::caller(&server, &steps.concat());
    caller.wait("ringing", SOON);
    let rung = || caller.heard("SIP/2.0 180").len();
    crate::peers::wait_until("the ringing to be repeated", SOON, || (rung() >= 3).then_some(()));
    caller.order(1);
    caller.wait("acknowledged", SOON);
    let heard = caller.heard("SIP/2.0 180").len();
    console.wait_call(&["RINGING", "Jane Doe"], SOON);
    console.keys("<enter>");
    caller.wait("answered", SOON);
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    assert_eq!(caller.heard("SIP/2.0 180").len(), heard, "after its PRACK it is repeated no more");
    caller.order(1);
    caller.wait_done(SOON);
    stands_as_before(console);
}

#[test]
fn a_session_that_is_too_short_gets_422_and_one_that_is_long_enough_is_refreshed_in_time() {
    let (console, server) = console();
    let timer = |seconds: u32| {
        format!(
            "Supported: timer\nMin-SE: 30\nSession-Expires: {seconds};refresher=uas\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE\n"
        )
    };
    let steps = [
        invite(1, &timer(30), SDP),
        maybe_status(&[100]),
        recv_status(422, &(must_have("Min-SE: *90") + &tell("too short"))),
        ack_refusal(1),
        // The next attempt is outside of any dialog too.
        invite(2, &timer(90), SDP).replace("To:[$to]", "To: <sip:reception@[remote_ip]>"),
        maybe_status(&[100, 180]),
        recv_status(200, &(join() + &must_have("Session-Expires: *90;refresher=uas") + &tell("answered"))),
        ack(2, ""),
        recv(
            "UPDATE",
            &(must_have("Session-Expires: *90;refresher=uac") + &remember_dialog() + &tell("refreshed")),
        ),
        response_inside(
            "200 OK",
            "Supported: timer\nRequire: timer\nSession-Expires: 90;refresher=uac\n",
            "",
        ),
        order(),
        inside("BYE", 3, "", ""),
        recv_status(200, ""),
    ];
    let mut caller = Rude::caller(&server, &steps.concat());
    caller.wait("too short", SOON);
    console.wait_call(&["RINGING", "Jane Doe"], SOON);
    console.keys("<enter>");
    caller.wait("answered", SOON);
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    // At half of the session's time (RFC 4028 10).
    caller.wait("refreshed", Duration::from_secs(60));
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    caller.order(1);
    caller.wait_done(SOON);
    stands_as_before(console);
}
