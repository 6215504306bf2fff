//! Calls: set up and torn down, cancelled, held, lost.

use super::*;
use crate::sip::message::{Message, Method, NameAddr, Response};
use crate::sip::replaces::Replaces;

#[test]
fn a_call_is_made_answered_and_hung_up() {
    let mut world = World::new(1, Weather::default());
    let (alice, bob) = (world.add(6001), world.add(6002));
    world.with(alice, |ua, now| ua.invite(now, invite(6002)));
    world.run(ms(10));
    let theirs = the_call(&world, bob);
    world.with(bob, |ua, now| ua.ring(now, theirs, None));
    world.run(ms(10));
    world.with(bob, |ua, now| ua.accept(now, theirs, ANSWER.to_vec()));
    world.run(ms(10));
    world.with(bob, |ua, now| ua.hang_up(now, theirs));
    world.run(ms(10));
    assert_eq!(world.names(alice), ["CallProgress 180", "CallAnswered", "CallEnded Remote"]);
    assert_eq!(world.names(bob), ["CallReceived", "CallConfirmed", "CallEnded Local"]);
    assert_eq!(
        world.ladder(),
        "6001 > 6002 INVITE\n6002 > 6001 100 INVITE\n6002 > 6001 180 INVITE\n6002 > 6001 200 INVITE\n\
         6001 > 6002 ACK\n6002 > 6001 BYE\n6001 > 6002 200 BYE\n"
    );
    world.assert_empty();
}

#[test]
fn early_media_and_the_answer_carry_descriptions() {
    let mut world = World::new(1, Weather::default());
    let (alice, bob) = (world.add(6001), world.add(6002));
    world.with(alice, |ua, now| ua.invite(now, invite(6002)));
    world.run(ms(10));
    let theirs = the_call(&world, bob);
    world.with(bob, |ua, now| ua.ring(now, theirs, Some(b"v=0 early".to_vec())));
    world.with(bob, |ua, now| ua.accept(now, theirs, ANSWER.to_vec()));
    world.run(ms(10));
    let events = world.take_events(alice);
    assert!(
        matches!(&events[0], Event::CallProgress { status: 183, sdp: Some(sdp), .. } if sdp == b"v=0 early")
    );
    assert!(matches!(&events[1], Event::CallAnswered { sdp: Some(sdp), .. } if sdp == ANSWER));
}

#[test]
fn a_refused_call_ends_with_the_status() {
    let mut world = World::new(1, Weather::default());
    let (alice, bob) = (world.add(6001), world.add(6002));
    world.with(alice, |ua, now| ua.invite(now, invite(6002)));
    world.run(ms(10));
    let theirs = the_call(&world, bob);
    world.with(bob, |ua, now| ua.reject(now, theirs, 404, vec![("Warning".into(), "399 x \"no\"".into())]));
    world.run(ms(10));
    assert_eq!(world.names(alice), ["CallEnded Remote 404"]);
    assert_eq!(world.names(bob), ["CallReceived", "CallEnded Local 404"]);
    world.assert_empty();
}

#[test]
fn hanging_up_a_ringing_call_cancels_it() {
    let mut world = World::new(1, Weather::default());
    let (alice, bob) = (world.add(6001), world.add(6002));
    let ours = world.with(alice, |ua, now| ua.invite(now, invite(6002)));
    world.run(ms(10));
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.run(ms(10));
    assert_eq!(world.names(alice), ["CallEnded Local"]);
    assert_eq!(world.names(bob), ["CallReceived", "CallEnded Remote"]);
    assert!(
        world.ladder().ends_with(
            "6001 > 6002 CANCEL\n6002 > 6001 200 CANCEL\n6002 > 6001 487 INVITE\n6001 > 6002 ACK\n"
        )
    );
    world.assert_empty();
}

#[test]
fn a_call_hung_up_before_anything_was_heard_is_cancelled_once_it_is() {
    let mut world = World::new(1, Weather::default());
    let (alice, bob) = (world.add(6001), world.add(6002));
    let ours = world.with(alice, |ua, now| ua.invite(now, invite(6002)));
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    assert_eq!(world.ladder(), "6001 > 6002 INVITE\n", "no CANCEL before a provisional response");
    world.run(ms(10));
    assert!(world.ladder().contains("CANCEL"));
    assert_eq!(world.names(bob), ["CallReceived", "CallEnded Remote"]);
    world.assert_empty();
}

#[test]
fn a_cancel_that_crosses_the_answer_ends_in_ack_and_bye() {
    let mut world = World::new(1, Weather::default());
    let (alice, bob) = (world.add(6001), world.add(6002));
    let ours = world.with(alice, |ua, now| ua.invite(now, invite(6002)));
    world.run(ms(10));
    let theirs = the_call(&world, bob);
    world.with(bob, |ua, now| ua.accept(now, theirs, ANSWER.to_vec()));
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.run(ms(20));
    assert_eq!(world.names(alice), ["CallEnded Local"]);
    assert_eq!(world.names(bob), ["CallReceived", "CallConfirmed", "CallEnded Remote"]);
    let ladder = world.ladder();
    assert!(ladder.contains("6001 > 6002 ACK\n6001 > 6002 BYE\n"), "{ladder}");
    world.assert_empty();
}

#[test]
fn a_callee_that_hangs_up_before_the_ack_says_bye_after_it() {
    let mut world = World::new(1, Weather::default());
    let (alice, bob) = (world.add(6001), world.add(6002));
    world.with(alice, |ua, now| ua.invite(now, invite(6002)));
    world.run(ms(10));
    let theirs = the_call(&world, bob);
    world.with(bob, |ua, now| ua.accept(now, theirs, ANSWER.to_vec()));
    world.with(bob, |ua, now| ua.hang_up(now, theirs));
    assert!(!world.ladder().contains("BYE"));
    world.run(ms(20));
    assert!(world.ladder().contains("6002 > 6001 BYE"));
    assert_eq!(world.names(bob), ["CallReceived", "CallEnded Local"]);
    world.assert_empty();
}

#[test]
fn an_answer_without_ack_is_repeated_until_64_t1_and_then_given_up() {
    let mut world = World::new(1, Weather::default());
    let bob = world.add(6002);
    world.inject(at(7000), bob, raw_invite("z9hG4bKx", ""));
    world.run(ms(10));
    let theirs = the_call(&world, bob);
    let began = world.now;
    world.with(bob, |ua, now| ua.accept(now, theirs, ANSWER.to_vec()));
    world.run(s(33));
    let times: Vec<u64> = world
        .sent
        .iter()
        .filter(|(_, _, _, m)| matches!(m, Message::Response(r) if r.status == 200))
        .map(|(at, ..)| (*at - began).as_millis() as u64)
        .collect();
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    assert_eq!(world.names(bob), ["CallReceived", "CallEnded Timeout"]);
    assert!(world.ladder().contains("6002 > 7000 BYE"));
    world.assert_empty();
}

#[test]
fn nobody_there_ends_the_call_after_timer_b() {
    let mut world = World::new(1, Weather::default());
    let alice = world.add(6001);
    world.with(alice, |ua, now| ua.invite(now, invite(7000)));
    world.run(ms(31_999));
    assert!(world.names(alice).is_empty());
    world.run(ms(1));
    assert_eq!(world.names(alice), ["CallEnded Timeout"]);
    assert_eq!(world.sent.len(), 7, "INVITE at 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s");
    world.assert_empty();
}

#[test]
fn a_cancelled_invite_that_is_never_answered_is_forgotten() {
    let mut world = World::new(1, Weather::default());
    let alice = world.add(6001);
    let ours = world.with(alice, |ua, now| ua.invite(now, invite(7000)));
    world.run(ms(10));
    let invite = world.mail.remove(0).2;
    world.inject(at(7000), alice, reply_to(&invite, 180, &[]));
    world.run(ms(10));
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.assert_empty();
}

#[test]
fn hold_and_resume_are_offers_in_order_and_the_newest_waiting_one_wins() {
    let (mut world, alice, bob, ours, theirs) = in_a_call(1);
    world.script(bob, |ua, now, event| {
        if let Event::OfferReceived { call, sdp, .. } = event {
            ua.answer_offer(now, *call, Ok([b"re ", &sdp[..]].concat()));
        }
    });
    world.with(alice, |ua, now| {
        ua.reoffer(now, ours, b"hold".to_vec());
        ua.reoffer(now, ours, b"resume".to_vec());
        ua.reoffer(now, ours, b"hold again".to_vec());
    });
    world.run(ms(100));
    let answers: Vec<Vec<u8>> = world
        .take_events(alice)
        .into_iter()
        .filter_map(|event| match event {
            Event::OfferAnswered { sdp, .. } => Some(sdp),
            _ => None,
        })
        .collect();
    assert_eq!(answers, [b"re hold".to_vec(), b"re hold again".to_vec()]);
    assert_eq!(world.names(bob), ["OfferReceived", "OfferReceived"]);
    world.with(bob, |ua, now| ua.hang_up(now, theirs));
    world.assert_empty();
}

#[test]
fn a_refused_offer_leaves_the_call_as_it_was() {
    let (mut world, alice, bob, ours, theirs) = in_a_call(1);
    world.with(alice, |ua, now| ua.reoffer(now, ours, b"hold".to_vec()));
    world.run(ms(10));
    world.with(bob, |ua, now| ua.answer_offer(now, theirs, Err(488)));
    world.run(ms(10));
    assert_eq!(world.names(alice), ["OfferFailed 488"]);
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.run(ms(10));
    assert_eq!(world.names(bob), ["OfferReceived", "CallEnded Remote"]);
    world.assert_empty();
}

#[test]
fn two_offers_that_meet_both_get_through_in_the_end() {
    for seed in 0..20 {
        let (mut world, alice, bob, ours, theirs) = in_a_call(seed);
        for who in [alice, bob] {
            world.script(who, |ua, now, event| {
                if let Event::OfferReceived { call, .. } = event {
                    ua.answer_offer(now, *call, Ok(ANSWER.to_vec()));
                }
            });
        }
        world.with(alice, |ua, now| ua.reoffer(now, ours, b"a".to_vec()));
        world.with(bob, |ua, now| ua.reoffer(now, theirs, b"b".to_vec()));
        world.run(s(10));
        assert!(world.ladder().contains("491 INVITE"));
        for who in [alice, bob] {
            let mut names = world.names(who);
            names.sort();
            assert_eq!(names, ["OfferAnswered", "OfferReceived"], "seed {seed}");
        }
        world.with(alice, |ua, now| ua.hang_up(now, ours));
        world.assert_empty();
    }
}

#[test]
fn a_dialog_that_the_far_end_has_forgotten_ends_the_call() {
    let (mut world, alice, bob, ours, _) = in_a_call(1);
    let seed_of_another = UaConfig::server(bob.address, "restarted", 99);
    world.agents.insert(bob, UserAgent::new(seed_of_another));
    world.with(alice, |ua, now| ua.reoffer(now, ours, b"hold".to_vec()));
    world.run(ms(20));
    assert_eq!(world.names(alice), ["OfferFailed 481", "CallEnded Timeout 481"]);
    world.assert_empty();
}

#[test]
fn identity_comes_by_update_and_by_reinvite() {
    let (mut world, alice, bob, ours, theirs) = in_a_call(1);
    let identity = vec![("P-Asserted-Identity".to_owned(), "\"Alice\" <sip:101@127.0.0.1>".to_owned())];
    world.with(bob, |ua, now| ua.update(now, theirs, identity.clone()));
    world.run(ms(10));
    let events = world.take_events(alice);
    assert!(matches!(&events[..], [Event::IdentityChanged { headers, .. }]
        if headers.name_addr("P-Asserted-Identity").unwrap().uri.user.as_deref() == Some("101")));
    assert_eq!(world.ladder(), "6002 > 6001 UPDATE\n6001 > 6002 200 UPDATE\n");
    // A phone that doesn't list UPDATE gets a re-INVITE.
    world.agents.get_mut(&bob).unwrap().calls.get_mut(&theirs).unwrap().peer_allows = None;
    world.script(alice, |ua, now, event| {
        if let Event::OfferReceived { call, .. } = event {
            ua.answer_offer(now, *call, Ok(OFFER.to_vec()));
        }
    });
    world.with(bob, |ua, now| ua.update(now, theirs, identity));
    world.run(ms(10));
    assert_eq!(world.names(alice), ["IdentityChanged", "OfferReceived"]);
    assert!(world.names(bob).is_empty(), "the answer to a repeated offer is nobody's news");
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.assert_empty();
}

#[test]
fn an_update_may_overtake_the_answer_of_the_invite() {
    let mut world = World::new(1, Weather::default());
    let alice = world.add(6001);
    let ours = world.with(alice, |ua, now| ua.invite(now, invite(7000)));
    world.run(ms(10));
    let (_, _, asked) = world.mail.remove(0);
    let headers = asked.headers();
    let from = headers.from().unwrap();
    let update = format!(
        "UPDATE sip:me@127.0.0.1:6001 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:7000;branch=z9hG4bKu;rport\r\n\
         From: <sip:you@127.0.0.1>;tag=script\r\nTo: {from}\r\nCall-ID: {}\r\nCSeq: 7 UPDATE\r\n\
         Contact: <sip:127.0.0.1:7000>\r\nP-Asserted-Identity: <sip:101@127.0.0.1>\r\nContent-Length: 0\r\n\r\n",
        headers.call_id().unwrap()
    );
    world.inject(at(7000), alice, update.into_bytes());
    world.run(ms(5));
    let contact = ("Contact", "<sip:127.0.0.1:7000>");
    world.inject(at(7000), alice, reply_to(&asked, 200, &[contact]));
    world.run(ms(5));
    assert_eq!(world.names(alice), ["IdentityChanged", "CallAnswered"]);
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.assert_empty();
}

#[test]
fn every_branch_of_a_forked_call_but_the_first_gets_ack_and_bye() {
    let mut world = World::new(1, Weather::default());
    let alice = world.add(6001);
    let ours = world.with(alice, |ua, now| ua.invite(now, invite(7000)));
    world.run(ms(10));
    let (_, _, asked) = world.mail.remove(0);
    world.sent.clear();
    for (tag, port) in [("one", 7001), ("two", 7002), ("one", 7001)] {
        let Message::Request(request) = &asked else { panic!() };
        let mut ok = Response::to(request, 200);
        let to = ok.headers.to().unwrap().with_tag(tag);
        ok.headers.set("To", to.to_string());
        ok.headers.push("Contact", NameAddr::new(Uri::at("", at(port).address)).to_string());
        world.inject(at(7000), alice, ok.to_bytes());
    }
    world.run(ms(5));
    let ladder = world.ladder();
    let from_us: Vec<&str> = ladder.lines().filter(|line| line.starts_with("6001")).collect();
    assert_eq!(
        from_us,
        ["6001 > 7001 ACK", "6001 > 7002 ACK", "6001 > 7002 BYE", "6001 > 7001 ACK"],
        "the second is sent away, the repetition acknowledged again"
    );
    assert_eq!(world.names(alice), ["CallAnswered"]);
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.assert_empty();
}

#[test]
fn a_call_is_found_by_replaces_with_both_tags_only() {
    let (world, alice, _, ours, _) = in_a_call(1);
    let agent = &world.agents[&alice];
    let id = agent.dialog_id(ours).unwrap();
    let mut replaces =
        Replaces { call_id: id.call_id, to_tag: id.local_tag, from_tag: id.remote_tag, early_only: false };
    assert_eq!(agent.find_call(&replaces), Some(ours));
    replaces.from_tag.push('x');
    assert_eq!(agent.find_call(&replaces), None);
}

#[test]
fn old_numbers_get_500_and_gaps_are_accepted() {
    let (mut world, alice, bob, ours, _) = in_a_call(1);
    world.with(alice, |ua, now| {
        ua.calls.get_mut(&ours).unwrap().dialog.local_cseq += 100;
        ua.info(now, ours, "application/dtmf-relay", b"Signal=5".to_vec());
    });
    world.run(ms(10));
    world.with(alice, |ua, now| {
        ua.calls.get_mut(&ours).unwrap().dialog.local_cseq -= 50;
        ua.info(now, ours, "application/dtmf-relay", b"Signal=6".to_vec());
    });
    world.run(ms(10));
    assert_eq!(world.names(bob), ["InfoReceived"]);
    assert!(world.ladder().ends_with("6002 > 6001 500 INFO\n"));
}

#[test]
fn an_invite_without_an_offer_gets_ours_and_its_ack_the_answer() {
    let mut world = World::new(1, Weather::default());
    let bob = world.add(6002);
    world.inject(at(7000), bob, raw_invite("z9hG4bKx", ""));
    world.run(ms(10));
    let theirs = the_call(&world, bob);
    world.with(bob, |ua, now| ua.accept(now, theirs, OFFER.to_vec()));
    let id = world.agents[&bob].dialog_id(theirs).unwrap();
    let ack = format!(
        "ACK sip:you@127.0.0.1:6002 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:7000;branch=z9hG4bKa\r\n\
         From: <sip:x@127.0.0.1>;tag=x\r\nTo: <sip:you@127.0.0.1>;tag={}\r\nCall-ID: x\r\nCSeq: 1 ACK\r\n\
         Content-Type: application/sdp\r\nContent-Length: 10\r\n\r\nv=0 answer",
        id.local_tag
    );
    world.inject(at(7000), bob, ack.into_bytes());
    world.run(ms(10));
    assert_eq!(world.names(bob), ["CallReceived", "CallConfirmed", "OfferAnswered"]);
}

#[test]
fn more_ringing_calls_than_the_maximum_are_busy() {
    let mut world = World::new(1, Weather::default());
    let bob = at(6002);
    let mut config = UaConfig::new(bob.address, "test", 1);
    config.ringing_max = 2;
    world.agents.insert(bob, UserAgent::new(config));
    for n in 0..3 {
        let invite = String::from_utf8(raw_invite(&format!("z9hG4bK{n}"), "")).unwrap();
        world.inject(at(7000), bob, invite.replace("Call-ID: x", &format!("Call-ID: {n}")).into_bytes());
    }
    world.run(ms(10));
    let ladder = world.ladder();
    assert_eq!(ladder.matches("100 INVITE").count(), 2);
    assert_eq!(ladder.matches("486 INVITE").count(), 1);
}

/// An INVITE without a body from 7000 to 6002.
pub fn raw_invite(branch: &str, more: &str) -> Vec<u8> {
    format!(
        "INVITE sip:you@127.0.0.1:6002 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:7000;branch={branch};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:x@127.0.0.1>;tag=x\r\nTo: <sip:you@127.0.0.1>\r\nCall-ID: x\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:x@127.0.0.1:7000>\r\n{more}Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// A server with a confirmed call from 6001, and a BYE that names its dialog.
fn a_call_at_a_server(contact: Option<&str>) -> (World, Peer, CallKey, Vec<u8>) {
    let mut world = World::new(1, Weather::default());
    let (alice, server) = (world.add(6001), world.add_server(6002));
    let mut out = invite(6002);
    out.headers.extend(contact.map(|contact| ("Contact".to_owned(), contact.to_owned())));
    let ours = world.with(alice, |ua, now| ua.invite(now, out));
    world.run(ms(10));
    let theirs = the_call(&world, server);
    world.with(server, |ua, now| ua.accept(now, theirs, ANSWER.to_vec()));
    world.run(ms(10));
    assert_eq!(world.names(server), ["CallReceived", "CallConfirmed"]);
    world.sent.clear();
    let (mut bye, _) = world.agents[&alice].calls[&ours].dialog.clone().request(Method::Bye);
    bye.headers.push_front("Via", "SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bKforged");
    (world, server, theirs, bye.to_bytes())
}

#[test]
fn at_a_server_the_tags_of_a_dialog_are_no_authority_at_another_address() {
    let (mut world, server, theirs, bye) = a_call_at_a_server(None);
    let elsewhere = Peer::udp(([203, 0, 113, 9], 5060).into());
    let text = String::from_utf8(bye.clone()).unwrap();
    let number = text.lines().find(|line| line.starts_with("CSeq")).unwrap().to_owned();
    let refer = text
        .replace("BYE sip", "REFER sip")
        .replace(&number, "CSeq: 2000000000 REFER\r\nRefer-To: <sip:x@127.0.0.1>");
    world.inject(elsewhere, server, bye.clone());
    world.inject(elsewhere, server, refer.into_bytes());
    world.run(ms(10));
    assert_eq!(world.names(server), ["ReferReceived"], "the owner judges that one");
    assert!(world.ladder().contains("6002 > 5060 481 BYE"));
    assert!(world.agents[&server].dialog_id(theirs).is_some());
    let refers: Vec<_> = world.agents[&server].refers.keys().copied().collect();
    world.with(server, |ua, now| refers.iter().for_each(|r| ua.answer_refer(now, *r, 403, Vec::new())));
    // The same from the far end's own address, though from another port; the REFER's number was not learned.
    world.inject(at(7777), server, text.replace("forged", "genuine").into_bytes());
    world.run(ms(10));
    assert_eq!(world.names(server), ["CallEnded Remote"]);
}

#[test]
fn a_servers_requests_stay_with_the_peer_whatever_contact_says() {
    let (mut world, server, theirs, _) = a_call_at_a_server(Some("<sip:victim@203.0.113.9:5060>"));
    world.with(server, |ua, now| ua.hang_up(now, theirs));
    world.run(ms(10));
    assert!(world.ladder().starts_with("6002 > 6001 BYE\n"));
    let mut world = World::new(1, Weather::default());
    let server = world.add_server(6002);
    let ours = world.with(server, |ua, now| ua.invite(now, invite(6001)));
    world.run(ms(10));
    let (_, _, asked) = world.mail.remove(0);
    world.inject(at(6001), server, reply_to(&asked, 200, &[("Contact", "<sip:victim@203.0.113.9:5060>")]));
    world.run(ms(10));
    world.with(server, |ua, now| ua.hang_up(now, ours));
    world.run(ms(10));
    let ladder = world.ladder();
    assert!(ladder.ends_with("6002 > 6001 ACK\n6002 > 6001 BYE\n"), "{ladder}");
}
