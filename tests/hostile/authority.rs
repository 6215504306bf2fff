//! Who may make us do what: credentials, transfers, and loops that others would have us run in.

use crate::rig::*;
use parkdeck::desk::Command;
use std::net::SocketAddr;

const NONCES: &str = "algorithm=MD5, stale=true";

fn challenge(kind: &str, realm: &str, nonce: usize) -> String {
    format!("{kind}-Authenticate: Digest realm=\"{realm}\", nonce=\"n{nonce}\", {NONCES}")
}

/// Messages with an answer to a challenge.
fn with_credentials(office: &Office) -> Vec<&Heard> {
    office.heard.iter().filter(|h| h.text.contains("uthorization: ")).collect()
}

#[test]
fn credentials_go_to_the_accounts_server_and_realm_and_to_nobody_else() {
    let mut office = Office::closed(2, 1);
    office.mood = Mood::Silent;
    office.start();
    let register = office.requests("REGISTER").pop().expect("a REGISTER");
    // Somebody who saw the request pass, and its server asking for another house's password.
    let ask = |realm: &str| format!("401 Unauthorized\r\n{}", challenge("WWW", realm, 1));
    office.answer_from(STRANGER, &register, &ask(REALM), b"");
    office.run(ms(20));
    assert_eq!(with_credentials(&office).len(), 0, "a stranger asks");
    office.answer(&register, &ask("bank.example"), b"");
    office.run(s(5));
    assert_eq!(with_credentials(&office).len(), 0, "another realm");

    let mut office = Office::open(2, 2);
    // A call by way of the server, whose far end wants to be spoken to directly, and then asks who we are.
    office.key(Command::Dial("200".into()));
    office.run(ms(5));
    let invite = office.requests("INVITE").pop().expect("an INVITE");
    let stranger = SocketAddr::from(STRANGER);
    let head = format!("200 OK\r\nContact: <sip:eve@{stranger}>\r\nContent-Type: application/sdp");
    office.answer(&invite, &head, SDP);
    office.run(ms(20));
    office.key(Command::HangUp);
    office.run(ms(20));
    let bye = office.requests("BYE").pop().expect("a BYE");
    if bye.to == stranger {
        for kind in ["WWW", "Proxy"] {
            let status = if kind == "WWW" { "401 Unauthorized" } else { "407 Proxy Authentication Required" };
            office.answer_from(STRANGER, &bye, &format!("{status}\r\n{}", challenge(kind, REALM, 3)), b"");
            office.run(s(1));
        }
    }
    let elsewhere = |h: &&&Heard| h.to != SocketAddr::from(SERVER);
    assert_eq!(with_credentials(&office).iter().filter(elsewhere).count(), 0);
    // Somebody who asks for a password in the middle of nothing is not heard at all.
    let (_, options) = office.request(
        "OPTIONS",
        b"<sip:eve@office.test>",
        &format!("{}\r\n", challenge("WWW", REALM, 4)),
        b"",
    );
    office.tell(STRANGER, &options);
    office.run(s(1));
    assert_eq!(with_credentials(&office).iter().filter(elsewhere).count(), 0);
}

#[test]
fn challenges_without_end_are_answered_twice_at_most() {
    for (status, kind) in [("401 Unauthorized", "WWW"), ("407 Proxy Authentication Required", "Proxy")] {
        let mut office = Office::open(2, 3);
        office.key(Command::Dial("200".into()));
        for nonce in 0..20 {
            office.run(ms(5));
            let invite = office.requests("INVITE").pop().expect("an INVITE");
            office.answer(&invite, &format!("{status}\r\n{}", challenge(kind, REALM, nonce)), b"");
        }
        office.run(s(40));
        let numbers: Vec<String> =
            office.requests("INVITE").iter().map(|h| h.header("CSeq").to_owned()).collect();
        let tries: std::collections::BTreeSet<&String> = numbers.iter().collect();
        assert!((2..=3).contains(&tries.len()), "{status}: {numbers:?}");
        assert_eq!(office.engine.desk().calls.len(), 0);
    }
}

#[test]
fn a_registrar_that_asks_or_fails_for_ever_is_asked_once_a_second_at_most() {
    for (what, head) in [
        ("challenges", format!("401 Unauthorized\r\n{}", challenge("WWW", REALM, 1))),
        ("too brief", "423 Interval Too Brief\r\nMin-Expires: 4294967295".to_owned()),
        ("at once again", "503 Service Unavailable\r\nRetry-After: 0".to_owned()),
        ("never again", "503 Service Unavailable\r\nRetry-After: 4294967295".to_owned()),
        ("elsewhere", format!("302 Moved\r\nContact: <sip:office@{}>", SocketAddr::from(STRANGER))),
        ("in words", "500 Nonsense".to_owned()),
    ] {
        let mut office = Office::closed(2, 4);
        office.refusals.insert("REGISTER", head);
        office.start();
        office.run(s(60));
        let registers = office.requests("REGISTER");
        // One attempt may be challenged twice.
        let attempts = 60 + 1;
        assert!(registers.len() <= 3 * attempts, "{what}: {} in a minute", registers.len());
        let began: Vec<_> =
            registers.iter().filter(|h| !h.text.contains("Authorization:")).map(|h| h.at).collect();
        assert!(began.windows(2).all(|pair| pair[1] - pair[0] >= ms(990)), "{what}: {began:?}");
        assert!(registers.iter().all(|h| h.to == SocketAddr::from(SERVER)), "{what}");
        // And it is tried again at last, whatever was said.
        let so_far = registers.len();
        office.refusals.clear();
        office.run(s(620));
        assert!(office.requests("REGISTER").len() > so_far, "{what}: given up for ever");
        assert!(office.lamps().all(|lamp| *lamp == parkdeck::parking::Lamp::Free), "{what}");
    }
}

#[test]
fn nobody_but_the_operator_makes_the_console_call_or_transfer() {
    let mut office = Office::open(2, 5);
    let call = office.talking();
    let to = "Refer-To: <sip:00900123456@evil.example>\r\n";
    let mut cseq = 1;
    let mut inside = |office: &mut Office, more: &str| {
        cseq += 1;
        let refer = office.inside("REFER", &call, cseq, more, b"");
        office.tell(SERVER, &refer);
        office.run(s(1));
        let status =
            office.last_answer(&call).filter(|h| h.header("CSeq").ends_with("REFER")).and_then(Heard::status);
        assert!(status.is_some_and(|s| s >= 400), "{more}: {status:?}");
    };
    inside(&mut office, to);
    inside(&mut office, &format!("{to}Referred-By: <sip:reception@office.test>\r\n"));
    inside(&mut office, &format!("{to}Refer-Sub: false\r\nSupported: norefersub\r\n"));
    inside(&mut office, "Refer-To: <sip:200@office.test?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>\r\n");
    inside(&mut office, "Refer-To: <sip:200@office.test;method=BYE>\r\n");
    for from in [SERVER, STRANGER] {
        for more in [to.to_owned(), format!("{to}Target-Dialog: {call};local-tag=a;remote-tag=them\r\n")] {
            let (refer, bytes) = office.request("REFER", b"<sip:eve@office.test>", &more, b"");
            office.tell(from, &bytes);
            office.run(s(25));
            let status = office.status_of(&refer);
            assert!(status.is_some_and(|s| s >= 400), "{from:?}: {status:?}");
        }
    }
    assert!(office.requests("INVITE").is_empty() && office.requests("REFER").is_empty());
    assert!(office.requests("BYE").is_empty(), "nor does anybody end the call");
    assert!(!office.heard.iter().any(|h| h.is("NOTIFY")), "nor is anybody told of calls that there are not");
    assert_eq!(office.engine.desk().calls.len(), 1);
}

#[test]
fn a_stranger_rings_nobody_and_makes_no_lamp_change() {
    let mut office = Office::open(2, 6);
    for method in [
        "INVITE",
        "SUBSCRIBE",
        "NOTIFY",
        "MESSAGE",
        "REFER",
        "INFO",
        "BYE",
        "UPDATE",
        "PRACK",
        "PUBLISH",
        "REGISTER",
    ] {
        let (call, bytes) =
            office.request(method, b"\"Jane Doe\" <sip:200@office.test>", "Event: dialog\r\n", SDP);
        office.tell(STRANGER, &bytes);
        office.run(s(25));
        let status = office.status_of(&call);
        assert!(status.is_some_and(|s| s >= 400), "{method}: {status:?}");
    }
    // In the name of the server, from another address.
    let lit = office.notification(0, &taken("Mallory"));
    office.tell(STRANGER, &lit);
    office.run(s(1));
    assert_eq!(office.engine.desk().calls.len(), 0);
    assert!(office.lamps().all(|lamp| *lamp == parkdeck::parking::Lamp::Free));
}
