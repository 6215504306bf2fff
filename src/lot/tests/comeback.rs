//! Comeback: the parker, the fallback, the slot again; retrieved while it rings.

use super::*;
use crate::sip::dialog_info::{DialogState, Direction};

#[test]
fn after_its_time_a_call_rings_its_parker_with_everything_about_it() {
    let mut world = office();
    let lamp = world.watch(BOB, "701");
    let (_, at_ann) = jane_talks_with_ann(&mut world);
    world.refer(ANN, at_ann, "700", &[("Parkdeck-Note", "for Sam")]);
    world.run_s(59);
    assert!(world.try_ringing(ANN).is_none());
    world.run_s(2);
    let back = world.ringing(ANN);
    let headers = world.invite_of(ANN, back).headers;
    assert_eq!(headers.from().unwrap().display.as_deref(), Some("701 Jane Doe"));
    assert_eq!(headers.name_addr("P-Asserted-Identity").unwrap().display.as_deref(), Some("Jane Doe"));
    assert!(headers.get("Alert-Info").unwrap().ends_with(";info=park-return"));
    assert!(headers.get("Parkdeck-Slot").unwrap().starts_with("701;lot=\"front\";ticket="));
    assert_eq!(headers.get("Parkdeck-Waited"), Some("60"));
    assert_eq!(headers.get("Parkdeck-Note"), Some("for Sam"));
    assert_eq!(headers.get("Parkdeck-Ticket").unwrap().len(), 32);
    assert!(headers.get("Referred-By").unwrap().contains("sip:100@parkdeck"));
    let dialog = &world.lamp(BOB, lamp).dialogs[0];
    assert_eq!((dialog.state, dialog.direction), (DialogState::Early, Some(Direction::Initiator)));
    world.answer(ANN, back);
    world.run_ms(100);
    assert!(world.talk(JANE, ANN));
    assert_eq!(world.noticed(|n| matches!(n, Notice::CameBack { .. })), 1);
    assert_eq!(world.lamp(BOB, lamp).dialogs[0].state, DialogState::Terminated);
    world.hang_up(ANN, back);
    world.assert_at_rest();
}

#[test]
fn a_call_that_nobody_takes_goes_back_into_its_slot_again_and_again() {
    let mut world = office();
    let (jane, slot) = ann_parks_jane(&mut world);
    world.run_s(500);
    assert!(!world.is_over(JANE, jane) && world.hears_music(JANE), "a caller is never dropped");
    assert!(world.noticed(|n| matches!(n, Notice::WaitsAgain { .. })) >= 5);
    world.dial(BOB, &slot);
    world.run_ms(100);
    assert!(world.talk(JANE, BOB));
    world.hang_up(JANE, jane);
    world.assert_at_rest();
}

#[test]
fn while_it_rings_back_it_can_be_retrieved_and_the_ringing_stops() {
    let mut world = office();
    let (_, slot) = ann_parks_jane(&mut world);
    world.run_s(61);
    let back = world.ringing(ANN);
    world.ring(ANN, back);
    world.run_ms(50);
    world.dial(BOB, &slot);
    world.run_ms(100);
    assert!(world.talk(JANE, BOB) && world.is_over(ANN, back));
}

#[test]
fn a_parker_who_answers_just_as_another_retrieves_gets_nobody_and_nobody_is_joined_twice() {
    let mut world = office();
    let (jane, slot) = ann_parks_jane(&mut world);
    world.run_s(61);
    let back = world.ringing(ANN);
    let bob = world.dial(BOB, &slot);
    world.run_ms(2);
    world.answer(ANN, back);
    world.run_s(2);
    assert!(world.talk(JANE, ANN) != world.talk(JANE, BOB));
    assert!(world.is_over(ANN, back) != world.is_over(BOB, bob));
    assert!(!world.is_over(JANE, jane));
    world.hang_up(JANE, jane);
    world.assert_at_rest();
}

#[test]
fn the_fallback_is_rung_when_the_parker_does_not_answer() {
    let mut world = office_with("fallback = '101'\nfallbackdialtime = 10");
    let (jane, _) = ann_parks_jane(&mut world);
    world.run_s(61);
    let back = world.ringing(ANN);
    world.run_s(20);
    assert!(world.is_over(ANN, back));
    let at_bob = world.ringing(BOB);
    assert!(world.invite_of(BOB, at_bob).headers.get("Parkdeck-Slot").is_some());
    world.answer(BOB, at_bob);
    world.run_ms(100);
    assert!(world.talk(JANE, BOB));
    assert_eq!(world.noticed(|n| matches!(n, Notice::FallbackReached { .. })), 1);
    world.hang_up(JANE, jane);
    world.assert_at_rest();
}

#[test]
fn without_comeback_to_origin_it_goes_straight_to_the_fallback_and_a_uri_will_do() {
    let mut world = office_with("comebacktoorigin = false\nfallback = 'sip:night@192.0.2.15:5060'");
    let night = world.add_phone("night", "x", "Night");
    let (jane, _) = ann_parks_jane(&mut world);
    world.run_s(61);
    assert!(world.try_ringing(ANN).is_none());
    let at_night = world.ringing(night);
    world.answer(night, at_night);
    world.run_ms(100);
    assert!(world.talk(JANE, night));
    let refer = world.refer(night, at_night, "700", &[]);
    world.run_ms(100);
    assert_eq!(world.refusal(night, refer), Some(403), "a stranger at the fallback has no rights");
    world.hang_up(JANE, jane);
    world.assert_at_rest();
}

#[test]
fn a_parker_who_has_gone_home_loses_nobody() {
    let mut world = office();
    let (jane, _) = ann_parks_jane(&mut world);
    let (now, account) = (world.now, world.phones[ANN].account);
    world.phones[ANN].agent.unregister(now, account);
    world.run_s(70);
    assert!(world.hears_music(JANE) && !world.is_over(JANE, jane));
    assert!(world.noticed(|n| matches!(n, Notice::WaitsAgain { .. })) >= 1);
}

#[test]
fn a_caller_who_hangs_up_stops_the_ringing() {
    let mut world = office();
    let (jane, _) = ann_parks_jane(&mut world);
    world.run_s(61);
    let back = world.ringing(ANN);
    world.ring(ANN, back);
    world.run_ms(50);
    world.hang_up(JANE, jane);
    world.run_ms(100);
    assert!(world.is_over(ANN, back));
    assert_eq!(world.noticed(|n| matches!(n, Notice::GivenUp { waited_s: 60 | 61, .. })), 1);
    world.assert_at_rest();
}
