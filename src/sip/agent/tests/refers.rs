//! REFER, sent and received.

use super::*;
use crate::sip::message::{Message, NameAddr};

fn park() -> NameAddr {
    NameAddr::new(Uri::sip("700", "127.0.0.1"))
}

#[test]
fn a_refer_is_accepted_and_its_progress_told() {
    let (mut world, alice, bob, ours, _) = in_a_call(1);
    let refer = world.with(alice, |ua, now| ua.refer(now, ours, park(), Vec::new()));
    world.run(ms(10));
    let events = world.take_events(bob);
    let [Event::ReferReceived { call: Some(_), refer: asked, request, from }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*from, alice);
    assert_eq!(request.headers.name_addr("Refer-To").unwrap().uri.user.as_deref(), Some("700"));
    assert!(request.headers.get("Referred-By").is_some());
    let asked = *asked;
    world.with(bob, |ua, now| ua.answer_refer(now, asked, 202, vec![("X-Slot".into(), "701".into())]));
    world.run(ms(10));
    world.with(bob, |ua, now| ua.report_refer(now, asked, 180));
    world.run(ms(10));
    world.with(bob, |ua, now| ua.report_refer(now, asked, 200));
    world.run(ms(10));
    let events = world.take_events(alice);
    assert_eq!(
        events.iter().map(name).collect::<Vec<_>>(),
        ["ReferSent", "ReferAccepted 202", "ReferProgress 100", "ReferProgress 180", "ReferProgress 200"]
    );
    assert!(matches!(&events[1], Event::ReferAccepted { headers, refer: r, .. }
        if headers.get("X-Slot") == Some("701") && *r == refer));
    assert!(matches!(&events[3], Event::ReferProgress { ended: false, .. }));
    assert!(matches!(&events[4], Event::ReferProgress { ended: true, reason, .. } if reason == "OK"));
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.assert_empty();
}

#[test]
fn a_refer_never_overtakes_a_hold_that_has_not_finished() {
    let (mut world, alice, bob, ours, theirs) = in_a_call(1);
    world.with(alice, |ua, now| {
        ua.reoffer(now, ours, b"hold".to_vec());
        ua.refer(now, ours, park(), Vec::new());
    });
    world.run(s(2));
    assert!(!world.ladder().contains("REFER"), "the hold has no answer yet");
    world.with(bob, |ua, now| ua.answer_offer(now, theirs, Ok(ANSWER.to_vec())));
    world.run(ms(10));
    let ladder = world.ladder();
    assert!(ladder.contains("6001 > 6002 ACK\n6001 > 6002 REFER\n"), "{ladder}");
}

#[test]
fn a_refer_waits_for_the_far_ends_hold_too() {
    let (mut world, alice, bob, ours, theirs) = in_a_call(1);
    world.with(bob, |ua, now| ua.reoffer(now, theirs, b"hold".to_vec()));
    world.run(ms(10));
    world.with(alice, |ua, now| ua.refer(now, ours, park(), Vec::new()));
    world.run(ms(10));
    assert!(!world.ladder().contains("REFER"));
    world.with(alice, |ua, now| ua.answer_offer(now, ours, Ok(ANSWER.to_vec())));
    world.run(ms(10));
    assert!(world.ladder().ends_with("6001 > 6002 REFER\n"));
}

#[test]
fn a_refused_refer_is_told_once_and_the_call_goes_on() {
    let (mut world, alice, bob, ours, _) = in_a_call(1);
    world.script(bob, |ua, now, event| {
        if let Event::ReferReceived { refer, .. } = event {
            ua.answer_refer(now, *refer, 403, Vec::new());
        }
    });
    world.with(alice, |ua, now| ua.refer(now, ours, park(), Vec::new()));
    world.run(ms(10));
    assert_eq!(world.names(alice), ["ReferSent", "ReferRefused 403"]);
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    assert_eq!(world.names(alice), ["CallEnded Local"]);
    world.assert_empty();
}

#[test]
fn a_refer_that_still_waits_when_the_call_ends_is_refused() {
    let (mut world, alice, bob, ours, theirs) = in_a_call(1);
    world.with(alice, |ua, now| {
        ua.reoffer(now, ours, b"hold".to_vec());
        ua.refer(now, ours, park(), Vec::new());
    });
    world.run(ms(10));
    world.with(bob, |ua, now| ua.hang_up(now, theirs));
    world.run(ms(10));
    assert_eq!(world.names(alice), ["ReferRefused 487", "CallEnded Remote"]);
    world.assert_empty();
}

#[test]
fn the_last_word_about_a_refer_may_come_after_the_bye() {
    let (mut world, alice, bob, ours, _) = in_a_call(1);
    world.script(bob, |ua, now, event| {
        if let Event::ReferReceived { refer, .. } = event {
            ua.answer_refer(now, *refer, 202, Vec::new());
        }
    });
    world.with(alice, |ua, now| ua.refer(now, ours, park(), Vec::new()));
    world.run(ms(10));
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.run(ms(10));
    let events = world.take_events(bob);
    let asked = events
        .iter()
        .find_map(|event| match event {
            Event::ReferReceived { refer, .. } => Some(*refer),
            _ => None,
        })
        .unwrap();
    world.with(bob, |ua, now| ua.report_refer(now, asked, 200));
    world.run(ms(10));
    assert_eq!(
        world.names(alice),
        ["ReferSent", "ReferAccepted 202", "ReferProgress 100", "CallEnded Local", "ReferProgress 200"]
    );
    world.assert_empty();
}

#[test]
fn a_far_end_that_tells_nothing_is_told_as_408() {
    let (mut world, alice, bob, ours, theirs) = in_a_call(1);
    world.with(alice, |ua, now| ua.refer(now, ours, park(), Vec::new()));
    world.run(ms(10));
    let events = world.take_events(bob);
    let [Event::ReferReceived { refer, .. }] = &events[..] else { panic!() };
    let refer = *refer;
    world.with(bob, |ua, now| ua.answer_refer(now, refer, 202, Vec::new()));
    world.run(ms(10));
    world.agents.remove(&bob);
    world.run(s(400));
    assert_eq!(
        world.names(alice),
        ["ReferSent", "ReferAccepted 202", "ReferProgress 100", "ReferProgress 408"]
    );
    let _ = theirs;
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.assert_empty();
}

#[test]
fn refer_sub_false_promises_no_news() {
    let (mut world, alice, bob, ours, _) = in_a_call(1);
    let silent = || vec![("Refer-Sub".to_owned(), "false".to_owned())];
    world.script(bob, move |ua, now, event| {
        if let Event::ReferReceived { refer, .. } = event {
            ua.answer_refer(now, *refer, 200, silent());
        }
    });
    world.with(alice, |ua, now| ua.refer(now, ours, park(), silent()));
    world.run(ms(10));
    assert_eq!(world.names(alice), ["ReferSent", "ReferAccepted 200"]);
    assert!(!world.ladder().contains("NOTIFY"));
    assert_eq!(world.agents[&alice].census().refers + world.agents[&bob].census().refers, 0);
}

#[test]
fn an_unanswered_refer_gets_500_and_leaves_nothing() {
    let (mut world, alice, bob, ours, _) = in_a_call(1);
    world.with(alice, |ua, now| ua.refer(now, ours, park(), Vec::new()));
    world.run(s(30));
    assert_eq!(world.names(alice), ["ReferSent", "ReferRefused 500"]);
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    assert_eq!(world.names(bob), ["ReferReceived"]);
    world.assert_empty();
}

#[test]
fn a_refer_outside_of_a_call_has_a_dialog_of_its_own() {
    let mut world = World::new(1, Weather::default());
    let bob = world.add(6002);
    let refer = "REFER sip:you@127.0.0.1:6002 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:7000;branch=z9hG4bKr\r\n\
         From: <sip:x@127.0.0.1>;tag=x\r\nTo: <sip:you@127.0.0.1>\r\nCall-ID: r\r\nCSeq: 1 REFER\r\n\
         Contact: <sip:x@127.0.0.1:7009>\r\nRefer-To: <sip:9@127.0.0.1>\r\nContent-Length: 0\r\n\r\n";
    world.inject(at(7000), bob, refer.into());
    world.run(ms(10));
    let events = world.take_events(bob);
    let [Event::ReferReceived { call: None, refer, .. }] = &events[..] else { panic!("{events:?}") };
    let refer = *refer;
    world.with(bob, |ua, now| {
        ua.answer_refer(now, refer, 202, Vec::new());
        ua.report_refer(now, refer, 200);
    });
    for _ in 0..3 {
        world.run(ms(10));
        for (from, to, message) in std::mem::take(&mut world.mail) {
            assert_eq!(from, bob);
            assert_eq!(to, at(7000), "never to the address in Contact");
            if matches!(message, Message::Request(_)) {
                world.inject(to, bob, reply_to(&message, 200, &[]));
            }
        }
    }
    assert_eq!(world.ladder().matches("6002 > 7000 NOTIFY").count(), 2);
    world.assert_empty();
}

#[test]
fn a_refer_that_still_waits_can_be_taken_back_and_one_that_is_out_cannot() {
    let (mut world, alice, bob, ours, theirs) = in_a_call(1);
    let refer = world.with(alice, |ua, now| {
        ua.reoffer(now, ours, b"hold".to_vec());
        ua.refer(now, ours, park(), Vec::new())
    });
    world.run(ms(10));
    assert!(!world.names(alice).contains(&"ReferSent".to_owned()));
    assert!(world.with(alice, |ua, _| ua.withdraw_refer(refer)));
    world.with(bob, |ua, now| ua.answer_offer(now, theirs, Ok(ANSWER.to_vec())));
    world.run(ms(10));
    assert!(!world.ladder().contains("REFER"));
    let refer = world.with(alice, |ua, now| ua.refer(now, ours, park(), Vec::new()));
    assert_eq!(world.names(alice), ["OfferAnswered", "ReferSent"]);
    assert!(!world.with(alice, |ua, _| ua.withdraw_refer(refer)));
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.assert_empty();
}

#[test]
fn an_id_that_was_never_given_means_the_only_refer_there_is() {
    let (mut world, alice, ours, asked) = dialogs::calling(&[]);
    world.inject(at(7000), alice, dialogs::respond(&asked, 200, "one", &[], ANSWER));
    world.run(ms(10));
    world.with(alice, |ua, now| ua.refer(now, ours, park(), Vec::new()));
    world.run(ms(10));
    world.names(alice);
    let notify = |cseq: u32, id: &str| {
        let event = format!("refer;id={id}");
        let headers = [("Event", event.as_str()), ("Subscription-State", "active")];
        dialogs::within(&asked, "NOTIFY", "one", cseq, &headers, b"SIP/2.0 100 Trying")
    };
    world.inject(at(7000), alice, notify(1, "4711"));
    world.run(ms(10));
    assert_eq!(world.names(alice), ["ReferProgress 100"]);
    // With two of them it could be either.
    let refer = world.mail.iter().find(|(_, _, m)| is_request(m, "REFER")).unwrap().2.clone();
    world.inject(at(7000), alice, dialogs::respond(&refer, 202, "one", &[], b""));
    world.run(ms(10));
    world.with(alice, |ua, now| ua.refer(now, ours, park(), Vec::new()));
    world.run(ms(10));
    world.names(alice);
    world.inject(at(7000), alice, notify(2, "4711"));
    world.run(ms(10));
    assert!(world.names(alice).is_empty());
    assert!(world.ladder().ends_with("6001 > 7000 481 NOTIFY\n"));
}

/// A REFER of alice's outside of the call that it is about, and what bob heard.
#[test]
fn a_refer_outside_of_a_call_names_the_call_that_it_is_about() {
    use crate::sip::target_dialog::TargetDialog;
    let (mut world, alice, bob, ours, theirs) = in_a_call(1);
    let out = ReferOut {
        account: None,
        target: to(6002),
        send_to: bob,
        refer_to: park(),
        about: Some(ours),
        headers: Vec::new(),
    };
    world.with(alice, |ua, now| ua.refer_outside(now, out));
    world.run(ms(10));
    let events = world.take_events(bob);
    let [Event::ReferReceived { call: None, refer, request, .. }] = &events[..] else { panic!("{events:?}") };
    let about = TargetDialog::read(request.headers.get("Target-Dialog").unwrap()).unwrap();
    assert_eq!(world.agents[&bob].find_dialog(&about), Some(theirs));
    let turned =
        TargetDialog { local_tag: about.remote_tag.clone(), remote_tag: about.local_tag.clone(), ..about };
    assert_eq!(world.agents[&bob].find_dialog(&turned), None);
    let refer = *refer;
    world.with(bob, |ua, now| {
        ua.answer_refer(now, refer, 202, Vec::new());
        ua.report_refer(now, refer, 200);
    });
    world.run(s(1));
    assert_eq!(
        world.names(alice),
        ["ReferSent", "ReferAccepted 202", "ReferProgress 100", "ReferProgress 200"]
    );
    world.with(alice, |ua, now| ua.hang_up(now, ours));
    world.assert_empty();
}

#[test]
fn nobody_but_its_receiver_may_report_on_a_refer() {
    let mut world = World::new(1, Weather::default());
    let alice = world.add(6001);
    let out = ReferOut {
        account: None,
        target: to(7000),
        send_to: at(7000),
        refer_to: park(),
        about: None,
        headers: vec![("Refer-Sub".to_owned(), "false".to_owned())],
    };
    world.with(alice, |ua, now| ua.refer_outside(now, out));
    world.run(ms(10));
    let (_, _, asked) = world.mail.remove(0);
    let headers = [("Event", "refer"), ("Subscription-State", "terminated")];
    let notify = dialogs::within(&asked, "NOTIFY", "one", 1, &headers, b"SIP/2.0 200 OK");
    world.inject(Peer::udp(([203, 0, 113, 9], 5060).into()), alice, notify);
    world.run(ms(10));
    assert_eq!(world.names(alice), ["ReferSent"]);
    world.run(s(200));
    assert_eq!(world.names(alice), ["ReferRefused 408"]);
    world.assert_empty();
}
