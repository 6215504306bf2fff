//! Ways for a lamp to say what is not so, and what may never be done on such a word.

use super::console::{Console, dialect};
use super::model::{BOB, JANE, PATEL, Place};
use super::net::Weather;
use super::parks::{PARK, press};
use super::pbx::Setup;
use super::world::World;
use parkdeck::desk::Command;
use parkdeck::parking::Lamp;
use std::time::Duration;

#[test]
fn a_server_that_falls_silent_makes_every_lamp_stale_and_nothing_is_parked() {
    let mut world = World::jane_talks(Setup::asterisk());
    world.dark = true;
    world.run(20_000);
    for slot in ["701", "702", "703"] {
        assert!(matches!(world.consoles[0].lamp(slot), Lamp::Stale { was_parked: false, .. }), "{slot}");
    }
    world.press(PARK);
    world.told("not parked");
    world.dark = false;
    world.run(20_000);
    assert_eq!(world.refers(), [""; 0]);
    world.talks_with(JANE);
    assert_eq!(world.consoles[0].lamp("701"), Lamp::Free);
    world.keeps_its_promises();
}

#[test]
fn a_stale_lamps_key_asks_first_and_does_nothing_without_an_answer() {
    let mut world = World::with(Setup::asterisk(), 1, true);
    world.talks(JANE);
    world.dark = true;
    world.run(20_000);
    world.press(press("702"));
    world.run(5_000);
    world.told("the server didn't tell its state; nothing was done");
    world.dark = false;
    world.run(20_000);
    assert_eq!(world.refers(), [""; 0]);
    world.talks_with(JANE);
    world.keeps_its_promises();
}

#[test]
fn a_stale_lamp_that_is_found_occupied_is_not_parked_into() {
    let mut world = World::with(Setup::asterisk(), 1, true);
    world.talks(JANE);
    world.dark = true;
    world.run(20_000);
    world.colleague_parks(BOB);
    world.press(press("701"));
    world.dark = false;
    world.run(15_000);
    assert_eq!(world.refers(), [""; 0]);
    assert_eq!(world.place(BOB), Place::Slot(0));
    assert_eq!(world.consoles[0].lamp("701"), Lamp::Parked);
    world.talks_with(JANE);
    world.keeps_its_promises();
}

#[test]
fn a_lamp_that_nobody_tells_is_refused_and_never_sent_into() {
    // The board has a slot that the server knows nothing of.
    let setup = Setup { slots: 2, ..Setup::asterisk() };
    let dialect = dialect(&setup, true);
    let mut world = World::new(setup, 1, &dialect, 1, Weather::of(0));
    world.pbx.setup.slots = 1;
    world.begin();
    world.run(3_000);
    world.talks(BOB);
    assert!(matches!(world.consoles[0].lamp("702"), Lamp::Refused { .. }));
    world.press(press("702"));
    world.run(4_000);
    assert!(world.refers().iter().all(|target| !target.contains("702")), "{:?}", world.refers());
    assert!(matches!(world.place(BOB), Place::With(_)));
    world.keeps_its_promises();
}

#[test]
fn after_a_restart_the_lamps_count_from_nought_and_are_believed_again() {
    let mut world = World::calm(Setup::asterisk());
    for _ in 0..5 {
        world.is_parked(JANE, 0);
        world.press(press("701"));
        world.run(500);
        world.press(Command::HangUp);
        world.run(500);
    }
    world.restart();
    world.colleague_parks(BOB);
    world.run(320_000);
    // His time is over by then; another is parked, and his lamp has version 1 or 2 again.
    world.colleague_parks(PATEL);
    world.run(1_000);
    assert_eq!(world.consoles[0].lamp("701"), Lamp::Parked);
    world.keeps_its_promises();
}

#[test]
fn a_restart_in_the_middle_of_a_park_leaves_no_ghost_on_the_board() {
    for ms in [0, 1, 2, 3, 4, 6, 10, 100] {
        let mut world = World::jane_talks(Setup::asterisk());
        world.press(PARK);
        world.run(ms);
        world.restart();
        world.run(400_000);
        for slot in &world.consoles[0].desk().slots {
            assert_eq!(slot.lamp, Lamp::Free, "{ms} ms: {}", slot.id);
        }
        world.keeps_its_promises();
    }
}

#[test]
fn an_older_notify_that_comes_late_changes_no_lamp() {
    let mut world = World::calm(Setup::asterisk());
    world.late_once("<state>terminated", Duration::from_millis(300));
    world.is_parked(JANE, 0);
    world.press(press("701"));
    world.run(100);
    world.press(PARK);
    world.run(2_000);
    assert_eq!(world.place(JANE), Place::Slot(0));
    assert_eq!(world.consoles[0].lamp("701"), Lamp::Parked);
    world.keeps_its_promises();
}

#[test]
fn a_notify_that_comes_twice_changes_nothing_the_second_time() {
    let mut world = World::calm(Setup::asterisk());
    world.double_once("<state>confirmed", Duration::from_millis(700));
    world.is_parked(JANE, 0);
    world.press(press("701"));
    world.run(150);
    assert_eq!(world.consoles[0].lamp("701"), Lamp::Free);
    world.run(1_000);
    assert_eq!(world.consoles[0].lamp("701"), Lamp::Free);
    world.talks_with(JANE);
    world.keeps_its_promises();
}

#[test]
fn a_lamp_that_is_stuck_on_parked_brings_no_stranger_and_no_silence_without_a_word() {
    let mut world = World::calm(Setup::asterisk());
    world.pbx.lies.insert(1, true);
    world.pbx.tell_lamp(world.now, 1);
    world.settle();
    world.run(100);
    assert_eq!(world.consoles[0].lamp("702"), Lamp::Parked);
    world.press(press("702"));
    world.run(8_000);
    assert_eq!(world.spoken_to(0), None);
    world.told("702: the caller was not retrieved");
    world.pbx.lies.clear();
    world.keeps_its_promises();
}

#[test]
fn a_lamp_that_is_stuck_on_free_joins_nobody_to_whoever_is_there() {
    let mut world = World::with(Setup::asterisk(), 1, true);
    world.pbx.lies.insert(0, false);
    world.colleague_parks(BOB);
    world.talks(JANE);
    world.press(press("701"));
    world.run(12_000);
    assert_eq!((world.place(BOB), world.place(JANE)), (Place::Slot(0), Place::Slot(1)));
    world.told("Jane Doe is parked on 702");
    world.pbx.lies.clear();
    world.pbx.tell_lamp(world.now, 0);
    world.settle();
    world.keeps_its_promises();
}

#[test]
fn a_board_started_while_callers_are_parked_shows_that_somebody_is_there_and_no_name() {
    let mut world = World::with(Setup::asterisk(), 2, false);
    world.is_parked(JANE, 0);
    assert_eq!(world.consoles[1].lamp("701"), Lamp::Parked);
    let key = Console::slot_key("701");
    let shown = world.consoles[1].desk().slot(&key).and_then(|slot| slot.parked.clone()).unwrap();
    assert!(shown.parkee.is_withheld(), "{shown:?}");
    // Fetched there, he is who the server says he is, and nothing is called proven.
    world.press_at(1, press("701"));
    world.run(1_000);
    assert_eq!(world.spoken_to(1), Some(JANE));
    world.keeps_its_promises();
}

#[test]
fn a_lamp_whose_subscription_ran_out_unheard_is_not_shown_as_free() {
    let mut world = World::calm(Setup::asterisk());
    // Refreshes vanish, probes are answered: the server seems well.
    world.console_loses("SUBSCRIBE sip", 10_000);
    world.run(330_000);
    world.colleague_parks(BOB);
    world.run(1_000);
    assert_ne!(world.consoles[0].lamp("701"), Lamp::Free);
    world.loses_no_more();
    world.run(60_000);
    world.keeps_its_promises();
}
