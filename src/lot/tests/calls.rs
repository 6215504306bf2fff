//! Calls between extensions: forking, refusals, hold, identity, codecs, leaks.

use super::*;
use crate::sip::sdp::{Codec, Direction};

#[test]
fn one_calls_another_they_talk_and_hang_up_and_nothing_is_left() {
    let mut world = office();
    let call = world.dial(BOB, "100");
    world.run_ms(20);
    let incoming = world.ringing(ANN);
    let invite = world.invite_of(ANN, incoming);
    assert_eq!(invite.headers.from().unwrap().display.as_deref(), Some("Bob"));
    assert_eq!(invite.headers.get("P-Asserted-Identity"), Some("\"Bob\" <sip:101@parkdeck>"));
    world.ring(ANN, incoming);
    world.run_ms(20);
    let rang = |e: &crate::sip::Event| matches!(e, crate::sip::Event::CallProgress { status: 180, .. });
    assert!(world.phones[BOB].events.iter().any(rang));
    world.answer(ANN, incoming);
    world.run_ms(20);
    assert!(world.talk(ANN, BOB));
    world.hang_up(BOB, call);
    world.run_ms(20);
    assert!(world.is_over(ANN, incoming));
    world.assert_at_rest();
}

#[test]
fn nobody_lies_about_who_he_is_unless_he_speaks_for_others() {
    let mut world = office();
    world.phones[SHOP].display = "The boss".into();
    world.dial_with(SHOP, "100", &[("P-Asserted-Identity", "\"The boss\" <sip:1@parkdeck>")]);
    world.run_ms(20);
    let incoming = world.ringing(ANN);
    assert_eq!(world.invite_of(ANN, incoming).headers.from().unwrap().display.as_deref(), Some("Shop"));
    world.reject(ANN, incoming, 486);
    world.dial_with(JANE, "100", &[("P-Asserted-Identity", "\"Jane Doe\" <sip:01614960100@parkdeck>")]);
    world.run_ms(20);
    let incoming = world.ringing(ANN);
    let from = world.invite_of(ANN, incoming).headers.from().unwrap();
    assert_eq!((from.display.as_deref(), from.uri.user.as_deref()), (Some("Jane Doe"), Some("01614960100")));
    world.reject(ANN, incoming, 486);
    world.dial_with(JANE, "100", &[("Privacy", "id")]);
    world.run_ms(20);
    let incoming = world.ringing(ANN);
    assert_eq!(world.invite_of(ANN, incoming).headers.from().unwrap().uri.host, "anonymous.invalid");
}

#[test]
fn all_phones_of_a_user_ring_and_the_first_to_answer_wins() {
    let mut world = office();
    let second = world.add_phone("ann", "ann", "Ann");
    world.register(second);
    world.run_ms(50);
    world.dial(BOB, "100");
    world.run_ms(20);
    let (here, there) = (world.ringing(ANN), world.ringing(second));
    world.answer(second, there);
    world.run_ms(50);
    assert!(world.talk(BOB, second));
    assert!(world.is_over(ANN, here));
    world.hang_up(second, there);
    world.assert_at_rest();
}

#[test]
fn two_phones_that_answer_at_once_are_not_both_connected() {
    let mut world = office();
    let second = world.add_phone("ann", "ann", "Ann");
    world.register(second);
    world.run_ms(50);
    let call = world.dial(BOB, "100");
    world.run_ms(20);
    let (here, there) = (world.ringing(ANN), world.ringing(second));
    world.answer(ANN, here);
    world.answer(second, there);
    world.run_s(2);
    assert!(world.talk(BOB, ANN) != world.talk(BOB, second), "exactly one");
    assert!(world.is_over(ANN, here) != world.is_over(second, there));
    world.hang_up(BOB, call);
    world.assert_at_rest();
}

#[test]
fn a_busy_an_absent_and_an_unknown_callee_are_told_apart() {
    let mut world = office();
    let busy = world.dial(BOB, "100");
    world.run_ms(20);
    let incoming = world.ringing(ANN);
    world.reject(ANN, incoming, 486);
    world.run_ms(50);
    assert_eq!(world.end_of(BOB, busy).unwrap().0, Some(486));
    let account = world.phones[ANN].account;
    let now = world.now;
    world.phones[ANN].agent.unregister(now, account);
    world.run_s(2);
    let absent = world.dial(BOB, "100");
    world.run_ms(50);
    assert_eq!(world.end_of(BOB, absent).unwrap().0, Some(480));
    let unknown = world.dial(BOB, "00441614960100");
    world.run_ms(50);
    assert_eq!(world.end_of(BOB, unknown).unwrap().0, Some(404));
    world.assert_at_rest();
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing() {
    let mut world = office();
    let call = world.dial(BOB, "100");
    world.run_ms(20);
    let incoming = world.ringing(ANN);
    world.ring(ANN, incoming);
    world.run_ms(20);
    world.hang_up(BOB, call);
    world.run_ms(50);
    assert!(world.is_over(ANN, incoming));
    world.assert_at_rest();
}

#[test]
fn a_call_that_nobody_answers_ends_by_itself() {
    let mut world = office();
    let call = world.dial(BOB, "100");
    world.run_ms(20);
    let incoming = world.ringing(ANN);
    world.ring(ANN, incoming);
    world.run_s(200);
    assert_eq!(world.end_of(BOB, call).unwrap().0, Some(480));
    assert!(world.is_over(ANN, incoming));
    world.assert_at_rest();
}

#[test]
fn who_is_held_hears_music_until_he_is_resumed() {
    let mut world = office();
    let (_, ann) = jane_talks_with_ann(&mut world);
    world.phones[ANN].direction = Direction::SendOnly;
    world.hold(ANN, ann, Direction::SendOnly);
    world.run_ms(50);
    assert!(world.hears_music(JANE) && !world.talk(JANE, ANN));
    world.phones[ANN].direction = Direction::SendRecv;
    world.hold(ANN, ann, Direction::SendRecv);
    world.run_ms(50);
    assert!(world.talk(JANE, ANN));
}

#[test]
fn two_who_share_a_codec_need_no_transcoding() {
    let mut world = office();
    world.phones[JANE].codecs = vec![Codec::Pcma, Codec::Pcmu];
    world.phones[ANN].codecs = vec![Codec::Pcmu, Codec::Pcma];
    jane_talks_with_ann(&mut world);
    assert_eq!(world.codec_to(JANE), world.codec_to(ANN));
}

#[test]
fn two_who_share_none_talk_all_the_same() {
    let mut world = office();
    world.phones[JANE].codecs = vec![Codec::Pcma];
    world.phones[ANN].codecs = vec![Codec::Pcmu];
    jane_talks_with_ann(&mut world);
    assert_ne!(world.codec_to(JANE), world.codec_to(ANN));
}

#[test]
fn keys_pressed_reach_the_other_end() {
    let mut world = office();
    jane_talks_with_ann(&mut world);
    assert_eq!(world.press(JANE, '7'), [(ANN, '7')]);
}

#[test]
fn a_phone_that_speaks_only_video_is_refused_and_one_that_also_does_is_not() {
    let mut world = office();
    let sdp = |media: &str| {
        format!("v=0\r\no=- 1 1 IN IP4 192.0.2.13\r\ns=-\r\nc=IN IP4 192.0.2.13\r\nt=0 0\r\n{media}")
            .into_bytes()
    };
    let dial = |world: &mut World, media: &str| {
        let (target, send_to, now) = (world.uri("100"), world.lot_address(), world.now);
        let phone = &mut world.phones[JANE];
        let account = Some(phone.account);
        let call = phone.agent.invite(
            now,
            crate::sip::Invite { account, from: None, target, send_to, sdp: sdp(media), headers: Vec::new() },
        );
        world.run_ms(30);
        let incoming = world.ringing(ANN);
        world.answer(ANN, incoming);
        world.run_ms(50);
        call
    };
    let both =
        dial(&mut world, "m=audio 40000 RTP/AVP 0\r\nm=video 40002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n");
    assert!(world.talk(JANE, ANN));
    let refused =
        world.traffic.iter().any(|text| text.starts_with("SIP/2.0 200") && text.contains("m=video 0 "));
    assert!(refused, "video gets port 0");
    world.hang_up(JANE, both);
    world.run_ms(50);
    let video = dial(&mut world, "m=video 40002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n");
    assert_eq!(world.end_of(JANE, video).unwrap().0, Some(488));
    world.assert_at_rest();
}

#[test]
fn a_call_without_free_media_ports_is_refused_in_words() {
    let mut world = office();
    let calls: Vec<CallKey> = (0..17).map(|_| world.dial(BOB, "100")).collect();
    world.run_ms(100);
    let ended: Vec<_> = calls.iter().filter_map(|call| world.end_of(BOB, *call)).collect();
    assert_eq!(ended.len(), 1, "16 ports were bound");
    assert_eq!(ended[0].0, Some(503));
    assert!(world.last_refusal().contains("No media port"), "{}", world.last_refusal());
    for call in calls {
        world.hang_up(BOB, call);
    }
    world.assert_at_rest();
}

#[test]
fn a_blind_transfer_that_is_answered_joins_the_caller_with_the_new_one() {
    let mut world = office();
    let (jane, ann) = jane_talks_with_ann(&mut world);
    let refer = world.refer(ANN, ann, "101", &[]);
    world.run_ms(50);
    let at_bob = world.ringing(BOB);
    let invite = world.invite_of(BOB, at_bob);
    assert_eq!(invite.headers.from().unwrap().display.as_deref(), Some("Jane Doe"));
    assert!(invite.headers.get("Referred-By").unwrap().contains("Ann"));
    assert!(!world.is_over(ANN, ann), "not before somebody has answered");
    world.answer(BOB, at_bob);
    world.run_ms(100);
    assert!(world.talk(JANE, BOB) && world.is_over(ANN, ann));
    assert_eq!(world.progress(ANN, refer).last(), Some(&200));
    assert!(world.told_identity(JANE, jane).unwrap().contains("Bob"));
    world.hang_up(JANE, jane);
    world.assert_at_rest();
}

#[test]
fn a_blind_transfer_that_is_refused_leaves_the_call_where_it_was() {
    let mut world = office();
    let (jane, ann) = jane_talks_with_ann(&mut world);
    let refer = world.refer(ANN, ann, "101", &[]);
    world.run_ms(50);
    let at_bob = world.ringing(BOB);
    world.reject(BOB, at_bob, 486);
    world.run_ms(100);
    assert_eq!(world.progress(ANN, refer).last(), Some(&486));
    assert!(world.talk(JANE, ANN) && !world.is_over(JANE, jane));
    let refer = world.refer(ANN, ann, "00441614960100", &[]);
    world.run_ms(50);
    assert_eq!(world.refusal(ANN, refer), Some(404), "nothing outside");
    assert!(world.talk(JANE, ANN));
    world.hang_up(JANE, jane);
    world.assert_at_rest();
}

#[test]
fn a_caller_whose_transfer_fails_after_its_sender_left_comes_back_to_him() {
    let mut world = office();
    let (jane, ann) = jane_talks_with_ann(&mut world);
    world.refer(ANN, ann, "101", &[]);
    world.run_ms(50);
    world.hang_up(ANN, ann);
    world.run_ms(50);
    assert!(!world.is_over(JANE, jane) && world.hears_music(JANE));
    let at_bob = world.ringing(BOB);
    world.reject(BOB, at_bob, 486);
    world.run_ms(100);
    let back = world.ringing(ANN);
    world.answer(ANN, back);
    world.run_ms(50);
    assert!(world.talk(JANE, ANN));
    world.hang_up(JANE, jane);
    world.assert_at_rest();
}

#[test]
fn when_even_the_lot_is_full_then_he_waits_for_a_place_and_is_not_dropped() {
    let mut world = office_with("parkext = '700'");
    for _ in 0..3 {
        world.dial(BOB, "700");
    }
    world.run_ms(50);
    assert_eq!(world.lot.census().parked, 3);
    let (jane, ann) = jane_talks_with_ann(&mut world);
    world.refer(ANN, ann, "102", &[]);
    world.run_ms(50);
    world.hang_up(ANN, ann);
    let at_shop = world.ringing(SHOP);
    world.reject(SHOP, at_shop, 486);
    world.run_ms(50);
    assert_eq!(world.noticed(|n| matches!(n, Notice::Stranded { .. })), 1);
    assert!(!world.is_over(JANE, jane) && world.hears_music(JANE));
    let taken = world.dial(ANN, "702");
    world.run_ms(100);
    assert!(world.is_answered(ANN, taken));
    // Not at once: somebody may just be dialling that slot.
    world.run_s(2);
    let back = world.ringing(ANN);
    world.answer(ANN, back);
    world.run_ms(50);
    assert!(world.talk(JANE, ANN));
}

#[test]
fn an_attended_transfer_joins_the_two_others() {
    let mut world = office();
    let (jane, first) = jane_talks_with_ann(&mut world);
    world.phones[ANN].direction = Direction::SendOnly;
    world.hold(ANN, first, Direction::SendOnly);
    world.run_ms(50);
    let (second, at_bob) = talk(&mut world, ANN, BOB, "101");
    let refer = world.refer_to_call(ANN, first, "101", second);
    world.run_ms(100);
    assert!(world.talk(JANE, BOB));
    assert!(world.is_over(ANN, first) && world.is_over(ANN, second));
    assert_eq!(world.progress(ANN, refer).last(), Some(&200));
    assert!(world.told_identity(BOB, at_bob).unwrap().contains("Jane"));
    assert!(world.told_identity(JANE, jane).unwrap().contains("Bob"));
    world.hang_up(JANE, jane);
    world.assert_at_rest();
}

#[test]
fn a_reload_keeps_calls_and_refuses_users_who_are_no_more() {
    let mut world = office();
    let (jane, _) = jane_talks_with_ann(&mut world);
    let mut config = world.lot.config.clone();
    config.users.retain(|user| user.name != "bob");
    world.lot.reload(world.now, config);
    assert!(world.talk(JANE, ANN));
    let refused = world.dial(BOB, "100");
    world.run_s(1);
    assert!(matches!(world.end_of(BOB, refused).unwrap().0, Some(401 | 403)));
    world.hang_up(JANE, jane);
    world.assert_at_rest();
}

#[test]
fn what_a_phone_plays_before_it_answers_is_heard_by_the_caller() {
    let mut world = office();
    let call = world.dial(JANE, "100");
    world.run_ms(20);
    let incoming = world.ringing(ANN);
    let answer = world.answer_to(ANN, incoming);
    let now = world.now;
    world.phones[ANN].agent.ring(now, incoming, Some(answer.clone()));
    world.run_ms(20);
    let early = |e: &crate::sip::Event| {
        matches!(e, crate::sip::Event::CallProgress { status: 183, sdp: Some(_), .. })
    };
    assert!(world.phones[JANE].events.iter().any(early));
    assert!(world.hears_anything_of(JANE, ANN));
    let now = world.now;
    world.phones[ANN].agent.accept(now, incoming, answer);
    world.run_ms(50);
    assert!(world.is_answered(JANE, call) && world.talk(JANE, ANN));
    world.hang_up(JANE, call);
    world.assert_at_rest();
}

#[test]
fn two_hundred_callers_ring_at_once_and_the_call_in_hand_is_untouched() {
    let mut world = office();
    world.bind_ports(450);
    talk(&mut world, BOB, ANN, "100");
    let calls: Vec<CallKey> = (0..200).map(|_| world.dial(JANE, "100")).collect();
    world.run_s(1);
    assert!(world.talk(BOB, ANN));
    assert_eq!(calls.iter().filter(|call| world.is_over(JANE, **call)).count(), 0);
    for call in &calls {
        world.hang_up(JANE, *call);
    }
    world.run_s(1);
    assert!(world.talk(BOB, ANN));
    assert_eq!(world.lot.census().legs, 2);
}

#[test]
fn info_is_passed_on_for_keys_only() {
    let mut world = office();
    let (_, ann) = jane_talks_with_ann(&mut world);
    let now = world.now;
    for (kind, length) in [("text/plain", 8), ("application/dtmf-relay", 1025), ("application/dtmf-relay", 8)]
    {
        world.phones[ANN].agent.info(now, ann, kind, vec![b'1'; length]);
        world.run_ms(50);
    }
    let heard = world.phones[JANE].events.iter().filter_map(|event| match event {
        crate::sip::Event::InfoReceived { content_type, body, .. } => {
            Some((content_type.as_str(), body.len()))
        }
        _ => None,
    });
    assert_eq!(heard.collect::<Vec<_>>(), [("application/dtmf-relay", 8)]);
}

#[test]
fn a_phone_that_takes_its_call_to_another_address_keeps_it_once_it_has_registered_there() {
    let mut world = office();
    let (jane, ann) = jane_talks_with_ann(&mut world);
    let (old, new) = (world.phones[ANN].address, crate::sip::Peer::udp(([192, 0, 2, 99], 5060).into()));
    world.phones[ANN].address = new;
    let now = world.now;
    world.phones[ANN].agent.network_changed(now, new.address);
    world.run_s(2);
    assert_eq!(world.lot.registrar.phones("ann").len(), 1);
    world.traffic.clear();
    // Both ways: a request of hers is taken, and one for her finds her.
    let now = world.now;
    world.phones[ANN].agent.reoffer(now, ann, b"v=0\r\n".to_vec());
    world.run_s(1);
    assert!(!world.traffic.iter().any(|text| text.starts_with("SIP/2.0 481")), "{:?}", world.traffic);
    let now = world.now;
    world.phones[JANE].agent.hang_up(now, jane);
    world.run_s(1);
    let ended =
        |e: &crate::sip::Event| matches!(e, crate::sip::Event::CallEnded { call, .. } if *call == ann);
    assert!(world.phones[ANN].events.iter().any(ended));
    assert_ne!(old, new);
}

#[test]
fn a_phone_that_was_cut_off_and_ends_the_call_for_that_has_not_hung_up_on_the_caller() {
    let mut world = office();
    let (jane, ann) = jane_talks_with_ann(&mut world);
    world.phones[ANN].dead = true;
    // Nobody hears her phone ask for anything, so for all it knows the call is gone (RFC 3261 12.2.1.2).
    world.refer(ANN, ann, "700", &[]);
    world.run_s(33);
    assert!(world.is_over(ANN, ann) && !world.is_over(JANE, jane));
    world.phones[ANN].dead = false;
    world.run_s(5);
    assert!(world.traffic.iter().any(|text| text.starts_with("BYE") && text.contains("cause=408")));
    assert!(!world.is_over(JANE, jane), "{:?}", world.notices);
    let back = world.ringing(ANN);
    world.answer(ANN, back);
    world.run_ms(100);
    assert!(world.talk(JANE, ANN), "Jane comes back to her");
}
