//! Our own offers before the call is answered (RFC 3311), and why calls end (RFC 3326).

use super::dialogs::{called, calling, mail, next, replies, respond, within};
use super::*;

const MOVED: &[u8] = b"v=0 moved";
const ALLOW: (&str, &str) = ("Allow", "INVITE, ACK, UPDATE");

/// Alice's call is ringing at "one", which has answered her offer reliably.
fn agreed_early(allow: (&str, &str)) -> (World, Peer, CallKey, Message) {
    let (mut world, alice, ours, asked) = calling(&[]);
    let headers = [("Require", "100rel"), ("RSeq", "1"), allow];
    world.inject(at(7000), alice, respond(&asked, 183, "one", &headers, b"v=0 early"));
    world.run(ms(10));
    world.names(alice);
    world.mail.clear();
    (world, alice, ours, asked)
}

/// The offer that came for 7000 by this method since.
fn offered(world: &World, method: &str) -> Option<Message> {
    let fits = |m: &Message| is_request(m, method) && m.body() == MOVED;
    world.mail.iter().find(|(_, _, m)| fits(m)).map(|(_, _, m)| m.clone())
}

fn accept(world: &mut World, alice: Peer, asked: &Message) {
    world.inject(at(7000), alice, respond(asked, 200, "one", &[ALLOW], b""));
    world.run(ms(10));
}

#[test]
fn an_offer_before_the_answer_goes_by_update_in_the_branch_that_has_agreed() {
    let (mut world, alice, ours, asked) = agreed_early(ALLOW);
    world.with(alice, |ua, now| ua.reoffer(now, ours, MOVED.to_vec()));
    world.run(ms(10));
    let update = offered(&world, "UPDATE").unwrap();
    assert_eq!(update.headers().to().unwrap().tag(), Some("one"));
    assert_eq!(update.headers().cseq().unwrap().0, 3, "after its PRACK");
    // Theirs meets ours (RFC 3311 5.2).
    world.inject(at(7000), alice, within(&asked, "UPDATE", "one", 1, &[], b"v=0 theirs"));
    world.run(ms(10));
    assert!(world.ladder().ends_with("6001 > 7000 491 UPDATE\n"));
    world.inject(at(7000), alice, respond(&update, 200, "one", &[], b"v=0 well"));
    world.run(ms(10));
    let events = world.take_events(alice);
    assert!(matches!(&events[..], [Event::OfferAnswered { sdp, .. }] if sdp == b"v=0 well"), "{events:?}");
    accept(&mut world, alice, &asked);
    assert_eq!(world.names(alice), ["CallAnswered"]);
    assert!(offered(&world, "INVITE").is_none(), "said once");
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    assert_eq!(mail(&mut world, "BYE").len(), 0);
    world.run(ms(10));
    assert_eq!(mail(&mut world, "BYE")[0].cseq().unwrap().0, 4, "and the numbers go on");
}

#[test]
fn an_offer_that_may_not_go_early_waits_for_the_answer() {
    // No Allow; no reliable answer; an UPDATE that is refused: a re-INVITE follows the 200.
    for case in ["no allow", "no answer", "405", "481", "491"] {
        let (mut world, alice, ours, asked) = match case {
            "no allow" => agreed_early(("Allow", "INVITE, ACK")),
            "no answer" => {
                let (mut world, alice, ours, asked) = calling(&[]);
                world.inject(at(7000), alice, respond(&asked, 183, "one", &[ALLOW], b"v=0 early"));
                world.run(ms(10));
                (world, alice, ours, asked)
            }
            _ => agreed_early(ALLOW),
        };
        world.with(alice, |ua, now| ua.reoffer(now, ours, MOVED.to_vec()));
        world.run(ms(10));
        let update = offered(&world, "UPDATE");
        assert_eq!(update.is_some(), case.parse::<u16>().is_ok(), "{case}");
        if let (Some(update), Ok(status)) = (update, case.parse()) {
            world.inject(at(7000), alice, respond(&update, status, "one", &[], b""));
            world.mail.clear();
            world.run(ms(10));
            assert!(offered(&world, "UPDATE").is_none(), "{case}: not at once");
        }
        accept(&mut world, alice, &asked);
        world.run(s(5));
        assert!(offered(&world, "INVITE").is_some(), "{case}: {}", world.ladder());
        assert!(!world.names(alice).contains(&"OfferFailed".to_owned()), "{case}");
    }
}

#[test]
fn an_early_offer_to_a_branch_that_lost_is_said_again_to_the_one_that_answered() {
    let (mut world, alice, ours, asked) = agreed_early(ALLOW);
    world.with(alice, |ua, now| ua.reoffer(now, ours, MOVED.to_vec()));
    world.run(ms(10));
    let update = offered(&world, "UPDATE").unwrap();
    world.inject(at(7000), alice, respond(&asked, 200, "two", &[ALLOW], ANSWER));
    world.run(ms(10));
    world.mail.clear();
    world.inject(at(7000), alice, respond(&update, 200, "one", &[], b"v=0 well"));
    world.run(ms(10));
    let again = offered(&world, "INVITE").unwrap();
    assert_eq!(again.headers().to().unwrap().tag(), Some("two"));
    assert!(!world.names(alice).contains(&"OfferAnswered".to_owned()));
}

#[test]
fn whoever_is_called_offers_early_too_once_both_have_agreed() {
    let (mut world, bob, theirs) = called("Require: 100rel\r\nAllow: INVITE, UPDATE\r\n", "v=0 offer");
    world.with(bob, |ua, now| {
        ua.ring(now, theirs, Some(ANSWER.to_vec()));
        ua.reoffer(now, theirs, MOVED.to_vec());
    });
    world.run(ms(10));
    assert!(offered(&world, "UPDATE").is_none(), "the answer has not arrived yet");
    let rack = format!("RAck: {} 1 INVITE\r\n", replies(&world, 183)[0].1.unwrap());
    world.inject(at(7000), bob, next(&world, theirs, "PRACK", 2, &rack, ""));
    world.run(ms(10));
    let update = offered(&world, "UPDATE").unwrap();
    world.inject(at(7000), bob, respond(&update, 200, "x", &[], b"v=0 well"));
    world.run(ms(10));
    assert_eq!(world.names(bob), ["OfferAnswered"]);
    world.with(bob, |ua, now| ua.accept(now, theirs, ANSWER.to_vec()));
    world.inject(at(7000), bob, next(&world, theirs, "ACK", 1, "", ""));
    world.run(ms(10));
    assert_eq!(world.names(bob), ["CallConfirmed"]);
}

#[test]
fn why_a_call_ends_is_said_in_its_cancel_and_its_bye() {
    for answered in [false, true] {
        let (mut world, alice, ours, asked) = calling(&[]);
        world.inject(at(7000), alice, respond(&asked, 180, "one", &[], b""));
        if answered {
            world.inject(at(7000), alice, respond(&asked, 200, "one", &[], ANSWER));
        }
        world.run(ms(10));
        world.mail.clear();
        let reason = Reason::of_status(488).saying("no codec");
        world.with(alice, |ua, now| ua.hang_up_because(now, ours, reason));
        world.run(ms(10));
        let last = mail(&mut world, if answered { "BYE" } else { "CANCEL" });
        assert_eq!(last[0].get("Reason"), Some("SIP;cause=488;text=\"no codec\""));
    }
}

#[test]
fn a_call_that_nobody_acknowledged_says_so_in_its_bye() {
    let (mut world, bob, theirs) = called("", "v=0 offer");
    world.with(bob, |ua, now| ua.accept(now, theirs, ANSWER.to_vec()));
    world.run(s(33));
    assert_eq!(mail(&mut world, "BYE")[0].get("Reason"), Some("SIP;cause=408;text=\"no ACK came\""));
}
