//! The console's own server, when it breaks the rules.

use crate::peers::console::{Console, SOON};
use crate::peers::rude::*;
use crate::peers::wait_until;
use crate::{console_at, stands_as_before};
use std::time::Duration;

/// The operator dials.
fn dial(console: &Console, number: &str) {
    console.keys("d");
    console.wait_text("enter call");
    console.keys(&format!("{number}<enter>"));
}

/// The server answers the call with this tag, and waits for the ACK.
fn accepts(tag: &str) -> String {
    [answer_invite("200 OK", tag, "", SDP), recv("ACK", &tell("acknowledged"))].concat()
}

/// The console hangs up.
fn is_hung_up_on() -> String {
    [recv("BYE", &tell("hung up")), response_inside("200 OK", "", "")].concat()
}

fn talking(console: &Console) {
    console.wait_call(&["▶", "talking", "0200"], SOON);
}

#[test]
fn of_two_phones_that_both_answer_one_is_kept_and_the_other_is_hung_up_on() {
    let server = Rude::server(
        &[
            answer_invite("180 Ringing", "a", "", ""),
            answer_invite("180 Ringing", "b", "", ""),
            accepts("a"),
            answer_invite("200 OK", "b", "", SDP),
            // Its ACK and its BYE, in whatever order.
            if_comes("BYE", "one-left", &tell("one hung up")),
            recv("ACK", &tell("acknowledged")),
            recv("BYE", &tell("one hung up")),
            response_inside("200 OK", "", ""),
            go("both"),
            label("one-left"),
            response_inside("200 OK", "", ""),
            recv("ACK", &tell("acknowledged")),
            label("both"),
            is_hung_up_on(),
        ]
        .concat(),
    );
    let console = console_at(&server);
    dial(&console, "0200");
    server.wait("one hung up", SOON);
    server.wait_told("acknowledged", 2, SOON);
    talking(&console);
    console.wait_calls(1, SOON);
    let byes = server.heard("BYE");
    assert_eq!(byes.len(), 1);
    console.keys("x");
    server.wait("hung up", SOON);
    let tags: Vec<String> = server
        .heard("BYE")
        .iter()
        .filter_map(|m| Some(m.header("To")?.rsplit_once("tag=")?.1.to_string()))
        .collect();
    assert!(tags.len() == 2 && tags[0] != tags[1], "each of the two dialogs is ended once: {tags:?}");
    stands_as_before(console);
}

#[test]
fn early_dialogs_of_two_phones_are_no_trouble_and_the_second_may_answer() {
    let server = Rude::server(
        &[
            answer_invite("183 Session Progress", "a", "", SDP),
            answer_invite("180 Ringing", "b", "", ""),
            answer_invite("180 Ringing", "a", "", ""),
            answer_invite("200 OK", "b", "", SDP),
            recv("ACK", &tell("acknowledged")),
            is_hung_up_on(),
        ]
        .concat(),
    );
    let console = console_at(&server);
    dial(&console, "0200");
    server.wait("acknowledged", SOON);
    talking(&console);
    console.keys("x");
    server.wait("hung up", SOON);
    stands_as_before(console);
}

#[test]
fn a_bye_that_is_challenged_is_sent_again_with_credentials() {
    let challenge = "WWW-Authenticate: Digest realm=\"rude\", nonce=\"bye-nonce\", algorithm=MD5\n";
    let server = Rude::server(
        &[
            accepts("a"),
            recv("BYE", &tell("asking who hangs up")),
            response_inside("401 Unauthorized", challenge, ""),
            is_hung_up_on(),
        ]
        .concat(),
    );
    let console = console_at(&server);
    dial(&console, "0200");
    talking(&console);
    console.keys("x");
    server.wait("hung up", SOON);
    let byes = server.heard("BYE");
    assert_eq!(byes.len(), 2);
    let answer = byes[1].header("Authorization").expect("credentials");
    assert!(answer.contains("bye-nonce") && answer.contains("realm=\"rude\""), "{answer}");
    stands_as_before(console);
}

#[test]
fn a_server_that_asks_for_ever_is_answered_twice_at_most() {
    let challenge = "Proxy-Authenticate: Digest realm=\"rude\", nonce=\"n[cseq]-[msg_index]\", algorithm=MD5, stale=true\n";
    let server = Rude::server(
        &[
            label("ask"),
            answer_invite("407 Proxy Authentication Required", "a", challenge, ""),
            recv("ACK", ""),
            recv("INVITE", &(tell("again") + &remember_dialog())),
            go("ask"),
        ]
        .concat(),
    );
    let console = console_at(&server);
    dial(&console, "0200");
    server.wait("again", SOON);
    console.wait_calls(0, SOON);
    console.terminal.never("yet another try", Duration::from_secs(2), |screen| screen.contains("calling"));
    let invites = server.heard("INVITE").len();
    assert!((2..=3).contains(&invites), "{invites} INVITEs");
    stands_as_before(console);
}

#[test]
fn who_has_moved_is_called_where_he_is_now() {
    // The new attempt may be a call of its own, or the old one's next INVITE (RFC 3261 8.1.3.4).
    let server = Rude::server(
        &[
            if_moved("there"),
            answer_invite("302 Moved Temporarily", "a", "", "").replace("<sip:rude@", "<sip:moved@"),
            recv("ACK", ""),
            recv("INVITE", &(tell("invited") + &remember_dialog())),
            label("there"),
            say("found"),
            accepts("b"),
            is_hung_up_on(),
        ]
        .concat(),
    );
    let console = console_at(&server);
    dial(&console, "0200");
    server.wait("found", SOON);
    server.wait("acknowledged", SOON);
    assert!(server.heard("INVITE").last().expect("an INVITE").head().contains("sip:moved@"));
    console.wait_call(&["▶", "talking"], SOON);
    console.keys("x");
    server.wait("hung up", SOON);
    stands_as_before(console);
}

#[test]
fn who_is_sent_round_in_circles_gives_up_after_five() {
    let server = Rude::server(
        &[
            label("round"),
            answer_invite("302 Moved Temporarily", "a", "", "")
                .replace("<sip:rude@", "<sip:moved[clock_tick]@"),
            recv("ACK", ""),
            recv("INVITE", &(tell("again") + &remember_dialog())),
            go("round"),
        ]
        .concat(),
    );
    let console = console_at(&server);
    dial(&console, "0200");
    console.wait_text("redirect");
    console.wait_calls(0, SOON);
    let invites = server.heard("INVITE").len();
    assert!((2..=6).contains(&invites), "{invites} INVITEs");
    stands_as_before(console);
}

#[test]
fn a_reliable_ringing_is_acknowledged() {
    let server = Rude::server(
        &[
            answer_invite("183 Session Progress", "a", "Require: 100rel\nRSeq: 7001\n", SDP),
            recv("PRACK", &(tell("prack") + &remember("rseq", "RAck:"))),
            response_inside("200 OK", "", ""),
            accepts("a"),
            is_hung_up_on(),
        ]
        .concat(),
    );
    let console = console_at(&server);
    dial(&console, "0200");
    server.wait("prack", SOON);
    let pracks = server.heard("PRACK");
    let rack = pracks[0].header("RAck").unwrap_or_default().to_string();
    assert!(rack.starts_with("7001 ") && rack.ends_with("INVITE"), "{rack}");
    talking(&console);
    console.keys("x");
    server.wait("hung up", SOON);
    stands_as_before(console);
}

#[test]
fn a_session_that_would_be_refreshed_too_often_is_asked_for_again_with_the_least_that_is_allowed() {
    let server = Rude::server(
        &[
            answer_invite("422 Session Interval Too Small", "a", "Min-SE: 3600\n", ""),
            recv("ACK", ""),
            recv("INVITE", &(tell("again") + &remember_dialog())),
            accepts("b"),
            is_hung_up_on(),
        ]
        .concat(),
    );
    let console = console_at(&server);
    dial(&console, "0200");
    server.wait("again", SOON);
    let invite = server.heard("INVITE").pop().expect("an INVITE");
    let interval =
        invite.header("Session-Expires").and_then(|v| v.split(';').next()?.trim().parse::<u32>().ok());
    assert!(interval.is_some_and(|s| s >= 3600), "{interval:?}");
    assert_eq!(invite.header("Min-SE"), Some("3600"));
    talking(&console);
    console.keys("x");
    server.wait("hung up", SOON);
    stands_as_before(console);
}

#[test]
fn a_state_that_comes_before_its_subscription_is_granted_counts() {
    let subscribes = [
        // The NOTIFY makes the dialog (RFC 6665 4.1.2.4).
        notify("[$subscribed]", 1),
        recv_status(200, &tell("told first")),
        response_to_subscribe(),
        recv("SUBSCRIBE", ""),
        response_inside("200 OK", "Expires: 0\n", ""),
    ];
    let script = ServerScript { subscribes: subscribes.concat(), ..ServerScript::default() };
    let server = Rude::serve(&script);
    let console = console_at(&server);
    server.wait_told("told first", 2, SOON);
    stands_as_before(console);
}

#[test]
fn a_registrar_that_is_overloaded_is_left_alone_for_as_long_as_it_says() {
    let registers = [
        response("503 Service Unavailable", "registrar", "Retry-After: 4\n", ""),
        recv("REGISTER", &(remember("contact", "Contact:") + &tell("registering"))),
        ServerScript::default().registers,
    ];
    let script = ServerScript { registers: registers.concat(), ..ServerScript::default() };
    let server = Rude::serve(&script);
    let console = console_at(&server);
    let tries = server.heard("REGISTER");
    let waited = tries[1].at_s - tries[0].at_s;
    assert!((3.9..9.0).contains(&waited), "tried again after {waited} s");
    stands_as_before(console);
}

#[test]
fn a_registrar_that_asks_for_ever_is_asked_once_a_second_at_most() {
    let challenge =
        "WWW-Authenticate: Digest realm=\"rude\", nonce=\"n[msg_index]\", algorithm=MD5, stale=true\n";
    let registers = [
        label("ask"),
        response("401 Unauthorized", "registrar", challenge, ""),
        recv("REGISTER", &tell("registering")),
        go("ask"),
    ];
    let script = ServerScript { registers: registers.concat(), ..ServerScript::default() };
    let server = Rude::serve(&script);
    let options = crate::ConsoleOptions::new(server.sip(), "reception", "reception-secret", crate::SLOTS);
    let console = Console::start(&options);
    server.wait("registering", SOON);
    console.terminal.wait_text("NOT REGISTERED", SOON);
    let began = wait_until("the first REGISTER", SOON, || server.heard("REGISTER").first().map(|m| m.at_s));
    std::thread::sleep(Duration::from_secs(6));
    let within = server.heard("REGISTER").iter().filter(|m| m.at_s < began + 6.0).count();
    // The first try with its two answers, then at most one a second.
    assert!(within <= 3 + 6, "{within} REGISTERs in 6 s");
    console.leave();
}
