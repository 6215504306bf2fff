//! Page groups: who is heard where, by whom, and for how long.

use super::*;

const PAGE: &str =
    "[[pages]]\nname = 'Shop floor'\nextension = '300'\nmembers = ['100', '101', '102']\ntimeout = 30";

/// Answers as a phone does that answers by itself.
fn answer_by_itself(world: &mut World, phone: usize) -> CallKey {
    let call = world.ringing(phone);
    let invite = world.invite_of(phone, call);
    assert!(invite.headers.get("Call-Info").unwrap().contains("answer-after=0"));
    assert!(invite.headers.get("Alert-Info").unwrap().contains("info=alert-autoanswer"));
    assert_eq!(invite.headers.get("Answer-Mode"), Some("Auto"));
    world.answer(phone, call);
    world.run_ms(50);
    call
}

#[test]
fn a_pager_is_heard_on_all_free_phones_and_hears_nobody() {
    let mut world = office_of("", PAGE);
    let page = world.dial(ANN, "300");
    world.run_ms(100);
    assert!(world.is_answered(ANN, page) && world.try_ringing(ANN).is_none(), "not on her own phone");
    let bob = answer_by_itself(&mut world, BOB);
    let shop = answer_by_itself(&mut world, SHOP);
    for phone in [BOB, SHOP] {
        assert!(world.hears_anything_of(phone, ANN) && !world.hears_anything_of(ANN, phone));
    }
    assert!(!world.hears_anything_of(BOB, SHOP));
    world.hang_up(BOB, bob);
    world.run_ms(100);
    assert!(!world.is_over(ANN, page), "the others still hear her");
    world.hang_up(ANN, page);
    world.run_ms(100);
    assert!(world.is_over(SHOP, shop));
    world.assert_at_rest();
}

#[test]
fn who_is_on_a_call_is_left_in_peace_and_who_does_not_answer_stops_ringing() {
    let mut world = office_of("", PAGE);
    talk(&mut world, JANE, BOB, "101");
    let page = world.dial(ANN, "300");
    world.run_ms(100);
    assert!(world.try_ringing(BOB).is_none());
    let shop = world.ringing(SHOP);
    world.run_s(9);
    assert!(world.is_over(SHOP, shop));
    assert!(world.is_over(ANN, page), "nobody hears her");
    assert!(world.talk(JANE, BOB));
}

#[test]
fn a_page_ends_after_its_time() {
    let mut world = office_of("", PAGE);
    let page = world.dial(ANN, "300");
    world.run_ms(100);
    let bob = answer_by_itself(&mut world, BOB);
    world.run_s(31);
    assert!(world.is_over(ANN, page) && world.is_over(BOB, bob));
    world.assert_at_rest();
}

#[test]
fn a_caller_from_outside_does_not_page_and_nobody_is_sent_into_a_page() {
    let mut world = office_of("", PAGE);
    let page = world.dial(JANE, "300");
    world.run_ms(100);
    assert_eq!(world.end_of(JANE, page).unwrap().0, Some(403));
    let (_, ann) = jane_talks_with_ann(&mut world);
    let refer = world.refer(ANN, ann, "300", &[]);
    world.run_ms(100);
    assert!(world.refusal(ANN, refer).is_some() && world.talk(JANE, ANN));
    assert!(world.try_ringing(BOB).is_none());
}

#[test]
fn a_page_that_rings_is_not_taken_by_another() {
    let mut world = office_of("", PAGE);
    world.dial(ANN, "300");
    world.run_ms(100);
    let taken = world.dial(BOB, "*8102");
    world.run_ms(100);
    assert!(world.is_over(BOB, taken));
}
