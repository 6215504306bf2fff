//! Who may do what in which lot, and what the parker is told.

use super::*;
use crate::sip::message::Uri;

/// Ann may park in the front lot and Bob may not; Bob may retrieve only from the front one.
fn two_lots() -> World {
    office_as(|config| {
        and_a_second_lot(config, "name = 'back'\nparkext = '800'\nparkpos = '801-802'");
        of_user(config, ANN, "park_in = ['front', 'back']");
        of_user(config, BOB, "park_in = ['back']\nretrieve_from = ['front']");
    })
}

#[test]
fn park_in_names_the_lots_in_which_a_user_may_park() {
    let mut world = two_lots();
    assert_eq!(park_by(&mut world, JANE, ANN, "700"), Ok("701".into()));
    assert_eq!(park_by(&mut world, KURT, BOB, "700"), Err(403));
    assert!(world.last_refusal().contains("You may not park calls in that lot. The call stays with you."));
    let himself = world.dial(BOB, "700");
    world.run_ms(50);
    assert_eq!(world.end_of(BOB, himself).unwrap().0, Some(403), "nor himself");
}

#[test]
fn retrieve_from_names_the_lots_from_which_a_user_may_retrieve_and_whose_callers_he_sees() {
    let mut world = two_lots();
    let lamps = [world.watch(BOB, "701"), world.watch(BOB, "801")];
    assert_eq!(park_by(&mut world, JANE, ANN, "700"), Ok("701".into()));
    assert_eq!(park_by(&mut world, KURT, ANN, "800"), Ok("801".into()));
    world.run_ms(50);
    let shown = lamps.map(|lamp| world.lamp(BOB, lamp).dialogs[0].remote.clone());
    assert!(shown[0].is_some() && shown[1].is_none());
    let call = world.dial(BOB, "801");
    world.run_ms(50);
    assert_eq!(world.end_of(BOB, call).unwrap().0, Some(403));
    world.dial(BOB, "701");
    world.run_ms(100);
    assert!(world.talk(JANE, BOB));
}

#[test]
fn a_right_to_a_lot_that_is_not_there_is_a_slip() {
    for (key, line) in [
        ("park_in", "park_in = ['font']"),
        ("retrieve_from", "retrieve_from = ['font']"),
        ("parkinglot", "parkinglot = 'font'"),
        ("contexts", "contexts = ['nowhere']"),
    ] {
        let mut config: toml::Table = OFFICE.parse().unwrap();
        of_user(&mut config, BOB, line);
        let problems = LotConfig::problems(&config.try_into().unwrap());
        assert_eq!(problems[0].path, format!("users.1.{key}"), "{problems:?}");
    }
}

#[test]
fn the_parker_is_told_the_slot_in_headers_and_in_words() {
    let mut world = office();
    ann_parks_jane(&mut world);
    let answer = world.traffic.iter().find(|text| text.starts_with("SIP/2.0 202")).unwrap();
    assert!(answer.contains("Parkdeck-Slot: 701;lot=\"front\";ticket="));
    assert!(answer.contains("Warning: 399 parkdeck \"Jane Doe is parked on 701.\""));
}

/// The address in the answer to a REFER that parked.
fn orbit(world: &World) -> Uri {
    let answer = world.traffic.iter().find(|text| text.starts_with("SIP/2.0 202")).unwrap();
    let line = answer.lines().find_map(|line| line.strip_prefix("Parkdeck-Orbit: ")).unwrap();
    Uri::parse(line.trim_matches(['<', '>'])).unwrap()
}

#[test]
fn an_orbit_is_an_address_that_brings_exactly_that_call() {
    let mut world = office();
    ann_parks_jane(&mut world);
    let orbit = orbit(&world);
    assert_eq!(orbit.user.as_deref(), Some("701"));
    // Shop may not retrieve by number; whoever was given the address may.
    let refused = world.dial(SHOP, "701");
    world.run_ms(50);
    assert_eq!(world.end_of(SHOP, refused).unwrap().0, Some(403));
    world.dial_uri(SHOP, orbit);
    world.run_ms(100);
    assert!(world.talk(JANE, SHOP));
}

#[test]
fn an_orbit_whose_slot_was_reused_fails_with_the_reason_and_leaves_the_stranger_alone() {
    let mut world = office();
    let (jane, _) = ann_parks_jane(&mut world);
    let orbit = orbit(&world);
    world.hang_up(JANE, jane);
    world.run_s(5);
    assert_eq!(park_by(&mut world, KURT, ANN, "701"), Ok("701".into()));
    let late = world.dial_uri(BOB, orbit);
    world.run_ms(100);
    assert_eq!(world.end_of(BOB, late).unwrap().0, Some(404));
    assert!(world.last_refusal().contains("Jane Doe hung up 5 s ago."), "{}", world.last_refusal());
    assert!(world.hears_music(KURT) && !world.hears_anything_of(KURT, BOB));
}
