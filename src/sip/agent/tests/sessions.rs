//! Session timers (RFC 4028), both sides, both roles.

use super::dialogs::{calling, mail, respond};
use super::*;
use crate::sip::message::{Headers, Message};

/// A call of 6001 that 7000 has answered with these headers.
fn answered(headers: &[(&str, &str)]) -> (World, Peer, CallKey) {
    let (mut world, alice, ours, asked) = calling(&[]);
    assert_eq!(asked.headers().get("Session-Expires"), Some("1800"));
    world.inject(at(7000), alice, respond(&asked, 200, "one", headers, ANSWER));
    world.run(ms(10));
    world.mail.clear();
    world.names(alice);
    (world, alice, ours)
}

/// Answers everything that came for 7000.
fn answer_mail(world: &mut World, headers: &[(&str, &str)]) -> Vec<Headers> {
    let mut seen = Vec::new();
    for (from, to, message) in std::mem::take(&mut world.mail) {
        if let Message::Request(request) = &message
            && request.method.as_str() != "ACK"
        {
            seen.push(request.headers.clone());
            let body: &[u8] = if request.method.as_str() == "INVITE" { ANSWER } else { b"" };
            world.inject(to, from, respond(&message, 200, "one", headers, body));
        }
    }
    world.run(ms(10));
    seen
}

#[test]
fn we_refresh_at_half_time_by_update_where_the_far_end_takes_that() {
    let timer = ("Session-Expires", "90;refresher=uac");
    let (mut world, alice, ours) = answered(&[timer, ("Allow", "INVITE, UPDATE")]);
    for _ in 0..5 {
        world.run(ms(44_980));
        assert!(world.mail.is_empty());
        world.run(ms(100));
        let updates = answer_mail(&mut world, &[timer]);
        assert_eq!(updates[0].get("Session-Expires"), Some("90;refresher=uac"));
        assert_eq!(updates[0].cseq().unwrap().1.as_str(), "UPDATE");
        world.run(ms(10));
    }
    assert!(world.names(alice).is_empty(), "nobody hears of it");
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.run(ms(10));
    answer_mail(&mut world, &[]);
    world.assert_empty();
}

#[test]
fn we_refresh_by_a_reinvite_that_changes_nothing_where_it_does_not() {
    let timer = ("Session-Expires", "90;refresher=uac");
    let (mut world, alice, _) = answered(&[timer]);
    world.run(ms(45_100));
    let Message::Request(again) = &world.mail[0].2 else { panic!() };
    assert_eq!((again.method.as_str(), &again.body[..]), ("INVITE", OFFER));
    answer_mail(&mut world, &[timer]);
    assert_eq!(mail(&mut world, "ACK").len(), 1);
    assert!(world.names(alice).is_empty());
    world.run(ms(45_100));
    assert_eq!(mail(&mut world, "INVITE").len(), 1, "and again");
}

#[test]
fn a_call_that_the_far_end_no_longer_refreshes_ends_with_a_reason() {
    let (mut world, alice, _) = answered(&[("Session-Expires", "90;refresher=uas")]);
    world.run(ms(59_900));
    assert!(world.names(alice).is_empty() && world.mail.is_empty());
    world.run(ms(200));
    let events = world.take_events(alice);
    let [Event::CallEnded { cause, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(cause.by, EndedBy::Timeout);
    assert!(cause.reason.contains("session expired"), "{}", cause.reason);
    assert_eq!(mail(&mut world, "BYE").len(), 1);
    world.assert_empty();
}

#[test]
fn a_refresh_that_nobody_answers_is_tried_again_and_then_the_call_ends() {
    let mut world = World::new(1, Weather::default());
    let alice = at(6001);
    let mut config = UaConfig::new(alice.address, "test", 7);
    config.keeps_silent_calls = true;
    world.agents.insert(alice, UserAgent::new(config));
    world.with(alice, |ua, now| ua.invite(now, invite(7000)));
    world.run(ms(10));
    let (_, _, asked) = world.mail.remove(0);
    let headers = [("Session-Expires", "300;refresher=uac"), ("Allow", "UPDATE")];
    world.inject(at(7000), alice, respond(&asked, 200, "one", &headers, ANSWER));
    world.run(s(267));
    assert_eq!(world.names(alice), ["CallAnswered"]);
    let numbers: std::collections::BTreeSet<u32> =
        mail(&mut world, "UPDATE").iter().map(|h| h.cseq().unwrap().0).collect();
    assert!(numbers.len() >= 2, "another try: {numbers:?}");
    world.run(s(2));
    assert_eq!(world.names(alice), ["CallEnded Timeout"]);
    world.assert_empty();
}

#[test]
fn too_short_is_made_longer_where_they_say_so_and_refused_where_we_do() {
    let (mut world, alice, _, asked) = calling(&[]);
    world.inject(at(7000), alice, respond(&asked, 422, "one", &[("Min-SE", "3600")], b""));
    world.run(ms(10));
    let again = mail(&mut world, "INVITE");
    assert_eq!(again[0].get("Session-Expires"), Some("3600"));
    assert_eq!(again[0].get("Min-SE"), Some("3600"));
    assert_eq!((again[0].call_id(), again[0].cseq().unwrap().0), (asked.headers().call_id(), 2));
    assert!(world.names(alice).is_empty());
    // One who says so again and again is not obeyed for ever.
    let (mut world, alice, _, asked) = calling(&[]);
    let mut asked = asked;
    for n in 0..10_u32 {
        let least = (4_000 + n).to_string();
        world.inject(at(7000), alice, respond(&asked, 422, "one", &[("Min-SE", &least)], b""));
        world.run(ms(10));
        let Some(at) = world.mail.iter().position(|(_, _, m)| is_request(m, "INVITE")) else { break };
        asked = world.mail.remove(at).2;
    }
    assert_eq!(world.names(alice), ["CallEnded Remote 422"]);
    let mut world = World::new(1, Weather::default());
    let bob = world.add(6002);
    let short = "Supported: timer\r\nSession-Expires: 60\r\n";
    world.inject(at(7000), bob, calls::raw_invite("z9hG4bKx", short));
    world.run(ms(10));
    assert!(world.names(bob).is_empty());
    assert_eq!(world.mail[0].2.headers().get("Min-SE"), Some("90"));
    assert!(world.ladder().ends_with("6002 > 7000 422 INVITE\n"));
}

/// What our 200 says to an INVITE with these headers.
fn granted(more: &str) -> (Option<String>, bool) {
    let mut world = World::new(1, Weather::default());
    let bob = world.add(6002);
    world.inject(at(7000), bob, calls::raw_invite("z9hG4bKx", more));
    world.run(ms(10));
    let theirs = the_call(&world, bob);
    world.with(bob, |ua, now| ua.accept(now, theirs, ANSWER.to_vec()));
    let ok =
        world.sent.iter().rev().find(|(_, _, _, m)| matches!(m, Message::Response(r) if r.status == 200));
    let headers = ok.unwrap().3.headers();
    let requires = headers.list("Require").contains(&"timer".to_owned());
    (headers.get("Session-Expires").map(str::to_owned), requires)
}

#[test]
fn who_refreshes_a_session_that_they_ask_for_follows_table_2() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(granted(""), (None, false));
    assert_eq!(granted("Supported: timer\r\n"), (None, false), "nobody asked");
    assert_eq!(granted("Supported: timer\r\nSession-Expires: 1800\r\n"), (some("1800;refresher=uac"), true));
    assert_eq!(
        granted("Supported: timer\r\nx: 1800;refresher=uas\r\n"),
        (some("1800;refresher=uas"), false),
        "by its short name"
    );
    // A proxy put it there; the caller knows nothing of timers.
    assert_eq!(granted("Session-Expires: 60\r\nMin-SE: 120\r\n"), (some("120;refresher=uas"), false));
}

#[test]
fn two_agents_keep_a_call_alive_for_hours() {
    let mut world = World::new(1, Weather::default());
    let (alice, bob) = (at(6001), at(6002));
    for who in [alice, bob] {
        world.agents.insert(who, UserAgent::new(UaConfig::new(who.address, "test", u64::from(who.port()))));
    }
    let ours = world.with(alice, |ua, now| ua.invite(now, invite(6002)));
    world.run(ms(10));
    let theirs = the_call(&world, bob);
    world.with(bob, |ua, now| ua.accept(now, theirs, ANSWER.to_vec()));
    world.run(s(4 * 3600));
    let ladder = world.ladder();
    assert_eq!(ladder.matches("6001 > 6002 UPDATE").count(), 15, "each 900 s");
    assert_eq!(world.names(alice), ["CallAnswered"]);
    // One of them vanishes: the other notices within the half hour.
    world.agents.remove(&alice);
    world.run(s(1_800));
    assert_eq!(world.names(bob), ["CallReceived", "CallConfirmed", "CallEnded Timeout"]);
    let _ = ours;
}

#[test]
fn a_far_end_that_says_it_takes_update_and_does_not_gets_a_reinvite() {
    let timer = ("Session-Expires", "90;refresher=uac");
    let (mut world, alice, _) = answered(&[timer, ("Allow", "INVITE, UPDATE")]);
    world.run(ms(45_100));
    let update = world.mail.iter().find(|(_, _, m)| is_request(m, "UPDATE")).unwrap().2.clone();
    world.mail.clear();
    world.inject(at(7000), alice, respond(&update, 501, "one", &[], b""));
    world.run(ms(10));
    assert_eq!(mail(&mut world, "INVITE").len(), 1);
}

#[test]
fn nothing_of_a_call_that_was_cancelled_reaches_the_owner() {
    let (mut world, alice, ours, asked) = calling(&[]);
    let headers = [("Require", "100rel"), ("RSeq", "1")];
    world.inject(at(7000), alice, respond(&asked, 183, "one", &headers, b"v=0 early"));
    world.run(ms(10));
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.names(alice);
    for (cseq, method) in (1..).zip(["UPDATE", "INFO", "REFER", "INVITE"]) {
        world.inject(at(7000), alice, dialogs::within(&asked, method, "one", cseq, &[], b"v=0 offer"));
    }
    world.run(ms(10));
    assert!(world.names(alice).is_empty());
    assert_eq!(world.ladder().matches("> 7000 481").count(), 4);
    world.assert_empty();
}
