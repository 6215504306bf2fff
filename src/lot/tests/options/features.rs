//! What is typed into a call: who may, what it does, and that all other keys go on.

use super::*;

/// Types keys a moment apart, as events.
fn type_keys(world: &mut World, phone: usize, keys: &str) -> Vec<(usize, char)> {
    let mut passed_on = Vec::new();
    for key in keys.chars() {
        passed_on = world.press(phone, key);
        world.run_ms(150);
    }
    passed_on
}

#[test]
fn parkcall_is_one_step_parking_and_whoever_typed_it_hears_the_slot() {
    let mut world = office();
    world.give_sounds();
    let (_, at_ann) = jane_talks_with_ann(&mut world);
    assert_eq!(type_keys(&mut world, ANN, "#72"), [], "the other end hears none of it");
    assert!(world.hears_music(JANE));
    assert!(world.hears_prompt_s(ANN).is_some() && !world.is_over(ANN, at_ann));
    world.run_s(3);
    assert!(world.is_over(ANN, at_ann));
    world.dial(BOB, "701");
    world.run_ms(100);
    assert!(world.talk(JANE, BOB));
}

#[test]
fn parkcall_can_be_typed_by_whoever_called_and_by_whoever_was_called() {
    let mut world = office();
    let out = world.dial(ANN, "101");
    world.run_ms(50);
    let at_bob = world.ringing(BOB);
    world.answer(BOB, at_bob);
    world.run_ms(50);
    type_keys(&mut world, ANN, "#72");
    assert!(world.hears_music(BOB) && world.is_over(ANN, out), "who called");
    let (_, at_bob) = talk(&mut world, JANE, BOB, "101");
    type_keys(&mut world, BOB, "#72");
    assert!(world.hears_music(JANE) && world.is_over(BOB, at_bob), "who was called");
}

#[test]
fn parkcall_needs_the_right_to_park_and_is_passed_on_without() {
    let mut world = office();
    talk(&mut world, KURT, SHOP, "102");
    assert_eq!(type_keys(&mut world, SHOP, "#72"), [(KURT, '#'), (KURT, '7'), (KURT, '2')]);
    assert!(world.talk(KURT, SHOP));
    let mut world = office_as(|config| of_user(config, ANN, "features = []"));
    jane_talks_with_ann(&mut world);
    assert_eq!(type_keys(&mut world, ANN, "#72").len(), 3, "nor where the user has not got the feature");
    assert!(world.talk(JANE, ANN));
}

#[test]
fn parkcall_into_a_full_lot_leaves_the_two_talking_and_is_told_by_a_tone() {
    let mut world = office_with("parkpos = '701'");
    world.give_sounds();
    ann_parks_jane(&mut world);
    let (_, at_ann) = talk(&mut world, KURT, ANN, "100");
    type_keys(&mut world, ANN, "#72");
    assert!(world.hears_prompt_s(ANN).is_some());
    world.run_s(2);
    assert!(world.talk(KURT, ANN) && !world.is_over(ANN, at_ann));
    let told =
        |n: &Notice| matches!(n, Notice::KeysRefused { reason, .. } if reason.contains("The lot is full"));
    assert_eq!(world.noticed(told), 1);
}

#[test]
fn parkcall_comes_as_info_too_and_is_an_other_code_where_the_map_says_so() {
    let mut world = office_as(|config| {
        config.insert("features".into(), toml::Value::Table("parkcall = '*5'".parse().unwrap()));
    });
    let (_, at_ann) = jane_talks_with_ann(&mut world);
    for key in ["*", "5"] {
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        world.phones[ANN].agent.info(world.now, at_ann, "application/dtmf-relay", body.into_bytes());
        world.run_ms(100);
    }
    assert!(world.hears_music(JANE) && world.is_over(ANN, at_ann));
}

#[test]
fn parkcall_parks_in_the_users_own_parkinglot() {
    let mut world = office_as(|config| {
        and_a_second_lot(config, "name = 'back'\nparkext = '800'\nparkpos = '801-802'");
        of_user(config, ANN, "parkinglot = 'back'");
    });
    jane_talks_with_ann(&mut world);
    type_keys(&mut world, ANN, "#72");
    let parked = |n: &Notice| matches!(n, Notice::CallParked { slot, .. } if slot.as_str() == "801");
    assert_eq!(world.noticed(parked), 1);
}

#[test]
fn featuredigittimeout_is_the_time_between_digits_and_what_was_no_code_goes_on() {
    let mut world = office();
    jane_talks_with_ann(&mut world);
    assert_eq!(world.press(ANN, '#'), [], "it may become a code");
    world.run_ms(900);
    assert_eq!(world.press(ANN, '7'), []);
    world.run_ms(900);
    assert_eq!(world.digits(), []);
    world.run_ms(200);
    assert_eq!(world.digits(), [(JANE, '#'), (JANE, '7')], "after a second it is none");
    assert_eq!(world.press(ANN, '2'), [(JANE, '#'), (JANE, '7'), (JANE, '2')], "nor does it become one");
    assert_eq!(type_keys(&mut world, ANN, "##72").len(), 4, "the first of two is passed on");
    assert!(world.hears_music(JANE), "and the second begins the code");
}

#[test]
fn blindxfer_transfers_the_other_end_to_the_extension_that_follows() {
    let mut world = office_as(|config| of_user(config, ANN, "features = ['blindxfer']"));
    let (_, at_ann) = jane_talks_with_ann(&mut world);
    type_keys(&mut world, ANN, "#1");
    assert!(world.hears_music(JANE) && world.hears_silence(ANN));
    type_keys(&mut world, ANN, "101");
    assert!(world.try_ringing(BOB).is_none());
    // `#`, or three seconds.
    world.run_s(3);
    let at_bob = world.ringing(BOB);
    assert!(world.talk(JANE, ANN), "until he answers");
    world.answer(BOB, at_bob);
    world.run_ms(100);
    assert!(world.talk(JANE, BOB) && world.is_over(ANN, at_ann));
}

#[test]
fn blindxfer_to_nothing_or_to_nobody_leaves_the_call_where_it_was() {
    let mut world = office_as(|config| of_user(config, ANN, "features = ['blindxfer']"));
    world.give_sounds();
    let (_, at_ann) = jane_talks_with_ann(&mut world);
    type_keys(&mut world, ANN, "#1999#");
    world.run_s(2);
    assert!(world.talk(JANE, ANN));
    type_keys(&mut world, ANN, "#1#");
    world.run_s(5);
    assert!(world.talk(JANE, ANN) && !world.is_over(ANN, at_ann));
    type_keys(&mut world, ANN, "#1700#");
    assert!(world.hears_music(JANE), "the park extension parks");
}

#[test]
fn disconnect_ends_the_call() {
    let mut world = office_as(|config| of_user(config, ANN, "features = ['disconnect']"));
    let (jane, at_ann) = jane_talks_with_ann(&mut world);
    type_keys(&mut world, ANN, "*0");
    assert!(world.is_over(JANE, jane) && world.is_over(ANN, at_ann));
    world.assert_at_rest();
}

#[test]
fn one_code_can_not_begin_another() {
    let mut config: toml::Table = OFFICE.parse().unwrap();
    config.insert("features".into(), toml::Value::Table("parkcall = '#'".parse().unwrap()));
    let problems = LotConfig::problems(&config.try_into().unwrap());
    assert_eq!(problems[0].path, "features.blindxfer");
    assert!(problems[0].message.contains("“#1” can't be typed"), "{problems:?}");
}

/// Ann parks Jane, Bob retrieves her; what each of them can type then.
fn after_a_retrieve(lot_lines: &str, keys: &str) -> (World, CallKey, bool, bool) {
    let retrieved = || {
        let mut world = office_with(lot_lines);
        ann_parks_jane(&mut world);
        let bob = world.dial(BOB, "701");
        world.run_s(2);
        assert!(world.talk(JANE, BOB));
        (world, bob)
    };
    let (mut world, _) = retrieved();
    let parked_can = type_keys(&mut world, JANE, keys).is_empty();
    let (mut world, bob) = retrieved();
    let retriever_can = type_keys(&mut world, BOB, keys).is_empty();
    (world, bob, parked_can, retriever_can)
}

#[test]
fn parkedcallreparking_enables_dtmf_parking_when_picking_up_a_parked_call() {
    for (option, parked, retriever) in [
        ("parkedcallreparking = 'caller'", false, true),
        ("parkedcallreparking = 'callee'", true, false),
        ("parkedcallreparking = 'both'", true, true),
        ("parkedcallreparking = 'no'", false, false),
        // Not Asterisk's default, "no": whoever may park may park again (a retrieved call is parked like any other).
        ("", false, true),
    ] {
        let (world, bob, parked_can, retriever_can) = after_a_retrieve(option, "#72");
        assert_eq!((parked_can, retriever_can), (parked, retriever), "{option}");
        assert_eq!(world.is_over(BOB, bob) && world.hears_music(JANE), retriever, "{option}");
    }
    assert!(read("parkedcallreparking = 'parked'").is_err());
}

#[test]
fn parkedcalltransfers_enables_dtmf_transfers_when_picking_up_a_parked_call() {
    for (option, parked, retriever) in [
        ("parkedcalltransfers = 'caller'", false, true),
        ("parkedcalltransfers = 'callee'", true, false),
        ("parkedcalltransfers = 'both'", true, true),
        ("parkedcalltransfers = 'no'", false, false),
        ("", false, false),
    ] {
        let (mut world, bob, parked_can, retriever_can) = after_a_retrieve(option, "#1");
        assert_eq!((parked_can, retriever_can), (parked, retriever), "{option}");
        if retriever {
            type_keys(&mut world, BOB, "100#");
            let at_ann = world.ringing(ANN);
            world.answer(ANN, at_ann);
            world.run_ms(100);
            assert!(world.talk(JANE, ANN) && world.is_over(BOB, bob), "{option}");
        }
    }
}

#[test]
fn parkedcallhangup_enables_dtmf_hangups_when_picking_up_a_parked_call() {
    for (option, parked, retriever) in [
        ("parkedcallhangup = 'caller'", false, true),
        ("parkedcallhangup = 'callee'", true, false),
        ("parkedcallhangup = 'both'", true, true),
        ("parkedcallhangup = 'no'", false, false),
        ("", false, false),
    ] {
        let (world, bob, parked_can, retriever_can) = after_a_retrieve(option, "*0");
        assert_eq!((parked_can, retriever_can), (parked, retriever), "{option}");
        assert_eq!(world.is_over(BOB, bob), retriever, "{option}");
    }
}

#[test]
fn parkedcallrecording_enables_dtmf_one_touch_recording_when_picking_up_a_parked_call() {
    for (option, parked, retriever) in [
        ("parkedcallrecording = 'caller'", false, true),
        ("parkedcallrecording = 'callee'", true, false),
        ("parkedcallrecording = 'both'", true, true),
        ("parkedcallrecording = 'no'", false, false),
        ("", false, false),
    ] {
        let (mut world, _, parked_can, retriever_can) = after_a_retrieve(option, "*3");
        assert_eq!((parked_can, retriever_can), (parked, retriever), "{option}");
        assert_eq!(world.is_recorded(BOB), retriever, "{option}");
        if retriever {
            type_keys(&mut world, BOB, "*3");
            assert!(!world.is_recorded(BOB) && world.talk(JANE, BOB), "typed again, it ends");
        }
    }
}

#[test]
fn a_recording_ends_with_a_park_and_one_that_can_not_be_made_costs_no_call() {
    let mut world = office_as(|config| of_user(config, ANN, "features = ['automixmon', 'parkcall']"));
    world.give_sounds();
    jane_talks_with_ann(&mut world);
    type_keys(&mut world, ANN, "*3");
    assert!(world.is_recorded(ANN));
    world.recording_fails(ANN);
    assert_eq!(world.noticed(|n| matches!(n, Notice::RecordingFailed { .. })), 1);
    assert!(world.hears_prompt_s(ANN).is_some(), "Ann hears that it isn't recorded");
    world.run_s(2);
    type_keys(&mut world, ANN, "*3");
    assert!(world.talk(JANE, ANN) && world.is_recorded(ANN));
    type_keys(&mut world, ANN, "#72");
    assert!(world.hears_music(JANE) && !world.is_recorded(JANE));
}
