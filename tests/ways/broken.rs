//! Promises broken on purpose, to see that somebody is watching: consoles that do what no console may.

use super::console::dialect;
use super::model::{BOB, JANE, PATEL, Place};
use super::net::Weather;
use super::parks::press;
use super::pbx::{Kind, Parking, Setup};
use super::world::World;
use parkdeck::desk::Command;
use parkdeck::dialect::{Dialect, Preset};
use std::time::Duration;

/// A world with a console whose dialect is as wrong as said.
fn with_a_dialect(setup: Setup, wrong: impl FnOnce(&mut Dialect)) -> World {
    let mut dialect = dialect(&setup, false);
    wrong(&mut dialect);
    let mut world = World::new(setup, 1, &dialect, 1, Weather::of(0));
    world.begin();
    world.run(3_000);
    world.talks(JANE);
    world
}

fn refers_to_slots(dialect: &mut Dialect) {
    dialect.preset.park_on = Preset::named("generic").unwrap().park_on;
}

#[track_caller]
fn is_seen(world: &World, words: &str) {
    let seen = world.broken.iter().any(|broken| broken.contains(words));
    assert!(seen, "“{words}” was not seen{}", world.tells());
}

#[test]
fn a_dialect_that_refers_to_free_slots_is_seen_to_lose_callers() {
    let mut world = with_a_dialect(Setup::asterisk(), refers_to_slots);
    world.press(press("701"));
    world.run(5_000);
    is_seen(&world, "Jane Doe was lost: he was referred to a free slot");
}

#[test]
fn a_dialect_that_refers_to_occupied_slots_is_seen_to_join_callers() {
    let mut world = with_a_dialect(Setup::asterisk(), refers_to_slots);
    world.pbx.setup.lamps_late = Duration::from_secs(2);
    world.colleague_parks(BOB);
    world.press(press("701"));
    world.run(5_000);
    is_seen(&world, "Jane Doe and Bob Roe were joined");
}

/// Why no dialect for FreeSWITCH may name stalls: known to be free is not enough where two consoles park.
#[test]
fn two_consoles_that_name_one_stall_of_freeswitch_are_seen_to_join_their_callers() {
    let setup = Setup::of(Kind::FreeSwitch);
    let mut dialect = dialect(&setup, false);
    refers_to_slots(&mut dialect);
    let mut world = World::new(setup, 2, &dialect, 1, Weather::of(0));
    world.begin();
    world.run(3_000);
    world.talks_at(0, JANE);
    world.talks_at(1, BOB);
    world.press_at(0, press("701"));
    world.press_at(1, press("701"));
    world.run(2_000);
    is_seen(&world, "were joined");
}

#[test]
fn a_bye_right_after_the_202_is_seen_to_lose_the_caller_of_a_full_lot() {
    let mut world = World::jane_talks(Setup { slots: 1, ..Setup::asterisk() });
    world.pbx.setup.lamps_late = Duration::from_secs(20);
    world.colleague_parks(BOB);
    world.press(Command::Park { slot: None });
    world.run(20);
    // As a phone does that takes a 202 for the end.
    world.console_says_goodbye();
    world.run(1_000);
    is_seen(&world, "Jane Doe was lost: our leg was ended while his park failed");
}

#[test]
fn a_dialect_that_takes_a_lamp_for_proof_is_seen_to_lose_the_caller_of_a_full_lot() {
    let mut world = with_a_dialect(Setup { slots: 2, ..Setup::asterisk() }, |dialect| {
        dialect.preset.proof.ask_twice = false;
    });
    // 702 is taken though its lamp says free; the colleague takes 701 a hair before us.
    world.pbx.lies.insert(1, false);
    let since = world.now;
    world.pbx.park(since, PATEL, 1, Parking { parker: None, by_refer: false, since });
    world.colleague_parks(BOB);
    world.press(Command::Park { slot: None });
    world.run(5_000);
    is_seen(&world, "Jane Doe was lost");
}

#[test]
fn a_microphone_that_opens_for_a_stranger_is_seen() {
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(JANE, 0);
    world.press(press("701"));
    world.run(1_000);
    world.talks_with(JANE);
    // Behind the console's back somebody else has its leg.
    let Place::With(leg) = world.place(JANE) else { panic!("she is with us") };
    world.pbx.model.moves(world.now, JANE, Place::Colleague);
    world.pbx.model.moves(world.now, BOB, Place::With(leg));
    world.settle();
    is_seen(&world, "reception speaks to Bob Roe, the board says Some(\"Jane Doe\")");
}

#[test]
fn a_lamp_that_is_shown_free_against_the_servers_word_is_seen() {
    let mut world = World::calm(Setup::asterisk());
    world.hears_a_word(0, "701", true);
    world.settle();
    is_seen(&world, "reception shows 701 free, heard Some(true)");
}

#[test]
fn a_caller_on_a_leg_that_no_board_shows_is_seen() {
    let mut world = World::jane_talks(Setup::asterisk());
    world.pbx.model.moves(world.now, JANE, Place::With(4_711));
    world.everybody_is_in_care();
    is_seen(&world, "Jane Doe is With(4711), and no board shows him");
}
