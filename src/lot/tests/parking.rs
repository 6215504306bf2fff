//! Parking: nondirected, directed, attended, oneself; what is refused, and that nobody is lost by it.

use super::*;
use crate::sip::sdp::Direction;

#[test]
fn a_call_is_parked_and_the_answer_names_slot_lot_and_ticket() {
    let mut world = office();
    let (_, ann) = jane_talks_with_ann(&mut world);
    let refer = world.refer(ANN, ann, "700", &[("Parkdeck-Note", "for Sam, bay 3")]);
    world.run_ms(100);
    let header = world.slot_header(ANN, refer);
    assert!(header.starts_with("701;lot=\"front\";ticket="), "{header}");
    assert_eq!(world.progress(ANN, refer).last(), Some(&200));
    assert!(world.is_over(ANN, ann));
    assert!(world.hears_music(JANE));
    assert_eq!(world.lot.census().parked, 1);
    let parked = |n: &Notice| matches!(n, Notice::CallParked { slot, parkee, by } if slot.as_str() == "701" && parkee.name.as_str() == "Jane Doe" && by.name.as_str() == "Ann");
    assert_eq!(world.noticed(parked), 1);
}

#[test]
fn a_phone_that_wants_no_reports_gets_none() {
    let mut world = office();
    let (_, ann) = jane_talks_with_ann(&mut world);
    let refer = world.refer(ANN, ann, "700", &[("Refer-Sub", "false")]);
    world.run_ms(100);
    assert_eq!(world.parked_slot(ANN, refer), "701");
    assert!(world.progress(ANN, refer).is_empty());
    assert!(world.is_over(ANN, ann));
}

#[test]
fn a_held_call_can_be_parked() {
    let mut world = office();
    let (_, ann) = jane_talks_with_ann(&mut world);
    world.phones[ANN].direction = Direction::SendOnly;
    world.hold(ANN, ann, Direction::SendOnly);
    let refer = world.refer(ANN, ann, "700", &[]);
    world.run_ms(200);
    assert_eq!(world.parked_slot(ANN, refer), "701");
    assert!(world.hears_music(JANE));
}

#[test]
fn a_directed_park_goes_into_that_slot_and_is_refused_when_it_is_occupied() {
    let mut world = office();
    let (_, ann) = jane_talks_with_ann(&mut world);
    let refer = world.refer(ANN, ann, "703", &[]);
    world.run_ms(100);
    assert_eq!(world.parked_slot(ANN, refer), "703");
    let (kurt, ann) = talk(&mut world, KURT, ANN, "100");
    let refer = world.refer(ANN, ann, "703", &[]);
    world.run_ms(100);
    assert_eq!(world.refusal(ANN, refer), Some(486));
    assert!(world.last_refusal().contains("Slot 703 is occupied"), "{}", world.last_refusal());
    assert!(world.talk(KURT, ANN) && !world.is_over(KURT, kurt), "the call goes on untouched");
    assert!(!world.hears_anything_of(KURT, JANE));
}

#[test]
fn a_full_lot_refuses_and_loses_nobody() {
    let mut world = office();
    for _ in 0..3 {
        let (_, ann) = jane_talks_with_ann(&mut world);
        world.refer(ANN, ann, "700", &[]);
        world.run_ms(100);
    }
    let (kurt, ann) = talk(&mut world, KURT, ANN, "100");
    let refer = world.refer(ANN, ann, "700", &[]);
    world.run_ms(100);
    assert_eq!(world.refusal(ANN, refer), Some(480));
    assert!(world.last_refusal().contains("The lot is full"));
    assert!(world.talk(KURT, ANN) && !world.is_over(KURT, kurt));
    assert_eq!(world.lot.census().parked, 3);
}

#[test]
fn any_call_can_be_parked_whoever_began_it() {
    let mut world = office();
    let (out, _) = talk(&mut world, ANN, BOB, "101");
    let refer = world.refer(ANN, out, "700", &[]);
    world.run_ms(100);
    assert_eq!(world.parked_slot(ANN, refer), "701");
    assert!(world.hears_music(BOB));
    let back = world.dial(ANN, "701");
    world.run_ms(100);
    assert!(world.talk(ANN, BOB));
    let refer = world.refer(ANN, back, "700", &[]);
    world.run_ms(100);
    assert_eq!(world.parked_slot(ANN, refer), "701", "a retrieved call can be parked again");
}

#[test]
fn who_may_not_park_is_refused_and_keeps_the_call() {
    let mut world = office();
    let (call, at_shop) = talk(&mut world, JANE, SHOP, "102");
    let refer = world.refer(SHOP, at_shop, "700", &[]);
    world.run_ms(100);
    assert_eq!(world.refusal(SHOP, refer), Some(403));
    assert!(world.talk(JANE, SHOP));
    let refer = world.refer(JANE, call, "701", &[]);
    world.run_ms(100);
    assert_eq!(world.refusal(JANE, refer), Some(403), "a caller can't park the operator");
    assert!(world.talk(JANE, SHOP));
}

#[test]
fn who_calls_the_park_extension_is_parked_himself() {
    let mut world = office();
    let call = world.dial(ANN, "700");
    world.run_ms(50);
    assert!(world.is_answered(ANN, call) && world.hears_music(ANN));
    assert_eq!(world.lot.census().parked, 1);
    let taken = world.dial(BOB, "701");
    world.run_ms(50);
    assert!(world.talk(ANN, BOB));
    world.run_s(2);
    world.hang_up(BOB, taken);
    world.assert_at_rest();
}

#[test]
fn an_attended_park_puts_the_caller_into_the_place_of_his_parker() {
    let mut world = office();
    let (jane, first) = jane_talks_with_ann(&mut world);
    let second = world.dial(ANN, "700");
    world.run_ms(50);
    let refer = world.refer_to_call(ANN, first, "700", second);
    world.run_ms(100);
    assert_eq!(world.parked_slot(ANN, refer), "701");
    assert!(world.is_over(ANN, first) && world.is_over(ANN, second));
    assert!(world.hears_music(JANE) && !world.is_over(JANE, jane));
    let taken = world.dial(BOB, "701");
    world.run_ms(50);
    assert!(world.talk(JANE, BOB));
    world.run_s(2);
    world.hang_up(BOB, taken);
    world.assert_at_rest();
}

#[test]
fn an_attended_park_onto_a_call_that_was_taken_meanwhile_joins_nobody() {
    let mut world = office();
    let (jane, first) = jane_talks_with_ann(&mut world);
    let second = world.dial(ANN, "700");
    world.run_ms(50);
    world.dial(BOB, "701");
    world.run_ms(100);
    let refer = world.refer_to_call(ANN, first, "700", second);
    world.run_ms(100);
    assert_eq!(world.refusal(ANN, refer), Some(404));
    assert!(!world.is_over(JANE, jane), "{:?}", world.end_of(JANE, jane));
    assert!(!world.hears_anything_of(JANE, BOB));
    assert!(world.talk(JANE, ANN));
}

#[test]
fn the_parker_whose_phone_dies_loses_nobody() {
    let mut world = office();
    let (jane, ann) = jane_talks_with_ann(&mut world);
    world.refer(ANN, ann, "700", &[]);
    world.run_ms(1);
    world.phones[ANN].dead = true;
    world.run_s(50);
    assert!(!world.is_over(JANE, jane) && world.hears_music(JANE));
    assert_eq!(world.lot.census().legs, 1);
}

#[test]
fn a_caller_who_hangs_up_while_he_is_being_parked_leaves_nothing() {
    let mut world = office();
    let (jane, ann) = jane_talks_with_ann(&mut world);
    world.refer(ANN, ann, "700", &[]);
    world.hang_up(JANE, jane);
    world.run_s(2);
    assert_eq!(world.lot.census().parked, 0);
    assert!(world.is_over(ANN, ann));
    world.assert_at_rest();
}

#[test]
fn a_reload_that_takes_a_slot_away_leaves_its_caller_there() {
    let mut world = office();
    let (jane, slot) = ann_parks_jane(&mut world);
    let mut config = world.lot.config.clone();
    config.lots[0].parkpos = config::SlotRange { first: 801, last: 802 };
    world.lot.reload(world.now, config);
    let taken = world.dial(BOB, &slot);
    world.run_ms(50);
    assert!(world.is_answered(BOB, taken) && world.talk(JANE, BOB));
    world.hang_up(JANE, jane);
    world.assert_at_rest();
}
