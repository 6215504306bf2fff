//! REGISTER against a scripted registrar with real digest.

use super::*;
use crate::sip::digest::{Asking, Authenticator, Verdict};
use crate::sip::message::{Message, NameAddr, Request};
use std::cell::Cell;
use std::rc::Rc;

const REGISTRAR: u16 = 5060;

pub fn account(port: u16, password: &str, realm: Option<&str>) -> Account {
    Account {
        realm: realm.map(str::to_owned),
        expires_s: 300,
        ..Account::new(
            NameAddr::new(Uri::sip("alice", "127.0.0.1")),
            at(port),
            "alice".to_owned(),
            password.to_owned().into(),
        )
    }
}

pub fn asking<'a>(request: &'a Request, uri: &'a str) -> Asking<'a> {
    Asking { method: request.method.as_str(), uri, body: &request.body }
}

/// A registrar that knows alice's password, grants 120 s, and can be made to fail.
fn add_registrar(world: &mut World) -> (Peer, Rc<Cell<u16>>) {
    let registrar = world.add(REGISTRAR);
    let mood = Rc::new(Cell::new(200));
    let status = Rc::clone(&mood);
    let mut digest = Authenticator::new("parkdeck", [7; 32]);
    world.script(registrar, move |ua, now, event| {
        let Event::RequestReceived { key, from, request } = event else { return };
        let authorization = request.headers.get("Authorization").unwrap_or_default();
        let password = |user: &str| (user == "alice").then(|| "secret".to_owned().into());
        let verdict = digest.verify(
            now,
            from.address,
            asking(request, &request.uri.to_string()),
            authorization,
            password,
        );
        if !matches!(verdict, Verdict::Accepted { .. }) {
            let headers = digest.challenge(now, from.address).into_iter();
            let headers = headers.map(|value| ("WWW-Authenticate".to_owned(), value)).collect();
            return ua.answer(now, *key, 401, headers, Vec::new());
        }
        let contact = request.headers.get("Contact").unwrap().replace("expires=300", "expires=120");
        let headers = vec![("Contact".to_owned(), contact)];
        ua.answer(now, *key, status.get(), headers, Vec::new());
    });
    (registrar, mood)
}

fn registers(world: &mut World) -> usize {
    world.ladder().lines().filter(|line| line.ends_with(" REGISTER") && line.starts_with("6001")).count()
}

#[test]
fn it_answers_the_challenge_and_refreshes_before_the_granted_time_is_over() {
    let mut world = World::new(3, Weather::default());
    let alice = world.add(6001);
    add_registrar(&mut world);
    let key = world.with(alice, |ua, now| {
        let key = ua.add_account(account(REGISTRAR, "secret", None));
        ua.register(now, key);
        key
    });
    world.run(ms(10));
    let events = world.take_events(alice);
    assert!(matches!(&events[..], [Event::Registered { expires_s: 120, .. }]), "{events:?}");
    assert!(
        world.ladder().starts_with("6001 > 5060 REGISTER\n5060 > 6001 401 REGISTER\n6001 > 5060 REGISTER\n")
    );
    world.run(s(89));
    assert_eq!(registers(&mut world), 0, "not before three quarters of it");
    world.run(s(19));
    assert_eq!(registers(&mut world), 1, "refreshed before nine tenths, and the nonce still serves");
    world.with(alice, |ua, now| ua.unregister(now, key));
    world.run(ms(10));
    assert_eq!(world.names(alice), ["Registered", "Unregistered"]);
    world.assert_empty();
}

#[test]
fn a_wrong_password_is_told_clearly_and_not_tried_again_and_again() {
    let mut world = World::new(3, Weather::default());
    let alice = world.add(6001);
    add_registrar(&mut world);
    world.with(alice, |ua, now| {
        let key = ua.add_account(account(REGISTRAR, "wrong", None));
        ua.register(now, key);
    });
    world.run(s(100));
    let events = world.take_events(alice);
    let [Event::RegistrationFailed { status: Some(401), reason, retry_in: Some(wait), .. }] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert!(reason.contains("password"), "{reason}");
    assert!(*wait >= s(60));
    assert_eq!(registers(&mut world), 2);
}

#[test]
fn a_challenge_of_another_realm_or_from_another_server_is_never_answered() {
    let challenge = "Digest realm=\"evil\", nonce=\"n\", qop=\"auth\"";
    for realm in [Some("parkdeck"), None] {
        let mut world = World::new(3, Weather::default());
        let alice = world.add(6001);
        let key = world.with(alice, |ua, now| {
            let key = ua.add_account(account(REGISTRAR, "secret", realm));
            ua.register(now, key);
            key
        });
        world.run(ms(10));
        // From a stranger, or of a realm that is not ours.
        let from = if realm.is_some() { at(REGISTRAR) } else { at(6666) };
        let (_, _, asked) = world.mail.remove(0);
        world.inject(from, alice, reply_to(&asked, 401, &[("WWW-Authenticate", challenge)]));
        world.run(s(30));
        let leaked = world.sent.iter().any(|(_, _, _, m)| m.headers().get("Authorization").is_some());
        assert!(!leaked);
        // An OPTIONS, MESSAGE or INVITE to somebody else is challenged by somebody else.
        let ask = Ask {
            account: Some(key),
            from: None,
            method: crate::sip::message::Method::Message,
            target: to(6666),
            send_to: at(6666),
            headers: Vec::new(),
            body: b"hi".to_vec(),
        };
        world.mail.clear();
        world.with(alice, |ua, now| ua.request(now, ask));
        world.run(ms(10));
        let (_, _, asked) = world.mail.remove(0);
        world.inject(at(6666), alice, reply_to(&asked, 407, &[("Proxy-Authenticate", challenge)]));
        world.run(ms(10));
        assert!(world.names(alice).contains(&"RequestAnswered 407".to_owned()));
        let leaked = world.sent.iter().any(|(_, _, _, m)| m.headers().get("Proxy-Authorization").is_some());
        assert!(!leaked);
    }
}

#[test]
fn endless_challenges_end_after_two() {
    let mut world = World::new(3, Weather::default());
    let alice = world.add(6001);
    world.with(alice, |ua, now| {
        let key = ua.add_account(account(REGISTRAR, "secret", None));
        ua.register(now, key);
    });
    for n in 0..10 {
        world.run(ms(10));
        for (from, to, asked) in std::mem::take(&mut world.mail) {
            let value = format!("Digest realm=\"r\", nonce=\"{n}\", qop=\"auth\", stale=true");
            world.inject(to, from, reply_to(&asked, 401, &[("WWW-Authenticate", &value)]));
        }
    }
    assert_eq!(registers(&mut world), 3, "the first and two answers");
    assert_eq!(world.names(alice), ["RegistrationFailed Some(401)"]);
}

#[test]
fn a_silent_server_is_asked_ever_more_rarely() {
    let mut world = World::new(3, Weather::default());
    let alice = world.add(6001);
    world.with(alice, |ua, now| {
        let key = ua.add_account(account(REGISTRAR, "secret", None));
        ua.register(now, key);
    });
    world.run(s(3600));
    let waits = world
        .take_events(alice)
        .iter()
        .map(|event| match event {
            Event::RegistrationFailed { status: None, retry_in: Some(wait), .. } => Some(*wait),
            // Perhaps its name leads elsewhere by now.
            Event::ServersWanted { .. } => None,
            other => panic!("{other:?}"),
        })
        .collect::<Vec<_>>();
    assert!(waits.iter().filter(|wait| wait.is_none()).count() * 2 >= waits.len(), "with every failure");
    let waits: Vec<Duration> = waits.into_iter().flatten().collect();
    assert!(waits.len() >= 8);
    assert!(waits.iter().all(|wait| *wait >= s(1) && *wait <= s(600)), "{waits:?}");
    assert!(waits.last().unwrap() >= &s(300), "{waits:?}");
}

#[test]
fn retry_after_and_min_expires_are_heeded_within_reason() {
    let mut world = World::new(3, Weather::default());
    let alice = world.add(6001);
    world.with(alice, |ua, now| {
        let key = ua.add_account(account(REGISTRAR, "secret", None));
        ua.register(now, key);
    });
    let replies = [
        (423, ("Min-Expires", "900"), 1),
        (503, ("Retry-After", "99999999"), 599),
        (503, ("Retry-After", "0"), 0),
    ];
    for (status, header, least_s) in replies {
        world.run(ms(10));
        let (_, _, asked) = world.mail.remove(0);
        world.inject(at(REGISTRAR), alice, reply_to(&asked, status, &[header]));
        world.run(ms(5));
        world.mail.clear();
        world.run(ms(800) + s(least_s) - s(least_s.min(1)));
        assert!(world.mail.is_empty(), "too early after {status} {header:?}");
        world.run(s(3));
        assert!(!world.mail.is_empty(), "too late after {status} {header:?}");
    }
    let Message::Request(last) = &world.mail[0].2 else { panic!() };
    assert_eq!(last.headers.get("Expires"), Some("900"));
}

#[test]
fn register_again_means_at_once_but_never_twice_a_second() {
    let mut world = World::new(3, Weather::default());
    let alice = world.add(6001);
    let (_, mood) = add_registrar(&mut world);
    let key = world.with(alice, |ua, now| {
        let key = ua.add_account(account(REGISTRAR, "secret", None));
        ua.register(now, key);
        key
    });
    world.run(s(5));
    registers(&mut world);
    for _ in 0..20 {
        world.with(alice, |ua, now| ua.register(now, key));
        world.run(ms(100));
    }
    assert!(registers(&mut world) <= 3);
    mood.set(500);
    world.run(s(2));
    world.names(alice);
    world.with(alice, |ua, now| ua.register(now, key));
    world.run(s(1));
    assert_eq!(world.names(alice), ["RegistrationFailed Some(500)"]);
}

#[test]
fn a_challenged_invite_is_sent_again_and_the_ack_carries_the_answer() {
    for (password, expected) in [("secret", "CallAnswered"), ("wrong", "CallEnded Remote 401")] {
        let mut world = World::new(3, Weather::default());
        let (alice, bob) = (world.add(6001), world.add(6002));
        let mut digest = Authenticator::new("parkdeck", [7; 32]);
        world.script(bob, move |ua, now, event| {
            let Event::CallReceived { call, from, request } = event else { return };
            let authorization = request.headers.get("Authorization").unwrap_or_default();
            let password = |user: &str| (user == "alice").then(|| "secret".to_owned().into());
            match digest.verify(
                now,
                from.address,
                asking(request, &request.uri.to_string()),
                authorization,
                password,
            ) {
                Verdict::Accepted { .. } => ua.accept(now, *call, ANSWER.to_vec()),
                _ => {
                    let headers = digest.challenge(now, from.address).into_iter();
                    let headers = headers.map(|value| ("WWW-Authenticate".to_owned(), value)).collect();
                    ua.reject(now, *call, 401, headers);
                }
            }
        });
        let ours = world.with(alice, |ua, now| {
            let account = ua.add_account(account(6002, password, Some("parkdeck")));
            ua.invite(now, Invite { account: Some(account), from: None, ..invite(6002) })
        });
        world.run(s(1));
        assert_eq!(world.names(alice), [expected]);
        let invites: Vec<_> = world.sent.iter().filter(|(_, _, _, m)| is_request(m, "INVITE")).collect();
        assert_eq!(invites.len(), 2, "once without and once with credentials");
        assert!(invites[1].3.headers().get("Authorization").unwrap().contains("SHA-256"));
        let ack = world.sent.iter().rfind(|(_, _, _, m)| is_request(m, "ACK")).unwrap();
        assert_eq!(ack.3.headers().get("Authorization").is_some(), expected == "CallAnswered");
        world.with(alice, |ua, now| ua.hang_up(now, ours));
        world.assert_empty();
    }
}

#[test]
fn the_ack_takes_the_credentials_to_the_accounts_server_and_nowhere_else() {
    for (contact, hop) in [("<sip:x@127.0.0.1:5060>", REGISTRAR), ("<sip:x@127.0.0.1:6666>", 6666)] {
        let mut world = World::new(3, Weather::default());
        let alice = world.add(6001);
        world.with(alice, |ua, now| {
            let account = ua.add_account(account(REGISTRAR, "secret", None));
            ua.invite(now, Invite { account: Some(account), ..invite(REGISTRAR) });
        });
        world.run(ms(10));
        let (_, _, asked) = world.mail.remove(0);
        let challenge = "Digest realm=\"parkdeck\", nonce=\"n\", qop=\"auth\"";
        world.inject(at(REGISTRAR), alice, reply_to(&asked, 401, &[("WWW-Authenticate", challenge)]));
        world.run(ms(10));
        let signed = |m: &Message| m.headers().get("Authorization").is_some();
        let (_, _, asked) = world.mail.pop().unwrap();
        assert!(is_request(&asked, "INVITE") && signed(&asked));
        world.mail.clear();
        world.inject(at(REGISTRAR), alice, reply_to(&asked, 200, &[("Contact", contact)]));
        world.run(ms(10));
        let (_, to, ack) = world.mail.remove(0);
        assert!(is_request(&ack, "ACK"));
        assert_eq!((to, signed(&ack)), (at(hop), hop == REGISTRAR));
    }
}
