//! Lots that are made on demand.

use super::*;
use crate::lot::dynamic::MAX_DYNAMIC_LOTS;

/// Bob's own lot, with these options beside its name.
fn bobs_lot(lines: &str) -> toml::Table {
    let mut config: toml::Table = OFFICE.parse().unwrap();
    config.insert("parkeddynamic".into(), true.into());
    of_user(&mut config, BOB, &format!("parkinglot = 'bobs'\n{lines}"));
    config
}

fn with_bobs_lot(lines: &str) -> World {
    office_as(|config| *config = bobs_lot(lines))
}

fn problems(config: toml::Table) -> Vec<String> {
    let found = LotConfig::problems(&config.try_into().unwrap());
    found.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
}

#[test]
fn parkeddynamic_enables_dynamically_created_lots() {
    let mut world = with_bobs_lot("parkingdynpos = '801-802'\nparkingdynexten = '800'");
    assert_eq!(world.lot.lots.len(), 1, "on demand");
    assert_eq!(park_by(&mut world, JANE, BOB, "800"), Ok("801".into()));
    assert_eq!(world.lot.lots.len(), 2);
    world.dial(ANN, "801");
    world.run_ms(100);
    assert!(world.talk(JANE, ANN));
    let mut config = bobs_lot("parkingdynpos = '801-802'");
    config.insert("parkeddynamic".into(), false.into());
    assert!(problems(config).iter().any(|p| p.contains("add `parkeddynamic = true`")), "the default is no");
}

#[test]
fn parkingdynamic_is_the_lot_to_use_as_a_template_and_it_is_an_error_to_specify_a_non_existent_one() {
    let mut config = bobs_lot("parkingdynpos = '801-802'\nparkingdynexten = '800'\nparkingdynamic = 'back'");
    assert!(problems(config.clone()).contains(&"users.1.parkingdynamic: there is no lot “back”".to_owned()));
    and_a_second_lot(&mut config, "name = 'back'\nparkext = '900'\nparkpos = '901-902'\nparkingtime = 20");
    let mut world = office_as(|office| *office = config);
    assert_eq!(park_by(&mut world, JANE, BOB, "800"), Ok("801".into()));
    world.run_s(21);
    world.ringing(BOB);
}

#[test]
fn parkingdynamic_not_set_takes_the_default_lot_as_the_template() {
    let mut world = with_bobs_lot("parkingdynpos = '801-802'\nparkingdynexten = '800'");
    assert_eq!(park_by(&mut world, JANE, BOB, "800"), Ok("801".into()));
    assert!(world.hears_music(JANE), "with its music");
    world.run_s(59);
    assert!(world.try_ringing(BOB).is_none());
    world.run_s(2);
    world.ringing(BOB);
}

#[test]
fn parkingdynexten_not_set_shares_the_parkext_of_the_template() {
    let mut world = with_bobs_lot("parkingdynpos = '801-802'");
    assert_eq!(park_by(&mut world, JANE, ANN, "700"), Ok("701".into()));
    assert_eq!(park_by(&mut world, KURT, BOB, "700"), Ok("801".into()), "in his own");
    let mut exclusive = bobs_lot("parkingdynpos = '801-802'");
    exclusive["lots"][0].as_table_mut().unwrap().insert("parkext_exclusive".into(), true.into());
    assert!(problems(exclusive)[0].contains("exclusive to the lot “front”"));
}

#[test]
fn parkingdynpos_can_not_overlap_existing_extensions() {
    for (lines, said) in [
        ("parkingdynpos = '703-705'", "“703” belongs to lot 1 (front) already"),
        ("parkingdynpos = '801-802'\nparkingdynexten = '801'", "801 is the park extension, not a slot"),
        ("parkingdynpos = '801-802'\nparkingdynexten = '101'", "“101” belongs to user 2 (bob) already"),
    ] {
        let problems = problems(bobs_lot(lines));
        assert!(problems.iter().any(|problem| problem.contains(said)), "{lines}: {problems:?}");
    }
}

#[test]
fn a_dynamic_lot_has_lamps_and_is_parked_in_by_keys() {
    let mut world = with_bobs_lot("parkingdynpos = '801-802'");
    let lamp = world.watch(ANN, "801");
    talk(&mut world, JANE, BOB, "101");
    for key in ['#', '7', '2'] {
        world.press(BOB, key);
    }
    world.run_ms(100);
    let shown = world.lamp(ANN, lamp).dialogs[0].remote.clone().unwrap();
    assert_eq!(shown.display.as_deref(), Some("Jane Doe"));
}

#[test]
fn a_dynamic_lot_and_who_is_in_it_survive_a_reload() {
    let mut world = with_bobs_lot("parkingdynpos = '801-802'\nparkingdynexten = '800'");
    assert_eq!(park_by(&mut world, JANE, BOB, "800"), Ok("801".into()));
    let config = world.lot.config.clone();
    world.lot.reload(world.now, config);
    world.run_s(1);
    assert!(world.hears_music(JANE));
    world.dial(ANN, "801");
    world.run_ms(100);
    assert!(world.talk(JANE, ANN));
}

#[test]
fn dynamic_lots_are_bounded_and_an_occupied_one_never_goes() {
    let mut world = office_as(|config| {
        config.insert("parkeddynamic".into(), true.into());
        let users = config["users"].as_array_mut().unwrap();
        for n in 0..MAX_DYNAMIC_LOTS + 8 {
            let user = format!(
                "name = 'u{n}'\nsecret = 'x'\nparkinglot = 'lot{n}'\nparkingdynpos = '{}'\nparkingdynexten = '{}'",
                2_000 + 2 * n,
                2_001 + 2 * n
            );
            users.push(user.parse::<toml::Table>().unwrap().into());
        }
    });
    assert_eq!(park_by(&mut world, JANE, ANN, "2001"), Ok("2000".into()));
    for n in 1..MAX_DYNAMIC_LOTS + 8 {
        world.watch(BOB, &(2_000 + 2 * n).to_string());
        world.run_ms(20);
    }
    assert_eq!(world.lot.lots.len(), 1 + MAX_DYNAMIC_LOTS);
    assert!(world.hears_music(JANE));
    world.dial(ANN, "2000");
    world.run_ms(100);
    assert!(world.talk(JANE, ANN));
}
