//! One mishap at every step: the server gone, restarted, a datagram lost or doubled, the caller gone; in a park, in a
//! retrieve, in a comeback. Whatever the step, nobody is lost who need not be.

use super::model::{JANE, Place, Why};
use super::parks::{PARK, press};
use super::pbx::Setup;
use super::world::{Mishap, World};
use parkdeck::desk::Command;
use std::time::Duration;

/// How many datagrams a story has at most.
const STEPS: usize = 26;

/// A story, up to the key that begins it; then with the mishap at each of its datagrams; then 90 s in peace.
fn at_every_step(mishap: Mishap, story: fn() -> World, key: &Command, then: fn(&mut World)) {
    let mut happened = 0;
    for step in 0..STEPS {
        let mut world = story();
        world.mishap_at(step, mishap);
        world.press(key.clone());
        world.run(6_000);
        happened += usize::from(world.mishap_has_happened());
        world.run(14_000);
        world.dark = false;
        world.run(70_000);
        then(&mut world);
        world.keeps_its_promises();
    }
    assert!(happened > 8, "the story has {happened} steps only");
}

fn setup() -> Setup {
    Setup { parking_time: Duration::from_secs(300), ..Setup::asterisk() }
}

fn jane_talks() -> World {
    World::jane_talks(setup())
}

fn jane_is_parked() -> World {
    let mut world = World::calm(setup());
    world.is_parked(JANE, 0);
    world
}

fn jane_is_here(world: &mut World) {
    assert!(matches!(world.place(JANE), Place::With(_) | Place::Slot(_)), "{}", world.tells());
}

fn jane_is_here_and_known(world: &mut World) {
    jane_is_here(world);
    // Whoever is with us can be spoken to, now or by one key more.
    if let (Place::With(_), None) = (world.place(JANE), world.spoken_to(0)) {
        world.press(Command::Answer);
        world.run(500);
        world.talks_with(JANE);
    }
}

fn jane_went(world: &mut World) {
    assert_eq!(world.ended(JANE), Some(Why::OwnWish), "{}", world.tells());
    assert_eq!(world.consoles[0].desk().calls.len(), 0);
}

fn nobody_is_left_on_the_board(world: &mut World) {
    assert_eq!(world.ended(JANE), Some(Why::ServersRule));
    world.run(300_000);
    for slot in &world.consoles[0].desk().slots {
        assert!(!slot.holds_somebody(), "{}{}", slot.id, world.tells());
    }
}

#[test]
fn the_server_falls_silent_at_any_step_of_a_park() {
    at_every_step(Mishap::Dark, jane_talks, &PARK, jane_is_here);
}

#[test]
fn the_server_falls_silent_at_any_step_of_a_retrieve() {
    at_every_step(Mishap::Dark, jane_is_parked, &press("701"), |_| {});
}

#[test]
fn the_server_is_restarted_at_any_step_of_a_park() {
    at_every_step(Mishap::Restart, jane_talks, &PARK, nobody_is_left_on_the_board);
}

#[test]
fn the_server_is_restarted_at_any_step_of_a_retrieve() {
    at_every_step(Mishap::Restart, jane_is_parked, &press("701"), nobody_is_left_on_the_board);
}

#[test]
fn any_one_datagram_of_a_park_is_lost() {
    at_every_step(Mishap::Loss, jane_talks, &PARK, |world| {
        assert_eq!(world.place(JANE), Place::Slot(0), "{}", world.tells());
    });
}

#[test]
fn any_one_datagram_of_a_retrieve_is_lost() {
    at_every_step(Mishap::Loss, jane_is_parked, &press("701"), |world| world.talks_with(JANE));
}

#[test]
fn any_one_datagram_of_a_park_comes_twice() {
    at_every_step(Mishap::Double, jane_talks, &PARK, |world| {
        assert_eq!(world.place(JANE), Place::Slot(0), "{}", world.tells());
        assert_eq!(world.pbx.model.parks, 1);
    });
}

#[test]
fn any_one_datagram_of_a_retrieve_comes_twice() {
    at_every_step(Mishap::Double, jane_is_parked, &press("701"), |world| world.talks_with(JANE));
}

#[test]
fn the_caller_hangs_up_at_any_step_of_a_park() {
    at_every_step(Mishap::HangsUp(JANE), jane_talks, &PARK, jane_went);
}

#[test]
fn the_caller_hangs_up_at_any_step_of_a_retrieve() {
    at_every_step(Mishap::HangsUp(JANE), jane_is_parked, &press("701"), jane_went);
}

#[test]
fn any_one_datagram_of_an_undo_is_lost() {
    at_every_step(Mishap::Loss, jane_is_parked, &Command::Undo, jane_is_here_and_known);
}
