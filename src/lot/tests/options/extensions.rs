//! Which extensions a lot has, for whom, and which slot is taken.

use super::*;
use crate::sip::dialog_info::DialogState;

#[test]
fn parkext_is_the_extension_to_dial_to_park() {
    let mut world = office_with("parkext = '*68'");
    assert_eq!(park_by(&mut world, JANE, ANN, "*68"), Ok("701".into()));
    assert!(world.hears_music(JANE));
    let nothing = world.dial(BOB, "700");
    world.run_ms(50);
    assert_eq!(world.end_of(BOB, nothing).unwrap().0, Some(404), "700 is nothing then");
}

#[test]
fn parkext_may_be_shared_and_each_user_parks_in_his_own_parkinglot() {
    let mut world = office_as(|config| {
        and_a_second_lot(config, "name = 'back'\nparkpos = '801-802'");
        of_user(config, BOB, "parkinglot = 'back'");
    });
    assert_eq!(park_by(&mut world, JANE, ANN, "700"), Ok("701".into()), "who has none: in the first");
    assert_eq!(park_by(&mut world, KURT, BOB, "700"), Ok("801".into()));
}

#[test]
fn parkext_exclusive_says_that_the_extension_accesses_this_lot_only() {
    let sharing = |lines: &str| {
        let mut config: toml::Table = OFFICE.parse().unwrap();
        and_a_second_lot(&mut config, &format!("name = 'back'\nparkpos = '801-802'\n{lines}"));
        LotConfig::problems(&config.try_into().unwrap())
    };
    assert_eq!(sharing(""), [], "the default is no");
    let problems = sharing("parkext_exclusive = true");
    assert_eq!(problems[0].path, "lots.1.parkext");
    assert!(problems[0].message.contains("exclusive to the lot “back”"), "{problems:?}");
    // What has a number of its own is reached by that, whoever dials.
    let mut world = office_as(|config| {
        and_a_second_lot(
            config,
            "name = 'back'\nparkext = '800'\nparkext_exclusive = true\nparkpos = '801-802'",
        );
    });
    assert_eq!(park_by(&mut world, JANE, ANN, "800"), Ok("801".into()));
}

#[test]
fn parkpos_is_the_range_of_slots_and_leading_zeros_are_ignored() {
    let mut world = office_with("parkpos = '00710-00711'");
    assert_eq!(park_by(&mut world, JANE, ANN, "700"), Ok("710".into()));
    assert_eq!(park_by(&mut world, KURT, ANN, "711"), Ok("711".into()));
    assert!(read("parkpos = 'a-b'").unwrap_err().contains("first-last"));
    assert!(read("parkpos = '699-701'").unwrap_err().contains("700 is the park extension, not a slot"));
}

#[test]
fn parking_extensions_of_two_lots_can_not_overlap() {
    let mut config: toml::Table = OFFICE.parse().unwrap();
    and_a_second_lot(&mut config, "name = 'back'\nparkext = '800'\nparkpos = '703-705'");
    let problems = LotConfig::problems(&config.try_into().unwrap());
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("“703” belongs to lot 1 (front) already"), "{problems:?}");
}

#[test]
fn several_lots_have_their_own_options() {
    let mut world = office_as(|config| {
        and_a_second_lot(config, "name = 'back'\nparkext = '800'\nparkpos = '801-802'\nparkingtime = 20");
    });
    assert_eq!(park_by(&mut world, JANE, ANN, "800"), Ok("801".into()));
    world.run_s(21);
    let back = world.ringing(ANN);
    let slot = world.invite_of(ANN, back).headers.get("Parkdeck-Slot").unwrap().to_owned();
    assert!(slot.starts_with("801;lot=\"back\""), "{slot}");
}

#[test]
fn context_decides_who_reaches_the_lots_extensions() {
    let mut world = office_as(|config| {
        config["lots"][0].as_table_mut().unwrap().insert("context".into(), "parkedcalls".into());
        of_user(config, ANN, "contexts = ['parkedcalls']");
    });
    assert_eq!(park_by(&mut world, JANE, ANN, "700"), Ok("701".into()));
    for extension in ["701", "700"] {
        let call = world.dial(BOB, extension);
        world.run_ms(50);
        assert_eq!(world.end_of(BOB, call).unwrap().0, Some(404), "for Bob there is no {extension}");
    }
    assert_eq!(park_by(&mut world, KURT, BOB, "700"), Err(404));
    assert_eq!(world.message(BOB, "701", &[("Parkdeck-Ticket", "x")], "hello"), 404);
    let asked = world.traffic.len();
    world.watch(BOB, "701");
    world.run_ms(50);
    let refused = |text: &String| text.starts_with("SIP/2.0 404") && text.contains("SUBSCRIBE");
    assert!(world.traffic[asked..].iter().any(refused), "nor a lamp");
}

#[test]
fn parkinghints_gives_the_slots_lamps() {
    let mut world = office_with("parkinghints = true");
    let lamp = world.watch(BOB, "701");
    world.run_ms(50);
    assert_eq!(world.lamp(BOB, lamp).dialogs[0].state, DialogState::Terminated);
    let mut world = office_with("parkinghints = false");
    world.watch(BOB, "701");
    world.run_ms(50);
    assert!(world.last_refusal().starts_with("SIP/2.0 404") && world.last_refusal().contains("parkinghints"));
    assert_eq!(park_by(&mut world, JANE, ANN, "700"), Ok("701".into()), "they can be parked in all the same");
}

#[test]
fn findslot_first_takes_the_lowest_slot_that_is_available() {
    let mut world = office_with("findslot = 'first'");
    assert_eq!(park_by(&mut world, JANE, ANN, "700"), Ok("701".into()));
    world.dial(BOB, "701");
    world.run_s(1);
    assert_eq!(park_by(&mut world, KURT, ANN, "700"), Ok("701".into()));
}

#[test]
fn findslot_next_takes_the_one_after_the_most_recently_used() {
    let mut world = office_with("findslot = 'next'");
    assert_eq!(park_by(&mut world, JANE, ANN, "700"), Ok("701".into()));
    world.dial(BOB, "701");
    world.run_s(1);
    assert_eq!(park_by(&mut world, KURT, ANN, "700"), Ok("702".into()));
}

#[test]
fn findslot_random_takes_any_and_never_one_that_is_taken() {
    let mut world = office_with("findslot = 'random'");
    let slots = [park_by(&mut world, JANE, ANN, "700"), park_by(&mut world, KURT, ANN, "700")];
    assert_ne!(slots[0], slots[1]);
    assert!(slots.iter().all(|slot| ["701", "702", "703"].contains(&slot.as_deref().unwrap())));
    assert!(read("findslot = 'lowest'").is_err());
}
