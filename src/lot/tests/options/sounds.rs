//! What a lot lets people hear.

use super::*;

/// The office with words and a courtesy tone of 250 ms.
fn sounding(lot_lines: &str) -> World {
    let mut world = office_with(lot_lines);
    world.give_sounds();
    world
}

#[test]
fn parkedmusicclass_is_the_music_for_the_parked_channel() {
    let mut world = sounding("");
    ann_parks_jane(&mut world);
    assert!(world.hears_music(JANE));
}

#[test]
fn parkedhears_can_be_ringing_or_silence_instead() {
    let mut world = sounding("parkedhears = 'ringing'");
    let (_, at_ann) = jane_talks_with_ann(&mut world);
    world.refer(ANN, at_ann, "700", &[]);
    world.run_ms(100);
    assert!(world.hears_ringing(JANE));
    let mut world = sounding("parkedhears = 'silence'");
    let (_, at_ann) = jane_talks_with_ann(&mut world);
    world.refer(ANN, at_ann, "700", &[]);
    world.run_ms(100);
    assert!(world.hears_silence(JANE));
    world.dial(BOB, "701");
    world.run_s(1);
    assert!(world.talk(JANE, BOB));
}

/// Who hears the courtesy tone when Bob retrieves Jane: she, he.
fn courtesy(lot_lines: &str) -> (bool, bool) {
    let mut world = sounding(lot_lines);
    ann_parks_jane(&mut world);
    world.dial(BOB, "701");
    world.run_ms(100);
    let heard = (world.hears_prompt_s(JANE), world.hears_prompt_s(BOB));
    assert!([heard.0, heard.1].iter().flatten().all(|s| *s == 0.25), "{heard:?}");
    world.run_s(1);
    assert!(world.talk(JANE, BOB), "and then they talk");
    (heard.0.is_some(), heard.1.is_some())
}

#[test]
fn courtesytone_is_played_when_someone_picks_up_a_parked_call_and_the_default_is_no_tone() {
    assert_eq!(courtesy("courtesytone = 'beep'"), (false, true));
    let mut world = office();
    ann_parks_jane(&mut world);
    world.dial(BOB, "701");
    world.run_ms(100);
    assert!(world.talk(JANE, BOB), "at once");
}

#[test]
fn parkedplay_says_who_hears_it_and_the_default_is_caller() {
    assert_eq!(courtesy("courtesytone = 'beep'\nparkedplay = 'caller'"), (false, true));
    assert_eq!(courtesy("courtesytone = 'beep'\nparkedplay = 'parked'"), (true, false));
    assert_eq!(courtesy("courtesytone = 'beep'\nparkedplay = 'both'"), (true, true));
    assert_eq!(courtesy("courtesytone = 'beep'\nparkedplay = 'no'"), (false, false));
    assert!(read("parkedplay = 'callee'").is_err());
}

#[test]
fn sayslot_keys_speaks_the_slot_to_whoever_dials_the_park_extension() {
    let mut world = sounding("");
    let ann = world.dial(ANN, "700");
    world.run_ms(100);
    assert!(world.hears_prompt_s(ANN).is_some_and(|s| s > 0.3));
    world.run_s(3);
    assert!(world.hears_music(ANN) && !world.is_over(ANN, ann));
}

#[test]
fn sayslot_always_speaks_it_also_to_who_parks_by_transfer_and_then_ends_his_call() {
    let mut world = sounding("sayslot = 'always'");
    let (_, at_ann) = jane_talks_with_ann(&mut world);
    let refer = world.refer(ANN, at_ann, "700", &[]);
    world.run_ms(100);
    assert_eq!(world.parked_slot(ANN, refer), "701");
    assert!(world.hears_prompt_s(ANN).is_some() && !world.is_over(ANN, at_ann));
    assert!(world.hears_music(JANE), "who was parked waits already");
    world.run_s(3);
    assert!(world.is_over(ANN, at_ann));
    let mut world = sounding("sayslot = 'never'");
    world.dial(ANN, "700");
    world.run_ms(100);
    assert!(world.hears_music(ANN));
}

#[test]
fn a_parker_who_hangs_up_while_the_slot_is_spoken_leaves_nothing_and_one_who_never_hears_is_not_kept() {
    let mut world = sounding("sayslot = 'always'");
    let (jane, at_ann) = jane_talks_with_ann(&mut world);
    world.refer(ANN, at_ann, "700", &[]);
    world.run_ms(200);
    world.hang_up(ANN, at_ann);
    world.run_s(1);
    assert!(world.hears_music(JANE));
    let (kurt, at_ann) = talk(&mut world, KURT, ANN, "100");
    world.refer(ANN, at_ann, "700", &[]);
    world.run_ms(100);
    world.forget_prompts();
    world.run_s(25);
    assert!(world.is_over(ANN, at_ann), "his sound never ran");
    world.hang_up(JANE, jane);
    world.hang_up(KURT, kurt);
    world.assert_at_rest();
}

#[test]
fn announce_calls_phones_that_answer_by_themselves_and_speaks_the_slot() {
    let mut world = sounding("announce = ['bob', '102']");
    ann_parks_jane(&mut world);
    let at_bob = world.ringing(BOB);
    let headers = world.invite_of(BOB, at_bob).headers;
    assert_eq!(headers.from().unwrap().display.as_deref(), Some("Parked on 701"));
    assert!(headers.get("Call-Info").unwrap().ends_with(";answer-after=0"));
    assert!(headers.get("Alert-Info").unwrap().contains("info=alert-autoanswer"));
    assert_eq!(headers.get("Answer-Mode"), Some("Auto"));
    world.answer(BOB, at_bob);
    world.run_ms(50);
    assert!(world.hears_prompt_s(BOB).is_some_and(|s| s > 2.0), "twice");
    assert!(world.hears_music(JANE) && !world.hears_anything_of(JANE, BOB));
    world.run_s(10);
    assert!(world.is_over(BOB, at_bob), "and is hung up behind it");
    assert!(world.try_ringing(SHOP).is_none(), "who doesn't answer is rung for a moment only");
    assert!(read("announce = ['nobody']").unwrap_err().contains("nobody"));
}

#[test]
fn announce_leaves_those_in_peace_who_are_on_the_phone_and_stops_when_the_call_is_taken() {
    let mut world = sounding("announce = ['100', '101', '102']");
    let (_, at_ann) = jane_talks_with_ann(&mut world);
    talk(&mut world, KURT, BOB, "101");
    world.refer(ANN, at_ann, "700", &[]);
    world.run_ms(50);
    assert!(world.try_ringing(BOB).is_none(), "never into a conversation");
    let at_shop = world.ringing(SHOP);
    world.dial(ANN, "701");
    world.run_ms(200);
    assert!(world.is_over(SHOP, at_shop));
}
