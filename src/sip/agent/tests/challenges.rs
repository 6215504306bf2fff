//! Which challenges are answered, how often, and with what; chains of proxies and a registrar.

use super::registrations::account;
use super::*;
use crate::sip::digest::{Algorithm, Asking, Challenge};
use crate::sip::message::{Message, Method, Request};

const SERVER: u16 = 5060;

/// A field of a digest header.
fn field(header: &str, name: &str) -> Option<String> {
    let at = header.find(&format!(" {name}="))? + name.len() + 2;
    let rest = &header[at..];
    Some(match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?.to_owned(),
        None => rest.split(',').next()?.to_owned(),
    })
}

/// A MESSAGE of this account on its way to the server.
fn asking(account: Account) -> (World, Peer, Message) {
    let mut world = World::new(3, Weather::default());
    let alice = world.add(6001);
    world.with(alice, |ua, now| {
        let key = ua.add_account(account);
        ua.request(now, message(key));
    });
    world.run(ms(10));
    let (_, _, asked) = world.mail.remove(0);
    (world, alice, asked)
}

fn message(key: AccountKey) -> Ask {
    Ask {
        account: Some(key),
        from: None,
        method: Method::Message,
        target: to(SERVER),
        send_to: at(SERVER),
        headers: vec![("Content-Type".to_owned(), "text/plain".to_owned())],
        body: b"hello".to_vec(),
    }
}

/// Answers with these headers; what is asked next, if anything is.
fn reply(
    world: &mut World,
    alice: Peer,
    asked: &Message,
    status: u16,
    headers: &[(&str, &str)],
) -> Option<Message> {
    world.inject(at(SERVER), alice, reply_to(asked, status, headers));
    world.run(ms(10));
    let next = world.mail.pop().map(|(_, _, message)| message);
    world.mail.clear();
    next
}

fn refusal(world: &mut World, alice: Peer) -> (u16, String) {
    let events = world.take_events(alice);
    match &events[..] {
        [Event::RequestAnswered { status, reason, .. }] => (*status, reason.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_proxies_and_the_registrar_are_each_answered_once() {
    let mut account = account(SERVER, "secret", Some("pbx"));
    account.further_realms = vec!["edge".to_owned(), "core".to_owned()];
    let (mut world, alice, mut asked) = asking(account);
    for (status, name, realm) in [
        (407, "Proxy-Authenticate", "edge"),
        (407, "Proxy-Authenticate", "core"),
        (401, "WWW-Authenticate", "pbx"),
    ] {
        let challenge = format!("Digest realm=\"{realm}\", nonce=\"n-{realm}\", qop=\"auth\"");
        asked = reply(&mut world, alice, &asked, status, &[(name, &challenge)]).expect(realm);
    }
    let read = |name: &str| -> Vec<(String, String)> {
        let lines = asked.headers().get_all(name);
        lines.map(|line| (field(line, "realm").unwrap(), field(line, "nc").unwrap())).collect()
    };
    let told = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    // Each nonce counts for itself: who has seen it three times sees 1, 2, 3 (RFC 7616 3.3).
    assert_eq!(read("Proxy-Authorization"), told(&[("edge", "00000003"), ("core", "00000002")]));
    assert_eq!(read("Authorization"), told(&[("pbx", "00000001")]));
    assert_eq!(asked.headers().cseq().unwrap().0, 4);
    // A realm that asks again did not like the password.
    let again = "Digest realm=\"core\", nonce=\"other\", qop=\"auth\"";
    assert!(reply(&mut world, alice, &asked, 407, &[("Proxy-Authenticate", again)]).is_none());
    assert_eq!(refusal(&mut world, alice).0, 407);
    world.assert_empty();
}

#[test]
fn challenges_of_several_realms_in_one_answer_are_answered_where_they_are_ours() {
    let mut account = account(SERVER, "secret", Some("pbx"));
    account.further_realms = vec!["edge".to_owned()];
    let (mut world, alice, asked) = asking(account);
    let line = "Digest realm=\"evil\", nonce=\"1\", qop=\"auth\", algorithm=SHA-512-256, \
                Digest realm=\"edge\", nonce=\"2\", qop=\"auth\", Digest realm=\"pbx\", nonce=\"3\", qop=\"auth\"";
    let again = reply(&mut world, alice, &asked, 407, &[("Proxy-Authenticate", line)]).unwrap();
    let realms: Vec<_> =
        again.headers().get_all("Proxy-Authorization").map(|line| field(line, "realm").unwrap()).collect();
    assert_eq!(realms, ["edge", "pbx"]);
}

#[test]
fn the_strongest_is_answered_and_nothing_weaker_than_allowed() {
    let offer = |algorithms: &[&str]| -> Vec<(&'static str, String)> {
        let line = |a: &&str| format!("Digest realm=\"pbx\", nonce=\"n\", qop=\"auth\", algorithm={a}");
        algorithms.iter().map(|a| ("WWW-Authenticate", line(a))).collect()
    };
    for (offered, weakest, expected) in [
        (&["MD5", "SHA-256", "SHA-512-256"][..], Algorithm::Md5, Ok("SHA-512-256")),
        (&["MD5", "SHA-256-sess"], Algorithm::Md5, Ok("SHA-256-sess")),
        (&["MD5", "SHA3-512"], Algorithm::Md5, Ok("MD5")),
        (&["MD5", "SHA-256"], Algorithm::Sha256, Ok("SHA-256")),
        (&["MD5"], Algorithm::Sha256, Err("the server offers only MD5, the configuration forbids it")),
        (
            &["SHA-256", "MD5"],
            Algorithm::Sha512256,
            Err("the server offers only SHA-256, the configuration forbids it"),
        ),
        (&["SHA3-512"], Algorithm::Md5, Err("the server offers only SHA3-512, which is not known here")),
    ] {
        let account = Account { weakest_digest: weakest, ..account(SERVER, "secret", Some("pbx")) };
        let (mut world, alice, asked) = asking(account);
        let lines = offer(offered);
        let lines: Vec<(&str, &str)> = lines.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let again = reply(&mut world, alice, &asked, 401, &lines);
        match (again, expected) {
            (Some(again), Ok(name)) => {
                let given = again.headers().get("Authorization").unwrap();
                assert_eq!(field(given, "algorithm").as_deref(), Some(name));
            }
            (None, Err(words)) => assert_eq!(refusal(&mut world, alice), (401, words.to_owned())),
            (again, expected) => panic!("{offered:?}: {again:?}, not {expected:?}"),
        }
    }
}

#[test]
fn a_forbidden_digest_and_a_strange_realm_are_told_in_words_by_the_registration() {
    for (challenge, words) in [
        ("Digest realm=\"pbx\", nonce=\"n\"", "the server offers only MD5, the configuration forbids it"),
        (
            "Digest realm=\"other\", nonce=\"n\", algorithm=SHA-256",
            "the server asks for the password of \"other\", ours is for \"pbx\"",
        ),
    ] {
        let mut world = World::new(3, Weather::default());
        let alice = world.add(6001);
        world.with(alice, |ua, now| {
            let weakest_digest = Algorithm::Sha256;
            let key = ua.add_account(Account { weakest_digest, ..account(SERVER, "secret", Some("pbx")) });
            ua.register(now, key);
        });
        world.run(ms(10));
        let (_, _, asked) = world.mail.remove(0);
        assert!(reply(&mut world, alice, &asked, 401, &[("WWW-Authenticate", challenge)]).is_none());
        let events = world.take_events(alice);
        let [Event::RegistrationFailed { reason, .. }] = &events[..] else { panic!("{events:?}") };
        assert_eq!(reason, words);
    }
}

#[test]
fn the_body_is_part_of_the_answer_where_the_server_wants_it_so() {
    let (mut world, alice, asked) = asking(account(SERVER, "secret", None));
    let line = "Digest realm=\"pbx\", nonce=\"n\", qop=\"auth-int\", algorithm=SHA-256";
    let again = reply(&mut world, alice, &asked, 401, &[("WWW-Authenticate", line)]).unwrap();
    let given = again.headers().get("Authorization").unwrap();
    let Message::Request(Request { uri, .. }) = &again else { panic!() };
    let uri = uri.to_string();
    let expected = crate::sip::digest::answer(
        &Challenge::read(line).unwrap(),
        "alice",
        &"secret".into(),
        Asking { method: "MESSAGE", uri: &uri, body: b"hello" },
        1,
        &field(given, "cnonce").unwrap(),
    );
    assert_eq!(field(given, "response"), field(&expected, "response"));
}

#[test]
fn the_next_nonce_is_used_and_a_false_proof_is_not_believed() {
    let mut world = World::new(3, Weather::default());
    let alice = world.add(6001);
    let key = world.with(alice, |ua, _| ua.add_account(account(SERVER, "secret", None)));
    let send = |world: &mut World| {
        world.with(alice, |ua, now| ua.request(now, message(key)));
        world.run(ms(10));
        world.mail.remove(0).2
    };
    let asked = send(&mut world);
    let line = "Digest realm=\"pbx\", nonce=\"first\", qop=\"auth\"";
    let again = reply(&mut world, alice, &asked, 401, &[("WWW-Authenticate", line)]).unwrap();
    reply(&mut world, alice, &again, 200, &[("Authentication-Info", "nextnonce=\"second\"")]);
    let third = send(&mut world);
    let given = third.headers().get("Authorization").unwrap();
    assert_eq!(
        (field(given, "nonce").as_deref(), field(given, "nc").as_deref()),
        (Some("second"), Some("00000001"))
    );
    world.names(alice);
    reply(&mut world, alice, &third, 200, &[("Authentication-Info", "rspauth=\"00\", qop=auth")]);
    let (status, words) = refusal(&mut world, alice);
    assert_eq!((status, words.contains("does not prove")), (403, true), "{words}");
    world.assert_empty();
}

#[test]
fn a_stale_nonce_is_no_wrong_password() {
    let (mut world, alice, asked) = asking(account(SERVER, "secret", None));
    let line = |n: u32| format!("Digest realm=\"pbx\", nonce=\"{n}\", qop=\"auth\", stale={}", n > 1);
    let second = reply(&mut world, alice, &asked, 401, &[("WWW-Authenticate", &line(1))]).unwrap();
    let third = reply(&mut world, alice, &second, 401, &[("WWW-Authenticate", &line(2))]).unwrap();
    let given = third.headers().get("Authorization").unwrap();
    assert_eq!(
        (field(given, "nonce").as_deref(), field(given, "nc").as_deref()),
        (Some("2"), Some("00000001"))
    );
    reply(&mut world, alice, &third, 200, &[]);
    assert_eq!(refusal(&mut world, alice).0, 200);
}
