//! Early dialogs: branches of a forked INVITE, reliable provisional responses, offers before the answer.

use super::*;
use crate::sip::message::{Headers, Message, Response};

/// An answer of somebody who is no agent, with that tag and body.
pub fn respond(asked: &Message, status: u16, tag: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let Message::Request(request) = asked else { panic!("not a request") };
    let mut response = Response::to(request, status);
    let to = response.headers.to().unwrap().with_tag(tag);
    response.headers.set("To", to.to_string());
    response.headers.push("Contact", "<sip:you@127.0.0.1:7000>");
    headers.iter().for_each(|(name, value)| response.headers.push(name, *value));
    if !body.is_empty() {
        response.headers.push("Content-Type", "application/sdp");
    }
    response.body = body.to_vec();
    response.to_bytes()
}

/// A request of the far end with that tag, in the dialog that `asked` began.
pub fn within(
    asked: &Message,
    method: &str,
    tag: &str,
    cseq: u32,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let words = asked.headers();
    let mut text = format!(
        "{method} sip:me@127.0.0.1:6001 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:7000;branch=z9hG4bK{tag}{cseq};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:you@127.0.0.1>;tag={tag}\r\nTo: {}\r\nCall-ID: {}\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:you@127.0.0.1:7000>\r\n",
        words.from().unwrap(),
        words.call_id().unwrap(),
    );
    headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
    if !body.is_empty() {
        text.push_str("Content-Type: application/sdp\r\n");
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    [text.as_bytes(), body].concat()
}

/// An agent whose INVITE has reached 7000, and that INVITE.
pub fn calling(headers: &[(&str, &str)]) -> (World, Peer, CallKey, Message) {
    let mut world = World::new(1, Weather::default());
    let alice = at(6001);
    world.agents.insert(alice, UserAgent::new(UaConfig::new(alice.address, "test", 7)));
    let mut out = invite(7000);
    out.headers.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let ours = world.with(alice, |ua, now| ua.invite(now, out));
    world.run(ms(10));
    let (_, _, asked) = world.mail.remove(0);
    world.sent.clear();
    (world, alice, ours, asked)
}

/// What came for 7000 since, by method.
pub fn mail(world: &mut World, method: &str) -> Vec<Headers> {
    let mail = std::mem::take(&mut world.mail).into_iter();
    mail.filter(|(_, _, m)| is_request(m, method)).map(|(_, _, m)| m.headers().clone()).collect()
}

#[test]
fn every_branch_that_rings_is_told_apart_and_the_one_that_answers_is_the_call() {
    let (mut world, alice, ours, asked) = calling(&[]);
    world.inject(at(7000), alice, respond(&asked, 183, "one", &[], b"v=0 one"));
    world.inject(at(7000), alice, respond(&asked, 180, "two", &[], b""));
    world.inject(at(7000), alice, respond(&asked, 183, "two", &[], b"v=0 two"));
    // Each has its own numbers: the same CSeq from both is no repetition.
    world.inject(at(7000), alice, within(&asked, "INFO", "one", 5, &[], b""));
    world.inject(at(7000), alice, within(&asked, "INFO", "two", 5, &[], b""));
    world.run(ms(10));
    let events = world.take_events(alice);
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::CallProgress { call, fork, sdp, .. } if *call == ours => Some((*fork, sdp.is_some())),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(1, true), (2, false), (2, true)]);
    assert_eq!(events.iter().filter(|e| matches!(e, Event::InfoReceived { .. })).count(), 2);
    assert_eq!(world.agents[&alice].dialog_id(ours).unwrap().remote_tag, "two", "the one heard last");
    // Its 200 has no description: what it said early was meant. The other's answer comes too late.
    world.inject(at(7000), alice, respond(&asked, 200, "two", &[], b""));
    world.inject(at(7000), alice, respond(&asked, 200, "one", &[], ANSWER));
    world.run(ms(10));
    let events = world.take_events(alice);
    assert!(
        matches!(&events[..], [Event::CallAnswered { fork: 2, sdp: Some(sdp), .. }] if sdp == b"v=0 two"),
        "{events:?}"
    );
    let byes = mail(&mut world, "BYE");
    assert_eq!(byes[0].to().unwrap().tag(), Some("one"));
    assert_eq!(byes[0].get("Reason"), Some("SIP;cause=200;text=\"Call completed elsewhere\""));
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.assert_empty();
}

#[test]
fn answers_of_branches_after_the_end_of_the_call_get_ack_and_bye() {
    let (mut world, alice, ours, asked) = calling(&[]);
    world.inject(at(7000), alice, respond(&asked, 180, "one", &[], b""));
    world.run(ms(10));
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.run(ms(10));
    world.mail.clear();
    for tag in ["one", "two", "three"] {
        world.inject(at(7000), alice, respond(&asked, 200, tag, &[], ANSWER));
    }
    world.run(ms(10));
    let ladder = world.ladder();
    assert_eq!(ladder.matches("> 7000 ACK").count(), 3, "{ladder}");
    assert_eq!(ladder.matches("> 7000 BYE").count(), 3, "{ladder}");
    assert!(
        mail(&mut world, "BYE").iter().all(|bye| bye.get("Reason").is_none()),
        "nobody else has answered"
    );
    assert_eq!(world.names(alice), ["CallProgress 180", "CallEnded Local"]);
    world.assert_empty();
}

#[test]
fn a_branch_that_ends_does_not_end_the_call_while_another_rings() {
    let (mut world, alice, ours, asked) = calling(&[]);
    for tag in ["one", "two", "three"] {
        world.inject(at(7000), alice, respond(&asked, 180, tag, &[], b""));
    }
    world.inject(at(7000), alice, respond(&asked, 199, "one", &[], b""));
    world.inject(at(7000), alice, within(&asked, "BYE", "two", 1, &[], b""));
    world.run(ms(10));
    assert_eq!(world.agents[&alice].forks(ours), 1);
    assert!(!world.names(alice).iter().any(|name| name.starts_with("CallEnded")));
    world.inject(at(7000), alice, within(&asked, "BYE", "three", 1, &[], b""));
    world.run(ms(10));
    assert_eq!(world.names(alice), ["CallEnded Remote"]);
}

#[test]
fn more_branches_than_the_maximum_are_not_kept() {
    let (mut world, alice, ours, asked) = calling(&[]);
    for n in 0..100 {
        world.inject(at(7000), alice, respond(&asked, 180, &format!("tag{n}"), &[], b""));
    }
    world.run(ms(10));
    assert_eq!(world.agents[&alice].forks(ours), 16);
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.assert_empty();
}

#[test]
fn reliable_responses_are_acknowledged_in_their_order_and_once() {
    let (mut world, alice, _, asked) = calling(&[]);
    let reliable = |rseq: &str, tag: &str, status: u16, body: &[u8]| {
        respond(&asked, status, tag, &[("Require", "100rel"), ("RSeq", rseq)], body)
    };
    // The first of each branch begins anywhere; repetitions and what overtook its forerunner are not for now.
    for (rseq, tag) in [("5", "one"), ("5", "one"), ("7", "one"), ("900", "two"), ("6", "one"), ("5", "one")]
    {
        world.inject(at(7000), alice, reliable(rseq, tag, 183, b"v=0 early"));
    }
    world.run(ms(10));
    let pracks: Vec<_> = mail(&mut world, "PRACK")
        .iter()
        .map(|h| {
            (
                h.get("RAck").unwrap().to_owned(),
                h.to().unwrap().tag().unwrap().to_owned(),
                h.cseq().unwrap().0,
            )
        })
        .collect();
    let expected = [("5 1 INVITE", "one", 2), ("900 1 INVITE", "two", 2), ("6 1 INVITE", "one", 3)];
    assert_eq!(pracks, expected.map(|(rack, tag, cseq)| (rack.to_owned(), tag.to_owned(), cseq)));
    assert_eq!(world.names(alice), ["CallProgress 183"; 3]);
}

#[test]
fn a_branch_that_was_acknowledged_goes_on_counting_in_its_bye() {
    let (mut world, alice, _, asked) = calling(&[]);
    let headers = [("Require", "100rel"), ("RSeq", "1")];
    world.inject(at(7000), alice, respond(&asked, 183, "one", &headers, b"v=0 early"));
    world.inject(at(7000), alice, respond(&asked, 200, "two", &[], ANSWER));
    world.inject(at(7000), alice, respond(&asked, 200, "one", &[], b""));
    world.run(ms(10));
    let mail = std::mem::take(&mut world.mail);
    let number = |method: &str, tag: &str| {
        let fits = |m: &Message| is_request(m, method) && m.headers().to().unwrap().tag() == Some(tag);
        mail.iter().find(|(_, _, m)| fits(m)).map(|(_, _, m)| m.headers().cseq().unwrap().0)
    };
    assert_eq!(
        (number("PRACK", "one"), number("ACK", "one"), number("BYE", "one")),
        (Some(2), Some(1), Some(3))
    );
}

/// An agent at 6002 that 7000 calls with these headers and that description.
pub fn called(more: &str, sdp: &str) -> (World, Peer, CallKey) {
    let mut world = World::new(1, Weather::default());
    let bob = world.add(6002);
    let text = String::from_utf8(calls::raw_invite("z9hG4bKx", more)).unwrap();
    let body = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let text = text.replace("Content-Length: 0", &format!("{body}Content-Length: {}", sdp.len()));
    world.inject(at(7000), bob, format!("{text}{sdp}").into_bytes());
    world.run(ms(10));
    let theirs = the_call(&world, bob);
    world.sent.clear();
    world.mail.clear();
    world.names(bob);
    (world, bob, theirs)
}

/// A request of 7000 in the dialog of `called`.
pub fn next(world: &World, call: CallKey, method: &str, cseq: u32, headers: &str, body: &str) -> Vec<u8> {
    let tag = world.agents[&at(6002)].calls[&call].dialog.local_tag.clone();
    format!(
        "{method} sip:you@127.0.0.1:6002 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:7000;branch=z9hG4bKn{cseq}{method};rport\r\n\
         From: <sip:x@127.0.0.1>;tag=x\r\nTo: <sip:you@127.0.0.1>;tag={tag}\r\nCall-ID: x\r\nCSeq: {cseq} {method}\r\n\
         {headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The responses of that status to 7000 so far: when, RSeq, and the body.
pub fn replies(world: &World, status: u16) -> Vec<(Moment, Option<u32>, Vec<u8>)> {
    let read = |(at, _, _, message): &(Moment, Peer, Peer, Message)| match message {
        Message::Response(r) if r.status == status => {
            Some((*at, r.headers.get("RSeq").and_then(|n| n.parse().ok()), r.body.clone()))
        }
        _ => None,
    };
    world.sent.iter().filter_map(read).collect()
}

#[test]
fn ringing_that_must_arrive_is_repeated_until_its_prack_and_the_answer_waits_for_it() {
    let (mut world, bob, theirs) = called("Require: 100rel\r\n", "v=0 offer");
    let began = world.now;
    world.with(bob, |ua, now| {
        ua.ring(now, theirs, Some(b"v=0 early".to_vec()));
        ua.ring(now, theirs, None);
        ua.accept(now, theirs, ANSWER.to_vec());
    });
    world.run(s(4));
    let sent = replies(&world, 183);
    let times: Vec<u64> = sent.iter().map(|(at, ..)| (*at - began).as_millis() as u64).collect();
    assert_eq!(times, [0, 500, 1500, 3500]);
    assert!(replies(&world, 180).is_empty() && replies(&world, 200).is_empty(), "one after the other");
    let rseq = sent[0].1.unwrap();
    let wrong = next(&world, theirs, "PRACK", 2, &format!("RAck: {} 1 INVITE\r\n", rseq + 1), "");
    world.inject(at(7000), bob, wrong);
    world.run(ms(10));
    assert!(world.ladder().ends_with("6002 > 7000 481 PRACK\n"));
    let right = next(&world, theirs, "PRACK", 3, &format!("RAck: {rseq} 1 INVITE\r\n"), "");
    world.inject(at(7000), bob, right);
    world.run(ms(10));
    let ok = replies(&world, 200);
    assert_eq!(ok.last().unwrap().2, b"", "the description was given already (RFC 6337 2.2)");
    assert!(world.ladder().ends_with("6002 > 7000 200 PRACK\n6002 > 7000 200 INVITE\n"));
    world.inject(at(7000), bob, next(&world, theirs, "ACK", 1, "", ""));
    world.run(ms(10));
    assert_eq!(world.names(bob), ["CallConfirmed"]);
    world.with(bob, |ua, now| ua.hang_up(now, theirs));
    world.assert_empty();
}

#[test]
fn a_caller_who_never_acknowledges_our_ringing_is_refused() {
    let (mut world, bob, theirs) = called("Require: 100rel\r\n", "v=0 offer");
    world.with(bob, |ua, now| ua.ring(now, theirs, None));
    world.run(s(33));
    assert_eq!(replies(&world, 504).len(), 2, "the refusal and its first repetition, for want of an ACK");
    assert_eq!(world.names(bob), ["CallEnded Timeout"]);
    world.assert_empty();
}

#[test]
fn an_offer_of_ours_in_a_reliable_response_is_answered_in_its_prack() {
    let (mut world, bob, theirs) = called("Require: 100rel\r\n", "");
    world.with(bob, |ua, now| ua.ring(now, theirs, Some(OFFER.to_vec())));
    let rseq = replies(&world, 183)[0].1.unwrap();
    let rack = format!("RAck: {rseq} 1 INVITE\r\nContent-Type: application/sdp\r\n");
    world.inject(at(7000), bob, next(&world, theirs, "PRACK", 2, &rack, "v=0 answer"));
    world.run(ms(10));
    assert_eq!(world.names(bob), ["OfferAnswered"]);
    world.with(bob, |ua, now| ua.accept(now, theirs, OFFER.to_vec()));
    assert_eq!(replies(&world, 200).last().unwrap().2, b"");
    world.inject(at(7000), bob, next(&world, theirs, "ACK", 1, "", ""));
    world.run(ms(10));
    assert_eq!(world.names(bob), ["CallConfirmed"], "the ACK without an answer is right");
}

#[test]
fn offers_before_the_answer_wait_back_off_or_are_the_owners_matter() {
    // RFC 3311 5.2, the callee's side: nothing is agreed on yet; then it is.
    let (mut world, bob, theirs) = called("Require: 100rel\r\n", "v=0 offer");
    let sdp = "Content-Type: application/sdp\r\n";
    world.inject(at(7000), bob, next(&world, theirs, "UPDATE", 2, sdp, "v=0 hold"));
    world.run(ms(10));
    assert!(
        world.ladder().ends_with("6002 > 7000 500 UPDATE\n"),
        "with Retry-After: our answer is still to come"
    );
    world.with(bob, |ua, now| ua.ring(now, theirs, Some(ANSWER.to_vec())));
    let rseq = world.agents[&bob].calls[&theirs].inbound.as_ref().map(|_| ()).and_then(|()| {
        world
            .sent
            .iter()
            .rev()
            .find_map(|(_, _, _, m)| m.headers().get("RSeq").and_then(|n| n.parse::<u32>().ok()))
    });
    let rack = format!("RAck: {} 1 INVITE\r\n", rseq.unwrap());
    world.inject(at(7000), bob, next(&world, theirs, "PRACK", 3, &rack, ""));
    world.run(ms(10));
    world.inject(at(7000), bob, next(&world, theirs, "UPDATE", 4, sdp, "v=0 hold"));
    world.run(ms(10));
    assert_eq!(world.names(bob), ["OfferReceived"]);
    world.with(bob, |ua, now| {
        ua.accept(now, theirs, ANSWER.to_vec());
        ua.answer_offer(now, theirs, Ok(b"v=0 held".to_vec()));
    });
    let ladder = world.ladder();
    assert!(ladder.ends_with("6002 > 7000 200 UPDATE\n6002 > 7000 200 INVITE\n"), "in that order: {ladder}");
    // The caller's side: our offer has no reliable answer, so theirs meets it.
    let (mut world, alice, ours, asked) = calling(&[]);
    world.inject(at(7000), alice, respond(&asked, 183, "one", &[], b"v=0 early"));
    world.inject(at(7000), alice, within(&asked, "UPDATE", "one", 1, &[], b"v=0 hold"));
    world.run(ms(10));
    assert!(world.ladder().ends_with("6001 > 7000 491 UPDATE\n"));
    let headers = [("Require", "100rel"), ("RSeq", "1")];
    world.inject(at(7000), alice, respond(&asked, 183, "one", &headers, b"v=0 early"));
    world.inject(at(7000), alice, within(&asked, "UPDATE", "one", 2, &[], b"v=0 hold"));
    world.run(ms(10));
    assert!(world.names(alice).contains(&"OfferReceived".to_owned()));
    world.with(alice, |ua, now| ua.answer_offer(now, ours, Ok(b"v=0 held".to_vec())));
    assert!(world.ladder().ends_with("6001 > 7000 200 UPDATE\n"));
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.assert_empty();
}

#[test]
fn an_offer_of_ours_that_is_acknowledged_without_an_answer_has_failed() {
    let (mut world, bob, theirs) = called("", "");
    world.with(bob, |ua, now| ua.accept(now, theirs, OFFER.to_vec()));
    world.inject(at(7000), bob, next(&world, theirs, "ACK", 1, "", ""));
    world.run(ms(10));
    assert_eq!(world.names(bob), ["CallConfirmed", "OfferFailed 488"]);
}

#[test]
fn a_reinvite_without_an_offer_gets_ours_and_its_ack_the_answer() {
    let (mut world, bob, theirs) = called("", "v=0 offer");
    world.with(bob, |ua, now| ua.accept(now, theirs, ANSWER.to_vec()));
    world.inject(at(7000), bob, next(&world, theirs, "ACK", 1, "", ""));
    world.inject(at(7000), bob, next(&world, theirs, "INVITE", 2, "", ""));
    world.run(ms(10));
    world.with(bob, |ua, now| ua.answer_offer(now, theirs, Ok(OFFER.to_vec())));
    let sdp = "Content-Type: application/sdp\r\n";
    world.inject(at(7000), bob, next(&world, theirs, "ACK", 2, sdp, "v=0 late"));
    world.run(ms(10));
    assert_eq!(world.names(bob), ["CallConfirmed", "OfferReceived", "OfferAnswered"]);
}

#[test]
fn the_version_of_a_description_follows_what_was_really_sent() {
    let sdp = |version: u64, way: &str| {
        format!("v=0\r\no=- 9 {version} IN IP4 127.0.0.1\r\ns=-\r\na={way}\r\n").into_bytes()
    };
    let version = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let line = text.lines().find(|l| l.starts_with("o=")).unwrap().to_owned();
        line.split(' ').nth(2).unwrap().parse::<u64>().unwrap()
    };
    let (mut world, alice, bob, ours, theirs) = in_a_call(4);
    for who in [alice, bob] {
        world.script(who, move |ua, now, event| {
            if let Event::OfferReceived { call, .. } = event {
                ua.answer_offer(now, *call, Ok(sdp(1, "sendrecv")));
            }
        });
    }
    world.with(alice, |ua, now| ua.reoffer(now, ours, sdp(1, "sendrecv")));
    world.run(s(1));
    // Both hold at once: 491, and in the meantime the other's offer is answered.
    world.with(alice, |ua, now| ua.reoffer(now, ours, sdp(2, "sendonly")));
    world.with(bob, |ua, now| ua.reoffer(now, theirs, sdp(2, "inactive")));
    world.run(s(15));
    let mut last = BTreeMap::new();
    for (_, from, _, message) in &world.sent {
        if message.body().starts_with(b"v=0\r\no=") {
            let (number, body) = (version(message.body()), message.body().to_vec());
            if let Some((before, said)) = last.insert(*from, (number, body.clone())) {
                let same = said == body;
                assert_eq!(number, if same { before } else { before + 1 }, "{}", from.port());
            }
        }
    }
    assert_eq!(last.len(), 2);
    assert!(world.ladder().contains("491 INVITE"));
}

#[test]
fn who_replaces_what_follows_the_rfc() {
    use crate::sip::replaces::Replaces;
    let named = |agent: &UserAgent, call: CallKey, early_only: bool| {
        let id = agent.dialog_id(call).unwrap();
        Replaces { call_id: id.call_id, to_tag: id.local_tag, from_tag: id.remote_tag, early_only }
    };
    let (mut world, alice, bob, ours, theirs) = in_a_call(1);
    let agent = &world.agents[&alice];
    assert_eq!(agent.replaceable(&named(agent, ours, false)), Ok(ours));
    assert_eq!(agent.replaceable(&named(agent, ours, true)), Err(486), "no longer early");
    let unknown = Replaces { from_tag: "x".into(), ..named(agent, ours, false) };
    assert_eq!(agent.replaceable(&unknown), Err(481));
    let bobs = named(&world.agents[&bob], theirs, false);
    world.with(bob, |ua, now| ua.hang_up(now, theirs));
    assert_eq!(world.agents[&bob].replaceable(&bobs), Err(603), "it has ended");
    // Early: only a call that we began ourselves.
    let (mut world, alice, ours, asked) = calling(&[]);
    world.inject(at(7000), alice, respond(&asked, 180, "one", &[], b""));
    world.inject(at(7000), alice, respond(&asked, 180, "two", &[], b""));
    world.run(ms(10));
    let agent = &world.agents[&alice];
    let first = Replaces { from_tag: "one".into(), ..named(agent, ours, true) };
    assert_eq!(
        (agent.replaceable(&first), agent.find_call(&first)),
        (Ok(ours), Some(ours)),
        "any branch of it"
    );
    let (world, bob, theirs) = called("", "v=0 offer");
    let agent = &world.agents[&bob];
    assert_eq!(agent.replaceable(&named(agent, theirs, false)), Err(481), "it rings here");
}

#[test]
fn messages_go_inside_a_call_and_are_answered_by_the_owner() {
    let (mut world, alice, bob, ours, _) = in_a_call(1);
    world.with(alice, |ua, now| ua.message(now, ours, "text/plain", b"two minutes".to_vec()));
    world.run(ms(10));
    let events = world.take_events(bob);
    let [Event::RequestReceived { key, request, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((request.method.as_str(), &request.body[..]), ("MESSAGE", &b"two minutes"[..]));
    let key = *key;
    world.with(bob, |ua, now| ua.answer(now, key, 200, Vec::new(), Vec::new()));
    world.run(ms(10));
    assert_eq!(world.ladder(), "6001 > 6002 MESSAGE\n6002 > 6001 200 MESSAGE\n");
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.assert_empty();
}
