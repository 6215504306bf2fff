//! The call flows of RFC 3665 and RFC 5359 that concern an agent, as ladders between agents (and a script where one
//! of the parties is a proxy): who says what to whom, in which order.

use super::dialogs::{calling, respond};
use super::*;
use crate::sip::message::NameAddr;
use crate::sip::replaces::Replaces;

/// An agent that answers offers and REFERs, and accepts what rings.
fn obliging(world: &mut World, who: Peer, accepts: bool) {
    world.script(who, move |ua, now, event| match event {
        Event::CallReceived { call, .. } if accepts => ua.accept(now, *call, ANSWER.to_vec()),
        Event::OfferReceived { call, .. } => ua.answer_offer(now, *call, Ok(ANSWER.to_vec())),
        Event::ReferReceived { refer, .. } => ua.answer_refer(now, *refer, 202, Vec::new()),
        _ => {}
    });
}

#[test]
fn rfc_3665_3_1_a_session_is_set_up_and_ended() {
    let mut world = World::new(1, Weather::default());
    let (alice, bob) = (world.add(6001), world.add(6002));
    world.script(bob, |ua, now, event| {
        if let Event::CallReceived { call, .. } = event {
            ua.ring(now, *call, None);
            ua.accept(now, *call, ANSWER.to_vec());
        }
    });
    let ours = world.with(alice, |ua, now| ua.invite(now, invite(6002)));
    world.run(ms(10));
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.run(ms(10));
    assert_eq!(
        world.ladder(),
        "6001 > 6002 INVITE\n6002 > 6001 100 INVITE\n6002 > 6001 180 INVITE\n6002 > 6001 200 INVITE\n6001 > 6002 ACK\n\
         6001 > 6002 BYE\n6002 > 6001 200 BYE\n"
    );
}

#[test]
fn rfc_3665_3_8_nobody_answers_and_3_9_busy() {
    let mut world = World::new(1, Weather::default());
    let (alice, bob) = (world.add(6001), world.add(6002));
    world.script(bob, |ua, now, event| {
        if let Event::CallReceived { call, .. } = event {
            ua.ring(now, *call, None);
        }
    });
    let ours = world.with(alice, |ua, now| ua.invite(now, invite(6002)));
    world.run(s(30));
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.run(ms(10));
    assert_eq!(
        world.ladder(),
        "6001 > 6002 INVITE\n6002 > 6001 100 INVITE\n6002 > 6001 180 INVITE\n6001 > 6002 CANCEL\n6002 > 6001 200 CANCEL\n\
         6002 > 6001 487 INVITE\n6001 > 6002 ACK\n"
    );
    world.assert_empty();
    let mut world = World::new(1, Weather::default());
    let (alice, bob) = (world.add(6001), world.add(6002));
    world.script(bob, |ua, now, event| {
        if let Event::CallReceived { call, .. } = event {
            ua.reject(now, *call, 486, Vec::new());
        }
    });
    world.with(alice, |ua, now| ua.invite(now, invite(6002)));
    world.run(ms(10));
    assert_eq!(
        world.ladder(),
        "6001 > 6002 INVITE\n6002 > 6001 100 INVITE\n6002 > 6001 486 INVITE\n6001 > 6002 ACK\n"
    );
    world.assert_empty();
}

#[test]
fn rfc_3665_3_3_two_proxies_with_credentials() {
    // The first proxy challenges; the route that the answer recorded is followed by ACK and BYE.
    let mut world = World::new(3, Weather::default());
    let alice = world.add(6001);
    let ours = world.with(alice, |ua, now| {
        let account = ua.add_account(registrations::account(7000, "secret", None));
        ua.invite(now, Invite { account: Some(account), from: None, ..invite(7000) })
    });
    world.run(ms(10));
    let (_, _, asked) = world.mail.remove(0);
    let challenge = "Digest realm=\"atlanta.example.com\", qop=\"auth\", nonce=\"f84f1cec41e6cbe5aea9c8e88d359\", \
                     opaque=\"\", stale=FALSE, algorithm=MD5";
    world.inject(at(7000), alice, reply_to(&asked, 407, &[("Proxy-Authenticate", challenge)]));
    world.run(ms(10));
    world.mail.retain(|(_, _, m)| is_request(m, "INVITE"));
    let (_, _, again) = world.mail.remove(0);
    let given = again.headers().get("Proxy-Authorization").unwrap();
    assert!(given.contains("opaque=\"\"") && given.contains("realm=\"atlanta.example.com\""), "{given}");
    let route = [("Record-Route", "<sip:127.0.0.1:7001;lr>, <sip:127.0.0.1:7000;lr>")];
    world.inject(at(7000), alice, respond(&again, 180, "b", &route, b""));
    world.inject(at(7000), alice, respond(&again, 200, "b", &route, ANSWER));
    world.run(ms(10));
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.run(ms(10));
    for method in ["ACK", "BYE"] {
        let (_, to, sent) = world.mail.iter().find(|(_, _, m)| is_request(m, method)).unwrap();
        assert_eq!(*to, at(7000));
        let routes = sent.headers().routes("Route");
        let ports: Vec<_> = routes.iter().map(|route| route.uri.port).collect();
        assert_eq!(ports, [Some(7000), Some(7001)]);
    }
}

#[test]
fn rfc_5359_2_1_hold() {
    let (mut world, alice, bob, ours, _) = in_a_call(1);
    obliging(&mut world, bob, true);
    world.with(alice, |ua, now| ua.reoffer(now, ours, b"a=sendonly".to_vec()));
    world.run(ms(10));
    world.with(alice, |ua, now| ua.reoffer(now, ours, b"a=sendrecv".to_vec()));
    world.run(ms(10));
    let one = "6001 > 6002 INVITE\n6002 > 6001 100 INVITE\n6002 > 6001 200 INVITE\n6001 > 6002 ACK\n";
    assert_eq!(world.ladder(), one.repeat(2));
}

#[test]
fn rfc_5359_2_4_unattended_transfer_as_transferor() {
    let (mut world, alice, bob, ours, theirs) = in_a_call(1);
    obliging(&mut world, bob, true);
    world.with(alice, |ua, now| {
        ua.refer(now, ours, NameAddr::new(Uri::sip("carol", "127.0.0.1")), Vec::new())
    });
    world.run(ms(10));
    assert!(world.ladder().starts_with(
        "6001 > 6002 REFER\n6002 > 6001 202 REFER\n6002 > 6001 NOTIFY\n6001 > 6002 200 NOTIFY\n"
    ));
    let refers: Vec<_> = world.agents[&bob].refers.keys().copied().collect();
    world.with(bob, |ua, now| {
        ua.report_refer(now, refers[0], 200);
        ua.hang_up(now, theirs);
    });
    world.run(ms(10));
    let names = world.names(alice);
    assert!(names.contains(&"ReferProgress 200".to_owned()), "{names:?}");
    world.assert_empty();
}

#[test]
fn rfc_5359_2_5_attended_transfer_as_target() {
    // Alice talks to Bob; Carol, whom Bob has called before, is asked to take Alice in his place.
    let mut world = World::new(1, Weather::default());
    let (alice, bob, carol) = (world.add(6001), world.add(6002), world.add(6003));
    for who in [bob, carol] {
        obliging(&mut world, who, true);
    }
    let consult = world.with(bob, |ua, now| ua.invite(now, invite(6003)));
    world.run(ms(10));
    let id = world.agents[&bob].dialog_id(consult).unwrap();
    let replaces =
        Replaces { call_id: id.call_id, to_tag: id.remote_tag, from_tag: id.local_tag, early_only: false };
    world.script(carol, |ua, now, event| {
        let Event::CallReceived { call, request, .. } = event else { return };
        let named = Replaces::read(request.headers.get("Replaces").unwrap()).unwrap();
        let old = ua.replaceable(&named).unwrap();
        ua.accept(now, *call, ANSWER.to_vec());
        ua.hang_up(now, old);
    });
    world.sent.clear();
    let headers =
        vec![("Replaces".to_owned(), replaces.to_string()), ("Require".to_owned(), "replaces".to_owned())];
    world.with(alice, |ua, now| ua.invite(now, Invite { headers, ..invite(6003) }));
    world.run(ms(10));
    let ladder = world.ladder();
    assert!(ladder.contains("6003 > 6001 200 INVITE\n6003 > 6002 BYE\n"), "{ladder}");
    assert!(ladder.contains("6001 > 6003 ACK\n") && ladder.contains("6002 > 6003 200 BYE\n"), "{ladder}");
}

#[test]
fn rfc_5359_2_9_call_forwarding_and_rfc_3665_3_6_redirect() {
    let (mut world, alice, _, asked) = calling(&[]);
    let text = String::from_utf8(respond(&asked, 302, "r", &[], b"")).unwrap();
    let text = text.replace("Contact: <sip:you@127.0.0.1:7000>", "Contact: <sip:carol@127.0.0.1>");
    world.inject(at(7000), alice, text.into_bytes());
    world.run(ms(10));
    let again = world.mail.iter().rfind(|(_, _, m)| is_request(m, "INVITE")).unwrap().2.clone();
    world.inject(at(7000), alice, respond(&again, 200, "c", &[], ANSWER));
    world.run(ms(10));
    assert_eq!(
        world.ladder(),
        "7000 > 6001 302 INVITE\n6001 > 7000 ACK\n6001 > 7000 INVITE\n7000 > 6001 200 INVITE\n6001 > 7000 ACK\n"
    );
    assert_eq!(world.names(alice), ["CallRedirected", "CallAnswered"]);
}

#[test]
fn a_bye_that_is_challenged_is_said_again_with_credentials() {
    // SIPp's "401 on BYE": not every server trusts the dialog.
    let mut world = World::new(3, Weather::default());
    let alice = world.add(6001);
    let ours = world.with(alice, |ua, now| {
        let account = ua.add_account(registrations::account(7000, "secret", None));
        ua.invite(now, Invite { account: Some(account), from: None, ..invite(7000) })
    });
    world.run(ms(10));
    let (_, _, asked) = world.mail.remove(0);
    world.inject(at(7000), alice, respond(&asked, 200, "b", &[], ANSWER));
    world.run(ms(10));
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.run(ms(10));
    let bye = world.mail.iter().find(|(_, _, m)| is_request(m, "BYE")).unwrap().2.clone();
    let challenge = "Digest realm=\"pbx\", nonce=\"n\", qop=\"auth\"";
    world.mail.clear();
    world.inject(at(7000), alice, respond(&bye, 401, "b", &[("WWW-Authenticate", challenge)], b""));
    world.run(ms(10));
    let again = &world.mail[0].2;
    assert!(is_request(again, "BYE") && again.headers().get("Authorization").is_some());
    assert_eq!(again.headers().cseq().unwrap().0, bye.headers().cseq().unwrap().0 + 1);
}
