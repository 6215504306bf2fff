//! How long a call is parked, and what becomes of it then.

use super::*;

/// Whom a call that came back says it is, and why.
fn reason_of(world: &World, phone: usize, call: CallKey) -> String {
    world.invite_of(phone, call).headers.get("Parkdeck-Reason").unwrap().to_owned()
}

#[test]
fn parkingtime_is_the_number_of_seconds_that_a_call_can_be_parked_before_it_returns() {
    let mut world = office_with("parkingtime = 45");
    ann_parks_jane(&mut world);
    world.run_s(44);
    assert!(world.try_ringing(ANN).is_none());
    world.run_s(1);
    let back = world.ringing(ANN);
    assert_eq!(reason_of(&world, ANN, back), "parking-time;text=\"Parked on 701 by Ann for 45 s\"");
    assert_eq!(
        world.invite_of(ANN, back).headers.get("Subject"),
        Some("Parked on 701 by Ann for 45 s"),
        "also for phones that know only RFC 3261"
    );
}

#[test]
fn parkingtime_0_is_never() {
    let mut world = office_with("parkingtime = 0");
    let (jane, _) = ann_parks_jane(&mut world);
    world.run_s(2 * 3_600);
    assert!(world.try_ringing(ANN).is_none());
    assert!(world.hears_music(JANE) && !world.is_over(JANE, jane));
}

#[test]
fn comebacktoorigin_yes_sends_the_call_back_to_the_peer_that_parked_it() {
    let mut world = office_with("comebacktoorigin = true\nfallback = '101'");
    ann_parks_jane(&mut world);
    world.run_s(61);
    let back = world.ringing(ANN);
    assert!(world.try_ringing(BOB).is_none());
    world.answer(ANN, back);
    world.run_ms(100);
    assert!(world.talk(JANE, ANN));
}

#[test]
fn comebacktoorigin_no_sends_it_to_an_entirely_different_destination() {
    let mut world = office_with("comebacktoorigin = false\nfallback = '101'");
    ann_parks_jane(&mut world);
    world.run_s(61);
    assert!(world.try_ringing(ANN).is_none());
    let back = world.ringing(BOB);
    world.answer(BOB, back);
    world.run_ms(100);
    assert!(world.talk(JANE, BOB));
}

#[test]
fn comebackdialtime_is_the_number_of_seconds_to_dial_the_parker() {
    let mut world = office_with("comebackdialtime = 15");
    let (jane, slot) = ann_parks_jane(&mut world);
    world.run_s(61);
    let back = world.ringing(ANN);
    world.run_s(12);
    assert!(!world.is_over(ANN, back));
    world.run_s(3);
    assert!(world.is_over(ANN, back));
    // Where Asterisk drops the caller, ours is back in the slot.
    assert!(world.hears_music(JANE) && !world.is_over(JANE, jane));
    world.dial(BOB, &slot);
    world.run_ms(100);
    assert!(world.talk(JANE, BOB));
}

#[test]
fn comebackcontext_may_have_an_extension_for_each_parker_and_one_for_all_others() {
    let mut world = office_with("comebacktoorigin = false\nfallback = '102'\nfallbacks = { '100' = 'bob' }");
    assert_eq!(park_by(&mut world, JANE, ANN, "700"), Ok("701".into()));
    world.run_s(61);
    let of_ann = world.ringing(BOB);
    world.answer(BOB, of_ann);
    world.run_ms(100);
    assert!(world.talk(JANE, BOB), "who was parked by Ann goes to Bob");
    world.hang_up(BOB, of_ann);
    assert_eq!(park_by(&mut world, KURT, BOB, "700"), Ok("701".into()));
    world.run_s(61);
    world.ringing(SHOP);
    assert!(read("fallbacks = { nobody = '100' }").unwrap_err().contains("lots.0.fallbacks.nobody"));
    assert!(read("fallbacks = { ann = 'nobody' }").unwrap_err().contains("lots.0.fallbacks.ann"));
}

#[test]
fn comebackprefix_and_comebackalertinfo_tell_a_comeback_from_any_other_call() {
    let mut world = office_with("comebackprefix = true\ncomebackalertinfo = 'urn:alert:tone:attention'");
    ann_parks_jane(&mut world);
    world.run_s(61);
    let back = world.ringing(ANN);
    let headers = world.invite_of(ANN, back).headers;
    assert_eq!(headers.from().unwrap().display.as_deref(), Some("701 Jane Doe"));
    assert_eq!(headers.get("Alert-Info"), Some("<urn:alert:tone:attention>;info=park-return"));
    let mut world = office_with("comebackprefix = false");
    ann_parks_jane(&mut world);
    world.run_s(61);
    let back = world.ringing(ANN);
    let headers = world.invite_of(ANN, back).headers;
    assert_eq!(headers.from().unwrap().display.as_deref(), Some("Jane Doe"));
}

#[test]
fn comebackwhenidle_waits_until_the_parker_has_hung_up() {
    let mut world = office_with("comebackwhenidle = true");
    ann_parks_jane(&mut world);
    let (_, at_ann) = talk(&mut world, KURT, ANN, "100");
    world.run_s(70);
    assert!(world.try_ringing(ANN).is_none(), "nobody rings into a conversation");
    assert!(world.hears_music(JANE));
    world.hang_up(ANN, at_ann);
    world.run_ms(100);
    let back = world.ringing(ANN);
    world.answer(ANN, back);
    world.run_ms(100);
    assert!(world.talk(JANE, ANN));
}

#[test]
fn comebackwhenidle_waits_for_another_parkingtime_at_most() {
    let mut world = office_with("comebackwhenidle = true\nparkingtime = 30");
    ann_parks_jane(&mut world);
    talk(&mut world, KURT, ANN, "100");
    world.run_s(58);
    assert!(world.try_ringing(ANN).is_none());
    world.run_s(4);
    world.ringing(ANN);
    let slot = world.dial(BOB, "701");
    world.run_ms(100);
    assert!(world.is_answered(BOB, slot) && world.talk(JANE, BOB), "and can be retrieved all the while");
}

#[test]
fn exitkey_takes_the_parked_caller_to_the_fallback() {
    let mut world = office_with("exitkey = '0'\nfallback = '101'");
    let (jane, _) = ann_parks_jane(&mut world);
    world.run_s(10);
    world.press(JANE, '5');
    world.run_ms(50);
    assert!(world.try_ringing(BOB).is_none());
    world.press(JANE, '0');
    world.press(JANE, '0');
    world.run_ms(50);
    let at_bob = world.ringing(BOB);
    assert_eq!(reason_of(&world, BOB, at_bob), "exit-key;text=\"Asked out of 701 after 10 s\"");
    assert!(world.hears_music(JANE), "until he answers");
    world.answer(BOB, at_bob);
    world.run_ms(100);
    assert!(world.talk(JANE, BOB));
    world.hang_up(JANE, jane);
    world.assert_at_rest();
    assert!(read("exitkey = '0'").unwrap_err().contains("leads nowhere"));
    assert!(read("exitkey = '00'\nfallback = '101'").unwrap_err().contains("one key"));
}

#[test]
fn exitkey_while_the_parker_is_rung_stops_that_and_nobody_at_the_fallback_brings_the_caller_back() {
    let mut world = office_with("exitkey = '0'\nfallback = '101'\nfallbackdialtime = 10");
    let (jane, slot) = ann_parks_jane(&mut world);
    world.run_s(61);
    let back = world.ringing(ANN);
    world.phones[JANE].agent.info(
        world.now,
        jane,
        "application/dtmf-relay",
        b"Signal=0\r\nDuration=160".to_vec(),
    );
    world.run_ms(100);
    assert!(world.is_over(ANN, back), "also as INFO");
    world.ringing(BOB);
    world.run_s(15);
    assert!(world.hears_music(JANE) && !world.is_over(JANE, jane));
    world.dial(ANN, &slot);
    world.run_ms(100);
    assert!(world.talk(JANE, ANN));
}
