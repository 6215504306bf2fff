//! Retrieving: by number, by ticket, by Replaces; races; who comes too late; the stranger who is put back.

use super::*;
use crate::sip::dialog_info::DialogState;

#[test]
fn a_slot_is_dialled_and_both_learn_who_the_other_is() {
    let mut world = office();
    let (jane, slot) = ann_parks_jane(&mut world);
    let bob = world.dial(BOB, &slot);
    world.run_ms(100);
    assert!(world.talk(JANE, BOB));
    assert!(world.told_identity(BOB, bob).unwrap().contains("Jane Doe"));
    assert!(world.told_identity(JANE, jane).unwrap().contains("Bob"));
    let updated =
        |e: &crate::sip::Event| matches!(e, crate::sip::Event::IdentityChanged { call, .. } if *call == bob);
    assert!(world.phones[BOB].events.iter().any(updated), "also by UPDATE");
    let answered = world.phones[BOB].events.iter().find_map(|e| match e {
        crate::sip::Event::CallAnswered { call, headers, .. } if *call == bob => {
            headers.get("P-Asserted-Identity")
        }
        _ => None,
    });
    assert!(answered.unwrap().contains("Jane Doe"), "and in the 200");
    assert_eq!(world.noticed(|n| matches!(n, Notice::CallRetrieved { .. })), 1);
    world.run_s(2);
    world.hang_up(BOB, bob);
    world.run_ms(50);
    assert!(world.is_over(JANE, jane));
    world.assert_at_rest();
}

#[test]
fn an_empty_slot_is_refused_at_once_and_never_answered() {
    let mut world = office();
    let call = world.dial(BOB, "702");
    world.run_ms(10);
    assert_eq!(world.end_of(BOB, call).unwrap().0, Some(404));
    assert!(world.last_refusal().contains("Nobody is parked in 702."));
    assert!(!world.is_answered(BOB, call));
}

#[test]
fn of_two_who_want_the_same_call_one_gets_it_and_the_other_is_told_who() {
    let mut world = office();
    let (_, slot) = ann_parks_jane(&mut world);
    let (ann, bob) = (world.dial(ANN, &slot), world.dial(BOB, &slot));
    world.run_s(1);
    assert!(world.talk(JANE, ANN) != world.talk(JANE, BOB));
    let (loser, call, winner) = if world.is_over(BOB, bob) { (BOB, bob, "Ann") } else { (ANN, ann, "Bob") };
    assert_eq!(world.end_of(loser, call).unwrap().0, Some(486));
    let told = format!("{winner} took Jane Doe from {slot} 0 s ago.");
    assert!(world.last_refusal().contains(&told), "{}", world.last_refusal());
    assert_eq!(world.noticed(|n| matches!(n, Notice::CallRetrieved { .. })), 1);
}

#[test]
fn replaces_takes_exactly_the_call_that_the_lamp_named() {
    let mut world = office();
    let lamp = world.watch(BOB, "701");
    let (_, slot) = ann_parks_jane(&mut world);
    let dialog = world.lamp(BOB, lamp).dialogs[0].clone();
    assert_eq!(dialog.state, DialogState::Confirmed);
    let replaces = format!(
        "{};to-tag={};from-tag={}",
        dialog.call_id.unwrap(),
        dialog.local_tag.unwrap(),
        dialog.remote_tag.unwrap()
    );
    // Somebody else takes Jane, and Kurt is parked in her slot.
    let ann = world.dial(ANN, &slot);
    world.run_s(2);
    world.hang_up(ANN, ann);
    world.run_ms(50);
    let (kurt, at_ann) = talk(&mut world, KURT, ANN, "100");
    world.refer(ANN, at_ann, &slot, &[]);
    world.run_ms(100);
    let late = world.dial_with(BOB, &slot, &[("Replaces", &replaces), ("Require", "replaces")]);
    world.run_ms(100);
    assert_eq!(world.end_of(BOB, late).unwrap().0, Some(486));
    assert!(world.last_refusal().contains("Ann took Jane Doe"), "{}", world.last_refusal());
    assert!(!world.is_over(KURT, kurt) && world.hears_music(KURT), "the stranger stays where he is");
    // And with the right name it is Kurt.
    let dialog = world.lamp(BOB, lamp).dialogs[0].clone();
    let (id, to, from) = (dialog.call_id.unwrap(), dialog.local_tag.unwrap(), dialog.remote_tag.unwrap());
    let right = world.dial_with(BOB, &slot, &[("Replaces", &format!("{id};to-tag={to};from-tag={from}"))]);
    world.run_ms(100);
    assert!(world.is_answered(BOB, right) && world.talk(KURT, BOB));
}

#[test]
fn replaces_says_what_the_rfc_says() {
    let mut world = office();
    let lamp = world.watch(BOB, "701");
    let (jane, slot) = ann_parks_jane(&mut world);
    let dialog = world.lamp(BOB, lamp).dialogs[0].clone();
    let (id, to, from) = (dialog.call_id.unwrap(), dialog.local_tag.unwrap(), dialog.remote_tag.unwrap());
    let status = |world: &mut World, value: String| {
        let call = world.dial_with(BOB, &slot, &[("Replaces", &value)]);
        world.run_ms(100);
        world.end_of(BOB, call).and_then(|(status, _)| status)
    };
    assert_eq!(status(&mut world, format!("{id};to-tag={to};from-tag={from};early-only")), Some(486));
    assert_eq!(status(&mut world, format!("{id};to-tag={from};from-tag={to}")), Some(481));
    assert_eq!(status(&mut world, "gibberish".into()), Some(400));
    world.hang_up(JANE, jane);
    world.run_ms(100);
    assert_eq!(status(&mut world, format!("{id};to-tag={to};from-tag={from}")), Some(603));
    assert!(world.last_refusal().contains("Jane Doe hung up"));
}

#[test]
fn a_ticket_takes_its_call_and_fails_gracefully_when_the_slot_was_reused() {
    let mut world = office();
    let (_, ann) = jane_talks_with_ann(&mut world);
    let refer = world.refer(ANN, ann, "700", &[]);
    world.run_ms(100);
    let ticket = world.ticket(ANN, refer);
    let shop = world.dial_with(SHOP, "701", &[("Parkdeck-Ticket", &ticket)]);
    world.run_ms(100);
    assert!(world.talk(JANE, SHOP), "the ticket is authority enough");
    let (kurt, ann) = talk(&mut world, KURT, ANN, "100");
    world.refer(ANN, ann, "701", &[]);
    world.run_ms(100);
    let again = world.dial_with(ANN, "701", &[("Parkdeck-Ticket", &ticket)]);
    world.run_ms(100);
    assert_eq!(world.end_of(ANN, again).unwrap().0, Some(486));
    assert!(world.last_refusal().contains("Shop took Jane Doe"));
    assert!(world.hears_music(KURT) && !world.is_over(KURT, kurt));
    let wrong = world.dial_with(ANN, "701", &[("Parkdeck-Ticket", "0123456789abcdef")]);
    world.run_ms(100);
    assert_eq!(world.end_of(ANN, wrong).unwrap().0, Some(404));
    world.hang_up(SHOP, shop);
}

#[test]
fn a_retriever_who_never_confirms_costs_the_caller_nothing() {
    let mut world = office();
    let (jane, slot) = ann_parks_jane(&mut world);
    world.dial(BOB, &slot);
    // The phone is unplugged before the 200 can reach it.
    world.run_ms(1);
    world.phones[BOB].dead = true;
    world.run_ms(1);
    assert_eq!(world.lot.census().parked, 0, "lent");
    world.run_s(40);
    assert_eq!(world.noticed(|n| matches!(n, Notice::CallPutBack { .. })), 1, "{:?}", world.notices);
    assert!(!world.is_over(JANE, jane) && world.hears_music(JANE));
    let taken = world.dial(ANN, &slot);
    world.run_ms(100);
    assert!(world.is_answered(ANN, taken) && world.talk(JANE, ANN));
}

#[test]
fn a_retriever_whose_phone_dies_costs_the_caller_nothing_either() {
    let mut world = office();
    let (jane, slot) = ann_parks_jane(&mut world);
    let bob = world.dial(BOB, &slot);
    world.run_ms(100);
    assert!(world.talk(JANE, BOB));
    world.phones[BOB].dead = true;
    world.silent(BOB, 30_000);
    world.run_s(40);
    assert!(!world.is_over(JANE, jane) && world.hears_music(JANE));
    assert!(!world.is_over(BOB, bob), "he doesn't know it yet");
    world.run_s(100);
    let taken = world.dial(ANN, &slot);
    world.run_ms(100);
    assert!(world.is_answered(ANN, taken) && world.talk(JANE, ANN));
}

#[test]
fn a_parked_caller_whose_phone_died_does_not_haunt_the_slot() {
    let mut world = office();
    let (_, _) = ann_parks_jane(&mut world);
    world.phones[JANE].dead = true;
    world.silent(JANE, 30_000);
    world.run_s(40);
    assert_eq!(world.noticed(|n| matches!(n, Notice::GivenUp { .. })), 1);
    world.assert_at_rest();
}

#[test]
fn a_parked_caller_who_is_merely_silent_stays() {
    let mut world = office();
    let (jane, _) = ann_parks_jane(&mut world);
    world.silent(JANE, 30_000);
    world.run_s(40);
    assert!(!world.is_over(JANE, jane) && world.hears_music(JANE));
}

#[test]
fn a_retriever_whose_cancel_crosses_the_answer_costs_the_caller_nothing() {
    let mut world = office();
    let (jane, slot) = ann_parks_jane(&mut world);
    let bob = world.dial(BOB, &slot);
    world.run_ms(2);
    world.hang_up(BOB, bob);
    world.run_s(2);
    assert_eq!(world.noticed(|n| matches!(n, Notice::CallRetrieved { .. })), 1);
    assert_eq!(world.noticed(|n| matches!(n, Notice::CallPutBack { .. })), 1);
    assert!(world.hears_music(JANE) && !world.is_over(JANE, jane) && world.is_over(BOB, bob));
    let lamp = world.watch(BOB, &slot);
    world.run_ms(50);
    assert_eq!(world.lamp(BOB, lamp).dialogs[0].state, DialogState::Confirmed);
}

#[test]
fn a_retriever_who_hangs_up_at_once_ends_the_call_only_if_he_had_it() {
    let mut world = office();
    let (jane, slot) = ann_parks_jane(&mut world);
    let bob = world.dial(BOB, &slot);
    world.run_ms(3);
    world.hang_up(BOB, bob);
    world.run_s(40);
    // CANCEL before the 200: still parked, or put back. After ACK: an ordinary hang-up.
    let answered = world.is_answered(BOB, bob);
    assert_eq!(world.is_over(JANE, jane), answered && world.lot.census().parked == 0);
}

#[test]
fn a_caller_who_hangs_up_just_as_he_is_taken_leaves_nothing() {
    let mut world = office();
    let (jane, slot) = ann_parks_jane(&mut world);
    world.dial(BOB, &slot);
    world.run_ms(2);
    world.hang_up(JANE, jane);
    world.run_s(5);
    world.assert_at_rest();
}

#[test]
fn a_user_goes_on_with_his_own_call_on_another_phone_and_with_nobody_elses() {
    let mut world = office();
    let (_, at_ann) = jane_talks_with_ann(&mut world);
    let second = world.add_phone("ann", "ann", "Ann");
    let replaces = world.replaces_of(ANN, at_ann);
    let thief = world.dial_with(BOB, "100", &[("Replaces", &replaces)]);
    world.run_ms(100);
    assert_eq!(world.end_of(BOB, thief).unwrap().0, Some(403));
    assert!(world.talk(JANE, ANN));
    world.dial_with(second, "100", &[("Replaces", &replaces)]);
    world.run_ms(100);
    assert!(world.talk(JANE, second) && world.is_over(ANN, at_ann));
}

#[test]
fn the_codec_of_the_parked_caller_is_kept_when_the_retriever_speaks_it() {
    use crate::sip::sdp::Codec;
    let mut world = office();
    world.phones[JANE].codecs = vec![Codec::Pcma];
    let (_, slot) = ann_parks_jane(&mut world);
    world.phones[BOB].codecs = vec![Codec::Pcmu, Codec::Pcma];
    world.dial(BOB, &slot);
    world.run_ms(100);
    assert_eq!(world.codec_to(BOB), Some(crate::media::Codec::Pcma));
}

#[test]
fn who_was_parked_and_who_took_him_is_not_told_to_those_who_may_not_retrieve() {
    let mut world = office();
    let (_, slot) = ann_parks_jane(&mut world);
    world.dial(BOB, &slot);
    world.run_ms(100);
    for who in [SHOP, ANN] {
        world.dial(who, &slot);
        world.run_ms(100);
        let names = ["Jane", "Bob"].iter().any(|name| world.last_refusal().contains(name));
        assert_eq!(names, who == ANN, "{}", world.last_refusal());
        world.message(who, &slot, &[("Parkdeck-Ticket", "t")], "hello");
        let names = ["Jane", "Bob"].iter().any(|name| world.last_refusal().contains(name));
        assert_eq!(names, who == ANN, "{}", world.last_refusal());
    }
}

#[test]
fn who_comes_too_late_for_a_call_does_not_get_the_one_that_waited_for_its_slot() {
    let mut world = office_with("parkpos = '701'");
    let (_, slot) = ann_parks_jane(&mut world);
    // Kurt waits for a place, with music: Bob sent him to somebody who says no, and is gone.
    let (kurt, at_bob) = talk(&mut world, KURT, BOB, "101");
    world.refer(BOB, at_bob, "102", &[]);
    world.run_ms(50);
    world.hang_up(BOB, at_bob);
    world.run_ms(50);
    let at_shop = world.ringing(SHOP);
    world.reject(SHOP, at_shop, 486);
    world.run_ms(50);
    // Two want Jane.
    let ann = world.dial(ANN, &slot);
    world.run_ms(20);
    let late = world.dial(BOB, &slot);
    world.run_ms(100);
    assert!(world.is_answered(ANN, ann) && world.talk(ANN, JANE));
    assert!(!world.is_answered(BOB, late) && world.is_over(BOB, late), "{:?}", world.notices);
    world.run_s(3);
    assert!(world.hears_music(KURT) && !world.is_over(KURT, kurt));
    assert_eq!(world.lot.lots[0].in_slot(&slot).unwrap().parkee.label(), "Kurt Weill");
}
